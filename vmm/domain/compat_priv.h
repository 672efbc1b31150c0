/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files that translate 32-bit hypercalls. A handle is 4 bytes there, xen_pfn_t and xen_ulong_t are too. */
#ifndef POLDER_DOMAIN_COMPAT_PRIV_H
#define POLDER_DOMAIN_COMPAT_PRIV_H

#include "compat.h"

typedef uint32_t handle32_t;

/* The pseudo guest address of an offset in the CPU's buffer, and the buffer there. */
#define XLAT_GVA(offset) (COMPAT_XLAT_BASE + (offset))
void *xlat_at(size_t offset);

/* Arrays of frame numbers: between 32-bit ones in the guest and 64-bit ones in the buffer. 0 or -EFAULT. */
int compat_pfns_in(size_t offset, uint64_t gva, unsigned n) __must_check;
int compat_pfns_out(uint64_t gva, size_t offset, unsigned n) __must_check;

/*
 * If the native handler asked for a continuation, takes that back and gives the argument that says how far it came;
 * false: it did not.
 */
bool compat_take_continuation(unsigned arg, uint64_t *value);

long compat_memory_op(uint64_t cmd, uint64_t arg);
long compat_grant_table_op(uint64_t cmd, uint64_t uop, uint64_t count);

#endif
