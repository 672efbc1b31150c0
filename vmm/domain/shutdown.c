/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shutting down, crashing and resuming domains.  A shutdown is complete when all vCPUs are paused for it; one with
 * an I/O request under way defers that.  Guarded by the domain's shutdown_lock.
 */
#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../sched/sched.h"
#include "domain.h"
#include "evtchn.h"

/* With d->shutdown_lock: are all vCPUs stopped? Then the tools are told, by the caller if true. */
static bool shutdown_complete(struct domain *d)
{
    struct vcpu *v;

    if (!d->is_shutting_down || d->is_shut_down)
        return false;
    for_each_vcpu(d, v)
        if (!v->paused_for_shutdown)
            return false;
    d->is_shut_down = true;
    return true;
}

static void vcpu_pause_for_shutdown(struct vcpu *v)
{
    if (v->defer_shutdown || v->paused_for_shutdown)
        return;
    v->paused_for_shutdown = true;
    vcpu_pause_nosync(v);
}

/* The machine goes with its hardware domain. */
static void hardware_domain_shutdown(unsigned reason)
{
    static const char *const names[] = {"poweroff", "reboot", "suspend", "crash", "watchdog", "soft reset"};

    printk(LOG_ERR "Hardware domain has shut down: %s\n",
           reason < ARRAY_SIZE(names) ? names[reason] : "unknown reason");
    switch (reason) {
    case SHUTDOWN_poweroff: machine_halt();
    case SHUTDOWN_crash:
    case SHUTDOWN_watchdog: machine_restart(5000);
    default: machine_restart(0);
    }
}

void domain_shutdown(struct domain *d, unsigned reason)
{
    struct vcpu *v;
    bool done;

    spin_lock(&d->shutdown_lock);
    if (d->shutdown_code == -1)
        d->shutdown_code = (int)reason;
    reason = (unsigned)d->shutdown_code;
    if (d->is_hardware) {
        spin_unlock(&d->shutdown_lock);
        hardware_domain_shutdown(reason);
        return;
    }
    if (d->is_shutting_down) {
        spin_unlock(&d->shutdown_lock);
        return;
    }
    d->is_shutting_down = true;
    smp_mb(); /* against vcpu_start_shutdown_deferral */
    for_each_vcpu(d, v)
        vcpu_pause_for_shutdown(v);
    done = shutdown_complete(d);
    spin_unlock(&d->shutdown_lock);
    if (done)
        send_global_virq(VIRQ_DOM_EXC);
}

void domain_resume(struct domain *d)
{
    struct vcpu *v;

    /* Some vCPUs may still be on their way to a stop. */
    domain_pause(d);
    spin_lock(&d->shutdown_lock);
    d->is_shutting_down = d->is_shut_down = false;
    d->shutdown_code = -1;
    for_each_vcpu(d, v) {
        if (v->paused_for_shutdown)
            vcpu_unpause(v);
        v->paused_for_shutdown = false;
    }
    spin_unlock(&d->shutdown_lock);
    domain_unpause(d);
}

void domain_crash(struct domain *d, const char *fmt, ...)
{
    char text[160];
    va_list args;

    if (d->is_shutting_down)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    printk(LOG_ERR "Domain %u crashed: %s\n", d->id, text);
    if (d == current->domain && d->ops->dump)
        d->ops->dump(current);
    domain_shutdown(d, SHUTDOWN_crash);
}

bool vcpu_start_shutdown_deferral(struct vcpu *v)
{
    if (v->defer_shutdown)
        return true;
    v->defer_shutdown = true;
    smp_mb(); /* against domain_shutdown */
    if (READ_ONCE(v->domain->is_shutting_down))
        vcpu_end_shutdown_deferral(v);
    return v->defer_shutdown;
}

void vcpu_end_shutdown_deferral(struct vcpu *v)
{
    struct domain *d = v->domain;
    bool done = false;

    v->defer_shutdown = false;
    smp_mb(); /* against domain_shutdown */
    if (!READ_ONCE(d->is_shutting_down))
        return;
    spin_lock(&d->shutdown_lock);
    if (d->is_shutting_down) {
        vcpu_pause_for_shutdown(v);
        done = shutdown_complete(d);
    }
    spin_unlock(&d->shutdown_lock);
    if (done)
        send_global_virq(VIRQ_DOM_EXC);
}
