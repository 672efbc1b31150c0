/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Timers: they fire in order, once, at their time and never after they were stopped. */
#include "fakes.h"

#include "vmm/sched/softirq.h"
#include "vmm/sched/timer.h"

#define MANY 200
static struct timer timer[MANY];
static unsigned fired[MANY], order[MANY], nr_fired;

static void note(void *data)
{
    unsigned i = (unsigned)(uintptr_t)data;

    fired[i]++;
    order[nr_fired++ % MANY] = i;
    assert_true(timer[i].expires <= fake_now);
    assert_false(timer_is_active(&timer[i]));
    assert_int_equal(fake_locks_held, 0);
}

static int setup(void **state)
{
    timer_subsystem_init();
    memset(fired, 0, sizeof(fired));
    nr_fired = 0;
    for (unsigned i = 0; i < MANY; i++)
        timer_init(&timer[i], note, (void *)(uintptr_t)i, 0);
    return fake_setup(state);
}

/* As the timer interrupt has it. */
static void at(time_ns_t t)
{
    fake_now = t;
    softirq_raise(SOFTIRQ_TIMER);
    softirq_run();
}

static void timers_fire_in_the_order_of_their_deadlines(void **state)
{
    for (unsigned i = 0; i < MANY; i++)
        timer_set(&timer[i], 1000 + (i * 37) % MANY * 10);
    at(999);
    assert_int_equal(nr_fired, 0);
    assert_int_equal(fake_hw_timer, 1000);
    at(100000);
    assert_int_equal(nr_fired, MANY);
    for (unsigned i = 1; i < MANY; i++)
        assert_true(timer[order[i - 1]].expires < timer[order[i]].expires);
    assert_int_equal(fake_hw_timer, 0);
}

static void the_hardware_is_set_to_the_first_deadline(void **state)
{
    timer_set(&timer[0], 500);
    assert_int_equal(fake_hw_timer, 500);
    timer_set(&timer[1], 300);
    assert_int_equal(fake_hw_timer, 300);
    timer_set(&timer[2], 900);
    assert_int_equal(fake_hw_timer, 300);
    at(310);
    assert_int_equal(nr_fired, 1);
    assert_int_equal(fake_hw_timer, 500);
    timer_set(&timer[3], 5); /* past already */
    softirq_run();
    assert_int_equal(fired[3], 1);
    timer_stop(&timer[0]);
    timer_stop(&timer[2]);
}

static void a_stopped_timer_does_not_fire(void **state)
{
    timer_set(&timer[0], 100);
    timer_set(&timer[1], 200);
    timer_stop(&timer[0]);
    assert_false(timer_is_active(&timer[0]));
    timer_stop(&timer[0]);
    at(1000);
    assert_int_equal(fired[0], 0);
    assert_int_equal(fired[1], 1);
    timer_set(&timer[0], 1100);
    timer_set(&timer[0], 2100); /* moved */
    at(1500);
    assert_int_equal(fired[0], 0);
    at(2100);
    assert_int_equal(fired[0], 1);
}

static void a_killed_timer_stays_dead(void **state)
{
    struct timer never = {0};

    timer_set(&timer[0], 100);
    timer_kill(&timer[0]);
    timer_set(&timer[0], 200);
    at(1000);
    assert_int_equal(fired[0], 0);
    /* One that was never initialised, as in a vCPU that was half made. */
    timer_set(&never, 10);
    timer_stop(&never);
    timer_kill(&never);
    assert_false(timer_is_active(&never));
}

static void again(void *data)
{
    unsigned i = (unsigned)(uintptr_t)data;

    if (++fired[i] < 5)
        timer_set(&timer[i], timer[i].expires + 10);
}

static void a_handler_may_set_its_own_timer(void **state)
{
    timer_init(&timer[0], again, NULL, 0);
    timer_set(&timer[0], 100);
    at(125);
    assert_int_equal(fired[0], 3);
    at(1000);
    assert_int_equal(fired[0], 5);
}

static void kill_itself(void *data)
{
    fired[0]++;
    timer_kill(data);
}

static void a_handler_may_kill_its_own_timer(void **state)
{
    timer_init(&timer[0], kill_itself, &timer[0], 0);
    timer_set(&timer[0], 100);
    at(100);
    assert_int_equal(fired[0], 1);
}

static void random_sets_and_stops_fire_what_is_due(void **state)
{
    time_ns_t due[MANY] = {0};
    uint32_t seed = 7;

    for (unsigned step = 0; step < 20000; step++) {
        unsigned i;

        seed = seed * 1103515245 + 12345;
        i = (seed >> 16) % MANY;
        if ((seed >> 8 & 3) == 0) {
            timer_stop(&timer[i]);
            due[i] = 0;
        } else {
            due[i] = fake_now + 1 + (seed >> 4 & 1023);
            timer_set(&timer[i], due[i]);
        }
        if (step % 16 == 0) {
            unsigned expect = 0, before = nr_fired;

            for (unsigned k = 0; k < MANY; k++)
                if (due[k] && due[k] <= fake_now + 60) {
                    expect++;
                    due[k] = 0;
                }
            at(fake_now + 60);
            assert_int_equal(nr_fired - before, expect);
        }
    }
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(timer_is_active(&timer[i]), due[i] != 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, fake_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(timers_fire_in_the_order_of_their_deadlines),
        T(the_hardware_is_set_to_the_first_deadline),
        T(a_stopped_timer_does_not_fire),
        T(a_killed_timer_stays_dead),
        T(a_handler_may_set_its_own_timer),
        T(a_handler_may_kill_its_own_timer),
        T(random_sets_and_stops_fire_what_is_due),
    };
    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
