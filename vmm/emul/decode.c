/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From bytes to struct emul_insn: prefixes, opcode, ModRM and SIB, immediates.
 * AMD APM 3 "Instruction Encoding" (1.1-1.5).
 */
#include "../lib/errno.h"
#include "exec.h"

struct decoder {
    struct emul_ctxt *c;
    struct emul_insn *i;
    unsigned pos;
    bool rip_relative;
};

/* What of the page of CS:off is left, by its linear address. */
static int page_left(struct emul_ctxt *c, uint64_t off, unsigned *bytes)
{
    struct emul_segment cs;
    int rc = EMUL_OKAY;

    memset(&cs, 0, sizeof(cs));
    if (c->addr_size != 64 && c->ops->read_segment)
        rc = c->ops->read_segment(EMUL_SEG_CS, &cs, c);
    *bytes = PAGE_SIZE - ((cs.base + off) & ~PAGE_MASK);
    return rc;
}

/* Reads up to the page's end at once; where that fails, no more than what is needed. */
static __hot int fetch_more(struct decoder *d, unsigned want)
{
    struct emul_ctxt *c = d->c;

    if (want > EMUL_INSN_MAX)
        return emul_raise(c, X86_TRAP_GP, 0);
    if (!c->ops || !c->ops->insn_fetch)
        return EMUL_UNHANDLEABLE;
    while (c->fetched < want) {
        uint64_t off = c->regs->rip + c->fetched;
        unsigned left, least, bytes;
        int rc;

        if (c->addr_size != 64)
            off = (uint32_t)off;
        rc = page_left(c, off, &left);
        if (rc != EMUL_OKAY)
            return rc;
        least = MIN(want - c->fetched, left);
        bytes = MIN((unsigned)EMUL_INSN_MAX - c->fetched, left);
        rc = c->ops->insn_fetch(off, c->bytes + c->fetched, bytes, c);
        if (rc != EMUL_OKAY && bytes > least) {
            bytes = least;
            rc = c->ops->insn_fetch(off, c->bytes + c->fetched, bytes, c);
        }
        if (rc != EMUL_OKAY)
            return rc;
        c->fetched += bytes;
    }
    return EMUL_OKAY;
}

static __hot int next_bytes(struct decoder *d, uint64_t *value, unsigned bytes)
{
    if (d->pos + bytes > d->c->fetched || d->pos + bytes > EMUL_INSN_MAX) {
        int rc = fetch_more(d, d->pos + bytes);

        if (rc != EMUL_OKAY)
            return rc;
    }
    *value = 0;
    for (unsigned n = bytes; n-- > 0;)
        *value = *value << 8 | d->c->bytes[d->pos + n];
    d->pos += bytes;
    return EMUL_OKAY;
}

static __hot int next_byte(struct decoder *d, uint8_t *value)
{
    uint64_t v;
    int rc = next_bytes(d, &v, 1);

    *value = v;
    return rc;
}

static int next_signed(struct decoder *d, uint64_t *value, unsigned bytes)
{
    int rc = next_bytes(d, value, bytes);

    *value = sext(*value, bytes);
    return rc;
}

/* True if b is a legacy prefix, which is then noted. */
static bool legacy_prefix(struct decoder *d, uint8_t b)
{
    struct emul_insn *i = d->i;
    bool long_mode = d->c->addr_size == 64;

    switch (b) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
        if (!long_mode)
            i->seg = b >> 3 & 3;
        return true;
    case 0x64: i->seg = EMUL_SEG_FS; return true;
    case 0x65: i->seg = EMUL_SEG_GS; return true;
    case 0x66: i->opsize = true; return true;
    case 0x67: i->ad_bytes = d->c->addr_size == 32 ? 2 : 4; return true;
    case 0xf0: i->lock = true; return true;
    case 0xf2:
    case 0xf3: i->rep = b; return true;
    default: return false;
    }
}

/* Reads prefixes and the opcode's first byte. */
static int decode_prefixes(struct decoder *d, uint8_t *opcode)
{
    for (;;) {
        int rc = next_byte(d, opcode);

        if (rc != EMUL_OKAY)
            return rc;
        if (legacy_prefix(d, *opcode)) {
            d->i->rex = 0; /* REX counts only directly before the opcode */
        } else if (d->c->addr_size == 64 && (*opcode & 0xf0) == 0x40) {
            d->i->rex = *opcode;
        } else {
            return EMUL_OKAY;
        }
    }
}

static int decode_opcode(struct decoder *d)
{
    struct emul_insn *i = d->i;
    int rc = decode_prefixes(d, &i->opcode);

    if (rc == EMUL_OKAY && i->opcode == 0x0f) {
        i->map = 1;
        rc = next_byte(d, &i->opcode);
        if (rc == EMUL_OKAY && (i->opcode == 0x38 || i->opcode == 0x3a)) {
            i->map = i->opcode == 0x38 ? 2 : 3;
            rc = next_byte(d, &i->opcode);
        }
    }
    return rc;
}

static uint64_t gpr(const struct decoder *d, unsigned n) { return *emul_gpr(d->c->regs, n); }

/* 16-bit addressing: the pairs of APM 3, table A-33. */
static int decode_memory16(struct decoder *d)
{
    static const struct {
        int8_t base, index;
    } pairs[8] = {{3, 6}, {3, 7}, {5, 6}, {5, 7}, {6, -1}, {7, -1}, {5, -1}, {3, -1}};
    struct emul_insn *i = d->i;
    unsigned mod = i->modrm >> 6, rm = i->modrm & 7;
    uint64_t disp = 0;
    int rc = EMUL_OKAY;

    if (mod == 0 && rm == 6) {
        rc = next_bytes(d, &i->mem_off, 2);
        return rc;
    }
    if (mod)
        rc = next_signed(d, &disp, mod);
    if (pairs[rm].base == 5)
        i->mem_seg = EMUL_SEG_SS;
    i->mem_off = gpr(d, pairs[rm].base) + disp + (pairs[rm].index >= 0 ? gpr(d, pairs[rm].index) : 0);
    return rc;
}

static int decode_memory32(struct decoder *d)
{
    struct emul_insn *i = d->i;
    unsigned mod = i->modrm >> 6, base = i->modrm & 7, rex_b = (i->rex & 1) << 3;
    uint64_t index = 0, disp = 0;
    int rc = EMUL_OKAY;

    if (base == 4) {
        uint8_t sib;
        unsigned n;

        rc = next_byte(d, &sib);
        if (rc != EMUL_OKAY)
            return rc;
        n = (sib >> 3 & 7) | (i->rex & 2) << 2;
        if (n != 4)
            index = gpr(d, n) << (sib >> 6);
        base = sib & 7;
    } else if (mod == 0 && base == 5 && d->c->addr_size == 64) {
        d->rip_relative = true;
    }
    if (mod == 0 && base == 5) {
        rc = next_signed(d, &disp, 4);
        i->mem_off = disp + index;
        return rc;
    }
    if (mod)
        rc = next_signed(d, &disp, mod == 1 ? 1 : 4);
    base |= rex_b;
    if (base == 4 || base == 5)
        i->mem_seg = EMUL_SEG_SS;
    i->mem_off = gpr(d, base) + index + disp;
    return rc;
}

static int decode_modrm(struct decoder *d)
{
    struct emul_insn *i = d->i;
    int rc = next_byte(d, &i->modrm);

    if (rc != EMUL_OKAY)
        return rc;
    i->has_modrm = true;
    i->reg = (i->modrm >> 3 & 7) | (i->rex & 4) << 1;
    i->rm = (i->modrm & 7) | (i->rex & 1) << 3;
    if (i->modrm >= 0xc0 || (i->entry->flags & F_REG))
        return EMUL_OKAY;
    i->mem = true;
    i->mem_seg = EMUL_SEG_DS;
    return i->ad_bytes == 2 ? decode_memory16(d) : decode_memory32(d);
}

/* Follows groups by ModRM.reg and by mandatory prefix to the final row. */
static void find_row(struct decoder *d)
{
    struct emul_insn *i = d->i;

    while (i->entry->group) {
        unsigned n = i->modrm >> 3 & 7;

        if (i->entry->flags & F_PFX)
            n = i->rep == 0xf3 ? 2 : i->rep == 0xf2 ? 3 : i->opsize;
        i->entry = &i->entry->group[n];
    }
}

static uint8_t operand_size(const struct decoder *d)
{
    const struct emul_insn *i = d->i;
    uint32_t flags = i->entry->flags;

    if (flags & F_BYTE)
        return 1;
    if (flags & F_F64)
        return d->c->addr_size == 64 ? 8 : 4;
    if (flags & F_Y)
        return i->rex & 8 ? 8 : 4;
    if (d->c->addr_size == 64) {
        if ((flags & F_NEAR) && d->c->vendor == EMUL_VENDOR_INTEL)
            return 8;
        if (i->rex & 8)
            return 8;
        if (i->opsize)
            return 2;
        return flags & (F_D64 | F_NEAR) ? 8 : 4;
    }
    return (d->c->addr_size == 32) != i->opsize ? 4 : 2;
}

static int decode_immediate(struct decoder *d)
{
    struct emul_insn *i = d->i;
    unsigned z = MIN(i->op_bytes, (uint8_t)4);
    int rc;

    switch (i->entry->imm) {
    case IMM_S8: return next_signed(d, &i->imm, 1);
    case IMM_U8: return next_bytes(d, &i->imm, 1);
    case IMM_U16: return next_bytes(d, &i->imm, 2);
    case IMM_Z: return next_signed(d, &i->imm, z);
    case IMM_V: return next_bytes(d, &i->imm, i->op_bytes);
    case IMM_MOFFS:
        i->mem = true;
        i->mem_seg = EMUL_SEG_DS;
        return next_bytes(d, &i->mem_off, i->ad_bytes);
    case IMM_FAR: rc = next_bytes(d, &i->imm, z); return rc == EMUL_OKAY ? next_bytes(d, &i->imm2, 2) : rc;
    case IMM_ENTER: rc = next_bytes(d, &i->imm, 2); return rc == EMUL_OKAY ? next_bytes(d, &i->imm2, 1) : rc;
    default: return EMUL_OKAY;
    }
}

/* What only the whole instruction tells of its memory operand. */
static void finish_memory(struct decoder *d)
{
    struct emul_insn *i = d->i;
    const struct emul_opcode *op = i->entry;

    if (!i->mem)
        return;
    if (d->rip_relative)
        i->mem_off += d->c->regs->rip + d->pos;
    i->mem_off &= mask_of(i->ad_bytes);
    if (i->seg != EMUL_SEG_NONE)
        i->mem_seg = i->seg;
    i->mem_bytes = op->bytes == BYTES_NONE ? 0 : op->bytes ? op->bytes : op->flags & F_MEM16 ? 2 : i->op_bytes;
    i->mem_write = (op->flags & F_WRITE) && op->dst == O_E;
}

/*
 * C4, C5 and 62 are LES, LDS and BOUND only outside 64-bit mode and with a
 * memory operand; else VEX and EVEX, which are not emulated.
 */
static int reject_vex(struct decoder *d)
{
    const struct emul_insn *i = d->i;
    uint64_t next;
    int rc;

    if (i->map || (i->opcode != 0xc4 && i->opcode != 0xc5 && i->opcode != 0x62))
        return EMUL_OKAY;
    if (d->c->addr_size == 64)
        return EMUL_UNHANDLEABLE;
    rc = next_bytes(d, &next, 1);
    d->pos--;
    return rc == EMUL_OKAY && next >= 0xc0 ? EMUL_UNHANDLEABLE : rc;
}

__hot int emul_decode(struct emul_ctxt *c)
{
    struct decoder d = {.c = c, .i = &c->insn};
    struct emul_insn *i = d.i;
    int rc;

    memset(i, 0, sizeof(*i));
    i->seg = EMUL_SEG_NONE;
    i->ad_bytes = c->addr_size / 8;
    rc = decode_opcode(&d);
    if (rc == EMUL_OKAY)
        rc = reject_vex(&d);
    if (rc != EMUL_OKAY)
        return rc;
    i->entry = emul_lookup(i->map, i->opcode);
    if (i->map == 0 && i->opcode == 0x63 && c->addr_size != 64)
        i->entry = &emul_arpl_row;
    if (i->entry->flags & F_MODRM) {
        rc = decode_modrm(&d);
        if (rc != EMUL_OKAY)
            return rc;
    }
    find_row(&d);
    i->op_bytes = operand_size(&d);
    rc = decode_immediate(&d);
    if (rc != EMUL_OKAY)
        return rc;
    finish_memory(&d);
    i->len = d.pos;
    return EMUL_OKAY;
}

int emul_insn_length(const uint8_t *bytes, unsigned n, unsigned mode)
{
    struct cpu_user_regs regs;
    struct emul_ctxt c;

    memset(&regs, 0, sizeof(regs));
    memset(&c, 0, sizeof(c));
    c.regs = &regs;
    c.addr_size = c.sp_size = mode;
    c.fetched = MIN(n, (unsigned)EMUL_INSN_MAX);
    memcpy(c.bytes, bytes, c.fetched);
    return emul_decode(&c) == EMUL_OKAY ? c.insn.len : -EINVAL;
}
