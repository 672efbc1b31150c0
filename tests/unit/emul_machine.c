/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The callbacks of the emulator, and how the machine is set up: see the header. */
#include "emul_machine.h"

struct machine m;

static int access_memory(enum emul_seg seg, uint64_t off, unsigned bytes, enum emul_access how, uint8_t **p)
{
    uint64_t linear;
    int rc = emul_linear(&m.c, seg, off, bytes, how, &linear);

    if (rc != EMUL_OKAY)
        return rc;
    if (m.retry_after && !--m.retry_after)
        return EMUL_RETRY;
    if (linear + bytes > MEM || (m.fault_at && linear <= m.fault_at && linear + bytes > m.fault_at))
        return emul_raise_page_fault(&m.c, linear, how == EMUL_WRITE ? PFEC_W : 0);
    *p = m.mem + linear;
    return EMUL_OKAY;
}

static int op_read(enum emul_seg seg, uint64_t off, void *buf, unsigned bytes, struct emul_ctxt *c)
{
    uint8_t *p;
    int rc = access_memory(seg, off, bytes, EMUL_READ, &p);

    if (rc == EMUL_OKAY)
        memcpy(buf, p, bytes);
    return rc;
}
static int op_write(enum emul_seg seg, uint64_t off, const void *buf, unsigned bytes, struct emul_ctxt *c)
{
    uint8_t *p;
    int rc = access_memory(seg, off, bytes, EMUL_WRITE, &p);

    if (rc == EMUL_OKAY)
        memcpy(p, buf, bytes);
    m.writes += rc == EMUL_OKAY;
    return rc;
}
static int op_fetch(uint64_t off, void *buf, unsigned bytes, struct emul_ctxt *c)
{
    uint64_t linear;
    int rc = emul_linear(c, EMUL_SEG_CS, off, bytes, EMUL_FETCH, &linear);

    if (rc != EMUL_OKAY)
        return rc;
    assert_true((linear & ~PAGE_MASK) + bytes <= PAGE_SIZE);
    if (linear + bytes > m.fetch_limit)
        return emul_raise_page_fault(c, m.fetch_limit, PFEC_I);
    memcpy(buf, m.mem + linear, bytes);
    return EMUL_OKAY;
}
static int op_cmpxchg(enum emul_seg seg, uint64_t off, void *old, const void *new, unsigned bytes, struct emul_ctxt *c)
{
    uint8_t *p;
    int rc = access_memory(seg, off, bytes, EMUL_WRITE, &p);

    if (rc != EMUL_OKAY)
        return rc;
    if (m.cmpxchg_disturbed) {
        m.cmpxchg_disturbed--;
        p[0] += 16;
    }
    if (memcmp(p, old, bytes)) {
        memcpy(old, p, bytes);
        return EMUL_CMPXCHG_FAILED;
    }
    memcpy(p, new, bytes);
    return EMUL_OKAY;
}
static int op_read_segment(enum emul_seg seg, struct emul_segment *reg, struct emul_ctxt *c)
{
    *reg = m.seg[seg];
    return EMUL_OKAY;
}
static int op_write_segment(enum emul_seg seg, const struct emul_segment *reg, struct emul_ctxt *c)
{
    m.seg[seg] = *reg;
    return EMUL_OKAY;
}
static int op_read_io(uint16_t port, unsigned bytes, uint32_t *value, struct emul_ctxt *c)
{
    if (m.retry_after && !--m.retry_after)
        return EMUL_RETRY;
    *value = m.port[port & 3]++;
    return EMUL_OKAY;
}
static int op_write_io(uint16_t port, unsigned bytes, uint32_t value, struct emul_ctxt *c)
{
    m.port[port & 3] = value;
    return EMUL_OKAY;
}
static int op_read_cr(unsigned cr, uint64_t *value, struct emul_ctxt *c)
{
    *value = m.cr[cr];
    return EMUL_OKAY;
}
static int op_write_cr(unsigned cr, uint64_t value, struct emul_ctxt *c)
{
    if (cr == 0 && (value & CR0_PG) && !(value & CR0_PE))
        return emul_raise(c, X86_TRAP_GP, 0);
    m.cr[cr] = value;
    return EMUL_OKAY;
}
static int op_read_dr(unsigned dr, uint64_t *value, struct emul_ctxt *c)
{
    *value = m.dr[dr];
    return EMUL_OKAY;
}
static int op_write_dr(unsigned dr, uint64_t value, struct emul_ctxt *c)
{
    m.dr[dr] = value;
    return EMUL_OKAY;
}
static int op_read_xcr(unsigned xcr, uint64_t *value, struct emul_ctxt *c)
{
    *value = m.xcr0;
    return EMUL_OKAY;
}
static int op_write_xcr(unsigned xcr, uint64_t value, struct emul_ctxt *c)
{
    m.xcr0 = value;
    return EMUL_OKAY;
}
static uint64_t *msr_cell(uint32_t msr)
{
    switch (msr) {
    case MSR_STAR: return &m.msr_star;
    case MSR_IA32_TSC: return &m.tsc;
    case MSR_SHADOW_GS_BASE: return &m.gs_shadow;
    case MSR_TSC_AUX: return &m.tsc_aux;
    default: return NULL;
    }
}
static int op_read_msr(uint32_t msr, uint64_t *value, struct emul_ctxt *c)
{
    if (!msr_cell(msr))
        return emul_raise(c, X86_TRAP_GP, 0);
    *value = *msr_cell(msr);
    return EMUL_OKAY;
}
static int op_write_msr(uint32_t msr, uint64_t value, struct emul_ctxt *c)
{
    if (!msr_cell(msr))
        return emul_raise(c, X86_TRAP_GP, 0);
    *msr_cell(msr) = value;
    return EMUL_OKAY;
}
static int op_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4], struct emul_ctxt *c)
{
    out[0] = leaf + 1;
    out[1] = subleaf + 2;
    out[2] = 3;
    out[3] = 4;
    return EMUL_OKAY;
}
static int op_wbinvd(struct emul_ctxt *c)
{
    m.wbinvds++;
    return EMUL_OKAY;
}
static int op_invlpg(enum emul_seg seg, uint64_t off, struct emul_ctxt *c)
{
    m.invlpgs++;
    return EMUL_OKAY;
}
static int op_vmmcall(struct emul_ctxt *c)
{
    c->regs->rax = 0x1234;
    return EMUL_OKAY;
}
static bool op_preempt(struct emul_ctxt *c) { return m.preempt_after && !--m.preempt_after; }
static int op_get_fpu(struct emul_fxsave **state, struct emul_ctxt *c)
{
    *state = &m.fx;
    return EMUL_OKAY;
}
static void op_put_fpu(bool changed, struct emul_ctxt *c) {}

struct emul_ops ops;

/* -- the machine ------------------------------------------------------------------------------------------------- */
void put_descriptor(unsigned sel, uint32_t base, uint32_t limit, unsigned attr)
{
    uint64_t raw = (uint64_t)(base >> 24) << 56 | (uint64_t)(attr & 0xf0ff) << 40 | (uint64_t)(limit & 0xf0000) << 32 |
                   (uint64_t)(base & 0xffffff) << 16 | (limit & 0xffff);

    memcpy(m.mem + GDT + sel, &raw, 8);
}

void start(unsigned mode)
{
    unsigned n;

    memset(&m, 0, sizeof(m));
    ops = (struct emul_ops){
        .read = op_read, .write = op_write, .insn_fetch = op_fetch, .cmpxchg = op_cmpxchg,
        .read_segment = op_read_segment, .write_segment = op_write_segment, .read_io = op_read_io,
        .write_io = op_write_io, .read_cr = op_read_cr, .write_cr = op_write_cr, .read_dr = op_read_dr,
        .write_dr = op_write_dr, .read_xcr = op_read_xcr, .write_xcr = op_write_xcr, .read_msr = op_read_msr,
        .write_msr = op_write_msr, .cpuid = op_cpuid, .wbinvd = op_wbinvd, .invlpg = op_invlpg,
        .vmmcall = op_vmmcall, .preempt = op_preempt, .get_fpu = op_get_fpu, .put_fpu = op_put_fpu,
    };
    m.c.regs = &m.regs;
    m.c.ops = &ops;
    m.c.addr_size = m.c.sp_size = mode;
    m.c.lma = mode == 64;
    m.fetch_limit = MEM;
    m.regs.rip = CODE;
    m.regs.rsp = STACK;
    m.regs.rflags = EFLAGS_MBS;
    m.cr[0] = mode == 16 ? 0 : CR0_PE | (mode == 64 ? CR0_PG : 0);
    m.cr[4] = CR4_OSFXSR;
    for (n = 0; n <= EMUL_SEG_GS; n++)
        m.seg[n] = (struct emul_segment){.attr = mode == 16 ? 0x93 : A_DATA, .limit = mode == 16 ? 0xffff : 0xffffffff,
                                         .sel = mode == 16 ? 0 : S_DATA};
    m.seg[EMUL_SEG_CS].attr = mode == 16 ? 0x93 : mode == 64 ? 0xa09b : A_CODE;
    m.seg[EMUL_SEG_CS].sel = mode == 16 ? 0 : S_CODE;
    m.seg[EMUL_SEG_GDTR] = (struct emul_segment){.base = GDT, .limit = 0xff};
    m.seg[EMUL_SEG_LDTR].attr = EMUL_ATTR_UNUSABLE;
    m.seg[EMUL_SEG_TR] = (struct emul_segment){.sel = S_TSS, .base = TSS, .limit = 0x100, .attr = 0x8b};
    put_descriptor(S_CODE, 0, 0xfffff, A_CODE);
    put_descriptor(S_DATA, 0, 0xfffff, A_DATA);
    put_descriptor(S_CODE3, 0, 0xfffff, 0xc0fa);
    put_descriptor(S_DATA3, 0, 0xfffff, 0xc0f2);
    put_descriptor(S_ABSENT, 0, 0xfffff, 0xc013);
    put_descriptor(S_LDT, 0x3000, 0xff, 0x82);
    put_descriptor(S_TSS, TSS, 0x100, 0x89);
    put_descriptor(S_GATE, 0, 0, 0x8c);
    put_descriptor(S_CONFORM, 0, 0xfffff, 0xc09e);
    put_descriptor(S_CODE16, 0x100, 0xffff, 0x9b);
    put_descriptor(S_RODATA, 0, 0xfffff, 0xc091);
    put_descriptor(S_DOWN, 0, 0xf, 0xc097);
    put_descriptor(S_CODE64, 0, 0xfffff, 0xa09b);
}

int run_bytes(const char *bytes, unsigned n)
{
    uint64_t at = m.regs.rip + (m.c.addr_size == 64 ? 0 : m.seg[EMUL_SEG_CS].base);

    memcpy(m.mem + at, bytes, n);
    m.c.fetched = 0;
    return emul_one(&m.c);
}

void set_cpl(unsigned cpl)
{
    m.c.cpl = cpl;
    m.seg[EMUL_SEG_SS].attr = (m.seg[EMUL_SEG_SS].attr & ~0x60U) | cpl << 5;
}
void poke(uint64_t at, uint64_t v, unsigned n) { memcpy(m.mem + at, &v, n); }
uint64_t peek(uint64_t at, unsigned n)
{
    uint64_t v = 0;

    memcpy(&v, m.mem + at, n);
    return v;
}
