/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The physical map's meaning: which frame a guest frame is, of what type, and
 * who holds its references.  p2m->lock guards changes.  A domain's own RAM is
 * held by PGC_allocated alone; foreign and grant entries hold a reference.
 */
#include "p2m_pt.h"

#include "../cpu/cpu.h"
#include "../domain/hypercall.h"
#include "../lib/string.h"
#include "../mm/alloc.h"

#define P2M_POOL_MIN 256 /* pages: what a domain has before the tools ask for more */

static bool p2m_is_ram(enum p2m_type t)
{
    return t == P2M_ram_rw || t == P2M_ram_logdirty || t == P2M_ram_ro || t == P2M_ioreq_server;
}

static bool p2m_holds_frame(enum p2m_type t)
{
    return p2m_is_ram(t) || t == P2M_grant_rw || t == P2M_grant_ro || t == P2M_foreign;
}

int p2m_create(struct domain *d)
{
    struct p2m *p = xzalloc(struct p2m);

    if (!p)
        return -ENOMEM;
    spin_lock_init(&p->lock, LOCK_P2M);
    p->domain = d;
    p->format = hvm_backend->npt_format == NPT_FORMAT_EPT ? &p2m_format_ept : &p2m_format_amd64;
    p->pool_limit = d->is_hardware ? ~0UL : P2M_POOL_MIN;
    if (p2m_pt_init(p)) {
        xfree(p);
        return -ENOMEM;
    }
    hvm_dom(d)->p2m = p;
    return 0;
}

void p2m_free(struct domain *d)
{
    struct p2m *p = hvm_dom(d)->p2m;

    if (!p)
        return;
    p2m_dirty_free(p);
    p2m_pt_free(p);
    xfree(p);
    hvm_dom(d)->p2m = NULL;
}

paddr_t hvm_npt_root(struct domain *d) { return virt_to_paddr(hvm_dom(d)->p2m->root); }
uint64_t p2m_max_gfn(struct domain *d) { return hvm_dom(d)->p2m->max_gfn; }
void p2m_memory_type_changed(struct domain *d) {} /* no device is passed through yet */

/* -- the pool for tables ----------------------------------------------------------------------------------------- */
uint64_t p2m_pool_pages(struct domain *d) { return hvm_dom(d)->p2m->pool_limit; }

int p2m_set_pool_pages(struct domain *d, uint64_t pages)
{
    struct p2m *p = hvm_dom(d)->p2m;
    int rc = 0;

    spin_lock(&p->lock);
    if (pages < p->pool_used)
        rc = -ENOMEM;
    else
        p->pool_limit = MAX(pages, (uint64_t)P2M_POOL_MIN);
    spin_unlock(&p->lock);
    return rc;
}

/* -- changes ----------------------------------------------------------------------------------------------------- */
static unsigned p2m_max_level(void) { return hvm_backend->npt_1g ? 3 : hvm_backend->npt_2m ? 2 : 1; }

/* The highest level at which [gfn, gfn + n) can begin with one leaf, as far as alignment goes. */
static unsigned p2m_leaf_level(uint64_t gfn, uint64_t mfn, uint64_t n)
{
    unsigned level = p2m_max_level();

    while (level > 1 && (((gfn | mfn) & (p2m_frames(level) - 1)) || n < p2m_frames(level)))
        level--;
    return level;
}

/* What was mapped before is gone from every TLB when this returns, so that a reference it held can be dropped. */
static void p2m_release_old(struct p2m *p, pte_t old)
{
    if (p2m_entry_type(old) != P2M_foreign)
        return;
    hvm_backend->flush_nested(p->domain);
    page_put(mfn_to_page(p2m_entry_mfn(old)));
}

/* One leaf at the best level; *done: frames it covers. With the lock. */
static int p2m_set_leaf(struct p2m *p, uint64_t gfn, uint64_t mfn, uint64_t n, enum p2m_type t, uint64_t *done,
                        bool *flush)
{
    bool holds = p->format->leaf[t];
    unsigned want = p2m_leaf_level(gfn, holds ? mfn : 0, n), level = want;
    pte_t *slot = p2m_pt_slot(p, gfn, &level, false), old;

    while (slot && p2m_entry_is_table(p, *slot, level)) {
        level = --want;
        slot = p2m_pt_slot(p, gfn, &level, false);
    }
    if (!slot)
        return -ENOMEM;
    old = *slot;
    __atomic_store_n(slot, p2m_make_leaf(p, MFN(mfn), level, t), __ATOMIC_RELEASE);
    *flush |= p2m_entry_present(p, old);
    p2m_release_old(p, old);
    *done = p2m_frames(level);
    return 0;
}

static bool p2m_entry_is_grant(pte_t e)
{
    return p2m_entry_type(e) == P2M_grant_rw || p2m_entry_type(e) == P2M_grant_ro;
}

/* Only the grant table gives these up. With the lock. */
static bool p2m_has_grants(const struct p2m *p, uint64_t gfn, uint64_t n)
{
    unsigned level;

    for (uint64_t at = gfn; at < gfn + n; at = (at | (p2m_frames(level) - 1)) + 1)
        if (p2m_entry_is_grant(p2m_pt_lookup(p, at, &level)))
            return true;
    return false;
}

/* An aligned range of up to 2 MiB is set as a whole or not at all: a table that is wanting is so at its start. */
static int p2m_set_locked(struct p2m *p, uint64_t gfn, uint64_t mfn, uint64_t n, enum p2m_type t)
{
    bool flush = false;
    uint64_t done;
    int rc = 0;

    if (p2m_has_grants(p, gfn, n))
        return -EBUSY;
    for (uint64_t i = 0; i < n; i += done) {
        rc = p2m_set_leaf(p, gfn + i, mfn + i, n - i, t, &done, &flush);
        if (rc)
            break;
        if (p2m_holds_frame(t))
            p->max_gfn = MAX(p->max_gfn, gfn + i + done - 1);
    }
    if (flush)
        hvm_backend->flush_nested(p->domain);
    return rc;
}

static bool gfn_range_ok(uint64_t gfn, uint64_t n)
{
    uint64_t limit = 1UL << MIN((unsigned)P2M_GFN_BITS, cpu_features.paddr_bits - PAGE_SHIFT);

    return gfn < limit && n <= limit - gfn;
}

int p2m_set(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order, enum p2m_type t)
{
    struct p2m *p = hvm_dom(d)->p2m;
    uint64_t n = 1UL << order;
    int rc;

    if (order > MAX_ORDER || !gfn_range_ok(gfn.v, n))
        return -EINVAL;
    spin_lock(&p->lock);
    if (p->logdirty && t == P2M_ram_rw)
        t = P2M_ram_logdirty;
    rc = p2m_set_locked(p, gfn.v, mfn.v, n, t);
    spin_unlock(&p->lock);
    if (t == P2M_ram_logdirty) /* new contents: the other side has not seen them */
        for (uint64_t i = 0; i < n && !rc; i++)
            p2m_mark_dirty(d, gfn_add(gfn, i));
    return rc;
}

/* Gives up a grant entry, which p2m_set refuses to touch. */
int p2m_clear_grant(struct domain *d, gfn_t gfn, mfn_t mfn)
{
    struct p2m *p = hvm_dom(d)->p2m;
    unsigned level;
    bool present;
    pte_t e;
    int rc = -EINVAL;

    spin_lock(&p->lock);
    e = p2m_pt_lookup(p, gfn.v, &level);
    if (p2m_entry_is_grant(e) && mfn_eq(p2m_entry_mfn(e), mfn)) {
        rc = p2m_pt_retype(p, gfn.v, P2M_invalid, &present);
        hvm_backend->flush_nested(d);
    }
    spin_unlock(&p->lock);
    return rc;
}

int p2m_change_type(struct domain *d, gfn_t gfn, enum p2m_type from, enum p2m_type to)
{
    struct p2m *p = hvm_dom(d)->p2m;
    bool present = false;
    unsigned level;
    int rc = -EBUSY;
    pte_t e;

    if (!gfn_range_ok(gfn.v, 1))
        return -EINVAL;
    spin_lock(&p->lock);
    if (p->logdirty && to == P2M_ram_rw)
        to = P2M_ram_logdirty;
    e = p2m_pt_lookup(p, gfn.v, &level);
    if (p2m_entry_type(e) == from)
        rc = p2m_pt_retype(p, gfn.v, to, &present);
    if (!rc && present)
        hvm_backend->flush_nested(d);
    spin_unlock(&p->lock);
    return rc;
}

/* -- lookups ------------------------------------------------------------------------------------------------------ */
mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *t, unsigned *order)
{
    const struct p2m *p = hvm_dom(d)->p2m;
    unsigned level;
    pte_t e = p2m_pt_lookup(p, gfn.v, &level);

    if (t)
        *t = p2m_entry_type(e);
    if (order)
        *order = 9 * (level - 1);
    if (!p2m_entry_present(p, e))
        return INVALID_MFN;
    return mfn_add(p2m_entry_mfn(e), gfn.v & (p2m_frames(level) - 1));
}

struct page_info *p2m_get_page(struct domain *d, gfn_t gfn, enum p2m_type *t)
{
    for (;;) {
        enum p2m_type type, again;
        mfn_t mfn = p2m_lookup(d, gfn, &type, NULL);
        struct page_info *pg;
        struct domain *owner;

        if (t)
            *t = type;
        if (!p2m_holds_frame(type) || !mfn_valid(mfn))
            return NULL;
        pg = mfn_to_page(mfn);
        owner = p2m_is_ram(type) ? d : page_owner(pg);
        if (owner && page_get(pg, owner)) {
            /* With the reference taken the frame stays; was it still mapped by then? */
            if (mfn_eq(p2m_lookup(d, gfn, &again, NULL), mfn) && again == type)
                return pg;
            page_put(pg);
        } else if (mfn_eq(p2m_lookup(d, gfn, &again, NULL), mfn) && again == type) {
            return NULL;
        }
    }
}

bool p2m_handle_fault(struct vcpu *v, gpa_t gpa, bool write)
{
    struct domain *d = v->domain;
    gfn_t gfn = gpa_to_gfn(gpa);
    enum p2m_type t;

    p2m_lookup(d, gfn, &t, NULL);
    if (t == P2M_ram_logdirty && write) {
        p2m_note_write(d, gfn);
        return true;
    }
    /* Allowed by now: another CPU changed the entry meanwhile. */
    return t == P2M_ram_rw || t == P2M_mmio_direct || t == P2M_grant_rw || t == P2M_foreign ||
           (!write && p2m_holds_frame(t));
}

/* -- the end ------------------------------------------------------------------------------------------------------ */
int p2m_teardown(struct domain *d)
{
    struct p2m *p = hvm_dom(d)->p2m;
    unsigned level, batch = 0;
    uint64_t gfn;

    if (!p)
        return 0;
    for (gfn = p->teardown_next; gfn <= p->max_gfn;) {
        pte_t e = p2m_pt_lookup(p, gfn, &level);

        if (p2m_entry_present(p, e)) {
            unsigned at = level;
            pte_t *slot = p2m_pt_slot(p, gfn, &at, true);

            *slot = 0;
            if (p2m_entry_type(e) == P2M_foreign)
                page_put(mfn_to_page(p2m_entry_mfn(e))); /* no vCPU of d runs any more */
        }
        gfn = (gfn | (p2m_frames(level) - 1)) + 1;
        p->teardown_next = gfn;
        if (!(++batch % 512) && hypercall_preempt_check())
            return -ERESTART;
    }
    hvm_backend->flush_nested(d);
    return 0;
}
