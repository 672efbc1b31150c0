/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypervisor's part of every address space: slots 256 to 271 of the top
 * page-table level (public header arch-x86/xen-x86_64.h).  Every other slot
 * belongs to a PV guest.  Usable from assembly.
 *
 *   slot 256      machine-to-phys table, read-only to guests (place fixed by the ABI)
 *   slot 257      ioremap and vmap area
 *   slot 260      per-domain: GDT and LDT of each PV vCPU
 *   slot 261      writable machine-to-phys table, frame table, hypervisor image
 *   slots 262-271 direct map of all RAM (5 TiB)
 */
#ifndef POLDER_MM_LAYOUT_H
#define POLDER_MM_LAYOUT_H

#define HV_SLOT_FIRST 256
#define HV_SLOT_LAST 271
#define PERDOMAIN_SLOT 260

#define RO_M2P_START 0xffff800000000000
#define VMAP_START 0xffff808000000000
#define VMAP_END 0xffff810000000000
#define PERDOMAIN_START 0xffff820000000000
#define IMAGE_START 0xffff82d040000000 /* maps physical address 0 on; the image is linked at + 2 MiB */
#define IMAGE_SIZE 0x40000000
#ifndef POLDER_HOST
#define RW_M2P_START 0xffff828000000000
#define FRAME_TABLE_START 0xffff82e000000000
#define DIRECTMAP_START 0xffff830000000000
#define DIRECTMAP_END 0xffff880000000000
#else /* unit tests: where a process may have memory */
#define RW_M2P_START 0x210000000000
#define FRAME_TABLE_START 0x220000000000
#define DIRECTMAP_START 0x230000000000
#define DIRECTMAP_END 0x240000000000
#endif

#define IMAGE_PHYS 0x200000

/* Each PV vCPU has 32 pages of the per-domain area: 16 for its GDT, 16 for its LDT. */
#define PERDOMAIN_VCPU_PAGES 32
#define GDT_PAGE_OF_HV 14 /* FIRST_RESERVED_GDT_PAGE of the ABI: the hypervisor's own descriptors */

/* Selectors, all in the reserved page; those of ring 3 are fixed by the ABI (FLAT_RING3_*). */
#define HV_CS 0xe008
#define HV_DS 0xe010
#define GUEST_CS32 0xe023
#define GUEST_DS 0xe02b
#define GUEST_CS64 0xe033
#define TSS_SELECTOR 0xe040
#define LDT_SELECTOR 0xe050

/* Each CPU has a stack of this size, so aligned; struct cpu_info stands at its top. */
#define STACK_SIZE 0x8000
#define STACK_ORDER 3

/* Offset of regs in struct vcpu (domain/domain.h), for the entry code: its hardware frame must end 16-byte aligned. */
#define VCPU_REGS 8

#endif
