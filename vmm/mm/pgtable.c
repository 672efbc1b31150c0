/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypervisor's own page tables.  Their third level is in the image, one table for each of the slots 256 to 271, so that
 * all address spaces share it and see each change.  pgtable_lock guards them.
 */
#include "../boot/boot.h"
#include "../cpu/asm.h"
#include "../cpu/percpu.h"
#include "../cpu/regs.h"
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../lib/spinlock.h"
#include "../lib/string.h"
#include "internal.h"
#include "tlb.h"

#define PTE_TABLE (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define PTE_LARGE_PAT (1UL << 12)

static DEFINE_SPINLOCK(pgtable_lock);
/* While boot builds a slot anew, its third level is here. */
static pte_t *l3_under_construction[HV_SLOT_LAST - HV_SLOT_FIRST + 1];
static pte_t scratch_l3[PT_ENTRIES] __section(".init.data") __aligned(4096);

extern const char _text_start[], _init_text_end[], _rodata_start[], _rodata_end[], _init_data_start[], _image_end[];

paddr_t virt_to_paddr(const void *va)
{
    uint64_t a = (uint64_t)va;

    if (a >= IMAGE_START && a < IMAGE_START + IMAGE_SIZE)
        return a - IMAGE_START;
    ASSERT(a >= DIRECTMAP_START && a < DIRECTMAP_END);
    return a - DIRECTMAP_START;
}

paddr_t idle_cr3(void) { return virt_to_paddr(idle_pgd); }

void idle_pgd_drop_low(void)
{
    idle_pgd[0] = 0;
    flush_tlb_mask(&cpu_online_map, FLUSH_TLB, 0);
}

static bool has_1gib_pages(void)
{
    uint32_t r[4];

    cpuid_count(0x80000001, 0, r);
    return r[3] & (1U << 26);
}

/* A zeroed frame for a table. Before the heap is there: one that the first page tables map. */
static pte_t *new_table(void)
{
    paddr_t pa;

    if (heap_ready)
        return alloc_zeroed_page();
    pa = boot_alloc(PAGE_SIZE, PAGE_SIZE, GB(4));
    return memset(paddr_to_virt(pa), 0, PAGE_SIZE);
}

static pte_t *table_of(pte_t e) { return mfn_to_virt(pte_mfn(e)); }

/* Replaces a large page at 'level' by a table of smaller ones that maps the same. */
static int split(pte_t *pte, unsigned level)
{
    pte_t *table = new_table(), old = *pte;
    uint64_t flags = old & ~PTE_ADDR & ~PTE_PS, step = 1UL << PT_SHIFT(level - 1);

    if (!table)
        return -ENOMEM;
    if (level == 3)
        flags |= PTE_PS | (old & PTE_LARGE_PAT);
    else if (old & PTE_LARGE_PAT)
        flags |= PTE_PAT;
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        table[i] = ((old & PTE_ADDR & ~PTE_LARGE_PAT) + i * step) | flags;
    WRITE_ONCE(*pte, virt_to_paddr(table) | PTE_TABLE);
    return 0;
}

/* The entry at 'level' for an address; tables on the way are made if 'create', large pages split. */
static pte_t *find_pte(uint64_t va, unsigned level, bool create, int *rc)
{
    unsigned slot = PT_INDEX(va, 4) - HV_SLOT_FIRST;
    pte_t *table = l3_under_construction[slot] ?: hv_l3[slot];

    *rc = 0;
    for (unsigned at = 3; at > level; at--) {
        pte_t *pte = &table[PT_INDEX(va, at)];

        if (!(*pte & PTE_P)) {
            pte_t *new = create ? new_table() : NULL;

            if (!new) {
                *rc = create ? -ENOMEM : 0;
                return NULL;
            }
            *pte = virt_to_paddr(new) | PTE_TABLE;
        } else if ((*pte & PTE_PS) && (*rc = split(pte, at)) != 0) {
            return NULL;
        }
        table = table_of(*pte);
    }
    return &table[PT_INDEX(va, level)];
}

/* True if a page of this level can map the first of n frames at va; it must not hide a table that is there. */
static bool page_fits(uint64_t va, mfn_t mfn, uint64_t n, unsigned level)
{
    uint64_t frames = 1UL << (PT_SHIFT(level) - PAGE_SHIFT);
    pte_t *pte;
    int rc;

    if (n < frames || ((va >> PAGE_SHIFT) | mfn.v) & (frames - 1))
        return false;
    pte = find_pte(va, level, false, &rc);
    return !pte || !(*pte & PTE_P) || (*pte & PTE_PS);
}

static int map_range_locked(uint64_t va, mfn_t mfn, uint64_t n, uint64_t flags, unsigned max_level)
{
    while (n) {
        unsigned level = max_level;
        uint64_t frames, f = flags | PTE_P | PTE_A | PTE_D;
        pte_t *pte;
        int rc;

        while (level > 1 && !page_fits(va, mfn, n, level))
            level--;
        pte = find_pte(va, level, true, &rc);
        if (!pte)
            return rc;
        if (level > 1)
            f = (f & ~PTE_PAT) | PTE_PS | (f & PTE_PAT ? PTE_LARGE_PAT : 0);
        WRITE_ONCE(*pte, make_pte(mfn, f));
        frames = 1UL << (PT_SHIFT(level) - PAGE_SHIFT);
        va += frames << PAGE_SHIFT;
        mfn = mfn_add(mfn, frames);
        n -= frames;
    }
    return 0;
}

int map_range(uint64_t va, mfn_t mfn, uint64_t n, uint64_t flags, unsigned max_level)
{
    int rc;

    spin_lock(&pgtable_lock);
    rc = map_range_locked(va, mfn, n, flags, max_level);
    spin_unlock(&pgtable_lock);
    return rc;
}

int map_pages(void *va, mfn_t mfn, uint64_t n, uint64_t flags)
{
    return map_range((uint64_t)va, mfn, n, flags | (flags & PTE_U ? 0 : PTE_G), 2);
}

void unmap_pages(void *va, uint64_t n)
{
    uint64_t at = (uint64_t)va;
    int rc;

    spin_lock(&pgtable_lock);
    for (uint64_t i = 0; i < n; i++, at += PAGE_SIZE) {
        pte_t *pte = find_pte(at, 1, false, &rc);

        if (rc)
            panic("No memory to split a large page at %016lx", at);
        if (pte)
            WRITE_ONCE(*pte, 0);
    }
    spin_unlock(&pgtable_lock);
    flush_tlb_mask(&cpu_online_map, FLUSH_TLB_GLOBAL, 0);
    if (!cpumask_test(smp_processor_id(), &cpu_online_map))
        flush_tlb_local(FLUSH_TLB_GLOBAL, 0); /* early boot */
}

/* -- boot --------------------------------------------------------------------------------------------------------- */
static void __init must_map(uint64_t va, uint64_t start, uint64_t end, uint64_t flags, unsigned max_level)
{
    if (map_range(va, paddr_to_mfn(start), (end - start) >> PAGE_SHIFT, flags, max_level))
        panic("No memory for the hypervisor's page tables");
}

/*
 * RAM, and what the firmware left for an operating system to read.  The tables are written through the old direct
 * map, which the new one replaces when it is complete.
 */
void __init pgtable_build_direct_map(void)
{
    unsigned slot = PT_INDEX(DIRECTMAP_START, 4) - HV_SLOT_FIRST, level = has_1gib_pages() ? 3 : 2;
    uint64_t done = MB(1);

    l3_under_construction[slot] = scratch_l3;
    must_map(DIRECTMAP_START, 0, MB(1), PTE_W | PTE_NX | PTE_G, 1);
    for (unsigned i = 0; i < boot_info.nr_e820; i++) {
        const struct e820_entry *e = &boot_info.e820[i];
        uint64_t start = MAX(e->addr & PAGE_MASK, done), end = ROUND_UP(e->addr + e->size, PAGE_SIZE);

        if ((e->type != E820_RAM && e->type != 3 && e->type != 4) || end <= start)
            continue;
        if (end > DIRECTMAP_END - DIRECTMAP_START)
            panic("RAM above 5 TiB is not supported");
        must_map(DIRECTMAP_START + start, start, end, PTE_W | PTE_NX | PTE_G, level);
        done = end;
    }
    memcpy(hv_l3[slot], scratch_l3, PAGE_SIZE);
    l3_under_construction[slot] = NULL;
    flush_tlb_local(FLUSH_TLB_GLOBAL, 0);
}

static void __init map_image(const char *start, const char *end, uint64_t flags)
{
    must_map((uint64_t)start, virt_to_paddr(start), virt_to_paddr(end), flags | PTE_G, 1);
}

/* Text is not writable and data not executable; only the first 2 MiB stay mapped at 0, for starting other CPUs. */
void __init pgtable_protect_image(void)
{
    unsigned slot = PT_INDEX(IMAGE_START, 4) - HV_SLOT_FIRST, index = PT_INDEX(IMAGE_START, 3);
    pte_t *low_l3 = table_of(idle_pgd[0]), *low_l2 = table_of(low_l3[0]);

    memcpy(scratch_l3, hv_l3[slot], PAGE_SIZE);
    scratch_l3[index] = 0;
    l3_under_construction[slot] = scratch_l3;
    map_image(_text_start, _init_text_end, 0);
    map_image(_rodata_start, _rodata_end, PTE_NX);
    map_image(_init_data_start, _image_end, PTE_W | PTE_NX);
    hv_l3[slot][index] = scratch_l3[index];
    l3_under_construction[slot] = NULL;
    memset(low_l3 + 1, 0, PAGE_SIZE - sizeof(*low_l3));
    memset(low_l2 + 1, 0, PAGE_SIZE - sizeof(*low_l2));
    flush_tlb_local(FLUSH_TLB_GLOBAL, 0);
}
