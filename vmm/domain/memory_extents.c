/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Growing and shrinking a domain: increase_reservation, populate_physmap and
 * decrease_reservation over lists of extents.  They return how many extents
 * were done, which on any failure is fewer than asked.
 */
#include "memory_priv.h"

struct reservation {
    struct xen_memory_reservation r;
    struct domain *d;
    unsigned bits; /* frames below 2^bits; 0: any */
};

static uint64_t extent_gva(const struct reservation *res, uint64_t i)
{
    return guest_elem(handle_gva(res->r.extent_start), xen_pfn_t, i);
}

static void free_extent(struct page_info *pg, unsigned order)
{
    for (uint64_t i = 0; i < 1UL << order; i++)
        page_put_allocated(pg + i);
}

static int increase_one(const struct reservation *res, uint64_t i)
{
    struct page_info *pg = alloc_domain_pages(res->d, res->r.extent_order, res->bits, 0);
    uint64_t mfn;

    if (!pg)
        return -ENOMEM;
    /* An HVM domain has no use for machine frame numbers and is not told them. */
    if (res->d->is_hvm || handle_is_null(res->r.extent_start))
        return 0;
    mfn = page_to_mfn(pg).v;
    if (copy_to_guest(extent_gva(res, i), &mfn)) {
        free_extent(pg, res->r.extent_order);
        return -EFAULT;
    }
    return 0;
}

static int populate_one(const struct reservation *res, uint64_t i)
{
    unsigned order = res->r.extent_order;
    struct page_info *pg;
    uint64_t gpfn, mfn;
    int rc = 0;

    if (copy_from_guest(&gpfn, extent_gva(res, i)))
        return -EFAULT;
    if (gpfn >= GFN_MAX || (res->d->is_hvm && (gpfn & ((1UL << order) - 1))))
        return -EINVAL;
    /* Until they have their places nobody gives the frames back. */
    spin_lock(&res->d->lock);
    pg = alloc_domain_pages(res->d, order, res->bits, 0);
    if (pg)
        rc = res->d->ops->physmap_add(res->d, GFN(gpfn), page_to_mfn(pg), order);
    spin_unlock(&res->d->lock);
    if (!pg)
        return -ENOMEM;
    if (rc) {
        free_extent(pg, order);
        return -EINVAL;
    }
    mfn = page_to_mfn(pg).v;
    /* The frames are the domain's already, and a PV guest finds them in the machine-to-phys table if this fails. */
    return res->d->is_hvm ? 0 : copy_to_guest(extent_gva(res, i), &mfn);
}

static int decrease_one(const struct reservation *res, uint64_t i)
{
    uint64_t gfn;

    if (copy_from_guest(&gfn, extent_gva(res, i)))
        return -EFAULT;
    if (gfn >= GFN_MAX)
        return -EINVAL;
    for (uint64_t n = 0; n < 1UL << res->r.extent_order; n++) {
        int rc = guest_remove_page(res->d, GFN(gfn + n));

        if (rc)
            return rc;
    }
    return 0;
}

/* 0 with *res filled (drop res->d), or an error: the count of extents done before is then the answer. */
static int reservation_decode(unsigned op, uint64_t start, uint64_t arg, struct reservation *res)
{
    if (copy_from_guest(&res->r, arg))
        return -EFAULT;
    if (res->r.nr_extents > ~0UL >> MEMOP_START_SHIFT || start >= res->r.nr_extents)
        return -EINVAL;
    if (res->r.extent_order > MEMORY_MAX_ORDER)
        return -EINVAL;
    if (op != XENMEM_increase_reservation && handle_is_null(res->r.extent_start))
        return -EINVAL;
    if (op == XENMEM_populate_physmap && (res->r.mem_flags & XENMEMF_populate_on_demand))
        return -EOPNOTSUPP;
    res->bits = XENMEMF_get_address_bits(res->r.mem_flags);
    if (res->bits && res->bits <= PAGE_SHIFT)
        return -EINVAL;
    return domain_get_controlled(res->r.domid, &res->d);
}

long memory_reservation(unsigned op, uint64_t start, uint64_t arg)
{
    struct reservation res;
    uint64_t i;
    int rc = reservation_decode(op, start, arg, &res);

    if (rc == -EFAULT || rc == -EPERM)
        return rc;
    if (rc)
        return (long)start;
    for (i = start; i < res.r.nr_extents; i++) {
        if (i != start && hypercall_preempt_check()) {
            domain_put(res.d);
            return memory_continue(op, i, arg);
        }
        switch (op) {
        case XENMEM_increase_reservation: rc = increase_one(&res, i); break;
        case XENMEM_populate_physmap: rc = populate_one(&res, i); break;
        default: rc = decrease_one(&res, i); break;
        }
        if (rc)
            break;
    }
    domain_put(res.d);
    return (long)i;
}

int guest_remove_page_locked(struct domain *d, gfn_t gfn, struct page_info **pg)
{
    mfn_t mfn = d->ops->gfn_to_mfn(d, gfn);
    int rc;

    *pg = mfn_valid(mfn) ? page_get_from_mfn(mfn, d) : NULL;
    if (!*pg)
        return -EINVAL; /* foreign, granted or MMIO: not the domain's to give back */
    if (READ_ONCE((*pg)->type_info) & PGT_pinned)
        return -EBUSY;
    if (READ_ONCE((*pg)->count_info) & (PGC_heap | PGC_extra))
        return -EINVAL;
    rc = d->ops->physmap_remove(d, gfn, mfn, 0);
    if (!rc)
        page_put_allocated(*pg); /* not the last reference: that is *pg */
    return rc;
}

int guest_remove_page(struct domain *d, gfn_t gfn)
{
    struct page_info *pg;
    int rc;

    spin_lock(&d->lock);
    rc = guest_remove_page_locked(d, gfn, &pg);
    spin_unlock(&d->lock);
    if (pg)
        page_put(pg);
    return rc;
}
