/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's segments, control and debug registers in the VMCS, in the neutral
 * forms of backend.h.  Intel SDM 3C, 25.4.1 "Guest Register State"; what an
 * entry demands of them: 27.3.1 "Checks on the Guest State Area".
 */
#include "../vmm/cpu/asm.h"
#include "../vmm/cpu/regs.h"
#include "vmx.h"

#define SEGMENT_FIELD(first, seg) ((enum vmcs_field)((first) + 2 * (unsigned)(seg)))
#define AR_DEFINED 0xf0ffU
#define AR_DPL 0x60U
#define AR_TYPE_ACCESSED 1U
#define AR_TYPE_BUSY 2U
#define AR_TYPE_TSS32 8U
#define AR_BUSY_TSS 0x8bU

/* -- segments ----------------------------------------------------------------------------------------------------- */
static bool is_table(enum hvm_segment seg) { return seg == SEG_GDTR || seg == SEG_IDTR; }

void vmx_get_segment(struct vcpu *v, enum hvm_segment seg, struct segment_reg *out)
{
    unsigned long flags = vmx_vmcs_enter(v);
    uint32_t ar;

    *out = (struct segment_reg){.base = vmread(SEGMENT_FIELD(GUEST_ES_BASE, seg)),
                                .limit = (uint32_t)vmread(SEGMENT_FIELD(GUEST_ES_LIMIT, seg))};
    if (!is_table(seg)) {
        out->sel = (uint16_t)vmread(SEGMENT_FIELD(GUEST_ES_SELECTOR, seg));
        ar = (uint32_t)vmread(SEGMENT_FIELD(GUEST_ES_ACCESS_RIGHTS, seg));
        /* Of an unusable one only the DPL is defined: that of SS is the CPL. */
        out->attr = ar & SEG_ATTR_UNUSABLE ? (ar & AR_DPL) | SEG_ATTR_UNUSABLE : ar & AR_DEFINED;
    }
    vmx_vmcs_exit(v, flags);
}

/* Access rights and limit as an entry wants them, whatever a saved state or a tool says: 27.3.1.2. */
static uint32_t access_rights(enum hvm_segment seg, uint32_t attr, uint32_t *limit)
{
    if (seg == SEG_TR && ((attr & SEG_ATTR_UNUSABLE) || !(attr & SEG_ATTR_P)))
        attr = AR_BUSY_TSS; /* TR cannot be unusable */
    else if ((attr & SEG_ATTR_UNUSABLE) || !(attr & SEG_ATTR_P))
        return (attr & AR_DPL) | SEG_ATTR_UNUSABLE;
    attr &= AR_DEFINED;
    if (seg == SEG_TR)
        attr |= AR_TYPE_BUSY;
    else if (seg != SEG_LDTR)
        attr |= AR_TYPE_ACCESSED;
    if (*limit >> 20) {
        attr |= SEG_ATTR_G;
        *limit |= 0xfff;
    } else if ((*limit & 0xfff) != 0xfff) {
        attr &= ~SEG_ATTR_G;
    }
    return attr;
}

void vmx_set_segment(struct vcpu *v, enum hvm_segment seg, const struct segment_reg *in)
{
    uint32_t limit = is_table(seg) ? in->limit & 0xffff : in->limit;
    unsigned long flags = vmx_vmcs_enter(v);

    if (!is_table(seg)) {
        vmwrite(SEGMENT_FIELD(GUEST_ES_ACCESS_RIGHTS, seg), access_rights(seg, in->attr, &limit));
        vmwrite(SEGMENT_FIELD(GUEST_ES_SELECTOR, seg), in->sel);
    }
    vmwrite(SEGMENT_FIELD(GUEST_ES_LIMIT, seg), limit);
    vmwrite(SEGMENT_FIELD(GUEST_ES_BASE, seg), in->base);
    vmx_vmcs_exit(v, flags);
}

/* -- control registers -------------------------------------------------------------------------------------------- */
/* PE and PG are free in an unrestricted guest; CD and NW are the host's, whatever the guest writes: 27.3.1.1, 27.3.2.1. */
static void update_cr0(struct vcpu *v)
{
    uint64_t fixed = vmx_caps.cr0_fixed0 & ~(uint64_t)(CR0_PE | CR0_PG);

    vmwrite(GUEST_CR0, ((v->hvm->cr[0] | CR0_ET) & ~(uint64_t)(CR0_CD | CR0_NW)) | fixed);
    vmwrite(CR0_READ_SHADOW, v->hvm->cr[0]);
}

/* Machine checks are the host's: without MCE one would shut the CPU down. */
static void update_cr4(struct vcpu *v)
{
    vmwrite(GUEST_CR4, v->hvm->cr[4] | vmx_caps.cr4_fixed0 | (mmu_cr4_features & CR4_MCE));
    vmwrite(CR4_READ_SHADOW, v->hvm->cr[4]);
}

void vmx_update_cr(struct vcpu *v, unsigned cr)
{
    unsigned long flags = vmx_vmcs_enter(v);

    switch (cr) {
    case 0: update_cr0(v); break;
    case 3: vmwrite(GUEST_CR3, v->hvm->cr[3]); break;
    case 4: update_cr4(v); break;
    default: break; /* CR2 goes to the CPU at each entry */
    }
    vmx_vmcs_exit(v, flags);
}

void vmx_set_pdptes(struct vcpu *v, const uint64_t pdpte[4])
{
    unsigned long flags = vmx_vmcs_enter(v);

    for (unsigned i = 0; i < 4; i++)
        vmwrite((enum vmcs_field)(GUEST_PDPTE0 + 2 * i), pdpte[i]);
    vmx_vmcs_exit(v, flags);
}

/* The entry control that follows EFER.LMA; in IA-32e mode TR must be of a 32-bit kind, which a 16-bit one then counts as. */
void vmx_update_efer(struct vcpu *v)
{
    struct vmx_vcpu *s = vmx_of(v);
    bool lma = v->hvm->efer & EFER_LMA;
    uint32_t entry = lma ? s->entry | ENTRY_IA32E_MODE : s->entry & ~ENTRY_IA32E_MODE;
    unsigned long flags = vmx_vmcs_enter(v);

    vmwrite(GUEST_IA32_EFER, v->hvm->efer);
    if (entry != s->entry) {
        enum vmcs_field tr = SEGMENT_FIELD(GUEST_ES_ACCESS_RIGHTS, SEG_TR);

        s->entry = entry;
        vmwrite(VM_ENTRY_CONTROLS, entry);
        if (lma)
            vmwrite(tr, vmread(tr) | AR_TYPE_TSS32);
    }
    vmx_vmcs_exit(v, flags);
}

/* -- debug registers ---------------------------------------------------------------------------------------------- */
uint64_t vmx_get_dr(struct vcpu *v, unsigned dr)
{
    struct vmx_vcpu *s = vmx_of(v);

    if (dr == 7)
        return vmx_read(v, GUEST_DR7);
    if (s->dr_direct)
        INSN("mov %%db6, %0" : "=r"(s->dr6));
    return s->dr6;
}

void vmx_set_dr(struct vcpu *v, unsigned dr, uint64_t value)
{
    struct vmx_vcpu *s = vmx_of(v);

    value = (uint32_t)value; /* the other half must be 0 in both */
    if (dr == 7) {
        vmx_write(v, GUEST_DR7, value | DR7_RESET);
        return;
    }
    s->dr6 = value | DR6_RESET;
    if (s->dr_direct)
        INSN("mov %0, %%db6" ::"r"(s->dr6));
}
