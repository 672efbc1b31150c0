/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Multiplication and division. AMD APM 3 "MUL", "IMUL", "DIV", "IDIV". */
#include "exec.h"

static void overflow_flags(struct exec *x, bool overflow, uint64_t low)
{
    set_flags(x, ARITH_FLAGS, (overflow ? EFLAGS_CF | EFLAGS_OF : 0) | result_flags(low, x->bytes));
}

/* The double-width accumulator: AX for bytes, else rDX:rAX. */
static void set_wide(struct exec *x, uint64_t low, uint64_t high)
{
    if (x->bytes == 1) {
        reg_set(x, 0, (low & 0xff) | (high & 0xff) << 8, 2);
        return;
    }
    reg_set(x, 0, low, x->bytes);
    reg_set(x, 2, high, x->bytes);
}

int exec_mul(struct exec *x)
{
    uint64_t a = x->r.rax & mask_of(x->bytes);
    unsigned __int128 product = (unsigned __int128)a * x->src;
    uint64_t low = (uint64_t)product & mask_of(x->bytes);
    uint64_t high = (uint64_t)(product >> (x->bytes * 8));

    set_wide(x, low, high);
    overflow_flags(x, high != 0, low);
    return EMUL_OKAY;
}

static uint64_t signed_product(struct exec *x, uint64_t a, uint64_t b, uint64_t *high)
{
    __int128 product = (__int128)sext(a, x->bytes) * sext(b, x->bytes);
    uint64_t low = (uint64_t)product & mask_of(x->bytes);

    *high = (uint64_t)(product >> (x->bytes * 8));
    overflow_flags(x, product != sext(low, x->bytes), low);
    return low;
}

int exec_imul1(struct exec *x)
{
    uint64_t high, low = signed_product(x, x->r.rax, x->src, &high);

    set_wide(x, low, high);
    return EMUL_OKAY;
}

int exec_imul(struct exec *x)
{
    uint64_t high;

    x->dst = signed_product(x, x->dst, x->src, &high);
    return EMUL_OKAY;
}

int exec_imul3(struct exec *x)
{
    uint64_t high;

    x->dst = signed_product(x, x->src, x->i->imm, &high);
    return EMUL_OKAY;
}

/* 128 by 64 bits; the caller has made sure that high < divisor, so that the quotient fits. */
static uint64_t divide_wide(uint64_t high, uint64_t low, uint64_t divisor, uint64_t *remainder)
{
    uint64_t quotient;

    __asm__("divq %4" : "=a"(quotient), "=d"(*remainder) : "a"(low), "d"(high), "rm"(divisor) : "cc");
    return quotient;
}

static void get_wide(const struct exec *x, uint64_t *low, uint64_t *high)
{
    uint64_t m = mask_of(x->bytes);

    *low = x->r.rax & m;
    *high = x->bytes == 1 ? x->r.rax >> 8 & m : x->r.rdx & m;
}

/* Unsigned division of high:low by a divisor of the operand size; false: the quotient does not fit. */
static bool divide(unsigned bytes, uint64_t high, uint64_t low, uint64_t divisor, uint64_t *quot, uint64_t *rem)
{
    if (high >= divisor)
        return false;
    if (bytes == 8) {
        *quot = divide_wide(high, low, divisor, rem);
    } else {
        uint64_t dividend = high << (bytes * 8) | low;

        *quot = dividend / divisor;
        *rem = dividend % divisor;
    }
    return true;
}

int exec_div(struct exec *x)
{
    uint64_t low, high, quot, rem;

    get_wide(x, &low, &high);
    if (!divide(x->bytes, high, low, x->src, &quot, &rem))
        return emul_raise(x->c, X86_TRAP_DE, EMUL_NO_ERROR_CODE);
    set_wide(x, quot, rem);
    return EMUL_OKAY;
}

/* By magnitudes; the quotient is negative where the signs differ, the remainder has the dividend's sign. */
int exec_idiv(struct exec *x)
{
    uint64_t low, high, quot, rem, m = mask_of(x->bytes), sign = sign_of(x->bytes), divisor = x->src;
    bool neg_dividend, neg_quot;

    get_wide(x, &low, &high);
    neg_dividend = high & sign;
    neg_quot = neg_dividend != !!(divisor & sign);
    if (neg_dividend) {
        low = -low & m;
        high = (~high + !low) & m;
    }
    if (divisor & sign)
        divisor = -divisor & m;
    if (!divide(x->bytes, high, low, divisor, &quot, &rem) || quot > sign - !neg_quot)
        return emul_raise(x->c, X86_TRAP_DE, EMUL_NO_ERROR_CODE);
    set_wide(x, neg_quot ? -quot : quot, neg_dividend ? -rem : rem);
    return EMUL_OKAY;
}
