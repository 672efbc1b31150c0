/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bit tests and scans, byte swaps, CRC32. */
#include "exec.h"

/* CF becomes the bit; the other flags stay (AMD: undefined but ZF). */
static uint64_t test_bit(struct exec *x)
{
    uint64_t bit = 1ULL << (x->src & (x->bytes * 8 - 1));

    set_flags(x, EFLAGS_CF, x->dst & bit ? EFLAGS_CF : 0);
    return bit;
}

int exec_bt(struct exec *x)
{
    test_bit(x);
    return EMUL_OKAY;
}

int exec_bts(struct exec *x)
{
    x->dst |= test_bit(x);
    return EMUL_OKAY;
}

int exec_btr(struct exec *x)
{
    x->dst &= ~test_bit(x);
    return EMUL_OKAY;
}

int exec_btc(struct exec *x)
{
    x->dst ^= test_bit(x);
    return EMUL_OKAY;
}

/* TZCNT and LZCNT: CF is "the source was zero", ZF "the result is zero". */
static int count_zeros(struct exec *x, unsigned count)
{
    x->dst = count;
    set_flags(x, EFLAGS_CF | EFLAGS_ZF, (x->src ? 0 : EFLAGS_CF) | (count ? 0 : EFLAGS_ZF));
    return EMUL_OKAY;
}

static int scan_result(struct exec *x, unsigned bit)
{
    x->dst = bit;
    set_flags(x, EFLAGS_ZF, 0);
    return EMUL_OKAY;
}

/* With a zero source the destination keeps its value, as every CPU does and AMD documents. */
static int scan_of_zero(struct exec *x)
{
    x->no_write = true;
    set_flags(x, EFLAGS_ZF, EFLAGS_ZF);
    return EMUL_OKAY;
}

int exec_bsf(struct exec *x)
{
    if (x->i->rep == 0xf3)
        return count_zeros(x, x->src ? (unsigned)__builtin_ctzll(x->src) : x->bytes * 8);
    return x->src ? scan_result(x, __builtin_ctzll(x->src)) : scan_of_zero(x);
}

int exec_bsr(struct exec *x)
{
    unsigned zeros = x->src ? (unsigned)__builtin_clzll(x->src) - (64 - x->bytes * 8) : x->bytes * 8;

    if (x->i->rep == 0xf3)
        return count_zeros(x, zeros);
    return x->src ? scan_result(x, x->bytes * 8 - 1 - zeros) : scan_of_zero(x);
}

int exec_popcnt(struct exec *x)
{
    uint64_t v;

    for (v = x->src, x->dst = 0; v; v &= v - 1)
        x->dst++;
    set_flags(x, ARITH_FLAGS, x->src ? 0 : EFLAGS_ZF);
    return EMUL_OKAY;
}

/* 16-bit BSWAP is undefined; CPUs clear the register. */
int exec_bswap(struct exec *x)
{
    if (x->bytes == 2)
        x->dst = 0;
    else
        x->dst = x->bytes == 4 ? __builtin_bswap32(x->dst) : __builtin_bswap64(x->dst);
    return EMUL_OKAY;
}

int exec_movbe(struct exec *x)
{
    x->dst = __builtin_bswap64(x->src) >> (64 - x->bytes * 8);
    return EMUL_OKAY;
}

/* CRC-32C, bit-reflected. */
int exec_crc32(struct exec *x)
{
    unsigned bits = operand_e_bytes(x) * 8;
    uint32_t crc = reg_get(x, x->i->reg, 4); /* 32 bits with any operand size */
    unsigned n;

    for (n = 0; n < bits; n++) {
        uint32_t low = (crc ^ (uint32_t)(x->src >> n)) & 1;

        crc = crc >> 1 ^ (low ? 0x82f63b78 : 0);
    }
    x->dst = crc;
    if (x->bytes == 2)
        x->bytes = 4;
    return EMUL_OKAY;
}

/* Condition codes of Jcc, SETcc and CMOVcc (APM 3, table 1-1). */
bool condition(const struct exec *x, unsigned cc)
{
    uint64_t f = x->r.rflags;
    bool less = !(f & EFLAGS_SF) != !(f & EFLAGS_OF), holds;

    switch (cc >> 1 & 7) {
    case 0: holds = f & EFLAGS_OF; break;
    case 1: holds = f & EFLAGS_CF; break;
    case 2: holds = f & EFLAGS_ZF; break;
    case 3: holds = f & (EFLAGS_CF | EFLAGS_ZF); break;
    case 4: holds = f & EFLAGS_SF; break;
    case 5: holds = f & EFLAGS_PF; break;
    case 6: holds = less; break;
    default: holds = less || (f & EFLAGS_ZF); break;
    }
    return holds != (cc & 1);
}

int exec_setcc(struct exec *x)
{
    x->dst = condition(x, x->i->opcode);
    return EMUL_OKAY;
}

int exec_cmov(struct exec *x)
{
    if (condition(x, x->i->opcode))
        x->dst = x->src;
    return EMUL_OKAY;
}
