/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory type range registers and PAT: kept and checked as the CPU would, and
 * without effect on RAM, which is always write-back (p2m_memory_type_changed
 * is where that would change).  AMD APM 2, 7.7 and 7.8; Intel SDM 3A, 12.11.
 */
#include "../cpu/cpu.h"
#include "../cpu/regs.h"
#include "../lib/string.h"
#include "hvm_state.h"
#include "p2m.h"

#define MTRR_VAR_MSRS (MTRR_VCNT * 2)
#define PAT_RESET 0x0007040600070406UL

uint64_t mtrr_cap(void) { return MTRR_VCNT | BIT(8) /* fixed ranges */ | BIT(10) /* WC */; }

void mtrr_reset(struct vcpu *v)
{
    memset(&v->hvm->mtrr, 0, sizeof(v->hvm->mtrr));
    v->hvm->mtrr.nr_var = MTRR_VCNT;
    v->hvm->mtrr.pat = PAT_RESET;
    hvm_backend->set_msr(v, HVM_MSR_PAT, PAT_RESET);
}

static bool mtrr_type_ok(uint8_t t) { return t == 0 || t == 1 || t == 4 || t == 5 || t == 6; }

bool pat_valid(uint64_t value)
{
    for (unsigned i = 0; i < 64; i += 8) {
        uint8_t t = value >> i;

        if (!mtrr_type_ok(t) && t != 7)
            return false;
    }
    return true;
}

/* The slot of a fixed-range MSR, or -1. */
static int mtrr_fixed_index(uint32_t msr)
{
    if (msr == MSR_MTRRfix64K_00000)
        return 0;
    if (msr == MSR_MTRRfix16K_80000 || msr == MSR_MTRRfix16K_A0000)
        return (int)(1 + msr - MSR_MTRRfix16K_80000);
    if (msr >= MSR_MTRRfix4K_C0000 && msr < MSR_MTRRfix4K_C0000 + 8)
        return (int)(3 + msr - MSR_MTRRfix4K_C0000);
    return -1;
}

static bool mtrr_is_var(uint32_t msr) { return msr >= MSR_MTRRphysBase0 && msr < MSR_MTRRphysBase0 + MTRR_VAR_MSRS; }

bool mtrr_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    int fixed = mtrr_fixed_index(msr);

    if (msr == MSR_MTRRcap)
        *value = mtrr_cap();
    else if (msr == MSR_MTRRdefType)
        *value = v->hvm->mtrr.def_type;
    else if (msr == MSR_IA32_CR_PAT)
        *value = v->hvm->mtrr.pat;
    else if (fixed >= 0)
        *value = v->hvm->mtrr.fixed[fixed];
    else if (mtrr_is_var(msr))
        *value = v->hvm->mtrr.var[msr - MSR_MTRRphysBase0];
    else
        return false;
    return true;
}

bool mtrr_value_ok(uint32_t msr, uint64_t value)
{
    uint64_t high = ~((1UL << cpu_features.paddr_bits) - 1);

    if (msr == MSR_MTRRdefType)
        return !(value & ~0xcffUL) && mtrr_type_ok((uint8_t)value);
    if (msr == MSR_IA32_CR_PAT)
        return pat_valid(value);
    if (mtrr_fixed_index(msr) >= 0) {
        for (unsigned i = 0; i < 64; i += 8)
            if (!mtrr_type_ok((uint8_t)(value >> i)))
                return false;
        return true;
    }
    if (mtrr_is_var(msr))
        return msr & 1 ? !(value & (high | 0x7ff)) : !(value & (high | 0xf00)) && mtrr_type_ok((uint8_t)value);
    return false;
}

bool mtrr_write(struct vcpu *v, uint32_t msr, uint64_t value, bool *ok)
{
    int fixed = mtrr_fixed_index(msr);
    uint64_t ignored;

    if (!mtrr_read(v, msr, &ignored))
        return false;
    *ok = mtrr_value_ok(msr, value);
    if (!*ok)
        return true;
    if (msr == MSR_MTRRdefType) {
        v->hvm->mtrr.def_type = value;
    } else if (msr == MSR_IA32_CR_PAT) {
        v->hvm->mtrr.pat = value;
        hvm_backend->set_msr(v, HVM_MSR_PAT, value);
    } else if (fixed >= 0) {
        v->hvm->mtrr.fixed[fixed] = value;
    } else {
        v->hvm->mtrr.var[msr - MSR_MTRRphysBase0] = value;
    }
    p2m_memory_type_changed(v->domain);
    return true;
}
