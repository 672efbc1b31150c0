/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The emulator (vmm/emul) for an HVM vCPU: its state in, its results out.
 * Memory and ports are in emulate_io.c.  v is current.
 */
#include "emulate.h"

#include "../cpu/cpu.h"
#include "../cpu/fpu.h"
#include "../cpu/policy.h"
#include "../cpu/regs.h"
#include "../domain/hypercall.h"
#include "../lib/string.h"
#include "../sched/softirq.h"
#include "guest_mem.h"

int hvm_emul_result(struct emul_ctxt *c, enum hvm_result rc)
{
    switch (rc) {
    case HVM_OKAY: return EMUL_OKAY;
    case HVM_RETRY: return EMUL_RETRY;
    case HVM_FAULT: emul_of(c)->fault_queued = true; return EMUL_EXCEPTION;
    default: return EMUL_UNHANDLEABLE;
    }
}

static const enum hvm_segment segment_map[] = {
    [EMUL_SEG_ES] = SEG_ES,     [EMUL_SEG_CS] = SEG_CS,     [EMUL_SEG_SS] = SEG_SS, [EMUL_SEG_DS] = SEG_DS,
    [EMUL_SEG_FS] = SEG_FS,     [EMUL_SEG_GS] = SEG_GS,     [EMUL_SEG_TR] = SEG_TR, [EMUL_SEG_LDTR] = SEG_LDTR,
    [EMUL_SEG_GDTR] = SEG_GDTR, [EMUL_SEG_IDTR] = SEG_IDTR,
};

static int read_segment(enum emul_seg seg, struct emul_segment *reg, struct emul_ctxt *c)
{
    struct segment_reg s;

    if (seg >= EMUL_SEG_NONE)
        return EMUL_UNHANDLEABLE;
    hvm_backend->get_segment(emul_vcpu(c), segment_map[seg], &s);
    reg->sel = s.sel;
    reg->base = s.base;
    reg->limit = s.limit;
    reg->attr = s.attr;
    return EMUL_OKAY;
}

static int write_segment(enum emul_seg seg, const struct emul_segment *reg, struct emul_ctxt *c)
{
    struct segment_reg s = {.sel = reg->sel, .attr = reg->attr, .base = reg->base, .limit = reg->limit};

    if (seg >= EMUL_SEG_NONE)
        return EMUL_UNHANDLEABLE;
    hvm_backend->set_segment(emul_vcpu(c), segment_map[seg], &s);
    return EMUL_OKAY;
}

static int read_cr(unsigned cr, uint64_t *value, struct emul_ctxt *c)
{
    if (cr > 8 || cr == 1 || (cr > 4 && cr < 8))
        return emul_raise(c, X86_TRAP_UD, EMUL_NO_ERROR_CODE);
    *value = hvm_get_cr(emul_vcpu(c), cr);
    return EMUL_OKAY;
}

static int write_cr(unsigned cr, uint64_t value, struct emul_ctxt *c)
{
    return hvm_emul_result(c, hvm_set_cr(emul_vcpu(c), cr, value));
}

static int read_dr(unsigned dr, uint64_t *value, struct emul_ctxt *c)
{
    struct vcpu *v = emul_vcpu(c);

    if (dr >= 4) {
        *value = hvm_backend->get_dr(v, dr & 1 ? 7 : 6);
        return EMUL_OKAY;
    }
    if (v->hvm->flag_dr_dirty)
        hvm_save_dr(v);
    *value = v->dr[dr];
    return EMUL_OKAY;
}

static int write_dr(unsigned dr, uint64_t value, struct emul_ctxt *c)
{
    struct vcpu *v = emul_vcpu(c);

    if (dr >= 4) {
        if (value >> 32)
            return emul_raise(c, X86_TRAP_GP, 0);
        hvm_backend->set_dr(v, dr & 1 ? 7 : 6, value);
        return EMUL_OKAY;
    }
    if (v->hvm->flag_dr_dirty)
        hvm_save_dr(v);
    v->dr[dr] = value;
    if (v->hvm->flag_dr_dirty)
        hvm_load_dr(v);
    return EMUL_OKAY;
}

static int read_xcr(unsigned xcr, uint64_t *value, struct emul_ctxt *c)
{
    if (xcr != 0)
        return emul_raise(c, X86_TRAP_GP, 0);
    *value = emul_vcpu(c)->xcr0;
    return EMUL_OKAY;
}

static int write_xcr(unsigned xcr, uint64_t value, struct emul_ctxt *c)
{
    return hvm_emul_result(c, hvm_set_xcr0(emul_vcpu(c), xcr, value));
}

static int read_msr(uint32_t msr, uint64_t *value, struct emul_ctxt *c)
{
    return hvm_emul_result(c, hvm_rdmsr(emul_vcpu(c), msr, value));
}

static int write_msr(uint32_t msr, uint64_t value, struct emul_ctxt *c)
{
    return hvm_emul_result(c, hvm_wrmsr(emul_vcpu(c), msr, value));
}

static int emul_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4], struct emul_ctxt *c)
{
    guest_cpuid(emul_vcpu(c), leaf, subleaf, out);
    return EMUL_OKAY;
}

static int emul_wbinvd(struct emul_ctxt *c) { return EMUL_OKAY; } /* caches are coherent */

static int emul_invlpg(enum emul_seg seg, uint64_t offset, struct emul_ctxt *c)
{
    uint64_t gva;
    int rc = emul_linear(c, seg, offset, 1, EMUL_READ, &gva);

    /* Outside the segment it has no effect and raises nothing. */
    if (rc == EMUL_OKAY)
        hvm_backend->invlpg(emul_vcpu(c), gva);
    return EMUL_OKAY;
}

static int emul_vmmcall(struct emul_ctxt *c)
{
    struct vcpu *v = emul_vcpu(c);
    int mode = hvm_mode_bytes(v);

    if (mode < 2 || hvm_cpl(v) != 0)
        v->regs.rax = (uint64_t)-EPERM;
    else if (hypercall_dispatch(&v->regs, mode == 8))
        return EMUL_RETRY;
    return EMUL_OKAY;
}

static int get_fpu(struct emul_fxsave **state, struct emul_ctxt *c)
{
    struct vcpu *v = emul_vcpu(c);

    fpu_save(v->fpu, v->xcr0_accum);
    hvm_fpu_fill_legacy(v->fpu);
    *state = (struct emul_fxsave *)v->fpu;
    return EMUL_OKAY;
}

static void put_fpu(bool changed, struct emul_ctxt *c)
{
    struct vcpu *v = emul_vcpu(c);

    if (changed) {
        hvm_fpu_legacy_changed(v->fpu);
        fpu_restore(v->fpu, v->xcr0_accum);
    }
    if (xfeature_mask)
        xcr0_write(v->xcr0);
}

static bool emul_preempt(struct emul_ctxt *c) { return softirq_is_pending(); }

static const struct emul_ops hvm_emul_ops = {
    .read = hvm_emul_read,
    .write = hvm_emul_write,
    .insn_fetch = hvm_emul_fetch,
    .cmpxchg = hvm_emul_cmpxchg,
    .rep_ins = hvm_emul_rep_ins,
    .rep_outs = hvm_emul_rep_outs,
    .rep_movs = hvm_emul_rep_movs,
    .preempt = emul_preempt,
    .read_segment = read_segment,
    .write_segment = write_segment,
    .read_io = hvm_emul_read_io,
    .write_io = hvm_emul_write_io,
    .read_cr = read_cr,
    .write_cr = write_cr,
    .read_dr = read_dr,
    .write_dr = write_dr,
    .read_xcr = read_xcr,
    .write_xcr = write_xcr,
    .read_msr = read_msr,
    .write_msr = write_msr,
    .cpuid = emul_cpuid,
    .wbinvd = emul_wbinvd,
    .invlpg = emul_invlpg,
    .vmmcall = emul_vmmcall,
    .get_fpu = get_fpu,
    .put_fpu = put_fpu,
};

static void emul_setup(struct hvm_emul *e, struct vcpu *v, const struct vm_exit *exit)
{
    struct emul_ctxt *c = &e->ctxt;
    struct segment_reg ss;
    int mode = hvm_mode_bytes(v);

    hvm_backend->get_segment(v, SEG_SS, &ss);
    e->v = v;
    c->regs = &v->regs;
    c->ops = &hvm_emul_ops;
    c->opaque = e;
    c->addr_size = mode == 8 ? 64 : mode == 4 ? 32 : 16;
    c->sp_size = mode == 8 ? 64 : mode >= 2 && (ss.attr & SEG_ATTR_DB) ? 32 : 16;
    c->cpl = (uint8_t)hvm_cpl(v);
    c->lma = hvm_long_mode_active(v);
    c->vendor = cpu_features.vendor == VENDOR_INTEL ? EMUL_VENDOR_INTEL : EMUL_VENDOR_AMD;
    c->fetched = MIN(exit->nr_bytes, (uint8_t)EMUL_INSN_MAX);
    memcpy(c->bytes, exit->bytes, c->fetched);
}

static void emul_retire(struct vcpu *v, const struct emul_ctxt *c)
{
    unsigned shadow = (c->retire.mov_ss ? HVM_SHADOW_MOV_SS : 0) | (c->retire.sti ? HVM_SHADOW_STI : 0);

    if (shadow || hvm_backend->interrupt_shadow(v))
        hvm_backend->set_interrupt_shadow(v, shadow);
    if (c->retire.unblock_nmi)
        hvm_backend->set_nmi_blocked(v, false);
    if (c->retire.singlestep) {
        hvm_backend->set_dr(v, 6, hvm_backend->get_dr(v, 6) | BIT(14)); /* BS */
        hvm_inject_exception(v, X86_TRAP_DB, -1, 0);
    }
    if (c->retire.hlt)
        hvm_halt(v);
}

static void emul_inject(struct vcpu *v, const struct emul_event *ev)
{
    struct hvm_event e = {
        .valid = true,
        .type = ev->type,
        .vector = ev->vector,
        .insn_len = ev->insn_len,
        .cr2 = ev->cr2,
    };

    e.has_error = ev->error_code != EMUL_NO_ERROR_CODE && (v->hvm->cr[0] & CR0_PE);
    e.error_code = e.has_error ? (uint32_t)ev->error_code : 0;
    hvm_inject_event(v, &e);
}

/* The instruction waits for a device model: it is executed again, from these bytes, when the answer is there. */
static void emul_suspend(struct vcpu *v, const struct emul_ctxt *c)
{
    struct hvm_io *io = &v->hvm->io;

    if (io->state != IO_PENDING) {
        io->state = IO_NONE;
        io->nr_done = 0;
        return;
    }
    io->completion = COMPLETE_EMULATION;
    io->nr_bytes = MIN(c->fetched, (uint8_t)sizeof(io->bytes));
    memcpy(io->bytes, c->bytes, io->nr_bytes);
}

static void emul_report(struct vcpu *v, const struct emul_ctxt *c)
{
    printk(LOG_GUEST LOG_WARN "d%dv%u: cannot emulate at %04x:%lx, %u-bit: %02x %02x %02x %02x %02x %02x %02x %02x\n",
           v->domain->id, v->id, v->regs.cs, v->regs.rip, c->addr_size, c->bytes[0], c->bytes[1], c->bytes[2],
           c->bytes[3], c->bytes[4], c->bytes[5], c->bytes[6], c->bytes[7]);
}

static enum hvm_result emul_finish(struct hvm_emul *e, int rc)
{
    if (rc == EMUL_OKAY) {
        emul_retire(e->v, &e->ctxt);
        return HVM_OKAY;
    }
    if (rc != EMUL_EXCEPTION)
        return HVM_UNHANDLEABLE;
    if (!e->fault_queued)
        emul_inject(e->v, &e->ctxt.event);
    return HVM_FAULT;
}

enum hvm_result hvm_emulate_one(struct vcpu *v, const struct vm_exit *exit)
{
    struct hvm_io *io = &v->hvm->io;
    struct hvm_emul e = {0};
    int rc;

    io->next = 0;
    if (io->state != IO_DONE)
        io->nr_done = 0;
    emul_setup(&e, v, exit);
    rc = emul_one(&e.ctxt);
    if (rc == EMUL_RETRY) {
        emul_suspend(v, &e.ctxt);
        return HVM_RETRY;
    }
    io->state = IO_NONE;
    io->nr_done = 0;
    if (rc == EMUL_UNHANDLEABLE)
        emul_report(v, &e.ctxt);
    return emul_finish(&e, rc);
}

/* SYSCALL, SYSRET, SYSENTER and SYSEXIT: all of the instructions that only one vendor's CPUs have in some mode. */
static bool is_system_call(const struct emul_insn *i)
{
    return i->map == 1 && (i->opcode == 0x05 || i->opcode == 0x07 || i->opcode == 0x34 || i->opcode == 0x35);
}

enum hvm_result hvm_emulate_system_call(struct vcpu *v, const struct vm_exit *exit)
{
    struct hvm_emul e = {0};
    int rc;

    emul_setup(&e, v, exit);
    e.ctxt.vendor = cpu_features.vendor == VENDOR_INTEL ? EMUL_VENDOR_AMD : EMUL_VENDOR_INTEL;
    rc = emul_decode(&e.ctxt);
    if (rc == EMUL_OKAY)
        rc = is_system_call(&e.ctxt.insn) ? emul_execute(&e.ctxt) : EMUL_UNHANDLEABLE;
    return rc == EMUL_RETRY ? HVM_RETRY : emul_finish(&e, rc);
}

uint64_t hvm_linear_rip(struct vcpu *v)
{
    struct segment_reg cs;

    if (hvm_mode_bytes(v) == 8)
        return v->regs.rip;
    hvm_backend->get_segment(v, SEG_CS, &cs);
    return (uint32_t)(cs.base + v->regs.rip);
}

unsigned hvm_insn_length(struct vcpu *v, const struct vm_exit *exit)
{
    int mode = hvm_mode_bytes(v), len;
    uint8_t bytes[EMUL_INSN_MAX];
    unsigned bits = mode == 8 ? 64 : mode == 4 ? 32 : 16, n = 0;
    uint64_t rip = hvm_linear_rip(v), at;

    if (exit->nr_bytes) {
        len = emul_insn_length(exit->bytes, exit->nr_bytes, bits);
        if (len > 0)
            return (unsigned)len;
    }
    for (;;) { /* to the page's end, then, if that was not enough, beyond it */
        unsigned more = MIN((unsigned)(PAGE_SIZE - ((rip + n) & ~PAGE_MASK)), EMUL_INSN_MAX - n);
        uint32_t pfec = PFEC_I | (hvm_cpl(v) == 3 ? PFEC_U : 0);

        if (hvm_copy_from_gva(v, bytes + n, rip + n, more, &pfec, &at)) {
            hvm_inject_exception(v, X86_TRAP_PF, (int)pfec, at);
            return 0;
        }
        n += more;
        len = emul_insn_length(bytes, n, bits);
        if (len > 0)
            return (unsigned)len;
        if (n == EMUL_INSN_MAX)
            break;
    }
    hvm_inject_exception(v, X86_TRAP_UD, -1, 0);
    return 0;
}
