/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What makes a frame valid as a page table or descriptor page: every entry of
 * it is allowed, and holds its references.  Called by mm/page_types.c with the
 * frame's PGT_locked held; each table of levels 2 to 4 can be left half done
 * and gone on with.
 */
#include "mm.h"
#include "../domain/hypercall.h"

static unsigned level_of(uint64_t type) { return (unsigned)(type >> 60); }

/* The hypervisor's slots of a top-level table are not the guest's. */
static bool is_guest_slot(unsigned level, unsigned i) { return level < 4 || i < HV_SLOT_FIRST || i > HV_SLOT_LAST; }

static int validate_l1(struct page_info *pg, const struct domain *d)
{
    pte_t *table = page_to_virt(pg);
    int rc;

    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        pte_t e = READ_ONCE(table[i]);

        if (!(e & PTE_P)) {
            continue;
        }
        rc = pv_get_l1e(e, d, d);
        if (rc) {
            page_type_set_progress(pg, i);
            return -EINVAL;
        }
        WRITE_ONCE(table[i], pv_adjust_pte(e));
    }
    return 0;
}

static int validate_table(struct page_info *pg, struct domain *d, unsigned level, bool preemptible)
{
    pte_t *table = page_to_virt(pg);
    int rc;

    for (unsigned i = page_type_progress(pg); i < PT_ENTRIES; i++) {
        pte_t e = READ_ONCE(table[i]);

        if (!(e & PTE_P) || !is_guest_slot(level, i)) {
            continue;
        }
        rc = pv_get_table_entry(e, level, d, preemptible);
        if (rc) {
            page_type_set_progress(pg, i);
            return rc;
        }
        WRITE_ONCE(table[i], pv_adjust_pte(e));
        if (preemptible && i + 1 < PT_ENTRIES && hypercall_preempt_check()) {
            page_type_set_progress(pg, i + 1);
            return -ERESTART;
        }
    }
    if (level == 4) {
        pv_init_l4_slots(d, table);
    }
    return 0;
}

static int validate_descriptors(struct page_info *pg)
{
    uint64_t *table = page_to_virt(pg);

    for (unsigned i = 0; i < PAGE_SIZE / sizeof(*table); i++) {
        uint64_t desc = READ_ONCE(table[i]);

        if (!pv_check_descriptor(&desc)) {
            return -EINVAL;
        }
        WRITE_ONCE(table[i], desc);
    }
    return 0;
}

static int validate(struct page_info *pg, uint64_t type, bool preemptible)
{
    struct domain *d = page_owner(pg);

    if (!d || d->is_hvm || (READ_ONCE(pg->count_info) & PGC_heap)) {
        return -EINVAL;
    }
    switch (type) {
    case PGT_l1_page_table: return validate_l1(pg, d);
    case PGT_l2_page_table:
    case PGT_l3_page_table:
    case PGT_l4_page_table: return d->pv ? validate_table(pg, d, level_of(type), preemptible) : -EINVAL;
    case PGT_seg_desc_page: return validate_descriptors(pg);
    default: return -EINVAL;
    }
}

static void invalidate_l1(struct page_info *pg)
{
    const pte_t *table = page_to_virt(pg);

    for (unsigned i = page_type_progress(pg); i-- > 0;) {
        pv_put_l1e(READ_ONCE(table[i]));
    }
}

/* The entry that validation or undoing was in the midst of: its table keeps itself, but nobody else will look after it. */
static int finish_child(struct page_info *pg, unsigned level, bool preemptible)
{
    const pte_t *table = page_to_virt(pg);
    unsigned i = page_type_progress(pg);
    struct page_info *child;
    int rc;

    if (i >= PT_ENTRIES || !(table[i] & PTE_P) || !is_guest_slot(level, i)) {
        return 0;
    }
    child = page_get_from_mfn(pte_mfn(table[i]), page_owner(pg));
    if (!child) {
        return 0;
    }
    /* A table that turned out invalid may name anything here; what is not a child is not waited for. */
    rc = 0;
    if (level_of(READ_ONCE(child->type_info) & PGT_type_mask) == level - 1) {
        rc = page_type_finish(child, preemptible);
    }
    page_put(child);
    return rc;
}

static int invalidate_table(struct page_info *pg, unsigned level, bool preemptible)
{
    const pte_t *table = page_to_virt(pg);
    unsigned i = page_type_progress(pg);
    int rc = finish_child(pg, level, preemptible);

    while (!rc && i-- > 0) {
        pte_t e = READ_ONCE(table[i]);

        if (!(e & PTE_P) || !is_guest_slot(level, i)) {
            continue;
        }
        rc = pv_put_table_entry(e, preemptible, NULL);
        page_type_set_progress(pg, i);
        if (!rc && preemptible && i && hypercall_preempt_check()) {
            rc = -ERESTART;
        }
    }
    return rc;
}

static int invalidate(struct page_info *pg, uint64_t type, bool preemptible)
{
    switch (type) {
    case PGT_l1_page_table: invalidate_l1(pg); return 0;
    case PGT_l2_page_table:
    case PGT_l3_page_table:
    case PGT_l4_page_table: return invalidate_table(pg, level_of(type), preemptible);
    default: return 0;
    }
}

const struct page_type_ops pv_page_type_ops = {
    .validate = validate,
    .invalidate = invalidate,
};
