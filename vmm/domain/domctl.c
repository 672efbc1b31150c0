/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domctl hypercall: what the tools do with domains (public header domctl.h).  One runs at a time, under domctl_lock;
 * whoever finds it taken tries again later.  What the guest type alone knows goes to pv_domctl and hvm_domctl.
 */
#include "domctl.h"

#include "../cpu/percpu.h"
#include "../lib/string.h"
#include "evtchn.h"
#include "vcpu.h"

static spinlock_t domctl_lock = SPINLOCK_INIT(LOCK_DOMCTL);

static long createdomain(struct xen_domctl *op, bool *back)
{
    domid_t id = op->domain > 0 && op->domain < DOMID_FIRST_RESERVED ? op->domain : DOMID_INVALID;
    struct domain *d;
    long ret = domain_create(id, &op->u.createdomain, false, &d);

    if (ret)
        return ret;
    op->domain = d->id;
    *back = true;
    return 0;
}

/* The only one that means the next domain where there is none of this id. */
static long getdomaininfo(struct xen_domctl *op, bool *back)
{
    struct domain *d = op->domain < DOMID_FIRST_RESERVED ? domain_get_next(op->domain) : domain_get_by_id(op->domain);

    if (!d)
        return op->domain < DOMID_FIRST_RESERVED ? -ESRCH : -EINVAL;
    domain_info_get(d, &op->u.getdomaininfo);
    op->domain = d->id;
    domain_put(d);
    *back = true;
    return 0;
}

static long destroydomain(struct domain *d, struct xen_domctl *op, bool *back) { return domain_kill(d); }

static long pausedomain(struct domain *d, struct xen_domctl *op, bool *back) { return domain_pause_by_controller(d); }

static long unpausedomain(struct domain *d, struct xen_domctl *op, bool *back)
{
    return domain_unpause_by_controller(d);
}

static long resumedomain(struct domain *d, struct xen_domctl *op, bool *back)
{
    if (d == current->domain)
        return -EINVAL;
    domain_resume(d);
    return 0;
}

static long max_mem(struct domain *d, struct xen_domctl *op, bool *back)
{
    spin_lock(&d->page_lock);
    d->max_pages = op->u.max_mem.max_memkb >> (PAGE_SHIFT - 10);
    spin_unlock(&d->page_lock);
    return 0;
}

static long setdomainhandle(struct domain *d, struct xen_domctl *op, bool *back)
{
    memcpy(d->handle, op->u.setdomainhandle.handle, sizeof(d->handle));
    return 0;
}

static long setdebugging(struct domain *d, struct xen_domctl *op, bool *back)
{
    return op->u.setdebugging.enable ? -EOPNOTSUPP : 0; /* nobody is told of a guest's breakpoints */
}

static long settimeoffset(struct domain *d, struct xen_domctl *op, bool *back)
{
    d->wc_sec_offset = op->u.settimeoffset.time_offset_seconds;
    domain_wallclock_update(d);
    return 0;
}

static long set_virq_handler(struct domain *d, struct xen_domctl *op, bool *back)
{
    return set_global_virq_handler(d, op->u.set_virq_handler.virq);
}

static long set_target(struct domain *d, struct xen_domctl *op, bool *back)
{
    struct domain *target = domain_get_by_id(op->u.set_target.target);
    long ret = -EINVAL;

    if (!target)
        return -ESRCH;
    if (d != target && target->is_hvm && !d->target) {
        d->target = target; /* with the reference */
        return 0;
    }
    domain_put(target);
    return ret;
}

static long hypercall_init(struct domain *d, struct xen_domctl *op, bool *back)
{
    struct page_info *page;
    int err = -EINVAL;

    if (!d->ops->hypercall_page)
        return d->is_hvm ? hvm_domctl(d, op, back, 0) : -ENOSYS;
    page = d->ops->get_page(d, GFN(op->u.hypercall_init.gmfn), true, &err);
    if (!page)
        return err == -EAGAIN ? err : -EACCES;
    d->ops->hypercall_page(d, page_to_virt(page));
    page_put_and_type(page);
    return 0;
}

static long set_address_size(struct domain *d, struct xen_domctl *op, bool *back)
{
    if (d->is_hvm)
        return -EOPNOTSUPP;
    return op->u.address_size.size == 64 ? 0 : op->u.address_size.size == 32 ? -EOPNOTSUPP : -EINVAL;
}

static long get_address_size(struct domain *d, struct xen_domctl *op, bool *back)
{
    op->u.address_size.size = 64;
    *back = true;
    return 0;
}

/* One node. */
static long setnodeaffinity(struct domain *d, struct xen_domctl *op, bool *back)
{
    unsigned long nodes[1];

    if (ctl_bitmap_from_guest(nodes, BITS_PER_LONG, &op->u.nodeaffinity.nodemap))
        return -EFAULT;
    return nodes[0] & 1 ? 0 : -EINVAL;
}

static long getnodeaffinity(struct domain *d, struct xen_domctl *op, bool *back)
{
    const unsigned long nodes[1] = {1};

    return ctl_bitmap_to_guest(&op->u.nodeaffinity.nodemap, nodes, BITS_PER_LONG);
}

static const domctl_fn handlers[] = {
    [XEN_DOMCTL_destroydomain] = destroydomain,
    [XEN_DOMCTL_pausedomain] = pausedomain,
    [XEN_DOMCTL_unpausedomain] = unpausedomain,
    [XEN_DOMCTL_resumedomain] = resumedomain,
    [XEN_DOMCTL_max_mem] = max_mem,
    [XEN_DOMCTL_setdomainhandle] = setdomainhandle,
    [XEN_DOMCTL_setdebugging] = setdebugging,
    [XEN_DOMCTL_settimeoffset] = settimeoffset,
    [XEN_DOMCTL_set_virq_handler] = set_virq_handler,
    [XEN_DOMCTL_set_target] = set_target,
    [XEN_DOMCTL_hypercall_init] = hypercall_init,
    [XEN_DOMCTL_set_address_size] = set_address_size,
    [XEN_DOMCTL_get_address_size] = get_address_size,
    [XEN_DOMCTL_setnodeaffinity] = setnodeaffinity,
    [XEN_DOMCTL_getnodeaffinity] = getnodeaffinity,
    [XEN_DOMCTL_max_vcpus] = domctl_max_vcpus,
    [XEN_DOMCTL_setvcpucontext] = domctl_setvcpucontext,
    [XEN_DOMCTL_getvcpucontext] = domctl_getvcpucontext,
    [XEN_DOMCTL_getvcpuinfo] = domctl_getvcpuinfo,
    [XEN_DOMCTL_setvcpuaffinity] = domctl_setvcpuaffinity,
    [XEN_DOMCTL_getvcpuaffinity] = domctl_getvcpuaffinity,
    [XEN_DOMCTL_sendtrigger] = domctl_sendtrigger,
    [XEN_DOMCTL_scheduler_op] = domctl_scheduler_op,
    [XEN_DOMCTL_getvcpuextstate] = domctl_getvcpuextstate,
    [XEN_DOMCTL_setvcpuextstate] = domctl_setvcpuextstate,
    [XEN_DOMCTL_get_vcpu_msrs] = domctl_get_vcpu_msrs,
    [XEN_DOMCTL_set_vcpu_msrs] = domctl_set_vcpu_msrs,
    [XEN_DOMCTL_get_cpu_policy] = domctl_get_cpu_policy,
    [XEN_DOMCTL_set_cpu_policy] = domctl_set_cpu_policy,
    [XEN_DOMCTL_gettscinfo] = domctl_gettscinfo,
    [XEN_DOMCTL_settscinfo] = domctl_settscinfo,
    [XEN_DOMCTL_irq_permission] = domctl_irq_permission,
    [XEN_DOMCTL_iomem_permission] = domctl_iomem_permission,
    [XEN_DOMCTL_ioport_permission] = domctl_ioport_permission,
};

/* What Polder does not have answers as the ABI does where it is absent. 0: not one of these. */
static long absent(uint32_t cmd)
{
    switch (cmd) {
    case XEN_DOMCTL_assign_device: /* no IOMMU */
    case XEN_DOMCTL_test_assign_device:
    case XEN_DOMCTL_deassign_device:
    case XEN_DOMCTL_get_device_group:
    case XEN_DOMCTL_vm_event_op:
    case XEN_DOMCTL_mem_sharing_op:
    case XEN_DOMCTL_set_access_required:
    case XEN_DOMCTL_monitor_op:
    case XEN_DOMCTL_setvnumainfo:
    case XEN_DOMCTL_soft_reset:
    case XEN_DOMCTL_vmtrace_op: return -EOPNOTSUPP;
    case XEN_DOMCTL_psr_cmt_op:
    case XEN_DOMCTL_psr_alloc: return -ENODEV;
    default: return 0;
    }
}

static long domctl_on(struct domain *d, struct xen_domctl *op, bool *back, uint64_t u_op)
{
    domctl_fn fn = op->cmd < ARRAY_SIZE(handlers) ? handlers[op->cmd] : NULL;

    if (fn)
        return fn(d, op, back);
    return d->is_hvm ? hvm_domctl(d, op, back, u_op) : pv_domctl(d, op, back);
}

static long domctl_run(struct xen_domctl *op, bool *back, uint64_t u_op)
{
    struct domain *d;
    long ret;

    if (op->cmd == XEN_DOMCTL_createdomain)
        return createdomain(op, back);
    if (op->cmd == XEN_DOMCTL_getdomaininfo)
        return getdomaininfo(op, back);
    ret = absent(op->cmd);
    if (ret)
        return ret;
    d = domain_get_by_id(op->domain);
    if (!d)
        return -ESRCH;
    ret = domctl_on(d, op, back, u_op);
    domain_put(d);
    return ret;
}

long do_domctl(uint64_t arg, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct xen_domctl op;
    bool back = false;
    long ret;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -EACCES;
    if (!current->domain->is_privileged)
        return -EPERM;
    if (!spin_trylock(&domctl_lock))
        return hypercall_continue(__HYPERVISOR_domctl, 1, arg);
    ret = domctl_run(&op, &back, arg);
    spin_unlock(&domctl_lock);

    if (back && copy_to_guest(arg, &op))
        ret = -EFAULT;
    if (ret == -ERESTART)
        ret = hypercall_continue(__HYPERVISOR_domctl, 1, arg);
    return ret;
}
