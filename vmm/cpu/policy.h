/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU policy: what CPUID and the feature MSRs show to a domain.  The maximum
 * for each guest type is computed at boot from the machine; a domain starts
 * with the default and xl changes it with domctl set_cpu_policy.
 */
#ifndef POLDER_CPU_POLICY_H
#define POLDER_CPU_POLICY_H

#include "../lib/abi.h"
#include "../lib/types.h"
#include <xen/domctl.h>
#include <xen/sysctl.h>

struct domain;
struct vcpu;

#define POLICY_LEAVES_MAX 160
#define POLICY_MSRS_MAX 8
struct cpu_policy {
    unsigned nr_leaves, nr_msrs;
    xen_cpuid_leaf_t leaf[POLICY_LEAVES_MAX]; /* sorted by leaf, subleaf (XEN_CPUID_NO_SUBLEAF: none) */
    xen_msr_entry_t msr[POLICY_MSRS_MAX];
};

void policy_init(void); /* after cpu_identify, fpu_init_boot and the HVM backend's start */
/* The system policies of XEN_SYSCTL_cpu_policy_*; NULL: no such index. */
const struct cpu_policy *policy_system(unsigned index);
int policy_init_domain(struct domain *d) __must_check;
void policy_free_domain(struct domain *d);
/* Replaces leaves and MSRs of a domain that has not run yet. -EINVAL with the leaf, subleaf and MSR at fault. */
int policy_update(struct domain *d, const xen_cpuid_leaf_t *leaves, unsigned nr_leaves, const xen_msr_entry_t *msrs,
                  unsigned nr_msrs, uint32_t *err_leaf, uint32_t *err_subleaf, uint32_t *err_msr) __must_check;

/* What the guest's CPUID gives: the policy, with what depends on the vCPU's state (APIC ID, OSXSAVE, XSAVE sizes, the
 * hypervisor leaves at 0x40000000). r: EAX EBX ECX EDX. */
void guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t r[4]);
/* The domain takes the machine for one of the other vendor. */
bool policy_is_foreign(const struct domain *d);
/* A leaf as the policy holds it; zeros if absent. */
void policy_leaf(const struct domain *d, uint32_t leaf, uint32_t subleaf, uint32_t r[4]);
/* Feature words for sysctl get_cpu_featureset, by index as XEN_SYSCTL_cpu_featureset_*; returns the words written. */
unsigned policy_featureset(unsigned index, uint32_t *words, unsigned n);
bool policy_has(const struct domain *d,
                unsigned feature); /* X86_FEATURE numbering of arch-x86/cpufeatureset.h: word * 32 + bit */

/* MSRs that every guest type treats alike; 1: not one of them. 0: done, -EPERM: #GP. */
int guest_rdmsr_common(const struct vcpu *v, uint32_t msr, uint64_t *value);
int guest_wrmsr_common(struct vcpu *v, uint32_t msr, uint64_t value);

#endif
