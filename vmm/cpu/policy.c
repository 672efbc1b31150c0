/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU policies: those of the system, computed once at boot, and each domain's
 * own, which its builder changes before it first runs.  After that a policy is
 * read only, so that CPUID needs no lock.
 */
#include "../domain/domain.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "cpu.h"
#include "fpu.h"
#include "policy_priv.h"
#include <xen/arch-x86/cpufeatureset.h>

#define NO_SUBLEAF XEN_CPUID_NO_SUBLEAF
#define NR_SYSTEM_POLICIES (XEN_SYSCTL_cpu_policy_hvm_default + 1)

static struct cpu_policy system_policy[NR_SYSTEM_POLICIES];

/*
 * Leaves that no policy tells of read as zero.  An HVM guest is not told of them from the start: a machine with fewer
 * leaves, the other vendor's perhaps, could not take it later.
 */
static void cap_leaf_counts(struct cpu_policy *p)
{
    xen_cpuid_leaf_t *basic = policy_find(p, 0, NO_SUBLEAF), *ext = policy_find(p, 0x80000000U, NO_SUBLEAF);
    xen_cpuid_leaf_t *seven = policy_find(p, 7, 0);

    if (basic)
        basic->a = MIN(basic->a, LAST_BASIC_LEAF);
    if (seven)
        seven->a = MIN(seven->a, SUBLEAVES_7 - 1);
    if (ext)
        ext->a = MIN(ext->a, LAST_EXT_LEAF);
}

static void policy_init_guest(unsigned index, bool hvm, bool by_default)
{
    const struct cpu_policy *host = &system_policy[XEN_SYSCTL_cpu_policy_host];
    struct cpu_policy *p = &system_policy[index], *max;
    featureset_t fs, host_fs;

    *p = *host;
    featureset_get(host, &host_fs);
    featureset_for_guest(&host_fs, hvm, by_default, &fs);
    featureset_put(p, &fs);
    /* A maximum is limited by itself: only what no guest sees goes. */
    max = &system_policy[hvm ? XEN_SYSCTL_cpu_policy_hvm_max : XEN_SYSCTL_cpu_policy_pv_max];
    policy_limit(p, max, hvm);
    if (hvm && by_default)
        cap_leaf_counts(p);
}

/* Instructions whose registers we do not switch cannot be used: fpu.c says which state that is. */
static void host_limit_xstate(struct cpu_policy *host)
{
    static const struct {
        uint64_t state;
        uint16_t feature;
    } needs[] = {
        {0x3, XEN_X86_FEATURE_XSAVE},
        {0x4, XEN_X86_FEATURE_AVX},
        {0xe0, XEN_X86_FEATURE_AVX512F},
    };
    featureset_t fs;

    featureset_get(host, &fs);
    for (unsigned i = 0; i < ARRAY_SIZE(needs); i++)
        if ((xfeature_mask & needs[i].state) != needs[i].state)
            fs_clear(&fs, needs[i].feature);
    if (!cpu_features.xsavec) /* or what it has is of no use: fpu.c */
        fs_clear(&fs, XEN_X86_FEATURE_XSAVEC);
    if (!cpu_features.xsaves)
        fs_clear(&fs, XEN_X86_FEATURE_XSAVES);
    featureset_drop_orphans(&fs);
    featureset_put(host, &fs);
}

void policy_init(void)
{
    struct cpu_policy *host = &system_policy[XEN_SYSCTL_cpu_policy_host];

    policy_read_machine(&system_policy[XEN_SYSCTL_cpu_policy_raw]);
    *host = system_policy[XEN_SYSCTL_cpu_policy_raw];
    host_limit_xstate(host);
    policy_init_guest(XEN_SYSCTL_cpu_policy_pv_max, false, false);
    policy_init_guest(XEN_SYSCTL_cpu_policy_hvm_max, true, false);
    policy_init_guest(XEN_SYSCTL_cpu_policy_pv_default, false, true);
    policy_init_guest(XEN_SYSCTL_cpu_policy_hvm_default, true, true);
}

const struct cpu_policy *policy_system(unsigned index)
{
    return index < NR_SYSTEM_POLICIES ? &system_policy[index] : NULL;
}

int policy_init_domain(struct domain *d)
{
    d->policy = xzalloc(struct cpu_policy);
    if (!d->policy)
        return -ENOMEM;
    *d->policy = system_policy[d->is_hvm ? XEN_SYSCTL_cpu_policy_hvm_default : XEN_SYSCTL_cpu_policy_pv_default];
    if (d->is_hardware) { /* it does not migrate, and its clock may rest on this */
        const struct cpu_policy *host = &system_policy[XEN_SYSCTL_cpu_policy_host];
        xen_cpuid_leaf_t *l = policy_find(d->policy, 0x80000007U, NO_SUBLEAF);

        if (l)
            l->d |= policy_reg(host, 0x80000007U, NO_SUBLEAF, REG_D) & (1U << (XEN_X86_FEATURE_ITSC % 32));
    }
    return 0;
}

void policy_free_domain(struct domain *d)
{
    xfree(d->policy);
    d->policy = NULL;
}

/* Where the wanted policy goes beyond what the CPU has: a guest that runs already may rely on it. */
static int check_limits(const struct domain *d, const struct cpu_policy *p, const struct cpu_policy *max,
                        uint32_t *err_leaf, uint32_t *err_subleaf)
{
    static const struct {
        uint32_t leaf, subleaf;
    } limit[] = {{0, NO_SUBLEAF}, {7, 0}, {0x80000000U, NO_SUBLEAF}};
    featureset_t lacking;
    char names[400];

    for (unsigned i = 0; i < ARRAY_SIZE(limit); i++) {
        if (policy_reg(p, limit[i].leaf, limit[i].subleaf, REG_A) <=
            policy_leaf_limit(max, d->is_hvm, limit[i].leaf, limit[i].subleaf))
            continue;
        *err_leaf = limit[i].leaf;
        *err_subleaf = limit[i].subleaf;
        return -EINVAL;
    }
    if (policy_lacks(p, max, &lacking)) {
        printk(LOG_ERR "Domain %u: its CPUID policy has what this CPU does not give: %s\n", d->id,
               featureset_names(&lacking, names, sizeof(names)));
        printk(LOG_ERR "Domain %u: cpuid= in a guest's configuration leaves features out for all of its life\n", d->id);
        featureset_first_place(&lacking, err_leaf, err_subleaf);
        return -EINVAL;
    }
    return 0;
}

static int merge_leaves(struct cpu_policy *p, const xen_cpuid_leaf_t *leaves, unsigned n, uint32_t *err_leaf,
                        uint32_t *err_subleaf)
{
    for (unsigned i = 0; i < n; i++) {
        if (!leaf_known(leaves[i].leaf, leaves[i].subleaf)) {
            *err_leaf = leaves[i].leaf;
            *err_subleaf = leaves[i].subleaf;
            return -ERANGE;
        }
        policy_put(p, &leaves[i]);
    }
    return 0;
}

static int merge_msrs(struct cpu_policy *p, const struct cpu_policy *max, const xen_msr_entry_t *msrs, unsigned n,
                      uint32_t *err_msr)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t *value = policy_msr(p, msrs[i].idx);
        const uint64_t *most = policy_msr((struct cpu_policy *)max, msrs[i].idx);

        *err_msr = msrs[i].idx;
        if (!value || !most)
            return -ERANGE;
        if (msrs[i].flags || (msrs[i].val & ~*most))
            return -EINVAL;
        *value = msrs[i].val;
    }
    *err_msr = ~0U;
    return 0;
}

int policy_update(struct domain *d, const xen_cpuid_leaf_t *leaves, unsigned nr_leaves, const xen_msr_entry_t *msrs,
                  unsigned nr_msrs, uint32_t *err_leaf, uint32_t *err_subleaf, uint32_t *err_msr)
{
    const struct cpu_policy *max =
        &system_policy[d->is_hvm ? XEN_SYSCTL_cpu_policy_hvm_max : XEN_SYSCTL_cpu_policy_pv_max];
    struct cpu_policy *p = xzalloc(struct cpu_policy);
    int rc;

    *err_leaf = *err_subleaf = *err_msr = ~0U;
    if (!p)
        return -ENOMEM;
    *p = *d->policy;
    rc = merge_leaves(p, leaves, nr_leaves, err_leaf, err_subleaf);
    if (!rc)
        rc = merge_msrs(p, max, msrs, nr_msrs, err_msr);
    if (!rc)
        rc = check_limits(d, p, max, err_leaf, err_subleaf);
    if (!rc) {
        policy_limit(p, max, d->is_hvm);
        *d->policy = *p;
        domain_settings_changed(d);
    }
    xfree(p);
    return rc;
}

/* -- questions ------------------------------------------------------------------------------------------------------
 */

void policy_leaf(const struct domain *d, uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    xen_cpuid_leaf_t *l = policy_find(d->policy, leaf, policy_subleaf(leaf, subleaf));

    if (l)
        memcpy(r, leaf_regs(l), 4 * sizeof(r[0]));
    else
        memset(r, 0, 4 * sizeof(r[0]));
}

bool policy_is_foreign(const struct domain *d)
{
    return policy_reg(d->policy, 0, NO_SUBLEAF, REG_B) !=
           policy_reg(&system_policy[XEN_SYSCTL_cpu_policy_host], 0, NO_SUBLEAF, REG_B);
}

unsigned policy_featureset(unsigned index, uint32_t *words, unsigned n)
{
    static const uint8_t policy_of[] = {
        [XEN_SYSCTL_cpu_featureset_raw] = XEN_SYSCTL_cpu_policy_raw,
        [XEN_SYSCTL_cpu_featureset_host] = XEN_SYSCTL_cpu_policy_host,
        [XEN_SYSCTL_cpu_featureset_pv] = XEN_SYSCTL_cpu_policy_pv_default,
        [XEN_SYSCTL_cpu_featureset_hvm] = XEN_SYSCTL_cpu_policy_hvm_default,
        [XEN_SYSCTL_cpu_featureset_pv_max] = XEN_SYSCTL_cpu_policy_pv_max,
        [XEN_SYSCTL_cpu_featureset_hvm_max] = XEN_SYSCTL_cpu_policy_hvm_max,
    };
    featureset_t fs;

    if (index >= ARRAY_SIZE(policy_of))
        return 0;
    featureset_get(&system_policy[policy_of[index]], &fs);
    n = MIN(n, (unsigned)FEATURE_WORDS);
    memcpy(words, fs.w, n * sizeof(words[0]));
    return n;
}

bool policy_has(const struct domain *d, unsigned feature)
{
    featureset_t fs;

    if (feature >= FEATURE_WORDS * 32)
        return false;
    featureset_get(d->policy, &fs);
    return fs_test(&fs, feature);
}
