/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the walker, the copies and the emulator share about a guest's memory. */
#ifndef POLDER_HVM_GUEST_MEM_H
#define POLDER_HVM_GUEST_MEM_H

#include "../cpu/policy.h"
#include "hvm.h"

/* Wanted access: the CPU's own, to descriptor tables: SMAP is not lifted by EFLAGS.AC for it. */
#define PFEC_IMPLICIT 0x10000

/* The RAM at gpa, up to its page's end, for reading or writing. Other types: NULL with *err. */
enum guest_ram { GUEST_RAM, GUEST_RAM_DISCARD /* ROM: writes have no effect */, GUEST_NOT_RAM };
struct page_info *hvm_get_ram(struct domain *d, gpa_t gpa, bool write, enum guest_ram *kind);

#endif
