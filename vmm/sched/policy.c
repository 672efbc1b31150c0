/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scheduling policy: weighted fair shares by virtual run time, and caps by tokens that time refills.  Guarded by the
 * run queue's lock; the tokens of capped domains by cap_lock, innermost.
 */
#include "../cpu/time.h"
#include "runq.h"

static DEFINE_SPINLOCK(cap_lock);

struct sched_tunables sched_tunables = {.tslice_ms = 10, .ratelimit_us = 1000, .migr_delay_us = 0};

static int64_t policy_scale(const struct sched_unit *u, time_ns_t ns)
{
    return ns * SCHED_WEIGHT_DEFAULT / u->v->domain->sched_weight;
}

void policy_enqueue(struct runq *rq, struct sched_unit *u, bool woken)
{
    /* Who slept has a little credit, not all that it did not use. */
    int64_t floor = rq->min_vruntime - (woken ? (int64_t)sched_tunables.tslice_ms * 500000 : 0);
    struct sched_unit *pos;

    u->vruntime = MAX(u->vruntime, floor);
    list_for_each_entry(pos, &rq->queue, link)
        if (pos->vruntime > u->vruntime)
            break;
    list_add_tail(&u->link, &pos->link);
    u->queued = true;
    rq->nr_queued++;
}

void policy_dequeue(struct runq *rq, struct sched_unit *u)
{
    list_del(&u->link);
    u->queued = false;
    rq->nr_queued--;
}

static void policy_use_tokens(struct domain *d, time_ns_t ns)
{
    if (!d->sched_cap)
        return;
    spin_lock(&cap_lock);
    d->sched_tokens -= ns;
    spin_unlock(&cap_lock);
}

bool policy_throttled(struct domain *d, time_ns_t t, time_ns_t *retry)
{
    int64_t full, missing;
    unsigned cap = d->sched_cap;

    if (!cap)
        return false;
    full = (int64_t)SCHED_CAP_PERIOD * cap / 100;
    spin_lock(&cap_lock);
    if (t > d->sched_tokens_time) {
        /* Bounded first: after a long time the product might overflow. */
        time_ns_t span = MIN(t - d->sched_tokens_time, (time_ns_t)SCHED_CAP_PERIOD * 100);

        d->sched_tokens = MIN(d->sched_tokens + span * cap / 100, full);
        d->sched_tokens_time = t;
    }
    /* Once out of tokens it waits for a worthwhile number of them. */
    missing = d->sched_tokens > 0 ? 0 : full / 4 - d->sched_tokens;
    spin_unlock(&cap_lock);
    if (!missing)
        return false;
    if (!*retry || t + missing * 100 / cap < *retry)
        *retry = t + missing * 100 / cap;
    return true;
}

void policy_account(struct runq *rq, struct sched_unit *u, time_ns_t t)
{
    time_ns_t ns = t - u->run_start;
    int64_t lowest;

    if (u->v->is_idle || ns <= 0)
        return;
    u->run_start = t;
    u->vruntime += policy_scale(u, ns);
    policy_use_tokens(u->v->domain, ns);

    lowest = u->vruntime;
    if (!list_empty(&rq->queue))
        lowest = MIN(lowest, list_first_entry(&rq->queue, struct sched_unit, link)->vruntime);
    rq->min_vruntime = MAX(rq->min_vruntime, lowest);
}

struct sched_unit *policy_first(struct runq *rq, time_ns_t t, time_ns_t *retry)
{
    struct sched_unit *u;

    list_for_each_entry(u, &rq->queue, link)
        if (!policy_throttled(u->v->domain, t, retry))
            return u;
    return NULL;
}

bool policy_preempts(const struct sched_unit *u, const struct sched_unit *running)
{
    if (running->v->is_idle || running->yielding)
        return true;
    return u->vruntime + policy_scale(u, (time_ns_t)sched_tunables.ratelimit_us * 1000) < running->vruntime;
}

time_ns_t policy_slice(struct domain *d)
{
    time_ns_t slice = (time_ns_t)sched_tunables.tslice_ms * 1000000;

    if (d->sched_cap && d->sched_tokens > 0)
        slice = MIN(slice, MAX(d->sched_tokens, (int64_t)sched_tunables.ratelimit_us * 1000));
    return slice;
}

void sched_get_params(struct domain *d, struct sched_params *p)
{
    *p = (struct sched_params){.weight = d->sched_weight, .cap = d->sched_cap};
}

int sched_set_params(struct domain *d, const struct sched_params *p)
{
    if (!p->weight || p->cap > 100U * MAX(d->max_vcpus, 1U))
        return -EINVAL;
    spin_lock(&d->lock);
    d->sched_weight = p->weight;
    d->sched_tokens_time = now();
    d->sched_tokens = (int64_t)SCHED_CAP_PERIOD * p->cap / 100;
    d->sched_cap = p->cap;
    spin_unlock(&d->lock);
    return 0;
}
