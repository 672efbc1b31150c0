/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The emulator where the host CPU cannot be asked: real mode, segments and
 * privilege, ports.
 */
// sources: vmm/emul/*.c tests/unit/emul_machine.c
#include "emul_machine.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_mode_far_transfers), cmocka_unit_test(real_mode_segments),
        cmocka_unit_test(real_mode_limits), cmocka_unit_test(software_interrupts),
        cmocka_unit_test(protected_data_segments), cmocka_unit_test(protected_far_transfers),
        cmocka_unit_test(return_to_outer_ring), cmocka_unit_test(iret_to_virtual_8086),
        cmocka_unit_test(iret_in_long_mode), cmocka_unit_test(descriptor_queries), cmocka_unit_test(system_segments),
        cmocka_unit_test(port_permissions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
