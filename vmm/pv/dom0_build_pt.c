/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dom0's first page tables.  They are written as memory, and then validated
 * and pinned like any that a guest gives (mm.h), so that their frames have the
 * types that all later updates rely on.
 */
#include "../lib/string.h"
#include "../sched/softirq.h"
#include "dom0_build.h"
#include "mm.h"

#define TABLE_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define DATA_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

uint64_t dom0_tables_for(uint64_t start, uint64_t end)
{
    uint64_t n = 0;

    for (unsigned level = 1; level <= 3; level++) {
        unsigned shift = PT_SHIFT(level + 1);

        n += ((end - 1) >> shift) - (start >> shift) + 1;
    }
    return n;
}

static uint64_t pt_pfn(const struct dom0_build *b) { return (b->v_pt - b->v_start) >> PAGE_SHIFT; }

/* The next frame for a table: of those mapped in [v_start, v_end), or of those that serve the p2m list. */
static uint64_t next_table(struct dom0_build *b, bool for_p2m)
{
    uint64_t pfn;

    if (for_p2m) {
        BUG_ON(b->used_p2m_pt >= b->nr_p2m_pt);
        pfn = b->p2m_pfn + b->nr_p2m_frames + b->used_p2m_pt++;
    } else {
        BUG_ON(b->used_pt >= b->nr_pt);
        pfn = pt_pfn(b) + b->used_pt++;
    }
    memset(dom0_frame(b, pfn), 0, PAGE_SIZE);
    return pfn;
}

static void map_one(struct dom0_build *b, uint64_t va, uint64_t pfn, bool for_p2m)
{
    pte_t *table = dom0_frame(b, pt_pfn(b));
    bool is_table = pfn >= pt_pfn(b) && pfn < pt_pfn(b) + b->nr_pt;

    for (unsigned level = 4; level > 1; level--) {
        pte_t *e = &table[PT_INDEX(va, level)];

        if (!*e) {
            *e = make_pte(MFN(dom0_mfn(b, next_table(b, for_p2m))), TABLE_FLAGS);
        }
        table = mfn_to_virt(pte_mfn(*e));
    }
    table[PT_INDEX(va, 1)] = make_pte(MFN(dom0_mfn(b, pfn)), DATA_FLAGS & ~(is_table ? PTE_W : 0));
}

void dom0_build_tables(struct dom0_build *b)
{
    bool p2m_apart = b->v_p2m < b->v_start || b->v_p2m >= b->v_end;

    next_table(b, false); /* the L4 */
    for (uint64_t va = b->v_start; va < b->v_end; va += PAGE_SIZE) {
        map_one(b, va, (va - b->v_start) >> PAGE_SHIFT, false);
    }
    for (uint64_t i = 0; p2m_apart && i < b->nr_p2m_frames; i++) {
        map_one(b, b->v_p2m + i * PAGE_SIZE, b->p2m_pfn + i, true);
    }
    /* The ABI reserves all nr_pt_frames; those that turned out not to be needed are empty. */
    while (b->used_pt < b->nr_pt) {
        next_table(b, false);
    }
    while (b->used_p2m_pt < b->nr_p2m_pt) {
        next_table(b, true);
    }
}

void dom0_pin_tables(struct dom0_build *b)
{
    mfn_t l4 = MFN(dom0_mfn(b, pt_pfn(b)));
    struct page_info *pg = page_get_from_mfn(l4, b->d);
    int rc;

    if (!pg) {
        panic("Dom0's page tables are not its own");
    }
    do {
        process_pending_softirqs();
        rc = page_get_type(pg, PGT_l4_page_table);
    } while (rc == -ERESTART);
    if (rc) {
        panic("Dom0's page tables are not valid (error %d)", rc);
    }
    /* Pinned: the references just taken stand until the guest unpins the table. */
    __atomic_fetch_or(&pg->type_info, PGT_pinned, __ATOMIC_SEQ_CST);
    do {
        rc = pv_set_kernel_base(b->v, l4);
    } while (rc == -ERESTART);
    if (rc) {
        panic("Dom0's page tables cannot be used (error %d)", rc);
    }
}
