/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of the image's functions, from the table that tools/make/symbols.sh makes. */
#include "console.h"

extern const uint64_t symbol_count, symbol_addrs[];
extern const uint32_t symbol_offsets[];
extern const char symbol_names[];
extern const char _text_start[], _text_end[], _init_text_start[], _init_text_end[];

const char *symbol_lookup(uint64_t addr, uint64_t *offset)
{
    uint64_t low = 0, high = symbol_count;

    if (!(addr >= (uint64_t)_text_start && addr < (uint64_t)_text_end) &&
        !(addr >= (uint64_t)_init_text_start && addr < (uint64_t)_init_text_end))
        return NULL;
    if (!high || addr < symbol_addrs[0])
        return NULL;
    while (high - low > 1) {
        uint64_t mid = (low + high) / 2;

        if (symbol_addrs[mid] <= addr)
            low = mid;
        else
            high = mid;
    }
    *offset = addr - symbol_addrs[low];
    return symbol_names + symbol_offsets[low];
}
