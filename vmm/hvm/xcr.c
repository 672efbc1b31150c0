/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Extended state: XSETBV, within what the domain's CPUID shows, and the legacy region of a saved state.  Intel SDM 1, 13.3; AMD APM 2, 11.5.2. */
#include "../cpu/fpu.h"
#include "../cpu/policy.h"
#include "../cpu/regs.h"
#include "../emul/emul.h"
#include "../lib/string.h"
#include "hvm_state.h"

uint64_t hvm_xcr0_allowed(const struct domain *d)
{
    uint32_t r[4];

    policy_leaf(d, 0xd, 0, r);
    return xfeature_mask & ((uint64_t)r[3] << 32 | r[0]);
}

/* v is current: the register itself changes as well. */
enum hvm_result hvm_set_xcr0(struct vcpu *v, uint32_t index, uint64_t value)
{
    if (index != 0 || hvm_cpl(v) != 0 || !xcr0_valid(value, hvm_xcr0_allowed(v->domain))) {
        hvm_inject_exception(v, X86_TRAP_GP, 0, 0);
        return HVM_FAULT;
    }
    v->xcr0 = value;
    v->xcr0_accum |= value;
    xcr0_write(value);
    return HVM_OKAY;
}

/* XSTATE_BV, behind the legacy region: bit clear: the component is in its initial state and may not be written out. */
static uint64_t *xstate_bv(struct xsave_area *a) { return (uint64_t *)((struct emul_fxsave *)a + 1); }

void hvm_fpu_fill_legacy(struct xsave_area *a)
{
    struct emul_fxsave *fx = (struct emul_fxsave *)a;
    uint64_t bv = xfeature_mask ? *xstate_bv(a) : ~0UL;

    if (!(bv & 1)) {
        memset(fx->st, 0, sizeof(fx->st));
        fx->fcw = 0x37f;
        fx->fsw = fx->ftw = fx->fop = 0;
        fx->fip = fx->fdp = 0;
    }
    if (!(bv & 2))
        memset(fx->xmm, 0, sizeof(fx->xmm));
    if (!(bv & 6))
        fx->mxcsr = 0x1f80;
}

void hvm_fpu_legacy_changed(struct xsave_area *a)
{
    if (xfeature_mask)
        *xstate_bv(a) |= 3;
}
