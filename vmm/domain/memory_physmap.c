/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placing frames in an HVM domain's physical map: add_to_physmap, its batched
 * form, and remove_from_physmap.  d->lock is held from the look at what is
 * there to the change, so that no frame comes to two places, nor one that was
 * given back meanwhile to any; the map's own lock is the guest type's.
 */
#include "grant.h"
#include "memory_priv.h"

/* The frame that a space and index name, with a reference. */
static int source_frame(struct domain *d, unsigned space, uint64_t idx, struct page_info **pg)
{
    mfn_t mfn;
    int rc = 0;

    switch (space) {
    case XENMAPSPACE_shared_info:
        if (idx || !d->shared_info)
            return -EINVAL;
        mfn = virt_to_mfn(d->shared_info);
        break;
    case XENMAPSPACE_grant_table:
        rc = grant_table_map_frame(d, idx, &mfn);
        if (rc)
            return rc;
        break;
    case XENMAPSPACE_gmfn:
    case XENMAPSPACE_gmfn_range:
        *pg = d->ops->get_page(d, GFN(idx), false, &rc);
        if (!*pg)
            return rc ? rc : -EINVAL;
        if (page_owner(*pg) == d)
            return 0;
        page_put(*pg); /* a grant or a foreign frame: it may not move behind its owner's back */
        return -EINVAL;
    default: return -EINVAL;
    }
    *pg = page_get_from_mfn(mfn, d);
    return *pg ? 0 : -EINVAL;
}

/*
 * Makes gfn free. RAM of the domain that was there is given back, as the ABI has it. With d->lock; *pg: a reference
 * for the caller to drop without it, or NULL.
 */
static int vacate(struct domain *d, gfn_t gfn, struct page_info **pg)
{
    mfn_t mfn = d->ops->gfn_to_mfn(d, gfn);
    bool heap;
    int rc;

    *pg = NULL;
    if (mfn_eq(mfn, INVALID_MFN))
        return 0;
    *pg = mfn_valid(mfn) ? page_get_from_mfn(mfn, d) : NULL;
    heap = *pg && (READ_ONCE((*pg)->count_info) & (PGC_heap | PGC_extra));
    if (*pg && !heap) {
        page_put(*pg); /* its allocation holds it: nobody else gives it back under the lock */
        return guest_remove_page_locked(d, gfn, pg);
    }
    rc = d->ops->physmap_remove(d, gfn, mfn, 0);
    if (!rc && heap)
        m2p_set(mfn, M2P_INVALID);
    return rc;
}

static int add_foreign(struct domain *d, domid_t foreign, uint64_t idx, gfn_t gfn)
{
    struct page_info *pg, *old;
    struct domain *fd;
    int rc;

    if (!d->ops->physmap_add_foreign)
        return -EOPNOTSUPP;
    rc = domain_get_controlled(foreign, &fd);
    if (rc)
        return rc;
    rc = -EINVAL;
    if (fd == d)
        goto out;
    rc = -EOPNOTSUPP; /* the map holds no type reference, which a PV owner's frame would need */
    if (!fd->is_hvm)
        goto out;
    pg = fd->ops->get_page(fd, GFN(idx), false, &rc);
    if (!pg)
        goto out;
    spin_lock(&d->lock);
    rc = vacate(d, gfn, &old);
    if (!rc)
        rc = d->ops->physmap_add_foreign(d, gfn, page_to_mfn(pg));
    spin_unlock(&d->lock);
    if (old)
        page_put(old);
    if (rc)
        page_put(pg);
out:
    domain_put(fd);
    return rc;
}

/* pg, which the caller has a reference to, comes to gfn. With d->lock; *drop as vacate has it. */
static int place(struct domain *d, struct page_info *pg, gfn_t gfn, struct page_info **drop)
{
    mfn_t mfn = page_to_mfn(pg);
    uint64_t old;
    int rc;

    *drop = NULL;
    if (!(READ_ONCE(pg->count_info) & PGC_allocated))
        return -EINVAL; /* given back since the caller found it */
    if (mfn_eq(d->ops->gfn_to_mfn(d, gfn), mfn))
        return 0; /* it is there already */
    rc = vacate(d, gfn, drop);
    if (rc)
        return rc;
    old = m2p_get(mfn);
    if (old < GFN_MAX && mfn_eq(d->ops->gfn_to_mfn(d, GFN(old)), mfn))
        rc = d->ops->physmap_remove(d, GFN(old), mfn, 0);
    if (!rc)
        rc = d->ops->physmap_add(d, gfn, mfn, 0);
    if (!rc)
        m2p_set(mfn, gfn.v);
    return rc;
}

int add_to_physmap_one(struct domain *d, unsigned space, union xen_add_to_physmap_batch_extra extra, uint64_t idx,
                       gfn_t gfn)
{
    struct page_info *pg, *drop;
    int rc;

    if (!d->is_hvm)
        return -EACCES;
    if (gfn.v >= GFN_MAX || (space != XENMAPSPACE_grant_table && idx >= GFN_MAX))
        return -EINVAL;
    if (space == XENMAPSPACE_gmfn_foreign)
        return add_foreign(d, extra.foreign_domid, idx, gfn);
    rc = source_frame(d, space, idx, &pg);
    if (rc)
        return rc;
    spin_lock(&d->lock);
    rc = place(d, pg, gfn, &drop);
    spin_unlock(&d->lock);
    if (drop)
        page_put(drop);
    page_put(pg);
    return rc;
}

long memory_add_to_physmap(uint64_t start, uint64_t arg)
{
    static const union xen_add_to_physmap_batch_extra none;
    struct xen_add_to_physmap x;
    struct domain *d;
    uint64_t n, i;
    long rc;

    if (copy_from_guest(&x, arg))
        return -EFAULT;
    if (x.space == XENMAPSPACE_gmfn_foreign)
        return -ENOSYS; /* has no place for the other domain's id: the batched form does */
    n = x.space == XENMAPSPACE_gmfn_range ? x.size : 1;
    if (start > n || (start && x.space != XENMAPSPACE_gmfn_range))
        return -EINVAL;
    rc = domain_get_controlled(x.domid, &d);
    if (rc)
        return rc;
    for (i = start; !rc && i < n; i++) {
        if (i != start && hypercall_preempt_check()) {
            rc = memory_continue(XENMEM_add_to_physmap, i, arg);
            break;
        }
        rc = add_to_physmap_one(d, x.space, none, x.idx + i, GFN(x.gpfn + i));
    }
    domain_put(d);
    return rc;
}

long memory_add_to_physmap_batch(uint64_t start, uint64_t arg)
{
    struct xen_add_to_physmap_batch x;
    struct domain *d;
    long rc;

    if (copy_from_guest(&x, arg))
        return -EFAULT;
    if (start > x.size || x.space == XENMAPSPACE_gmfn_range)
        return -EINVAL;
    if (x.space != XENMAPSPACE_gmfn_foreign && x.u.res0)
        return -EOPNOTSUPP;
    rc = domain_get_controlled(x.domid, &d);
    if (rc)
        return rc;
    for (uint64_t i = start; i < x.size; i++) {
        uint64_t idx, gpfn;
        int err;

        if (i != start && hypercall_preempt_check()) {
            rc = memory_continue(XENMEM_add_to_physmap_batch, i, arg);
            break;
        }
        rc = -EFAULT;
        if (copy_from_guest(&idx, guest_elem(handle_gva(x.idxs), xen_ulong_t, i)) ||
            copy_from_guest(&gpfn, guest_elem(handle_gva(x.gpfns), xen_pfn_t, i)))
            break;
        err = add_to_physmap_one(d, x.space, x.u, idx, GFN(gpfn));
        if (copy_to_guest(guest_elem(handle_gva(x.errs), int, i), &err))
            break;
        rc = 0;
    }
    domain_put(d);
    return rc;
}

/* With d->lock; *pg as vacate has it. The frame stays the domain's. */
static int displace(struct domain *d, gfn_t gfn, struct page_info **pg)
{
    mfn_t mfn = d->ops->gfn_to_mfn(d, gfn);
    int rc;

    *pg = NULL;
    if (mfn_eq(mfn, INVALID_MFN))
        return -ENOENT;
    *pg = mfn_valid(mfn) ? page_get_from_mfn(mfn, d) : NULL;
    if (!*pg && !d->is_hvm)
        return -ENOENT; /* a PV guest names any machine frame; only what it says of its own is its to change */
    rc = d->ops->physmap_remove(d, gfn, mfn, 0);
    if (*pg && !rc && d->is_hvm)
        m2p_set(mfn, M2P_INVALID);
    return rc;
}

long memory_remove_from_physmap(uint64_t arg)
{
    struct xen_remove_from_physmap x;
    struct page_info *pg;
    struct domain *d;
    long rc;

    if (copy_from_guest(&x, arg))
        return -EFAULT;
    if (x.gpfn >= GFN_MAX)
        return -EINVAL;
    rc = domain_get_controlled(x.domid, &d);
    if (rc)
        return rc;
    spin_lock(&d->lock);
    rc = displace(d, GFN(x.gpfn), &pg);
    spin_unlock(&d->lock);
    if (pg)
        page_put(pg);
    domain_put(d);
    return rc;
}
