/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot: which memory there is, the tables that describe it, and its way into the heap.  Until then boot_alloc gives out
 * whole ranges from the top.
 */
#include "../boot/boot.h"
#include "../lib/bitops.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "internal.h"
#include "tlb.h"

#define MAX_REGIONS (E820_MAX + 32)
#define LOW_MEMORY MB(1) /* the firmware's; Dom0 sees it as I/O memory */
/* Frames whose page_info fill 2 MiB: the unit in which the frame table exists. */
#define GROUP_SHIFT 16
#define NR_GROUPS ((DIRECTMAP_END - DIRECTMAP_START) >> (PAGE_SHIFT + GROUP_SHIFT))
#define M2P_CHUNK_FRAMES (MB(2) / sizeof(uint64_t))

__read_mostly uint64_t max_mfn;

static struct region {
    paddr_t start, end;
} regions[MAX_REGIONS] __initdata;
static unsigned nr_regions __initdata;

static struct {
    uint64_t start, end;
} ram[E820_MAX]; /* frame numbers, rising */
static unsigned nr_ram;
static uint64_t ram_pages;
static DECLARE_BITMAP(group_valid, NR_GROUPS);

extern const char _image_start[], _image_end[];

__hot bool mfn_valid(mfn_t m) { return m.v < max_mfn && test_bit((unsigned)(m.v >> GROUP_SHIFT), group_valid); }

bool mfn_is_ram(mfn_t m)
{
    if (m.v < LOW_MEMORY >> PAGE_SHIFT)
        return false;
    for (unsigned i = 0; i < nr_ram; i++)
        if (m.v >= ram[i].start && m.v < ram[i].end)
            return true;
    return false;
}

uint64_t total_ram_pages(void) { return ram_pages; }

/* -- regions ------------------------------------------------------------------------------------------------------ */
static void __init add_region(paddr_t start, paddr_t end)
{
    if (start < end && nr_regions < MAX_REGIONS)
        regions[nr_regions++] = (struct region){start, end};
}

/* Takes [start, end) out of all regions. */
static void __init reserve(paddr_t start, paddr_t end)
{
    start &= PAGE_MASK;
    end = ROUND_UP(end, PAGE_SIZE);
    for (unsigned i = 0, n = nr_regions; i < n; i++) {
        struct region *r = &regions[i], old = *r;

        if (start >= old.end || end <= old.start)
            continue;
        r->end = MAX(MIN(start, old.end), old.start);
        if (end < old.end)
            add_region(MAX(end, old.start), old.end);
    }
}

paddr_t __init boot_alloc(uint64_t size, uint64_t align, paddr_t limit)
{
    paddr_t best = 0;

    for (unsigned i = 0; i < nr_regions; i++) {
        paddr_t end = MIN(regions[i].end, limit), at;

        if (end < size)
            continue;
        at = ROUND_DOWN(end - size, align);
        if (at >= regions[i].start && at > best)
            best = at;
    }
    if (!best)
        panic("No %lu KiB of memory for the hypervisor's tables", size >> 10);
    reserve(best, best + size);
    return best;
}

static void __init find_ram(void)
{
    for (unsigned i = 0; i < boot_info.nr_e820; i++) {
        const struct e820_entry *e = &boot_info.e820[i];
        paddr_t start = ROUND_UP(e->addr, PAGE_SIZE), end = (e->addr + e->size) & PAGE_MASK;

        if (e->type != E820_RAM || start >= end)
            continue;
        ram[nr_ram].start = start >> PAGE_SHIFT;
        ram[nr_ram++].end = max_mfn = end >> PAGE_SHIFT;
        ram_pages += (end - start) >> PAGE_SHIFT;
        add_region(MAX(start, LOW_MEMORY), end);
    }
    reserve(virt_to_paddr(_image_start), virt_to_paddr(_image_end));
    for (unsigned i = 0; i < boot_info.nr_modules; i++)
        reserve(boot_info.modules[i].start, boot_info.modules[i].start + boot_info.modules[i].size);
}

static bool __init has_ram(uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < nr_ram; i++)
        if (ram[i].start < end && ram[i].end > start)
            return true;
    return false;
}

/* -- tables ------------------------------------------------------------------------------------------------------- */
static void __init map_table(uint64_t va, paddr_t pa, uint64_t flags)
{
    if (map_range(va, paddr_to_mfn(pa), MB(2) >> PAGE_SHIFT, flags, 2))
        panic("No memory for the hypervisor's page tables");
}

static void __init build_frame_table(void)
{
    for (uint64_t g = 0; g << GROUP_SHIFT < max_mfn; g++) {
        struct page_info *first = frame_table + (g << GROUP_SHIFT);
        paddr_t pa;

        if (!has_ram(g << GROUP_SHIFT, (g + 1) << GROUP_SHIFT))
            continue;
        pa = boot_alloc(MB(2), MB(2), ~0UL);
        map_table((uint64_t)first, pa, PTE_W | PTE_NX | PTE_G);
        memset(first, 0, MB(2));
        /* Those that the heap does not get stay so. */
        for (unsigned i = 0; i < 1U << GROUP_SHIFT; i++)
            first[i].count_info = PGC_reserved;
        set_bit((unsigned)g, group_valid);
    }
}

/* 2 MiB of it describe 1 GiB. Where that holds no RAM there is one read-only page for all, which says "invalid". */
static void __init build_m2p(void)
{
    paddr_t none = 0, pa;

    for (uint64_t m = 0; m < max_mfn; m += M2P_CHUNK_FRAMES) {
        bool real = has_ram(m, m + M2P_CHUNK_FRAMES);
        uint64_t offset = m * sizeof(uint64_t);

        pa = real || !none ? boot_alloc(MB(2), MB(2), ~0UL) : none;
        if (real || !none)
            memset(paddr_to_virt(pa), 0xff, MB(2));
        if (!real)
            none = pa;
        map_table(RO_M2P_START + offset, pa, PTE_U | PTE_NX);
        map_table(RW_M2P_START + offset, pa, PTE_NX | PTE_G | (real ? PTE_W : 0));
    }
}

/* Where the 2 MiB page of the table at va lies. */
static paddr_t __init m2p_chunk(uint64_t va)
{
    const pte_t *table = idle_pgd;

    for (unsigned level = 4; level > 2; level--)
        table = mfn_to_virt(pte_mfn(table[PT_INDEX(va, level)]));
    return table[PT_INDEX(va, 2)] & PTE_ADDR & ~(MB(2) - 1);
}

/* Tools map the table's frames too (XENMEM_machphys_mfn_list): they are DOMID_XEN's, for reading. */
void __init mm_share_m2p(struct domain *d)
{
    for (uint64_t m = 0; m < max_mfn; m += M2P_CHUNK_FRAMES) {
        struct page_info *pg = mfn_to_page(paddr_to_mfn(m2p_chunk(RW_M2P_START + m * sizeof(uint64_t))));

        for (unsigned i = 0; i < MB(2) >> PAGE_SHIFT; i++) {
            page_set_owner(&pg[i], d);
            /* The one type reference is never dropped: they are never writable. */
            pg[i].type_info = PGT_shared_page | PGT_validated | 1;
            pg[i].count_info = PGC_heap | PGC_allocated | 1;
        }
    }
}

void __init mm_init(void)
{
    find_ram();
    pgtable_build_direct_map();
    pgtable_protect_image();
    build_frame_table();
    build_m2p();
    /* From here on boot_alloc must not be called: the regions change hands. */
    for (unsigned i = 0; i < nr_regions; i++)
        if (regions[i].start < regions[i].end)
            mm_release_range(regions[i].start, regions[i].end);
    printk("Memory: %lu MiB RAM, %lu MiB free, highest address %#lx\n", total_ram_pages() >> 8, avail_heap_pages() >> 8,
           max_mfn << PAGE_SHIFT);
}
