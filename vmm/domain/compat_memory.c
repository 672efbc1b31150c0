/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory_op by 32-bit HVM code.  Lists of frames are translated in portions, which the native handler sees as whole
 * requests; how far the whole came is kept in the command's upper bits, as for native callers.
 */
#include "../cpu/percpu.h"
#include "../lib/string.h"
#include "compat_priv.h"
#include "memory.h"
#include "memory_priv.h"

#define LIST_OFFSET 256 /* of the list in the buffer, after the structure */
#define PORTION 256     /* frames at once */
_Static_assert(LIST_OFFSET + PORTION * (2 * sizeof(uint64_t) + sizeof(int)) <= COMPAT_XLAT_SIZE, "fits the buffer");

struct xen_memory_reservation_32 {
    handle32_t extent_start;
    uint32_t nr_extents, extent_order, mem_flags;
    domid_t domid;
};
struct xen_add_to_physmap_32 {
    domid_t domid;
    uint16_t size;
    uint32_t space, idx, gpfn;
};
struct xen_add_to_physmap_batch_32 {
    domid_t domid;
    uint16_t space, size, extra;
    handle32_t idxs, gpfns, errs;
};
struct xen_remove_from_physmap_32 {
    domid_t domid;
    uint32_t gpfn;
};
struct xen_memory_map_32 {
    uint32_t nr_entries;
    handle32_t buffer;
};

static long compat_continue(unsigned op, uint64_t start, uint64_t arg)
{
    return hypercall_continue(__HYPERVISOR_memory_op, 2, (uint64_t)(op | start << MEMOP_START_SHIFT), arg);
}

/* One portion of a reservation call: how many extents were done, or an error. *failed: the next one could not be done. */
static long reservation_portion(unsigned op, const struct xen_memory_reservation_32 *c, uint64_t start, unsigned n,
                                bool *failed)
{
    struct xen_memory_reservation *r = xlat_at(0);
    uint64_t list = c->extent_start ? guest_elem((uint64_t)c->extent_start, uint32_t, start) : 0;
    uint64_t cmd;
    long done;

    if (list && op != XENMEM_increase_reservation && compat_pfns_in(LIST_OFFSET, list, n))
        return -EFAULT;
    memset(r, 0, sizeof(*r));
    r->extent_start.p = list ? (xen_pfn_t *)XLAT_GVA(LIST_OFFSET) : NULL;
    r->nr_extents = n;
    r->extent_order = c->extent_order;
    r->mem_flags = c->mem_flags;
    r->domid = c->domid;
    done = do_memory_op(op, XLAT_GVA(0), 0, 0, 0);
    if (compat_take_continuation(0, &cmd))
        done = (long)(cmd >> MEMOP_START_SHIFT);
    else
        *failed = done >= 0 && (unsigned)done < n;
    if (done > 0 && list && op == XENMEM_increase_reservation && compat_pfns_out(list, LIST_OFFSET, (unsigned)done))
        return -EFAULT;
    return done;
}

static long compat_reservation(unsigned op, uint64_t start, uint64_t arg)
{
    struct xen_memory_reservation_32 c;
    bool failed = false;

    if (copy_from_guest(&c, arg))
        return -EFAULT;
    if (start >= c.nr_extents)
        return (long)start;
    while (start < c.nr_extents && !failed) {
        unsigned n = MIN(c.nr_extents - (uint32_t)start, (uint32_t)PORTION);
        long done = reservation_portion(op, &c, start, n, &failed);

        if (done < 0)
            return start ? (long)start : done;
        start += (uint64_t)done;
        if (start < c.nr_extents && !failed && hypercall_preempt_check())
            return compat_continue(op, start, arg);
    }
    return (long)start;
}

static long compat_add_to_physmap(uint64_t cmd, uint64_t arg)
{
    struct xen_add_to_physmap *x = xlat_at(0);
    struct xen_add_to_physmap_32 c;
    uint64_t at;
    long ret;

    if (copy_from_guest(&c, arg))
        return -EFAULT;
    memset(x, 0, sizeof(*x));
    x->domid = c.domid;
    x->size = c.size;
    x->space = c.space;
    x->idx = c.idx;
    x->gpfn = c.gpfn;
    if (c.space == XENMAPSPACE_shared_info && c.domid == DOMID_SELF)
        domain_latch_shinfo_size(current->domain);
    ret = do_memory_op(cmd, XLAT_GVA(0), 0, 0, 0);
    if (compat_take_continuation(0, &at))
        ret = hypercall_continue(__HYPERVISOR_memory_op, 2, at, arg);
    return ret;
}

/* How many elements of the portion are done; negative: a failure of the call itself. */
static long batch_portion(const struct xen_add_to_physmap_batch_32 *c, uint64_t start, unsigned n)
{
    const size_t gpfns = LIST_OFFSET + PORTION * sizeof(uint64_t), errs = gpfns + PORTION * sizeof(uint64_t);
    struct xen_add_to_physmap_batch *x = xlat_at(0);
    uint64_t cmd;
    long ret;

    if (compat_pfns_in(LIST_OFFSET, guest_elem((uint64_t)c->idxs, uint32_t, start), n) ||
        compat_pfns_in(gpfns, guest_elem((uint64_t)c->gpfns, uint32_t, start), n))
        return -EFAULT;
    memset(x, 0, sizeof(*x));
    x->domid = c->domid;
    x->space = c->space;
    x->size = (uint16_t)n;
    x->u.foreign_domid = c->extra;
    x->idxs.p = (xen_ulong_t *)XLAT_GVA(LIST_OFFSET);
    x->gpfns.p = (xen_pfn_t *)XLAT_GVA(gpfns);
    x->errs.p = (int *)XLAT_GVA(errs);
    ret = do_memory_op(XENMEM_add_to_physmap_batch, XLAT_GVA(0), 0, 0, 0);
    if (compat_take_continuation(0, &cmd))
        n = (unsigned)(cmd >> MEMOP_START_SHIFT);
    else if (ret)
        return ret;
    if (copy_to_guest_bytes(guest_elem((uint64_t)c->errs, int, start), xlat_at(errs), n * sizeof(int)))
        return -EFAULT;
    return (long)n;
}

static long compat_add_to_physmap_batch(uint64_t start, uint64_t arg)
{
    struct xen_add_to_physmap_batch_32 c;

    if (copy_from_guest(&c, arg))
        return -EFAULT;
    if (start > c.size)
        return -EINVAL;
    while (start < c.size) {
        long done = batch_portion(&c, start, MIN(c.size - (unsigned)start, (unsigned)PORTION));

        if (done < 0)
            return done;
        start += (uint64_t)done;
        if (start < c.size && hypercall_preempt_check())
            return compat_continue(XENMEM_add_to_physmap_batch, start, arg);
    }
    return 0;
}

static long compat_remove_from_physmap(uint64_t arg)
{
    struct xen_remove_from_physmap *x = xlat_at(0);
    struct xen_remove_from_physmap_32 c;

    if (copy_from_guest(&c, arg))
        return -EFAULT;
    x->domid = c.domid;
    x->gpfn = c.gpfn;
    return do_memory_op(XENMEM_remove_from_physmap, XLAT_GVA(0), 0, 0, 0);
}

static long compat_memory_map(uint64_t arg)
{
    struct xen_memory_map *x = xlat_at(0);
    struct xen_memory_map_32 c;
    long ret;

    if (copy_from_guest(&c, arg))
        return -EFAULT;
    x->nr_entries = c.nr_entries;
    x->buffer.p = (void *)(uintptr_t)c.buffer;
    ret = do_memory_op(XENMEM_memory_map, XLAT_GVA(0), 0, 0, 0);
    c.nr_entries = x->nr_entries;
    return ret ? ret : copy_to_guest(arg, &c);
}

long compat_memory_op(uint64_t cmd, uint64_t arg)
{
    unsigned op = cmd & MEMOP_CMD_MASK;
    uint64_t start = cmd >> MEMOP_START_SHIFT;

    switch (op) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_populate_physmap: return compat_reservation(op, start, arg);
    case XENMEM_add_to_physmap: return compat_add_to_physmap(cmd, arg);
    case XENMEM_add_to_physmap_batch: return compat_add_to_physmap_batch(start, arg);
    case XENMEM_remove_from_physmap: return compat_remove_from_physmap(arg);
    case XENMEM_memory_map: return compat_memory_map(arg);
    case XENMEM_maximum_ram_page: /* a number, or a structure with a domain id alone */
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn: return do_memory_op(cmd, arg, 0, 0, 0);
    default: /* of PV guests and tools */ return -ENOSYS;
    }
}
