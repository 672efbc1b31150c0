/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dom0=pvh: builds Dom0 as a PVH domain from a plain ELF kernel with a
 * PHYS32_ENTRY note (public header arch-x86/hvm/start_info.h).  It gets RAM
 * and hypercalls, and none of the machine's devices.  Runs at boot only.
 */
#include "../boot/boot.h"
#include "../boot/image.h"
#include "../cpu/cpu.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "../domain/dom0.h"
#include "hvm_guest.h"
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/hvm/hvm_vcpu.h>

#define LOW_END 0xa0000UL
#define HIGH_START 0x100000UL
#define MMIO_HOLE 0xc0000000UL /* RAM goes on at 4 GiB */
#define PVH_RAM_MAX GB(2)      /* more than test kernels want; keeps boot short */

struct pvh_build {
    struct domain *d;
    struct image_info img;
    uint64_t ram_end; /* one above the last byte of RAM below the hole */
    uint64_t next;    /* where the next thing is placed */
};

static int pvh_add_range(struct domain *d, uint64_t start, uint64_t end)
{
    while (start < end) {
        unsigned order = !(start & (MB(2) - 1)) && end - start >= MB(2) ? 9 : 0;
        struct page_info *pg = alloc_domain_pages(d, order, 0, 0);
        int rc;

        if (!pg)
            return -ENOMEM;
        rc = hvm_physmap_add(d, GFN(start >> PAGE_SHIFT), page_to_mfn(pg), order);
        if (rc)
            return rc;
        start += PAGE_SIZE << order;
    }
    return 0;
}

static int pvh_populate(struct pvh_build *b)
{
    uint64_t max_pages, pages = dom0_memory_pages(&max_pages);
    int rc;

    b->ram_end = ROUND_DOWN(MIN(pages << PAGE_SHIFT, MIN(PVH_RAM_MAX, MMIO_HOLE)), MB(2));
    if (b->ram_end < MB(16))
        return -ENOMEM;
    b->d->max_pages = MAX(max_pages, b->ram_end >> PAGE_SHIFT);
    rc = pvh_add_range(b->d, 0, LOW_END);
    return rc ? rc : pvh_add_range(b->d, HIGH_START, b->ram_end);
}

static void *pvh_dst(void *ctx, uint64_t vaddr, uint64_t *avail)
{
    struct pvh_build *b = ctx;
    uint64_t paddr = vaddr - b->img.vstart + b->img.pstart;
    mfn_t mfn = hvm_gfn_to_mfn(b->d, GFN(paddr >> PAGE_SHIFT));

    if (mfn_eq(mfn, INVALID_MFN))
        return NULL;
    *avail = PAGE_SIZE - (paddr & ~PAGE_MASK);
    return (char *)mfn_to_virt(mfn) + (paddr & ~PAGE_MASK);
}

/* Copies something behind what is there; its guest address, or 0: no room. */
static uint64_t pvh_place(struct pvh_build *b, const void *data, size_t len)
{
    uint64_t at = b->next;

    if (len > b->ram_end - at || hvm_copy_to_gpa(b->d, GPA(at), data, len))
        return 0;
    b->next = ROUND_UP(at + len, PAGE_SIZE);
    return at;
}

static uint64_t pvh_memmap(struct pvh_build *b, uint32_t *n)
{
    const struct hvm_memmap_table_entry map[] = {
        {0, LOW_END, XEN_HVM_MEMMAP_TYPE_RAM, 0},
        {LOW_END, HIGH_START - LOW_END, XEN_HVM_MEMMAP_TYPE_RESERVED, 0},
        {HIGH_START, b->ram_end - HIGH_START, XEN_HVM_MEMMAP_TYPE_RAM, 0},
        {0xfee00000, PAGE_SIZE, XEN_HVM_MEMMAP_TYPE_RESERVED, 0},
    };

    *n = ARRAY_SIZE(map);
    return pvh_place(b, map, sizeof(map));
}

static uint64_t pvh_start_info(struct pvh_build *b, const void *initrd, size_t initrd_len, const char *cmdline)
{
    struct hvm_start_info si = {
        .magic = XEN_HVM_START_MAGIC_VALUE, .version = 1, .flags = SIF_PRIVILEGED | SIF_INITDOMAIN};
    struct hvm_modlist_entry mod = {.size = initrd_len};

    if (initrd_len) {
        mod.paddr = pvh_place(b, initrd, initrd_len);
        si.modlist_paddr = mod.paddr ? pvh_place(b, &mod, sizeof(mod)) : 0;
        si.nr_modules = 1;
        if (!si.modlist_paddr)
            return 0;
    }
    si.cmdline_paddr = pvh_place(b, cmdline, strlen(cmdline) + 1);
    si.memmap_paddr = pvh_memmap(b, &si.memmap_entries);
    return si.cmdline_paddr && si.memmap_paddr ? pvh_place(b, &si, sizeof(si)) : 0;
}

/* The state that the PVH entry point promises: 32-bit protected mode, flat, paging off, EBX: start info. */
static int pvh_start_vcpu(struct pvh_build *b, uint64_t start_info)
{
    const struct vcpu_hvm_context ctx = {
        .mode = VCPU_HVM_MODE_32B,
        .cpu_regs.x86_32 =
            {
                .ebx = (uint32_t)start_info,
                .eip = (uint32_t)b->img.notes.phys32_entry,
                .eflags = 2,
                .cr0 = 0x11,
                .cs_limit = ~0U,
                .ds_limit = ~0U,
                .ss_limit = ~0U,
                .es_limit = ~0U,
                .tr_limit = 0x67,
                .cs_ar = 0xc9b,
                .ds_ar = 0xc93,
                .ss_ar = 0xc93,
                .es_ar = 0xc93,
                .tr_ar = 0x8b,
            },
    };
    struct vcpu *v = b->d->vcpu[0];
    int rc;

    for (unsigned i = v ? 1 : 0; i < b->d->max_vcpus; i++) {
        struct vcpu *made;

        if (b->d->vcpu[i])
            continue;
        rc = vcpu_create(b->d, i, &made);
        if (rc)
            return rc;
    }
    v = b->d->vcpu[0];
    rc = hvm_set_hvm_context(v, &ctx);
    if (!rc)
        clear_bit(VPF_down, &v->pause_flags);
    return rc;
}

int pvh_dom0_construct(struct domain *d, const void *kernel, size_t kernel_len, const void *initrd, size_t initrd_len,
                       const char *cmdline)
{
    static struct pvh_build b;
    uint64_t start_info;
    char err[120] = "";
    int rc;

    b.d = d;
    rc = image_load(kernel, kernel_len, &b.img, err, sizeof(err));
    if (rc) {
        printk(LOG_ERR "Dom0: %s\n", err);
        return rc;
    }
    if (b.img.notes.phys32_entry == IMAGE_UNSET) {
        printk(LOG_ERR "Dom0: the kernel has no PHYS32_ENTRY note, so it cannot start as PVH\n");
        return -ENOEXEC;
    }
    rc = pvh_populate(&b);
    if (!rc)
        rc = image_place(&b.img, pvh_dst, &b);
    if (rc)
        return rc;
    b.next = ROUND_UP(b.img.pend, PAGE_SIZE);
    start_info = pvh_start_info(&b, initrd, initrd_len, cmdline);
    image_free(&b.img);
    if (!start_info)
        return -ENOMEM;
    printk(LOG_INFO "Dom0: PVH, %lu MiB, %u vCPUs, entry %#lx, start info at %#lx\n", b.ram_end >> 20, d->max_vcpus,
           b.img.notes.phys32_entry, start_info);
    return pvh_start_vcpu(&b, start_info);
}
