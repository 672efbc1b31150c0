/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which controls the CPU offers: of each group some are required, some wanted,
 * and some must be off.  Intel SDM 3D, appendix A "VMX Capability Reporting Facility".
 */
#include "../vmm/cpu/asm.h"
#include "../vmm/hvm/backend.h"
#include "caps.h"

#define MSR_IA32_VMX_BASIC 0x480
#define MSR_IA32_VMX_MISC 0x485
#define MSR_IA32_VMX_CR0_FIXED0 0x486
#define MSR_IA32_VMX_CR0_FIXED1 0x487
#define MSR_IA32_VMX_CR4_FIXED0 0x488
#define MSR_IA32_VMX_CR4_FIXED1 0x489
#define MSR_IA32_VMX_PROCBASED_CTLS2 0x48b
#define MSR_IA32_VMX_EPT_VPID_CAP 0x48c
#define MSR_IA32_VMX_TRUE_PINBASED_CTLS 0x48d
#define MSR_IA32_VMX_TRUE_PROCBASED_CTLS 0x48e
#define MSR_IA32_VMX_TRUE_EXIT_CTLS 0x48f
#define MSR_IA32_VMX_TRUE_ENTRY_CTLS 0x490

#define BASIC_TRUE_CONTROLS BIT(55)
#define BASIC_MEMORY_TYPE(b) (((b) >> 50) & 0xf)

#define EPT_WALK_4 BIT(6)
#define EPT_WRITE_BACK BIT(14)
#define EPT_2M BIT(16)
#define EPT_1G BIT(17)
#define EPT_INVEPT BIT(20)
#define EPT_ACCESSED_DIRTY BIT(21)
#define EPT_INVEPT_CONTEXT BIT(25)
#define EPT_INVEPT_ALL BIT(26)
#define VPID_INVVPID BIT(32)
#define VPID_INVVPID_CONTEXT BIT(41)
#define VPID_INVVPID_ALL BIT(42)

/* All of them or none. */
#define APIC_CONTROLS (PROC2_APIC_ACCESSES | PROC2_X2APIC | PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS)

struct control_group {
    uint32_t msr;
    uint32_t required, wanted, must_clear;
    size_t result; /* in struct vmx_caps */
};

static const struct control_group groups[] = {
    {MSR_IA32_VMX_TRUE_PINBASED_CTLS, PIN_EXTERNAL_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMIS,
     PIN_PREEMPTION_TIMER | PIN_POSTED_INTERRUPTS, 0, offsetof(struct vmx_caps, pin)},
    {MSR_IA32_VMX_TRUE_PROCBASED_CTLS,
     PROC_TSC_OFFSETTING | PROC_HLT | PROC_MWAIT | PROC_RDPMC | PROC_TPR_SHADOW | PROC_MOV_DR | PROC_UNCONDITIONAL_IO |
         PROC_MSR_BITMAPS | PROC_MONITOR | PROC_SECONDARY,
     0,
     PROC_INVLPG | PROC_CR3_LOAD | PROC_CR3_STORE | PROC_CR8_LOAD | PROC_CR8_STORE | PROC_INTERRUPT_WINDOW |
         PROC_NMI_WINDOW,
     offsetof(struct vmx_caps, proc)},
    /* Of APIC_CONTROLS, which of two modes is on differs by vCPU. */
    {MSR_IA32_VMX_PROCBASED_CTLS2, PROC2_EPT | PROC2_VPID | PROC2_UNRESTRICTED_GUEST,
     PROC2_WBINVD | PROC2_RDTSCP | PROC2_INVPCID | PROC2_XSAVES | PROC2_PAUSE_LOOP | PROC2_TSC_SCALING | APIC_CONTROLS,
     0, offsetof(struct vmx_caps, proc2)},
    {MSR_IA32_VMX_TRUE_EXIT_CTLS, EXIT_SAVE_DEBUG | EXIT_HOST_64BIT | EXIT_LOAD_PAT | EXIT_LOAD_EFER,
     EXIT_ACK_INTERRUPT, EXIT_SAVE_EFER, offsetof(struct vmx_caps, exit)},
    {MSR_IA32_VMX_TRUE_ENTRY_CTLS, ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER, 0, ENTRY_IA32E_MODE,
     offsetof(struct vmx_caps, entry)},
};

static const char *missing_control(const struct control_group *g, uint32_t bits)
{
    static char text[64];

    if (g->msr == MSR_IA32_VMX_PROCBASED_CTLS2) {
        if (bits & PROC2_EPT)
            return "the CPU has no extended page tables";
        if (bits & PROC2_UNRESTRICTED_GUEST)
            return "the CPU cannot run unrestricted guests";
        if (bits & PROC2_VPID)
            return "the CPU has no virtual processor identifiers";
    }
    snprintf(text, sizeof(text), "controls %#x of MSR %#x are missing", bits, g->msr);
    return text;
}

/* Low half: bits that must be 1; high half: bits that may be 1 (A.2). */
static const char *read_group(const struct control_group *g, struct vmx_caps *caps)
{
    uint64_t allowed = rdmsr(g->msr);
    uint32_t may = allowed >> 32, must = (uint32_t)allowed;
    uint32_t lacks = (g->required & ~may) | (g->must_clear & must);

    if (lacks)
        return missing_control(g, lacks);
    *(uint32_t *)((char *)caps + g->result) = g->required | (g->wanted & may) | must;
    return NULL;
}

static const char *read_ept_caps(struct vmx_caps *caps)
{
    const uint64_t required =
        EPT_WALK_4 | EPT_WRITE_BACK | EPT_INVEPT | EPT_INVEPT_ALL | VPID_INVVPID | VPID_INVVPID_ALL;
    uint64_t ept = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);

    if ((ept & required) != required)
        return "extended page tables or VPIDs lack a required form";
    caps->ept_2m = ept & EPT_2M;
    caps->ept_1g = ept & EPT_1G;
    caps->invept_context = ept & EPT_INVEPT_CONTEXT;
    caps->invvpid_context = ept & VPID_INVVPID_CONTEXT;
    return NULL;
}

static void choose_apicv(struct vmx_caps *caps)
{
    caps->apicv = hvm_apicv_allowed && (caps->proc2 & APIC_CONTROLS) == APIC_CONTROLS;
    if (!caps->apicv || !hvm_posting_allowed || !(caps->exit & EXIT_ACK_INTERRUPT))
        caps->pin &= ~PIN_POSTED_INTERRUPTS;
    caps->proc2 &= ~(caps->apicv ? PROC2_APIC_ACCESSES | PROC2_X2APIC : APIC_CONTROLS);
}

const char *vmx_read_caps(struct vmx_caps *caps)
{
    uint64_t basic = rdmsr(MSR_IA32_VMX_BASIC);

    if (!(basic & BASIC_TRUE_CONTROLS))
        return "the CPU's VT-x is too old: it has no true controls";
    if (BASIC_MEMORY_TYPE(basic) != 6)
        return "control structures are not to be in write-back memory";
    caps->revision = basic & 0x7fffffff;
    for (unsigned i = 0; i < ARRAY_SIZE(groups); i++) {
        const char *missing = read_group(&groups[i], caps);

        if (missing)
            return missing;
    }
    choose_apicv(caps);
    caps->timer_shift = rdmsr(MSR_IA32_VMX_MISC) & 0x1f;
    caps->cr0_fixed0 = rdmsr(MSR_IA32_VMX_CR0_FIXED0);
    caps->cr0_fixed1 = rdmsr(MSR_IA32_VMX_CR0_FIXED1);
    caps->cr4_fixed0 = rdmsr(MSR_IA32_VMX_CR4_FIXED0);
    caps->cr4_fixed1 = rdmsr(MSR_IA32_VMX_CR4_FIXED1);
    return read_ept_caps(caps);
}
