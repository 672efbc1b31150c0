/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one-byte opcode map. AMD APM 3, tables; Intel SDM 2D, appendix A. */
#include "exec.h"

#define BM (F_BYTE | F_MODRM)
#define M F_MODRM

/* ADD and its kin: opcodes base to base + 5. */
#define ALU(base, fn, fl)                                                                                              \
    [base] = {exec_##fn, O_E, O_G, .flags = BM | (fl)}, [base + 1] = {exec_##fn, O_E, O_G, .flags = M | (fl)},         \
    [base + 2] = {exec_##fn, O_G, O_E, .flags = BM | ((fl)&RW)},                                                       \
    [base + 3] = {exec_##fn, O_G, O_E, .flags = M | ((fl)&RW)},                                                        \
    [base + 4] = {exec_##fn, O_A, O_I, IMM_S8, .flags = F_BYTE | ((fl)&RW)},                                           \
    [base + 5] = {exec_##fn, O_A, O_I, IMM_Z, .flags = ((fl)&RW)}

#define GROUP1(im, fl)                                                                                                 \
    {                                                                                                                  \
        {exec_add, O_E, O_I, im, .flags = (fl) | RW | F_LOCK}, {exec_or, O_E, O_I, im, .flags = (fl) | RW | F_LOCK},   \
            {exec_adc, O_E, O_I, im, .flags = (fl) | RW | F_LOCK},                                                     \
            {exec_sbb, O_E, O_I, im, .flags = (fl) | RW | F_LOCK},                                                     \
            {exec_and, O_E, O_I, im, .flags = (fl) | RW | F_LOCK},                                                     \
            {exec_sub, O_E, O_I, im, .flags = (fl) | RW | F_LOCK},                                                     \
            {exec_xor, O_E, O_I, im, .flags = (fl) | RW | F_LOCK}, {exec_cmp, O_E, O_I, im, .flags = (fl) | F_READ},   \
    }
static const struct emul_opcode group1_80[8] = GROUP1(IMM_S8, BM);
static const struct emul_opcode group1_82[8] = GROUP1(IMM_S8, BM | F_NO64);
static const struct emul_opcode group1_81[8] = GROUP1(IMM_Z, M);
static const struct emul_opcode group1_83[8] = GROUP1(IMM_S8, M);

#define GROUP2(sr, im, fl)                                                                                             \
    {                                                                                                                  \
        {exec_rol, O_E, sr, im, .flags = (fl) | RW}, {exec_ror, O_E, sr, im, .flags = (fl) | RW},                      \
            {exec_rcl, O_E, sr, im, .flags = (fl) | RW}, {exec_rcr, O_E, sr, im, .flags = (fl) | RW},                  \
            {exec_shl, O_E, sr, im, .flags = (fl) | RW}, {exec_shr, O_E, sr, im, .flags = (fl) | RW},                  \
            {exec_shl, O_E, sr, im, .flags = (fl) | RW}, {exec_sar, O_E, sr, im, .flags = (fl) | RW},                  \
    }
static const struct emul_opcode group2_c0[8] = GROUP2(O_I, IMM_U8, BM);
static const struct emul_opcode group2_c1[8] = GROUP2(O_I, IMM_U8, M);
static const struct emul_opcode group2_d0[8] = GROUP2(O_1, IMM_NONE, BM);
static const struct emul_opcode group2_d1[8] = GROUP2(O_1, IMM_NONE, M);
static const struct emul_opcode group2_d2[8] = GROUP2(O_CL, IMM_NONE, BM);
static const struct emul_opcode group2_d3[8] = GROUP2(O_CL, IMM_NONE, M);

#define GROUP3(im, fl)                                                                                                 \
    {                                                                                                                  \
        {exec_test, O_E, O_I, im, .flags = (fl) | F_READ}, {exec_test, O_E, O_I, im, .flags = (fl) | F_READ},          \
            {exec_not, O_E, .flags = (fl) | RW | F_LOCK}, {exec_neg, O_E, .flags = (fl) | RW | F_LOCK},                \
            {exec_mul, .src = O_E, .flags = (fl)}, {exec_imul1, .src = O_E, .flags = (fl)},                            \
            {exec_div, .src = O_E, .flags = (fl)}, {exec_idiv, .src = O_E, .flags = (fl)},                             \
    }
static const struct emul_opcode group3_f6[8] = GROUP3(IMM_S8, BM);
static const struct emul_opcode group3_f7[8] = GROUP3(IMM_Z, M);

static const struct emul_opcode group4[8] = {
    {exec_inc, O_E, .flags = BM | RW | F_LOCK},
    {exec_dec, O_E, .flags = BM | RW | F_LOCK},
    {exec_ud, .flags = M},
    {exec_ud, .flags = M},
    {exec_ud, .flags = M},
    {exec_ud, .flags = M},
    {exec_ud, .flags = M},
    {exec_ud, .flags = M},
};
static const struct emul_opcode group5[8] = {
    {exec_inc, O_E, .flags = M | RW | F_LOCK},      {exec_dec, O_E, .flags = M | RW | F_LOCK},
    {exec_call_e, .src = O_E, .flags = M | F_NEAR}, {exec_call_far_e, .bytes = BYTES_NONE, .flags = M | F_MEM},
    {exec_jmp_e, .src = O_E, .flags = M | F_NEAR},  {exec_jmp_far_e, .bytes = BYTES_NONE, .flags = M | F_MEM},
    {exec_push, .src = O_E, .flags = M | F_D64},    {exec_ud, .flags = M},
};
/* 8F and C6/C7 have other instructions (XOP, XABORT, XBEGIN) beside reg 0. */
static const struct emul_opcode group1a[8] = {{exec_pop_e, O_E, .flags = M | F_D64 | F_WRITE}};
static const struct emul_opcode group11_c6[8] = {{exec_mov, O_E, O_I, IMM_S8, .flags = BM | F_WRITE}};
static const struct emul_opcode group11_c7[8] = {{exec_mov, O_E, O_I, IMM_Z, .flags = M | F_WRITE}};

const struct emul_opcode emul_arpl_row = {exec_arpl, O_E, O_G, .bytes = 2, .flags = M | RW | F_PROT};

static const struct emul_opcode map0[256] = {
    ALU(0x00, add, RW | F_LOCK),
    ALU(0x08, or, RW | F_LOCK),
    ALU(0x10, adc, RW | F_LOCK),
    ALU(0x18, sbb, RW | F_LOCK),
    ALU(0x20, and, RW | F_LOCK),
    ALU(0x28, sub, RW | F_LOCK),
    ALU(0x30, xor, RW | F_LOCK),
    ALU(0x38, cmp, F_READ),
    [0x06] = {exec_push_seg, .flags = F_NO64},
    [0x07] = {exec_pop_seg, .flags = F_NO64},
    [0x0e] = {exec_push_seg, .flags = F_NO64},
    [0x16] = {exec_push_seg, .flags = F_NO64},
    [0x17] = {exec_pop_seg, .flags = F_NO64},
    [0x1e] = {exec_push_seg, .flags = F_NO64},
    [0x1f] = {exec_pop_seg, .flags = F_NO64},
    [0x27] = {exec_daa, .flags = F_NO64},
    [0x2f] = {exec_das, .flags = F_NO64},
    [0x37] = {exec_aaa, .flags = F_NO64},
    [0x3f] = {exec_aas, .flags = F_NO64},
    [0x40 ... 0x47] = {exec_inc, O_R, .flags = RW},
    [0x48 ... 0x4f] = {exec_dec, O_R, .flags = RW},
    [0x50 ... 0x57] = {exec_push, .src = O_R, .flags = F_D64},
    [0x58 ... 0x5f] = {exec_pop, O_R, .flags = F_D64 | F_WRITE},
    [0x60] = {exec_pusha, .flags = F_NO64},
    [0x61] = {exec_popa, .flags = F_NO64},
    [0x62] = {exec_bound, .src = O_G, .bytes = BYTES_NONE, .flags = M | F_MEM | F_NO64},
    [0x63] = {exec_movsxd, O_G, O_E, .bytes = 4, .flags = M | F_WRITE},
    [0x68] = {exec_push, .src = O_I, .imm = IMM_Z, .flags = F_D64},
    [0x69] = {exec_imul3, O_G, O_E, IMM_Z, .flags = M | F_WRITE},
    [0x6a] = {exec_push, .src = O_I, .imm = IMM_S8, .flags = F_D64},
    [0x6b] = {exec_imul3, O_G, O_E, IMM_S8, .flags = M | F_WRITE},
    [0x6c] = {exec_ins, .flags = F_BYTE},
    [0x6d] = {exec_ins},
    [0x6e] = {exec_outs, .flags = F_BYTE},
    [0x6f] = {exec_outs},
    [0x70 ... 0x7f] = {exec_jcc, .imm = IMM_S8, .flags = F_NEAR},
    [0x80] = {.flags = M, .group = group1_80},
    [0x81] = {.flags = M, .group = group1_81},
    [0x82] = {.flags = M, .group = group1_82},
    [0x83] = {.flags = M, .group = group1_83},
    [0x84] = {exec_test, O_E, O_G, .flags = BM | F_READ},
    [0x85] = {exec_test, O_E, O_G, .flags = M | F_READ},
    [0x86] = {exec_xchg, O_E, O_G, .flags = BM | RW | F_LOCK},
    [0x87] = {exec_xchg, O_E, O_G, .flags = M | RW | F_LOCK},
    [0x88] = {exec_mov, O_E, O_G, .flags = BM | F_WRITE},
    [0x89] = {exec_mov, O_E, O_G, .flags = M | F_WRITE},
    [0x8a] = {exec_mov, O_G, O_E, .flags = BM | F_WRITE},
    [0x8b] = {exec_mov, O_G, O_E, .flags = M | F_WRITE},
    [0x8c] = {exec_mov_from_seg, O_E, .flags = M | F_WRITE | F_MEM16},
    [0x8d] = {exec_lea, O_G, .bytes = BYTES_NONE, .flags = M | F_MEM | F_WRITE},
    [0x8e] = {exec_mov_to_seg, .src = O_E, .bytes = 2, .flags = M},
    [0x8f] = {.flags = M, .group = group1a},
    [0x90] = {exec_xchg_a, O_R, O_A, .flags = RW},
    [0x91 ... 0x97] = {exec_xchg_a, O_R, O_A, .flags = RW},
    [0x98] = {exec_cbw},
    [0x99] = {exec_cwd},
    [0x9a] = {exec_call_far, .imm = IMM_FAR, .flags = F_NO64},
    [0x9b] = {exec_fwait},
    [0x9c] = {exec_pushf, .flags = F_D64},
    [0x9d] = {exec_popf, .flags = F_D64},
    [0x9e] = {exec_sahf},
    [0x9f] = {exec_lahf},
    [0xa0] = {exec_mov, O_A, O_E, IMM_MOFFS, .flags = F_BYTE | F_WRITE},
    [0xa1] = {exec_mov, O_A, O_E, IMM_MOFFS, .flags = F_WRITE},
    [0xa2] = {exec_mov, O_E, O_A, IMM_MOFFS, .flags = F_BYTE | F_WRITE},
    [0xa3] = {exec_mov, O_E, O_A, IMM_MOFFS, .flags = F_WRITE},
    [0xa4] = {exec_movs, .flags = F_BYTE},
    [0xa5] = {exec_movs},
    [0xa6] = {exec_cmps, .flags = F_BYTE},
    [0xa7] = {exec_cmps},
    [0xa8] = {exec_test, O_A, O_I, IMM_S8, .flags = F_BYTE | F_READ},
    [0xa9] = {exec_test, O_A, O_I, IMM_Z, .flags = F_READ},
    [0xaa] = {exec_stos, .flags = F_BYTE},
    [0xab] = {exec_stos},
    [0xac] = {exec_lods, .flags = F_BYTE},
    [0xad] = {exec_lods},
    [0xae] = {exec_scas, .flags = F_BYTE},
    [0xaf] = {exec_scas},
    [0xb0 ... 0xb7] = {exec_mov, O_R, O_I, IMM_S8, .flags = F_BYTE | F_WRITE},
    [0xb8 ... 0xbf] = {exec_mov, O_R, O_I, IMM_V, .flags = F_WRITE},
    [0xc0] = {.flags = M, .group = group2_c0},
    [0xc1] = {.flags = M, .group = group2_c1},
    [0xc2] = {exec_ret, .imm = IMM_U16, .flags = F_NEAR},
    [0xc3] = {exec_ret, .flags = F_NEAR},
    [0xc4] = {exec_load_far_pointer, .bytes = BYTES_NONE, .flags = M | F_MEM | F_NO64},
    [0xc5] = {exec_load_far_pointer, .bytes = BYTES_NONE, .flags = M | F_MEM | F_NO64},
    [0xc6] = {.flags = M, .group = group11_c6},
    [0xc7] = {.flags = M, .group = group11_c7},
    [0xc8] = {exec_enter, .imm = IMM_ENTER, .flags = F_D64},
    [0xc9] = {exec_leave, .flags = F_D64},
    [0xca] = {exec_ret_far, .imm = IMM_U16},
    [0xcb] = {exec_ret_far},
    [0xcc] = {exec_int3},
    [0xcd] = {exec_int, .imm = IMM_U8},
    [0xce] = {exec_into, .flags = F_NO64},
    [0xcf] = {exec_iret},
    [0xd0] = {.flags = M, .group = group2_d0},
    [0xd1] = {.flags = M, .group = group2_d1},
    [0xd2] = {.flags = M, .group = group2_d2},
    [0xd3] = {.flags = M, .group = group2_d3},
    [0xd4] = {exec_aam, .imm = IMM_U8, .flags = F_NO64},
    [0xd5] = {exec_aad, .imm = IMM_U8, .flags = F_NO64},
    [0xd6] = {exec_salc, .flags = F_NO64},
    [0xd7] = {exec_xlat},
    [0xd8 ... 0xdf] = {exec_x87, .bytes = BYTES_NONE, .flags = M},
    [0xe0 ... 0xe3] = {exec_loop, .imm = IMM_S8, .flags = F_NEAR},
    [0xe4] = {exec_in, .imm = IMM_U8, .flags = F_BYTE},
    [0xe5] = {exec_in, .imm = IMM_U8},
    [0xe6] = {exec_out, .imm = IMM_U8, .flags = F_BYTE},
    [0xe7] = {exec_out, .imm = IMM_U8},
    [0xe8] = {exec_call, .imm = IMM_Z, .flags = F_NEAR},
    [0xe9] = {exec_jmp, .imm = IMM_Z, .flags = F_NEAR},
    [0xea] = {exec_jmp_far, .imm = IMM_FAR, .flags = F_NO64},
    [0xeb] = {exec_jmp, .imm = IMM_S8, .flags = F_NEAR},
    [0xec] = {exec_in, .flags = F_BYTE},
    [0xed] = {exec_in},
    [0xee] = {exec_out, .flags = F_BYTE},
    [0xef] = {exec_out},
    [0xf1] = {exec_int1},
    [0xf4] = {exec_hlt, .flags = F_PRIV},
    [0xf5] = {exec_carry},
    [0xf6] = {.flags = M, .group = group3_f6},
    [0xf7] = {.flags = M, .group = group3_f7},
    [0xf8 ... 0xf9] = {exec_carry},
    [0xfa] = {exec_cli},
    [0xfb] = {exec_sti},
    [0xfc ... 0xfd] = {exec_direction},
    [0xfe] = {.flags = M, .group = group4},
    [0xff] = {.flags = M, .group = group5},
};

const struct emul_opcode *emul_lookup(unsigned map, unsigned opcode)
{
    static const struct emul_opcode unknown_38 = {.flags = M}, unknown_3a = {.imm = IMM_U8, .flags = M};
    static const struct emul_opcode f0[4] = {{exec_movbe, O_G, O_E, .flags = M | F_MEM | F_WRITE},
                                             {exec_movbe, O_G, O_E, .flags = M | F_MEM | F_WRITE},
                                             {exec_ud, .flags = M},
                                             {exec_crc32, O_G, O_E, .bytes = 1, .flags = M | F_WRITE}};
    static const struct emul_opcode f1[4] = {{exec_movbe, O_E, O_G, .flags = M | F_MEM | F_WRITE},
                                             {exec_movbe, O_E, O_G, .flags = M | F_MEM | F_WRITE},
                                             {exec_ud, .flags = M},
                                             {exec_crc32, O_G, O_E, .flags = M | F_WRITE}};
    static const struct emul_opcode row_f0 = {.flags = M | F_PFX, .group = f0};
    static const struct emul_opcode row_f1 = {.flags = M | F_PFX, .group = f1};
    static const struct emul_opcode ntdqa[4] = {
        {.flags = M}, {exec_sse_load_aligned, .bytes = 16, .flags = M | F_MEM}, {.flags = M}, {.flags = M}};
    static const struct emul_opcode row_2a = {.flags = M | F_PFX, .group = ntdqa};

    switch (map) {
    case 0: return &map0[opcode];
    case 1: return &emul_map1[opcode];
    case 2: return opcode == 0xf0 ? &row_f0 : opcode == 0xf1 ? &row_f1 : opcode == 0x2a ? &row_2a : &unknown_38;
    default: return &unknown_3a;
    }
}
