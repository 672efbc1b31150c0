/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sysctl hypercall: what the tools ask of the machine as a whole (public header sysctl.h). One at a time, under sysctl_lock. */
#include "sysctl.h"

#include "../boot/console.h"
#include "../cpu/percpu.h"

static DEFINE_SPINLOCK(sysctl_lock);

static long readconsole(struct xen_sysctl *op, bool *back)
{
    struct xen_sysctl_readconsole *r = &op->u.readconsole;
    bool incremental = r->incremental;
    uint32_t index = r->index, done = 0;
    char text[256];

    while (done < r->count) {
        size_t n = conring_read(text, MIN((size_t)(r->count - done), sizeof(text)), &index, incremental, false);

        if (!n)
            break;
        if (copy_to_guest_bytes(handle_gva(r->buffer) + done, text, n))
            return -EFAULT;
        done += (uint32_t)n;
        incremental = true; /* go on from here */
    }
    if (r->clear)
        (void)conring_read(text, 0, &index, true, true);
    r->count = done;
    r->index = index;
    *back = true;
    return 0;
}

static long getdomaininfolist(struct xen_sysctl *op, bool *back)
{
    struct xen_sysctl_getdomaininfolist *l = &op->u.getdomaininfolist;
    struct xen_domctl_getdomaininfo info;
    struct domain *d = domain_get_next(l->first_domain);
    uint32_t n = 0;

    while (d && n < l->max_domains) {
        domid_t next = d->id + 1;

        domain_info_get(d, &info);
        domain_put(d);
        if (copy_to_guest(guest_elem(handle_gva(l->buffer), info, n), &info))
            return -EFAULT;
        n++;
        d = domain_get_next(next);
    }
    if (d)
        domain_put(d);
    l->num_domains = n;
    *back = true;
    return 0;
}

static long debug_keys(struct xen_sysctl *op, bool *back)
{
    const struct xen_sysctl_debug_keys *k = &op->u.debug_keys;
    char c;

    for (uint32_t i = 0; i < MIN(k->nr_keys, 32U); i++) {
        if (copy_from_guest(&c, handle_gva(k->keys) + i))
            return -EFAULT;
        keyhandler_run(c);
    }
    return 0;
}

static const sysctl_fn handlers[] = {
    [XEN_SYSCTL_readconsole] = readconsole,
    [XEN_SYSCTL_getdomaininfolist] = getdomaininfolist,
    [XEN_SYSCTL_debug_keys] = debug_keys,
    [XEN_SYSCTL_physinfo] = sysctl_physinfo,
    [XEN_SYSCTL_cputopoinfo] = sysctl_cputopoinfo,
    [XEN_SYSCTL_numainfo] = sysctl_numainfo,
    [XEN_SYSCTL_pcitopoinfo] = sysctl_pcitopoinfo,
    [XEN_SYSCTL_getcpuinfo] = sysctl_getcpuinfo,
    [XEN_SYSCTL_availheap] = sysctl_availheap,
    [XEN_SYSCTL_get_cpu_featureset] = sysctl_get_cpu_featureset,
    [XEN_SYSCTL_get_cpu_policy] = sysctl_get_cpu_policy,
    [XEN_SYSCTL_get_cpu_levelling_caps] = sysctl_get_cpu_levelling_caps,
    [XEN_SYSCTL_sched_id] = sysctl_sched_id,
    [XEN_SYSCTL_scheduler_op] = sysctl_scheduler_op,
    [XEN_SYSCTL_cpupool_op] = sysctl_cpupool_op,
};

/* What Polder does not have. */
static long absent(uint32_t cmd)
{
    switch (cmd) {
    case XEN_SYSCTL_get_pmstat: /* Dom0 has no data on P-states and C-states to be given back */
    case XEN_SYSCTL_psr_cmt_op:
    case XEN_SYSCTL_psr_alloc: return -ENODEV;
    case XEN_SYSCTL_pm_op:
    case XEN_SYSCTL_cpu_hotplug:
    case XEN_SYSCTL_page_offline_op:
    case XEN_SYSCTL_coverage_op: return -EOPNOTSUPP;
    default: /* tbuf_op, perfc_op, lockprof_op, livepatch_op, and what the ABI does not know */ return -ENOSYS;
    }
}

long do_sysctl(uint64_t arg, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct xen_sysctl op;
    bool back = false;
    sysctl_fn fn;
    long ret;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return -EACCES;
    if (!current->domain->is_privileged)
        return -EPERM;
    fn = op.cmd < ARRAY_SIZE(handlers) ? handlers[op.cmd] : NULL;
    if (!fn)
        return absent(op.cmd);
    if (!spin_trylock(&sysctl_lock))
        return hypercall_continue(__HYPERVISOR_sysctl, 1, arg);
    ret = fn(&op, &back);
    spin_unlock(&sysctl_lock);

    if (back && copy_to_guest(arg, &op))
        ret = -EFAULT;
    if (ret == -ERESTART)
        ret = hypercall_continue(__HYPERVISOR_sysctl, 1, arg);
    return ret;
}
