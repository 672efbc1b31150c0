/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A timer that ticks at a fixed rate for a platform device, on the CPU of vCPU 0, which takes its interrupts. */
#include "devices.h"

#define OWED_FOR 1000000000 /* ns; what a guest missed for longer it does not get any more */
#define SHORTEST 50000      /* ns between two ticks of any kind: a guest may not drown the host in interrupts */

static void vtick_arm(struct vtick *t, time_ns_t when)
{
    if (t->d->vcpu && t->d->vcpu[0])
        timer_migrate(&t->timer, t->d->vcpu[0]->processor);
    timer_set(&t->timer, when);
}

/* Public header hvm/params.h: in the first two modes a guest gets the interrupts that it missed. */
static bool owes_missed_ticks(const struct domain *d)
{
    return d->hvm->params[HVM_PARAM_TIMER_MODE] <= HVMPTM_no_delay_for_missed_ticks;
}

/* Interrupts that come while it waits for a CPU become one. */
static bool waits_for_cpu(const struct domain *d)
{
    const struct vcpu *v = d->vcpu ? d->vcpu[0] : NULL;

    return v && vcpu_is_runnable(v) && !READ_ONCE(v->is_running);
}

/* The tick at t->next is due; what is owed for it and for those behind it that have passed too. */
static void vtick_due(struct vtick *t, time_ns_t period)
{
    uint64_t passed = (uint64_t)(MAX(now() - t->next, (time_ns_t)0) / period);
    bool waits = waits_for_cpu(t->d);

    t->next += (time_ns_t)(1 + passed) * period;
    t->owed += passed + (waits && t->in_wait);
    t->in_wait = waits;
    t->owed = owes_missed_ticks(t->d) ? MIN(t->owed, OWED_FOR / (uint64_t)period) : 0;
}

/* Ticks that are owed come in between, at four times the rate, so that the guest has time for each. */
static void vtick_fired(void *data)
{
    struct vtick *t = data;
    time_ns_t period = READ_ONCE(t->period), soon; /* the guest may stop it at any moment */

    t->extra = period && t->between;
    if (period) {
        uint64_t owed = READ_ONCE(t->owed);

        if (!t->extra)
            vtick_due(t, period);
        else if (owed)
            t->owed = owed - 1;
        soon = now() + MAX(period / 4, (time_ns_t)SHORTEST);
        t->between = t->owed && soon + SHORTEST <= t->next && !waits_for_cpu(t->d);
        vtick_arm(t, t->between ? soon : t->next);
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
    t->period = period ? MAX(period, (time_ns_t)SHORTEST) : 0;
    t->owed = 0;
    t->between = t->extra = t->in_wait = false;
    vtick_arm(t, first);
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
