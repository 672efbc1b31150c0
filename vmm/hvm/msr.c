/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RDMSR and WRMSR that exit.  What every guest type treats alike is in cpu/policy.c. */
#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/policy.h"
#include "../cpu/regs.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "../mm/pgtable.h"
#include "hvm_state.h"
#include <xen/arch-x86/cpufeatureset.h>

#define MSR_HYPERCALL_PAGE 0x40000000 /* as CPUID leaf 0x40000002 names it */
#define HYPERCALL_STUB 32             /* bytes each: public header xen.h */
/* Fast strings; no branch trace store, no PEBS, no MONITOR: Intel SDM 4, table 2-2. */
#define MISC_ENABLE_VALUE (BIT(0) | BIT(11) | BIT(12))

static const struct {
    uint32_t msr;
    enum hvm_saved_msr saved;
    bool canonical;
} saved_msrs[] = {
    {MSR_STAR, HVM_MSR_STAR, false},
    {MSR_LSTAR, HVM_MSR_LSTAR, true},
    {MSR_CSTAR, HVM_MSR_CSTAR, true},
    {MSR_SYSCALL_MASK, HVM_MSR_SFMASK, false},
    {MSR_SHADOW_GS_BASE, HVM_MSR_KERNEL_GS, true},
    {MSR_IA32_SYSENTER_CS, HVM_MSR_SYSENTER_CS, false},
    {MSR_IA32_SYSENTER_ESP, HVM_MSR_SYSENTER_ESP, true},
    {MSR_IA32_SYSENTER_EIP, HVM_MSR_SYSENTER_EIP, true},
    {MSR_IA32_DEBUGCTL, HVM_MSR_DEBUGCTL, false},
    {MSR_TSC_AUX, HVM_MSR_TSC_AUX, false},
};

/*
 * Read as 0 and ignore writes: configuration that systems look at without
 * asking CPUID first (platform ID, power-on configuration, microcode, machine
 * check addresses, AMD's SYSCFG, HWCR, TOM2, patch level, C-state and NB
 * configuration, IORRs, P-states' limits).
 */
static const struct {
    uint32_t first, last;
} zero_msrs[] = {
    {0x17, 0x17},
    {0x2a, 0x2a},
    {MSR_IA32_BIOS_SIGN_ID, MSR_IA32_BIOS_SIGN_ID},
    {0xcd, 0xcd},
    {0x119, 0x119},
    {0x400, 0x407},
    {MSR_K8_SYSCFG, MSR_K8_SYSCFG},
    {MSR_K8_HWCR, MSR_K8_HWCR},
    {0xc0010016, 0xc001001d},
    {0xc001001f, 0xc001001f},
    {0xc0010055, 0xc0010055},
    {0xc0010058, 0xc0010058},
    {0xc0010112, 0xc0010114},
    {0xc001100c, 0xc001100c},
    {0xc0011020, 0xc001102d},
};

static bool msr_reads_zero(uint32_t msr)
{
    for (unsigned i = 0; i < ARRAY_SIZE(zero_msrs); i++)
        if (msr >= zero_msrs[i].first && msr <= zero_msrs[i].last)
            return true;
    return false;
}

static enum hvm_result gp_fault(struct vcpu *v)
{
    hvm_inject_exception(v, X86_TRAP_GP, 0, 0);
    return HVM_FAULT;
}

/* Guests that have IA32_XSS have no state that it could turn on. */
static bool has_xss(const struct vcpu *v) { return policy_has(v->domain, XEN_X86_FEATURE_XSAVES); }

static bool read_saved(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    for (unsigned i = 0; i < ARRAY_SIZE(saved_msrs); i++) {
        if (saved_msrs[i].msr != msr)
            continue;
        *value = hvm_backend->get_msr(v, saved_msrs[i].saved);
        return true;
    }
    return false;
}

static bool write_saved(struct vcpu *v, uint32_t msr, uint64_t value, bool *ok)
{
    for (unsigned i = 0; i < ARRAY_SIZE(saved_msrs); i++) {
        if (saved_msrs[i].msr != msr)
            continue;
        *ok = !saved_msrs[i].canonical || is_canonical(value);
        if (msr == MSR_IA32_DEBUGCTL)
            *ok = !(value & ~3UL); /* LBR, BTF */
        else if (msr == MSR_SYSCALL_MASK || msr == MSR_TSC_AUX)
            *ok = !(value >> 32); /* reserved, and what the CPU would refuse when they are loaded */
        if (*ok)
            hvm_backend->set_msr(v, saved_msrs[i].saved, value);
        return true;
    }
    return false;
}

static uint64_t segment_base(struct vcpu *v, enum hvm_segment seg)
{
    struct segment_reg s;

    hvm_backend->get_segment(v, seg, &s);
    return s.base;
}

static void set_segment_base(struct vcpu *v, enum hvm_segment seg, uint64_t base)
{
    struct segment_reg s;

    hvm_backend->get_segment(v, seg, &s);
    s.base = base;
    hvm_backend->set_segment(v, seg, &s);
}

enum hvm_result hvm_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    struct hvm_vcpu *h = v->hvm;
    int rc;

    if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST) {
        enum hvm_result r = vlapic_x2apic_read(v, msr, value);

        return r == HVM_UNHANDLEABLE ? gp_fault(v) : r;
    }
    if (mtrr_read(v, msr, value) || read_saved(v, msr, value))
        return HVM_OKAY;
    switch (msr) {
    case MSR_IA32_TSC: *value = hvm_guest_tsc(v); return HVM_OKAY;
    case MSR_IA32_TSC_ADJUST: *value = h->tsc_adjust; return HVM_OKAY;
    case MSR_IA32_APICBASE: *value = vlapic_apicbase(v); return HVM_OKAY;
    case MSR_IA32_TSC_DEADLINE: *value = vlapic_tdt_msr(v); return HVM_OKAY;
    case MSR_EFER: *value = h->efer; return HVM_OKAY;
    case MSR_FS_BASE: *value = segment_base(v, SEG_FS); return HVM_OKAY;
    case MSR_GS_BASE: *value = segment_base(v, SEG_GS); return HVM_OKAY;
    case MSR_IA32_XSS: *value = 0; return has_xss(v) ? HVM_OKAY : gp_fault(v);
    case MSR_IA32_MISC_ENABLE: *value = MISC_ENABLE_VALUE; return HVM_OKAY;
    case MSR_IA32_MCG_CAP: *value = h->vmce.caps; return HVM_OKAY;
    case MSR_IA32_MCG_STATUS: *value = h->mcg_status; return HVM_OKAY;
    default: break;
    }
    rc = guest_rdmsr_common(v, msr, value);
    if (rc == 0)
        return HVM_OKAY;
    if (rc < 0)
        return gp_fault(v);
    *value = 0;
    if (msr_reads_zero(msr) || (v->domain->misc_flags & XEN_X86_MSR_RELAXED))
        return HVM_OKAY;
    return gp_fault(v);
}

/* Each stub: MOV EAX, number; VMMCALL (AMD) or VMCALL (Intel); RET. IRET is not a hypercall of HVM guests: UD2. */
void hvm_fill_hypercall_page(struct domain *d, void *page)
{
    const uint8_t call = cpu_features.vendor == VENDOR_INTEL ? 0xc1 : 0xd9;

    memset(page, 0xcc, PAGE_SIZE);
    for (uint32_t i = 0; i < PAGE_SIZE / HYPERCALL_STUB; i++) {
        uint8_t *p = (uint8_t *)page + i * HYPERCALL_STUB;

        if (i == __HYPERVISOR_iret) {
            memcpy(p, (const uint8_t[]){0x0f, 0x0b}, 2);
            continue;
        }
        p[0] = 0xb8;
        memcpy(p + 1, &i, sizeof(i));
        memcpy(p + 5, (const uint8_t[]){0x0f, 0x01, call, 0xc3}, 4);
    }
}

static enum hvm_result write_hypercall_page(struct vcpu *v, uint64_t value)
{
    enum hvm_result rc = HVM_OKAY;
    void *page;

    if (value & ~PAGE_MASK) /* its number: there is one */
        return gp_fault(v);
    domain_latch_shinfo_size(v->domain);
    page = alloc_zeroed_page();
    if (!page)
        return gp_fault(v);
    hvm_fill_hypercall_page(v->domain, page);
    if (hvm_copy_to_gpa(v->domain, GPA(value), page, PAGE_SIZE))
        rc = gp_fault(v);
    free_xenheap_pages(page, 0);
    return rc;
}

static enum hvm_result write_tsc_adjust(struct vcpu *v, uint64_t value)
{
    hvm_set_guest_tsc(v, hvm_guest_tsc(v) + value - v->hvm->tsc_adjust);
    v->hvm->tsc_adjust = value;
    return HVM_OKAY;
}

static enum hvm_result write_other(struct vcpu *v, uint32_t msr, uint64_t value)
{
    int rc = guest_wrmsr_common(v, msr, value);

    if (rc == 0)
        return HVM_OKAY;
    if (rc < 0)
        return gp_fault(v);
    if (msr_reads_zero(msr) || (v->domain->misc_flags & XEN_X86_MSR_RELAXED))
        return HVM_OKAY;
    return gp_fault(v);
}

enum hvm_result hvm_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    bool ok;

    if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST) {
        enum hvm_result r = vlapic_x2apic_write(v, msr, value);

        return r == HVM_UNHANDLEABLE ? gp_fault(v) : r;
    }
    if (mtrr_write(v, msr, value, &ok) || write_saved(v, msr, value, &ok))
        return ok ? HVM_OKAY : gp_fault(v);
    switch (msr) {
    case MSR_HYPERCALL_PAGE: return write_hypercall_page(v, value);
    case MSR_IA32_TSC:
        v->hvm->tsc_adjust += value - hvm_guest_tsc(v);
        hvm_set_guest_tsc(v, value);
        return HVM_OKAY;
    case MSR_IA32_TSC_ADJUST: return write_tsc_adjust(v, value);
    case MSR_IA32_APICBASE: return vlapic_set_apicbase(v, value) ? HVM_OKAY : gp_fault(v);
    case MSR_IA32_TSC_DEADLINE: vlapic_set_tdt_msr(v, value); return HVM_OKAY;
    case MSR_EFER: return hvm_set_efer(v, value);
    case MSR_FS_BASE:
    case MSR_GS_BASE:
        if (!is_canonical(value))
            return gp_fault(v);
        set_segment_base(v, msr == MSR_FS_BASE ? SEG_FS : SEG_GS, value);
        return HVM_OKAY;
    case MSR_IA32_XSS: return value || !has_xss(v) ? gp_fault(v) : HVM_OKAY;
    case MSR_IA32_MISC_ENABLE: return HVM_OKAY; /* all of it is fixed */
    case MSR_IA32_MCG_STATUS: v->hvm->mcg_status = value; return HVM_OKAY;
    default: return write_other(v, msr, value);
    }
}
