/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which CPU: placing a vCPU that wants to run, and stealing by CPUs that would idle.  Loads are read without locks;
 * they are hints, and a wrong one costs one more move.
 */
#include "../cpu/percpu.h"
#include "runq.h"

static unsigned runq_load(const struct runq *rq)
{
    struct vcpu *curr = READ_ONCE(rq->curr);

    return READ_ONCE(rq->nr_queued) + (curr && !curr->is_idle);
}

static bool unit_allowed(const struct sched_unit *u, unsigned cpu)
{
    return cpumask_test(cpu, &u->hard) && cpumask_test(cpu, &cpu_online_map);
}

/* The CPU with the lowest load out of those allowed; among equals the one of the vCPU's last run, then a preferred one. */
unsigned balance_place(struct vcpu *v, bool slice_ended)
{
    const struct sched_unit *u = v->sched;
    unsigned cpu, last = v->processor, best = MAX_CPUS;
    unsigned best_cost = ~0U;

    for_each_online_cpu(cpu) {
        unsigned cost;

        if (!unit_allowed(u, cpu))
            continue;
        /*
         * Load counts most. A unit whose slice is over leaves its place to others where it costs nothing, so that an
         * odd number of busy vCPUs takes turns on all CPUs.
         */
        cost = runq_load(runq_of(cpu)) * 4 + (cpumask_test(cpu, &u->soft) ? 0 : 2);
        if (slice_ended ? cpu == last && cost : cpu != last)
            cost++;
        if (cost < best_cost) {
            best_cost = cost;
            best = cpu;
        }
    }
    return best < MAX_CPUS ? best : last;
}

void balance_rebase(struct sched_unit *u, const struct runq *from, const struct runq *to)
{
    u->vruntime += READ_ONCE(to->min_vruntime) - READ_ONCE(from->min_vruntime);
}

static struct sched_unit *steal_from(struct runq *victim, struct runq *rq, time_ns_t t)
{
    struct sched_unit *u;
    time_ns_t retry = 0;

    list_for_each_entry(u, &victim->queue, link) {
        if (!cpumask_test(rq->cpu, &u->hard) || policy_throttled(u->v->domain, t, &retry))
            continue;
        policy_dequeue(victim, u);
        balance_rebase(u, victim, rq);
        WRITE_ONCE(u->v->processor, rq->cpu);
        return u;
    }
    return NULL;
}

struct sched_unit *balance_steal(struct runq *rq, time_ns_t t)
{
    unsigned cpu;

    for_each_online_cpu(cpu) {
        struct runq *victim = runq_of(cpu);
        struct sched_unit *u;

        /* Only tried, never waited for: the other CPU may be looking here. */
        if (cpu == rq->cpu || !READ_ONCE(victim->nr_queued) || !spin_trylock(&victim->lock))
            continue;
        u = steal_from(victim, rq, t);
        spin_unlock(&victim->lock);
        if (u)
            return u;
    }
    return NULL;
}
