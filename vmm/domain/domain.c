/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domains: creation, the list of them, references and their end.  The list is guarded by domlist_lock; a domain stays on
 * it, dying or dead, until its last reference is dropped.
 */
#include "domain.h"

#include "../cpu/cpu.h"
#include "../cpu/policy.h"
#include "../cpu/time.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "../sched/sched.h"
#include "../sched/softirq.h"
#include "evtchn.h"
#include "grant.h"
#include "hypercall.h"
#include "memory.h"
#include "pirq.h"
#include "vcpu.h"

__read_mostly struct domain *dom0, *idle_domain, *dom_xen, *dom_io;
struct list_head domain_list = LIST_HEAD_INIT(domain_list);
spinlock_t domlist_lock = SPINLOCK_INIT(LOCK_UNORDERED);
bool (*hvm_caps)(void);

/* Domains whose last reference is gone wait here for the tasklet that frees them. */
static LIST_HEAD(dead_list);
static struct tasklet dead_tasklet;

_Static_assert(sizeof(struct domain) <= PAGE_SIZE, "page_info.owner needs a page-aligned struct domain");

/* -- references --------------------------------------------------------------------------------------------------- */

__hot bool domain_get(struct domain *d)
{
    int32_t old = READ_ONCE(d->refcount);

    do {
        if (old <= 0)
            return false;
    } while (!__atomic_compare_exchange_n(&d->refcount, &old, old + 1, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    return true;
}

__hot void domain_put(struct domain *d)
{
    unsigned long flags;

    if (__atomic_sub_fetch(&d->refcount, 1, __ATOMIC_SEQ_CST) > 0)
        return;
    /* Freed later: the caller may hold locks that freeing takes. */
    flags = spin_lock_irqsave(&domlist_lock);
    list_del(&d->link);
    list_add_tail(&d->link, &dead_list);
    spin_unlock_irqrestore(&domlist_lock, flags);
    tasklet_schedule(&dead_tasklet);
}

static struct domain *domain_find(domid_t id, bool or_next)
{
    struct domain *d, *found = NULL;
    unsigned long flags = spin_lock_irqsave(&domlist_lock);

    list_for_each_entry(d, &domain_list, link) {
        if (d->id < id)
            continue;
        if (d->id != id && !or_next)
            break;
        if (domain_get(d)) {
            found = d;
            break;
        }
    }
    spin_unlock_irqrestore(&domlist_lock, flags);
    return found;
}

__hot struct domain *domain_get_by_id(domid_t id)
{
    if (id == DOMID_SELF)
        return domain_get(current->domain) ? current->domain : NULL;
    return domain_find(id, false);
}

struct domain *domain_get_next(domid_t id) { return domain_find(id, true); }

/* -- creation ----------------------------------------------------------------------------------------------------- */

static struct domain *domain_alloc(domid_t id)
{
    struct domain *d = alloc_zeroed_page();

    if (!d)
        return NULL;
    d->id = id;
    d->refcount = 1;
    d->shutdown_code = -1;
    d->max_pages = ~0ULL;
    spin_lock_init(&d->lock, LOCK_DOMAIN);
    spin_lock_init(&d->shutdown_lock, LOCK_UNORDERED);
    spin_lock_init(&d->page_lock, LOCK_PAGE);
    spin_lock_init(&d->evtchn.lock, LOCK_EVTCHN);
    list_init(&d->link);
    d->page_list = d->extra_list = (struct page_list)PAGE_LIST_INIT;
    return d;
}

static struct domain *special_domain(domid_t id, unsigned max_vcpus)
{
    struct domain *d = domain_alloc(id);

    if (d && max_vcpus) {
        d->vcpu = xzalloc_array(struct vcpu *, (size_t)max_vcpus);
        d->max_vcpus = d->vcpu ? max_vcpus : 0;
    }
    if (!d || d->max_vcpus != max_vcpus)
        panic("no memory for the domain with id 0x%x", id);
    return d;
}

void idle_domain_init(void)
{
    if (idle_domain)
        return;
    idle_domain = special_domain(DOMID_IDLE, MAX_CPUS);
    idle_domain->ops = &idle_guest_ops;
    idle_domain->sched_weight = 1;
}

static bool emulation_flags_valid(uint32_t flags, bool hvm)
{
    const uint32_t full = XEN_X86_EMU_ALL & ~XEN_X86_EMU_VPCI;

    if (!hvm)
        return !flags;
    return flags == XEN_X86_EMU_LAPIC || flags == full || flags == (full & ~XEN_X86_EMU_USE_PIRQ);
}

static int config_check(const struct xen_domctl_createdomain *cfg)
{
    const uint32_t known = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_s3_integrity |
                           XEN_DOMCTL_CDF_oos_off | XEN_DOMCTL_CDF_xs_domain;
    bool hvm = cfg->flags & XEN_DOMCTL_CDF_hvm, hap = cfg->flags & XEN_DOMCTL_CDF_hap;
    unsigned gnttab = XEN_DOMCTL_GRANT_version(cfg->grant_opts);

    /* No IOMMU, no nested virtualisation, no virtual PMU, no shadow page tables. */
    if ((cfg->flags & ~known) || cfg->iommu_opts || hvm != hap)
        return -EINVAL;
    if (hvm && !hvm_guests_possible())
        return -EINVAL;
    if (!cfg->max_vcpus || cfg->max_vcpus > (hvm ? MAX_VCPUS : XEN_LEGACY_MAX_VCPUS))
        return -EINVAL;
    if ((cfg->grant_opts & ~XEN_DOMCTL_GRANT_version_mask) || gnttab < 1 || gnttab > 2)
        return -EINVAL;
    if (cfg->vmtrace_size || cfg->max_evtchn_port < 1)
        return -EINVAL;
    if (cfg->cpupool_id)
        return -ENOENT;
    if (!emulation_flags_valid(cfg->arch.emulation_flags, hvm) || (cfg->arch.misc_flags & ~XEN_X86_MSR_RELAXED))
        return -EINVAL;
    return 0;
}

/* Puts d on the list under a free id. -EEXIST, -ENOMEM: all ids are in use. */
static int domain_enlist(struct domain *d, domid_t id)
{
    static domid_t last_id;
    unsigned long flags;
    struct domain *pos;
    unsigned tries = DOMID_FIRST_RESERVED;
    int ret = id == DOMID_INVALID ? -ENOMEM : -EEXIST;

    flags = spin_lock_irqsave(&domlist_lock);
    while (tries--) {
        d->id = id;
        if (id == DOMID_INVALID) {
            last_id = last_id + 1U < DOMID_FIRST_RESERVED ? last_id + 1 : 1;
            d->id = last_id;
        }
        list_for_each_entry(pos, &domain_list, link)
            if (pos->id >= d->id)
                break;
        if (&pos->link == &domain_list || pos->id != d->id) {
            list_add_tail(&d->link, &pos->link);
            ret = 0;
            break;
        }
        if (id != DOMID_INVALID)
            break;
    }
    spin_unlock_irqrestore(&domlist_lock, flags);
    return ret;
}

static void domain_free(struct domain *d)
{
    struct vcpu *v;

    for_each_vcpu(d, v)
        vcpu_destroy(v);
    if (d->pv) /* the guest type's part, whichever it is */
        d->ops->domain_free(d);
    for (unsigned i = 0; i < ARRAY_SIZE(d->watchdog); i++)
        timer_kill(&d->watchdog[i]);
    if (d->target)
        domain_put(d->target);
    grant_table_free(d);
    pirq_destroy_domain(d);
    evtchn_free(d);
    memory_free_domain(d);
    sched_destroy_domain(d);
    policy_free_domain(d);
    rangeset_free(d->iomem_caps);
    rangeset_free(d->ioport_caps);
    rangeset_free(d->irq_caps);
    if (d->shared_info)
        free_xenheap_pages(d->shared_info, 0);
    xfree(d->vcpu);
    free_xenheap_pages(d, 0);
}

static void free_dead_domains(void *data)
{
    unsigned long flags;
    struct domain *d;

    for (;;) {
        flags = spin_lock_irqsave(&domlist_lock);
        d = list_empty(&dead_list) ? NULL : list_first_entry(&dead_list, struct domain, link);
        if (d)
            list_del(&d->link);
        spin_unlock_irqrestore(&domlist_lock, flags);
        if (!d)
            return;
        domain_free(d);
    }
}

int domains_init(void)
{
    idle_domain_init();
    tasklet_init(&dead_tasklet, free_dead_domains, NULL);
    dom_xen = special_domain(DOMID_XEN, 0);
    dom_io = special_domain(DOMID_IO, 0);
    mm_share_m2p(dom_xen);
    return 0;
}

static void watchdog_fired(void *data) { domain_shutdown(data, SHUTDOWN_watchdog); }

/* What all types share. What was allocated is freed by domain_free. */
static int domain_init_parts(struct domain *d, const struct xen_domctl_createdomain *cfg)
{
    int ret;

    d->vcpu = xzalloc_array(struct vcpu *, (size_t)cfg->max_vcpus);
    d->iomem_caps = rangeset_new();
    d->ioport_caps = rangeset_new();
    d->irq_caps = rangeset_new();
    d->shared_info = alloc_zeroed_page();
    if (!d->vcpu || !d->iomem_caps || !d->ioport_caps || !d->irq_caps || !d->shared_info)
        return -ENOMEM;
    d->max_vcpus = cfg->max_vcpus;
    share_heap_page(d->shared_info, d, true);
    for (unsigned i = 0; i < ARRAY_SIZE(d->watchdog); i++)
        timer_init(&d->watchdog[i], watchdog_fired, d, smp_processor_id());

    d->evtchn.max_port = (unsigned)MIN(cfg->max_evtchn_port, EVTCHN_FIFO_NR_CHANNELS - 1U) + 1;
    if ((ret = evtchn_init_domain(d)))
        return ret;
    if ((ret = grant_table_init(d, cfg->max_grant_frames, cfg->max_maptrack_frames,
                                XEN_DOMCTL_GRANT_version(cfg->grant_opts))))
        return ret;
    if ((ret = pirq_init_domain(d)) || (ret = policy_init_domain(d)) || (ret = sched_init_domain(d)))
        return ret;
    return d->ops->domain_init(d, cfg);
}

int domain_create(domid_t id, const struct xen_domctl_createdomain *cfg, bool privileged, struct domain **out)
{
    struct domain *d;
    int ret = config_check(cfg);

    *out = NULL;
    if (ret)
        return ret;
    d = domain_alloc(id);
    if (!d)
        return -ENOMEM;
    d->is_privileged = d->is_hardware = privileged;
    d->is_hvm = cfg->flags & XEN_DOMCTL_CDF_hvm;
    d->ops = d->is_hvm ? &hvm_guest_ops : &pv_guest_ops;
    d->create_flags = cfg->flags;
    d->ssidref = cfg->ssidref;
    d->emulation_flags = cfg->arch.emulation_flags;
    d->misc_flags = cfg->arch.misc_flags;
    d->max_pages = privileged ? ~0ULL : 0;
    d->pause_count = d->controller_pause_count = 1;
    d->tsc.incarnation = 1;
    d->tsc.offset_ns = now();
    memcpy(d->handle, cfg->handle, sizeof(d->handle));

    ret = domain_init_parts(d, cfg);
    if (!ret)
        ret = domain_enlist(d, id);
    if (ret) {
        domain_free(d);
        return ret;
    }
    domain_wallclock_update(d);
    if (privileged && !dom0)
        dom0 = d;
    *out = d;
    return 0;
}

/* -- the end ------------------------------------------------------------------------------------------------------ */

enum relinquish_step {
    RELINQUISH_EVENTS,
    RELINQUISH_GRANTS,
    RELINQUISH_VCPUS,
    RELINQUISH_TYPE,
    RELINQUISH_MEMORY,
    RELINQUISH_EXTRA,
    RELINQUISH_DONE,
};

static int relinquish_one(struct domain *d, enum relinquish_step step)
{
    struct vcpu *v;
    int ret;

    switch (step) {
    case RELINQUISH_EVENTS:
        ret = evtchn_destroy(d);
        if (!ret)
            pirq_relinquish(d);
        return ret;
    case RELINQUISH_GRANTS: return grant_table_release_mappings(d);
    case RELINQUISH_VCPUS:
        for_each_vcpu(d, v) {
            vcpu_timers_kill(v);
            vcpu_unmap_info(v);
        }
        return domain_set_claim(d, 0);
    case RELINQUISH_TYPE: return d->ops->domain_relinquish(d);
    case RELINQUISH_MEMORY: return domain_relinquish_memory(d, &d->page_list);
    case RELINQUISH_EXTRA: return domain_relinquish_memory(d, &d->extra_list);
    default: return 0;
    }
}

int domain_kill(struct domain *d)
{
    int ret;

    if (d == current->domain)
        return -EINVAL;
    if (d->dying == DOMDYING_dead)
        return 0;
    if (d->dying == DOMDYING_alive) {
        domain_pause(d);
        spin_lock(&d->lock);
        d->dying = DOMDYING_dying;
        spin_unlock(&d->lock);
    }
    /* The domctl lock keeps other callers out. */
    for (; d->relinquish_step < RELINQUISH_DONE; d->relinquish_step++) {
        ret = relinquish_one(d, d->relinquish_step);
        if (ret)
            return ret;
    }
    spin_lock(&d->lock);
    d->dying = DOMDYING_dead;
    spin_unlock(&d->lock);
    /* The reference of its creation. Whoever holds others (mapped frames, grants) keeps it on the list, dead. */
    domain_put(d);
    send_global_virq(VIRQ_DOM_EXC);
    return 0;
}

/* -- what the tools see of it ------------------------------------------------------------------------------------- */

int control_allowed(const struct domain *d)
{
    const struct domain *c = current->domain;

    return c->is_privileged || c == d || c->target == d ? 0 : -EPERM;
}

static uint32_t info_flags(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    bool blocked = true, running = false;
    uint32_t flags = 0;
    struct vcpu *v;

    for_each_vcpu(d, v) {
        info->cpu_time += vcpu_cpu_time(v);
        info->max_vcpu_id = v->id;
        if (test_bit(VPF_down, &v->pause_flags))
            continue;
        info->nr_online_vcpus++;
        if (!test_bit(VPF_blocked, &v->pause_flags))
            blocked = false;
        if (v->is_running)
            running = true;
    }
    flags |= blocked ? XEN_DOMINF_blocked : 0;
    flags |= running ? XEN_DOMINF_running : 0;
    flags |= d->dying == DOMDYING_dead ? XEN_DOMINF_dying : 0;
    flags |= d->is_shut_down ? XEN_DOMINF_shutdown : 0;
    flags |= d->controller_pause_count > 0 ? XEN_DOMINF_paused : 0;
    flags |= d->create_flags & XEN_DOMCTL_CDF_xs_domain ? XEN_DOMINF_xs_domain : 0;
    flags |= d->is_hvm ? XEN_DOMINF_hvm_guest | XEN_DOMINF_hap : 0;
    return flags | (uint32_t)(d->shutdown_code & XEN_DOMINF_shutdownmask) << XEN_DOMINF_shutdownshift;
}

void domain_info_get(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    mfn_t shared = virt_to_mfn(d->shared_info);

    memset(info, 0, sizeof(*info));
    info->domain = d->id;
    info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
    info->flags = info_flags(d, info);
    info->tot_pages = d->tot_pages;
    info->max_pages = d->max_pages;
    info->outstanding_pages = d->outstanding_pages;
    info->shr_pages = d->shr_pages;
    info->shared_info_frame = d->is_hvm ? m2p_get(shared) : shared.v;
    info->ssidref = d->ssidref;
    memcpy(info->handle, d->handle, sizeof(info->handle));
    info->gpaddr_bits = (uint8_t)cpu_features.paddr_bits;
    info->arch_config.emulation_flags = d->emulation_flags;
    info->arch_config.misc_flags = d->misc_flags;
}
