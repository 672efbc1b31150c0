/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scheduler's own view: a run queue for each CPU, a unit for each vCPU.  A run queue's lock, taken with
 * interrupts off, guards it and all units whose vCPU has it as ->processor.
 */
#ifndef POLDER_SCHED_RUNQ_H
#define POLDER_SCHED_RUNQ_H

#include "../domain/domain.h"
#include "sched.h"

#define SCHED_WEIGHT_DEFAULT 256
#define SCHED_CAP_PERIOD 30000000 /* ns: a capped domain has used its share by the end of each such span */

struct sched_unit {
    struct vcpu *v;
    struct list_head link; /* in the run queue, while it waits there */
    bool queued;
    bool yielding;                    /* SCHEDOP_yield: others first, once */
    bool slice_ended;                 /* it left the CPU because its time slice was over */
    int64_t vruntime;                 /* ns it ran, divided by its share: the lowest goes next */
    time_ns_t run_start;              /* up to here its running time is accounted */
    cpumask_t hard, soft, hard_saved; /* hard_saved: before SCHEDOP_pin_override */
    bool pinned;
};

struct runq {
    spinlock_t lock;
    unsigned cpu;
    bool online;
    struct list_head queue; /* by rising vruntime */
    unsigned nr_queued;
    int64_t min_vruntime; /* never falls; a unit that moves here keeps its distance from it */
    struct vcpu *curr, *idle;
    struct timer slice_timer;
    bool slice_over; /* it has fired since the last choice */
};

/* policy.c: called with the run queue's lock. */
void policy_enqueue(struct runq *rq, struct sched_unit *u, bool woken);
void policy_dequeue(struct runq *rq, struct sched_unit *u);
void policy_account(struct runq *rq, struct sched_unit *u, time_ns_t t); /* u ran until now */
/* The waiting unit that may run next; NULL: none. *retry: when a capped one may, if one had to be passed over. */
struct sched_unit *policy_first(struct runq *rq, time_ns_t t, time_ns_t *retry);
bool policy_preempts(const struct sched_unit *u, const struct sched_unit *running);
bool policy_throttled(struct domain *d, time_ns_t t, time_ns_t *retry);
time_ns_t policy_slice(struct domain *d);

/* balance.c: where should v wait? Called without a run queue's lock. */
unsigned balance_place(struct vcpu *v, bool slice_ended);
/* Takes a unit that may run on rq's CPU from another CPU's queue; rq's lock is held. NULL: none. */
struct sched_unit *balance_steal(struct runq *rq, time_ns_t t);
/* Moves u, which is not queued, from rq's clock to another's. */
void balance_rebase(struct sched_unit *u, const struct runq *from, const struct runq *to);

struct runq *runq_of(unsigned cpu);

#endif
