/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Search of the exception table; it is short and read on faults only, so it is not sorted. */
#include "cpu.h"
#include "extable.h"

struct ex_entry {
    int32_t insn, fixup; /* distances from the fields themselves */
};
extern const struct ex_entry __ex_table_start[], __ex_table_end[];

uint64_t extable_fixup(uint64_t rip)
{
    for (const struct ex_entry *e = __ex_table_start; e < __ex_table_end; e++) {
        if ((uint64_t)&e->insn + (int64_t)e->insn == rip)
            return (uint64_t)&e->fixup + (int64_t)e->fixup;
    }
    return 0;
}
