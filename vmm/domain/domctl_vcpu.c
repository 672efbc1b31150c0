/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domctls about vCPUs: creating them, their contexts, where they run, and what they do. */
#include "../cpu/percpu.h"
#include "../mm/alloc.h"
#include "../sched/sched.h"
#include "domctl.h"
#include "vcpu.h"

long domctl_max_vcpus(struct domain *d, struct xen_domctl *op, bool *back)
{
    struct vcpu *v;
    long ret = 0;

    if (d == current->domain || op->u.max_vcpus.max != d->max_vcpus)
        return -EINVAL;
    domain_pause(d);
    for (unsigned i = 0; !ret && i < d->max_vcpus; i++)
        if (!d->vcpu[i])
            ret = vcpu_create(d, i, &v);
    domain_unpause(d);
    return ret;
}

long domctl_setvcpucontext(struct domain *d, struct xen_domctl *op, bool *back)
{
    struct vcpu *v = vcpu_by_id(d, op->u.vcpucontext.vcpu);
    struct vcpu_guest_context *ctx = NULL;
    bool reset = handle_is_null(op->u.vcpucontext.ctxt);
    long ret = -EINVAL;

    if (d == current->domain || !v)
        return -EINVAL;
    if (!reset) {
        ctx = xzalloc(struct vcpu_guest_context);
        if (!ctx)
            return -ENOMEM;
        if (copy_from_guest(ctx, handle_gva(op->u.vcpucontext.ctxt))) {
            ret = -EFAULT;
            goto out;
        }
    }
    domain_pause(d);
    if (reset)
        ret = v->ops->vcpu_reset ? v->ops->vcpu_reset(v) : -ENOSYS;
    else
        ret = v->ops->set_context ? vcpu_set_context(v, ctx) : -EOPNOTSUPP;
    domain_unpause(d);
out:
    xfree(ctx);
    return ret;
}

long domctl_getvcpucontext(struct domain *d, struct xen_domctl *op, bool *back)
{
    struct vcpu *v = vcpu_by_id(d, op->u.vcpucontext.vcpu);
    struct vcpu_guest_context *ctx;
    long ret;

    if (d == current->domain || !v)
        return -EINVAL;
    if (!v->is_initialised)
        return -ENODATA;
    ctx = xzalloc(struct vcpu_guest_context);
    if (!ctx)
        return -ENOMEM;
    vcpu_pause(v);
    vcpu_sync_state(v);
    ret = v->ops->get_context ? v->ops->get_context(v, ctx) : -EOPNOTSUPP;
    vcpu_unpause(v);
    if (!ret) {
        if (!test_bit(VPF_down, &v->pause_flags))
            ctx->flags |= VGCF_online;
        ret = copy_to_guest(handle_gva(op->u.vcpucontext.ctxt), ctx);
    }
    xfree(ctx);
    return ret;
}

long domctl_getvcpuinfo(struct domain *d, struct xen_domctl *op, bool *back)
{
    struct xen_domctl_getvcpuinfo *info = &op->u.getvcpuinfo;
    struct vcpu *v = vcpu_by_id(d, info->vcpu);

    if (info->vcpu >= d->max_vcpus)
        return -EINVAL;
    if (!v)
        return -ESRCH;
    info->online = !test_bit(VPF_down, &v->pause_flags);
    info->blocked = test_bit(VPF_blocked, &v->pause_flags);
    info->running = v->is_running;
    info->cpu_time = vcpu_cpu_time(v);
    info->cpu = v->processor;
    *back = true;
    return 0;
}

/* -- affinity ----------------------------------------------------------------------------------------------------- */

static void cpumask_and(cpumask_t *to, const cpumask_t *a, const cpumask_t *b)
{
    for (unsigned i = 0; i < ARRAY_SIZE(to->bits); i++)
        to->bits[i] = a->bits[i] & b->bits[i];
}

/* What was asked for is reported as far as it is in effect. */
static long affinity_report(struct vcpu *v, const struct xen_domctl_vcpuaffinity *a)
{
    cpumask_t hard, soft;

    vcpu_get_affinity(v, &hard, &soft);
    cpumask_and(&hard, &hard, &cpu_online_map);
    cpumask_and(&soft, &soft, &hard);
    if ((a->flags & XEN_VCPUAFFINITY_HARD) && cpumask_to_guest(&a->cpumap_hard, &hard))
        return -EFAULT;
    if ((a->flags & XEN_VCPUAFFINITY_SOFT) && cpumask_to_guest(&a->cpumap_soft, &soft))
        return -EFAULT;
    return 0;
}

long domctl_setvcpuaffinity(struct domain *d, struct xen_domctl *op, bool *back)
{
    const uint32_t known = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT | XEN_VCPUAFFINITY_FORCE;
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *v = vcpu_by_id(d, a->vcpu);
    bool set_hard = a->flags & XEN_VCPUAFFINITY_HARD, set_soft = a->flags & XEN_VCPUAFFINITY_SOFT;
    cpumask_t hard, soft;
    long ret;

    if (!a->flags || (a->flags & ~known) || a->vcpu >= d->max_vcpus)
        return -EINVAL;
    if (!v)
        return -ESRCH;
    if ((set_hard && cpumask_from_guest(&hard, &a->cpumap_hard)) ||
        (set_soft && cpumask_from_guest(&soft, &a->cpumap_soft)))
        return -EFAULT;
    if (a->flags & XEN_VCPUAFFINITY_FORCE) {
        ret = vcpu_pin_override(v, -1);
        if (ret && ret != -EPERM) /* not pinned: nothing to undo */
            return ret;
    }
    ret = vcpu_set_affinity(v, set_hard ? &hard : NULL, set_soft ? &soft : NULL);
    if (ret)
        return ret;
    *back = true;
    return affinity_report(v, a);
}

long domctl_getvcpuaffinity(struct domain *d, struct xen_domctl *op, bool *back)
{
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *v = vcpu_by_id(d, a->vcpu);
    cpumask_t hard, soft;

    if (a->vcpu >= d->max_vcpus || !(a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)))
        return -EINVAL;
    if (!v)
        return -ESRCH;
    vcpu_get_affinity(v, &hard, &soft);
    if ((a->flags & XEN_VCPUAFFINITY_HARD) && cpumask_to_guest(&a->cpumap_hard, &hard))
        return -EFAULT;
    if ((a->flags & XEN_VCPUAFFINITY_SOFT) && cpumask_to_guest(&a->cpumap_soft, &soft))
        return -EFAULT;
    return 0;
}

/* -- the rest ----------------------------------------------------------------------------------------------------- */

long domctl_sendtrigger(struct domain *d, struct xen_domctl *op, bool *back)
{
    struct vcpu *v = vcpu_by_id(d, op->u.sendtrigger.vcpu);

    if (op->u.sendtrigger.trigger != XEN_DOMCTL_SENDTRIGGER_NMI)
        return d->is_hvm ? hvm_domctl(d, op, back, 0) : -ENOSYS;
    if (!v)
        return -ESRCH;
    if (!__atomic_exchange_n(&v->nmi_is_pending, true, __ATOMIC_SEQ_CST)) {
        if (v->ops->nmi_pending)
            v->ops->nmi_pending(v);
        vcpu_kick(v);
    }
    return 0;
}

long domctl_scheduler_op(struct domain *d, struct xen_domctl *op, bool *back)
{
    struct xen_domctl_scheduler_op *s = &op->u.scheduler_op;
    struct sched_params p;

    if (s->sched_id != XEN_SCHEDULER_CREDIT)
        return -EINVAL;
    sched_get_params(d, &p);
    switch (s->cmd) {
    case XEN_DOMCTL_SCHEDOP_getinfo:
        s->u.credit.weight = p.weight;
        s->u.credit.cap = p.cap;
        *back = true;
        return 0;
    case XEN_DOMCTL_SCHEDOP_putinfo:
        /* weight 0 and cap ~0: unchanged */
        if (s->u.credit.weight)
            p.weight = s->u.credit.weight;
        if (s->u.credit.cap != (uint16_t)~0U)
            p.cap = s->u.credit.cap;
        return sched_set_params(d, &p);
    default: return -EINVAL;
    }
}
