/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page allocator: a buddy system over all RAM, with a zone for each
 * address width so that low memory is given out last, and the heap on top.
 * Allocate with interrupts on: a frame's new use may have to wait for other
 * CPUs to flush the translations of its former one.
 */
#ifndef POLDER_MM_ALLOC_H
#define POLDER_MM_ALLOC_H

#include "page.h"

#define MAX_ORDER 18 /* 1 GiB */

/* Hypervisor pages, through the direct map: 2^order frames, contents undefined. NULL: no memory. */
void *alloc_xenheap_pages(unsigned order);
void free_xenheap_pages(void *va, unsigned order);
void *alloc_zeroed_page(void);

/*
 * Domain pages: 2^order contiguous frames, scrubbed, owned by d and counted in
 * its tot_pages (unless ALLOC_NO_ACCOUNT, then in nothing but extra_pages), on
 * its page list with PGC_allocated. 'bits': machine addresses below 2^bits (0:
 * any). NULL: no memory, or d's max_pages would be passed.
 */
#define ALLOC_NO_ACCOUNT 1U
#define ALLOC_NO_SCRUB                                                                                                 \
    2U /* for Dom0's construction alone: frames that nobody used since power-on may keep their contents */
struct page_info *alloc_domain_pages(struct domain *d, unsigned order, unsigned bits, unsigned flags);
/*
 * Frames that belong to no domain yet, scrubbed; assign_pages() hands them to one (-E2BIG: above its max_pages, -EINVAL: it
 * is dying). It also takes frames of a boot module, whose size the caller then sets to 0. The first frame that a domain
 * owns takes a reference on the domain; the last one that leaves it drops that.
 */
struct page_info *alloc_anon_pages(unsigned order, unsigned bits);
void free_anon_pages(struct page_info *pg, unsigned order);
int assign_pages(struct domain *d, struct page_info *pg, unsigned order, unsigned flags) __must_check;
/* Takes frames from d's list and accounts without freeing them, for memory exchange; refs must be PGC_allocated only. */
int steal_page(struct domain *d, struct page_info *pg) __must_check;
/*
 * The end of a domain: frees the frames at the head of its list that nobody else holds and that lie in a row, 'max' at most.
 * How many; 0: the first one is held, or there is none.
 */
unsigned free_unshared_pages(struct domain *d, struct page_list *list, unsigned max);

/*
 * Makes one hypervisor page mappable by a guest; it stays hypervisor memory. writable: guest may write it. When its user
 * in the hypervisor calls free_xenheap_pages(va, 0), dom_xen becomes its owner, and it is freed once no guest maps it.
 */
void share_heap_page(void *va, struct domain *d, bool writable);

/* XENMEM_claim_pages: keeps 'pages' frames (those that d has count) for d's coming allocations. 0: no claim. */
int domain_set_claim(struct domain *d, uint64_t pages) __must_check;
uint64_t outstanding_claims(void);

uint64_t avail_heap_pages(void); /* free, claimed ones included */
uint64_t total_ram_pages(void);
uint64_t scrub_pending_pages(void); /* freed, but not to be had before a scrub: none, allocation scrubs what is dirty */
/* For a CPU that has nothing to do: scrubs a free frame ahead. False: there is none, or another CPU is at it. */
bool heap_scrub_some(void);

/* Boot: sets up page tables, frame table, machine-to-phys table and the heap (boot CPU, once). */
void mm_init(void);
void mm_share_m2p(struct domain *d); /* the frames of the machine-to-phys table become d's, mappable for reading */
/* Boot memory that is in use no longer joins the heap. */
void mm_release_range(paddr_t start, paddr_t end);

/* Small objects, aligned to their size rounded up to a power of two (4 KiB at most, 16 bytes at least), zeroed. NULL: no memory. */
void *xzalloc_bytes(size_t size);
void *xrealloc_bytes(void *p, size_t old_size, size_t new_size);
void xfree(void *p);
#define xzalloc(type) ((type *)xzalloc_bytes(sizeof(type)))
static inline void *xzalloc_elems(size_t n, size_t size)
{
    return n <= SIZE_MAX / size ? xzalloc_bytes(n * size) : NULL;
}
#define xzalloc_array(type, n) ((type *)xzalloc_elems((n), sizeof(type)))

#endif
