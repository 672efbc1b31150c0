/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PV as a guest type: pv_guest_ops, and what changes in a CPU when a PV vCPU
 * comes or goes.
 */
#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/regs.h"
#include "../mm/alloc.h"
#include "../mm/tlb.h"
#include "../sched/sched.h"
#include "../domain/evtchn.h"
#include "../domain/hypercall.h"
#include "../domain/pirq.h"
#include "dom0.h"
#include "guest.h"

/* CR4 bits that a guest may choose for itself; the others show what the hypervisor has. */
#define CR4_GUEST_OWNED (CR4_TSD | CR4_DE | CR4_FSGSBASE | CR4_OSXSAVE)
#define CR4_GUEST_VISIBLE (CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT)

/* -- control registers --------------------------------------------------------------------------------------------- */

uint64_t pv_guest_cr4(uint64_t wanted)
{
    uint64_t possible = mmu_cr4_features | CR4_TSD | CR4_DE;

    return (wanted & CR4_GUEST_OWNED & possible) | (mmu_cr4_features & CR4_GUEST_VISIBLE);
}

/* Kernels take XSAVE from us as they find it: with OSXSAVE off they do without. */
uint64_t pv_initial_cr4(void) { return pv_guest_cr4(CR4_OSXSAVE); }

void pv_load_cr4(const struct vcpu *v)
{
    uint64_t own = CR4_TSD | CR4_DE | CR4_FSGSBASE, cr4 = mmu_cr4_features & ~own;

    cr4 |= v->pv->ctrlreg[4] & own;
    if (cr4 != read_cr4()) {
        write_cr4(cr4);
    }
}

void pv_set_ts(struct vcpu *v, bool ts)
{
    if (ts) {
        v->pv->ctrlreg[0] |= CR0_TS;
        write_cr0(read_cr0() | CR0_TS);
    } else {
        v->pv->ctrlreg[0] &= ~CR0_TS;
        clts();
    }
}

/* -- life ---------------------------------------------------------------------------------------------------------- */

static int pv_domain_init(struct domain *d, const struct xen_domctl_createdomain *cfg)
{
    int rc;

    if (cfg->flags & (XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_nested_virt)) {
        return -EINVAL;
    }
    /* The one device a PV guest may have; Dom0 has the real one. */
    if (cfg->arch.emulation_flags & ~XEN_X86_EMU_PIT || cfg->max_vcpus > PV_MAX_VCPUS) {
        return -EINVAL;
    }
    rc = pv_mm_domain_init(d);
    return rc;
}

static void pv_domain_free(struct domain *d) { pv_mm_domain_free(d); }

static int pv_vcpu_init(struct vcpu *v)
{
    int rc = pv_mm_vcpu_init(v);

    if (rc) {
        return rc;
    }
    v->pv->ctrlreg[4] = pv_initial_cr4();
    v->pv->kernel_mode = true;
    return 0;
}

static void pv_vcpu_free(struct vcpu *v) { pv_mm_vcpu_free(v); }

static int pv_vcpu_reset(struct vcpu *v)
{
    int rc = pv_drop_bases(v);

    if (rc) {
        return rc;
    }
    pv_destroy_gdt(v);
    return 0;
}

/* -- switching ----------------------------------------------------------------------------------------------------- */

/*
 * The descriptor tables of v go here, since the address space that they are in goes away with CR3. That is for the next
 * vCPU's switch_to: v may not run elsewhere, nor its domain die, before.
 */
static void pv_switch_from(struct vcpu *v)
{
    pv_save_segments(v);
    pv_unload_debugregs(v);
    if (v->pv->ldt_ents) {
        load_ldt_for(0, 0);
    }
    load_gdt_for(host_gdt_base());
}

static void pv_switch_to(struct vcpu *v)
{
    unsigned cpu = smp_processor_id();

    v->host_stack_top = (uint64_t)get_cpu_info();
    tss_set_rsp0((uint64_t)&v->regs.es);
    cpumask_set(cpu, &v->dirty_cpus);
    pv_map_host_gdt(v, cpu);
    pv_write_cr3(v);
    load_gdt_for(pv_gdt_va(v));
    pv_load_ldt(v);
    pv_load_cr4(v);
    pv_load_debugregs(v);
    if (cpu_features.rdtscp) {
        wrmsr(MSR_TSC_AUX, v->pv->tsc_aux);
    }
    if (!pv_load_segments(v)) {
        v->pv->failsafe_pending = true;
    }
}

static bool pv_event_deliverable(struct vcpu *v)
{
    return vcpu_event_deliverable(v) || (v->nmi_is_pending && v->pv->nmi_callback && !v->pv->nmi_masked);
}

static void pv_nmi_pending(struct vcpu *v) { vcpu_kick(v); }

static void pv_hypercall_page(struct domain *d, void *page) { pv_fill_hypercall_page(page); }

static void pv_dump(struct vcpu *v)
{
    const struct cpu_user_regs *r = &v->regs;

    printk("d%uv%u: %s mode, %04x:%016lx, SP %04x:%016lx, flags %lx, kernel table %lx, user %lx\n", v->domain->id,
           v->id, v->pv->kernel_mode ? "kernel" : "user", r->cs, (unsigned long)r->rip, r->ss, (unsigned long)r->rsp,
           (unsigned long)r->rflags, (unsigned long)v->pv->guest_table.v, (unsigned long)v->pv->guest_table_user.v);
    printk("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", (unsigned long)r->rax, (unsigned long)r->rbx,
           (unsigned long)r->rcx, (unsigned long)r->rdx);
    printk("  rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", (unsigned long)r->rsi, (unsigned long)r->rdi,
           (unsigned long)r->rbp, (unsigned long)r->r8);
    printk("  r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", (unsigned long)r->r9, (unsigned long)r->r10,
           (unsigned long)r->r11, (unsigned long)r->r12);
    printk("  r13 %016lx r14 %016lx r15 %016lx cr2 %016lx\n", (unsigned long)r->r13, (unsigned long)r->r14,
           (unsigned long)r->r15, (unsigned long)v->pv->ctrlreg[2]);
}

static uint64_t pv_cr4(const struct vcpu *v) { return v->pv->ctrlreg[4]; }

const struct guest_ops pv_guest_ops = {
    .name = "PV",
    .domain_init = pv_domain_init,
    .domain_relinquish = pv_mm_relinquish,
    .domain_free = pv_domain_free,
    .vcpu_init = pv_vcpu_init,
    .vcpu_free = pv_vcpu_free,
    .switch_from = pv_switch_from,
    .switch_to = pv_switch_to,
    .resume = pv_resume,
    .set_context = pv_set_context,
    .get_context = pv_get_context,
    .vcpu_reset = pv_vcpu_reset,
    .copy_from = pv_copy_from_guest,
    .copy_to = pv_copy_to_guest,
    .get_page = pv_get_page,
    .gfn_to_mfn = pv_gfn_to_mfn,
    .physmap_add = pv_physmap_add,
    .physmap_remove = pv_physmap_remove,
    .map_mmio = pv_map_mmio,
    .grant_map = pv_grant_map,
    .grant_unmap = pv_grant_unmap,
    .event_deliverable = pv_event_deliverable,
    .nmi_pending = pv_nmi_pending,
    .hypercall_page = pv_hypercall_page,
    .dump = pv_dump,
    .cr4 = pv_cr4,
};

static void set_iopl(struct vcpu *v, unsigned iopl) { v->pv->iopl = iopl; }

static void set_iobitmap(struct vcpu *v, uint64_t bitmap_gva, unsigned nr_ports)
{
    v->pv->iobmp = bitmap_gva;
    v->pv->iobmp_limit = nr_ports;
}

void pv_init(void)
{
    pv_set_iopl = set_iopl;
    pv_set_iobitmap = set_iobitmap;
    pv_trap_hook = pv_trap;
    pv_syscall_hook = pv_syscall;
    pv_sysenter_hook = pv_sysenter;
    pv_iret_fault_hook = pv_iret_fault;
    hv_page_fault_hook = pv_page_fault_in_hypervisor;
    pv_mm_register();
    pv_register_callbacks();
    pv_register_debugreg();
    pv_register_iret();
    pv_register_segments();
    hypercall_register_pv(__HYPERVISOR_platform_op, do_platform_op);
}
