/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses for device memory and for scattered frames.  A mapping is followed by an unmapped page, which both catches
 * overruns and tells where it ends.  vmap_lock guards the map of what is given out.
 */
#include "../lib/bitops.h"
#include "../lib/printk.h"
#include "../lib/spinlock.h"
#include "internal.h"

#define VMAP_PAGES (GB(1) >> PAGE_SHIFT)

static DECLARE_BITMAP(in_use, VMAP_PAGES);
static DEFINE_SPINLOCK(vmap_lock);

/* n pages and one more. 0: none left. */
static uint64_t reserve(uint64_t n)
{
    unsigned start = 0, end;
    uint64_t va = 0;

    spin_lock(&vmap_lock);
    for (;;) {
        start = find_next_zero_bit(in_use, VMAP_PAGES, start);
        if (start + n + 1 > VMAP_PAGES)
            break;
        end = find_next_bit(in_use, (unsigned)(start + n + 1), start);
        if (end == start + n + 1) {
            for (unsigned i = start; i < end; i++)
                __set_bit(i, in_use);
            va = VMAP_START + ((uint64_t)start << PAGE_SHIFT);
            break;
        }
        start = end;
    }
    spin_unlock(&vmap_lock);
    return va;
}

static void release(uint64_t va, uint64_t n)
{
    unsigned start = (unsigned)((va - VMAP_START) >> PAGE_SHIFT);

    spin_lock(&vmap_lock);
    for (uint64_t i = 0; i <= n; i++)
        __clear_bit((unsigned)(start + i), in_use);
    spin_unlock(&vmap_lock);
}

static bool is_mapped(uint64_t va)
{
    pte_t e = hv_l3[PT_INDEX(va, 4) - HV_SLOT_FIRST][PT_INDEX(va, 3)];

    for (unsigned level = 2; level >= 1 && (e & PTE_P); level--)
        e = ((pte_t *)mfn_to_virt(pte_mfn(e)))[PT_INDEX(va, level)];
    return e & PTE_P;
}

static void drop(void *va)
{
    uint64_t start = (uint64_t)va & PAGE_MASK, n = 0;

    if (!va)
        return;
    BUG_ON(start < VMAP_START || start >= VMAP_END);
    while (is_mapped(start + (n << PAGE_SHIFT)))
        n++;
    unmap_pages((void *)start, n);
    release(start, n);
}

void *ioremap_cache(paddr_t pa, size_t len, uint64_t pte_cache_bits)
{
    uint64_t offset = pa & ~PAGE_MASK, n = DIV_ROUND_UP(offset + len, PAGE_SIZE), va;

    if (!len || len > (VMAP_PAGES << PAGE_SHIFT) / 2)
        return NULL;
    va = reserve(n);
    if (!va)
        return NULL;
    if (map_range(va, paddr_to_mfn(pa), n, PTE_W | PTE_NX | PTE_G | pte_cache_bits, 1)) {
        unmap_pages((void *)va, n);
        release(va, n);
        return NULL;
    }
    return (void *)(va + offset);
}

void *ioremap(paddr_t pa, size_t len) { return ioremap_cache(pa, len, PTE_UC); }
void iounmap(void *va) { drop(va); }

void *vmap(const mfn_t *mfns, unsigned n)
{
    uint64_t va = n ? reserve(n) : 0;

    for (unsigned i = 0; va && i < n; i++)
        if (map_range(va + ((uint64_t)i << PAGE_SHIFT), mfns[i], 1, PTE_W | PTE_NX | PTE_G, 1)) {
            unmap_pages((void *)va, n);
            release(va, n);
            return NULL;
        }
    return (void *)va;
}

void vunmap(void *va) { drop(va); }
