/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC's registers, by memory (xAPIC) and by MSR (x2APIC).  Intel SDM
 * 3A, table 11-1 and 11.12.1.2 "x2APIC Register Address Space".
 */
#include "vlapic.h"

bool vlapic_read_reg(struct vlapic *l, unsigned reg, uint32_t *value)
{
    switch (reg) {
    case APIC_PPR: *value = vlapic_ppr(l->v); return true;
    case APIC_TMCCT: *value = vlapic_timer_count(l); return true;
    case APIC_IRR ... APIC_IRR + 0x70: vlapic_take_requests(l); fallthrough;
    case APIC_ID:
    case APIC_LVR:
    case APIC_TPR:
    case APIC_LDR:
    case APIC_SPIV:
    case APIC_ISR ... APIC_ISR + 0x70:
    case APIC_TMR ... APIC_TMR + 0x70:
    case APIC_ESR:
    case APIC_CMCI:
    case APIC_ICR:
    case APIC_ICR2:
    case APIC_LVTT ... APIC_LVTERR:
    case APIC_TMICT:
    case APIC_TDCR: *value = vlapic_reg(l, reg); return true;
    case APIC_DFR: /* not in x2APIC mode */
    case APIC_APR: *value = vlapic_reg(l, reg); return !vlapic_x2apic(l);
    default: *value = 0; return false;
    }
}

static void vlapic_write_spiv(struct vlapic *l, uint32_t value)
{
    vlapic_set_reg(l, APIC_SPIV, value & 0x3ff);
    if (value & APIC_SPIV_ENABLED) {
        l->hw.disabled &= ~VLAPIC_DISABLED_SW;
        return;
    }
    /* SDM 3A, 11.4.7.2: switched off, all LVT entries become masked. */
    l->hw.disabled |= VLAPIC_DISABLED_SW;
    for (unsigned reg = APIC_LVTT; reg <= APIC_LVTERR; reg += 0x10)
        vlapic_set_reg(l, reg, vlapic_reg(l, reg) | LVT_MASKED);
}

static void set_timer_mode(struct vlapic *l, uint32_t mode)
{
    uint32_t changed = l->timer_mode ^ mode;

    if (!changed)
        return;
    l->timer_mode = mode;
    l->hw.tdt_msr = 0;
    if (changed & LVT_TIMER_TSC_DEADLINE)
        vlapic_set_reg(l, APIC_TMICT, 0);
    vlapic_timer_start(l);
}

static void vlapic_write_lvt(struct vlapic *l, unsigned reg, uint32_t value)
{
    static const uint32_t writable[] = {
        [0] = 0x710ff /* timer */, [1] = 0x117ff /* thermal */, [2] = 0x117ff /* performance */,
        [3] = 0x1f7ff /* LINT0 */, [4] = 0x1f7ff /* LINT1 */,   [5] = 0x110ff /* error */,
    };
    value &= reg == APIC_CMCI ? 0x117ff : writable[(reg - APIC_LVTT) / 0x10];
    if (l->hw.disabled & VLAPIC_DISABLED_SW)
        value |= LVT_MASKED;
    vlapic_set_reg(l, reg, value);
    if (reg == APIC_LVTT)
        set_timer_mode(l, value & LVT_TIMER_MODE);
}

/* value: what the register may hold already, if hardware wrote it. */
bool vlapic_write_reg(struct vlapic *l, unsigned reg, uint32_t value)
{
    switch (reg) {
    case APIC_ID: /* follows from the vCPU; writes change nothing */
        if (!vlapic_x2apic(l))
            vlapic_set_reg(l, reg, vlapic_id(l->v) << 24);
        return !vlapic_x2apic(l);
    case APIC_TPR: vlapic_set_reg(l, reg, value & 0xff); return true;
    case APIC_EOI: vlapic_eoi(l); return true;
    case APIC_LDR: vlapic_set_reg(l, reg, value & 0xff000000); return !vlapic_x2apic(l);
    case APIC_DFR: vlapic_set_reg(l, reg, value | 0x0fffffff); return !vlapic_x2apic(l);
    case APIC_SPIV: vlapic_write_spiv(l, value); return true;
    case APIC_ESR: vlapic_set_reg(l, reg, __atomic_exchange_n(&l->esr_latched, 0, __ATOMIC_SEQ_CST)); return true;
    case APIC_ICR2: vlapic_set_reg(l, reg, value & 0xff000000); return true;
    case APIC_ICR:
        value &= ~BIT(12); /* delivery status: idle */
        vlapic_set_reg(l, reg, value);
        vlapic_send_ipi(l, value, vlapic_reg(l, APIC_ICR2) >> 24);
        return true;
    case APIC_CMCI:
    case APIC_LVTT ... APIC_LVTERR: vlapic_write_lvt(l, reg, value); return true;
    case APIC_TMICT:
        if (l->timer_mode == LVT_TIMER_TSC_DEADLINE) {
            vlapic_set_reg(l, reg, 0);
            return true;
        }
        vlapic_set_reg(l, reg, value);
        vlapic_timer_start(l);
        return true;
    case APIC_TDCR:
        vlapic_set_reg(l, reg, value & 0xb);
        vlapic_set_divisor(l);
        return true;
    default: return false;
    }
}

/* -- xAPIC --------------------------------------------------------------------------------------------------------- */

static bool vlapic_claims(struct vcpu *v, gpa_t gpa)
{
    uint64_t base = v->hvm->vlapic->hw.apic_base_msr;

    return (base & 0xc00) == 0x800 && (gpa.v & ~0xfffUL) == (base & ~0xfffUL);
}

/* Registers are 32 bits wide; narrower or shifted reads give the bytes asked for. */
static enum hvm_result vlapic_mmio_read(struct vcpu *v, gpa_t gpa, unsigned bytes, uint64_t *value)
{
    uint32_t reg;

    vlapic_read_reg(v->hvm->vlapic, gpa.v & 0xff0, &reg);
    *value = (gpa.v & 0xf) < 4 ? (uint64_t)reg >> (gpa.v & 3) * 8 : 0;
    return HVM_OKAY;
}

static enum hvm_result vlapic_mmio_write(struct vcpu *v, gpa_t gpa, unsigned bytes, uint64_t value)
{
    /* SDM 3A, 11.4.1: only aligned 32-bit writes have a defined effect. */
    if ((gpa.v & 0xf) == 0 && bytes >= 4 && !vlapic_write_reg(v->hvm->vlapic, gpa.v & 0xff0, (uint32_t)value))
        vlapic_error(v->hvm->vlapic, ESR_REGISTER);
    return HVM_OKAY;
}

/* The page has the value; a self-IPI comes here if its vector is too low: SDM 3C, 30.1.5. */
void vlapic_written(struct vcpu *v, unsigned reg)
{
    struct vlapic *l = v->hvm->vlapic;
    uint32_t value;

    reg &= 0xff0;
    value = vlapic_reg(l, reg);
    if (reg == APIC_SELF_IPI)
        vlapic_set_irq(v, value & 0xff, false);
    else if (!vlapic_write_reg(l, reg, value))
        vlapic_error(l, ESR_REGISTER);
}

const struct mmio_ops vlapic_mmio_ops = {vlapic_claims, vlapic_mmio_read, vlapic_mmio_write};

/* -- x2APIC: HVM_UNHANDLEABLE means #GP ---------------------------------------------------------------------------- */

enum hvm_result vlapic_x2apic_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    struct vlapic *l = v->hvm->vlapic;
    unsigned reg = (msr - 0x800) << 4;
    uint32_t low;

    if (!vlapic_x2apic(l) || reg == APIC_ICR2 || reg == APIC_EOI || reg == APIC_SELF_IPI ||
        !vlapic_read_reg(l, reg, &low))
        return HVM_UNHANDLEABLE;
    *value = low;
    if (reg == APIC_ICR)
        *value |= (uint64_t)vlapic_reg(l, APIC_ICR2) << 32;
    return HVM_OKAY;
}

enum hvm_result vlapic_x2apic_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    struct vlapic *l = v->hvm->vlapic;
    unsigned reg = (msr - 0x800) << 4;

    if (!vlapic_x2apic(l) || (reg != APIC_ICR && value >> 32))
        return HVM_UNHANDLEABLE;
    switch (reg) {
    case APIC_ICR:
        vlapic_set_reg(l, APIC_ICR2, value >> 32);
        vlapic_set_reg(l, APIC_ICR, (uint32_t)value & ~BIT(12));
        vlapic_send_ipi(l, (uint32_t)value, value >> 32);
        return HVM_OKAY;
    case APIC_SELF_IPI:
        if (value & ~0xffUL)
            return HVM_UNHANDLEABLE;
        vlapic_set_irq(v, (uint8_t)value, false);
        return HVM_OKAY;
    case APIC_EOI:
    case APIC_ESR:
        if (value)
            return HVM_UNHANDLEABLE;
        fallthrough;
    default: return reg != APIC_ICR2 && vlapic_write_reg(l, reg, (uint32_t)value) ? HVM_OKAY : HVM_UNHANDLEABLE;
    }
}
