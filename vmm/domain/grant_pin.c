/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking a grant into use: reads and checks an entry that its owner may change
 * at any moment, marks it as in use by compare-and-swap, and counts the users.
 * The owner's table lock guards the counts.
 */
#include "grant_priv.h"

#define TRIES 8 /* an owner that keeps changing the entry while we mark it gets an error, not our time */

/* The first word of an entry: the same in both versions, and what is swapped as one. */
union header {
    uint32_t word;
    struct {
        uint16_t flags;
        domid_t domid;
    };
};
_Static_assert(offsetof(struct grant_entry_v1, flags) == 0 && offsetof(struct grant_entry_v1, domid) == 2, "ABI");
_Static_assert(offsetof(grant_entry_header_t, flags) == 0 && offsetof(grant_entry_header_t, domid) == 2, "ABI");

static bool header_allows(union header h, domid_t grantee, bool readonly, bool v2)
{
    unsigned type = h.flags & GTF_type_mask;

    if (type != GTF_permit_access && !(v2 && type == GTF_transitive))
        return false;
    if (h.domid != grantee)
        return false;
    return readonly || !(h.flags & GTF_readonly);
}

static int16_t pin_v1(struct grant_table *gt, grant_ref_t ref, domid_t grantee, bool readonly, struct grant_target *t)
{
    struct grant_entry_v1 *e = grant_entry1(gt, ref);
    uint32_t *word = (uint32_t *)e;

    for (unsigned i = 0; i < TRIES; i++) {
        union header old = {.word = READ_ONCE(*word)}, new = old;

        if (!header_allows(old, grantee, readonly, false))
            return GNTST_general_error;
        new.flags |= GTF_reading | (readonly ? 0 : GTF_writing);
        if (!__atomic_compare_exchange_n(word, &old.word, new.word, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            continue;
        *t = (struct grant_target){.gfn = GFN(READ_ONCE(e->frame)), .length = PAGE_SIZE};
        return GNTST_okay;
    }
    return GNTST_general_error;
}

/* The parts of a version 2 entry behind its header; false: a sub-page that is none. */
static bool read_body_v2(union grant_entry_v2 *e, union header h, struct grant_target *t)
{
    *t = (struct grant_target){.length = PAGE_SIZE};
    if ((h.flags & GTF_type_mask) == GTF_transitive) {
        t->transitive = true;
        t->trans_domid = READ_ONCE(e->transitive.trans_domid);
        t->trans_ref = READ_ONCE(e->transitive.gref);
    } else if (h.flags & GTF_sub_page) {
        t->gfn = GFN(READ_ONCE(e->sub_page.frame));
        t->offset = READ_ONCE(e->sub_page.page_off);
        t->length = READ_ONCE(e->sub_page.length);
    } else {
        t->gfn = GFN(READ_ONCE(e->full_page.frame));
    }
    return (uint32_t)t->offset + t->length <= PAGE_SIZE;
}

/* Clears the marks that no user needs any more. */
static void clear_marks(struct grant_table *gt, grant_ref_t ref)
{
    const struct grant_active *a = grant_active(gt, ref);
    uint16_t *flags = gt->version == 2 ? grant_status(gt, ref) : &grant_entry1(gt, ref)->flags;
    uint16_t clear = 0;

    if (!a->writers)
        clear |= GTF_writing;
    if (!grant_in_use(a))
        clear |= GTF_reading;
    if (clear)
        __atomic_fetch_and(flags, (uint16_t)~clear, __ATOMIC_SEQ_CST);
}

static int16_t pin_v2(struct grant_table *gt, grant_ref_t ref, domid_t grantee, bool readonly, struct grant_target *t)
{
    union grant_entry_v2 *e = grant_entry2(gt, ref);
    uint32_t *word = (uint32_t *)&e->hdr;
    uint16_t marks = GTF_reading | (readonly ? 0 : GTF_writing);

    for (unsigned i = 0; i < TRIES; i++) {
        union header h = {.word = READ_ONCE(*word)};

        if (!header_allows(h, grantee, readonly, true))
            return GNTST_general_error;
        /* The owner clears the entry, then looks at the status; we set the status, then look at the entry again. */
        __atomic_fetch_or(grant_status(gt, ref), marks, __ATOMIC_SEQ_CST);
        if (read_body_v2(e, h, t) && __atomic_load_n(word, __ATOMIC_SEQ_CST) == h.word)
            return GNTST_okay;
        clear_marks(gt, ref);
    }
    return GNTST_general_error;
}

int16_t grant_pin(struct domain *rd, grant_ref_t ref, domid_t grantee, bool readonly, struct grant_target *t)
{
    struct grant_table *gt = rd->grant;
    struct grant_active *a;
    uint32_t *count;
    int16_t status;

    if (!gt)
        return GNTST_bad_domain;
    spin_lock(&gt->lock);
    status = GNTST_bad_gntref;
    if (ref >= grant_nr_entries(gt))
        goto out;

    a = grant_active(gt, ref);
    count = readonly ? &a->readers : &a->writers;
    status = GNTST_general_error;
    if (grant_in_use(a) && a->domid != grantee)
        goto out;
    status = GNTST_no_space;
    if (*count == UINT32_MAX)
        goto out;
    status = gt->version == 2 ? pin_v2(gt, ref, grantee, readonly, t) : pin_v1(gt, ref, grantee, readonly, t);
    if (status == GNTST_okay) {
        a->domid = grantee;
        ++*count;
    }
out:
    spin_unlock(&gt->lock);
    return status;
}

void grant_unpin(struct domain *rd, grant_ref_t ref, bool readonly)
{
    struct grant_table *gt = rd->grant;
    struct grant_active *a;

    spin_lock(&gt->lock);
    a = grant_active(gt, ref);
    if (readonly)
        a->readers--;
    else
        a->writers--;
    clear_marks(gt, ref);
    spin_unlock(&gt->lock);
}

int16_t grant_get_page(struct domain *d, gfn_t gfn, bool write, struct page_info **pg)
{
    int err = -EINVAL;

    if (d->dying != DOMDYING_alive)
        return GNTST_bad_page;
    *pg = d->ops->get_page(d, gfn, write, &err);
    if (*pg)
        return GNTST_okay;
    return err == -EAGAIN ? GNTST_eagain : GNTST_general_error;
}
