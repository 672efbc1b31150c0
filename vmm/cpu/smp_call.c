/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions run on other CPUs, and waking them.  call_lock: one call at a time,
 * its fields set before a CPU's bit in 'waiting' is.
 */
#include "../lib/printk.h"
#include "../lib/spinlock.h"
#include "apic.h"
#include "asm.h"
#include "cpu.h"
#include "entry.h"
#include "irq_priv.h"

static DEFINE_SPINLOCK(call_lock);
static cpumask_t waiting; /* CPUs that have not begun (wait: not ended) */
static void (*call_fn)(void *);
static void *call_arg;
static bool call_wait;

/* In VECTOR_CALL_FUNCTION, or while waiting for call_lock; interrupts off. */
void smp_call_interrupt(void)
{
    unsigned cpu = smp_processor_id();
    void (*fn)(void *);
    void *arg;

    if (!cpumask_test(cpu, &waiting))
        return;
    fn = call_fn;
    arg = call_arg;
    if (call_wait) {
        fn(arg);
        cpumask_clear(cpu, &waiting);
    } else {
        /* From here on the fields may be another call's. */
        cpumask_clear(cpu, &waiting);
        fn(arg);
    }
}

static void run_here(void (*fn)(void *), void *arg)
{
    unsigned long flags = local_irq_save();

    fn(arg);
    local_irq_restore(flags);
}

void on_cpus(const cpumask_t *mask, void (*fn)(void *), void *arg, bool wait)
{
    unsigned self = smp_processor_id(), cpu;
    bool here = cpumask_test(self, mask), any = false;

    ASSERT(local_irq_is_enabled());
    /* Interrupts are on, so a CPU that waits here serves the call before its own. */
    while (!spin_trylock(&call_lock))
        cpu_relax();
    call_fn = fn;
    call_arg = arg;
    call_wait = wait;
    for_each_online_cpu(cpu) {
        if (cpu == self || !cpumask_test(cpu, mask))
            continue;
        cpumask_set(cpu, &waiting);
        apic_send_ipi(cpu, VECTOR_CALL_FUNCTION);
        any = true;
    }
    if (here && wait)
        run_here(fn, arg);
    while (any && !cpumask_empty(&waiting))
        cpu_relax();
    spin_unlock(&call_lock);
    if (here && !wait)
        run_here(fn, arg);
}

void smp_send_event_check(unsigned cpu) { apic_send_ipi(cpu, VECTOR_EVENT_CHECK); }

void smp_send_nmi_all_but_self(void)
{
    unsigned self = smp_processor_id(), cpu;

    smp_nmi_stop = true;
    for_each_online_cpu(cpu) {
        if (cpu != self)
            apic_send_nmi(cpu);
    }
}
