/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this machine's CPUs are and can do, and bringing them up. */
#ifndef POLDER_CPU_CPU_H
#define POLDER_CPU_CPU_H

#include "../lib/cpumask.h"
#include "percpu.h"

struct cpu_user_regs;

enum cpu_vendor { VENDOR_INTEL, VENDOR_AMD, VENDOR_OTHER };

/* CPUID of the boot CPU, as found: raw leaves that policy and backends read. */
struct cpu_features {
    enum cpu_vendor vendor;
    char vendor_id[13], model_name[49];
    unsigned family, model, stepping;
    uint32_t max_leaf, max_ext_leaf;
    uint32_t leaf1_ecx, leaf1_edx;
    uint32_t leaf7_ebx, leaf7_ecx, leaf7_edx;
    uint32_t leafd1_eax;
    uint32_t ext1_ecx, ext1_edx; /* 0x80000001 */
    uint32_t ext7_edx, ext8_ebx;
    uint32_t svm_rev, svm_nasid, svm_edx; /* 0x8000000a */
    unsigned paddr_bits, vaddr_bits;
    bool fsgsbase, smep, smap, pge, pcid, x2apic, tsc_deadline, invariant_tsc, xsave, xsaveopt, xsavec, xsaves, nx,
        page1gb, rdtscp, arat, monitor;
};
extern struct cpu_features cpu_features;
void cpu_identify(void);          /* boot CPU; fills cpu_features */
void cpu_init(void);              /* this CPU: descriptor tables, TSS, SYSCALL, CR0/CR4/EFER, PAT, FPU */
extern uint64_t mmu_cr4_features; /* CR4 as the hypervisor runs with it */
void get_raw_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4]); /* of the machine, uncached */

void smp_prepare(void);  /* from the MADT: which CPUs there are */
void smp_boot_all(void); /* starts them; each ends in its idle vCPU */
extern uint32_t cpu_apicid[MAX_CPUS];
extern unsigned nr_cpus_possible; /* CPUs that the MADT lists as usable, at most maxcpus= */
unsigned cpu_to_node(unsigned cpu);
unsigned cpu_to_core(unsigned cpu);
unsigned cpu_to_socket(unsigned cpu);

/* Runs fn(arg) on each CPU of the mask, this one too if in it; with wait, returns when all are done. Interrupts on. */
void on_cpus(const cpumask_t *mask, void (*fn)(void *), void *arg, bool wait);
void smp_send_event_check(unsigned cpu); /* makes it leave guest mode or wake from HLT and look at its softirqs */
void smp_send_nmi_all_but_self(void);
void machine_restart(unsigned delay_ms) __noreturn;
void machine_halt(void) __noreturn;

/* Traps. Table of hypervisor instructions that may fault, and where to go on (cpu/extable.c). */
uint64_t extable_fixup(uint64_t rip); /* 0: none */
void show_registers(const struct cpu_user_regs *regs);
void show_stack_trace(const struct cpu_user_regs *regs); /* NULL: from here */
void show_execution_state(const struct cpu_user_regs *regs);
/* Physical NMI and #MC in the hypervisor or a guest. */
void nmi_handle(struct cpu_user_regs *regs);

/* Per-CPU descriptor state that a context switch changes. desc.c */
void load_gdt_for(uint64_t gdt_va); /* base address; the limit covers the reserved page */
uint64_t host_gdt_base(void);       /* of this CPU, for a vCPU that has no GDT of its own */
mfn_t host_gdt_mfn(unsigned cpu);   /* the frame of its reserved GDT page, mapped into a PV vCPU's area */
void load_ldt_for(uint64_t ldt_va, unsigned entries); /* entries 0: none */
void tss_set_rsp0(uint64_t rsp0);
void tss_reload(void); /* after a VM exit that lost TR (VT-x limits, SVM VMLOAD) */
uint64_t tss_base(void);
uint64_t idt_base(void);
/* Gives the frame another handler: exceptions from PV guests. vmm/pv installs it. Called with interrupts off. */
extern void (*pv_trap_hook)(struct cpu_user_regs *regs);
/* SYSCALL / SYSENTER / int $0x82 / int $n from a PV guest: entered with regs == &current->regs. vmm/pv installs them. */
extern void (*pv_syscall_hook)(struct cpu_user_regs *regs);
extern void (*pv_sysenter_hook)(struct cpu_user_regs *regs);
/*
 * What reaches which hook (current->regs complete, interrupts off; afterwards current->ops->resume runs on an empty stack):
 *   pv_trap_hook      vectors 0 to 31 but NMI and #MC; int $0x80 (entry_vector 0x80, RIP behind it). Other INT n are #GP
 *                     with the IDT bit in error_code. CR2 (DR6) is still what the CPU left.
 *   pv_syscall_hook   SYSCALL: entry_vector is TRAP_SYSCALL (entry.h), cs GUEST_CS64 or, from 32-bit code, GUEST_CS32.
 *                     Who changes RIP, RCX, R11 or RFLAGS of such a frame must set entry_vector to 0.
 *   pv_sysenter_hook  rip and rsp are lost, and 0 in the frame.
 */

/* To the PV guest with these registers; interrupts off, on the CPU's own stack. entry.S. */
void restore_guest_regs_and_iret(struct cpu_user_regs *regs) __noreturn;
/* The IRETQ in it faulted: regs is current's, unchanged. Afterwards current->ops->resume tries again. */
extern void (*pv_iret_fault_hook)(struct cpu_user_regs *regs, unsigned vector, uint32_t error_code);
/* First look at a page fault of the hypervisor (interrupts as the frame's RFLAGS says: off in the hook). True: go on. */
extern bool (*hv_page_fault_hook)(struct cpu_user_regs *regs, uint64_t cr2);

#endif
