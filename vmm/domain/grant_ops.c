/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HYPERVISOR_grant_table_op: copies each operation of a batch in, does it and
 * copies it back, restarting where the batch is long.  Holds no lock itself.
 */
#include "grant_priv.h"
#include "hypercall.h"

union any_op {
    struct gnttab_map_grant_ref map;
    struct gnttab_unmap_grant_ref unmap;
    struct gnttab_unmap_and_replace replace;
    struct gnttab_copy copy;
    struct gnttab_swap_grant_ref swap;
};

int16_t grant_op_domain(domid_t id, struct domain **d)
{
    *d = domain_get_by_id(id);
    if (!*d)
        return GNTST_bad_domain;
    if (control_allowed(*d)) {
        domain_put(*d);
        return GNTST_permission_denied;
    }
    return (*d)->grant ? GNTST_okay : (domain_put(*d), GNTST_bad_domain);
}

/* -- batches of independent operations ----------------------------------------------------------------------------- */

static void do_map(union any_op *op) { grant_map_one(&op->map); }
static void do_copy(union any_op *op) { grant_copy_one(&op->copy); }
static void do_swap(union any_op *op) { op->swap.status = grant_swap(op->swap.ref_a, op->swap.ref_b); }

/* How many were done, all of them unless preempted; -EFAULT. */
static long each_op(uint64_t uop, unsigned count, size_t size, void (*fn)(union any_op *))
{
    union any_op op;

    for (unsigned i = 0; i < count; i++, uop += size) {
        if (i && hypercall_preempt_check())
            return i;
        if (copy_from_guest_bytes(&op, uop, size))
            return -EFAULT;
        fn(&op);
        if (copy_to_guest_bytes(uop, &op, size))
            return -EFAULT;
    }
    return count;
}

/* The same for unmapping, whose last step waits for a flush that many share. */
static long each_unmap(uint64_t uop, unsigned count, bool replace)
{
    size_t size = replace ? sizeof(struct gnttab_unmap_and_replace) : sizeof(struct gnttab_unmap_grant_ref);
    struct grant_unmapped u[GRANT_UNMAP_BATCH];
    unsigned done = 0;
    long rc = 0;

    while (!rc && done < count) {
        unsigned n = 0;

        if (done && hypercall_preempt_check())
            return done;
        while (!rc && n < GRANT_UNMAP_BATCH && done < count) {
            union any_op op;

            if (copy_from_guest_bytes(&op, uop, size)) {
                rc = -EFAULT;
                break;
            }
            if (replace)
                op.replace.status =
                    grant_unmap_begin(op.replace.host_addr, 0, true, op.replace.new_addr, op.replace.handle, &u[n]);
            else
                op.unmap.status =
                    grant_unmap_begin(op.unmap.host_addr, op.unmap.dev_bus_addr, false, 0, op.unmap.handle, &u[n]);
            n++;
            if (copy_to_guest_bytes(uop, &op, size))
                rc = -EFAULT;
            done++;
            uop += size;
        }
        grant_unmap_finish(u, n);
    }
    return rc ? rc : done;
}

/* -- operations on a table as a whole: a batch of one ---------------------------------------------------------------
 */

/* What the guest knows a frame of its table by: PV the machine frame, HVM where it is mapped. */
static uint64_t frame_name(const struct domain *d, mfn_t mfn) { return d->is_hvm ? m2p_get(mfn) : mfn.v; }

static int op_setup_table(uint64_t uop)
{
    struct gnttab_setup_table op;
    struct grant_table *gt;
    struct domain *d;
    int rc = 0;

    if (copy_from_guest(&op, uop))
        return -EFAULT;
    op.status = grant_op_domain(op.dom, &d);
    if (op.status == GNTST_okay) {
        gt = d->grant;
        spin_lock(&gt->lock);
        if (op.nr_frames > gt->max_frames || grant_table_grow(d, op.nr_frames))
            op.status = GNTST_general_error;
        spin_unlock(&gt->lock);
        /* Frames never go while the domain lives, so the list is read without the lock. */
        for (unsigned i = 0; op.status == GNTST_okay && !rc && i < op.nr_frames; i++) {
            uint64_t frame = frame_name(d, virt_to_mfn(gt->shared[i]));

            rc = copy_to_guest(guest_elem(handle_gva(op.frame_list), uint64_t, i), &frame);
        }
        domain_put(d);
    }
    if (!rc)
        rc = copy_to_guest(uop, &op);
    return rc;
}

static int op_get_status_frames(uint64_t uop)
{
    struct gnttab_get_status_frames op;
    struct domain *d;
    int rc = 0;

    if (copy_from_guest(&op, uop))
        return -EFAULT;
    op.status = grant_op_domain(op.dom, &d);
    if (op.status == GNTST_okay) {
        struct grant_table *gt = d->grant;

        for (unsigned i = 0; op.status == GNTST_okay && !rc && i < op.nr_frames; i++) {
            uint64_t frame = 0;

            spin_lock(&gt->lock);
            if (gt->version != 2 || op.nr_frames > gt->nr_status)
                op.status = GNTST_general_error;
            else
                frame = frame_name(d, virt_to_mfn(gt->status[i]));
            spin_unlock(&gt->lock);
            if (op.status == GNTST_okay)
                rc = copy_to_guest(guest_elem(handle_gva(op.frame_list), uint64_t, i), &frame);
        }
        domain_put(d);
    }
    if (!rc)
        rc = copy_to_guest(uop, &op);
    return rc;
}

static int op_query_size(uint64_t uop)
{
    struct gnttab_query_size op;
    struct domain *d;

    if (copy_from_guest(&op, uop))
        return -EFAULT;
    op.status = grant_op_domain(op.dom, &d);
    if (op.status == GNTST_okay) {
        spin_lock(&d->grant->lock);
        op.nr_frames = d->grant->nr_frames;
        op.max_nr_frames = d->grant->max_frames;
        spin_unlock(&d->grant->lock);
        domain_put(d);
    }
    return copy_to_guest(uop, &op);
}

/* Pages of console output with the table's lock held: for who owns the console, not for any guest that asks. */
static int op_dump_table(uint64_t uop)
{
    struct gnttab_dump_table op;
    struct domain *d;

    if (copy_from_guest(&op, uop))
        return -EFAULT;
    op.status = current->domain->is_privileged ? grant_op_domain(op.dom, &d) : GNTST_permission_denied;
    if (op.status == GNTST_okay) {
        grant_table_dump(d);
        domain_put(d);
    }
    return copy_to_guest(uop, &op);
}

static int op_get_version(uint64_t uop)
{
    struct gnttab_get_version op;
    struct domain *d;

    if (copy_from_guest(&op, uop))
        return -EFAULT;
    switch (grant_op_domain(op.dom, &d)) {
    case GNTST_okay: break;
    case GNTST_permission_denied: return -EPERM;
    default: return -ESRCH;
    }
    op.version = d->grant->version;
    domain_put(d);
    return copy_to_guest(uop, &op);
}

static int op_set_version(uint64_t uop)
{
    struct gnttab_set_version op;
    int rc, rc2;

    if (copy_from_guest(&op, uop))
        return -EFAULT;
    rc = grant_set_version(&op);
    rc2 = copy_to_guest(uop, &op);
    return rc ? rc : rc2;
}

static long single_op(uint64_t cmd, uint64_t uop, unsigned count)
{
    if (count != 1)
        return -EINVAL;
    switch (cmd) {
    case GNTTABOP_setup_table: return op_setup_table(uop);
    case GNTTABOP_dump_table: return op_dump_table(uop);
    case GNTTABOP_query_size: return op_query_size(uop);
    case GNTTABOP_set_version: return op_set_version(uop);
    case GNTTABOP_get_status_frames: return op_get_status_frames(uop);
    case GNTTABOP_get_version: return op_get_version(uop);
    case GNTTABOP_transfer:
    case GNTTABOP_cache_flush: return -EOPNOTSUPP;
    default: return -ENOSYS;
    }
}

long do_grant_table_op(uint64_t cmd, uint64_t uop, uint64_t count64, uint64_t a4, uint64_t a5)
{
    unsigned count = (unsigned)count64;
    size_t size;
    long done;

    cmd = (uint32_t)cmd;
    if (count > INT32_MAX)
        return -EINVAL;
    if (!current->domain->grant)
        return -ENOSYS;

    switch (cmd) {
    case GNTTABOP_map_grant_ref:
        size = sizeof(struct gnttab_map_grant_ref);
        done = each_op(uop, count, size, do_map);
        break;
    case GNTTABOP_copy:
        size = sizeof(struct gnttab_copy);
        done = each_op(uop, count, size, do_copy);
        break;
    case GNTTABOP_swap_grant_ref:
        size = sizeof(struct gnttab_swap_grant_ref);
        done = each_op(uop, count, size, do_swap);
        break;
    case GNTTABOP_unmap_grant_ref:
        size = sizeof(struct gnttab_unmap_grant_ref);
        done = each_unmap(uop, count, false);
        break;
    case GNTTABOP_unmap_and_replace:
        size = sizeof(struct gnttab_unmap_and_replace);
        done = each_unmap(uop, count, true);
        break;
    default: return single_op(cmd, uop, count);
    }
    if (done < 0 || (unsigned)done == count)
        return done < 0 ? done : 0;
    return hypercall_continue(__HYPERVISOR_grant_table_op, 3, cmd, uop + (uint64_t)done * size,
                              (uint64_t)(count - (unsigned)done));
}
