/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Event channel ports, between evtchn.c and the two ABIs for pending bits (evtchn_2l.c, evtchn_fifo.c). */
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

/* The port, allocated or not; NULL: beyond the last bucket. */
struct evtchn *evtchn_from_port(const struct domain *d, uint32_t port);
unsigned evtchn_max_ports(const struct domain *d);

/* evtchn_fifo.c */
int evtchn_fifo_init_control(struct evtchn_init_control *op) __must_check;
int evtchn_fifo_expand_array(const struct evtchn_expand_array *op) __must_check;
int evtchn_fifo_destroy(struct domain *d) __must_check; /* back to 2-level. -ERESTART: a port is open (again) */

#endif
