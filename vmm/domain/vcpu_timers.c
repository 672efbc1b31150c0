/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The timers of a vCPU: single-shot, periodic (both end in VIRQ_TIMER) and the one of SCHEDOP_poll. Changed by the vCPU itself. */
#include "../cpu/percpu.h"
#include "../cpu/time.h"
#include "../sched/sched.h"
#include "evtchn.h"
#include "hypercall.h"
#include "vcpu.h"

/* Old Linux computed deadlines that are negative or years ahead where it meant "some time": it is woken soon instead. */
#define DEADLINE_SPAN_MAX (1LL << 50)
#define DEADLINE_FALLBACK 100000000

static void singleshot_fired(void *data) { send_guest_vcpu_virq(data, VIRQ_TIMER); }

static void poll_fired(void *data)
{
    struct vcpu *v = data;

    if (READ_ONCE(v->poll_evtchn))
        vcpu_unblock(v);
}

static void periodic_fired(void *data)
{
    struct vcpu *v = data;
    time_ns_t period = READ_ONCE(v->periodic_period), t = now();

    if (!period)
        return;
    send_guest_vcpu_virq(v, VIRQ_TIMER);
    /* Ticks that were missed are not made up for. */
    v->periodic_last += (t - v->periodic_last) / period * period;
    timer_set(&v->periodic_timer, v->periodic_last + period);
}

void vcpu_timers_init(struct vcpu *v)
{
    unsigned cpu = smp_processor_id();

    timer_init(&v->singleshot_timer, singleshot_fired, v, cpu);
    timer_init(&v->periodic_timer, periodic_fired, v, cpu);
    timer_init(&v->poll_timer, poll_fired, v, cpu);
}

void vcpu_timers_kill(struct vcpu *v)
{
    timer_kill(&v->singleshot_timer);
    timer_kill(&v->periodic_timer);
    timer_kill(&v->poll_timer);
}

void vcpu_timers_move(struct vcpu *v)
{
    timer_migrate(&v->singleshot_timer, v->processor);
    timer_migrate(&v->periodic_timer, v->processor);
    timer_migrate(&v->poll_timer, v->processor);
}

long do_set_timer_op(uint64_t deadline, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;
    time_ns_t t = (time_ns_t)deadline;

    if (!t) {
        timer_stop(&v->singleshot_timer);
        return 0;
    }
    if (t < 0 || t - now() > DEADLINE_SPAN_MAX)
        t = now() + DEADLINE_FALLBACK;
    timer_set(&v->singleshot_timer, t);
    return 0;
}

long vcpu_set_singleshot(struct vcpu *v, uint64_t arg)
{
    struct vcpu_set_singleshot_timer op;

    if (v != current)
        return -EINVAL;
    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if ((op.flags & VCPU_SSHOTTMR_future) && (time_ns_t)op.timeout_abs_ns < now())
        return -ETIME;
    timer_set(&v->singleshot_timer, (time_ns_t)op.timeout_abs_ns);
    return 0;
}

long vcpu_set_periodic(struct vcpu *v, uint64_t arg)
{
    struct vcpu_set_periodic_timer op;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (op.period_ns < 1000000 || op.period_ns > (uint64_t)DEADLINE_SPAN_MAX)
        return -EINVAL;
    v->periodic_last = now();
    WRITE_ONCE(v->periodic_period, (time_ns_t)op.period_ns);
    timer_set(&v->periodic_timer, v->periodic_last + v->periodic_period);
    return 0;
}

long vcpu_stop_periodic(struct vcpu *v)
{
    WRITE_ONCE(v->periodic_period, 0);
    timer_stop(&v->periodic_timer);
    return 0;
}
