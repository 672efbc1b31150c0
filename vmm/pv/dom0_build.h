/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files that build Dom0: where everything lies in its memory. */
#ifndef POLDER_PV_DOM0_BUILD_H
#define POLDER_PV_DOM0_BUILD_H

#include "../boot/image.h"
#include "pv.h"

/* Consecutive guest frames that are consecutive in the machine too. */
struct dom0_chunk {
    uint64_t pfn, mfn, count;
};

/*
 * Guest frames are numbered from 0 on.  The first ones, [v_start, v_end), are mapped one after the other from v_start:
 * kernel, then what of initrd, p2m list, start info, page tables and stack is mapped there at all.  The rest of the
 * initrd and of the p2m list have frames behind v_end.
 */
struct dom0_build {
    struct domain *d;
    struct vcpu *v;
    struct image_info img;
    const void *initrd;
    uint64_t initrd_len;
    bool initrd_in_place; /* it and the kernel start on page borders: its frames become Dom0's instead of a copy */
    const char *cmdline;

    uint64_t nr_pages;
    struct dom0_chunk *chunk; /* by rising pfn, without gaps */
    unsigned nr_chunks, chunk_room;

    uint64_t v_start, v_end;
    uint64_t v_initrd; /* 0: not mapped */
    uint64_t v_p2m;    /* in [v_start, v_end), or where the kernel's note wants it */
    uint64_t v_start_info, v_pt, v_stack;
    uint64_t nr_pt; /* frames for the tables of [v_start, v_end), the L4 first */
    uint64_t used_pt;
    uint64_t initrd_pfn;
    uint64_t p2m_pfn; /* frames of the p2m list, then those of its tables, if it is not in [v_start, v_end) */
    uint64_t nr_p2m_frames, nr_p2m_pt, used_p2m_pt;
    uint64_t end_pfn; /* first one that nothing is placed in */
};

static inline uint64_t dom0_initrd_frames(const struct dom0_build *b) { return DIV_ROUND_UP(b->initrd_len, PAGE_SIZE); }

/* dom0_build_mem.c */
void dom0_allocate_memory(struct dom0_build *b); /* panics: not enough */
uint64_t dom0_mfn(const struct dom0_build *b, uint64_t pfn);
void *dom0_frame(const struct dom0_build *b, uint64_t pfn); /* in the direct map */
void dom0_write_p2m(const struct dom0_build *b);

/* dom0_build_pt.c */
uint64_t dom0_tables_for(uint64_t start,
                         uint64_t end); /* frames that map [start, end) with 4 KiB pages, without the L4 */
void dom0_build_tables(struct dom0_build *b);
void dom0_pin_tables(struct dom0_build *b);

#endif
