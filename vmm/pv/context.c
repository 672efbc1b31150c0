/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct vcpu_guest_context: the whole state of a PV vCPU, as a toolstack or
 * the guest itself sets it and as it is saved.  v is paused and off its CPU,
 * or not yet started.
 */
#include "../cpu/fpu.h"
#include "../cpu/regs.h"
#include "../lib/string.h"
#include "guest.h"

#define FXSAVE_SIZE 512
#define FXSAVE_MXCSR 24
#define MXCSR_VALID 0xffffU
#define XSAVE_XSTATE_BV 512
#define XSTATE_X87_SSE 3UL
#define VM_ASSIST_VALID                                                                                                \
    (BIT(VMASST_TYPE_4gb_segments) | BIT(VMASST_TYPE_4gb_segments_notify) | BIT(VMASST_TYPE_writable_pagetables) |     \
     BIT(VMASST_TYPE_pae_extended_cr3) | BIT(VMASST_TYPE_architectural_iopl) | BIT(VMASST_TYPE_runstate_update_flag) | \
     BIT(VMASST_TYPE_m2p_strict))

static bool context_valid(const struct vcpu_guest_context *c)
{
    if (!is_canonical(c->user_regs.rip) || !is_canonical(c->event_callback_eip) ||
        !is_canonical(c->failsafe_callback_eip) || !is_canonical(c->syscall_callback_eip)) {
        return false;
    }
    if (!is_canonical(c->fs_base) || !is_canonical(c->gs_base_kernel) || !is_canonical(c->gs_base_user)) {
        return false;
    }
    for (unsigned i = 0; i < 256; i++) {
        if (!is_canonical(c->trap_ctxt[i].address)) {
            return false;
        }
    }
    if (c->gdt_ents > FIRST_RESERVED_GDT_ENTRY || c->ldt_ents > 8192) {
        return false;
    }
    return !c->ldt_ents || (is_guest_va(c->ldt_base) && !(c->ldt_base & ~PAGE_MASK));
}

static mfn_t cr3_frame(uint64_t cr3) { return MFN(cr3 >> PAGE_SHIFT); }

/* A vCPU that has run keeps its tables: what is given must be what it has. */
static bool tables_unchanged(const struct vcpu *v, const struct vcpu_guest_context *c)
{
    const struct pv_vcpu *pv = v->pv;

    return cr3_frame(c->ctrlreg[3]).v == pv->guest_table.v && cr3_frame(c->ctrlreg[1]).v == pv->guest_table_user.v &&
           c->gdt_ents == pv->gdt_ents && c->ldt_base == pv->ldt_base && c->ldt_ents == pv->ldt_ents;
}

/*
 * On an error the tables that were set before go again, as far as that is quick; what is left, and after -ERESTART all
 * of it, is replaced by the next try or given up with the domain.
 */
static int set_tables(struct vcpu *v, const struct vcpu_guest_context *c)
{
    int rc;

    if (v->is_initialised) {
        return tables_unchanged(v, c) ? 0 : -EOPNOTSUPP;
    }
    rc = pv_set_gdt(v, c->gdt_frames, (unsigned)c->gdt_ents);
    if (!rc) {
        rc = pv_set_kernel_base(v, cr3_frame(c->ctrlreg[3]));
    }
    if (!rc) {
        rc = pv_set_user_base(v, cr3_frame(c->ctrlreg[1]));
    }
    if (!rc) {
        rc = pv_set_ldt(v, c->ldt_base, (unsigned)c->ldt_ents);
    }
    if (rc && rc != -ERESTART) {
        pv_destroy_gdt(v);
        (void)!pv_drop_bases(v);
    }
    return rc;
}

static void set_fpu(struct vcpu *v, const struct vcpu_guest_context *c)
{
    uint8_t *area = (uint8_t *)v->fpu;
    uint32_t mxcsr;

    fpu_reset(v->fpu);
    if (!(c->flags & VGCF_I387_VALID)) {
        return;
    }
    memcpy(area, &c->fpu_ctxt, FXSAVE_SIZE);
    memcpy(&mxcsr, area + FXSAVE_MXCSR, sizeof(mxcsr));
    mxcsr &= MXCSR_VALID; /* reserved bits would fault in the hypervisor when it is loaded: APM 1, 4.2.2 */
    memcpy(area + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
    if (xsave_size) {
        uint64_t bv = XSTATE_X87_SSE;

        memcpy(area + XSAVE_XSTATE_BV, &bv, sizeof(bv));
    }
}

static void set_entry_points(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct pv_vcpu *pv = v->pv;

    for (unsigned i = 0; i < 256; i++) {
        struct trap_info ti = c->trap_ctxt[i];

        ti.vector = (uint8_t)i;
        pv_set_trap(v, &ti);
    }
    pv->kernel_ss = pv_fixup_selector((uint16_t)c->kernel_ss);
    pv->kernel_sp = c->kernel_sp;
    pv->event_cb = (struct pv_callback){c->event_callback_eip, true};
    pv->failsafe_cb = (struct pv_callback){c->failsafe_callback_eip, c->flags & VGCF_failsafe_disables_events};
    pv->syscall_cb = (struct pv_callback){c->syscall_callback_eip, c->flags & VGCF_syscall_disables_events};
}

static void set_registers(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct pv_vcpu *pv = v->pv;

    v->regs = c->user_regs;
    v->regs.cs = pv_fixup_selector(c->user_regs.cs);
    v->regs.ss = pv_fixup_selector(c->user_regs.ss);
    v->regs.rflags = pv_guest_rflags(c->user_regs.rflags);
    v->regs.error_code = v->regs.entry_vector = 0;
    v->regs.saved_upcall_mask = 0;
    pv->iopl = c->user_regs.rflags >> 12 & 3;
    pv->kernel_mode = c->flags & VGCF_in_kernel;
    pv->ds = c->user_regs.ds;
    pv->es = c->user_regs.es;
    pv->fs = c->user_regs.fs;
    pv->gs = c->user_regs.gs;
    pv->fs_base = c->fs_base;
    pv->gs_base_kernel = c->gs_base_kernel;
    pv->gs_base_user = c->gs_base_user;
    pv->ctrlreg[0] = c->ctrlreg[0] & CR0_TS;
    pv->ctrlreg[2] = c->ctrlreg[2];
    pv->ctrlreg[4] = c->ctrlreg[4] ? pv_guest_cr4(c->ctrlreg[4]) : pv_initial_cr4();
}

int pv_set_context(struct vcpu *v, const struct vcpu_guest_context *ctx)
{
    int rc;

    if (!context_valid(ctx)) {
        return -EINVAL;
    }
    /* User mode needs tables of its own. */
    if (!(ctx->flags & VGCF_in_kernel) && !cr3_frame(ctx->ctrlreg[1]).v) {
        return -EINVAL;
    }
    rc = set_tables(v, ctx);
    if (rc) {
        return rc;
    }
    if (!v->id && !v->is_initialised) {
        v->domain->vm_assist = (uint32_t)(ctx->vm_assist & VM_ASSIST_VALID);
    }
    set_fpu(v, ctx);
    set_entry_points(v, ctx);
    set_registers(v, ctx);
    memset(v->dr, 0, sizeof(v->dr));
    for (unsigned i = 0; i < 8; i++) {
        if (i != 4 && i != 5 && pv_set_debugreg(v, i, ctx->debugreg[i]) && i < 4) {
            v->dr[i] = 0; /* refused: no breakpoint there */
        }
    }
    /* Who builds or restores a domain clears shared_info before. */
    if (!v->id) {
        domain_wallclock_update(v->domain);
    }
    return 0;
}

int pv_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
    const struct pv_vcpu *pv = v->pv;

    memset(c, 0, sizeof(*c));
    memcpy(&c->fpu_ctxt, v->fpu, FXSAVE_SIZE);
    c->flags = VGCF_I387_VALID;
    c->flags |= pv->kernel_mode ? VGCF_in_kernel : 0;
    c->flags |= pv->failsafe_cb.mask_events ? VGCF_failsafe_disables_events : 0;
    c->flags |= pv->syscall_cb.mask_events ? VGCF_syscall_disables_events : 0;
    c->flags |= v->pause_flags & BIT(VPF_down) ? 0 : VGCF_online;
    c->user_regs = v->regs;
    c->user_regs.error_code = c->user_regs.entry_vector = 0;
    c->user_regs.rflags |= (uint64_t)pv->iopl << 12;
    c->user_regs.ds = pv->ds;
    c->user_regs.es = pv->es;
    c->user_regs.fs = pv->fs;
    c->user_regs.gs = pv->gs;
    memcpy(c->trap_ctxt, pv->trap_ctxt, sizeof(c->trap_ctxt));
    c->ldt_base = pv->ldt_base;
    c->ldt_ents = pv->ldt_ents;
    memcpy(c->gdt_frames, pv->gdt_frames, sizeof(c->gdt_frames));
    c->gdt_ents = pv->gdt_ents;
    c->kernel_ss = pv->kernel_ss;
    c->kernel_sp = pv->kernel_sp;
    memcpy(c->ctrlreg, pv->ctrlreg, sizeof(c->ctrlreg));
    c->ctrlreg[1] = mfn_to_paddr(pv->guest_table_user);
    c->ctrlreg[3] = mfn_to_paddr(pv->guest_table);
    for (unsigned i = 0; i < 8; i++) {
        c->debugreg[i] = v->dr[i];
    }
    c->event_callback_eip = pv->event_cb.rip;
    c->failsafe_callback_eip = pv->failsafe_cb.rip;
    c->syscall_callback_eip = pv->syscall_cb.rip;
    c->vm_assist = v->domain->vm_assist;
    c->fs_base = pv->fs_base;
    c->gs_base_kernel = pv->gs_base_kernel;
    c->gs_base_user = pv->gs_base_user;
    return 0;
}

/* -- struct xen_domctl_ext_vcpucontext: what of a vCPU the other structure has no room for ------------------------- */

static void ext_context_get(const struct vcpu *v, struct xen_domctl_ext_vcpucontext *e)
{
    const struct pv_vcpu *pv = v->pv;

    e->size = sizeof(*e);
    e->syscall32_callback_eip = pv->syscall32_cb.rip;
    e->sysenter_callback_eip = pv->sysenter_cb.rip;
    e->syscall32_callback_cs = e->sysenter_callback_cs = FLAT_KERNEL_CS;
    e->syscall32_disables_events = pv->syscall32_cb.mask_events;
    e->sysenter_disables_events = pv->sysenter_cb.mask_events;
    memset(&e->vmce, 0, sizeof(e->vmce));
}

static int ext_context_set(struct vcpu *v, const struct xen_domctl_ext_vcpucontext *e)
{
    if (e->size < offsetof(struct xen_domctl_ext_vcpucontext, mcg_cap)) {
        return -EINVAL;
    }
    if (!is_canonical(e->syscall32_callback_eip) || !is_canonical(e->sysenter_callback_eip)) {
        return -EINVAL;
    }
    v->pv->syscall32_cb = (struct pv_callback){e->syscall32_callback_eip, e->syscall32_disables_events};
    v->pv->sysenter_cb = (struct pv_callback){e->sysenter_callback_eip, e->sysenter_disables_events};
    return 0;
}

int pv_ext_context(struct domain *d, struct xen_domctl_ext_vcpucontext *e, bool set)
{
    struct vcpu *v = e->vcpu < d->max_vcpus ? d->vcpu[e->vcpu] : NULL;
    int rc = 0;

    if (!v) {
        return -ESRCH;
    }
    if (d == current->domain) {
        return -EINVAL;
    }
    vcpu_pause(v);
    if (set) {
        rc = ext_context_set(v, e);
    } else {
        ext_context_get(v, e);
    }
    vcpu_unpause(v);
    return rc;
}
