/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walker of nested page tables.  Tables are made and leaves split under
 * p2m->lock; no table is given back before the whole is, so lookups need no
 * lock.  AMD APM 2 "Nested Paging" (15.25); Intel SDM 3C "EPT Translation
 * Mechanism" (29.3.2).
 */
#include "p2m_pt.h"

#include "../lib/string.h"
#include "../mm/alloc.h"

#define NPT_RO (PTE_P | PTE_U | PTE_A | PTE_D) /* the nested walk is a user access: APM 2, 15.25.5 */
#define NPT_RW (NPT_RO | PTE_W)

const struct p2m_format p2m_format_amd64 = {
    .present = PTE_P,
    .table = PTE_P | PTE_W | PTE_U | PTE_A,
    .large = PTE_PS,
    .leaf =
        {
            [P2M_ram_rw] = NPT_RW,
            [P2M_ram_logdirty] = NPT_RO,
            [P2M_ram_ro] = NPT_RO,
            [P2M_mmio_direct] = NPT_RW | PTE_PCD | PTE_PWT | PTE_NX,
            [P2M_ioreq_server] = NPT_RO,
            [P2M_grant_rw] = NPT_RW | PTE_NX,
            [P2M_grant_ro] = NPT_RO | PTE_NX,
            [P2M_foreign] = NPT_RW | PTE_NX,
        },
};

/* Bits 2:0 read, write, execute; 5:3 memory type; 6 ignore the guest's PAT; 7 large: SDM 3C, table 29-6. */
#define EPT_R 1UL
#define EPT_W 2UL
#define EPT_X 4UL
#define EPT_WB (6UL << 3 | 1UL << 6)

const struct p2m_format p2m_format_ept = {
    .present = EPT_R | EPT_W | EPT_X,
    .table = EPT_R | EPT_W | EPT_X,
    .large = 1UL << 7,
    .leaf =
        {
            [P2M_ram_rw] = EPT_R | EPT_W | EPT_X | EPT_WB,
            [P2M_ram_logdirty] = EPT_R | EPT_X | EPT_WB,
            [P2M_ram_ro] = EPT_R | EPT_X | EPT_WB,
            [P2M_mmio_direct] = EPT_R | EPT_W,
            [P2M_ioreq_server] = EPT_R | EPT_X | EPT_WB,
            [P2M_grant_rw] = EPT_R | EPT_W | EPT_WB,
            [P2M_grant_ro] = EPT_R | EPT_WB,
            [P2M_foreign] = EPT_R | EPT_W | EPT_WB,
            [P2M_apic_access] = EPT_R | EPT_W | EPT_WB,
        },
};

pte_t p2m_make_leaf(const struct p2m *p, mfn_t mfn, unsigned level, enum p2m_type t)
{
    pte_t e = (uint64_t)t << P2M_TYPE_SHIFT;

    if (!p->format->leaf[t])
        return e;
    return e | mfn_to_paddr(mfn) | p->format->leaf[t] | (level > 1 ? p->format->large : 0);
}

static pte_t *p2m_table_of(pte_t e) { return mfn_to_virt(p2m_entry_mfn(e)); }

pte_t p2m_pt_lookup(const struct p2m *p, uint64_t gfn, unsigned *level)
{
    const pte_t *table = p->root;
    pte_t e = 0;

    *level = P2M_LEVELS;
    if (gfn >> P2M_GFN_BITS)
        return 0;
    for (;; (*level)--) {
        e = READ_ONCE(table[(gfn >> (9 * (*level - 1))) & (PT_ENTRIES - 1)]);
        if (!p2m_entry_is_table(p, e, *level))
            return e;
        table = p2m_table_of(e);
    }
}

/* A table in place of the leaf (or hole) in *slot at 'level', which says the same. */
static int p2m_split(struct p2m *p, pte_t *slot, unsigned level)
{
    pte_t old = *slot, *table;

    if (p->pool_used >= p->pool_limit)
        return -ENOMEM;
    table = alloc_zeroed_page();
    if (!table)
        return -ENOMEM;
    p->pool_used++;
    for (unsigned i = 0; i < PT_ENTRIES && old; i++)
        table[i] =
            p2m_make_leaf(p, mfn_add(p2m_entry_mfn(old), i * p2m_frames(level - 1)), level - 1, p2m_entry_type(old));
    __atomic_store_n(slot, virt_to_paddr(table) | p->format->table, __ATOMIC_RELEASE);
    return 0;
}

pte_t *p2m_pt_slot(struct p2m *p, uint64_t gfn, unsigned *level, bool stop_at_leaf)
{
    pte_t *table = p->root;
    unsigned l = P2M_LEVELS;

    for (;; l--) {
        pte_t *slot = &table[(gfn >> (9 * (l - 1))) & (PT_ENTRIES - 1)];

        if (l == *level || (stop_at_leaf && !p2m_entry_is_table(p, *slot, l))) {
            *level = l;
            return slot;
        }
        if (!p2m_entry_is_table(p, *slot, l) && p2m_split(p, slot, l))
            return NULL;
        table = p2m_table_of(*slot);
    }
}

int p2m_pt_retype(struct p2m *p, uint64_t gfn, enum p2m_type t, bool *was_present)
{
    unsigned level = 1;
    pte_t *slot = p2m_pt_slot(p, gfn, &level, false);

    if (!slot)
        return -ENOMEM;
    *was_present = p2m_entry_present(p, *slot);
    __atomic_store_n(slot, p2m_make_leaf(p, p2m_entry_mfn(*slot), 1, t), __ATOMIC_RELEASE);
    return 0;
}

int p2m_pt_init(struct p2m *p)
{
    p->root = alloc_zeroed_page();
    return p->root ? 0 : -ENOMEM;
}

static void p2m_free_level(struct p2m *p, pte_t *table, unsigned level)
{
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        if (p2m_entry_is_table(p, table[i], level))
            p2m_free_level(p, p2m_table_of(table[i]), level - 1);
    free_xenheap_pages(table, 0);
}

void p2m_pt_free(struct p2m *p)
{
    if (p->root)
        p2m_free_level(p, p->root, P2M_LEVELS);
    p->root = NULL;
}
