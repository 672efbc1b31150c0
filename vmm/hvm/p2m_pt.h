/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nested page table itself, for p2m.c and p2m_logdirty.c only: one walker,
 * and what differs between AMD64 and EPT entries as a table of bits.
 */
#ifndef POLDER_HVM_P2M_PT_H
#define POLDER_HVM_P2M_PT_H

#include "../mm/pgtable.h"
#include "p2m.h"

#define NR_P2M_TYPES (P2M_apic_access + 1)
#define P2M_LEVELS 4
#define P2M_GFN_BITS (P2M_LEVELS * 9)

/* Bits 52 to 55 of an entry are free in both formats: they hold the type, in entries that are not present too. */
#define P2M_TYPE_SHIFT 52
#define P2M_ADDR 0x000ffffffffff000UL

struct p2m_format {
    uint64_t present;            /* any of these: the CPU uses the entry */
    uint64_t table;              /* flags of an entry that refers to a table */
    uint64_t large;              /* a leaf above level 1 */
    uint64_t leaf[NR_P2M_TYPES]; /* access rights and memory type; 0: not present */
};

struct p2m {
    spinlock_t lock; /* LOCK_P2M; taken with interrupts on, since flushes wait for other CPUs */
    struct domain *domain;
    const struct p2m_format *format;
    pte_t *root;
    uint64_t max_gfn;               /* [lock] highest that was ever mapped */
    uint64_t pool_limit, pool_used; /* [lock] pages for tables: allowed, in use */
    uint64_t teardown_next;         /* first gfn not yet torn down */
    bool logdirty, dirty_lost;      /* [lock] log-dirty over all RAM is on; memory for its bitmap lacked */
    unsigned long ***dirty;         /* [lock] three levels of pages, filled in as needed: see p2m_logdirty.c */
    uint64_t retype_next;           /* [lock] first gfn that a switch of log-dirty has yet to see; 0: it is done */
    uint64_t fault_count;           /* [lock] */
};

extern const struct p2m_format p2m_format_amd64, p2m_format_ept;

static inline enum p2m_type p2m_entry_type(pte_t e) { return (e >> P2M_TYPE_SHIFT) & 0xf; }
static inline mfn_t p2m_entry_mfn(pte_t e) { return MFN((e & P2M_ADDR) >> PAGE_SHIFT); }
static inline bool p2m_entry_present(const struct p2m *p, pte_t e) { return e & p->format->present; }
static inline bool p2m_entry_is_table(const struct p2m *p, pte_t e, unsigned level)
{
    return level > 1 && p2m_entry_present(p, e) && !(e & p->format->large);
}
pte_t p2m_make_leaf(const struct p2m *p, mfn_t mfn, unsigned level, enum p2m_type t);

/* The entry that maps gfn now, without a lock; *level is where it stands. */
pte_t p2m_pt_lookup(const struct p2m *p, uint64_t gfn, unsigned *level);
/*
 * The slot of gfn at 'level', or at a higher one if stop_at_leaf and a leaf (or nothing) is there; *level tells. Makes
 * tables and splits leaves on the way otherwise. NULL: the pool is empty. Called with the lock.
 */
pte_t *p2m_pt_slot(struct p2m *p, uint64_t gfn, unsigned *level, bool stop_at_leaf);
static inline uint64_t p2m_frames(unsigned level) { return 1UL << (9 * (level - 1)); }
int p2m_pt_init(struct p2m *p) __must_check;
void p2m_pt_free(struct p2m *p);

/* With the lock: changes one 4 KiB frame's type, keeping the frame. true: the old entry was present (flush). */
int p2m_pt_retype(struct p2m *p, uint64_t gfn, enum p2m_type t, bool *was_present) __must_check;
void p2m_dirty_free(struct p2m *p);
void p2m_dirty_set(struct p2m *p, uint64_t gfn);

#endif
