/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a policy's leaves a guest may see.  A table says which bits of which
 * leaf pass; what it does not name reads as zero.  Feature words are treated
 * by policy_features.c, extended state by its own function.
 */
#include "../lib/string.h"
#include "cpu.h"
#include "fpu.h"
#include "policy_priv.h"
#include <xen/arch-x86/cpufeatureset.h>

#define NO_SUBLEAF XEN_CPUID_NO_SUBLEAF
#define ALL 0xffffffffU
#define ANY_SUBLEAF 0xfffffffeU

/* Bits of leaf 1 EDX that AMD shows again in leaf 0x80000001 EDX. AMD APM 3, E.4.2. */
#define COMMON_1D 0x0183f3ffU

enum { ON_INTEL = 1, ON_AMD = 2, ON_BOTH = 3 };

/* Feature words pass here (ALL): they have been limited before. */
static const struct {
    uint32_t leaf, subleaf;
    uint8_t vendors;
    uint32_t keep[4];
} visible[] = {
    {0, NO_SUBLEAF, ON_BOTH, {ALL, ALL, ALL, ALL}},
    {1, NO_SUBLEAF, ON_BOTH, {0x0fff0fff, 0x00ffffff, ALL, ALL}}, /* the APIC ID is the vCPU's */
    {2, NO_SUBLEAF, ON_INTEL, {ALL, ALL, ALL, ALL}},              /* caches and TLBs */
    {4, ANY_SUBLEAF, ON_INTEL, {ALL, ALL, ALL, ALL}},
    {7, 0, ON_BOTH, {ALL, ALL, ALL, ALL}},
    {7, 1, ON_BOTH, {ALL, ALL, ALL, ALL}},
    {7, 2, ON_BOTH, {0, 0, 0, ALL}},
    {0xd, ANY_SUBLEAF, ON_BOTH, {ALL, ALL, ALL, ALL}},
    {HV_LEAF, NO_SUBLEAF, ON_BOTH, {0xff, 0, 0, 0}},
    {HV2_LEAF, NO_SUBLEAF, ON_BOTH, {0xff, 0, 0, 0}},
    {0x80000000U, NO_SUBLEAF, ON_INTEL, {ALL, 0, 0, 0}},
    {0x80000000U, NO_SUBLEAF, ON_AMD, {ALL, ALL, ALL, ALL}},
    {0x80000001U, NO_SUBLEAF, ON_INTEL, {0, 0, ALL, ALL}},
    {0x80000001U, NO_SUBLEAF, ON_AMD, {0x0fff0fff, 0xff00ffff, ALL, ALL}},
    {0x80000002U, NO_SUBLEAF, ON_BOTH, {ALL, ALL, ALL, ALL}}, /* brand */
    {0x80000003U, NO_SUBLEAF, ON_BOTH, {ALL, ALL, ALL, ALL}},
    {0x80000004U, NO_SUBLEAF, ON_BOTH, {ALL, ALL, ALL, ALL}},
    {0x80000005U, NO_SUBLEAF, ON_AMD, {ALL, ALL, ALL, ALL}},
    {0x80000006U, NO_SUBLEAF, ON_INTEL, {0, 0, ALL, 0}},
    {0x80000006U, NO_SUBLEAF, ON_AMD, {ALL, ALL, ALL, ALL}},
    {0x80000007U, NO_SUBLEAF, ON_BOTH, {0, 0, 0, ALL}},
    {0x80000008U, NO_SUBLEAF, ON_INTEL, {0xffff, ALL, 0, 0}},
    {0x80000008U, NO_SUBLEAF, ON_AMD, {0xffff, ALL, 0xf0ff, 0}},
    {0x80000019U, NO_SUBLEAF, ON_AMD, {ALL, ALL, 0, 0}}, /* TLBs for 1 GiB pages */
    {0x8000001aU, NO_SUBLEAF, ON_AMD, {ALL, 0, 0, 0}},   /* hints on performance */
    {0x80000021U, NO_SUBLEAF, ON_AMD, {ALL, 0, 0, 0}},
};

#define VENDOR_B_INTEL 0x756e6547U /* "Genu" */
#define VENDOR_B_AMD 0x68747541U   /* "Auth" */

static unsigned vendor_bit(const struct cpu_policy *p)
{
    return policy_reg(p, 0, NO_SUBLEAF, REG_B) == VENDOR_B_INTEL ? ON_INTEL : ON_AMD;
}

/* By the whole name, "GenuineIntel" or "AuthenticAMD". */
static bool policy_vendor_known(const struct cpu_policy *p)
{
    static const uint32_t name[][3] = {{VENDOR_B_INTEL, 0x6c65746eU, 0x49656e69U},
                                       {VENDOR_B_AMD, 0x444d4163U, 0x69746e65U}};
    const xen_cpuid_leaf_t *l = policy_find(p, 0, NO_SUBLEAF);

    for (unsigned i = 0; l && i < ARRAY_SIZE(name); i++)
        if (l->b == name[i][0] && l->c == name[i][1] && l->d == name[i][2])
            return true;
    return false;
}

static void hide_leaves(struct cpu_policy *p)
{
    unsigned vendor = vendor_bit(p);

    for (unsigned n = 0; n < p->nr_leaves; n++) {
        xen_cpuid_leaf_t *l = &p->leaf[n];
        uint32_t keep[4] = {0};

        for (unsigned i = 0; i < ARRAY_SIZE(visible); i++)
            if (visible[i].leaf == l->leaf && (visible[i].vendors & vendor) &&
                (visible[i].subleaf == l->subleaf || visible[i].subleaf == ANY_SUBLEAF))
                memcpy(keep, visible[i].keep, sizeof(keep));
        l->a &= keep[0];
        l->b &= keep[1];
        l->c &= keep[2];
        l->d &= keep[3];
    }
}

/* An HVM guest reads no leaf of the machine's, so that it may have more of them; a PV guest may read them all. */
uint32_t policy_leaf_limit(const struct cpu_policy *max, bool hvm, uint32_t leaf, uint32_t subleaf)
{
    uint32_t most = policy_reg(max, leaf, subleaf, REG_A);
    uint32_t ours = leaf == 0 ? LAST_BASIC_LEAF : leaf == 7 ? SUBLEAVES_7 - 1 : LAST_EXT_LEAF;

    return hvm ? MAX(most, ours) : most;
}

/*
 * Who made the CPU and what it is: code that a PV guest runs depends on it natively.  An HVM guest may come from a
 * machine of the other vendor; what differs for its code is emulated (hvm/foreign.c).
 */
static void limit_identity(struct cpu_policy *p, const struct cpu_policy *max, bool hvm)
{
    static const uint32_t range[] = {0, 0x80000000U};
    bool keep = hvm && policy_vendor_known(p);

    for (unsigned i = 0; i < ARRAY_SIZE(range); i++) {
        xen_cpuid_leaf_t *l = policy_find(p, range[i], NO_SUBLEAF);
        const xen_cpuid_leaf_t *m = policy_find(max, range[i], NO_SUBLEAF);

        if (!l || !m)
            continue;
        l->a = MIN(l->a, policy_leaf_limit(max, hvm, range[i], NO_SUBLEAF));
        if (keep)
            continue;
        l->b = m->b;
        l->c = m->c;
        l->d = m->d;
    }
}

bool policy_lacks(const struct cpu_policy *p, const struct cpu_policy *max, featureset_t *lacking)
{
    featureset_t most;
    uint32_t any = 0;

    featureset_get(p, lacking);
    featureset_get(max, &most);
    for (unsigned i = 0; i < FEATURE_WORDS; i++)
        lacking->w[i] &= ~most.w[i];
    lacking->w[XEN_X86_FEATURE_SYSCALL / 32] &= ~COMMON_1D;
    fs_clear(lacking, XEN_X86_FEATURE_ITSC); /* the toolstack asks for it wherever a guest does not migrate */
    for (unsigned i = 0; i < FEATURE_WORDS; i++)
        any |= lacking->w[i];
    return any;
}

static void limit_features(struct cpu_policy *p, const struct cpu_policy *max)
{
    featureset_t fs, most;
    uint32_t common = 0;

    featureset_get(p, &fs);
    featureset_get(max, &most);
    for (unsigned i = 0; i < FEATURE_WORDS; i++)
        fs.w[i] &= most.w[i];
    fs_set(&fs, XEN_X86_FEATURE_HYPERVISOR);
    featureset_drop_orphans(&fs);
    if (vendor_bit(p) == ON_AMD)
        common = fs.w[0] & COMMON_1D;
    fs.w[2] = (fs.w[2] & ~COMMON_1D) | common;
    featureset_put(p, &fs);
}

/* The components of extended state that go with the features that are left. Intel SDM 1, 13.1. */
static uint64_t wanted_xstate(const featureset_t *fs)
{
    uint64_t mask = 0;

    if (!fs_test(fs, XEN_X86_FEATURE_XSAVE))
        return 0;
    mask |= 3; /* x87 and SSE */
    if (fs_test(fs, XEN_X86_FEATURE_AVX))
        mask |= 1UL << 2;
    if (fs_test(fs, XEN_X86_FEATURE_AVX512F))
        mask |= 7UL << 5;
    return mask & xfeature_mask;
}

static void limit_xstate(struct cpu_policy *p, const struct cpu_policy *max)
{
    xen_cpuid_leaf_t *l = policy_find(p, 0xd, 0);
    featureset_t fs;
    uint64_t mask;

    featureset_get(p, &fs);
    mask = wanted_xstate(&fs);
    if (l) {
        l->a = (uint32_t)mask;
        l->d = (uint32_t)(mask >> 32);
        l->b = l->c = mask ? xstate_size_of(mask) : 0;
    }
    l = policy_find(p, 0xd, 1);
    if (l) { /* EAX is a feature word; no state is managed through IA32_XSS */
        l->b = l->c = l->d = 0;
        if (!mask)
            l->a = 0;
    }
    for (unsigned i = 2; i < SUBLEAVES_D; i++) {
        const xen_cpuid_leaf_t *m = policy_find(max, 0xd, i);

        l = policy_find(p, 0xd, i);
        if (!l)
            continue;
        if ((mask >> i & 1) && m)
            *l = *m; /* sizes and offsets are the machine's */
        else
            l->a = l->b = l->c = l->d = 0;
    }
}

static void limit_misc(struct cpu_policy *p, const struct cpu_policy *max, bool hvm)
{
    xen_cpuid_leaf_t *l = policy_find(p, 7, 0);
    uint64_t *info = policy_msr(p, MSR_INTEL_PLATFORM_INFO);

    if (l)
        l->a = MIN(l->a, policy_leaf_limit(max, hvm, 7, 0));
    l = policy_find(p, 0x80000008U, NO_SUBLEAF);
    if (l && (l->a & 0xff) > (policy_reg(max, 0x80000008U, NO_SUBLEAF, REG_A) & 0xff))
        l->a = (l->a & ~0xffU) | (policy_reg(max, 0x80000008U, NO_SUBLEAF, REG_A) & 0xff);
    if (info)
        *info = 0;
}

void policy_limit(struct cpu_policy *p, const struct cpu_policy *max, bool hvm)
{
    limit_identity(p, max, hvm);
    limit_features(p, max);
    hide_leaves(p);
    limit_misc(p, max, hvm);
    limit_xstate(p, max);
}
