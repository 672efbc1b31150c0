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

.macro load_x n
    movdqu xmm\n, [rdi + \n * 16]
.endm
.macro store_x n
    movdqu [rsi + \n * 16], xmm\n
.endm
.macro load_y n
    vmovdqu ymm\n, [rdi + \n * 32]
.endm
.macro store_y n
    vmovdqu [rsi + \n * 32], ymm\n
.endm
.macro load_z n
    vmovdqu64 zmm\n, [rdi + \n * 64]
.endm
.macro store_z n
    vmovdqu64 [rsi + \n * 64], zmm\n
.endm
.macro load_k n
    kmovw k\n, [rdi + 2048 + \n * 2]
.endm
.macro store_k n
    kmovw [rsi + 2048 + \n * 2], k\n
.endm

    .globl round_128, round_256, round_512
round_128:
    each_of_16 load_x
    spin
    each_of_16 store_x
    ret
round_256:
    each_of_16 load_y
    spin
    each_of_16 store_y
    vzeroupper
    ret
round_512:
    each_of_32 load_z
    each_of_8 load_k
    spin
    each_of_32 store_z
    each_of_8 store_k
    vzeroupper
    ret

    .section .note.GNU-stack, "", @progbits
