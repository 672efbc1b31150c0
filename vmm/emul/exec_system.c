/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports, interrupt flag, control and debug registers, MSRs, CPUID. AMD APM 3, chapter 4. */
#include "exec.h"

static uint16_t port_of(const struct exec *x) { return x->op->imm ? x->i->imm : x->r.rdx & 0xffff; }

int exec_in(struct exec *x)
{
    unsigned bytes = MIN(x->bytes, 4U);
    uint32_t value = 0;
    int rc = check_io(x, port_of(x), bytes);

    if (rc != EMUL_OKAY)
        return rc;
    if (!x->c->ops->read_io)
        return EMUL_UNHANDLEABLE;
    rc = x->c->ops->read_io(port_of(x), bytes, &value, x->c);
    if (rc == EMUL_OKAY)
        reg_set(x, 0, value, bytes);
    return rc;
}

int exec_out(struct exec *x)
{
    unsigned bytes = MIN(x->bytes, 4U);
    int rc = check_io(x, port_of(x), bytes);

    if (rc != EMUL_OKAY)
        return rc;
    if (!x->c->ops->write_io)
        return EMUL_UNHANDLEABLE;
    return x->c->ops->write_io(port_of(x), bytes, x->r.rax & mask_of(bytes), x->c);
}

/* Which flag CLI and STI act on: IF, or VIF under CR4.VME / PVI (APM 2, 8.10); 0 with an exception raised. */
static int interrupt_flag(struct exec *x, uint64_t *flag)
{
    bool vm86 = (x->r.rflags & EFLAGS_VM) && !x->c->lma;
    uint64_t cr4;
    int rc;

    *flag = EFLAGS_IF;
    if (vm86 ? iopl(x) == 3 : x->c->cpl <= iopl(x))
        return EMUL_OKAY;
    rc = read_cr(x, 4, &cr4);
    if (rc != EMUL_OKAY)
        return rc;
    if (!(cr4 & (vm86 ? CR4_VME : CR4_PVI)) || x->c->cpl != 3)
        return raise_gp(x, 0);
    *flag = EFLAGS_VIF;
    return EMUL_OKAY;
}

int exec_cli(struct exec *x)
{
    uint64_t flag;
    int rc = interrupt_flag(x, &flag);

    if (rc == EMUL_OKAY)
        set_flags(x, flag, 0);
    return rc;
}

int exec_sti(struct exec *x)
{
    uint64_t flag;
    int rc = interrupt_flag(x, &flag);

    if (rc != EMUL_OKAY)
        return rc;
    if (flag == EFLAGS_VIF && (x->r.rflags & EFLAGS_VIP))
        return raise_gp(x, 0);
    x->c->retire.sti = flag == EFLAGS_IF && !(x->r.rflags & EFLAGS_IF);
    set_flags(x, flag, flag);
    return EMUL_OKAY;
}

int exec_hlt(struct exec *x)
{
    x->c->retire.hlt = true;
    return EMUL_OKAY;
}

static int write_cr(struct exec *x, unsigned cr, uint64_t value)
{
    return x->c->ops->write_cr ? x->c->ops->write_cr(cr, value, x->c) : EMUL_UNHANDLEABLE;
}

int exec_clts(struct exec *x)
{
    uint64_t cr0;
    int rc = read_cr(x, 0, &cr0);

    return rc == EMUL_OKAY ? write_cr(x, 0, cr0 & ~(uint64_t)CR0_TS) : rc;
}

/* LMSW loads PE, MP, EM and TS, and cannot clear PE. */
int exec_lmsw(struct exec *x)
{
    uint64_t cr0;
    int rc = read_cr(x, 0, &cr0);

    return rc == EMUL_OKAY ? write_cr(x, 0, (cr0 & ~0xeULL) | (x->src & 0xf)) : rc;
}

static unsigned cr_number(const struct exec *x) { return x->i->lock ? x->i->reg | 8 : x->i->reg; }
static bool cr_exists(unsigned cr) { return cr == 0 || cr == 2 || cr == 3 || cr == 4 || cr == 8; }

int exec_mov_from_cr(struct exec *x)
{
    return cr_exists(cr_number(x)) ? read_cr(x, cr_number(x), &x->dst) : raise_ud(x);
}

int exec_mov_to_cr(struct exec *x) { return cr_exists(cr_number(x)) ? write_cr(x, cr_number(x), x->src) : raise_ud(x); }

/* The register's number, after the checks of APM 2, 13.1.1: CR4.DE and DR7.GD. */
static int debug_register(struct exec *x, unsigned *dr)
{
    uint64_t cr4, dr7;
    int rc;

    *dr = x->i->reg;
    if (*dr > 7)
        return raise_ud(x);
    if (!x->c->ops->read_dr || !x->c->ops->write_dr)
        return EMUL_UNHANDLEABLE;
    if (*dr == 4 || *dr == 5) {
        rc = read_cr(x, 4, &cr4);
        if (rc != EMUL_OKAY)
            return rc;
        if (cr4 & CR4_DE)
            return raise_ud(x);
        *dr += 2;
    }
    rc = x->c->ops->read_dr(7, &dr7, x->c);
    if (rc != EMUL_OKAY)
        return rc;
    return dr7 & 0x2000 ? emul_raise(x->c, X86_TRAP_DB, EMUL_NO_ERROR_CODE) : EMUL_OKAY;
}

int exec_mov_from_dr(struct exec *x)
{
    unsigned dr;
    int rc = debug_register(x, &dr);

    return rc == EMUL_OKAY ? x->c->ops->read_dr(dr, &x->dst, x->c) : rc;
}

int exec_mov_to_dr(struct exec *x)
{
    unsigned dr;
    int rc = debug_register(x, &dr);

    if (rc != EMUL_OKAY)
        return rc;
    if (dr >= 6 && x->src >> 32)
        return raise_gp(x, 0);
    return x->c->ops->write_dr(dr, x->src, x->c);
}

static int write_msr(struct exec *x, uint32_t msr, uint64_t value)
{
    return x->c->ops->write_msr ? x->c->ops->write_msr(msr, value, x->c) : EMUL_UNHANDLEABLE;
}

static uint64_t edx_eax(const struct exec *x) { return (uint64_t)(uint32_t)x->r.rdx << 32 | (uint32_t)x->r.rax; }

static int set_edx_eax(struct exec *x, int rc, uint64_t value)
{
    if (rc == EMUL_OKAY) {
        x->r.rax = (uint32_t)value;
        x->r.rdx = value >> 32;
    }
    return rc;
}

int exec_rdmsr(struct exec *x)
{
    uint64_t value = 0;
    int rc = read_msr(x, x->r.rcx, &value);

    return set_edx_eax(x, rc, value);
}

int exec_wrmsr(struct exec *x) { return write_msr(x, x->r.rcx, edx_eax(x)); }

/* #GP at CPL > 0 if the CR4 bit has the state that forbids. */
static int check_cr4(struct exec *x, uint64_t bit, bool allowed)
{
    uint64_t cr4;
    int rc;

    if (!x->c->cpl)
        return EMUL_OKAY;
    rc = read_cr(x, 4, &cr4);
    return rc == EMUL_OKAY && !(cr4 & bit) == allowed ? raise_gp(x, 0) : rc;
}

int exec_rdtsc(struct exec *x)
{
    uint64_t tsc = 0;
    int rc = check_cr4(x, CR4_TSD, false);

    if (rc == EMUL_OKAY)
        rc = read_msr(x, MSR_IA32_TSC, &tsc);
    return set_edx_eax(x, rc, tsc);
}

static int rdtscp(struct exec *x)
{
    uint64_t aux;
    int rc = exec_rdtsc(x);

    if (rc == EMUL_OKAY)
        rc = read_msr(x, MSR_TSC_AUX, &aux);
    if (rc == EMUL_OKAY)
        x->r.rcx = (uint32_t)aux;
    return rc;
}

int exec_rdpmc(struct exec *x)
{
    uint64_t value = 0;
    int rc = check_cr4(x, CR4_PCE, true);

    if (rc != EMUL_OKAY)
        return rc;
    if (!x->c->ops->read_pmc)
        return EMUL_UNHANDLEABLE;
    rc = x->c->ops->read_pmc(x->r.rcx, &value, x->c);
    return set_edx_eax(x, rc, value);
}

int exec_cpuid(struct exec *x)
{
    uint32_t out[4];
    int rc;

    if (!x->c->ops->cpuid)
        return EMUL_UNHANDLEABLE;
    rc = x->c->ops->cpuid(x->r.rax, x->r.rcx, out, x->c);
    if (rc != EMUL_OKAY)
        return rc;
    x->r.rax = out[0];
    x->r.rbx = out[1];
    x->r.rcx = out[2];
    x->r.rdx = out[3];
    return EMUL_OKAY;
}

int exec_wbinvd(struct exec *x) { return x->c->ops->wbinvd ? x->c->ops->wbinvd(x->c) : EMUL_UNHANDLEABLE; }

int exec_invlpg(struct exec *x)
{
    if (!x->i->mem)
        return exec_group7(x);
    if (x->c->cpl)
        return raise_gp(x, 0);
    return x->c->ops->invlpg ? x->c->ops->invlpg(x->i->mem_seg, x->mem_off, x->c) : EMUL_UNHANDLEABLE;
}

/* The callback sees, and may change, the registers as the guest has them now. */
static int vmmcall(struct exec *x)
{
    uint64_t rip = x->r.rip;
    int rc;

    if (!x->c->ops->vmmcall)
        return EMUL_UNHANDLEABLE;
    rc = x->c->ops->vmmcall(x->c);
    x->r = *x->c->regs;
    x->r.rip = rip;
    return rc;
}

static int check_xsave(struct exec *x)
{
    uint64_t cr4;
    int rc = read_cr(x, 4, &cr4);

    return rc == EMUL_OKAY && !(cr4 & CR4_OSXSAVE) ? raise_ud(x) : rc;
}

static int xgetbv(struct exec *x)
{
    uint64_t value = 0;
    int rc = check_xsave(x);

    if (rc != EMUL_OKAY)
        return rc;
    if (!x->c->ops->read_xcr)
        return EMUL_UNHANDLEABLE;
    rc = x->c->ops->read_xcr(x->r.rcx, &value, x->c);
    return set_edx_eax(x, rc, value);
}

static int xsetbv(struct exec *x)
{
    int rc = check_xsave(x);

    if (rc != EMUL_OKAY)
        return rc;
    if (x->c->cpl)
        return raise_gp(x, 0);
    return x->c->ops->write_xcr ? x->c->ops->write_xcr(x->r.rcx, edx_eax(x), x->c) : EMUL_UNHANDLEABLE;
}

static int swapgs(struct exec *x)
{
    struct emul_segment gs;
    uint64_t base;
    int rc;

    if (!mode64(x))
        return raise_ud(x);
    if (x->c->cpl)
        return raise_gp(x, 0);
    rc = read_segment(x, EMUL_SEG_GS, &gs);
    if (rc == EMUL_OKAY)
        rc = read_msr(x, MSR_SHADOW_GS_BASE, &base);
    if (rc == EMUL_OKAY)
        rc = write_msr(x, MSR_SHADOW_GS_BASE, gs.base);
    if (rc != EMUL_OKAY)
        return rc;
    gs.base = base;
    return write_segment(x, EMUL_SEG_GS, &gs);
}

static int set_ac(struct exec *x, bool on)
{
    uint64_t cr4;
    int rc;

    if (x->c->cpl)
        return raise_ud(x);
    rc = read_cr(x, 4, &cr4);
    if (rc == EMUL_OKAY && !(cr4 & CR4_SMAP))
        return raise_ud(x);
    if (rc == EMUL_OKAY)
        set_flags(x, EFLAGS_AC, on ? EFLAGS_AC : 0);
    return rc;
}

/* 0F 01 with a register ModRM. The instructions of SVM, VMX, SGX and MONITOR are the caller's affair. */
int exec_group7(struct exec *x)
{
    if (x->i->mem)
        return EMUL_UNHANDLEABLE;
    switch (x->i->modrm) {
    case 0xc1: return vmmcall(x);
    case 0xca: return set_ac(x, false);
    case 0xcb: return set_ac(x, true);
    case 0xd0: return xgetbv(x);
    case 0xd1: return xsetbv(x);
    case 0xd9: return vmmcall(x);
    case 0xf8: return swapgs(x);
    case 0xf9: return rdtscp(x);
    default: return EMUL_UNHANDLEABLE;
    }
}
