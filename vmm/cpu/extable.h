/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions of the hypervisor that may fault, and where each goes on then. */
#ifndef POLDER_CPU_EXTABLE_H
#define POLDER_CPU_EXTABLE_H

#ifdef __ASSEMBLY__
/* clang-format off */
.macro EX_TABLE from, to
    .pushsection .ex_table, "a"
    .balign 4
    .long \from - ., \to - .
    .popsection
.endm
/* clang-format on */
#else

#include "../lib/types.h"

/* For inline assembly: local labels "1b", "2b". */
#define EX_TABLE(from, to)                                                                                             \
    ".pushsection .ex_table,\"a\"\n\t.balign 4\n\t.long " from " - ., " to " - .\n\t.popsection\n\t"

/* Copies to or from memory that may not be there, such as a PV guest's. 0, or -EFAULT after a partial copy. */
int copy_bytes_safe(void *dst, const void *src, size_t n) __must_check;
/* Loads a segment register with a selector that the CPU may refuse. 0, or -EFAULT with the register unchanged. */
int load_segment_safe_ds(uint16_t sel) __must_check;
int load_segment_safe_es(uint16_t sel) __must_check;
int load_segment_safe_fs(uint16_t sel) __must_check;
int load_segment_safe_gs(uint16_t sel) __must_check;

#endif
#endif
