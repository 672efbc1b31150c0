/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC in hardware: accesses to it that need no exit, and interrupts
 * that the CPU takes from the vlapic's page by itself.  Intel SDM 3C, chapter
 * 30 "APIC Virtualization and Virtual Interrupts".
 */
#include "../vmm/cpu/irq.h"
#include "../vmm/cpu/regs.h"
#include "vmx.h"

#define X2APIC_MSR(reg) (0x800U + ((reg) >> 4))
#define REG_TPR 0x080U
#define REG_EOI 0x0b0U
#define REG_SELF_IPI 0x3f0U

/*
 * Registers that RDMSR gives as they stand in the page: 30.5. ICR is not among them (its upper half stands elsewhere), nor the
 * timer's count, nor what cannot be read.
 */
static bool read_from_page(unsigned reg)
{
    switch (reg) {
    case 0x020 ... 0x030: /* ID, version */
    case REG_TPR:
    case 0x0a0:           /* PPR */
    case 0x0d0:           /* LDR */
    case 0x0f0:           /* SVR */
    case 0x100 ... 0x280: /* ISR, TMR, IRR, ESR */
    case 0x2f0:           /* CMCI */
    case 0x320 ... 0x380: /* LVT, initial count */
    case 0x3e0: return true;
    default: return false;
    }
}

static void intercept_x2apic(struct vcpu *v, bool all)
{
    for (unsigned reg = 0; reg < PAGE_SIZE; reg += 0x10) {
        bool write = reg != REG_TPR && reg != REG_EOI && reg != REG_SELF_IPI;

        vmx_intercept_msr(v, X2APIC_MSR(reg), all || !read_from_page(reg), all || write);
    }
}

/* Translations that were cached in one mode do not hold in the other: 29.4.4. */
void vmx_set_apic_mode(struct vcpu *v, enum hvm_apic_mode mode)
{
    uint64_t proc2 = vmx_read(v, PROC_BASED_CONTROLS2) & ~(uint64_t)(PROC2_APIC_ACCESSES | PROC2_X2APIC);

    if (mode == APIC_MODE_XAPIC)
        proc2 |= PROC2_APIC_ACCESSES;
    else if (mode == APIC_MODE_X2APIC)
        proc2 |= PROC2_X2APIC;
    vmx_write(v, PROC_BASED_CONTROLS2, proc2);
    intercept_x2apic(v, mode != APIC_MODE_X2APIC);
    vmx_flush_guest_tlb(v);
    vmx_flush_nested(v->domain);
}

/* RVI and SVI are the CPU's to move on while the guest runs: 30.1.1, 30.2. v is current. */
void vmx_set_virtual_interrupts(struct vcpu *v, uint8_t irr, uint8_t isr)
{
    uint16_t status = (uint16_t)(isr << 8 | irr);

    if (vmread(GUEST_INTERRUPT_STATUS) != status)
        vmwrite(GUEST_INTERRUPT_STATUS, status);
}

void vmx_set_eoi_exits(struct vcpu *v, const uint64_t vectors[4])
{
    unsigned long flags = vmx_vmcs_enter(v);

    for (unsigned i = 0; i < 4; i++)
        vmwrite(EOI_EXIT_BITMAP0 + 2 * i, vectors[i]);
    vmx_vmcs_exit(v, flags);
}

/* The VMCS is loaded; the core chooses the mode before the guest runs. */
void vmx_init_apicv(struct vcpu *v)
{
    if (!vmx_caps.apicv)
        return;
    vmwrite(APIC_ACCESS_ADDR, hvm_apic_access_page(v->domain));
    vmwrite(GUEST_INTERRUPT_STATUS, 0);
    for (unsigned i = 0; i < 4; i++)
        vmwrite(EOI_EXIT_BITMAP0 + 2 * i, 0);
    if (vmx_caps.pin & PIN_POSTED_INTERRUPTS) {
        vmwrite(POSTED_INTERRUPT_VECTOR, VECTOR_POSTED_INTR);
        vmwrite(POSTED_INTERRUPT_ADDR, hvm_posted_interrupts(v));
    }
}
