/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU features as a bitmap (public header arch-x86/cpufeatureset.h): where each
 * word stands in CPUID, which of them guests may have, and what needs what.
 * Constant tables only.
 */
#include "../lib/bitops.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "cpu.h"
#include "policy_priv.h"
#include "regs.h"
#include <xen/arch-x86/cpufeatureset.h>

#define F(name) XEN_X86_FEATURE_##name

/* Where word i of a feature set is; the last one is the low half of MSR_ARCH_CAPABILITIES. */
static const struct {
    uint32_t leaf, subleaf;
    enum leaf_reg reg;
} word_place[FEATURE_WORDS - 1] = {
    {1, XEN_CPUID_NO_SUBLEAF, REG_D},
    {1, XEN_CPUID_NO_SUBLEAF, REG_C},
    {0x80000001U, XEN_CPUID_NO_SUBLEAF, REG_D},
    {0x80000001U, XEN_CPUID_NO_SUBLEAF, REG_C},
    {0xd, 1, REG_A},
    {7, 0, REG_B},
    {7, 0, REG_C},
    {0x80000007U, XEN_CPUID_NO_SUBLEAF, REG_D},
    {0x80000008U, XEN_CPUID_NO_SUBLEAF, REG_B},
    {7, 0, REG_D},
    {7, 1, REG_A},
    {0x80000021U, XEN_CPUID_NO_SUBLEAF, REG_A},
    {7, 1, REG_B},
    {7, 2, REG_D},
    {7, 1, REG_C},
    {7, 1, REG_D},
};
_Static_assert(F(RDCL_NO) / 32 == FEATURE_WORDS - 1, "the word of MSR_ARCH_CAPABILITIES");

void featureset_get(const struct cpu_policy *p, featureset_t *fs)
{
    const uint64_t *caps = policy_msr((struct cpu_policy *)p, MSR_ARCH_CAPABILITIES);

    for (unsigned i = 0; i < FEATURE_WORDS - 1; i++)
        fs->w[i] = policy_reg(p, word_place[i].leaf, word_place[i].subleaf, word_place[i].reg);
    fs->w[FEATURE_WORDS - 1] = caps ? (uint32_t)*caps : 0;
}

void featureset_put(struct cpu_policy *p, const featureset_t *fs)
{
    uint64_t *caps = policy_msr(p, MSR_ARCH_CAPABILITIES);

    for (unsigned i = 0; i < FEATURE_WORDS - 1; i++) {
        xen_cpuid_leaf_t *l = policy_find(p, word_place[i].leaf, word_place[i].subleaf);

        if (l)
            leaf_regs(l)[word_place[i].reg] = fs->w[i];
    }
    if (caps)
        *caps = fs->w[FEATURE_WORDS - 1];
}

/* Includes the public header once more, for the names. */
static const char *const feature_name[] = {
#define XEN_CPUFEATURE(name, value) [value] = #name,
#include <xen/arch-x86/cpufeatureset.h>
#undef XEN_CPUFEATURE
};

const char *featureset_names(const featureset_t *fs, char *buf, size_t size)
{
    size_t used = 0;

    buf[0] = 0;
    for (unsigned f = 0; f < FEATURE_WORDS * 32; f++) {
        size_t start = used;

        if (!fs_test(fs, f))
            continue;
        if (f < ARRAY_SIZE(feature_name) && feature_name[f])
            used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? " " : "", feature_name[f]);
        else
            used += (size_t)snprintf(buf + used, size - used, "%sword%u.bit%u", used ? " " : "", f / 32, f % 32);
        if (used >= size) {
            buf[start] = 0;
            break;
        }
        for (; start < used; start++)
            if (buf[start] >= 'A' && buf[start] <= 'Z')
                buf[start] += 'a' - 'A';
    }
    return buf;
}

void featureset_first_place(const featureset_t *fs, uint32_t *leaf, uint32_t *subleaf)
{
    for (unsigned i = 0; i < FEATURE_WORDS - 1; i++) {
        if (!fs->w[i])
            continue;
        *leaf = word_place[i].leaf;
        *subleaf = word_place[i].subleaf;
        return;
    }
}

/* clang-format off */
/* Instructions and facts that need nothing of us but, some of them, extended state that is switched. */
static const uint16_t all_guests[] = {
    F(FPU), F(DE), F(TSC), F(MSR), F(PAE), F(MCE), F(CX8), F(APIC), F(SEP), F(MCA), F(CMOV), F(PAT), F(CLFLUSH),
    F(ACPI), F(MMX), F(FXSR), F(SSE), F(SSE2), F(SS), F(HTT),
    F(SSE3), F(PCLMULQDQ), F(SSSE3), F(FMA), F(CX16), F(SSE4_1), F(SSE4_2), F(MOVBE), F(POPCNT), F(AESNI), F(XSAVE),
    F(AVX), F(F16C), F(RDRAND), F(HYPERVISOR),
    F(SYSCALL), F(NX), F(MMXEXT), F(FFXSR), F(RDTSCP), F(LM), F(3DNOWEXT), F(3DNOW),
    F(LAHF_LM), F(CMP_LEGACY), F(ABM), F(SSE4A), F(MISALIGNSSE), F(3DNOWPREFETCH), F(XOP), F(FMA4), F(TBM),
    F(XSAVEOPT), F(XSAVEC), F(XGETBV1),
    F(FSGSBASE), F(BMI1), F(AVX2), F(BMI2), F(ERMS), F(AVX512F), F(AVX512DQ), F(RDSEED), F(ADX), F(AVX512_IFMA),
    F(CLFLUSHOPT), F(CLWB), F(AVX512PF), F(AVX512ER), F(AVX512CD), F(SHA), F(AVX512BW), F(AVX512VL),
    F(PREFETCHWT1), F(AVX512_VBMI), F(AVX512_VBMI2), F(GFNI), F(VAES), F(VPCLMULQDQ), F(AVX512_VNNI), F(AVX512_BITALG),
    F(AVX512_VPOPCNTDQ), F(RDPID), F(CLDEMOTE),
    F(CLZERO), F(RSTR_FP_ERR_PTRS), F(IBPB), F(SSB_NO), F(BTC_NO), F(IBPB_RET),
    F(AVX512_4VNNIW), F(AVX512_4FMAPS), F(FSRM), F(MD_CLEAR), F(SERIALIZE), F(ARCH_CAPS),
    F(AVX_VNNI), F(AVX512_BF16), F(FZRM), F(FSRS), F(FSRCS),
    F(LFENCE_DISPATCH), F(VERW_CLEAR), F(NSCB), F(SRSO_NO), F(SRSO_US_NO), F(MCDT_NO),
    F(RDCL_NO), F(INTEL_SSB_NO), F(MDS_NO), F(IF_PSCHANGE_MC_NO), F(TAA_NO), F(SBDR_SSDP_NO), F(FBSDP_NO),
    F(PSDP_NO), F(FB_CLEAR),
};

/* Those that belong to a machine of one's own: paging, privileged instructions, and emulated platform devices. */
static const uint16_t hvm_guests[] = {
    F(VME), F(PSE), F(MTRR), F(PGE), F(PSE36), F(PCID), F(PAGE1GB), F(CR8_LEGACY), F(SMEP), F(SMAP), F(UMIP),
    F(TSC_ADJUST), F(XSAVES),
};

/* HVM guests have these whatever the machine has: the emulated local APIC provides them. */
static const uint16_t hvm_emulated[] = {F(APIC), F(X2APIC), F(TSC_DEADLINE)};

/* The first needs the second. In an order in which one pass suffices. */
static const struct { uint16_t feature, needs; } dependency[] = {
    {F(SSE), F(FXSR)}, {F(FFXSR), F(FXSR)}, {F(MMXEXT), F(MMX)}, {F(3DNOW), F(MMX)}, {F(3DNOWEXT), F(3DNOW)},
    {F(SSE2), F(SSE)}, {F(SSE3), F(SSE2)}, {F(SSSE3), F(SSE3)}, {F(SSE4_1), F(SSSE3)}, {F(SSE4_2), F(SSE4_1)},
    {F(SSE4A), F(SSE3)}, {F(MISALIGNSSE), F(SSE)}, {F(AESNI), F(SSE2)}, {F(PCLMULQDQ), F(SSE2)}, {F(SHA), F(SSE2)},
    {F(GFNI), F(SSE2)}, {F(LM), F(SSE2)}, {F(LM), F(PAE)}, {F(NX), F(PAE)}, {F(PAGE1GB), F(LM)}, {F(PCID), F(LM)},
    {F(CX16), F(LM)}, {F(LAHF_LM), F(LM)}, {F(SMAP), F(PAE)}, {F(X2APIC), F(APIC)}, {F(TSC_DEADLINE), F(APIC)},
    {F(FSGSBASE), F(LM)}, {F(PSE36), F(PSE)},
    {F(XSAVEOPT), F(XSAVE)}, {F(XSAVEC), F(XSAVE)}, {F(XSAVES), F(XSAVEC)}, {F(XGETBV1), F(XSAVE)},
    {F(AVX), F(XSAVE)}, {F(AVX), F(SSE)},
    {F(FMA), F(AVX)}, {F(F16C), F(AVX)}, {F(XOP), F(AVX)}, {F(FMA4), F(AVX)}, {F(AVX2), F(AVX)}, {F(VAES), F(AVX)},
    {F(VPCLMULQDQ), F(AVX)}, {F(AVX_VNNI), F(AVX2)}, {F(AVX512F), F(AVX2)}, {F(AVX512DQ), F(AVX512F)},
    {F(AVX512_IFMA), F(AVX512F)}, {F(AVX512PF), F(AVX512F)}, {F(AVX512ER), F(AVX512F)}, {F(AVX512CD), F(AVX512F)},
    {F(AVX512BW), F(AVX512F)}, {F(AVX512VL), F(AVX512F)}, {F(AVX512_VBMI), F(AVX512BW)},
    {F(AVX512_VBMI2), F(AVX512BW)}, {F(AVX512_VNNI), F(AVX512F)}, {F(AVX512_BITALG), F(AVX512BW)},
    {F(AVX512_VPOPCNTDQ), F(AVX512F)}, {F(AVX512_4VNNIW), F(AVX512F)}, {F(AVX512_4FMAPS), F(AVX512F)},
    {F(AVX512_BF16), F(AVX512BW)},
};
/* clang-format on */

void featureset_drop_orphans(featureset_t *fs)
{
    for (unsigned i = 0; i < ARRAY_SIZE(dependency); i++)
        if (!fs_test(fs, dependency[i].needs))
            fs_clear(fs, dependency[i].feature);
    if (!fs_test(fs, F(ARCH_CAPS)))
        fs->w[FEATURE_WORDS - 1] = 0;
}

/* Adds those of a list that the host has. */
static void allow(featureset_t *fs, const featureset_t *host, const uint16_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fs_test(host, list[i]))
            fs_set(fs, list[i]);
}

void featureset_for_guest(const featureset_t *host, bool hvm, bool by_default, featureset_t *fs)
{
    static const uint16_t opt_in[] = {F(ITSC)}; /* a guest that has it cannot go to a machine of another frequency */

    memset(fs, 0, sizeof(*fs));
    allow(fs, host, all_guests, ARRAY_SIZE(all_guests));
    if (hvm) {
        allow(fs, host, hvm_guests, ARRAY_SIZE(hvm_guests));
        for (size_t i = 0; i < ARRAY_SIZE(hvm_emulated); i++)
            fs_set(fs, hvm_emulated[i]);
    } else if (!(mmu_cr4_features & CR4_FSGSBASE)) {
        fs_clear(fs, F(FSGSBASE)); /* a PV guest runs with our CR4 */
    }
    if (!by_default)
        allow(fs, host, opt_in, ARRAY_SIZE(opt_in));
    fs_set(fs, F(HYPERVISOR));
    if (!by_default) { /* topology is the toolstack's choice */
        fs_set(fs, F(HTT));
        fs_set(fs, F(CMP_LEGACY));
    }
    featureset_drop_orphans(fs);
}
