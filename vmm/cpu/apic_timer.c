/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each CPU's one-shot timer: the APIC's TSC-deadline mode, or its counter.
 * Intel SDM 3A, 11.5.4.  Deep sleep states, which stop it on old CPUs, are not used.
 */
#include "../boot/boot.h"
#include "../lib/printk.h"
#include "apic.h"
#include "asm.h"
#include "cpu.h"
#include "irq.h"
#include "regs.h"
#include "time.h"

static uint64_t timer_khz; /* of the counter; not used in TSC-deadline mode */
static bool allow_deadline = true;

static int parse_tdt(const char *value) { return *value ? parse_bool(value, &allow_deadline) : 0; }
BOOT_PARAM("tdt", parse_tdt);

static bool use_deadline(void) { return cpu_features.tsc_deadline && allow_deadline; }

void apic_timer_init_cpu(void)
{
    apic_write(APIC_TIMER_DIVIDE, APIC_TIMER_DIVIDE_1);
    apic_write(APIC_LVT_TIMER, VECTOR_LOCAL_TIMER | (use_deadline() ? APIC_LVT_TSC_DEADLINE : 0));
    smp_mb(); /* in xAPIC mode the LVT write is ordered before the deadline MSR only by a fence (11.5.4.1) */
    if (!use_deadline())
        apic_write(APIC_TIMER_INITIAL, 0);
}

/* Counts of the timer against the TSC, over 10 ms. */
void apic_timer_calibrate(void)
{
    uint64_t start, end, span = tsc_khz * 10;
    uint32_t first, last;

    if (use_deadline()) {
        printk(LOG_INFO "APIC timer: TSC deadline\n");
        return;
    }
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | VECTOR_LOCAL_TIMER);
    apic_write(APIC_TIMER_INITIAL, ~0U);
    first = apic_read(APIC_TIMER_CURRENT);
    start = rdtsc_ordered();
    while ((end = rdtsc_ordered()) - start < span)
        cpu_relax();
    last = apic_read(APIC_TIMER_CURRENT);
    timer_khz = (uint64_t)(first - last) * tsc_khz / (end - start);
    apic_timer_init_cpu();
    if (!timer_khz)
        panic("The local APIC's timer does not count");
    printk(LOG_INFO "APIC timer: one-shot, %lu.%03lu MHz\n", timer_khz / 1000, timer_khz % 1000);
}

bool hw_timer_program(time_ns_t deadline)
{
    time_ns_t delta = deadline - now();
    uint64_t count;

    if (deadline == 0) {
        if (use_deadline())
            wrmsr(MSR_IA32_TSC_DEADLINE, 0);
        else
            apic_write(APIC_TIMER_INITIAL, 0);
        return true;
    }
    if (delta <= 0)
        return false;
    /* Far deadlines are reached in several steps. */
    delta = MIN(delta, (time_ns_t)1000000000 * 60);
    if (use_deadline()) {
        wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + ns_to_tsc((uint64_t)delta) + 1);
        return true;
    }
    count = (uint64_t)delta * timer_khz / 1000000 + 1;
    apic_write(APIC_TIMER_INITIAL, (uint32_t)MIN(count, 0xffffffffUL));
    return true;
}
