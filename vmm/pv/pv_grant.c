/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grant mappings of PV domains: one level-1 entry each, named by the linear
 * address it maps or by its own machine address (GNTMAP_contains_pte).  Its
 * references are the grant's, see domain/domain.h.
 */
#include "mm.h"
#include "../cpu/percpu.h"
#include <xen/grant_table.h>

#define GUEST_AVAIL_SHIFT_PTE 9

/* A level-1 entry; its table is locked until put_entry. */
struct entry {
    struct page_info *table;
    pte_t *p;
};

static bool lock_entry_at(struct domain *d, uint64_t maddr, struct entry *e)
{
    struct page_info *pg;

    if (maddr & 7) {
        return false;
    }
    pg = page_get_from_mfn(paddr_to_mfn(maddr), d);
    if (!pg) {
        return false;
    }
    if (!page_type_lock(pg, PGT_l1_page_table)) {
        page_put(pg);
        return false;
    }
    e->table = pg;
    e->p = (pte_t *)((char *)page_to_virt(pg) + (maddr & ~PAGE_MASK));
    return true;
}

static bool lock_entry(struct domain *d, uint64_t addr, unsigned flags, struct entry *e)
{
    struct vcpu *v = current;

    if (flags & GNTMAP_contains_pte) {
        return lock_entry_at(d, addr, e);
    }
    /* A linear address means something in the caller's tables only. A dying domain's are undone with its page tables. */
    if (v->domain != d) {
        return false;
    }
    e->table = pv_lock_l1_of(v, addr);
    if (!e->table) {
        return false;
    }
    e->p = (pte_t *)page_to_virt(e->table) + PT_INDEX(addr, 1);
    return true;
}

static void unlock_entry(const struct entry *e) { pv_unlock_l1(e->table); }

int pv_grant_map(struct domain *d, uint64_t host_addr, mfn_t mfn, unsigned gnttab_flags, unsigned cache_flags)
{
    uint64_t flags = PTE_P | PTE_U | PTE_A | PTE_D | (cache_flags & (PTE_PWT | PTE_PCD | PTE_PAT));
    struct entry e;
    pte_t old;

    if (!(gnttab_flags & GNTMAP_readonly)) {
        flags |= PTE_W;
    }
    flags |= ((uint64_t)gnttab_flags >> _GNTMAP_guest_avail0 << GUEST_AVAIL_SHIFT_PTE) & PTE_AVAIL;
    if (!lock_entry(d, host_addr, gnttab_flags, &e)) {
        return -EINVAL;
    }
    old = __atomic_exchange_n(e.p, make_pte(mfn, flags), __ATOMIC_SEQ_CST);
    pv_put_l1e(old);
    unlock_entry(&e);
    return 0;
}

/* Is it the mapping that the references belong to? */
static bool entry_maps(pte_t e, mfn_t mfn, unsigned gnttab_flags)
{
    bool writable = !(gnttab_flags & GNTMAP_readonly);

    return (e & PTE_P) && mfn_eq(pte_mfn(e), mfn) && !(e & PTE_W) == !writable;
}

/* Takes the entry that maps new_addr out of its place, with the references that it holds. */
static int take_entry(struct domain *d, uint64_t new_addr, pte_t *taken)
{
    struct entry e;

    if (!lock_entry(d, new_addr, 0, &e)) {
        return -EINVAL;
    }
    *taken = __atomic_exchange_n(e.p, 0, __ATOMIC_SEQ_CST);
    unlock_entry(&e);
    return 0;
}

int pv_grant_unmap(struct domain *d, uint64_t host_addr, mfn_t mfn, unsigned gnttab_flags, uint64_t new_addr)
{
    struct entry e;
    pte_t with = 0;
    bool ok;

    if (new_addr && (gnttab_flags & GNTMAP_contains_pte)) {
        return -EINVAL; /* the ABI replaces by linear address only */
    }
    if (!lock_entry(d, host_addr, gnttab_flags, &e)) {
        return -EINVAL;
    }
    ok = entry_maps(READ_ONCE(*e.p), mfn, gnttab_flags);
    if (ok && !new_addr) {
        WRITE_ONCE(*e.p, 0);
    }
    unlock_entry(&e);
    if (!ok || !new_addr) {
        return ok ? 0 : -EINVAL;
    }

    /* The two tables are of one level, so they are locked one after the other. */
    if (take_entry(d, new_addr, &with)) {
        return -EINVAL;
    }
    if (lock_entry(d, host_addr, gnttab_flags, &e)) {
        ok = entry_maps(READ_ONCE(*e.p), mfn, gnttab_flags);
        if (ok) {
            WRITE_ONCE(*e.p, with);
        }
        unlock_entry(&e);
    } else {
        ok = false;
    }
    if (!ok) {
        pv_put_l1e(with); /* the guest changed it meanwhile */
    }
    return ok ? 0 : -EINVAL;
}
