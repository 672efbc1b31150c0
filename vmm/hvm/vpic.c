/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's two 8259A interrupt controllers.  Guarded by struct hvm_irq.lock.
 * Intel 8259A data sheet; edge/level control registers as in the PIIX.
 */
#include "vlapic.h"

#define ELCR_MASTER 0x4d0
#define ELCR_WRITABLE_MASTER 0xf8
#define ELCR_WRITABLE_SLAVE 0xde

static struct hvm_hw_vpic *vpic_at(struct domain *d, unsigned slave) { return &d->hvm->vpic[slave].hw; }

/* Rotates so that the line of highest priority is bit 0; gives the place of the lowest set bit, 8 if none. */
static unsigned vpic_priority(const struct hvm_hw_vpic *p, uint8_t mask)
{
    unsigned shift = p->priority_add & 7;
    uint8_t rotated = (uint8_t)(mask >> shift | mask << (8 - shift));

    return rotated ? ffs64(rotated) : 8;
}

/* The line that the controller asks to be served, or -1. */
static int vpic_requested(const struct hvm_hw_vpic *p)
{
    unsigned request = vpic_priority(p, p->irr & ~p->imr);
    uint8_t in_service = p->isr;

    if (request == 8)
        return -1;
    /* A master in special fully nested mode lets its slave interrupt itself. */
    if (p->special_fully_nested_mode && p->is_master)
        in_service &= ~BIT(ISA_IRQ_CASCADE);
    if (p->special_mask_mode)
        in_service &= ~p->imr;
    if (request >= vpic_priority(p, in_service))
        return -1;
    return (int)((request + p->priority_add) & 7);
}

/* Recomputes the outputs: the slave's is the master's line 2. */
static void vpic_update(struct domain *d)
{
    struct hvm_hw_vpic *master = vpic_at(d, 0), *slave = vpic_at(d, 1);
    bool was = master->int_output;

    slave->int_output = vpic_requested(slave) >= 0;
    if (slave->int_output)
        master->irr |= BIT(ISA_IRQ_CASCADE);
    else
        master->irr &= ~BIT(ISA_IRQ_CASCADE);
    master->int_output = vpic_requested(master) >= 0;
    if (master->int_output && !was && d->vcpu[0])
        vcpu_kick(d->vcpu[0]);
}

void vpic_line_rises(struct domain *d, unsigned irq)
{
    if (!d->hvm->vpic || irq == ISA_IRQ_CASCADE)
        return;
    vpic_at(d, irq >> 3)->irr |= BIT(irq & 7);
    vpic_update(d);
}

/* A level-triggered line withdraws its request; an edge stays latched until the line itself falls, as the 8259A has it. */
void vpic_line_falls(struct domain *d, unsigned irq)
{
    struct hvm_hw_vpic *p;

    if (!d->hvm->vpic || irq == ISA_IRQ_CASCADE)
        return;
    p = vpic_at(d, irq >> 3);
    if (p->elcr & BIT(irq & 7)) {
        p->irr &= ~BIT(irq & 7);
        vpic_update(d);
    }
}

bool vpic_output(struct domain *d) { return READ_ONCE(d->hvm->vpic[0].hw.int_output); }

static void vpic_serve(struct hvm_hw_vpic *p, unsigned line)
{
    if (!(p->elcr & BIT(line)))
        p->irr &= ~BIT(line);
    if (!p->auto_eoi)
        p->isr |= BIT(line);
    else if (p->rotate_on_auto_eoi)
        p->priority_add = (line + 1) & 7;
}

/* One INTA cycle of both; a request that went away gives the spurious line 7. */
int vpic_acknowledge(struct domain *d)
{
    struct hvm_hw_vpic *master, *slave;
    unsigned long flags;
    int line, vector = -1;

    if (!d->hvm->vpic)
        return -1;
    master = vpic_at(d, 0);
    slave = vpic_at(d, 1);
    flags = spin_lock_irqsave(&d->hvm->irq->lock);
    line = vpic_requested(master);
    if (line >= 0) {
        vpic_serve(master, (unsigned)line);
        vector = master->irq_base + line;
        if (line == ISA_IRQ_CASCADE) {
            line = vpic_requested(slave);
            if (line >= 0)
                vpic_serve(slave, (unsigned)line);
            vector = slave->irq_base + (line >= 0 ? line : 7);
        }
    }
    vpic_update(d);
    spin_unlock_irqrestore(&d->hvm->irq->lock, flags);
    return vector;
}

static void vpic_write_icw1(struct hvm_hw_vpic *p, uint8_t value)
{
    bool is_master = p->is_master;
    uint8_t elcr = p->elcr, base = p->irq_base;

    memset(p, 0, sizeof(*p));
    p->is_master = is_master;
    p->elcr = elcr;
    p->irq_base = base;
    p->init_state = (value & 1) << 2 | (value & 2) << 2 | 1; /* wants ICW2 next */
}

/* Operation command word 2: end of interrupt and priority rotation. */
static void vpic_write_ocw2(struct hvm_hw_vpic *p, uint8_t value)
{
    unsigned command = value >> 5, line = value & 7, place;

    switch (command) {
    case 0: p->rotate_on_auto_eoi = 0; break;
    case 4: p->rotate_on_auto_eoi = 1; break;
    case 1: /* non-specific EOI, without and with rotation */
    case 5:
        place = vpic_priority(p, p->special_mask_mode ? p->isr & ~p->imr : p->isr);
        if (place == 8)
            break;
        line = (place + p->priority_add) & 7;
        p->isr &= ~BIT(line);
        if (command == 5)
            p->priority_add = (line + 1) & 7;
        break;
    case 3: /* specific EOI */
    case 7:
        p->isr &= ~BIT(line);
        if (command == 7)
            p->priority_add = (line + 1) & 7;
        break;
    case 6: p->priority_add = (line + 1) & 7; break;
    default: break;
    }
}

static void vpic_write_command(struct hvm_hw_vpic *p, uint8_t value)
{
    if (value & 0x10) {
        vpic_write_icw1(p, value);
    } else if (value & 0x08) { /* OCW3 */
        if (value & 0x40)
            p->special_mask_mode = (value >> 5) & 1;
        if (value & 0x02)
            p->readsel_isr = value & 1;
        p->poll = (value >> 2) & 1;
    } else {
        vpic_write_ocw2(p, value);
    }
}

static void vpic_write_data(struct hvm_hw_vpic *p, uint8_t value)
{
    bool single = p->init_state & 8, wants_icw4 = p->init_state & 4;

    switch (p->init_state & 3) {
    case 0: p->imr = value; return;
    case 1:
        p->irq_base = value & 0xf8;
        p->init_state = single ? (wants_icw4 ? p->init_state | 3 : 0) : (p->init_state & ~3) | 2;
        return;
    case 2: p->init_state = wants_icw4 ? p->init_state | 3 : 0; return;
    default:
        p->special_fully_nested_mode = (value >> 4) & 1;
        p->auto_eoi = (value >> 1) & 1;
        p->init_state = 0;
        return;
    }
}

static uint8_t vpic_read_reg(struct domain *d, struct hvm_hw_vpic *p, bool data)
{
    int line;

    if (p->poll) {
        p->poll = 0;
        line = vpic_requested(p);
        if (line < 0)
            return 0;
        vpic_serve(p, (unsigned)line);
        return 0x80 | (uint8_t)line;
    }
    if (data)
        return p->imr;
    return p->readsel_isr ? p->isr : p->irr;
}

static enum hvm_result vpic_pio(struct vcpu *v, bool write, uint16_t port, unsigned bytes, uint32_t *value)
{
    struct domain *d = v->domain;
    struct hvm_hw_vpic *p = vpic_at(d, port >> 7);
    unsigned long flags;

    if (bytes != 1)
        return HVM_UNHANDLEABLE;
    flags = spin_lock_irqsave(&d->hvm->irq->lock);
    if (!write)
        *value = vpic_read_reg(d, p, port & 1);
    else if (port & 1)
        vpic_write_data(p, (uint8_t)*value);
    else
        vpic_write_command(p, (uint8_t)*value);
    vpic_update(d);
    spin_unlock_irqrestore(&d->hvm->irq->lock, flags);
    return HVM_OKAY;
}

static enum hvm_result vpic_elcr_pio(struct vcpu *v, bool write, uint16_t port, unsigned bytes, uint32_t *value)
{
    struct hvm_hw_vpic *p = vpic_at(v->domain, port & 1);

    if (bytes != 1)
        return HVM_UNHANDLEABLE;
    if (write)
        p->elcr = *value & (port == ELCR_MASTER ? ELCR_WRITABLE_MASTER : ELCR_WRITABLE_SLAVE);
    else
        *value = p->elcr;
    return HVM_OKAY;
}

void vpic_reset(struct domain *d)
{
    memset(d->hvm->vpic, 0, 2 * sizeof(*d->hvm->vpic));
    vpic_at(d, 0)->is_master = 1;
    vpic_at(d, 0)->elcr = 0;
}

int vpic_init(struct domain *d)
{
    int rc;

    d->hvm->vpic = xzalloc_array(struct vpic, 2);
    if (!d->hvm->vpic)
        return -ENOMEM;
    vpic_reset(d);
    rc = hvm_register_pio(d, 0x20, 2, vpic_pio);
    if (!rc)
        rc = hvm_register_pio(d, 0xa0, 2, vpic_pio);
    if (!rc)
        rc = hvm_register_pio(d, ELCR_MASTER, 2, vpic_elcr_pio);
    return rc;
}

static int vpic_save(struct vcpu *v, struct hvm_save_buf *b)
{
    int rc = 0;

    for (unsigned i = 0; v->domain->hvm->vpic && i < 2 && !rc; i++)
        rc = hvm_save_put(b, HVM_SAVE_CODE(PIC), i, vpic_at(v->domain, i), sizeof(struct hvm_hw_vpic));
    return rc;
}

static int vpic_load(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    const struct hvm_hw_vpic *in = body;

    if (!d->hvm->vpic)
        return -ENODEV;
    if (instance >= 2 || in->priority_add > 7)
        return -EINVAL;
    *vpic_at(d, instance) = *in;
    vpic_at(d, instance)->is_master = instance == 0;
    return 0;
}

static HVM_SAVE_RECORD(record_pic) = {HVM_SAVE_CODE(PIC), false, sizeof(struct hvm_hw_vpic), vpic_save, vpic_load};
