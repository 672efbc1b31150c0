/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the CPUs can do, and each CPU's control registers.  Written on the boot
 * CPU before others start; read-only afterwards.  AMD APM 3, appendix E;
 * Intel SDM 2A, CPUID.
 */
#include "../lib/printk.h"
#include "../lib/string.h"
#include "../mm/pgtable.h"
#include "asm.h"
#include "cpu.h"
#include "entry.h"
#include "fpu.h"
#include "regs.h"

__read_mostly struct cpu_features cpu_features;
__read_mostly uint64_t mmu_cr4_features;

void get_raw_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4]) { cpuid_count(leaf, sub, out); }

static void identify_vendor(struct cpu_features *c)
{
    uint32_t r[4];

    cpuid_count(0, 0, r);
    c->max_leaf = r[0];
    memcpy(c->vendor_id, &r[1], 4);
    memcpy(c->vendor_id + 4, &r[3], 4);
    memcpy(c->vendor_id + 8, &r[2], 4);
    c->vendor = VENDOR_OTHER;
    if (!strcmp(c->vendor_id, "GenuineIntel"))
        c->vendor = VENDOR_INTEL;
    else if (!strcmp(c->vendor_id, "AuthenticAMD") || !strcmp(c->vendor_id, "HygonGenuine"))
        c->vendor = VENDOR_AMD;
}

static void identify_basic(struct cpu_features *c)
{
    uint32_t r[4];

    cpuid_count(1, 0, r);
    c->stepping = r[0] & 0xf;
    c->model = r[0] >> 4 & 0xf;
    c->family = r[0] >> 8 & 0xf;
    if (c->family == 0xf || c->family == 6)
        c->model |= r[0] >> 12 & 0xf0;
    if (c->family == 0xf)
        c->family += r[0] >> 20 & 0xff;
    c->leaf1_ecx = r[2];
    c->leaf1_edx = r[3];
    if (c->max_leaf >= 7) {
        cpuid_count(7, 0, r);
        c->leaf7_ebx = r[1];
        c->leaf7_ecx = r[2];
        c->leaf7_edx = r[3];
    }
    if (c->max_leaf >= 0xd && (c->leaf1_ecx & BIT(26))) {
        cpuid_count(0xd, 1, r);
        c->leafd1_eax = r[0];
    }
}

static void identify_extended(struct cpu_features *c)
{
    uint32_t r[4];

    c->paddr_bits = 36;
    c->vaddr_bits = 48;
    cpuid_count(0x80000000, 0, r);
    c->max_ext_leaf = r[0] >> 16 == 0x8000 ? r[0] : 0;
    if (c->max_ext_leaf >= 0x80000001) {
        cpuid_count(0x80000001, 0, r);
        c->ext1_ecx = r[2];
        c->ext1_edx = r[3];
    }
    for (uint32_t i = 0; i < 3 && c->max_ext_leaf >= 0x80000004; i++) {
        cpuid_count(0x80000002 + i, 0, r);
        memcpy(c->model_name + 16 * i, r, 16);
    }
    if (c->max_ext_leaf >= 0x80000007) {
        cpuid_count(0x80000007, 0, r);
        c->ext7_edx = r[3];
    }
    if (c->max_ext_leaf >= 0x80000008) {
        cpuid_count(0x80000008, 0, r);
        c->paddr_bits = MIN(r[0] & 0xff, 52U);
        c->vaddr_bits = r[0] >> 8 & 0xff;
        c->ext8_ebx = r[1];
    }
    if (c->max_ext_leaf >= 0x8000000a && (c->ext1_ecx & BIT(2))) {
        cpuid_count(0x8000000a, 0, r);
        c->svm_rev = r[0] & 0xff;
        c->svm_nasid = r[1];
        c->svm_edx = r[3];
    }
}

static void derive_flags(struct cpu_features *c)
{
    uint32_t r[4] = {0};

    if (c->max_leaf >= 6)
        cpuid_count(6, 0, r);
    c->arat = r[0] & BIT(2);
    c->fsgsbase = c->leaf7_ebx & BIT(0);
    c->smep = c->leaf7_ebx & BIT(7);
    c->smap = c->leaf7_ebx & BIT(20);
    c->pge = c->leaf1_edx & BIT(13);
    c->pcid = c->leaf1_ecx & BIT(17);
    c->x2apic = c->leaf1_ecx & BIT(21);
    c->tsc_deadline = c->leaf1_ecx & BIT(24);
    c->monitor = c->leaf1_ecx & BIT(3);
    c->invariant_tsc = c->ext7_edx & BIT(8);
    c->xsave = (c->leaf1_ecx & BIT(26)) && c->max_leaf >= 0xd;
    c->xsaveopt = c->leafd1_eax & BIT(0);
    c->xsavec = c->leafd1_eax & BIT(1);
    c->xsaves = c->leafd1_eax & BIT(3);
    c->nx = c->ext1_edx & BIT(20);
    c->page1gb = c->ext1_edx & BIT(26);
    c->rdtscp = c->ext1_edx & BIT(27);
}

void cpu_identify(void)
{
    struct cpu_features *c = &cpu_features;

    identify_vendor(c);
    identify_basic(c);
    identify_extended(c);
    derive_flags(c);
    /*
     * SMAP stays off: the hypervisor reaches a PV guest's pages, which are user pages, in many places. SMEP costs
     * nothing. FSGSBASE is on for all, since ring 3 includes the PV guests' kernels.
     */
    mmu_cr4_features = CR4_DE | CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT | (c->pge ? CR4_PGE : 0) |
                       (c->smep ? CR4_SMEP : 0) | (c->fsgsbase ? CR4_FSGSBASE : 0) | (c->xsave ? CR4_OSXSAVE : 0);
    if (!(c->leaf1_edx & BIT(7)) || !(c->leaf1_edx & BIT(14)))
        mmu_cr4_features &= ~(uint64_t)CR4_MCE;
    printk(LOG_INFO "CPU: %s family %#x model %#x stepping %u, %u address bits\n", c->model_name, c->family, c->model,
           c->stepping, c->paddr_bits);
}

void cpu_init(void)
{
    unsigned cpu = smp_processor_id();

    write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG);
    write_cr4(mmu_cr4_features);
    wrmsr(MSR_EFER, EFER_SCE | EFER_LME | EFER_LMA | (cpu_features.nx ? EFER_NXE : 0));
    wrmsr(MSR_IA32_CR_PAT, HOST_PAT);
    desc_init_cpu(cpu);
    fpu_init_cpu();
}
