/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest asks of the scheduler: yield, block, poll, shut down, watchdogs (public header sched.h). */
#include "../cpu/asm.h"
#include "../cpu/percpu.h"
#include "../cpu/time.h"
#include "../sched/sched.h"
#include "../sched/softirq.h"
#include "evtchn.h"
#include "evtchn_port.h"
#include "hypercall.h"

#define POLL_PORTS_MAX 128

static long block(void)
{
    struct vcpu *v = current;

    if (is_pv_domain(v->domain)) {
        WRITE_ONCE(v->info->evtchn_upcall_mask, 0);
        smp_mb();
        if (vcpu_event_deliverable(v))
            return 0;
    }
    vcpu_block();
    return 0;
}

/* 1: one of the ports is pending. */
static int poll_check(struct domain *d, uint64_t ports, unsigned n, uint32_t *last)
{
    for (unsigned i = 0; i < n; i++) {
        if (copy_from_guest(last, guest_elem(ports, evtchn_port_t, i)))
            return -EFAULT;
        if (*last >= evtchn_max_ports(d))
            return -EINVAL;
        if (evtchn_port_is_pending(d, *last))
            return 1;
    }
    return 0;
}

static long poll(uint64_t arg)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    struct sched_poll op;
    uint32_t port = 0;
    int ret, any = -1;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (op.nr_ports > POLL_PORTS_MAX)
        return -EINVAL;

    set_bit(VPF_blocked, &v->pause_flags);
    WRITE_ONCE(v->poll_evtchn, -1);
    __atomic_fetch_add(&d->pollers, 1, __ATOMIC_SEQ_CST);
    smp_mb(); /* who polls first, then the pending bits: evtchn_wake_pollers does it in reverse */

    ret = vcpu_event_deliverable(v) ? 1 : poll_check(d, handle_gva(op.ports), op.nr_ports, &port);
    if (ret) {
        vcpu_unblock(v);
        return ret < 0 ? ret : 0;
    }
    if (op.nr_ports == 1)
        (void)__atomic_compare_exchange_n(&v->poll_evtchn, &any, (int)port, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    if (op.timeout)
        timer_set(&v->poll_timer, (time_ns_t)op.timeout);
    else
        timer_stop(&v->poll_timer);
    softirq_raise(SOFTIRQ_SCHEDULE);
    return 0;
}

static long shutdown(uint64_t arg, bool code_only)
{
    struct domain *d = current->domain;
    struct sched_shutdown op;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (!code_only) {
        domain_shutdown(d, op.reason & 0xff);
        return 0;
    }
    if (op.reason > SHUTDOWN_MAX)
        return -EINVAL;
    spin_lock(&d->shutdown_lock);
    if (d->shutdown_code == -1)
        d->shutdown_code = (int)op.reason;
    spin_unlock(&d->shutdown_lock);
    return 0;
}

static long remote_shutdown(uint64_t arg)
{
    struct sched_remote_shutdown op;
    struct domain *d;
    int ret;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    ret = domain_get_controlled(op.domain_id, &d);
    if (ret)
        return ret;
    domain_shutdown(d, op.reason & 0xff);
    domain_put(d);
    return 0;
}

/* id 0: a free one, whose number is returned; timeout 0: off. */
static long watchdog(uint64_t arg)
{
    struct domain *d = current->domain;
    struct sched_watchdog op;
    long ret = 0;

    if (copy_from_guest(&op, arg))
        return -EFAULT;
    if (op.id > ARRAY_SIZE(d->watchdog))
        return -EINVAL;
    spin_lock(&d->lock);
    if (!op.id) {
        unsigned i = 0;

        while (i < ARRAY_SIZE(d->watchdog) && (d->watchdog_inuse >> i & 1))
            i++;
        if (!op.timeout || i == ARRAY_SIZE(d->watchdog)) {
            ret = op.timeout ? -ENOSPC : -EINVAL;
            goto out;
        }
        op.id = i + 1;
        ret = (long)op.id;
    } else if (!(d->watchdog_inuse >> (op.id - 1) & 1)) {
        ret = -EINVAL;
        goto out;
    }
    if (op.timeout) {
        d->watchdog_inuse |= 1U << (op.id - 1);
        timer_set(&d->watchdog[op.id - 1], now() + (time_ns_t)op.timeout * 1000000000);
    } else {
        d->watchdog_inuse &= ~(1U << (op.id - 1));
        timer_stop(&d->watchdog[op.id - 1]);
    }
out:
    spin_unlock(&d->lock);
    return ret;
}

static long pin_override(uint64_t arg)
{
    struct sched_pin_override op;

    if (!current->domain->is_hardware)
        return -EPERM;
    if (copy_from_guest(&op, arg))
        return -EFAULT;
    return vcpu_pin_override(current, op.pcpu);
}

long do_sched_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4, uint64_t a5)
{
    switch ((uint32_t)cmd) {
    case SCHEDOP_yield: vcpu_yield(); return 0;
    case SCHEDOP_block: return block();
    case SCHEDOP_shutdown: return shutdown(arg, false);
    case SCHEDOP_shutdown_code: return shutdown(arg, true);
    case SCHEDOP_poll: return poll(arg);
    case SCHEDOP_remote_shutdown: return remote_shutdown(arg);
    case SCHEDOP_watchdog: return watchdog(arg);
    case SCHEDOP_pin_override: return pin_override(arg);
    default: return -ENOSYS;
    }
}
