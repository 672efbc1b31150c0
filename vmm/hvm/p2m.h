/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The physical map of an HVM domain: guest frame -> machine frame, and at the
 * same time the nested page table that the CPU walks (EPT or AMD64 format, one
 * walker).  p2m->lock (LOCK_P2M) guards changes; lookups by the CPU itself and
 * by p2m_get_page are made safe by references.
 */
#ifndef POLDER_HVM_P2M_H
#define POLDER_HVM_P2M_H

#include "hvm.h"

enum p2m_type {
    P2M_invalid, /* nothing there: an access is MMIO for a device model */
    P2M_ram_rw,
    P2M_ram_logdirty, /* write-protected until the first write is noted */
    P2M_ram_ro,       /* ROM: writes are dropped */
    P2M_mmio_direct,  /* machine MMIO mapped through */
    P2M_mmio_dm,      /* HVMMEM_mmio_dm */
    P2M_ioreq_server, /* HVMMEM_ioreq_server: writes go to the server */
    P2M_grant_rw,
    P2M_grant_ro,
    P2M_foreign,
    P2M_apic_access, /* the local APIC's page, where the hardware does accesses to it; MMIO otherwise */
};

int p2m_create(struct domain *d) __must_check;
int p2m_teardown(struct domain *d) __must_check; /* preemptible: -ERESTART */
void p2m_free(struct domain *d);

int p2m_set(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order, enum p2m_type t) __must_check;
mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *t, unsigned *order); /* t, order may be NULL */
/* The frame with a reference, of RAM-like types only; page_put when done. */
struct page_info *p2m_get_page(struct domain *d, gfn_t gfn, enum p2m_type *t);
int p2m_change_type(struct domain *d, gfn_t gfn, enum p2m_type from, enum p2m_type to) __must_check;
/* A nested fault: true if it was the p2m's own business (log-dirty, stale entry) and the guest goes on. */
bool p2m_handle_fault(struct vcpu *v, gpa_t gpa, bool write);
uint64_t p2m_max_gfn(struct domain *d);
/*
 * Log-dirty over all RAM (migration) and over a range (VRAM). Bitmaps have a bit for each gfn. The switches, read and
 * clear want the domain paused. The switches are preemptible: -ERESTART, and the same call goes on. For read and clear,
 * first is a multiple of P2M_DIRTY_CHUNK and n at most that; clear gets the bits that read gave.
 */
#define P2M_DIRTY_CHUNK (PAGE_SIZE * 8)
int p2m_logdirty_enable(struct domain *d) __must_check;
int p2m_logdirty_disable(struct domain *d) __must_check; /* 0 as well where it is off */
int p2m_logdirty_read(struct domain *d, gfn_t first, uint64_t n, uint8_t *bitmap) __must_check;
int p2m_logdirty_clear(struct domain *d, gfn_t first, uint64_t n, const uint8_t *bitmap) __must_check;
int p2m_logdirty_range(struct domain *d, gfn_t first, uint64_t n, uint8_t *bitmap) __must_check;
void p2m_mark_dirty(struct domain *d, gfn_t gfn);
/* A write to a frame that may be log-dirty, by the guest or by the hypervisor for it. */
void p2m_note_write(struct domain *d, gfn_t gfn);
void p2m_logdirty_end_range(struct domain *d, gfn_t first, uint64_t n);
bool p2m_logdirty_is_on(struct domain *d);
uint64_t p2m_logdirty_faults(struct domain *d);
int p2m_clear_grant(struct domain *d, gfn_t gfn, mfn_t mfn) __must_check;
/* The pages that d's tables may take. -ENOMEM: fewer than are in use. */
uint64_t p2m_pool_pages(struct domain *d);
int p2m_set_pool_pages(struct domain *d, uint64_t pages) __must_check;
/* XEN_DOMCTL_shadow_op, with the domctl lock: shadow_op.c. -ERESTART: preempted. */
struct xen_domctl_shadow_op;
long hvm_shadow_op(struct domain *d, struct xen_domctl_shadow_op *op, bool *copyback);
/* Memory types of RAM follow MTRR and PAT only where a device is passed through. */
void p2m_memory_type_changed(struct domain *d);

#endif
