/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests that came from a machine of the other vendor, whose name their CPU
 * policy still has.  Instructions that this CPU does not have in their mode
 * raise #UD, which such a guest's vCPUs intercept; they are done here.
 */
#include "../cpu/policy.h"
#include "../cpu/regs.h"
#include "hvm_state.h"

#define VMCALL_LEN 3

/* The first bytes at RIP; false: not all of them can be read. */
static bool fetch(struct vcpu *v, uint8_t *bytes, size_t n)
{
    uint32_t pfec = PFEC_I | (hvm_cpl(v) == 3 ? PFEC_U : 0);
    uint64_t at;

    return !hvm_copy_from_gva(v, bytes, hvm_linear_rip(v), n, &pfec, &at);
}

static bool at_hypercall(struct vcpu *v)
{
    uint8_t insn[VMCALL_LEN];

    return fetch(v, insn, VMCALL_LEN) && insn[0] == 0x0f && insn[1] == 0x01 && (insn[2] == 0xc1 || insn[2] == 0xd9);
}

bool hvm_foreign_insn(struct vcpu *v, struct vm_exit *exit)
{
    if (!policy_is_foreign(v->domain))
        return false;
    if (!at_hypercall(v))
        return hvm_emulate_system_call(v, exit) != HVM_UNHANDLEABLE;
    exit->insn_len = VMCALL_LEN; /* VMCALL, VMMCALL */
    hvm_exit_hypercall(v, exit);
    return true;
}
