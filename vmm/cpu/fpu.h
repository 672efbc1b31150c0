/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extended state (x87 to AVX-512, PKRU): saved when a vCPU leaves a CPU and
 * restored when it comes; the hypervisor itself uses none of it.
 */
#ifndef POLDER_CPU_FPU_H
#define POLDER_CPU_FPU_H

#include "../lib/types.h"

struct xsave_area; /* 64-byte aligned, standard (not compacted) format: legacy region, header, components */

void fpu_init_boot(void);
void fpu_init_cpu(void);
extern uint64_t xfeature_mask;          /* XCR0 bits the machine has and guests may set; 0: no XSAVE */
extern unsigned xsave_size;             /* bytes of the area with all of xfeature_mask */
unsigned xstate_size_of(uint64_t xcr0); /* standard format */
unsigned xstate_compact_size_of(uint64_t xcr0);

struct xsave_area *fpu_alloc(void); /* in the reset state; NULL: no memory */
void fpu_free(struct xsave_area *a);
void fpu_reset(struct xsave_area *a);
/*
 * xcr0: the guest's (x87 bit always set); xcr0_accum: all bits that it ever set, and those of x87 and SSE: FXSAVE and
 * SSE instructions ask CR4.OSFXSR alone (Intel SDM 1, 13.5.2).
 */
#define XCR0_LEGACY 3UL
void fpu_save(struct xsave_area *a, uint64_t xcr0_accum);
void fpu_restore(const struct xsave_area *a, uint64_t xcr0_accum);
void xcr0_write(uint64_t xcr0); /* nothing where there is no XSAVE */
bool xcr0_valid(uint64_t xcr0, uint64_t allowed);

#endif
