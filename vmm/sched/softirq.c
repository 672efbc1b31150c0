/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Softirqs: a word of pending bits for each CPU.  Bits are set and cleared atomically; handlers run with
 * interrupts on.  SCHEDULE comes last, since it may abandon the stack.
 */
#include "softirq.h"

#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../lib/printk.h"

DEFINE_PER_CPU(uint32_t, softirq_pending);

static void (*handlers[NR_SOFTIRQS])(void);

void softirq_open(enum softirq nr, void (*fn)(void)) { handlers[nr] = fn; }

void softirq_raise(enum softirq nr) { set_bit(nr, &this_cpu(softirq_pending)); }

void softirq_raise_on(unsigned cpu, enum softirq nr)
{
    if (!test_and_set_bit(nr, &per_cpu(softirq_pending, cpu)) && cpu != smp_processor_id())
        smp_send_event_check(cpu);
}

/* The pending softirq to run next out of those allowed; -1: none. */
static int softirq_next(uint32_t allowed)
{
    uint32_t pending = READ_ONCE(this_cpu(softirq_pending)) & allowed;

    if (!pending)
        return -1;
    if (pending & ~(1U << SOFTIRQ_SCHEDULE))
        pending &= ~(1U << SOFTIRQ_SCHEDULE);
    return (int)ffs64(pending);
}

static void softirq_run_some(uint32_t allowed)
{
    int nr;

    while ((nr = softirq_next(allowed)) >= 0) {
        clear_bit((unsigned)nr, &this_cpu(softirq_pending));
        if (handlers[nr])
            handlers[nr]();
    }
}

void softirq_run(void) { softirq_run_some(~0U); }

void process_pending_softirqs(void)
{
    if (local_irq_is_enabled())
        softirq_run_some(~(1U << SOFTIRQ_SCHEDULE));
}
