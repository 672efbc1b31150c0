/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of the sysctl hypercall. */
#ifndef POLDER_DOMAIN_SYSCTL_H
#define POLDER_DOMAIN_SYSCTL_H

#include "domctl.h"
#include <xen/sysctl.h>

/* One sysctl. Sets *back if op is to go back to the caller. 0, a negative errno, or -ERESTART. */
typedef long (*sysctl_fn)(struct xen_sysctl *op, bool *back);

/* sysctl_host.c: what the machine is and has */
long sysctl_physinfo(struct xen_sysctl *op, bool *back);
long sysctl_cputopoinfo(struct xen_sysctl *op, bool *back);
long sysctl_numainfo(struct xen_sysctl *op, bool *back);
long sysctl_pcitopoinfo(struct xen_sysctl *op, bool *back);
long sysctl_getcpuinfo(struct xen_sysctl *op, bool *back);
long sysctl_availheap(struct xen_sysctl *op, bool *back);
long sysctl_get_cpu_featureset(struct xen_sysctl *op, bool *back);
long sysctl_get_cpu_policy(struct xen_sysctl *op, bool *back);
long sysctl_get_cpu_levelling_caps(struct xen_sysctl *op, bool *back);
/* sysctl_sched.c: the scheduler and CPU pools */
long sysctl_sched_id(struct xen_sysctl *op, bool *back);
long sysctl_scheduler_op(struct xen_sysctl *op, bool *back);
long sysctl_cpupool_op(struct xen_sysctl *op, bool *back);

#endif
