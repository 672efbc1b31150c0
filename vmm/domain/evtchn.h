/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event channels, 2-level and FIFO ABI.  A port's state changes under its
 * domain's evtchn lock (two domains: the lower address first); sending to a
 * port takes no lock that another vCPU holds for long.
 */
#ifndef POLDER_DOMAIN_EVTCHN_H
#define POLDER_DOMAIN_EVTCHN_H

#include "domain.h"
#include <xen/event_channel.h>

int evtchn_init_domain(struct domain *d) __must_check;
int evtchn_destroy(struct domain *d) __must_check; /* closes all ports; preemptible: -ERESTART */
void evtchn_free(struct domain *d);
void evtchn_vcpu_destroy(struct vcpu *v);

int evtchn_send(struct domain *d, uint32_t port); /* from d's own port, as EVTCHNOP_send */
/* A port that the hypervisor itself listens on or signals: fn is called when the guest sends. Gives the guest's port. */
int evtchn_alloc_xen(struct domain *d, unsigned vcpu, domid_t remote,
                     void (*fn)(struct vcpu *v, unsigned port)) __must_check;
void evtchn_free_xen(struct domain *d, uint32_t port);
void evtchn_notify_xen(struct domain *d, uint32_t port); /* signals the remote end of a Xen-attached port */
/* Is the port one that d's remote end bound for this? used by ioreq servers */
bool evtchn_port_is_pending(struct domain *d, uint32_t port);

void send_guest_vcpu_virq(struct vcpu *v, unsigned virq);
void send_guest_global_virq(struct domain *d, unsigned virq);
void send_global_virq(unsigned virq); /* to the domain that handles it: Dom0 unless set */
int set_global_virq_handler(struct domain *d, unsigned virq);
void send_guest_pirq(struct domain *d, unsigned pirq); /* from the IRQ handler */
int evtchn_reset(struct domain *d, bool resuming);
void evtchn_move_pirqs(struct vcpu *v);

/* Does v have an event pending and unmasked (PV: evtchn_upcall_pending and not masked)? */
bool vcpu_event_pending(const struct vcpu *v); /* evtchn_upcall_pending is set */
/* ... and not masked by evtchn_upcall_mask (PV). */
static inline bool vcpu_event_deliverable(const struct vcpu *v)
{
    const struct vcpu_info *info = v->info;

    return READ_ONCE(info->evtchn_upcall_pending) && !READ_ONCE(info->evtchn_upcall_mask);
}
/* Sets evtchn_upcall_pending (and tells the guest type); what every delivery ends in. */
void vcpu_mark_events_pending(struct vcpu *v);

#endif
