/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYSCALL, SYSRET, SYSENTER and SYSEXIT as each vendor's CPUs have them: where they are undefined, what they load, and
 * what they refuse.
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

#define KERNEL_CS 0x10
#define HIGH 0xffffffff81000000ULL
#define CODE_64 0xa09b
#define CODE_32 0xc09b
#define DATA 0xc093
#define RING3 0x60

static struct {
    struct cpu_user_regs regs;
    struct emul_ctxt c;
    struct emul_segment cs, ss;
    uint64_t cr0, efer, star, lstar, cstar, mask, cs_msr, esp, eip;
} m;

static int read_memory(enum emul_seg seg, uint64_t off, void *buf, unsigned bytes, struct emul_ctxt *c)
{
    fail_msg("these instructions read no memory");
    return EMUL_UNHANDLEABLE;
}
static int write_memory(enum emul_seg seg, uint64_t off, const void *buf, unsigned bytes, struct emul_ctxt *c)
{
    fail_msg("these instructions write no memory");
    return EMUL_UNHANDLEABLE;
}
static int read_segment(enum emul_seg seg, struct emul_segment *reg, struct emul_ctxt *c)
{
    *reg = seg == EMUL_SEG_CS ? m.cs : m.ss;
    return EMUL_OKAY;
}
static int write_segment(enum emul_seg seg, const struct emul_segment *reg, struct emul_ctxt *c)
{
    assert_true(seg == EMUL_SEG_CS || seg == EMUL_SEG_SS);
    *(seg == EMUL_SEG_CS ? &m.cs : &m.ss) = *reg;
    return EMUL_OKAY;
}
static int read_cr(unsigned cr, uint64_t *value, struct emul_ctxt *c)
{
    assert_int_equal(cr, 0);
    *value = m.cr0;
    return EMUL_OKAY;
}
static int read_msr(uint32_t msr, uint64_t *value, struct emul_ctxt *c)
{
    switch (msr) {
    case MSR_EFER: *value = m.efer; break;
    case MSR_STAR: *value = m.star; break;
    case MSR_LSTAR: *value = m.lstar; break;
    case MSR_CSTAR: *value = m.cstar; break;
    case MSR_SYSCALL_MASK: *value = m.mask; break;
    case MSR_IA32_SYSENTER_CS: *value = m.cs_msr; break;
    case MSR_IA32_SYSENTER_ESP: *value = m.esp; break;
    case MSR_IA32_SYSENTER_EIP: *value = m.eip; break;
    default: fail_msg("MSR %#x", msr);
    }
    return EMUL_OKAY;
}
static const struct emul_ops ops = {
    .read = read_memory,
    .write = write_memory,
    .read_segment = read_segment,
    .write_segment = write_segment,
    .read_cr = read_cr,
    .read_msr = read_msr,
};

/* bits: 64; 32 and lma: compatibility mode; 32: protected mode. */
static void start(enum emul_vendor vendor, unsigned bits, bool lma, unsigned cpl)
{
    memset(&m, 0, sizeof(m));
    m.c.regs = &m.regs;
    m.c.ops = &ops;
    m.c.vendor = vendor;
    m.c.addr_size = m.c.sp_size = (uint8_t)bits;
    m.c.lma = lma;
    m.c.cpl = (uint8_t)cpl;
    m.cr0 = CR0_PE | CR0_PG;
    m.efer = EFER_SCE | (lma ? EFER_LMA | EFER_LME : 0);
    m.star = 0x0023001000005000;
    m.lstar = HIGH + 0x100;
    m.cstar = HIGH + 0x200;
    m.mask = EFLAGS_IF | EFLAGS_TF | EFLAGS_DF;
    m.cs_msr = KERNEL_CS;
    m.esp = HIGH + 0x8000;
    m.eip = HIGH + 0x300;
    m.regs.rip = 0x401000;
    m.regs.rsp = 0x7000;
    m.regs.rflags = EFLAGS_MBS | EFLAGS_IF | EFLAGS_CF;
    m.cs.attr = bits == 64 ? CODE_64 : CODE_32;
}

static int run(const char *bytes, unsigned n)
{
    memset(m.c.bytes, 0, sizeof(m.c.bytes));
    memcpy(m.c.bytes, bytes, n);
    m.c.fetched = EMUL_INSN_MAX;
    return emul_one(&m.c);
}
#define SYSCALL "\x0f\x05"
#define SYSRET "\x0f\x07"
#define SYSENTER "\x0f\x34"
#define SYSEXIT "\x0f\x35"
#define REX_W "\x48"
#define RUN(bytes) run(bytes, sizeof(bytes) - 1)
#define assert_ok(bytes) assert_int_equal(RUN(bytes), EMUL_OKAY)
/* The fault, and that nothing changed. */
#define assert_fault(bytes, vec, code)                                                                                 \
    do {                                                                                                               \
        struct cpu_user_regs before_ = m.regs;                                                                         \
        struct emul_segment cs_ = m.cs;                                                                                \
        assert_int_equal(RUN(bytes), EMUL_EXCEPTION);                                                                  \
        assert_int_equal(m.c.event.vector, vec);                                                                       \
        assert_int_equal(m.c.event.error_code, code);                                                                  \
        assert_memory_equal(&before_, &m.regs, sizeof(before_));                                                       \
        assert_memory_equal(&cs_, &m.cs, sizeof(cs_));                                                                 \
    } while (0)
#define assert_ud(bytes) assert_fault(bytes, X86_TRAP_UD, -1)
#define assert_gp(bytes) assert_fault(bytes, X86_TRAP_GP, 0)

static void assert_segments(unsigned cs, unsigned cs_attr, unsigned ss, unsigned ss_attr)
{
    assert_int_equal(m.cs.sel, cs);
    assert_int_equal(m.cs.attr, cs_attr);
    assert_int_equal(m.ss.sel, ss);
    assert_int_equal(m.ss.attr, ss_attr);
    assert_true(!m.cs.base && !m.ss.base && m.cs.limit == ~0U && m.ss.limit == ~0U);
    assert_int_equal(m.c.cpl, EMUL_ATTR_DPL(ss_attr));
}

static void sysenter_from_long_mode(void **state)
{
    static const unsigned bits[] = {64, 32};

    for (unsigned i = 0; i < 2; i++) {
        start(EMUL_VENDOR_INTEL, bits[i], true, 3);
        m.regs.rflags |= EFLAGS_RF;
        assert_ok(SYSENTER);
        assert_segments(KERNEL_CS, CODE_64, KERNEL_CS + 8, DATA);
        assert_int_equal(m.regs.rip, HIGH + 0x300);
        assert_int_equal(m.regs.rsp, HIGH + 0x8000);
        assert_int_equal(m.regs.rflags, EFLAGS_MBS | EFLAGS_CF);
        start(EMUL_VENDOR_AMD, bits[i], true, 3);
        assert_ud(SYSENTER);
    }
}

static void sysenter_in_legacy_mode(void **state)
{
    static const enum emul_vendor vendors[] = {EMUL_VENDOR_INTEL, EMUL_VENDOR_AMD};

    for (unsigned i = 0; i < 2; i++) {
        start(vendors[i], 32, false, 3);
        assert_ok(SYSENTER);
        assert_segments(KERNEL_CS, CODE_32, KERNEL_CS + 8, DATA);
        assert_int_equal(m.regs.rip, (uint32_t)HIGH + 0x300);
        assert_int_equal(m.regs.rsp, (uint32_t)HIGH + 0x8000);
        start(vendors[i], 16, false, 3);
        m.regs.rflags |= EFLAGS_VM;
        assert_ok(SYSENTER); /* out of virtual-8086 mode */
        assert_int_equal(m.regs.rflags, EFLAGS_MBS | EFLAGS_CF);
        assert_int_equal(m.c.cpl, 0);
        start(vendors[i], 16, false, 0);
        m.cr0 = 0;
        assert_gp(SYSENTER);
        assert_gp(SYSEXIT);
        start(vendors[i], 32, false, 3);
        m.cs_msr = 3; /* a null selector */
        assert_gp(SYSENTER);
        assert_ud("\xf0" SYSENTER);
    }
}

static void sysexit_to_either_mode(void **state)
{
    start(EMUL_VENDOR_INTEL, 64, true, 0);
    m.regs.rdx = 0x1234500000678;
    assert_gp(REX_W SYSEXIT); /* not canonical */
    m.regs.rdx = 0x700000000678;
    m.regs.rcx = 1ULL << 47;
    assert_gp(REX_W SYSEXIT);
    m.regs.rcx = 0x7f0000008000;
    assert_ok(REX_W SYSEXIT);
    assert_segments(KERNEL_CS + 32 + 3, CODE_64 | RING3, KERNEL_CS + 40 + 3, DATA | RING3);
    assert_int_equal(m.regs.rip, 0x700000000678);
    assert_int_equal(m.regs.rsp, 0x7f0000008000);
    assert_int_equal(m.regs.rflags, EFLAGS_MBS | EFLAGS_IF | EFLAGS_CF);
    assert_gp(REX_W SYSEXIT); /* in ring 3 now */

    start(EMUL_VENDOR_INTEL, 64, true, 0);
    m.regs.rdx = 0xffffffff00000678;
    m.regs.rcx = 0xffffffff00008000;
    assert_ok(SYSEXIT);
    assert_segments(KERNEL_CS + 16 + 3, CODE_32 | RING3, KERNEL_CS + 24 + 3, DATA | RING3);
    assert_int_equal(m.regs.rip, 0x678);
    assert_int_equal(m.regs.rsp, 0x8000);

    start(EMUL_VENDOR_AMD, 64, true, 0);
    assert_ud(SYSEXIT);
    start(EMUL_VENDOR_AMD, 32, false, 0);
    assert_ok(SYSEXIT);
    start(EMUL_VENDOR_INTEL, 32, true, 0);
    m.cs_msr = 0;
    assert_gp(SYSEXIT);
}

static void syscall_of_either_vendor(void **state)
{
    start(EMUL_VENDOR_INTEL, 64, true, 3);
    m.regs.rflags |= EFLAGS_RF;
    assert_ok(SYSCALL);
    assert_segments(0x10, CODE_64, 0x18, DATA);
    assert_int_equal(m.regs.rip, HIGH + 0x100);
    assert_int_equal(m.regs.rcx, 0x401002);
    assert_int_equal(m.regs.r11, EFLAGS_MBS | EFLAGS_IF | EFLAGS_CF);
    assert_int_equal(m.regs.rflags, EFLAGS_MBS | EFLAGS_CF);
    assert_int_equal(m.regs.rsp, 0x7000);

    start(EMUL_VENDOR_AMD, 32, true, 3);
    assert_ok(SYSCALL);
    assert_segments(0x10, CODE_64, 0x18, DATA);
    assert_int_equal(m.regs.rip, HIGH + 0x200);
    start(EMUL_VENDOR_INTEL, 32, true, 3);
    assert_ud(SYSCALL);

    start(EMUL_VENDOR_AMD, 32, false, 3);
    assert_ok(SYSCALL);
    assert_segments(0x10, CODE_32, 0x18, DATA);
    assert_int_equal(m.regs.rip, 0x5000);
    assert_int_equal(m.regs.rcx, 0x401002);
    assert_int_equal(m.regs.r11, 0);
    assert_int_equal(m.regs.rflags, EFLAGS_MBS | EFLAGS_CF);
    start(EMUL_VENDOR_INTEL, 32, false, 3);
    assert_ud(SYSCALL);

    start(EMUL_VENDOR_AMD, 64, true, 3);
    m.efer &= ~(uint64_t)EFER_SCE;
    assert_ud(SYSCALL);
    assert_ud(SYSRET);
    start(EMUL_VENDOR_AMD, 16, false, 0);
    m.cr0 = 0;
    assert_ud(SYSCALL);
}

static void sysret_of_either_vendor(void **state)
{
    start(EMUL_VENDOR_INTEL, 64, true, 0);
    m.regs.rcx = 0x700000000678;
    m.regs.r11 = EFLAGS_IF | EFLAGS_RF | EFLAGS_VM | EFLAGS_ZF;
    assert_ok(REX_W SYSRET);
    assert_segments(0x33, CODE_64 | RING3, 0x2b, DATA | RING3);
    assert_int_equal(m.regs.rip, 0x700000000678);
    assert_int_equal(m.regs.rflags, EFLAGS_MBS | EFLAGS_IF | EFLAGS_ZF);
    assert_gp(REX_W SYSRET);

    start(EMUL_VENDOR_INTEL, 64, true, 0); /* to compatibility mode */
    m.regs.rcx = 0x700000000678;
    assert_ok(SYSRET);
    assert_segments(0x23, CODE_32 | RING3, 0x2b, DATA | RING3);
    assert_int_equal(m.regs.rip, 0x678);

    start(EMUL_VENDOR_AMD, 32, true, 0); /* from there: no flags from R11 */
    m.regs.rcx = 0x678;
    m.regs.rflags = EFLAGS_MBS | EFLAGS_SF;
    assert_ok(SYSRET);
    assert_segments(0x23, CODE_32 | RING3, 0x2b, DATA | RING3);
    assert_int_equal(m.regs.rflags, EFLAGS_MBS | EFLAGS_SF | EFLAGS_IF);
    start(EMUL_VENDOR_INTEL, 32, true, 0);
    assert_ud(SYSRET);

    start(EMUL_VENDOR_INTEL, 64, true, 0);
    m.regs.rcx = 1ULL << 47;
    assert_gp(REX_W SYSRET);
    start(EMUL_VENDOR_AMD, 16, false, 0);
    m.cr0 = 0;
    assert_gp(SYSRET);
}

/* SYSCALL and SYSRET trap by the TF that they leave, SYSENTER and SYSEXIT, as others, by the one they found. */
static void single_steps(void **state)
{
    start(EMUL_VENDOR_INTEL, 64, true, 3);
    m.regs.rflags |= EFLAGS_TF;
    assert_ok(SYSCALL);
    assert_false(m.c.retire.singlestep);
    assert_true(m.regs.r11 & EFLAGS_TF);
    m.cs.attr = CODE_64;
    assert_ok(REX_W SYSRET);
    assert_true(m.c.retire.singlestep);
    start(EMUL_VENDOR_INTEL, 64, true, 3);
    m.regs.rflags |= EFLAGS_TF;
    assert_ok(SYSENTER);
    assert_true(m.c.retire.singlestep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sysenter_from_long_mode), cmocka_unit_test(sysenter_in_legacy_mode),
        cmocka_unit_test(sysexit_to_either_mode),  cmocka_unit_test(syscall_of_either_vendor),
        cmocka_unit_test(sysret_of_either_vendor), cmocka_unit_test(single_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
