/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RDMSR and WRMSR by a PV guest's kernel.  An MSR is shown where a kernel
 * needs its value, and written where that only touches the guest's own state;
 * all others raise #GP, unless the domain was created relaxed (XEN_X86_MSR_RELAXED).
 */
#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/policy.h"
#include "../cpu/regs.h"
#include "guest.h"
#include <xen/arch-x86/cpufeatureset.h>

#define MSR_PLATFORM_ID 0x17
#define MSR_FAM10H_MMIO_CONF_BASE 0xc0010058
#define MSR_K8_NB_CFG 0xc001001f
#define MSR_K8_TSEG_ADDR 0xc0010112
#define MISC_ENABLE_XTPR (1UL << 23)
#define MISC_ENABLE_PERF_AVAIL (1UL << 7)
#define MISC_ENABLE_PEBS_UNAVAIL (1UL << 12)
#define MISC_ENABLE_BTS_UNAVAIL (1UL << 11)

/* Long mode is on and stays on; no virtualisation for a PV guest. */
static uint64_t guest_efer(void) { return rdmsr(MSR_EFER) & ~(uint64_t)EFER_SVME; }

static bool has_tsc_aux(const struct vcpu *v)
{
    return policy_has(v->domain, XEN_X86_FEATURE_RDTSCP) || policy_has(v->domain, XEN_X86_FEATURE_RDPID);
}

static bool read_own(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    switch (msr) {
    case MSR_TSC_AUX: *value = v->pv->tsc_aux; return has_tsc_aux(v);
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_SHADOW_GS_BASE:
        *value = rdmsr(msr); /* the guest's kernel runs: they are in the CPU */
        return true;
    default: return false;
    }
}

/* What the machine has, as far as it says nothing of other domains. */
static bool read_hardware(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    switch (msr) {
    case MSR_IA32_APICBASE: {
        uint64_t host = rdmsr(msr);

        *value = v->domain->is_hardware ? (v->id ? host & ~(uint64_t)APICBASE_BSP : host | APICBASE_BSP)
                                        : (host & APICBASE_ENABLE) | (v->id ? 0 : APICBASE_BSP) | 0xfee00000UL;
        return true;
    }
    case MSR_EFER: *value = guest_efer(); return true;
    case MSR_IA32_CR_PAT: *value = HOST_PAT; return true;
    case MSR_IA32_MISC_ENABLE:
        if (rdmsr_safe(msr, value)) {
            return false;
        }
        *value &= ~(MISC_ENABLE_PERF_AVAIL | MISC_ENABLE_XTPR);
        *value |= MISC_ENABLE_PEBS_UNAVAIL | MISC_ENABLE_BTS_UNAVAIL;
        return true;
    case MSR_K8_HWCR:
    case MSR_K8_SYSCFG:
    case MSR_K8_NB_CFG:
    case MSR_FAM10H_MMIO_CONF_BASE:
    case MSR_K8_TSEG_ADDR:
        return cpu_features.vendor == VENDOR_AMD && v->domain->is_hardware && !rdmsr_safe(msr, value);
    case MSR_IA32_BIOS_SIGN_ID:
    case MSR_PLATFORM_ID:
    case MSR_MTRRcap:
    case MSR_MTRRdefType:
    case MSR_MTRRphysBase0 ... MSR_MTRRphysBase0 + 31:
    case MSR_MTRRfix64K_00000:
    case MSR_MTRRfix16K_80000:
    case MSR_MTRRfix16K_A0000:
    case MSR_MTRRfix4K_C0000 ... MSR_MTRRfix4K_C0000 + 7: return v->domain->is_hardware && !rdmsr_safe(msr, value);
    default: return false;
    }
}

int pv_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    int rc;

    *value = 0;
    if (read_own(v, msr, value)) {
        return 0;
    }
    rc = guest_rdmsr_common(v, msr, value);
    if (rc <= 0) {
        return rc;
    }
    if (read_hardware(v, msr, value)) {
        return 0;
    }
    if (v->domain->misc_flags & XEN_X86_MSR_RELAXED) {
        *value = 0;
        return 0;
    }
    printk(LOG_GUEST LOG_DEBUG "d%uv%u: RDMSR %#x refused\n", v->domain->id, v->id, msr);
    return -EPERM;
}

static int write_base(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (!is_canonical(value)) {
        return -EPERM;
    }
    wrmsr(msr, value);
    return 0;
}

static int write_tsc_aux(struct vcpu *v, uint64_t value)
{
    if (!has_tsc_aux(v) || value >> 32) {
        return -EPERM;
    }
    v->pv->tsc_aux = (uint32_t)value;
    wrmsr(MSR_TSC_AUX, value);
    return 0;
}

int pv_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint64_t old;
    int rc;

    switch (msr) {
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_SHADOW_GS_BASE: return write_base(v, msr, value);
    case MSR_TSC_AUX: return write_tsc_aux(v, value);
    case MSR_EFER: /* nothing that may change: accepted as it is */
        return ((value ^ guest_efer()) & ~(uint64_t)EFER_LMA) ? -EPERM : 0;
    case MSR_IA32_CR_PAT: return value == HOST_PAT ? 0 : -EPERM;
    default: break;
    }
    rc = guest_wrmsr_common(v, msr, value);
    if (rc <= 0) {
        return rc;
    }
    /* A write of what is read there already has no effect, and some kernels do it. */
    if (read_hardware(v, msr, &old) && old == value) {
        return 0;
    }
    if (v->domain->misc_flags & XEN_X86_MSR_RELAXED) {
        return 0;
    }
    printk(LOG_GUEST LOG_DEBUG "d%uv%u: WRMSR %#x of %#lx refused\n", v->domain->id, v->id, msr, (unsigned long)value);
    return -EPERM;
}
