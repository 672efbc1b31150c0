/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests that came from a machine of the other vendor, whose name their CPU
 * policy still has.  Instructions that this CPU does not have in their mode
 * raise #UD, which such a guest's vCPUs intercept; they are done here.
 */
#include "../cpu/policy.h"
#include "../cpu/regs.h"
#include "hvm_state.h"

#define SYSCALL_LEN 2
#define VMCALL_LEN 3
/* Flat segments as SYSCALL makes them: AMD APM 3, SYSCALL. */
#define ATTR_CODE_64 0xa09bU
#define ATTR_CODE_32 0xc09bU
#define ATTR_DATA 0xc093U

/* The first bytes at RIP; false: not all of them can be read. */
static bool fetch(struct vcpu *v, uint8_t *bytes, size_t n)
{
    uint32_t pfec = PFEC_I | (hvm_cpl(v) == 3 ? PFEC_U : 0);
    uint64_t at;

    return !hvm_copy_from_gva(v, bytes, hvm_linear_rip(v), n, &pfec, &at);
}

static void set_flat(struct vcpu *v, enum hvm_segment seg, uint16_t sel, uint32_t attr)
{
    struct segment_reg s = {.sel = sel, .attr = attr, .limit = ~0U, .base = 0};

    hvm_backend->set_segment(v, seg, &s);
}

/* SYSCALL outside 64-bit mode, which AMD's CPUs have and Intel's do not. AMD APM 3, SYSCALL. */
static bool do_syscall(struct vcpu *v)
{
    uint64_t star = hvm_backend->get_msr(v, HVM_MSR_STAR);
    bool lma = hvm_long_mode_active(v);
    uint16_t cs = (uint16_t)(star >> 32) & 0xfffc;

    if (!(v->hvm->efer & EFER_SCE) || !(v->hvm->cr[0] & CR0_PE) || (v->regs.rflags & EFLAGS_VM) ||
        hvm_mode_bytes(v) == 8)
        return false;
    v->regs.rcx = (uint32_t)(v->regs.rip + SYSCALL_LEN);
    v->regs.rflags &= ~(uint64_t)EFLAGS_RF;
    if (lma) {
        v->regs.r11 = v->regs.rflags;
        v->regs.rflags &= ~hvm_backend->get_msr(v, HVM_MSR_SFMASK);
        v->regs.rip = hvm_backend->get_msr(v, HVM_MSR_CSTAR);
    } else {
        v->regs.rflags &= ~(uint64_t)(EFLAGS_VM | EFLAGS_IF);
        v->regs.rip = (uint32_t)star;
    }
    v->regs.rflags |= BIT(1);
    if (hvm_backend->interrupt_shadow(v)) /* with IF masked, an entry would refuse that of STI */
        hvm_backend->set_interrupt_shadow(v, 0);
    set_flat(v, SEG_CS, cs, lma ? ATTR_CODE_64 : ATTR_CODE_32);
    set_flat(v, SEG_SS, (uint16_t)(cs + 8), ATTR_DATA);
    return true;
}

bool hvm_foreign_insn(struct vcpu *v, struct vm_exit *exit)
{
    uint8_t insn[VMCALL_LEN];

    if (!policy_is_foreign(v->domain) || !fetch(v, insn, SYSCALL_LEN) || insn[0] != 0x0f)
        return false;
    if (insn[1] == 0x05)
        return do_syscall(v);
    if (insn[1] != 0x01 || !fetch(v, insn, VMCALL_LEN) || (insn[2] != 0xc1 && insn[2] != 0xd9))
        return false;
    exit->insn_len = VMCALL_LEN; /* VMCALL, VMMCALL */
    hvm_exit_hypercall(v, exit);
    return true;
}
