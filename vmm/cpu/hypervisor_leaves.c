/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPUID as a guest executes it: its policy's leaves, made current for the vCPU,
 * and the hypervisor's own leaves (public header arch-x86/cpuid.h).  No lock.
 */
#include "../domain/domain.h"
#include "../lib/string.h"
#include "../mm/page.h"
#include "cpu.h"
#include "fpu.h"
#include "policy_priv.h"
#include "regs.h"
#include "time.h"
#include <xen/arch-x86/cpufeatureset.h>
#include <xen/arch-x86/cpuid.h>

#define XEN_VERSION_MAJOR 4
#define XEN_VERSION_MINOR 17
#define HYPERCALL_MSR 0x40000000
#define FEATURE_BIT(name) (1U << (XEN_X86_FEATURE_##name % 32))

static uint64_t guest_cr4(const struct vcpu *v) { return v->ops->cr4 ? v->ops->cr4(v) : 0; }

/* Leaf 3: how the guest's clock relates to its TSC. */
static void time_leaf(const struct domain *d, uint32_t subleaf, uint32_t r[4])
{
    bool reliable = cpu_features.invariant_tsc;
    int8_t shift;

    switch (subleaf) {
    case 0:
        r[0] = (reliable ? 2U : 0) | (cpu_features.rdtscp ? 4U : 0);
        r[1] = d->tsc.mode;
        r[2] = (uint32_t)d->tsc.khz;
        r[3] = d->tsc.incarnation;
        break;
    case 1:
        r[0] = (uint32_t)d->tsc.offset_ns;
        r[1] = (uint32_t)((uint64_t)d->tsc.offset_ns >> 32);
        tsc_scale_of(d->tsc.khz ? d->tsc.khz : tsc_khz, &r[2], &shift);
        r[3] = (uint32_t)(int32_t)shift;
        break;
    case 2: r[0] = (uint32_t)tsc_khz; break;
    default: break;
    }
}

void hypervisor_leaf(const struct vcpu *v, uint32_t index, uint32_t subleaf, uint32_t r[4])
{
    const struct domain *d = v->domain;
    uint32_t limit = policy_reg(d->policy, HV_LEAF, XEN_CPUID_NO_SUBLEAF, REG_A) & 0xff;

    limit = limit ? MAX(MIN(limit, (uint32_t)XEN_CPUID_MAX_NUM_LEAVES), 2U) : XEN_CPUID_MAX_NUM_LEAVES;
    memset(r, 0, 4 * sizeof(r[0]));
    if (index > limit)
        return;
    switch (index) {
    case 0:
        r[0] = HV_LEAF + limit;
        r[1] = XEN_CPUID_SIGNATURE_EBX;
        r[2] = XEN_CPUID_SIGNATURE_ECX;
        r[3] = XEN_CPUID_SIGNATURE_EDX;
        break;
    case 1: r[0] = XEN_VERSION_MAJOR << 16 | XEN_VERSION_MINOR; break;
    case 2:
        r[0] = 1; /* page of hypercalls */
        r[1] = HYPERCALL_MSR;
        r[2] = d->is_hvm ? 0 : XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD;
        break;
    case 3: time_leaf(d, subleaf, r); break;
    case 4:
        if (!d->is_hvm || subleaf)
            break;
        r[0] = XEN_HVM_CPUID_IOMMU_MAPPINGS | XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT |
               XEN_HVM_CPUID_UPCALL_VECTOR;
        r[1] = v->id;
        r[2] = d->id;
        break;
    case 5:
        if (d->is_hvm || subleaf)
            break;
        r[1] = (max_mfn ? 64U - (unsigned)__builtin_clzll(max_mfn) : 0) + PAGE_SHIFT;
        break;
    default: break;
    }
}

/* Leaf 1: what changes while the vCPU runs. */
static void leaf_1(const struct vcpu *v, uint32_t r[4])
{
    if (v->domain->is_hvm)
        r[1] |= (uint32_t)(uint8_t)(v->id * 2) << 24; /* initial APIC ID */
    if ((r[2] & FEATURE_BIT(XSAVE)) && (guest_cr4(v) & CR4_OSXSAVE))
        r[2] |= FEATURE_BIT(OSXSAVE);
}

/* Leaf 0xb: only the x2APIC ID is told; topology is not virtualised. */
static void leaf_b(const struct vcpu *v, uint32_t subleaf, uint32_t r[4])
{
    memset(r, 0, 4 * sizeof(r[0]));
    if (!(policy_reg(v->domain->policy, 1, XEN_CPUID_NO_SUBLEAF, REG_C) & FEATURE_BIT(X2APIC)))
        return;
    r[2] = subleaf & 0xff;
    r[3] = v->id * 2;
}

/* Leaf 0xd: EBX is the size of the area for what is enabled now. */
static void leaf_d(const struct vcpu *v, uint32_t subleaf, uint32_t r[4])
{
    if (subleaf == 0 && r[0])
        r[1] = xstate_size_of(v->xcr0 ? v->xcr0 : 1);
    else if (subleaf == 1 && (r[0] & FEATURE_BIT(XSAVEC))) /* Linux does without XSAVE where it counts another size */
        r[1] = xstate_compact_size_of(v->xcr0 ? v->xcr0 : 1);
}

void guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    const struct domain *d = v->domain;
    uint32_t range = leaf & 0xffff0000U;

    memset(r, 0, 4 * sizeof(r[0]));
    if (leaf >= HV_LEAF && leaf < HV_LEAF + 0x100) {
        hypervisor_leaf(v, leaf - HV_LEAF, subleaf, r);
        return;
    }
    if (range != 0 && range != 0x80000000U)
        return;
    if (leaf > policy_reg(d->policy, range, XEN_CPUID_NO_SUBLEAF, REG_A))
        return;
    policy_leaf(d, leaf, subleaf, r);
    switch (leaf) {
    case 1: leaf_1(v, r); break;
    case 0xb: leaf_b(v, subleaf, r); break;
    case 0xd: leaf_d(v, subleaf, r); break;
    default: break;
    }
}
