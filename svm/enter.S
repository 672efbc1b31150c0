/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world switch.  AMD APM 2, 15.5 "VMRUN Instruction", 15.17 "Global Interrupt Flag".
 *
 * void svm_enter(struct cpu_user_regs *regs, paddr_t vmcb, paddr_t host_vmcb)
 *
 * GIF is clear from before the guest's TR and LDTR are loaded until the host's
 * are back, so that no interrupt or NMI finds the wrong task-state segment.
 * EFLAGS.IF is set at VMRUN: with V_INTR_MASKING it lets physical interrupts
 * end the guest's run.
 */
#define R15 0
#define R14 8
#define R13 16
#define R12 24
#define RBP 32
#define RBX 40
#define R11 48
#define R10 56
#define R9 64
#define R8 72
#define RCX 88
#define RDX 96
#define RSI 104
#define RDI 112

        .text
        .globl svm_enter
        .type svm_enter, @function
svm_enter:
        push    %rbp
        push    %rbx
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        push    %rdi                    /* 16(%rsp) at VMRUN */
        push    %rdx                    /*  8(%rsp) */
        push    %rsi                    /*   (%rsp) */
        clgi
        sti                             /* for VMRUN; here, since some emulators carry its shadow into the guest */
        mov     %rdx, %rax
        vmsave  %rax
        mov     %rsi, %rax
        vmload  %rax
        mov     R15(%rdi), %r15
        mov     R14(%rdi), %r14
        mov     R13(%rdi), %r13
        mov     R12(%rdi), %r12
        mov     RBP(%rdi), %rbp
        mov     RBX(%rdi), %rbx
        mov     R11(%rdi), %r11
        mov     R10(%rdi), %r10
        mov     R9(%rdi), %r9
        mov     R8(%rdi), %r8
        mov     RCX(%rdi), %rcx
        mov     RDX(%rdi), %rdx
        mov     RSI(%rdi), %rsi
        mov     RDI(%rdi), %rdi
        vmrun   %rax
        cli
        vmsave  %rax                    /* the host's RAX is back: the VMCB's address */
        push    %rdi
        mov     24(%rsp), %rdi
        mov     %r15, R15(%rdi)
        mov     %r14, R14(%rdi)
        mov     %r13, R13(%rdi)
        mov     %r12, R12(%rdi)
        mov     %rbp, RBP(%rdi)
        mov     %rbx, RBX(%rdi)
        mov     %r11, R11(%rdi)
        mov     %r10, R10(%rdi)
        mov     %r9, R9(%rdi)
        mov     %r8, R8(%rdi)
        mov     %rcx, RCX(%rdi)
        mov     %rdx, RDX(%rdi)
        mov     %rsi, RSI(%rdi)
        pop     %rax
        mov     %rax, RDI(%rdi)
        mov     8(%rsp), %rax
        vmload  %rax
        stgi
        add     $24, %rsp
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbx
        pop     %rbp
        ret
        .size svm_enter, . - svm_enter
