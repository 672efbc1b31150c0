/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tasklets: functions to run soon on a CPU, in SOFTIRQ_TASKLET.  One lock guards all queues and states: they are
 * few and short.
 */
#include "../cpu/asm.h"
#include "../lib/printk.h"
#include "../lib/spinlock.h"
#include "softirq.h"

#define TASKLET_QUEUED 1U
#define TASKLET_RUNNING 2U
#define TASKLET_DEAD 4U

struct tasklet_queue {
    struct tasklet *first, **last;
};
static DEFINE_PER_CPU(struct tasklet_queue, tasklet_queue);
static DEFINE_SPINLOCK(tasklet_lock);

static void tasklet_enqueue(struct tasklet *t)
{
    struct tasklet_queue *q = &per_cpu(tasklet_queue, t->cpu);

    t->next = NULL;
    if (!q->first)
        q->last = &q->first;
    *q->last = t;
    q->last = &t->next;
}

static void tasklet_softirq(void)
{
    struct tasklet_queue *q = &this_cpu(tasklet_queue);
    unsigned long flags = spin_lock_irqsave(&tasklet_lock);
    struct tasklet *t;

    while ((t = q->first)) {
        q->first = t->next;
        t->state = (t->state & ~TASKLET_QUEUED) | TASKLET_RUNNING;
        spin_unlock_irqrestore(&tasklet_lock, flags);
        t->fn(t->data);
        flags = spin_lock_irqsave(&tasklet_lock);
        t->state &= ~TASKLET_RUNNING;
        /* Asked for again while it ran: it waits for its next turn, so that others get theirs. */
        if (t->state & TASKLET_QUEUED) {
            tasklet_enqueue(t);
            softirq_raise_on(t->cpu, SOFTIRQ_TASKLET);
            break;
        }
    }
    if (q->first)
        softirq_raise(SOFTIRQ_TASKLET);
    spin_unlock_irqrestore(&tasklet_lock, flags);
}

void tasklet_init(struct tasklet *t, void (*fn)(void *), void *data)
{
    *t = (struct tasklet){.fn = fn, .data = data};
    softirq_open(SOFTIRQ_TASKLET, tasklet_softirq);
}

void tasklet_schedule_on(struct tasklet *t, unsigned cpu)
{
    unsigned long flags = spin_lock_irqsave(&tasklet_lock);

    if (!(t->state & (TASKLET_QUEUED | TASKLET_DEAD))) {
        t->state |= TASKLET_QUEUED;
        t->cpu = cpu;
        if (!(t->state & TASKLET_RUNNING)) {
            tasklet_enqueue(t);
            softirq_raise_on(cpu, SOFTIRQ_TASKLET);
        }
    }
    spin_unlock_irqrestore(&tasklet_lock, flags);
}

void tasklet_schedule(struct tasklet *t) { tasklet_schedule_on(t, smp_processor_id()); }

void tasklet_kill(struct tasklet *t)
{
    unsigned long flags = spin_lock_irqsave(&tasklet_lock);

    t->state |= TASKLET_DEAD;
    while (t->state & (TASKLET_QUEUED | TASKLET_RUNNING)) {
        spin_unlock_irqrestore(&tasklet_lock, flags);
        cpu_relax();
        process_pending_softirqs();
        flags = spin_lock_irqsave(&tasklet_lock);
    }
    spin_unlock_irqrestore(&tasklet_lock, flags);
}
