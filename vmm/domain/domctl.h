/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of the domctl and sysctl hypercalls. */
#ifndef POLDER_DOMAIN_DOMCTL_H
#define POLDER_DOMAIN_DOMCTL_H

#include "hypercall.h"

/*
 * One domctl. d is referenced, and paused only by what the function does. Sets *back if op is to go back to the caller.
 * 0, a negative errno, or -ERESTART: the same call again, with what it changed in op if *back is set.
 */
typedef long (*domctl_fn)(struct domain *d, struct xen_domctl *op, bool *back);

/* domctl_vcpu.c: contexts, affinity, information */
long domctl_max_vcpus(struct domain *d, struct xen_domctl *op, bool *back);
long domctl_setvcpucontext(struct domain *d, struct xen_domctl *op, bool *back);
long domctl_getvcpucontext(struct domain *d, struct xen_domctl *op, bool *back);
long domctl_getvcpuinfo(struct domain *d, struct xen_domctl *op, bool *back);
long domctl_setvcpuaffinity(struct domain *d, struct xen_domctl *op, bool *back);
long domctl_getvcpuaffinity(struct domain *d, struct xen_domctl *op, bool *back);
long domctl_sendtrigger(struct domain *d, struct xen_domctl *op, bool *back);
long domctl_scheduler_op(struct domain *d, struct xen_domctl *op, bool *back);
/* domctl_state.c: extended state, MSRs, CPU policy, TSC */
long domctl_getvcpuextstate(struct domain *d, struct xen_domctl *op, bool *back);
long domctl_setvcpuextstate(struct domain *d, struct xen_domctl *op, bool *back);
long domctl_get_vcpu_msrs(struct domain *d, struct xen_domctl *op, bool *back);
long domctl_set_vcpu_msrs(struct domain *d, struct xen_domctl *op, bool *back);
long domctl_get_cpu_policy(struct domain *d, struct xen_domctl *op, bool *back);
long domctl_set_cpu_policy(struct domain *d, struct xen_domctl *op, bool *back);
/* A policy's lists into buffers of so many entries, or, where a buffer is null, how many there may be. -ENOBUFS. */
int cpu_policy_to_guest(const struct cpu_policy *p, uint64_t leaves, uint32_t *nr_leaves, uint64_t msrs,
                        uint32_t *nr_msrs) __must_check;
long domctl_gettscinfo(struct domain *d, struct xen_domctl *op, bool *back);
long domctl_settscinfo(struct domain *d, struct xen_domctl *op, bool *back);
/* domctl_access.c: what of the machine a domain may touch */
long domctl_irq_permission(struct domain *d, struct xen_domctl *op, bool *back);
long domctl_iomem_permission(struct domain *d, struct xen_domctl *op, bool *back);
long domctl_ioport_permission(struct domain *d, struct xen_domctl *op, bool *back);

/* ctl_bitmap.c: bitmaps of the tools. Bits beyond the caller's are dropped, beyond ours zero. 0 or -EFAULT. */
int ctl_bitmap_to_guest(const struct xenctl_bitmap *to, const void *bits, unsigned nr_bits) __must_check;
int ctl_bitmap_from_guest(void *bits, unsigned nr_bits, const struct xenctl_bitmap *from) __must_check;
static inline int cpumask_to_guest(const struct xenctl_bitmap *to, const cpumask_t *m)
{
    return ctl_bitmap_to_guest(to, m->bits, MAX_CPUS);
}
static inline int cpumask_from_guest(cpumask_t *m, const struct xenctl_bitmap *from)
{
    return ctl_bitmap_from_guest(m->bits, MAX_CPUS, from);
}

#endif
