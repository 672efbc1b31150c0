/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Port I/O of PV guests, which run without I/O privilege: each IN and OUT
 * faults.  Dom0 reaches the machine's ports through here, except those the
 * hypervisor keeps; others read all ones.
 */
#include "../cpu/asm.h"
#include "../cpu/pci.h"
#include "../domain/hypercall.h"
#include "../domain/pirq.h"
#include "guest.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc

static uint32_t port_in(unsigned port, unsigned bytes)
{
    switch (bytes) {
    case 1: return inb((uint16_t)port);
    case 2: return inw((uint16_t)port);
    default: return inl((uint16_t)port);
    }
}

static void port_out(unsigned port, unsigned bytes, uint32_t value)
{
    switch (bytes) {
    case 1: outb((uint16_t)port, (uint8_t)value); break;
    case 2: outw((uint16_t)port, (uint16_t)value); break;
    default: outl((uint16_t)port, value); break;
    }
}

/* By IOPL or the bitmap that PHYSDEVOP_set_iobitmap named: may the guest's code in its present mode use these ports? */
bool pv_io_allowed(struct vcpu *v, unsigned port, unsigned bytes)
{
    const struct pv_vcpu *pv = v->pv;
    uint8_t map[2] = {0xff, 0xff};

    if (pv->iopl >= (pv_in_kernel_mode(v) ? 1U : 3U)) {
        return true;
    }
    if (!pv->iobmp || port + bytes > pv->iobmp_limit) {
        return false;
    }
    if (copy_from_guest_bytes(map, pv->iobmp + port / 8, 2) && copy_from_guest_bytes(map, pv->iobmp + port / 8, 1)) {
        return false;
    }
    return !((map[0] | map[1] << 8) & (((1U << bytes) - 1) << (port & 7)));
}

static bool is_pci_data(unsigned port, unsigned bytes) { return port >= PCI_DATA && port + bytes <= PCI_DATA + 4; }

uint32_t pv_port_read(struct vcpu *v, unsigned port, unsigned bytes)
{
    struct domain *d = v->domain;

    if (port == PCI_ADDRESS && bytes == 4 && d->is_hardware) {
        return READ_ONCE(d->pv->pci_cf8);
    }
    if (is_pci_data(port, bytes) && d->is_hardware) {
        return pci_cf8_read(READ_ONCE(d->pv->pci_cf8), port - PCI_DATA, bytes);
    }
    if (rangeset_contains(d->ioport_caps, port, port + bytes - 1)) {
        return port_in(port, bytes);
    }
    return ~0U >> (32 - 8 * bytes);
}

void pv_port_write(struct vcpu *v, unsigned port, unsigned bytes, uint32_t value)
{
    struct domain *d = v->domain;

    if (port == PCI_ADDRESS && bytes == 4 && d->is_hardware) {
        WRITE_ONCE(d->pv->pci_cf8, value);
    } else if (is_pci_data(port, bytes) && d->is_hardware) {
        pci_cf8_write(READ_ONCE(d->pv->pci_cf8), port - PCI_DATA, bytes, value);
    } else if (rangeset_contains(d->ioport_caps, port, port + bytes - 1)) {
        port_out(port, bytes, value);
    }
}
