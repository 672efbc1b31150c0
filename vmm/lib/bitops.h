/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bits: single words, and bitmaps of unsigned long. The atomic forms order memory as LOCK-prefixed instructions do. */
#ifndef POLDER_LIB_BITOPS_H
#define POLDER_LIB_BITOPS_H

#include "types.h"

#define BITS_PER_LONG 64
#define BITS_TO_LONGS(n) DIV_ROUND_UP((size_t)(n), BITS_PER_LONG)
#define DECLARE_BITMAP(name, bits) unsigned long name[BITS_TO_LONGS(bits)]

static inline bool test_bit(unsigned nr, const volatile void *addr)
{
    return (((const volatile uint8_t *)addr)[nr / 8] >> (nr % 8)) & 1;
}

/* Atomic; addr needs no alignment beyond that of 4 bytes. */
static inline void set_bit(unsigned nr, volatile void *addr)
{
    __atomic_fetch_or((volatile uint32_t *)addr + nr / 32, 1U << (nr % 32), __ATOMIC_SEQ_CST);
}
static inline void clear_bit(unsigned nr, volatile void *addr)
{
    __atomic_fetch_and((volatile uint32_t *)addr + nr / 32, ~(1U << (nr % 32)), __ATOMIC_SEQ_CST);
}
static inline bool test_and_set_bit(unsigned nr, volatile void *addr)
{
    uint32_t bit = 1U << (nr % 32);
    return __atomic_fetch_or((volatile uint32_t *)addr + nr / 32, bit, __ATOMIC_SEQ_CST) & bit;
}
static inline bool test_and_clear_bit(unsigned nr, volatile void *addr)
{
    uint32_t bit = 1U << (nr % 32);
    return __atomic_fetch_and((volatile uint32_t *)addr + nr / 32, ~bit, __ATOMIC_SEQ_CST) & bit;
}

/* Not atomic. */
static inline void __set_bit(unsigned nr, void *addr) { ((uint8_t *)addr)[nr / 8] |= 1U << (nr % 8); }
static inline void __clear_bit(unsigned nr, void *addr) { ((uint8_t *)addr)[nr / 8] &= ~(1U << (nr % 8)); }

/* Index of the lowest / highest set bit; x must not be 0. */
static inline unsigned ffs64(uint64_t x) { return (unsigned)__builtin_ctzll(x); }
static inline unsigned fls64(uint64_t x) { return 63U - (unsigned)__builtin_clzll(x); }
static inline unsigned hweight64(uint64_t x)
{
    unsigned n = 0;
    for (; x; x &= x - 1)
        n++;
    return n;
}

/* First set (clear) bit at or after 'from'; 'bits' if there is none. In bitops.c. */
unsigned find_next_bit(const unsigned long *map, unsigned bits, unsigned from);
unsigned find_next_zero_bit(const unsigned long *map, unsigned bits, unsigned from);

#endif
