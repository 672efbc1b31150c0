/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control registers and EFER as the guest writes them, with the checks of MOV
 * CRn and WRMSR.  AMD APM 2 "System Resources" (3.1); Intel SDM 3A 2.5.
 */
#include "../cpu/cpu.h"
#include "../cpu/policy.h"
#include "../cpu/regs.h"
#include "../lib/string.h"
#include "../mm/pgtable.h"
#include "hvm_state.h"

#define CR0_DEFINED                                                                                                    \
    ((uint64_t)(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD) | CR0_PG)

bool hvm_long_mode_active(const struct vcpu *v) { return v->hvm->efer & EFER_LMA; }
bool hvm_paging_enabled(const struct vcpu *v) { return v->hvm->cr[0] & CR0_PG; }

unsigned hvm_cpl(struct vcpu *v)
{
    struct segment_reg ss;

    if (!(v->hvm->cr[0] & CR0_PE))
        return 0;
    if (v->regs.rflags & EFLAGS_VM)
        return 3;
    hvm_backend->get_segment(v, SEG_SS, &ss);
    return SEG_ATTR_DPL(ss.attr);
}

int hvm_mode_bytes(struct vcpu *v)
{
    struct segment_reg cs;

    if (!(v->hvm->cr[0] & CR0_PE))
        return 0;
    if (v->regs.rflags & EFLAGS_VM)
        return 1;
    hvm_backend->get_segment(v, SEG_CS, &cs);
    if (hvm_long_mode_active(v) && (cs.attr & SEG_ATTR_L))
        return 8;
    return cs.attr & SEG_ATTR_DB ? 4 : 2;
}

static enum hvm_result gp_fault(struct vcpu *v)
{
    hvm_inject_exception(v, X86_TRAP_GP, 0, 0);
    return HVM_FAULT;
}

/* Long mode begins and ends with paging: APM 2, 14.6.1 and 14.7. */
static bool cr0_paging_switch(struct vcpu *v, uint64_t value)
{
    struct hvm_vcpu *h = v->hvm;
    struct segment_reg cs;

    if (!((h->cr[0] ^ value) & CR0_PG))
        return true;
    hvm_backend->get_segment(v, SEG_CS, &cs);
    if (value & CR0_PG) {
        if (!(h->efer & EFER_LME))
            return true;
        if (!(h->cr[4] & CR4_PAE) || (cs.attr & SEG_ATTR_L))
            return false;
        h->efer |= EFER_LMA;
    } else {
        if (((h->efer & EFER_LMA) && (cs.attr & SEG_ATTR_L)) || (h->cr[4] & CR4_PCIDE))
            return false;
        if (!(h->efer & EFER_LMA))
            return true;
        h->efer &= ~(uint64_t)EFER_LMA;
    }
    hvm_backend->update_efer(v);
    return true;
}

#define PDPTE_RSVD 0x1e6UL /* bits 2:1 and 8:5 */

/*
 * PAE paging with these registers: MOV CRn loads the four top entries and faults on bad ones.  false: #GP.  Intel SDM 3A
 * "PDPTE Registers" (4.4.1); AMD's CPUs read them at each walk (APM 2, 15.25.10).
 */
static bool load_pdptes(struct vcpu *v, uint64_t cr0, uint64_t cr3, uint64_t cr4)
{
    uint64_t pdpte[4] = {0}, rsvd = ~((1UL << cpu_features.paddr_bits) - 1) | PDPTE_RSVD;

    if (!hvm_backend->set_pdptes || !(cr0 & CR0_PG) || !(cr4 & CR4_PAE) || hvm_long_mode_active(v))
        return true;
    if (hvm_copy_from_gpa(v->domain, pdpte, GPA(cr3 & 0xffffffe0UL), sizeof(pdpte)))
        memset(pdpte, 0, sizeof(pdpte)); /* not RAM: nothing there that is present */
    for (unsigned i = 0; i < 4; i++)
        if ((pdpte[i] & PTE_P) && (pdpte[i] & rsvd))
            return false;
    hvm_backend->set_pdptes(v, pdpte);
    return true;
}

void hvm_restore_pdptes(struct vcpu *v) { (void)load_pdptes(v, v->hvm->cr[0], v->hvm->cr[3], v->hvm->cr[4]); }

static enum hvm_result set_cr0(struct vcpu *v, uint64_t value)
{
    struct hvm_vcpu *h = v->hvm;
    uint64_t old = h->cr[0];

    if (value >> 32)
        return gp_fault(v);
    value = (value & CR0_DEFINED) | CR0_ET;
    if ((value & (CR0_PE | CR0_PG)) == CR0_PG || (value & (CR0_CD | CR0_NW)) == CR0_NW)
        return gp_fault(v);
    if (!cr0_paging_switch(v, value))
        return gp_fault(v);
    if (((old ^ value) & (CR0_PG | CR0_CD | CR0_NW)) && !load_pdptes(v, value, h->cr[3], h->cr[4]))
        return gp_fault(v);
    h->cr[0] = value;
    hvm_backend->update_cr(v, 0);
    if ((old ^ value) & (CR0_PG | CR0_WP | CR0_PE))
        hvm_backend->flush_guest_tlb(v);
    return HVM_OKAY;
}

static enum hvm_result set_cr3(struct vcpu *v, uint64_t value)
{
    struct hvm_vcpu *h = v->hvm;

    if (h->cr[4] & CR4_PCIDE)
        value &= ~BIT(63);
    if (hvm_long_mode_active(v) && value >> cpu_features.paddr_bits)
        return gp_fault(v);
    if (!hvm_long_mode_active(v))
        value = (uint32_t)value;
    if (!load_pdptes(v, h->cr[0], value, h->cr[4]))
        return gp_fault(v);
    h->cr[3] = value;
    hvm_backend->update_cr(v, 3);
    hvm_backend->flush_guest_tlb(v);
    return HVM_OKAY;
}

/* The CR4 bits that the domain's CPUID shows. */
uint64_t hvm_cr4_allowed(const struct domain *d)
{
    uint64_t cr4 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR |
                   CR4_OSXMMEXCPT;
    uint32_t l1[4], l7[4];

    policy_leaf(d, 1, 0, l1);
    policy_leaf(d, 7, 0, l7);
    cr4 |= l1[2] & BIT(17) ? CR4_PCIDE : 0;
    cr4 |= l1[2] & BIT(26) ? CR4_OSXSAVE : 0;
    cr4 |= l7[1] & BIT(0) ? CR4_FSGSBASE : 0;
    cr4 |= l7[1] & BIT(7) ? CR4_SMEP : 0;
    cr4 |= l7[1] & BIT(20) ? CR4_SMAP : 0;
    cr4 |= l7[2] & BIT(2) ? CR4_UMIP : 0;
    return cr4;
}

static enum hvm_result set_cr4(struct vcpu *v, uint64_t value)
{
    struct hvm_vcpu *h = v->hvm;
    uint64_t old = h->cr[4];

    if (value & ~hvm_cr4_allowed(v->domain))
        return gp_fault(v);
    if (hvm_long_mode_active(v) && !(value & CR4_PAE))
        return gp_fault(v);
    if ((value & ~old & CR4_PCIDE) && (!hvm_long_mode_active(v) || (h->cr[3] & 0xfff)))
        return gp_fault(v);
    if (((old ^ value) & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) && !load_pdptes(v, h->cr[0], h->cr[3], value))
        return gp_fault(v);
    h->cr[4] = value;
    hvm_backend->update_cr(v, 4);
    if ((old ^ value) & (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP))
        hvm_backend->flush_guest_tlb(v);
    return HVM_OKAY;
}

enum hvm_result hvm_set_cr(struct vcpu *v, unsigned cr, uint64_t value)
{
    switch (cr) {
    case 0: return set_cr0(v, value);
    case 2:
        v->hvm->cr[2] = value;
        hvm_backend->update_cr(v, 2);
        return HVM_OKAY;
    case 3: return set_cr3(v, value);
    case 4: return set_cr4(v, value);
    case 8:
        if (value & ~0xfUL)
            return gp_fault(v);
        vlapic_set_tpr(v, (uint8_t)(value << 4));
        return HVM_OKAY;
    default: hvm_inject_exception(v, X86_TRAP_UD, -1, 0); return HVM_FAULT;
    }
}

uint64_t hvm_get_cr(struct vcpu *v, unsigned cr)
{
    if (cr == 8)
        return vlapic_get_tpr(v) >> 4;
    return cr <= 4 ? v->hvm->cr[cr] : 0;
}

uint64_t hvm_efer_allowed(const struct domain *d)
{
    uint32_t r[4];

    policy_leaf(d, 0x80000001, 0, r);
    return EFER_SCE | EFER_LMA | (r[3] & BIT(29) ? EFER_LME : 0) | (r[3] & BIT(20) ? EFER_NXE : 0) |
           (r[3] & BIT(25) ? EFER_FFXSE : 0);
}

enum hvm_result hvm_set_efer(struct vcpu *v, uint64_t value)
{
    struct hvm_vcpu *h = v->hvm;

    if (value & ~hvm_efer_allowed(v->domain))
        return gp_fault(v);
    if (((value ^ h->efer) & EFER_LME) && hvm_paging_enabled(v))
        return gp_fault(v);
    value = (value & ~(uint64_t)EFER_LMA) | (h->efer & EFER_LMA);
    if ((value ^ h->efer) & EFER_NXE)
        hvm_backend->flush_guest_tlb(v);
    h->efer = value;
    hvm_backend->update_efer(v);
    return HVM_OKAY;
}
