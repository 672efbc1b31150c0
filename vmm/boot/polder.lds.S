/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image.  Linked at its virtual address; the boot loader puts the flat
 * file at IMAGE_PHYS.  Text comes first, so that the symbol table, which is
 * linked in afterwards, moves no function.  Borders between sections of
 * different access rights are page borders (mm/pgtable.c maps them so).
 */
#include "../mm/layout.h"

OUTPUT_FORMAT(elf64-x86-64)
OUTPUT_ARCH(i386:x86-64)
ENTRY(_entry)

SECTIONS
{
    . = IMAGE_START + IMAGE_PHYS;
    _image_start = .;

    .text : {
        _text_start = .;
        KEEP(*(.multiboot))
        *(.head.text)
        *(.text.entry) *(.text.stubs) *(.text.hot .text.hot.*)
        *(.text .text.*)
        . = ALIGN(4096);
        _text_end = .;
    }
    .init.text : {
        _init_text_start = .;
        *(.init.text)
        . = ALIGN(4096);
        _init_text_end = .;
    }
    .rodata : {
        _rodata_start = .;
        *(.rodata .rodata.* .data.rel.ro .data.rel.ro.*)
        . = ALIGN(16);
        __ex_table_start = .;
        KEEP(*(.ex_table))
        __ex_table_end = .;
        . = ALIGN(16);
        __hvm_save_start = .;
        KEEP(*(SORT_BY_NAME(.hvm_save.*) .hvm_save))
        __hvm_save_end = .;
    }
    . = ALIGN(64);
    /* The variables' addresses are those of the template: CPU n's copy is at percpu_offset[n] from it. */
    .data.percpu : {
        __percpu_start = .;
        *(.data.percpu) *(.data.percpu.*)
        . = ALIGN(64);
        __percpu_end = .;
    }
    .symbols : {
        *(.symbols)
        . = ALIGN(4096);
        _rodata_end = .;
    }
    .init.data : {
        _init_data_start = .;
        . = ALIGN(16);
        __init_params_start = .;
        KEEP(*(.init.params))
        __init_params_end = .;
        *(.init.data .init.data.* .init.rodata)
        . = ALIGN(4096);
        _init_data_end = .;
    }
    .data : {
        _data_start = .;
        *(.data.read_mostly) *(.data.hot) *(.data.syscall_slots)
        . = ALIGN(64);
        *(.data .data.*)
        *(.got .got.*)
        . = ALIGN(64);
        _load_end = .;
    }
    .bss (NOLOAD) : {
        *(.bss.stack)
        *(.bss.page_aligned)
        *(.bss .bss.* COMMON)
        . = ALIGN(64);
        /* The boot CPU's copy of the per-CPU data. */
        . = ALIGN(4096);
        _percpu_boot = .;
        . += SIZEOF(.data.percpu);
        . = ALIGN(4096);
        _image_end = .;
    }
    _bss_bytes = ABSOLUTE(_image_end - _load_end);
    _entry_phys = ABSOLUTE(_entry - IMAGE_START);

    /DISCARD/ : { *(.comment .note .note.* .eh_frame .eh_frame_hdr .interp .dynamic .dynsym .dynstr .hash .gnu.hash) }
    ASSERT(_image_end < IMAGE_START + IMAGE_SIZE, "the image is too large")
}
