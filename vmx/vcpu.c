/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a vCPU's VMCS.  While v is on a CPU its VMCS is active there; when
 * v leaves, VMCLEAR brings all of it to memory, so that any CPU may take it.
 * Others read and write it only then, under s->lock, by loading it for a moment.
 * Intel SDM 3C, 25.11 "Software Use of the VMCS and Related Structures".
 */
#include "../vmm/cpu/asm.h"
#include "../vmm/cpu/regs.h"
#include "../vmm/mm/alloc.h"
#include "../vmm/mm/pgtable.h"
#include "vmx.h"

#define EPTP_WRITE_BACK 6UL
#define EPTP_WALK_4 (3UL << 3)

DEFINE_PER_CPU(struct vmx_vcpu *, vmx_loaded);

/* -- domains ------------------------------------------------------------------------------------------------------ */
int vmx_domain_init(struct domain *d)
{
    struct vmx_domain *vd = xzalloc(struct vmx_domain);

    if (!vd)
        return -ENOMEM;
    vd->eptp = hvm_npt_root(d) | EPTP_WRITE_BACK | EPTP_WALK_4;
    d->hvm->backend = vd;
    vmx_flush_nested(d); /* the root's frame may have been another domain's */
    return 0;
}

void vmx_domain_free(struct domain *d)
{
    xfree(d->hvm->backend);
    d->hvm->backend = NULL;
}

/* -- access ------------------------------------------------------------------------------------------------------- */
unsigned long vmx_vmcs_enter(struct vcpu *v)
{
    struct vmx_vcpu *s = vmx_of(v);
    unsigned long flags;

    if (this_cpu(vmx_loaded) == s)
        return 0;
    flags = spin_lock_irqsave(&s->lock);
    vmptrld(s->vmcs_pa);
    return flags;
}

void vmx_vmcs_exit(struct vcpu *v, unsigned long flags)
{
    struct vmx_vcpu *s = vmx_of(v);

    if (this_cpu(vmx_loaded) == s)
        return;
    vmclear(s->vmcs_pa);
    if (this_cpu(vmx_loaded))
        vmptrld(this_cpu(vmx_loaded)->vmcs_pa);
    spin_unlock_irqrestore(&s->lock, flags);
}

uint64_t vmx_read(struct vcpu *v, enum vmcs_field field)
{
    unsigned long flags = vmx_vmcs_enter(v);
    uint64_t value = vmread(field);

    vmx_vmcs_exit(v, flags);
    return value;
}

void vmx_write(struct vcpu *v, enum vmcs_field field, uint64_t value)
{
    unsigned long flags = vmx_vmcs_enter(v);

    vmwrite(field, value);
    vmx_vmcs_exit(v, flags);
}

/* -- creation ----------------------------------------------------------------------------------------------------- */
/* What of the host is the same on all CPUs: 25.5 "Host-State Area". */
static void init_host_state(void)
{
    vmwrite(HOST_CR0, read_cr0() & ~(uint64_t)CR0_TS);
    vmwrite(HOST_CR3, idle_cr3());
    vmwrite(HOST_CR4, mmu_cr4_features);
    vmwrite(HOST_IA32_EFER, rdmsr(MSR_EFER));
    vmwrite(HOST_IA32_PAT, HOST_PAT);
    vmwrite(HOST_CS_SELECTOR, HV_CS);
    vmwrite(HOST_SS_SELECTOR, HV_DS);
    vmwrite(HOST_DS_SELECTOR, 0);
    vmwrite(HOST_ES_SELECTOR, 0);
    vmwrite(HOST_FS_SELECTOR, 0);
    vmwrite(HOST_GS_SELECTOR, 0);
    vmwrite(HOST_TR_SELECTOR, TSS_SELECTOR);
    vmwrite(HOST_FS_BASE, 0);
    vmwrite(HOST_GS_BASE, 0);
    vmwrite(HOST_IDTR_BASE, idt_base());
    vmwrite(HOST_RIP, (uint64_t)vmx_exit_point);
}

static void init_guest_state(struct vcpu *v, struct vmx_vcpu *s)
{
    vmwrite(VMCS_LINK_POINTER, ~0UL);
    vmwrite(GUEST_IA32_DEBUGCTL, 0);
    vmwrite(GUEST_ACTIVITY_STATE, 0);
    vmwrite(GUEST_INTERRUPTIBILITY, 0);
    vmwrite(GUEST_PENDING_DEBUG, 0);
    vmwrite(GUEST_SYSENTER_CS, 0);
    vmwrite(GUEST_SYSENTER_ESP, 0);
    vmwrite(GUEST_SYSENTER_EIP, 0);
    vmwrite(GUEST_DR7, DR7_RESET);
    vmwrite(VIRTUAL_PROCESSOR_ID, s->vpid);
    vmwrite(VIRTUAL_APIC_PAGE_ADDR, virt_to_paddr(hvm_apic_page(v)));
    vmwrite(MSR_BITMAP, virt_to_paddr(s->msr_bitmap));
}

static int vmx_vcpu_alloc(struct vmx_vcpu *s)
{
    s->vmcs = alloc_zeroed_page();
    s->msr_bitmap = alloc_zeroed_page();
    if (!s->vmcs || !s->msr_bitmap)
        return -ENOMEM;
    s->vmcs_pa = virt_to_paddr(s->vmcs);
    *(uint32_t *)s->vmcs = vmx_caps.revision;
    return vmx_alloc_vpid(&s->vpid);
}

int vmx_vcpu_init(struct vcpu *v)
{
    struct vmx_vcpu *s = xzalloc(struct vmx_vcpu);
    unsigned long flags;

    if (!s)
        return -ENOMEM;
    v->hvm->backend = s;
    if (vmx_vcpu_alloc(s)) {
        vmx_vcpu_free(v);
        return -ENOMEM;
    }
    spin_lock_init(&s->lock, LOCK_UNORDERED);
    s->last_cpu = MAX_CPUS;
    s->dr6 = DR6_RESET;
    vmclear(s->vmcs_pa);
    vmx_init_msr_bitmap(v);
    flags = vmx_vmcs_enter(v);
    init_host_state();
    init_guest_state(v, s);
    vmx_init_controls(v);
    vmx_init_apicv(v);
    vmwrite(EPT_POINTER, ((struct vmx_domain *)v->domain->hvm->backend)->eptp);
    vmx_vmcs_exit(v, flags);
    return 0;
}

void vmx_vcpu_free(struct vcpu *v)
{
    struct vmx_vcpu *s = vmx_of(v);

    if (!s)
        return;
    if (s->vpid)
        vmx_free_vpid(s->vpid);
    if (s->vmcs)
        free_xenheap_pages(s->vmcs, 0);
    if (s->msr_bitmap)
        free_xenheap_pages(s->msr_bitmap, 0);
    xfree(s);
    v->hvm->backend = NULL;
}

/* -- scheduling --------------------------------------------------------------------------------------------------- */
/*
 * This CPU's part of the host state. An exit gives GDTR and IDTR a limit of 0xffff and TR one of 0x67, and makes LDTR
 * null (28.5.2): more than the tables have, but nothing uses a selector beyond them, and a PV vCPU's switch_to loads all.
 */
static void load_host_state(void)
{
    vmwrite(HOST_TR_BASE, tss_base());
    vmwrite(HOST_GDTR_BASE, host_gdt_base());
    vmwrite(HOST_SYSENTER_CS, rdmsr(MSR_IA32_SYSENTER_CS));
    vmwrite(HOST_SYSENTER_ESP, rdmsr(MSR_IA32_SYSENTER_ESP));
    vmwrite(HOST_SYSENTER_EIP, rdmsr(MSR_IA32_SYSENTER_EIP));
}

void vmx_vcpu_load(struct vcpu *v)
{
    struct vmx_vcpu *s = vmx_of(v);

    vmptrld(s->vmcs_pa);
    this_cpu(vmx_loaded) = s;
    if (s->last_cpu != smp_processor_id()) {
        load_host_state();
        s->last_cpu = smp_processor_id();
        s->flush_wanted = true; /* it may have been here before, with other translations */
    }
    vmx_load_msrs(s);
}

void vmx_vcpu_put(struct vcpu *v)
{
    struct vmx_vcpu *s = vmx_of(v);

    vmx_put_msrs(s);
    vmclear(s->vmcs_pa);
    s->launched = false;
    this_cpu(vmx_loaded) = NULL;
}
