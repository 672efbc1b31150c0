/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GNTTABOP_copy: bytes from a frame to another, each side current's own frame
 * or a grant, which may be part of a page or passed on by its grantee.  No lock
 * is held while bytes are copied: pins and page references keep both sides.
 */
#include "grant_priv.h"

/* One side of a copy, held. */
struct copy_side {
    struct page_info *pg;
    struct domain *owner;    /* of pg; kept by a pin, or current's own */
    uint16_t offset, length; /* the part of the page that may be touched */
    bool write;
    unsigned nr_pins; /* grants pinned: 2 where the grant was passed on */
    struct {
        struct domain *d;
        grant_ref_t ref;
    } pin[2];
};

static void copy_release(struct copy_side *s)
{
    if (s->pg)
        grant_put_page(s->owner, s->pg, s->write);
    while (s->nr_pins) {
        s->nr_pins--;
        grant_unpin(s->pin[s->nr_pins].d, s->pin[s->nr_pins].ref, !s->write);
        domain_put(s->pin[s->nr_pins].d);
    }
}

/* Pins a grant and keeps the domain; what is held goes to copy_release in any case. */
static int16_t pin_side(struct copy_side *s, domid_t domid, grant_ref_t ref, domid_t grantee, struct grant_target *t)
{
    struct domain *d = domain_get_by_id(domid);
    int16_t status;

    if (!d)
        return GNTST_bad_domain;
    status = grant_pin(d, ref, grantee, !s->write, t);
    if (status != GNTST_okay) {
        domain_put(d);
        return status;
    }
    s->pin[s->nr_pins].d = d;
    s->pin[s->nr_pins++].ref = ref;
    return GNTST_okay;
}

static int16_t hold_grant(struct copy_side *s, domid_t domid, grant_ref_t ref)
{
    struct grant_target t;
    int16_t status = pin_side(s, domid, ref, current->domain->id, &t);

    if (status == GNTST_okay && t.transitive) {
        /* As if the domain that passed it on had asked; once, or a chain would cost us without end. */
        if (t.trans_domid == DOMID_SELF)
            return GNTST_bad_domain;
        status = pin_side(s, t.trans_domid, t.trans_ref, s->pin[0].d->id, &t);
        if (status == GNTST_okay && t.transitive)
            status = GNTST_general_error;
    }
    if (status != GNTST_okay)
        return status;
    s->offset = t.offset;
    s->length = t.length;
    s->owner = s->pin[s->nr_pins - 1].d;
    return grant_get_page(s->owner, t.gfn, s->write, &s->pg);
}

static int16_t hold_side(struct copy_side *s, const struct gnttab_copy_ptr *p, bool is_gref)
{
    int16_t status;

    if (is_gref) {
        status = hold_grant(s, p->domid, p->u.ref);
    } else {
        if (p->domid != DOMID_SELF && p->domid != current->domain->id)
            return GNTST_permission_denied;
        s->length = PAGE_SIZE;
        s->owner = current->domain;
        status = grant_get_page(s->owner, GFN(p->u.gmfn), s->write, &s->pg);
        if (status == GNTST_general_error)
            status = GNTST_bad_page;
    }
    if (status != GNTST_okay)
        s->pg = NULL;
    return status;
}

static bool within(const struct copy_side *s, unsigned offset, unsigned len)
{
    return offset >= s->offset && offset + len <= (unsigned)s->offset + s->length;
}

void grant_copy_one(struct gnttab_copy *op)
{
    struct copy_side src = {0}, dst = {.write = true};

    op->status = GNTST_bad_copy_arg;
    if ((unsigned)op->source.offset + op->len > PAGE_SIZE || (unsigned)op->dest.offset + op->len > PAGE_SIZE)
        return;
    op->status = hold_side(&src, &op->source, op->flags & GNTCOPY_source_gref);
    if (op->status == GNTST_okay)
        op->status = hold_side(&dst, &op->dest, op->flags & GNTCOPY_dest_gref);
    if (op->status == GNTST_okay) {
        if (!within(&src, op->source.offset, op->len) || !within(&dst, op->dest.offset, op->len))
            op->status = GNTST_general_error;
        else
            memmove((char *)page_to_virt(dst.pg) + op->dest.offset,
                    (const char *)page_to_virt(src.pg) + op->source.offset, op->len);
    }
    copy_release(&dst);
    copy_release(&src);
}
