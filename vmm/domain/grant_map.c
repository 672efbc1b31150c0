/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapping and unmapping of other domains' grants.  The mapper's maptrack_lock
 * guards its records; a record marked busy belongs to the call that marked it,
 * which then works without a lock.
 */
#include "../mm/tlb.h"
#include "grant_priv.h"
#include "hypercall.h"

#define GNTMAP_KINDS (GNTMAP_device_map | GNTMAP_host_map)
#define GNTMAP_KEPT (GNTMAP_KINDS | GNTMAP_readonly | GNTMAP_application_map | GNTMAP_contains_pte)

/* -- the maptrack ------------------------------------------------------------------------------------------------ */

static struct grant_mapping *maptrack_entry(struct grant_table *gt, uint32_t handle)
{
    return &gt->maptrack[handle / MAPPINGS_PER_FRAME][handle % MAPPINGS_PER_FRAME];
}

/* One more frame of free records. Lock held; page is ours. */
static void maptrack_add_frame(struct grant_table *gt, struct grant_mapping *page)
{
    uint32_t first = gt->nr_maptrack * MAPPINGS_PER_FRAME;

    for (unsigned i = 0; i < MAPPINGS_PER_FRAME; i++)
        page[i].next_free = i + 1 < MAPPINGS_PER_FRAME ? first + i + 1 : gt->free_handle;
    gt->free_handle = first;
    gt->maptrack[gt->nr_maptrack++] = page;
}

/* A busy record, or NO_HANDLE. */
static uint32_t maptrack_alloc(struct grant_table *gt)
{
    struct grant_mapping *page = NULL;
    uint32_t handle;

    spin_lock(&gt->maptrack_lock);
    if (gt->free_handle == NO_HANDLE && gt->nr_maptrack < gt->max_maptrack) {
        spin_unlock(&gt->maptrack_lock);
        page = alloc_zeroed_page();
        spin_lock(&gt->maptrack_lock);
        if (page && gt->free_handle == NO_HANDLE && gt->nr_maptrack < gt->max_maptrack) {
            maptrack_add_frame(gt, page);
            page = NULL;
        }
    }
    handle = gt->free_handle;
    if (handle != NO_HANDLE) {
        struct grant_mapping *m = maptrack_entry(gt, handle);

        gt->free_handle = m->next_free;
        m->busy = true;
        gt->mapped++;
    }
    spin_unlock(&gt->maptrack_lock);
    if (page)
        free_xenheap_pages(page, 0);
    return handle;
}

static void maptrack_free(struct grant_table *gt, uint32_t handle)
{
    struct grant_mapping *m = maptrack_entry(gt, handle);

    spin_lock(&gt->maptrack_lock);
    *m = (struct grant_mapping){.next_free = gt->free_handle};
    gt->free_handle = handle;
    gt->mapped--;
    spin_unlock(&gt->maptrack_lock);
}

/* -- mapping ----------------------------------------------------------------------------------------------------- */

static void drop_use(struct domain *rd, grant_ref_t ref, struct page_info *pg, bool readonly)
{
    grant_put_page(rd, pg, !readonly);
    grant_unpin(rd, ref, readonly);
}

/* Pins the entry and takes the page once: for one kind of mapping. */
static int16_t take_use(struct domain *ld, struct domain *rd, grant_ref_t ref, bool readonly, struct page_info **pg)
{
    struct grant_target t;
    int16_t status = grant_pin(rd, ref, ld->id, readonly, &t);

    if (status != GNTST_okay)
        return status;
    /* Part of a page cannot be mapped, and a grant passed on can only be copied. */
    if (t.transitive || t.length != PAGE_SIZE)
        status = GNTST_general_error;
    else
        status = grant_get_page(rd, t.gfn, !readonly, pg);
    if (status != GNTST_okay)
        grant_unpin(rd, ref, readonly);
    return status;
}

/* Both kinds that flags ask for: each holds its own use, and they must have met the same frame. */
static int16_t take_uses(struct domain *ld, struct domain *rd, const struct gnttab_map_grant_ref *op,
                         struct page_info **pg)
{
    bool readonly = op->flags & GNTMAP_readonly;
    struct page_info *second;
    int16_t status = take_use(ld, rd, op->ref, readonly, pg);

    if (status != GNTST_okay || (op->flags & GNTMAP_KINDS) != GNTMAP_KINDS)
        return status;
    status = take_use(ld, rd, op->ref, readonly, &second);
    if (status == GNTST_okay && second != *pg) {
        drop_use(rd, op->ref, second, readonly);
        status = GNTST_eagain;
    }
    if (status != GNTST_okay)
        drop_use(rd, op->ref, *pg, readonly);
    return status;
}

static int16_t check_map_flags(const struct domain *ld, uint32_t flags)
{
    if (!(flags & GNTMAP_KINDS))
        return GNTST_bad_gntref;
    if (ld->is_hvm && (flags & (GNTMAP_device_map | GNTMAP_application_map | GNTMAP_contains_pte)))
        return GNTST_general_error;
    return GNTST_okay;
}

void grant_map_one(struct gnttab_map_grant_ref *op)
{
    struct domain *ld = current->domain, *rd;
    bool readonly = op->flags & GNTMAP_readonly;
    struct page_info *pg;
    uint32_t handle;

    op->status = check_map_flags(ld, op->flags);
    if (op->status != GNTST_okay)
        return;
    rd = domain_get_by_id(op->dom);
    if (!rd) {
        op->status = GNTST_bad_domain;
        return;
    }
    handle = maptrack_alloc(ld->grant);
    if (handle == NO_HANDLE) {
        op->status = GNTST_no_space;
        goto out_domain;
    }
    op->status = take_uses(ld, rd, op, &pg);
    if (op->status != GNTST_okay)
        goto out_handle;

    if ((op->flags & GNTMAP_host_map) && ld->ops->grant_map(ld, op->host_addr, page_to_mfn(pg), op->flags, 0)) {
        op->status = GNTST_general_error;
        drop_use(rd, op->ref, pg, readonly);
        if (op->flags & GNTMAP_device_map)
            drop_use(rd, op->ref, pg, readonly);
        goto out_handle;
    }

    spin_lock(&ld->grant->maptrack_lock);
    *maptrack_entry(ld->grant, handle) = (struct grant_mapping){
        .owner = rd, /* our reference */
        .mfn = page_to_mfn(pg).v,
        .ref = op->ref,
        .flags = op->flags & GNTMAP_KEPT,
    };
    spin_unlock(&ld->grant->maptrack_lock);
    op->handle = handle;
    op->dev_bus_addr = mfn_to_paddr(page_to_mfn(pg));
    return;

out_handle:
    maptrack_free(ld->grant, handle);
out_domain:
    domain_put(rd);
}

/* -- unmapping --------------------------------------------------------------------------------------------------- */

/* Takes the record for this call. NULL: no such mapping, or another call has it. */
static struct grant_mapping *claim_mapping(struct grant_table *gt, uint32_t handle)
{
    struct grant_mapping *m = NULL;

    spin_lock(&gt->maptrack_lock);
    if (handle < (uint64_t)gt->nr_maptrack * MAPPINGS_PER_FRAME) {
        m = maptrack_entry(gt, handle);
        if (!m->owner || m->busy)
            m = NULL;
        else
            m->busy = true;
    }
    spin_unlock(&gt->maptrack_lock);
    return m;
}

int16_t grant_unmap_begin(uint64_t host_addr, uint64_t dev_bus_addr, bool replace, uint64_t new_addr, uint32_t handle,
                          struct grant_unmapped *u)
{
    struct domain *ld = current->domain;
    struct grant_mapping *m = claim_mapping(ld->grant, handle);
    int16_t status = GNTST_okay;

    *u = (struct grant_unmapped){0};
    if (!m)
        return GNTST_bad_handle;
    *u = (struct grant_unmapped){.handle = handle, .mfn = m->mfn, .ref = m->ref, .flags = m->flags & GNTMAP_readonly};
    if (dev_bus_addr && (m->flags & GNTMAP_device_map)) {
        if (dev_bus_addr >> PAGE_SHIFT == m->mfn)
            u->flags |= GNTMAP_device_map;
        else
            status = GNTST_bad_dev_addr;
    }
    if (status == GNTST_okay && host_addr && (m->flags & GNTMAP_host_map)) {
        if (ld->ops->grant_unmap(ld, host_addr, MFN(m->mfn), m->flags, replace ? new_addr : 0))
            status = GNTST_general_error;
        else
            u->flags |= GNTMAP_host_map;
    }
    if (status != GNTST_okay)
        u->flags &= ~GNTMAP_device_map; /* one failed: end neither */
    if (u->flags & GNTMAP_KINDS) {
        u->owner = m->owner;
    } else {
        spin_lock(&ld->grant->maptrack_lock);
        m->busy = false;
        spin_unlock(&ld->grant->maptrack_lock);
    }
    return status;
}

static void flush_domain(struct domain *d)
{
    cpumask_t cpus = {0};
    struct vcpu *v;
    unsigned cpu;

    for_each_vcpu(d, v)
        for_each_cpu(cpu, &v->dirty_cpus)
            cpumask_set(cpu, &cpus);
    flush_tlb_mask(&cpus, FLUSH_TLB, 0);
}

/* Gives back what the mapping held; the record too once neither kind is left. */
static void finish_one(struct domain *ld, const struct grant_unmapped *u)
{
    struct grant_mapping *m = maptrack_entry(ld->grant, u->handle);
    bool readonly = u->flags & GNTMAP_readonly;
    uint16_t left = m->flags & GNTMAP_KINDS & ~u->flags;

    for (uint16_t kind = GNTMAP_device_map; kind <= GNTMAP_host_map; kind <<= 1)
        if (u->flags & kind)
            drop_use(u->owner, u->ref, mfn_to_page(MFN(u->mfn)), readonly);
    if (left) {
        spin_lock(&ld->grant->maptrack_lock);
        m->flags = (m->flags & ~GNTMAP_KINDS) | left;
        m->busy = false;
        spin_unlock(&ld->grant->maptrack_lock);
    } else {
        maptrack_free(ld->grant, u->handle);
        domain_put(u->owner);
    }
}

void grant_unmap_finish(const struct grant_unmapped *u, unsigned n)
{
    struct domain *ld = current->domain;
    bool flush = false;

    for (unsigned i = 0; i < n; i++)
        flush |= u[i].owner && (u[i].flags & GNTMAP_host_map);
    if (flush && !ld->is_hvm)
        flush_domain(ld);
    for (unsigned i = 0; i < n; i++)
        if (u[i].owner)
            finish_one(ld, &u[i]);
}

/*
 * d is dying and none of its vCPUs runs.  The host mappings of a PV domain lie
 * in page tables that still hold their references; those of an HVM domain are
 * dropped here, as its p2m keeps none for them.
 */
int grant_table_release_mappings(struct domain *d)
{
    struct grant_table *gt = d->grant;
    struct grant_mapping *m;
    bool readonly;

    if (!gt)
        return 0;
    for (; gt->release_next < gt->nr_maptrack * MAPPINGS_PER_FRAME; gt->release_next++) {
        m = maptrack_entry(gt, gt->release_next);
        if (!m->owner)
            continue;
        readonly = m->flags & GNTMAP_readonly;
        if (m->flags & GNTMAP_host_map) {
            if (d->is_hvm)
                grant_put_page(m->owner, mfn_to_page(MFN(m->mfn)), !readonly);
            grant_unpin(m->owner, m->ref, readonly);
        }
        if (m->flags & GNTMAP_device_map)
            drop_use(m->owner, m->ref, mfn_to_page(MFN(m->mfn)), readonly);
        domain_put(m->owner);
        maptrack_free(gt, gt->release_next);
        if (gt->release_next % 64 == 0 && hypercall_preempt_check())
            return -ERESTART;
    }
    return 0;
}
