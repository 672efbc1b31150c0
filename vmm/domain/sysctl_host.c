/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sysctls about the machine: CPUs, memory, topology, CPU features (public header sysctl.h). */
#include "../cpu/cpu.h"
#include "../cpu/policy.h"
#include "../cpu/time.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "../sched/sched.h"
#include "domctl.h"
#include "sysctl.h"

static unsigned last_cpu(void)
{
    unsigned cpu, last = 0;

    for_each_online_cpu(cpu)
        last = cpu;
    return last;
}

/* CPUs that are like CPU 0 in socket, and, if same_core, in core too. */
static uint32_t siblings(bool same_core)
{
    uint32_t n = 0;
    unsigned cpu;

    for_each_online_cpu(cpu)
        if (cpu_to_socket(cpu) == cpu_to_socket(0) && (!same_core || cpu_to_core(cpu) == cpu_to_core(0)))
            n++;
    return MAX(n, 1U);
}

long sysctl_physinfo(struct xen_sysctl *op, bool *back)
{
    struct xen_sysctl_physinfo *p = &op->u.physinfo;
    unsigned cpu;

    memset(p, 0, sizeof(*p));
    p->threads_per_core = siblings(true);
    p->cores_per_socket = siblings(false) / p->threads_per_core;
    for_each_online_cpu(cpu)
        p->nr_cpus++;
    p->max_cpu_id = last_cpu();
    p->nr_nodes = 1;
    p->cpu_khz = (uint32_t)tsc_khz;
    p->capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1 | XEN_SYSCTL_PHYSCAP_gnttab_v2;
    if (hvm_guests_possible())
        p->capabilities |= XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap;
    p->total_pages = total_ram_pages();
    p->free_pages = avail_heap_pages();
    p->scrub_pages = scrub_pending_pages();
    p->outstanding_pages = outstanding_claims();
    p->max_mfn = max_mfn ? max_mfn - 1 : 0;
    (void)policy_featureset(XEN_SYSCTL_cpu_featureset_host, p->hw_cap, ARRAY_SIZE(p->hw_cap));
    *back = true;
    return 0;
}

long sysctl_cputopoinfo(struct xen_sysctl *op, bool *back)
{
    struct xen_sysctl_cputopoinfo *t = &op->u.cputopoinfo;
    uint32_t have = last_cpu() + 1, n = have;

    if (!handle_is_null(t->cputopo)) {
        n = MIN(t->num_cpus, have);
        for (uint32_t cpu = 0; cpu < n; cpu++) {
            xen_sysctl_cputopo_t e = {XEN_INVALID_CORE_ID, XEN_INVALID_SOCKET_ID, XEN_INVALID_NODE_ID};

            if (cpumask_test(cpu, &cpu_online_map))
                e = (xen_sysctl_cputopo_t){cpu_to_core(cpu), cpu_to_socket(cpu), cpu_to_node(cpu)};
            if (copy_to_guest(guest_elem(handle_gva(t->cputopo), e, cpu), &e))
                return -EFAULT;
        }
    }
    t->num_cpus = n;
    *back = true;
    return 0;
}

/* One node with all memory, at the customary distance of 10 from itself. */
long sysctl_numainfo(struct xen_sysctl *op, bool *back)
{
    struct xen_sysctl_numainfo *n = &op->u.numainfo;
    const uint32_t distance = 10;

    if (n->num_nodes && !handle_is_null(n->meminfo)) {
        xen_sysctl_meminfo_t m = {total_ram_pages() << PAGE_SHIFT, avail_heap_pages() << PAGE_SHIFT};

        if (copy_to_guest(handle_gva(n->meminfo), &m))
            return -EFAULT;
    }
    if (n->num_nodes && !handle_is_null(n->distance) && copy_to_guest(handle_gva(n->distance), &distance))
        return -EFAULT;
    n->num_nodes = 1;
    *back = true;
    return 0;
}

/* Devices' nodes are not known. */
long sysctl_pcitopoinfo(struct xen_sysctl *op, bool *back)
{
    struct xen_sysctl_pcitopoinfo *t = &op->u.pcitopoinfo;
    const uint32_t node = XEN_INVALID_NODE_ID;

    if (handle_is_null(t->devs) || handle_is_null(t->nodes))
        return -EINVAL;
    for (uint32_t i = 0; i < t->num_devs; i++) {
        if (i && !(i & 63) && hypercall_preempt_check()) {
            t->num_devs = i; /* fewer than asked for, as the ABI allows */
            break;
        }
        if (copy_to_guest(guest_elem(handle_gva(t->nodes), uint32_t, i), &node))
            return -EFAULT;
    }
    *back = true;
    return 0;
}

long sysctl_getcpuinfo(struct xen_sysctl *op, bool *back)
{
    struct xen_sysctl_getcpuinfo *g = &op->u.getcpuinfo;
    uint32_t n = MIN(g->max_cpus, last_cpu() + 1);

    for (uint32_t cpu = 0; cpu < n; cpu++) {
        xen_sysctl_cpuinfo_t info = {.idletime = cpumask_test(cpu, &cpu_online_map) ? cpu_idle_time(cpu) : 0};

        if (copy_to_guest(guest_elem(handle_gva(g->info), info, cpu), &info))
            return -EFAULT;
    }
    g->nr_cpus = n;
    *back = true;
    return 0;
}

long sysctl_availheap(struct xen_sysctl *op, bool *back)
{
    struct xen_sysctl_availheap *a = &op->u.availheap;

    if (a->node > 0)
        return -EINVAL;
    /* Free memory is not counted by address width: only the question for all of it has an answer. */
    if (a->min_bitwidth || a->max_bitwidth)
        return -EOPNOTSUPP;
    a->avail_bytes = avail_heap_pages() << PAGE_SHIFT;
    *back = true;
    return 0;
}

#define FEATURESET_WORDS_MAX 64

long sysctl_get_cpu_featureset(struct xen_sysctl *op, bool *back)
{
    struct xen_sysctl_cpu_featureset *f = &op->u.cpu_featureset;
    uint32_t words[FEATURESET_WORDS_MAX];
    unsigned n;

    if (f->index > XEN_SYSCTL_cpu_featureset_hvm_max)
        return -EINVAL;
    n = policy_featureset(f->index, words, ARRAY_SIZE(words));
    *back = true;
    if (handle_is_null(f->features)) {
        f->nr_features = n;
        return 0;
    }
    if ((f->index == XEN_SYSCTL_cpu_featureset_hvm || f->index == XEN_SYSCTL_cpu_featureset_hvm_max) &&
        !hvm_guests_possible()) {
        f->nr_features = 0;
        return -EOPNOTSUPP;
    }
    if (copy_to_guest_bytes(handle_gva(f->features), words, MIN(n, f->nr_features) * sizeof(words[0])))
        return -EFAULT;
    /* A caller with less room is told so, as far as what it got holds no more. */
    if (f->nr_features < n)
        return -ENOBUFS;
    f->nr_features = n;
    return 0;
}

long sysctl_get_cpu_policy(struct xen_sysctl *op, bool *back)
{
    struct xen_sysctl_cpu_policy *c = &op->u.cpu_policy;
    const struct cpu_policy *p = policy_system(c->index);
    bool hvm = c->index == XEN_SYSCTL_cpu_policy_hvm_max || c->index == XEN_SYSCTL_cpu_policy_hvm_default;
    int rc;

    if (c->_rsvd || c->index > XEN_SYSCTL_cpu_policy_hvm_default)
        return -EINVAL;
    if (!p || (hvm && !hvm_guests_possible()))
        return -EOPNOTSUPP;
    rc = cpu_policy_to_guest(p, handle_gva(c->leaves), &c->nr_leaves, handle_gva(c->msrs), &c->nr_msrs);
    *back = !rc;
    return rc;
}

/* PV guests' CPUID is neither made to fault nor masked by hardware. */
long sysctl_get_cpu_levelling_caps(struct xen_sysctl *op, bool *back)
{
    op->u.cpu_levelling_caps.caps = 0;
    *back = true;
    return 0;
}
