/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scheduler: which vCPU runs where.  Weighted fair shares with a cap, as
 * the ABI's credit scheduler names them; wake-ups preempt.
 */
#ifndef POLDER_SCHED_SCHED_H
#define POLDER_SCHED_SCHED_H

#include "../lib/cpumask.h"
#include "../lib/types.h"

struct domain;
struct vcpu;

void sched_init(void);             /* boot CPU, before the first domain */
void sched_init_cpu(unsigned cpu); /* creates its idle vCPU's run queue */
int sched_init_domain(struct domain *d) __must_check;
void sched_destroy_domain(struct domain *d);
int sched_init_vcpu(struct vcpu *v) __must_check;
void sched_destroy_vcpu(struct vcpu *v);

void vcpu_wake(struct vcpu *v); /* looks at pause_flags and pause counts; runs it if it may */
void vcpu_sleep_nosync(struct vcpu *v);
void vcpu_sleep_sync(struct vcpu *v); /* returns when its state has left every CPU */
void vcpu_block(void); /* current blocks unless an event is pending; the caller then raises SCHEDULE by it */
void vcpu_unblock(struct vcpu *v);
void vcpu_yield(void);
/* v wants to notice something pending soon: unblocks it; if it is running on another CPU, an IPI makes it exit. */
void vcpu_kick(struct vcpu *v);
int vcpu_set_affinity(struct vcpu *v, const cpumask_t *hard, const cpumask_t *soft) __must_check;
void vcpu_get_affinity(struct vcpu *v, cpumask_t *hard, cpumask_t *soft);
/* SCHEDOP_pin_override: cpu < 0 ends it. -EINVAL, -EBUSY (already), -EPERM (not pinned). */
int vcpu_pin_override(struct vcpu *v, int cpu) __must_check;
bool vcpu_is_runnable(const struct vcpu *v);
/* From context_switch: prev's state has left this CPU, which may go elsewhere now. Interrupts off. */
void sched_context_saved(struct vcpu *prev);
void vcpu_runstate_get(struct vcpu *v, void *runstate_info /* struct vcpu_runstate_info */);
uint64_t vcpu_cpu_time(struct vcpu *v);

/* domctl and sysctl scheduler_op. */
struct sched_params {
    uint16_t weight, cap;
};
void sched_get_params(struct domain *d, struct sched_params *p);
int sched_set_params(struct domain *d, const struct sched_params *p) __must_check;
uint64_t cpu_idle_time(unsigned cpu);
/* sysctl scheduler_op: for the whole machine. */
struct sched_tunables {
    uint32_t tslice_ms, ratelimit_us, migr_delay_us;
};
extern struct sched_tunables sched_tunables;

/* The end of boot on each CPU. */
void idle_loop(void) __noreturn;

#endif
