/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vCPUs: what only the files of this folder need of each other. */
#ifndef POLDER_DOMAIN_VCPU_H
#define POLDER_DOMAIN_VCPU_H

#include "domain.h"

void vcpu_destroy(struct vcpu *v);    /* frees it; its domain has no reference left */
void vcpu_unmap_info(struct vcpu *v); /* gives back a registered vcpu_info page */
/* The vCPU with this id, as a guest gives it; NULL: none. */
static inline struct vcpu *vcpu_by_id(struct domain *d, uint64_t id)
{
    return id < d->max_vcpus ? __atomic_load_n(&d->vcpu[id], __ATOMIC_ACQUIRE) : NULL;
}

/* vcpu_timers.c: VCPUOP_set_singleshot_timer and the like */
long vcpu_set_singleshot(struct vcpu *v, uint64_t arg);
long vcpu_set_periodic(struct vcpu *v, uint64_t arg);
long vcpu_stop_periodic(struct vcpu *v);
/* guest_time.c: v's run state to current's memory, in the layout of the hypercall's caller. 0 or -EFAULT. */
int vcpu_runstate_copy(struct vcpu *v, uint64_t gva) __must_check;

#endif
