/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Maps of memory that guests ask for: E820 maps of a domain and of the machine,
 * and where the machine-to-phys table is.  d->page_lock guards d->e820.
 */
#include "../boot/boot.h"
#include "../lib/string.h"
#include "../mm/pgtable.h"
#include "memory_priv.h"

#define M2P_EXTENT (2UL << 20) /* what XENMEM_machphys_mfn_list counts in */

_Static_assert(sizeof(struct guest_e820_entry) == 20, "INT 15h, E820h");

/* A copy of d's map; NULL: none was set, or no memory (*rc). The caller frees it. */
static struct guest_e820 *copy_map(struct domain *d, long *rc)
{
    struct guest_e820 *copy = xzalloc(struct guest_e820);

    *rc = -ENOMEM;
    if (!copy)
        return NULL;
    spin_lock(&d->page_lock);
    *rc = d->e820 ? 0 : -ENOSYS;
    if (d->e820)
        *copy = *d->e820;
    spin_unlock(&d->page_lock);
    if (*rc) {
        xfree(copy);
        copy = NULL;
    }
    return copy;
}

long memory_map_get(uint64_t arg)
{
    struct xen_memory_map m;
    struct guest_e820 *map;
    long rc;

    if (copy_from_guest(&m, arg))
        return -EFAULT;
    map = copy_map(current->domain, &rc);
    if (!map)
        return rc;
    m.nr_entries = MIN(m.nr_entries, map->nr);
    if (copy_to_guest_bytes(handle_gva(m.buffer), map->e, m.nr_entries * sizeof(map->e[0])) || copy_to_guest(arg, &m))
        rc = -EFAULT;
    xfree(map);
    return rc;
}

long memory_map_set(uint64_t arg)
{
    struct xen_foreign_memory_map m;
    struct guest_e820 *map, *old;
    struct domain *d;
    long rc;

    if (copy_from_guest(&m, arg))
        return -EFAULT;
    if (m.map.nr_entries > GUEST_E820_MAX)
        return -EINVAL;
    rc = domain_get_controlled(m.domid, &d);
    if (rc)
        return rc;
    rc = -ENOMEM;
    map = xzalloc(struct guest_e820);
    if (!map)
        goto out;
    map->nr = m.map.nr_entries;
    rc = copy_from_guest_bytes(map->e, handle_gva(m.map.buffer), map->nr * sizeof(map->e[0]));
    if (!rc) {
        spin_lock(&d->page_lock);
        old = d->e820;
        d->e820 = map;
        spin_unlock(&d->page_lock);
        map = old;
    }
    xfree(map);
out:
    domain_put(d);
    return rc;
}

/* The machine's, for Dom0: as the firmware gave it. */
long memory_map_machine(uint64_t arg)
{
    struct xen_memory_map m;
    unsigned n;

    if (!current->domain->is_privileged)
        return -EPERM;
    if (copy_from_guest(&m, arg))
        return -EFAULT;
    /* Without a buffer: how many there are (public header memory.h). */
    n = handle_is_null(m.buffer) ? boot_info.nr_e820 : MIN(m.nr_entries, boot_info.nr_e820);
    for (unsigned i = 0; i < n && !handle_is_null(m.buffer); i++) {
        struct guest_e820_entry e = {boot_info.e820[i].addr, boot_info.e820[i].size, boot_info.e820[i].type};

        if (copy_to_guest(guest_elem(handle_gva(m.buffer), struct guest_e820_entry, i), &e))
            return -EFAULT;
    }
    m.nr_entries = n;
    return copy_to_guest(arg, &m);
}

/* The frame that a hypervisor address is mapped to; 0 where nothing is (frame 0 holds none of its tables). */
static uint64_t hypervisor_mfn(uint64_t va)
{
    const pte_t *table = idle_pgd;

    for (unsigned level = 4; level; level--) {
        pte_t e = READ_ONCE(table[PT_INDEX(va, level)]);

        if (!(e & PTE_P))
            return 0;
        if (level == 1 || (level < 4 && (e & PTE_PS)))
            return pte_mfn(e).v + ((va & ((1UL << PT_SHIFT(level)) - 1)) >> PAGE_SHIFT);
        table = mfn_to_virt(pte_mfn(e));
    }
    return 0;
}

long memory_machphys_list(uint64_t arg)
{
    struct xen_machphys_mfn_list x;
    uint64_t size = max_mfn * sizeof(uint64_t), off = 0;
    unsigned i;

    if (copy_from_guest(&x, arg))
        return -EFAULT;
    for (i = 0; i < x.max_extents && off < size; i++, off += M2P_EXTENT) {
        uint64_t mfn = hypervisor_mfn(RW_M2P_START + off);

        if (copy_to_guest(guest_elem(handle_gva(x.extent_start), xen_pfn_t, i), &mfn))
            return -EFAULT;
    }
    x.nr_extents = i;
    return copy_to_guest(arg, &x);
}

long memory_machphys_mapping(uint64_t arg)
{
    const struct xen_machphys_mapping x = {
        .v_start = MACH2PHYS_VIRT_START,
        .v_end = MACH2PHYS_VIRT_END,
        .max_mfn = MACH2PHYS_NR_ENTRIES - 1,
    };

    return copy_to_guest(arg, &x);
}
