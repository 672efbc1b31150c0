/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A policy as a list of CPUID leaves and MSRs: finding, adding, and reading the
 * machine's own.  Lists of domains change before they run only.
 */
#include "../lib/errno.h"
#include "../lib/string.h"
#include "asm.h"
#include "cpu.h"
#include "policy_priv.h"

#define NO_SUBLEAF XEN_CPUID_NO_SUBLEAF

/* < 0: l comes before (leaf, subleaf). */
static int leaf_compare(const xen_cpuid_leaf_t *l, uint32_t leaf, uint32_t subleaf)
{
    if (l->leaf != leaf)
        return l->leaf < leaf ? -1 : 1;
    if (l->subleaf != subleaf)
        return l->subleaf < subleaf ? -1 : 1;
    return 0;
}

/* Index of the leaf, or of where it belongs. */
static unsigned leaf_position(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf)
{
    unsigned low = 0, high = p->nr_leaves;

    while (low < high) {
        unsigned mid = (low + high) / 2;

        if (leaf_compare(&p->leaf[mid], leaf, subleaf) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

xen_cpuid_leaf_t *policy_find(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf)
{
    unsigned i = leaf_position(p, leaf, subleaf);

    if (i == p->nr_leaves || leaf_compare(&p->leaf[i], leaf, subleaf))
        return NULL;
    return (xen_cpuid_leaf_t *)&p->leaf[i];
}

uint32_t policy_reg(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf, enum leaf_reg r)
{
    const xen_cpuid_leaf_t *l = policy_find(p, leaf, subleaf);

    return l ? leaf_regs((xen_cpuid_leaf_t *)l)[r] : 0;
}

void policy_put(struct cpu_policy *p, const xen_cpuid_leaf_t *l)
{
    unsigned i = leaf_position(p, l->leaf, l->subleaf);

    if (i == p->nr_leaves || leaf_compare(&p->leaf[i], l->leaf, l->subleaf)) {
        if (p->nr_leaves == POLICY_LEAVES_MAX)
            return;
        memmove(&p->leaf[i + 1], &p->leaf[i], (p->nr_leaves - i) * sizeof(*l));
        p->nr_leaves++;
    }
    p->leaf[i] = *l;
}

uint32_t policy_subleaf(uint32_t leaf, uint32_t subleaf)
{
    return leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd ? subleaf : NO_SUBLEAF;
}

bool leaf_known(uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case 4: return subleaf < SUBLEAVES_4;
    case 7: return subleaf < SUBLEAVES_7;
    case 0xb: return subleaf < SUBLEAVES_B;
    case 0xd: return subleaf < SUBLEAVES_D;
    default:
        if (subleaf != NO_SUBLEAF)
            return false;
        return leaf <= LAST_BASIC_LEAF || leaf == HV_LEAF || leaf == HV2_LEAF ||
               (leaf >= 0x80000000U && leaf <= LAST_EXT_LEAF);
    }
}

uint64_t *policy_msr(struct cpu_policy *p, uint32_t msr)
{
    for (unsigned i = 0; i < p->nr_msrs; i++)
        if (p->msr[i].idx == msr)
            return &p->msr[i].val;
    return NULL;
}

static void read_leaf(struct cpu_policy *p, uint32_t leaf, uint32_t subleaf)
{
    xen_cpuid_leaf_t l = {.leaf = leaf, .subleaf = subleaf};
    uint32_t r[4];

    get_raw_cpuid(leaf, subleaf == NO_SUBLEAF ? 0 : subleaf, r);
    memcpy(leaf_regs(&l), r, sizeof(r));
    policy_put(p, &l);
}

static void read_subleaves(struct cpu_policy *p, uint32_t leaf, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        read_leaf(p, leaf, i);
}

static void read_range(struct cpu_policy *p, uint32_t first, uint32_t last)
{
    for (uint32_t leaf = first; leaf <= last; leaf++) {
        switch (leaf) {
        case 4: read_subleaves(p, 4, SUBLEAVES_4); break;
        case 7:
            read_leaf(p, 7, 0);
            read_subleaves(p, 7, MIN(policy_reg(p, 7, 0, REG_A), SUBLEAVES_7 - 1) + 1);
            break;
        case 0xb: read_subleaves(p, 0xb, SUBLEAVES_B); break;
        case 0xd: read_subleaves(p, 0xd, SUBLEAVES_D); break;
        default: read_leaf(p, leaf, NO_SUBLEAF); break;
        }
    }
}

/* Components that XCR0 or IA32_XSS cannot have need no subleaf. */
static void drop_empty_components(struct cpu_policy *p)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < p->nr_leaves; i++) {
        const xen_cpuid_leaf_t *l = &p->leaf[i];

        if (l->leaf == 0xd && l->subleaf > 1 && !l->a)
            continue;
        p->leaf[kept++] = *l;
    }
    p->nr_leaves = kept;
}

static void add_msr(struct cpu_policy *p, uint32_t msr, uint64_t value)
{
    p->msr[p->nr_msrs++] = (xen_msr_entry_t){.idx = msr, .val = value};
}

void policy_read_machine(struct cpu_policy *p)
{
    static const xen_cpuid_leaf_t hv[] = {{HV_LEAF, NO_SUBLEAF, 0, 0, 0, 0}, {HV2_LEAF, NO_SUBLEAF, 0, 0, 0, 0}};
    uint64_t value;
    uint32_t r[4];

    p->nr_leaves = p->nr_msrs = 0;
    get_raw_cpuid(0, 0, r);
    read_range(p, 0, MIN(r[0], LAST_BASIC_LEAF));
    get_raw_cpuid(0x80000000U, 0, r);
    if (r[0] >= 0x80000000U)
        read_range(p, 0x80000000U, MIN(r[0], LAST_EXT_LEAF));
    drop_empty_components(p);
    for (unsigned i = 0; i < ARRAY_SIZE(hv); i++)
        policy_put(p, &hv[i]);

    add_msr(p, MSR_INTEL_PLATFORM_INFO, 0); /* CPUID faulting is not offered */
    value = 0;
    if (policy_reg(p, 7, 0, REG_D) & BIT(29))
        if (rdmsr_safe(MSR_ARCH_CAPABILITIES, &value))
            value = 0;
    add_msr(p, MSR_ARCH_CAPABILITIES, value);
}
