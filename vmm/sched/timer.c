/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timers: a pairing heap for each CPU (Fredman and others, 1986), through links in the timers themselves, so that
 * setting one needs no memory.  A heap and the state of its timers are guarded by the heap's lock, taken with
 * interrupts off; t->cpu changes under the locks of both CPUs' heaps only.
 */
#include "timer.h"

#include "../cpu/asm.h"
#include "../cpu/time.h"
#include "../lib/printk.h"
#include "../lib/spinlock.h"
#include "softirq.h"

enum timer_state { TIMER_INVALID, TIMER_INACTIVE, TIMER_ARMED, TIMER_MOVING, TIMER_KILLED };

struct timer_heap {
    spinlock_t lock;
    struct timer *root;
    struct timer *running; /* the one whose handler this CPU is in */
};
static DEFINE_PER_CPU(struct timer_heap, timer_heap);

/* Joins two heaps; a root's sibling and prev are meaningless to its caller, who sets them. */
static struct timer *heap_merge(struct timer *a, struct timer *b)
{
    struct timer *t;

    if (!a || !b)
        return a ? a : b;
    if (b->expires < a->expires) {
        t = a;
        a = b;
        b = t;
    }
    b->prev = a;
    b->sibling = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    a->sibling = a->prev = NULL;
    return a;
}

/* Joins a list of siblings to one heap: pairs from left to right, then the pairs. */
static struct timer *heap_merge_pairs(struct timer *first)
{
    struct timer *pairs = NULL, *root = NULL, *next;

    while (first) {
        struct timer *a = first, *b = first->sibling;

        first = b ? b->sibling : NULL;
        a->sibling = a->prev = NULL;
        if (b)
            b->sibling = b->prev = NULL;
        a = heap_merge(a, b);
        a->sibling = pairs;
        pairs = a;
    }
    for (; pairs; pairs = next) {
        next = pairs->sibling;
        pairs->sibling = pairs->prev = NULL;
        root = heap_merge(root, pairs);
    }
    return root;
}

static void heap_insert(struct timer_heap *h, struct timer *t)
{
    t->child = t->sibling = t->prev = NULL;
    h->root = heap_merge(h->root, t);
}

static void heap_remove(struct timer_heap *h, struct timer *t)
{
    struct timer *rest = heap_merge_pairs(t->child);

    if (h->root == t) {
        h->root = rest;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->sibling;
        else
            t->prev->sibling = t->sibling;
        if (t->sibling)
            t->sibling->prev = t->prev;
        h->root = heap_merge(h->root, rest);
    }
    t->child = t->sibling = t->prev = NULL;
}

static struct timer_heap *timer_lock(struct timer *t, unsigned long *flags)
{
    for (;;) {
        unsigned cpu = READ_ONCE(t->cpu);
        struct timer_heap *h = &per_cpu(timer_heap, cpu);

        *flags = spin_lock_irqsave(&h->lock);
        if (likely(t->cpu == cpu))
            return h;
        spin_unlock_irqrestore(&h->lock, *flags);
    }
}

/* The first deadline of a CPU may have changed: its hardware timer is to know. */
static void timer_heap_changed(struct timer_heap *h, unsigned cpu)
{
    if (cpu != smp_processor_id())
        softirq_raise_on(cpu, SOFTIRQ_TIMER);
    else if (!hw_timer_program(h->root->expires))
        softirq_raise(SOFTIRQ_TIMER);
}

void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned cpu)
{
    *t = (struct timer){.fn = fn, .data = data, .cpu = (uint16_t)cpu, .state = TIMER_INACTIVE};
}

void timer_set(struct timer *t, time_ns_t expires)
{
    unsigned long flags;
    struct timer_heap *h;

    if (t->state == TIMER_INVALID)
        return;
    h = timer_lock(t, &flags);
    if (t->state == TIMER_ARMED)
        heap_remove(h, t);
    if (t->state != TIMER_KILLED) {
        t->expires = expires > 0 ? expires : 1;
        t->state = TIMER_ARMED;
        heap_insert(h, t);
        if (h->root == t)
            timer_heap_changed(h, t->cpu);
    }
    spin_unlock_irqrestore(&h->lock, flags);
}

void timer_stop(struct timer *t)
{
    unsigned long flags;
    struct timer_heap *h;

    if (t->state == TIMER_INVALID)
        return;
    h = timer_lock(t, &flags);
    if (t->state == TIMER_ARMED)
        heap_remove(h, t);
    if (t->state != TIMER_KILLED)
        t->state = TIMER_INACTIVE;
    spin_unlock_irqrestore(&h->lock, flags);
}

void timer_kill(struct timer *t)
{
    unsigned long flags;
    struct timer_heap *h;

    if (t->state == TIMER_INVALID)
        return;
    h = timer_lock(t, &flags);
    if (t->state == TIMER_ARMED)
        heap_remove(h, t);
    t->state = TIMER_KILLED;
    spin_unlock_irqrestore(&h->lock, flags);

    /* A handler that kills its own timer must not wait for itself. */
    while (READ_ONCE(h->running) == t && h != &this_cpu(timer_heap))
        cpu_relax();
}

void timer_migrate(struct timer *t, unsigned cpu)
{
    unsigned long flags;
    struct timer_heap *from, *to;
    bool armed;

    if (t->state == TIMER_INVALID || t->cpu == cpu)
        return;
    from = timer_lock(t, &flags);
    armed = t->state == TIMER_ARMED;
    if (armed) {
        heap_remove(from, t);
        t->state = TIMER_MOVING;
    }
    /* Heap locks never nest. Whoever sets or stops the timer meanwhile ends the move, and that stands. */
    t->cpu = (uint16_t)cpu;
    spin_unlock_irqrestore(&from->lock, flags);
    if (!armed)
        return;

    to = timer_lock(t, &flags);
    if (t->state == TIMER_MOVING) {
        t->state = TIMER_ARMED;
        heap_insert(to, t);
        if (to->root == t)
            timer_heap_changed(to, t->cpu);
    }
    spin_unlock_irqrestore(&to->lock, flags);
}

bool timer_is_active(const struct timer *t)
{
    uint8_t state = READ_ONCE(t->state);

    return state == TIMER_ARMED || state == TIMER_MOVING;
}

static void timer_softirq(void)
{
    struct timer_heap *h = &this_cpu(timer_heap);
    unsigned long flags = spin_lock_irqsave(&h->lock);

    do {
        struct timer *t;

        while ((t = h->root) && t->expires <= now()) {
            heap_remove(h, t);
            t->state = TIMER_INACTIVE;
            h->running = t;
            spin_unlock_irqrestore(&h->lock, flags);
            t->fn(t->data);
            flags = spin_lock_irqsave(&h->lock);
            h->running = NULL;
        }
    } while (h->root && !hw_timer_program(h->root->expires));
    if (!h->root)
        (void)hw_timer_program(0);
    spin_unlock_irqrestore(&h->lock, flags);
}

void timer_subsystem_init(void) { softirq_open(SOFTIRQ_TIMER, timer_softirq); }
