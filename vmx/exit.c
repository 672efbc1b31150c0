/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decodes an exit into the neutral record.  Intel SDM 3C, 28.2 "Recording VM-Exit Information and Updating VM-Entry Control Fields". */
#include "../vmm/cpu/regs.h"
#include "vmx.h"

/* Exits by an instruction, for which its length is recorded: 28.2.5. */
#define INSTRUCTION_EXITS                                                                                              \
    (BIT(VMX_EXIT_TASK_SWITCH) | BIT(VMX_EXIT_CPUID) | BIT(VMX_EXIT_GETSEC) | BIT(VMX_EXIT_HLT) | BIT(VMX_EXIT_INVD) | \
     BIT(VMX_EXIT_INVLPG) | BIT(VMX_EXIT_RDPMC) | BIT(VMX_EXIT_RDTSC) | BIT(VMX_EXIT_VMCALL) |                         \
     BIT(VMX_EXIT_CR_ACCESS) | BIT(VMX_EXIT_IO) | BIT(VMX_EXIT_RDMSR) | BIT(VMX_EXIT_WRMSR) | BIT(VMX_EXIT_RDTSCP) |   \
     BIT(VMX_EXIT_WBINVD) | BIT(VMX_EXIT_XSETBV))

/* Exit qualifications: tables 28-3, 28-5, 28-7, 28-1, 28-2. */
#define CR_NUMBER(q) ((q)&0xf)
#define CR_TYPE(q) (((q) >> 4) & 3)
#define CR_GPR(q) (((q) >> 8) & 0xf)
#define CR_LMSW_SOURCE(q) ((uint16_t)((q) >> 16))
enum cr_access { CR_WRITE, CR_READ, CR_CLTS, CR_LMSW };
#define IO_SIZE(q) (((q)&7) + 1)
#define IO_IN BIT(3)
#define IO_STRING BIT(4)
#define IO_REP BIT(5)
#define IO_PORT(q) ((uint16_t)((q) >> 16))
#define EPT_READ BIT(0)
#define EPT_WRITE BIT(1)
#define EPT_FETCH BIT(2)
#define EPT_ALLOWED (7UL << 3) /* what the entries allow; none: nothing is mapped */
#define EPT_LINEAR_VALID BIT(7)
#define EPT_FINAL BIT(8)
#define TASK_SELECTOR(q) ((uint16_t)(q))
#define TASK_SOURCE(q) (((q) >> 30) & 3) /* the numbers of enum task_source */
#define DEBUG_DR6 (0xfUL | DR6_BD | DR6_BS)

static void vmx_decode_exception(struct vcpu *v, struct vm_exit *exit)
{
    uint32_t info = vmx_of(v)->exit.intr_info;

    if (INTR_INFO_TYPE(info) == EVENT_NMI || INTR_INFO_VECTOR(info) == X86_TRAP_MC)
        return; /* handled: VMEXIT_NONE */
    exit->reason = VMEXIT_EXCEPTION;
    exit->u.exc.vector = INTR_INFO_VECTOR(info);
    exit->u.exc.type = INTR_INFO_TYPE(info);
    exit->u.exc.has_error = info & INTR_INFO_ERROR_CODE;
    if (exit->u.exc.has_error)
        exit->u.exc.error_code = (uint32_t)vmread(VM_EXIT_INTR_ERROR_CODE);
    if (exit->u.exc.vector == X86_TRAP_PF)
        exit->u.exc.cr2 = vmread(EXIT_QUALIFICATION);
    if (exit->u.exc.vector == X86_TRAP_DB) {
        exit->u.exc.dr6 = vmread(EXIT_QUALIFICATION) & DEBUG_DR6;
        if (exit->u.exc.dr6 & DR6_BD) /* its delivery would have cleared DR7.GD */
            vmwrite(GUEST_DR7, vmread(GUEST_DR7) & ~DR7_GD);
    }
    if (exit->u.exc.type != EVENT_EXCEPTION)
        exit->insn_len = (uint8_t)vmread(VM_EXIT_INSTRUCTION_LEN);
    if ((info & INTR_INFO_NMI_UNBLOCKED) && !exit->idt.valid && exit->u.exc.vector != X86_TRAP_DF)
        vmx_set_nmi_blocked(v, true); /* the IRET that faulted will be executed again: 28.2.3 */
}

static void vmx_decode_io(struct vm_exit *exit)
{
    uint64_t q = vmread(EXIT_QUALIFICATION);

    exit->reason = VMEXIT_PIO;
    exit->u.pio.port = IO_PORT(q);
    exit->u.pio.size = IO_SIZE(q);
    exit->u.pio.in = q & IO_IN;
    exit->u.pio.string = q & IO_STRING;
    exit->u.pio.rep = q & IO_REP;
}

static void vmx_decode_npf(struct vcpu *v, struct vm_exit *exit)
{
    uint64_t q = vmread(EXIT_QUALIFICATION);

    exit->reason = VMEXIT_NPF;
    exit->u.npf.gpa = GPA(vmread(GUEST_PHYSICAL_ADDRESS));
    exit->u.npf.read = q & EPT_READ;
    exit->u.npf.write = q & EPT_WRITE;
    exit->u.npf.fetch = q & EPT_FETCH;
    exit->u.npf.present = q & EPT_ALLOWED;
    exit->u.npf.gva_valid = q & EPT_LINEAR_VALID;
    exit->u.npf.in_page_walk = exit->u.npf.gva_valid && !(q & EPT_FINAL);
    if (exit->u.npf.gva_valid)
        exit->u.npf.gva = vmread(GUEST_LINEAR_ADDRESS);
    if ((q & INTR_INFO_NMI_UNBLOCKED) && !exit->idt.valid) /* the same bit as there */
        vmx_set_nmi_blocked(v, true);
}

static void vmx_decode_cr(struct vm_exit *exit)
{
    uint64_t q = vmread(EXIT_QUALIFICATION);

    exit->reason = VMEXIT_CR;
    exit->u.cr.decoded = true;
    exit->u.cr.cr = CR_NUMBER(q);
    exit->u.cr.gpr = CR_GPR(q);
    exit->u.cr.write = CR_TYPE(q) == CR_WRITE;
    exit->u.cr.clts = CR_TYPE(q) == CR_CLTS;
    exit->u.cr.lmsw = CR_TYPE(q) == CR_LMSW;
    exit->u.cr.lmsw_src = CR_LMSW_SOURCE(q);
}

static void vmx_decode_task_switch(struct vm_exit *exit)
{
    uint64_t q = vmread(EXIT_QUALIFICATION);

    exit->reason = VMEXIT_TASK_SWITCH;
    exit->u.task.sel = TASK_SELECTOR(q);
    exit->u.task.source = TASK_SOURCE(q);
    exit->u.task.has_error = exit->u.task.source == TASK_GATE && exit->idt.valid && exit->idt.has_error;
    exit->u.task.error_code = exit->idt.error_code;
}

static void vmx_decode_msr(struct vcpu *v, struct vm_exit *exit, bool write)
{
    exit->reason = VMEXIT_MSR;
    exit->u.msr.msr = (uint32_t)v->regs.rcx;
    exit->u.msr.write = write;
}

static void vmx_bad_state(struct vcpu *v, struct vm_exit *exit)
{
    uint32_t reason = vmx_of(v)->exit.reason;

    printk(LOG_ERR "vmx: d%dv%u: %s (%#x)\n", v->domain->id, v->id,
           reason & EXIT_REASON_ENTRY_FAILED ? "entry refused" : "exit not known", reason);
    vmx_dump(v);
    exit->reason = VMEXIT_BAD_STATE;
}

void vmx_decode_exit(struct vcpu *v, struct vm_exit *exit)
{
    uint32_t reason = vmx_of(v)->exit.reason;

    *exit = (struct vm_exit){.reason = VMEXIT_NONE};
    if (reason >= 64) {
        vmx_bad_state(v, exit);
        return;
    }
    vmx_decode_idt_vectoring(v, &exit->idt);
    if (INSTRUCTION_EXITS >> reason & 1)
        exit->insn_len = (uint8_t)vmread(VM_EXIT_INSTRUCTION_LEN);
    switch (reason) {
    case VMX_EXIT_EXCEPTION_NMI: vmx_decode_exception(v, exit); break;
    case VMX_EXIT_EXTERNAL_INTERRUPT:
    case VMX_EXIT_PREEMPTION_TIMER:
    case VMX_EXIT_INIT:
    case VMX_EXIT_SIPI: break;
    case VMX_EXIT_TRIPLE_FAULT: exit->reason = VMEXIT_TRIPLE_FAULT; break;
    case VMX_EXIT_INTERRUPT_WINDOW:
        vmx_interrupt_window(v, false);
        exit->reason = VMEXIT_INTR_WINDOW;
        break;
    case VMX_EXIT_NMI_WINDOW: exit->reason = VMEXIT_NMI_WINDOW; break;
    case VMX_EXIT_TASK_SWITCH: vmx_decode_task_switch(exit); break;
    case VMX_EXIT_CPUID: exit->reason = VMEXIT_CPUID; break;
    case VMX_EXIT_HLT: exit->reason = VMEXIT_HLT; break;
    case VMX_EXIT_INVD:
    case VMX_EXIT_WBINVD: exit->reason = VMEXIT_WBINVD; break;
    case VMX_EXIT_INVLPG:
        exit->reason = VMEXIT_INVLPG;
        exit->u.invlpg.decoded = true;
        exit->u.invlpg.gva = vmread(EXIT_QUALIFICATION);
        break;
    case VMX_EXIT_RDPMC: exit->reason = VMEXIT_RDPMC; break;
    case VMX_EXIT_RDTSC:
    case VMX_EXIT_RDTSCP:
        exit->reason = VMEXIT_RDTSC;
        exit->u.rdtsc.rdtscp = reason == VMX_EXIT_RDTSCP;
        break;
    case VMX_EXIT_VMCALL: exit->reason = VMEXIT_HYPERCALL; break;
    case VMX_EXIT_CR_ACCESS: vmx_decode_cr(exit); break;
    case VMX_EXIT_DR_ACCESS: exit->reason = VMEXIT_DR; break;
    case VMX_EXIT_IO: vmx_decode_io(exit); break;
    case VMX_EXIT_RDMSR: vmx_decode_msr(v, exit, false); break;
    case VMX_EXIT_WRMSR: vmx_decode_msr(v, exit, true); break;
    case VMX_EXIT_MONITOR_TRAP: exit->reason = VMEXIT_SINGLE_STEP; break;
    case VMX_EXIT_PAUSE: exit->reason = VMEXIT_PAUSE; break;
    case VMX_EXIT_TPR: exit->reason = VMEXIT_TPR; break;
    case VMX_EXIT_APIC_ACCESS: exit->reason = VMEXIT_APIC_ACCESS; break;
    case VMX_EXIT_APIC_WRITE:
        exit->reason = VMEXIT_APIC_WRITE;
        exit->u.apic.offset = vmread(EXIT_QUALIFICATION) & 0xfff;
        break;
    case VMX_EXIT_EOI:
        exit->reason = VMEXIT_APIC_EOI;
        exit->u.apic.vector = (uint8_t)vmread(EXIT_QUALIFICATION);
        break;
    case VMX_EXIT_EPT_VIOLATION: vmx_decode_npf(v, exit); break;
    case VMX_EXIT_XSETBV: exit->reason = VMEXIT_XSETBV; break;
    case VMX_EXIT_GETSEC:
    case VMX_EXIT_VMCLEAR ... VMX_EXIT_VMXON:
    case VMX_EXIT_MWAIT:
    case VMX_EXIT_MONITOR:
    case VMX_EXIT_INVEPT:
    case VMX_EXIT_INVVPID:
    case VMX_EXIT_INVPCID:
    case VMX_EXIT_VMFUNC: exit->reason = VMEXIT_INVALID_OP; break;
    default: vmx_bad_state(v, exit); break;
    }
}
