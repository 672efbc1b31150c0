/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLB flushes on this CPU and others.  A clock that each full flush advances
 * lets a freed frame be reused without a flush where each CPU that could hold
 * a stale translation has flushed since (page_info.tlb_stamp).  It counts
 * flushes of non-global entries, so no guest mapping may be global.
 */
#ifndef POLDER_MM_TLB_H
#define POLDER_MM_TLB_H

#include "../lib/cpumask.h"
#include "../lib/types.h"

#define FLUSH_TLB 1U        /* all non-global entries */
#define FLUSH_TLB_GLOBAL 2U /* global entries too */
#define FLUSH_VA 4U         /* one page */
#define FLUSH_CACHE 8U      /* WBINVD */

void flush_tlb_local(unsigned flags, uint64_t va);
/* Flushes on the CPUs of the mask (this one included if in it) and returns when all have. Interrupts must be on. */
void flush_tlb_mask(const cpumask_t *mask, unsigned flags, uint64_t va);
void tlb_flush_ipi(void); /* what VECTOR_INVALIDATE runs */
uint32_t tlb_clock(void);
/* Before a frame with this stamp gets a new owner or type: flush where it may still be cached. */
void tlb_filter_flush(uint32_t stamp);
/* Loads CR3 and flushes; counts as a flush for the clock. */
void write_cr3_flush(uint64_t cr3);

#endif
