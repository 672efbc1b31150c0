/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two-byte opcode map, after 0F. AMD APM 3, tables; Intel SDM 2D, appendix A. */
#include "exec.h"

#define M F_MODRM
#define BM (F_BYTE | F_MODRM)
/* A valid instruction that is not emulated: it has ModRM (and an 8-bit immediate). */
#define LEN                                                                                                            \
    {                                                                                                                  \
        .flags = M                                                                                                     \
    }
#define LEN8                                                                                                           \
    {                                                                                                                  \
        .imm = IMM_U8, .flags = M                                                                                      \
    }
#define UD                                                                                                             \
    {                                                                                                                  \
        exec_ud, .flags = M                                                                                            \
    }

static const struct emul_opcode group6[8] = {
    {exec_sldt, O_E, .flags = M | F_WRITE | F_MEM16 | F_PROT},
    {exec_str, O_E, .flags = M | F_WRITE | F_MEM16 | F_PROT},
    {exec_lldt, .src = O_E, .bytes = 2, .flags = M | F_PROT | F_PRIV},
    {exec_ltr, .src = O_E, .bytes = 2, .flags = M | F_PROT | F_PRIV},
    {exec_verr, .src = O_E, .bytes = 2, .flags = M | F_PROT},
    {exec_verw, .src = O_E, .bytes = 2, .flags = M | F_PROT},
    UD,
    UD,
};
/* Register forms of reg 0-3, 5 and 7 are other instructions: exec_group7 sorts them. */
static const struct emul_opcode group7[8] = {
    {exec_sgdt, .bytes = BYTES_NONE, .flags = M},
    {exec_sidt, .bytes = BYTES_NONE, .flags = M},
    {exec_lgdt, .bytes = BYTES_NONE, .flags = M},
    {exec_lidt, .bytes = BYTES_NONE, .flags = M},
    {exec_smsw, O_E, .flags = M | F_WRITE | F_MEM16},
    {exec_group7, .bytes = BYTES_NONE, .flags = M},
    {exec_lmsw, .src = O_E, .bytes = 2, .flags = M | F_PRIV},
    {exec_invlpg, .bytes = BYTES_NONE, .flags = M},
};
static const struct emul_opcode group8[8] = {
    UD,
    UD,
    UD,
    UD,
    {exec_bt, O_E, O_I, IMM_U8, .flags = M | F_READ},
    {exec_bts, O_E, O_I, IMM_U8, .flags = M | RW | F_LOCK},
    {exec_btr, O_E, O_I, IMM_U8, .flags = M | RW | F_LOCK},
    {exec_btc, O_E, O_I, IMM_U8, .flags = M | RW | F_LOCK},
};
/* reg 6 and 7: RDRAND, RDSEED, RDPID, VMX */
static const struct emul_opcode group9[8] = {
    UD, {exec_cmpxchg8b, .bytes = BYTES_NONE, .flags = M | F_MEM | F_LOCK}, UD, LEN, LEN, LEN, LEN, LEN,
};
static const struct emul_opcode group15[8] = {
    LEN,
    LEN,
    {exec_ldmxcsr, .src = O_E, .bytes = 4, .flags = M | F_MEM},
    {exec_stmxcsr, O_E, .bytes = 4, .flags = M | F_MEM | F_WRITE},
    LEN,
    {exec_fence, .bytes = BYTES_NONE, .flags = M},
    {exec_fence, .bytes = BYTES_NONE, .flags = M},
    {exec_fence, .bytes = BYTES_NONE, .flags = M},
};
static const struct emul_opcode ud1_row[4] = {UD, UD, {exec_popcnt, O_G, O_E, .flags = M | F_WRITE}, UD};

/* By mandatory prefix: none, 66, F3, F2 */
#define LOAD(fn, n)                                                                                                    \
    {                                                                                                                  \
        exec_##fn, .bytes = n, .flags = M                                                                              \
    }
#define STORE(fn, n)                                                                                                   \
    {                                                                                                                  \
        exec_##fn, O_E, .bytes = n, .flags = M | F_WRITE                                                               \
    }
#define MEM_STORE(fn, n)                                                                                               \
    {                                                                                                                  \
        exec_##fn, O_E, .bytes = n, .flags = M | F_WRITE | F_MEM                                                       \
    }
static const struct emul_opcode sse_10[4] = {LOAD(sse_load, 16), LOAD(sse_load, 16), LOAD(sse_load, 4),
                                             LOAD(sse_load, 8)};
static const struct emul_opcode sse_11[4] = {STORE(sse_store, 16), STORE(sse_store, 16), STORE(sse_store, 4),
                                             STORE(sse_store, 8)};
static const struct emul_opcode sse_12[4] = {
    LOAD(sse_load_low, 8), {exec_sse_load_low, .bytes = 8, .flags = M | F_MEM}, LEN, LEN};
static const struct emul_opcode sse_13[4] = {MEM_STORE(sse_store, 8), MEM_STORE(sse_store, 8), UD, UD};
static const struct emul_opcode sse_16[4] = {
    LOAD(sse_load_high, 8), {exec_sse_load_high, .bytes = 8, .flags = M | F_MEM}, LEN, UD};
static const struct emul_opcode sse_17[4] = {MEM_STORE(sse_store_high, 8), MEM_STORE(sse_store_high, 8), UD, UD};
static const struct emul_opcode sse_28[4] = {LOAD(sse_load_aligned, 16), LOAD(sse_load_aligned, 16), UD, UD};
static const struct emul_opcode sse_29[4] = {STORE(sse_store_aligned, 16), STORE(sse_store_aligned, 16), UD, UD};
static const struct emul_opcode sse_2b[4] = {MEM_STORE(sse_store_aligned, 16), MEM_STORE(sse_store_aligned, 16),
                                             MEM_STORE(sse_store, 4), MEM_STORE(sse_store, 8)};
static const struct emul_opcode sse_6e[4] = {
    {exec_mmx_movd_load, .src = O_E, .flags = M | F_Y}, {exec_movd_load, .src = O_E, .flags = M | F_Y}, UD, UD};
static const struct emul_opcode sse_6f[4] = {LOAD(mmx_load, 8), LOAD(sse_load_aligned, 16), LOAD(sse_load, 16), UD};
static const struct emul_opcode sse_7e[4] = {{exec_mmx_movd_store, O_E, .flags = M | F_Y | F_WRITE},
                                             {exec_movd_store, O_E, .flags = M | F_Y | F_WRITE},
                                             LOAD(sse_load, 8),
                                             UD};
static const struct emul_opcode sse_7f[4] = {STORE(mmx_store, 8), STORE(sse_store_aligned, 16), STORE(sse_store, 16),
                                             UD};
static const struct emul_opcode sse_d6[4] = {UD, STORE(sse_store, 8), LEN, LEN};
static const struct emul_opcode sse_e7[4] = {MEM_STORE(mmx_store, 8), MEM_STORE(sse_store_aligned, 16), UD, UD};
static const struct emul_opcode sse_f0[4] = {UD, UD, UD, {exec_sse_load, .bytes = 16, .flags = M | F_MEM}};
#define PFX(table)                                                                                                     \
    {                                                                                                                  \
        .flags = M | F_PFX, .group = table                                                                             \
    }

const struct emul_opcode emul_map1[256] = {
    [0x00] = {.flags = M, .group = group6},
    [0x01] = {.flags = M, .group = group7},
    [0x02] = {exec_lar, O_G, O_E, .bytes = 2, .flags = M | F_WRITE | F_PROT},
    [0x03] = {exec_lsl, O_G, O_E, .bytes = 2, .flags = M | F_WRITE | F_PROT},
    [0x05] = {exec_syscall, .flags = F_PROT},
    [0x06] = {exec_clts, .flags = F_PRIV},
    [0x07] = {exec_sysret},
    [0x08 ... 0x09] = {exec_wbinvd, .flags = F_PRIV},
    [0x0b] = {exec_ud},
    [0x0d] = {exec_nop, .bytes = BYTES_NONE, .flags = M}, /* prefetch */
    [0x10] = PFX(sse_10),
    [0x11] = PFX(sse_11),
    [0x12] = PFX(sse_12),
    [0x13] = PFX(sse_13),
    [0x14 ... 0x15] = LEN,
    [0x16] = PFX(sse_16),
    [0x17] = PFX(sse_17),
    [0x18 ... 0x1f] = {exec_nop, .bytes = BYTES_NONE, .flags = M}, /* prefetch, hints */
    [0x20] = {exec_mov_from_cr, O_E, .flags = M | F_REG | F_F64 | F_PRIV | F_WRITE},
    [0x21] = {exec_mov_from_dr, O_E, .flags = M | F_REG | F_F64 | F_PRIV | F_WRITE},
    [0x22] = {exec_mov_to_cr, .src = O_E, .flags = M | F_REG | F_F64 | F_PRIV},
    [0x23] = {exec_mov_to_dr, .src = O_E, .flags = M | F_REG | F_F64 | F_PRIV},
    [0x28] = PFX(sse_28),
    [0x29] = PFX(sse_29),
    [0x2a] = LEN,
    [0x2b] = PFX(sse_2b),
    [0x2c ... 0x2f] = LEN,
    [0x30] = {exec_wrmsr, .flags = F_PRIV},
    [0x31] = {exec_rdtsc},
    [0x32] = {exec_rdmsr, .flags = F_PRIV},
    [0x33] = {exec_rdpmc},
    [0x34] = {exec_sysenter},
    [0x35] = {exec_sysexit},
    [0x40 ... 0x4f] = {exec_cmov, O_G, O_E, .flags = M | RW},
    [0x50 ... 0x6d] = LEN,
    [0x6e] = PFX(sse_6e),
    [0x6f] = PFX(sse_6f),
    [0x70 ... 0x73] = LEN8,
    [0x74 ... 0x76] = LEN,
    [0x77] = {exec_emms},
    [0x78 ... 0x7d] = LEN,
    [0x7e] = PFX(sse_7e),
    [0x7f] = PFX(sse_7f),
    [0x80 ... 0x8f] = {exec_jcc, .imm = IMM_Z, .flags = F_NEAR},
    [0x90 ... 0x9f] = {exec_setcc, O_E, .flags = BM | F_WRITE},
    [0xa0] = {exec_push_seg, .flags = F_D64},
    [0xa1] = {exec_pop_seg, .flags = F_D64},
    [0xa2] = {exec_cpuid},
    [0xa3] = {exec_bt, O_E, O_G, .flags = M | F_READ | F_BITOFF},
    [0xa4] = {exec_shld, O_E, O_G, IMM_U8, .flags = M | RW},
    [0xa5] = {exec_shld, O_E, O_G, .flags = M | RW},
    [0xa8] = {exec_push_seg, .flags = F_D64},
    [0xa9] = {exec_pop_seg, .flags = F_D64},
    [0xab] = {exec_bts, O_E, O_G, .flags = M | RW | F_LOCK | F_BITOFF},
    [0xac] = {exec_shrd, O_E, O_G, IMM_U8, .flags = M | RW},
    [0xad] = {exec_shrd, O_E, O_G, .flags = M | RW},
    [0xae] = {.flags = M, .group = group15},
    [0xaf] = {exec_imul, O_G, O_E, .flags = M | RW},
    [0xb0] = {exec_cmpxchg, O_E, O_G, .flags = BM | RW | F_LOCK},
    [0xb1] = {exec_cmpxchg, O_E, O_G, .flags = M | RW | F_LOCK},
    [0xb2] = {exec_load_far_pointer, .bytes = BYTES_NONE, .flags = M | F_MEM},
    [0xb3] = {exec_btr, O_E, O_G, .flags = M | RW | F_LOCK | F_BITOFF},
    [0xb4 ... 0xb5] = {exec_load_far_pointer, .bytes = BYTES_NONE, .flags = M | F_MEM},
    [0xb6] = {exec_mov, O_G, O_E, .bytes = 1, .flags = M | F_WRITE},
    [0xb7] = {exec_mov, O_G, O_E, .bytes = 2, .flags = M | F_WRITE},
    [0xb8] = PFX(ud1_row),
    [0xb9] = UD,
    [0xba] = {.flags = M, .group = group8},
    [0xbb] = {exec_btc, O_E, O_G, .flags = M | RW | F_LOCK | F_BITOFF},
    [0xbc] = {exec_bsf, O_G, O_E, .flags = M | RW},
    [0xbd] = {exec_bsr, O_G, O_E, .flags = M | RW},
    [0xbe] = {exec_movsx, O_G, O_E, .bytes = 1, .flags = M | F_WRITE},
    [0xbf] = {exec_movsx, O_G, O_E, .bytes = 2, .flags = M | F_WRITE},
    [0xc0] = {exec_xadd, O_E, O_G, .flags = BM | RW | F_LOCK},
    [0xc1] = {exec_xadd, O_E, O_G, .flags = M | RW | F_LOCK},
    [0xc2] = LEN8,
    [0xc3] = {exec_mov, O_E, O_G, .flags = M | F_MEM | F_Y | F_WRITE}, /* MOVNTI */
    [0xc4 ... 0xc6] = LEN8,
    [0xc7] = {.flags = M, .group = group9},
    [0xc8 ... 0xcf] = {exec_bswap, O_R, .flags = RW},
    [0xd0 ... 0xd5] = LEN,
    [0xd6] = PFX(sse_d6),
    [0xd7 ... 0xe6] = LEN,
    [0xe7] = PFX(sse_e7),
    [0xe8 ... 0xef] = LEN,
    [0xf0] = PFX(sse_f0),
    [0xf1 ... 0xfe] = LEN,
    [0xff] = UD,
};
