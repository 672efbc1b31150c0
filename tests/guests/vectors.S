/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * void round_{128,256,512}(const void *in, void *out, unsigned long spins): loads every vector register of that width in
 * bits (and the opmasks behind them) from in, counts spins down to 0, and stores them all to out.
 */
    .intel_syntax noprefix
    .text

.macro spin
0:  dec rdx
    jnz 0b
.endm

.macro each_of_16 op:vararg
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \op \n
    .endr
.endm
.macro each_of_32 op:vararg
    each_of_16 \op
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \op \n
    .endr
.endm
.macro each_of_8 op:vararg
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    \op \n
    .endr
.endm

.macro load insn, reg, size, n
    \insn \reg\n, [rdi + \n * \size]
.endm
.macro store insn, reg, size, n
    \insn [rsi + \n * \size], \reg\n
.endm

    .globl round_128, round_256, round_512
round_128:
    each_of_16 load movdqu, xmm, 16,
    spin
    each_of_16 store movdqu, xmm, 16,
    ret
round_256:
    each_of_16 load vmovdqu, ymm, 32,
    spin
    each_of_16 store vmovdqu, ymm, 32,
    vzeroupper
    ret
round_512:
    each_of_32 load vmovdqu64, zmm, 64,
    add rdi, 32 * 64
    each_of_8 load kmovw, k, 2,
    spin
    each_of_32 store vmovdqu64, zmm, 64,
    add rsi, 32 * 64
    each_of_8 store kmovw, k, 2,
    vzeroupper
    ret

    .section .note.GNU-stack, "", @progbits
