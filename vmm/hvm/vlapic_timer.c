/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC's timer: one-shot, periodic and TSC-deadline.  Intel SDM 3A,
 * 11.5.4 "APIC Timer".
 */
#include "vlapic.h"

void vlapic_set_divisor(struct vlapic *l)
{
    uint32_t tdcr = vlapic_reg(l, APIC_TDCR), code = (tdcr & 3) | ((tdcr >> 1) & 4);

    l->hw.timer_divisor = 1U << ((code + 1) & 7);
}

static bool in_deadline_mode(const struct vlapic *l) { return l->timer_mode == LVT_TIMER_TSC_DEADLINE; }

static time_ns_t vlapic_ticks_to_ns(const struct vlapic *l, uint32_t ticks)
{
    return (time_ns_t)ticks * l->hw.timer_divisor * APIC_TICK_NS;
}

static void vlapic_timer_arm(struct vlapic *l, time_ns_t when)
{
    timer_migrate(&l->timer, l->v->processor);
    timer_set(&l->timer, when);
}

static void vlapic_timer_fired(void *data)
{
    struct vlapic *l = data;
    uint32_t lvt = vlapic_reg(l, APIC_LVTT);
    time_ns_t t = now(), period = READ_ONCE(l->timer_period); /* the guest may stop it at any moment */

    if (vlapic_enabled(l) && !(lvt & LVT_MASKED))
        vlapic_set_irq(l->v, lvt & 0xff, false);
    if (in_deadline_mode(l)) {
        l->hw.tdt_msr = 0;
        return;
    }
    if (!period) {
        l->timer_running = false;
        return;
    }
    /* Periods that passed while the vCPU could not run are skipped, and the phase is kept. */
    l->timer_start += period * MAX((t - l->timer_start) / period, (time_ns_t)1);
    vlapic_timer_arm(l, l->timer_start + period);
}

void vlapic_timer_init(struct vlapic *l) { timer_init(&l->timer, vlapic_timer_fired, l, l->v->processor); }

void vlapic_timer_stop(struct vlapic *l)
{
    timer_stop(&l->timer);
    l->timer_running = false;
    l->timer_period = 0;
}

static void vlapic_start_deadline(struct vlapic *l)
{
    uint64_t tsc = hvm_guest_tsc(l->v);

    if (l->hw.tdt_msr)
        vlapic_timer_arm(
            l, now() + (l->hw.tdt_msr > tsc ? (time_ns_t)domain_tsc_to_ns(l->v->domain, l->hw.tdt_msr - tsc) : 0));
}

/* Counts from TMICT to zero, as if it had begun so many ticks ago. */
static void vlapic_start_counting(struct vlapic *l, uint32_t passed)
{
    time_ns_t span = vlapic_ticks_to_ns(l, vlapic_reg(l, APIC_TMICT));

    l->timer_start = now() - vlapic_ticks_to_ns(l, passed);
    l->timer_running = true;
    if (vlapic_reg(l, APIC_LVTT) & LVT_TIMER_PERIODIC)
        l->timer_period = span = MAX(span, (time_ns_t)50000);
    vlapic_timer_arm(l, l->timer_start + span);
}

void vlapic_timer_start(struct vlapic *l)
{
    vlapic_timer_stop(l);
    if (in_deadline_mode(l))
        vlapic_start_deadline(l);
    else if (vlapic_reg(l, APIC_TMICT))
        vlapic_start_counting(l, 0);
}

void vlapic_timer_resume(struct vlapic *l)
{
    uint32_t initial = vlapic_reg(l, APIC_TMICT), left = vlapic_reg(l, APIC_TMCCT);

    vlapic_timer_stop(l);
    if (in_deadline_mode(l))
        vlapic_start_deadline(l);
    else if (left && left <= initial)
        vlapic_start_counting(l, initial - left);
}

uint32_t vlapic_timer_count(struct vlapic *l)
{
    uint64_t passed;
    uint32_t initial = vlapic_reg(l, APIC_TMICT);

    if (!l->timer_running || in_deadline_mode(l) || !initial)
        return 0;
    passed = (uint64_t)(now() - l->timer_start) / APIC_TICK_NS / l->hw.timer_divisor;
    if (l->timer_period)
        return initial - (uint32_t)(passed % initial);
    return passed >= initial ? 0 : initial - (uint32_t)passed;
}

uint64_t vlapic_tdt_msr(struct vcpu *v)
{
    const struct vlapic *l = v->hvm->vlapic;

    return in_deadline_mode(l) ? l->hw.tdt_msr : 0;
}

void vlapic_set_tdt_msr(struct vcpu *v, uint64_t value)
{
    struct vlapic *l = v->hvm->vlapic;

    if (!vlapic_hw_enabled(l) || !in_deadline_mode(l))
        return;
    l->hw.tdt_msr = value;
    vlapic_timer_stop(l);
    vlapic_start_deadline(l);
}
