/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A timer that ticks at a fixed rate for a platform device, on the CPU of vCPU 0, which takes its interrupts. */
#include "devices.h"

static void vtick_arm(struct vtick *t)
{
    if (t->d->vcpu && t->d->vcpu[0])
        timer_migrate(&t->timer, t->d->vcpu[0]->processor);
    timer_set(&t->timer, t->next);
}

static void vtick_fired(void *data)
{
    struct vtick *t = data;
    time_ns_t period = READ_ONCE(t->period), late; /* the guest may stop it at any moment */

    if (period) {
        late = now() - t->next;
        t->next += period * (1 + MAX(late, (time_ns_t)0) / period);
        vtick_arm(t);
    }
    t->fn(t->d, t->data);
}

void vtick_init(struct vtick *t, struct domain *d, void (*fn)(struct domain *, void *), void *data)
{
    t->d = d;
    t->fn = fn;
    t->data = data;
    t->other = d->hvm->ticks;
    d->hvm->ticks = t;
    timer_init(&t->timer, vtick_fired, t, 0);
}

void vtick_start(struct vtick *t, time_ns_t first, time_ns_t period)
{
    timer_stop(&t->timer);
    t->next = first;
    t->period = period ? MAX(period, (time_ns_t)50000) : 0; /* a guest may not drown the host in interrupts */
    vtick_arm(t);
}

void vtick_stop(struct vtick *t)
{
    t->period = 0;
    timer_stop(&t->timer);
}

void vtick_kill(struct vtick *t)
{
    t->period = 0;
    timer_kill(&t->timer);
}

void vticks_kill(struct domain *d)
{
    for (struct vtick *t = d->hvm->ticks; t; t = t->other)
        vtick_kill(t);
}
