/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ticket locks and reader-writer locks; debug builds check recursion and the order of levels. */
#include "spinlock.h"
#include "printk.h"
#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/percpu.h"

#ifndef NDEBUG
/* How many locks of each level this CPU holds. */
static DEFINE_PER_CPU(uint8_t, locks_held)
[LOCK_VLAPIC + 1];
static bool order_warned;

static void check_before_lock(const spinlock_t *l)
{
    if (unlikely(READ_ONCE(l->holder) == smp_processor_id() + 1))
        panic("CPU%u takes lock %p, which it holds", smp_processor_id(), (void *)l);
    for (unsigned level = l->level + 1; l->level && level <= LOCK_VLAPIC; level++) {
        if (likely(!this_cpu(locks_held)[level]) || order_warned)
            continue;
        order_warned = true;
        printk(LOG_ERR "A lock of level %u is taken while one of level %u is held\n", l->level, level);
        show_stack_trace(NULL);
    }
}

/* Interrupt handlers count up and down in pairs, so no more than the single instruction must be safe from them. */
static void note_locked(const spinlock_t *l)
{
    __atomic_fetch_add(&this_cpu(locks_held)[l->level], 1, __ATOMIC_RELAXED);
}
static void note_unlocked(const spinlock_t *l)
{
    __atomic_fetch_sub(&this_cpu(locks_held)[l->level], 1, __ATOMIC_RELAXED);
}
#else
static void check_before_lock(const spinlock_t *l) {}
static void note_locked(const spinlock_t *l) {}
static void note_unlocked(const spinlock_t *l) {}
#endif

__hot void spin_lock(spinlock_t *l)
{
    uint16_t ticket;

    check_before_lock(l);
    ticket = __atomic_fetch_add(&l->tail, 1, __ATOMIC_ACQUIRE);
    while (__atomic_load_n(&l->head, __ATOMIC_ACQUIRE) != ticket)
        cpu_relax();
    WRITE_ONCE(l->holder, smp_processor_id() + 1);
    note_locked(l);
}

__hot void spin_unlock(spinlock_t *l)
{
    note_unlocked(l);
    WRITE_ONCE(l->holder, 0);
    __atomic_store_n(&l->head, (uint16_t)(l->head + 1), __ATOMIC_RELEASE);
}

bool spin_trylock(spinlock_t *l)
{
    union {
        uint32_t both;
        struct {
            uint16_t head, tail;
        };
    } old, new;

    old.both = READ_ONCE(l->both);
    if (old.head != old.tail)
        return false;
    new = old;
    new.tail++;
    if (!__atomic_compare_exchange_n(&l->both, &old.both, new.both, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return false;
    WRITE_ONCE(l->holder, smp_processor_id() + 1);
    note_locked(l);
    return true;
}

bool spin_is_locked(const spinlock_t *l)
{
    spinlock_t now = {.both = READ_ONCE(l->both)};

    return now.head != now.tail;
}

__hot unsigned long local_irq_save(void)
{
    unsigned long flags;

    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags)::"memory");
    return flags;
}

__hot void local_irq_restore(unsigned long flags)
{
    if (flags & 0x200)
        local_irq_enable();
    else
        local_irq_disable();
}

/*
 * A waiting writer goes before new readers, but not for ever: a reader may be
 * one that holds the lock already, further up its own stack.
 */
#define READER_PATIENCE 4096

void read_lock(rwlock_t *l)
{
    for (unsigned spins = 0;; spins++) {
        int32_t n = READ_ONCE(l->count);

        if (n >= 0 && (READ_ONCE(l->writers_waiting) == 0 || spins > READER_PATIENCE) &&
            __atomic_compare_exchange_n(&l->count, &n, n + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return;
        cpu_relax();
    }
}

void read_unlock(rwlock_t *l) { __atomic_fetch_sub(&l->count, 1, __ATOMIC_RELEASE); }

void write_lock(rwlock_t *l)
{
    int32_t free = 0;

    __atomic_fetch_add(&l->writers_waiting, 1, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&l->count, &free, -1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        free = 0;
        cpu_relax();
    }
    __atomic_fetch_sub(&l->writers_waiting, 1, __ATOMIC_RELAXED);
}

void write_unlock(rwlock_t *l) { __atomic_store_n(&l->count, 0, __ATOMIC_RELEASE); }
