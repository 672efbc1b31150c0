/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IOAPICs: pins are GSIs, in the order of the MADT's bases.  ioapic_lock
 * guards the pairs of index and data registers and the copies of what they hold.  Intel 82093AA.
 */
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../mm/pgtable.h"
#include "acpi.h"
#include "cpu.h"
#include "irq_priv.h"

#define IOAPIC_INDEX 0
#define IOAPIC_DATA 4
#define IOAPIC_REG_ID 0
#define IOAPIC_REG_VERSION 1
#define IOAPIC_REG_RTE 0x10
#define RTE_ACTIVE_LOW 0x2000
#define RTE_LEVEL 0x8000
#define RTE_MASKED 0x10000

struct ioapic {
    volatile uint32_t *regs;
    paddr_t base;
    unsigned gsi_base, pins;
};

static struct ioapic ioapics[ARRAY_SIZE(acpi_info.ioapic)];
static unsigned nr_ioapics;
static DEFINE_SPINLOCK(ioapic_lock);
static uint32_t rte_low[NR_IRQS];
unsigned nr_irqs_gsi = 16;

static uint32_t reg_read(const struct ioapic *io, unsigned reg)
{
    io->regs[IOAPIC_INDEX] = reg;
    return io->regs[IOAPIC_DATA];
}

static void reg_write(const struct ioapic *io, unsigned reg, uint32_t value)
{
    io->regs[IOAPIC_INDEX] = reg;
    io->regs[IOAPIC_DATA] = value;
}

static const struct ioapic *ioapic_of(int gsi)
{
    for (unsigned i = 0; i < nr_ioapics; i++) {
        if ((unsigned)gsi >= ioapics[i].gsi_base && (unsigned)gsi < ioapics[i].gsi_base + ioapics[i].pins)
            return &ioapics[i];
    }
    return NULL;
}

/* Changes the low half of a pin's entry; with ioapic_lock. */
static void rte_update(int gsi, uint32_t clear, uint32_t set)
{
    const struct ioapic *io = ioapic_of(gsi);

    rte_low[gsi] = (rte_low[gsi] & ~clear) | set;
    reg_write(io, IOAPIC_REG_RTE + 2 * ((unsigned)gsi - io->gsi_base), rte_low[gsi]);
}

static void ioapic_mask(int irq, bool mask)
{
    unsigned long flags = spin_lock_irqsave(&ioapic_lock);

    rte_update(irq, RTE_MASKED, mask ? RTE_MASKED : 0);
    spin_unlock_irqrestore(&ioapic_lock, flags);
}

static void ioapic_route(int irq, unsigned cpu, unsigned vector)
{
    const struct ioapic *io = ioapic_of(irq);
    const struct irq_desc *d = &irq_descs[irq];
    unsigned long flags = spin_lock_irqsave(&ioapic_lock);
    uint32_t mode = vector | (d->level ? RTE_LEVEL : 0) | (d->active_low ? RTE_ACTIVE_LOW : 0);

    reg_write(io, IOAPIC_REG_RTE + 2 * ((unsigned)irq - io->gsi_base) + 1, cpu_apicid[cpu] << 24);
    if ((rte_low[irq] & ~RTE_MASKED) != mode)
        rte_update(irq, ~RTE_MASKED, mode);
    spin_unlock_irqrestore(&ioapic_lock, flags);
}

static const struct irq_chip ioapic_chip = {.mask = ioapic_mask, .route = ioapic_route, .can_move = true};

static void ioapic_add(const struct acpi_ioapic *a)
{
    struct ioapic *io = &ioapics[nr_ioapics];

    io->regs = ioremap(a->addr, PAGE_SIZE);
    if (!io->regs)
        return;
    io->base = a->addr;
    io->gsi_base = a->gsi_base;
    io->pins = (reg_read(io, IOAPIC_REG_VERSION) >> 16 & 0xff) + 1;
    if (io->gsi_base + io->pins > NR_IRQS - 256) {
        printk(LOG_WARN "IOAPIC %u: GSIs from %u on are too many, not used\n", a->id, io->gsi_base);
        iounmap((void *)io->regs);
        return;
    }
    nr_ioapics++;
    for (unsigned i = 0; i < io->pins; i++) {
        unsigned gsi = io->gsi_base + i;
        struct irq_desc *d = &irq_descs[gsi];

        spin_lock_init(&d->lock, LOCK_UNORDERED);
        d->level = d->active_low = gsi >= 16; /* PCI; ISA below */
        d->chip = &ioapic_chip;
        rte_update((int)gsi, ~0U, RTE_MASKED);
    }
    nr_irqs_gsi = MAX(nr_irqs_gsi, io->gsi_base + io->pins);
    printk(LOG_INFO "IOAPIC %u: GSIs %u-%u\n", a->id, io->gsi_base, io->gsi_base + io->pins - 1);
}

void ioapic_init(void)
{
    for (unsigned i = 0; i < acpi_info.nr_ioapics; i++)
        ioapic_add(&acpi_info.ioapic[i]);
    for (unsigned i = 0; i < acpi_info.nr_overrides; i++) {
        const struct acpi_override *o = &acpi_info.override[i];

        if (o->gsi < nr_irqs_gsi) {
            irq_descs[o->gsi].level = o->level;
            irq_descs[o->gsi].active_low = o->active_low;
        }
    }
    if (!nr_ioapics)
        printk(LOG_WARN "No IOAPIC: devices can only interrupt by MSI\n");
}

int isa_irq_to_gsi(int isa_irq)
{
    for (unsigned i = 0; i < acpi_info.nr_overrides; i++) {
        if (acpi_info.override[i].isa_irq == isa_irq)
            return (int)acpi_info.override[i].gsi;
    }
    return isa_irq;
}

int irq_setup_gsi(int gsi, bool level, bool active_low)
{
    struct irq_desc *d;
    unsigned long flags;
    int rc = 0;

    if (gsi < 0 || (unsigned)gsi >= nr_irqs_gsi || !irq_descs[gsi].chip)
        return -EINVAL;
    d = &irq_descs[gsi];
    flags = spin_lock_irqsave(&d->lock);
    if (d->level != level || d->active_low != active_low) {
        if (d->nr_actions) {
            rc = -EBUSY;
        } else {
            d->level = level;
            d->active_low = active_low;
        }
    }
    spin_unlock_irqrestore(&d->lock, flags);
    return rc;
}

static const struct ioapic *ioapic_at(paddr_t base)
{
    for (unsigned i = 0; i < nr_ioapics; i++) {
        if (ioapics[i].base == base)
            return &ioapics[i];
    }
    return NULL;
}

int ioapic_guest_read(paddr_t base, unsigned reg, uint32_t *value)
{
    const struct ioapic *io = ioapic_at(base);
    unsigned long flags;

    if (!io || reg >= IOAPIC_REG_RTE + 2 * io->pins)
        return -EINVAL;
    flags = spin_lock_irqsave(&ioapic_lock);
    *value = reg_read(io, reg);
    spin_unlock_irqrestore(&ioapic_lock, flags);
    return 0;
}

/* All that Dom0 may say of a pin is its trigger mode and polarity; vector, destination and mask are the hypervisor's. */
int ioapic_guest_write(paddr_t base, unsigned reg, uint32_t value)
{
    const struct ioapic *io = ioapic_at(base);

    if (!io || reg >= IOAPIC_REG_RTE + 2 * io->pins)
        return -EINVAL;
    if (reg < IOAPIC_REG_RTE)
        return -EPERM;
    if (reg & 1)
        return 0;
    return irq_setup_gsi((int)(io->gsi_base + (reg - IOAPIC_REG_RTE) / 2), value & RTE_LEVEL, value & RTE_ACTIVE_LOW);
}
