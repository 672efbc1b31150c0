/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Constants that the assembly of traps and AP start shares with C. traps.c
 * proves them against the public struct cpu_user_regs, struct vcpu and struct cpu_info.
 */
#ifndef POLDER_CPU_ENTRY_H
#define POLDER_CPU_ENTRY_H

#include "../mm/layout.h"

#define UREGS_r15 0
#define UREGS_r14 8
#define UREGS_r13 16
#define UREGS_r12 24
#define UREGS_rbp 32
#define UREGS_rbx 40
#define UREGS_r11 48
#define UREGS_r10 56
#define UREGS_r9 64
#define UREGS_r8 72
#define UREGS_rax 80
#define UREGS_rcx 88
#define UREGS_rdx 96
#define UREGS_rsi 104
#define UREGS_rdi 112
#define UREGS_error_code 120
#define UREGS_entry_vector 124
#define UREGS_rip 128
#define UREGS_cs 136
#define UREGS_rflags 144
#define UREGS_rsp 152
#define UREGS_ss 160
#define UREGS_es 168
#define UREGS_SIZE 200

#define VCPU_HOST_STACK_TOP (VCPU_REGS + UREGS_SIZE)
#define CPUINFO_SIZE 64

/* entry_vector of a frame that SYSCALL made and nobody has changed since: SYSRET may end it. */
#define TRAP_SYSCALL 0x100

/* Each CPU's entry to the table that its SYSCALL stub uses, one cache line. */
#define SYSCALL_SLOT_SIZE 64
#define SYSCALL_STUB_SIZE 32
#define ENTRY_MAX_CPUS 256

#define TRAP_STUB_SIZE 16

/* The lowest pages of each CPU's stack are its IST stacks. */
#define IST_DF 1
#define IST_NMI 2
#define IST_MC 3
#define IST_DB 4
#define NR_IST 4

#ifndef __ASSEMBLY__
#include "../lib/types.h"

struct cpu_user_regs;

struct syscall_slot {
    uint64_t stack_top; /* struct cpu_info of the CPU */
    uint64_t guest_rsp; /* for two instructions */
    uint64_t pad[6];
};
extern struct syscall_slot syscall_slots[];

extern const char trap_stubs[], syscall_stubs[], syscall32_stubs[], sysenter_entry[], guest_iretq[];

/* Called by entry.S. */
void guest_entry(struct cpu_user_regs *regs) __noreturn;
void guest_syscall_entry(struct cpu_user_regs *regs) __noreturn;
void guest_sysenter_entry(struct cpu_user_regs *regs) __noreturn;
void trap_in_hypervisor(struct cpu_user_regs *regs);
void trap_on_ist(struct cpu_user_regs *regs);

void desc_init_cpu(unsigned cpu);                /* loads GDT, IDT, TSS and the SYSCALL MSRs of this CPU */
int desc_prepare_cpu(unsigned cpu) __must_check; /* memory for another CPU's; -ENOMEM */
extern volatile bool smp_nmi_stop;               /* NMIs are to stop CPUs, not to be reported */
void machine_check(struct cpu_user_regs *regs);
void nmi_forward_pending(void); /* outside of the NMI: hands an NMI noted before to Dom0 */
#endif

#endif
