/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HYPERVISOR_physdev_op: public header physdev.h. What concerns devices is the hardware domain's alone. */
#include "../cpu/irq.h"
#include "../cpu/pci.h"
#include "../cpu/percpu.h"
#include "hypercall.h"
#include "pirq.h"
#include <xen/physdev.h>

void (*pv_set_iopl)(struct vcpu *v, unsigned iopl);
void (*pv_set_iobitmap)(struct vcpu *v, uint64_t bitmap_gva, unsigned nr_ports);

/* The domain that an operation of current's is about, with a reference. */
static int get_target(domid_t id, struct domain **out)
{
    struct domain *d = domain_get_by_id(id);
    int rc;

    if (!d)
        return -ESRCH;
    rc = d == current->domain ? 0 : control_allowed(d);
    if (rc)
        domain_put(d);
    else
        *out = d;
    return rc;
}

static int map_msi(struct domain *d, struct physdev_map_pirq *op)
{
    struct msi_request req = {.bus = (uint8_t)op->bus, .devfn = (uint8_t)op->devfn, .nr_vectors = 1};
    bool has_seg = op->type != MAP_PIRQ_TYPE_MSI;

    if (!current->domain->is_hardware)
        return -EPERM;
    if (op->devfn < 0 || op->devfn > 0xff || (!has_seg && (op->bus < 0 || op->bus > 0xff)) || (op->bus & 0xff00))
        return -EINVAL;
    if (has_seg)
        req.seg = (uint16_t)((uint32_t)op->bus >> 16);
    if (op->type == MAP_PIRQ_TYPE_MULTI_MSI) {
        if (op->entry_nr <= 0 || op->entry_nr > 32)
            return -EDOM;
        if (op->table_base)
            return -EINVAL;
        req.nr_vectors = (unsigned)op->entry_nr;
    } else if (op->table_base) {
        if (op->entry_nr < 0)
            return -EINVAL;
        req.entry_nr = (unsigned)op->entry_nr;
        req.table_base = op->table_base;
    }
    return pirq_map_msi(d, &req, op->pirq < 0 ? -1 : op->pirq);
}

static long op_map_pirq(uint64_t arg)
{
    struct physdev_map_pirq op;
    struct domain *d;
    int ret;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    ret = get_target(op.domid, &d);
    if (ret)
        return ret;
    switch (op.type) {
    case MAP_PIRQ_TYPE_GSI: ret = pirq_map_gsi(d, op.index, op.pirq < 0 ? -1 : op.pirq); break;
    case MAP_PIRQ_TYPE_MSI:
    case MAP_PIRQ_TYPE_MSI_SEG:
    case MAP_PIRQ_TYPE_MULTI_MSI: ret = map_msi(d, &op); break;
    default: ret = -EINVAL;
    }
    if (ret >= 0) {
        op.pirq = ret;
        ret = copy_to_guest(arg, &op);
    }
    domain_put(d);
    return ret;
}

static long op_unmap_pirq(uint64_t arg)
{
    struct physdev_unmap_pirq op;
    struct domain *d;
    int ret;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    ret = get_target(op.domid, &d);
    if (ret)
        return ret;
    ret = pirq_unmap(d, op.pirq);
    domain_put(d);
    return ret;
}

static long op_eoi(uint64_t arg)
{
    struct physdev_eoi op;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    return pirq_guest_eoi(current->domain, op.irq);
}

static long op_irq_status_query(uint64_t arg)
{
    struct physdev_irq_status_query op;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (op.irq >= NR_IRQS)
        return -EINVAL;
    op.flags = pirq_status(current->domain, op.irq);
    return copy_to_guest(arg, &op);
}

static long op_pirq_eoi_gmfn(uint64_t arg)
{
    struct physdev_pirq_eoi_gmfn op;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    return pirq_set_eoi_page(current->domain, GFN(op.gmfn));
}

static long op_get_free_pirq(uint64_t arg)
{
    struct physdev_get_free_pirq op;
    int ret;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (op.type != MAP_PIRQ_TYPE_MSI && op.type != MAP_PIRQ_TYPE_GSI)
        return -EINVAL;
    ret = pirq_reserve(current->domain);
    if (ret < 0)
        return ret;
    op.pirq = (uint32_t)ret;
    if (!copy_to_guest(arg, &op))
        return 0;
    (void)!pirq_unmap(current->domain, ret); /* another of its vCPUs may have used or unmapped it by now */
    return -EFAULT;
}

static long op_set_iopl(uint64_t arg)
{
    struct physdev_set_iopl op;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (op.iopl > 3)
        return -EINVAL;
    if (current->domain->is_hvm || !pv_set_iopl)
        return -ENOSYS;
    pv_set_iopl(current, op.iopl);
    return 0;
}

static long op_set_iobitmap(uint64_t arg)
{
    struct physdev_set_iobitmap op;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (op.nr_ports > 65536)
        return -EINVAL;
    if (current->domain->is_hvm || !pv_set_iobitmap)
        return -ENOSYS;
    pv_set_iobitmap(current, handle_gva(op.bitmap), op.nr_ports);
    return 0;
}

/* -- the hardware domain's ----------------------------------------------------------------------------------------- */

static long op_apic(uint64_t cmd, uint64_t arg)
{
    struct physdev_apic op;
    int rc;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (cmd == PHYSDEVOP_apic_write)
        return ioapic_guest_write(op.apic_physbase, op.reg, op.value);
    rc = ioapic_guest_read(op.apic_physbase, op.reg, &op.value);
    return rc ? rc : copy_to_guest(arg, &op);
}

/* Vectors are the hypervisor's business: the IRQ's own number stands for its vector. */
static long op_alloc_irq_vector(uint64_t arg)
{
    struct physdev_irq op;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (op.irq >= nr_irqs_gsi)
        return -EINVAL;
    op.vector = op.irq;
    return copy_to_guest(arg, &op);
}

static long op_setup_gsi(uint64_t arg)
{
    struct physdev_setup_gsi op;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (op.gsi < 0 || op.triggering > 1 || op.polarity > 1)
        return -EINVAL;
    if (!rangeset_contains(current->domain->irq_caps, (uint64_t)op.gsi, (uint64_t)op.gsi))
        return -EPERM;
    return irq_setup_gsi(op.gsi, op.triggering, op.polarity);
}

/* Without an IOMMU a new device needs nothing but to be there. A virtual function does not show its vendor ID. */
static int device_added(struct pci_addr a, bool is_virtual)
{
    return is_virtual || pci_conf_read(a, 0, 2) != 0xffff ? 0 : -ENODEV;
}

static long op_manage_pci(uint64_t cmd, uint64_t arg)
{
    struct physdev_manage_pci_ext ext;
    struct physdev_manage_pci op;

    if (cmd == PHYSDEVOP_manage_pci_add_ext) {
        if (copy_from_guest(&ext, arg))
            return -EFAULT;
        return device_added((struct pci_addr){0, ext.bus, ext.devfn}, ext.is_virtfn);
    }
    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (cmd == PHYSDEVOP_manage_pci_add)
        return device_added((struct pci_addr){0, op.bus, op.devfn}, false);
    return msi_device_in_use(0, op.bus, op.devfn) ? -EBUSY : 0;
}

static long op_pci_device_add(uint64_t arg)
{
    struct physdev_pci_device_add op;

    if (copy_from_guest_bytes(&op, arg, offsetof(struct physdev_pci_device_add, optarr)))
        return -EFAULT;
    return device_added((struct pci_addr){op.seg, op.bus, op.devfn}, op.flags & XEN_PCI_DEV_VIRTFN);
}

static long op_pci_device(uint64_t cmd, uint64_t arg)
{
    struct physdev_pci_device op;
    struct physdev_restore_msi old;

    if (cmd == PHYSDEVOP_restore_msi) {
        if (copy_from_guest(&old, arg))
            return -EFAULT;
        op = (struct physdev_pci_device){0, old.bus, old.devfn};
    } else if (copy_from_guest(&op, arg)) {
        return -EFAULT;
    }
    if (cmd == PHYSDEVOP_restore_msi || cmd == PHYSDEVOP_restore_msi_ext) {
        msi_restore_device(op.seg, op.bus, op.devfn);
        return 0;
    }
    if (cmd != PHYSDEVOP_pci_device_remove && !pci_find_capability((struct pci_addr){op.seg, op.bus, op.devfn}, 0x11))
        return -ENODEV;
    /* A device goes away, or another domain's driver is to have it: nobody may have its messages now. */
    return msi_device_in_use(op.seg, op.bus, op.devfn) ? -EBUSY : 0;
}

static long op_pci_mmcfg_reserved(uint64_t arg)
{
    struct physdev_pci_mmcfg_reserved op;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    return pci_mmcfg_reserved(op.address, op.segment, op.start_bus, op.flags & XEN_PCI_MMCFG_RESERVED);
}

static long hardware_op(uint64_t cmd, uint64_t arg)
{
    if (!current->domain->is_hardware)
        return -EPERM;
    switch (cmd) {
    case PHYSDEVOP_apic_read:
    case PHYSDEVOP_apic_write: return op_apic(cmd, arg);
    case PHYSDEVOP_alloc_irq_vector: return op_alloc_irq_vector(arg);
    case PHYSDEVOP_setup_gsi: return op_setup_gsi(arg);
    case PHYSDEVOP_manage_pci_add:
    case PHYSDEVOP_manage_pci_add_ext:
    case PHYSDEVOP_manage_pci_remove: return op_manage_pci(cmd, arg);
    case PHYSDEVOP_pci_device_add: return op_pci_device_add(arg);
    case PHYSDEVOP_pci_device_remove:
    case PHYSDEVOP_prepare_msix:
    case PHYSDEVOP_release_msix:
    case PHYSDEVOP_restore_msi:
    case PHYSDEVOP_restore_msi_ext: return op_pci_device(cmd, arg);
    case PHYSDEVOP_pci_mmcfg_reserved: return op_pci_mmcfg_reserved(arg);
    default: return -ENOSYS; /* PHYSDEVOP_dbgp_op, too: no EHCI debug port is the console */
    }
}

long do_physdev_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4, uint64_t a5)
{
    if (current->domain->is_hvm && !current->domain->is_hardware)
        return -ENOSYS;
    switch (cmd) {
    case PHYSDEVOP_eoi: return op_eoi(arg);
    case PHYSDEVOP_irq_status_query: return op_irq_status_query(arg);
    case PHYSDEVOP_pirq_eoi_gmfn_v2: return op_pirq_eoi_gmfn(arg);
    case PHYSDEVOP_map_pirq: return op_map_pirq(arg);
    case PHYSDEVOP_unmap_pirq: return op_unmap_pirq(arg);
    case PHYSDEVOP_get_free_pirq: return op_get_free_pirq(arg);
    case PHYSDEVOP_set_iopl: return op_set_iopl(arg);
    case PHYSDEVOP_set_iobitmap: return op_set_iobitmap(arg);
    default: return hardware_op(cmd, arg);
    }
}
