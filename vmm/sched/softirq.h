/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deferred work of a CPU, done with interrupts on before it enters a guest or idles. */
#ifndef POLDER_SCHED_SOFTIRQ_H
#define POLDER_SCHED_SOFTIRQ_H

#include "../cpu/percpu.h"

enum softirq {
    SOFTIRQ_TIMER,
    SOFTIRQ_SCHEDULE, /* may not return: another vCPU goes on instead */
    SOFTIRQ_TASKLET,
    SOFTIRQ_CONSOLE,
    SOFTIRQ_VCPU_KICK, /* nothing to do but look at current's pending events once more before entering it */
    NR_SOFTIRQS,
};

DECLARE_PER_CPU(uint32_t, softirq_pending);
void softirq_open(enum softirq nr, void (*fn)(void));
void softirq_raise(enum softirq nr); /* on this CPU */
void softirq_raise_on(unsigned cpu, enum softirq nr);
static inline bool softirq_is_pending(void) { return this_cpu(softirq_pending) != 0; }
/* Runs what is pending. Called with interrupts on and an otherwise empty stack, since SCHEDULE may not return. */
void softirq_run(void);
/* The same without SCHEDULE: for long loops that hold the CPU (boot, building Dom0). */
void process_pending_softirqs(void);

/* A function to run soon, on the CPU that asked or on a given one; at most once at a time. */
struct tasklet {
    struct tasklet *next;
    void (*fn)(void *);
    void *data;
    uint32_t state;
    uint32_t cpu;
};
void tasklet_init(struct tasklet *t, void (*fn)(void *), void *data);
void tasklet_schedule(struct tasklet *t);
void tasklet_schedule_on(struct tasklet *t, unsigned cpu);
void tasklet_kill(struct tasklet *t); /* waits until it is not running and will not */

#endif
