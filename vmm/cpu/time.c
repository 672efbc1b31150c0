/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System time: the TSC scaled to nanoseconds where all CPUs' TSCs agree, else
 * a platform timer.  platform_lock guards the count carried beyond the platform timer's width.
 */
#include "../boot/boot.h"
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../lib/spinlock.h"
#include "../lib/string.h"
#include "../sched/timer.h"
#include "apic.h"
#include "asm.h"
#include "cpu.h"
#include "platform_timer.h"
#include "time.h"
#include "tsc_sync.h"

#define NS_PER_SEC 1000000000UL

uint64_t tsc_khz;
static uint32_t tsc_mul; /* TSC ticks to ns, as in vcpu_time_info */
static int8_t tsc_shift;
static uint32_t ns_mul; /* and back */
static int8_t ns_shift;
static uint64_t boot_tsc;

static struct platform_timer *platform; /* NULL: neither HPET nor PM timer */
static bool use_platform;               /* system time is the platform timer's */
static DEFINE_SPINLOCK(platform_lock);
static uint64_t platform_last, platform_ns;
static uint32_t platform_mul;
static int8_t platform_shift;
static struct timer platform_overflow;

static DEFINE_SPINLOCK(wallclock_lock);
static uint64_t wc_sec; /* at system time 0 */
static uint32_t wc_nsec;

/* -- scaling ------------------------------------------------------------------------------------------------------- */

/* Multiplier and shift for num / den; num < 2^32. */
static void ratio(uint64_t num, uint64_t den, uint32_t *mul, int8_t *shift)
{
    int s = 0;

    while (num >= den) {
        den <<= 1;
        s++;
    }
    while (num * 2 < den) {
        num <<= 1;
        s--;
    }
    *mul = (uint32_t)((num << 32) / den);
    *shift = (int8_t)s;
}

static uint64_t scale(uint64_t v, uint32_t mul, int8_t shift)
{
    v = shift >= 0 ? v << shift : v >> -shift;
    return (uint64_t)((unsigned __int128)v * mul >> 32);
}

void tsc_scale_of(uint64_t khz, uint32_t *mul, int8_t *shift) { ratio(1000000, khz ? khz : 1, mul, shift); }

void tsc_scale(uint32_t *mul, int8_t *shift)
{
    *mul = tsc_mul;
    *shift = tsc_shift;
}

uint64_t tsc_to_ns(uint64_t ticks) { return scale(ticks, tsc_mul, tsc_shift); }
uint64_t ticks_to_ns(uint64_t ticks, uint64_t khz)
{
    uint32_t mul;
    int8_t shift;

    tsc_scale_of(khz, &mul, &shift);
    return scale(ticks, mul, shift);
}
uint64_t ns_to_tsc(uint64_t ns) { return scale(ns, ns_mul, ns_shift); }

/* -- system time --------------------------------------------------------------------------------------------------- */

static time_ns_t platform_now(void)
{
    unsigned long flags = spin_lock_irqsave(&platform_lock);
    uint64_t count = platform->read(), ns;
    uint64_t delta = (count - platform_last) & platform->mask;

    ns = platform_ns + scale(delta, platform_mul, platform_shift);
    /* Carried over seldom, so that the rounding does not add up. */
    if (delta > platform->mask / 4) {
        platform_ns = ns;
        platform_last = count;
    }
    spin_unlock_irqrestore(&platform_lock, flags);
    return (time_ns_t)ns;
}

time_ns_t tsc_to_system_time(uint64_t tsc)
{
    if (likely(!use_platform))
        return (time_ns_t)tsc_to_ns(tsc - boot_tsc);
    return platform_now() - (time_ns_t)tsc_to_ns(rdtsc_ordered() - tsc);
}

time_ns_t now(void) { return likely(!use_platform) ? tsc_to_system_time(rdtsc_ordered()) : platform_now(); }

void udelay(unsigned us)
{
    uint64_t start = rdtsc_ordered(), ticks = us * tsc_khz / 1000;

    if (!tsc_khz) { /* before calibration: a port access takes about 1 us */
        while (us--)
            outb(0x80, 0);
        return;
    }
    while (rdtsc_ordered() - start < ticks)
        cpu_relax();
}

/* -- calibration --------------------------------------------------------------------------------------------------- */

/* The platform counter and the TSC at one moment: of several tries, the one that took least. */
static void sample(uint64_t *count, uint64_t *tsc)
{
    uint64_t best = ~0UL;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t before = rdtsc_ordered(), c = platform->read() & platform->mask, after = rdtsc_ordered();

        if (after - before < best) {
            best = after - before;
            *count = c;
            *tsc = before + best / 2;
        }
    }
}

static uint64_t calibrate_by_platform(void)
{
    uint64_t c0 = 0, t0 = 0, c1 = 0, t1 = 0, span = platform->hz / 20, count;

    sample(&c0, &t0);
    while (((platform->read() - c0) & platform->mask) < span)
        cpu_relax();
    sample(&c1, &t1);
    count = (c1 - c0) & platform->mask;
    return (uint64_t)((t1 - t0) * platform->hz / count / 1000);
}

static uint64_t calibrate_by_pit(void)
{
    uint64_t ticks;
    uint32_t pit;

    pit_measure_tsc(&ticks, &pit);
    return ticks * PIT_HZ / pit / 1000;
}

static int clocksource_option = -1; /* 1: platform timer wanted, 0: TSC */

static int parse_clocksource(const char *value)
{
    if (!strcmp(value, "tsc"))
        clocksource_option = 0;
    else if (!strcmp(value, "hpet") || !strcmp(value, "acpi") || !strcmp(value, "platform"))
        clocksource_option = 1;
    else
        return -EINVAL;
    return 0;
}
BOOT_PARAM("clocksource", parse_clocksource);

static void platform_overflow_fn(void *unused)
{
    (void)platform_now();
    timer_set(&platform_overflow, now() + (time_ns_t)NS_PER_SEC / 2);
}

/* From now on by the platform timer; continues where the TSC's time is. */
static void switch_to_platform(const char *why)
{
    unsigned long flags;

    if (!platform) {
        printk(LOG_WARN "Time: %s, and there is no other clock\n", why);
        return;
    }
    printk(LOG_INFO "Time: %s; using the %s\n", why, platform->name);
    flags = spin_lock_irqsave(&platform_lock);
    ratio(NS_PER_SEC, platform->hz, &platform_mul, &platform_shift);
    platform_ns = tsc_to_ns(rdtsc_ordered() - boot_tsc);
    platform_last = platform->read() & platform->mask;
    use_platform = true;
    spin_unlock_irqrestore(&platform_lock, flags);
}

void time_init(void)
{
    struct platform_timer *const candidates[] = {&hpet_timer, &pm_timer};

    for (unsigned i = 0; i < ARRAY_SIZE(candidates) && !platform; i++) {
        if (candidates[i]->probe(candidates[i]))
            platform = candidates[i];
    }
    tsc_khz = platform ? calibrate_by_platform() : calibrate_by_pit();
    if (!tsc_khz)
        panic("The TSC does not count");
    ratio(1000000, tsc_khz, &tsc_mul, &tsc_shift);
    ratio(tsc_khz, 1000000, &ns_mul, &ns_shift);
    boot_tsc = rdtsc_ordered();
    printk(LOG_INFO "Time: TSC %lu.%03lu MHz by the %s%s\n", tsc_khz / 1000, tsc_khz % 1000,
           platform ? platform->name : "PIT", cpu_features.invariant_tsc ? ", invariant" : "");
    apic_timer_calibrate();
    wc_sec = rtc_read_seconds() - (uint64_t)now() / NS_PER_SEC;
}

/* Boot CPU, when all CPUs are up. */
void time_init_done(void)
{
    if (clocksource_option == 1)
        switch_to_platform("by option");
    else if (tsc_sync_failed() && clocksource_option != 0)
        switch_to_platform("TSCs of the CPUs disagree");
    if (use_platform) {
        timer_init(&platform_overflow, platform_overflow_fn, NULL, 0);
        platform_overflow_fn(NULL);
    }
}

void time_init_cpu(void) { tsc_sync_check_ap(); }

/* -- wall clock ---------------------------------------------------------------------------------------------------- */

void wallclock_get(uint64_t *sec, uint32_t *nsec)
{
    unsigned long flags = spin_lock_irqsave(&wallclock_lock);

    *sec = wc_sec;
    *nsec = wc_nsec;
    spin_unlock_irqrestore(&wallclock_lock, flags);
}

void wallclock_set(uint64_t sec, uint32_t nsec, time_ns_t system_time)
{
    uint64_t up_sec = (uint64_t)system_time / NS_PER_SEC, up_ns = (uint64_t)system_time % NS_PER_SEC;
    unsigned long flags;

    if (nsec < up_ns) {
        nsec += NS_PER_SEC;
        sec--;
    }
    flags = spin_lock_irqsave(&wallclock_lock);
    wc_sec = sec - up_sec;
    wc_nsec = nsec - (uint32_t)up_ns;
    spin_unlock_irqrestore(&wallclock_lock, flags);
}
