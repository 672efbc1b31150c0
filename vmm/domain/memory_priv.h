/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of memory operations. Each handler takes the operation's start: where an earlier run of it got to.
 */
#ifndef POLDER_DOMAIN_MEMORY_PRIV_H
#define POLDER_DOMAIN_MEMORY_PRIV_H

#include "../cpu/percpu.h"
#include "../mm/alloc.h"
#include "hypercall.h"
#include "memory.h"

#define MEMOP_START_SHIFT 6 /* public header memory.h: the commands leave the bits above for the hypervisor */
#define MEMOP_CMD_MASK ((1UL << MEMOP_START_SHIFT) - 1)
/* One extent is allocated and scrubbed without a break: 2 MiB. */
#define MEMORY_MAX_ORDER 9
#define GFN_MAX (1UL << 40) /* of any guest: 52-bit addresses */

static inline long memory_continue(unsigned op, uint64_t start, uint64_t arg)
{
    return hypercall_continue(__HYPERVISOR_memory_op, 2, (uint64_t)(op | start << MEMOP_START_SHIFT), arg);
}

/* guest_remove_page with d->lock held. The caller drops *pg, if there is one, after the lock. */
int guest_remove_page_locked(struct domain *d, gfn_t gfn, struct page_info **pg) __must_check;

long memory_reservation(unsigned op, uint64_t start, uint64_t arg); /* memory_extents.c */
long memory_exchange(uint64_t arg);                                 /* memory_exchange.c */
long memory_add_to_physmap(uint64_t start, uint64_t arg);           /* memory_physmap.c */
long memory_add_to_physmap_batch(uint64_t start, uint64_t arg);
long memory_remove_from_physmap(uint64_t arg);
long memory_map_get(uint64_t arg); /* memory_map.c */
long memory_map_set(uint64_t arg);
long memory_map_machine(uint64_t arg);
long memory_machphys_list(uint64_t arg);
long memory_machphys_mapping(uint64_t arg);
long memory_acquire_resource(uint64_t start, uint64_t arg); /* memory_resource.c */

#endif
