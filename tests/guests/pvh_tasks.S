/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Task switches by hardware, in 32-bit protected mode without paging: task A (that of pvh_entry) and task B switch to each
 * other by JMP, CALL, INT, INT3 and two faults through task gates, and IRET.  What was as it should is a bit of task_result.
 * They are left out where the command line begins with no-tasks.
 */
    .set CMDLINE, 24 /* in the start info, at EBX */
    .set CODE, 8
    .set DATA, 16
    .set TSS_A, 24
    .set TSS_B, 32
    /* Offsets in a TSS. */
    .set LINK, 0
    .set EIP, 0x20
    .set TSS_SIZE, 0x68
    .set NT, 0x4000
    .set CR0_TS, 8

    .macro passed bit
    orl $1 << \bit, task_result
    .endm

    .macro set_base tss descriptor
    mov $\tss, %eax
    mov %ax, \descriptor + 2
    shr $16, %eax
    mov %al, \descriptor + 4
    mov %ah, \descriptor + 7
    .endm

    .text
    .code32
    .globl task_tests
task_tests:
    mov CMDLINE(%ebx), %eax
    test %eax, %eax
    jz 1f
    cmpl $0x742d6f6e, (%eax) /* "no-t" */
    jne 1f
    ret
1:  set_base tss_a, gdt_a
    set_base tss_b, gdt_b
    lgdt gdtr
    lidt idtr
    ljmp $CODE, $1f
1:  mov $DATA, %eax
    .irp seg, ds, es, ss, fs, gs
    mov %eax, %\seg
    .endr
    mov $TSS_A, %eax
    ltr %ax

    mov $0x401, %eax /* a breakpoint of A alone, at 0 */
    mov %eax, %dr7
    mov $0x1234, %ecx
    xor %ebx, %ebx
    ljmp $TSS_B, $0
    cmp $0x1234, %ecx
    jne 1f
    test %ebx, %ebx
    jne 1f
    cmpb $0x8b, gdt_a + 5 /* busy */
    jne 1f
    cmpb $0x89, gdt_b + 5
    jne 1f
    passed 0
1:  mov %dr7, %eax
    test $1, %eax
    jnz 1f
    passed 11
1:  lcall $TSS_B, $0
    pushf
    pop %eax
    test $NT, %eax
    jnz 1f
    cmpb $0x89, gdt_b + 5
    jne 1f
    passed 1
1:  int $0x40
    cmpl $3, b_ran
    jne 1f
    passed 2
1:  int3
    cmpl $4, b_ran
    jne 1f
    passed 12
1:  ud2
    cmpl $5, b_ran
    jne 1f
    passed 3
1:  mov $0xfff8, %eax
    mov %eax, %fs
    mov $DATA, %eax
    mov %eax, %fs
    cmpl $6, b_ran
    jne 1f
    passed 4
1:  ret

    /* Nested within A, which is busy and finds the way back in the link. */
    .macro nested bit
    incl b_ran
    pushf
    pop %eax
    test $NT, %eax
    jz 1f
    cmpw $TSS_A, tss_b + LINK
    jne 1f
    cmpb $0x8b, gdt_a + 5
    jne 1f
    cmpb $0x8b, gdt_b + 5
    jne 1f
    passed \bit
1:
    .endm

task_b:
    mov %cr0, %eax
    test $CR0_TS, %eax
    jz 1f
    cmp $0x5678, %ebx
    jne 1f
    cmpb $0x89, gdt_a + 5
    jne 1f
    passed 5
1:  incl b_ran
    ljmp $TSS_A, $0
    nested 6
    iret
    nested 7 /* INT */
    iret
    nested 13 /* INT3 */
    iret
    nested 8 /* UD2, which A is to go on behind */
    addl $2, tss_a + EIP
    iret
    pop %edx /* the error code */
    nested 9
    cmp $0xfff8, %edx
    jne 1f
    passed 10
1:  addl $2, tss_a + EIP /* MOV to FS */
    iret

    .data
    .align 8
gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_a: .quad 0x0000890000000000 + TSS_SIZE - 1
gdt_b: .quad 0x0000890000000000 + TSS_SIZE - 1
gdtr:
    .word . - gdt - 1
    .long gdt
idt: /* task gates to B for #BP, #UD, #GP and vector 0x40 */
    .set i, 0
    .rept 0x41
    .if i == 3 || i == 6 || i == 13 || i == 0x40
    .quad 0x0000850000000000 + (TSS_B << 16)
    .else
    .quad 0
    .endif
    .set i, i + 1
    .endr
idtr:
    .word . - idt - 1
    .long idt
    .align 8
tss_a: .skip TSS_SIZE
tss_b:
    .skip EIP
    .long task_b, 2, 0, 0, 0, 0x5678, b_stack_top, 0, 0, 0 /* EIP to EDI: EFLAGS, EBX, ESP */
    .long DATA, CODE, DATA, DATA, DATA, DATA, 0, TSS_SIZE << 16
b_ran: .long 0
    .globl task_result
task_result: .long 0

    .bss
    .align 16
    .skip 256
b_stack_top:
