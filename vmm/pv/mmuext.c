/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HYPERVISOR_mmuext_op: pinning, base pointers, flushes, whole pages (public header xen.h). */
#include "batch.h"
#include "../cpu/percpu.h"
#include "../domain/hypercall.h"
#include "../domain/pirq.h"
#include "../lib/string.h"
#include "../mm/tlb.h"

/* -- whose frames -------------------------------------------------------------------------------------------------- */
static bool is_system_domain(const struct domain *d) { return d == dom_io || d == dom_xen; }

__hot struct domain *pv_get_pg_owner(domid_t id, int *err)
{
    struct domain *self = current->domain, *d;

    *err = -ESRCH;
    if (id == DOMID_SELF) {
        id = self->id;
    } else if (id == self->id) {
        return NULL; /* the ABI has oneself named as DOMID_SELF only */
    }
    if (id == DOMID_IO) {
        return dom_io; /* what of it one may map, iomem_caps say */
    }
    if (id == DOMID_XEN) {
        *err = -EPERM;
        return self->is_privileged ? dom_xen : NULL;
    }
    d = domain_get_by_id(id);
    if (!d || d == self || self->is_privileged || self->target == d) {
        return d;
    }
    *err = -EPERM;
    domain_put(d);
    return NULL;
}

__hot void pv_put_pg_owner(struct domain *d)
{
    if (!is_system_domain(d)) {
        domain_put(d);
    }
}

/* -- TLBs ---------------------------------------------------------------------------------------------------------- */
static void add_cpus(const struct vcpu *v, cpumask_t *out)
{
    for (unsigned i = 0; i < ARRAY_SIZE(out->bits); i++) {
        out->bits[i] |= READ_ONCE(v->dirty_cpus.bits[i]);
    }
}

void pv_dirty_cpus(struct domain *d, cpumask_t *out)
{
    struct vcpu *v;

    memset(out, 0, sizeof(*out));
    for_each_vcpu(d, v) {
        add_cpus(v, out);
    }
}

int pv_vcpumask_to_cpus(struct domain *d, uint64_t gva, cpumask_t *out)
{
    uint8_t map[DIV_ROUND_UP(PV_MAX_VCPUS, 8)] = {};
    struct vcpu *v;

    memset(out, 0, sizeof(*out));
    if (copy_from_guest_bytes(map, gva, DIV_ROUND_UP(MIN(d->max_vcpus, (unsigned)PV_MAX_VCPUS), 8))) {
        return -EFAULT;
    }
    for_each_vcpu(d, v) {
        if (v->id < PV_MAX_VCPUS && test_bit(v->id, map)) {
            add_cpus(v, out);
        }
    }
    return 0;
}

static __hot int op_flush(struct domain *d, const struct mmuext_op *op)
{
    uint64_t va = op->arg1.linear_addr;
    cpumask_t mask;

    switch (op->cmd) {
    case MMUEXT_TLB_FLUSH_LOCAL: flush_tlb_local(FLUSH_TLB, 0); return 0;
    case MMUEXT_INVLPG_LOCAL:
        if (is_guest_va(va)) {
            flush_tlb_local(FLUSH_VA, va);
        }
        return 0;
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
        if (pv_vcpumask_to_cpus(d, (uint64_t)(uintptr_t)op->arg2.vcpumask.p, &mask)) {
            return -EINVAL;
        }
        break;
    default: pv_dirty_cpus(d, &mask); break;
    }
    if (op->cmd == MMUEXT_TLB_FLUSH_MULTI || op->cmd == MMUEXT_TLB_FLUSH_ALL) {
        flush_tlb_mask(&mask, FLUSH_TLB, 0);
    } else if (is_guest_va(va)) {
        flush_tlb_mask(&mask, FLUSH_VA, va);
    }
    return 0;
}

static int op_flush_cache(struct domain *d, bool global)
{
    /* Only for those whose devices may not snoop. */
    if (!d->is_hardware && !rangeset_overlaps(d->iomem_caps, 0, ~0UL)) {
        return -EACCES;
    }
    if (global) {
        flush_tlb_mask(&cpu_online_map, FLUSH_CACHE, 0);
    } else {
        flush_tlb_local(FLUSH_CACHE, 0);
    }
    return 0;
}

/* -- pinning ------------------------------------------------------------------------------------------------------- */
static bool test_and_change_pin(struct page_info *pg, bool pin)
{
    uint64_t old = pin ? __atomic_fetch_or(&pg->type_info, PGT_pinned, __ATOMIC_SEQ_CST)
                       : __atomic_fetch_and(&pg->type_info, ~PGT_pinned, __ATOMIC_SEQ_CST);

    return old & PGT_pinned;
}

/* A pin is a type and a general reference that the domain holds until it unpins or dies. */
static int op_pin(struct domain *owner, mfn_t mfn, unsigned level)
{
    struct page_info *pg = page_get_from_mfn(mfn, owner);
    bool drop;
    int rc;

    if (!pg) {
        return -EINVAL;
    }
    rc = page_get_type_preemptible(pg, PGT_l1_page_table * level);
    if (rc) {
        page_put(pg);
        return rc;
    }
    drop = test_and_change_pin(pg, true);
    rc = drop ? -EINVAL : 0;
    /* Whoever relinquishes the domain's memory looks for pins after it was marked as dying. */
    if (!drop && READ_ONCE(owner->dying) != DOMDYING_alive) {
        drop = test_and_change_pin(pg, false);
    }
    if (drop) {
        int restart = pv_put_table(current, pg);

        rc = rc ? rc : restart;
    }
    return rc;
}

static int op_unpin(struct domain *owner, mfn_t mfn)
{
    struct page_info *pg = page_get_from_mfn(mfn, owner);

    if (!pg) {
        return -EINVAL;
    }
    if (!test_and_change_pin(pg, false)) {
        page_put(pg);
        return -EINVAL;
    }
    page_put(pg); /* the pin's own is left */
    return pv_put_table(current, pg);
}

/* -- whole pages --------------------------------------------------------------------------------------------------- */
static int op_clear(struct domain *owner, mfn_t mfn)
{
    struct page_info *pg = page_get_from_mfn(mfn, owner);
    int rc = -EINVAL;

    if (!pg) {
        return rc;
    }
    if (!page_get_type(pg, PGT_writable_page)) {
        clear_page(page_to_virt(pg));
        page_put_type(pg);
        rc = 0;
    }
    page_put(pg);
    return rc;
}

static int op_copy(struct domain *owner, mfn_t dst, mfn_t src)
{
    struct page_info *from = page_get_from_mfn(src, owner), *to;
    int rc = -EINVAL;

    if (!from) {
        return rc;
    }
    to = page_get_from_mfn(dst, owner);
    if (to) {
        if (!page_get_type(to, PGT_writable_page)) {
            memmove(page_to_virt(to), page_to_virt(from), PAGE_SIZE);
            page_put_type(to);
            rc = 0;
        }
        page_put(to);
    }
    page_put(from);
    return rc;
}

/* -- the hypercall ------------------------------------------------------------------------------------------------- */
/* What only concerns the caller's own address space. */
static __hot int own_op(struct vcpu *v, const struct mmuext_op *op)
{
    switch (op->cmd) {
    case MMUEXT_NEW_BASEPTR: return op->arg1.mfn ? pv_set_kernel_base(v, MFN(op->arg1.mfn)) : -EINVAL;
    case MMUEXT_NEW_USER_BASEPTR: return pv_set_user_base(v, MFN(op->arg1.mfn));
    case MMUEXT_FLUSH_CACHE: return op_flush_cache(v->domain, false);
    case MMUEXT_FLUSH_CACHE_GLOBAL: return op_flush_cache(v->domain, true);
    case MMUEXT_SET_LDT: return pv_set_ldt(v, op->arg1.linear_addr, op->arg2.nr_ents);
    default: return op_flush(v->domain, op);
    }
}

static __hot int mmuext_one(uint64_t gva, void *ctx)
{
    struct domain *owner = ctx;
    struct vcpu *v = current;
    struct mmuext_op op;

    if (copy_from_guest(&op, gva)) {
        return -EFAULT;
    }
    switch (op.cmd) {
    case MMUEXT_PIN_L1_TABLE:
    case MMUEXT_PIN_L2_TABLE:
    case MMUEXT_PIN_L3_TABLE:
    case MMUEXT_PIN_L4_TABLE: return op_pin(owner, MFN(op.arg1.mfn), op.cmd - MMUEXT_PIN_L1_TABLE + 1);
    case MMUEXT_UNPIN_TABLE: return op_unpin(owner, MFN(op.arg1.mfn));
    case MMUEXT_CLEAR_PAGE: return op_clear(owner, MFN(op.arg1.mfn));
    case MMUEXT_COPY_PAGE: return op_copy(owner, MFN(op.arg1.mfn), MFN(op.arg2.src_mfn));
    case MMUEXT_NEW_BASEPTR:
    case MMUEXT_NEW_USER_BASEPTR:
    case MMUEXT_TLB_FLUSH_LOCAL:
    case MMUEXT_INVLPG_LOCAL:
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
    case MMUEXT_TLB_FLUSH_ALL:
    case MMUEXT_INVLPG_ALL:
    case MMUEXT_FLUSH_CACHE:
    case MMUEXT_FLUSH_CACHE_GLOBAL:
    case MMUEXT_SET_LDT: return owner == v->domain ? own_op(v, &op) : -EPERM;
    case MMUEXT_MARK_SUPER:
    case MMUEXT_UNMARK_SUPER: return -EOPNOTSUPP;
    default: return -ENOSYS;
    }
}

__hot long do_mmuext_op(uint64_t uops, uint64_t count, uint64_t pdone, uint64_t foreigndom, uint64_t unused)
{
    struct pv_batch b = {.hypercall = __HYPERVISOR_mmuext_op, .size = sizeof(struct mmuext_op), .one = mmuext_one};
    int err = 0;
    struct domain *owner = pv_get_pg_owner((domid_t)foreigndom, &err);
    long rc;

    if (!owner) {
        return err;
    }
    if (owner == dom_io && !current->domain->is_privileged) {
        return -EPERM;
    }
    b.ctx = owner;
    rc = pv_batch_run(&b, uops, count, pdone, foreigndom);
    pv_put_pg_owner(owner);
    return rc;
}
