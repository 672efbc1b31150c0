/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grant tables: their frames, from creation to the domain's end.  The table's
 * lock guards what grows; frames go only when the domain itself does.
 */
#include "grant_priv.h"
#include "hypercall.h"

#define DEFAULT_FRAMES 64
#define DEFAULT_MAPTRACK 1024
#define FRAMES_CEILING 65536 /* keeps entry numbers within 32 bits */

int grant_table_init(struct domain *d, int max_frames, int max_maptrack, unsigned max_version)
{
    unsigned frames = max_frames < 0 ? DEFAULT_FRAMES : (unsigned)max_frames;
    unsigned maptrack = max_maptrack < 0 ? DEFAULT_MAPTRACK : (unsigned)max_maptrack;
    struct grant_table *gt;
    int rc = -ENOMEM;

    if (frames == 0 || frames > FRAMES_CEILING || maptrack > FRAMES_CEILING || max_version > 2)
        return -EINVAL;
    gt = xzalloc(struct grant_table);
    if (!gt)
        return -ENOMEM;
    spin_lock_init(&gt->lock, LOCK_GRANT);
    spin_lock_init(&gt->maptrack_lock, LOCK_UNORDERED);
    gt->version = 1;
    gt->max_version = max_version ? max_version : 2;
    gt->max_frames = frames;
    gt->max_maptrack = maptrack;
    gt->free_handle = NO_HANDLE;
    d->grant = gt;

    gt->shared = xzalloc_array(void *, frames);
    gt->status = xzalloc_array(grant_status_t *, STATUS_FRAMES(frames));
    gt->active = xzalloc_array(struct grant_active *, frames);
    gt->maptrack = xzalloc_array(struct grant_mapping *, maptrack ? maptrack : 1);
    if (gt->shared && gt->status && gt->active && gt->maptrack)
        rc = grant_table_grow(d, 1);
    if (rc)
        grant_table_free(d);
    return rc;
}

void grant_table_free(struct domain *d)
{
    struct grant_table *gt = d->grant;

    if (!gt)
        return;
    d->grant = NULL;
    for (unsigned i = 0; i < gt->nr_status; i++)
        free_xenheap_pages(gt->status[i], 0);
    for (unsigned i = 0; i < gt->nr_frames; i++) {
        free_xenheap_pages(gt->shared[i], 0);
        xfree(gt->active[i]);
    }
    for (unsigned i = 0; i < gt->nr_maptrack; i++)
        free_xenheap_pages(gt->maptrack[i], 0);
    xfree(gt->maptrack);
    xfree(gt->active);
    xfree(gt->status);
    xfree(gt->shared);
    xfree(gt);
}

/*
 * Status frames for all frames that there are, when a table becomes version 2.  They stay when it becomes version 1
 * again: the guest may have them mapped.  Lock held.
 */
int grant_status_populate(struct domain *d)
{
    struct grant_table *gt = d->grant;

    while (gt->nr_status < STATUS_FRAMES(gt->nr_frames)) {
        grant_status_t *page = alloc_zeroed_page();

        if (!page)
            return -ENOMEM;
        share_heap_page(page, d, true);
        gt->status[gt->nr_status++] = page;
    }
    return 0;
}

int grant_table_grow(struct domain *d, unsigned nr)
{
    struct grant_table *gt = d->grant;

    if (nr > gt->max_frames)
        return -EINVAL;
    while (gt->nr_frames < nr) {
        unsigned i = gt->nr_frames;
        void *page = alloc_zeroed_page();
        struct grant_active *active = xzalloc_array(struct grant_active, ENTRIES_V1);

        if (!page || !active) {
            if (page)
                free_xenheap_pages(page, 0);
            xfree(active);
            return -ENOMEM;
        }
        gt->shared[i] = page;
        gt->active[i] = active;
        gt->nr_frames++;
        /* Entries without a status word must not be seen: take the frame back if that cannot be had. */
        if (gt->version == 2 && grant_status_populate(d)) {
            gt->nr_frames--;
            free_xenheap_pages(page, 0);
            xfree(active);
            return -ENOMEM;
        }
        share_heap_page(page, d, true);
    }
    return 0;
}

int grant_table_map_frame(struct domain *d, uint64_t idx, mfn_t *mfn)
{
    struct grant_table *gt = d->grant;
    bool status = idx & XENMAPIDX_grant_table_status;
    int rc;

    idx &= ~(uint64_t)XENMAPIDX_grant_table_status;
    if (!gt)
        return -EINVAL;
    spin_lock(&gt->lock);
    if (status) {
        rc = gt->version == 2 && idx < gt->nr_status ? 0 : -EINVAL;
        if (!rc)
            *mfn = virt_to_mfn(gt->status[idx]);
    } else {
        rc = idx < gt->max_frames ? 0 : -EINVAL;
        if (!rc)
            rc = grant_table_grow(d, idx + 1);
        if (!rc)
            *mfn = virt_to_mfn(gt->shared[idx]);
    }
    spin_unlock(&gt->lock);
    return rc;
}

/* With mfns NULL: how many frames there may be, at most (public header memory.h: a size is never 0). */
int grant_table_acquire_resource(struct domain *d, unsigned id, uint64_t frame, unsigned nr, mfn_t *mfns)
{
    struct grant_table *gt = d->grant;
    int rc = 0;

    if (!gt || (id != XENMEM_resource_grant_table_id_shared && id != XENMEM_resource_grant_table_id_status))
        return -EINVAL;
    if (!mfns)
        return id == XENMEM_resource_grant_table_id_status ? STATUS_FRAMES(gt->max_frames) : gt->max_frames;
    if (nr == 0 || frame + nr < frame || frame + nr > FRAMES_CEILING)
        return -EINVAL;

    spin_lock(&gt->lock);
    if (id == XENMEM_resource_grant_table_id_shared) {
        rc = grant_table_grow(d, frame + nr);
    } else {
        /* Status frames follow from shared ones: grow those until there are enough. */
        if (gt->version != 2 || frame + nr > STATUS_FRAMES(gt->max_frames))
            rc = -EINVAL;
        else if (frame + nr > gt->nr_status)
            rc = grant_table_grow(d, MIN((unsigned)((frame + nr) * STATUS_PER_FRAME / ENTRIES_V2), gt->max_frames));
        if (!rc && frame + nr > gt->nr_status)
            rc = -EINVAL;
    }
    for (unsigned i = 0; !rc && i < nr; i++)
        mfns[i] = virt_to_mfn(id == XENMEM_resource_grant_table_id_shared ? gt->shared[frame + i]
                                                                          : (void *)gt->status[frame + i]);
    spin_unlock(&gt->lock);
    return rc;
}

void grant_table_dump(struct domain *d)
{
    struct grant_table *gt = d->grant;
    unsigned used = 0;

    if (!gt)
        return;
    spin_lock(&gt->lock);
    printk("d%d: grant table v%u, %u of %u frames, %u mappings of others' grants\n", d->id, gt->version, gt->nr_frames,
           gt->max_frames, gt->mapped);
    for (grant_ref_t ref = 0; ref < grant_nr_entries(gt); ref++) {
        const struct grant_active *a = grant_active(gt, ref);

        if (grant_in_use(a) && used++ < 64)
            printk("  ref %u: to d%d, %u readers, %u writers\n", ref, a->domid, a->readers, a->writers);
    }
    printk("  %u entries in use\n", used);
    spin_unlock(&gt->lock);
}
