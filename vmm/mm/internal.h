/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this folder share. */
#ifndef POLDER_MM_INTERNAL_H
#define POLDER_MM_INTERNAL_H

#include "alloc.h"
#include "pgtable.h"

/* -- init.c: memory that the heap does not have yet. Boot CPU only; panics where there is none. ------------------- */
paddr_t boot_alloc(uint64_t size, uint64_t align, paddr_t limit);
extern bool heap_ready; /* the page allocator works; boot_alloc does no more */

/* -- pgtable.c ---------------------------------------------------------------------------------------------------- */
extern pte_t hv_l3[HV_SLOT_LAST - HV_SLOT_FIRST + 1][PT_ENTRIES];
/* As map_pages, with pages of at most 'max_level' (3: 1 GiB) and no G unless flags have it. */
int map_range(uint64_t va, mfn_t mfn, uint64_t n, uint64_t flags, unsigned max_level) __must_check;
/* Boot: maps all at once, then replaces what head.S made. */
void pgtable_build_direct_map(void);
void pgtable_protect_image(void);

/* -- page_alloc.c ------------------------------------------------------------------------------------------------- */
/*
 * 2^order frames out of the heap, with no owner and count_info PGC_dirty or 0; stale TLB entries are flushed. 'd' may use up its
 * own claim. NULL: no memory.
 */
struct page_info *heap_alloc(const struct domain *d, unsigned order, unsigned bits);
/* Frames to the heap; what they hold is secret until scrubbed. */
void heap_free(struct page_info *pg, unsigned order);
void heap_free_run(struct page_info *pg, uint64_t n); /* n frames in a row, from any one on */
void scrub_if_dirty(struct page_info *pg, unsigned order);

/* -- domain_pages.c ------------------------------------------------------------------------------------------------ */
/* The last reference is gone. */
void free_domain_page(struct page_info *pg);
void claim_consume(struct domain *d, uint64_t pages); /* with d->page_lock */
uint64_t claim_of(const struct domain *d);

void page_list_add_head(struct page_list *l, struct page_info *pg);

#endif
