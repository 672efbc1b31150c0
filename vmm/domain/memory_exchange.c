/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XENMEM_exchange: a PV domain gives frames back and gets as many others, for
 * memory that is contiguous or below an address.  Done in chunks of one extent
 * of the larger order; a chunk either happens as a whole or not at all.
 */
#include "memory_priv.h"

struct chunk {
    struct page_list in;  /* frames taken from the domain */
    struct page_list out; /* first frames of the new extents */
};

/* Checks what does not need the domain. */
static int exchange_check(const struct xen_memory_exchange *x)
{
    unsigned in_order = x->in.extent_order, out_order = x->out.extent_order;
    unsigned bits = XENMEMF_get_address_bits(x->out.mem_flags);

    if (in_order > MEMORY_MAX_ORDER || out_order > MEMORY_MAX_ORDER)
        return -EPERM;
    if (x->in.nr_extents > ~0UL >> (MEMORY_MAX_ORDER + 1) || x->out.nr_extents > ~0UL >> (MEMORY_MAX_ORDER + 1))
        return -EINVAL;
    if (x->in.nr_extents << in_order != x->out.nr_extents << out_order || x->in.domid != x->out.domid)
        return -EINVAL;
    if (x->nr_exchanged > x->in.nr_extents || (bits && bits <= PAGE_SHIFT))
        return -EINVAL;
    if (in_order < out_order && (x->nr_exchanged & ((1UL << (out_order - in_order)) - 1)))
        return -EINVAL;
    return 0;
}

static int chunk_alloc(const struct xen_memory_exchange *x, struct chunk *c, uint64_t n)
{
    while (n--) {
        struct page_info *pg = alloc_anon_pages(x->out.extent_order, XENMEMF_get_address_bits(x->out.mem_flags));

        if (!pg)
            return -ENOMEM;
        page_list_add_tail(&c->out, pg);
    }
    return 0;
}

static int chunk_steal(struct domain *d, const struct xen_memory_exchange *x, struct chunk *c, uint64_t first,
                       uint64_t n)
{
    for (uint64_t i = first; i < first + n; i++) {
        uint64_t mfn;

        if (copy_from_guest(&mfn, guest_elem(handle_gva(x->in.extent_start), xen_pfn_t, i)))
            return -EFAULT;
        for (uint64_t k = 0; k < 1UL << x->in.extent_order; k++) {
            struct page_info *pg = mfn_to_page(MFN(mfn + k));
            int rc = mfn_valid(MFN(mfn + k)) ? steal_page(d, pg) : -EINVAL;

            if (rc)
                return rc;
            page_list_add_tail(&c->in, pg);
        }
    }
    return 0;
}

static void chunk_undo(struct domain *d, const struct xen_memory_exchange *x, struct chunk *c)
{
    struct page_info *pg;

    while ((pg = page_list_first(&c->in)) != NULL) {
        page_list_del(&c->in, pg);
        if (assign_pages(d, pg, 0, 0)) /* it is dying */
            free_anon_pages(pg, 0);
    }
    while ((pg = page_list_first(&c->out)) != NULL) {
        page_list_del(&c->out, pg);
        free_anon_pages(pg, x->out.extent_order);
    }
}

/* The new extents go to the domain, at the pseudo-physical frames that it lists; first is the first of them. */
static int chunk_commit(struct domain *d, const struct xen_memory_exchange *x, struct chunk *c, uint64_t first)
{
    unsigned order = x->out.extent_order;
    struct page_info *pg;
    int rc = 0;

    while ((pg = page_list_first(&c->in)) != NULL) {
        page_list_del(&c->in, pg);
        m2p_set(page_to_mfn(pg), M2P_INVALID);
        free_anon_pages(pg, 0);
    }
    for (uint64_t i = first; (pg = page_list_first(&c->out)) != NULL; i++) {
        uint64_t gva = guest_elem(handle_gva(x->out.extent_start), xen_pfn_t, i), gpfn, mfn = page_to_mfn(pg).v;
        bool placed = !copy_from_guest(&gpfn, gva) && gpfn < GFN_MAX;
        int err;

        page_list_del(&c->out, pg);
        spin_lock(&d->lock); /* until it has its place nobody gives it back */
        err = assign_pages(d, pg, order, 0);
        if (!err && placed)
            placed = !d->ops->physmap_add(d, GFN(gpfn), MFN(mfn), order);
        spin_unlock(&d->lock);
        if (err)
            free_anon_pages(pg, order);
        else if (!placed || copy_to_guest(gva, &mfn))
            err = -EFAULT;
        rc = err ? err : rc;
    }
    return rc;
}

static int exchange_chunk(struct domain *d, const struct xen_memory_exchange *x, uint64_t n, unsigned in_shift,
                          unsigned out_shift)
{
    struct chunk c = {PAGE_LIST_INIT, PAGE_LIST_INIT};
    int rc = chunk_alloc(x, &c, 1UL << out_shift);

    if (!rc)
        rc = chunk_steal(d, x, &c, n << in_shift, 1UL << in_shift);
    if (rc) {
        chunk_undo(d, x, &c);
        return rc;
    }
    return chunk_commit(d, x, &c, n << out_shift);
}

long memory_exchange(uint64_t arg)
{
    struct xen_memory_exchange x;
    unsigned in_shift, out_shift;
    uint64_t n, chunks;
    struct domain *d;
    long rc;

    if (copy_from_guest(&x, arg))
        return -EFAULT;
    rc = exchange_check(&x);
    if (rc)
        return rc;
    rc = domain_get_controlled(x.in.domid, &d);
    if (rc)
        return rc;
    rc = -EOPNOTSUPP;
    if (d->is_hvm)
        goto out;

    in_shift = x.out.extent_order > x.in.extent_order ? x.out.extent_order - x.in.extent_order : 0;
    out_shift = x.in.extent_order > x.out.extent_order ? x.in.extent_order - x.out.extent_order : 0;
    chunks = x.in.nr_extents >> in_shift;
    rc = 0;
    for (n = x.nr_exchanged >> in_shift; !rc && n < chunks; n++) {
        if (n << in_shift != x.nr_exchanged && hypercall_preempt_check())
            break;
        rc = exchange_chunk(d, &x, n, in_shift, out_shift);
        if (rc)
            break;
    }
    x.nr_exchanged = n << in_shift;
    if (copy_to_guest(arg + offsetof(struct xen_memory_exchange, nr_exchanged), &x.nr_exchanged))
        rc = -EFAULT;
    if (!rc && n < chunks)
        rc = hypercall_continue(__HYPERVISOR_memory_op, 2, (uint64_t)XENMEM_exchange, arg);
out:
    domain_put(d);
    return rc;
}
