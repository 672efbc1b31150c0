/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log-dirty: which guest frames were written.  RAM is write-protected by its
 * type (P2M_ram_logdirty); the first write makes a frame ordinary again and
 * sets its bit.  The VRAM range needs no bitmap: there the type is the bit.
 * p2m->lock guards all of it.
 *
 * The bitmap is a tree of pages: 512 x 512 pointers, then 32768 bits.
 */
#include "p2m_pt.h"

#include "../lib/string.h"
#include "../mm/alloc.h"

#define LEAF_BITS (PAGE_SIZE * 8)
#define DIRTY_SLOTS 512UL

static unsigned long *p2m_dirty_leaf(struct p2m *p, uint64_t gfn, bool make)
{
    uint64_t i = gfn / LEAF_BITS;
    unsigned long **mid;

    if (!p->dirty || i >= DIRTY_SLOTS * DIRTY_SLOTS)
        return NULL;
    mid = p->dirty[i / DIRTY_SLOTS];
    if (!mid && make)
        mid = p->dirty[i / DIRTY_SLOTS] = alloc_zeroed_page();
    if (!mid)
        return NULL;
    if (!mid[i % DIRTY_SLOTS] && make)
        mid[i % DIRTY_SLOTS] = alloc_zeroed_page();
    return mid[i % DIRTY_SLOTS];
}

void p2m_dirty_set(struct p2m *p, uint64_t gfn)
{
    unsigned long *leaf;

    if (!p->logdirty)
        return;
    leaf = p2m_dirty_leaf(p, gfn, true);
    if (leaf)
        __set_bit(gfn % LEAF_BITS, leaf);
    else
        p->dirty_lost = true;
}

void p2m_dirty_free(struct p2m *p)
{
    if (!p->dirty)
        return;
    for (unsigned i = 0; i < DIRTY_SLOTS; i++) {
        unsigned long **mid = p->dirty[i];

        for (unsigned j = 0; mid && j < DIRTY_SLOTS; j++)
            if (mid[j])
                free_xenheap_pages(mid[j], 0);
        if (mid)
            free_xenheap_pages(mid, 0);
    }
    free_xenheap_pages(p->dirty, 0);
    p->dirty = NULL;
}

void p2m_mark_dirty(struct domain *d, gfn_t gfn)
{
    struct p2m *p = hvm_dom(d)->p2m;

    if (!p->logdirty)
        return;
    spin_lock(&p->lock);
    p2m_dirty_set(p, gfn.v);
    spin_unlock(&p->lock);
}

/* A write to a log-dirty frame, by the guest or on its behalf: note it, and let the next ones through. */
void p2m_note_write(struct domain *d, gfn_t gfn)
{
    struct p2m *p = hvm_dom(d)->p2m;
    unsigned level;
    bool present;

    spin_lock(&p->lock);
    if (p2m_entry_type(p2m_pt_lookup(p, gfn.v, &level)) == P2M_ram_logdirty) {
        p->fault_count++;
        p2m_dirty_set(p, gfn.v);
        /* Without memory to split a large page the whole of it becomes dirty. */
        if (p2m_pt_retype(p, gfn.v, P2M_ram_rw, &present)) {
            unsigned at = 1;
            pte_t *slot = p2m_pt_slot(p, gfn.v, &at, true);

            for (uint64_t i = 0; i < p2m_frames(at); i++)
                p2m_dirty_set(p, (gfn.v & ~(p2m_frames(at) - 1)) + i);
            *slot = p2m_make_leaf(p, p2m_entry_mfn(*slot), at, P2M_ram_rw);
        }
    }
    spin_unlock(&p->lock);
}

/* All leaves of one type become another, whatever their size. */
static void p2m_retype_all(struct p2m *p, enum p2m_type from, enum p2m_type to)
{
    for (uint64_t gfn = 0; gfn <= p->max_gfn;) {
        unsigned level = 1;
        pte_t *slot = p2m_pt_slot(p, gfn, &level, true);

        if (p2m_entry_type(*slot) == from && p2m_entry_present(p, *slot))
            *slot = p2m_make_leaf(p, p2m_entry_mfn(*slot), level, to);
        gfn = (gfn | (p2m_frames(level) - 1)) + 1;
    }
}

int p2m_logdirty_enable(struct domain *d, bool on)
{
    struct p2m *p = hvm_dom(d)->p2m;
    int rc = 0;

    spin_lock(&p->lock);
    if (on && p->logdirty) {
        rc = -EINVAL;
    } else if (on) {
        p->dirty = alloc_zeroed_page();
        rc = p->dirty ? 0 : -ENOMEM;
    } else {
        p2m_dirty_free(p);
    }
    if (!rc) {
        p->logdirty = on;
        p->dirty_lost = false;
        p->fault_count = 0;
        p2m_retype_all(p, on ? P2M_ram_rw : P2M_ram_logdirty, on ? P2M_ram_logdirty : P2M_ram_rw);
        hvm_backend->flush_nested(d);
    }
    spin_unlock(&p->lock);
    return rc;
}

bool p2m_logdirty_is_on(struct domain *d) { return hvm_dom(d)->p2m->logdirty; }
uint64_t p2m_logdirty_faults(struct domain *d) { return hvm_dom(d)->p2m->fault_count; }

/* first is a multiple of 8, and no more than a page of bits is asked for at once: the caller loops. */
int p2m_logdirty_read(struct domain *d, gfn_t first, uint64_t n, uint8_t *bitmap, bool clear)
{
    struct p2m *p = hvm_dom(d)->p2m;
    bool present, flush = false;
    int rc = 0;

    spin_lock(&p->lock);
    if (!p->logdirty)
        rc = -EINVAL;
    else if (p->dirty_lost)
        rc = -ENOMEM;
    memset(bitmap, 0, (n + 7) / 8);
    for (uint64_t i = 0; i < n && !rc; i++) {
        uint64_t gfn = first.v + i;
        unsigned long *leaf = p2m_dirty_leaf(p, gfn, false);
        unsigned level;

        if (!leaf) {
            i += LEAF_BITS - 1 - gfn % LEAF_BITS; /* nothing in this leaf */
            continue;
        }
        if (!test_bit(gfn % LEAF_BITS, leaf))
            continue;
        __set_bit(i, bitmap);
        if (!clear)
            continue;
        __clear_bit(gfn % LEAF_BITS, leaf);
        if (p2m_entry_type(p2m_pt_lookup(p, gfn, &level)) == P2M_ram_rw) {
            rc = p2m_pt_retype(p, gfn, P2M_ram_logdirty, &present);
            flush = true;
        }
    }
    if (flush)
        hvm_backend->flush_nested(d);
    spin_unlock(&p->lock);
    return rc;
}

int p2m_logdirty_range(struct domain *d, gfn_t first, uint64_t n, uint8_t *bitmap)
{
    struct p2m *p = hvm_dom(d)->p2m;
    bool present, flush = false;
    int rc = 0;

    memset(bitmap, 0, (n + 7) / 8);
    spin_lock(&p->lock);
    for (uint64_t i = 0; i < n && !rc; i++) {
        unsigned level;

        if (p2m_entry_type(p2m_pt_lookup(p, first.v + i, &level)) != P2M_ram_rw)
            continue;
        __set_bit(i, bitmap);
        rc = p2m_pt_retype(p, first.v + i, P2M_ram_logdirty, &present);
        flush = true;
    }
    if (flush)
        hvm_backend->flush_nested(d);
    spin_unlock(&p->lock);
    return rc;
}

/* The VRAM range is given up: its frames are ordinary again, unless all RAM is being logged. */
void p2m_logdirty_end_range(struct domain *d, gfn_t first, uint64_t n)
{
    struct p2m *p = hvm_dom(d)->p2m;
    unsigned level;
    bool present;

    spin_lock(&p->lock);
    for (uint64_t i = 0; i < n && !p->logdirty; i++)
        if (p2m_entry_type(p2m_pt_lookup(p, first.v + i, &level)) == P2M_ram_logdirty &&
            p2m_pt_retype(p, first.v + i, P2M_ram_rw, &present))
            break; /* the rest stays as it is; writes will make it ordinary */
    spin_unlock(&p->lock);
}
