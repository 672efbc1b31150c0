/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From vectors to handlers.  Each CPU has its own table of vectors.  An IRQ
 * keeps one vector for life and moves between CPUs by keeping the number, so
 * that a move is one write and a level-triggered line's EOI always fits.
 *
 * Edge-triggered: EOI, then the handler.  Level-triggered for guests: masked at
 * the controller and EOI at once; unmasked when every guest that shares the line has said that it is done.
 * Locks: irq_desc.lock, then vector_lock; neither is held while a handler runs.
 */
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "../mm/tlb.h"
#include "../sched/softirq.h"
#include "../domain/domain.h"
#include "apic.h"
#include "asm.h"
#include "cpu.h"
#include "entry.h"
#include "irq_priv.h"

struct irq_desc irq_descs[NR_IRQS];

typedef uint16_t vector_table_t[256]; /* IRQ + 1, 0: free */
static DEFINE_PER_CPU(vector_table_t, vector_irq);
static DEFINE_SPINLOCK(vector_lock);

static struct irq_desc *irq_get_desc(int irq)
{
    return irq >= 0 && irq < NR_IRQS && irq_descs[irq].chip ? &irq_descs[irq] : NULL;
}

/* -- vectors ------------------------------------------------------------------------------------------------------ */

static bool vector_usable(unsigned vector) { return vector != VECTOR_LEGACY_SYSCALL && vector != VECTOR_HYPERCALL; }

/* CPUs on which the vector is taken: the fewer, the easier IRQs move. */
static unsigned vector_users(unsigned vector)
{
    unsigned n = 0, cpu;

    for_each_online_cpu(cpu)
        n += per_cpu(vector_irq, cpu)[vector] != 0;
    return n;
}

/* Cost of n vectors from 'first' on; ~0: one is taken on the CPU. */
static unsigned vectors_cost(unsigned first, unsigned n, unsigned cpu)
{
    unsigned cost = 0;

    for (unsigned v = first; v < first + n; v++) {
        if (v > VECTOR_DYNAMIC_LAST || !vector_usable(v) || per_cpu(vector_irq, cpu)[v])
            return ~0U;
        cost += vector_users(v);
    }
    return cost;
}

int irq_assign_vectors(int irq, unsigned n, unsigned cpu)
{
    unsigned best = 0, best_cost = ~0U;
    unsigned long flags = spin_lock_irqsave(&vector_lock);

    for (unsigned v = ROUND_UP(VECTOR_DYNAMIC_FIRST, n); v <= VECTOR_DYNAMIC_LAST && best_cost; v += n) {
        unsigned cost = vectors_cost(v, n, cpu);

        if (cost < best_cost) {
            best = v;
            best_cost = cost;
        }
    }
    for (unsigned i = 0; best && i < n; i++) {
        struct irq_desc *d = &irq_descs[irq + (int)i];

        per_cpu(vector_irq, cpu)[best + i] = (uint16_t)(irq + (int)i + 1);
        d->vector = (uint8_t)(best + i);
        d->cpu = d->old_cpu = (uint16_t)cpu;
    }
    spin_unlock_irqrestore(&vector_lock, flags);
    return best ? 0 : -ENOSPC;
}

void irq_release_vector(int irq)
{
    struct irq_desc *d = &irq_descs[irq];
    unsigned long flags = spin_lock_irqsave(&vector_lock);

    if (d->vector) {
        per_cpu(vector_irq, d->cpu)[d->vector] = 0;
        per_cpu(vector_irq, d->old_cpu)[d->vector] = 0;
        d->vector = 0;
    }
    spin_unlock_irqrestore(&vector_lock, flags);
}

/* The vector's number on another CPU, if it is free there; what it held on the one before last is given back. */
static bool move_vector(struct irq_desc *d, int irq, unsigned cpu)
{
    bool ok = false;

    spin_lock(&vector_lock);
    if (cpu == d->old_cpu || !per_cpu(vector_irq, cpu)[d->vector]) {
        if (d->old_cpu != d->cpu && d->old_cpu != cpu)
            per_cpu(vector_irq, d->old_cpu)[d->vector] = 0;
        per_cpu(vector_irq, cpu)[d->vector] = (uint16_t)(irq + 1);
        d->old_cpu = d->cpu;
        d->cpu = (uint16_t)cpu;
        ok = true;
    }
    spin_unlock(&vector_lock);
    return ok;
}

void irq_set_affinity(int irq, unsigned cpu)
{
    struct irq_desc *d = irq_get_desc(irq);
    unsigned long flags;

    if (!d || cpu >= MAX_CPUS || !cpumask_test(cpu, &cpu_online_map))
        return;
    flags = spin_lock_irqsave(&d->lock);
    if (d->vector && d->chip->can_move && d->cpu != cpu && move_vector(d, irq, cpu))
        d->chip->route(irq, cpu, d->vector);
    spin_unlock_irqrestore(&d->lock, flags);
}

/* -- handlers ------------------------------------------------------------------------------------------------------ */

/* With d->lock. The first action brings the IRQ to life. */
static int add_action(struct irq_desc *d, int irq, irq_handler_t fn, void *data)
{
    int rc;

    if (d->nr_actions == 0) {
        if (!d->vector) {
            rc = irq_assign_vectors(irq, 1, smp_processor_id());
            if (rc)
                return rc;
        }
        d->chip->route(irq, d->cpu, d->vector);
    }
    d->action[d->nr_actions++] = (struct irq_action){fn, data, false};
    if (d->nr_actions == 1) {
        d->in_flight = 0;
        d->chip->mask(irq, false);
    }
    return 0;
}

int request_irq(int irq, irq_handler_t fn, void *data, const char *name)
{
    struct irq_desc *d = irq_get_desc(irq);
    unsigned long flags;
    int rc;

    if (!d)
        return -EINVAL;
    flags = spin_lock_irqsave(&d->lock);
    rc = d->nr_actions ? -EBUSY : 0;
    if (!rc) {
        d->guest = false;
        d->name = name;
        rc = add_action(d, irq, fn, data);
    }
    spin_unlock_irqrestore(&d->lock, flags);
    return rc;
}

int irq_bind_guest(int irq, irq_handler_t fn, void *data, bool shareable)
{
    struct irq_desc *d = irq_get_desc(irq);
    unsigned long flags;
    int rc = 0;

    if (!d)
        return -EINVAL;
    flags = spin_lock_irqsave(&d->lock);
    if (d->nr_actions == 0) {
        d->guest = true;
        d->shareable = shareable;
        d->name = "guest";
    } else if (!d->guest || !d->shareable || !shareable || d->nr_actions == IRQ_MAX_ACTIONS) {
        rc = -EBUSY;
    }
    for (unsigned i = 0; i < d->nr_actions && !rc; i++) {
        if (d->action[i].data == data)
            rc = -EBUSY;
    }
    if (!rc)
        rc = add_action(d, irq, fn, data);
    spin_unlock_irqrestore(&d->lock, flags);
    return rc;
}

/* With d->lock: one guest fewer to wait for. */
static void guest_done(struct irq_desc *d, int irq, struct irq_action *a)
{
    if (!a->eoi_pending)
        return;
    a->eoi_pending = false;
    if (--d->in_flight == 0)
        d->chip->mask(irq, false);
}

static void remove_action(struct irq_desc *d, int irq, const void *data)
{
    unsigned long flags = spin_lock_irqsave(&d->lock);

    for (unsigned i = 0; i < d->nr_actions; i++) {
        if (d->action[i].data != data)
            continue;
        guest_done(d, irq, &d->action[i]);
        d->action[i] = d->action[--d->nr_actions];
        if (d->nr_actions == 0)
            d->chip->mask(irq, true);
        break;
    }
    spin_unlock_irqrestore(&d->lock, flags);
}

void irq_unbind_guest(int irq, void *data)
{
    struct irq_desc *d = irq_get_desc(irq);

    if (d && d->guest)
        remove_action(d, irq, data);
}

void irq_synchronize(int irq)
{
    struct irq_desc *d = irq_get_desc(irq);

    while (d && READ_ONCE(d->running))
        cpu_relax();
}

void free_irq(int irq)
{
    struct irq_desc *d = irq_get_desc(irq);

    if (!d || d->guest || !d->nr_actions)
        return;
    remove_action(d, irq, d->action[0].data);
    irq_synchronize(irq);
}

void irq_guest_eoi(int irq, void *data)
{
    struct irq_desc *d = irq_get_desc(irq);
    unsigned long flags;

    if (!d)
        return;
    flags = spin_lock_irqsave(&d->lock);
    for (unsigned i = 0; i < d->nr_actions && d->guest; i++) {
        if (d->action[i].data == data)
            guest_done(d, irq, &d->action[i]);
    }
    spin_unlock_irqrestore(&d->lock, flags);
}

bool irq_needs_eoi(int irq)
{
    struct irq_desc *d = irq_get_desc(irq);

    return d && d->level;
}

bool irq_is_shared(int irq)
{
    struct irq_desc *d = irq_get_desc(irq);

    return d && d->guest && d->nr_actions > 1;
}

bool irq_exists(int irq) { return irq_get_desc(irq) != NULL; }

/* -- delivery ------------------------------------------------------------------------------------------------------ */

/* With d->lock: what the CPU and the controller are told before the handlers run. */
static void acknowledge(struct irq_desc *d, int irq)
{
    if (d->level && (d->guest || !d->nr_actions))
        d->chip->mask(irq, true);
    if (d->level && d->guest) {
        d->in_flight = d->nr_actions;
        for (unsigned i = 0; i < d->nr_actions; i++)
            d->action[i].eoi_pending = true;
    }
    /* The hypervisor's own handler quiets a level-triggered line, so the EOI comes after it. */
    if (!d->level || d->guest || !d->nr_actions)
        apic_eoi();
}

static void handle_irq(int irq)
{
    struct irq_desc *d = &irq_descs[irq];
    struct irq_action action[IRQ_MAX_ACTIONS];
    unsigned n;
    bool eoi_after;

    spin_lock(&d->lock);
    d->count++;
    n = d->nr_actions;
    for (unsigned i = 0; i < n; i++)
        action[i] = d->action[i];
    eoi_after = d->level && !d->guest && n;
    acknowledge(d, irq);
    __atomic_fetch_add(&d->running, 1, __ATOMIC_RELAXED);
    spin_unlock(&d->lock);

    for (unsigned i = 0; i < n; i++)
        action[i].fn(irq, action[i].data);
    if (eoi_after)
        apic_eoi();
    __atomic_fetch_sub(&d->running, 1, __ATOMIC_RELEASE);
}

static void handle_device_vector(unsigned vector)
{
    unsigned irq = this_cpu(vector_irq)[vector];

    if (irq) {
        handle_irq((int)irq - 1);
        return;
    }
    apic_eoi();
    printk(LOG_WARN "CPU%u: interrupt with vector %#x has no source\n", smp_processor_id(), vector);
}

void do_irq_vector(unsigned vector)
{
    if (vector == VECTOR_SPURIOUS) /* never in service: no EOI (Intel SDM 3A, 11.9) */
        return;
    if (vector <= VECTOR_DYNAMIC_LAST) {
        handle_device_vector(vector);
        return;
    }
    apic_eoi();
    switch (vector) {
    case VECTOR_LOCAL_TIMER: softirq_raise(SOFTIRQ_TIMER); break;
    case VECTOR_EVENT_CHECK: nmi_forward_pending(); break;
    case VECTOR_CALL_FUNCTION: smp_call_interrupt(); break;
    case VECTOR_ERROR: apic_error_interrupt(); break;
    case VECTOR_INVALIDATE: tlb_flush_ipi(); break;
    default: break; /* posted interrupts: being woken is all */
    }
}

void do_irq(struct cpu_user_regs *regs) { do_irq_vector(regs->entry_vector & 0xff); }
