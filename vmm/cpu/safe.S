/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions that may fault, as functions that say so. They end up here through the exception table. */
#include "extable.h"

#define MINUS_EFAULT -14

    .text

.macro SAFE_SEGMENT seg
    .balign 16
    .globl load_segment_safe_\seg
load_segment_safe_\seg:
1:  movl %edi, %\seg
    xorl %eax, %eax
    ret
    EX_TABLE 1b, safe_fault
.endm
    SAFE_SEGMENT ds
    SAFE_SEGMENT es
    SAFE_SEGMENT fs
    SAFE_SEGMENT gs

/* int rdmsr_safe(uint32_t msr, uint64_t *value) */
    .balign 16
    .globl rdmsr_safe
rdmsr_safe:
    movl %edi, %ecx
1:  rdmsr
    shlq $32, %rdx
    orq %rdx, %rax
    movq %rax, (%rsi)
    xorl %eax, %eax
    ret
    EX_TABLE 1b, safe_fault

/* int wrmsr_safe(uint32_t msr, uint64_t value) */
    .balign 16
    .globl wrmsr_safe
wrmsr_safe:
    movl %edi, %ecx
    movl %esi, %eax
    movq %rsi, %rdx
    shrq $32, %rdx
1:  wrmsr
    xorl %eax, %eax
    ret
    EX_TABLE 1b, safe_fault

    .section .text.entry, "ax"
/* int copy_bytes_safe(void *dst, const void *src, size_t n): arguments of hypercalls mostly, some words */
    .balign 16
    .globl copy_bytes_safe
copy_bytes_safe:
    movq %rdx, %rcx
    shrq $3, %rcx
    jz 4f
1:  movq (%rsi), %rax
2:  movq %rax, (%rdi)
    addq $8, %rsi
    addq $8, %rdi
    decq %rcx
    jnz 1b
4:  andl $7, %edx
    jz 7f
5:  movb (%rsi), %al
6:  movb %al, (%rdi)
    incq %rsi
    incq %rdi
    decl %edx
    jnz 5b
7:  xorl %eax, %eax
    ret
    EX_TABLE 1b, safe_fault
    EX_TABLE 2b, safe_fault
    EX_TABLE 5b, safe_fault
    EX_TABLE 6b, safe_fault

    .text
safe_fault:
    movl $MINUS_EFAULT, %eax
    ret
