/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions on segment and descriptor-table registers. AMD APM 3, chapter 4. */
#include "exec.h"

/* ModRM.reg names a segment register, without REX.R. */
static unsigned modrm_seg(const struct exec *x) { return x->i->modrm >> 3 & 7; }

static int get_selector(struct exec *x, enum emul_seg seg, uint64_t *sel)
{
    struct emul_segment reg;
    int rc = read_segment(x, seg, &reg);

    *sel = reg.sel;
    return rc;
}

int exec_push_seg(struct exec *x)
{
    uint64_t sel;
    int rc = get_selector(x, x->i->opcode >> 3 & 7, &sel);

    return rc == EMUL_OKAY ? push(x, sel, x->bytes) : rc;
}

int exec_pop_seg(struct exec *x)
{
    unsigned seg = x->i->opcode >> 3 & 7;
    uint64_t sel;
    int rc = pop(x, &sel, x->bytes);

    if (rc == EMUL_OKAY)
        rc = load_data_segment(x, seg, sel);
    x->c->retire.mov_ss = rc == EMUL_OKAY && seg == EMUL_SEG_SS;
    return rc;
}

int exec_mov_from_seg(struct exec *x)
{
    return modrm_seg(x) > EMUL_SEG_GS ? raise_ud(x) : get_selector(x, modrm_seg(x), &x->dst);
}

int exec_mov_to_seg(struct exec *x)
{
    unsigned seg = modrm_seg(x);
    int rc;

    if (seg == EMUL_SEG_CS || seg > EMUL_SEG_GS)
        return raise_ud(x);
    rc = load_data_segment(x, seg, x->src);
    x->c->retire.mov_ss = rc == EMUL_OKAY && seg == EMUL_SEG_SS;
    return rc;
}

/* LES, LDS, LSS, LFS, LGS */
int exec_load_far_pointer(struct exec *x)
{
    static const uint8_t segs[8] = {[2] = EMUL_SEG_SS, [4] = EMUL_SEG_FS, [5] = EMUL_SEG_GS};
    enum emul_seg seg = x->i->map ? segs[x->i->opcode & 7] : x->i->opcode & 1 ? EMUL_SEG_DS : EMUL_SEG_ES;
    uint64_t off, sel;
    int rc = mem_read(x, x->i->mem_seg, x->mem_off, &off, x->bytes);

    if (rc == EMUL_OKAY)
        rc = mem_read(x, x->i->mem_seg, (x->mem_off + x->bytes) & mask_of(x->i->ad_bytes), &sel, 2);
    if (rc == EMUL_OKAY)
        rc = load_data_segment(x, seg, sel);
    if (rc == EMUL_OKAY)
        reg_set(x, x->i->reg, off, x->bytes);
    return rc;
}

int exec_arpl(struct exec *x)
{
    bool raise;

    x->src = reg_get(x, x->i->reg, 2);
    raise = (x->dst & 3) < (x->src & 3);
    if (raise)
        x->dst = (x->dst & ~3ULL) | (x->src & 3);
    x->no_write = !raise;
    set_flags(x, EFLAGS_ZF, raise ? EFLAGS_ZF : 0);
    return EMUL_OKAY;
}

/* For LAR, LSL, VERR and VERW: *raw, if the selector names a descriptor that this privilege may see. */
static int visible_descriptor(struct exec *x, uint64_t *raw, bool *visible)
{
    uint16_t sel = x->src;
    unsigned type;
    int rc;

    *visible = false;
    if (!(sel & 0xfffc))
        return EMUL_OKAY;
    rc = descriptor_peek(x, sel, raw, visible);
    if (rc != EMUL_OKAY || !*visible)
        return rc;
    type = descriptor_type(*raw);
    if ((type & 0x1c) != 0x1c && (x->c->cpl > descriptor_dpl(*raw) || (sel & 3u) > descriptor_dpl(*raw)))
        *visible = false;
    return EMUL_OKAY;
}

static int set_zf(struct exec *x, bool zf)
{
    set_flags(x, EFLAGS_ZF, zf ? EFLAGS_ZF : 0);
    x->no_write = !zf;
    return EMUL_OKAY;
}

/* Bit n: system descriptor type n is accepted; long mode has fewer types (APM 2, table 4-6). */
#define LAR_TYPES 0x1a3e
#define LAR_TYPES_LONG 0x1a04
#define LSL_TYPES 0x0a0e
#define LSL_TYPES_LONG 0x0a04

static bool type_accepted(const struct exec *x, uint64_t raw, unsigned legacy, unsigned lng)
{
    unsigned type = descriptor_type(raw);

    return (type & 0x10) || ((x->c->lma ? lng : legacy) >> type & 1);
}

int exec_lar(struct exec *x)
{
    uint64_t raw;
    bool ok;
    int rc = visible_descriptor(x, &raw, &ok);

    if (rc != EMUL_OKAY)
        return rc;
    if (!ok || !type_accepted(x, raw, LAR_TYPES, LAR_TYPES_LONG))
        return set_zf(x, false);
    x->dst = raw >> 32 & 0x00f0ff00;
    return set_zf(x, true);
}

int exec_lsl(struct exec *x)
{
    struct emul_segment reg;
    uint64_t raw;
    bool ok;
    int rc = visible_descriptor(x, &raw, &ok);

    if (rc != EMUL_OKAY)
        return rc;
    if (!ok || !type_accepted(x, raw, LSL_TYPES, LSL_TYPES_LONG))
        return set_zf(x, false);
    descriptor_segment(raw, 0, &reg);
    x->dst = reg.limit;
    return set_zf(x, true);
}

int exec_verr(struct exec *x)
{
    uint64_t raw;
    bool ok;
    int rc = visible_descriptor(x, &raw, &ok);

    if (rc != EMUL_OKAY)
        return rc;
    return set_zf(x, ok && (descriptor_type(raw) & 0x10) && (descriptor_type(raw) & 0xa) != 8);
}

int exec_verw(struct exec *x)
{
    uint64_t raw;
    bool ok;
    int rc = visible_descriptor(x, &raw, &ok);

    if (rc != EMUL_OKAY)
        return rc;
    return set_zf(x, ok && (descriptor_type(raw) & 0x1a) == 0x12);
}

/* User-mode instruction prevention (APM 2, 3.1.3 "CR4.UMIP"). */
static int check_umip(struct exec *x)
{
    uint64_t cr4;
    int rc;

    if (!x->c->cpl)
        return EMUL_OKAY;
    rc = read_cr(x, 4, &cr4);
    return rc == EMUL_OKAY && (cr4 & CR4_UMIP) ? raise_gp(x, 0) : rc;
}

int exec_sldt(struct exec *x)
{
    int rc = check_umip(x);

    return rc == EMUL_OKAY ? get_selector(x, EMUL_SEG_LDTR, &x->dst) : rc;
}

int exec_str(struct exec *x)
{
    int rc = check_umip(x);

    return rc == EMUL_OKAY ? get_selector(x, EMUL_SEG_TR, &x->dst) : rc;
}

int exec_smsw(struct exec *x)
{
    int rc = check_umip(x);

    return rc == EMUL_OKAY ? read_cr(x, 0, &x->dst) : rc;
}

/* LDT and TSS descriptors; in long mode they have 16 bytes, with base 63:32 in the third word. */
static int load_system_segment(struct exec *x, enum emul_seg seg, unsigned types, unsigned mark)
{
    uint16_t sel = x->src;
    struct emul_segment reg;
    uint64_t raw, high = 0;
    int rc;

    if (sel & 4)
        return raise_gp(x, sel);
    rc = descriptor_read(x, sel, &raw);
    if (rc != EMUL_OKAY)
        return rc;
    if ((descriptor_type(raw) & 0x10) || !(types >> descriptor_type(raw) & 1))
        return raise_gp(x, sel);
    if (!descriptor_present(raw))
        return emul_raise(x->c, X86_TRAP_NP, sel & 0xfffc);
    descriptor_segment(raw, sel, &reg);
    if (x->c->lma) {
        rc = descriptor_read(x, sel + 8, &high);
        if (rc != EMUL_OKAY)
            return rc;
        reg.base |= high << 32;
        if (!is_canonical(reg.base))
            return raise_gp(x, sel);
    }
    rc = descriptor_mark(x, sel, raw, mark, &reg);
    return rc == EMUL_OKAY ? write_segment(x, seg, &reg) : rc;
}

int exec_lldt(struct exec *x)
{
    struct emul_segment reg;

    if (x->src & 0xfffc)
        return load_system_segment(x, EMUL_SEG_LDTR, 1 << 2, 0);
    null_segment(&reg, x->src);
    return write_segment(x, EMUL_SEG_LDTR, &reg);
}

int exec_ltr(struct exec *x)
{
    if (!(x->src & 0xfffc))
        return raise_gp(x, 0);
    return load_system_segment(x, EMUL_SEG_TR, x->c->lma ? 1 << 9 : 1 << 9 | 1 << 1, 2);
}

static int store_table(struct exec *x, enum emul_seg seg)
{
    struct emul_segment reg;
    int rc;

    if (!x->i->mem)
        return exec_group7(x);
    rc = check_umip(x);
    if (rc == EMUL_OKAY)
        rc = read_segment(x, seg, &reg);
    if (rc == EMUL_OKAY)
        rc = mem_write(x, x->i->mem_seg, x->mem_off, reg.limit, 2);
    if (rc == EMUL_OKAY)
        rc = mem_write(x, x->i->mem_seg, (x->mem_off + 2) & mask_of(x->i->ad_bytes), reg.base, mode64(x) ? 8 : 4);
    return rc;
}

static int load_table(struct exec *x, enum emul_seg seg)
{
    struct emul_segment reg;
    uint64_t limit, base;
    int rc;

    if (!x->i->mem)
        return exec_group7(x);
    if (x->c->cpl)
        return raise_gp(x, 0);
    rc = mem_read(x, x->i->mem_seg, x->mem_off, &limit, 2);
    if (rc == EMUL_OKAY)
        rc = mem_read(x, x->i->mem_seg, (x->mem_off + 2) & mask_of(x->i->ad_bytes), &base, mode64(x) ? 8 : 4);
    if (rc != EMUL_OKAY)
        return rc;
    if (mode64(x) && !is_canonical(base))
        return raise_gp(x, 0);
    memset(&reg, 0, sizeof(reg));
    reg.limit = limit;
    reg.base = !mode64(x) && x->bytes == 2 ? base & 0xffffff : base;
    return write_segment(x, seg, &reg);
}

int exec_sgdt(struct exec *x) { return store_table(x, EMUL_SEG_GDTR); }
int exec_sidt(struct exec *x) { return store_table(x, EMUL_SEG_IDTR); }
int exec_lgdt(struct exec *x) { return load_table(x, EMUL_SEG_GDTR); }
int exec_lidt(struct exec *x) { return load_table(x, EMUL_SEG_IDTR); }
