/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The emulator where the host CPU cannot be asked: real mode, segments and
 * privilege, system instructions, ports, faults, REP and LOCK under retry.
 */
// sources: vmm/emul/*.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/cpu/regs.h"
#include "vmm/emul/emul.h"
#include "vmm/lib/string.h"

#define MEM 0x20000
#define GDT 0x1000
#define TSS 0x2000
#define CODE 0x4000
#define STACK 0x8000

static struct machine {
    uint8_t mem[MEM];
    struct cpu_user_regs regs;
    struct emul_ctxt c;
    struct emul_segment seg[EMUL_SEG_NONE];
    uint64_t cr[16], dr[8], xcr0;
    uint64_t msr_star, tsc, gs_shadow, tsc_aux, efer;
    uint32_t port[4];
    unsigned fetch_limit;              /* code beyond it faults */
    uint64_t fault_at;                 /* a data access there page-faults */
    unsigned retry_after;              /* accesses until EMUL_RETRY; 0: never */
    unsigned cmpxchg_disturbed;        /* how many times another CPU wins */
    unsigned preempt_after, fast_calls, writes, invlpgs, wbinvds;
    struct emul_fxsave fx;
} m;

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

static struct emul_ops ops;

/* -- the machine ------------------------------------------------------------------------------------------------- */
static void put_descriptor(unsigned sel, uint32_t base, uint32_t limit, unsigned attr)
{
    uint64_t raw = (uint64_t)(base >> 24) << 56 | (uint64_t)(attr & 0xf0ff) << 40 | (uint64_t)(limit & 0xf0000) << 32 |
                   (uint64_t)(base & 0xffffff) << 16 | (limit & 0xffff);

    memcpy(m.mem + GDT + sel, &raw, 8);
}

enum { /* selectors */
    S_CODE = 0x08, S_DATA = 0x10, S_CODE3 = 0x18, S_DATA3 = 0x20, S_ABSENT = 0x28, S_LDT = 0x30, S_TSS = 0x40, S_GATE = 0x50,
    S_CONFORM = 0x58, S_CODE16 = 0x60, S_RODATA = 0x68, S_DOWN = 0x70, S_CODE64 = 0x78,
};
#define A_CODE 0xc09b /* present, readable, accessed, 32-bit, granular */
#define A_DATA 0xc093

static void start(unsigned mode)
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

/* Runs the instruction whose bytes are given at CS:rip. */
static int run_bytes(const char *bytes, unsigned n)
{
    uint64_t at = m.regs.rip + (m.c.addr_size == 64 ? 0 : m.seg[EMUL_SEG_CS].base);

    memcpy(m.mem + at, bytes, n);
    m.c.fetched = 0;
    return emul_one(&m.c);
}
#define RUN(bytes) run_bytes(bytes, sizeof(bytes) - 1)
static void set_cpl(unsigned cpl)
{
    m.c.cpl = cpl;
    m.seg[EMUL_SEG_SS].attr = (m.seg[EMUL_SEG_SS].attr & ~0x60U) | cpl << 5;
}
static void poke(uint64_t at, uint64_t v, unsigned n) { memcpy(m.mem + at, &v, n); }
static uint64_t peek(uint64_t at, unsigned n)
{
    uint64_t v = 0;

    memcpy(&v, m.mem + at, n);
    return v;
}

#define assert_ok(bytes) assert_int_equal(RUN(bytes), EMUL_OKAY)
/* The fault, and that it changed no register. */
#define assert_fault(bytes, vec, code)                                                                                 \
    do {                                                                                                               \
        struct cpu_user_regs before_ = m.regs;                                                                         \
        assert_int_equal(RUN(bytes), EMUL_EXCEPTION);                                                                  \
        assert_int_equal(m.c.event.vector, vec);                                                                       \
        assert_int_equal(m.c.event.error_code, code);                                                                  \
        assert_memory_equal(&before_, &m.regs, sizeof(before_));                                                       \
    } while (0)
#define assert_ud(bytes) assert_fault(bytes, X86_TRAP_UD, -1)
#define assert_gp(bytes, code) assert_fault(bytes, X86_TRAP_GP, code)

/* -- real mode --------------------------------------------------------------------------------------------------- */
static void real_mode_far_transfers(void **state)
{
    start(16);
    assert_ok("\xea\x10\x00\x50\x04"); /* jmp 0450:0010 */
    assert_int_equal(m.regs.rip, 0x10);
    assert_int_equal(m.seg[EMUL_SEG_CS].base, 0x4500);
    assert_ok("\x9a\x20\x00\x60\x04"); /* call 0460:0020 */
    assert_int_equal(m.regs.rip, 0x20);
    assert_int_equal(m.regs.rsp, STACK - 4);
    assert_int_equal(peek(STACK - 4, 4), 0x04500015);
    assert_ok("\xcb"); /* retf */
    assert_int_equal(m.regs.rip, 0x15);
    assert_int_equal(m.seg[EMUL_SEG_CS].sel, 0x450);
    poke(STACK, 0x04600033, 4);
    poke(STACK + 4, EFLAGS_IF | EFLAGS_CF, 2);
    assert_ok("\xcf"); /* iret */
    assert_int_equal(m.regs.rip, 0x33);
    assert_int_equal(m.regs.rflags, EFLAGS_MBS | EFLAGS_IF | EFLAGS_CF);
    assert_true(m.c.retire.unblock_nmi);
}

static void real_mode_segments(void **state)
{
    start(16);
    m.regs.rax = 0x1234;
    m.seg[EMUL_SEG_DS].limit = 0xffffffff;
    assert_ok("\x8e\xd8"); /* mov ds, ax */
    assert_int_equal(m.seg[EMUL_SEG_DS].base, 0x12340);
    assert_int_equal(m.seg[EMUL_SEG_DS].limit, 0xffffffff); /* big real mode */
    assert_ok("\x8c\xdb"); /* mov bx, ds */
    assert_int_equal(m.regs.rbx, 0x1234);
    assert_ok("\x16\x07"); /* push ss */
    assert_ok("\x07"); /* pop es */
    assert_int_equal(m.seg[EMUL_SEG_ES].sel, 0);
    assert_ok("\x8e\xd0"); /* mov ss, ax */
    assert_true(m.c.retire.mov_ss);
    start(16);
    poke(0x100, 0x22221111, 4);
    assert_ok("\xc4\x3e\x00\x01"); /* les di, [0x100] */
    assert_int_equal(m.regs.rdi, 0x1111);
    assert_int_equal(m.seg[EMUL_SEG_ES].base, 0x22220);
    assert_ud("\x0f\x00\xc0"); /* sldt needs protected mode */
    assert_ud("\x63\xc0");     /* arpl too */
}

static void real_mode_limits(void **state)
{
    start(16);
    m.regs.rbx = 0xffff;
    assert_gp("\x8b\x07", 0); /* mov ax, [bx] across the limit */
    assert_ok("\x8a\x07");
    m.regs.rbp = 0xffff;
    assert_fault("\x8b\x46\x00", X86_TRAP_SS, 0);
    m.regs.rsi = 0xffff;
    m.regs.rdi = 0x100;
    m.regs.rcx = 2;
    poke(0xffff, 0xaa, 1);
    poke(0, 0xbb, 1);
    assert_ok("\xf3\xa4"); /* si wraps */
    assert_int_equal(peek(0x100, 2), 0xbbaa);
    assert_int_equal(m.regs.rsi, 1);
    m.seg[EMUL_SEG_CS].attr = 0x9b; /* as some hardware reports it: writable all the same */
    assert_ok("\x2e\xa3\x00\x01");
}

static void software_interrupts(void **state)
{
    start(16);
    assert_int_equal(RUN("\xcd\x10"), EMUL_EXCEPTION);
    assert_int_equal(m.c.event.type, EMUL_EVENT_SW_INT);
    assert_int_equal(m.c.event.vector, 0x10);
    assert_int_equal(m.c.event.insn_len, 2);
    assert_int_equal(RUN("\xcc"), EMUL_EXCEPTION);
    assert_int_equal(m.c.event.type, EMUL_EVENT_SW_EXCEPTION);
    assert_int_equal(RUN("\xf1"), EMUL_EXCEPTION);
    assert_int_equal(m.c.event.type, EMUL_EVENT_PRIV_SW);
    assert_ok("\xce"); /* into without OF */
    m.regs.rflags |= EFLAGS_OF;
    assert_int_equal(RUN("\xce"), EMUL_EXCEPTION);
    assert_int_equal(m.c.event.vector, X86_TRAP_OF);
    m.regs.rflags |= EFLAGS_VM;
    m.cr[0] = CR0_PE;
    set_cpl(3);
    assert_gp("\xcd\x10", 0); /* IOPL 0 in virtual-8086 mode */
    assert_gp("\xfa", 0);
    assert_gp("\x9c", 0);
    m.regs.rflags |= EFLAGS_IOPL;
    assert_ok("\xfa");
    assert_int_equal(RUN("\xcd\x10"), EMUL_EXCEPTION);
    assert_int_equal(m.c.event.type, EMUL_EVENT_SW_INT);
}

/* -- protected mode ---------------------------------------------------------------------------------------------- */
static void load_selector(unsigned sel) { m.regs.rax = sel; }

static void protected_data_segments(void **state)
{
    start(32);
    load_selector(S_DATA3 | 3);
    assert_ok("\x8e\xd8");
    assert_int_equal(m.seg[EMUL_SEG_DS].sel, S_DATA3 | 3);
    assert_int_equal(m.seg[EMUL_SEG_DS].limit, 0xffffffff);
    assert_int_equal(m.seg[EMUL_SEG_DS].attr, 0xc0f3);
    assert_int_equal(peek(GDT + S_DATA3 + 5, 1), 0xf3); /* accessed */
    load_selector(0);
    assert_ok("\x8e\xd8");
    assert_gp("\xa1\x00\x01\x00\x00", 0); /* through a null segment */
    assert_gp("\x8e\xd0", 0);             /* mov ss, null */
    load_selector(S_ABSENT);
    assert_fault("\x8e\xd8", X86_TRAP_NP, S_ABSENT);
    assert_fault("\x8e\xd0", X86_TRAP_SS, S_ABSENT);
    load_selector(0x200);
    assert_gp("\x8e\xd8", 0x200); /* beyond the table */
    load_selector(S_DATA | 4);
    assert_gp("\x8e\xd8", S_DATA | 4); /* no LDT */
    load_selector(S_GATE);
    assert_gp("\x8e\xd8", S_GATE);
    load_selector(S_DATA3 | 3);
    assert_gp("\x8e\xd0", S_DATA3); /* stack of another privilege */
    load_selector(S_RODATA);
    assert_gp("\x8e\xd0", S_RODATA);
    assert_ok("\x8e\xd8");
    assert_gp("\xa3\x00\x01\x00\x00", 0); /* write to read-only */
    assert_ok("\xa1\x00\x01\x00\x00");
    assert_ud("\x8e\xc8"); /* mov cs, ax */
    load_selector(S_DOWN);
    assert_ok("\x8e\xd8");
    assert_gp("\xa1\x00\x01\x00\x00", 0); /* below the limit of an expand-down segment */
    assert_ok("\xa1\x00\x00\x01\x00");
    set_cpl(3);
    load_selector(S_DATA | 3);
    assert_gp("\x8e\xd8", S_DATA);
}

static void protected_far_transfers(void **state)
{
    start(32);
    assert_ok("\xea\x00\x50\x00\x00\x60\x00"); /* jmp to 16-bit code */
    assert_int_equal(m.regs.rip, 0x5000);
    assert_int_equal(m.seg[EMUL_SEG_CS].base, 0x100);
    start(32);
    assert_gp("\xea\x00\x50\x00\x00\x00\x00", 0);
    assert_gp("\xea\x00\x50\x00\x00\x10\x00", S_DATA);
    assert_gp("\xea\x00\x50\x00\x00\x1b\x00", S_CODE3);
    assert_gp("\xea\x00\x00\x01\x00\x60\x00", 0); /* target beyond the limit */
    assert_int_equal(RUN("\x9a\x00\x50\x00\x00\x50\x00"), EMUL_UNHANDLEABLE); /* call gate */
    assert_int_equal(RUN("\xea\x00\x50\x00\x00\x40\x00"), EMUL_UNHANDLEABLE); /* TSS */
    assert_ok("\x9a\x00\x50\x00\x00\x58\x00"); /* conforming */
    assert_int_equal(m.seg[EMUL_SEG_CS].sel, S_CONFORM);
    assert_int_equal(peek(STACK - 8, 8), (uint64_t)S_CODE << 32 | (CODE + 7));
    assert_ok("\xcb");
    assert_int_equal(m.regs.rip, CODE + 7);
}

static void return_to_outer_ring(void **state)
{
    start(32);
    poke(STACK, CODE + 0x100, 4);
    poke(STACK + 4, S_CODE3 | 3, 4);
    poke(STACK + 12, 0x9000, 4); /* after 4 bytes of arguments */
    poke(STACK + 16, S_DATA3 | 3, 4);
    assert_ok("\xca\x04\x00");
    assert_int_equal(m.regs.rip, CODE + 0x100);
    assert_int_equal(m.regs.rsp, 0x9004);
    assert_int_equal(m.c.cpl, 3);
    assert_int_equal(m.seg[EMUL_SEG_SS].sel, S_DATA3 | 3);
    assert_true(m.seg[EMUL_SEG_DS].attr & EMUL_ATTR_UNUSABLE); /* it was a ring 0 segment */

    start(32);
    poke(STACK, CODE, 4);
    poke(STACK + 4, S_CODE3 | 3, 4);
    poke(STACK + 8, EFLAGS_IF | EFLAGS_IOPL, 4);
    poke(STACK + 12, 0x9000, 4);
    poke(STACK + 16, S_DATA3 | 3, 4);
    assert_ok("\xcf");
    assert_int_equal(m.regs.rsp, 0x9000);
    assert_int_equal(m.regs.rflags, EFLAGS_MBS | EFLAGS_IF | EFLAGS_IOPL);
    m.regs.rflags = EFLAGS_MBS; /* in ring 3, with IOPL 0, IF and IOPL stay */
    set_cpl(3);
    poke(0x9000, CODE, 4);
    poke(0x9004, S_CODE3 | 3, 4);
    poke(0x9008, EFLAGS_IF | EFLAGS_IOPL | EFLAGS_ZF, 4);
    assert_ok("\xcf");
    assert_int_equal(m.regs.rflags, EFLAGS_MBS | EFLAGS_ZF);
    poke(m.regs.rsp, CODE, 4);
    poke(m.regs.rsp + 4, S_CODE, 4);
    assert_gp("\xcf", S_CODE); /* inward */
    m.regs.rflags |= EFLAGS_NT;
    assert_int_equal(RUN("\xcf"), EMUL_UNHANDLEABLE);
}

static void iret_to_virtual_8086(void **state)
{
    static const uint32_t frame[9] = {0x10, 0x450, EFLAGS_VM | EFLAGS_IF | EFLAGS_IOPL, 0xfff0, 0x700, 1, 2, 3, 4};

    start(32);
    memcpy(m.mem + STACK, frame, sizeof(frame));
    assert_ok("\xcf");
    assert_int_equal(m.regs.rip, 0x10);
    assert_int_equal(m.regs.rsp, 0xfff0);
    assert_int_equal(m.seg[EMUL_SEG_CS].base, 0x4500);
    assert_int_equal(m.seg[EMUL_SEG_SS].base, 0x7000);
    assert_int_equal(m.seg[EMUL_SEG_GS].base, 0x40);
    assert_true(m.regs.rflags & EFLAGS_VM);
    assert_int_equal(m.c.cpl, 3);
}

static void iret_in_long_mode(void **state)
{
    static const uint64_t frame[5] = {CODE + 0x40, S_CODE64, EFLAGS_IF | EFLAGS_MBS, 0x9000, 0};

    start(64);
    memcpy(m.mem + STACK, frame, sizeof(frame));
    assert_ok("\x48\xcf");
    assert_int_equal(m.regs.rip, CODE + 0x40);
    assert_int_equal(m.regs.rsp, 0x9000);
    assert_true(m.seg[EMUL_SEG_SS].attr & EMUL_ATTR_UNUSABLE);
    poke(0x9000, 1ULL << 47, 8);
    poke(0x9008, S_CODE64, 8);
    assert_gp("\x48\xcf", 0); /* not canonical */
}

static void descriptor_queries(void **state)
{
    start(32);
    m.regs.rcx = S_CODE3;
    assert_ok("\x0f\x02\xc1"); /* lar eax, ecx */
    assert_int_equal(m.regs.rax, 0xc0fa00);
    assert_true(m.regs.rflags & EFLAGS_ZF);
    assert_ok("\x0f\x03\xc1"); /* lsl */
    assert_int_equal(m.regs.rax, 0xffffffff);
    assert_ok("\x0f\x00\xe1"); /* verr */
    assert_true(m.regs.rflags & EFLAGS_ZF);
    assert_ok("\x0f\x00\xe9"); /* verw of code */
    assert_false(m.regs.rflags & EFLAGS_ZF);
    m.regs.rcx = S_GATE;
    m.regs.rax = 7;
    assert_ok("\x0f\x03\xc1");
    assert_false(m.regs.rflags & EFLAGS_ZF);
    assert_int_equal(m.regs.rax, 7);
    set_cpl(3);
    m.regs.rcx = S_DATA | 3;
    assert_ok("\x0f\x00\xe1");
    assert_false(m.regs.rflags & EFLAGS_ZF);
    m.regs.rax = 0x10;
    m.regs.rcx = 3;
    assert_ok("\x63\xc8"); /* arpl ax, cx */
    assert_int_equal(m.regs.rax, 0x13);
    assert_true(m.regs.rflags & EFLAGS_ZF);
}

static void system_segments(void **state)
{
    start(32);
    m.regs.rax = S_LDT;
    assert_ok("\x0f\x00\xd0"); /* lldt */
    assert_int_equal(m.seg[EMUL_SEG_LDTR].base, 0x3000);
    m.regs.rax = S_TSS;
    assert_ok("\x0f\x00\xd8"); /* ltr */
    assert_int_equal(m.seg[EMUL_SEG_TR].attr, 0x8b);
    assert_int_equal(peek(GDT + S_TSS + 5, 1), 0x8b);
    assert_gp("\x0f\x00\xd8", S_TSS); /* busy now */
    m.regs.rax = S_DATA;
    assert_gp("\x0f\x00\xd0", S_DATA);
    poke(0x100, 0x123456780177, 6);
    assert_ok("\x0f\x01\x15\x00\x01\x00\x00"); /* lgdt [0x100] */
    assert_int_equal(m.seg[EMUL_SEG_GDTR].base, 0x12345678);
    assert_int_equal(m.seg[EMUL_SEG_GDTR].limit, 0x177);
    assert_ok("\x0f\x01\x05\x00\x02\x00\x00"); /* sgdt [0x200] */
    assert_int_equal(peek(0x200, 6), 0x123456780177);
    set_cpl(3);
    assert_gp("\x0f\x01\x15\x00\x01\x00\x00", 0);
    assert_ok("\x0f\x01\x05\x00\x02\x00\x00");
    m.cr[4] |= CR4_UMIP;
    assert_gp("\x0f\x01\x05\x00\x02\x00\x00", 0);
    assert_gp("\x0f\x00\xc0", 0);
}

static void port_permissions(void **state)
{
    start(32);
    m.port[1] = 0x55;
    m.regs.rdx = 0x71;
    m.regs.rax = ~0ULL;
    assert_ok("\xec");
    assert_int_equal(m.regs.rax, 0xffffffffffffff55);
    assert_ok("\xed");
    assert_int_equal(m.regs.rax, 0x56);
    m.regs.rax = 0x99;
    assert_ok("\xe6\x82");
    assert_int_equal(m.port[2], 0x99);
    set_cpl(3);
    poke(TSS + 0x66, 0x68, 2);
    memset(m.mem + TSS + 0x68, 0, 0x40);
    assert_ok("\xec");
    poke(TSS + 0x68 + 0x71 / 8, 4, 1); /* port 0x72 */
    assert_ok("\xec");
    assert_gp("\xed", 0);
    m.regs.rdx = 0x7000;
    assert_gp("\xec", 0); /* beyond the TSS */
    m.regs.rflags |= EFLAGS_IOPL;
    assert_ok("\xec");
}

/* -- system instructions ----------------------------------------------------------------------------------------- */
static void control_registers(void **state)
{
    start(64);
    m.cr[3] = 0x123000;
    assert_ok("\x0f\x20\xd8"); /* mov rax, cr3 */
    assert_int_equal(m.regs.rax, 0x123000);
    m.regs.rbx = 0xf;
    assert_ok("\x44\x0f\x22\xc3"); /* mov cr8, rbx */
    assert_int_equal(m.cr[8], 0xf);
    assert_ud("\x0f\x20\xc8"); /* CR1 */
    m.cr[0] |= CR0_TS;
    assert_ok("\x0f\x06"); /* clts */
    assert_false(m.cr[0] & CR0_TS);
    m.regs.rax = CR0_TS;
    assert_ok("\x0f\x01\xf0"); /* lmsw */
    assert_true((m.cr[0] & CR0_TS) && (m.cr[0] & CR0_PE));
    assert_ok("\x0f\x01\xe0"); /* smsw */
    assert_int_equal(m.regs.rax, (uint32_t)m.cr[0]);
    m.regs.rax = CR0_PG;
    assert_gp("\x0f\x22\xc0", 0);
    assert_ok("\x0f\x01\x38"); /* invlpg [rax] */
    assert_int_equal(m.invlpgs, 1);
    assert_ok("\x0f\x09");
    assert_int_equal(m.wbinvds, 1);
    m.regs.rax = 0x400;
    assert_ok("\x0f\x23\xf8"); /* mov dr7, rax */
    assert_int_equal(m.dr[7], 0x400);
    m.dr[6] = 0xffff0ff0;
    assert_ok("\x0f\x21\xe0"); /* DR4 is DR6 */
    assert_int_equal(m.regs.rax, 0xffff0ff0);
    m.cr[4] |= CR4_DE;
    assert_ud("\x0f\x21\xe0");
    m.dr[7] |= 0x2000;
    assert_fault("\x0f\x21\xf0", X86_TRAP_DB, -1);
    set_cpl(3);
    assert_gp("\x0f\x20\xd8", 0);
    assert_gp("\x0f\x09", 0);
    assert_gp("\x0f\x06", 0);
    assert_gp("\xf4", 0);
    start(32);
    m.c.vendor = EMUL_VENDOR_AMD;
    assert_ok("\xf0\x0f\x22\xc0"); /* lock mov cr0: CR8 */
    m.c.vendor = EMUL_VENDOR_INTEL;
    assert_ud("\xf0\x0f\x22\xc0");
}

static void msrs_and_identification(void **state)
{
    start(64);
    m.regs.rcx = MSR_STAR;
    m.regs.rax = 0xffffffff00000001;
    m.regs.rdx = 0xffffffff00000002;
    assert_ok("\x0f\x30");
    assert_int_equal(m.msr_star, 0x200000001);
    assert_ok("\x0f\x32");
    assert_int_equal(m.regs.rax, 1);
    assert_int_equal(m.regs.rdx, 2);
    m.regs.rcx = 0x12345;
    assert_gp("\x0f\x32", 0);
    m.tsc = 0x500000006;
    m.tsc_aux = 9;
    assert_ok("\x0f\x01\xf9"); /* rdtscp */
    assert_int_equal(m.regs.rax, 6);
    assert_int_equal(m.regs.rdx, 5);
    assert_int_equal(m.regs.rcx, 9);
    assert_ok("\x0f\xa2"); /* cpuid */
    assert_int_equal(m.regs.rax, 7);
    assert_int_equal(m.regs.rbx, 11);
    m.seg[EMUL_SEG_GS].base = 0x1000;
    m.gs_shadow = 0x2000;
    assert_ok("\x0f\x01\xf8"); /* swapgs */
    assert_int_equal(m.seg[EMUL_SEG_GS].base, 0x2000);
    assert_int_equal(m.gs_shadow, 0x1000);
    assert_ok("\x0f\x01\xd9"); /* vmmcall */
    assert_int_equal(m.regs.rax, 0x1234);
    assert_ud("\x0f\x01\xd0"); /* xgetbv without OSXSAVE */
    m.cr[4] |= CR4_OSXSAVE;
    m.regs.rax = 7;
    m.regs.rcx = m.regs.rdx = 0;
    assert_ok("\x0f\x01\xd1");
    assert_int_equal(m.xcr0, 7);
    m.cr[4] |= CR4_TSD;
    set_cpl(3);
    assert_gp("\x0f\x31", 0);
    assert_gp("\x0f\x32", 0);
    assert_gp("\x0f\x01\xd1", 0);
    assert_gp("\x0f\x01\xf8", 0);
}

static void interrupt_flag_and_shadows(void **state)
{
    start(64);
    assert_ok("\xfb");
    assert_true(m.c.retire.sti);
    assert_true(m.regs.rflags & EFLAGS_IF);
    assert_ok("\xfb");
    assert_false(m.c.retire.sti); /* IF was set already */
    assert_ok("\xf4");
    assert_true(m.c.retire.hlt);
    assert_ok("\xfa");
    assert_false(m.regs.rflags & EFLAGS_IF);
    m.regs.rflags |= EFLAGS_TF;
    assert_ok("\x90");
    assert_true(m.c.retire.singlestep);
    m.regs.rax = 0;
    m.regs.rsp = STACK;
    poke(STACK, EFLAGS_IF, 8);
    assert_ok("\x9d"); /* popf clears TF, and the trap still comes */
    assert_true(m.c.retire.singlestep);
    assert_false(m.regs.rflags & EFLAGS_TF);
    set_cpl(3);
    assert_gp("\xfa", 0);
    poke(m.regs.rsp, 0, 8);
    assert_ok("\x9d"); /* IF stays in ring 3 */
    assert_true(m.regs.rflags & EFLAGS_IF);
    m.regs.rflags |= EFLAGS_RF;
    assert_ok("\x90");
    assert_false(m.regs.rflags & EFLAGS_RF);
}

static void vector_state_exceptions(void **state)
{
    start(64);
    m.regs.rax = 0x100;
    memset(m.mem + 0x100, 0x5a, 16);
    assert_ok("\x0f\x28\x00"); /* movaps xmm0, [rax] */
    assert_memory_equal(m.fx.xmm[0], m.mem + 0x100, 16);
    m.regs.rax = 0x108;
    assert_gp("\x0f\x28\x00", 0);
    assert_ok("\x0f\x10\x00");
    m.cr[0] |= CR0_TS;
    assert_fault("\x0f\x10\x00", X86_TRAP_NM, -1);
    assert_fault("\xd9\x00", X86_TRAP_NM, -1);
    m.cr[0] |= CR0_EM;
    assert_ud("\x0f\x10\x00");
    m.cr[0] &= ~(uint64_t)(CR0_EM | CR0_TS);
    m.cr[4] &= ~(uint64_t)CR4_OSFXSR;
    assert_ud("\x0f\x10\x00");
    assert_ok("\x0f\x6f\x00"); /* MMX does not need it */
    m.fx.fcw = 0x37e; /* invalid operation is not masked */
    m.fx.fsw = 1;
    assert_fault("\x0f\x6f\x00", X86_TRAP_MF, -1);
}

/* -- faults ------------------------------------------------------------------------------------------------------ */
static void lock_is_refused(void **state)
{
    start(64);
    assert_ud("\xf0\x89\x00");     /* mov */
    assert_ud("\xf0\x01\xc0");     /* add to a register */
    assert_ud("\xf0\x03\x00");     /* add from memory */
    assert_ud("\xf0\x83\x38\x01"); /* cmp */
    assert_ud("\xf0\x0f\xa3\x00"); /* bt */
    assert_ud("\xf0\x90");
    assert_ud("\x0f\x0b");
    assert_ud("\x0f\xff\x00");
    assert_ud("\x06");             /* push es in 64-bit mode */
    assert_ud("\x8d\xc0");         /* lea of a register */
    assert_ud("\xfe\xf8");
    m.regs.rax = 0x100;
    assert_ok("\xf0\x83\x00\x01");
    assert_int_equal(peek(0x100, 4), 1);
}

static void canonical_addresses(void **state)
{
    start(64);
    m.regs.rax = 1ULL << 47;
    m.regs.rbp = 1ULL << 47;
    assert_gp("\x8b\x00", 0);
    assert_fault("\x8b\x45\x00", X86_TRAP_SS, 0);
    assert_gp("\xff\xe0", 0); /* jmp rax */
    m.regs.rax = (1ULL << 47) - 2;
    assert_gp("\x8b\x00", 0); /* its end */
    m.regs.rax = 1ULL << 46;
    assert_int_equal(RUN("\x8b\x00"), EMUL_EXCEPTION);
    assert_int_equal(m.c.event.vector, X86_TRAP_PF);
    assert_int_equal(m.c.event.cr2, 1ULL << 46);
}

static void fetch_faults(void **state)
{
    start(64);
    m.regs.rip = 0x4ffe;
    m.fetch_limit = 0x5000;
    assert_ok("\x90");
    m.regs.rip = 0x4ffe;
    assert_fault("\xb8\x01\x02\x03\x04", X86_TRAP_PF, PFEC_I);
    m.fetch_limit = MEM;
    assert_ok("\xb8\x01\x02\x03\x04"); /* across the pages */
    assert_int_equal(m.regs.rax, 0x04030201);
    assert_gp("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90", 0);
    assert_ok("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90");
    start(16);
    m.seg[EMUL_SEG_CS].base = 0xff8; /* the linear address counts for the page */
    assert_ok("\xb8\x01\x02");
    m.regs.rip = 0x4000 + 7;
    assert_ok("\xb8\x01\x02");
    start(32);
    m.seg[EMUL_SEG_CS].limit = CODE + 1;
    assert_ok("\x33\xc0");
    m.regs.rip = CODE;
    assert_gp("\xb8\x01\x02\x03\x04", 0);
    assert_gp("\xeb\x10", 0);
}

/* -- REP, retry, LOCK -------------------------------------------------------------------------------------------- */
static void rep_resumes_after_a_fault(void **state)
{
    start(64);
    m.regs.rsi = 0x100;
    m.regs.rdi = 0x200;
    m.regs.rcx = 8;
    m.fault_at = 0x204;
    memcpy(m.mem + 0x100, "abcdefgh", 8);
    assert_int_equal(RUN("\xf3\xa4"), EMUL_EXCEPTION);
    assert_int_equal(m.c.event.cr2, 0x204);
    assert_int_equal(m.regs.rcx, 4);
    assert_int_equal(m.regs.rsi, 0x104);
    assert_int_equal(m.regs.rip, CODE);
    m.fault_at = 0;
    assert_ok("\xf3\xa4");
    assert_memory_equal(m.mem + 0x200, "abcdefgh", 8);
    assert_int_equal(m.regs.rcx, 0);
    assert_int_equal(m.regs.rip, CODE + 2);
}

static void rep_resumes_after_retry(void **state)
{
    start(64);
    m.regs.rdi = 0x200;
    m.regs.rcx = 3;
    m.regs.rdx = 0x40;
    m.port[0] = 0x10;
    m.retry_after = 4; /* in, write, in, (write) */
    assert_int_equal(RUN("\xf3\x6c"), EMUL_RETRY);
    assert_int_equal(m.regs.rcx, 2);
    assert_int_equal(m.regs.rdi, 0x201);
    assert_int_equal(m.regs.rip, CODE);
    m.port[0] = 0x11; /* the caller would answer it from what it remembers */
    assert_ok("\xf3\x6c");
    assert_int_equal(peek(0x200, 3), 0x121110);
    /* compare: flags of the finished iterations are kept */
    start(64);
    m.regs.rdi = 0x200;
    m.regs.rcx = 4;
    m.regs.rax = 0;
    m.preempt_after = 2;
    assert_ok("\xf3\xae");
    assert_true(m.c.rep_pending);
    assert_int_equal(m.regs.rip, CODE);
    assert_int_equal(m.regs.rcx, 2);
    m.mem[0x203] = 1;
    assert_ok("\xf3\xae");
    assert_false(m.c.rep_pending);
    assert_false(m.regs.rflags & EFLAGS_ZF);
    assert_int_equal(m.regs.rcx, 0);
}

static void rep_single_steps(void **state)
{
    start(64);
    m.regs.rdi = 0x200;
    m.regs.rcx = 2;
    m.regs.rflags |= EFLAGS_TF;
    assert_ok("\xf3\xaa");
    assert_true(m.c.rep_pending);
    assert_true(m.c.retire.singlestep);
    assert_int_equal(m.regs.rcx, 1);
    assert_ok("\xf3\xaa");
    assert_false(m.c.rep_pending);
    assert_int_equal(m.regs.rip, CODE + 2);
}

static int fast_movs(enum emul_seg src, uint64_t src_off, enum emul_seg dst, uint64_t dst_off, unsigned bytes,
                     uint64_t *reps, struct emul_ctxt *c)
{
    m.fast_calls++;
    if (*reps > 5)
        *reps = 5;
    memcpy(m.mem + dst_off, m.mem + src_off, *reps * bytes);
    return EMUL_OKAY;
}

static void rep_fast_forms(void **state)
{
    start(64);
    ops.rep_movs = fast_movs;
    m.regs.rsi = 0x100;
    m.regs.rdi = 0x200;
    m.regs.rcx = 11;
    memcpy(m.mem + 0x100, "abcdefghijk", 11);
    assert_ok("\xf3\xa4");
    assert_memory_equal(m.mem + 0x200, "abcdefghijk", 11);
    assert_int_equal(m.fast_calls, 2); /* the last alone goes one by one */
    assert_int_equal(m.regs.rcx, 0);
    assert_int_equal(m.regs.rdi, 0x20b);
    /* a 16-bit offset is not passed over its wrap */
    start(16);
    ops.rep_movs = fast_movs;
    m.regs.rsi = 0xfffe;
    m.regs.rdi = 0x200;
    m.regs.rcx = 4;
    poke(0xfffe, 0x2211, 2);
    poke(0, 0x4433, 2);
    assert_ok("\xf3\xa4");
    assert_int_equal(peek(0x200, 4), 0x44332211);
}

static void locked_updates(void **state)
{
    start(64);
    m.regs.rax = 0x100;
    m.regs.rbx = 1;
    m.cmpxchg_disturbed = 3;
    assert_ok("\xf0\x48\x01\x18"); /* lock add [rax], rbx */
    assert_int_equal(peek(0x100, 8), 49);
    m.cmpxchg_disturbed = 1000;
    assert_int_equal(RUN("\xf0\x48\x01\x18"), EMUL_RETRY);
    m.cmpxchg_disturbed = 0;
    m.writes = 0;
    assert_ok("\x48\x87\x18"); /* xchg locks by itself */
    assert_int_equal(m.writes, 0);
    m.regs.rax = 5;
    m.regs.rdi = 0x100;
    poke(0x100, 6, 8);
    assert_ok("\xf0\x48\x0f\xb1\x1f"); /* lock cmpxchg [rdi], rbx */
    assert_int_equal(m.regs.rax, 6);
    assert_false(m.regs.rflags & EFLAGS_ZF);
    assert_ok("\xf0\x48\x0f\xb1\x1f");
    assert_true(m.regs.rflags & EFLAGS_ZF);
    assert_int_equal(peek(0x100, 8), m.regs.rbx);
    m.regs.rdi = 0x108;
    assert_gp("\xf0\x48\x0f\xc7\x0f", 0); /* cmpxchg16b off its alignment */
}

static bool refuse_all(const struct emul_insn *insn, struct emul_ctxt *c) { return false; }

static void decoding_alone(void **state)
{
    start(64);
    m.regs.rdi = 0x1000;
    m.regs.rcx = 2;
    memcpy(m.mem + CODE, "\x65\x66\x89\x44\x8f\x10", 6); /* mov gs:[rdi + rcx * 4 + 0x10], ax */
    assert_int_equal(emul_decode(&m.c), EMUL_OKAY);
    assert_int_equal(m.c.insn.len, 6);
    assert_true(m.c.insn.mem && m.c.insn.mem_write);
    assert_int_equal(m.c.insn.mem_seg, EMUL_SEG_GS);
    assert_int_equal(m.c.insn.mem_off, 0x1018);
    assert_int_equal(m.c.insn.mem_bytes, 2);
    ops.allow = refuse_all;
    assert_int_equal(RUN("\x90"), EMUL_UNHANDLEABLE);
    assert_int_equal(emul_insn_length((const uint8_t *)"\x0f\x01\xd9", 3, 64), 3);
    assert_int_equal(emul_insn_length((const uint8_t *)"\x66\xb8\x01\x02\x03\x04", 6, 16), 6);
    assert_int_equal(emul_insn_length((const uint8_t *)"\xb8\x01\x02\x03\x04", 5, 16), 3);
    assert_true(emul_insn_length((const uint8_t *)"\xb8\x01", 2, 64) < 0);
    assert_int_equal(RUN("\xc5\xf8\x77"), EMUL_UNHANDLEABLE); /* VEX */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_mode_far_transfers), cmocka_unit_test(real_mode_segments),
        cmocka_unit_test(real_mode_limits), cmocka_unit_test(software_interrupts),
        cmocka_unit_test(protected_data_segments), cmocka_unit_test(protected_far_transfers),
        cmocka_unit_test(return_to_outer_ring), cmocka_unit_test(iret_to_virtual_8086),
        cmocka_unit_test(iret_in_long_mode), cmocka_unit_test(descriptor_queries),
        cmocka_unit_test(system_segments), cmocka_unit_test(port_permissions), cmocka_unit_test(control_registers),
        cmocka_unit_test(msrs_and_identification), cmocka_unit_test(interrupt_flag_and_shadows),
        cmocka_unit_test(vector_state_exceptions), cmocka_unit_test(lock_is_refused),
        cmocka_unit_test(canonical_addresses), cmocka_unit_test(fetch_faults),
        cmocka_unit_test(rep_resumes_after_a_fault), cmocka_unit_test(rep_resumes_after_retry),
        cmocka_unit_test(rep_single_steps), cmocka_unit_test(rep_fast_forms), cmocka_unit_test(locked_updates),
        cmocka_unit_test(decoding_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
