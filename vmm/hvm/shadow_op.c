/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XEN_DOMCTL_shadow_op (public header domctl.h): which frames were written to
 * since the last call, and the pool for nested page tables.
 */
#include "../cpu/percpu.h"
#include "../domain/hypercall.h"
#include "../lib/bitops.h"
#include "../mm/alloc.h"
#include "p2m.h"

/* The bits of the next chunk go to the caller; what it has got is then cleared, so that a fault loses nothing. */
static long scan_chunk(struct domain *d, struct logdirty_scan *s, const struct xen_domctl_shadow_op *op, uint64_t n,
                       uint8_t *bits)
{
    uint64_t part = MIN(n - s->next, P2M_DIRTY_CHUNK), bytes = DIV_ROUND_UP(part, 8);
    long rc = p2m_logdirty_read(d, GFN(s->next), part, bits);

    if (!rc && !handle_is_null(op->dirty_bitmap))
        rc = copy_to_guest_bytes(handle_gva(op->dirty_bitmap) + s->next / 8, bits, bytes);
    if (!rc && s->clear)
        rc = p2m_logdirty_clear(d, GFN(s->next), part, bits);
    if (rc)
        return rc;
    for (uint64_t i = 0; i < bytes; i++)
        s->dirty_count += hweight64(bits[i]);
    s->next += part;
    return 0;
}

/*
 * d is paused, since a write on a vCPU's behalf notes the frame first: its bit must not be cleared in between. It runs
 * where this is preempted. Such a scan is its caller's; another one waits for its end, or ends it by switching log-dirty off.
 */
static long scan(struct domain *d, struct xen_domctl_shadow_op *op, bool clear)
{
    struct logdirty_scan *s = &hvm_dom(d)->scan;
    uint64_t n = MIN(op->pages, p2m_max_gfn(d) + 1);
    uint8_t *bits;
    long rc = 0;

    if (s->next && (s->by != current->domain->id || s->clear != clear))
        return -EBUSY;
    bits = alloc_xenheap_pages(0);
    if (!bits)
        return -ENOMEM;
    if (!s->next)
        *s = (struct logdirty_scan){.by = current->domain->id, .clear = clear};
    domain_pause(d);
    while (s->next < n && !rc) {
        rc = scan_chunk(d, s, op, n, bits);
        if (!rc && s->next < n && hypercall_preempt_check())
            rc = -ERESTART;
    }
    domain_unpause(d);
    free_xenheap_pages(bits, 0);
    op->stats.fault_count = (uint32_t)p2m_logdirty_faults(d);
    op->stats.dirty_count = s->dirty_count;
    if (rc == -ERESTART)
        return rc;
    op->pages = s->next; /* after a fault: those that the caller has */
    s->next = 0;
    return rc;
}

static long logdirty_switch(struct domain *d, bool on)
{
    long rc;

    domain_pause(d);
    if (!on)
        hvm_dom(d)->scan.next = 0;
    rc = on ? p2m_logdirty_enable(d) : p2m_logdirty_disable(d);
    domain_unpause(d);
    return rc;
}

long hvm_shadow_op(struct domain *d, struct xen_domctl_shadow_op *op, bool *copyback)
{
    *copyback = true;
    switch (op->op) {
    case XEN_DOMCTL_SHADOW_OP_OFF: return logdirty_switch(d, false);
    case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY: return logdirty_switch(d, true);
    case XEN_DOMCTL_SHADOW_OP_ENABLE:
        return op->mode == XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY ? logdirty_switch(d, true) : -EINVAL;
    case XEN_DOMCTL_SHADOW_OP_CLEAN:
    case XEN_DOMCTL_SHADOW_OP_PEEK:
        if (op->mode & ~XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL)
            return -EINVAL;
        return scan(d, op, op->op == XEN_DOMCTL_SHADOW_OP_CLEAN);
    case XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION: op->mb = (uint32_t)DIV_ROUND_UP(p2m_pool_pages(d), 256); return 0;
    case XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION: return p2m_set_pool_pages(d, (uint64_t)op->mb * 256);
    default: return -EINVAL;
    }
}
