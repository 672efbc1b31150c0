/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writable page tables: a guest's kernel writes to a level-1 table as if it
 * were memory; the fault is turned into a checked change of the entry
 * (VMASST_TYPE_writable_pagetables in the public header xen.h).
 */
#include "guest.h"
#include "../cpu/regs.h"
#include "../lib/string.h"

struct ptwr {
    struct vcpu *v;
    struct page_info *table; /* with a reference */
    uint64_t page;           /* linear address it is mapped at */
};

static __hot bool linear(struct ptwr *p, enum emul_seg seg, uint64_t offset, uint64_t *va)
{
    struct emul_segment s;

    *va = offset;
    if (seg == EMUL_SEG_FS || seg == EMUL_SEG_GS) {
        if (!pv_segment(p->v, seg, &s)) {
            return false;
        }
        *va += s.base;
    }
    return is_guest_va(*va);
}

static __hot int fetch(uint64_t offset, void *buf, unsigned bytes, struct emul_ctxt *c)
{
    return pv_copy_from_guest(buf, offset, bytes) ? EMUL_UNHANDLEABLE : EMUL_OKAY;
}

static __hot int read(enum emul_seg seg, uint64_t offset, void *buf, unsigned bytes, struct emul_ctxt *c)
{
    uint64_t va;

    if (!linear(c->opaque, seg, offset, &va) || pv_copy_from_guest(buf, va, bytes)) {
        return EMUL_UNHANDLEABLE;
    }
    return EMUL_OKAY;
}

/* old: NULL, or what the bytes must be now; they are stored there if they are not. The table is locked. */
static __hot int change_locked(struct ptwr *p, uint64_t va, void *old, const void *new, unsigned bytes)
{
    pte_t *entry = (pte_t *)((char *)page_to_virt(p->table) + (va & ~PAGE_MASK & ~7UL));
    unsigned at = va & 7;
    pte_t now = READ_ONCE(*entry), wanted = now;
    const struct pv_pte_change c = {
        .pt_owner = p->v->domain, .pg_owner = p->v->domain, .expect = old || bytes < sizeof(pte_t) ? &now : NULL};
    int rc;

    if (old && memcmp((char *)&now + at, old, bytes)) {
        memcpy(old, (char *)&now + at, bytes);
        return EMUL_CMPXCHG_FAILED;
    }
    memcpy((char *)&wanted + at, new, bytes);
    rc = pv_change_l1e(entry, wanted, &c);
    if (rc == -EAGAIN) { /* the CPU has just set A or D */
        return EMUL_RETRY;
    }
    return rc ? EMUL_UNHANDLEABLE : EMUL_OKAY;
}

static __hot int change(struct emul_ctxt *c, enum emul_seg seg, uint64_t offset, void *old, const void *new,
                        unsigned bytes)
{
    struct ptwr *p = c->opaque;
    uint64_t va;
    int rc;

    if (!linear(p, seg, offset, &va) || (va & PAGE_MASK) != p->page || (va & 7) + bytes > sizeof(pte_t) ||
        !page_type_lock(p->table, PGT_l1_page_table)) {
        return EMUL_UNHANDLEABLE;
    }
    rc = change_locked(p, va, old, new, bytes);
    page_type_unlock(p->table);
    return rc;
}

static __hot int write(enum emul_seg seg, uint64_t offset, const void *buf, unsigned bytes, struct emul_ctxt *c)
{
    return change(c, seg, offset, NULL, buf, bytes);
}

static __hot int cmpxchg(enum emul_seg seg, uint64_t offset, void *old, const void *new, unsigned bytes,
                         struct emul_ctxt *c)
{
    return change(c, seg, offset, old, new, bytes);
}

static int read_segment(enum emul_seg seg, struct emul_segment *reg, struct emul_ctxt *c)
{
    struct ptwr *p = c->opaque;

    return pv_segment(p->v, seg, reg) ? EMUL_OKAY : EMUL_UNHANDLEABLE;
}

static const struct emul_ops ptwr_ops = {
    .read = read,
    .write = write,
    .insn_fetch = fetch,
    .cmpxchg = cmpxchg,
    .read_segment = read_segment,
};

static __hot bool emulate(struct cpu_user_regs *regs, struct ptwr *p)
{
    struct emul_ctxt c = {.regs = regs, .ops = &ptwr_ops, .opaque = p, .addr_size = 64, .sp_size = 64, .lma = true};

    switch (emul_one(&c)) {
    case EMUL_OKAY:
        if (c.retire.singlestep) {
            p->v->dr[6] |= 0x4000; /* DR6.BS */
            pv_inject_exception(X86_TRAP_DB, 0);
        }
        return true;
    case EMUL_RETRY: return true;
    default: return false;
    }
}

__hot bool pv_ptwr(struct cpu_user_regs *regs, uint64_t cr2)
{
    struct vcpu *v = current;
    struct ptwr p = {.v = v, .page = cr2 & PAGE_MASK};
    struct emul_segment cs;
    bool done = false;
    unsigned level;
    pte_t e;

    if (!(v->domain->vm_assist & (1U << VMASST_TYPE_writable_pagetables)) || !pv_in_kernel_mode(v)) {
        return false;
    }
    e = pv_walk(v, cr2, &level);
    if (!(e & PTE_P) || (e & PTE_W)) {
        return false;
    }
    p.table = page_get_from_mfn(pte_mfn(e), v->domain);
    if (!p.table) {
        return false;
    }
    if ((READ_ONCE(p.table->type_info) & PGT_type_mask) == PGT_l1_page_table && pv_segment(v, EMUL_SEG_CS, &cs) &&
        (cs.attr & EMUL_ATTR_L)) {
        done = emulate(regs, &p);
    }
    page_put(p.table);
    return done;
}
