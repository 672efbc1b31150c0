/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XENMEM_acquire_resource: frames of the hypervisor that belong to a domain's
 * plumbing (its grant table, its ioreq servers), for the tools to map.  A PV
 * caller gets their machine frames; an HVM caller has them put in its map.
 */
#include "../lib/string.h"
#include "grant.h"
#include "memory_priv.h"
#include <xen/hvm/ioreq.h>

#define CHUNK 32

int (*acquire_ioreq_resource)(struct domain *d, unsigned id, uint64_t frame, unsigned nr, mfn_t *mfns);
unsigned (*ioreq_resource_frames)(struct domain *d);

/* How many frames the resource can have, or an errno. */
static long resource_frames(struct domain *d, const struct xen_mem_acquire_resource *x)
{
    switch (x->type) {
    case XENMEM_resource_grant_table: return grant_table_acquire_resource(d, x->id, 0, 0, NULL);
    case XENMEM_resource_ioreq_server:
        if (!d->is_hvm || !acquire_ioreq_resource)
            return -EINVAL;
        return ioreq_resource_frames ? ioreq_resource_frames(d)
                                     : 1 + DIV_ROUND_UP(d->max_vcpus, PAGE_SIZE / sizeof(struct ioreq));
    case XENMEM_resource_vmtrace_buf: return -EOPNOTSUPP;
    default: return -EINVAL;
    }
}

static int resource_get(struct domain *d, const struct xen_mem_acquire_resource *x, uint64_t frame, unsigned nr,
                        mfn_t *mfns)
{
    if (x->type == XENMEM_resource_grant_table)
        return grant_table_acquire_resource(d, x->id, frame, nr, mfns);
    return acquire_ioreq_resource(d, x->id, frame, nr, mfns);
}

/* Tells the caller about one frame, or maps it where he said. */
static int resource_give(struct domain *d, mfn_t mfn, uint64_t gva)
{
    struct domain *cur = current->domain;
    struct page_info *pg;
    uint64_t gfn;
    int rc;

    if (!cur->is_hvm)
        return copy_to_guest(gva, &mfn.v);
    if (!cur->is_privileged || !cur->ops->physmap_add_foreign)
        return -EACCES;
    if (copy_from_guest(&gfn, gva))
        return -EFAULT;
    pg = gfn < GFN_MAX ? page_get_from_mfn(mfn, d) : NULL;
    if (!pg)
        return -EINVAL;
    rc = cur->ops->physmap_add_foreign(cur, GFN(gfn), mfn);
    if (rc)
        page_put(pg);
    return rc;
}

static long resource_list(struct domain *d, const struct xen_mem_acquire_resource *x, uint64_t start, uint64_t arg)
{
    mfn_t mfns[CHUNK];

    for (uint64_t done = start; done < x->nr_frames;) {
        unsigned n = MIN(x->nr_frames - done, (uint64_t)CHUNK);
        int rc;

        if (done != start && hypercall_preempt_check())
            return memory_continue(XENMEM_acquire_resource, done, arg);
        rc = resource_get(d, x, x->frame + done, n, mfns);
        for (unsigned i = 0; !rc && i < n; i++)
            rc = resource_give(d, mfns[i], guest_elem(handle_gva(x->frame_list), xen_pfn_t, done + i));
        if (rc) /* public header memory.h: -EIO says that part of the list was done */
            return done && current->domain->is_hvm ? -EIO : rc;
        done += n;
    }
    return 0;
}

long memory_acquire_resource(uint64_t start, uint64_t arg)
{
    struct xen_mem_acquire_resource x;
    struct domain *d;
    long rc;

    if (copy_from_guest(&x, arg))
        return -EFAULT;
    if (x.pad || x.frame > UINT32_MAX || x.frame + x.nr_frames > UINT32_MAX)
        return -EINVAL;
    if (start && start >= x.nr_frames)
        return -EINVAL;
    rc = domain_get_controlled(x.domid, &d);
    if (rc)
        return rc;
    rc = -EPERM; /* one's own is reached by other means */
    if (d == current->domain)
        goto out;
    rc = resource_frames(d, &x);
    if (rc < 0)
        goto out;
    if (!handle_is_null(x.frame_list)) {
        rc = resource_list(d, &x, start, arg);
    } else if (x.nr_frames || start) {
        rc = -EINVAL;
    } else {
        x.nr_frames = (uint32_t)rc;
        rc = copy_to_guest(arg + offsetof(struct xen_mem_acquire_resource, nr_frames), &x.nr_frames);
    }
out:
    domain_put(d);
    return rc;
}
