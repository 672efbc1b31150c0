/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event channel ports, between evtchn.c, the hypercall (evtchn_op.c) and the two ABIs for pending bits (evtchn_2l.c,
 * evtchn_fifo.c).
 */
#ifndef POLDER_DOMAIN_EVTCHN_PORT_H
#define POLDER_DOMAIN_EVTCHN_PORT_H

#include "evtchn.h"

enum evtchn_state { ECS_FREE, ECS_RESERVED, ECS_UNBOUND, ECS_INTERDOMAIN, ECS_PIRQ, ECS_VIRQ, ECS_IPI };

struct evtchn {
    uint8_t state;         /* [e] enum evtchn_state */
    uint8_t priority;      /* FIFO: of the next time it is queued */
    uint8_t last_priority; /* FIFO: of the queue it is or was in, */
    bool pending;          /* FIFO: it came while its event array page was not there yet */
    uint16_t notify_vcpu;  /* [e] */
    uint16_t last_vcpu;    /* FIFO: and whose queue that is */
    uint32_t port;
    union {
        struct {
            domid_t remote_domid;
        } unbound;
        struct {
            struct domain *remote_dom;
            uint32_t remote_port;
        } interdomain; /* changes under both domains' locks */
        struct {
            uint32_t pirq, prev, next;
        } pirq; /* ports in vcpu.pirq_first's list, 0: none */
        uint32_t virq;
    };
    void (*xen_fn)(struct vcpu *v, unsigned port); /* not NULL: the hypervisor holds this port */
};

/* What the two ABIs do differently. Called with the domain's evtchn lock, interrupts off. */
struct evtchn_port_ops {
    void (*init)(struct domain *d, struct evtchn *chn); /* the port was given out */
    void (*set_pending)(struct vcpu *v, struct evtchn *chn);
    void (*clear_pending)(struct domain *d, struct evtchn *chn);
    void (*unmask)(struct domain *d, struct evtchn *chn);
    bool (*is_pending)(const struct domain *d, const struct evtchn *chn);
    bool (*is_masked)(const struct domain *d, const struct evtchn *chn);
    bool (*is_busy)(const struct domain *d, uint32_t port); /* still in a queue: not to be given out */
    int (*set_priority)(struct domain *d, struct evtchn *chn, unsigned priority);
    unsigned max_ports;
};
extern const struct evtchn_port_ops evtchn_2l_ops, evtchn_fifo_ops;

#define EVTCHNS_PER_BUCKET 64

static inline unsigned long evtchn_lock(struct domain *d) { return spin_lock_irqsave(&d->evtchn.lock); }
static inline void evtchn_unlock(struct domain *d, unsigned long flags)
{
    spin_unlock_irqrestore(&d->evtchn.lock, flags);
}

/* The port, allocated or not; NULL: beyond the last bucket. */
struct evtchn *evtchn_from_port(const struct domain *d, uint32_t port);
struct evtchn *evtchn_open_port(const struct domain *d, uint32_t port); /* as a guest names it; NULL: not open */
unsigned evtchn_max_ports(const struct domain *d);
void evtchn_reserve(struct domain *d); /* before the lock is taken to allocate a port */
/* [e] A port for the caller, who sets its state. -ENOMEM, -ENOSPC, -EINVAL: the domain is dying. */
int evtchn_alloc_port(struct domain *d, struct evtchn **out) __must_check;
void evtchn_free_port(struct domain *d, struct evtchn *chn);   /* [e] */
void evtchn_set_pending(struct domain *d, struct evtchn *chn); /* [e] */
bool evtchn_virq_is_global(unsigned virq);

/* evtchn_op.c. by_guest: a port that the hypervisor holds is not the guest's to close. */
int evtchn_close(struct domain *d, uint32_t port, bool by_guest);
int evtchn_close_all(struct domain *d, bool by_guest) __must_check; /* preemptible: -ERESTART */

/* evtchn_fifo.c */
int evtchn_fifo_init_control(struct evtchn_init_control *op) __must_check;
int evtchn_fifo_expand_array(const struct evtchn_expand_array *op) __must_check;
int evtchn_fifo_destroy(struct domain *d) __must_check; /* back to 2-level. -ERESTART: a port is open (again) */

#endif
