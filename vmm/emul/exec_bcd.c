/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decimal adjustment, which 64-bit mode lacks. AMD APM 3 "AAA" to "AAS", "DAA", "DAS". */
#include "exec.h"

static void set_al(struct exec *x, uint8_t al) { reg_set(x, 0, al, 1); }

static int decimal_adjust(struct exec *x, bool subtract)
{
    uint8_t al = x->r.rax, old = al;
    bool cf = x->r.rflags & EFLAGS_CF, carry = false;
    bool low = (al & 15) > 9 || (x->r.rflags & EFLAGS_AF);
    bool high = old > 0x99 || cf;

    if (low) {
        carry = cf || (subtract ? al < 6 : al > 0xff - 6);
        al += subtract ? -6 : 6;
    }
    if (high) {
        al += subtract ? -0x60 : 0x60;
        carry = true;
    } else if (!subtract) {
        carry = false;
    }
    set_al(x, al);
    set_flags(x, ARITH_FLAGS, result_flags(al, 1) | (carry ? EFLAGS_CF : 0) | (low ? EFLAGS_AF : 0));
    return EMUL_OKAY;
}

int exec_daa(struct exec *x) { return decimal_adjust(x, false); }
int exec_das(struct exec *x) { return decimal_adjust(x, true); }

static int ascii_adjust(struct exec *x, int sign)
{
    uint16_t ax = x->r.rax;
    bool adjust = (ax & 15) > 9 || (x->r.rflags & EFLAGS_AF);

    if (adjust)
        ax += sign * 0x106;
    ax &= 0xff0f;
    reg_set(x, 0, ax, 2);
    set_flags(x, ARITH_FLAGS, result_flags(ax & 0xff, 1) | (adjust ? EFLAGS_CF | EFLAGS_AF : 0));
    return EMUL_OKAY;
}

int exec_aaa(struct exec *x) { return ascii_adjust(x, 1); }
int exec_aas(struct exec *x) { return ascii_adjust(x, -1); }

int exec_aam(struct exec *x)
{
    uint8_t al = x->r.rax, base = x->i->imm;

    if (!base)
        return emul_raise(x->c, X86_TRAP_DE, EMUL_NO_ERROR_CODE);
    reg_set(x, 0, al % base | al / base << 8, 2);
    set_flags(x, ARITH_FLAGS, result_flags(al % base, 1));
    return EMUL_OKAY;
}

int exec_aad(struct exec *x)
{
    uint8_t al = x->r.rax + (x->r.rax >> 8 & 0xff) * x->i->imm;

    reg_set(x, 0, al, 2);
    set_flags(x, ARITH_FLAGS, result_flags(al, 1));
    return EMUL_OKAY;
}
