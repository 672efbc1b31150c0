/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sysctls about the scheduler, and about CPU pools, of which there is one: number 0, with all CPUs. */
#include "../cpu/percpu.h"
#include "../sched/sched.h"
#include "sysctl.h"

long sysctl_sched_id(struct xen_sysctl *op, bool *back)
{
    op->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT;
    *back = true;
    return 0;
}

static long set_tunables(const struct xen_sysctl_credit_schedule *c)
{
    if (c->tslice_ms < XEN_SYSCTL_CSCHED_TSLICE_MIN || c->tslice_ms > XEN_SYSCTL_CSCHED_TSLICE_MAX)
        return -EINVAL;
    if (c->ratelimit_us && (c->ratelimit_us < XEN_SYSCTL_SCHED_RATELIMIT_MIN ||
                            c->ratelimit_us > XEN_SYSCTL_SCHED_RATELIMIT_MAX || c->ratelimit_us > c->tslice_ms * 1000))
        return -EINVAL;
    if (c->vcpu_migr_delay_us > XEN_SYSCTL_CSCHED_MGR_DLY_MAX_US)
        return -EINVAL;
    sched_tunables = (struct sched_tunables){c->tslice_ms, c->ratelimit_us, c->vcpu_migr_delay_us};
    return 0;
}

long sysctl_scheduler_op(struct xen_sysctl *op, bool *back)
{
    struct xen_sysctl_scheduler_op *s = &op->u.scheduler_op;
    struct xen_sysctl_credit_schedule *c = &s->u.sched_credit;
    long ret = 0;

    if (s->cpupool_id)
        return -ESRCH;
    if (s->sched_id != XEN_SCHEDULER_CREDIT)
        return -EINVAL;
    switch (s->cmd) {
    case XEN_SYSCTL_SCHEDOP_putinfo:
        ret = set_tunables(c);
        if (ret)
            return ret;
        fallthrough;
    case XEN_SYSCTL_SCHEDOP_getinfo:
        c->tslice_ms = sched_tunables.tslice_ms;
        c->ratelimit_us = sched_tunables.ratelimit_us;
        c->vcpu_migr_delay_us = sched_tunables.migr_delay_us;
        *back = true;
        return 0;
    default: return -EINVAL;
    }
}

static uint32_t count_domains(void)
{
    struct domain *d = domain_get_next(0);
    uint32_t n = 0;

    while (d) {
        domid_t next = d->id + 1;

        domain_put(d);
        n++;
        d = domain_get_next(next);
    }
    return n;
}

static long pool_info(struct xen_sysctl_cpupool_op *op, bool *back)
{
    /* The tools walk the pools by asking for the first at or above a number, until there is none. */
    if (op->cpupool_id && op->cpupool_id != XEN_SYSCTL_CPUPOOL_PAR_ANY)
        return -ENOENT;
    op->cpupool_id = 0;
    op->sched_id = XEN_SCHEDULER_CREDIT;
    op->n_dom = count_domains();
    *back = true;
    return cpumask_to_guest(&op->cpumap, &cpu_online_map);
}

static long pool_move_domain(const struct xen_sysctl_cpupool_op *op)
{
    struct domain *d = domain_get_by_id((domid_t)op->domid);

    if (!d)
        return -ESRCH;
    domain_put(d);
    return op->cpupool_id ? -ENOENT : 0;
}

long sysctl_cpupool_op(struct xen_sysctl *op, bool *back)
{
    struct xen_sysctl_cpupool_op *p = &op->u.cpupool_op;
    static const cpumask_t none;

    switch (p->op) {
    case XEN_SYSCTL_CPUPOOL_OP_INFO: return pool_info(p, back);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO: return cpumask_to_guest(&p->cpumap, &none);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN: return pool_move_domain(p);
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU: return p->cpupool_id ? -ENOENT : -EBUSY;
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU: return p->cpupool_id ? -ENOENT : -ENODEV; /* none is free */
    case XEN_SYSCTL_CPUPOOL_OP_CREATE: return -EOPNOTSUPP;
    default: return -ENOSYS;
    }
}
