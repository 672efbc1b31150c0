/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's IOAPIC: 48 pins.  Guarded by struct hvm_irq.lock.  Intel 82093AA
 * data sheet; Intel SDM 3A, 11.
 */
#include "vlapic.h"

#define IOAPIC_BASE 0xfec00000U
#define IOAPIC_VERSION (0x11U | (VIOAPIC_NUM_PINS - 1) << 16)
#define IOREGSEL 0x00
#define IOWIN 0x10
#define RTE_READ_ONLY (BIT(12) | BIT(14)) /* delivery status, remote IRR */

static struct hvm_hw_vioapic *vioapic_of(struct domain *d) { return &d->hvm->vioapic->hw; }

/*
 * Remote IRR was clear and the pin is not masked: send it. Start-up and remote-read messages are no pin's to send
 * (82093AA data sheet, 3.2.4); the former would be waited for, which the lock forbids.
 */
static void vioapic_send(struct domain *d, unsigned pin)
{
    union vioapic_redir_entry *e = &vioapic_of(d)->redirtbl[pin];

    if (e->fields.delivery_mode == APIC_STARTUP || e->fields.delivery_mode == APIC_REMOTE_READ)
        return;
    if (e->fields.trig_mode)
        e->fields.remote_irr = 1;
    vlapic_deliver(d, e->fields.dest_id, e->fields.dest_mode, e->fields.delivery_mode, e->fields.vector,
                   e->fields.trig_mode);
}

void vioapic_pin_rises(struct domain *d, unsigned pin)
{
    union vioapic_redir_entry *e;

    if (!d->hvm->vioapic)
        return;
    e = &vioapic_of(d)->redirtbl[pin];
    if (e->fields.mask || (e->fields.trig_mode && e->fields.remote_irr) || e->fields.delivery_mode == APIC_EXTINT)
        return;
    vioapic_send(d, pin);
}

/* An EOI for a level-triggered vector: a line that is still held interrupts again. */
void vioapic_eoi(struct domain *d, uint8_t vector)
{
    struct hvm_irq *irq = d->hvm->irq;
    unsigned long flags;

    if (!d->hvm->vioapic)
        return;
    flags = spin_lock_irqsave(&irq->lock);
    for (unsigned pin = 0; pin < VIOAPIC_NUM_PINS; pin++) {
        union vioapic_redir_entry *e = &vioapic_of(d)->redirtbl[pin];

        if (e->fields.vector != vector || !e->fields.trig_mode || !e->fields.remote_irr)
            continue;
        e->fields.remote_irr = 0;
        if (!e->fields.mask && irq->gsi_count[pin])
            vioapic_send(d, pin);
    }
    spin_unlock_irqrestore(&irq->lock, flags);
}

static void vioapic_write_entry(struct domain *d, unsigned pin, bool high, uint32_t value)
{
    union vioapic_redir_entry *e = &vioapic_of(d)->redirtbl[pin];
    uint64_t bits = e->bits;

    if (high)
        bits = (uint32_t)bits | (uint64_t)value << 32;
    else
        bits = (bits & ~0xffffffffUL) | (value & ~RTE_READ_ONLY & 0x1ffff) | (bits & RTE_READ_ONLY);
    e->bits = bits;
    if (!e->fields.trig_mode)
        e->fields.remote_irr = 0;
    if (!high && !e->fields.mask && e->fields.trig_mode && !e->fields.remote_irr && d->hvm->irq->gsi_count[pin])
        vioapic_send(d, pin);
}

static void vioapic_write_window(struct domain *d, uint32_t value)
{
    struct hvm_hw_vioapic *hw = vioapic_of(d);

    if (hw->ioregsel == 0)
        hw->id = (value >> 24) & 0xf;
    else if (hw->ioregsel >= 0x10 && hw->ioregsel < 0x10 + 2 * VIOAPIC_NUM_PINS)
        vioapic_write_entry(d, (hw->ioregsel - 0x10) / 2, hw->ioregsel & 1, value);
}

static uint32_t vioapic_read_window(const struct hvm_hw_vioapic *hw)
{
    unsigned reg = hw->ioregsel;

    if (reg == 0 || reg == 2)
        return hw->id << 24;
    if (reg == 1)
        return IOAPIC_VERSION;
    if (reg >= 0x10 && reg < 0x10 + 2 * VIOAPIC_NUM_PINS)
        return (uint32_t)(hw->redirtbl[(reg - 0x10) / 2].bits >> (reg & 1 ? 32 : 0));
    return 0xffffffff;
}

static bool vioapic_claims(struct vcpu *v, gpa_t gpa)
{
    uint64_t base = vioapic_of(v->domain)->base_address;

    return gpa.v >= base && gpa.v < base + 0x100;
}

static enum hvm_result vioapic_read(struct vcpu *v, gpa_t gpa, unsigned bytes, uint64_t *value)
{
    struct hvm_hw_vioapic *hw = vioapic_of(v->domain);
    unsigned long flags = spin_lock_irqsave(&v->domain->hvm->irq->lock);

    switch (gpa.v & 0xff) {
    case IOREGSEL: *value = hw->ioregsel; break;
    case IOWIN: *value = vioapic_read_window(hw); break;
    default: *value = 0; break;
    }
    spin_unlock_irqrestore(&v->domain->hvm->irq->lock, flags);
    return HVM_OKAY;
}

static enum hvm_result vioapic_write(struct vcpu *v, gpa_t gpa, unsigned bytes, uint64_t value)
{
    struct hvm_hw_vioapic *hw = vioapic_of(v->domain);
    unsigned long flags = spin_lock_irqsave(&v->domain->hvm->irq->lock);

    switch (gpa.v & 0xff) {
    case IOREGSEL: hw->ioregsel = value & 0xff; break;
    case IOWIN: vioapic_write_window(v->domain, (uint32_t)value); break;
    default: break;
    }
    spin_unlock_irqrestore(&v->domain->hvm->irq->lock, flags);
    return HVM_OKAY;
}

static const struct mmio_ops vioapic_mmio_ops = {vioapic_claims, vioapic_read, vioapic_write};

void vioapic_reset(struct domain *d)
{
    struct hvm_hw_vioapic *hw = vioapic_of(d);

    memset(hw, 0, sizeof(*hw));
    hw->base_address = IOAPIC_BASE;
    for (unsigned i = 0; i < VIOAPIC_NUM_PINS; i++)
        hw->redirtbl[i].fields.mask = 1;
}

int vioapic_init(struct domain *d)
{
    d->hvm->vioapic = xzalloc(struct vioapic);
    if (!d->hvm->vioapic)
        return -ENOMEM;
    vioapic_reset(d);
    return hvm_register_mmio(d, &vioapic_mmio_ops);
}

static int vioapic_save(struct vcpu *v, struct hvm_save_buf *b)
{
    if (!v->domain->hvm->vioapic)
        return 0;
    return hvm_save_put(b, HVM_SAVE_CODE(IOAPIC), 0, vioapic_of(v->domain), sizeof(struct hvm_hw_vioapic));
}

static int vioapic_load(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    const struct hvm_hw_vioapic *in = body;

    if (!d->hvm->vioapic)
        return -ENODEV;
    if (in->base_address != IOAPIC_BASE || in->ioregsel > 0xff)
        return -EINVAL;
    *vioapic_of(d) = *in;
    return 0;
}

static HVM_SAVE_RECORD(record_ioapic) = {HVM_SAVE_CODE(IOAPIC), false, sizeof(struct hvm_hw_vioapic), vioapic_save,
                                         vioapic_load};
