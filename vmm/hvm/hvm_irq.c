/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wires of the guest's board: ISA lines, PCI INTx lines with the four
 * links of the PIIX router, and GSIs, each counted, so that shared lines stay
 * up while anyone holds them.  Guarded by struct hvm_irq.lock.
 */
#include "../domain/evtchn.h"
#include "vlapic.h"

/* How firmware's tables (hvmloader's ACPI _PRT) spread PCI lines over the GSIs from 16 on. */
static unsigned pci_gsi(unsigned device, unsigned intx) { return ((device * 4 + device / 8 + intx) & 31) + 16; }
static unsigned pci_link(unsigned device, unsigned intx) { return (device + intx) & 3; }
static unsigned isa_gsi(unsigned isa_irq) { return isa_irq == 0 ? 2 : isa_irq; }

/* gsi and PIC line (none above 15) begin or cease to be held. */
static void line_hold(struct domain *d, unsigned gsi, unsigned pic_line)
{
    struct hvm_irq *irq = d->hvm->irq;

    if (irq->gsi_count[gsi]++ != 0)
        return;
    vioapic_pin_rises(d, gsi);
    if (pic_line < NR_ISA_IRQS)
        vpic_line_rises(d, pic_line);
}

static void line_release(struct domain *d, unsigned gsi, unsigned pic_line)
{
    struct hvm_irq *irq = d->hvm->irq;

    if (irq->gsi_count[gsi] == 0 || --irq->gsi_count[gsi] != 0)
        return;
    if (pic_line < NR_ISA_IRQS)
        vpic_line_falls(d, pic_line);
}

static void pci_wire_set(struct domain *d, unsigned device, unsigned intx, bool level)
{
    struct hvm_irq *irq = d->hvm->irq;
    unsigned wire = device * 4 + intx, link = pci_link(device, intx), isa = irq->link.route[link];

    if (test_bit(wire, irq->pci.i) == level)
        return;
    if (level) {
        __set_bit(wire, irq->pci.i);
        line_hold(d, pci_gsi(device, intx), NR_ISA_IRQS);
        if (irq->link_count[link]++ == 0 && isa)
            line_hold(d, isa, isa);
    } else {
        __clear_bit(wire, irq->pci.i);
        line_release(d, pci_gsi(device, intx), NR_ISA_IRQS);
        if (--irq->link_count[link] == 0 && isa)
            line_release(d, isa, isa);
    }
}

int hvm_pci_intx_set(struct domain *d, unsigned device, unsigned intx, bool level)
{
    unsigned long flags;

    if (device >= 32 || intx >= 4)
        return -EINVAL;
    if (!d->hvm->irq)
        return -EOPNOTSUPP;
    flags = spin_lock_irqsave(&d->hvm->irq->lock);
    pci_wire_set(d, device, intx, level);
    spin_unlock_irqrestore(&d->hvm->irq->lock, flags);
    return 0;
}

int hvm_pci_link_route(struct domain *d, unsigned link, uint8_t isa_irq)
{
    struct hvm_irq *irq = d->hvm->irq;
    unsigned long flags;
    uint8_t old;

    if (link >= 4 || isa_irq >= NR_ISA_IRQS)
        return -EINVAL;
    if (!irq)
        return -EOPNOTSUPP;
    flags = spin_lock_irqsave(&irq->lock);
    old = irq->link.route[link];
    irq->link.route[link] = isa_irq;
    if (irq->link_count[link] && old != isa_irq) {
        if (old)
            line_release(d, old, old);
        if (isa_irq)
            line_hold(d, isa_irq, isa_irq);
    }
    spin_unlock_irqrestore(&irq->lock, flags);
    return 0;
}

static void isa_wire_set(struct domain *d, unsigned isa_irq, bool level)
{
    struct hvm_irq *irq = d->hvm->irq;

    if (isa_irq >= NR_ISA_IRQS || test_bit(isa_irq, irq->isa.i) == level)
        return;
    if (level) {
        __set_bit(isa_irq, irq->isa.i);
        line_hold(d, isa_gsi(isa_irq), isa_irq);
    } else {
        __clear_bit(isa_irq, irq->isa.i);
        line_release(d, isa_gsi(isa_irq), isa_irq);
    }
}

static void isa_set(struct domain *d, unsigned isa_irq, bool level, bool pulse)
{
    unsigned long flags;

    if (!d->hvm->irq)
        return;
    flags = spin_lock_irqsave(&d->hvm->irq->lock);
    if (pulse)
        isa_wire_set(d, isa_irq, false);
    isa_wire_set(d, isa_irq, level);
    spin_unlock_irqrestore(&d->hvm->irq->lock, flags);
}

void hvm_isa_irq_assert(struct domain *d, unsigned isa_irq) { isa_set(d, isa_irq, true, false); }
void hvm_isa_irq_deassert(struct domain *d, unsigned isa_irq) { isa_set(d, isa_irq, false, false); }
void hvm_isa_irq_pulse(struct domain *d, unsigned isa_irq) { isa_set(d, isa_irq, true, true); }

void hvm_gsi_assert(struct domain *d, unsigned gsi)
{
    unsigned long flags = spin_lock_irqsave(&d->hvm->irq->lock);

    if (gsi < NR_GSIS)
        line_hold(d, gsi, gsi);
    spin_unlock_irqrestore(&d->hvm->irq->lock, flags);
}

void hvm_gsi_deassert(struct domain *d, unsigned gsi)
{
    unsigned long flags = spin_lock_irqsave(&d->hvm->irq->lock);

    if (gsi < NR_GSIS)
        line_release(d, gsi, gsi);
    spin_unlock_irqrestore(&d->hvm->irq->lock, flags);
}

/* Intel SDM 3A, 11.11 "Message Signalled Interrupts" */
int hvm_inject_msi(struct domain *d, uint64_t addr, uint32_t data)
{
    enum apic_mode mode = (data >> 8) & 7;
    uint8_t vector = data & 0xff;

    if ((addr & 0xfff00000) != 0xfee00000)
        return -EINVAL;
    if ((mode == APIC_FIXED || mode == APIC_LOWEST) && vector < 16)
        return -EINVAL;
    if (mode != APIC_FIXED && mode != APIC_LOWEST && mode != APIC_NMI)
        return -EOPNOTSUPP;
    vlapic_deliver(d, (addr >> 12) & 0xff, addr & 4, mode, vector, (data >> 15) & 1);
    return 0;
}

/* -- how event channels reach the guest: public header hvm/params.h, HVM_PARAM_CALLBACK_IRQ ------------------------ */

static void callback_line(struct domain *d, bool level)
{
    struct hvm_irq *irq = d->hvm->irq;

    if (irq->callback_asserted == level)
        return;
    irq->callback_asserted = level;
    if (irq->callback == CALLBACK_GSI && level)
        line_hold(d, irq->callback_gsi, irq->callback_gsi);
    else if (irq->callback == CALLBACK_GSI)
        line_release(d, irq->callback_gsi, irq->callback_gsi);
    else if (irq->callback == CALLBACK_PCI_INTX)
        pci_wire_set(d, irq->callback_device, irq->callback_intx, level);
}

int hvm_set_callback_via(struct domain *d, uint64_t via)
{
    struct hvm_irq *irq = d->hvm->irq;
    unsigned long flags;
    unsigned type = via >> 56;

    if (type > HVM_PARAM_CALLBACK_TYPE_VECTOR)
        return -EINVAL;
    if (type == HVM_PARAM_CALLBACK_TYPE_GSI && (via & 0xff) >= NR_GSIS)
        return -EINVAL;
    if (type == HVM_PARAM_CALLBACK_TYPE_VECTOR && (via & 0xff) < 16)
        return -EINVAL;

    flags = spin_lock_irqsave(&irq->lock);
    callback_line(d, false);
    if (type == HVM_PARAM_CALLBACK_TYPE_GSI) {
        irq->callback = (via & 0xff) ? CALLBACK_GSI : CALLBACK_NONE;
        irq->callback_gsi = via & 0xff;
    } else if (type == HVM_PARAM_CALLBACK_TYPE_PCI_INTX) {
        irq->callback = CALLBACK_PCI_INTX;
        irq->callback_device = (via >> 11) & 31;
        irq->callback_intx = via & 3;
    } else {
        irq->callback = CALLBACK_VECTOR;
        irq->callback_vector = via & 0xff;
    }
    spin_unlock_irqrestore(&irq->lock, flags);
    if (d->vcpu[0])
        hvm_update_callback(d->vcpu[0]);
    return 0;
}

bool hvm_callback_is_vector(const struct domain *d) { return d->hvm->irq->callback == CALLBACK_VECTOR; }

/* Lines follow vCPU 0's pending flag; a vector is looked at on entry; an upcall vector goes through the local APIC. */
void hvm_update_callback(struct vcpu *v)
{
    struct hvm_irq *irq = v->domain->hvm->irq;
    unsigned long flags;

    if (v->hvm->upcall_vector) {
        if (vcpu_event_pending(v))
            vlapic_set_irq(v, v->hvm->upcall_vector, false);
        return;
    }
    if (v->id != 0 || !irq || irq->callback == CALLBACK_VECTOR || irq->callback == CALLBACK_NONE)
        return;
    flags = spin_lock_irqsave(&irq->lock);
    callback_line(v->domain, vcpu_event_pending(v));
    spin_unlock_irqrestore(&irq->lock, flags);
}

/* -- what a vCPU is to be interrupted with ------------------------------------------------------------------------- */

struct hvm_intack hvm_pending_irq(struct vcpu *v)
{
    const struct hvm_irq *irq = v->domain->hvm->irq;
    int vector;

    if (READ_ONCE(v->nmi_is_pending))
        return (struct hvm_intack){INTSRC_NMI, 2};
    if (irq->callback == CALLBACK_VECTOR && !v->hvm->upcall_vector && vcpu_event_pending(v))
        return (struct hvm_intack){INTSRC_VECTOR, irq->callback_vector};
    if (v->domain->hvm->vpic && vpic_output(v->domain) && vlapic_accepts_pic(v))
        return (struct hvm_intack){INTSRC_PIC, 0};
    vector = vlapic_pending(v->hvm->vlapic);
    if (vector >= 0)
        return (struct hvm_intack){INTSRC_LAPIC, (uint8_t)vector};
    return (struct hvm_intack){INTSRC_NONE, 0};
}

bool hvm_ack_irq(struct vcpu *v, struct hvm_intack *intack)
{
    int vector;

    switch (intack->source) {
    case INTSRC_NMI: return __atomic_exchange_n(&v->nmi_is_pending, false, __ATOMIC_SEQ_CST);
    case INTSRC_VECTOR: return true;
    case INTSRC_LAPIC: vlapic_acknowledge(v->hvm->vlapic, intack->vector); return true;
    case INTSRC_PIC:
        vector = vpic_acknowledge(v->domain);
        if (vector < 0)
            return false;
        intack->vector = (uint8_t)vector;
        return true;
    default: return false;
    }
}

/* -- save records -------------------------------------------------------------------------------------------------- */

static int save_wires(struct vcpu *v, struct hvm_save_buf *b)
{
    const struct hvm_irq *irq = v->domain->hvm->irq;
    struct hvm_hw_pci_irqs pci = irq->pci;

    /* The callback line is raised anew after restore from the pending flag. */
    if (irq->callback == CALLBACK_PCI_INTX && irq->callback_asserted)
        __clear_bit(irq->callback_device * 4U + irq->callback_intx, pci.i);
    return hvm_save_put(b, HVM_SAVE_CODE(PCI_IRQ), 0, &pci, sizeof(pci));
}
static int save_isa(struct vcpu *v, struct hvm_save_buf *b)
{
    return hvm_save_put(b, HVM_SAVE_CODE(ISA_IRQ), 0, &v->domain->hvm->irq->isa, sizeof(struct hvm_hw_isa_irqs));
}
static int save_link(struct vcpu *v, struct hvm_save_buf *b)
{
    return hvm_save_put(b, HVM_SAVE_CODE(PCI_LINK), 0, &v->domain->hvm->irq->link, sizeof(struct hvm_hw_pci_link));
}

/* Counts follow from the wires; what controllers have latched comes with their own records. */
static int load_wires(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    struct hvm_irq *irq = d->hvm->irq;

    memcpy(&irq->pci, body, sizeof(irq->pci));
    for (unsigned wire = 0; wire < PCI_WIRES; wire++)
        if (test_bit(wire, irq->pci.i)) {
            irq->gsi_count[pci_gsi(wire / 4, wire % 4)]++;
            irq->link_count[pci_link(wire / 4, wire % 4)]++;
        }
    return 0;
}
static int load_isa(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    struct hvm_irq *irq = d->hvm->irq;

    memcpy(&irq->isa, body, sizeof(irq->isa));
    for (unsigned i = 0; i < NR_ISA_IRQS; i++)
        if (test_bit(i, irq->isa.i))
            irq->gsi_count[isa_gsi(i)]++;
    return 0;
}
static int load_link(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    struct hvm_irq *irq = d->hvm->irq;
    const struct hvm_hw_pci_link *link = body;

    for (unsigned i = 0; i < 4; i++)
        if (link->route[i] >= NR_ISA_IRQS)
            return -EINVAL;
    irq->link = *link;
    for (unsigned i = 0; i < 4; i++)
        if (irq->link_count[i] && link->route[i])
            irq->gsi_count[link->route[i]]++;
    return 0;
}

static HVM_SAVE_RECORD(record_pci) = {HVM_SAVE_CODE(PCI_IRQ), false, sizeof(struct hvm_hw_pci_irqs), save_wires,
                                      load_wires};
static HVM_SAVE_RECORD(record_isa) = {HVM_SAVE_CODE(ISA_IRQ), false, sizeof(struct hvm_hw_isa_irqs), save_isa,
                                      load_isa};
static HVM_SAVE_RECORD(record_link) = {HVM_SAVE_CODE(PCI_LINK), false, sizeof(struct hvm_hw_pci_link), save_link,
                                       load_link};
