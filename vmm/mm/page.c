/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames: owners, references, lists. References change by compare-and-swap; lists under their owner's lock. */
#include "page.h"
#include "../domain/domain.h"
#include "../lib/printk.h"
#include "internal.h"

__hot struct domain *page_owner(const struct page_info *pg)
{
    uint32_t owner = READ_ONCE(pg->owner);

    return owner && !(READ_ONCE(pg->count_info) & PGC_free) ? mfn_to_virt(MFN(owner)) : NULL;
}

void page_set_owner(struct page_info *pg, struct domain *d)
{
    ASSERT(!((uint64_t)d & ~PAGE_MASK));
    WRITE_ONCE(pg->owner, d ? (uint32_t)virt_to_mfn(d).v : 0);
}

__hot bool page_get(struct page_info *pg, const struct domain *d)
{
    uint64_t x = READ_ONCE(pg->count_info);

    do {
        if (!(x & PGC_count_mask) || (x & PGC_count_mask) == PGC_count_mask || (x & (PGC_free | PGC_reserved)))
            return false;
    } while (!__atomic_compare_exchange_n(&pg->count_info, &x, x + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    /* With a reference held the owner does not change by the frame's being freed. */
    if (page_owner(pg) == d)
        return true;
    page_put(pg);
    return false;
}

__hot void page_put(struct page_info *pg)
{
    uint64_t left = __atomic_sub_fetch(&pg->count_info, 1, __ATOMIC_SEQ_CST);

    ASSERT((left & PGC_count_mask) != PGC_count_mask);
    if (!(left & PGC_count_mask))
        free_domain_page(pg);
}

void page_put_allocated(struct page_info *pg)
{
    uint64_t old = __atomic_fetch_and(&pg->count_info, ~PGC_allocated, __ATOMIC_SEQ_CST);

    if (old & PGC_allocated)
        page_put(pg);
}

__hot struct page_info *page_get_from_mfn(mfn_t m, const struct domain *d)
{
    struct page_info *pg;

    if (!mfn_valid(m))
        return NULL;
    pg = mfn_to_page(m);
    return page_get(pg, d) ? pg : NULL;
}

/* -- lists -------------------------------------------------------------------------------------------------------- */
static uint32_t index_of(const struct page_info *pg) { return (uint32_t)(pg - frame_table); }

void page_list_add_tail(struct page_list *l, struct page_info *pg)
{
    pg->next = PAGE_LIST_END;
    pg->prev = l->tail;
    if (l->count++)
        frame_table[l->tail].next = index_of(pg);
    else
        l->head = index_of(pg);
    l->tail = index_of(pg);
}

void page_list_add_head(struct page_list *l, struct page_info *pg)
{
    pg->prev = PAGE_LIST_END;
    pg->next = l->head;
    if (l->count++)
        frame_table[l->head].prev = index_of(pg);
    else
        l->tail = index_of(pg);
    l->head = index_of(pg);
}

void page_list_del(struct page_list *l, struct page_info *pg)
{
    ASSERT(l->count);
    if (pg->prev == PAGE_LIST_END)
        l->head = pg->next;
    else
        frame_table[pg->prev].next = pg->next;
    if (pg->next == PAGE_LIST_END)
        l->tail = pg->prev;
    else
        frame_table[pg->next].prev = pg->prev;
    l->count--;
    pg->next = pg->prev = PAGE_LIST_END;
}

struct page_info *page_list_first(const struct page_list *l) { return l->count ? frame_table + l->head : NULL; }

struct page_info *page_list_next(const struct page_info *pg)
{
    return pg->next == PAGE_LIST_END ? NULL : frame_table + pg->next;
}
