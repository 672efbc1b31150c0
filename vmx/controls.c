/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What exits: the execution controls of a vCPU.  Intel SDM 3C, 25.6 "VM-Execution Control Fields". */
#include "../vmm/cpu/asm.h"
#include "../vmm/cpu/regs.h"
#include "../vmm/cpu/time.h"
#include "vmx.h"

/* Between two PAUSEs of one loop; how long such a loop may last: TSC ticks, 25.6.13. */
#define PAUSE_GAP 128
#define PAUSE_WINDOW 4096
/*
 * The longest run without an exit, 25.5.1: each entry loads the timer anew.  Host interrupts end a run sooner; but one
 * emulator (Bochs 2.7) holds them back when a guest is entered with IF clear, until it changes IF or exits.
 */
#define LONGEST_RUN_MS 10

void vmx_set_proc(struct vcpu *v, uint32_t bits, bool on)
{
    struct vmx_vcpu *s = vmx_of(v);
    uint32_t value = on ? s->proc | bits : s->proc & ~bits;

    if (value == s->proc)
        return;
    s->proc = value;
    vmx_write(v, PROC_BASED_CONTROLS, value);
}

/* #MC is the machine's; #AC and #DB can be made to recur for ever while they are delivered. */
#define ALWAYS_INTERCEPTED (BIT(X86_TRAP_MC) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_DB))

void vmx_set_exception_intercepts(struct vcpu *v, uint32_t bitmap)
{
    vmx_write(v, EXCEPTION_BITMAP, bitmap | ALWAYS_INTERCEPTED);
}

void vmx_intercept_rdtsc(struct vcpu *v, bool on) { vmx_set_proc(v, PROC_RDTSC, on); }
void vmx_single_step(struct vcpu *v, bool on) { vmx_set_proc(v, PROC_MONITOR_TRAP, on); }

/* DR6 is not in the VMCS: it goes with the four addresses. v is current. */
void vmx_allow_dr(struct vcpu *v, bool allow)
{
    struct vmx_vcpu *s = vmx_of(v);

    if (allow == s->dr_direct)
        return;
    if (allow)
        INSN("mov %0, %%db6" ::"r"(s->dr6));
    else
        INSN("mov %%db6, %0" : "=r"(s->dr6));
    s->dr_direct = allow;
    vmx_set_proc(v, PROC_MOV_DR, !allow);
}

/* The multiplier is 16.48: 25.6.5. v does not run. */
bool vmx_set_tsc_ratio(struct vcpu *v, uint64_t ratio)
{
    bool fits = !(ratio >> 48);

    if (!(vmx_caps.proc2 & PROC2_TSC_SCALING))
        return false;
    vmx_write(v, TSC_MULTIPLIER, ratio && fits ? ratio << 16 : 1UL << 48);
    return fits;
}

/* Written at the next entry: v may be running elsewhere. */
void vmx_set_tsc_offset(struct vcpu *v, uint64_t offset)
{
    struct vmx_vcpu *s = vmx_of(v);

    __atomic_store_n(&s->tsc_offset, offset, __ATOMIC_RELAXED);
    __atomic_store_n(&s->tsc_offset_changed, true, __ATOMIC_RELEASE);
}

/* The VMCS is loaded. */
void vmx_init_controls(struct vcpu *v)
{
    struct vmx_vcpu *s = vmx_of(v);

    s->proc = vmx_caps.proc;
    s->entry = vmx_caps.entry;
    vmwrite(PIN_BASED_CONTROLS, vmx_caps.pin);
    vmwrite(PROC_BASED_CONTROLS, s->proc);
    vmwrite(PROC_BASED_CONTROLS2, vmx_caps.proc2);
    vmwrite(VM_EXIT_CONTROLS, vmx_caps.exit);
    vmwrite(VM_ENTRY_CONTROLS, s->entry);
    if (vmx_caps.proc2 & PROC2_XSAVES)
        vmwrite(XSS_EXIT_BITMAP, ~0UL); /* guests have no supervisor states */
    if (vmx_caps.proc2 & PROC2_PAUSE_LOOP) {
        vmwrite(PLE_GAP, PAUSE_GAP);
        vmwrite(PLE_WINDOW, PAUSE_WINDOW);
    }
    if (vmx_caps.pin & PIN_PREEMPTION_TIMER)
        vmwrite(PREEMPTION_TIMER_VALUE, MIN(tsc_khz * LONGEST_RUN_MS >> vmx_caps.timer_shift, 0xffffffffUL));
    vmwrite(PAGE_FAULT_ERROR_CODE_MASK, 0);
    vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, 0);
    vmwrite(CR3_TARGET_COUNT, 0);
    vmwrite(VM_EXIT_MSR_STORE_COUNT, 0);
    vmwrite(VM_EXIT_MSR_LOAD_COUNT, 0);
    vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 0);
    vmwrite(VM_ENTRY_INTR_INFO, 0);
    vmwrite(TPR_THRESHOLD, 0);
    vmwrite(CR0_GUEST_HOST_MASK, ~VMX_CR0_GUEST_OWNED);
    vmwrite(CR4_GUEST_HOST_MASK, ~0UL);
    vmwrite(EXCEPTION_BITMAP, ALWAYS_INTERCEPTED);
}

void vmx_dump(struct vcpu *v)
{
    static const char *const name[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr", "gdtr", "idtr"};
    unsigned long flags;

    if (v->is_running && this_cpu(vmx_loaded) != vmx_of(v)) {
        printk("VMCS of d%dv%u: it is running\n", v->domain->id, v->id);
        return;
    }
    flags = vmx_vmcs_enter(v);
    printk("VMCS of d%dv%u: exit %#lx qualification %#lx intr %#lx IDT vectoring %#lx entry intr %#lx error %lu\n",
           v->domain->id, v->id, vmread(VM_EXIT_REASON), vmread(EXIT_QUALIFICATION), vmread(VM_EXIT_INTR_INFO),
           vmread(IDT_VECTORING_INFO), vmread(VM_ENTRY_INTR_INFO), vmread(VM_INSTRUCTION_ERROR));
    printk("  cr0 %#lx (%#lx) cr3 %#lx cr4 %#lx (%#lx) efer %#lx rip %#lx rsp %#lx rflags %#lx dr7 %#lx\n",
           vmread(GUEST_CR0), vmread(CR0_READ_SHADOW), vmread(GUEST_CR3), vmread(GUEST_CR4), vmread(CR4_READ_SHADOW),
           vmread(GUEST_IA32_EFER), vmread(GUEST_RIP), vmread(GUEST_RSP), vmread(GUEST_RFLAGS), vmread(GUEST_DR7));
    printk("  controls: pin %#lx proc %#lx %#lx entry %#lx exit %#lx; interruptibility %#lx pending debug %#lx\n",
           vmread(PIN_BASED_CONTROLS), vmread(PROC_BASED_CONTROLS), vmread(PROC_BASED_CONTROLS2),
           vmread(VM_ENTRY_CONTROLS), vmread(VM_EXIT_CONTROLS), vmread(GUEST_INTERRUPTIBILITY),
           vmread(GUEST_PENDING_DEBUG));
    printk("  eptp %#lx gpa %#lx gla %#lx debugctl %#lx pat %#lx activity %lu tpr %#x threshold %lu\n",
           vmread(EPT_POINTER), vmread(GUEST_PHYSICAL_ADDRESS), vmread(GUEST_LINEAR_ADDRESS),
           vmread(GUEST_IA32_DEBUGCTL), vmread(GUEST_IA32_PAT), vmread(GUEST_ACTIVITY_STATE), vmx_tpr_shadow(v),
           vmread(TPR_THRESHOLD));
    vmx_vmcs_exit(v, flags);
    for (unsigned i = 0; i < NR_SEGMENTS; i++) {
        struct segment_reg seg;

        vmx_get_segment(v, i, &seg);
        printk("  %-4s %04x attr %#x limit %#x base %#lx\n", name[i], seg.sel, seg.attr, seg.limit, seg.base);
    }
}
