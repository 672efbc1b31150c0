/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules for one page-table entry of a PV guest: which bits it may set,
 * which references a present entry stands for, and how one replaces another.
 * A table's entries change under its PGT_locked.  AMD APM 2, 5.3; Intel SDM 3A, 4.5.
 */
#include "mm.h"
#include "../cpu/cpu.h"
#include "../domain/pirq.h"

/* Levels 2 to 4: no large pages, default caching. Bits 52 to 62 are the guest's own: protection keys are off. */
#define TABLE_FORBIDDEN (PTE_PWT | PTE_PCD | PTE_PS | PTE_G)
/* Level 1, the same frame and rights: these may change without looking at references. */
#define L1_FREE_BITS (PTE_A | PTE_D | PTE_AVAIL | PTE_PWT | PTE_PCD | PTE_PAT | PTE_NX | (0x7ffUL << 52))

#define LOW_MEMORY_FRAMES 0x100

/*
 * Guests run in ring 3 whichever mode they are in, so every mapping is a user
 * mapping; and none is global, so that a load of CR3 forgets it (mm/tlb.h).
 */
__hot pte_t pv_adjust_pte(pte_t e) { return e & PTE_P ? (e | PTE_U) & ~PTE_G : e; }

static bool nx_allowed(pte_t e) { return !(e & PTE_NX) || cpu_features.nx; }

/*
 * Memory types other than write-back are for domains that have devices. Another domain could show the hypervisor a
 * page table in the cache, and the CPU another one in memory.
 */
static bool caching_allowed(pte_t e, const struct domain *d)
{
    return !(e & (PTE_PWT | PTE_PCD | PTE_PAT)) || d->is_hardware || rangeset_overlaps(d->iomem_caps, 0, ~0UL) ||
           rangeset_overlaps(d->ioport_caps, 0, ~0UL);
}

static bool l1_bits_allowed(pte_t e, const struct domain *l1_owner)
{
    return nx_allowed(e) && caching_allowed(e, l1_owner);
}

__hot bool pv_frame_is_io(mfn_t m)
{
    const struct page_info *pg;

    if (!mfn_valid(m)) {
        return true;
    }
    pg = mfn_to_page(m);
    return (READ_ONCE(pg->count_info) & PGC_reserved) || page_owner(pg) == dom_io;
}

static int io_allowed(mfn_t m, const struct domain *l1_owner, const struct domain *pg_owner)
{
    /* The hypervisor's own RAM is reserved too; no capability reaches that. */
    if (m.v >= LOW_MEMORY_FRAMES && mfn_is_ram(m)) {
        return -EPERM;
    }
    if (pg_owner != dom_io && (!pg_owner->iomem_caps || !rangeset_contains(pg_owner->iomem_caps, m.v, m.v))) {
        return -EPERM;
    }
    return rangeset_contains(l1_owner->iomem_caps, m.v, m.v) ? 0 : -EPERM;
}

__hot int pv_get_l1e(pte_t e, const struct domain *l1_owner, const struct domain *pg_owner)
{
    mfn_t m = pte_mfn(e);
    struct page_info *pg;

    if (!l1_bits_allowed(e, l1_owner)) {
        return -EINVAL;
    }
    if (pv_frame_is_io(m)) {
        return io_allowed(m, l1_owner, pg_owner);
    }
    pg = mfn_to_page(m);
    if (e & PTE_W) {
        return page_get_and_type(pg, pg_owner, PGT_writable_page) ? 0 : -EINVAL;
    }
    return page_get(pg, pg_owner) ? 0 : -EINVAL;
}

__hot void pv_put_l1e(pte_t e)
{
    mfn_t m = pte_mfn(e);

    if (!(e & PTE_P) || pv_frame_is_io(m)) {
        return;
    }
    if (e & PTE_W) {
        page_put_and_type(mfn_to_page(m));
    } else {
        page_put(mfn_to_page(m));
    }
}

int pv_get_table_entry(pte_t e, unsigned level, const struct domain *d, bool preemptible)
{
    uint64_t type = PGT_l1_page_table * (level - 1);
    struct page_info *pg;
    int rc;

    if ((e & TABLE_FORBIDDEN) || !nx_allowed(e)) {
        return -EINVAL;
    }
    pg = page_get_from_mfn(pte_mfn(e), d);
    if (!pg) {
        return -EINVAL;
    }
    rc = preemptible ? page_get_type_preemptible(pg, type) : page_get_type(pg, type);
    if (rc) {
        page_put(pg);
    }
    return rc;
}

int pv_put_table_entry(pte_t e, bool preemptible, struct page_info **rest)
{
    struct page_info *pg = mfn_to_page(pte_mfn(e));
    int rc = 0;

    if (preemptible) {
        rc = page_put_type_preemptible(pg);
    } else {
        page_put_type(pg);
    }
    if (rc && rest) {
        *rest = pg;
    } else {
        page_put(pg);
    }
    return rc;
}

/* The CPU may set A and D in the old entry at any moment; *old is what was really replaced. False: not what is expected. */
static __hot bool replace(pte_t *p, pte_t new, const struct pv_pte_change *c, pte_t *old)
{
    pte_t value;

    *old = READ_ONCE(*p);
    do {
        if (c->expect && *old != *c->expect) {
            return false;
        }
        value = new;
        if (c->preserve_ad && (new &*old &PTE_P)) {
            value |= *old & (PTE_A | PTE_D);
        }
    } while (!__atomic_compare_exchange_n(p, old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    return true;
}

static __hot int commit_l1e(pte_t *p, pte_t new, const struct pv_pte_change *c)
{
    pte_t old = READ_ONCE(*p);
    int rc;

    new = pv_adjust_pte(new);
    if ((old & PTE_P) && !((old ^ new) & ~L1_FREE_BITS)) {
        if (!l1_bits_allowed(new, c->pt_owner)) {
            return -EINVAL;
        }
        return replace(p, new, c, &old) ? 0 : -EAGAIN;
    }
    if (new &PTE_P) {
        rc = pv_get_l1e(new, c->pt_owner, c->pg_owner);
        if (rc) {
            return rc;
        }
    }
    if (!replace(p, new, c, &old)) {
        pv_put_l1e(new);
        return -EAGAIN;
    }
    pv_put_l1e(old);
    return 0;
}

__hot int pv_change_l1e(pte_t *p, pte_t new, const struct pv_pte_change *c)
{
    bool write = new &PTE_W;
    struct page_info *pg;
    int rc = -EINVAL;

    if (!(new &PTE_P) || !c->translate || !c->pg_owner->is_hvm) {
        return commit_l1e(p, new, c);
    }
    pg = c->pg_owner->ops->get_page(c->pg_owner, GFN(pte_mfn(new).v), write, &rc);
    if (!pg) {
        return rc;
    }
    rc = commit_l1e(p, (new & ~PTE_ADDR) | mfn_to_paddr(page_to_mfn(pg)), c);
    if (write) {
        page_put_and_type(pg);
    } else {
        page_put(pg);
    }
    return rc;
}

int pv_change_table_entry(pte_t *p, pte_t new, unsigned level, const struct pv_pte_change *c, struct page_info **rest)
{
    pte_t old = READ_ONCE(*p);
    int rc;

    new = pv_adjust_pte(new);
    if ((old & new &PTE_P) && !((old ^ new) & PTE_ADDR)) {
        if ((new &TABLE_FORBIDDEN) || !nx_allowed(new)) {
            return -EINVAL;
        }
        return replace(p, new, c, &old) ? 0 : -EAGAIN;
    }
    if (new &PTE_P) {
        rc = pv_get_table_entry(new, level, c->pt_owner, true);
        if (rc) {
            return rc;
        }
    }
    if (!replace(p, new, c, &old)) {
        if (new &PTE_P) {
            rc = pv_put_table_entry(new, true, NULL);
        }
        return -EAGAIN;
    }
    return old & PTE_P ? pv_put_table_entry(old, true, rest) : 0;
}
