/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entry of a PVH guest: from 32-bit protected mode to long mode with the first 4 GiB mapped one to one; exceptions; APs. */
    .section .note.xen, "a"
    .long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long pvh_entry

    .text
    .code32
    .globl pvh_entry
pvh_entry:
    mov %ebx, start_info_addr
    mov $stack_top, %esp
    call task_tests
    mov $pgd, %eax
    movl $pud + 7, (%eax)
    mov $pud, %eax
    mov $pmd + 7, %ecx
    mov $4, %edx
1:  mov %ecx, (%eax)
    add $8, %eax
    add $0x1000, %ecx
    dec %edx
    jnz 1b
    mov $pmd, %eax
    mov $0x87, %ecx
    mov $2048, %edx
1:  mov %ecx, (%eax)
    add $8, %eax
    add $0x200000, %ecx
    dec %edx
    jnz 1b
    .globl enter_long
enter_long: /* ESP: the stack to use */
    mov $0x20, %eax
    mov %eax, %cr4
    mov $pgd, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x100, %eax
    wrmsr
    mov $0x80000011, %eax
    mov %eax, %cr0
    lgdt gdtr
    ljmp $8, $long_entry

    .code64
long_entry:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov %esp, %esp
    lidt idtr
    cmp $stack_top, %rsp
    jne 1f
    call main
1:  call ap_main
2:  hlt
    jmp 2b

    /* Exceptions and interrupts: vector and error code to C, which may change RIP. */
    .macro stub n
    .align 16
    .if \n > 31
    push $0
    .elseif !((0x27d00 >> \n) & 1)
    push $0
    .endif
    push $\n
    jmp trap_common
    .endm
    .globl stubs
    .align 16
stubs:
    .set i, 0
    .rept 256
    stub i
    .set i, i + 1
    .endr
trap_common:
    push %rax; push %rcx; push %rdx; push %rbx; push %rbp; push %rsi; push %rdi
    push %r8; push %r9; push %r10; push %r11; push %r12; push %r13; push %r14; push %r15
    mov %rsp, %rdi
    call trap
    pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8
    pop %rdi; pop %rsi; pop %rbp; pop %rbx; pop %rdx; pop %rcx; pop %rax
    add $16, %rsp
    iretq

    /* To ring 3 by SYSEXIT, to 64-bit or 32-bit code, and back by SYSENTER, whose MSRs name sysenter_entry. */
    .globl ring3_64, ring3_32, sysenter_entry, pgd
ring3_64:
    mov %rsp, saved_rsp(%rip)
    mov %rsp, %rcx
    mov $1f, %edx
    sysexitq
1:  mov %cs, %eax
    sysenter
ring3_32:
    mov %rsp, saved_rsp(%rip)
    mov %rsp, %rcx
    mov $1f, %edx
    sysexitl
    .code32
1:  mov %cs, %eax
    sysenter
    .code64
sysenter_entry:
    mov %rsp, sysenter_rsp(%rip)
    mov saved_rsp(%rip), %rsp
    mov %cs, %ecx
    lea 1f(%rip), %rdx
    push %rcx
    push %rdx
    lretq /* QEMU's SYSENTER in compatibility mode, which AMD's CPUs do not have, sets CS.L and CS.D both */
1:  lea sysenter_entry(%rip), %rdx
    mov %rdx, sysenter_rip(%rip)
    mov %eax, sysenter_cs(%rip)
    mov %ecx, sysenter_cs + 4(%rip)
    ret

    /* An AP begins here in real mode, copied to 0x8000. */
    .code16
    .globl ap_start, ap_end
ap_start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    lgdtl 0x8000 + ap_gdtr - ap_start
    mov $0x11, %eax
    mov %eax, %cr0
    ljmpl $24, $ap_prot
ap_gdtr:
    .word gdt_end - gdt - 1
    .long gdt
ap_end:
    .code32
ap_prot:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %ss
    mov $1, %eax
    lock xadd %eax, ap_count
    shl $12, %eax
    lea ap_stacks + 0x1000(%eax), %esp
    jmp enter_long

    .data
    .align 8
gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
gdt_end:
gdtr:
    .word gdt_end - gdt - 1
    .quad gdt
idtr:
    .word 4095
    .quad idt
    .globl sysenter_rsp, sysenter_rip, sysenter_cs
saved_rsp: .quad 0
sysenter_rsp: .quad 0
sysenter_rip: .quad 0
sysenter_cs: .long 0, 0
    .globl start_info_addr, ap_count
start_info_addr: .quad 0
ap_count: .long 0

    .bss
    .align 4096
pgd: .skip 4096
pud: .skip 4096
pmd: .skip 4096 * 4
    .globl idt, hypercall_page
idt: .skip 4096
hypercall_page: .skip 4096
stack: .skip 16384
stack_top:
ap_stacks: .skip 4096 * 8
