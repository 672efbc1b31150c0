/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event channels: the hypercall, which opens ports, binds them and closes them.  Where two domains' ports are linked, both
 * domains' locks are held.
 */
#include "evtchn_port.h"

#include "../cpu/percpu.h"
#include "../lib/string.h"
#include "hypercall.h"
#include "pirq.h"
#include "vcpu.h"

static unsigned long evtchn_lock_two(struct domain *a, struct domain *b)
{
    struct domain *first = a < b ? a : b, *second = a < b ? b : a;
    unsigned long flags = evtchn_lock(first);

    if (first != second)
        spin_lock(&second->evtchn.lock);
    return flags;
}

static void evtchn_unlock_two(struct domain *a, struct domain *b, unsigned long flags)
{
    if (a != b)
        spin_unlock(&b->evtchn.lock);
    evtchn_unlock(a, flags);
}

/* -- binding ------------------------------------------------------------------------------------------------------ */

static int alloc_unbound(struct evtchn_alloc_unbound *op)
{
    unsigned long flags;
    struct evtchn *chn;
    struct domain *d;
    int ret = domain_get_controlled(op->dom, &d);

    if (ret)
        return ret;
    evtchn_reserve(d);
    flags = evtchn_lock(d);
    ret = evtchn_alloc_port(d, &chn);
    if (!ret) {
        chn->state = ECS_UNBOUND;
        chn->unbound.remote_domid = op->remote_dom == DOMID_SELF ? current->domain->id : op->remote_dom;
        op->port = chn->port;
    }
    evtchn_unlock(d, flags);
    domain_put(d);
    return ret;
}

static int bind_interdomain_locked(struct domain *ld, struct domain *rd, struct evtchn_bind_interdomain *op)
{
    struct evtchn *rchn = evtchn_open_port(rd, op->remote_port), *lchn;
    int ret;

    if (!rchn || rchn->state != ECS_UNBOUND || rchn->unbound.remote_domid != ld->id)
        return -EINVAL;
    ret = evtchn_alloc_port(ld, &lchn);
    if (ret)
        return ret;
    lchn->state = ECS_INTERDOMAIN;
    lchn->interdomain.remote_dom = rd;
    lchn->interdomain.remote_port = rchn->port;
    rchn->state = ECS_INTERDOMAIN;
    rchn->interdomain.remote_dom = ld;
    rchn->interdomain.remote_port = lchn->port;
    /* The remote end may have sent before anyone listened. */
    evtchn_set_pending(ld, lchn);
    op->local_port = lchn->port;
    return 0;
}

static int bind_interdomain(struct evtchn_bind_interdomain *op)
{
    struct domain *ld = current->domain, *rd = domain_get_by_id(op->remote_dom);
    unsigned long flags;
    int ret;

    if (!rd)
        return -ESRCH;
    evtchn_reserve(ld);
    flags = evtchn_lock_two(ld, rd);
    ret = bind_interdomain_locked(ld, rd, op);
    evtchn_unlock_two(ld, rd, flags);
    domain_put(rd);
    return ret;
}

static int bind_virq(struct evtchn_bind_virq *op)
{
    struct domain *d = current->domain;
    struct evtchn *chn;
    unsigned long flags;
    struct vcpu *v;
    int ret;

    if (op->virq >= NR_VIRQS || (evtchn_virq_is_global(op->virq) && op->vcpu))
        return -EINVAL;
    v = vcpu_by_id(d, op->vcpu);
    if (!v)
        return -ENOENT;
    evtchn_reserve(d);
    flags = evtchn_lock(d);
    ret = v->virq_to_evtchn[op->virq] ? -EEXIST : evtchn_alloc_port(d, &chn);
    if (!ret) {
        chn->state = ECS_VIRQ;
        chn->notify_vcpu = (uint16_t)op->vcpu;
        chn->virq = op->virq;
        v->virq_to_evtchn[op->virq] = op->port = chn->port;
    }
    evtchn_unlock(d, flags);
    return ret;
}

static int bind_ipi(struct evtchn_bind_ipi *op)
{
    struct domain *d = current->domain;
    struct evtchn *chn;
    unsigned long flags;
    int ret;

    if (!vcpu_by_id(d, op->vcpu))
        return -ENOENT;
    evtchn_reserve(d);
    flags = evtchn_lock(d);
    ret = evtchn_alloc_port(d, &chn);
    if (!ret) {
        chn->state = ECS_IPI;
        chn->notify_vcpu = (uint16_t)op->vcpu;
        op->port = chn->port;
    }
    evtchn_unlock(d, flags);
    return ret;
}

static void pirq_link(struct vcpu *v, struct evtchn *chn)
{
    struct domain *d = v->domain;

    chn->pirq.prev = 0;
    chn->pirq.next = v->pirq_first;
    if (chn->pirq.next)
        evtchn_from_port(d, chn->pirq.next)->pirq.prev = chn->port;
    v->pirq_first = chn->port;
}

static void pirq_unlink(struct vcpu *v, struct evtchn *chn)
{
    struct domain *d = v->domain;

    if (chn->pirq.prev)
        evtchn_from_port(d, chn->pirq.prev)->pirq.next = chn->pirq.next;
    else
        v->pirq_first = chn->pirq.next;
    if (chn->pirq.next)
        evtchn_from_port(d, chn->pirq.next)->pirq.prev = chn->pirq.prev;
}

static int bind_pirq(struct evtchn_bind_pirq *op)
{
    struct domain *d = current->domain;
    struct vcpu *v = vcpu_by_id(d, 0);
    struct evtchn *chn;
    unsigned long flags;
    int ret;

    if ((op->flags & ~BIND_PIRQ__WILL_SHARE) || !v)
        return -EINVAL;
    evtchn_reserve(d);
    flags = evtchn_lock(d);
    ret = pirq_to_port(d, op->pirq) ? -EEXIST : evtchn_alloc_port(d, &chn);
    if (ret)
        goto out;
    /* The port is whole before its first interrupt can come. */
    chn->state = ECS_PIRQ;
    chn->pirq.pirq = op->pirq;
    pirq_link(v, chn);
    ret = pirq_bind(d, op->pirq, chn->port, op->flags & BIND_PIRQ__WILL_SHARE);
    if (ret) {
        pirq_unlink(v, chn);
        evtchn_free_port(d, chn);
        goto out;
    }
    op->port = chn->port;
out:
    evtchn_unlock(d, flags);
    return ret;
}

void evtchn_move_pirqs(struct vcpu *v)
{
    struct domain *d = v->domain;
    unsigned long flags;

    if (!READ_ONCE(v->pirq_first))
        return;
    flags = evtchn_lock(d);
    for (uint32_t port = v->pirq_first; port; port = evtchn_from_port(d, port)->pirq.next)
        pirq_set_affinity(d, evtchn_from_port(d, port)->pirq.pirq, v->processor);
    evtchn_unlock(d, flags);
}

/* -- closing ------------------------------------------------------------------------------------------------------ */

/* With the locks of d and, for an interdomain port, of its peer. */
static void close_locked(struct domain *d, struct evtchn *chn)
{
    struct evtchn *rchn;
    struct vcpu *v;

    switch (chn->state) {
    case ECS_PIRQ:
        pirq_unlink(d->vcpu[chn->notify_vcpu], chn);
        pirq_unbind(d, chn->pirq.pirq);
        break;
    case ECS_VIRQ:
        for_each_vcpu(d, v)
            if (v->virq_to_evtchn[chn->virq] == chn->port)
                v->virq_to_evtchn[chn->virq] = 0;
        break;
    case ECS_INTERDOMAIN:
        rchn = evtchn_from_port(chn->interdomain.remote_dom, chn->interdomain.remote_port);
        rchn->state = ECS_UNBOUND;
        rchn->unbound.remote_domid = d->id;
        break;
    default: break;
    }
    evtchn_free_port(d, chn);
}

/* by_guest: a port that the hypervisor holds is not the guest's to close. */
int evtchn_close(struct domain *d, uint32_t port, bool by_guest)
{
    struct domain *rd = NULL;
    unsigned long flags;
    struct evtchn *chn;
    int ret = -EINVAL;

    for (;;) {
        struct domain *peer, *had = rd;

        flags = evtchn_lock_two(d, rd ? rd : d);
        chn = evtchn_open_port(d, port);
        peer = chn && chn->state == ECS_INTERDOMAIN ? chn->interdomain.remote_dom : NULL;
        if (!peer || peer == rd || peer == d)
            break;
        /* The peer is known only now: begin again with both locks. While it is linked it cannot go away. */
        rd = domain_get(peer) ? peer : NULL;
        evtchn_unlock_two(d, had ? had : d, flags);
        if (had)
            domain_put(had);
        if (!rd)
            return -EINVAL;
    }
    if (chn && !(by_guest && chn->xen_fn)) {
        close_locked(d, chn);
        ret = 0;
    }
    evtchn_unlock_two(d, rd ? rd : d, flags);
    if (rd)
        domain_put(rd);
    return ret;
}

int evtchn_close_all(struct domain *d, bool by_guest)
{
    for (uint32_t port = 1; port < READ_ONCE(d->evtchn.valid); port++) {
        const struct evtchn *chn = evtchn_from_port(d, port);

        if (chn->state == ECS_FREE || (by_guest && chn->xen_fn))
            continue;
        if (evtchn_close(d, port, by_guest) == 0 && hypercall_preempt_check())
            return -ERESTART;
    }
    return 0;
}

/* -- the other operations ----------------------------------------------------------------------------------------- */

static int status(struct evtchn_status *op)
{
    unsigned long flags;
    struct evtchn *chn;
    struct domain *d;
    int ret = domain_get_controlled(op->dom, &d);

    if (ret)
        return ret;
    flags = evtchn_lock(d);
    chn = evtchn_from_port(d, op->port);
    memset(&op->u, 0, sizeof(op->u));
    op->status = EVTCHNSTAT_closed;
    op->vcpu = 0;
    if (!chn) {
        ret = -EINVAL;
    } else if (!chn->xen_fn) {
        op->vcpu = chn->notify_vcpu;
        switch (chn->state) {
        case ECS_UNBOUND:
            op->status = EVTCHNSTAT_unbound;
            op->u.unbound.dom = chn->unbound.remote_domid;
            break;
        case ECS_INTERDOMAIN:
            op->status = EVTCHNSTAT_interdomain;
            op->u.interdomain.dom = chn->interdomain.remote_dom->id;
            op->u.interdomain.port = chn->interdomain.remote_port;
            break;
        case ECS_PIRQ:
            op->status = EVTCHNSTAT_pirq;
            op->u.pirq = chn->pirq.pirq;
            break;
        case ECS_VIRQ:
            op->status = EVTCHNSTAT_virq;
            op->u.virq = chn->virq;
            break;
        case ECS_IPI: op->status = EVTCHNSTAT_ipi; break;
        default: break;
        }
    }
    evtchn_unlock(d, flags);
    domain_put(d);
    return ret;
}

static int bind_vcpu(const struct evtchn_bind_vcpu *op)
{
    struct domain *d = current->domain;
    struct vcpu *v = vcpu_by_id(d, op->vcpu);
    unsigned long flags;
    struct evtchn *chn;
    int ret = 0;

    if (!v)
        return -ENOENT;
    flags = evtchn_lock(d);
    chn = evtchn_open_port(d, op->port);
    if (!chn || chn->xen_fn) {
        ret = -EINVAL;
        goto out;
    }
    switch (chn->state) {
    case ECS_PIRQ:
        pirq_unlink(d->vcpu[chn->notify_vcpu], chn);
        chn->notify_vcpu = (uint16_t)op->vcpu;
        pirq_link(v, chn);
        pirq_set_affinity(d, chn->pirq.pirq, v->processor);
        break;
    case ECS_VIRQ:
        if (!evtchn_virq_is_global(chn->virq)) {
            ret = -EINVAL;
            break;
        }
        fallthrough;
    case ECS_UNBOUND:
    case ECS_INTERDOMAIN: chn->notify_vcpu = (uint16_t)op->vcpu; break;
    default: ret = -EINVAL;
    }
out:
    evtchn_unlock(d, flags);
    return ret;
}

static int unmask(const struct evtchn_unmask *op)
{
    struct domain *d = current->domain;
    unsigned long flags = evtchn_lock(d);
    struct evtchn *chn = evtchn_open_port(d, op->port);

    if (chn)
        d->evtchn.ops->unmask(d, chn);
    evtchn_unlock(d, flags);
    return chn ? 0 : -EINVAL;
}

static int set_priority(const struct evtchn_set_priority *op)
{
    struct domain *d = current->domain;
    unsigned long flags = evtchn_lock(d);
    struct evtchn *chn = evtchn_open_port(d, op->port);
    int ret = -EINVAL;

    if (chn)
        ret = d->evtchn.ops->set_priority ? d->evtchn.ops->set_priority(d, chn, op->priority) : -ENOSYS;
    evtchn_unlock(d, flags);
    return ret;
}

int evtchn_reset(struct domain *d, bool resuming)
{
    int ret;

    (void)resuming; /* closing is repeatable: a continuation goes on with what is still open */
    if (d != current->domain && !d->controller_pause_count)
        return -EINVAL;
    ret = evtchn_close_all(d, true);
    return ret ? ret : evtchn_fifo_destroy(d);
}

static int reset(const struct evtchn_reset *op)
{
    struct domain *d;
    int ret = domain_get_controlled(op->dom, &d);

    if (ret)
        return ret;
    ret = evtchn_reset(d, false);
    domain_put(d);
    return ret;
}

/* -- the hypercall ------------------------------------------------------------------------------------------------ */

/* Copies the argument in, calls fn, copies it back where it holds results. */
#define EVTCHN_CASE(OP, TYPE, FN, BACK)                                                                                \
    case OP: {                                                                                                         \
        struct TYPE op;                                                                                                \
        if (copy_from_guest(&op, arg))                                                                                 \
            return -EFAULT;                                                                                            \
        ret = FN(&op);                                                                                                 \
        if (!ret && (BACK) && copy_to_guest(arg, &op))                                                                 \
            ret = -EFAULT;                                                                                             \
        break;                                                                                                         \
    }

static int close_op(const struct evtchn_close *op) { return evtchn_close(current->domain, op->port, true); }
static int send_op(const struct evtchn_send *op) { return evtchn_send(current->domain, op->port); }

long do_event_channel_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4, uint64_t a5)
{
    long ret;

    switch ((uint32_t)cmd) {
        EVTCHN_CASE(EVTCHNOP_alloc_unbound, evtchn_alloc_unbound, alloc_unbound, true)
        EVTCHN_CASE(EVTCHNOP_bind_interdomain, evtchn_bind_interdomain, bind_interdomain, true)
        EVTCHN_CASE(EVTCHNOP_bind_virq, evtchn_bind_virq, bind_virq, true)
        EVTCHN_CASE(EVTCHNOP_bind_ipi, evtchn_bind_ipi, bind_ipi, true)
        EVTCHN_CASE(EVTCHNOP_bind_pirq, evtchn_bind_pirq, bind_pirq, true)
        EVTCHN_CASE(EVTCHNOP_close, evtchn_close, close_op, false)
        EVTCHN_CASE(EVTCHNOP_send, evtchn_send, send_op, false)
        EVTCHN_CASE(EVTCHNOP_status, evtchn_status, status, true)
        EVTCHN_CASE(EVTCHNOP_bind_vcpu, evtchn_bind_vcpu, bind_vcpu, false)
        EVTCHN_CASE(EVTCHNOP_unmask, evtchn_unmask, unmask, false)
        EVTCHN_CASE(EVTCHNOP_reset, evtchn_reset, reset, false)
        EVTCHN_CASE(EVTCHNOP_init_control, evtchn_init_control, evtchn_fifo_init_control, true)
        EVTCHN_CASE(EVTCHNOP_expand_array, evtchn_expand_array, evtchn_fifo_expand_array, false)
        EVTCHN_CASE(EVTCHNOP_set_priority, evtchn_set_priority, set_priority, false)
    default: ret = -ENOSYS;
    }
    if (ret == -ERESTART)
        ret = hypercall_continue(__HYPERVISOR_event_channel_op, 2, cmd, arg);
    return ret;
}
