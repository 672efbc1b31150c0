/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The local APIC's timer: when it fires, what it shows, and that a restored one goes on where it was. */
#include "fakes.h"

#include "vmm/hvm/vlapic.h"
#include "vmm/sched/softirq.h"

#define VECTOR 0x40
#define TICK 20 /* ns: 100 MHz by the divisor 2 that TDCR has at reset */
static struct hvm_vcpu hvm;
static struct vlapic apic;
static uint8_t regs[PAGE_SIZE];
static struct domain *d;
static unsigned fired;

void vlapic_set_irq(struct vcpu *v, uint8_t vector, bool level)
{
    assert_int_equal(vector, VECTOR);
    assert_false(level);
    fired++;
}

uint64_t hvm_guest_tsc(struct vcpu *v) { return (uint64_t)fake_now; }
uint64_t domain_tsc_to_ns(const struct domain *of, uint64_t ticks) { return ticks; }

static int setup(void **state)
{
    fake_setup(state);
    timer_subsystem_init();
    d = fake_domain(1, true, 1);
    apic = (struct vlapic){.v = d->vcpu[0], .regs = regs};
    memset(regs, 0, sizeof(regs));
    hvm = (struct hvm_vcpu){.vlapic = &apic};
    d->vcpu[0]->hvm = &hvm;
    fired = 0;
    fake_now = 1000000;
    vlapic_timer_init(&apic);
    vlapic_set_divisor(&apic);
    return 0;
}

static int teardown(void **state)
{
    timer_kill(&apic.timer);
    d->vcpu[0]->hvm = NULL;
    fake_domain_free(d);
    return fake_teardown(state);
}

static void start(uint32_t mode, uint32_t initial)
{
    apic.timer_mode = mode;
    vlapic_set_reg(&apic, APIC_LVTT, mode | VECTOR);
    vlapic_set_reg(&apic, APIC_TMICT, initial);
    vlapic_timer_start(&apic);
}

/* The timer interrupt comes when it was set for, until so many ticks have passed. */
static void run(uint32_t ticks)
{
    time_ns_t end = fake_now + (time_ns_t)ticks * TICK;

    while (timer_is_active(&apic.timer) && apic.timer.expires <= end) {
        fake_now = MAX(fake_now, apic.timer.expires);
        softirq_raise(SOFTIRQ_TIMER);
        softirq_run();
    }
    fake_now = end;
}

/* Saved now, and restored much later into an APIC that knows nothing. */
static void save_and_restore(void)
{
    vlapic_set_reg(&apic, APIC_TMCCT, vlapic_timer_count(&apic));
    vlapic_timer_stop(&apic);
    apic.timer_start = 0;
    fake_now += 5000000;
    vlapic_timer_resume(&apic);
}

static void one_shot_counts_down_and_fires_once(void **state)
{
    start(0, 1000);
    run(400);
    assert_int_equal(vlapic_timer_count(&apic), 600);
    run(600);
    assert_int_equal(fired, 1);
    assert_int_equal(vlapic_timer_count(&apic), 0);
    run(100000);
    assert_int_equal(fired, 1);
}

static void periodic_fires_again_and_again(void **state)
{
    start(LVT_TIMER_PERIODIC, 10000);
    run(100000);
    assert_int_equal(fired, 10);
}

static void restored_one_shot_goes_on_where_it_was(void **state)
{
    start(0, 1000);
    run(400);
    save_and_restore();
    assert_int_equal(vlapic_timer_count(&apic), 600);
    run(599);
    assert_int_equal(fired, 0);
    run(1);
    assert_int_equal(fired, 1);
}

static void one_shot_that_has_fired_does_not_fire_after_restore(void **state)
{
    start(0, 1000);
    run(1000);
    save_and_restore();
    run(100000);
    assert_int_equal(fired, 1);
}

static void restored_periodic_keeps_its_phase(void **state)
{
    start(LVT_TIMER_PERIODIC, 10000);
    run(14000);
    save_and_restore();
    run(6000);
    assert_int_equal(fired, 2);
    run(10000);
    assert_int_equal(fired, 3);
}

static void a_count_that_no_timer_has_does_not_start_it(void **state)
{
    start(0, 1000);
    vlapic_set_reg(&apic, APIC_TMCCT, 1001);
    vlapic_timer_resume(&apic);
    assert_false(timer_is_active(&apic.timer));
}

static void restored_deadline_stays(void **state)
{
    apic.hw.tdt_msr = (uint64_t)fake_now + 7000000;
    start(LVT_TIMER_TSC_DEADLINE, 0);
    save_and_restore();
    assert_int_equal(fired, 0);
    run(2000000 / TICK);
    assert_int_equal(fired, 1);
    assert_int_equal(apic.hw.tdt_msr, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_shot_counts_down_and_fires_once),
        T(periodic_fires_again_and_again),
        T(restored_one_shot_goes_on_where_it_was),
        T(one_shot_that_has_fired_does_not_fire_after_restore),
        T(restored_periodic_keeps_its_phase),
        T(a_count_that_no_timer_has_does_not_start_it),
        T(restored_deadline_stays),
    };

    return cmocka_run_group_tests_name("vlapic timer", tests, NULL, NULL);
}
