/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Dom0 is to be: the options dom0=, dom0_mem= and dom0_max_vcpus=, and who builds it as PVH. */
#ifndef POLDER_DOMAIN_DOM0_H
#define POLDER_DOMAIN_DOM0_H

#include "domain.h"

bool dom0_is_pvh(void);
/* Its memory at the start and the most it may have, in pages. Panics where too little is free. */
uint64_t dom0_memory_pages(uint64_t *max_pages);
/* As many as CPUs, within dom0_max_vcpus=. */
unsigned dom0_vcpus(void);

/* dom0=pvh: set by vmm/hvm. NULL: not available. */
extern int (*hvm_dom0_construct)(struct domain *d, const void *kernel, size_t kernel_len, const void *initrd,
                                 size_t initrd_len, const char *cmdline);

#endif
