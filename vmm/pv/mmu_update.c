/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HYPERVISOR_mmu_update: changes of page-table entries and of the
 * machine-to-phys table (public header xen.h).  A table's entries are guarded
 * by its PGT_locked.
 */
#include "batch.h"
#include "../cpu/percpu.h"
#include "../domain/hypercall.h"

#define BATCH_RESUMED (1U << 31) /* in the count: a continuation, *pdone counts on */

__hot long pv_batch_run(const struct pv_batch *b, uint64_t reqs, uint64_t count, uint64_t pdone, uint64_t foreigndom)
{
    uint32_t n = (uint32_t)count & ~BATCH_RESUMED, done = 0, i = 0;
    struct vcpu *v = current;
    int rc;

    if (((uint32_t)count & BATCH_RESUMED) && pdone && copy_from_guest(&done, pdone)) {
        return -EFAULT;
    }
    rc = pv_finish_old_table(v);
    while (!rc && i < n) {
        if (i && hypercall_preempt_check()) {
            rc = -ERESTART;
            break;
        }
        rc = b->one(reqs + i * b->size, b->ctx);
        if (!rc || (rc == -ERESTART && v->pv->old_table)) {
            i++;
        }
    }
    done += i;
    if (pdone && copy_to_guest(pdone, &done)) {
        rc = rc == -ERESTART || !rc ? -EFAULT : rc;
    }
    if (rc == -ERESTART) {
        return hypercall_continue(b->hypercall, 4, reqs + i * b->size, (uint64_t)((n - i) | BATCH_RESUMED), pdone,
                                  foreigndom);
    }
    return rc;
}

struct update_ctx {
    struct domain *pt_owner, *pg_owner;
};

/* The frame is no page table: an ordinary write, if the guest could have done it itself. */
static int write_plain(struct page_info *pg, unsigned offset, uint64_t value)
{
    if (page_get_type(pg, PGT_writable_page)) {
        return -EINVAL;
    }
    WRITE_ONCE(*(uint64_t *)((char *)page_to_virt(pg) + offset), value);
    page_put_type(pg);
    return 0;
}

static __hot int change_entry(struct page_info *pg, unsigned level, unsigned offset, pte_t new,
                              const struct pv_pte_change *c)
{
    struct vcpu *v = current;
    pte_t *p = (pte_t *)((char *)page_to_virt(pg) + offset);
    unsigned index = offset / sizeof(pte_t);
    struct page_info *rest = NULL;
    int rc;

    if (level == 1) {
        return pv_change_l1e(p, new, c);
    }
    if (level == 4 && index >= HV_SLOT_FIRST && index <= HV_SLOT_LAST) {
        return -EINVAL;
    }
    rc = pv_change_table_entry(p, new, level, c, &rest);
    if (rest) {
        v->pv->old_table = rest;
    }
    return rc;
}

static __hot int update_pt(const struct mmu_update *req, const struct update_ctx *u)
{
    unsigned cmd = req->ptr & 3, offset = (unsigned)(req->ptr & ~PAGE_MASK & ~3UL);
    const struct pv_pte_change c = {.pt_owner = u->pt_owner,
                                    .pg_owner = u->pg_owner,
                                    .preserve_ad = cmd == MMU_PT_UPDATE_PRESERVE_AD,
                                    .translate = cmd != MMU_PT_UPDATE_NO_TRANSLATE};
    struct page_info *pg;
    uint64_t type;
    int rc;

    if ((offset & 7) || u->pt_owner->is_hvm) {
        return -EINVAL;
    }
    pg = page_get_from_mfn(paddr_to_mfn(req->ptr), u->pt_owner);
    if (!pg) {
        return -EINVAL;
    }
    type = READ_ONCE(pg->type_info) & PGT_type_mask;
    if (type >= PGT_l1_page_table && type <= PGT_l4_page_table && page_type_lock(pg, type)) {
        rc = change_entry(pg, (unsigned)(type >> 60), offset, req->val, &c);
        page_type_unlock(pg);
    } else {
        rc = write_plain(pg, offset, req->val);
    }
    page_put(pg);
    return rc;
}

static int update_m2p(const struct mmu_update *req, const struct update_ctx *u)
{
    mfn_t m = paddr_to_mfn(req->ptr);
    struct page_info *pg;

    if (u->pg_owner->is_hvm) {
        return -EINVAL;
    }
    pg = page_get_from_mfn(m, u->pg_owner);
    if (!pg) {
        return -EINVAL;
    }
    m2p_set(m, req->val);
    page_put(pg);
    return 0;
}

static __hot int update_one(uint64_t gva, void *ctx)
{
    struct mmu_update req;

    if (copy_from_guest(&req, gva)) {
        return -EFAULT;
    }
    return (req.ptr & 3) == MMU_MACHPHYS_UPDATE ? update_m2p(&req, ctx) : update_pt(&req, ctx);
}

__hot long do_mmu_update(uint64_t ureqs, uint64_t count, uint64_t pdone, uint64_t foreigndom, uint64_t unused)
{
    struct update_ctx u;
    struct pv_batch b = {
        .hypercall = __HYPERVISOR_mmu_update, .size = sizeof(struct mmu_update), .one = update_one, .ctx = &u};
    unsigned pt_dom = (uint32_t)foreigndom >> 16;
    int err = 0;
    long rc;

    u.pg_owner = pv_get_pg_owner((domid_t)foreigndom, &err);
    if (!u.pg_owner) {
        return err;
    }
    /* The upper half: whose page tables, + 1. 0: one's own. */
    u.pt_owner = pv_get_pg_owner(pt_dom ? (domid_t)(pt_dom - 1) : DOMID_SELF, &err);
    if (!u.pt_owner) {
        pv_put_pg_owner(u.pg_owner);
        return err;
    }
    rc = pv_batch_run(&b, ureqs, count, pdone, foreigndom);
    pv_put_pg_owner(u.pt_owner);
    pv_put_pg_owner(u.pg_owner);
    return rc;
}
