/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domctls about PV domains: what saving one asks of its frames and vCPUs (public header domctl.h). */
#include "guest.h"
#include "../domain/hypercall.h"

#define PAGEFRAMES_MAX 1024

/* A frame's type as XEN_DOMCTL_PFINFO_*; XTAB: none of the domain's. */
static uint64_t frame_type(struct domain *d, uint64_t mfn)
{
    struct page_info *pg = page_get_from_mfn(MFN(mfn), d);
    uint64_t x, type = XEN_DOMCTL_PFINFO_NOTAB;

    if (!pg) {
        return XEN_DOMCTL_PFINFO_XTAB;
    }
    x = READ_ONCE(pg->type_info);
    if ((x & PGT_validated) && (x & PGT_count_mask)) {
        switch (x & PGT_type_mask) {
        case PGT_l1_page_table: type = XEN_DOMCTL_PFINFO_L1TAB; break;
        case PGT_l2_page_table: type = XEN_DOMCTL_PFINFO_L2TAB; break;
        case PGT_l3_page_table: type = XEN_DOMCTL_PFINFO_L3TAB; break;
        case PGT_l4_page_table: type = XEN_DOMCTL_PFINFO_L4TAB; break;
        default: break;
        }
    }
    if (x & PGT_pinned) {
        type |= XEN_DOMCTL_PFINFO_LPINTAB;
    }
    page_put(pg);
    return type;
}

static long getpageframeinfo(struct domain *d, const struct xen_domctl_getpageframeinfo3 *info)
{
    uint64_t array = handle_gva(info->array);

    if (info->num > PAGEFRAMES_MAX) {
        return -E2BIG;
    }
    for (uint64_t i = 0; i < info->num; i++) {
        uint64_t entry;

        if (copy_from_guest(&entry, guest_elem(array, uint64_t, i))) {
            return -EFAULT;
        }
        entry = frame_type(d, entry);
        if (copy_to_guest(guest_elem(array, uint64_t, i), &entry)) {
            return -EFAULT;
        }
    }
    return 0;
}

long pv_domctl(struct domain *d, struct xen_domctl *op, bool *copyback)
{
    if (d->is_hvm) {
        return -ENOSYS;
    }
    switch (op->cmd) {
    case XEN_DOMCTL_getpageframeinfo3: return getpageframeinfo(d, &op->u.getpageframeinfo3);
    case XEN_DOMCTL_get_ext_vcpucontext: *copyback = true; return pv_ext_context(d, &op->u.ext_vcpucontext, false);
    case XEN_DOMCTL_set_ext_vcpucontext: return pv_ext_context(d, &op->u.ext_vcpucontext, true);
    case XEN_DOMCTL_shadow_op:
        return -EOPNOTSUPP; /* no log-dirty mode for PV guests: they are saved, not moved while they run */
    default: return -ENOSYS;
    }
}
