/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events for the guest, what blocks them, and the windows in which they can be
 * taken.  Intel SDM 3C, 27.6 "Event Injection", 25.4.2 "Guest Non-Register
 * State", 27.2.1.3 "VM-Entry Control Fields".
 */
#include "../vmm/cpu/regs.h"
#include "vmx.h"

/* Exceptions that push an error code; here only these may, and they must. */
#define ERROR_CODE_VECTORS (X86_TRAP_HAVE_EC & ~BIT(21))
#define VTPR 0x80 /* in the APIC's page */

static void set_interruptibility(struct vcpu *v, uint32_t clear, uint32_t set)
{
    unsigned long flags = vmx_vmcs_enter(v);

    vmwrite(GUEST_INTERRUPTIBILITY, (vmread(GUEST_INTERRUPTIBILITY) & ~(uint64_t)clear) | set);
    vmx_vmcs_exit(v, flags);
}

/* In a form that the checks of 27.2.1.3 accept; v is current. */
void vmx_inject_event(struct vcpu *v, const struct hvm_event *e)
{
    struct vmx_vcpu *s = vmx_of(v);
    uint32_t info = INTR_INFO_VALID | e->vector;
    unsigned type = e->type;

    if ((type == EVENT_SW_EXC || type == EVENT_PRIV_SW_EXC) && !e->insn_len)
        type = EVENT_EXCEPTION;
    if (type >= EVENT_SW_INTR)
        vmwrite(VM_ENTRY_INSTRUCTION_LEN, e->insn_len);
    if (type == EVENT_NMI)
        set_interruptibility(v, BLOCKING_BY_NMI, 0); /* again, if its delivery was interrupted; the entry sets it */
    if (type == EVENT_EXCEPTION && e->vector < 32 && (ERROR_CODE_VECTORS >> e->vector & 1) &&
        (v->hvm->cr[0] & CR0_PE)) {
        info |= INTR_INFO_ERROR_CODE;
        vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, e->has_error ? e->error_code : 0);
    }
    if (type == EVENT_EXCEPTION && e->vector == X86_TRAP_PF)
        v->hvm->cr[2] = e->cr2;
    vmwrite(VM_ENTRY_INTR_INFO, info | type << INTR_INFO_TYPE_SHIFT);
    s->injecting = true;
}

bool vmx_event_pending(struct vcpu *v) { return vmx_of(v)->injecting; }

/* An event whose delivery the exit interrupted: 28.2.4. */
void vmx_decode_idt_vectoring(struct vcpu *v, struct hvm_event *e)
{
    uint32_t info = (uint32_t)vmread(IDT_VECTORING_INFO);

    if (!(info & INTR_INFO_VALID))
        return;
    e->valid = true;
    e->vector = INTR_INFO_VECTOR(info);
    e->type = INTR_INFO_TYPE(info);
    e->has_error = info & INTR_INFO_ERROR_CODE;
    if (e->has_error)
        e->error_code = (uint32_t)vmread(IDT_VECTORING_ERROR_CODE);
    if (e->type >= EVENT_SW_INTR)
        e->insn_len = (uint8_t)vmread(VM_EXIT_INSTRUCTION_LEN);
    e->cr2 = v->hvm->cr[2];
}

/* -- shadows and NMIs --------------------------------------------------------------------------------------------- */
unsigned vmx_interrupt_shadow(struct vcpu *v)
{
    uint64_t blocked = vmx_read(v, GUEST_INTERRUPTIBILITY);

    return (blocked & BLOCKING_BY_STI ? HVM_SHADOW_STI : 0) | (blocked & BLOCKING_BY_MOV_SS ? HVM_SHADOW_MOV_SS : 0);
}

/* Not both, and that of STI only with IF set: 27.3.1.5. */
void vmx_set_interrupt_shadow(struct vcpu *v, unsigned shadow)
{
    uint32_t set = 0;

    if (shadow & HVM_SHADOW_MOV_SS)
        set = BLOCKING_BY_MOV_SS;
    else if ((shadow & HVM_SHADOW_STI) && (v->regs.rflags & EFLAGS_IF))
        set = BLOCKING_BY_STI;
    set_interruptibility(v, BLOCKING_BY_STI | BLOCKING_BY_MOV_SS, set);
    if (!set)
        vmx_write(v, GUEST_PENDING_DEBUG, 0); /* a trap that was held back: the core raises it itself */
}

/*
 * With TF set, a single-step trap is due after the instruction in the shadow, and an entry demands that the VMCS says so
 * (27.3.1.5); where the core made the shadow, it does not yet.  The VMCS is loaded.
 */
void vmx_fix_pending_debug(void)
{
    uint64_t pending = vmread(GUEST_PENDING_DEBUG);

    if (!(vmread(GUEST_INTERRUPTIBILITY) & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)))
        return;
    if (vmread(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF)
        pending &= ~PENDING_DEBUG_BS;
    else
        pending |= PENDING_DEBUG_BS;
    vmwrite(GUEST_PENDING_DEBUG, pending);
}

bool vmx_nmi_blocked(struct vcpu *v) { return vmx_read(v, GUEST_INTERRUPTIBILITY) & BLOCKING_BY_NMI; }

void vmx_set_nmi_blocked(struct vcpu *v, bool blocked)
{
    set_interruptibility(v, BLOCKING_BY_NMI, blocked ? BLOCKING_BY_NMI : 0);
}

void vmx_interrupt_window(struct vcpu *v, bool on) { vmx_set_proc(v, PROC_INTERRUPT_WINDOW, on); }
void vmx_nmi_window(struct vcpu *v, bool on) { vmx_set_proc(v, PROC_NMI_WINDOW, on); }

/* -- the task priority -------------------------------------------------------------------------------------------- */
/* The guest's CR8 is in the vlapic's page itself: 30.1.1 "Virtualized APIC Registers". v is current. */
void vmx_update_tpr_shadow(struct vcpu *v, uint8_t tpr, uint8_t threshold)
{
    struct vmx_vcpu *s = vmx_of(v);

    if (threshold == s->tpr_threshold)
        return;
    s->tpr_threshold = threshold;
    vmwrite(TPR_THRESHOLD, threshold);
}

uint8_t vmx_tpr_shadow(struct vcpu *v) { return ((uint8_t *)hvm_apic_page(v))[VTPR]; }
