/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer and address types.  Frame numbers and addresses of different spaces
 * are structs of one member, so that mixing them does not compile.
 */
#ifndef POLDER_LIB_TYPES_H
#define POLDER_LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

typedef int64_t time_ns_t; /* nanoseconds since boot, or a span of them */
typedef uint64_t paddr_t;  /* a machine physical address */

typedef struct {
    uint64_t v;
} mfn_t; /* machine frame number */
typedef struct {
    uint64_t v;
} gfn_t; /* guest frame number: index into a p2m (PV: equals the mfn) */
typedef struct {
    uint64_t v;
} gpa_t; /* guest physical address */

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

#define MFN(n) ((mfn_t){(n)})
#define GFN(n) ((gfn_t){(n)})
#define GPA(a) ((gpa_t){(a)})
#define INVALID_MFN MFN(~0ULL)
#define INVALID_GFN GFN(~0ULL)

static inline bool mfn_eq(mfn_t a, mfn_t b) { return a.v == b.v; }
static inline bool gfn_eq(gfn_t a, gfn_t b) { return a.v == b.v; }
static inline mfn_t mfn_add(mfn_t m, uint64_t n) { return MFN(m.v + n); }
static inline gfn_t gfn_add(gfn_t g, uint64_t n) { return GFN(g.v + n); }
static inline paddr_t mfn_to_paddr(mfn_t m) { return m.v << PAGE_SHIFT; }
static inline mfn_t paddr_to_mfn(paddr_t a) { return MFN(a >> PAGE_SHIFT); }
static inline gfn_t gpa_to_gfn(gpa_t a) { return GFN(a.v >> PAGE_SHIFT); }
static inline gpa_t gfn_to_gpa(gfn_t g) { return GPA(g.v << PAGE_SHIFT); }

#endif
