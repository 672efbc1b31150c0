/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x86-64 page tables: entry bits, indices, and the hypervisor's own tables. AMD APM 2, 5.3; Intel SDM 3A, 4.5. */
#ifndef POLDER_MM_PGTABLE_H
#define POLDER_MM_PGTABLE_H

#include "page.h"

#define PTE_P (1UL << 0)
#define PTE_W (1UL << 1)
#define PTE_U (1UL << 2)
#define PTE_PWT (1UL << 3)
#define PTE_PCD (1UL << 4)
#define PTE_A (1UL << 5)
#define PTE_D (1UL << 6)
#define PTE_PS (1UL << 7)  /* levels 2 and 3: a large page */
#define PTE_PAT (1UL << 7) /* level 1 */
#define PTE_G (1UL << 8)
#define PTE_AVAIL (7UL << 9)
#define PTE_NX (1UL << 63)
#define PTE_ADDR 0x000ffffffffff000UL

/* PAT as the hypervisor and PV guests have it: WB WT UC- UC WC WP UC UC (Xen's ABI for PV). */
#define HOST_PAT 0x050100070406UL
#define PTE_UC (PTE_PCD | PTE_PWT)
#define PTE_WC (PTE_PAT)

#define PT_ENTRIES 512
#define PT_SHIFT(level) (12 + 9 * ((level)-1))
#define PT_INDEX(va, level) (((uint64_t)(va) >> PT_SHIFT(level)) & (PT_ENTRIES - 1))

typedef uint64_t pte_t;
static inline pte_t make_pte(mfn_t m, uint64_t flags) { return mfn_to_paddr(m) | flags; }
static inline mfn_t pte_mfn(pte_t e) { return paddr_to_mfn(e & PTE_ADDR); }

static inline bool is_canonical(uint64_t va) { return (int64_t)va >> 47 == 0 || (int64_t)va >> 47 == -1; }
/* True where a PV guest may have mappings: canonical and not in slots 256 to 271. */
static inline bool is_guest_va(uint64_t va)
{
    return is_canonical(va) && (PT_INDEX(va, 4) < HV_SLOT_FIRST || PT_INDEX(va, 4) > HV_SLOT_LAST);
}

/*
 * The hypervisor's own top-level table, in the image below 4 GiB. Entries 256 to 271 never change. Until all CPUs are
 * started, entry 0 maps the first 2 MiB at their own addresses too, for the trampoline.
 */
extern pte_t idle_pgd[PT_ENTRIES];
paddr_t idle_cr3(void);
void idle_pgd_drop_low(void); /* removes entry 0's mapping */

/*
 * Maps 'n' frames at a hypervisor address (4 KiB pages; 2 MiB where all is aligned). flags: PTE_W, PTE_NX, PTE_U, cache
 * bits as at level 1; P, A, D (and G unless PTE_U) are added. 0 or -ENOMEM. unmap_pages flushes all CPUs.
 */
int map_pages(void *va, mfn_t mfn, uint64_t n, uint64_t flags) __must_check;
void unmap_pages(void *va, uint64_t n);

/* Device memory, uncached (or with other PTE_ cache bits), from the vmap area. NULL: no memory. */
void *ioremap(paddr_t pa, size_t len);
void *ioremap_cache(paddr_t pa, size_t len, uint64_t pte_cache_bits);
void iounmap(void *va);
/* Several separate frames at consecutive addresses, read-write cached. */
void *vmap(const mfn_t *mfns, unsigned n);
void vunmap(void *va);

#endif
