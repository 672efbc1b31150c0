/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Save records of a vCPU itself: registers, extended state, MSRs, MTRRs, TSC adjustment, machine check. */
#include "../cpu/fpu.h"
#include "../cpu/policy.h"
#include "../cpu/regs.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "../mm/pgtable.h"
#include "../sched/sched.h"
#include "hvm_state.h"
#include <xen/arch-x86/cpufeatureset.h>

/* -- registers ----------------------------------------------------------------------------------------------------- */
/* Segments' attributes in records are packed as in a VMCB. */
#define ATTR_DPL 0x60U /* of SS: the CPL, also where it is null */
static uint32_t pack_attr(uint32_t a) { return a & SEG_ATTR_UNUSABLE ? a & ATTR_DPL : (a & 0xff) | ((a >> 4) & 0xf00); }
static uint32_t unpack_attr(uint32_t a)
{
    return a & SEG_ATTR_P ? (a & 0xff) | (a & 0xf00) << 4 : (a & ATTR_DPL) | SEG_ATTR_UNUSABLE;
}

/* clang-format off */
#define FOR_EACH_SEGMENT(X)                                                                                            \
    X(SEG_CS, cs) X(SEG_DS, ds) X(SEG_ES, es) X(SEG_FS, fs) X(SEG_GS, gs) X(SEG_SS, ss) X(SEG_TR, tr) X(SEG_LDTR, ldtr)
#define FOR_EACH_GPR(X)                                                                                                \
    X(rax) X(rbx) X(rcx) X(rdx) X(rbp) X(rsi) X(rdi) X(rsp) X(r8) X(r9) X(r10) X(r11) X(r12) X(r13) X(r14) X(r15)      \
    X(rip) X(rflags)
#define FOR_EACH_MSR(X)                                                                                                \
    X(HVM_MSR_SYSENTER_CS, sysenter_cs) X(HVM_MSR_SYSENTER_ESP, sysenter_esp) X(HVM_MSR_SYSENTER_EIP, sysenter_eip)    \
    X(HVM_MSR_KERNEL_GS, shadow_gs) X(HVM_MSR_LSTAR, msr_lstar) X(HVM_MSR_STAR, msr_star)                              \
    X(HVM_MSR_CSTAR, msr_cstar) X(HVM_MSR_SFMASK, msr_syscall_mask) X(HVM_MSR_TSC_AUX, msr_tsc_aux)
/* clang-format on */

static void save_segments(struct vcpu *v, struct hvm_hw_cpu *c)
{
    struct segment_reg s;

#define SAVE(seg, name)                                                                                                \
    hvm_backend->get_segment(v, seg, &s);                                                                              \
    c->name##_sel = s.sel;                                                                                             \
    c->name##_limit = s.limit;                                                                                         \
    c->name##_base = s.base;                                                                                           \
    c->name##_arbytes = pack_attr(s.attr);
    FOR_EACH_SEGMENT(SAVE)
#undef SAVE
    hvm_backend->get_segment(v, SEG_GDTR, &s);
    c->gdtr_base = s.base;
    c->gdtr_limit = s.limit;
    hvm_backend->get_segment(v, SEG_IDTR, &s);
    c->idtr_base = s.base;
    c->idtr_limit = s.limit;
}

static void load_segments(struct vcpu *v, const struct hvm_hw_cpu *c)
{
    struct segment_reg s;

#define LOAD(seg, name)                                                                                                \
    s = (struct segment_reg){.sel = (uint16_t)c->name##_sel,                                                           \
                             .limit = c->name##_limit,                                                                 \
                             .base = c->name##_base,                                                                   \
                             .attr = unpack_attr(c->name##_arbytes)};                                                  \
    hvm_backend->set_segment(v, seg, &s);
    FOR_EACH_SEGMENT(LOAD)
#undef LOAD
    s = (struct segment_reg){.base = c->gdtr_base, .limit = c->gdtr_limit};
    hvm_backend->set_segment(v, SEG_GDTR, &s);
    s = (struct segment_reg){.base = c->idtr_base, .limit = c->idtr_limit};
    hvm_backend->set_segment(v, SEG_IDTR, &s);
}

/*
 * An event that was on its way in is delivered after the restore.  A record has
 * no room for an instruction's length: software events, whose RIP is at their
 * instruction, are left out, and it is executed again.
 */
static void save_event(struct vcpu *v, struct hvm_hw_cpu *c)
{
    const struct hvm_event *e = &v->hvm->pending;

    if (!e->valid || hvm_event_is_software(e))
        return;
    c->pending_valid = 1;
    c->pending_type = e->type;
    c->pending_vector = e->vector;
    c->pending_error_valid = e->has_error;
    c->error_code = e->has_error ? e->error_code : 0;
}

static int cpu_save(struct vcpu *v, struct hvm_save_buf *b)
{
    struct hvm_hw_cpu c = {0};

    if (test_bit(VPF_down, &v->pause_flags))
        return 0; /* it starts from scratch */
#define SAVE(r) c.r = v->regs.r;
    FOR_EACH_GPR(SAVE)
#undef SAVE
    hvm_fpu_fill_legacy(v->fpu);
    memcpy(c.fpu_regs, v->fpu, sizeof(c.fpu_regs));
    c.flags = XEN_X86_FPU_INITIALISED;
    c.cr0 = v->hvm->cr[0];
    c.cr2 = v->hvm->cr[2];
    c.cr3 = v->hvm->cr[3];
    c.cr4 = v->hvm->cr[4];
    c.msr_efer = v->hvm->efer;
    c.dr0 = v->dr[0];
    c.dr1 = v->dr[1];
    c.dr2 = v->dr[2];
    c.dr3 = v->dr[3];
    c.dr6 = hvm_backend->get_dr(v, 6);
    c.dr7 = hvm_backend->get_dr(v, 7);
    save_segments(v, &c);
#define SAVE(msr, name) c.name = hvm_backend->get_msr(v, msr);
    FOR_EACH_MSR(SAVE)
#undef SAVE
    c.tsc = v->ops->guest_tsc(v, hvm_dom(v->domain)->sync_tsc);
    save_event(v, &c);
    return hvm_save_put(b, HVM_SAVE_CODE(CPU), (uint16_t)v->id, &c, sizeof(c));
}

static struct hvm_event event_of(const struct hvm_hw_cpu *c)
{
    return (struct hvm_event){
        .valid = c->pending_valid,
        .type = c->pending_type,
        .vector = c->pending_vector,
        .has_error = c->pending_error_valid,
        .error_code = c->error_code,
        .cr2 = c->cr2,
    };
}

/* What VM entry would refuse, on either vendor's CPUs: APM 2, 15.5.1; Intel SDM 3C, 26.3.1. */
static bool cpu_record_ok(const struct domain *d, const struct hvm_hw_cpu *c)
{
    bool pg = c->cr0 & CR0_PG, lma = c->msr_efer & EFER_LMA;
    uint32_t cs = unpack_attr(c->cs_arbytes);
    struct hvm_event e = event_of(c);

    if (c->cr0 >> 32 || (pg && !(c->cr0 & CR0_PE)) || ((c->cr0 & CR0_NW) && !(c->cr0 & CR0_CD)) ||
        (c->cr4 & ~hvm_cr4_allowed(d)))
        return false;
    if ((c->msr_efer & ~hvm_efer_allowed(d)) || lma != (pg && (c->msr_efer & EFER_LME)) ||
        (lma && (!(c->cr4 & CR4_PAE) || (c->rflags & EFLAGS_VM) || ((cs & SEG_ATTR_L) && (cs & SEG_ATTR_DB)))))
        return false;
    if (e.valid && !hvm_event_possible(&e, c->cr0 & CR0_PE))
        return false;
    if (!is_canonical(c->fs_base) || !is_canonical(c->gs_base) || !is_canonical(c->shadow_gs) ||
        !is_canonical(c->msr_lstar) || !is_canonical(c->msr_cstar) || !is_canonical(c->sysenter_eip) ||
        !is_canonical(c->sysenter_esp))
        return false;
    return !(c->dr6 >> 32) && !(c->dr7 >> 32) && !(c->msr_syscall_mask >> 32) && !(c->msr_tsc_aux >> 32);
}

static void load_control(struct vcpu *v, const struct hvm_hw_cpu *c)
{
    struct hvm_vcpu *h = v->hvm;

    h->cr[0] = c->cr0 | CR0_ET;
    h->cr[2] = c->cr2;
    h->cr[3] = c->cr3;
    h->cr[4] = c->cr4;
    h->efer = c->msr_efer;
    hvm_backend->update_efer(v);
    for (unsigned i = 0; i <= 4; i++)
        if (i != 1)
            hvm_backend->update_cr(v, i);
    hvm_restore_pdptes(v);
    hvm_backend->flush_guest_tlb(v);
}

static int cpu_load(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    struct vcpu *v = d->vcpu[instance];
    struct hvm_hw_cpu c;

    memcpy(&c, body, sizeof(c));
    if (!cpu_record_ok(d, &c))
        return -EINVAL;
    hvm_vcpu_reset_state(v);
#define LOAD(r) v->regs.r = c.r;
    FOR_EACH_GPR(LOAD)
#undef LOAD
    v->regs.rflags = (c.rflags & 0x3f7fd5UL) | EFLAGS_MBS;
    load_control(v, &c);
    load_segments(v, &c);
#define LOAD(msr, name) hvm_backend->set_msr(v, msr, c.name);
    FOR_EACH_MSR(LOAD)
#undef LOAD
    v->dr[0] = c.dr0;
    v->dr[1] = c.dr1;
    v->dr[2] = c.dr2;
    v->dr[3] = c.dr3;
    hvm_backend->set_dr(v, 6, c.dr6);
    hvm_backend->set_dr(v, 7, c.dr7 | 0x400);
    fpu_reset(v->fpu);
    if (c.flags & XEN_X86_FPU_INITIALISED) {
        memcpy(v->fpu, c.fpu_regs, sizeof(c.fpu_regs));
        hvm_fpu_legacy_changed(v->fpu);
    }
    if (c.tsc)
        hvm_set_guest_tsc_at(v, c.tsc, hvm_dom(d)->sync_tsc);
    v->hvm->pending = event_of(&c);
    v->hvm->pending.valid &= !hvm_event_is_software(&v->hvm->pending);
    v->is_initialised = true;
    clear_bit(VPF_down, &v->pause_flags);
    vcpu_wake(v);
    return 0;
}
HVM_SAVE_RECORD(cpu_record) = {HVM_SAVE_CODE(CPU), true, sizeof(struct hvm_hw_cpu), cpu_save, cpu_load};

/* -- extended state ------------------------------------------------------------------------------------------------ */
#define XSAVE_FIXED offsetof(struct hvm_hw_cpu_xsave, save_area)
#define XSAVE_MIN (512 + 64)

static int xsave_save(struct vcpu *v, struct hvm_save_buf *b)
{
    uint32_t area = xstate_size_of(v->xcr0_accum), len = XSAVE_FIXED + area;
    struct hvm_hw_cpu_xsave *x;
    int rc;

    /* The rest is in the CPU's record; this one a CPU without XSAVE could not take. */
    if (!xfeature_mask || !policy_has(v->domain, XEN_X86_FEATURE_XSAVE) || test_bit(VPF_down, &v->pause_flags))
        return 0;
    x = xzalloc_bytes(len);
    if (!x)
        return -ENOMEM;
    x->xfeature_mask = xfeature_mask;
    x->xcr0 = v->xcr0;
    x->xcr0_accum = v->xcr0_accum;
    memcpy(&x->save_area, v->fpu, area);
    rc = hvm_save_put(b, CPU_XSAVE_CODE, (uint16_t)v->id, x, len);
    xfree(x);
    return rc;
}

static int xsave_load(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    struct vcpu *v = d->vcpu[instance];
    struct hvm_hw_cpu_xsave x;
    uint64_t allowed = hvm_xcr0_allowed(d);
    uint32_t area;

    if (!xfeature_mask || len < XSAVE_FIXED + XSAVE_MIN)
        return -EINVAL;
    memcpy(&x, body, sizeof(x));
    area = xstate_size_of(x.xcr0_accum);
    if (!xcr0_valid(x.xcr0, allowed) || !xcr0_valid(x.xcr0_accum, allowed) || (x.xcr0 & ~x.xcr0_accum))
        return -EINVAL;
    if (x.save_area.xsave_hdr.xcomp_bv || (x.save_area.xsave_hdr.xstate_bv & ~x.xcr0_accum))
        return -EOPNOTSUPP; /* compacted format */
    for (unsigned i = 0; i < 6; i++)
        if (x.save_area.xsave_hdr.reserved[i])
            return -EINVAL;
    fpu_reset(v->fpu);
    memcpy(v->fpu, (const uint8_t *)body + XSAVE_FIXED, MIN(len - (uint32_t)XSAVE_FIXED, area));
    v->xcr0 = x.xcr0;
    v->xcr0_accum = x.xcr0_accum | XCR0_LEGACY;
    return 0;
}
HVM_SAVE_RECORD(xsave_record) = {CPU_XSAVE_CODE, true, 0, xsave_save, xsave_load};

/* -- MSRs that no other record has --------------------------------------------------------------------------------- */
static int msr_save(struct vcpu *v, struct hvm_save_buf *b)
{
    return 0;
} /* all that could be set is in other records */

static int msr_load(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    uint32_t count;

    if (len < offsetof(struct hvm_msr, msr))
        return -EINVAL;
    memcpy(&count, body, sizeof(count));
    if (count > (len - offsetof(struct hvm_msr, msr)) / sizeof(struct hvm_one_msr))
        return -EINVAL;
    for (uint32_t i = 0; i < count; i++) {
        struct hvm_one_msr m;

        memcpy(&m, (const uint8_t *)body + offsetof(struct hvm_msr, msr) + i * sizeof(m), sizeof(m));
        if (m._rsvd)
            return -EOPNOTSUPP;
        if (m.val)
            return -ENXIO; /* one that vCPUs here do not have */
    }
    return 0;
}
HVM_SAVE_RECORD(msr_record) = {CPU_MSR_CODE, true, 0, msr_save, msr_load};

/* -- MTRRs and PAT ------------------------------------------------------------------------------------------------- */
static int mtrr_save(struct vcpu *v, struct hvm_save_buf *b)
{
    struct hvm_hw_mtrr m = {.msr_pat_cr = v->hvm->mtrr.pat, .msr_mtrr_cap = mtrr_cap()};

    m.msr_mtrr_def_type = v->hvm->mtrr.def_type;
    memcpy(m.msr_mtrr_var, v->hvm->mtrr.var, sizeof(m.msr_mtrr_var));
    memcpy(m.msr_mtrr_fixed, v->hvm->mtrr.fixed, sizeof(m.msr_mtrr_fixed));
    return hvm_save_put(b, HVM_SAVE_CODE(MTRR), (uint16_t)v->id, &m, sizeof(m));
}

static int mtrr_load(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    static const uint32_t fixed_msr[NUM_FIXED_MSR] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                                      0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
    struct vcpu *v = d->vcpu[instance];
    struct hvm_hw_mtrr m;
    bool ok;

    memcpy(&m, body, sizeof(m));
    if ((m.msr_mtrr_cap & 0xff) > MTRR_VCNT || !pat_valid(m.msr_pat_cr) ||
        !mtrr_value_ok(MSR_MTRRdefType, m.msr_mtrr_def_type))
        return -EINVAL;
    for (unsigned i = 0; i < NUM_FIXED_MSR; i++)
        if (!mtrr_value_ok(fixed_msr[i], m.msr_mtrr_fixed[i]))
            return -EINVAL;
    for (unsigned i = 0; i < MTRR_VCNT * 2; i++)
        if (!mtrr_value_ok(MSR_MTRRphysBase0 + i, m.msr_mtrr_var[i]))
            return -EINVAL;
    v->hvm->mtrr.def_type = m.msr_mtrr_def_type;
    memcpy(v->hvm->mtrr.var, m.msr_mtrr_var, sizeof(m.msr_mtrr_var));
    memcpy(v->hvm->mtrr.fixed, m.msr_mtrr_fixed, sizeof(m.msr_mtrr_fixed));
    (void)mtrr_write(v, MSR_IA32_CR_PAT, m.msr_pat_cr, &ok);
    return 0;
}
HVM_SAVE_RECORD(mtrr_record) = {HVM_SAVE_CODE(MTRR), true, sizeof(struct hvm_hw_mtrr), mtrr_save, mtrr_load};

/* -- TSC adjustment, machine check --------------------------------------------------------------------------------- */
static int tsc_adjust_save(struct vcpu *v, struct hvm_save_buf *b)
{
    struct hvm_tsc_adjust t = {.tsc_adjust = v->hvm->tsc_adjust};

    return hvm_save_put(b, HVM_SAVE_CODE(TSC_ADJUST), (uint16_t)v->id, &t, sizeof(t));
}

static int tsc_adjust_load(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    struct hvm_tsc_adjust t;

    memcpy(&t, body, sizeof(t));
    d->vcpu[instance]->hvm->tsc_adjust = t.tsc_adjust;
    return 0;
}
HVM_SAVE_RECORD(tsc_adjust_record) = {HVM_SAVE_CODE(TSC_ADJUST), true, sizeof(struct hvm_tsc_adjust), tsc_adjust_save,
                                      tsc_adjust_load};

static int vmce_save(struct vcpu *v, struct hvm_save_buf *b)
{
    struct hvm_vmce_vcpu m = {.caps = v->hvm->vmce.caps,
                              .mci_ctl2_bank0 = v->hvm->vmce.ctl2[0],
                              .mci_ctl2_bank1 = v->hvm->vmce.ctl2[1],
                              .mcg_ext_ctl = v->hvm->vmce.ext_ctl};

    return hvm_save_put(b, HVM_SAVE_CODE(VMCE_VCPU), (uint16_t)v->id, &m, sizeof(m));
}

/* Banks and capabilities that other machines show are accepted as far as they are shown here too. */
static int vmce_load(struct domain *d, unsigned instance, const void *body, uint32_t len)
{
    struct hvm_vcpu *h = d->vcpu[instance]->hvm;
    struct hvm_vmce_vcpu m;

    memcpy(&m, body, sizeof(m));
    if ((m.caps & 0xff) > 2)
        return -EPERM;
    h->vmce.ctl2[0] = m.mci_ctl2_bank0;
    h->vmce.ctl2[1] = m.mci_ctl2_bank1;
    h->vmce.ext_ctl = m.mcg_ext_ctl;
    return 0;
}
HVM_SAVE_RECORD(vmce_record) = {HVM_SAVE_CODE(VMCE_VCPU), true, sizeof(struct hvm_vmce_vcpu), vmce_save, vmce_load};
