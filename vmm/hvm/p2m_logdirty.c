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

#include "../domain/hypercall.h"
#include "../lib/string.h"
#include "../mm/alloc.h"

#define LEAF_BITS P2M_DIRTY_CHUNK
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

/* -- on and off ---------------------------------------------------------------------------------------------------- */
#define RETYPE_BATCH 8192 /* leaves, between two looks at what else waits */

/*
 * Leaves of one type become another, whatever their size, from retype_next on. Log-dirty is on already, or off, so what is
 * set meanwhile needs no second look.
 */
static void retype_some(struct p2m *p)
{
    enum p2m_type from = p->logdirty ? P2M_ram_rw : P2M_ram_logdirty, to = p->logdirty ? P2M_ram_logdirty : P2M_ram_rw;
    uint64_t gfn = p->retype_next;

    for (unsigned n = 0; gfn <= p->max_gfn && n < RETYPE_BATCH; n++) {
        unsigned level = 1;
        pte_t *slot = p2m_pt_slot(p, gfn, &level, true);

        if (p2m_entry_type(*slot) == from && p2m_entry_present(p, *slot))
            __atomic_store_n(slot, p2m_make_leaf(p, p2m_entry_mfn(*slot), level, to), __ATOMIC_RELEASE);
        gfn = (gfn | (p2m_frames(level) - 1)) + 1;
    }
    p->retype_next = gfn <= p->max_gfn ? gfn : 0;
    hvm_backend->flush_nested(p->domain);
}

/* Goes on with a switch that is under way, a batch at a time: others get the lock in between. */
static int retype(struct p2m *p)
{
    bool more;

    do {
        spin_lock(&p->lock);
        if (p->retype_next)
            retype_some(p);
        more = p->retype_next;
        spin_unlock(&p->lock);
    } while (more && !hypercall_preempt_check());
    return more ? -ERESTART : 0;
}

/* With the lock. The first batch is done at once, so that retype_next can be 0 when nothing is left. */
static void logdirty_set(struct p2m *p, bool on)
{
    p->logdirty = on;
    p->dirty_lost = false;
    p->fault_count = 0;
    p->retype_next = 0;
    retype_some(p);
}

int p2m_logdirty_enable(struct domain *d)
{
    struct p2m *p = hvm_dom(d)->p2m;
    int rc = 0;

    spin_lock(&p->lock);
    if (p->logdirty) {
        rc = p->retype_next ? 0 : -EINVAL;
    } else {
        p->dirty = alloc_zeroed_page();
        if (p->dirty)
            logdirty_set(p, true);
        else
            rc = -ENOMEM;
    }
    spin_unlock(&p->lock);
    return rc ? rc : retype(p);
}

int p2m_logdirty_disable(struct domain *d)
{
    struct p2m *p = hvm_dom(d)->p2m;

    spin_lock(&p->lock);
    if (p->logdirty) {
        p2m_dirty_free(p);
        logdirty_set(p, false);
    }
    spin_unlock(&p->lock);
    return retype(p);
}

bool p2m_logdirty_is_on(struct domain *d) { return hvm_dom(d)->p2m->logdirty; }
uint64_t p2m_logdirty_faults(struct domain *d) { return hvm_dom(d)->p2m->fault_count; }

/* -- the bits ------------------------------------------------------------------------------------------------------ */
int p2m_logdirty_read(struct domain *d, gfn_t first, uint64_t n, uint8_t *bitmap)
{
    struct p2m *p = hvm_dom(d)->p2m;
    const unsigned long *leaf;
    int rc = 0;

    spin_lock(&p->lock);
    leaf = p2m_dirty_leaf(p, first.v, false);
    if (leaf)
        memcpy(bitmap, leaf, DIV_ROUND_UP(n, 8));
    else
        memset(bitmap, 0, DIV_ROUND_UP(n, 8));
    if (!p->logdirty)
        rc = -EINVAL;
    else if (p->dirty_lost)
        rc = -ENOMEM;
    spin_unlock(&p->lock);
    if (n % 8)
        bitmap[n / 8] &= (uint8_t)((1U << n % 8) - 1);
    return rc;
}

/* A failure leaves all bits. */
int p2m_logdirty_clear(struct domain *d, gfn_t first, uint64_t n, const uint8_t *bitmap)
{
    struct p2m *p = hvm_dom(d)->p2m;
    bool present, flush = false;
    uint8_t *leaf;
    int rc = 0;

    spin_lock(&p->lock);
    for (uint64_t i = 0; i < n && !rc; i++) {
        unsigned level;

        if (!(bitmap[i / 8] & 1U << i % 8) || p2m_entry_type(p2m_pt_lookup(p, first.v + i, &level)) != P2M_ram_rw)
            continue;
        rc = p2m_pt_retype(p, first.v + i, P2M_ram_logdirty, &present);
        flush = true;
    }
    leaf = (uint8_t *)p2m_dirty_leaf(p, first.v, false);
    for (uint64_t i = 0; leaf && i < DIV_ROUND_UP(n, 8) && !rc; i++)
        leaf[i] &= (uint8_t)~bitmap[i];
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
