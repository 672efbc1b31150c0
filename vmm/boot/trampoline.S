/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a STARTUP IPI sends a CPU: real mode, CS:0, in a page below 1 MiB to
 * which cpu/smp.c copied this. Straight to long mode (AMD APM 2, 14.6.1) on the
 * hypervisor's own tables, which map this page at its address, then into C.
 */
#include "../cpu/regs.h"

#define OFF(sym) ((sym) - trampoline_start)
#define CR0_LONG_MODE (CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE)

    .section .rodata.trampoline, "a"
    .balign 16
    .globl trampoline_start
trampoline_start:
    .code16
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl OFF(trampoline_gdtr)
    movl $CR4_PAE, %eax
    movl %eax, %cr4
    movl OFF(trampoline_cr3), %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    movl OFF(trampoline_efer), %eax
    xorl %edx, %edx
    wrmsr
    movl $CR0_LONG_MODE, %eax
    movl %eax, %cr0
    ljmpl *OFF(trampoline_far)

    .code64
    .globl trampoline_64
trampoline_64:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %ebp, %ebp
    movq trampoline_stack(%rip), %rsp
    pushq $0
    jmp *trampoline_entry(%rip)

    .balign 8
trampoline_gdt:
    .quad 0
    .quad 0x00af9b000000ffff

/* Filled in by cpu/smp.c. */
    .globl trampoline_gdtr, trampoline_far, trampoline_cr3, trampoline_efer, trampoline_stack, trampoline_entry
    .globl trampoline_end, trampoline_gdt
trampoline_gdtr: /* limit, linear address */
    .short 15
    .long 0
    .balign 8
trampoline_far: /* offset, selector */
    .long 0
    .short 8
    .balign 8
trampoline_cr3:
    .long 0
trampoline_efer:
    .long 0
trampoline_stack:
    .quad 0
trampoline_entry:
    .quad 0
trampoline_end:
