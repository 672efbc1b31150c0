/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames that belong to domains: allocation, accounts, claims, sharing.  A domain's page_lock guards its lists and counts;
 * claims are changed with it and with claim_lock.
 */
#include "../domain/domain.h"
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "internal.h"
#include "tlb.h"

static DEFINE_SPINLOCK(claim_lock);
static uint64_t claims_total;

static uint64_t pages_owned(const struct domain *d) { return d->page_list.count + d->extra_list.count; }

/* -- claims ------------------------------------------------------------------------------------------------------ */
uint64_t outstanding_claims(void) { return READ_ONCE(claims_total); }
uint64_t claim_of(const struct domain *d) { return d->outstanding_pages; }

void claim_consume(struct domain *d, uint64_t pages)
{
    uint64_t n = MIN(d->outstanding_pages, pages);

    if (!n)
        return;
    spin_lock(&claim_lock);
    d->outstanding_pages -= n;
    claims_total -= n;
    spin_unlock(&claim_lock);
}

int domain_set_claim(struct domain *d, uint64_t pages)
{
    int rc = 0;
    uint64_t want;

    spin_lock(&d->page_lock);
    want = pages > d->tot_pages ? pages - d->tot_pages : 0;
    spin_lock(&claim_lock);
    if (pages && d->outstanding_pages) {
        rc = -EINVAL; /* one claim at a time; 0 cancels it */
    } else if (pages && (pages < d->tot_pages || pages > d->max_pages)) {
        rc = -EINVAL;
    } else if (want > avail_heap_pages() - MIN(avail_heap_pages(), claims_total - d->outstanding_pages)) {
        rc = -ENOMEM;
    } else {
        claims_total = claims_total - d->outstanding_pages + want;
        d->outstanding_pages = want;
    }
    spin_unlock(&claim_lock);
    spin_unlock(&d->page_lock);
    return rc;
}

/* -- giving and taking ------------------------------------------------------------------------------------------- */
int assign_pages(struct domain *d, struct page_info *pg, unsigned order, unsigned flags)
{
    uint64_t n = 1UL << order;
    bool extra = flags & ALLOC_NO_ACCOUNT;
    int rc = 0;

    spin_lock(&d->page_lock);
    if (d->dying) {
        rc = -EINVAL;
    } else if (!extra && (d->tot_pages > d->max_pages || n > d->max_pages - d->tot_pages)) {
        rc = -E2BIG;
    } else {
        if (!pages_owned(d) && !domain_get(d))
            BUG(); /* the caller holds a reference */
        if (!extra) {
            d->tot_pages += n;
            claim_consume(d, n);
        }
        for (uint64_t i = 0; i < n; i++) {
            page_set_owner(pg + i, d);
            pg[i].type_info = 0;
            page_list_add_tail(extra ? &d->extra_list : &d->page_list, pg + i);
            __atomic_store_n(&pg[i].count_info, PGC_allocated | (extra ? PGC_extra : 0) | 1, __ATOMIC_RELEASE);
        }
    }
    spin_unlock(&d->page_lock);
    return rc;
}

struct page_info *alloc_anon_pages(unsigned order, unsigned bits)
{
    struct page_info *pg = heap_alloc(NULL, order, bits);

    if (pg)
        scrub_if_dirty(pg, order);
    return pg;
}

void free_anon_pages(struct page_info *pg, unsigned order) { heap_free(pg, order); }

struct page_info *alloc_domain_pages(struct domain *d, unsigned order, unsigned bits, unsigned flags)
{
    struct page_info *pg;

    if (order > MAX_ORDER)
        return NULL;
    /* Looked at again when they are assigned; here it spares the scrubbing. */
    if (!(flags & ALLOC_NO_ACCOUNT) && READ_ONCE(d->tot_pages) + (1UL << order) > READ_ONCE(d->max_pages))
        return NULL;
    pg = heap_alloc(d, order, bits);
    if (!pg)
        return NULL;
    if (!(flags & ALLOC_NO_SCRUB))
        scrub_if_dirty(pg, order);
    if (assign_pages(d, pg, order, flags)) {
        heap_free(pg, order);
        return NULL;
    }
    return pg;
}

/* Off the owner's list and accounts, with its page_lock. */
static void detach_locked(struct domain *d, struct page_info *pg)
{
    if (pg->count_info & PGC_extra) {
        page_list_del(&d->extra_list, pg);
    } else {
        page_list_del(&d->page_list, pg);
        d->tot_pages--;
    }
}

/* True if that was the domain's last frame: the caller drops the domain reference. */
static bool detach(struct domain *d, struct page_info *pg)
{
    bool last;

    spin_lock(&d->page_lock);
    detach_locked(d, pg);
    last = !pages_owned(d);
    spin_unlock(&d->page_lock);
    return last;
}

void free_domain_page(struct page_info *pg)
{
    struct domain *d = page_owner(pg);
    bool last;

    ASSERT(!(pg->type_info & PGT_count_mask) || (pg->count_info & PGC_heap));
    pg->tlb_stamp = tlb_clock();
    if (pg->count_info & PGC_heap) {
        heap_free(pg, 0);
        return;
    }
    BUG_ON(!d);
    last = detach(d, pg);
    heap_free(pg, 0);
    if (last)
        domain_put(d);
}

/* Takes the reference of the allocation, if it is the only one. What else count_info says stays. */
static bool take_unshared(struct page_info *pg)
{
    uint64_t x = READ_ONCE(pg->count_info);

    return (x & (PGC_allocated | PGC_count_mask)) == (PGC_allocated | 1) &&
           __atomic_compare_exchange_n(&pg->count_info, &x, x - (PGC_allocated | 1), false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_RELAXED);
}

unsigned free_unshared_pages(struct domain *d, struct page_list *list, unsigned max)
{
    struct page_info *first;
    uint32_t stamp;
    unsigned n = 0;
    bool last;

    spin_lock(&d->page_lock);
    first = page_list_first(list);
    while (n < max && list->count && page_list_first(list) == first + n && take_unshared(first + n))
        detach_locked(d, first + n++);
    last = n && !pages_owned(d);
    spin_unlock(&d->page_lock);
    if (!n)
        return 0;

    stamp = tlb_clock();
    for (unsigned i = 0; i < n; i++) {
        ASSERT(!(first[i].type_info & PGT_count_mask));
        first[i].tlb_stamp = stamp;
    }
    heap_free_run(first, n);
    if (last)
        domain_put(d);
    return n;
}

int steal_page(struct domain *d, struct page_info *pg)
{
    uint64_t expected = PGC_allocated | 1;
    bool last;

    if (page_owner(pg) != d || (READ_ONCE(pg->type_info) & PGT_count_mask))
        return -EBUSY;
    if (!__atomic_compare_exchange_n(&pg->count_info, &expected, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return -EBUSY;
    last = detach(d, pg);
    pg->tlb_stamp = tlb_clock();
    page_set_owner(pg, NULL);
    pg->type_info = 0;
    if (last)
        domain_put(d);
    return 0;
}

void share_heap_page(void *va, struct domain *d, bool writable)
{
    struct page_info *pg = virt_to_page(va);

    BUG_ON(!(pg->count_info & PGC_heap) || (pg->count_info & PGC_allocated));
    page_set_owner(pg, d);
    /* The one type reference is never dropped, so its type stays. */
    pg->type_info = (writable ? PGT_writable_page : PGT_shared_page) | PGT_validated | 1;
    __atomic_store_n(&pg->count_info, PGC_heap | PGC_allocated | 1, __ATOMIC_RELEASE);
}
