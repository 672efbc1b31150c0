/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI configuration space: through ports 0xcf8 and 0xcfc, and through ECAM for
 * segments above 0 and registers above 255.  Callable with interrupts off, but
 * for the first access to a bus by ECAM, which maps it.
 */
#ifndef POLDER_CPU_PCI_H
#define POLDER_CPU_PCI_H

#include "../lib/types.h"

struct pci_addr {
    uint16_t seg;
    uint8_t bus, devfn;
};

/* size: 1, 2 or 4, reg aligned to it. All ones where there is no way to the register. */
uint32_t pci_conf_read(struct pci_addr a, unsigned reg, unsigned size);
void pci_conf_write(struct pci_addr a, unsigned reg, unsigned size, uint32_t value);
/* Offset of a capability in the first 256 bytes; 0: not there. */
unsigned pci_find_capability(struct pci_addr a, uint8_t id);

/* Dom0 says whether a region of the MCFG table is really reserved; it is not used otherwise. -ENODEV: no such region. */
int pci_mmcfg_reserved(uint64_t base, uint16_t seg, uint8_t first_bus, bool reserved) __must_check;

/*
 * Dom0's own accesses: cf8 as it last wrote it (bit 31 set), offset 0 to 3 from port 0xcfc. The real 0xcf8 is shared
 * with the hypervisor, so Dom0's value is only put there for the access.
 */
uint32_t pci_cf8_read(uint32_t cf8, unsigned offset, unsigned size);
void pci_cf8_write(uint32_t cf8, unsigned offset, unsigned size, uint32_t value);

#endif
