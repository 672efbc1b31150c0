/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Searching bitmaps. */
#include "bitops.h"

static unsigned find_next(const unsigned long *map, unsigned bits, unsigned from, unsigned long invert)
{
    unsigned word = from / BITS_PER_LONG;
    unsigned long w;

    if (from >= bits)
        return bits;
    w = (map[word] ^ invert) & (~0UL << (from % BITS_PER_LONG));
    while (!w) {
        if (++word >= BITS_TO_LONGS(bits))
            return bits;
        w = map[word] ^ invert;
    }
    return MIN(word * BITS_PER_LONG + ffs64(w), bits);
}

unsigned find_next_bit(const unsigned long *map, unsigned bits, unsigned from) { return find_next(map, bits, from, 0); }

unsigned find_next_zero_bit(const unsigned long *map, unsigned bits, unsigned from)
{
    return find_next(map, bits, from, ~0UL);
}
