/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event channels: the life of ports, and sending.  All of a domain's ports are guarded by its evtchn lock, taken with
 * interrupts off; the link between two ports changes under both domains' locks, so either is enough to follow it.
 */
#include "evtchn_port.h"

#include "../cpu/asm.h"
#include "../mm/alloc.h"
#include "../sched/sched.h"
#include "pirq.h"
#include "shinfo.h"
#include "vcpu.h"

/* -- ports -------------------------------------------------------------------------------------------------------- */

unsigned evtchn_max_ports(const struct domain *d)
{
    unsigned abi =
        d->evtchn.ops == &evtchn_fifo_ops ? EVTCHN_FIFO_NR_CHANNELS : shinfo_word_bits(d) * shinfo_word_bits(d);

    return MIN(abi, d->evtchn.max_port);
}

struct evtchn *evtchn_from_port(const struct domain *d, uint32_t port)
{
    return port < d->evtchn.valid ? &d->evtchn.bucket[port / EVTCHNS_PER_BUCKET][port % EVTCHNS_PER_BUCKET] : NULL;
}

/* An open port as a guest names it. */
struct evtchn *evtchn_open_port(const struct domain *d, uint32_t port)
{
    struct evtchn *chn = evtchn_from_port(d, port);

    return chn && chn->state != ECS_FREE && chn->state != ECS_RESERVED ? chn : NULL;
}

/*
 * Memory for the next ports is got before the lock is taken: an interrupt handler may wait for the lock while its CPU
 * holds the heap's.
 */
void evtchn_reserve(struct domain *d)
{
    struct evtchn *b = NULL;
    unsigned long flags;

    if (READ_ONCE(d->evtchn.spare))
        return;
    b = xzalloc_array(struct evtchn, EVTCHNS_PER_BUCKET);
    flags = evtchn_lock(d);
    if (!d->evtchn.spare) {
        d->evtchn.spare = b;
        b = NULL;
    }
    evtchn_unlock(d, flags);
    xfree(b);
}

static int evtchn_add_bucket(struct domain *d)
{
    struct evtchn *b = d->evtchn.spare;
    unsigned valid = d->evtchn.valid;

    if (!b)
        return -ENOMEM;
    d->evtchn.spare = NULL;
    for (unsigned i = 0; i < EVTCHNS_PER_BUCKET; i++)
        b[i].port = valid + i;
    d->evtchn.bucket[valid / EVTCHNS_PER_BUCKET] = b;
    smp_mb(); /* readers look at valid first */
    WRITE_ONCE(d->evtchn.valid, valid + EVTCHNS_PER_BUCKET);
    return 0;
}

/* A port for the caller, who sets its state. */
int evtchn_alloc_port(struct domain *d, struct evtchn **out)
{
    unsigned max = evtchn_max_ports(d);
    uint32_t first = 0;
    struct evtchn *chn;
    int ret;

    if (d->dying)
        return -EINVAL;
    for (uint32_t port = MAX(d->evtchn.first_free, 1U); port < max; port++) {
        if (port >= d->evtchn.valid && (ret = evtchn_add_bucket(d)))
            return ret;
        chn = evtchn_from_port(d, port);
        if (chn->state != ECS_FREE)
            continue;
        if (!first)
            d->evtchn.first_free = first = port;
        if (d->evtchn.ops->is_busy && d->evtchn.ops->is_busy(d, port))
            continue;
        chn->notify_vcpu = 0;
        chn->xen_fn = NULL;
        if (d->evtchn.ops->init)
            d->evtchn.ops->init(d, chn);
        *out = chn;
        return 0;
    }
    return -ENOSPC;
}

void evtchn_free_port(struct domain *d, struct evtchn *chn)
{
    d->evtchn.ops->clear_pending(d, chn);
    chn->state = ECS_FREE;
    chn->notify_vcpu = 0;
    chn->xen_fn = NULL;
    d->evtchn.first_free = MIN(d->evtchn.first_free, chn->port);
}

/* -- delivery ----------------------------------------------------------------------------------------------------- */

bool vcpu_event_pending(const struct vcpu *v) { return READ_ONCE(v->info->evtchn_upcall_pending); }

void vcpu_mark_events_pending(struct vcpu *v)
{
    if (__atomic_exchange_n(&READ_ONCE(v->info)->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST))
        return;
    if (v->ops->event_pending)
        v->ops->event_pending(v);
    vcpu_kick(v);
}

static void evtchn_wake_pollers(struct domain *d, uint32_t port)
{
    struct vcpu *v;

    smp_mb(); /* the pending bit first, then who polls: do_poll does it in reverse */
    if (likely(!READ_ONCE(d->pollers)))
        return;
    for_each_vcpu(d, v) {
        int polled = READ_ONCE(v->poll_evtchn);

        if (polled < 0 || (polled && (uint32_t)polled == port))
            vcpu_unblock(v);
    }
}

void evtchn_set_pending(struct domain *d, struct evtchn *chn)
{
    struct vcpu *v = vcpu_by_id(d, chn->notify_vcpu);

    if (!v)
        return;
    d->evtchn.ops->set_pending(v, chn);
    evtchn_wake_pollers(d, chn->port);
}

/* Sends to the other end; if that is the hypervisor, gives what is to be called without the lock. */
static void evtchn_send_interdomain(struct evtchn *chn, void (**fn)(struct vcpu *, unsigned), struct vcpu **v,
                                    uint32_t *port)
{
    struct domain *rd = chn->interdomain.remote_dom;
    struct evtchn *rchn = evtchn_from_port(rd, chn->interdomain.remote_port);

    if (!rchn->xen_fn) {
        evtchn_set_pending(rd, rchn);
        return;
    }
    *v = vcpu_by_id(rd, rchn->notify_vcpu);
    *port = rchn->port;
    if (*v && domain_get(rd))
        *fn = rchn->xen_fn;
}

int evtchn_send(struct domain *d, uint32_t port)
{
    void (*fn)(struct vcpu *, unsigned) = NULL;
    struct vcpu *rv = NULL;
    uint32_t rport = 0;
    unsigned long flags = evtchn_lock(d);
    struct evtchn *chn = evtchn_open_port(d, port);
    int ret = 0;

    if (!chn || chn->xen_fn) {
        ret = -EINVAL;
        goto out;
    }
    switch (chn->state) {
    case ECS_INTERDOMAIN: evtchn_send_interdomain(chn, &fn, &rv, &rport); break;
    case ECS_IPI: evtchn_set_pending(d, chn); break;
    case ECS_UNBOUND: break; /* nobody listens yet */
    default: ret = -EINVAL;
    }
out:
    evtchn_unlock(d, flags);
    if (fn) {
        fn(rv, rport);
        domain_put(rv->domain);
    }
    return ret;
}

bool evtchn_virq_is_global(unsigned virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

static void virq_send(struct vcpu *v, unsigned virq)
{
    struct domain *d = v->domain;
    unsigned long flags;
    struct evtchn *chn;

    if (!READ_ONCE(v->virq_to_evtchn[virq]))
        return;
    flags = evtchn_lock(d);
    chn = evtchn_from_port(d, v->virq_to_evtchn[virq]);
    if (v->virq_to_evtchn[virq] && chn)
        evtchn_set_pending(d, chn);
    evtchn_unlock(d, flags);
}

void send_guest_vcpu_virq(struct vcpu *v, unsigned virq) { virq_send(v, virq); }

void send_guest_global_virq(struct domain *d, unsigned virq)
{
    struct vcpu *v = d ? vcpu_by_id(d, 0) : NULL;

    if (v)
        virq_send(v, virq);
}

/* Who gets a global VIRQ: NULL is Dom0. Each other holds a reference; changed with the domctl lock. */
static struct domain *virq_handlers[NR_VIRQS];
static DEFINE_SPINLOCK(virq_handlers_lock);

void send_global_virq(unsigned virq)
{
    unsigned long flags = spin_lock_irqsave(&virq_handlers_lock);
    struct domain *d = virq_handlers[virq] ? virq_handlers[virq] : dom0;

    send_guest_global_virq(d, virq);
    spin_unlock_irqrestore(&virq_handlers_lock, flags);
}

int set_global_virq_handler(struct domain *d, unsigned virq)
{
    struct domain *old;
    unsigned long flags;

    if (virq >= NR_VIRQS || !evtchn_virq_is_global(virq))
        return -EINVAL;
    if (d->dying || !domain_get(d)) /* nobody would take the reference back from one that is going */
        return -EINVAL;
    flags = spin_lock_irqsave(&virq_handlers_lock);
    old = virq_handlers[virq];
    virq_handlers[virq] = d;
    spin_unlock_irqrestore(&virq_handlers_lock, flags);
    if (old)
        domain_put(old);
    return 0;
}

/* A dying domain handles none any more. */
static void virq_handlers_drop(struct domain *d)
{
    unsigned n = 0;
    unsigned long flags = spin_lock_irqsave(&virq_handlers_lock);

    for (unsigned virq = 0; virq < NR_VIRQS; virq++) {
        if (virq_handlers[virq] == d) {
            virq_handlers[virq] = NULL;
            n++;
        }
    }
    spin_unlock_irqrestore(&virq_handlers_lock, flags);
    while (n--)
        domain_put(d);
}

void send_guest_pirq(struct domain *d, unsigned pirq)
{
    uint32_t port = pirq_to_port(d, pirq);
    unsigned long flags;
    struct evtchn *chn;

    if (!port)
        return;
    flags = evtchn_lock(d);
    chn = evtchn_from_port(d, port);
    if (chn && chn->state == ECS_PIRQ && chn->pirq.pirq == pirq)
        evtchn_set_pending(d, chn);
    evtchn_unlock(d, flags);
}
/* -- for the hypervisor itself ------------------------------------------------------------------------------------ */

int evtchn_alloc_xen(struct domain *d, unsigned vcpu, domid_t remote, void (*fn)(struct vcpu *v, unsigned port))
{
    unsigned long flags;
    struct evtchn *chn;
    int ret;

    evtchn_reserve(d);
    flags = evtchn_lock(d);
    ret = evtchn_alloc_port(d, &chn);
    if (!ret) {
        chn->state = ECS_UNBOUND;
        chn->xen_fn = fn;
        chn->notify_vcpu = (uint16_t)vcpu;
        chn->unbound.remote_domid = remote;
        ret = (int)chn->port;
    }
    evtchn_unlock(d, flags);
    return ret;
}

void evtchn_free_xen(struct domain *d, uint32_t port) { (void)evtchn_close(d, port, false); }

void evtchn_notify_xen(struct domain *d, uint32_t port)
{
    unsigned long flags = evtchn_lock(d);
    struct evtchn *chn = evtchn_open_port(d, port);

    if (chn && chn->xen_fn && chn->state == ECS_INTERDOMAIN) {
        struct domain *rd = chn->interdomain.remote_dom;

        evtchn_set_pending(rd, evtchn_from_port(rd, chn->interdomain.remote_port));
    }
    evtchn_unlock(d, flags);
}

bool evtchn_port_is_pending(struct domain *d, uint32_t port)
{
    unsigned long flags = evtchn_lock(d);
    struct evtchn *chn = evtchn_open_port(d, port);
    bool pending = chn && d->evtchn.ops->is_pending(d, chn);

    evtchn_unlock(d, flags);
    return pending;
}

/* -- domains ------------------------------------------------------------------------------------------------------ */

int evtchn_init_domain(struct domain *d)
{
    d->evtchn.ops = &evtchn_2l_ops;
    d->evtchn.bucket = xzalloc_array(struct evtchn *, (size_t)DIV_ROUND_UP(d->evtchn.max_port, EVTCHNS_PER_BUCKET));
    evtchn_reserve(d);
    if (!d->evtchn.bucket || evtchn_add_bucket(d))
        return -ENOMEM;
    evtchn_from_port(d, 0)->state = ECS_RESERVED; /* port 0 is no port */
    return 0;
}

int evtchn_destroy(struct domain *d)
{
    int ret;

    /* Whoever allocates a port from here on has seen that the domain is dying. */
    evtchn_unlock(d, evtchn_lock(d));
    ret = evtchn_close_all(d, false);
    if (!ret)
        ret = evtchn_fifo_destroy(d);
    if (!ret)
        virq_handlers_drop(d);
    return ret;
}

void evtchn_free(struct domain *d)
{
    if (!d->evtchn.bucket)
        return;
    for (unsigned i = 0; i < d->evtchn.valid / EVTCHNS_PER_BUCKET; i++)
        xfree(d->evtchn.bucket[i]);
    xfree(d->evtchn.spare);
    xfree(d->evtchn.bucket);
    d->evtchn.bucket = NULL;
    d->evtchn.valid = 0;
}

void evtchn_vcpu_destroy(struct vcpu *v) { (void)v; /* its ports were closed with the domain's */ }
