/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's own page tables, walked in software: 32-bit, PAE and 4-level, with
 * the rights, reserved bits and accessed and dirty updates of the manuals.
 * AMD APM 2 "Page Translation and Protection" (5); Intel SDM 3A "Paging" (4).
 */
#include "../cpu/cpu.h"
#include "../cpu/regs.h"
#include "../lib/string.h"
#include "../mm/pgtable.h"
#include "guest_mem.h"
#include "p2m.h"

#define CR3_ADDR_PAE 0xffffffe0UL
#define PDPTE_RSVD 0x1c6UL /* bits of a PAE PDPTE that must be 0; so must A (5), but some emulators set it */

struct walk {
    struct vcpu *v;
    uint64_t gva;
    uint32_t want; /* PFEC_* of the access */
    unsigned top, entry_bytes, index_bits;
    bool nx_enabled, implicit;
    /* Gathered on the way down */
    bool user, writable, nx;
    struct {
        gpa_t at;
        uint64_t entry;
    } step[4];
    unsigned nr_steps;
};

static bool walk_has_1g(const struct vcpu *v)
{
    uint32_t r[4];

    policy_leaf(v->domain, 0x80000001, 0, r);
    return r[3] & BIT(26);
}

static int walk_fault(const struct walk *w, uint32_t *pfec, uint32_t code)
{
    uint64_t cr4 = w->v->hvm->cr[4];
    uint32_t ec = code | (w->want & (PFEC_W | PFEC_U));

    if ((w->want & PFEC_I) && (w->nx_enabled || (cr4 & CR4_SMEP)))
        ec |= PFEC_I;
    *pfec = ec;
    return -EFAULT;
}

static int walk_read(struct walk *w, gpa_t at, uint64_t *entry)
{
    struct page_info *pg = p2m_get_page(w->v->domain, gpa_to_gfn(at), NULL);
    const char *va;

    if (!pg)
        return -EFAULT;
    va = (const char *)page_to_virt(pg) + (at.v & ~PAGE_MASK);
    *entry = w->entry_bytes == 8 ? READ_ONCE(*(const uint64_t *)va) : READ_ONCE(*(const uint32_t *)va);
    page_put(pg);
    w->step[w->nr_steps].at = at;
    w->step[w->nr_steps++].entry = *entry;
    return 0;
}

/* Bits that must be 0 in a present entry: APM 2, 5.3.3 and 5.4; SDM 3A, tables 4-4 to 4-20. */
static uint64_t walk_reserved(const struct walk *w, uint64_t entry, unsigned level)
{
    bool large = level > 1 && (entry & PTE_PS);
    uint64_t rsvd = 0;

    if (w->entry_bytes == 4)
        return level == 2 && large ? 1UL << 21 : 0;
    rsvd = PTE_ADDR & ~((1UL << cpu_features.paddr_bits) - 1);
    if (!w->nx_enabled)
        rsvd |= PTE_NX;
    if (w->top == 3)
        rsvd |= 0x7ff0000000000000UL;
    if (w->top == 3 && level == 3)
        return rsvd | PDPTE_RSVD | PTE_NX;
    if (level == 4 || (level == 3 && large && !walk_has_1g(w->v)))
        rsvd |= PTE_PS;
    if (large && level <= 3)
        rsvd |= ((1UL << PT_SHIFT(level)) - 1) & ~0x1fffUL;
    return rsvd;
}

/* Does the entry (or leaf) allow the access? APM 2, 5.6; SDM 3A, 4.6.1. */
static bool walk_allowed(const struct walk *w)
{
    uint64_t cr0 = w->v->hvm->cr[0], cr4 = w->v->hvm->cr[4];

    if ((w->want & PFEC_I) && w->nx)
        return false;
    if (w->want & PFEC_U)
        return w->user && (w->writable || !(w->want & PFEC_W));
    if ((w->want & PFEC_W) && !w->writable && (cr0 & CR0_WP))
        return false;
    if (!w->user)
        return true;
    if (w->want & PFEC_I)
        return !(cr4 & CR4_SMEP);
    return !(cr4 & CR4_SMAP) || (!w->implicit && (w->v->regs.rflags & EFLAGS_AC));
}

/* Accessed in each entry, dirty in the leaf, by compare and swap. -EAGAIN: an entry has changed, walk again. */
static int walk_mark(struct walk *w)
{
    for (unsigned i = 0; i < w->nr_steps; i++) {
        bool leaf = i == w->nr_steps - 1;
        uint64_t old = w->step[i].entry, new = old | PTE_A | (leaf && (w->want & PFEC_W) ? PTE_D : 0);
        struct page_info *pg;
        enum p2m_type t;
        bool same = true;
        char *va;

        if (new == old || (w->top == 3 && i == 0))
            continue;
        pg = p2m_get_page(w->v->domain, gpa_to_gfn(w->step[i].at), &t);
        if (!pg)
            return -EAGAIN;
        va = (char *)page_to_virt(pg) + (w->step[i].at.v & ~PAGE_MASK);
        if (t == P2M_ram_logdirty)
            p2m_note_write(w->v->domain, gpa_to_gfn(w->step[i].at));
        if (t != P2M_ram_ro && t != P2M_grant_ro) {
            if (w->entry_bytes == 8)
                same = __sync_bool_compare_and_swap((uint64_t *)va, old, new);
            else
                same = __sync_bool_compare_and_swap((uint32_t *)va, (uint32_t)old, (uint32_t) new);
        }
        page_put(pg);
        if (!same)
            return -EAGAIN;
    }
    return 0;
}

static gpa_t walk_leaf_gpa(const struct walk *w, uint64_t entry, unsigned level)
{
    unsigned shift = 12 + w->index_bits * (level - 1);
    uint64_t mask = (1UL << shift) - 1, base = entry & PTE_ADDR;

    if (w->entry_bytes == 4 && level == 2) /* PSE-36: bits 20:13 are address bits 39:32 */
        base = (entry & 0xffc00000UL) | ((entry >> 13) & 0xff) << 32;
    return GPA((base & ~mask) | (w->gva & mask));
}

static void walk_init(struct walk *w, struct vcpu *v, uint64_t gva, uint32_t want)
{
    const struct hvm_vcpu *h = v->hvm;
    bool pae = h->cr[4] & CR4_PAE;

    *w = (struct walk){.v = v, .gva = gva, .want = want, .user = true, .writable = true};
    w->implicit = want & PFEC_IMPLICIT;
    w->want &= PFEC_W | PFEC_U | PFEC_I;
    w->top = h->efer & EFER_LMA ? 4 : pae ? 3 : 2;
    w->entry_bytes = pae ? 8 : 4;
    w->index_bits = pae ? 9 : 10;
    w->nx_enabled = pae && (h->efer & EFER_NXE);
    if (w->top != 4)
        w->gva = (uint32_t)gva;
}

static int walk_once(struct walk *w, uint32_t *pfec, gpa_t *gpa)
{
    uint64_t cr3 = w->v->hvm->cr[3], entry = 0;
    gpa_t table = GPA(w->top == 4 ? cr3 & PTE_ADDR : w->top == 3 ? cr3 & CR3_ADDR_PAE : cr3 & 0xfffff000UL);
    unsigned level = w->top;

    for (;; level--) {
        unsigned bits = w->top == 3 && level == 3 ? 2 : w->index_bits;
        uint64_t index = (w->gva >> (12 + w->index_bits * (level - 1))) & ((1U << bits) - 1);
        bool pae_top = w->top == 3 && level == 3;

        if (walk_read(w, GPA(table.v + index * w->entry_bytes), &entry) || !(entry & PTE_P))
            return walk_fault(w, pfec, 0);
        if (entry & walk_reserved(w, entry, level))
            return walk_fault(w, pfec, PFEC_P | PFEC_RSVD);
        if (!pae_top) {
            w->user &= !!(entry & PTE_U);
            w->writable &= !!(entry & PTE_W);
            w->nx |= w->nx_enabled && (entry & PTE_NX);
        }
        if (level == 1)
            break;
        if (!pae_top && (entry & PTE_PS) && (w->entry_bytes == 8 || (w->v->hvm->cr[4] & CR4_PSE)))
            break;
        table = GPA(entry & (w->entry_bytes == 8 ? PTE_ADDR : 0xfffff000UL));
    }
    if (!walk_allowed(w))
        return walk_fault(w, pfec, PFEC_P);
    *gpa = walk_leaf_gpa(w, entry, level);
    return walk_mark(w);
}

int hvm_gva_to_gpa(struct vcpu *v, uint64_t gva, uint32_t *pfec, gpa_t *gpa)
{
    uint32_t want = *pfec;
    struct walk w;
    int rc;

    if (!hvm_paging_enabled(v)) {
        *gpa = GPA((uint32_t)gva);
        return 0;
    }
    if (hvm_long_mode_active(v) && !is_canonical(gva)) {
        *pfec = 0;
        return -EFAULT;
    }
    do {
        walk_init(&w, v, gva, want);
        rc = walk_once(&w, pfec, gpa);
    } while (rc == -EAGAIN); /* another CPU of the guest writes the same entry: one of the two goes on */
    return rc;
}
