/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypercalls by 32-bit HVM code.  Arguments in memory are rewritten in the 64-bit layout in a buffer of the CPU, which the
 * handlers reach through the ordinary copy functions: guest addresses from COMPAT_XLAT_BASE on mean that buffer while
 * such a call is in progress, and 32-bit code cannot name them.
 */
#ifndef POLDER_DOMAIN_COMPAT_H
#define POLDER_DOMAIN_COMPAT_H

#include "hypercall.h"

#define COMPAT_XLAT_BASE 0xffffffff00000000UL
#define COMPAT_XLAT_SIZE 8192

/* The buffer at such an address; NULL if the range is not within it. */
void *compat_xlat(uint64_t gva, size_t n);
static inline bool compat_is_xlat(uint64_t gva) { return gva >= COMPAT_XLAT_BASE; }
long compat_call(unsigned nr, const uint64_t a[5]);
/* The native handler of a call, as 64-bit guests of current's type have it; -ENOSYS where there is none. */
long hypercall_call_native(unsigned nr, const uint64_t a[5]);

#endif
