/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The FIFO ABI: an event word for each port in pages of the guest, linked into a queue for each vCPU and priority
 * (public header event_channel.h).  The guest changes words and heads by compare-and-swap while they are in use here;
 * everything it writes is checked.  The domain's evtchn lock guards the rest; queues have a lock of their own, since an
 * event may be sent with the sender's domain lock alone.
 */
#include "evtchn_port.h"

#include "../cpu/asm.h"
#include "../cpu/percpu.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "shinfo.h"
#include "vcpu.h"

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define MAX_ARRAY_PAGES (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)

struct fifo_queue {
    uint32_t tail; /* last port that was put in; 0: none */
    spinlock_t lock;
};

struct fifo_vcpu {
    struct evtchn_fifo_control_block *control;
    struct page_info *page;
    struct fifo_queue queue[EVTCHN_FIFO_MAX_QUEUES];
};

struct evtchn_fifo {
    struct page_info *page[MAX_ARRAY_PAGES];
    event_word_t *words[MAX_ARRAY_PAGES];
    unsigned nr_pages;
    unsigned nr_vcpus;
    struct fifo_vcpu *vcpu[]; /* NULL until its control block is set */
};

static event_word_t *fifo_word(const struct domain *d, uint32_t port)
{
    const struct evtchn_fifo *f = d->evtchn.fifo;
    unsigned p = port / WORDS_PER_PAGE;

    if (!f || p >= READ_ONCE(f->nr_pages))
        return NULL;
    return f->words[p] + port % WORDS_PER_PAGE;
}

static struct fifo_queue *fifo_queue_of(const struct domain *d, unsigned vcpu, unsigned priority)
{
    struct fifo_vcpu *fv = d->evtchn.fifo->vcpu[vcpu];

    return fv ? &fv->queue[priority] : NULL;
}

/* -- queues ------------------------------------------------------------------------------------------------------- */

enum link_result { LINK_DONE, LINK_TAIL_GONE, LINK_CONTENDED };

/* Makes 'link' follow the port whose word this is, if that is still in the queue. */
static enum link_result fifo_try_link(event_word_t *word, event_word_t *seen, uint32_t link)
{
    event_word_t want;

    if (!(*seen & (1U << EVTCHN_FIFO_LINKED)))
        return LINK_TAIL_GONE;
    want = (*seen & ~((1U << EVTCHN_FIFO_BUSY) | EVTCHN_FIFO_LINK_MASK)) | link;
    return __atomic_compare_exchange_n(word, seen, want, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED) ? LINK_DONE
                                                                                                    : LINK_CONTENDED;
}

/* The same with the guest interfering. BUSY asks it to leave the word alone; one that will not is not waited for. */
static bool fifo_link_after(struct domain *d, uint32_t tail, uint32_t link)
{
    event_word_t *word = fifo_word(d, tail), seen;
    enum link_result r;

    if (!word)
        return false;
    seen = READ_ONCE(*word);
    r = fifo_try_link(word, &seen, link);
    if (r != LINK_CONTENDED)
        return r == LINK_DONE;

    set_bit(EVTCHN_FIFO_BUSY, word);
    seen = READ_ONCE(*word);
    for (unsigned tries = 0; tries < 4 && r == LINK_CONTENDED; tries++)
        r = fifo_try_link(word, &seen, link);
    if (r == LINK_CONTENDED)
        printk(LOG_GUEST "2Domain %u, port %u: event word is kept busy\n", d->id, tail);
    if (r != LINK_DONE)
        clear_bit(EVTCHN_FIFO_BUSY, word);
    /* The event is lost to a guest that does this: only itself is harmed. */
    return r != LINK_TAIL_GONE;
}

/* Puts a pending event that is not yet linked at the end of its queue. */
static void fifo_enqueue(struct vcpu *v, struct evtchn *chn, event_word_t *word)
{
    struct domain *d = v->domain;
    struct fifo_queue *q = fifo_queue_of(d, v->id, chn->priority);
    struct fifo_queue *old = fifo_queue_of(d, chn->last_vcpu, chn->last_priority);
    struct evtchn_fifo_control_block *control;
    bool linked;

    if (!q)
        return; /* no control block yet: the bit stays pending, and unmasking finds it */
    control = d->evtchn.fifo->vcpu[v->id]->control;

    /* If it was the last of another queue, that queue must not link to it any more. */
    if (old && old != q) {
        spin_lock(&old->lock);
        if (old->tail == chn->port)
            old->tail = 0;
        spin_unlock(&old->lock);
    }
    spin_lock(&q->lock);
    if (test_and_set_bit(EVTCHN_FIFO_LINKED, word)) {
        spin_unlock(&q->lock);
        return;
    }
    chn->last_vcpu = (uint16_t)v->id;
    chn->last_priority = chn->priority;
    /* It ends the queue: what it linked to before is void. */
    __atomic_fetch_and(word, ~(event_word_t)EVTCHN_FIFO_LINK_MASK, __ATOMIC_SEQ_CST);
    linked = q->tail && q->tail != chn->port && fifo_link_after(d, q->tail, chn->port);
    if (!linked)
        WRITE_ONCE(control->head[chn->priority], chn->port);
    q->tail = chn->port;
    spin_unlock(&q->lock);

    if (!linked && !test_and_set_bit(chn->priority, &control->ready))
        vcpu_mark_events_pending(v);
}

static void fifo_set_pending(struct vcpu *v, struct evtchn *chn)
{
    event_word_t *word = fifo_word(v->domain, chn->port);

    if (!word) {
        chn->pending = true;
        return;
    }
    set_bit(EVTCHN_FIFO_PENDING, word);
    /* A masked event is linked when it is unmasked; a linked one will be seen. */
    if (!test_bit(EVTCHN_FIFO_MASKED, word) && !test_bit(EVTCHN_FIFO_LINKED, word))
        fifo_enqueue(v, chn, word);
}

static void fifo_clear_pending(struct domain *d, struct evtchn *chn)
{
    event_word_t *word = fifo_word(d, chn->port);

    chn->pending = false;
    /* LINKED stays: the guest takes the port out of its queue, until when it is not given out again. */
    if (word)
        clear_bit(EVTCHN_FIFO_PENDING, word);
}

static void fifo_unmask(struct domain *d, struct evtchn *chn)
{
    event_word_t *word = fifo_word(d, chn->port);
    struct vcpu *v = vcpu_by_id(d, chn->notify_vcpu);

    if (!word || !v)
        return;
    clear_bit(EVTCHN_FIFO_MASKED, word);
    if (test_bit(EVTCHN_FIFO_PENDING, word))
        fifo_set_pending(v, chn);
}

static bool fifo_test(const struct domain *d, uint32_t port, unsigned bit, bool absent)
{
    const event_word_t *word = fifo_word(d, port);

    return word ? test_bit(bit, word) : absent;
}

static bool fifo_is_pending(const struct domain *d, const struct evtchn *chn)
{
    return fifo_test(d, chn->port, EVTCHN_FIFO_PENDING, false);
}

static bool fifo_is_masked(const struct domain *d, const struct evtchn *chn)
{
    return fifo_test(d, chn->port, EVTCHN_FIFO_MASKED, true);
}

static bool fifo_is_busy(const struct domain *d, uint32_t port)
{
    return fifo_test(d, port, EVTCHN_FIFO_LINKED, false);
}

static void fifo_init_port(struct domain *d, struct evtchn *chn)
{
    (void)d;
    chn->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
}

static int fifo_set_priority(struct domain *d, struct evtchn *chn, unsigned priority)
{
    (void)d;
    if (priority > EVTCHN_FIFO_PRIORITY_MIN)
        return -EINVAL;
    chn->priority = (uint8_t)priority; /* from the next event on */
    return 0;
}

const struct evtchn_port_ops evtchn_fifo_ops = {
    .init = fifo_init_port,
    .set_pending = fifo_set_pending,
    .clear_pending = fifo_clear_pending,
    .unmask = fifo_unmask,
    .is_pending = fifo_is_pending,
    .is_masked = fifo_is_masked,
    .is_busy = fifo_is_busy,
    .set_priority = fifo_set_priority,
};

/* -- set-up and end ----------------------------------------------------------------------------------------------- */

/* Events of the 2-level ABI that are pending now are sent again when their event words come. */
static void fifo_take_over(struct domain *d)
{
    for (uint32_t port = 1; port < d->evtchn.valid; port++) {
        struct evtchn *chn = evtchn_from_port(d, port);

        chn->pending = chn->state != ECS_FREE && evtchn_2l_ops.is_pending(d, chn);
        fifo_init_port(d, chn);
        chn->last_vcpu = 0;
        chn->last_priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    }
    d->evtchn.ops = &evtchn_fifo_ops;
}

static struct fifo_vcpu *fifo_vcpu_new(struct page_info *page, uint32_t offset)
{
    struct fifo_vcpu *fv = xzalloc(struct fifo_vcpu);

    if (!fv)
        return NULL;
    fv->page = page;
    fv->control = (struct evtchn_fifo_control_block *)((char *)page_to_virt(page) + offset);
    for (unsigned i = 0; i < EVTCHN_FIFO_MAX_QUEUES; i++)
        spin_lock_init(&fv->queue[i].lock, LOCK_UNORDERED);
    return fv;
}

int evtchn_fifo_init_control(struct evtchn_init_control *op)
{
    struct domain *d = current->domain;
    struct evtchn_fifo *fresh = NULL;
    struct page_info *page;
    struct fifo_vcpu *fv;
    unsigned long flags;
    int ret = -EINVAL;

    if (!vcpu_by_id(d, op->vcpu))
        return -ENOENT;
    if (op->offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) || op->offset % 8)
        return -EINVAL;
    page = d->ops->get_page(d, GFN(op->control_gfn), true, &ret);
    if (!page)
        return ret;
    fv = fifo_vcpu_new(page, op->offset);
    if (!d->evtchn.fifo) {
        fresh = xzalloc_bytes(sizeof(*fresh) + d->max_vcpus * sizeof(fresh->vcpu[0]));
        if (fresh)
            fresh->nr_vcpus = d->max_vcpus;
    }
    ret = fv && (fresh || d->evtchn.fifo) ? 0 : -ENOMEM;

    flags = evtchn_lock(d);
    if (!ret && (d->dying || (d->evtchn.fifo && d->evtchn.fifo->vcpu[op->vcpu])))
        ret = -EINVAL;
    if (!ret && !d->evtchn.fifo) {
        d->evtchn.fifo = fresh;
        fresh = NULL;
        fifo_take_over(d);
    }
    if (!ret) {
        d->evtchn.fifo->vcpu[op->vcpu] = fv;
        op->link_bits = EVTCHN_FIFO_LINK_BITS;
    }
    evtchn_unlock(d, flags);

    xfree(fresh);
    if (ret) {
        xfree(fv);
        page_put_and_type(page);
    }
    return ret;
}

static int fifo_add_page(struct domain *d, struct page_info *page)
{
    struct evtchn_fifo *f = d->evtchn.fifo;
    unsigned p;

    if (!f)
        return -EOPNOTSUPP;
    p = f->nr_pages;
    /* More pages than the ports that the domain may have need would never be used. */
    if (d->dying || p >= MAX_ARRAY_PAGES || p * WORDS_PER_PAGE >= d->evtchn.max_port)
        return -ENOSPC;
    f->page[p] = page;
    f->words[p] = page_to_virt(page);
    smp_mb();
    WRITE_ONCE(f->nr_pages, p + 1);

    for (uint32_t port = p * WORDS_PER_PAGE; port < (p + 1) * WORDS_PER_PAGE; port++) {
        struct evtchn *chn = evtchn_from_port(d, port);
        struct vcpu *v = chn ? vcpu_by_id(d, chn->notify_vcpu) : NULL;

        if (v && chn->pending) {
            chn->pending = false;
            fifo_set_pending(v, chn);
        }
    }
    return 0;
}

int evtchn_fifo_expand_array(const struct evtchn_expand_array *op)
{
    struct domain *d = current->domain;
    struct page_info *page;
    unsigned long flags;
    int ret = -EINVAL;

    if (!d->evtchn.fifo)
        return -EOPNOTSUPP;
    page = d->ops->get_page(d, GFN(op->array_gfn), true, &ret);
    if (!page)
        return ret;
    flags = evtchn_lock(d);
    ret = fifo_add_page(d, page);
    evtchn_unlock(d, flags);
    if (ret)
        page_put_and_type(page);
    return ret;
}

/* No port through which a sender, with its own domain's lock alone, could get here. */
static bool fifo_idle(const struct domain *d)
{
    for (uint32_t port = 1; port < d->evtchn.valid; port++) {
        const struct evtchn *chn = evtchn_from_port(d, port);

        if (chn->state != ECS_FREE && !chn->xen_fn)
            return false;
    }
    return true;
}

int evtchn_fifo_destroy(struct domain *d)
{
    struct evtchn_fifo *f;
    unsigned long flags = evtchn_lock(d);

    f = d->evtchn.fifo;
    if (f && !fifo_idle(d)) {
        evtchn_unlock(d, flags);
        return -ERESTART;
    }
    d->evtchn.fifo = NULL;
    d->evtchn.ops = &evtchn_2l_ops;
    evtchn_unlock(d, flags);
    if (!f)
        return 0;
    for (unsigned i = 0; i < f->nr_vcpus; i++) {
        if (!f->vcpu[i])
            continue;
        page_put_and_type(f->vcpu[i]->page);
        xfree(f->vcpu[i]);
    }
    for (unsigned i = 0; i < f->nr_pages; i++)
        page_put_and_type(f->page[i]);
    xfree(f);
    return 0;
}
