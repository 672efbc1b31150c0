/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI configuration accesses. cf8_lock guards the pair of ports; ecam_bus entries are set once. */
#include "../lib/errno.h"
#include "../lib/spinlock.h"
#include "../mm/pgtable.h"
#include "acpi.h"
#include "asm.h"
#include "pci.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA 0xcfc
#define ADDRESS_ENABLE 0x80000000U

#define PCI_STATUS 0x06
#define PCI_STATUS_CAP_LIST 0x10
#define PCI_CAPABILITY_LIST 0x34

static DEFINE_SPINLOCK(cf8_lock);
static bool ecam_off[ARRAY_SIZE(acpi_info.mcfg)]; /* not to be used */

uint32_t pci_cf8_read(uint32_t cf8, unsigned offset, unsigned size)
{
    unsigned long flags = spin_lock_irqsave(&cf8_lock);
    uint16_t port = PORT_DATA + (offset & 3);
    uint32_t value;

    outl(PORT_ADDRESS, cf8);
    value = size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
    spin_unlock_irqrestore(&cf8_lock, flags);
    return value;
}

void pci_cf8_write(uint32_t cf8, unsigned offset, unsigned size, uint32_t value)
{
    unsigned long flags = spin_lock_irqsave(&cf8_lock);
    uint16_t port = PORT_DATA + (offset & 3);

    outl(PORT_ADDRESS, cf8);
    if (size == 1)
        outb(port, (uint8_t)value);
    else if (size == 2)
        outw(port, (uint16_t)value);
    else
        outl(port, value);
    spin_unlock_irqrestore(&cf8_lock, flags);
}

static uint32_t cf8_of(struct pci_addr a, unsigned reg)
{
    return ADDRESS_ENABLE | (uint32_t)a.bus << 16 | (uint32_t)a.devfn << 8 | (reg & 0xfc);
}

/* The device's 4 KiB of ECAM; each bus is mapped when first used. NULL: none. */
static volatile uint8_t *ecam(struct pci_addr a)
{
    static volatile uint8_t *bus_map[16][256];

    for (unsigned i = 0; i < acpi_info.nr_mcfg; i++) {
        const struct acpi_mcfg *m = &acpi_info.mcfg[i];
        volatile uint8_t **map = &bus_map[i][a.bus];

        if (ecam_off[i] || m->seg != a.seg || a.bus < m->first_bus || a.bus > m->last_bus)
            continue;
        if (!*map)
            *map = ioremap(m->base + ((paddr_t)a.bus << 20), 1UL << 20);
        return *map ? *map + ((unsigned)a.devfn << 12) : NULL;
    }
    return NULL;
}

uint32_t pci_conf_read(struct pci_addr a, unsigned reg, unsigned size)
{
    volatile uint8_t *p;

    if (a.seg == 0 && reg < 256)
        return pci_cf8_read(cf8_of(a, reg), reg & 3, size);
    p = reg < 4096 ? ecam(a) : NULL;
    if (!p)
        return ~0U;
    p += reg;
    return size == 1 ? *p : size == 2 ? *(volatile uint16_t *)p : *(volatile uint32_t *)p;
}

void pci_conf_write(struct pci_addr a, unsigned reg, unsigned size, uint32_t value)
{
    volatile uint8_t *p;

    if (a.seg == 0 && reg < 256) {
        pci_cf8_write(cf8_of(a, reg), reg & 3, size, value);
        return;
    }
    p = reg < 4096 ? ecam(a) : NULL;
    if (!p)
        return;
    p += reg;
    if (size == 1)
        *p = (uint8_t)value;
    else if (size == 2)
        *(volatile uint16_t *)p = (uint16_t)value;
    else
        *(volatile uint32_t *)p = value;
}

int pci_mmcfg_reserved(uint64_t base, uint16_t seg, uint8_t first_bus, bool reserved)
{
    for (unsigned i = 0; i < acpi_info.nr_mcfg; i++) {
        struct acpi_mcfg *m = &acpi_info.mcfg[i];

        if (m->base != base || m->seg != seg || m->first_bus != first_bus)
            continue;
        ecam_off[i] = !reserved;
        return 0;
    }
    return -ENODEV;
}

unsigned pci_find_capability(struct pci_addr a, uint8_t id)
{
    unsigned pos;

    if (pci_conf_read(a, 0, 2) == 0xffff || !(pci_conf_read(a, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST))
        return 0;
    pos = pci_conf_read(a, PCI_CAPABILITY_LIST, 1) & 0xfc;
    for (unsigned n = 0; n < 48 && pos >= 0x40; n++) {
        uint32_t head = pci_conf_read(a, pos, 2);

        if ((head & 0xff) == id)
            return pos;
        pos = head >> 8 & 0xfc;
    }
    return 0;
}
