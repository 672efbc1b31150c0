/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One entry into the guest and the exit from it.  Intel SDM 3C, 28.1 "Architectural State Before a VM Exit". */
#include "../vmm/cpu/asm.h"
#include "../vmm/cpu/irq.h"
#include "../vmm/cpu/regs.h"
#include "vmx.h"

static void vmx_load_state(struct vcpu *v, struct vmx_vcpu *s)
{
    if (__atomic_exchange_n(&s->tsc_offset_changed, false, __ATOMIC_ACQUIRE))
        vmwrite(TSC_OFFSET, __atomic_load_n(&s->tsc_offset, __ATOMIC_RELAXED));
    vmwrite(GUEST_RIP, v->regs.rip);
    vmwrite(GUEST_RSP, v->regs.rsp);
    vmwrite(GUEST_RFLAGS, v->regs.rflags | EFLAGS_MBS);
    if (v->regs.rflags & EFLAGS_TF)
        vmx_fix_pending_debug();
    if (read_cr2() != v->hvm->cr[2])
        write_cr2(v->hvm->cr[2]);
    vmx_prepare_translations(v);
}

static void vmx_store_state(struct vcpu *v)
{
    v->regs.rip = vmread(GUEST_RIP);
    v->regs.rsp = vmread(GUEST_RSP);
    v->regs.rflags = vmread(GUEST_RFLAGS);
    v->hvm->cr[0] = (v->hvm->cr[0] & ~VMX_CR0_GUEST_OWNED) | (vmread(GUEST_CR0) & VMX_CR0_GUEST_OWNED);
    v->hvm->cr[2] = read_cr2();
    v->hvm->cr[3] = vmread(GUEST_CR3);
}

/*
 * NMIs and machine checks are the host's.  The exit has blocked NMIs, as an
 * NMI's delivery would: its handler's IRET ends that.  SDM 3C, 28.5.5.
 */
static void vmx_handle_host_exception(struct vmx_vcpu *s)
{
    s->exit.intr_info = (uint32_t)vmread(VM_EXIT_INTR_INFO);
    if (INTR_INFO_TYPE(s->exit.intr_info) == EVENT_NMI)
        INSN("int %0" ::"i"(X86_TRAP_NMI));
    else if (INTR_INFO_VECTOR(s->exit.intr_info) == X86_TRAP_MC)
        INSN("int %0" ::"i"(X86_TRAP_MC));
}

/* The exit took it from the local APIC, if it may: SDM 3C, 28.2.2. Else it comes as soon as interrupts are on. */
static void vmx_handle_host_interrupt(void)
{
    uint32_t info = (uint32_t)vmread(VM_EXIT_INTR_INFO);

    if (info & INTR_INFO_VALID)
        do_irq_vector(INTR_INFO_VECTOR(info));
}

void vmx_run(struct vcpu *v, struct vm_exit *exit)
{
    struct vmx_vcpu *s = vmx_of(v);

    vmx_load_state(v, s);
    if (vmx_enter(&v->regs, s->launched)) {
        s->exit.reason = EXIT_REASON_ENTRY_FAILED; /* the reason field is that of the exit before */
    } else {
        s->exit.reason = (uint32_t)vmread(VM_EXIT_REASON);
        if (!(s->exit.reason & EXIT_REASON_ENTRY_FAILED)) {
            s->launched = true;
            vmx_store_state(v);
        }
    }
    s->injecting = false;
    if (s->exit.reason == VMX_EXIT_EXCEPTION_NMI)
        vmx_handle_host_exception(s);
    else if (s->exit.reason == VMX_EXIT_EXTERNAL_INTERRUPT)
        vmx_handle_host_interrupt();
    local_irq_enable();
    vmx_decode_exit(v, exit);
}
