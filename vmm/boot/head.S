/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the boot loader to C: multiboot headers, the first page tables, long
 * mode (AMD APM 2, 14.6.1).  Entered in 32-bit protected mode without paging,
 * EAX: the loader's magic, EBX: physical address of its information.
 *
 * The first tables map the first 4 GiB at 0 and at DIRECTMAP_START, and the
 * first GiB at IMAGE_START.  mm/ replaces all of this.
 */
#include "../mm/layout.h"
#include "../cpu/regs.h"

#define PHYS(sym) ((sym) - IMAGE_START)
#define PT_RWX 0x63 /* present, writable, accessed, dirty */
#define PT_RO_USER 0x25
#define PT_LARGE 0xe3
#define L3_INDEX(va) (((va) >> 30) & 511)
#define L4_INDEX(va) (((va) >> 39) & 511)
#define CPU_INFO_SIZE 64

#define MB1_MAGIC 0x1badb002
#define MB1_FLAGS 0x3 /* modules on page borders, memory map */
#define MB2_MAGIC 0xe85250d6

        .section .multiboot, "ax", @progbits
        .balign 8
        .long MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)

        .balign 8
mb2_header:
        .long MB2_MAGIC, 0, mb2_header_end - mb2_header
        .long -(MB2_MAGIC + (mb2_header_end - mb2_header))
        /* Information wanted: command line, loader's name, modules, memory map; good to have: framebuffer, RSDP. */
        .balign 8
1:      .short 1, 0
        .long 2f - 1b
        .long 1, 2, 3, 6
2:      .balign 8
1:      .short 1, 1
        .long 2f - 1b
        .long 8, 14, 15
2:      .balign 8
        /* EGA text is understood; no console is required. */
        .short 4, 1
        .long 12, 2
        .balign 8
        /* Modules on page borders. */
        .short 6, 0
        .long 8
        .balign 8
        .short 0, 0
        .long 8
mb2_header_end:

        .section .head.text, "ax", @progbits
        .code32
        .globl _entry
_entry:
        cld
        cli
        mov     %eax, %ebp
        mov     %ebx, %esi
        mov     $PHYS(boot_stack_top), %esp

        /* Long mode and NX? AMD APM 3, E.4.2: 8000_0001 EDX bits 29, 20. */
        mov     $0x80000000, %eax
        cpuid
        cmp     $0x80000001, %eax
        jb      no_long_mode
        mov     $0x80000001, %eax
        cpuid
        bt      $29, %edx
        jnc     no_long_mode
        bt      $20, %edx
        jnc     no_nx

        /* Four tables of 2 MiB pages for the first 4 GiB. */
        mov     $PHYS(boot_l2), %edi
        mov     $PT_LARGE, %eax
        mov     $2048, %ecx
1:      mov     %eax, (%edi)
        movl    $0, 4(%edi)
        add     $0x200000, %eax
        add     $8, %edi
        loop    1b

        /* At 0 and at DIRECTMAP_START, and the first at IMAGE_START. */
        mov     $PHYS(boot_l2) + PT_RWX, %eax
        mov     $PHYS(boot_l3_low), %edi
        mov     $PHYS(hv_l3) + (L4_INDEX(DIRECTMAP_START) - HV_SLOT_FIRST) * 4096, %edx
        mov     $4, %ecx
1:      mov     %eax, (%edi)
        mov     %eax, (%edx)
        add     $4096, %eax
        add     $8, %edi
        add     $8, %edx
        loop    1b
        movl    $PHYS(boot_l2) + PT_RWX, \
                PHYS(hv_l3) + (L4_INDEX(IMAGE_START) - HV_SLOT_FIRST) * 4096 + L3_INDEX(IMAGE_START) * 8

        /* The top level: entries 256 to 271 stay as they are for good. */
        movl    $PHYS(boot_l3_low) + PT_RWX, PHYS(idle_pgd)
        mov     $PHYS(hv_l3) + PT_RWX, %eax
        mov     $PHYS(idle_pgd) + HV_SLOT_FIRST * 8, %edi
        mov     $(HV_SLOT_LAST - HV_SLOT_FIRST + 1), %ecx
1:      mov     %eax, (%edi)
        add     $4096, %eax
        add     $8, %edi
        loop    1b
        movl    $PHYS(hv_l3) + PT_RO_USER, PHYS(idle_pgd) + HV_SLOT_FIRST * 8

        mov     $(CR4_PAE), %eax
        mov     %eax, %cr4
        mov     $PHYS(idle_pgd), %eax
        mov     %eax, %cr3
        mov     $MSR_EFER, %ecx
        rdmsr
        or      $(EFER_LME | EFER_NXE), %eax
        wrmsr
        mov     $(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
        mov     %eax, %cr0
        lgdt    PHYS(boot_gdt_ptr)
        ljmp    $8, $PHYS(1f)

        .code64
1:      movabs  $entry_high, %rax
        jmp     *%rax
entry_high:
        xor     %eax, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     %eax, %fs
        mov     %eax, %gs
        lea     boot_stack_top(%rip), %rsp
        sub     $CPU_INFO_SIZE, %rsp
        mov     %ebp, %edi
        /* ESI is the second argument already; a frame pointer of 0 ends stack traces. */
        mov     %esi, %esi
        xor     %ebp, %ebp
        call    boot_start
        ud2

        .code32
no_long_mode:
        mov     $PHYS(msg_no_long_mode), %esi
        jmp     early_die
no_nx:
        mov     $PHYS(msg_no_nx), %esi
early_die:
        mov     $0xb8000, %edi
1:      mov     (%esi), %bl
        test    %bl, %bl
        jz      3f
        mov     %bl, (%edi)
        movb    $0x0f, 1(%edi)
        add     $2, %edi
        mov     $0x10000, %ecx
        mov     $0x3fd, %dx
2:      in      %dx, %al
        test    $0x20, %al
        loopz   2b
        mov     $0x3f8, %dx
        mov     %bl, %al
        out     %al, %dx
        inc     %esi
        jmp     1b
3:      cli
        hlt
        jmp     3b

        .section .rodata, "a", @progbits
msg_no_long_mode:
        .asciz  "Polder: this CPU has no long mode (64 bits). It cannot run here.\r\n"
msg_no_nx:
        .asciz  "Polder: this CPU shows no NX (execute disable): enable it in the firmware's setup.\r\n"
        .balign 8
boot_gdt:
        .quad   0
        .quad   0x00af9b000000ffff /* 64-bit code, ring 0 */
boot_gdt_ptr:
        .short  boot_gdt_ptr - boot_gdt - 1
        .long   PHYS(boot_gdt)

        .section .bss.stack, "aw", @nobits
        .balign STACK_SIZE
boot_stack:
        .skip   STACK_SIZE
boot_stack_top:

        .section .bss.page_aligned, "aw", @nobits
        .balign 4096
        .globl idle_pgd, hv_l3
        .hidden idle_pgd, hv_l3
idle_pgd:
        .skip   4096
hv_l3:
        .skip   (HV_SLOT_LAST - HV_SLOT_FIRST + 1) * 4096
boot_l3_low:
        .skip   4096
boot_l2:
        .skip   4 * 4096
        .section .note.GNU-stack, "", @progbits
