/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dispatch of everything that enters through the IDT or SYSCALL: a PV guest's
 * exceptions go to vmm/pv, interrupts to irq.c, and the hypervisor's own
 * faults to the exception table or to a panic.
 */
#include "../domain/domain.h"
#include "asm.h"
#include "cpu.h"
#include "entry.h"
#include "irq.h"
#include "regs.h"

#define CHECK_UREG(field) _Static_assert(offsetof(struct cpu_user_regs, field) == UREGS_##field, #field)
CHECK_UREG(r15);
CHECK_UREG(r14);
CHECK_UREG(r13);
CHECK_UREG(r12);
CHECK_UREG(rbp);
CHECK_UREG(rbx);
CHECK_UREG(r11);
CHECK_UREG(r10);
CHECK_UREG(r9);
CHECK_UREG(r8);
CHECK_UREG(rax);
CHECK_UREG(rcx);
CHECK_UREG(rdx);
CHECK_UREG(rsi);
CHECK_UREG(rdi);
CHECK_UREG(error_code);
CHECK_UREG(entry_vector);
CHECK_UREG(rip);
CHECK_UREG(cs);
CHECK_UREG(rflags);
CHECK_UREG(rsp);
CHECK_UREG(ss);
CHECK_UREG(es);
_Static_assert(sizeof(struct cpu_user_regs) == UREGS_SIZE, "frame");
_Static_assert(offsetof(struct vcpu, host_stack_top) == VCPU_HOST_STACK_TOP, "entry code");
_Static_assert(sizeof(struct cpu_info) == CPUINFO_SIZE && offsetof(struct cpu_info, current_vcpu) == 0, "entry code");
_Static_assert(sizeof(struct syscall_slot) == SYSCALL_SLOT_SIZE && ENTRY_MAX_CPUS == MAX_CPUS, "entry code");

__read_mostly void (*pv_trap_hook)(struct cpu_user_regs *regs);
__read_mostly void (*pv_syscall_hook)(struct cpu_user_regs *regs);
__read_mostly void (*pv_sysenter_hook)(struct cpu_user_regs *regs);
void (*pv_iret_fault_hook)(struct cpu_user_regs *regs, unsigned vector, uint32_t error_code);
__read_mostly bool (*hv_page_fault_hook)(struct cpu_user_regs *regs, uint64_t cr2);

static const char *const trap_names[32] = {
    "divide error",
    "debug",
    "NMI",
    "breakpoint",
    "overflow",
    "bound range",
    "invalid opcode",
    "device not available",
    "double fault",
    "9",
    "invalid TSS",
    "segment not present",
    "stack fault",
    "general protection",
    "page fault",
    "15",
    "x87 fault",
    "alignment check",
    "machine check",
    "SIMD fault",
    "virtualization",
    "control protection",
};

static bool from_guest(const struct cpu_user_regs *regs) { return regs->cs & 3; }

static void __noreturn resume_guest(void) { reset_stack_and_jump(current->ops->resume); }

__hot_entry void guest_entry(struct cpu_user_regs *regs)
{
    if (regs->entry_vector < 32 || regs->entry_vector == VECTOR_LEGACY_SYSCALL)
        pv_trap_hook(regs);
    else
        do_irq(regs);
    resume_guest();
}

__hot_entry void guest_syscall_entry(struct cpu_user_regs *regs)
{
    pv_syscall_hook(regs);
    resume_guest();
}

void guest_sysenter_entry(struct cpu_user_regs *regs)
{
    pv_sysenter_hook(regs);
    resume_guest();
}

static void __noreturn fatal_trap(struct cpu_user_regs *regs)
{
    unsigned vector = regs->entry_vector;

    show_execution_state(regs);
    if (vector == X86_TRAP_PF)
        printk(LOG_ERR "Faulting linear address: %016lx\n", read_cr2());
    panic("FATAL TRAP: vector %u (%s), error code %04x", vector,
          vector < 32 && trap_names[vector] ? trap_names[vector] : "?", regs->error_code);
}

/* The IRETQ to a guest faulted. Its frame lies on this stack; current->regs is whole. */
static void __noreturn iret_fault(const struct cpu_user_regs *frame)
{
    if (!pv_iret_fault_hook)
        panic("IRET to a guest faulted");
    pv_iret_fault_hook(&current->regs, frame->entry_vector, frame->error_code);
    resume_guest();
}

void trap_in_hypervisor(struct cpu_user_regs *regs)
{
    uint64_t fixup;

    if (regs->entry_vector >= 32) {
        do_irq(regs);
        return;
    }
    if (regs->entry_vector == X86_TRAP_PF && hv_page_fault_hook && hv_page_fault_hook(regs, read_cr2()))
        return;
    if (regs->rip == (uint64_t)guest_iretq)
        iret_fault(regs);
    fixup = extable_fixup(regs->rip);
    if (!fixup)
        fatal_trap(regs);
    regs->rip = fixup;
}

/*
 * A #DB in the hypervisor: SYSENTER does not clear TF, and a breakpoint on data that MOV SS read is held back until the
 * first instruction of the SYSCALL stub. Neither is the hypervisor's concern.
 */
static void debug_trap(struct cpu_user_regs *regs)
{
    uint64_t dr6_reset = 0xffff0ff0;

    if (from_guest(regs)) {
        /* Turn it into an entry as from the other vectors: the frame belongs in current->regs. */
        struct cpu_user_regs *to = &current->regs;
        for (unsigned i = 0; i < offsetof(struct cpu_user_regs, es) / 8; i++)
            ((uint64_t *)to)[i] = ((uint64_t *)regs)[i];
        pv_trap_hook(to);
        resume_guest();
    }
    regs->rflags &= ~(uint64_t)EFLAGS_TF;
    __asm__ volatile("mov %0, %%dr6" ::"r"(dr6_reset));
}

void trap_on_ist(struct cpu_user_regs *regs)
{
    switch (regs->entry_vector) {
    case X86_TRAP_NMI: nmi_handle(regs); break;
    case X86_TRAP_MC: machine_check(regs); break;
    case X86_TRAP_DB: debug_trap(regs); break;
    default: fatal_trap(regs);
    }
}
