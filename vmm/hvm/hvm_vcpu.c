/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vCPUs of HVM domains: creation, reset and start-up, their contexts, scheduling, and the run loop. */
#include "../cpu/asm.h"
#include "../cpu/fpu.h"
#include "../cpu/policy.h"
#include "../cpu/regs.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "../sched/sched.h"
#include "../sched/softirq.h"
#include "hvm_guest.h"
#include "ioreq.h"
#include <xen/hvm/hvm_vcpu.h>

/* -- state --------------------------------------------------------------------------------------------------------- */
static void set_seg(struct vcpu *v, enum hvm_segment seg, uint16_t sel, uint64_t base, uint32_t limit, uint32_t attr)
{
    const struct segment_reg s = {.sel = sel, .base = base, .limit = limit, .attr = attr};

    hvm_backend->set_segment(v, seg, &s);
}

void hvm_vcpu_set_real_mode_entry(struct vcpu *v, uint16_t cs_sel, uint64_t cs_base, uint16_t ip)
{
    set_seg(v, SEG_CS, cs_sel, cs_base, 0xffff, 0x9b);
    v->regs.rip = ip;
}

/* Control registers as they stand in v->hvm, to the backend. */
static void push_control_state(struct vcpu *v)
{
    hvm_backend->update_efer(v);
    hvm_backend->update_cr(v, 0);
    hvm_backend->update_cr(v, 2);
    hvm_backend->update_cr(v, 3);
    hvm_backend->update_cr(v, 4);
    hvm_restore_pdptes(v);
    hvm_backend->flush_guest_tlb(v);
}

/* AMD APM 2, table 14-1 "Initial Processor State" */
void hvm_vcpu_reset_state(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;

    memset(&v->regs, 0, sizeof(v->regs));
    v->regs.rdx = 0x600;
    v->regs.rflags = EFLAGS_MBS;
    memset(h->cr, 0, sizeof(h->cr));
    h->cr[0] = CR0_ET;
    h->efer = 0;
    h->pending.valid = false;
    push_control_state(v);
    for (enum hvm_segment seg = SEG_ES; seg <= SEG_GS; seg++)
        set_seg(v, seg, 0, 0, 0xffff, 0x93);
    hvm_vcpu_set_real_mode_entry(v, 0xf000, 0xffff0000, 0xfff0);
    set_seg(v, SEG_LDTR, 0, 0, 0xffff, 0x82);
    set_seg(v, SEG_TR, 0, 0, 0xffff, 0x8b);
    set_seg(v, SEG_GDTR, 0, 0, 0xffff, 0);
    set_seg(v, SEG_IDTR, 0, 0, 0xffff, 0);
    memset(v->dr, 0, sizeof(v->dr));
    hvm_backend->set_dr(v, 6, 0xffff0ff0);
    hvm_backend->set_dr(v, 7, 0x400);
    hvm_backend->set_interrupt_shadow(v, 0);
    hvm_backend->set_nmi_blocked(v, false);
    v->nmi_is_pending = false;
}

int hvm_vcpu_create(struct vcpu *v)
{
    struct hvm_vcpu *h = xzalloc(struct hvm_vcpu);
    int rc;

    if (!h)
        return -ENOMEM;
    v->hvm = h;
    spin_lock_init(&h->init_lock, LOCK_UNORDERED);
    h->sipi_vector = -1;
    h->efer = 0;
    rc = vlapic_init(v);
    if (!rc)
        rc = hvm_backend->vcpu_init(v);
    if (!rc)
        rc = ioreq_vcpu_added(v);
    if (rc)
        return rc; /* vcpu_free follows */
    mtrr_reset(v);
    h->vmce.caps = 2; /* two banks, which never hold anything */
    hvm_vcpu_reset_state(v);
    vlapic_mode_changed(v->hvm->vlapic);
    hvm_set_tsc_offset(v, -hvm_dom(v->domain)->tsc_base);
    hvm_settings_changed(v);
    return 0;
}

/*
 * The TSC's reads exit where the CPU cannot give them the guest's rate; #UD, where an instruction may be the other
 * vendor's. So do two MSRs of which AMD's CPUs keep the lower half only (APM 2, 6.1.2): the backend keeps it all.
 */
void hvm_settings_changed(struct vcpu *v)
{
    bool foreign = policy_is_foreign(v->domain), scaled;
    uint64_t ratio = v->domain->tsc.ratio;

    if (!v->hvm)
        return;
    scaled = hvm_backend->set_tsc_ratio && hvm_backend->set_tsc_ratio(v, ratio);
    hvm_backend->intercept_rdtsc(v, ratio && !scaled);
    hvm_backend->set_exception_intercepts(v, foreign ? BIT(X86_TRAP_UD) : 0);
    hvm_backend->intercept_msr(v, MSR_IA32_SYSENTER_ESP, foreign, foreign);
    hvm_backend->intercept_msr(v, MSR_IA32_SYSENTER_EIP, foreign, foreign);
}

void hvm_vcpu_free(struct vcpu *v)
{
    if (!v->hvm)
        return;
    ioreq_vcpu_removed(v);
    if (v->hvm->vlapic)
        vlapic_free(v);
    if (v->hvm->backend)
        hvm_backend->vcpu_free(v);
    xfree(v->hvm);
    v->hvm = NULL;
}

int hvm_vcpu_reset(struct vcpu *v)
{
    vlapic_reset(v);
    hvm_vcpu_reset_state(v);
    v->is_initialised = false;
    return 0;
}

/* -- INIT and start-up IPIs ---------------------------------------------------------------------------------------- */
/* v acts on it by itself, on its way to the guest; one that is down is reset when it is started. */
void hvm_vcpu_init_ipi(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;
    unsigned long flags = spin_lock_irqsave(&h->init_lock);
    bool kick = false;

    h->sipi_vector = -1;
    if (!test_bit(VPF_down, &v->pause_flags))
        h->init_pending = kick = true;
    spin_unlock_irqrestore(&h->init_lock, flags);
    if (kick)
        vcpu_kick(v);
}

static void start_up(struct vcpu *v, uint8_t vector)
{
    hvm_vcpu_reset_state(v);
    hvm_vcpu_set_real_mode_entry(v, (uint16_t)(vector << 8), (uint64_t)vector << 12, 0);
    v->is_initialised = true;
}

/*
 * One that is down is woken and starts itself, as after an INIT: to wait here until it has left its CPU could be for
 * ever, where two vCPUs that are being shut down start each other.
 */
void hvm_vcpu_startup_ipi(struct vcpu *v, uint8_t vector)
{
    struct hvm_vcpu *h = v->hvm;
    unsigned long flags;
    bool start = false;

    if (v == current)
        return;
    flags = spin_lock_irqsave(&h->init_lock);
    if (h->init_pending || test_bit(VPF_down, &v->pause_flags)) {
        h->sipi_vector = vector;
        start = !h->init_pending;
        h->init_pending = true;
    }
    spin_unlock_irqrestore(&h->init_lock, flags);
    if (!start)
        return;
    clear_bit(VPF_down, &v->pause_flags);
    vcpu_wake(v);
}

void hvm_vcpu_take_init(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;
    unsigned long flags = spin_lock_irqsave(&h->init_lock);
    int vector = h->sipi_vector;

    h->init_pending = false;
    h->sipi_vector = -1;
    if (vector < 0)
        set_bit(VPF_down, &v->pause_flags);
    spin_unlock_irqrestore(&h->init_lock, flags);
    if (vector >= 0)
        start_up(v, (uint8_t)vector);
    else
        hvm_vcpu_reset_state(v);
    softirq_raise(SOFTIRQ_SCHEDULE);
}

/* -- contexts ------------------------------------------------------------------------------------------------------ */
int hvm_get_context(struct vcpu *v, struct vcpu_guest_context *ctx)
{
    struct segment_reg s;
    uint16_t *const sel[] = {&ctx->user_regs.es, &ctx->user_regs.cs, &ctx->user_regs.ss,
                             &ctx->user_regs.ds, &ctx->user_regs.fs, &ctx->user_regs.gs};

    ctx->user_regs = v->regs;
    for (unsigned i = 0; i < ARRAY_SIZE(sel); i++) {
        hvm_backend->get_segment(v, SEG_ES + i, &s);
        *sel[i] = s.sel;
        if (i == SEG_FS)
            ctx->fs_base = s.base;
        if (i == SEG_GS)
            ctx->gs_base_kernel = ctx->gs_base_user = s.base;
    }
    memcpy(&ctx->fpu_ctxt, v->fpu, MIN(sizeof(ctx->fpu_ctxt), (size_t)512));
    for (unsigned i = 0; i <= 4; i++)
        ctx->ctrlreg[i] = v->hvm->cr[i];
    for (unsigned i = 0; i < 4; i++)
        ctx->debugreg[i] = v->dr[i];
    ctx->debugreg[6] = hvm_backend->get_dr(v, 6);
    ctx->debugreg[7] = hvm_backend->get_dr(v, 7);
    ctx->flags = VGCF_in_kernel | (test_bit(VPF_down, &v->pause_flags) ? 0 : VGCF_online);
    return 0;
}

/* General registers alone: what debuggers and a cancelled suspend change. The rest comes in HVM save records. */
int hvm_set_context(struct vcpu *v, const struct vcpu_guest_context *ctx)
{
    const struct cpu_user_regs *in = &ctx->user_regs;
    struct cpu_user_regs *r = &v->regs;

    if (!v->is_initialised)
        return -EOPNOTSUPP;
    *r = *in;
    r->rflags = (in->rflags & 0x3f7fd5UL) | EFLAGS_MBS;
    return 0;
}

struct boot_seg {
    enum hvm_segment seg;
    uint32_t base, limit;
    uint16_t attr;
};

/* The packed attributes of public header hvm/hvm_vcpu.h: as a descriptor's bits 40 to 47 and 52 to 55. */
static int check_boot_seg(const struct boot_seg *s)
{
    bool g = s->attr & 0x800;

    if (s->attr == 0) /* unusable */
        return s->seg == SEG_CS || s->seg == SEG_SS || s->base || s->limit ? -EINVAL : 0;
    if (!(s->attr & 0x80) || (s->attr & 0xf000) || (!g && s->limit >> 20) || (g && (~s->limit & 0xfff)))
        return -EINVAL;
    if (s->seg == SEG_TR)
        return (s->attr & 0x1f) == 0xb || (s->attr & 0x1f) == 3 ? 0 : -EINVAL;
    if (!(s->attr & 0x10) || (s->seg == SEG_CS) != !!(s->attr & 8))
        return -EINVAL;
    return s->seg == SEG_SS && !(s->attr & 2) ? -EINVAL : 0;
}

static void load_boot_seg(struct vcpu *v, const struct boot_seg *s)
{
    uint32_t attr = (s->attr & 0xff) | (uint32_t)(s->attr & 0xf00) << 4;

    set_seg(v, s->seg, 0, s->base, s->limit, s->attr ? attr : SEG_ATTR_UNUSABLE);
}

static bool boot_control_ok(struct vcpu *v, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    bool pg = cr0 & CR0_PG, lma = efer & EFER_LMA;

    if (!(cr0 & CR0_PE) && pg)
        return false;
    if (cr0 >> 32 || (cr4 & ~hvm_cr4_allowed(v->domain)) || (efer & ~hvm_efer_allowed(v->domain)))
        return false;
    return !lma || (pg && (cr4 & CR4_PAE) && (efer & EFER_LME));
}

static void load_control(struct vcpu *v, uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer)
{
    v->hvm->cr[0] = cr0 | CR0_ET;
    v->hvm->cr[3] = cr3;
    v->hvm->cr[4] = cr4;
    v->hvm->efer = efer;
    push_control_state(v);
}

static int set_context_32(struct vcpu *v, const struct vcpu_hvm_x86_32 *c)
{
    const struct boot_seg segs[] = {
        {SEG_CS, c->cs_base, c->cs_limit, c->cs_ar}, {SEG_DS, c->ds_base, c->ds_limit, c->ds_ar},
        {SEG_SS, c->ss_base, c->ss_limit, c->ss_ar}, {SEG_ES, c->es_base, c->es_limit, c->es_ar},
        {SEG_TR, c->tr_base, c->tr_limit, c->tr_ar},
    };
    const struct boot_seg null[] = {{SEG_FS, 0, 0, 0}, {SEG_GS, 0, 0, 0}};

    if (c->pad1 || c->pad2[0] || c->pad2[1] || c->pad2[2] || !boot_control_ok(v, c->cr0, c->cr4, c->efer))
        return -EINVAL;
    for (unsigned i = 0; i < ARRAY_SIZE(segs); i++)
        if (check_boot_seg(&segs[i]))
            return -EINVAL;
    hvm_vcpu_reset_state(v);
    v->regs.rax = c->eax;
    v->regs.rcx = c->ecx;
    v->regs.rdx = c->edx;
    v->regs.rbx = c->ebx;
    v->regs.rsp = c->esp;
    v->regs.rbp = c->ebp;
    v->regs.rsi = c->esi;
    v->regs.rdi = c->edi;
    v->regs.rip = c->eip;
    v->regs.rflags = (c->eflags & 0x3f7fd5U) | EFLAGS_MBS;
    load_control(v, c->cr0, c->cr3, c->cr4, c->efer);
    for (unsigned i = 0; i < ARRAY_SIZE(segs); i++)
        load_boot_seg(v, &segs[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(null); i++)
        load_boot_seg(v, &null[i]);
    return 0;
}

static int set_context_64(struct vcpu *v, const struct vcpu_hvm_x86_64 *c)
{
    if (!boot_control_ok(v, c->cr0, c->cr4, c->efer) || !(c->efer & EFER_LMA) || !(c->cr0 & CR0_PG))
        return -EINVAL;
    hvm_vcpu_reset_state(v);
    v->regs.rax = c->rax;
    v->regs.rcx = c->rcx;
    v->regs.rdx = c->rdx;
    v->regs.rbx = c->rbx;
    v->regs.rsp = c->rsp;
    v->regs.rbp = c->rbp;
    v->regs.rsi = c->rsi;
    v->regs.rdi = c->rdi;
    v->regs.rip = c->rip;
    v->regs.rflags = (c->rflags & 0x3f7fd5U) | EFLAGS_MBS;
    load_control(v, c->cr0, c->cr3, c->cr4, c->efer);
    set_seg(v, SEG_CS, 0, 0, ~0U, 0xa09b);
    for (enum hvm_segment seg = SEG_ES; seg <= SEG_GS; seg++)
        if (seg != SEG_CS)
            set_seg(v, seg, 0, 0, ~0U, 0xc093);
    set_seg(v, SEG_TR, 0, 0, 0x67, 0x8b);
    return 0;
}

int hvm_set_hvm_context(struct vcpu *v, const struct vcpu_hvm_context *ctx)
{
    int rc;

    if (ctx->pad)
        return -EINVAL;
    switch (ctx->mode) {
    case VCPU_HVM_MODE_32B: rc = set_context_32(v, &ctx->cpu_regs.x86_32); break;
    case VCPU_HVM_MODE_64B: rc = set_context_64(v, &ctx->cpu_regs.x86_64); break;
    default: return -EINVAL;
    }
    if (!rc)
        v->is_initialised = true;
    return rc;
}

/* -- scheduling and the run loop ----------------------------------------------------------------------------------- */
void hvm_switch_from(struct vcpu *v)
{
    if (v->hvm->flag_dr_dirty) {
        hvm_save_dr(v);
        hvm_backend->allow_dr(v, false);
        v->hvm->flag_dr_dirty = false;
    }
    hvm_backend->vcpu_put(v);
}

void hvm_switch_to(struct vcpu *v)
{
    context_leave_pv_tables();
    hvm_backend->vcpu_load(v);
    if (hvm_backend->get_dr(v, 7) & 0xff) /* breakpoints are armed: they must be in place */
        hvm_load_dr(v);
}

/* An answer is awaited: v sleeps until the device model signals. */
static void wait_for_io(struct vcpu *v)
{
    set_bit(VPF_blocked_in_xen, &v->pause_flags);
    smp_mb(); /* against ioreq_event */
    if (hvm_io_ready(v))
        clear_bit(VPF_blocked_in_xen, &v->pause_flags);
    else
        softirq_raise(SOFTIRQ_SCHEDULE);
}

/* What keeps v from its guest now; false: nothing. Interrupts on. */
static bool work_before_entry(struct vcpu *v)
{
    if (softirq_is_pending()) {
        softirq_run(); /* may not return */
        return true;
    }
    if (v->hvm->io.state == IO_PENDING && !hvm_io_ready(v)) {
        wait_for_io(v);
        return true;
    }
    if (v->hvm->io.state == IO_DONE) {
        hvm_complete_io(v);
        if (v->hvm->io.state == IO_NONE)
            vcpu_end_shutdown_deferral(v);
        return true;
    }
    if (READ_ONCE(v->hvm->init_pending)) {
        hvm_vcpu_take_init(v);
        return true;
    }
    return false;
}

void hvm_resume(void)
{
    struct vcpu *v = current;
    struct vm_exit exit;

    for (;;) {
        local_irq_enable();
        if (work_before_entry(v))
            continue;
        vcpu_time_update(v);
        local_irq_disable();
        if (softirq_is_pending() || READ_ONCE(v->hvm->init_pending))
            continue;
        hvm_intr_assist(v);
        hvm_backend->run(v, &exit);
        hvm_intr_after_exit(v);
        hvm_handle_exit(v, &exit);
    }
}
