/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shifts and rotates.  The count is masked to 5 bits, or 6 for 64-bit
 * operands; a count of zero changes no flag (AMD APM 3 "SAL/SHL", "RCL").
 */
#include "exec.h"

static unsigned shift_count(const struct exec *x, uint64_t count) { return count & (x->bytes == 8 ? 63 : 31); }

static void set_co(struct exec *x, bool cf, bool of)
{
    set_flags(x, EFLAGS_CF | EFLAGS_OF, (cf ? EFLAGS_CF : 0) | (of ? EFLAGS_OF : 0));
}

int exec_rol(struct exec *x)
{
    unsigned bits = x->bytes * 8, n = shift_count(x, x->src), k = n % bits;
    uint64_t v = x->dst;

    if (!n)
        return EMUL_OKAY;
    if (k)
        v = (v << k | v >> (bits - k)) & mask_of(x->bytes);
    x->dst = v;
    set_co(x, v & 1, (v & 1) ^ (v >> (bits - 1)));
    return EMUL_OKAY;
}

int exec_ror(struct exec *x)
{
    unsigned bits = x->bytes * 8, n = shift_count(x, x->src), k = n % bits;
    uint64_t v = x->dst;

    if (!n)
        return EMUL_OKAY;
    if (k)
        v = (v >> k | v << (bits - k)) & mask_of(x->bytes);
    x->dst = v;
    set_co(x, v >> (bits - 1), (v >> (bits - 1) ^ v >> (bits - 2)) & 1);
    return EMUL_OKAY;
}

/* Rotates through CF go bit by bit: there are bits + 1 positions. */
int exec_rcl(struct exec *x)
{
    unsigned bits = x->bytes * 8, n = shift_count(x, x->src), k;
    uint64_t v = x->dst, cf = x->r.rflags & EFLAGS_CF;

    for (k = n % (bits + 1); k; k--) {
        uint64_t out = v >> (bits - 1) & 1;

        v = (v << 1 | cf) & mask_of(x->bytes);
        cf = out;
    }
    x->dst = v;
    if (n)
        set_co(x, cf, cf ^ (v >> (bits - 1) & 1));
    return EMUL_OKAY;
}

int exec_rcr(struct exec *x)
{
    unsigned bits = x->bytes * 8, n = shift_count(x, x->src), k;
    uint64_t v = x->dst, cf = x->r.rflags & EFLAGS_CF;

    for (k = n % (bits + 1); k; k--) {
        uint64_t out = v & 1;

        v = v >> 1 | cf << (bits - 1);
        cf = out;
    }
    x->dst = v;
    if (n)
        set_co(x, cf, (v >> (bits - 1) ^ v >> (bits - 2)) & 1);
    return EMUL_OKAY;
}

static void shift_flags(struct exec *x, bool cf, bool of)
{
    set_flags(x, ARITH_FLAGS, result_flags(x->dst, x->bytes) | (cf ? EFLAGS_CF : 0) | (of ? EFLAGS_OF : 0));
}

int exec_shl(struct exec *x)
{
    unsigned bits = x->bytes * 8, n = shift_count(x, x->src);
    uint64_t v = x->dst;
    bool cf;

    if (!n)
        return EMUL_OKAY;
    cf = n <= bits && (v >> (bits - n) & 1);
    x->dst = n < bits ? v << n & mask_of(x->bytes) : 0;
    shift_flags(x, cf, cf ^ !!(x->dst & sign_of(x->bytes)));
    return EMUL_OKAY;
}

int exec_shr(struct exec *x)
{
    unsigned bits = x->bytes * 8, n = shift_count(x, x->src);
    uint64_t v = x->dst;

    if (!n)
        return EMUL_OKAY;
    x->dst = n < bits ? v >> n : 0;
    shift_flags(x, n <= bits && (v >> (n - 1) & 1), v & sign_of(x->bytes));
    return EMUL_OKAY;
}

int exec_sar(struct exec *x)
{
    unsigned n = shift_count(x, x->src);
    int64_t v = sext(x->dst, x->bytes);

    if (!n)
        return EMUL_OKAY;
    x->dst = (uint64_t)(v >> n) & mask_of(x->bytes);
    shift_flags(x, v >> (n - 1) & 1, false);
    return EMUL_OKAY;
}

/* SHLD and SHRD of 16 bits by more than 16 are undefined: the source comes round again. */
static unsigned double_count(const struct exec *x) { return shift_count(x, x->op->imm ? x->i->imm : x->r.rcx & 0xff); }

int exec_shld(struct exec *x)
{
    unsigned bits = x->bytes * 8, n = double_count(x);
    unsigned __int128 pair;
    uint64_t old = x->dst;

    if (!n)
        return EMUL_OKAY;
    pair = (unsigned __int128)old << bits | x->src;
    if (n > bits) {
        pair = (unsigned __int128)x->src << bits | old;
        n -= bits;
    }
    x->dst = (uint64_t)(pair << n >> bits) & mask_of(x->bytes);
    shift_flags(x, (uint64_t)(pair >> (2 * bits - n)) & 1, (old ^ x->dst) & sign_of(x->bytes));
    return EMUL_OKAY;
}

int exec_shrd(struct exec *x)
{
    unsigned bits = x->bytes * 8, n = double_count(x);
    unsigned __int128 pair;
    uint64_t old = x->dst;

    if (!n)
        return EMUL_OKAY;
    pair = (unsigned __int128)x->src << bits | old;
    if (n > bits) {
        pair = (unsigned __int128)old << bits | x->src;
        n -= bits;
    }
    x->dst = (uint64_t)(pair >> n) & mask_of(x->bytes);
    shift_flags(x, (uint64_t)(pair >> (n - 1)) & 1, (old ^ x->dst) & sign_of(x->bytes));
    return EMUL_OKAY;
}
