/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLB flushes.  The clock counts full flushes on any CPU; each CPU remembers the tick of its latest.  A remote flush is one
 * request at a time, under flush_lock, answered from VECTOR_INVALIDATE or by a CPU that itself waits here.
 */
#include "tlb.h"
#include "../cpu/asm.h"
#include "../cpu/irq.h"
#include "../cpu/percpu.h"
#include "../cpu/regs.h"
#include "../lib/printk.h"
#include "../lib/spinlock.h"
#include "../sched/softirq.h"
#include "page.h"
#include "pgtable.h"

static __hot_data uint32_t clock = 1;
static DEFINE_PER_CPU(uint32_t, tlb_time)
= 1;
static DEFINE_SPINLOCK(flush_lock);
static cpumask_t flush_waiting; /* CPUs that have yet to answer */
static unsigned flush_flags;
static uint64_t flush_va;

/*
 * Ticks are compared by their difference, which is right as long as no CPU goes 2^31 ticks without a flush: so
 * every 2^30 ticks all CPUs flush.
 */
#define CLOCK_EPOCH (1U << 30)
static void flush_everywhere(void *unused) { flush_tlb_mask(&cpu_online_map, FLUSH_TLB, 0); }
static struct tasklet epoch_tasklet = {.fn = flush_everywhere};

__hot uint32_t tlb_clock(void) { return __atomic_load_n(&clock, __ATOMIC_ACQUIRE); }

/* Before the flush: a frame that is freed while it goes on has this tick, so is not taken for flushed. */
static __hot_entry uint32_t tick(void)
{
    uint32_t t = __atomic_add_fetch(&clock, 1, __ATOMIC_SEQ_CST);

    if (unlikely(t % CLOCK_EPOCH == 0))
        tasklet_schedule(&epoch_tasklet);
    return t;
}

__hot_entry void write_cr3_flush(uint64_t cr3)
{
    uint32_t t = tick();

    write_cr3(cr3);
    this_cpu(tlb_time) = t;
}

__hot void flush_tlb_local(unsigned flags, uint64_t va)
{
    unsigned long irq;

    if (flags & FLUSH_CACHE)
        wbinvd();
    if (!(flags & (FLUSH_TLB | FLUSH_TLB_GLOBAL))) {
        if (flags & FLUSH_VA)
            invlpg(va);
        return;
    }
    irq = local_irq_save();
    if (flags & FLUSH_TLB_GLOBAL) {
        uint64_t cr4 = read_cr4();
        uint32_t t = tick();

        /* A change of CR4.PGE flushes everything. AMD APM 2, 5.5.2; without PGE there are no global entries. */
        if (cr4 & CR4_PGE) {
            write_cr4(cr4 & ~(uint64_t)CR4_PGE);
            write_cr4(cr4);
        } else {
            write_cr3(read_cr3());
        }
        this_cpu(tlb_time) = t;
    } else {
        write_cr3_flush(read_cr3());
    }
    local_irq_restore(irq);
}

/* Does what is asked of this CPU, if anything; interrupts off. */
static void answer_request(void)
{
    unsigned cpu = smp_processor_id();

    if (!cpumask_test(cpu, &flush_waiting))
        return;
    flush_tlb_local(flush_flags, flush_va);
    cpumask_clear(cpu, &flush_waiting);
}

void tlb_flush_ipi(void) { answer_request(); }

static void answer_while_waiting(void)
{
    unsigned long irq = local_irq_save();

    answer_request();
    local_irq_restore(irq);
    cpu_relax();
}

static void flush_remote(const cpumask_t *mask, unsigned flags, uint64_t va)
{
    unsigned self = smp_processor_id(), cpu;

    while (!spin_trylock(&flush_lock))
        answer_while_waiting();
    flush_flags = flags;
    flush_va = va;
    for_each_cpu(cpu, mask)
        if (cpu != self)
            cpumask_set(cpu, &flush_waiting);
    for_each_cpu(cpu, mask)
        if (cpu != self)
            apic_send_ipi(cpu, VECTOR_INVALIDATE);
    while (!cpumask_empty(&flush_waiting))
        cpu_relax();
    spin_unlock(&flush_lock);
}

void flush_tlb_mask(const cpumask_t *mask, unsigned flags, uint64_t va)
{
    unsigned self = smp_processor_id(), cpu;
    cpumask_t others = {};
    bool any = false;

    if (cpumask_test(self, mask))
        flush_tlb_local(flags, va);
    for_each_cpu(cpu, mask)
        if (cpu != self && cpumask_test(cpu, &cpu_online_map)) {
            cpumask_set(cpu, &others);
            any = true;
        }
    if (any)
        flush_remote(&others, flags, va);
}

__hot void tlb_filter_flush(uint32_t stamp)
{
    cpumask_t mask = {};
    unsigned cpu;
    bool any = false;

    for_each_online_cpu(cpu)
        if ((int32_t)(READ_ONCE(per_cpu(tlb_time, cpu)) - stamp) <= 0) {
            cpumask_set(cpu, &mask);
            any = true;
        }
    if (any)
        flush_tlb_mask(&mask, FLUSH_TLB, 0);
}
