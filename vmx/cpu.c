/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding VT-x and switching it on.  Intel SDM 3C, 24.6 "Discovering Support for VMX", 24.7 "Enabling and Entering VMX Operation". */
#include "../vmm/cpu/asm.h"
#include "../vmm/cpu/regs.h"
#include "../vmm/mm/alloc.h"
#include "vmx.h"

#define FEATURE_CONTROL_LOCK BIT(0)
#define FEATURE_CONTROL_VMX BIT(2) /* outside of SMX operation */

struct vmx_caps vmx_caps;
static DEFINE_PER_CPU(void *, vmxon_region);
static DEFINE_PER_CPU(bool, vmx_on);

static const struct hvm_backend vmx_backend_template = {
    .name = "VT-x",
    .npt_format = NPT_FORMAT_EPT,
    .cpu_enable = vmx_cpu_enable,
    .cpu_disable = vmx_cpu_disable,
    .domain_init = vmx_domain_init,
    .domain_free = vmx_domain_free,
    .vcpu_init = vmx_vcpu_init,
    .vcpu_free = vmx_vcpu_free,
    .vcpu_load = vmx_vcpu_load,
    .vcpu_put = vmx_vcpu_put,
    .run = vmx_run,
    .get_segment = vmx_get_segment,
    .set_segment = vmx_set_segment,
    .update_cr = vmx_update_cr,
    .update_efer = vmx_update_efer,
    .set_pdptes = vmx_set_pdptes,
    .get_msr = vmx_get_msr,
    .set_msr = vmx_set_msr,
    .get_dr = vmx_get_dr,
    .set_dr = vmx_set_dr,
    .allow_dr = vmx_allow_dr,
    .inject_event = vmx_inject_event,
    .event_pending = vmx_event_pending,
    .interrupt_shadow = vmx_interrupt_shadow,
    .set_interrupt_shadow = vmx_set_interrupt_shadow,
    .interrupt_window = vmx_interrupt_window,
    .nmi_window = vmx_nmi_window,
    .nmi_blocked = vmx_nmi_blocked,
    .set_nmi_blocked = vmx_set_nmi_blocked,
    .update_tpr_shadow = vmx_update_tpr_shadow,
    .tpr_shadow = vmx_tpr_shadow,
    .set_tsc_offset = vmx_set_tsc_offset,
    .set_tsc_ratio = vmx_set_tsc_ratio,
    .set_exception_intercepts = vmx_set_exception_intercepts,
    .intercept_msr = vmx_intercept_msr,
    .intercept_rdtsc = vmx_intercept_rdtsc,
    .single_step = vmx_single_step,
    .flush_guest_tlb = vmx_flush_guest_tlb,
    .flush_nested = vmx_flush_nested,
    .invlpg = vmx_invlpg,
    .dump = vmx_dump,
};
static struct hvm_backend vmx_backend;

/* The firmware may have locked VT-x away; where it left that open, this CPU's lock is closed with VT-x on. */
static bool vmx_unlocked(void)
{
    uint64_t control;

    if (rdmsr_safe(MSR_IA32_FEATURE_CONTROL, &control))
        return true; /* some emulators have no such MSR */
    if (!(control & FEATURE_CONTROL_LOCK)) {
        control |= FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX;
        if (wrmsr_safe(MSR_IA32_FEATURE_CONTROL, control))
            return false;
    }
    return control & FEATURE_CONTROL_VMX;
}

static const char *vmx_missing(void)
{
    if (!(cpu_features.leaf1_ecx & BIT(5)))
        return "the CPU has no VT-x";
    if (!vmx_unlocked())
        return "VT-x is disabled by the firmware: enable it in the setup menu";
    return vmx_read_caps(&vmx_caps);
}

const struct hvm_backend *vmx_probe(void)
{
    const char *missing = vmx_missing();

    if (missing) {
        printk(LOG_WARN "vmx: no HVM guests: %s\n", missing);
        return NULL;
    }
    vmx_backend = vmx_backend_template;
    vmx_backend.npt_2m = vmx_caps.ept_2m;
    vmx_backend.npt_1g = vmx_caps.ept_1g;
    if (!(vmx_caps.proc2 & PROC2_XSAVES))
        cpu_features.xsaves = false; /* #UD in guests; the host does without */
    if (vmx_caps.apicv) {
        vmx_backend.set_apic_mode = vmx_set_apic_mode;
        vmx_backend.set_virtual_interrupts = vmx_set_virtual_interrupts;
        vmx_backend.set_eoi_exits = vmx_set_eoi_exits;
        vmx_backend.posted_interrupts = vmx_caps.pin & PIN_POSTED_INTERRUPTS;
    }
    /* CR4.VMXE cannot be cleared while VMX is on, and who writes CR4 starts from this: SDM 3C, 24.8. */
    mmu_cr4_features |= CR4_VMXE;
    printk(LOG_INFO "vmx: EPT, VPID, unrestricted guest%s%s%s%s%s%s\n", vmx_caps.proc2 & PROC2_XSAVES ? ", XSAVES" : "",
           vmx_caps.proc2 & PROC2_INVPCID ? ", INVPCID" : "",
           vmx_caps.proc2 & PROC2_PAUSE_LOOP ? ", PAUSE-loop exits" : "",
           vmx_caps.proc2 & PROC2_TSC_SCALING ? ", TSC scaling" : "", vmx_caps.apicv ? ", APIC virtualisation" : "",
           vmx_caps.pin & PIN_POSTED_INTERRUPTS ? ", posted interrupts" : "");
    return &vmx_backend;
}

/* SDM 3C, 24.8 "Restrictions on VMX Operation" */
static bool control_registers_fit(void)
{
    uint64_t cr0 = read_cr0(), cr4 = read_cr4();

    return !(vmx_caps.cr0_fixed0 & ~cr0) && !(cr0 & ~vmx_caps.cr0_fixed1) && !(vmx_caps.cr4_fixed0 & ~cr4) &&
           !(cr4 & ~vmx_caps.cr4_fixed1);
}

static int vmxon(void)
{
    paddr_t pa = virt_to_paddr(this_cpu(vmxon_region));
    bool failed;

    __asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(pa) : "memory");
    if (failed)
        return -EIO;
    this_cpu(vmx_on) = true;
    invept(INVEPT_ALL, 0);
    invvpid(INVVPID_ALL, 0);
    return 0;
}

int vmx_cpu_enable(void)
{
    struct vmx_caps caps = {0};
    const char *missing = vmx_unlocked() ? vmx_read_caps(&caps) : "VT-x is disabled by the firmware";

    if (missing || memcmp(&caps, &vmx_caps, sizeof(caps))) {
        printk(LOG_ERR "vmx: CPU %u: %s\n", smp_processor_id(), missing ? missing : "VT-x is not that of the boot CPU");
        return -EOPNOTSUPP;
    }
    if (!this_cpu(vmxon_region))
        this_cpu(vmxon_region) = alloc_zeroed_page();
    if (!this_cpu(vmxon_region))
        return -ENOMEM;
    *(uint32_t *)this_cpu(vmxon_region) = caps.revision;
    vmx_init_msrs_cpu();
    write_cr4(read_cr4() | CR4_VMXE);
    if (!control_registers_fit())
        return -EIO;
    return vmxon();
}

void vmx_cpu_disable(void)
{
    mmu_cr4_features &= ~(uint64_t)CR4_VMXE;
    if (this_cpu(vmx_on))
        __asm__ volatile("vmxoff");
    this_cpu(vmx_on) = false;
    write_cr4(read_cr4() & ~(uint64_t)CR4_VMXE);
}
