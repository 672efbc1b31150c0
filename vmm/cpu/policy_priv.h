/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of the CPU policy. */
#ifndef POLDER_CPU_POLICY_PRIV_H
#define POLDER_CPU_POLICY_PRIV_H

#include "policy.h"
#include <xen/arch-x86/cpuid.h>

/* What can be told of in a policy, as the tools' own structures have room for: the last leaf of each range and the
 * number of subleaves. */
#define LAST_BASIC_LEAF 0xdU
#define LAST_EXT_LEAF 0x80000021U
#define SUBLEAVES_4 6U
#define SUBLEAVES_7 3U
#define SUBLEAVES_B 2U
#define SUBLEAVES_D 63U
#define HV_LEAF XEN_CPUID_FIRST_LEAF
#define HV2_LEAF (HV_LEAF + 0x100) /* its own limit, for a second hypervisor interface; kept for the tools */

#define MSR_PRED_CMD 0x49
#define MSR_INTEL_PLATFORM_INFO 0xce
#define MSR_ARCH_CAPABILITIES 0x10a

/* Registers of a leaf, in the order of xen_cpuid_leaf_t. */
enum leaf_reg { REG_A, REG_B, REG_C, REG_D };
static inline uint32_t *leaf_regs(xen_cpuid_leaf_t *l)
{
    return (uint32_t *)((char *)l + offsetof(xen_cpuid_leaf_t, a));
}

#define FEATURE_WORDS 17
typedef struct {
    uint32_t w[FEATURE_WORDS];
} featureset_t;
static inline bool fs_test(const featureset_t *fs, unsigned f) { return fs->w[f / 32] >> (f % 32) & 1; }
static inline void fs_set(featureset_t *fs, unsigned f) { fs->w[f / 32] |= 1U << (f % 32); }
static inline void fs_clear(featureset_t *fs, unsigned f) { fs->w[f / 32] &= ~(1U << (f % 32)); }

/* -- policy_leaves.c: a policy as a sorted list ---------------------------------------------------------------------
 */
xen_cpuid_leaf_t *policy_find(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf);        /* NULL: absent */
uint32_t policy_reg(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf, enum leaf_reg r); /* 0: absent */
/* Replaces the leaf, or adds it where it belongs. All leaves that leaf_known() accepts fit. */
void policy_put(struct cpu_policy *p, const xen_cpuid_leaf_t *l);
/* The subleaf under which a policy keeps what a guest asks for as leaf and subleaf. */
uint32_t policy_subleaf(uint32_t leaf, uint32_t subleaf);
/* True for those that a policy can hold. */
bool leaf_known(uint32_t leaf, uint32_t subleaf);
uint64_t *policy_msr(struct cpu_policy *p, uint32_t msr); /* NULL: absent */
void policy_read_machine(struct cpu_policy *p);           /* the raw policy */

/* -- policy_features.c ----------------------------------------------------------------------------------------------
 */
void featureset_get(const struct cpu_policy *p, featureset_t *fs);
void featureset_put(struct cpu_policy *p, const featureset_t *fs); /* where the policy has the leaf */
/* The most, or by default, that guests of a type may have of the machine's features. */
void featureset_for_guest(const featureset_t *host, bool hvm, bool by_default, featureset_t *fs);
void featureset_drop_orphans(featureset_t *fs); /* features whose prerequisites are missing */
/* Their names, "avx2 bmi1 ...", as cpuid= in a guest's configuration has most of them; cut to fit. Returns buf. */
const char *featureset_names(const featureset_t *fs, char *buf, size_t size);
/* Where the first of them stands in CPUID. */
void featureset_first_place(const featureset_t *fs, uint32_t *leaf, uint32_t *subleaf);

/* -- policy_guest.c -------------------------------------------------------------------------------------------------
 */
/* Makes p one that a guest may have: features within max's, and all else that is not for guests removed. */
void policy_limit(struct cpu_policy *p, const struct cpu_policy *max, bool hvm);
/* The features of p that max does not have; false: none. */
bool policy_lacks(const struct cpu_policy *p, const struct cpu_policy *max, featureset_t *lacking);
/* The most that EAX of leaf 0, 7 or 0x80000000, which counts leaves or subleaves, may be. */
uint32_t policy_leaf_limit(const struct cpu_policy *max, bool hvm, uint32_t leaf, uint32_t subleaf);

/* -- hypervisor_leaves.c --------------------------------------------------------------------------------------------
 */
void hypervisor_leaf(const struct vcpu *v, uint32_t index, uint32_t subleaf, uint32_t r[4]);

#endif
