/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hardware task switches, which exit.  AMD APM 2 "Task Switching" (12.3);
 * Intel SDM 3A "Task Management" (7.3).  All descriptors and both task-state
 * segments are read and checked before the first write.
 */
#include "../cpu/regs.h"
#include "../lib/string.h"
#include "guest_mem.h"
#include "hvm_state.h"

struct tss32 {
    uint16_t link, r0;
    uint32_t esp0;
    uint16_t ss0, r1;
    uint32_t esp1;
    uint16_t ss1, r2;
    uint32_t esp2;
    uint16_t ss2, r3;
    uint32_t cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
    struct {
        uint16_t sel, r;
    } seg[6]; /* ES CS SS DS FS GS */
    uint16_t ldt, r4, trace, iomap;
};
_Static_assert(sizeof(struct tss32) == 104, "APM 2, 12.2.4");
#define TSS32_DYNAMIC_START offsetof(struct tss32, eip)
#define TSS32_DYNAMIC_END offsetof(struct tss32, ldt)

#define DESC_TYPE_TSS_AVAIL 0x9
#define DESC_BUSY 0x2
#define DESC_HIGH_P BIT(15)
#define DR7_LOCAL 0x55UL /* breakpoints of the task alone */

struct desc {
    uint32_t lo, hi;
};

static enum hvm_result fault(struct vcpu *v, unsigned vector, int error)
{
    hvm_inject_exception(v, vector, error, 0);
    return HVM_FAULT;
}

/* The CPU's own accesses to tables: supervisor, whatever the CPL. */
static enum hvm_result sys_access(struct vcpu *v, uint64_t gva, void *buf, size_t n, bool write)
{
    uint32_t pfec = PFEC_IMPLICIT;
    uint64_t at;
    int rc = write ? hvm_copy_to_gva(v, gva, buf, n, &pfec, &at) : hvm_copy_from_gva(v, buf, gva, n, &pfec, &at);

    if (!rc)
        return HVM_OKAY;
    hvm_inject_exception(v, X86_TRAP_PF, (int)pfec, at);
    return HVM_FAULT;
}

static uint64_t desc_base(struct desc d) { return (d.lo >> 16) | (d.hi & 0xff) << 16 | (d.hi & 0xff000000); }
static uint32_t desc_limit(struct desc d)
{
    uint32_t limit = (d.lo & 0xffff) | (d.hi & 0xf0000);

    return d.hi & BIT(23) ? limit << 12 | 0xfff : limit;
}
static void desc_to_segment(struct desc d, uint16_t sel, struct segment_reg *s)
{
    *s = (struct segment_reg){.sel = sel, .base = desc_base(d), .limit = desc_limit(d), .attr = (d.hi >> 8) & 0xf0ff};
}

/* The descriptor of a selector and the address it stands at. 'vector' if it is beyond its table. */
static enum hvm_result read_desc(struct vcpu *v, uint16_t sel, unsigned vector, struct desc *d, uint64_t *at)
{
    struct segment_reg table;

    hvm_backend->get_segment(v, sel & 4 ? SEG_LDTR : SEG_GDTR, &table);
    if (((sel & 4) && (table.attr & SEG_ATTR_UNUSABLE)) || (sel | 7U) > table.limit)
        return fault(v, vector, sel & 0xfffc);
    *at = table.base + (sel & 0xfff8);
    return sys_access(v, *at, d, sizeof(*d), false);
}

/* The target: a TSS descriptor of 32 bits, available (or busy, for IRET), present and large enough. */
static enum hvm_result check_target(struct vcpu *v, uint16_t sel, enum task_source source, struct desc *d, uint64_t *at)
{
    unsigned bad = source == TASK_IRET ? X86_TRAP_TS : X86_TRAP_GP, type;
    enum hvm_result rc;

    if ((sel & 4) || !(sel & 0xfff8))
        return fault(v, bad, sel & 0xfffc);
    rc = read_desc(v, sel, bad, d, at);
    if (rc != HVM_OKAY)
        return rc;
    type = (d->hi >> 8) & 0x1f;
    if (type != (source == TASK_IRET ? DESC_TYPE_TSS_AVAIL | DESC_BUSY : DESC_TYPE_TSS_AVAIL))
        return fault(v, bad, sel & 0xfffc);
    if (!(d->hi & DESC_HIGH_P))
        return fault(v, X86_TRAP_NP, sel & 0xfffc);
    return desc_limit(*d) < sizeof(struct tss32) - 1 ? fault(v, X86_TRAP_TS, sel & 0xfffc) : HVM_OKAY;
}

static void save_to_tss(struct vcpu *v, struct tss32 *t, enum task_source source)
{
    const struct cpu_user_regs *r = &v->regs;

    t->eip = (uint32_t)r->rip;
    t->eflags = (uint32_t)r->rflags & (source == TASK_IRET ? ~(uint32_t)EFLAGS_NT : ~0U);
    t->eax = (uint32_t)r->rax;
    t->ecx = (uint32_t)r->rcx;
    t->edx = (uint32_t)r->rdx;
    t->ebx = (uint32_t)r->rbx;
    t->esp = (uint32_t)r->rsp;
    t->ebp = (uint32_t)r->rbp;
    t->esi = (uint32_t)r->rsi;
    t->edi = (uint32_t)r->rdi;
    for (unsigned i = 0; i < 6; i++) {
        struct segment_reg s;

        hvm_backend->get_segment(v, SEG_ES + i, &s);
        t->seg[i].sel = s.sel;
    }
}

static void load_from_tss(struct vcpu *v, const struct tss32 *t, enum task_source source)
{
    struct cpu_user_regs *r = &v->regs;

    r->rip = t->eip;
    r->rflags = (t->eflags & 0x3f7fd5U) | EFLAGS_MBS;
    if (source == TASK_CALL || source == TASK_GATE)
        r->rflags |= EFLAGS_NT;
    r->rax = t->eax;
    r->rcx = t->ecx;
    r->rdx = t->edx;
    r->rbx = t->ebx;
    r->rsp = t->esp;
    r->rbp = t->ebp;
    r->rsi = t->esi;
    r->rdi = t->edi;
}

static enum hvm_result load_ldt(struct vcpu *v, uint16_t sel)
{
    struct segment_reg s = {.sel = sel, .attr = SEG_ATTR_UNUSABLE};
    enum hvm_result rc;
    struct desc d;
    uint64_t at;

    if (sel & 0xfff8) {
        if (sel & 4)
            return fault(v, X86_TRAP_TS, sel & 0xfffc);
        rc = read_desc(v, sel, X86_TRAP_TS, &d, &at);
        if (rc != HVM_OKAY)
            return rc;
        if (((d.hi >> 8) & 0x1f) != 2 || !(d.hi & DESC_HIGH_P))
            return fault(v, X86_TRAP_TS, sel & 0xfffc);
        desc_to_segment(d, sel, &s);
    }
    hvm_backend->set_segment(v, SEG_LDTR, &s);
    return HVM_OKAY;
}

/* Type and privilege rules of one segment register, for a task of that CPL. */
static bool segment_ok(enum hvm_segment seg, struct desc d, unsigned rpl, unsigned cpl)
{
    unsigned type = (d.hi >> 8) & 0x1f, dpl = (d.hi >> 13) & 3;
    bool code = type & 8, conforming = code && (type & 4);

    if (!(type & 0x10))
        return false;
    if (seg == SEG_CS)
        return code && (conforming ? dpl <= rpl : dpl == rpl);
    if (seg == SEG_SS)
        return !code && (type & 2) && dpl == cpl && rpl == cpl;
    if (code && !(type & 2))
        return false;
    return conforming || (dpl >= cpl && dpl >= rpl);
}

static enum hvm_result load_segment(struct vcpu *v, enum hvm_segment seg, uint16_t sel, unsigned cpl)
{
    struct segment_reg s = {.sel = sel, .attr = SEG_ATTR_UNUSABLE};
    enum hvm_result rc;
    struct desc d;
    uint64_t at;

    if (v->regs.rflags & EFLAGS_VM) {
        s = (struct segment_reg){.sel = sel, .base = (uint64_t)sel << 4, .limit = 0xffff, .attr = 0xf3};
    } else if (sel & 0xfffc) {
        rc = read_desc(v, sel, X86_TRAP_TS, &d, &at);
        if (rc != HVM_OKAY)
            return rc;
        if (!segment_ok(seg, d, sel & 3, cpl))
            return fault(v, X86_TRAP_TS, sel & 0xfffc);
        if (!(d.hi & DESC_HIGH_P))
            return fault(v, seg == SEG_SS ? X86_TRAP_SS : X86_TRAP_NP, sel & 0xfffc);
        if (!(d.hi & BIT(8))) { /* accessed */
            d.hi |= BIT(8);
            rc = sys_access(v, at + 4, &d.hi, sizeof(d.hi), true);
            if (rc != HVM_OKAY)
                return rc;
        }
        desc_to_segment(d, sel, &s);
    } else if (seg == SEG_CS || seg == SEG_SS) {
        return fault(v, X86_TRAP_TS, 0);
    }
    hvm_backend->set_segment(v, seg, &s);
    return HVM_OKAY;
}

static enum hvm_result load_segments(struct vcpu *v, const struct tss32 *t)
{
    static const enum hvm_segment order[] = {SEG_CS, SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    unsigned cpl = v->regs.rflags & EFLAGS_VM ? 3 : t->seg[SEG_CS].sel & 3;

    for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
        enum hvm_result rc = load_segment(v, order[i], t->seg[order[i]].sel, cpl);

        if (rc != HVM_OKAY)
            return rc;
    }
    return HVM_OKAY;
}

/* The outgoing task: its registers into its TSS, its busy bit as the kind of switch wants it. */
static enum hvm_result leave_task(struct vcpu *v, const struct segment_reg *tr, enum task_source source)
{
    enum hvm_result rc;
    struct tss32 old;
    struct desc d;
    uint64_t at;

    rc = sys_access(v, tr->base, &old, sizeof(old), false);
    if (rc != HVM_OKAY)
        return rc;
    save_to_tss(v, &old, source);
    rc = sys_access(v, tr->base + TSS32_DYNAMIC_START, (char *)&old + TSS32_DYNAMIC_START,
                    TSS32_DYNAMIC_END - TSS32_DYNAMIC_START, true);
    if (rc != HVM_OKAY || source == TASK_CALL || source == TASK_GATE)
        return rc;
    rc = read_desc(v, tr->sel, X86_TRAP_TS, &d, &at);
    if (rc != HVM_OKAY)
        return rc;
    d.hi &= ~(DESC_BUSY << 8);
    return sys_access(v, at + 4, &d.hi, sizeof(d.hi), true);
}

static enum hvm_result enter_task(struct vcpu *v, uint16_t sel, struct desc d, const struct tss32 *t,
                                  enum task_source source)
{
    struct segment_reg tr;
    enum hvm_result rc = HVM_OKAY;

    if (hvm_paging_enabled(v))
        rc = hvm_set_cr(v, 3, t->cr3);
    if (rc != HVM_OKAY)
        return rc;
    load_from_tss(v, t, source);
    desc_to_segment(d, sel, &tr);
    tr.attr |= DESC_BUSY;
    hvm_backend->set_segment(v, SEG_TR, &tr);
    v->hvm->cr[0] |= CR0_TS;
    hvm_backend->update_cr(v, 0);
    hvm_backend->set_dr(v, 7, hvm_backend->get_dr(v, 7) & ~DR7_LOCAL);
    rc = load_ldt(v, t->ldt);
    return rc == HVM_OKAY ? load_segments(v, t) : rc;
}

static enum hvm_result push_error(struct vcpu *v, uint32_t error)
{
    struct segment_reg ss;
    uint32_t esp = (uint32_t)v->regs.rsp - 4;

    hvm_backend->get_segment(v, SEG_SS, &ss);
    if (!(ss.attr & SEG_ATTR_DB))
        esp = (uint32_t)(v->regs.rsp & 0xffff0000) | (esp & 0xffff);
    v->regs.rsp = esp;
    return sys_access(v, ss.base + (ss.attr & SEG_ATTR_DB ? esp : esp & 0xffff), &error, sizeof(error), true);
}

/* v->regs.rip is what the outgoing task returns to. */
enum hvm_result hvm_task_switch(struct vcpu *v, uint16_t sel, enum task_source source, bool has_error,
                                uint32_t error_code)
{
    struct segment_reg tr;
    struct tss32 new;
    enum hvm_result rc;
    struct desc d;
    uint64_t at;

    hvm_backend->get_segment(v, SEG_TR, &tr);
    if ((tr.attr & 0xd) != DESC_TYPE_TSS_AVAIL || tr.limit < sizeof(struct tss32) - 1)
        return fault(v, X86_TRAP_TS, tr.sel & 0xfffc); /* 16-bit tasks are not done */
    rc = check_target(v, sel, source, &d, &at);
    if (rc == HVM_OKAY)
        rc = sys_access(v, desc_base(d), &new, sizeof(new), false);
    if (rc == HVM_OKAY)
        rc = leave_task(v, &tr, source);
    if (rc == HVM_OKAY && (source == TASK_CALL || source == TASK_GATE)) {
        new.link = tr.sel;
        rc = sys_access(v, desc_base(d), &new.link, sizeof(new.link), true);
    }
    if (rc == HVM_OKAY && source != TASK_IRET) {
        uint32_t busy = d.hi | DESC_BUSY << 8;

        rc = sys_access(v, at + 4, &busy, sizeof(busy), true);
    }
    if (rc != HVM_OKAY)
        return rc;
    rc = enter_task(v, sel, d, &new, source);
    if (rc == HVM_OKAY && has_error)
        rc = push_error(v, error_code);
    /* Past the point of no return: faults are the new task's. */
    return HVM_OKAY;
}
