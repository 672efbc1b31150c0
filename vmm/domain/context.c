/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Switching a CPU from one vCPU to another, and the idle vCPUs.  Interrupts are off from the scheduler's choice until the
 * next vCPU is entered.
 */
#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/fpu.h"
#include "../mm/pgtable.h"
#include "../mm/tlb.h"
#include "../sched/sched.h"
#include "domain.h"
#include "evtchn.h"

static void extended_state_save(struct vcpu *v)
{
    if (v->is_idle)
        return;
    fpu_save(v->fpu, v->xcr0_accum);
    v->fpu_dirty = false;
}

static void extended_state_load(struct vcpu *v)
{
    if (v->is_idle)
        return;
    fpu_restore(v->fpu, v->xcr0_accum);
    xcr0_write(v->xcr0);
    v->fpu_dirty = true;
}

/* v comes to this CPU: what follows it around. */
static void vcpu_arrive(struct vcpu *v, unsigned cpu)
{
    if (v->is_idle || v->singleshot_timer.cpu == cpu)
        return;
    vcpu_timers_move(v);
    evtchn_move_pirqs(v);
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
    struct cpu_info *info = get_cpu_info();

    if (!prev->is_idle)
        vcpu_runstate_publish(prev);
    extended_state_save(prev);
    prev->ops->switch_from(prev);

    info->current_vcpu = next;
    next->host_stack_top = (uint64_t)info;
    /* Saving cleared CR0.TS, which a PV guest's switch_to may set again: the registers are loaded before. */
    extended_state_load(next);
    next->ops->switch_to(next);
    cpumask_clear(info->cpu, &prev->dirty_cpus);
    /* From here on another CPU may take prev. */
    sched_context_saved(prev);

    vcpu_arrive(next, info->cpu);
    if (!next->is_idle) {
        next->time_epoch = 0;
        vcpu_runstate_publish(next);
    }
    reset_stack_and_jump(next->ops->resume);
}

void context_leave_pv_tables(void)
{
    if ((read_cr3() & PAGE_MASK) != idle_cr3())
        write_cr3_flush(idle_cr3());
}

void vcpu_sync_state(struct vcpu *v)
{
    /* A paused vCPU has left its CPU, and nothing was left behind; current's may be copied at any time. */
    if (v == current && !v->is_idle) {
        unsigned long flags = local_irq_save();

        v->ops->switch_from(v);
        fpu_save(v->fpu, v->xcr0_accum);
        extended_state_load(v);
        v->ops->switch_to(v);
        local_irq_restore(flags);
    }
}

/* -- idle --------------------------------------------------------------------------------------------------------- */

static void idle_switch_from(struct vcpu *v) { (void)v; }

static void idle_switch_to(struct vcpu *v)
{
    (void)v;
    context_leave_pv_tables();
}

const struct guest_ops idle_guest_ops = {
    .name = "idle",
    .switch_from = idle_switch_from,
    .switch_to = idle_switch_to,
    .resume = idle_loop,
};
