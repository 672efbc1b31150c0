/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HYPERVISOR_memory_op: the table of its operations, and those that only ask.
 * Holds no lock.
 */
#include "memory_priv.h"
#include "../lib/string.h"

static long domain_info(unsigned op, uint64_t arg)
{
    struct xen_memory_domain md;
    struct domain *d;
    long rc;

    if (copy_from_guest(&md, arg))
        return -EFAULT;
    rc = domain_get_controlled(md.domid, &d);
    if (rc)
        return rc;
    switch (op) {
    case XENMEM_current_reservation: rc = (long)d->tot_pages; break;
    case XENMEM_maximum_reservation: rc = (long)d->max_pages; break;
    default: /* XENMEM_maximum_gpfn */
        /* PV guests give the number of their pfns; one that has given none yet has pfn 0. */
        rc = d->ops->max_gpfn ? (long)d->ops->max_gpfn(d) : (long)MAX(READ_ONCE(d->shared_info->arch.max_pfn), 1UL) - 1;
        break;
    }
    domain_put(d);
    return rc;
}

/* For what no domain may do, not even to itself, but Dom0. */
static int privileged_target(domid_t id, struct domain **d)
{
    if (!current->domain->is_privileged)
        return -EPERM;
    *d = domain_get_by_id(id);
    return *d ? 0 : -ESRCH;
}

static long claim_pages(uint64_t arg)
{
    struct xen_memory_reservation r;
    struct domain *d;
    long rc;

    if (copy_from_guest(&r, arg))
        return -EFAULT;
    if (!handle_is_null(r.extent_start) || r.extent_order || r.mem_flags)
        return -EINVAL;
    rc = privileged_target(r.domid, &d);
    if (rc)
        return rc;
    rc = domain_set_claim(d, r.nr_extents);
    domain_put(d);
    return rc;
}

/*
 * Populate on demand: no domain has entries of that kind, and for such a domain the ABI has both calls report what
 * there is and change nothing.
 */
static long pod_target(uint64_t arg)
{
    struct xen_pod_target t;
    struct domain *d;
    long rc;

    if (copy_from_guest(&t, arg))
        return -EFAULT;
    rc = privileged_target(t.domid, &d);
    if (rc)
        return rc;
    rc = -EINVAL;
    if (d->is_hvm) {
        t.tot_pages = d->tot_pages;
        t.pod_cache_pages = 0;
        t.pod_entries = 0;
        rc = copy_to_guest(arg, &t);
    }
    domain_put(d);
    return rc;
}

static long reserved_device_memory(uint64_t arg)
{
    struct xen_reserved_device_memory_map m;

    if (copy_from_guest(&m, arg))
        return -EFAULT;
    if (m.flags & ~XENMEM_RDM_ALL)
        return -EINVAL;
    m.nr_entries = 0; /* no IOMMU, so no device has memory that its driver must not move */
    return copy_to_guest(arg, &m);
}

long do_memory_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4, uint64_t a5)
{
    unsigned op = cmd & MEMOP_CMD_MASK;
    uint64_t start = cmd >> MEMOP_START_SHIFT;

    switch (op) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_populate_physmap: return memory_reservation(op, start, arg);
    case XENMEM_add_to_physmap: return memory_add_to_physmap(start, arg);
    case XENMEM_add_to_physmap_batch: return memory_add_to_physmap_batch(start, arg);
    case XENMEM_acquire_resource: return memory_acquire_resource(start, arg);
    default: break;
    }
    if (start)
        return -EINVAL;

    switch (op) {
    case XENMEM_exchange: return memory_exchange(arg);
    case XENMEM_maximum_ram_page: return (long)max_mfn - 1;
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn: return domain_info(op, arg);
    case XENMEM_machphys_mfn_list: return memory_machphys_list(arg);
    case XENMEM_machphys_mapping: return memory_machphys_mapping(arg);
    case XENMEM_memory_map: return memory_map_get(arg);
    case XENMEM_machine_memory_map: return memory_map_machine(arg);
    case XENMEM_set_memory_map: return memory_map_set(arg);
    case XENMEM_remove_from_physmap: return memory_remove_from_physmap(arg);
    case XENMEM_set_pod_target:
    case XENMEM_get_pod_target: return pod_target(arg);
    case XENMEM_claim_pages: return claim_pages(arg);
    case XENMEM_reserved_device_memory_map: return reserved_device_memory(arg);
    case XENMEM_get_sharing_freed_pages:
    case XENMEM_get_sharing_shared_pages: return 0; /* none is shared, which is what these count */
    case XENMEM_get_vnumainfo:
    case XENMEM_paging_op:
    case XENMEM_access_op:
    case XENMEM_sharing_op: return -EOPNOTSUPP;
    default: return -ENOSYS;
    }
}

/* -- the end of a domain's memory ---------------------------------------------------------------------------------- */

/*
 * The next frame of the list that the domain still holds, with a reference; NULL: none.  Frames that only others hold
 * (they are freed when those let go) move to the end of the list, so that they are passed once each time around.
 */
static struct page_info *next_allocated(struct domain *d, struct page_list *list)
{
    struct page_info *found = NULL;

    spin_lock(&d->page_lock);
    for (uint64_t n = list->count; !found && n; n--) {
        struct page_info *pg = page_list_first(list);

        if ((READ_ONCE(pg->count_info) & PGC_allocated) && page_get(pg, d)) {
            found = pg;
        } else {
            page_list_del(list, pg);
            page_list_add_tail(list, pg);
        }
    }
    spin_unlock(&d->page_lock);
    return found;
}

#define RELINQUISH_BATCH 256U /* frames between two looks at what else waits */

int domain_relinquish_memory(struct domain *d, struct page_list *list)
{
    for (unsigned n = 0;;) {
        unsigned freed = free_unshared_pages(d, list, RELINQUISH_BATCH - n);

        n += freed;
        if (!freed) {
            struct page_info *pg = next_allocated(d, list);

            if (!pg)
                return 0;
            page_put_allocated(pg);
            page_put(pg);
            n++;
        }
        if (n >= RELINQUISH_BATCH) {
            if (hypercall_preempt_check())
                return -ERESTART;
            n = 0;
        }
    }
}

void memory_free_domain(struct domain *d)
{
    xfree(d->e820);
    d->e820 = NULL;
}
