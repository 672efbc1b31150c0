/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounce frames: how a PV guest's kernel is entered for an exception, an event
 * or a system call of its user mode.  The frame is the one that a gate would
 * have pushed, below it RCX and R11, which SYSCALL and the guest's own return
 * path use.  Works on current only, with its page tables loaded.
 */
#include "../cpu/asm.h"
#include "../cpu/regs.h"
#include "../domain/evtchn.h"
#include "guest.h"
#include <xen/nmi.h>

#define FRAME_WORDS_MAX 12

__hot_entry void pv_switch_mode(struct vcpu *v)
{
    pv_toggle_mode(v);
    INSN("swapgs" ::: "memory");
}

static uint64_t frame_rflags(const struct vcpu *v, uint8_t mask)
{
    uint64_t flags = v->regs.rflags & ~(EFLAGS_IF | EFLAGS_IOPL);

    if (!mask) {
        flags |= EFLAGS_IF;
    }
    if (v->pv->iopl && (v->domain->vm_assist & BIT(VMASST_TYPE_architectural_iopl))) {
        flags |= (uint64_t)v->pv->iopl << 12;
    }
    return flags;
}

/* Fills the frame from the lowest address up; returns its length in words. */
static __hot_entry unsigned build_frame(const struct vcpu *v, const struct pv_bounce *b, uint8_t mask, uint64_t *f)
{
    const struct cpu_user_regs *regs = &v->regs;
    unsigned n = 0;

    f[n++] = regs->rcx;
    f[n++] = regs->r11;
    if (b->failsafe) {
        f[n++] = v->pv->ds;
        f[n++] = v->pv->es;
        f[n++] = v->pv->fs;
        f[n++] = v->pv->gs;
    }
    if (b->has_error_code) {
        f[n++] = b->error_code;
    }
    f[n++] = regs->rip;
    /* The guest's kernel sees itself in ring 0; the byte above CS is saved_upcall_mask (arch-x86/xen-x86_64.h). */
    f[n++] = (pv_in_kernel_mode(v) ? regs->cs & ~3U : regs->cs | 3U) | (uint64_t)mask << 32;
    f[n++] = frame_rflags(v, mask);
    f[n++] = regs->rsp;
    f[n++] = regs->ss;
    return n;
}

__hot_entry bool pv_bounce(struct vcpu *v, const struct pv_bounce *b)
{
    struct cpu_user_regs *regs = &v->regs;
    uint64_t frame[FRAME_WORDS_MAX], sp = pv_in_kernel_mode(v) ? regs->rsp : v->pv->kernel_sp;
    uint8_t mask = READ_ONCE(v->info->evtchn_upcall_mask);
    unsigned n;

    if (!b->rip) {
        domain_crash(v->domain, "vCPU %u: no handler for %s at %04x:%#lx", v->id, b->what, regs->cs,
                     (unsigned long)regs->rip);
        return false;
    }
    n = build_frame(v, b, mask, frame);
    if (!pv_in_kernel_mode(v)) {
        pv_switch_mode(v);
    }
    sp = (sp & ~15UL) - n * sizeof(frame[0]);
    if (pv_copy_to_guest(sp, frame, n * sizeof(frame[0]))) {
        domain_crash(v->domain, "vCPU %u: kernel stack %#lx not writable for %s at %04x:%#lx", v->id, (unsigned long)sp,
                     b->what, regs->cs, (unsigned long)regs->rip);
        return false;
    }
    if (b->mask_events) {
        WRITE_ONCE(v->info->evtchn_upcall_mask, 1);
    }
    regs->rip = b->rip;
    regs->cs = b->cs | 3;
    regs->rsp = sp;
    regs->ss = FLAT_KERNEL_SS;
    regs->rflags = pv_guest_rflags(regs->rflags & ~(EFLAGS_AC | EFLAGS_RF | EFLAGS_NT | EFLAGS_TF));
    return true;
}

__hot_entry bool pv_bounce_event(struct vcpu *v)
{
    const struct pv_bounce b = {
        .what = "an event", .rip = v->pv->event_cb.rip, .cs = FLAT_KERNEL_CS, .mask_events = true};

    return pv_bounce(v, &b);
}

bool pv_bounce_failsafe(struct vcpu *v)
{
    const struct pv_bounce b = {.what = "a refused segment or return frame",
                                .rip = v->pv->failsafe_cb.rip,
                                .cs = FLAT_KERNEL_CS,
                                .mask_events = v->pv->failsafe_cb.mask_events,
                                .failsafe = true};

    return pv_bounce(v, &b);
}

/* The guest's NMI handler runs once at a time: until HYPERVISOR_iret. */
bool pv_bounce_nmi(struct vcpu *v)
{
    const struct pv_bounce b = {
        .what = "an NMI", .rip = v->pv->nmi_callback, .cs = FLAT_KERNEL_CS, .mask_events = true};

    v->pv->nmi_masked = true;
    return pv_bounce(v, &b);
}
