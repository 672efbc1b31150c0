/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way into and out of a PV guest: system calls in, and the loop that does
 * all pending work before the guest runs again.
 */
#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/regs.h"
#include "../domain/evtchn.h"
#include "../domain/hypercall.h"
#include "../sched/softirq.h"
#include "guest.h"

#define SYSCALL_LENGTH 2
#define HYPERCALL_ENTRIES 128
#define HYPERCALL_ENTRY_SIZE 32

static __hot_entry void bounce_callback(struct vcpu *v, const struct pv_callback *cb, const char *what)
{
    const struct pv_bounce b = {.what = what, .rip = cb->rip, .cs = FLAT_KERNEL_CS, .mask_events = cb->mask_events};

    pv_bounce(v, &b);
}

/* SYSCALL: a hypercall if the guest's kernel executed it, else a system call for that kernel. Interrupts are off. */
__hot_entry void pv_syscall(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    bool compat = (regs->cs & ~3U) != (GUEST_CS64 & ~3U);

    local_irq_enable();
    if (pv_in_kernel_mode(v)) {
        if (hypercall_dispatch(regs, true)) {
            regs->rip -= SYSCALL_LENGTH;
        }
        return;
    }
    if (compat && !v->pv->syscall32_cb.rip) {
        regs->rip -= SYSCALL_LENGTH;
        pv_inject_exception(X86_TRAP_UD, 0);
        return;
    }
    bounce_callback(v, compat ? &v->pv->syscall32_cb : &v->pv->syscall_cb, "a system call");
}

/* SYSENTER leaves no return address: the guest's kernel knows it from its ABI. */
void pv_sysenter(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;

    local_irq_enable();
    if (!v->pv->sysenter_cb.rip || pv_in_kernel_mode(v)) {
        pv_inject_exception(X86_TRAP_GP, 0);
        return;
    }
    bounce_callback(v, &v->pv->sysenter_cb, "SYSENTER");
}

/* Builds at most one frame; true if it did (or crashed the domain), and there is to be another look. */
static __hot_entry bool deliver_pending(struct vcpu *v)
{
    if (v->pv->failsafe_pending) {
        v->pv->failsafe_pending = false;
        pv_bounce_failsafe(v);
        return true;
    }
    if (v->nmi_is_pending && v->pv->nmi_callback && !v->pv->nmi_masked) {
        v->nmi_is_pending = false;
        pv_bounce_nmi(v);
        return true;
    }
    if (vcpu_event_deliverable(v)) {
        pv_bounce_event(v);
        return true;
    }
    return false;
}

/* guest_ops.resume: on an empty stack. */
__hot_entry void pv_resume(void)
{
    struct vcpu *v = current;

    for (;;) {
        local_irq_disable();
        if (softirq_is_pending()) {
            local_irq_enable();
            softirq_run();
            continue;
        }
        vcpu_time_update(v);
        if (!deliver_pending(v)) {
            break;
        }
    }
    /* Clear while the hypervisor saved and loaded the extended state. */
    if (unlikely(v->pv->ctrlreg[0] & CR0_TS)) {
        write_cr0(read_cr0() | CR0_TS);
    }
    restore_guest_regs_and_iret(&v->regs);
}

/*
 * Entry n: mov $n, %eax; syscall; ret, with RCX and R11 kept around SYSCALL.
 * HYPERVISOR_iret does not come back; it leaves a struct iret_context begun by RAX, R11 and RCX.
 */
static void fill_entry(uint8_t *p, uint32_t nr)
{
    *p++ = 0x51; /* push %rcx */
    *p++ = 0x41; /* push %r11 */
    *p++ = 0x53;
    if (nr == __HYPERVISOR_iret) {
        *p++ = 0x50; /* push %rax */
    }
    *p++ = 0xb8; /* mov $nr, %eax */
    for (unsigned i = 0; i < 4; i++) {
        *p++ = (uint8_t)(nr >> (8 * i));
    }
    *p++ = 0x0f; /* syscall */
    *p++ = 0x05;
    if (nr == __HYPERVISOR_iret) {
        return;
    }
    *p++ = 0x41; /* pop %r11 */
    *p++ = 0x5b;
    *p++ = 0x59; /* pop %rcx */
    *p = 0xc3;   /* ret */
}

void pv_fill_hypercall_page(void *page)
{
    uint8_t *p = page;

    for (unsigned i = 0; i < PAGE_SIZE; i++) {
        p[i] = 0xcc;
    }
    for (uint32_t nr = 0; nr < HYPERCALL_ENTRIES; nr++) {
        fill_entry(p + nr * HYPERCALL_ENTRY_SIZE, nr);
    }
}
