/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Far transfers: JMP, CALL and RET between segments, and IRET.  Gates and task
 * switches are not done here (EMUL_UNHANDLEABLE).  All checks and memory
 * accesses come before the first segment register is written.
 */
#include "exec.h"

/* Is off a valid rip in the code segment cs? */
static int check_target(struct exec *x, const struct emul_segment *cs, uint64_t off)
{
    bool to_64 = x->c->lma && (cs->attr & EMUL_ATTR_L);

    return (to_64 ? is_canonical(off) : off <= cs->limit) ? EMUL_OKAY : raise_gp(x, 0);
}

static int prepare_cs(struct exec *x, uint16_t sel, uint64_t off, enum cs_load how, struct emul_segment *cs,
                      unsigned *cpl)
{
    enum cpu_mode mode;
    int rc = cpu_mode(x, &mode);

    *cpl = x->c->cpl;
    if (rc != EMUL_OKAY)
        return rc;
    if (mode == MODE_PROT) {
        rc = prepare_code_segment(x, sel, how, cs, cpl);
    } else {
        rc = read_segment(x, EMUL_SEG_CS, cs);
        real_segment(sel, cs, mode == MODE_VM86);
    }
    return rc == EMUL_OKAY ? check_target(x, cs, off) : rc;
}

static int finish(struct exec *x, const struct emul_segment *cs, uint64_t off, unsigned cpl)
{
    int rc = write_segment(x, EMUL_SEG_CS, cs);

    if (rc == EMUL_OKAY) {
        x->r.rip = off;
        x->cpl = cpl;
    }
    return rc;
}

static int jump_far(struct exec *x, uint16_t sel, uint64_t off)
{
    struct emul_segment cs;
    unsigned cpl;
    int rc = prepare_cs(x, sel, off, CS_JUMP, &cs, &cpl);

    return rc == EMUL_OKAY ? finish(x, &cs, off, cpl) : rc;
}

static int call_far(struct exec *x, uint16_t sel, uint64_t off)
{
    struct emul_segment cs, old;
    unsigned cpl;
    int rc = prepare_cs(x, sel, off, CS_CALL, &cs, &cpl);

    if (rc == EMUL_OKAY)
        rc = read_segment(x, EMUL_SEG_CS, &old);
    if (rc == EMUL_OKAY)
        rc = push(x, old.sel, x->bytes);
    if (rc == EMUL_OKAY)
        rc = push(x, x->r.rip, x->bytes);
    return rc == EMUL_OKAY ? finish(x, &cs, off, cpl) : rc;
}

/* The operand of FF /3 and /5: offset, then selector. AMD knows no 64-bit offset there. */
static int read_far_pointer(struct exec *x, uint64_t *off, uint64_t *sel)
{
    int rc;

    if (x->bytes == 8 && x->c->vendor == EMUL_VENDOR_AMD)
        x->bytes = 4;
    rc = mem_read(x, x->i->mem_seg, x->mem_off, off, x->bytes);
    if (rc != EMUL_OKAY)
        return rc;
    return mem_read(x, x->i->mem_seg, (x->mem_off + x->bytes) & mask_of(x->i->ad_bytes), sel, 2);
}

int exec_jmp_far(struct exec *x) { return jump_far(x, x->i->imm2, x->i->imm); }
int exec_call_far(struct exec *x) { return call_far(x, x->i->imm2, x->i->imm); }

int exec_jmp_far_e(struct exec *x)
{
    uint64_t off, sel;
    int rc = read_far_pointer(x, &off, &sel);

    return rc == EMUL_OKAY ? jump_far(x, sel, off) : rc;
}

int exec_call_far_e(struct exec *x)
{
    uint64_t off, sel;
    int rc = read_far_pointer(x, &off, &sel);

    return rc == EMUL_OKAY ? call_far(x, sel, off) : rc;
}

/* Data segments that the new, lower privilege may not keep become null (APM 3, "RETF"). */
static int drop_privileged_segments(struct exec *x, unsigned cpl)
{
    static const uint8_t segs[] = {EMUL_SEG_ES, EMUL_SEG_DS, EMUL_SEG_FS, EMUL_SEG_GS};
    struct emul_segment reg;
    unsigned n;
    int rc;

    for (n = 0; n < ARRAY_SIZE(segs); n++) {
        rc = read_segment(x, segs[n], &reg);
        if (rc != EMUL_OKAY)
            return rc;
        if ((reg.attr & EMUL_ATTR_UNUSABLE) || (reg.attr & 0xc) == 0xc || EMUL_ATTR_DPL(reg.attr) >= cpl)
            continue;
        null_segment(&reg, 0);
        rc = write_segment(x, segs[n], &reg);
        if (rc != EMUL_OKAY)
            return rc;
    }
    return EMUL_OKAY;
}

/* SS:rSP of the outer stack, from the current stack at disp. */
static int prepare_outer_stack(struct exec *x, uint64_t disp, const struct emul_segment *cs, unsigned cpl,
                               struct emul_segment *ss, uint64_t *sp)
{
    uint64_t sel;
    int rc = stack_read(x, disp, sp, x->bytes);

    if (rc == EMUL_OKAY)
        rc = stack_read(x, disp + x->bytes, &sel, x->bytes);
    if (rc != EMUL_OKAY)
        return rc;
    if (!(sel & 0xfffc) && !(x->c->lma && (cs->attr & EMUL_ATTR_L)))
        return raise_gp(x, 0);
    return prepare_data_segment(x, EMUL_SEG_SS, sel, ss, cpl);
}

/* Loads CS and the outer stack, whose pointer has the size that the new SS says. */
static int finish_outer(struct exec *x, const struct emul_segment *cs, uint64_t off, unsigned cpl,
                        const struct emul_segment *ss, uint64_t sp)
{
    bool wide = (x->c->lma && (cs->attr & EMUL_ATTR_L)) || (ss->attr & EMUL_ATTR_DB);
    int rc = write_segment(x, EMUL_SEG_SS, ss);

    if (rc == EMUL_OKAY)
        rc = finish(x, cs, off, cpl);
    if (rc == EMUL_OKAY && cpl > x->c->cpl)
        rc = drop_privileged_segments(x, cpl);
    x->r.rsp = wide ? sp : (x->r.rsp & ~0xffffULL) | (sp & 0xffff);
    return rc;
}

int exec_ret_far(struct exec *x)
{
    struct emul_segment cs, ss;
    uint64_t off, sel, sp;
    unsigned cpl;
    int rc = stack_read(x, 0, &off, x->bytes);

    if (rc == EMUL_OKAY)
        rc = stack_read(x, x->bytes, &sel, x->bytes);
    if (rc == EMUL_OKAY)
        rc = prepare_cs(x, sel, off, CS_RETURN, &cs, &cpl);
    if (rc != EMUL_OKAY)
        return rc;
    if (cpl == x->c->cpl) {
        stack_adjust(x, 2 * x->bytes + x->i->imm);
        return finish(x, &cs, off, cpl);
    }
    rc = prepare_outer_stack(x, 2 * x->bytes + x->i->imm, &cs, cpl, &ss, &sp);
    return rc == EMUL_OKAY ? finish_outer(x, &cs, off, cpl, &ss, sp + x->i->imm) : rc;
}

/* To virtual-8086 mode: nine doublewords (APM 2, 12.3 and APM 3 "IRET"). */
static int iret_to_vm86(struct exec *x, uint64_t off, uint64_t cs_sel, uint64_t flags)
{
    static const uint8_t segs[] = {EMUL_SEG_SS, EMUL_SEG_ES, EMUL_SEG_DS, EMUL_SEG_FS, EMUL_SEG_GS};
    struct emul_segment reg;
    uint64_t sel[ARRAY_SIZE(segs)], sp;
    unsigned n;
    int rc = stack_read(x, 12, &sp, 4);

    for (n = 0; n < ARRAY_SIZE(segs) && rc == EMUL_OKAY; n++)
        rc = stack_read(x, 16 + 4 * n, &sel[n], 4);
    for (n = 0; n < ARRAY_SIZE(segs) && rc == EMUL_OKAY; n++) {
        real_segment(sel[n], &reg, true);
        rc = write_segment(x, segs[n], &reg);
    }
    if (rc != EMUL_OKAY)
        return rc;
    real_segment(cs_sel, &reg, true);
    x->r.rsp = sp;
    x->r.rflags = (flags & 0x3f7fd5) | EFLAGS_MBS;
    return finish(x, &reg, off & 0xffff, 3);
}

static int iret_protected(struct exec *x, uint64_t off, uint64_t sel, uint64_t flags)
{
    uint64_t writable = writable_flags(x, x->bytes), sp;
    struct emul_segment cs, ss;
    unsigned cpl;
    int rc;

    if (!x->c->lma && (flags & EFLAGS_VM) && !x->c->cpl && x->bytes == 4)
        return iret_to_vm86(x, off, sel, flags);
    rc = prepare_cs(x, sel, off, CS_RETURN, &cs, &cpl);
    if (rc != EMUL_OKAY)
        return rc;
    if (!x->c->cpl && x->bytes > 2)
        writable |= EFLAGS_VIF | EFLAGS_VIP;
    if (cpl == x->c->cpl && !mode64(x)) {
        stack_adjust(x, 3 * x->bytes);
        rc = finish(x, &cs, off, cpl);
    } else {
        rc = prepare_outer_stack(x, 3 * x->bytes, &cs, cpl, &ss, &sp);
        if (rc == EMUL_OKAY)
            rc = finish_outer(x, &cs, off, cpl, &ss, sp);
    }
    set_flags(x, writable, flags);
    return rc;
}

static int iret_real(struct exec *x, uint64_t off, uint64_t sel, uint64_t flags, bool vm86)
{
    uint64_t writable = writable_flags(x, x->bytes);
    struct emul_segment cs;
    unsigned cpl;
    int rc;

    if (vm86 && iopl(x) < 3)
        return raise_gp(x, 0);
    rc = prepare_cs(x, sel, off, CS_RETURN, &cs, &cpl);
    if (rc != EMUL_OKAY)
        return rc;
    stack_adjust(x, 3 * x->bytes);
    set_flags(x, writable, flags);
    return finish(x, &cs, off, x->c->cpl);
}

int exec_iret(struct exec *x)
{
    uint64_t off, sel, flags;
    enum cpu_mode mode;
    int rc = cpu_mode(x, &mode);

    if (rc != EMUL_OKAY)
        return rc;
    if (mode == MODE_PROT && (x->r.rflags & EFLAGS_NT))
        return x->c->lma ? raise_gp(x, 0) : EMUL_UNHANDLEABLE; /* a return from a nested task */
    rc = stack_read(x, 0, &off, x->bytes);
    if (rc == EMUL_OKAY)
        rc = stack_read(x, x->bytes, &sel, x->bytes);
    if (rc == EMUL_OKAY)
        rc = stack_read(x, 2 * x->bytes, &flags, x->bytes);
    if (rc != EMUL_OKAY)
        return rc;
    x->c->retire.unblock_nmi = true;
    if (mode == MODE_PROT)
        return iret_protected(x, off, sel, flags);
    return iret_real(x, off, sel, flags, mode == MODE_VM86);
}
