/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the CPU's mode and segments allow: linear addresses, ports, branch targets. */
#include "exec.h"

int read_cr(struct exec *x, unsigned cr, uint64_t *value)
{
    return x->c->ops->read_cr ? x->c->ops->read_cr(cr, value, x->c) : EMUL_UNHANDLEABLE;
}

int read_msr(struct exec *x, uint32_t msr, uint64_t *value)
{
    return x->c->ops->read_msr ? x->c->ops->read_msr(msr, value, x->c) : EMUL_UNHANDLEABLE;
}

int read_segment(struct exec *x, enum emul_seg seg, struct emul_segment *reg)
{
    memset(reg, 0, sizeof(*reg));
    return x->c->ops->read_segment ? x->c->ops->read_segment(seg, reg, x->c) : EMUL_UNHANDLEABLE;
}

int write_segment(struct exec *x, enum emul_seg seg, const struct emul_segment *reg)
{
    return x->c->ops->write_segment ? x->c->ops->write_segment(seg, reg, x->c) : EMUL_UNHANDLEABLE;
}

int cpu_mode(struct exec *x, enum cpu_mode *mode)
{
    uint64_t cr0;
    int rc;

    if (x->c->lma) {
        *mode = MODE_PROT;
        return EMUL_OKAY;
    }
    if (x->r.rflags & EFLAGS_VM) {
        *mode = MODE_VM86;
        return EMUL_OKAY;
    }
    rc = read_cr(x, 0, &cr0);
    if (rc == EMUL_OKAY)
        *mode = cr0 & CR0_PE ? MODE_PROT : MODE_REAL;
    return rc;
}

static int segment_fault(struct emul_ctxt *c, enum emul_seg seg)
{
    return emul_raise(c, seg == EMUL_SEG_SS ? X86_TRAP_SS : X86_TRAP_GP, 0);
}

/* Type checks of a code or data segment outside 64-bit mode (APM 2, 4.7, 4.8). */
static bool type_allows(const struct emul_segment *s, enum emul_access access)
{
    bool code = s->attr & 8;

    if ((s->attr & EMUL_ATTR_UNUSABLE) || !(s->attr & EMUL_ATTR_P))
        return false;
    switch (access) {
    case EMUL_WRITE: return !code && (s->attr & 2);
    case EMUL_READ: return !code || (s->attr & 2);
    default: return true;
    }
}

/* Limit checks (APM 2, 4.12). */
static bool limit_allows(const struct emul_segment *s, uint64_t off, unsigned bytes)
{
    uint64_t last = off + bytes - 1;
    bool expand_down = (s->attr & 0xc) == 4;

    if (!expand_down)
        return last <= s->limit;
    return off > s->limit && last <= (s->attr & EMUL_ATTR_DB ? 0xffffffff : 0xffff);
}

/* Real mode has segments of one kind: it does not look at their types. */
static bool is_real_mode(struct emul_ctxt *c)
{
    uint64_t cr0 = CR0_PE;

    return !c->lma && c->ops->read_cr && c->ops->read_cr(0, &cr0, c) == EMUL_OKAY && !(cr0 & CR0_PE);
}

int emul_linear(struct emul_ctxt *c, enum emul_seg seg, uint64_t off, unsigned bytes, enum emul_access access,
                uint64_t *linear)
{
    struct emul_segment s;
    bool system = seg >= EMUL_SEG_LDTR;
    int rc;

    if (seg == EMUL_SEG_NONE) {
        *linear = off;
        return EMUL_OKAY;
    }
    if (c->addr_size == 64 && !system && seg < EMUL_SEG_FS) {
        *linear = off;
        return is_canonical(off) && is_canonical(off + bytes - 1) ? EMUL_OKAY : segment_fault(c, seg);
    }
    if (!c->ops->read_segment)
        return EMUL_UNHANDLEABLE;
    memset(&s, 0, sizeof(s));
    rc = c->ops->read_segment(seg, &s, c);
    if (rc != EMUL_OKAY)
        return rc;
    *linear = s.base + off;
    if (c->addr_size == 64 || (system && c->lma))
        return is_canonical(*linear) && is_canonical(*linear + bytes - 1) ? EMUL_OKAY : segment_fault(c, seg);
    *linear = (uint32_t)*linear;
    if (!system && (!limit_allows(&s, off, bytes) || (!type_allows(&s, access) && !is_real_mode(c))))
        return segment_fault(c, seg);
    return EMUL_OKAY;
}

/* The I/O permission bitmap of a 32 or 64-bit TSS (APM 2, 12.2.5, 12.2.4). */
static int check_io_bitmap(struct exec *x, uint16_t port, unsigned bytes)
{
    struct emul_segment tr;
    uint64_t base, bits;
    int rc = read_segment(x, EMUL_SEG_TR, &tr);

    if (rc != EMUL_OKAY)
        return rc;
    if (!(tr.attr & EMUL_ATTR_P) || (tr.attr & (EMUL_ATTR_S | 0xd)) != 9 || tr.limit < 0x67)
        return raise_gp(x, 0);
    rc = mem_read(x, EMUL_SEG_TR, 0x66, &base, 2);
    if (rc != EMUL_OKAY)
        return rc;
    if (base + port / 8 + 1 > tr.limit)
        return raise_gp(x, 0);
    rc = mem_read(x, EMUL_SEG_TR, base + port / 8, &bits, 2);
    if (rc != EMUL_OKAY)
        return rc;
    return bits >> (port & 7) & ((1U << bytes) - 1) ? raise_gp(x, 0) : EMUL_OKAY;
}

int check_io(struct exec *x, uint16_t port, unsigned bytes)
{
    bool vm86 = !x->c->lma && (x->r.rflags & EFLAGS_VM);

    return vm86 || x->c->cpl > iopl(x) ? check_io_bitmap(x, port, bytes) : EMUL_OKAY;
}

int set_rip(struct exec *x, uint64_t rip)
{
    struct emul_segment cs;
    int rc;

    rip &= mask_of(x->bytes);
    if (mode64(x)) {
        if (!is_canonical(rip))
            return raise_gp(x, 0);
    } else if (x->c->ops->read_segment) {
        rc = read_segment(x, EMUL_SEG_CS, &cs);
        if (rc != EMUL_OKAY)
            return rc;
        if (rip > cs.limit)
            return raise_gp(x, 0);
    }
    x->r.rip = rip;
    return EMUL_OKAY;
}
