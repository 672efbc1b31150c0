/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU policies: what guests are shown of two machines, and what the toolstack may make of it. */
#include "fakes.h"

#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/cpufeatureset.h>

#include "vmm/cpu/asm.h"
#include "vmm/cpu/cpu.h"
#include "vmm/cpu/fpu.h"
#include "vmm/cpu/policy_priv.h"
#include "vmm/cpu/regs.h"
#include "vmm/cpu/time.h"

#define NO_SUB XEN_CPUID_NO_SUBLEAF
#define BIT32(f) (1U << (XEN_X86_FEATURE_##f % 32))

/* -- the machine ----------------------------------------------------------------------------------------------------- */
static xen_cpuid_leaf_t machine[64];
static unsigned nr_machine;
static uint64_t machine_arch_caps;

void get_raw_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    memset(out, 0, 16);
    for (unsigned i = 0; i < nr_machine; i++)
        if (machine[i].leaf == leaf && (machine[i].subleaf == NO_SUB || machine[i].subleaf == sub))
            memcpy(out, leaf_regs(&machine[i]), 16);
}

static void leaf(uint32_t l, uint32_t sub, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    machine[nr_machine++] = (xen_cpuid_leaf_t){l, sub, a, b, c, d};
}

int rdmsr_safe(uint32_t msr, uint64_t *value)
{
    *value = msr == MSR_ARCH_CAPABILITIES ? machine_arch_caps : msr == MSR_IA32_BIOS_SIGN_ID ? 0x1234 : 0;
    return msr == MSR_ARCH_CAPABILITIES || msr == MSR_IA32_BIOS_SIGN_ID ? 0 : -EFAULT;
}

static unsigned settings_told;
void domain_settings_changed(struct domain *d) { settings_told = d->id; }

uint64_t xfeature_mask = 7;
uint64_t tsc_khz = 2000000;
unsigned xstate_size_of(uint64_t xcr0) { return 576 + (xcr0 & 4 ? 256 : 0); }
unsigned xstate_compact_size_of(uint64_t xcr0) { return 576 + (xcr0 & 4 ? 320 : 0); }
void tsc_scale_of(uint64_t khz, uint32_t *mul, int8_t *shift)
{
    (void)khz;
    *mul = 0x80000000;
    *shift = 0;
}

static void common_leaves(void)
{
    /* All that leaf 7 knows, so that only our own choice limits it. */
    leaf(7, 0, 2, ~0U, ~0U, ~0U);
    leaf(7, 1, ~0U, ~0U, ~0U, ~0U);
    leaf(7, 2, 0, 0, 0, ~0U);
    leaf(0xd, 0, 0x207, 832, 2696, 0);
    leaf(0xd, 1, 0xf, 832, 0x100, 0);
    cpu_features.xsavec = cpu_features.xsaves = true;
    leaf(0xd, 2, 256, 576, 0, 0);
    leaf(0xd, 9, 8, 2688, 0, 0);
    leaf(0x80000002U, NO_SUB, 0x20757063, 0, 0, 0);
}

static void intel_machine(void)
{
    nr_machine = 0;
    cpu_features.vendor = VENDOR_INTEL;
    machine_arch_caps = ~0UL;
    leaf(0, NO_SUB, 0x1f, 0x756e6547, 0x6c65746e, 0x49656e69);
    leaf(1, NO_SUB, 0x000306c3, 0x03100800, ~0U, ~0U);
    leaf(2, NO_SUB, 0x76036301, 0xf0b5ff, 0, 0xc30000);
    leaf(4, 0, 0x1c004121, 0x1c0003f, 0x3f, 0);
    leaf(4, 1, 0x1c004122, 0x1c0003f, 0x3f, 0);
    leaf(5, NO_SUB, 0x40, 0x40, 3, 0x11142120);
    leaf(6, NO_SUB, 0x77, 2, 9, 0);
    leaf(0xa, NO_SUB, 0x7300403, 0, 0, 0x603);
    leaf(0xb, 0, 1, 2, 0x100, 3);
    leaf(0x80000000U, NO_SUB, 0x80000008U, 0, 0, 0);
    leaf(0x80000001U, NO_SUB, 0, 0, ~0U, ~0U);
    leaf(0x80000006U, NO_SUB, 0, 0, 0x1006040, 0);
    leaf(0x80000007U, NO_SUB, 0, 0, 0, 0x100);
    leaf(0x80000008U, NO_SUB, 0x3027, 0, 0, 0);
    common_leaves();
}

static void amd_machine(void)
{
    nr_machine = 0;
    cpu_features.vendor = VENDOR_AMD;
    machine_arch_caps = 0;
    leaf(0, NO_SUB, 0xd, 0x68747541, 0x444d4163, 0x69746e65);
    leaf(1, NO_SUB, 0x00800f12, 0x03100800, ~0U & ~BIT32(X2APIC) & ~BIT32(TSC_DEADLINE), 0x178bfbff);
    leaf(0x80000000U, NO_SUB, 0x8000001fU, 0x68747541, 0x444d4163, 0x69746e65);
    leaf(0x80000001U, NO_SUB, 0x00800f12, 0x40000000, ~0U, 0x2fd3fbff);
    leaf(0x80000007U, NO_SUB, 1, 2, 3, 0x7ff);
    leaf(0x80000008U, NO_SUB, 0x00303030, ~0U, 0x3007, 9);
    leaf(0x8000000aU, NO_SUB, 1, 0x8000, 0, 0xff);
    leaf(0x8000001eU, NO_SUB, 1, 2, 3, 4);
    common_leaves();
}

static int setup_intel(void **state)
{
    mmu_cr4_features = CR4_FSGSBASE;
    intel_machine();
    return fake_setup(state);
}
static int setup_amd(void **state)
{
    mmu_cr4_features = 0;
    amd_machine();
    return fake_setup(state);
}

static uint32_t reg(unsigned policy, uint32_t l, uint32_t sub, enum leaf_reg r)
{
    return policy_reg(policy_system(policy), l, sub, r);
}

#define PV XEN_SYSCTL_cpu_policy_pv_default
#define PV_MAX XEN_SYSCTL_cpu_policy_pv_max
#define HVM XEN_SYSCTL_cpu_policy_hvm_default
#define HVM_MAX XEN_SYSCTL_cpu_policy_hvm_max
#define FEATURE(policy, word, name) (!!(words_of(policy)[XEN_X86_FEATURE_##name / 32] & BIT32(name)))

static const uint32_t *words_of(unsigned policy)
{
    static featureset_t fs;

    featureset_get(policy_system(policy), &fs);
    return fs.w;
}
#define HAS(policy, name) FEATURE(policy, 0, name)

/* -- tests ------------------------------------------------------------------------------------------------------------- */

static void no_guest_sees_what_is_not_virtualised(void **state)
{
    static const unsigned policies[] = {PV, PV_MAX, HVM, HVM_MAX};

    policy_init();
    for (unsigned i = 0; i < ARRAY_SIZE(policies); i++) {
        unsigned p = policies[i];

        assert_false(HAS(p, VMX));
        assert_false(HAS(p, SVM));
        assert_false(HAS(p, MONITOR));
        assert_false(HAS(p, OSXSAVE));
        assert_false(HAS(p, PKU));
        assert_false(HAS(p, IBRSB));
        assert_false(HAS(p, SGX));
        assert_false(HAS(p, AVX512F)); /* XCR0 has no room for it here */
        assert_true(HAS(p, HYPERVISOR));
        assert_true(HAS(p, SSE2));
        assert_true(HAS(p, AVX2));
        assert_int_equal(reg(p, 5, NO_SUB, REG_A), 0);
        assert_int_equal(reg(p, 6, NO_SUB, REG_A), 0);
        assert_int_equal(reg(p, 0xa, NO_SUB, REG_A), 0);
        assert_int_equal(reg(p, 0xb, 0, REG_B), 0);
        assert_int_equal(reg(p, 0x8000000aU, NO_SUB, REG_D), 0);
        assert_int_equal(reg(p, 0x8000001eU, NO_SUB, REG_A), 0);
        assert_int_equal(reg(p, 1, NO_SUB, REG_B) >> 24, 0);
    }
}

static void pv_guests_get_no_paging_features(void **state)
{
    policy_init();
    assert_false(HAS(PV_MAX, PCID));
    assert_false(HAS(PV_MAX, INVPCID));
    assert_false(HAS(PV_MAX, SMEP));
    assert_false(HAS(PV_MAX, SMAP));
    assert_false(HAS(PV_MAX, PSE));
    assert_false(HAS(PV_MAX, PGE));
    assert_false(HAS(PV_MAX, PAGE1GB));
    assert_false(HAS(PV_MAX, X2APIC));
    assert_false(HAS(PV_MAX, TSC_DEADLINE));
    assert_int_equal(HAS(PV_MAX, FSGSBASE), !!(mmu_cr4_features & CR4_FSGSBASE));
    assert_true(HAS(HVM, SMEP));
    assert_true(HAS(HVM, FSGSBASE));
}

static void hvm_guests_get_what_is_emulated(void **state)
{
    policy_init();
    assert_true(HAS(HVM, X2APIC));
    assert_true(HAS(HVM, TSC_DEADLINE));
    assert_true(HAS(HVM, APIC));
}

static void an_invariant_tsc_is_opted_into(void **state)
{
    policy_init();
    assert_false(HAS(PV, ITSC));
    assert_false(HAS(HVM, ITSC));
    assert_true(HAS(PV_MAX, ITSC));
    assert_true(HAS(HVM_MAX, ITSC));
    assert_int_equal(reg(HVM_MAX, 0x80000007U, NO_SUB, REG_D), 0x100);
}

static void leaves_are_sorted_and_fit_the_tools(void **state)
{
    policy_init();
    for (unsigned i = 0; i <= HVM; i++) {
        const struct cpu_policy *p = policy_system(i);

        assert_true(p->nr_leaves > 10);
        for (unsigned n = 0; n < p->nr_leaves; n++) {
            assert_true(leaf_known(p->leaf[n].leaf, p->leaf[n].subleaf));
            if (n)
                assert_true(p->leaf[n - 1].leaf < p->leaf[n].leaf ||
                            (p->leaf[n - 1].leaf == p->leaf[n].leaf && p->leaf[n - 1].subleaf < p->leaf[n].subleaf));
        }
        assert_int_equal(p->nr_msrs, 2);
    }
    assert_null(policy_system(6));
}

static void extended_state_follows_the_features(void **state)
{
    policy_init();
    assert_int_equal(reg(HVM, 0xd, 0, REG_A), 7);
    assert_int_equal(reg(HVM, 0xd, 0, REG_C), 832);
    assert_int_equal(reg(HVM, 0xd, 1, REG_A), 0xf); /* XSAVEOPT, XSAVEC, XGETBV1, XSAVES */
    assert_int_equal(reg(PV, 0xd, 1, REG_A), 7);    /* XSAVES is for the kernel's privilege */
    assert_false(HAS(PV_MAX, XSAVES));
    assert_int_equal(reg(HVM, 0xd, 1, REG_C), 0); /* of which IA32_XSS turns nothing on */
    assert_int_equal(reg(HVM, 0xd, 1, REG_D), 0);
    assert_int_equal(reg(HVM, 0xd, 2, REG_A), 256);
    assert_int_equal(reg(HVM, 0xd, 9, REG_A), 0);
}

static void an_amd_guest_sees_common_features_twice(void **state)
{
    policy_init();
    assert_int_equal(reg(HVM, 0x80000001U, NO_SUB, REG_D) & 0x0183f3ff, reg(HVM, 1, NO_SUB, REG_D) & 0x0183f3ff);
    assert_true(reg(PV, 0x80000001U, NO_SUB, REG_D) & BIT32(LM));
    assert_int_equal(reg(PV, 0x80000008U, NO_SUB, REG_A), 0x3030); /* no GuestPhysAddrSize */
    assert_int_equal(reg(PV, 0x80000001U, NO_SUB, REG_A), 0x00800f12);
}

static struct domain *policy_domain(domid_t id, bool hvm)
{
    struct domain *d = fake_domain(id, hvm, 2);

    policy_init();
    assert_int_equal(policy_init_domain(d), 0);
    return d;
}
static void policy_domain_free(struct domain *d)
{
    policy_free_domain(d);
    fake_domain_free(d);
}

static int update(struct domain *d, const xen_cpuid_leaf_t *l, unsigned n, uint32_t *el, uint32_t *es)
{
    uint32_t em;

    return policy_update(d, l, n, NULL, 0, el, es, &em);
}

static void the_toolstack_can_give_back_what_it_got(void **state)
{
    struct domain *d = policy_domain(1, true);
    struct cpu_policy before = *d->policy;
    uint32_t el, es;

    assert_int_equal(update(d, policy_system(HVM)->leaf, policy_system(HVM)->nr_leaves, &el, &es), 0);
    assert_memory_equal(&before, d->policy, sizeof(before));
    assert_int_equal(el, ~0U);
    policy_domain_free(d);
}

static void the_toolstack_can_take_features_away(void **state)
{
    struct domain *d = policy_domain(1, true);
    xen_cpuid_leaf_t l = *policy_find(d->policy, 1, NO_SUB);
    uint32_t el, es;

    l.c &= ~BIT32(XSAVE);
    assert_int_equal(update(d, &l, 1, &el, &es), 0);
    assert_false(policy_has(d, XEN_X86_FEATURE_AVX));
    assert_false(policy_has(d, XEN_X86_FEATURE_AVX2));
    assert_true(policy_has(d, XEN_X86_FEATURE_SSE4_1));
    assert_int_equal(policy_reg(d->policy, 0xd, 0, REG_A), 0);
    assert_int_equal(policy_reg(d->policy, 0xd, 2, REG_A), 0);
    policy_domain_free(d);
}

static void the_toolstack_cannot_add_what_is_not_there(void **state)
{
    struct domain *d = policy_domain(1, true);
    struct cpu_policy before = *d->policy;
    xen_cpuid_leaf_t l = *policy_find(d->policy, 7, 0);
    uint32_t el, es;

    l.b |= BIT32(SGX) | BIT32(AVX512F);
    assert_int_equal(update(d, &l, 1, &el, &es), -EINVAL);
    assert_int_equal(el, 7);
    assert_int_equal(es, 0);
    l = *policy_find(d->policy, 1, NO_SUB);
    l.c |= BIT32(VMX);
    assert_int_equal(update(d, &l, 1, &el, &es), -EINVAL);
    assert_int_equal(el, 1);
    assert_int_equal(es, NO_SUB);

    l = (xen_cpuid_leaf_t){.leaf = 0, .subleaf = NO_SUB, .a = 0x20};
    assert_int_equal(update(d, &l, 1, &el, &es), -EINVAL);
    assert_int_equal(el, 0);
    assert_int_equal(es, NO_SUB);
    l = (xen_cpuid_leaf_t){.leaf = 7, .a = 3};
    assert_int_equal(update(d, &l, 1, &el, &es), -EINVAL);
    assert_int_equal(el, 7);
    l = (xen_cpuid_leaf_t){.leaf = 0x80000000U, .subleaf = NO_SUB, .a = 0x80000022U};
    assert_int_equal(update(d, &l, 1, &el, &es), -EINVAL);
    assert_memory_equal(&before, d->policy, sizeof(before));
    policy_domain_free(d);
}

/* A guest that was created on an Intel CPU with many leaves is one that an AMD CPU with fewer can take. */
static void an_hvm_guest_is_told_of_no_leaf_without_content(void **state)
{
    struct domain *d;
    xen_cpuid_leaf_t l[3];
    uint32_t el, es;

    policy_init();
    assert_int_equal(reg(PV, 0, NO_SUB, REG_A), 0x1f);
    assert_int_equal(reg(HVM_MAX, 0, NO_SUB, REG_A), 0x1f);
    assert_int_equal(reg(HVM, 0, NO_SUB, REG_A), 0xd);
    d = policy_domain(1, true);
    l[0] = *policy_find(d->policy, 0, NO_SUB);
    l[1] = *policy_find(d->policy, 7, 0);
    l[2] = *policy_find(d->policy, 0x80000000U, NO_SUB);
    policy_domain_free(d);

    amd_machine();
    policy_init();
    l[1].b &= reg(HVM_MAX, 7, 0, REG_B); /* cpuid= has left out what differs */
    l[1].c &= reg(HVM_MAX, 7, 0, REG_C);
    l[1].d &= reg(HVM_MAX, 7, 0, REG_D);
    d = policy_domain(1, true);
    assert_int_equal(update(d, l, 3, &el, &es), 0);
    assert_int_equal(policy_reg(d->policy, 0, NO_SUB, REG_A), 0xd);
    policy_domain_free(d);
}

static void what_a_cpu_lacks_is_named(void **state)
{
    featureset_t fs = {0};
    uint32_t leaf = 0, sub = 0;
    char buf[16];

    fs_set(&fs, XEN_X86_FEATURE_AVX2);
    fs_set(&fs, XEN_X86_FEATURE_SSE3);
    assert_string_equal(featureset_names(&fs, buf, sizeof(buf)), "sse3 avx2");
    featureset_first_place(&fs, &leaf, &sub);
    assert_int_equal(leaf, 1);
    assert_int_equal(sub, NO_SUB);
    memset(&fs, 0xff, sizeof(fs)); /* cut between names */
    assert_string_equal(featureset_names(&fs, buf, sizeof(buf)), "fpu vme de pse");
}

/* A policy made on the other vendor's machine, which gives all that this one's guests may have. */
static void an_hvm_guest_keeps_the_vendor_that_it_knows(void **state)
{
    struct domain *d = policy_domain(1, true), *pv = policy_domain(2, false);
    bool intel = cpu_features.vendor == VENDOR_INTEL;
    xen_cpuid_leaf_t l[2] = {{0, NO_SUB, 0xd, 0x756e6547, 0x6c65746e, 0x49656e69},
                             {0x80000000U, NO_SUB, 0x80000008U, 0, 0, 0}};
    uint32_t el, es;

    assert_false(policy_is_foreign(d));
    if (intel) {
        l[0] = (xen_cpuid_leaf_t){0, NO_SUB, 0xd, 0x68747541, 0x444d4163, 0x69746e65};
        l[1] = (xen_cpuid_leaf_t){0x80000000U, NO_SUB, 0x80000021U, 0x68747541, 0x444d4163, 0x69746e65};
    }
    assert_int_equal(update(d, l, 2, &el, &es), 0);
    assert_true(policy_is_foreign(d));
    assert_int_equal(settings_told, d->id);
    assert_int_equal(policy_reg(d->policy, 0, NO_SUB, REG_B), l[0].b);
    assert_int_equal(policy_reg(d->policy, 0x80000000U, NO_SUB, REG_A), l[1].a);
    /* The features of leaf 1 stand in leaf 0x80000001 too where the guest takes its CPU for AMD's. */
    assert_int_equal(policy_reg(d->policy, 0x80000001U, NO_SUB, REG_D) & 0x0183f3ff,
                     intel ? policy_reg(d->policy, 1, NO_SUB, REG_D) & 0x0183f3ff : 0);
    l[0].c++; /* no vendor's name */
    assert_int_equal(update(d, l, 2, &el, &es), 0);
    assert_false(policy_is_foreign(d));

    l[1].a = 0x80000008U;
    assert_int_equal(update(pv, l, 2, &el, &es), 0);
    assert_false(policy_is_foreign(pv));
    policy_domain_free(d);
    policy_domain_free(pv);
}

static void unknown_leaves_and_msrs_are_named(void **state)
{
    struct domain *d = policy_domain(1, false);
    static const struct { uint32_t leaf, sub; } bad[] = {
        {0xe, NO_SUB}, {0x14, NO_SUB}, {1, 0}, {4, 6}, {4, NO_SUB}, {7, 3}, {0xb, 2}, {0xd, 63},
        {0x40000001, NO_SUB}, {0x80000022U, NO_SUB}, {0x7fffffff, NO_SUB}, {~0U, NO_SUB},
    };
    struct cpu_policy before = *d->policy;
    xen_msr_entry_t msr = {.idx = 0x1b};
    uint32_t el, es, em;

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        xen_cpuid_leaf_t l[2] = {{.leaf = 1, .subleaf = NO_SUB}, {.leaf = bad[i].leaf, .subleaf = bad[i].sub}};

        assert_int_equal(update(d, l, 2, &el, &es), -ERANGE);
        assert_int_equal(el, bad[i].leaf);
        assert_int_equal(es, bad[i].sub);
    }
    assert_int_equal(policy_update(d, NULL, 0, &msr, 1, &el, &es, &em), -ERANGE);
    assert_int_equal(em, 0x1b);
    msr = (xen_msr_entry_t){.idx = MSR_INTEL_PLATFORM_INFO, .val = 1UL << 31};
    assert_int_equal(policy_update(d, NULL, 0, &msr, 1, &el, &es, &em), -EINVAL);
    assert_int_equal(em, MSR_INTEL_PLATFORM_INFO);
    msr.val = 0;
    assert_int_equal(policy_update(d, NULL, 0, &msr, 1, &el, &es, &em), 0);
    assert_memory_equal(&before, d->policy, sizeof(before)); /* a failed call changed nothing */
    policy_domain_free(d);
}

static void any_list_of_known_leaves_fits(void **state)
{
    struct domain *d = policy_domain(1, true);
    unsigned n = 0;

    for (uint32_t range = 0; range < 3; range++)
        for (uint32_t l = 0; l < 0x200; l++)
            for (uint32_t sub = 0; sub < 70; sub++)
                n += leaf_known((const uint32_t[]){0, 0x40000000, 0x80000000U}[range] + l, sub < 69 ? sub : NO_SUB);
    assert_true(n <= POLICY_LEAVES_MAX);
    policy_domain_free(d);
}

static bool cr4_osxsave;
static uint64_t guest_cr4_op(const struct vcpu *v)
{
    (void)v;
    return cr4_osxsave ? CR4_OSXSAVE : 0;
}

static void cpuid_shows_the_state_of_the_vcpu(void **state)
{
    struct domain *d = policy_domain(1, true);
    struct guest_ops ops = *d->ops;
    struct vcpu *v = d->vcpu[1];
    uint32_t r[4];

    ops.cr4 = guest_cr4_op;
    v->ops = &ops;
    cr4_osxsave = false;
    guest_cpuid(v, 1, 0, r);
    assert_int_equal(r[1] >> 24, 2);
    assert_false(r[2] & BIT32(OSXSAVE));
    cr4_osxsave = true;
    guest_cpuid(v, 1, 55, r);
    assert_true(r[2] & BIT32(OSXSAVE));
    v->xcr0 = 3;
    guest_cpuid(v, 0xd, 0, r);
    assert_int_equal(r[1], 576);
    v->xcr0 = 7;
    guest_cpuid(v, 0xd, 0, r);
    assert_int_equal(r[1], 832);
    guest_cpuid(v, 0xb, 1, r);
    assert_int_equal(r[2], 1);
    assert_int_equal(r[3], 2);
    guest_cpuid(v, 7, 5, r);
    assert_int_equal(r[1] | r[2] | r[3], 0);
    guest_cpuid(v, 0x1f, 0, r); /* above the limit */
    assert_int_equal(r[0] | r[1] | r[2] | r[3], 0);
    guest_cpuid(v, 0xc0000000U, 0, r);
    assert_int_equal(r[0] | r[1] | r[2] | r[3], 0);
    policy_domain_free(d);
}

static void the_hypervisor_signs_itself(void **state)
{
    struct domain *d = policy_domain(1, true), *pv = policy_domain(2, false);
    xen_cpuid_leaf_t l = {.leaf = HV_LEAF, .subleaf = NO_SUB, .a = 2};
    uint32_t r[4], el, es;

    guest_cpuid(d->vcpu[1], 0x40000000, 0, r);
    assert_int_equal(r[0], 0x40000005);
    assert_memory_equal(&r[1], "XenVMMXenVMM", 12);
    guest_cpuid(d->vcpu[1], 0x40000001, 0, r);
    assert_int_equal(r[0], 4 << 16 | 17);
    guest_cpuid(d->vcpu[1], 0x40000002, 0, r);
    assert_int_equal(r[0], 1);
    assert_int_equal(r[1], 0x40000000);
    guest_cpuid(d->vcpu[1], 0x40000004, 0, r);
    assert_true(r[0] & XEN_HVM_CPUID_VCPU_ID_PRESENT);
    assert_int_equal(r[1], 1);
    assert_int_equal(r[2], 1);
    guest_cpuid(pv->vcpu[0], 0x40000004, 0, r);
    assert_int_equal(r[0], 0);
    guest_cpuid(pv->vcpu[0], 0x40000005, 0, r);
    assert_int_equal(r[1] & 0xff, 12 + 13); /* 4,096 frames: as many bits as the number above the last has */
    guest_cpuid(pv->vcpu[0], 0x40000006, 0, r);
    assert_int_equal(r[0] | r[1], 0);
    assert_int_equal(update(d, &l, 1, &el, &es), 0);
    guest_cpuid(d->vcpu[0], 0x40000000, 0, r);
    assert_int_equal(r[0], 0x40000002);
    guest_cpuid(d->vcpu[0], 0x40000004, 0, r);
    assert_int_equal(r[0], 0);
    policy_domain_free(d);
    policy_domain_free(pv);
}

static void msrs_follow_the_policy(void **state)
{
    struct domain *d = policy_domain(1, true);
    struct vcpu *v = d->vcpu[0];
    uint64_t value;

    assert_int_equal(guest_rdmsr_common(v, MSR_IA32_BIOS_SIGN_ID, &value), 0);
    assert_int_equal(value, 0x1234);
    assert_int_equal(guest_rdmsr_common(v, MSR_INTEL_PLATFORM_INFO, &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(guest_rdmsr_common(v, MSR_ARCH_CAPABILITIES, &value), 0);
    assert_true(value & 1);                     /* RDCL_NO */
    assert_false(value & 0x80);                 /* TSX_CTRL */
    assert_int_equal(guest_wrmsr_common(v, MSR_ARCH_CAPABILITIES, 0), -EPERM);
    assert_int_equal(guest_rdmsr_common(v, 0xc0011029, &value), -EPERM); /* AMD's */
    assert_int_equal(guest_rdmsr_common(v, 0x48, &value), -EPERM);
    assert_int_equal(guest_rdmsr_common(v, MSR_EFER, &value), 1);
    assert_int_equal(guest_wrmsr_common(v, MSR_EFER, 0), 1);
    assert_int_equal(guest_rdmsr_common(v, MSR_IA32_MCG_CAP, &value), 0);
    assert_int_equal(value, 0);
    policy_domain_free(d);
}

static void featuresets_are_the_policies_words(void **state)
{
    uint32_t words[32];

    policy_init();
    memset(words, 0x77, sizeof(words));
    assert_int_equal(policy_featureset(XEN_SYSCTL_cpu_featureset_host, words, 32), FEATURE_WORDS);
    assert_int_equal(words[FEATURE_WORDS], 0x77777777);
    assert_int_equal(words[0], reg(XEN_SYSCTL_cpu_policy_host, 1, NO_SUB, REG_D));
    assert_int_equal(policy_featureset(XEN_SYSCTL_cpu_featureset_hvm, words, 2), 2);
    assert_int_equal(words[1], reg(HVM, 1, NO_SUB, REG_C));
    assert_int_equal(policy_featureset(77, words, 2), 0);
}

static void without_xsave_there_is_no_avx(void **state)
{
    xfeature_mask = 0;
    policy_init();
    assert_false(HAS(HVM, XSAVE));
    assert_false(HAS(HVM, AVX));
    assert_false(HAS(PV_MAX, FMA));
    assert_int_equal(reg(HVM, 0xd, 0, REG_A), 0);
    xfeature_mask = 7;
}

/* As in Bochs 2.7: fpu.c found at boot that it does something else. */
static void xsavec_that_does_not_work_is_not_offered(void **state)
{
    cpu_features.xsavec = false;
    policy_init();
    assert_true(HAS(XEN_SYSCTL_cpu_policy_raw, XSAVEC));
    assert_false(HAS(XEN_SYSCTL_cpu_policy_host, XSAVES));
    assert_false(HAS(HVM, XSAVEC));
    assert_false(HAS(HVM, XSAVES));
    assert_false(HAS(PV_MAX, XSAVEC));
    assert_true(HAS(HVM, XSAVEOPT));
    assert_true(HAS(HVM, AVX));
}

/* A VT-x without the control: in a guest it would be #UD. */
static void xsaves_that_guests_cannot_execute_is_not_offered(void **state)
{
    cpu_features.xsaves = false;
    policy_init();
    assert_true(HAS(XEN_SYSCTL_cpu_policy_raw, XSAVES));
    assert_false(HAS(HVM_MAX, XSAVES));
    assert_true(HAS(HVM_MAX, XSAVEC));
}

#define INTEL(fn) cmocka_unit_test_setup_teardown(fn, setup_intel, fake_teardown)
#define AMD(fn) cmocka_unit_test_setup_teardown(fn, setup_amd, fake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        INTEL(xsavec_that_does_not_work_is_not_offered),
        AMD(xsavec_that_does_not_work_is_not_offered),
        INTEL(xsaves_that_guests_cannot_execute_is_not_offered),
        INTEL(no_guest_sees_what_is_not_virtualised),
        AMD(no_guest_sees_what_is_not_virtualised),
        INTEL(pv_guests_get_no_paging_features),
        AMD(pv_guests_get_no_paging_features),
        AMD(hvm_guests_get_what_is_emulated),
        INTEL(an_invariant_tsc_is_opted_into),
        INTEL(leaves_are_sorted_and_fit_the_tools),
        AMD(leaves_are_sorted_and_fit_the_tools),
        INTEL(extended_state_follows_the_features),
        AMD(an_amd_guest_sees_common_features_twice),
        INTEL(the_toolstack_can_give_back_what_it_got),
        AMD(the_toolstack_can_give_back_what_it_got),
        INTEL(the_toolstack_can_take_features_away),
        INTEL(the_toolstack_cannot_add_what_is_not_there),
        INTEL(an_hvm_guest_is_told_of_no_leaf_without_content),
        INTEL(what_a_cpu_lacks_is_named),
        INTEL(an_hvm_guest_keeps_the_vendor_that_it_knows),
        AMD(an_hvm_guest_keeps_the_vendor_that_it_knows),
        AMD(unknown_leaves_and_msrs_are_named),
        INTEL(any_list_of_known_leaves_fits),
        INTEL(cpuid_shows_the_state_of_the_vcpu),
        INTEL(the_hypervisor_signs_itself),
        INTEL(msrs_follow_the_policy),
        INTEL(featuresets_are_the_policies_words),
        AMD(without_xsave_there_is_no_avx),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
