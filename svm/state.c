/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's segments, control registers and MSRs in the VMCB, in the neutral forms of backend.h. */
#include "../vmm/cpu/regs.h"
#include "svm.h"

static struct vmcb_segment *svm_segment(struct vmcb *vmcb, enum hvm_segment seg)
{
    switch (seg) {
    case SEG_ES: return &vmcb->es;
    case SEG_CS: return &vmcb->cs;
    case SEG_SS: return &vmcb->ss;
    case SEG_DS: return &vmcb->ds;
    case SEG_FS: return &vmcb->fs;
    case SEG_GS: return &vmcb->gs;
    case SEG_LDTR: return &vmcb->ldtr;
    case SEG_TR: return &vmcb->tr;
    case SEG_GDTR: return &vmcb->gdtr;
    default: return &vmcb->idtr;
    }
}

void svm_get_segment(struct vcpu *v, enum hvm_segment seg, struct segment_reg *out)
{
    const struct vmcb *vmcb = svm_of(v)->vmcb;
    const struct vmcb_segment *s = svm_segment(svm_of(v)->vmcb, seg);

    out->sel = s->sel;
    out->limit = s->limit;
    out->base = s->base;
    out->attr = (s->attr & 0xff) | (s->attr & 0xf00) << 4;
    if (!(s->attr & SEG_ATTR_P))
        out->attr |= SEG_ATTR_UNUSABLE;
    if (seg == SEG_TR)
        out->attr |= 2; /* the CPU may leave the busy bit of TR clear: it always is busy */
    if (seg == SEG_SS)  /* the CPL is kept apart: APM 2, 15.5.1 */
        out->attr = (out->attr & ~0x60U) | (uint32_t)vmcb->cpl << 5;
}

void svm_set_segment(struct vcpu *v, enum hvm_segment seg, const struct segment_reg *in)
{
    struct svm_vcpu *sv = svm_of(v);
    struct vmcb_segment *s = svm_segment(sv->vmcb, seg);

    s->sel = in->sel;
    s->limit = in->limit;
    s->base = in->base;
    s->attr = (in->attr & 0xff) | ((in->attr >> 4) & 0xf00);
    if (in->attr & SEG_ATTR_UNUSABLE)
        s->attr &= ~SEG_ATTR_P;
    if (seg == SEG_SS)
        sv->vmcb->cpl = SEG_ATTR_DPL(in->attr);
    svm_dirty(sv, seg == SEG_GDTR || seg == SEG_IDTR ? CLEAN_DT : CLEAN_SEG);
}

/*
 * The guest runs with caches on whatever its CR0 says: memory types are the
 * nested tables' business.  It then reads CR0 through an exit.
 */
static void svm_update_cr0(struct vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);
    uint64_t hw = (v->hvm->cr[0] | CR0_ET) & ~(uint64_t)(CR0_CD | CR0_NW);
    uint16_t reads = (s->vmcb->cr_reads & ~BIT(0)) | ((hw ^ v->hvm->cr[0]) & (CR0_CD | CR0_NW) ? BIT(0) : 0);

    if (reads != s->vmcb->cr_reads) {
        s->vmcb->cr_reads = reads;
        svm_dirty(s, CLEAN_INTERCEPTS);
    }
    s->vmcb->cr0 = hw;
}

void svm_update_cr(struct vcpu *v, unsigned cr)
{
    struct svm_vcpu *s = svm_of(v);

    switch (cr) {
    case 0: svm_update_cr0(v); break;
    case 2:
        s->vmcb->cr2 = v->hvm->cr[2];
        svm_dirty(s, CLEAN_CR2);
        return;
    case 3: s->vmcb->cr3 = v->hvm->cr[3]; break;
    case 4: s->vmcb->cr4 = v->hvm->cr[4]; break;
    default: return;
    }
    svm_dirty(s, CLEAN_CR);
}

/* VMRUN demands EFER.SVME: APM 2, 15.5.1 "Canonicalization and Consistency Checks". */
void svm_update_efer(struct vcpu *v)
{
    svm_of(v)->vmcb->efer = v->hvm->efer | EFER_SVME;
    svm_dirty(svm_of(v), CLEAN_CR);
}

static uint64_t *svm_msr_slot(struct vmcb *vmcb, enum hvm_saved_msr msr)
{
    switch (msr) {
    case HVM_MSR_STAR: return &vmcb->star;
    case HVM_MSR_LSTAR: return &vmcb->lstar;
    case HVM_MSR_CSTAR: return &vmcb->cstar;
    case HVM_MSR_SFMASK: return &vmcb->sfmask;
    case HVM_MSR_KERNEL_GS: return &vmcb->kernel_gs;
    case HVM_MSR_SYSENTER_CS: return &vmcb->sysenter_cs;
    case HVM_MSR_SYSENTER_ESP: return &vmcb->sysenter_esp;
    case HVM_MSR_SYSENTER_EIP: return &vmcb->sysenter_eip;
    case HVM_MSR_DEBUGCTL: return &vmcb->debugctl;
    case HVM_MSR_PAT: return &vmcb->g_pat;
    default: return NULL; /* TSC_AUX: not in the VMCB, and RDTSCP is not offered without it */
    }
}

/* AMD's CPUs have 32 bits of these MSRs, as SYSENTER is theirs in legacy mode only: APM 2, 6.1.2. NULL: none of them. */
static uint64_t *svm_wide_sysenter(struct svm_vcpu *s, enum hvm_saved_msr msr, uint32_t *number)
{
    switch (msr) {
    case HVM_MSR_SYSENTER_ESP: *number = MSR_IA32_SYSENTER_ESP; return &s->sysenter_esp;
    case HVM_MSR_SYSENTER_EIP: *number = MSR_IA32_SYSENTER_EIP; return &s->sysenter_eip;
    default: return NULL;
    }
}

uint64_t svm_get_msr(struct vcpu *v, enum hvm_saved_msr msr)
{
    uint64_t *slot = svm_msr_slot(svm_of(v)->vmcb, msr), *wide;
    uint32_t number;

    wide = svm_wide_sysenter(svm_of(v), msr, &number);
    if (wide && svm_msr_exits(v, number))
        return *wide;
    return slot ? *slot : svm_of(v)->tsc_aux;
}

void svm_set_msr(struct vcpu *v, enum hvm_saved_msr msr, uint64_t value)
{
    uint64_t *slot = svm_msr_slot(svm_of(v)->vmcb, msr), *wide;
    uint32_t number;

    wide = svm_wide_sysenter(svm_of(v), msr, &number);
    if (wide)
        *wide = value;
    if (slot)
        *slot = value;
    else
        svm_of(v)->tsc_aux = value;
    if (msr == HVM_MSR_PAT)
        svm_dirty(svm_of(v), CLEAN_NP);
}

uint64_t svm_get_dr(struct vcpu *v, unsigned dr) { return dr == 6 ? svm_of(v)->vmcb->dr6 : svm_of(v)->vmcb->dr7; }

void svm_set_dr(struct vcpu *v, unsigned dr, uint64_t value)
{
    *(dr == 6 ? &svm_of(v)->vmcb->dr6 : &svm_of(v)->vmcb->dr7) = value;
    svm_dirty(svm_of(v), CLEAN_DR);
}
