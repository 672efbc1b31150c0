/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fast system calls.  Each vendor has one pair that the other lacks in some mode.  AMD APM 2 "Fast System Call and
 * Return" (6.1) and APM 3, SYSCALL, SYSRET; Intel SDM 2B, SYSCALL, SYSENTER, SYSEXIT, SYSRET.
 */
#include "exec.h"

/* Flat segments, which these instructions make without a look at a descriptor table. */
#define FLAT_CODE_64 0xa09bU
#define FLAT_CODE_32 0xc09bU
#define FLAT_DATA 0xc093U
#define SYSRET_FLAGS 0x3c7fd7U /* what SYSRET takes of R11: neither RF nor VM */

/* The offset of a segment's selector from the MSR's: SDM 2B, SYSENTER and SYSEXIT. */
#define SYSEXIT_CS_32 16
#define SYSEXIT_CS_64 32
#define SYSRET_CS_64 16
#define SS_AFTER_CS 8

/* Nothing fails from here on but for a caller that has no segments at all. */
static int enter(struct exec *x, uint16_t cs, uint16_t ss, bool to_64, unsigned cpl, uint64_t rip)
{
    struct emul_segment code = {.sel = (uint16_t)((cs & ~3U) | cpl), .limit = ~0U};
    struct emul_segment stack = {.sel = (uint16_t)((ss & ~3U) | cpl), .limit = ~0U, .attr = FLAT_DATA | cpl << 5};
    int rc;

    code.attr = (to_64 ? FLAT_CODE_64 : FLAT_CODE_32) | cpl << 5;
    rc = write_segment(x, EMUL_SEG_CS, &code);
    if (rc == EMUL_OKAY)
        rc = write_segment(x, EMUL_SEG_SS, &stack);
    x->cpl = (uint8_t)cpl;
    x->r.rip = to_64 ? rip : (uint32_t)rip;
    return rc;
}

/* Intel's CPUs have SYSCALL and SYSRET in 64-bit mode only. */
static int check_syscall(struct exec *x)
{
    uint64_t efer;
    int rc = read_msr(x, MSR_EFER, &efer);

    if (rc == EMUL_OKAY && (!(efer & EFER_SCE) || (x->c->vendor == EMUL_VENDOR_INTEL && !mode64(x))))
        return raise_ud(x);
    return rc;
}

int exec_syscall(struct exec *x)
{
    uint64_t star = 0, target, mask = EFLAGS_VM | EFLAGS_IF;
    int rc = check_syscall(x);

    if (rc == EMUL_OKAY)
        rc = read_msr(x, MSR_STAR, &star);
    if (rc == EMUL_OKAY && x->c->lma)
        rc = read_msr(x, MSR_SYSCALL_MASK, &mask);
    target = (uint32_t)star;
    if (rc == EMUL_OKAY && x->c->lma)
        rc = read_msr(x, mode64(x) ? MSR_LSTAR : MSR_CSTAR, &target);
    if (rc != EMUL_OKAY)
        return rc;
    x->r.rcx = x->r.rip;
    if (x->c->lma)
        x->r.r11 = x->r.rflags;
    x->r.rflags = (x->r.rflags & ~mask) | EFLAGS_MBS;
    x->new_tf = true;
    return enter(x, star >> 32, (star >> 32) + SS_AFTER_CS, x->c->lma, 0, target);
}

/* SS gets the attributes that Intel's CPUs give it; AMD's leave what there was. */
int exec_sysret(struct exec *x)
{
    bool to_64 = mode64(x) && x->bytes == 8;
    uint64_t star, rip = to_64 ? x->r.rcx : (uint32_t)x->r.rcx;
    enum cpu_mode mode;
    int rc = check_syscall(x);

    if (rc == EMUL_OKAY)
        rc = cpu_mode(x, &mode);
    if (rc == EMUL_OKAY)
        rc = read_msr(x, MSR_STAR, &star);
    if (rc != EMUL_OKAY)
        return rc;
    if (mode != MODE_PROT || x->c->cpl || !is_canonical(rip))
        return raise_gp(x, 0);
    x->r.rflags = mode64(x) ? (x->r.r11 & SYSRET_FLAGS) | EFLAGS_MBS : x->r.rflags | EFLAGS_IF;
    x->new_tf = true;
    return enter(x, (star >> 48) + (to_64 ? SYSRET_CS_64 : 0), (star >> 48) + SS_AFTER_CS, to_64, 3, rip);
}

/* *cs: the MSR's selector.  AMD's CPUs have SYSENTER and SYSEXIT in legacy mode only: APM 2, 6.1.2. */
static int check_sysenter(struct exec *x, enum cpu_mode *mode, uint64_t *cs)
{
    int rc;

    if (x->c->lma && x->c->vendor == EMUL_VENDOR_AMD)
        return raise_ud(x);
    rc = cpu_mode(x, mode);
    if (rc == EMUL_OKAY)
        rc = read_msr(x, MSR_IA32_SYSENTER_CS, cs);
    return rc == EMUL_OKAY && (*mode == MODE_REAL || !(*cs & 0xfffc)) ? raise_gp(x, 0) : rc;
}

int exec_sysenter(struct exec *x)
{
    uint64_t cs, rsp, rip;
    enum cpu_mode mode;
    int rc = check_sysenter(x, &mode, &cs);

    if (rc == EMUL_OKAY)
        rc = read_msr(x, MSR_IA32_SYSENTER_ESP, &rsp);
    if (rc == EMUL_OKAY)
        rc = read_msr(x, MSR_IA32_SYSENTER_EIP, &rip);
    if (rc != EMUL_OKAY)
        return rc;
    x->r.rflags &= ~(uint64_t)(EFLAGS_VM | EFLAGS_IF);
    x->r.rsp = x->c->lma ? rsp : (uint32_t)rsp;
    return enter(x, cs, (cs & ~3U) + SS_AFTER_CS, x->c->lma, 0, rip);
}

int exec_sysexit(struct exec *x)
{
    bool to_64 = mode64(x) && x->bytes == 8;
    uint64_t cs, rsp = to_64 ? x->r.rcx : (uint32_t)x->r.rcx, rip = to_64 ? x->r.rdx : (uint32_t)x->r.rdx;
    enum cpu_mode mode;
    int rc = check_sysenter(x, &mode, &cs);

    if (rc != EMUL_OKAY)
        return rc;
    if (mode != MODE_PROT || x->c->cpl || !is_canonical(rip) || !is_canonical(rsp))
        return raise_gp(x, 0);
    cs += to_64 ? SYSEXIT_CS_64 : SYSEXIT_CS_32;
    x->r.rsp = rsp;
    return enter(x, cs, cs + SS_AFTER_CS, to_64, 3, rip);
}
