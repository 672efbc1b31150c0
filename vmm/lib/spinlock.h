/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ticket spinlocks and reader-writer locks.  The order in which locks nest is
 * domctl, domain, p2m, page, grant, event channel, vlapic; debug builds check
 * it by the level given at declaration (a lock of level 0 is a leaf or is
 * unordered).
 */
#ifndef POLDER_LIB_SPINLOCK_H
#define POLDER_LIB_SPINLOCK_H

#include "types.h"

enum lock_level {
    LOCK_UNORDERED,
    LOCK_DOMCTL,
    LOCK_DOMAIN,
    LOCK_P2M,
    LOCK_PAGE,
    LOCK_GRANT,
    LOCK_EVTCHN,
    LOCK_VLAPIC,
};

typedef struct {
    union {
        uint32_t both;
        struct {
            uint16_t head, tail;
        };
    };
    uint16_t level;
    uint16_t holder; /* CPU + 1 of the holder, for recursion checks; 0: free */
} spinlock_t;

#define SPINLOCK_INIT(lvl)                                                                                             \
    {                                                                                                                  \
        .level = (lvl)                                                                                                 \
    }
#define DEFINE_SPINLOCK(name) spinlock_t name = SPINLOCK_INIT(LOCK_UNORDERED)

static inline void spin_lock_init(spinlock_t *l, enum lock_level level) { *l = (spinlock_t)SPINLOCK_INIT(level); }

/* In lib/spinlock.c. A lock that an interrupt handler takes is always taken with the _irqsave form. */
void spin_lock(spinlock_t *l);
void spin_unlock(spinlock_t *l);
bool spin_trylock(spinlock_t *l);
bool spin_is_locked(const spinlock_t *l);

unsigned long local_irq_save(void); /* returns RFLAGS, then CLI */
void local_irq_restore(unsigned long flags);

static inline unsigned long spin_lock_irqsave(spinlock_t *l)
{
    unsigned long flags = local_irq_save();
    spin_lock(l);
    return flags;
}
static inline void spin_unlock_irqrestore(spinlock_t *l, unsigned long flags)
{
    spin_unlock(l);
    local_irq_restore(flags);
}

typedef struct {
    int32_t count; /* > 0: readers, -1: a writer */
    int32_t writers_waiting;
} rwlock_t;

#define RWLOCK_INIT                                                                                                    \
    {                                                                                                                  \
        0, 0                                                                                                           \
    }
void read_lock(rwlock_t *l);
void read_unlock(rwlock_t *l);
void write_lock(rwlock_t *l);
void write_unlock(rwlock_t *l);

#endif
