/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSRs that the guest has for itself: some are in the VMCS, the rest are in the
 * CPU while the vCPU is loaded.  Intel SDM 3C, 25.6.9 "MSR-Bitmap Address".
 */
#include "../vmm/cpu/asm.h"
#include "../vmm/cpu/regs.h"
#include "vmx.h"

#define NR_HOST_MSRS 4 /* of the swapped ones, those that the host itself needs */
static const struct {
    uint32_t msr;
    enum hvm_saved_msr saved;
} swapped[NR_SWAPPED] = {
    {MSR_STAR, HVM_MSR_STAR},
    {MSR_LSTAR, HVM_MSR_LSTAR},
    {MSR_CSTAR, HVM_MSR_CSTAR},
    {MSR_SYSCALL_MASK, HVM_MSR_SFMASK},
    {MSR_SHADOW_GS_BASE, HVM_MSR_KERNEL_GS}, /* a PV vCPU loads its own */
    {MSR_TSC_AUX, HVM_MSR_TSC_AUX},          /* last: only where the CPU has it */
};
static DEFINE_PER_CPU(uint64_t[NR_HOST_MSRS], host_msr);

static unsigned nr_swapped(void) { return cpu_features.rdtscp ? NR_SWAPPED : NR_SWAPPED - 1; }

void vmx_init_msrs_cpu(void)
{
    for (unsigned i = 0; i < NR_HOST_MSRS; i++)
        this_cpu(host_msr)[i] = rdmsr(swapped[i].msr);
}

/* -- what exits --------------------------------------------------------------------------------------------------- */
/* The map has a bit for each MSR of two ranges, first for reads, then for writes. */
static int bitmap_bit(uint32_t msr)
{
    if (msr < 0x2000)
        return (int)msr;
    if (msr >= 0xc0000000 && msr < 0xc0002000)
        return (int)(0x2000 + msr - 0xc0000000);
    return -1;
}
#define BITMAP_WRITES 0x4000U

void vmx_intercept_msr(struct vcpu *v, uint32_t msr, bool read, bool write)
{
    struct vmx_vcpu *s = vmx_of(v);
    int bit = bitmap_bit(msr);

    if (bit < 0)
        return; /* MSRs outside the ranges always exit */
    (read ? __set_bit : __clear_bit)((unsigned)bit, s->msr_bitmap);
    (write ? __set_bit : __clear_bit)((unsigned)bit + BITMAP_WRITES, s->msr_bitmap);
}

void vmx_init_msr_bitmap(struct vcpu *v)
{
    static const uint32_t in_vmcs[] = {MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP, MSR_FS_BASE,
                                       MSR_GS_BASE};

    memset(vmx_of(v)->msr_bitmap, 0xff, PAGE_SIZE);
    for (unsigned i = 0; i < ARRAY_SIZE(in_vmcs); i++)
        vmx_intercept_msr(v, in_vmcs[i], false, false);
    for (unsigned i = 0; i < nr_swapped(); i++)
        vmx_intercept_msr(v, swapped[i].msr, false, false);
}

/* -- values ------------------------------------------------------------------------------------------------------- */
/* -1: not one of the swapped. */
static int swapped_index(enum hvm_saved_msr msr)
{
    for (unsigned i = 0; i < NR_SWAPPED; i++)
        if (swapped[i].saved == msr)
            return (int)i;
    return -1;
}

static enum vmcs_field msr_field(enum hvm_saved_msr msr)
{
    switch (msr) {
    case HVM_MSR_SYSENTER_CS: return GUEST_SYSENTER_CS;
    case HVM_MSR_SYSENTER_ESP: return GUEST_SYSENTER_ESP;
    case HVM_MSR_SYSENTER_EIP: return GUEST_SYSENTER_EIP;
    case HVM_MSR_DEBUGCTL: return GUEST_IA32_DEBUGCTL;
    default: return GUEST_IA32_PAT;
    }
}

uint64_t vmx_get_msr(struct vcpu *v, enum hvm_saved_msr msr)
{
    struct vmx_vcpu *s = vmx_of(v);
    int i = swapped_index(msr);

    if (i < 0)
        return vmx_read(v, msr_field(msr));
    if (this_cpu(vmx_loaded) == s && (unsigned)i < nr_swapped())
        s->msr[i] = rdmsr(swapped[i].msr);
    return s->msr[i];
}

/* A saved state's values come here as well: nothing may be left that WRMSR refuses. */
void vmx_set_msr(struct vcpu *v, enum hvm_saved_msr msr, uint64_t value)
{
    struct vmx_vcpu *s = vmx_of(v);
    int i = swapped_index(msr);

    if (msr == HVM_MSR_SFMASK || msr == HVM_MSR_TSC_AUX || msr == HVM_MSR_SYSENTER_CS)
        value = (uint32_t)value;
    if (i < 0) {
        vmx_write(v, msr_field(msr), value);
        return;
    }
    s->msr[i] = value;
    if (this_cpu(vmx_loaded) == s && (unsigned)i < nr_swapped())
        wrmsr(swapped[i].msr, value);
}

void vmx_load_msrs(struct vmx_vcpu *s)
{
    for (unsigned i = 0; i < nr_swapped(); i++)
        if (i >= NR_HOST_MSRS || s->msr[i] != this_cpu(host_msr)[i])
            wrmsr(swapped[i].msr, s->msr[i]);
}

void vmx_put_msrs(struct vmx_vcpu *s)
{
    for (unsigned i = 0; i < nr_swapped(); i++) {
        s->msr[i] = rdmsr(swapped[i].msr);
        if (i < NR_HOST_MSRS && s->msr[i] != this_cpu(host_msr)[i])
            wrmsr(swapped[i].msr, this_cpu(host_msr)[i]);
    }
}
