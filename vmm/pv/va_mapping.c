/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest page tables by linear address: walking them, and
 * HYPERVISOR_update_va_mapping.  Walks read tables without a lock; only the
 * level-1 table that they end in is verified, and locked.
 */
#include "mm.h"
#include "../cpu/percpu.h"
#include "../domain/hypercall.h"
#include "../mm/tlb.h"

/* The entry at 'level' that maps va in the tables under 'root'; 0 where a level above has none. */
static __hot pte_t walk_to(mfn_t root, uint64_t va, unsigned level, mfn_t *table)
{
    pte_t e = 0;

    for (unsigned l = 4; l >= level; l--) {
        if (!mfn_valid(root)) {
            return 0;
        }
        *table = root;
        e = READ_ONCE(((const pte_t *)mfn_to_virt(root))[PT_INDEX(va, l)]);
        if (l > level && (!(e & PTE_P) || (e & PTE_PS))) {
            return 0;
        }
        root = pte_mfn(e);
    }
    return e;
}

__hot pte_t pv_walk(const struct vcpu *v, uint64_t va, unsigned *level)
{
    mfn_t root = v->pv->kernel_mode ? v->pv->guest_table : v->pv->guest_table_user, table;
    pte_t e;

    *level = 1;
    if (!root.v || !is_guest_va(va)) {
        return 0;
    }
    e = walk_to(root, va, 1, &table);
    return e & PTE_P ? e : 0;
}

pte_t pv_walk_kernel(const struct vcpu *v, uint64_t va)
{
    mfn_t table;
    pte_t e;

    if (!v->pv->guest_table.v || !is_guest_va(va)) {
        return 0;
    }
    e = walk_to(v->pv->guest_table, va, 1, &table);
    return e & PTE_P ? e : 0;
}

__hot struct page_info *pv_lock_l1_of(struct vcpu *v, uint64_t va)
{
    mfn_t root = v->pv->guest_table, table = INVALID_MFN;
    struct page_info *pg;
    pte_t l2e;

    if (!root.v || !is_guest_va(va)) {
        return NULL;
    }
    l2e = walk_to(root, va, 2, &table);
    if (!(l2e & PTE_P) || (l2e & PTE_PS)) {
        return NULL;
    }
    pg = page_get_from_mfn(pte_mfn(l2e), v->domain);
    if (!pg) {
        return NULL;
    }
    if (page_type_lock(pg, PGT_l1_page_table)) {
        return pg;
    }
    page_put(pg);
    return NULL;
}

__hot void pv_unlock_l1(struct page_info *pg)
{
    page_type_unlock(pg);
    page_put(pg);
}

static __hot int flush_after_update(uint64_t va, uint64_t flags)
{
    struct domain *d = current->domain;
    uint64_t where = flags & ~(uint64_t)UVMF_FLUSHTYPE_MASK;
    unsigned how = (flags & UVMF_FLUSHTYPE_MASK) == UVMF_INVLPG ? FLUSH_VA : FLUSH_TLB;
    cpumask_t mask;
    int rc;

    if (!(flags & (UVMF_TLB_FLUSH | UVMF_INVLPG))) {
        return 0;
    }
    if (where == UVMF_LOCAL) {
        flush_tlb_local(how, va);
        return 0;
    }
    if (where == UVMF_ALL) {
        pv_dirty_cpus(d, &mask);
    } else {
        rc = pv_vcpumask_to_cpus(d, where, &mask);
        if (rc) {
            return rc;
        }
    }
    flush_tlb_mask(&mask, how, va);
    return 0;
}

static __hot long update_va_mapping(uint64_t va, uint64_t val, uint64_t flags, struct domain *pg_owner)
{
    struct vcpu *v = current;
    const struct pv_pte_change c = {.pt_owner = v->domain, .pg_owner = pg_owner, .translate = true};
    struct page_info *l1;
    int rc;

    rc = pv_finish_old_table(v);
    if (rc) {
        return rc;
    }
    l1 = pv_lock_l1_of(v, va);
    if (!l1) {
        return -EINVAL;
    }
    rc = pv_change_l1e((pte_t *)page_to_virt(l1) + PT_INDEX(va, 1), val, &c);
    pv_unlock_l1(l1);
    return rc ? rc : flush_after_update(va, flags);
}

__hot long do_update_va_mapping(uint64_t va, uint64_t val, uint64_t flags, uint64_t unused, uint64_t unused2)
{
    long rc = update_va_mapping(va, val, flags, current->domain);

    return rc == -ERESTART ? hypercall_continue(__HYPERVISOR_update_va_mapping, 3, va, val, flags) : rc;
}

long do_update_va_mapping_otherdomain(uint64_t va, uint64_t val, uint64_t flags, uint64_t domid, uint64_t unused)
{
    int err = 0;
    struct domain *pg_owner = pv_get_pg_owner((domid_t)domid, &err);
    long rc;

    if (!pg_owner) {
        return err;
    }
    rc = update_va_mapping(va, val, flags, pg_owner);
    pv_put_pg_owner(pg_owner);
    if (rc == -ERESTART) {
        rc = hypercall_continue(__HYPERVISOR_update_va_mapping_otherdomain, 4, va, val, flags, domid);
    }
    return rc;
}
