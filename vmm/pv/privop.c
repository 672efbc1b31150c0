/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Privileged instructions of PV guests.  Their kernels run in ring 3, so each
 * raises #GP; here it is carried out on the virtual CPU as if in ring 0.
 * AMD APM 3, "System Instruction Reference".
 */
#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/fpu.h"
#include "../cpu/policy.h"
#include "../cpu/regs.h"
#include "../cpu/time.h"
#include "../domain/hypercall.h"
#include "../lib/string.h"
#include "../mm/tlb.h"
#include "../sched/softirq.h"
#include "guest.h"

/* -- memory -------------------------------------------------------------------------------------------------------- */

static int linear_of(enum emul_seg seg, uint64_t offset, unsigned bytes, enum emul_access access, struct emul_ctxt *c,
                     uint64_t *va)
{
    /* The tables of the CPU itself are none of a PV guest's. */
    if (seg >= EMUL_SEG_LDTR && seg != EMUL_SEG_NONE) {
        return EMUL_UNHANDLEABLE;
    }
    return emul_linear(c, seg, offset, bytes, access, va);
}

static int priv_read(enum emul_seg seg, uint64_t offset, void *buf, unsigned bytes, struct emul_ctxt *c)
{
    uint64_t va;
    int rc = linear_of(seg, offset, bytes, EMUL_READ, c, &va);

    if (rc != EMUL_OKAY) {
        return rc;
    }
    return copy_from_guest_bytes(buf, va, bytes) ? emul_raise_page_fault(c, va, 0) : EMUL_OKAY;
}

static int priv_write(enum emul_seg seg, uint64_t offset, const void *buf, unsigned bytes, struct emul_ctxt *c)
{
    uint64_t va;
    int rc = linear_of(seg, offset, bytes, EMUL_WRITE, c, &va);

    if (rc != EMUL_OKAY) {
        return rc;
    }
    return copy_to_guest_bytes(va, buf, bytes) ? emul_raise_page_fault(c, va, PFEC_W) : EMUL_OKAY;
}

static int priv_fetch(uint64_t offset, void *buf, unsigned bytes, struct emul_ctxt *c)
{
    uint64_t va;
    int rc = emul_linear(c, EMUL_SEG_CS, offset, bytes, EMUL_FETCH, &va);

    if (rc != EMUL_OKAY) {
        return rc;
    }
    return copy_from_guest_bytes(buf, va, bytes) ? emul_raise_page_fault(c, va, PFEC_I) : EMUL_OKAY;
}

static int priv_read_segment(enum emul_seg seg, struct emul_segment *reg, struct emul_ctxt *c)
{
    return pv_segment(c->opaque, seg, reg) ? EMUL_OKAY : EMUL_UNHANDLEABLE;
}

/* -- ports --------------------------------------------------------------------------------------------------------- */

static int priv_read_io(uint16_t port, unsigned bytes, uint32_t *value, struct emul_ctxt *c)
{
    if (!pv_io_allowed(c->opaque, port, bytes)) {
        return emul_raise(c, X86_TRAP_GP, 0);
    }
    *value = pv_port_read(c->opaque, port, bytes);
    return EMUL_OKAY;
}

static int priv_write_io(uint16_t port, unsigned bytes, uint32_t value, struct emul_ctxt *c)
{
    if (!pv_io_allowed(c->opaque, port, bytes)) {
        return emul_raise(c, X86_TRAP_GP, 0);
    }
    pv_port_write(c->opaque, port, bytes, value);
    return EMUL_OKAY;
}

static bool priv_preempt(struct emul_ctxt *c) { return softirq_is_pending(); }

/* -- registers ----------------------------------------------------------------------------------------------------- */

static uint64_t guest_cr0(const struct vcpu *v) { return (read_cr0() & ~(uint64_t)CR0_TS) | v->pv->ctrlreg[0]; }

static int priv_read_cr(unsigned cr, uint64_t *value, struct emul_ctxt *c)
{
    const struct vcpu *v = c->opaque;

    switch (cr) {
    case 0: *value = guest_cr0(v); return EMUL_OKAY;
    case 2: *value = v->pv->ctrlreg[2]; return EMUL_OKAY;
    case 3: *value = mfn_to_paddr(v->pv->guest_table); return EMUL_OKAY;
    case 4: *value = v->pv->ctrlreg[4]; return EMUL_OKAY;
    default: return EMUL_UNHANDLEABLE;
    }
}

static int write_cr3_guest(struct vcpu *v, uint64_t value, struct emul_ctxt *c)
{
    int rc = pv_set_kernel_base(v, paddr_to_mfn(value));

    if (rc == -ERESTART) {
        return EMUL_RETRY;
    }
    if (rc) {
        return emul_raise(c, X86_TRAP_GP, 0);
    }
    pv_write_cr3(v);
    return EMUL_OKAY;
}

static int priv_write_cr(unsigned cr, uint64_t value, struct emul_ctxt *c)
{
    struct vcpu *v = c->opaque;

    switch (cr) {
    case 0:
        if ((value ^ guest_cr0(v)) & ~(uint64_t)CR0_TS) {
            return emul_raise(c, X86_TRAP_GP, 0);
        }
        pv_set_ts(v, value & CR0_TS);
        return EMUL_OKAY;
    case 2:
        v->pv->ctrlreg[2] = value;
        v->info->arch.cr2 = value;
        return EMUL_OKAY;
    case 3: return write_cr3_guest(v, value, c);
    case 4:
        v->pv->ctrlreg[4] = pv_guest_cr4(value);
        pv_load_cr4(v);
        return EMUL_OKAY;
    default: return EMUL_UNHANDLEABLE;
    }
}

static int priv_read_dr(unsigned dr, uint64_t *value, struct emul_ctxt *c)
{
    return pv_get_debugreg(c->opaque, dr, value) ? emul_raise(c, X86_TRAP_UD, EMUL_NO_ERROR_CODE) : EMUL_OKAY;
}

static int priv_write_dr(unsigned dr, uint64_t value, struct emul_ctxt *c)
{
    return pv_set_debugreg(c->opaque, dr, value) ? emul_raise(c, X86_TRAP_GP, 0) : EMUL_OKAY;
}

static int priv_read_xcr(unsigned xcr, uint64_t *value, struct emul_ctxt *c)
{
    const struct vcpu *v = c->opaque;

    if (xcr || !xfeature_mask) {
        return emul_raise(c, xfeature_mask ? X86_TRAP_GP : X86_TRAP_UD, xfeature_mask ? 0 : EMUL_NO_ERROR_CODE);
    }
    *value = v->xcr0;
    return EMUL_OKAY;
}

static int priv_write_xcr(unsigned xcr, uint64_t value, struct emul_ctxt *c)
{
    struct vcpu *v = c->opaque;

    if (xcr || !xfeature_mask || !xcr0_valid(value, xfeature_mask)) {
        return emul_raise(c, X86_TRAP_GP, 0);
    }
    v->xcr0 = value;
    v->xcr0_accum |= value;
    xcr0_write(value);
    return EMUL_OKAY;
}

static int priv_read_msr(uint32_t msr, uint64_t *value, struct emul_ctxt *c)
{
    struct vcpu *v = c->opaque;

    /* RDTSC in the kernel with CR4.TSD set. */
    if (msr == MSR_IA32_TSC) {
        *value = rdtsc();
        return EMUL_OKAY;
    }
    if (!pv_rdmsr(v, msr, value)) {
        return EMUL_OKAY;
    }
    /* A kernel that has no handler yet reads 0 (public header arch-x86/xen.h, HYPERVISOR_set_trap_table). */
    if (!v->pv->trap_ctxt[X86_TRAP_GP].address) {
        *value = 0;
        return EMUL_OKAY;
    }
    return emul_raise(c, X86_TRAP_GP, 0);
}

static int priv_write_msr(uint32_t msr, uint64_t value, struct emul_ctxt *c)
{
    return pv_wrmsr(c->opaque, msr, value) ? emul_raise(c, X86_TRAP_GP, 0) : EMUL_OKAY;
}

static int priv_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4], struct emul_ctxt *c)
{
    guest_cpuid(c->opaque, leaf, subleaf, out);
    return EMUL_OKAY;
}

/* A domain without devices has nothing whose caches it would have to write back. */
static int priv_wbinvd(struct emul_ctxt *c)
{
    const struct vcpu *v = c->opaque;

    if (v->domain->is_hardware) {
        wbinvd();
    }
    return EMUL_OKAY;
}

static int priv_invlpg(enum emul_seg seg, uint64_t offset, struct emul_ctxt *c)
{
    uint64_t va;

    if (emul_linear(c, seg, offset, 1, EMUL_READ, &va) == EMUL_OKAY && is_guest_va(va)) {
        flush_tlb_local(FLUSH_VA, va);
    }
    return EMUL_OKAY;
}

/* -- which instructions -------------------------------------------------------------------------------------------- */

static bool is_io(const struct emul_insn *i)
{
    return i->map == 0 && ((i->opcode >= 0x6c && i->opcode <= 0x6f) || (i->opcode >= 0xe4 && i->opcode <= 0xe7) ||
                           (i->opcode >= 0xec && i->opcode <= 0xef));
}

static bool is_privileged(const struct emul_insn *i)
{
    if (i->map == 0) {
        return i->opcode == 0xfa || i->opcode == 0xfb; /* CLI STI */
    }
    if (i->map != 1) {
        return false;
    }
    switch (i->opcode) {
    case 0x06:          /* CLTS */
    case 0x08:          /* INVD */
    case 0x09:          /* WBINVD */
    case 0x20 ... 0x23: /* MOV CR, DR */
    case 0x30:          /* WRMSR */
    case 0x31:          /* RDTSC */
    case 0x32:          /* RDMSR */
    case 0xa2: /* CPUID */ return true;
    case 0x01: /* INVLPG, SMSW, LMSW, XGETBV, XSETBV, RDTSCP; not the descriptor tables */
        return (i->modrm >> 3 & 7) == 4 || (i->modrm >> 3 & 7) == 6 || (i->modrm >> 3 & 7) == 7 || i->modrm == 0xd0 ||
               i->modrm == 0xd1;
    default: return false;
    }
}

static bool is_rdtsc(const struct emul_insn *i)
{
    return i->map == 1 && (i->opcode == 0x31 || (i->opcode == 0x01 && i->modrm == 0xf9));
}

static bool priv_allow(const struct emul_insn *insn, struct emul_ctxt *c)
{
    const struct vcpu *v = c->opaque;

    if (is_io(insn)) {
        return true; /* the port decides */
    }
    if (pv_in_kernel_mode(v)) {
        return is_privileged(insn);
    }
    return is_rdtsc(insn) && !(v->pv->ctrlreg[4] & CR4_TSD);
}

static const struct emul_ops priv_ops = {
    .read = priv_read,
    .write = priv_write,
    .insn_fetch = priv_fetch,
    .preempt = priv_preempt,
    .allow = priv_allow,
    .read_segment = priv_read_segment,
    .read_io = priv_read_io,
    .write_io = priv_write_io,
    .read_cr = priv_read_cr,
    .write_cr = priv_write_cr,
    .read_dr = priv_read_dr,
    .write_dr = priv_write_dr,
    .read_xcr = priv_read_xcr,
    .write_xcr = priv_write_xcr,
    .read_msr = priv_read_msr,
    .write_msr = priv_write_msr,
    .cpuid = priv_cpuid,
    .wbinvd = priv_wbinvd,
    .invlpg = priv_invlpg,
};

static unsigned code_size(struct vcpu *v)
{
    struct emul_segment cs;

    if ((v->regs.cs | 3) == GUEST_CS64 || !pv_segment(v, EMUL_SEG_CS, &cs) || (cs.attr & EMUL_ATTR_L)) {
        return 64;
    }
    return cs.attr & EMUL_ATTR_DB ? 32 : 16;
}

/* CLI and STI act on nothing: a kernel that means them uses evtchn_upcall_mask, and interrupts are never off. */
static void mend_flags(struct cpu_user_regs *regs) { regs->rflags = pv_guest_rflags(regs->rflags); }

bool pv_emulate_privileged(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    struct emul_ctxt c = {
        .regs = regs,
        .ops = &priv_ops,
        .opaque = v,
        .lma = true,
        .vendor = cpu_features.vendor == VENDOR_AMD ? EMUL_VENDOR_AMD : EMUL_VENDOR_INTEL,
    };

    c.addr_size = c.sp_size = (uint8_t)code_size(v);
    switch (emul_one(&c)) {
    case EMUL_OKAY:
        mend_flags(regs);
        if (c.retire.singlestep) {
            v->dr[6] |= BIT(14);
            pv_inject_exception(X86_TRAP_DB, 0);
        }
        return true;
    case EMUL_RETRY: return true;
    case EMUL_EXCEPTION:
        mend_flags(regs);
        if (c.event.vector == X86_TRAP_PF) {
            pv_inject_page_fault((uint32_t)c.event.error_code, c.event.cr2);
        } else {
            pv_inject_exception(c.event.vector, c.event.error_code < 0 ? 0 : (uint32_t)c.event.error_code);
        }
        return true;
    default:
        printk(LOG_GUEST LOG_DEBUG "d%uv%u: no emulation of opcode %u:%#x at %#lx\n", v->domain->id, v->id, c.insn.map,
               c.insn.opcode, (unsigned long)regs->rip);
        return false;
    }
}

/* -- forced emulation: public header arch-x86/xen.h, XEN_EMULATE_PREFIX -------------------------------------------- */

bool pv_emulate_forced(struct cpu_user_regs *regs)
{
    static const uint8_t wanted[7] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2};
    uint8_t bytes[sizeof(wanted)];
    uint32_t out[4];

    if (copy_from_guest_bytes(bytes, regs->rip, sizeof(bytes)) || memcmp(bytes, wanted, sizeof(bytes))) {
        return false;
    }
    guest_cpuid(current, regs->eax, regs->ecx, out);
    regs->rax = out[0];
    regs->rbx = out[1];
    regs->rcx = out[2];
    regs->rdx = out[3];
    regs->rip += sizeof(bytes);
    return true;
}
