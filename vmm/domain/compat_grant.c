/* SPDX-License-Identifier: GPL-2.0-or-later */
/* grant_table_op by 32-bit HVM code: the operations whose structures hold handles or frame numbers. */
#include "../lib/string.h"
#include "compat_priv.h"
#include "grant.h"

#define LIST_OFFSET 256
#define FRAMES_MAX 512  /* grant table frames in one list */
#define COPY_PORTION 64 /* copies at once */
_Static_assert(LIST_OFFSET + FRAMES_MAX * sizeof(uint64_t) <= COMPAT_XLAT_SIZE, "fits the buffer");
_Static_assert(COPY_PORTION * sizeof(struct gnttab_copy) <= COMPAT_XLAT_SIZE, "fits the buffer");

struct gnttab_setup_table_32 {
    domid_t dom;
    uint32_t nr_frames;
    int16_t status;
    handle32_t frame_list;
};
struct gnttab_get_status_frames_32 {
    uint32_t nr_frames;
    domid_t dom;
    int16_t status;
    handle32_t frame_list; /* of 64-bit numbers here too */
};
struct gnttab_copy_ptr_32 {
    uint32_t ref_or_gmfn;
    domid_t domid;
    uint16_t offset;
};
struct gnttab_copy_32 {
    struct gnttab_copy_ptr_32 source, dest;
    uint16_t len, flags;
    int16_t status;
};

static long compat_setup_table(uint64_t uop)
{
    struct gnttab_setup_table *x = xlat_at(0);
    struct gnttab_setup_table_32 c;
    long ret;

    if (copy_from_guest(&c, uop))
        return -EFAULT;
    if (c.nr_frames > FRAMES_MAX)
        return -EINVAL;
    memset(x, 0, sizeof(*x));
    x->dom = c.dom;
    x->nr_frames = c.nr_frames;
    x->frame_list.p = (xen_pfn_t *)XLAT_GVA(LIST_OFFSET);
    ret = do_grant_table_op(GNTTABOP_setup_table, XLAT_GVA(0), 1, 0, 0);
    if (ret)
        return ret;
    c.status = x->status;
    if (c.status == GNTST_okay && compat_pfns_out(c.frame_list, LIST_OFFSET, c.nr_frames))
        return -EFAULT;
    return copy_to_guest(uop, &c);
}

static long compat_get_status_frames(uint64_t uop)
{
    struct gnttab_get_status_frames *x = xlat_at(0);
    struct gnttab_get_status_frames_32 c;
    long ret;

    if (copy_from_guest(&c, uop))
        return -EFAULT;
    memset(x, 0, sizeof(*x));
    x->nr_frames = c.nr_frames;
    x->dom = c.dom;
    x->frame_list.p = (uint64_t *)(uintptr_t)c.frame_list;
    ret = do_grant_table_op(GNTTABOP_get_status_frames, XLAT_GVA(0), 1, 0, 0);
    c.status = x->status;
    return ret ? ret : copy_to_guest(uop, &c);
}

static void copy_ptr_widen(struct gnttab_copy_ptr *to, const struct gnttab_copy_ptr_32 *from)
{
    memset(to, 0, sizeof(*to));
    to->u.gmfn = from->ref_or_gmfn; /* a grant reference stands in the lower half */
    to->domid = from->domid;
    to->offset = from->offset;
}

/* n copies: how many are done, or an error. */
static long copy_portion(uint64_t uop, unsigned n)
{
    struct gnttab_copy *x = xlat_at(0);
    struct gnttab_copy_32 c;
    uint64_t at;
    long ret;

    for (unsigned i = 0; i < n; i++) {
        if (copy_from_guest(&c, guest_elem(uop, c, i)))
            return -EFAULT;
        copy_ptr_widen(&x[i].source, &c.source);
        copy_ptr_widen(&x[i].dest, &c.dest);
        x[i].len = c.len;
        x[i].flags = c.flags;
        x[i].status = c.status;
    }
    ret = do_grant_table_op(GNTTABOP_copy, XLAT_GVA(0), n, 0, 0);
    if (compat_take_continuation(1, &at))
        n = (unsigned)((at - COMPAT_XLAT_BASE) / sizeof(*x));
    else if (ret)
        return ret;
    for (unsigned i = 0; i < n; i++)
        if (copy_to_guest(guest_elem(uop, c, i) + offsetof(struct gnttab_copy_32, status), &x[i].status))
            return -EFAULT;
    return (long)n;
}

static long compat_copy(uint64_t cmd, uint64_t uop, uint32_t count)
{
    while (count) {
        long done = copy_portion(uop, MIN(count, (uint32_t)COPY_PORTION));

        if (done < 0)
            return done;
        uop += (uint64_t)done * sizeof(struct gnttab_copy_32);
        count -= (uint32_t)done;
        if (count && hypercall_preempt_check())
            return hypercall_continue(__HYPERVISOR_grant_table_op, 3, cmd, uop, (uint64_t)count);
    }
    return 0;
}

long compat_grant_table_op(uint64_t cmd, uint64_t uop, uint64_t count)
{
    switch ((uint32_t)cmd) {
    case GNTTABOP_setup_table: return (uint32_t)count == 1 ? compat_setup_table(uop) : -EINVAL;
    case GNTTABOP_get_status_frames: return (uint32_t)count == 1 ? compat_get_status_frames(uop) : -EINVAL;
    case GNTTABOP_copy: return compat_copy(cmd, uop, (uint32_t)count);
    case GNTTABOP_transfer: /* frame numbers of PV guests */ return -ENOSYS;
    default: return do_grant_table_op(cmd, uop, (uint32_t)count, 0, 0);
    }
}
