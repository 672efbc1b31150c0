/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest asks for its vCPUs (public header vcpu.h). Creation of a context is guarded by the domain's lock. */

#include "../cpu/percpu.h"
#include "../mm/alloc.h"
#include "../sched/sched.h"
#include "hypercall.h"
#include "vcpu.h"
#include <xen/hvm/hvm_vcpu.h>

static long initialise(struct vcpu *v, uint64_t arg)
{
    struct domain *d = v->domain;
    size_t size = d->is_hvm ? sizeof(struct vcpu_hvm_context) : sizeof(struct vcpu_guest_context);
    void *ctx = xzalloc_bytes(size);
    long ret;

    if (!ctx)
        return -ENOMEM;
    if (copy_from_guest_bytes(ctx, arg, size)) {
        xfree(ctx);
        return -EFAULT;
    }
    spin_lock(&d->lock);
    if (v->is_initialised) {
        ret = -EEXIST;
    } else if (d->is_hvm) {
        ret = d->ops->set_hvm_context ? d->ops->set_hvm_context(v, ctx) : -ENOSYS;
        if (!ret)
            v->is_initialised = true;
    } else {
        ret = vcpu_set_context(v, ctx);
    }
    spin_unlock(&d->lock);
    xfree(ctx);
    if (ret == -ERESTART)
        ret = hypercall_continue(__HYPERVISOR_vcpu_op, 3, (uint64_t)VCPUOP_initialise, (uint64_t)v->id, arg);
    return ret;
}

static long up(struct vcpu *v)
{
    struct domain *d = v->domain;
    bool wake = false;
    long ret = 0;

    spin_lock(&d->lock);
    if (!v->is_initialised)
        ret = -EINVAL;
    else
        wake = test_and_clear_bit(VPF_down, &v->pause_flags);
    spin_unlock(&d->lock);
    if (wake)
        vcpu_wake(v);
    return ret;
}

static long down(struct vcpu *v)
{
    struct domain *d = v->domain;
    bool last = true;
    struct vcpu *other;

    for_each_vcpu(d, other)
        if (other != v && !test_bit(VPF_down, &other->pause_flags))
            last = false;
    if (last) {
        domain_shutdown(d, SHUTDOWN_poweroff);
        return 0;
    }
    if (!test_and_set_bit(VPF_down, &v->pause_flags))
        vcpu_sleep_nosync(v);
    return 0;
}

static long register_runstate_area(struct vcpu *v, uint64_t arg)
{
    struct vcpu_register_runstate_memory_area op;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (v == current) {
        v->runstate_gva = op.addr.p;
        vcpu_runstate_publish(v);
        return 0;
    }
    if (op.addr.p && vcpu_runstate_copy(v, op.addr.p))
        return -EFAULT;
    v->runstate_gva = op.addr.p;
    return 0;
}

static long register_time_area(struct vcpu *v, uint64_t arg)
{
    struct vcpu_register_time_memory_area op;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    v->time_info_gva = op.addr.p;
    v->time_epoch = 0;
    if (v == current)
        vcpu_time_update(v);
    return 0;
}

static long register_info(struct vcpu *v, uint64_t arg)
{
    struct vcpu_register_vcpu_info op;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    domain_latch_shinfo_size(v->domain);
    return vcpu_register_info(v, GFN(op.mfn), op.offset);
}

static long send_nmi(struct vcpu *v)
{
    if (!__atomic_exchange_n(&v->nmi_is_pending, true, __ATOMIC_SEQ_CST)) {
        if (v->ops->nmi_pending)
            v->ops->nmi_pending(v);
        vcpu_kick(v);
    }
    return 0;
}

long do_vcpu_op(uint64_t cmd, uint64_t vcpu, uint64_t arg, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = vcpu_by_id(current->domain, (uint32_t)vcpu);

    if (!v)
        return -ENOENT;
    switch ((uint32_t)cmd) {
    case VCPUOP_initialise: return initialise(v, arg);
    case VCPUOP_up: return up(v);
    case VCPUOP_down: return down(v);
    case VCPUOP_is_up: return !test_bit(VPF_down, &v->pause_flags);
    case VCPUOP_get_runstate_info: return vcpu_runstate_copy(v, arg);
    case VCPUOP_register_runstate_memory_area: return register_runstate_area(v, arg);
    case VCPUOP_register_vcpu_time_memory_area: return register_time_area(v, arg);
    case VCPUOP_set_periodic_timer: return vcpu_set_periodic(v, arg);
    case VCPUOP_stop_periodic_timer: return vcpu_stop_periodic(v);
    case VCPUOP_set_singleshot_timer: return vcpu_set_singleshot(v, arg);
    case VCPUOP_stop_singleshot_timer:
        if (v != current)
            return -EINVAL;
        timer_stop(&v->singleshot_timer);
        return 0;
    case VCPUOP_register_vcpu_info: return register_info(v, arg);
    case VCPUOP_send_nmi: return send_nmi(v);
    case VCPUOP_get_physid:
        return -EINVAL; /* for a Dom0 with pinned vCPUs only, which the ABI leaves to an option that is not there */
    default: return -ENOSYS;
    }
}
