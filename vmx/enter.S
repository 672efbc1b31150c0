/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world switch.  Intel SDM 3C, chapters 27 "VM Entries" and 28 "VM Exits".
 *
 * int vmx_enter(struct cpu_user_regs *regs, bool launched)
 *
 * Interrupts are off, and stay off after the exit.  0: there was an exit (an
 * entry that failed late makes one too); 1: VMLAUNCH or VMRESUME itself failed.
 */
#include "../vmm/cpu/entry.h"

#define HOST_RSP 0x6c14

        .text
        .globl vmx_enter
        .type vmx_enter, @function
vmx_enter:
        push    %rbp
        push    %rbx
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        push    %rdi                    /* (%rsp) at the exit */
        mov     $HOST_RSP, %eax
        vmwrite %rsp, %rax
        test    %sil, %sil              /* MOV leaves the flags as they are */
        mov     UREGS_r15(%rdi), %r15
        mov     UREGS_r14(%rdi), %r14
        mov     UREGS_r13(%rdi), %r13
        mov     UREGS_r12(%rdi), %r12
        mov     UREGS_rbp(%rdi), %rbp
        mov     UREGS_rbx(%rdi), %rbx
        mov     UREGS_r11(%rdi), %r11
        mov     UREGS_r10(%rdi), %r10
        mov     UREGS_r9(%rdi), %r9
        mov     UREGS_r8(%rdi), %r8
        mov     UREGS_rax(%rdi), %rax
        mov     UREGS_rcx(%rdi), %rcx
        mov     UREGS_rdx(%rdi), %rdx
        mov     UREGS_rsi(%rdi), %rsi
        mov     UREGS_rdi(%rdi), %rdi
        jz      1f
        vmresume
        jmp     2f
1:      vmlaunch
2:      pop     %rdi
        mov     $1, %eax
        jmp     3f

        .globl vmx_exit_point
vmx_exit_point:
        push    %rdi
        mov     8(%rsp), %rdi
        mov     %r15, UREGS_r15(%rdi)
        mov     %r14, UREGS_r14(%rdi)
        mov     %r13, UREGS_r13(%rdi)
        mov     %r12, UREGS_r12(%rdi)
        mov     %rbp, UREGS_rbp(%rdi)
        mov     %rbx, UREGS_rbx(%rdi)
        mov     %r11, UREGS_r11(%rdi)
        mov     %r10, UREGS_r10(%rdi)
        mov     %r9, UREGS_r9(%rdi)
        mov     %r8, UREGS_r8(%rdi)
        mov     %rax, UREGS_rax(%rdi)
        mov     %rcx, UREGS_rcx(%rdi)
        mov     %rdx, UREGS_rdx(%rdi)
        mov     %rsi, UREGS_rsi(%rdi)
        pop     UREGS_rdi(%rdi)
        pop     %rdi
        xor     %eax, %eax
3:      pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbx
        pop     %rbp
        ret
        .size vmx_enter, . - vmx_enter
