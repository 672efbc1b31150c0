/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the files of the grant table.
 *
 * A table has two halves.  What its domain lends: shared frames that the guest
 * writes, and for each entry a private count of its users ('active').  What
 * its domain borrows: the maptrack, one record for each mapping.  No call
 * holds the locks of two tables, nor any lock while it touches a guest's
 * memory or mappings.
 */
#ifndef POLDER_DOMAIN_GRANT_PRIV_H
#define POLDER_DOMAIN_GRANT_PRIV_H

#include "../cpu/percpu.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "grant.h"

#define ENTRIES_V1 (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define ENTRIES_V2 (PAGE_SIZE / sizeof(union grant_entry_v2))
#define STATUS_PER_FRAME (PAGE_SIZE / sizeof(grant_status_t))
#define STATUS_FRAMES(frames) DIV_ROUND_UP((frames)*ENTRIES_V2, STATUS_PER_FRAME)

/* Users of one entry. While there are any, the entry can be neither swapped nor lost by a change of version. */
struct grant_active {
    uint32_t readers, writers; /* each mapping or copy counts in one of them */
    domid_t domid;             /* to whom, while a count is not 0 */
};

/* A mapping: its index is the grant handle. */
struct grant_mapping {
    struct domain *owner; /* with a reference; NULL: the record is free */
    uint64_t mfn;
    grant_ref_t ref;
    uint16_t flags; /* GNTMAP_*, of device_map and host_map those that are left */
    bool busy;      /* being made or ended: nobody else may touch it */
    uint32_t next_free;
};
#define MAPPINGS_PER_FRAME (PAGE_SIZE / sizeof(struct grant_mapping))
#define NO_HANDLE (~0U)

struct grant_table {
    spinlock_t lock; /* LOCK_GRANT: all but the maptrack */
    unsigned version, max_version;
    unsigned nr_frames, max_frames, nr_status;
    void **shared;                /* [max_frames] */
    grant_status_t **status;      /* [STATUS_FRAMES(max_frames)]: version 2 */
    struct grant_active **active; /* [max_frames] of ENTRIES_V1 each */

    spinlock_t maptrack_lock;        /* a leaf */
    struct grant_mapping **maptrack; /* [max_maptrack] frames */
    unsigned nr_maptrack, max_maptrack;
    uint32_t free_handle;  /* head of the free list, NO_HANDLE: empty */
    uint32_t release_next; /* grant_table_release_mappings: how far it came */
    uint32_t mapped;       /* records in use, for the dump */
};

/* What a pinned entry grants. */
struct grant_target {
    gfn_t gfn;
    uint16_t offset, length; /* the part of the page: 0 and PAGE_SIZE, but for sub-page grants */
    bool transitive;         /* version 2: see trans_*, gfn means nothing */
    domid_t trans_domid;
    grant_ref_t trans_ref;
};

/* -- grant_table.c: lock held ------------------------------------------------------------------------------------ */
static inline unsigned grant_entries_per_frame(const struct grant_table *gt)
{
    return gt->version == 2 ? ENTRIES_V2 : ENTRIES_V1;
}
static inline unsigned grant_nr_entries(const struct grant_table *gt)
{
    return gt->nr_frames * grant_entries_per_frame(gt);
}
/* ref is below grant_nr_entries(). */
static inline struct grant_active *grant_active(struct grant_table *gt, grant_ref_t ref)
{
    return &gt->active[ref / grant_entries_per_frame(gt)][ref % grant_entries_per_frame(gt)];
}
static inline struct grant_entry_v1 *grant_entry1(struct grant_table *gt, grant_ref_t ref)
{
    return (struct grant_entry_v1 *)gt->shared[ref / ENTRIES_V1] + ref % ENTRIES_V1;
}
static inline union grant_entry_v2 *grant_entry2(struct grant_table *gt, grant_ref_t ref)
{
    return (union grant_entry_v2 *)gt->shared[ref / ENTRIES_V2] + ref % ENTRIES_V2;
}
static inline grant_status_t *grant_status(struct grant_table *gt, grant_ref_t ref)
{
    return &gt->status[ref / STATUS_PER_FRAME][ref % STATUS_PER_FRAME];
}
static inline bool grant_in_use(const struct grant_active *a) { return a->readers || a->writers; }
/* At least nr frames, at most max_frames. -ENOMEM, -EINVAL. */
int grant_table_grow(struct domain *d, unsigned nr) __must_check;
int grant_status_populate(struct domain *d) __must_check;

/* -- grant_pin.c ------------------------------------------------------------------------------------------------- */
/*
 * The grantee uses entry ref of rd from now on (until grant_unpin), as the
 * entry allows: GNTST_okay with *t, or the error. It takes the table's lock.
 */
int16_t grant_pin(struct domain *rd, grant_ref_t ref, domid_t grantee, bool readonly, struct grant_target *t);
void grant_unpin(struct domain *rd, grant_ref_t ref, bool readonly);
/* The frame behind a grant of d, with a page reference (and PGT_writable_page if write). GNTST_*. */
int16_t grant_get_page(struct domain *d, gfn_t gfn, bool write, struct page_info **pg);
/* It may have been written to until now, which d's log-dirty map is told; with no lock of d's p2m or above held. */
static inline void grant_put_page(struct domain *d, struct page_info *pg, bool write)
{
    if (!write) {
        page_put(pg);
        return;
    }
    if (d->ops->mark_dirty)
        d->ops->mark_dirty(d, page_to_mfn(pg));
    page_put_and_type(pg);
}

/* -- the operations: each works on a copy of its public structure, and sets its status ---------------------------- */
void grant_map_one(struct gnttab_map_grant_ref *op);
void grant_copy_one(struct gnttab_copy *op);
/* Ends up to GRANT_UNMAP_BATCH mappings with one TLB flush: grant_unmap_begin for each, then grant_unmap_finish. */
#define GRANT_UNMAP_BATCH 32
struct grant_unmapped {
    struct domain *owner; /* NULL: the call failed, nothing to finish */
    uint32_t handle;
    uint64_t mfn;
    grant_ref_t ref;
    uint16_t flags; /* those that ended; GNTMAP_readonly */
};
int16_t grant_unmap_begin(uint64_t host_addr, uint64_t dev_bus_addr, bool replace, uint64_t new_addr, uint32_t handle,
                          struct grant_unmapped *u);
void grant_unmap_finish(const struct grant_unmapped *u, unsigned n);
int grant_set_version(struct gnttab_set_version *op) __must_check;
int16_t grant_swap(grant_ref_t a, grant_ref_t b);
/* A domain named in an operation: current's own, or one that it controls. GNTST_*; drop with domain_put. */
int16_t grant_op_domain(domid_t id, struct domain **d);

#endif
