/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vCPU's control block: its creation, and what exits.  AMD APM 2, 15.9 "Instruction Intercepts". */
#include "../vmm/cpu/asm.h"
#include "../vmm/cpu/regs.h"
#include "../vmm/mm/alloc.h"
#include "svm.h"

/* The MSR permission map has two bits (read, write) for each MSR of three ranges: APM 2, 15.11. */
static int svm_msrpm_bit(uint32_t msr)
{
    static const struct {
        uint32_t first, offset;
    } range[] = {{0, 0}, {0xc0000000, 0x800}, {0xc0010000, 0x1000}};

    for (unsigned i = 0; i < ARRAY_SIZE(range); i++)
        if (msr >= range[i].first && msr < range[i].first + 0x2000)
            return (int)(range[i].offset * 8 + (msr - range[i].first) * 2);
    return -1;
}

bool svm_msr_exits(struct vcpu *v, uint32_t msr)
{
    int bit = svm_msrpm_bit(msr);

    return bit < 0 || test_bit((unsigned)bit + 1, svm_of(v)->msrpm);
}

void svm_intercept_msr(struct vcpu *v, uint32_t msr, bool read, bool write)
{
    struct svm_vcpu *s = svm_of(v);
    int bit = svm_msrpm_bit(msr);

    if (bit < 0)
        return; /* MSRs outside the ranges always exit */
    (read ? __set_bit : __clear_bit)((unsigned)bit, s->msrpm);
    (write ? __set_bit : __clear_bit)((unsigned)bit + 1, s->msrpm);
    svm_dirty(s, CLEAN_PERM_MAPS);
}

void svm_set_intercepts(struct svm_vcpu *s, uint32_t *word, uint32_t bits, bool on)
{
    uint32_t value = on ? *word | bits : *word & ~bits;

    if (value == *word)
        return;
    *word = value;
    svm_dirty(s, CLEAN_INTERCEPTS);
}

/* #MC is the machine's; #AC and #DB can be made to recur for ever while they are delivered. */
void svm_set_exception_intercepts(struct vcpu *v, uint32_t bitmap)
{
    struct svm_vcpu *s = svm_of(v);

    s->vmcb->exceptions = bitmap | BIT(X86_TRAP_MC) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_DB);
    svm_dirty(s, CLEAN_INTERCEPTS);
}

void svm_intercept_rdtsc(struct vcpu *v, bool on)
{
    struct svm_vcpu *s = svm_of(v);

    svm_set_intercepts(s, &s->vmcb->intercepts1, INTERCEPT_RDTSC, on);
    svm_set_intercepts(s, &s->vmcb->intercepts2, INTERCEPT_RDTSCP, on || !cpu_features.rdtscp);
}

void svm_allow_dr(struct vcpu *v, bool allow)
{
    struct svm_vcpu *s = svm_of(v);

    s->vmcb->dr_reads = s->vmcb->dr_writes = allow ? 0 : 0xffff;
    svm_dirty(s, CLEAN_INTERCEPTS);
}

void svm_set_tsc_offset(struct vcpu *v, uint64_t offset)
{
    svm_of(v)->vmcb->tsc_offset = offset;
    svm_dirty(svm_of(v), CLEAN_INTERCEPTS);
}

static void svm_init_intercepts(struct vcpu *v, struct svm_vcpu *s)
{
    static const uint32_t direct[] = {
        MSR_STAR,
        MSR_LSTAR,
        MSR_CSTAR,
        MSR_SYSCALL_MASK,
        MSR_SHADOW_GS_BASE,
        MSR_FS_BASE,
        MSR_GS_BASE,
        MSR_IA32_SYSENTER_CS,
        MSR_IA32_SYSENTER_ESP,
        MSR_IA32_SYSENTER_EIP,
    };
    struct vmcb *vmcb = s->vmcb;

    vmcb->cr_writes = BIT(4);
    vmcb->intercepts1 = INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_SMI | INTERCEPT_INIT | INTERCEPT_CR0_SEL_WRITE |
                        INTERCEPT_RDPMC | INTERCEPT_CPUID | INTERCEPT_INVD | INTERCEPT_HLT | INTERCEPT_INVLPGA |
                        INTERCEPT_IOIO_PROT | INTERCEPT_MSR_PROT | INTERCEPT_TASK_SWITCH | INTERCEPT_SHUTDOWN;
    vmcb->intercepts2 = INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE | INTERCEPT_STGI |
                        INTERCEPT_CLGI | INTERCEPT_SKINIT | INTERCEPT_WBINVD | INTERCEPT_MONITOR | INTERCEPT_MWAIT |
                        INTERCEPT_XSETBV | INTERCEPT_RDPRU;
    if (svm_features & SVM_FEATURE_PAUSE_FILTER) {
        vmcb->intercepts1 |= INTERCEPT_PAUSE;
        vmcb->pause_count = 3000;
    }
    svm_intercept_rdtsc(v, false);
    svm_allow_dr(v, false);
    svm_set_exception_intercepts(v, 0);

    memset(s->msrpm, 0xff, PAGE_SIZE << MSRPM_ORDER);
    for (unsigned i = 0; i < ARRAY_SIZE(direct); i++)
        svm_intercept_msr(v, direct[i], false, false);
    if (cpu_features.rdtscp)
        svm_intercept_msr(v, MSR_TSC_AUX, false, false);
}

int svm_vcpu_init(struct vcpu *v)
{
    struct svm_vcpu *s = xzalloc(struct svm_vcpu);

    if (!s)
        return -ENOMEM;
    v->hvm->backend = s;
    s->vmcb = alloc_zeroed_page();
    s->msrpm = alloc_xenheap_pages(MSRPM_ORDER);
    if (!s->vmcb || !s->msrpm) {
        svm_vcpu_free(v);
        return -ENOMEM;
    }
    s->vmcb_pa = virt_to_paddr(s->vmcb);
    s->vmcb->iopm_base = virt_to_paddr(svm_iopm);
    s->vmcb->msrpm_base = virt_to_paddr(s->msrpm);
    s->vmcb->np_control = 1;
    s->vmcb->n_cr3 = hvm_npt_root(v->domain);
    s->vmcb->vintr = VINTR_MASKING;
    s->vmcb->g_pat = 0x0007040600070406; /* as at power-on: APM 2, 7.8.1 */
    s->vmcb->dr6 = 0xffff0ff0;
    s->vmcb->dr7 = 0x400;
    s->vmcb->efer = EFER_SVME;
    svm_init_intercepts(v, s);
    return 0;
}

void svm_vcpu_free(struct vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);

    if (!s)
        return;
    if (s->vmcb)
        free_xenheap_pages(s->vmcb, 0);
    if (s->msrpm)
        free_xenheap_pages(s->msrpm, MSRPM_ORDER);
    xfree(s);
    v->hvm->backend = NULL;
}

void svm_vcpu_load(struct vcpu *v)
{
    if (cpu_features.rdtscp)
        wrmsr(MSR_TSC_AUX, svm_of(v)->tsc_aux);
}

void svm_vcpu_put(struct vcpu *v)
{
    if (cpu_features.rdtscp)
        svm_of(v)->tsc_aux = rdmsr(MSR_TSC_AUX);
}

void svm_dump(struct vcpu *v)
{
    const struct vmcb *m = svm_of(v)->vmcb;

    printk("VMCB of d%dv%u: exit %#lx info %#lx %#lx intinfo %#lx vintr %#lx shadow %lu\n", v->domain->id, v->id,
           m->exitcode, m->exitinfo1, m->exitinfo2, m->exitintinfo, m->vintr, m->shadow & 1);
    printk("  cr0 %#lx cr2 %#lx cr3 %#lx cr4 %#lx efer %#lx cpl %u rip %#lx rsp %#lx rflags %#lx\n", m->cr0, m->cr2,
           m->cr3, m->cr4, m->efer, m->cpl, m->rip, m->rsp, m->rflags);
    printk("  asid %u n_cr3 %#lx intercepts %#x %#x cr %#x/%#x exceptions %#x\n", m->asid, m->n_cr3, m->intercepts1,
           m->intercepts2, m->cr_reads, m->cr_writes, m->exceptions);
    for (unsigned i = 0; i < NR_SEGMENTS; i++) {
        static const char *const name[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr", "gdtr", "idtr"};
        struct segment_reg seg;

        svm_get_segment(v, i, &seg);
        printk("  %-4s %04x attr %#x limit %#x base %#lx\n", name[i], seg.sel, seg.attr, seg.limit, seg.base);
    }
}
