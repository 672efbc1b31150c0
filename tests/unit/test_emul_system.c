/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The emulator where the host CPU cannot be asked: system instructions, faults,
 * REP and LOCK under retry.
 */
// sources: vmm/emul/*.c tests/unit/emul_machine.c
#include "emul_machine.h"

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
        cmocka_unit_test(control_registers), cmocka_unit_test(msrs_and_identification),
        cmocka_unit_test(interrupt_flag_and_shadows), cmocka_unit_test(vector_state_exceptions),
        cmocka_unit_test(lock_is_refused), cmocka_unit_test(canonical_addresses), cmocka_unit_test(fetch_faults),
        cmocka_unit_test(rep_resumes_after_a_fault), cmocka_unit_test(rep_resumes_after_retry),
        cmocka_unit_test(rep_single_steps), cmocka_unit_test(rep_fast_forms), cmocka_unit_test(locked_updates),
        cmocka_unit_test(decoding_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
