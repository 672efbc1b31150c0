/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handling of VM exits: the one switch over reasons, and a short function for each. v is current. */
#include "../cpu/asm.h"
#include "../cpu/policy.h"
#include "../cpu/regs.h"
#include "../domain/hypercall.h"
#include "../sched/sched.h"
#include "../sched/softirq.h"
#include "hvm_state.h"
#include "p2m.h"

void hvm_advance_rip(struct vcpu *v, unsigned len)
{
    uint64_t rip = v->regs.rip + len;

    if (hvm_mode_bytes(v) != 8)
        rip = (uint32_t)rip;
    v->regs.rip = rip;
    v->regs.rflags &= ~(uint64_t)EFLAGS_RF;
    if (hvm_backend->interrupt_shadow(v))
        hvm_backend->set_interrupt_shadow(v, 0);
    if (v->regs.rflags & EFLAGS_TF) {
        hvm_backend->set_dr(v, 6, hvm_backend->get_dr(v, 6) | BIT(14)); /* BS */
        hvm_inject_exception(v, X86_TRAP_DB, -1, 0);
    }
}

/* The length of the instruction that exited; 0: it could not be fetched, and a fault is queued. */
static unsigned exit_insn_len(struct vcpu *v, const struct vm_exit *exit)
{
    return exit->insn_len ? exit->insn_len : hvm_insn_length(v, exit);
}

/* An instruction that nobody understands: #UD, or for an access #GP. */
static void exit_emulate(struct vcpu *v, const struct vm_exit *exit, unsigned vector)
{
    if (hvm_emulate_one(v, exit) == HVM_UNHANDLEABLE)
        hvm_inject_exception(v, vector, vector == X86_TRAP_UD ? -1 : 0, 0);
}

static void exit_cpuid(struct vcpu *v, const struct vm_exit *exit)
{
    unsigned len = exit_insn_len(v, exit);
    uint32_t r[4];

    if (!len)
        return;
    guest_cpuid(v, (uint32_t)v->regs.rax, (uint32_t)v->regs.rcx, r);
    v->regs.rax = r[0];
    v->regs.rbx = r[1];
    v->regs.rcx = r[2];
    v->regs.rdx = r[3];
    hvm_advance_rip(v, len);
}

/* Halted with interrupts off: nothing but an INIT brings it back, and if all are so, the machine is off. */
static void halt_for_ever(struct vcpu *v)
{
    struct domain *d = v->domain;
    struct vcpu *other;

    set_bit(VPF_down, &v->pause_flags);
    softirq_raise(SOFTIRQ_SCHEDULE);
    for_each_vcpu(d, other)
        if (!test_bit(VPF_down, &other->pause_flags))
            return;
    domain_shutdown(d, SHUTDOWN_poweroff);
}

void hvm_halt(struct vcpu *v)
{
    if (hvm_pending_irq(v).source != INTSRC_NONE && (v->regs.rflags & EFLAGS_IF))
        return;
    if (v->hvm->pending.valid)
        return;
    if (v->regs.rflags & EFLAGS_IF)
        vcpu_block();
    else if (!READ_ONCE(v->nmi_is_pending))
        halt_for_ever(v);
}

static void exit_hlt(struct vcpu *v, const struct vm_exit *exit)
{
    unsigned len = exit_insn_len(v, exit);

    if (!len)
        return;
    hvm_advance_rip(v, len);
    hvm_halt(v);
}

static void set_rax(struct vcpu *v, unsigned bytes, uint32_t value)
{
    if (bytes == 4)
        v->regs.rax = value;
    else
        v->regs.rax = (v->regs.rax & ~bytes_mask(bytes)) | (value & bytes_mask(bytes));
}

static void exit_pio(struct vcpu *v, const struct vm_exit *exit)
{
    uint32_t value = (uint32_t)(v->regs.rax & bytes_mask(exit->u.pio.size));
    struct hvm_io *io = &v->hvm->io;
    unsigned len;

    if (exit->u.pio.string || !exit->insn_len) {
        exit_emulate(v, exit, X86_TRAP_GP);
        return;
    }
    len = exit->insn_len;
    switch (hvm_do_pio(v, !exit->u.pio.in, exit->u.pio.port, exit->u.pio.size, &value)) {
    case HVM_OKAY:
        if (exit->u.pio.in)
            set_rax(v, exit->u.pio.size, value);
        hvm_advance_rip(v, len);
        break;
    case HVM_RETRY:
        io->completion = COMPLETE_PIO;
        io->insn_len = (uint8_t)len;
        break;
    default: break;
    }
}

void hvm_complete_io(struct vcpu *v)
{
    struct hvm_io *io = &v->hvm->io;
    enum io_completion how = io->completion;

    io->completion = COMPLETE_NOTHING;
    if (how == COMPLETE_PIO) {
        /* No shutdown began between: the register and RIP belong together in a saved state. */
        io->state = IO_NONE;
        if (io->req.dir == IOREQ_READ)
            set_rax(v, io->req.size, (uint32_t)io->req.data);
        hvm_advance_rip(v, io->insn_len);
    } else if (how == COMPLETE_EMULATION) {
        struct vm_exit exit = {.reason = VMEXIT_EMULATE, .nr_bytes = io->nr_bytes};

        for (unsigned i = 0; i < io->nr_bytes; i++)
            exit.bytes[i] = io->bytes[i];
        exit_emulate(v, &exit, X86_TRAP_GP);
    } else {
        io->state = IO_NONE;
    }
}

/* A fault in the nested tables: MMIO for a device, or the p2m's own business. */
static void exit_npf(struct vcpu *v, const struct vm_exit *exit)
{
    gpa_t gpa = exit->u.npf.gpa;
    enum p2m_type t;

    p2m_lookup(v->domain, gpa_to_gfn(gpa), &t, NULL);
    if (exit->u.npf.fetch && (t == P2M_mmio_direct || t == P2M_grant_rw || t == P2M_grant_ro || t == P2M_foreign)) {
        hvm_inject_exception(v, X86_TRAP_GP, 0, 0); /* never executable */
        return;
    }
    if (t == P2M_grant_ro && exit->u.npf.write) {
        hvm_inject_exception(v, X86_TRAP_GP, 0, 0);
        return;
    }
    if (p2m_handle_fault(v, gpa, exit->u.npf.write))
        return;
    exit_emulate(v, exit, X86_TRAP_GP);
}

static uint64_t *exit_gpr(struct vcpu *v, unsigned n)
{
    struct cpu_user_regs *r = &v->regs;
    uint64_t *const gpr[] = {&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi,
                             &r->r8,  &r->r9,  &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15};

    return gpr[n & 15];
}

static void exit_cr(struct vcpu *v, const struct vm_exit *exit)
{
    unsigned cr = exit->u.cr.cr, len;
    uint64_t value;

    if (!exit->u.cr.decoded) {
        exit_emulate(v, exit, X86_TRAP_UD);
        return;
    }
    len = exit_insn_len(v, exit);
    if (!len)
        return;
    value = *exit_gpr(v, exit->u.cr.gpr);
    if (hvm_mode_bytes(v) != 8)
        value = (uint32_t)value;
    if (exit->u.cr.clts)
        value = v->hvm->cr[0] & ~(uint64_t)CR0_TS;
    else if (exit->u.cr.lmsw) /* may set PE, never clear it: APM 3, LMSW */
        value = (v->hvm->cr[0] & ~0xeUL) | (exit->u.cr.lmsw_src & 0xf);
    if (exit->u.cr.write || exit->u.cr.clts || exit->u.cr.lmsw) {
        if (hvm_set_cr(v, cr, value) != HVM_OKAY)
            return;
    } else {
        *exit_gpr(v, exit->u.cr.gpr) = hvm_get_cr(v, cr);
    }
    hvm_advance_rip(v, len);
}

static void exit_msr(struct vcpu *v, const struct vm_exit *exit)
{
    uint32_t msr = exit->u.msr.msr;
    unsigned len = exit_insn_len(v, exit);
    uint64_t value;

    if (!len)
        return;
    if (exit->u.msr.write) {
        if (hvm_wrmsr(v, msr, v->regs.rdx << 32 | (uint32_t)v->regs.rax) != HVM_OKAY)
            return;
    } else {
        if (hvm_rdmsr(v, msr, &value) != HVM_OKAY)
            return;
        v->regs.rax = (uint32_t)value;
        v->regs.rdx = value >> 32;
    }
    hvm_advance_rip(v, len);
}

static void exit_rdtsc(struct vcpu *v, const struct vm_exit *exit)
{
    unsigned len = exit_insn_len(v, exit);
    uint64_t tsc = hvm_guest_tsc(v);

    if (!len)
        return;
    v->regs.rax = (uint32_t)tsc;
    v->regs.rdx = tsc >> 32;
    if (exit->u.rdtsc.rdtscp)
        v->regs.rcx = (uint32_t)hvm_backend->get_msr(v, HVM_MSR_TSC_AUX);
    hvm_advance_rip(v, len);
}

/* #DB and #AC are intercepted because their delivery may raise them again without end; others the backend wants back. */
static void exit_exception(struct vcpu *v, struct vm_exit *exit)
{
    struct hvm_event e = {
        .valid = true,
        .type = exit->u.exc.type,
        .vector = exit->u.exc.vector,
        .insn_len = exit->insn_len,
        .has_error = exit->u.exc.has_error,
        .error_code = exit->u.exc.error_code,
        .cr2 = exit->u.exc.cr2,
    };

    if (e.vector == X86_TRAP_UD && hvm_foreign_insn(v, exit))
        return;
    if (e.vector == X86_TRAP_DB)
        hvm_backend->set_dr(v, 6, hvm_backend->get_dr(v, 6) | exit->u.exc.dr6);
    hvm_inject_event(v, &e);
}

/* Only the kernel of a protected-mode guest makes hypercalls; others read -EPERM. */
void hvm_exit_hypercall(struct vcpu *v, const struct vm_exit *exit)
{
    int mode = hvm_mode_bytes(v);
    unsigned len = exit_insn_len(v, exit);

    if (!len)
        return;
    if (mode < 2 || hvm_cpl(v) != 0)
        v->regs.rax = (uint64_t)-EPERM;
    else if (hypercall_dispatch(&v->regs, mode == 8))
        return; /* to be executed again */
    hvm_advance_rip(v, len);
    if (v->domain->hvm->mapcache_invalidate) {
        v->domain->hvm->mapcache_invalidate = false;
        ioreq_broadcast_invalidate(v->domain);
    }
}

static void exit_task_switch(struct vcpu *v, const struct vm_exit *exit)
{
    const struct hvm_event *idt = &exit->idt;
    uint8_t source = exit->u.task.source;
    uint64_t rip = v->regs.rip;
    unsigned len = 0;

    if (source != TASK_GATE)
        len = exit_insn_len(v, exit);
    else if (idt->valid && hvm_event_is_software(idt))
        len = idt->insn_len ? idt->insn_len : exit_insn_len(v, exit);
    if (!len && source != TASK_GATE)
        return;
    v->hvm->pending.valid = false; /* the switch delivers it */
    v->regs.rip = (uint32_t)(rip + len);
    if (hvm_task_switch(v, exit->u.task.sel, source, exit->u.task.has_error, exit->u.task.error_code) != HVM_OKAY)
        v->regs.rip = rip;
}

static void exit_invlpg(struct vcpu *v, const struct vm_exit *exit)
{
    unsigned len;

    if (!exit->u.invlpg.decoded) {
        exit_emulate(v, exit, X86_TRAP_UD);
        return;
    }
    len = exit_insn_len(v, exit);
    if (!len)
        return;
    hvm_backend->invlpg(v, exit->u.invlpg.gva);
    hvm_advance_rip(v, len);
}

static void exit_skip(struct vcpu *v, const struct vm_exit *exit)
{
    unsigned len = exit_insn_len(v, exit);

    if (len)
        hvm_advance_rip(v, len);
}

static void exit_xsetbv(struct vcpu *v, const struct vm_exit *exit)
{
    unsigned len = exit_insn_len(v, exit);

    if (!len || hvm_set_xcr0(v, (uint32_t)v->regs.rcx, v->regs.rdx << 32 | (uint32_t)v->regs.rax) != HVM_OKAY)
        return;
    hvm_advance_rip(v, len);
}

void hvm_load_dr(struct vcpu *v)
{
    INSN("mov %0, %%db0" ::"r"(v->dr[0]));
    INSN("mov %0, %%db1" ::"r"(v->dr[1]));
    INSN("mov %0, %%db2" ::"r"(v->dr[2]));
    INSN("mov %0, %%db3" ::"r"(v->dr[3]));
    v->hvm->flag_dr_dirty = true;
    hvm_backend->allow_dr(v, true);
}

void hvm_save_dr(struct vcpu *v)
{
    INSN("mov %%db0, %0" : "=r"(v->dr[0]));
    INSN("mov %%db1, %0" : "=r"(v->dr[1]));
    INSN("mov %%db2, %0" : "=r"(v->dr[2]));
    INSN("mov %%db3, %0" : "=r"(v->dr[3]));
}

static void exit_bad_state(struct vcpu *v)
{
    domain_crash(v->domain, "the CPU refused to enter the guest (vCPU %u)", v->id);
}

/* -- the exit itself ------------------------------------------------------------------------------------------------ */
void hvm_handle_exit(struct vcpu *v, struct vm_exit *exit)
{
    v->hvm->exits[exit->reason]++;
    /* RIP is at the INT itself: where its length is not told (SVM), it is executed again. */
    if (exit->idt.valid && !(hvm_event_is_software(&exit->idt) && !exit->idt.insn_len))
        v->hvm->pending = exit->idt;
    switch (exit->reason) {
    case VMEXIT_NONE:
    case VMEXIT_INTR_WINDOW:
    case VMEXIT_TPR: break;
    case VMEXIT_CPUID: exit_cpuid(v, exit); break;
    case VMEXIT_HLT: exit_hlt(v, exit); break;
    case VMEXIT_PIO: exit_pio(v, exit); break;
    case VMEXIT_NPF: exit_npf(v, exit); break;
    case VMEXIT_CR: exit_cr(v, exit); break;
    case VMEXIT_DR: hvm_load_dr(v); break;
    case VMEXIT_MSR: exit_msr(v, exit); break;
    case VMEXIT_RDTSC: exit_rdtsc(v, exit); break;
    case VMEXIT_RDPMC: hvm_inject_exception(v, X86_TRAP_GP, 0, 0); break;
    case VMEXIT_EXCEPTION: exit_exception(v, exit); break;
    case VMEXIT_HYPERCALL: hvm_exit_hypercall(v, exit); break;
    case VMEXIT_TASK_SWITCH: exit_task_switch(v, exit); break;
    case VMEXIT_INVLPG: exit_invlpg(v, exit); break;
    case VMEXIT_WBINVD: exit_skip(v, exit); break; /* caches are coherent: no device is passed through */
    case VMEXIT_XSETBV: exit_xsetbv(v, exit); break;
    case VMEXIT_PAUSE: vcpu_yield(); break;
    case VMEXIT_NMI_WINDOW: hvm_backend->nmi_window(v, false); break;
    case VMEXIT_TRIPLE_FAULT: hvm_triple_fault(v); break;
    case VMEXIT_INVALID_OP: hvm_inject_exception(v, X86_TRAP_UD, -1, 0); break;
    case VMEXIT_EMULATE: exit_emulate(v, exit, X86_TRAP_UD); break;
    case VMEXIT_APIC_ACCESS: exit_emulate(v, exit, X86_TRAP_GP); break;
    case VMEXIT_APIC_WRITE: vlapic_written(v, exit->u.apic.offset); break;
    case VMEXIT_APIC_EOI: vlapic_eoi_exit(v, exit->u.apic.vector); break;
    case VMEXIT_SINGLE_STEP: hvm_backend->single_step(v, false); break;
    default: exit_bad_state(v); break;
    }
}
