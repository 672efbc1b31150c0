/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSRs that PV and HVM guests see alike: those whose value follows from the CPU
 * policy, and those that merely must be there.  Intel SDM 4, chapter 2; AMD
 * APM 2, appendix A.  No state.
 */
#include "../domain/domain.h"
#include "asm.h"
#include "cpu.h"
#include "policy_priv.h"
#include "regs.h"
#include <xen/arch-x86/cpufeatureset.h>

#define MSR_SPEC_CTRL 0x48
#define MSR_CORE_CAPABILITIES 0xcf
#define MSR_MISC_FEATURES_ENABLES 0x140
#define MSR_AMD_DE_CFG 0xc0011029
#define DE_CFG_LFENCE_SERIALISES 2 /* AMD: "Software Techniques for Managing Speculation" */
#define HWCR_TSC_FREQ_SEL (1UL << 24)
#define PRED_CMD_IBPB 1

static bool is_intel(void) { return cpu_features.vendor == VENDOR_INTEL; }
static bool is_amd(void) { return cpu_features.vendor == VENDOR_AMD; }

int guest_rdmsr_common(const struct vcpu *v, uint32_t msr, uint64_t *value)
{
    const struct domain *d = v->domain;

    *value = 0;
    switch (msr) {
    case MSR_SPEC_CTRL:
    case MSR_PRED_CMD: /* write only */
    case MSR_CORE_CAPABILITIES: return -EPERM;
    case MSR_IA32_BIOS_SIGN_ID: /* microcode revision: guests look at it to see whether an erratum is fixed */
        return (is_intel() || is_amd()) && !rdmsr_safe(msr, value) ? 0 : -EPERM;
    case MSR_INTEL_PLATFORM_INFO:
    case MSR_MISC_FEATURES_ENABLES: /* CPUID faulting: neither there nor on */ return is_intel() ? 0 : -EPERM;
    case MSR_ARCH_CAPABILITIES:
        if (!policy_has(d, XEN_X86_FEATURE_ARCH_CAPS))
            return -EPERM;
        *value = *policy_msr(d->policy, MSR_ARCH_CAPABILITIES);
        return 0;
    case MSR_IA32_MCG_CAP: /* without a bank, unless the guest type has some */
    case MSR_IA32_MCG_STATUS: return 0;
    case MSR_AMD_DE_CFG: *value = DE_CFG_LFENCE_SERIALISES; return is_amd() ? 0 : -EPERM;
    case MSR_K8_HWCR:
        *value = HWCR_TSC_FREQ_SEL; /* the TSC runs at P0's frequency */
        return is_amd() ? 0 : -EPERM;
    default: return 1;
    }
}

int guest_wrmsr_common(struct vcpu *v, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case MSR_PRED_CMD:
        if (!policy_has(v->domain, XEN_X86_FEATURE_IBPB) || (value & ~(uint64_t)PRED_CMD_IBPB))
            return -EPERM;
        if (value)
            wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
        return 0;
    case MSR_SPEC_CTRL:
    case MSR_CORE_CAPABILITIES:
    case MSR_INTEL_PLATFORM_INFO:
    case MSR_ARCH_CAPABILITIES:
    case MSR_IA32_MCG_CAP: return -EPERM;
    case MSR_IA32_BIOS_SIGN_ID: /* written before CPUID, to have the revision loaded */
        return is_intel() && !value ? 0 : -EPERM;
    case MSR_MISC_FEATURES_ENABLES: return is_intel() && !value ? 0 : -EPERM;
    case MSR_IA32_MCG_STATUS: return value ? -EPERM : 0;
    case MSR_AMD_DE_CFG:
    case MSR_K8_HWCR: /* nothing in them is the guest's to change */ return is_amd() ? 0 : -EPERM;
    default: return 1;
    }
}
