/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to local APICs: who is meant, and what each kind does.  Intel SDM
 * 3A, 11.6 "Issuing Interprocessor Interrupts", 11.12.10 (x2APIC).
 */
#include "vlapic.h"

#define ICR_LOGICAL BIT(11)
#define ICR_LEVEL_ASSERT BIT(14)
#define ICR_TRIGGER_LEVEL BIT(15)

/* SDM 3A, 11.6.2.2 "Logical Destination Mode" */
static bool vlapic_matches_logical(const struct vlapic *l, uint32_t dest)
{
    uint32_t ldr = vlapic_reg(l, APIC_LDR);

    if (vlapic_x2apic(l)) {
        if (dest == 0xffffffff)
            return true;
        return (dest >> 16) == (ldr >> 16) && (dest & ldr & 0xffff);
    }
    ldr >>= 24;
    dest &= 0xff;
    if (vlapic_reg(l, APIC_DFR) >> 28 == 0xf)
        return dest & ldr;
    return (dest >> 4) == (ldr >> 4) && (dest & ldr & 0xf);
}

bool vlapic_matches(struct vcpu *v, uint32_t dest, bool logical)
{
    const struct vlapic *l = v->hvm->vlapic;

    if (!vlapic_hw_enabled(l))
        return false;
    if (logical)
        return vlapic_matches_logical(l, dest);
    return dest == vlapic_id(v) || dest == 0xffffffff;
}

static void vlapic_accept(struct vcpu *v, enum apic_mode mode, uint8_t vector, bool level)
{
    switch (mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        if (vlapic_enabled(v->hvm->vlapic))
            vlapic_set_irq(v, vector, level);
        break;
    case APIC_NMI:
        __atomic_store_n(&v->nmi_is_pending, true, __ATOMIC_SEQ_CST);
        vcpu_kick(v);
        break;
    case APIC_INIT: hvm_vcpu_init_ipi(v); break;
    case APIC_STARTUP: hvm_vcpu_startup_ipi(v, vector); break;
    default: break; /* SMI, remote read: guests have none. ExtINT: the PIC is looked at directly. */
    }
}

/* Lowest priority: round robin among those that are addressed and enabled. */
static void vlapic_deliver_lowest(struct domain *d, uint32_t dest, bool logical, uint8_t vector, bool level)
{
    struct hvm_irq *irq = d->hvm->irq;

    for (unsigned i = 0; i < d->max_vcpus; i++) {
        unsigned id = (irq->lowest_prio_next + i) % d->max_vcpus;
        struct vcpu *v = d->vcpu[id];

        if (!v || !vlapic_enabled(v->hvm->vlapic) || !vlapic_matches(v, dest, logical))
            continue;
        irq->lowest_prio_next = id + 1;
        vlapic_set_irq(v, vector, level);
        return;
    }
}

void vlapic_deliver(struct domain *d, uint32_t dest, bool logical, enum apic_mode mode, uint8_t vector, bool level)
{
    struct vcpu *v;

    if (!logical && dest == 0xff)
        dest = 0xffffffff;
    if (mode == APIC_LOWEST) {
        vlapic_deliver_lowest(d, dest, logical, vector, level);
        return;
    }
    for_each_vcpu(d, v)
        if (vlapic_matches(v, dest, logical))
            vlapic_accept(v, mode, vector, level);
}

void vlapic_send_ipi(struct vlapic *l, uint32_t icr, uint32_t dest)
{
    struct domain *d = l->v->domain;
    enum apic_mode mode = (icr >> 8) & 7;
    unsigned shorthand = (icr >> 18) & 3;
    uint8_t vector = icr & 0xff;
    struct vcpu *v;

    if ((mode == APIC_FIXED || mode == APIC_LOWEST) && vector < 16) {
        vlapic_error(l, ESR_SEND_ILLEGAL);
        return;
    }
    if (mode == APIC_INIT && (icr & ICR_TRIGGER_LEVEL) && !(icr & ICR_LEVEL_ASSERT))
        return; /* INIT level de-assert: ignored since the Pentium 4 */
    if (shorthand == 0) {
        if (!vlapic_x2apic(l) && !(icr & ICR_LOGICAL) && dest == 0xff)
            dest = 0xffffffff;
        if (mode == APIC_LOWEST) {
            vlapic_deliver_lowest(d, dest, icr & ICR_LOGICAL, vector, false);
            return;
        }
    }
    for_each_vcpu(d, v) {
        bool self = v == l->v;
        bool hit = shorthand == 0   ? vlapic_matches(v, dest, icr & ICR_LOGICAL)
                   : shorthand == 1 ? self
                   : shorthand == 2 ? vlapic_hw_enabled(v->hvm->vlapic)
                                    : !self && vlapic_hw_enabled(v->hvm->vlapic);
        if (hit)
            vlapic_accept(v, mode, vector, false);
    }
}
