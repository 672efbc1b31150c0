/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory side of a PV domain's life: its per-domain area, its vCPUs' base
 * tables, and giving everything back.
 */
#include "mm.h"
#include "../cpu/percpu.h"
#include "../domain/hypercall.h"
#include "../mm/alloc.h"
#include "../mm/tlb.h"

#define HV_TABLE (PTE_P | PTE_W | PTE_A | PTE_D)

/* -- creation ------------------------------------------------------------------------------------------------------ */
int pv_mm_domain_init(struct domain *d)
{
    struct pv_domain *pd = xzalloc(struct pv_domain);

    if (!pd) {
        return -ENOMEM;
    }
    d->pv = pd;
    spin_lock_init(&pd->lock, LOCK_UNORDERED);
    pd->perdomain_l3 = alloc_zeroed_page();
    pd->perdomain_l2 = alloc_zeroed_page();
    if (!pd->perdomain_l3 || !pd->perdomain_l2) {
        pv_mm_domain_free(d);
        return -ENOMEM;
    }
    pd->perdomain_l3[0] = make_pte(virt_to_mfn(pd->perdomain_l2), HV_TABLE);
    return 0;
}

void pv_mm_domain_free(struct domain *d)
{
    struct pv_domain *pd = d->pv;

    if (!pd) {
        return;
    }
    d->pv = NULL;
    for (unsigned i = 0; i < PERDOMAIN_L1S; i++) {
        if (pd->perdomain_l1[i]) {
            free_xenheap_pages(pd->perdomain_l1[i], 0);
        }
    }
    if (pd->perdomain_l2) {
        free_xenheap_pages(pd->perdomain_l2, 0);
    }
    if (pd->perdomain_l3) {
        free_xenheap_pages(pd->perdomain_l3, 0);
    }
    xfree(pd);
}

/* The level-1 table that holds v's descriptor tables. */
static int perdomain_l1_init(struct pv_domain *pd, unsigned i)
{
    pte_t *l1;

    if (pd->perdomain_l1[i]) {
        return 0;
    }
    l1 = alloc_zeroed_page();
    if (!l1) {
        return -ENOMEM;
    }
    spin_lock(&pd->lock);
    if (!pd->perdomain_l1[i]) {
        pd->perdomain_l1[i] = l1;
        pd->perdomain_l2[i] = make_pte(virt_to_mfn(l1), HV_TABLE);
        l1 = NULL;
    }
    spin_unlock(&pd->lock);
    if (l1) {
        free_xenheap_pages(l1, 0);
    }
    return 0;
}

int pv_mm_vcpu_init(struct vcpu *v)
{
    int rc;

    if (v->id >= PV_MAX_VCPUS) {
        return -EINVAL;
    }
    rc = perdomain_l1_init(v->domain->pv, v->id * PERDOMAIN_VCPU_PAGES / PT_ENTRIES);
    if (rc) {
        return rc;
    }
    v->pv = xzalloc(struct pv_vcpu);
    if (!v->pv) {
        return -ENOMEM;
    }
    spin_lock_init(&v->pv->ldt_lock, LOCK_UNORDERED);
    v->pv->cr3 = idle_cr3();
    return 0;
}

void pv_mm_vcpu_free(struct vcpu *v)
{
    xfree(v->pv);
    v->pv = NULL;
}

void pv_init_l4_slots(struct domain *d, pte_t *l4)
{
    for (unsigned i = HV_SLOT_FIRST; i <= HV_SLOT_LAST; i++) {
        WRITE_ONCE(l4[i], i == PERDOMAIN_SLOT ? make_pte(virt_to_mfn(d->pv->perdomain_l3), HV_TABLE) : idle_pgd[i]);
    }
}

/* -- address spaces ------------------------------------------------------------------------------------------------ */
__hot int pv_finish_old_table(struct vcpu *v)
{
    struct page_info *pg = v->pv->old_table;
    int rc;

    if (!pg) {
        return 0;
    }
    rc = page_type_finish(pg, true);
    if (rc) {
        return rc;
    }
    v->pv->old_table = NULL;
    page_put(pg);
    return 0;
}

int pv_put_table(struct vcpu *v, struct page_info *pg)
{
    int rc = page_put_unmapped_type(pg);

    if (rc && !v->pv->old_table) {
        v->pv->old_table = pg;
    } else {
        page_put(pg); /* with an old table already, this one's rest is left to whoever wants it next */
    }
    return rc;
}

/* mfn: an L4 table of v's domain, or 0. Replaces *base, which v may be running on. */
static int set_base(struct vcpu *v, mfn_t *base, mfn_t mfn)
{
    struct page_info *pg;
    mfn_t old = *base;
    int rc = pv_finish_old_table(v);

    if (rc || mfn_eq(old, mfn)) {
        return rc;
    }
    if (mfn.v) {
        pg = page_get_from_mfn(mfn, v->domain);
        if (!pg) {
            return -EINVAL;
        }
        rc = page_get_type_preemptible(pg, PGT_l4_page_table);
        if (rc) {
            page_put(pg);
            return rc;
        }
    }
    *base = mfn;
    if (v == current) {
        pv_invalidate_ldt(v);
        /* The one of the other mode is not in CR3, and was flushed when that was left. */
        if (v->pv->cr3 != pv_make_cr3(v)) {
            pv_write_cr3(v);
        }
    }
    return old.v ? pv_put_table(v, mfn_to_page(old)) : 0;
}

int pv_set_kernel_base(struct vcpu *v, mfn_t mfn) { return set_base(v, &v->pv->guest_table, mfn); }
int pv_set_user_base(struct vcpu *v, mfn_t mfn) { return set_base(v, &v->pv->guest_table_user, mfn); }

int pv_drop_bases(struct vcpu *v)
{
    int rc = set_base(v, &v->pv->guest_table_user, MFN(0));

    if (!rc) {
        rc = set_base(v, &v->pv->guest_table, MFN(0));
    }
    return rc ? rc : pv_finish_old_table(v);
}

/* -- the end ------------------------------------------------------------------------------------------------------- */
static int relinquish_vcpus(struct domain *d)
{
    struct pv_domain *pd = d->pv;

    for (; pd->relinquish_vcpu < d->max_vcpus; pd->relinquish_vcpu++) {
        struct vcpu *v = d->vcpu[pd->relinquish_vcpu];
        int rc;

        if (!v || !v->pv) {
            continue;
        }
        pv_invalidate_ldt(v);
        pv_destroy_gdt(v);
        rc = pv_drop_bases(v);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

/* Undoes a pin, and what a preempted validation left. The caller has a reference. */
static int relinquish_frame(struct page_info *pg)
{
    uint64_t old = __atomic_fetch_and(&pg->type_info, ~PGT_pinned, __ATOMIC_SEQ_CST);
    int rc = 0;

    if (old & PGT_pinned) {
        rc = page_put_type_preemptible(pg);
        page_put(pg);
    }
    return rc ? rc : page_type_finish(pg, true);
}

#define RELINQUISH_BATCH 512U /* frames that are passed with the lock held */

static bool has_something_to_undo(const struct page_info *pg)
{
    return READ_ONCE(pg->type_info) & (PGT_pinned | PGT_partial);
}

/*
 * The frames at the head of the list go to its tail, until there is one with something to undo, which the caller gets with
 * a reference.  NULL: none of as many as a batch has, or it was just leaving.
 */
static struct page_info *next_to_undo(struct domain *d)
{
    struct pv_domain *pd = d->pv;
    struct page_info *found = NULL;

    spin_lock(&d->page_lock);
    for (unsigned n = 0; n < RELINQUISH_BATCH && !found && pd->relinquish_left > 1 && d->page_list.count; n++) {
        struct page_info *pg = page_list_first(&d->page_list);

        page_list_del(&d->page_list, pg);
        page_list_add_tail(&d->page_list, pg);
        pd->relinquish_left--;
        if (has_something_to_undo(pg) && page_get(pg, d)) {
            found = pg;
        }
    }
    if (!d->page_list.count) {
        pd->relinquish_left = 1;
    }
    spin_unlock(&d->page_lock);
    return found;
}

static int relinquish_tables(struct domain *d)
{
    struct pv_domain *pd = d->pv;

    if (!pd->relinquish_left) {
        pd->relinquish_left = d->page_list.count + 1;
    }
    while (pd->relinquish_left > 1) {
        struct page_info *pg = next_to_undo(d);
        int rc = 0;

        /* Preempted, it is looked at again: the list goes round once more. */
        while (pg && (rc = relinquish_frame(pg)) == -ERESTART && !hypercall_preempt_check())
            ;
        if (rc) {
            pd->relinquish_left = d->page_list.count + 1;
        }
        if (pg) {
            page_put(pg);
        }
        if (rc || hypercall_preempt_check()) {
            return rc ? rc : -ERESTART;
        }
    }
    return 0;
}

int pv_mm_relinquish(struct domain *d)
{
    int rc;

    if (!d->pv) {
        return 0;
    }
    rc = relinquish_vcpus(d);
    return rc ? rc : relinquish_tables(d);
}

/* -- guest frames: a PV guest's frame numbers are the machine's ---------------------------------------------------- */
struct page_info *pv_get_page(struct domain *d, gfn_t gfn, bool write, int *err)
{
    struct page_info *pg = page_get_from_mfn(MFN(gfn.v), d);

    if (pg && write && page_get_type(pg, PGT_writable_page)) {
        page_put(pg);
        pg = NULL;
    }
    if (!pg && err) {
        *err = -EINVAL;
    }
    return pg;
}

mfn_t pv_gfn_to_mfn(struct domain *d, gfn_t gfn) { return MFN(gfn.v); }

int pv_physmap_add(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order)
{
    for (uint64_t i = 0; i < 1UL << order; i++) {
        m2p_set(mfn_add(mfn, i), gfn.v + i);
    }
    return 0;
}

int pv_physmap_remove(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order)
{
    for (uint64_t i = 0; i < 1UL << order; i++) {
        m2p_set(mfn_add(mfn, i), M2P_INVALID);
    }
    return 0;
}

/* PV guests map MMIO frames themselves, once iomem_caps allow them. */
int pv_map_mmio(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t n, bool add) { return 0; }

void pv_mm_register(void)
{
    page_type_ops = &pv_page_type_ops;
    hypercall_register_pv(__HYPERVISOR_mmu_update, do_mmu_update);
    hypercall_register_pv(__HYPERVISOR_mmuext_op, do_mmuext_op);
    hypercall_register_pv(__HYPERVISOR_update_va_mapping, do_update_va_mapping);
    hypercall_register_pv(__HYPERVISOR_update_va_mapping_otherdomain, do_update_va_mapping_otherdomain);
    hypercall_register_pv(__HYPERVISOR_set_gdt, do_set_gdt);
    hypercall_register_pv(__HYPERVISOR_update_descriptor, do_update_descriptor);
}
