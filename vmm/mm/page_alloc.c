/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The buddy allocator.  A free block's first frame has PGC_free and the order; blocks are listed by zone (the width of
 * the frame number, so that low memory goes last) and order.  PGC_dirty of each frame says that it was used since it was
 * scrubbed: a domain gets it only after that.  What an idle CPU has scrubbed ahead stands first in its list: as many frames
 * of a free block, from its first, as the type_info of that says.  heap_lock guards all; it is taken with interrupts off.
 */
#include "../cpu/percpu.h"
#include "../domain/domain.h"
#include "../lib/bitops.h"
#include "../lib/printk.h"
#include "../lib/spinlock.h"
#include "../lib/string.h"
#include "internal.h"
#include "tlb.h"

#define NR_ZONES 32

static struct {
    struct page_list list[MAX_ORDER + 1];
    uint32_t nonempty; /* a bit for each order */
    uint32_t dirty;    /* likewise: there is a frame to be scrubbed in the last block */
} zones[NR_ZONES];
static DEFINE_SPINLOCK(heap_lock);
static uint64_t free_pages;
bool heap_ready;

static unsigned zone_of(mfn_t m) { return fls64(m.v | 1); }

static void __init init_lists(void)
{
    for (unsigned z = 0; z < NR_ZONES; z++)
        for (unsigned o = 0; o <= MAX_ORDER; o++)
            zones[z].list[o] = (struct page_list)PAGE_LIST_INIT;
}

static void note_list(unsigned zone, unsigned order)
{
    const struct page_list *l = &zones[zone].list[order];
    uint32_t bit = 1U << order;

    zones[zone].nonempty &= ~bit;
    zones[zone].dirty &= ~bit;
    if (l->count) {
        zones[zone].nonempty |= bit;
        if (!(frame_table[l->tail].type_info >> order))
            zones[zone].dirty |= bit;
    }
}

/* 'clean' of its first frames need no scrubbing. Dirty blocks stand last: they are the last to be had. */
static void insert_block(struct page_info *pg, unsigned order, uint64_t clean)
{
    unsigned zone = zone_of(page_to_mfn(pg));
    struct page_list *l = &zones[zone].list[order];

    pg->count_info |= PGC_free;
    pg->order = order;
    pg->type_info = clean;
    if (clean >> order)
        page_list_add_head(l, pg);
    else
        page_list_add_tail(l, pg);
    note_list(zone, order);
}

/* How many of its first frames are clean. */
static uint64_t remove_block(struct page_info *pg, unsigned order)
{
    unsigned zone = zone_of(page_to_mfn(pg));
    uint64_t clean = pg->type_info;

    page_list_del(&zones[zone].list[order], pg);
    note_list(zone, order);
    pg->count_info &= ~PGC_free;
    pg->order = 0;
    pg->type_info = 0;
    return clean;
}

/* The buddy of a block, if it is free and whole. */
static struct page_info *free_buddy(mfn_t m, unsigned order)
{
    mfn_t buddy = MFN(m.v ^ (1UL << order));
    struct page_info *pg = mfn_to_page(buddy);

    if (!mfn_valid(buddy) || zone_of(buddy) != zone_of(m) || !(pg->count_info & PGC_free) || pg->order != order)
        return NULL;
    return pg;
}

static void free_block_locked(struct page_info *pg, unsigned order)
{
    struct page_info *buddy;
    uint64_t clean = 0;

    BUG_ON(pg->count_info & PGC_free);
    free_pages += 1UL << order;
    while (order < MAX_ORDER && (buddy = free_buddy(page_to_mfn(pg), order)) != NULL) {
        uint64_t size = 1UL << order, other = remove_block(buddy, order);
        uint64_t low = buddy < pg ? other : clean, high = buddy < pg ? clean : other;

        clean = low < size ? low : size + high;
        pg = MIN(pg, buddy);
        order++;
    }
    insert_block(pg, order, clean);
}

void heap_free(struct page_info *pg, unsigned order)
{
    unsigned long flags;

    for (unsigned i = 0; i < 1U << order; i++) {
        pg[i].count_info = PGC_dirty;
        pg[i].type_info = 0;
        pg[i].owner = 0;
    }
    flags = spin_lock_irqsave(&heap_lock);
    free_block_locked(pg, order);
    spin_unlock_irqrestore(&heap_lock, flags);
}

void heap_free_run(struct page_info *pg, uint64_t n)
{
    uint64_t m = page_to_mfn(pg).v, end = m + n;

    while (m < end) {
        unsigned order = MIN(ffs64(m | BIT(MAX_ORDER)), fls64(end - m));

        heap_free(mfn_to_page(MFN(m)), order);
        m += 1UL << order;
    }
}

/* A block of exactly 'order', split off a larger one if need be. */
static struct page_info *take_block_locked(unsigned order, unsigned top_zone)
{
    for (int z = (int)top_zone; z >= 0; z--) {
        uint32_t fit = zones[z].nonempty >> order;
        struct page_info *pg;
        uint64_t clean;
        unsigned o;

        if (!fit)
            continue;
        o = order + ffs64(fit);
        pg = page_list_first(&zones[z].list[o]);
        clean = remove_block(pg, o);
        while (o > order) {
            uint64_t half = 1UL << --o;

            /* What is clean behind the first dirty one is found again by its PGC_dirty. */
            insert_block(pg + half, o, clean > half ? clean - half : 0);
            clean = MIN(clean, half);
        }
        free_pages -= 1UL << order;
        return pg;
    }
    return NULL;
}

/* A translation of a previous use may still be in some CPU's TLB. Stamps are told apart by age: the clock goes round. */
static void flush_stale(const struct page_info *pg, unsigned order)
{
    uint32_t newest = pg->tlb_stamp, time = tlb_clock();

    for (unsigned i = 1; i < 1U << order; i++)
        if (time - pg[i].tlb_stamp < time - newest)
            newest = pg[i].tlb_stamp;
    tlb_filter_flush(newest);
}

struct page_info *heap_alloc(const struct domain *d, unsigned order, unsigned bits)
{
    unsigned top_zone = NR_ZONES - 1;
    uint64_t claimed = outstanding_claims() - (d ? claim_of(d) : 0);
    struct page_info *pg = NULL;
    unsigned long flags;

    if (order > MAX_ORDER || (bits && bits <= PAGE_SHIFT))
        return NULL;
    if (bits)
        top_zone = MIN(bits - PAGE_SHIFT - 1, NR_ZONES - 1U);
    flags = spin_lock_irqsave(&heap_lock);
    if (free_pages >= claimed + (1UL << order))
        pg = take_block_locked(order, top_zone);
    spin_unlock_irqrestore(&heap_lock, flags);
    if (pg)
        flush_stale(pg, order);
    return pg;
}

/* -- scrubbing ---------------------------------------------------------------------------------------------------- */
/*
 * Memory that nobody ever wrote is zero nearly everywhere, and is only read: that is quicker, and where the machine is
 * itself virtual, its host need not find a page for it.
 */
static void scrub_page(struct page_info *pg)
{
    void *va = page_to_virt(pg);

    if (!page_is_zero(va))
        clear_page(va);
}

void scrub_if_dirty(struct page_info *pg, unsigned order)
{
    for (unsigned i = 0; i < 1U << order; i++) {
        if (pg[i].count_info & PGC_dirty)
            scrub_page(pg + i);
        pg[i].count_info = 0;
    }
}

static struct page_info *dirty_block_locked(void)
{
    for (int z = NR_ZONES - 1; z >= 0; z--)
        if (zones[z].dirty)
            return frame_table + zones[z].list[ffs64(zones[z].dirty)].tail;
    return NULL;
}

#define SCRUB_BATCH 8  /* frames at a time, with the lock held: a few microseconds */
#define SCRUB_LOOK 128 /* those that are clean already are passed quicker */

static void scrub_some_of(struct page_info *pg)
{
    unsigned order = pg->order, left = SCRUB_BATCH;
    uint64_t i = remove_block(pg, order), end = MIN(i + SCRUB_LOOK, 1UL << order);

    for (; i < end && left; i++)
        if (pg[i].count_info & PGC_dirty) {
            scrub_page(pg + i);
            pg[i].count_info &= ~PGC_dirty;
            left--;
        }
    insert_block(pg, order, i);
}

/*
 * An emulator's TLB may grow with the pages that are used between two flushes, and every flush then clears all of it: QEMU's
 * does, and the guest that a scrubbing CPU goes back to would pay. A flush now and then keeps it small, and is nothing
 * beside the scrubbing.
 */
#define SCRUB_FLUSH 12 /* batches: a hundred frames */
static DEFINE_PER_CPU(unsigned, batches_since_flush);

static void keep_tlb_small(void)
{
    if (++this_cpu(batches_since_flush) < SCRUB_FLUSH)
        return;
    this_cpu(batches_since_flush) = 0;
    flush_tlb_local(FLUSH_TLB, 0);
}

bool heap_scrub_some(void)
{
    unsigned long flags = local_irq_save();
    struct page_info *pg = NULL;

    if (spin_trylock(&heap_lock)) {
        pg = dirty_block_locked();
        if (pg)
            scrub_some_of(pg);
        spin_unlock(&heap_lock);
    }
    if (pg)
        keep_tlb_small();
    local_irq_restore(flags);
    return pg;
}

/* -- hypervisor pages --------------------------------------------------------------------------------------------- */
void *alloc_xenheap_pages(unsigned order)
{
    struct page_info *pg = heap_alloc(NULL, order, 0);

    if (!pg)
        return NULL;
    for (unsigned i = 0; i < 1U << order; i++) {
        pg[i].count_info = PGC_heap;
        pg[i].type_info = 0;
        pg[i].owner = 0;
    }
    return page_to_virt(pg);
}

void *alloc_zeroed_page(void)
{
    void *va = alloc_xenheap_pages(0);

    if (va)
        clear_page(va);
    return va;
}

void free_xenheap_pages(void *va, unsigned order)
{
    struct page_info *pg;

    if (!va)
        return;
    pg = virt_to_page(va);
    for (unsigned i = 0; i < 1U << order; i++) {
        BUG_ON(!(pg[i].count_info & PGC_heap));
        if (pg[i].count_info & PGC_allocated) {
            /* Shared: guests may still map it, also after its domain is gone. page_put frees it. */
            BUG_ON(order);
            page_set_owner(pg, dom_xen);
            page_put_allocated(pg);
            return;
        }
    }
    heap_free(pg, order);
}

/* -- boot and accounts -------------------------------------------------------------------------------------------- */
void mm_release_range(paddr_t start, paddr_t end)
{
    uint64_t m = DIV_ROUND_UP(start, PAGE_SIZE), last = end >> PAGE_SHIFT;

    if (!heap_ready) {
        init_lists();
        heap_ready = true;
    }
    if (m < last)
        heap_free_run(mfn_to_page(MFN(m)), last - m);
}

uint64_t avail_heap_pages(void) { return READ_ONCE(free_pages); }
uint64_t scrub_pending_pages(void) { return 0; }
