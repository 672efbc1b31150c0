/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ways into the hypervisor from a PV guest or from itself, and the way back to
 * a PV guest.  AMD APM 2, 8.9 "Long-Mode Interrupt Control Transfers";
 * Intel SDM 3A, 6.14.  A frame is the public struct cpu_user_regs.
 *
 * From ring 3, TSS.RSP0 made the CPU push into current->regs already; the rest
 * is pushed below, and the C code runs on the CPU's own stack.
 */
#include "entry.h"
#include "regs.h"

.macro SAVE_REGS
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
.endm

.macro RESTORE_REGS
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
.endm

    .section .text.entry, "ax"

    .balign 16
entry_trap:
    cld
    SAVE_REGS
    movq %rsp, %rdi
    testb $3, UREGS_cs(%rsp)
    jz 1f
    movq UREGS_SIZE(%rsp), %rsp /* vcpu.host_stack_top follows regs */
    xorl %ebp, %ebp
    call guest_entry
    ud2
1:  subq $8, %rsp
    call trap_in_hypervisor
    addq $8, %rsp
    RESTORE_REGS
    addq $8, %rsp
    iretq

/*
 * Events that may come while RSP is a guest's (after SYSCALL, before SYSRET): on a stack of their own, whatever they
 * interrupted. The C code returns here except for a guest's #DB, which it turns into an ordinary entry.
 */
    .balign 16
entry_ist:
    cld
    SAVE_REGS
    movq %rsp, %rdi
    subq $8, %rsp
    call trap_on_ist
    addq $8, %rsp
    RESTORE_REGS
    addq $8, %rsp
    iretq

/* Stores all but RAX, RIP, CS, RFLAGS and RSP into the vCPU in RAX. */
.macro STORE_REGS
    movq %r15, VCPU_REGS + UREGS_r15(%rax)
    movq %r14, VCPU_REGS + UREGS_r14(%rax)
    movq %r13, VCPU_REGS + UREGS_r13(%rax)
    movq %r12, VCPU_REGS + UREGS_r12(%rax)
    movq %rbp, VCPU_REGS + UREGS_rbp(%rax)
    movq %rbx, VCPU_REGS + UREGS_rbx(%rax)
    movq %r11, VCPU_REGS + UREGS_r11(%rax)
    movq %r10, VCPU_REGS + UREGS_r10(%rax)
    movq %r9, VCPU_REGS + UREGS_r9(%rax)
    movq %r8, VCPU_REGS + UREGS_r8(%rax)
    movq %rcx, VCPU_REGS + UREGS_rcx(%rax)
    movq %rdx, VCPU_REGS + UREGS_rdx(%rax)
    movq %rsi, VCPU_REGS + UREGS_rsi(%rax)
    movq %rdi, VCPU_REGS + UREGS_rdi(%rax)
    movq $GUEST_DS, VCPU_REGS + UREGS_ss(%rax)
    leaq VCPU_REGS(%rax), %rdi
.endm

    .balign 16
entry_syscall: /* stack: CS, guest's RSP, struct cpu_info with current first */
    pushq %rax
    movq 24(%rsp), %rax
    STORE_REGS
    movq %rcx, UREGS_rip(%rdi)
    movq %r11, UREGS_rflags(%rdi)
    movl $0, UREGS_error_code(%rdi)
    movl $TRAP_SYSCALL, UREGS_entry_vector(%rdi)
    popq UREGS_rax(%rdi)
    popq UREGS_cs(%rdi)
    popq UREGS_rsp(%rdi)
    xorl %ebp, %ebp
    call guest_syscall_entry
    ud2

/* RSP is struct cpu_info. The guest's RIP and RSP are lost, and TF, NT and AC are as the guest had them. */
    .balign 16
    .globl sysenter_entry
sysenter_entry:
    pushfq
    pushq %rax
    movq 16(%rsp), %rax
    STORE_REGS
    popq UREGS_rax(%rdi)
    popq UREGS_rflags(%rdi)
    pushq $EFLAGS_MBS
    popfq
    orl $EFLAGS_IF, UREGS_rflags(%rdi)
    movq $0, UREGS_rip(%rdi)
    movq $0, UREGS_rsp(%rdi)
    movq $GUEST_CS32, UREGS_cs(%rdi)
    movq $0, UREGS_error_code(%rdi)
    xorl %ebp, %ebp
    call guest_sysenter_entry
    ud2

/*
 * void restore_guest_regs_and_iret(struct cpu_user_regs *regs): to the PV guest, interrupts off. Whatever regs says,
 * the guest runs in ring 3 with interrupts on.
 */
    .balign 16
    .globl restore_guest_regs_and_iret
restore_guest_regs_and_iret:
    movq UREGS_rflags(%rdi), %r11
    andl $~(EFLAGS_IOPL | EFLAGS_NT | EFLAGS_VM | EFLAGS_VIF | EFLAGS_VIP), %r11d
    orl $(EFLAGS_IF | EFLAGS_MBS), %r11d
    movq UREGS_rip(%rdi), %rcx

    movq UREGS_r15(%rdi), %r15
    movq UREGS_r14(%rdi), %r14
    movq UREGS_r13(%rdi), %r13
    movq UREGS_r12(%rdi), %r12
    movq UREGS_rbp(%rdi), %rbp
    movq UREGS_rbx(%rdi), %rbx
    movq UREGS_r10(%rdi), %r10
    movq UREGS_r9(%rdi), %r9
    movq UREGS_r8(%rdi), %r8
    movq UREGS_rdx(%rdi), %rdx

    cmpl $TRAP_SYSCALL, UREGS_entry_vector(%rdi)
    jne 1f
    cmpw $GUEST_CS64, UREGS_cs(%rdi)
    jne 1f
    cmpw $GUEST_DS, UREGS_ss(%rdi)
    jne 1f
    testl $(EFLAGS_TF | EFLAGS_RF), %r11d
    jnz 1f
    /* SYSRET to a non-canonical RIP faults in ring 0 with the guest's RSP on Intel's CPUs. */
    movq %rcx, %rax
    shlq $16, %rax
    sarq $16, %rax
    cmpq %rcx, %rax
    jne 1f
    /* SYSRET keeps the hidden part of SS; after an interrupt SS is null and would stay unusable for 32-bit code (AMD). */
    movl %ss, %eax
    cmpl $HV_DS, %eax
    je 2f
    movl $HV_DS, %eax
    movl %eax, %ss
2:  movq UREGS_rax(%rdi), %rax
    movq UREGS_rsi(%rdi), %rsi
    movq UREGS_rsp(%rdi), %rsp
    movq UREGS_rdi(%rdi), %rdi
    sysretq

    /* The hardware's frame is built on this stack: a fault of IRETQ then leaves current->regs as it is. */
1:  movzwl UREGS_ss(%rdi), %eax
    movzwl UREGS_cs(%rdi), %esi
    orl $3, %esi
    orl $3, %eax /* a null SS is legal in 64-bit mode, with CPL as its RPL (AMD APM 2, 4.5.1) */
    pushq %rax
    pushq UREGS_rsp(%rdi)
    pushq %r11
    pushq %rsi
    pushq %rcx
    movq UREGS_r11(%rdi), %r11
    movq UREGS_rcx(%rdi), %rcx
    movq UREGS_rax(%rdi), %rax
    movq UREGS_rsi(%rdi), %rsi
    movq UREGS_rdi(%rdi), %rdi
    .globl guest_iretq
guest_iretq:
    iretq

/* void reset_stack_and_jump(void (*fn)(void)); interrupts may be on, so RSP changes in one step. */
    .balign 16
    .globl reset_stack_and_jump
reset_stack_and_jump:
    movq %rsp, %rax
    orq $(STACK_SIZE - 1), %rax
    subq $(CPUINFO_SIZE - 1), %rax
    movq %rax, %rsp
    xorl %ebp, %ebp
    pushq $0
    jmp *%rdi

    .section .text.stubs, "ax"

/*
 * SYSCALL leaves RSP the guest's and GS belongs to the guest, so nothing but RIP says which CPU this is: each CPU has a
 * stub of its own (AMD APM 2, 6.1.1).
 */
.macro SYSCALL_STUBS name, cs
    .balign SYSCALL_STUB_SIZE
    .globl \name
\name:
    .set cpu, 0
    .rept ENTRY_MAX_CPUS
    .balign SYSCALL_STUB_SIZE
    movq %rsp, syscall_slots + SYSCALL_SLOT_SIZE * cpu + 8(%rip)
    movq syscall_slots + SYSCALL_SLOT_SIZE * cpu(%rip), %rsp
    pushq syscall_slots + SYSCALL_SLOT_SIZE * cpu + 8(%rip)
    pushq $\cs
    jmp entry_syscall
    .set cpu, cpu + 1
    .endr
.endm
    SYSCALL_STUBS syscall_stubs, GUEST_CS64
    SYSCALL_STUBS syscall32_stubs, GUEST_CS32

/* One stub for each vector: completes error_code and entry_vector, which share the place of the CPU's error code. */
    .balign TRAP_STUB_SIZE
    .globl trap_stubs
trap_stubs:
    .set vec, 0
    .rept 256
    .balign TRAP_STUB_SIZE
    .if (vec >= 32) || (((X86_TRAP_HAVE_EC >> (vec & 31)) & 1) == 0)
    pushq $0
    .endif
    movl $vec, 4(%rsp)
    .if (vec == X86_TRAP_NMI) || (vec == X86_TRAP_DF) || (vec == X86_TRAP_MC) || (vec == X86_TRAP_DB)
    jmp entry_ist
    .else
    jmp entry_trap
    .endif
    .set vec, vec + 1
    .endr

    .section .data.syscall_slots, "aw"
    .balign SYSCALL_SLOT_SIZE
    .globl syscall_slots
syscall_slots:
    .fill ENTRY_MAX_CPUS * SYSCALL_SLOT_SIZE, 1, 0
