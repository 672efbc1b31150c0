/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI and MSI-X: IRQs from nr_irqs_gsi on.  PCI 3.0, 6.8.  msi_lock guards the
 * choice of IRQ numbers and the list of what is set up; a message is written with its IRQ's lock held.
 * The device's driver in Dom0 turns the capability on and off.
 */
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../mm/alloc.h"
#include "../mm/pgtable.h"
#include "cpu.h"
#include "irq_priv.h"
#include "pci.h"

#define PCI_CAP_MSI 0x05
#define PCI_CAP_MSIX 0x11
#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY 0x2
#define PCI_HEADER_TYPE 0x0e
#define PCI_BAR0 0x10

#define MSI_CONTROL 2
#define MSI_CONTROL_MMC(c) ((c) >> 1 & 7) /* log2 of the messages the device can send */
#define MSI_CONTROL_MME 0x70
#define MSI_CONTROL_64BIT 0x80
#define MSI_CONTROL_MASKABLE 0x100

#define MSIX_CONTROL_SIZE 0x7ff
#define MSIX_TABLE 4
#define MSIX_ENTRY_SIZE 16
#define MSIX_ENTRY_CONTROL 12
#define MSIX_ENTRY_MASKED 1

#define MSI_ADDRESS 0xfee00000U

/* One function's MSI capability (up to 32 IRQs in a row), or one entry of its MSI-X table. */
struct msi {
    struct msi *next;
    struct pci_addr addr;
    bool msix;
    int irq;                /* the first */
    unsigned nr, live;      /* IRQs, and those not torn down yet */
    unsigned cap, mask_reg; /* MSI: registers; mask_reg 0: it cannot mask */
    bool is_64bit;
    uint32_t mask_bits; /* MSI: as last written */
    unsigned entry_nr;  /* MSI-X */
    volatile uint8_t *entry;
    void *mapping;
};

static DEFINE_SPINLOCK(msi_lock);
static struct msi *msi_list;

static void msi_mask(int irq, bool mask)
{
    struct msi *m = irq_descs[irq].chip_data;

    if (m->msix) {
        *(volatile uint32_t *)(m->entry + MSIX_ENTRY_CONTROL) = mask ? MSIX_ENTRY_MASKED : 0;
        (void)*(volatile uint32_t *)(m->entry + MSIX_ENTRY_CONTROL); /* posted writes end here */
    } else if (m->mask_reg) {
        uint32_t bit = 1U << (irq - m->irq);
        uint32_t now = mask ? __atomic_or_fetch(&m->mask_bits, bit, __ATOMIC_SEQ_CST)
                            : __atomic_and_fetch(&m->mask_bits, ~bit, __ATOMIC_SEQ_CST);

        pci_conf_write(m->addr, m->mask_reg, 4, now);
    }
}

/* Fixed delivery, physical destination, edge (Intel SDM 3A, 11.11). The device adds its message number to the vector. */
static void write_message(struct msi *m, unsigned cpu, unsigned vector)
{
    uint32_t address = MSI_ADDRESS | cpu_apicid[cpu] << 12;

    if (m->msix) {
        *(volatile uint32_t *)(m->entry + 0) = address;
        *(volatile uint32_t *)(m->entry + 4) = 0;
        *(volatile uint32_t *)(m->entry + 8) = vector;
        return;
    }
    pci_conf_write(m->addr, m->cap + 4, 4, address);
    if (m->is_64bit)
        pci_conf_write(m->addr, m->cap + 8, 4, 0);
    pci_conf_write(m->addr, m->cap + (m->is_64bit ? 12 : 8), 2, vector);
}

static void msi_route(int irq, unsigned cpu, unsigned vector)
{
    struct msi *m = irq_descs[irq].chip_data;

    write_message(m, cpu, vector - (unsigned)(irq - m->irq));
}

static const struct irq_chip msi_chip = {.mask = msi_mask, .route = msi_route, .can_move = true};
/* Several messages of one function share address and vector base. */
static const struct irq_chip multi_msi_chip = {.mask = msi_mask, .route = msi_route, .can_move = false};

/* n IRQ numbers in a row, with vectors, claimed. With msi_lock. */
static int claim_irqs(struct msi *m)
{
    unsigned run = 0;
    int rc;

    for (int irq = (int)nr_irqs_gsi; irq < NR_IRQS; irq++) {
        run = irq_descs[irq].chip ? 0 : run + 1;
        if (run < m->nr)
            continue;
        m->irq = irq - (int)m->nr + 1;
        rc = irq_assign_vectors(m->irq, m->nr, smp_processor_id());
        for (unsigned i = 0; i < m->nr && !rc; i++) {
            struct irq_desc *d = &irq_descs[m->irq + (int)i];

            spin_lock_init(&d->lock, LOCK_UNORDERED);
            d->chip_data = m;
            d->level = d->active_low = false;
            d->nr_actions = d->in_flight = 0;
            d->chip = m->nr > 1 ? &multi_msi_chip : &msi_chip;
        }
        return rc;
    }
    return -ENOSPC;
}

static bool same_source(const struct msi *m, const struct msi *n)
{
    return m->addr.seg == n->addr.seg && m->addr.bus == n->addr.bus && m->addr.devfn == n->addr.devfn &&
           m->msix == n->msix && (!m->msix || m->entry_nr == n->entry_nr);
}

static int find_msi(struct msi *m)
{
    unsigned control;

    m->cap = pci_find_capability(m->addr, PCI_CAP_MSI);
    if (!m->cap)
        return -ENODEV;
    control = pci_conf_read(m->addr, m->cap + MSI_CONTROL, 2);
    if (m->nr > 1U << MSI_CONTROL_MMC(control))
        return -EINVAL;
    m->is_64bit = control & MSI_CONTROL_64BIT;
    if (control & MSI_CONTROL_MASKABLE)
        m->mask_reg = m->cap + (m->is_64bit ? 16 : 12);
    return 0;
}

/* Physical address of a memory BAR, 0: none. */
static paddr_t memory_bar(struct pci_addr a, unsigned bar)
{
    uint32_t low, high = 0;

    if (bar > 5 || ((pci_conf_read(a, PCI_HEADER_TYPE, 1) & 0x7f) == 1 && bar > 1))
        return 0;
    low = pci_conf_read(a, PCI_BAR0 + 4 * bar, 4);
    if (low & 1)
        return 0;
    if ((low & 6) == 4)
        high = bar < 5 ? pci_conf_read(a, PCI_BAR0 + 4 * bar + 4, 4) : 0;
    return (paddr_t)high << 32 | (low & ~0xfU);
}

static int find_msix(struct msi *m, paddr_t table_base)
{
    unsigned cap = pci_find_capability(m->addr, PCI_CAP_MSIX);
    uint32_t table;
    paddr_t pa, bar;

    if (!cap)
        return -ENODEV;
    if (m->entry_nr > (pci_conf_read(m->addr, cap + MSI_CONTROL, 2) & MSIX_CONTROL_SIZE))
        return -EINVAL;
    if (!(pci_conf_read(m->addr, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
        return -ENXIO;
    table = pci_conf_read(m->addr, cap + MSIX_TABLE, 4);
    /* A virtual function has no BARs of its own: Dom0 knows where it is. */
    bar = memory_bar(m->addr, table & 7);
    bar = bar ? bar : table_base;
    pa = bar + (table & ~7U) + (paddr_t)m->entry_nr * MSIX_ENTRY_SIZE;
    if (!bar || mfn_is_ram(paddr_to_mfn(pa)))
        return -ENXIO;
    m->cap = cap;
    m->mapping = ioremap(pa & PAGE_MASK, PAGE_SIZE);
    if (!m->mapping)
        return -ENOMEM;
    m->entry = (volatile uint8_t *)m->mapping + (pa & ~PAGE_MASK);
    return 0;
}

/* log2(n) for the MME field. */
static unsigned mme_of(unsigned n) { return fls64(n) << 4; }

static void msi_program(struct msi *m)
{
    const struct irq_desc *d = &irq_descs[m->irq];

    for (unsigned i = 0; i < m->nr; i++)
        msi_mask(m->irq + (int)i, true);
    if (!m->msix) {
        unsigned control = pci_conf_read(m->addr, m->cap + MSI_CONTROL, 2);

        pci_conf_write(m->addr, m->cap + MSI_CONTROL, 2, (control & ~MSI_CONTROL_MME) | mme_of(m->nr));
    }
    write_message(m, d->cpu, d->vector);
}

int msi_setup(const struct msi_request *req)
{
    struct msi *m, *other;
    unsigned long flags;
    int rc;

    if (!req->nr_vectors || req->nr_vectors > 32 || (req->nr_vectors & (req->nr_vectors - 1)) ||
        (req->table_base && req->nr_vectors != 1))
        return -EINVAL;
    m = xzalloc(struct msi);
    if (!m)
        return -ENOMEM;
    m->addr = (struct pci_addr){req->seg, req->bus, req->devfn};
    m->msix = req->table_base != 0;
    m->entry_nr = m->msix ? req->entry_nr : 0;
    m->nr = m->live = req->nr_vectors;
    rc = m->msix ? find_msix(m, req->table_base) : find_msi(m);
    if (rc)
        goto fail;

    flags = spin_lock_irqsave(&msi_lock);
    for (other = msi_list; other; other = other->next) {
        if (same_source(m, other))
            rc = -EEXIST;
    }
    if (!rc)
        rc = claim_irqs(m);
    if (!rc) {
        m->next = msi_list;
        msi_list = m;
        msi_program(m);
    }
    spin_unlock_irqrestore(&msi_lock, flags);
    if (!rc)
        return m->irq;
fail:
    if (m->mapping)
        iounmap(m->mapping);
    xfree(m);
    return rc;
}

void msi_teardown(int irq)
{
    struct irq_desc *d = irq >= (int)nr_irqs_gsi && irq < NR_IRQS ? &irq_descs[irq] : NULL;
    struct msi *m, **link;
    unsigned long flags;
    bool last;

    if (!d || !d->chip)
        return;
    irq_synchronize(irq);
    flags = spin_lock_irqsave(&msi_lock);
    m = d->chip_data;
    spin_lock(&d->lock);
    d->chip->mask(irq, true);
    d->chip = NULL;
    d->chip_data = NULL;
    spin_unlock(&d->lock);
    irq_release_vector(irq);
    last = --m->live == 0;
    for (link = &msi_list; last && *link != m; link = &(*link)->next)
        continue;
    if (last)
        *link = m->next;
    spin_unlock_irqrestore(&msi_lock, flags);
    if (!last)
        return;
    if (m->mapping)
        iounmap(m->mapping);
    xfree(m);
}

bool msi_device_in_use(uint16_t seg, uint8_t bus, uint8_t devfn)
{
    unsigned long flags = spin_lock_irqsave(&msi_lock);
    bool found = false;

    for (const struct msi *m = msi_list; m; m = m->next)
        found |= m->addr.seg == seg && m->addr.bus == bus && m->addr.devfn == devfn;
    spin_unlock_irqrestore(&msi_lock, flags);
    return found;
}

/* After the device lost its configuration (reset, power): writes the messages again and unmasks what is in use. */
void msi_restore_device(uint16_t seg, uint8_t bus, uint8_t devfn)
{
    unsigned long flags = spin_lock_irqsave(&msi_lock);

    for (struct msi *m = msi_list; m; m = m->next) {
        if (m->addr.seg != seg || m->addr.bus != bus || m->addr.devfn != devfn || m->live != m->nr)
            continue;
        msi_program(m);
        for (unsigned i = 0; i < m->nr; i++) {
            struct irq_desc *d = &irq_descs[m->irq + (int)i];

            spin_lock(&d->lock);
            if (d->nr_actions)
                d->chip->mask(m->irq + (int)i, false);
            spin_unlock(&d->lock);
        }
    }
    spin_unlock_irqrestore(&msi_lock, flags);
}
