/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the machine Dom0 may touch: all but what the hypervisor runs itself. */
#include "../boot/console.h"
#include "../cpu/acpi.h"
#include "../cpu/cpu.h"
#include "../cpu/irq.h"
#include "../domain/pirq.h"
#include "dom0.h"

/* The hypervisor's I/O ports. PCI configuration space is shared, by emulation (priv_io.c). */
static const struct {
    uint16_t first, last;
} kept_ports[] = {
    {0x20, 0x21},   {0xa0, 0xa1}, /* interrupt controllers */
    {0x4d0, 0x4d1},               /* their edge and level control */
    {0x40, 0x43},   {0x61, 0x61}, /* interval timer */
    {0xcf8, 0xcff},               /* PCI configuration, reset control */
};

static int grant_ports(struct domain *d)
{
    uint16_t first, last;
    int rc = rangeset_add(d->ioport_caps, 0, 0xffff);

    for (unsigned i = 0; i < ARRAY_SIZE(kept_ports) && !rc; i++) {
        rc = rangeset_remove(d->ioport_caps, kept_ports[i].first, kept_ports[i].last);
    }
    if (!rc && acpi_info.pm_timer_port) {
        rc = rangeset_remove(d->ioport_caps, acpi_info.pm_timer_port, acpi_info.pm_timer_port + 3);
    }
    if (!rc && serial_ports(&first, &last)) {
        rc = rangeset_remove(d->ioport_caps, first, last);
    }
    return rc;
}

static int keep_frame(struct domain *d, paddr_t addr)
{
    return rangeset_remove(d->iomem_caps, addr >> PAGE_SHIFT, addr >> PAGE_SHIFT);
}

/* RAM is guarded by its owner, whatever the set says. */
static int grant_memory(struct domain *d)
{
    uint64_t last = (1UL << (cpu_features.paddr_bits - PAGE_SHIFT)) - 1;
    int rc = rangeset_add(d->iomem_caps, 0, last);

    if (!rc && acpi_info.lapic_addr) {
        rc = keep_frame(d, acpi_info.lapic_addr);
    }
    for (unsigned i = 0; i < acpi_info.nr_ioapics && !rc; i++) {
        rc = keep_frame(d, acpi_info.ioapic[i].addr);
    }
    /* Writes there are interrupts (Intel SDM 3A, 11.11): a device sends them, a guest must not. */
    return rc ? rc : rangeset_remove(d->iomem_caps, 0xfee00, 0xfeeff);
}

int dom0_grant_hardware(struct domain *d)
{
    int rc = grant_ports(d);

    if (!rc) {
        rc = grant_memory(d);
    }
    if (!rc) {
        rc = rangeset_add(d->irq_caps, 1, NR_IRQS - 1); /* 0 is the hypervisor's timer */
    }
    return rc;
}
