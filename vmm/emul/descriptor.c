/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segment registers from descriptor tables. AMD APM 2 "Segmented Virtual Memory" (4.7, 4.8, 4.11). */
#include "exec.h"

static int raise_selector(struct exec *x, uint8_t vector, uint16_t sel)
{
    return emul_raise(x->c, vector, sel & 0xfffc);
}

static bool is_null(uint16_t sel) { return !(sel & 0xfffc); }

int descriptor_peek(struct exec *x, uint16_t sel, uint64_t *raw, bool *found)
{
    enum emul_seg table = sel & 4 ? EMUL_SEG_LDTR : EMUL_SEG_GDTR;
    struct emul_segment t;
    int rc = read_segment(x, table, &t);

    *found = false;
    if (rc != EMUL_OKAY)
        return rc;
    if (table == EMUL_SEG_LDTR && ((t.attr & EMUL_ATTR_UNUSABLE) || !(t.attr & EMUL_ATTR_P)))
        return EMUL_OKAY;
    if ((uint32_t)(sel & 0xfff8) + 7 > t.limit)
        return EMUL_OKAY;
    *found = true;
    return mem_read(x, table, sel & 0xfff8, raw, 8);
}

int descriptor_read(struct exec *x, uint16_t sel, uint64_t *raw)
{
    bool found;
    int rc = descriptor_peek(x, sel, raw, &found);

    return rc == EMUL_OKAY && !found ? raise_gp(x, sel) : rc;
}

void descriptor_segment(uint64_t raw, uint16_t sel, struct emul_segment *reg)
{
    memset(reg, 0, sizeof(*reg));
    reg->sel = sel;
    reg->attr = raw >> 40 & 0xf0ff;
    reg->base = (raw >> 16 & 0xffffff) | (raw >> 56 & 0xff) << 24;
    reg->limit = (raw & 0xffff) | (raw >> 32 & 0xf0000);
    if (reg->attr & EMUL_ATTR_G)
        reg->limit = reg->limit << 12 | 0xfff;
}

/* The table's byte that has the type; an atomic update where the caller can. */
int descriptor_mark(struct exec *x, uint16_t sel, uint64_t raw, unsigned bits, struct emul_segment *reg)
{
    enum emul_seg table = sel & 4 ? EMUL_SEG_LDTR : EMUL_SEG_GDTR;
    const struct emul_ops *ops = x->c->ops;
    uint64_t off = (sel & 0xfff8) + 5;
    uint8_t old = raw >> 40, new = old | bits;

    reg->attr |= bits;
    if (old == new)
        return EMUL_OKAY;
    return ops->cmpxchg ? ops->cmpxchg(table, off, &old, &new, 1, x->c) : ops->write(table, off, &new, 1, x->c);
}

void null_segment(struct emul_segment *reg, uint16_t sel)
{
    memset(reg, 0, sizeof(*reg));
    reg->sel = sel;
    reg->attr = EMUL_ATTR_UNUSABLE;
}

/* Real mode changes selector and base only: limits set up before (big real mode) stay. */
void real_segment(uint16_t sel, struct emul_segment *reg, bool vm86)
{
    reg->sel = sel;
    reg->base = (uint32_t)sel << 4;
    if (vm86) {
        reg->limit = 0xffff;
        reg->attr = 0xf3;
    }
}

static int check_stack_segment(struct exec *x, uint16_t sel, uint64_t raw, unsigned cpl)
{
    if ((descriptor_type(raw) & 0x1a) != 0x12 || (sel & 3) != cpl || descriptor_dpl(raw) != cpl)
        return raise_gp(x, sel);
    return descriptor_present(raw) ? EMUL_OKAY : raise_selector(x, X86_TRAP_SS, sel);
}

static int check_data_segment(struct exec *x, uint16_t sel, uint64_t raw, unsigned cpl)
{
    unsigned type = descriptor_type(raw), dpl = descriptor_dpl(raw);
    bool code = type & 8, conforming = code && (type & 4);

    if (!(type & 0x10) || (code && !(type & 2)))
        return raise_gp(x, sel);
    if (!conforming && ((sel & 3u) > dpl || cpl > dpl))
        return raise_gp(x, sel);
    return descriptor_present(raw) ? EMUL_OKAY : raise_selector(x, X86_TRAP_NP, sel);
}

int prepare_data_segment(struct exec *x, enum emul_seg seg, uint16_t sel, struct emul_segment *reg, unsigned cpl)
{
    uint64_t raw;
    int rc;

    if (is_null(sel)) {
        if (seg == EMUL_SEG_SS && !(mode64(x) && cpl < 3 && (sel & 3u) == cpl))
            return raise_gp(x, 0);
        null_segment(reg, sel);
        if (seg == EMUL_SEG_SS)
            reg->attr |= cpl << 5; /* SS.DPL is the CPL, whatever is loaded */
        return EMUL_OKAY;
    }
    rc = descriptor_read(x, sel, &raw);
    if (rc == EMUL_OKAY)
        rc = seg == EMUL_SEG_SS ? check_stack_segment(x, sel, raw, cpl) : check_data_segment(x, sel, raw, cpl);
    if (rc != EMUL_OKAY)
        return rc;
    descriptor_segment(raw, sel, reg);
    return descriptor_mark(x, sel, raw, 1, reg);
}

/* A call gate, task gate or TSS where a code segment would be: not done here. */
static bool is_gate_or_tss(unsigned type)
{
    return type == 0x1 || type == 0x3 || type == 0x4 || type == 0x5 || type == 0x9 || type == 0xb || type == 0xc;
}

int prepare_code_segment(struct exec *x, uint16_t sel, enum cs_load how, struct emul_segment *reg, unsigned *cpl)
{
    unsigned rpl = sel & 3, type, dpl;
    uint64_t raw;
    bool allowed;
    int rc;

    if (is_null(sel))
        return raise_gp(x, 0);
    rc = descriptor_read(x, sel, &raw);
    if (rc != EMUL_OKAY)
        return rc;
    type = descriptor_type(raw);
    dpl = descriptor_dpl(raw);
    if (how != CS_RETURN && is_gate_or_tss(type))
        return EMUL_UNHANDLEABLE;
    if ((type & 0x18) != 0x18)
        return raise_gp(x, sel);
    if (how == CS_RETURN)
        allowed = rpl >= *cpl && (type & 4 ? dpl <= rpl : dpl == rpl);
    else
        allowed = type & 4 ? dpl <= *cpl : rpl <= *cpl && dpl == *cpl;
    if (!allowed)
        return raise_gp(x, sel);
    descriptor_segment(raw, sel, reg);
    if (x->c->lma && (reg->attr & EMUL_ATTR_L) && (reg->attr & EMUL_ATTR_DB))
        return raise_gp(x, sel);
    if (!descriptor_present(raw))
        return raise_selector(x, X86_TRAP_NP, sel);
    if (how == CS_RETURN)
        *cpl = rpl;
    reg->sel = (sel & 0xfffc) | *cpl;
    return descriptor_mark(x, sel, raw, 1, reg);
}

int load_data_segment(struct exec *x, enum emul_seg seg, uint16_t sel)
{
    struct emul_segment reg;
    enum cpu_mode mode;
    int rc = cpu_mode(x, &mode);

    if (rc != EMUL_OKAY)
        return rc;
    if (mode == MODE_PROT) {
        rc = prepare_data_segment(x, seg, sel, &reg, x->c->cpl);
    } else {
        rc = read_segment(x, seg, &reg);
        real_segment(sel, &reg, mode == MODE_VM86);
    }
    return rc == EMUL_OKAY ? write_segment(x, seg, &reg) : rc;
}
