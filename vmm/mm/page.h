/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame table: one struct page_info for each frame of RAM.  count_info
 * holds the reference count and state, type_info what a PV domain's frame is
 * used as and how often (vmm/pv/page_types.c gives the types their meaning).
 * Both change by compare-and-swap only.
 */
#ifndef POLDER_MM_PAGE_H
#define POLDER_MM_PAGE_H

#include "../lib/types.h"
#include "layout.h"

struct domain;

struct page_info {
    uint64_t count_info;
    uint64_t type_info;
    uint32_t next, prev; /* frame numbers: links in a domain's or the allocator's list; PAGE_LIST_END ends it */
    union {
        uint32_t owner; /* frame number of the owner's struct domain (page-aligned, direct map), 0: none */
        uint32_t order; /* free: the block's order */
    };
    uint32_t tlb_stamp; /* the TLB clock when a use of it by mappings last ended (mm/tlb.h); kept while free */
};
_Static_assert(sizeof(struct page_info) == 32, "struct page_info");

#define PAGE_LIST_END 0xffffffffU

/* count_info */
#define PGC_allocated (1UL << 63) /* the domain's own reference, dropped once when the frame leaves it */
#define PGC_heap (1UL << 62)      /* hypervisor memory; shareable with a guest only through share_heap_page() */
#define PGC_free (1UL << 61)      /* first frame of a free block in the allocator */
#define PGC_reserved (1UL << 60)  /* not RAM, bad, or the hypervisor's image */
#define PGC_extra (1UL << 59)     /* not part of the domain's tot_pages (ioreq pages and the like) */
#define PGC_dirty (1UL << 58)     /* free and not scrubbed since its last use; scrubbed when a domain gets it */
#define PGC_count_mask ((1UL << 56) - 1)

/* type_info: type in 63..60, validated 59, pinned 58, partly validated 57, being changed 56, count below */
#define PGT_none (0UL << 60)
#define PGT_l1_page_table (1UL << 60)
#define PGT_l2_page_table (2UL << 60)
#define PGT_l3_page_table (3UL << 60)
#define PGT_l4_page_table (4UL << 60)
#define PGT_seg_desc_page (5UL << 60)
#define PGT_writable_page (6UL << 60)
#define PGT_shared_page (7UL << 60) /* hypervisor page shared with a guest */
#define PGT_type_mask (15UL << 60)
#define PGT_validated (1UL << 59)
#define PGT_pinned (1UL << 58)
#define PGT_partial (1UL << 57)
#define PGT_locked (1UL << 56)
#define PGT_undo (1UL << 55) /* partial: entries are being given up, from the last one down */
#define PGT_failed                                                                                                     \
    (1UL << 54) /* with it: because the frame is not valid as the type, which its user is still to learn */
#define PGT_progress_shift 40 /* partial or locked: entries below this one hold references, 10 bits */
#define PGT_progress_mask (0x3ffUL << PGT_progress_shift)
#define PGT_count_mask ((1UL << 32) - 1)

#define frame_table ((struct page_info *)FRAME_TABLE_START)
extern uint64_t max_mfn; /* one above the highest frame of RAM */

static inline struct page_info *mfn_to_page(mfn_t m) { return frame_table + m.v; }
static inline mfn_t page_to_mfn(const struct page_info *pg) { return MFN((uint64_t)(pg - frame_table)); }
/* True where the frame is RAM (or was described as such) and has an entry in the frame table. */
bool mfn_valid(mfn_t m);
/* True where the frame is ordinary RAM in the e820 map, whoever owns it. Others, and all of the first MiB, may be MMIO for Dom0. */
bool mfn_is_ram(mfn_t m);

/* The direct map: all RAM, writable. */
static inline void *paddr_to_virt(paddr_t a) { return (void *)(DIRECTMAP_START + a); }
static inline void *mfn_to_virt(mfn_t m) { return paddr_to_virt(mfn_to_paddr(m)); }
static inline void *page_to_virt(const struct page_info *pg) { return mfn_to_virt(page_to_mfn(pg)); }
/* For addresses in the direct map or in the image. */
paddr_t virt_to_paddr(const void *va);
static inline mfn_t virt_to_mfn(const void *va) { return paddr_to_mfn(virt_to_paddr(va)); }
static inline struct page_info *virt_to_page(const void *va) { return mfn_to_page(virt_to_mfn(va)); }

struct domain *page_owner(const struct page_info *pg);
void page_set_owner(struct page_info *pg, struct domain *d);

/* Takes a reference if the frame is owned by d and not going away; false otherwise. */
bool page_get(struct page_info *pg, const struct domain *d) __must_check;
/* Drops one; the last one frees the frame (scrubbed first, or before its next use). */
void page_put(struct page_info *pg);
/* page_get for a frame number as a guest gives it. */
struct page_info *page_get_from_mfn(mfn_t m, const struct domain *d) __must_check;

/* Drops the reference that PGC_allocated stands for. */
void page_put_allocated(struct page_info *pg);

/*
 * Type references; the caller has a general reference.  page_get_type gives 0, or -EINVAL if the frame is in use
 * as another type or is not valid as this one.  The hooks validate page-table and descriptor types; vmm/pv installs them.
 */
struct page_type_ops {
    /*
     * Called with PGT_locked set, so by one CPU at a time. validate goes on at page_type_progress() and keeps it with
     * page_type_set_progress(): 0, -EINVAL (the core then calls invalidate), or, if preemptible, -ERESTART.
     * invalidate gives up the entries below the progress, from the last one down: 0, or, if preemptible, -ERESTART.
     */
    int (*validate)(struct page_info *pg, uint64_t type, bool preemptible);
    int (*invalidate)(struct page_info *pg, uint64_t type, bool preemptible);
};
extern const struct page_type_ops *page_type_ops;
static inline unsigned page_type_progress(const struct page_info *pg)
{
    return (pg->type_info & PGT_progress_mask) >> PGT_progress_shift;
}
/* For the holder of PGT_locked only. */
void page_type_set_progress(struct page_info *pg, unsigned done);

int page_get_type(struct page_info *pg, uint64_t type) __must_check;
int page_get_type_preemptible(struct page_info *pg, uint64_t type) __must_check;
/*
 * 0, or -ERESTART: the type reference is gone, but not all that hung from it: call page_type_finish() until that
 * gives 0, with the general reference still held.
 */
int page_put_type_preemptible(struct page_info *pg) __must_check;
/* The same for a use that no CPU can have in its TLB: a pin; a base pointer, where CR3 was loaded anew since. */
int page_put_unmapped_type(struct page_info *pg) __must_check;
/* Undoes what is left of a preempted validation or undoing. 0 (also where nothing is left) or, if preemptible, -ERESTART. */
int page_type_finish(struct page_info *pg, bool preemptible) __must_check;
void page_put_type(struct page_info *pg);
/* For changes in a table in use: keeps it valid as 'type' and other changes out. False: it is not of that type. */
bool page_type_lock(struct page_info *pg, uint64_t type) __must_check;
void page_type_unlock(struct page_info *pg);
bool page_get_and_type(struct page_info *pg, const struct domain *d, uint64_t type) __must_check;
static inline void page_put_and_type(struct page_info *pg)
{
    page_put_type(pg);
    page_put(pg);
}

/* A list of frames through page_info.next/prev; the caller locks. */
struct page_list {
    uint32_t head, tail;
    uint64_t count;
};
#define PAGE_LIST_INIT                                                                                                 \
    {                                                                                                                  \
        PAGE_LIST_END, PAGE_LIST_END, 0                                                                                \
    }
void page_list_add_tail(struct page_list *l, struct page_info *pg);
void page_list_del(struct page_list *l, struct page_info *pg);
struct page_info *page_list_first(const struct page_list *l); /* NULL: empty */
struct page_info *page_list_next(const struct page_info *pg); /* NULL: last */

/* machine-to-phys, as guests read it (RO_M2P_START). */
#define M2P_INVALID (~0UL)
static inline uint64_t m2p_get(mfn_t m) { return ((uint64_t *)RW_M2P_START)[m.v]; }
static inline void m2p_set(mfn_t m, uint64_t pfn) { ((uint64_t *)RW_M2P_START)[m.v] = pfn; }

#endif
