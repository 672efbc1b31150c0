/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest guest: says hello on the hypervisor's console and powers off, as PV or PVH, Dom0 or not.
 * The first letter of its command line tells it to do otherwise:
 *   l  loop for ever with interrupts off
 *   c  crash (an undefined instruction and nobody to handle it)
 *   r  reboot
 */
#define CONSOLE_IO 18 /* <xen/xen.h> */
#define DEBUG_PORT 0xe9
#define SCHED_OP 29
#define SCHEDOP_SHUTDOWN 2
#define SHUTDOWN_POWEROFF 0
#define SHUTDOWN_REBOOT 1
#define PV_CMD_LINE 0x80 /* of struct start_info: offsetof cmd_line */
#define PVH_CMDLINE 24  /* of struct hvm_start_info: cmdline_paddr */

    .macro note type, value:vararg
    .long 4, 2f - 1f, \type
    .asciz "Xen"
1:  \value
2:  .balign 4
    .endm
    .section .note.xen, "a"
    note 1, .quad pv_entry              /* XEN_ELFNOTE_ENTRY */
    note 2, .quad hypercall_page        /* HYPERCALL_PAGE */
    note 3, .quad 0                     /* VIRT_BASE */
    note 5, .asciz "xen-3.0"            /* XEN_VERSION */
    note 6, .asciz "hello"              /* GUEST_OS */
    note 8, .asciz "generic"            /* LOADER */
    note 9, .asciz "yes"                /* PAE_MODE */
    note 18, .long pvh_entry            /* PHYS32_ENTRY */

    .text
    .code64
pv_entry: /* RSI: struct start_info; events are masked, and stay so */
    mov PV_CMD_LINE(%rsi), %bl
    cmp $'l', %bl
    je forever
    cmp $'c', %bl
    je undefined
    mov $pv_hello_len, %esi
    mov $pv_hello, %edx
    xor %edi, %edi
    mov $hypercall_page + CONSOLE_IO * 32, %eax
    call *%rax
    xor %ecx, %ecx
    cmp $'r', %bl
    sete %cl
    mov %ecx, shutdown_reason
    mov $SCHEDOP_SHUTDOWN, %edi
    mov $shutdown_reason, %esi
    mov $hypercall_page + SCHED_OP * 32, %eax
    call *%rax
    jmp forever

    .code32
    .globl pvh_entry
pvh_entry: /* EBX: struct hvm_start_info; flat 32-bit, no paging */
    mov $stack_top, %esp
    mov PVH_CMDLINE(%ebx), %esi
    test %esi, %esi
    jz 1f
    mov (%esi), %al
    mov %al, wish
1:  cmpb $'l', wish
    je forever
    cmpb $'c', wish
    je undefined
    mov $0x40000002, %eax
    xor %ecx, %ecx
    cpuid
    mov %ebx, %ecx
    mov $hypercall_page, %eax
    xor %edx, %edx
    wrmsr
    xor %ebx, %ebx
    mov $pvh_hello_len, %ecx
    mov $pvh_hello, %edx
    mov $hypercall_page + CONSOLE_IO * 32, %eax
    call *%eax
    test %eax, %eax
    jz 1f
    mov $DEBUG_PORT, %edx /* not Dom0: the console is not ours, but this port is heard */
    mov $pvh_hello, %esi
    mov $pvh_hello_len, %ecx
    rep outsb
1:  xor %ecx, %ecx
    cmpb $'r', wish
    sete %cl
    mov %ecx, shutdown_reason
    mov $SCHEDOP_SHUTDOWN, %ebx
    mov $shutdown_reason, %ecx
    mov $hypercall_page + SCHED_OP * 32, %eax
    call *%eax

    /* The same bytes in both modes. A PVH guest starts with interrupts off, a PV guest with its events masked. */
forever:
    jmp forever
undefined:
    ud2

    .data
wish: .byte 0
pv_hello: .ascii "hello from a PV guest\n"
    .set pv_hello_len, . - pv_hello
pvh_hello: .ascii "hello from a PVH guest\n"
    .set pvh_hello_len, . - pvh_hello
    .balign 4
shutdown_reason: .long 0

    .bss
    .balign 4096
hypercall_page: .skip 4096
    .skip 4096
stack_top:
