/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ticks of platform timers: their rate, and what becomes of those that the guest could not take. */
#include "fakes.h"

#include "vmm/hvm/devices.h"
#include "vmm/sched/softirq.h"

#define PERIOD 4000000
static struct hvm_domain hvm;
static struct domain *d;
static struct vtick tick;
static unsigned ticks, extras;
static time_ns_t last, closest;

bool vcpu_is_runnable(const struct vcpu *v) { return !v->pause_flags; }

static void count(struct domain *of, void *data)
{
    ticks++;
    extras += tick.extra;
    closest = MIN(closest, fake_now - last);
    last = fake_now;
}

static int setup(void **state)
{
    fake_setup(state);
    timer_subsystem_init();
    d = fake_domain(1, true, 1);
    hvm = (struct hvm_domain){.params[HVM_PARAM_TIMER_MODE] = HVMPTM_no_delay_for_missed_ticks};
    d->hvm = &hvm;
    d->vcpu[0]->is_running = true;
    ticks = extras = 0;
    last = 0;
    closest = PERIOD;
    fake_now = 1000;
    vtick_init(&tick, d, count, NULL);
    vtick_start(&tick, fake_now + PERIOD, PERIOD);
    return 0;
}

static int teardown(void **state)
{
    vtick_kill(&tick);
    d->hvm = NULL;
    fake_domain_free(d);
    return fake_teardown(state);
}

/* The timer interrupt comes when it was set for, until t. */
static void until(time_ns_t t)
{
    while (fake_hw_timer && fake_hw_timer <= t) {
        fake_now = MAX(fake_now, fake_hw_timer);
        softirq_raise(SOFTIRQ_TIMER);
        softirq_run();
    }
    fake_now = t;
}

static void ticks_come_at_their_rate(void **state)
{
    until(1000 + 100 * (time_ns_t)PERIOD);
    assert_int_equal(ticks, 100);
}

static void ticks_that_the_host_was_late_for_follow(void **state)
{
    until(1000 + 10 * (time_ns_t)PERIOD);
    fake_now = 1000 + 20 * (time_ns_t)PERIOD + 5; /* stood still for ten periods */
    until(1000 + 21 * (time_ns_t)PERIOD);
    assert_in_range(ticks, 12, 15); /* not all at once */
    until(1000 + 40 * (time_ns_t)PERIOD);
    assert_int_equal(ticks, 40);
    assert_int_equal(extras, 9); /* the one that was late itself came when it was noticed */
}

static void ticks_that_follow_keep_their_distance(void **state)
{
    const time_ns_t period = 120000; /* a quarter of it would be less than 50 us, and two follow-ups come too close */

    vtick_start(&tick, fake_now + period, period);
    until(fake_now + 10 * period);
    fake_now += 100 * period;
    until(fake_now + 1000 * period);
    assert_in_range(closest, 50000, period);
}

static void ticks_that_came_while_the_vcpu_waited_follow(void **state)
{
    until(1000 + 10 * (time_ns_t)PERIOD);
    d->vcpu[0]->is_running = false;
    until(1000 + 20 * (time_ns_t)PERIOD);
    assert_int_equal(ticks, 20); /* raised ten times, and taken once: nine are owed */
    d->vcpu[0]->is_running = true;
    until(1000 + 40 * (time_ns_t)PERIOD);
    assert_int_equal(ticks, 40 + 9);
}

static void a_halted_guest_misses_nothing(void **state)
{
    d->vcpu[0]->is_running = false;
    d->vcpu[0]->pause_flags = BIT(VPF_blocked);
    until(1000 + 20 * (time_ns_t)PERIOD);
    assert_int_equal(ticks, 20);
}

static void no_ticks_follow_in_a_mode_without(void **state)
{
    hvm.params[HVM_PARAM_TIMER_MODE] = HVMPTM_no_missed_ticks_pending;
    fake_now = 1000 + 20 * (time_ns_t)PERIOD + 5;
    until(1000 + 40 * (time_ns_t)PERIOD);
    assert_int_equal(ticks, 21);
}

static void no_more_than_a_second_is_owed(void **state)
{
    fake_now = 1000 + 10000 * (time_ns_t)PERIOD + 5;
    until(fake_now + 1000 * (time_ns_t)PERIOD);
    assert_int_equal(ticks, 1 + 250 + 1000);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(ticks_come_at_their_rate),
        T(ticks_that_the_host_was_late_for_follow),
        T(ticks_that_follow_keep_their_distance),
        T(ticks_that_came_while_the_vcpu_waited_follow),
        T(a_halted_guest_misses_nothing),
        T(no_ticks_follow_in_a_mode_without),
        T(no_more_than_a_second_is_owed),
    };

    return cmocka_run_group_tests_name("vtick", tests, NULL, NULL);
}
