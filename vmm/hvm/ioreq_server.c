/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ioreq servers' lives: what dm_op and acquire_resource ask.  The table and
 * the servers are changed under ioreq_lock with the domain paused.
 */
#include "ioreq.h"

#include "../cpu/percpu.h"
#include "../cpu/percpu.h"
#include "../domain/evtchn.h"
#include "../domain/pirq.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "../sched/sched.h"
#include "hvm_state.h"
#include "p2m.h"
#include <xen/memory.h>

#define GFN_LEGACY_IOREQ 1U
#define GFN_LEGACY_BUFIOREQ 2U

/* The emulator has sent: v looks at its slot again. */
static void ioreq_event(struct vcpu *v, unsigned port)
{
    clear_bit(VPF_blocked_in_xen, &v->pause_flags);
    vcpu_wake(v);
}

static void bufioreq_event(struct vcpu *v, unsigned port) {}

static struct ioreq_server *server_get(struct domain *d, ioservid_t id)
{
    return id < MAX_IOREQ_SERVERS ? hvm_dom(d)->ioreq_server[id] : NULL;
}

/* Only the domain that made it may use it. */
static struct ioreq_server *server_get_own(struct domain *d, ioservid_t id, int *err)
{
    struct ioreq_server *s = server_get(d, id);

    *err = !s ? -ENOENT : s->emulator != current->domain->id ? -EPERM : 0;
    return *err ? NULL : s;
}

/* -- pages --------------------------------------------------------------------------------------------------------- */
static int page_alloc(struct domain *d, struct ioreq_page *p)
{
    struct page_info *pg;

    if (p->page)
        return gfn_eq(p->gfn, INVALID_GFN) ? 0 : -EPERM; /* mapped from a guest frame already */
    pg = alloc_domain_pages(d, 0, 0, ALLOC_NO_ACCOUNT);
    if (!pg)
        return -ENOMEM;
    if (!page_get_and_type(pg, d, PGT_writable_page)) {
        page_put_allocated(pg);
        return -ENODATA;
    }
    p->page = pg;
    p->gfn = INVALID_GFN;
    p->va = page_to_virt(pg);
    memset(p->va, 0, PAGE_SIZE);
    return 0;
}

static void page_release(struct ioreq_page *p)
{
    if (!p->page)
        return;
    if (gfn_eq(p->gfn, INVALID_GFN))
        page_put_allocated(p->page);
    page_put_and_type(p->page);
    *p = (struct ioreq_page){0};
}

/* Guest frames that the tools set aside for this: HVM_PARAM_IOREQ_SERVER_PFN, or the older pair. */
static gfn_t gfn_take(struct hvm_domain *h, unsigned legacy)
{
    if (h->ioreq_gfn_mask) {
        unsigned i = ffs64(h->ioreq_gfn_mask);

        h->ioreq_gfn_mask &= ~BIT(i);
        return GFN(h->ioreq_gfn_base + i);
    }
    if (h->ioreq_gfn_legacy & legacy) {
        h->ioreq_gfn_legacy &= ~legacy;
        return GFN(h->params[legacy == GFN_LEGACY_IOREQ ? HVM_PARAM_IOREQ_PFN : HVM_PARAM_BUFIOREQ_PFN]);
    }
    return INVALID_GFN;
}

static void gfn_give_back(struct hvm_domain *h, gfn_t gfn)
{
    if (gfn_eq(gfn, INVALID_GFN))
        return;
    if (gfn.v == h->params[HVM_PARAM_IOREQ_PFN])
        h->ioreq_gfn_legacy |= GFN_LEGACY_IOREQ;
    else if (gfn.v == h->params[HVM_PARAM_BUFIOREQ_PFN])
        h->ioreq_gfn_legacy |= GFN_LEGACY_BUFIOREQ;
    else if (gfn.v - h->ioreq_gfn_base < 64)
        h->ioreq_gfn_mask |= BIT(gfn.v - h->ioreq_gfn_base);
}

static int page_map_gfn(struct domain *d, struct ioreq_page *p, unsigned legacy)
{
    struct page_info *pg;
    enum p2m_type t;
    gfn_t gfn;

    if (p->page)
        return gfn_eq(p->gfn, INVALID_GFN) ? -EPERM : 0;
    gfn = gfn_take(hvm_dom(d), legacy);
    if (gfn_eq(gfn, INVALID_GFN))
        return -ENOMEM;
    pg = p2m_get_page(d, gfn, &t);
    if (!pg || t != P2M_ram_rw || page_get_type(pg, PGT_writable_page)) {
        if (pg)
            page_put(pg);
        gfn_give_back(hvm_dom(d), gfn);
        return -EINVAL;
    }
    *p = (struct ioreq_page){.page = pg, .va = page_to_virt(pg), .gfn = gfn};
    memset(p->va, 0, PAGE_SIZE);
    return 0;
}

/* While a server is enabled the guest must not reach its pages. */
static int page_hide(struct domain *d, struct ioreq_page *p, bool hide)
{
    if (!p->page || gfn_eq(p->gfn, INVALID_GFN))
        return 0;
    return p2m_set(d, p->gfn, hide ? INVALID_MFN : page_to_mfn(p->page), 0, hide ? P2M_invalid : P2M_ram_rw);
}

/* -- servers ------------------------------------------------------------------------------------------------------- */
static void server_close_ports(struct ioreq_server *s)
{
    for (unsigned i = 0; s->port && i < s->nr_ports; i++)
        if (s->port[i])
            evtchn_free_xen(s->target, s->port[i]);
    if (s->bufioreq_port)
        evtchn_free_xen(s->target, s->bufioreq_port);
}

static void server_free(struct ioreq_server *s)
{
    server_close_ports(s);
    for (unsigned i = 0; i < NR_IO_RANGE_TYPES; i++)
        if (s->range[i])
            rangeset_free(s->range[i]);
    page_release(&s->ioreq);
    page_release(&s->bufioreq);
    xfree(s->port);
    xfree(s);
}

static int server_open_port(struct ioreq_server *s, unsigned vcpu)
{
    int port = evtchn_alloc_xen(s->target, vcpu, s->emulator, ioreq_event);

    if (port < 0)
        return port;
    s->port[vcpu] = (uint32_t)port;
    return 0;
}

static struct ioreq_server *server_new(struct domain *d, uint8_t bufioreq_handling, int *err)
{
    struct ioreq_server *s = xzalloc(struct ioreq_server);
    struct vcpu *v;
    int rc = -ENOMEM;

    *err = rc;
    if (!s)
        return NULL;
    s->target = d;
    s->emulator = current->domain->id;
    s->bufioreq_handling = bufioreq_handling;
    s->nr_ports = d->max_vcpus;
    s->ioreq.gfn = s->bufioreq.gfn = INVALID_GFN;
    spin_lock_init(&s->bufioreq_lock, LOCK_UNORDERED);
    s->port = xzalloc_array(uint32_t, (size_t)d->max_vcpus);
    if (!s->port)
        goto fail;
    for (unsigned i = 0; i < NR_IO_RANGE_TYPES; i++) {
        s->range[i] = rangeset_new();
        if (!s->range[i])
            goto fail;
    }
    for_each_vcpu(d, v) {
        rc = server_open_port(s, v->id);
        if (rc)
            goto fail;
    }
    if (bufioreq_handling != HVM_IOREQSRV_BUFIOREQ_OFF) {
        rc = evtchn_alloc_xen(d, 0, s->emulator, bufioreq_event);
        if (rc < 0)
            goto fail;
        s->bufioreq_port = (uint32_t)rc;
    }
    *err = 0;
    return s;

fail:
    *err = rc;
    server_free(s);
    return NULL;
}

int ioreq_server_create(struct domain *d, uint8_t bufioreq_handling, ioservid_t *id)
{
    struct hvm_domain *h = hvm_dom(d);
    struct ioreq_server *s;
    unsigned i;
    int rc;

    if (bufioreq_handling > HVM_IOREQSRV_BUFIOREQ_ATOMIC)
        return -EINVAL;
    s = server_new(d, bufioreq_handling, &rc);
    if (!s)
        return rc;
    domain_pause(d);
    spin_lock(&h->ioreq_lock);
    for (i = 0; i < MAX_IOREQ_SERVERS && h->ioreq_server[i]; i++)
        ;
    if (i < MAX_IOREQ_SERVERS) {
        s->id = i;
        h->ioreq_server[i] = s;
        *id = (ioservid_t)i;
    }
    spin_unlock(&h->ioreq_lock);
    domain_unpause(d);
    if (i == MAX_IOREQ_SERVERS) {
        server_free(s);
        return -ENOSPC;
    }
    return 0;
}

/* The server leaves the table; vCPUs that wait for it go on with all ones. The domain is paused. */
static void server_remove(struct domain *d, struct ioreq_server *s)
{
    struct hvm_domain *h = hvm_dom(d);
    struct vcpu *v;

    h->ioreq_server[s->id] = NULL;
    if (s->enabled && (page_hide(d, &s->ioreq, false) || page_hide(d, &s->bufioreq, false)))
        printk(LOG_WARN "d%u: cannot give an ioreq page back to the guest\n", d->id);
    gfn_give_back(h, s->ioreq.gfn);
    gfn_give_back(h, s->bufioreq.gfn);
    for_each_vcpu(d, v) {
        ioreq_abandon(v, s);
        clear_bit(VPF_blocked_in_xen, &v->pause_flags);
    }
}

int ioreq_server_destroy(struct domain *d, ioservid_t id)
{
    struct hvm_domain *h = hvm_dom(d);
    struct ioreq_server *s;
    int rc;

    domain_pause(d);
    spin_lock(&h->ioreq_lock);
    s = server_get_own(d, id, &rc);
    if (s)
        server_remove(d, s);
    spin_unlock(&h->ioreq_lock);
    if (s)
        server_free(s);
    domain_unpause(d);
    return rc;
}

/* The domain is dying, and paused for good. */
void ioreq_servers_destroy_all(struct domain *d)
{
    struct hvm_domain *h = hvm_dom(d);

    for (unsigned i = 0; i < MAX_IOREQ_SERVERS; i++) {
        struct ioreq_server *s;

        spin_lock(&h->ioreq_lock);
        s = h->ioreq_server[i];
        if (s)
            server_remove(d, s);
        spin_unlock(&h->ioreq_lock);
        if (s)
            server_free(s);
    }
}

int ioreq_server_get_info(struct domain *d, struct xen_dm_op_get_ioreq_server_info *info)
{
    struct hvm_domain *h = hvm_dom(d);
    struct ioreq_server *s;
    int rc;

    if (info->flags & ~XEN_DMOP_no_gfns)
        return -EINVAL;
    spin_lock(&h->ioreq_lock);
    s = server_get_own(d, info->id, &rc);
    if (s && !(info->flags & XEN_DMOP_no_gfns)) {
        rc = page_map_gfn(d, &s->ioreq, GFN_LEGACY_IOREQ);
        if (!rc && s->bufioreq_handling != HVM_IOREQSRV_BUFIOREQ_OFF)
            rc = page_map_gfn(d, &s->bufioreq, GFN_LEGACY_BUFIOREQ);
        info->ioreq_gfn = s->ioreq.gfn.v;
        info->bufioreq_gfn = s->bufioreq.gfn.v;
    }
    if (s && !rc)
        info->bufioreq_port = s->bufioreq_port;
    spin_unlock(&h->ioreq_lock);
    return rc;
}

int ioreq_server_range(struct domain *d, const struct xen_dm_op_ioreq_server_range *r, bool add)
{
    struct hvm_domain *h = hvm_dom(d);
    struct ioreq_server *s;
    int rc;

    if (r->type >= NR_IO_RANGE_TYPES || r->start > r->end)
        return -EINVAL;
    spin_lock(&h->ioreq_lock);
    s = server_get_own(d, r->id, &rc);
    if (s && add) {
        rc = rangeset_overlaps(s->range[r->type], r->start, r->end) ? -EEXIST
                                                                    : rangeset_add(s->range[r->type], r->start, r->end);
    } else if (s) {
        rc = rangeset_contains(s->range[r->type], r->start, r->end)
                 ? rangeset_remove(s->range[r->type], r->start, r->end)
                 : -ENOENT;
    }
    spin_unlock(&h->ioreq_lock);
    return rc;
}

/* Each slot names the event channel of its vCPU. */
static void server_publish_ports(struct ioreq_server *s)
{
    for (unsigned i = 0; s->ioreq.va && i < s->nr_ports; i++)
        ((shared_iopage_t *)s->ioreq.va)->vcpu_ioreq[i].vp_eport = s->port[i];
}

int ioreq_server_set_state(struct domain *d, ioservid_t id, bool enabled)
{
    struct hvm_domain *h = hvm_dom(d);
    struct ioreq_server *s;
    int rc;

    domain_pause(d);
    spin_lock(&h->ioreq_lock);
    s = server_get_own(d, id, &rc);
    if (s && s->enabled != enabled) {
        rc = page_hide(d, &s->ioreq, enabled);
        if (!rc)
            rc = page_hide(d, &s->bufioreq, enabled);
        if (!rc) {
            s->enabled = enabled;
            server_publish_ports(s);
        }
    }
    spin_unlock(&h->ioreq_lock);
    domain_unpause(d);
    return rc;
}

int ioreq_vcpu_added(struct vcpu *v)
{
    struct hvm_domain *h = hvm_dom(v->domain);
    int rc = 0;

    spin_lock(&h->ioreq_lock);
    for (unsigned i = 0; i < MAX_IOREQ_SERVERS && !rc; i++) {
        struct ioreq_server *s = h->ioreq_server[i];

        if (!s || s->port[v->id])
            continue;
        rc = server_open_port(s, v->id);
        server_publish_ports(s);
    }
    spin_unlock(&h->ioreq_lock);
    return rc;
}

void ioreq_vcpu_removed(struct vcpu *v)
{
    struct hvm_domain *h = hvm_dom(v->domain);

    spin_lock(&h->ioreq_lock);
    for (unsigned i = 0; i < MAX_IOREQ_SERVERS; i++) {
        struct ioreq_server *s = h->ioreq_server[i];

        if (!s || !s->port[v->id])
            continue;
        evtchn_free_xen(v->domain, s->port[v->id]);
        s->port[v->id] = 0;
    }
    spin_unlock(&h->ioreq_lock);
}

int ioreq_acquire_resource(struct domain *d, unsigned id, uint64_t frame, unsigned nr, mfn_t *mfns)
{
    struct hvm_domain *h = hvm_dom(d);
    struct ioreq_server *s;
    int rc;

    if (id >= MAX_IOREQ_SERVERS)
        return -EINVAL;
    spin_lock(&h->ioreq_lock);
    s = server_get_own(d, (ioservid_t)id, &rc);
    for (unsigned i = 0; s && i < nr && !rc; i++) {
        struct ioreq_page *p = NULL;

        if (frame + i == XENMEM_resource_ioreq_server_frame_bufioreq)
            p = s->bufioreq_handling != HVM_IOREQSRV_BUFIOREQ_OFF ? &s->bufioreq : NULL;
        else if (frame + i == XENMEM_resource_ioreq_server_frame_ioreq(0))
            p = &s->ioreq;
        rc = p ? page_alloc(d, p) : frame + i == XENMEM_resource_ioreq_server_frame_bufioreq ? -ENOENT : -EINVAL;
        if (!rc)
            mfns[i] = page_to_mfn(p->page);
    }
    if (s)
        server_publish_ports(s);
    spin_unlock(&h->ioreq_lock);
    return rc;
}
