/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Physical IRQs as a domain sees them, and the ranges of the machine that it may touch. */
#ifndef POLDER_DOMAIN_PIRQ_H
#define POLDER_DOMAIN_PIRQ_H

#include "domain.h"

struct msi_request; /* cpu/irq.h */

/* Sets of numbers [first, last], sorted; own lock. */
struct rangeset *rangeset_new(void);
void rangeset_free(struct rangeset *r);
int rangeset_add(struct rangeset *r, uint64_t first, uint64_t last) __must_check;
int rangeset_remove(struct rangeset *r, uint64_t first, uint64_t last) __must_check;
bool rangeset_contains(const struct rangeset *r, uint64_t first, uint64_t last);
bool rangeset_overlaps(const struct rangeset *r, uint64_t first, uint64_t last);

int pirq_init_domain(struct domain *d) __must_check;
void pirq_relinquish(struct domain *d); /* dying, event channels closed: gives back IRQs and the shared page */
void pirq_destroy_domain(struct domain *d);

/* PHYSDEVOP_map_pirq and its undoing, on any domain. pirq -1: choose; the first of 'nr' pirqs in a row is returned. */
int pirq_map_gsi(struct domain *d, int gsi, int pirq) __must_check;
int pirq_map_msi(struct domain *d, const struct msi_request *req, int pirq) __must_check;
int pirq_unmap(struct domain *d, int pirq) __must_check;
int pirq_reserve(struct domain *d) __must_check;       /* a free one, that a later map may name */
unsigned pirq_status(struct domain *d, unsigned pirq); /* XENIRQSTAT_*; 0 for one that is not mapped */
/* PHYSDEVOP_pirq_eoi_gmfn_v2: the page in which the guest sees which pirqs need PHYSDEVOP_eoi. */
int pirq_set_eoi_page(struct domain *d, gfn_t gfn) __must_check;

/* PHYSDEVOP_set_iopl and set_iobitmap on the current vCPU; vmm/pv installs them. */
extern void (*pv_set_iopl)(struct vcpu *v, unsigned iopl);
extern void (*pv_set_iobitmap)(struct vcpu *v, uint64_t bitmap_gva, unsigned nr_ports);
/* EVTCHNOP_bind_pirq and its undoing; called with the evtchn lock. */
int pirq_bind(struct domain *d, unsigned pirq, uint32_t port, bool share) __must_check;
void pirq_unbind(struct domain *d, unsigned pirq);
uint32_t pirq_to_port(struct domain *d, unsigned pirq); /* 0: none */
int pirq_guest_eoi(struct domain *d, unsigned pirq);
void pirq_set_affinity(struct domain *d, unsigned pirq, unsigned cpu);

#endif
