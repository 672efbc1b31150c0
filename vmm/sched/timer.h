/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Timers with nanosecond deadlines, in a heap for each CPU. Handlers run in SOFTIRQ_TIMER, interrupts on. */
#ifndef POLDER_SCHED_TIMER_H
#define POLDER_SCHED_TIMER_H

#include "../lib/types.h"

struct timer {
    time_ns_t expires;
    void (*fn)(void *);
    void *data;
    uint16_t cpu;
    uint8_t state;                        /* timer.c's */
    struct timer *child, *sibling, *prev; /* in its CPU's pairing heap */
};

void timer_subsystem_init(void);
void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned cpu);
void timer_set(struct timer *t, time_ns_t expires); /* also moves one that is set; from any CPU */
void timer_stop(struct timer *t);                   /* the handler may still be running */
void timer_kill(struct timer *t);                   /* stops it for good and waits for the handler */
void timer_migrate(struct timer *t, unsigned cpu);
bool timer_is_active(const struct timer *t);

#endif
