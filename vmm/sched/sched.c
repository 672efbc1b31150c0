/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scheduler's mechanism: waking, sleeping, choosing and switching vCPUs.  A vCPU is in a run queue only while it is
 * runnable and its state is in memory; the one that runs, and one whose state is being saved, are in none.
 * Everything of a vCPU here is guarded by the lock of its ->processor's run queue.
 */
#include "runq.h"

#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/time.h"
#include "../domain/evtchn.h"
#include "../mm/alloc.h"
#include "../lib/string.h"
#include "softirq.h"

static DEFINE_PER_CPU(struct runq, runq);

struct runq *runq_of(unsigned cpu) { return &per_cpu(runq, cpu); }

static struct runq *vcpu_lock(struct vcpu *v, unsigned long *flags)
{
    for (;;) {
        unsigned cpu = READ_ONCE(v->processor);
        struct runq *rq = runq_of(cpu);

        *flags = spin_lock_irqsave(&rq->lock);
        if (likely(v->processor == cpu))
            return rq;
        spin_unlock_irqrestore(&rq->lock, *flags);
    }
}

bool vcpu_is_runnable(const struct vcpu *v)
{
    return !READ_ONCE(v->pause_flags) && !READ_ONCE(v->pause_count) && !READ_ONCE(v->domain->pause_count);
}

/* -- run states ------------------------------------------------------------------------------------------------- */

static void runstate_set(struct vcpu *v, int state, time_ns_t t)
{
    struct vcpu_runstate_info *r = &v->runstate;

    if (r->state == state)
        return;
    if (t > (time_ns_t)r->state_entry_time) {
        r->time[r->state] += (uint64_t)t - r->state_entry_time;
        r->state_entry_time = (uint64_t)t;
    }
    r->state = state;
}

/* The state of a vCPU that is not on a CPU. */
static int runstate_waiting(const struct vcpu *v)
{
    if (vcpu_is_runnable(v))
        return RUNSTATE_runnable;
    if (test_bit(VPF_blocked, &v->pause_flags) || test_bit(VPF_blocked_in_xen, &v->pause_flags))
        return RUNSTATE_blocked;
    return RUNSTATE_offline;
}

void vcpu_runstate_get(struct vcpu *v, void *runstate_info)
{
    struct vcpu_runstate_info *out = runstate_info;
    unsigned long flags;
    struct runq *rq = vcpu_lock(v, &flags);
    time_ns_t t = now();

    *out = v->runstate;
    spin_unlock_irqrestore(&rq->lock, flags);
    if (t > (time_ns_t)out->state_entry_time)
        out->time[out->state] += (uint64_t)t - out->state_entry_time;
}

uint64_t vcpu_cpu_time(struct vcpu *v)
{
    struct vcpu_runstate_info r;

    vcpu_runstate_get(v, &r);
    return r.time[RUNSTATE_running];
}

uint64_t cpu_idle_time(unsigned cpu)
{
    struct vcpu *idle = runq_of(cpu)->idle;

    return idle ? vcpu_cpu_time(idle) : 0;
}

/* -- waking and sleeping ---------------------------------------------------------------------------------------- */

/* u has come into rq's queue: does the CPU look at it now, or at the end of a slice? Who runs is accounted for. */
static void runq_tickle(struct runq *rq, struct sched_unit *u)
{
    struct sched_unit *running = rq->curr->sched;

    if (policy_preempts(u, running))
        softirq_raise_on(rq->cpu, SOFTIRQ_SCHEDULE);
    else if (!timer_is_active(&rq->slice_timer))
        timer_set(&rq->slice_timer, now() + policy_slice(running->v->domain));
}

/*
 * Puts a runnable vCPU whose state is in memory into the queue of the CPU that suits it best. Its run queue's lock
 * is held and released here; in between the vCPU may be taken by whoever else wakes it.
 */
static void vcpu_enqueue(struct vcpu *v, struct runq *rq, unsigned long flags, bool woken)
{
    struct sched_unit *u = v->sched;
    unsigned cpu = balance_place(v, u->slice_ended);
    struct runq *to = runq_of(cpu);

    u->slice_ended = false;
    if (cpu != rq->cpu) {
        balance_rebase(u, rq, to);
        WRITE_ONCE(v->processor, cpu);
        spin_unlock_irqrestore(&rq->lock, flags);
        rq = vcpu_lock(v, &flags);
        if (u->queued || v->is_running || !vcpu_is_runnable(v)) {
            spin_unlock_irqrestore(&rq->lock, flags);
            return;
        }
    }
    /* First the clock that u is placed by: with u in the queue already it would stand where u went to sleep. */
    policy_account(rq, rq->curr->sched, now());
    policy_enqueue(rq, u, woken);
    runq_tickle(rq, u);
    spin_unlock_irqrestore(&rq->lock, flags);
}

void vcpu_wake(struct vcpu *v)
{
    unsigned long flags;
    struct runq *rq;

    if (v->is_idle)
        return;
    rq = vcpu_lock(v, &flags);
    /* While it runs, or its state is being saved, schedule() or sched_context_saved() will look again. */
    if (v->is_running || v->sched->queued) {
        spin_unlock_irqrestore(&rq->lock, flags);
        return;
    }
    runstate_set(v, runstate_waiting(v), now());
    if (vcpu_is_runnable(v))
        vcpu_enqueue(v, rq, flags, true);
    else
        spin_unlock_irqrestore(&rq->lock, flags);
}

void vcpu_sleep_nosync(struct vcpu *v)
{
    unsigned long flags;
    struct runq *rq = vcpu_lock(v, &flags);

    if (!vcpu_is_runnable(v)) {
        if (v->sched->queued)
            policy_dequeue(rq, v->sched);
        if (rq->curr == v)
            softirq_raise_on(rq->cpu, SOFTIRQ_SCHEDULE);
        else if (!v->is_running)
            runstate_set(v, runstate_waiting(v), now());
    }
    spin_unlock_irqrestore(&rq->lock, flags);
}

void vcpu_sleep_sync(struct vcpu *v)
{
    vcpu_sleep_nosync(v);
    while (!vcpu_is_runnable(v) && __atomic_load_n(&v->is_running, __ATOMIC_ACQUIRE))
        cpu_relax();
}

void vcpu_block(void)
{
    struct vcpu *v = current;

    set_bit(VPF_blocked, &v->pause_flags);
    smp_mb();
    /* An event that came before the bit was set would not have cleared it. */
    if (v->ops->event_deliverable && v->ops->event_deliverable(v))
        clear_bit(VPF_blocked, &v->pause_flags);
    else
        softirq_raise(SOFTIRQ_SCHEDULE);
}

void vcpu_unblock(struct vcpu *v)
{
    if (__atomic_exchange_n(&v->poll_evtchn, 0, __ATOMIC_SEQ_CST))
        __atomic_fetch_sub(&v->domain->pollers, 1, __ATOMIC_SEQ_CST);
    if (test_and_clear_bit(VPF_blocked, &v->pause_flags))
        vcpu_wake(v);
}

void vcpu_yield(void)
{
    current->sched->yielding = true;
    softirq_raise(SOFTIRQ_SCHEDULE);
}

void vcpu_kick(struct vcpu *v)
{
    vcpu_unblock(v);
    if (!READ_ONCE(v->is_running))
        return;
    if (v == current)
        softirq_raise(SOFTIRQ_VCPU_KICK);
    else
        softirq_raise_on(READ_ONCE(v->processor), SOFTIRQ_VCPU_KICK);
}

/* -- affinity --------------------------------------------------------------------------------------------------- */

/* v's affinity has changed; rq's lock is held and released. It moves if it may not stay where it is. */
static void vcpu_relocate(struct vcpu *v, struct runq *rq, unsigned long flags)
{
    struct sched_unit *u = v->sched;

    if (cpumask_test(rq->cpu, &u->hard)) {
        spin_unlock_irqrestore(&rq->lock, flags);
        return;
    }
    if (u->queued) {
        policy_dequeue(rq, u);
        vcpu_enqueue(v, rq, flags, false);
        return;
    }
    if (rq->curr == v)
        softirq_raise_on(rq->cpu, SOFTIRQ_SCHEDULE);
    spin_unlock_irqrestore(&rq->lock, flags);
}

static bool cpumask_has_online(const cpumask_t *m)
{
    unsigned cpu;

    for_each_cpu(cpu, m)
        if (cpumask_test(cpu, &cpu_online_map))
            return true;
    return false;
}

int vcpu_set_affinity(struct vcpu *v, const cpumask_t *hard, const cpumask_t *soft)
{
    unsigned long flags;
    struct runq *rq;

    if (hard && !cpumask_has_online(hard))
        return -EINVAL;
    rq = vcpu_lock(v, &flags);
    if (hard && v->sched->pinned) {
        spin_unlock_irqrestore(&rq->lock, flags);
        return -EBUSY;
    }
    if (hard)
        v->sched->hard = *hard;
    if (soft)
        v->sched->soft = *soft;
    vcpu_relocate(v, rq, flags);
    return 0;
}

void vcpu_get_affinity(struct vcpu *v, cpumask_t *hard, cpumask_t *soft)
{
    unsigned long flags;
    struct runq *rq = vcpu_lock(v, &flags);

    *hard = v->sched->hard;
    *soft = v->sched->soft;
    spin_unlock_irqrestore(&rq->lock, flags);
}

int vcpu_pin_override(struct vcpu *v, int cpu)
{
    struct sched_unit *u = v->sched;
    unsigned long flags;
    struct runq *rq;

    if (cpu >= MAX_CPUS || (cpu >= 0 && !cpumask_test((unsigned)cpu, &cpu_online_map)))
        return -EINVAL;
    rq = vcpu_lock(v, &flags);
    if (u->pinned == (cpu >= 0)) {
        spin_unlock_irqrestore(&rq->lock, flags);
        return cpu >= 0 ? -EBUSY : -EPERM;
    }
    u->pinned = cpu >= 0;
    if (u->pinned) {
        u->hard_saved = u->hard;
        u->hard = (cpumask_t){{0}};
        cpumask_set((unsigned)cpu, &u->hard);
    } else {
        u->hard = u->hard_saved;
    }
    vcpu_relocate(v, rq, flags);
    return 0;
}

/* -- switching -------------------------------------------------------------------------------------------------- */

/* Chooses what rq's CPU runs next. prev's time is accounted. */
static struct vcpu *schedule_pick(struct runq *rq, struct vcpu *prev, time_ns_t t, time_ns_t *retry)
{
    struct sched_unit *p = prev->sched, *first = policy_first(rq, t, retry);
    bool prev_may = !prev->is_idle && vcpu_is_runnable(prev) && cpumask_test(rq->cpu, &p->hard) &&
                    !policy_throttled(prev->domain, t, retry);

    /* Who yields gives up what he is ahead of the next: else he would be back at once, and run until he has used it. */
    if (first && p->yielding)
        p->vruntime = MAX(p->vruntime, first->vruntime);
    if (prev_may && (!first || (!p->yielding && p->vruntime <= first->vruntime)))
        return prev;
    if (first)
        policy_dequeue(rq, first);
    else
        first = balance_steal(rq, t);
    return first ? first->v : rq->idle;
}

static void schedule_arm(struct runq *rq, struct vcpu *next, time_ns_t t, time_ns_t retry)
{
    time_ns_t deadline = retry;

    if (!next->is_idle && (rq->nr_queued || next->domain->sched_cap)) {
        time_ns_t end = t + policy_slice(next->domain);

        deadline = retry ? MIN(retry, end) : end;
    }
    if (deadline)
        timer_set(&rq->slice_timer, deadline);
    else if (timer_is_active(&rq->slice_timer))
        timer_stop(&rq->slice_timer);
}

static void schedule(void)
{
    struct runq *rq = &this_cpu(runq);
    struct vcpu *prev = current, *next;
    unsigned long flags = spin_lock_irqsave(&rq->lock);
    time_ns_t t = now(), retry = 0;

    policy_account(rq, prev->sched, t);
    next = schedule_pick(rq, prev, t, &retry);
    prev->sched->slice_ended = rq->slice_over;
    rq->slice_over = false;
    prev->sched->yielding = false;
    if (next == prev) {
        schedule_arm(rq, next, t, retry);
        spin_unlock_irqrestore(&rq->lock, flags);
        return;
    }
    next->is_running = true;
    next->sched->run_start = t;
    rq->curr = next;
    runstate_set(prev, prev->is_idle ? RUNSTATE_runnable : runstate_waiting(prev), t);
    runstate_set(next, RUNSTATE_running, t);
    schedule_arm(rq, next, t, retry);
    spin_unlock(&rq->lock);
    /* Interrupts stay off until next has been entered. */
    context_switch(prev, next);
}

void sched_context_saved(struct vcpu *prev)
{
    unsigned long flags;
    struct runq *rq;

    if (prev->is_idle)
        return;
    rq = vcpu_lock(prev, &flags);
    __atomic_store_n(&prev->is_running, false, __ATOMIC_RELEASE);
    runstate_set(prev, runstate_waiting(prev), now());
    if (vcpu_is_runnable(prev))
        vcpu_enqueue(prev, rq, flags, false);
    else
        spin_unlock_irqrestore(&rq->lock, flags);
}

static void slice_timer_fn(void *data)
{
    struct runq *rq = data;

    rq->slice_over = true;
    softirq_raise_on(rq->cpu, SOFTIRQ_SCHEDULE);
}

void idle_loop(void)
{
    local_irq_enable(); /* a switch comes here with them off */
    for (;;) {
        ASSERT(local_irq_is_enabled());
        softirq_run();
        if (heap_scrub_some())
            continue;
        local_irq_disable();
        if (softirq_is_pending())
            local_irq_enable();
        else
            safe_halt();
    }
}

/* -- creation --------------------------------------------------------------------------------------------------- */

void sched_init(void)
{
    softirq_open(SOFTIRQ_SCHEDULE, schedule);
    timer_subsystem_init();
    idle_domain_init();
    sched_init_cpu(smp_processor_id());
}

void sched_init_cpu(unsigned cpu)
{
    struct runq *rq = runq_of(cpu);
    struct vcpu *idle = idle_domain->vcpu[cpu];

    if (!rq->online) {
        list_init(&rq->queue);
        rq->cpu = cpu;
        timer_init(&rq->slice_timer, slice_timer_fn, rq, cpu);
        rq->online = true;
    }
    if (!idle && vcpu_create(idle_domain, cpu, &idle))
        panic("no memory for the idle vCPU of CPU %u", cpu);
    rq->idle = rq->curr = idle;
    idle->is_running = true;
    idle->host_stack_top = (uint64_t)get_cpu_info();
    runstate_set(idle, RUNSTATE_running, now());
    if (cpu == smp_processor_id())
        get_cpu_info()->current_vcpu = idle;
}

int sched_init_domain(struct domain *d)
{
    d->sched_weight = SCHED_WEIGHT_DEFAULT;
    d->sched_cap = 0;
    return 0;
}

void sched_destroy_domain(struct domain *d) { (void)d; }

int sched_init_vcpu(struct vcpu *v)
{
    struct sched_unit *u = xzalloc(struct sched_unit);

    if (!u)
        return -ENOMEM;
    u->v = v;
    list_init(&u->link);
    memset(&u->hard, 0xff, sizeof(u->hard));
    memset(&u->soft, 0xff, sizeof(u->soft));
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = (uint64_t)now();
    v->sched = u;
    if (v->is_idle) {
        u->hard = (cpumask_t){{0}};
        cpumask_set(v->processor, &u->hard);
    } else {
        v->processor = smp_processor_id();
        v->processor = balance_place(v, false);
    }
    return 0;
}

void sched_destroy_vcpu(struct vcpu *v)
{
    struct sched_unit *u = v->sched;
    unsigned long flags;
    struct runq *rq;

    if (!u)
        return;
    rq = vcpu_lock(v, &flags);
    if (u->queued)
        policy_dequeue(rq, u);
    v->sched = NULL;
    spin_unlock_irqrestore(&rq->lock, flags);
    xfree(u);
}
