/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a PV guest wants to be entered: its trap table, kernel stack, event,
 * failsafe, system-call and NMI callbacks; and its CR0.TS.
 */
#include "../cpu/irq.h"
#include "../cpu/regs.h"
#include "../domain/hypercall.h"
#include "../lib/string.h"
#include "guest.h"
#include <xen/callback.h>
#include <xen/nmi.h>

void pv_set_trap(struct vcpu *v, const struct trap_info *ti)
{
    struct trap_info *slot = &v->pv->trap_ctxt[ti->vector];

    *slot = *ti;
    slot->cs = pv_fixup_selector(ti->cs);
}

static long do_set_trap_table(uint64_t traps, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;
    struct trap_info ti;

    if (!traps) {
        memset(v->pv->trap_ctxt, 0, sizeof(v->pv->trap_ctxt));
        return 0;
    }
    for (;;) {
        if (copy_from_guest(&ti, traps)) {
            return -EFAULT;
        }
        if (!ti.address) {
            return 0;
        }
        if (!is_canonical(ti.address)) {
            return -EINVAL;
        }
        pv_set_trap(v, &ti);
        traps += sizeof(ti);
        if (hypercall_preempt_check()) {
            return hypercall_continue(__HYPERVISOR_set_trap_table, 1, traps);
        }
    }
}

static long do_stack_switch(uint64_t ss, uint64_t sp, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct pv_vcpu *pv = current->pv;

    pv->kernel_ss = pv_fixup_selector((uint16_t)ss);
    pv->kernel_sp = sp;
    return 0;
}

static long do_fpu_taskswitch(uint64_t set, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    pv_set_ts(current, set);
    return 0;
}

/* -- callbacks ----------------------------------------------------------------------------------------------------- */

static long register_nmi(struct vcpu *v, uint64_t address)
{
    if (!is_canonical(address)) {
        return -EINVAL;
    }
    if (!v->domain->is_hardware && v->id) {
        return -EINVAL;
    }
    v->pv->nmi_callback = address;
    return 0;
}

static struct pv_callback *callback_of(struct pv_vcpu *pv, unsigned type)
{
    switch (type) {
    case CALLBACKTYPE_event: return &pv->event_cb;
    case CALLBACKTYPE_failsafe: return &pv->failsafe_cb;
    case CALLBACKTYPE_syscall: return &pv->syscall_cb;
    case CALLBACKTYPE_syscall32: return &pv->syscall32_cb;
    case CALLBACKTYPE_sysenter:
    case CALLBACKTYPE_sysenter_deprecated: return &pv->sysenter_cb;
    default: return NULL;
    }
}

static long register_callback(struct vcpu *v, const struct callback_register *r)
{
    struct pv_callback *cb;

    if (r->type == CALLBACKTYPE_nmi) {
        return register_nmi(v, r->address);
    }
    cb = callback_of(v->pv, r->type);
    if (!cb) {
        return -ENOSYS;
    }
    if (!is_canonical(r->address)) {
        return -EINVAL;
    }
    cb->rip = r->address;
    cb->mask_events = r->type == CALLBACKTYPE_event || (r->flags & CALLBACKF_mask_events);
    return 0;
}

static long unregister_callback(struct vcpu *v, unsigned type)
{
    switch (type) {
    case CALLBACKTYPE_nmi: v->pv->nmi_callback = 0; return 0;
    case CALLBACKTYPE_sysenter:
    case CALLBACKTYPE_sysenter_deprecated: v->pv->sysenter_cb = (struct pv_callback){0}; return 0;
    case CALLBACKTYPE_event: /* a guest cannot do without these */
    case CALLBACKTYPE_failsafe:
    case CALLBACKTYPE_syscall:
    case CALLBACKTYPE_syscall32: return -EINVAL;
    default: return -ENOSYS;
    }
}

static long do_callback_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct callback_register reg;
    struct callback_unregister unreg;

    switch ((int)cmd) {
    case CALLBACKOP_register: return copy_from_guest(&reg, arg) ? -EFAULT : register_callback(current, &reg);
    case CALLBACKOP_unregister:
        return copy_from_guest(&unreg, arg) ? -EFAULT : unregister_callback(current, unreg.type);
    default: return -ENOSYS;
    }
}

static long do_set_callbacks(uint64_t event, uint64_t failsafe, uint64_t syscall, uint64_t a4, uint64_t a5)
{
    struct pv_vcpu *pv = current->pv;

    if (!is_canonical(event) || !is_canonical(failsafe) || !is_canonical(syscall)) {
        return -EINVAL;
    }
    pv->event_cb = (struct pv_callback){event, true};
    pv->failsafe_cb.rip = failsafe;
    pv->syscall_cb.rip = syscall;
    return 0;
}

static long do_nmi_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct xennmi_callback cb;

    switch ((unsigned)cmd) {
    case XENNMI_register_callback:
        return copy_from_guest(&cb, arg) ? -EFAULT : register_nmi(current, cb.handler_address);
    case XENNMI_unregister_callback: return unregister_callback(current, CALLBACKTYPE_nmi);
    default: return -ENOSYS;
    }
}

void pv_register_callbacks(void)
{
    hypercall_register_pv(__HYPERVISOR_set_trap_table, do_set_trap_table);
    hypercall_register_pv(__HYPERVISOR_stack_switch, do_stack_switch);
    hypercall_register_pv(__HYPERVISOR_fpu_taskswitch, do_fpu_taskswitch);
    hypercall_register_pv(__HYPERVISOR_set_callbacks, do_set_callbacks);
    hypercall_register_pv(__HYPERVISOR_callback_op, do_callback_op);
    hypercall_register_pv(__HYPERVISOR_nmi_op, do_nmi_op);
}
