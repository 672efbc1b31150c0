/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changing a table's version, and swapping two entries: what must not happen
 * to an entry in use.  All under the table's lock.
 */
#include "grant_priv.h"

/* The first entries survive a change of version: the toolstack granted the console and the store there. */
struct reserved {
    uint16_t flags;
    domid_t domid;
    uint64_t frame;
};

static bool any_in_use(struct grant_table *gt)
{
    for (grant_ref_t ref = 0; ref < grant_nr_entries(gt); ref++)
        if (grant_in_use(grant_active(gt, ref)))
            return true;
    return false;
}

/* What the first entries grant; 0, or -EINVAL where version 1 cannot say it. */
static int read_reserved(struct grant_table *gt, struct reserved *r)
{
    for (unsigned i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
        unsigned type;

        if (gt->version == 1) {
            const struct grant_entry_v1 *e = grant_entry1(gt, i);

            r[i] = (struct reserved){READ_ONCE(e->flags), READ_ONCE(e->domid), READ_ONCE(e->frame)};
        } else {
            const union grant_entry_v2 *e = grant_entry2(gt, i);

            r[i] = (struct reserved){READ_ONCE(e->hdr.flags), READ_ONCE(e->hdr.domid), READ_ONCE(e->full_page.frame)};
        }
        type = r[i].flags & GTF_type_mask;
        if (type == GTF_permit_access && !(r[i].flags & GTF_sub_page) && r[i].frame <= UINT32_MAX)
            r[i].flags &= GTF_type_mask | GTF_readonly;
        else if (type == GTF_invalid)
            r[i] = (struct reserved){0};
        else
            return -EINVAL;
    }
    return 0;
}

static void write_reserved(struct grant_table *gt, const struct reserved *r)
{
    for (unsigned i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
        if (gt->version == 1) {
            *grant_entry1(gt, i) = (struct grant_entry_v1){r[i].flags, r[i].domid, (uint32_t)r[i].frame};
        } else {
            union grant_entry_v2 *e = grant_entry2(gt, i);

            e->full_page.hdr.flags = r[i].flags;
            e->full_page.hdr.domid = r[i].domid;
            e->full_page.frame = r[i].frame;
        }
    }
}

static int change_version(struct domain *d, unsigned version)
{
    struct grant_table *gt = d->grant;
    struct reserved saved[GNTTAB_NR_RESERVED_ENTRIES];
    int rc;

    if (any_in_use(gt))
        return -EBUSY;
    rc = read_reserved(gt, saved);
    if (!rc && version == 2)
        rc = grant_status_populate(d);
    if (rc)
        return rc;
    for (unsigned i = 0; i < gt->nr_status; i++)
        memset(gt->status[i], 0, PAGE_SIZE);
    for (unsigned i = 0; i < gt->nr_frames; i++)
        memset(gt->shared[i], 0, PAGE_SIZE);
    gt->version = version;
    write_reserved(gt, saved);
    return 0;
}

int grant_set_version(struct gnttab_set_version *op)
{
    struct domain *d = current->domain;
    struct grant_table *gt = d->grant;
    int rc = 0;

    if (op->version != 1 && op->version != 2)
        return -EINVAL;
    if (op->version > gt->max_version)
        return -ENOSYS;
    spin_lock(&gt->lock);
    if (gt->version != op->version)
        rc = change_version(d, op->version);
    op->version = gt->version;
    spin_unlock(&gt->lock);
    return rc;
}

int16_t grant_swap(grant_ref_t a, grant_ref_t b)
{
    struct grant_table *gt = current->domain->grant;
    int16_t status = GNTST_okay;

    spin_lock(&gt->lock);
    if (a >= grant_nr_entries(gt) || b >= grant_nr_entries(gt)) {
        status = GNTST_bad_gntref;
    } else if (a == b) {
        /* nothing to do */
    } else if (grant_in_use(grant_active(gt, a)) || grant_in_use(grant_active(gt, b))) {
        status = GNTST_eagain;
    } else if (gt->version == 1) {
        struct grant_entry_v1 e = *grant_entry1(gt, a);

        *grant_entry1(gt, a) = *grant_entry1(gt, b);
        *grant_entry1(gt, b) = e;
    } else {
        union grant_entry_v2 e = *grant_entry2(gt, a);
        grant_status_t s = *grant_status(gt, a);

        *grant_entry2(gt, a) = *grant_entry2(gt, b);
        *grant_status(gt, a) = *grant_status(gt, b);
        *grant_entry2(gt, b) = e;
        *grant_status(gt, b) = s;
    }
    spin_unlock(&gt->lock);
    return status;
}
