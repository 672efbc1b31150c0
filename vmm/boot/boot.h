/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the boot loader handed over, and the command line. */
#ifndef POLDER_BOOT_BOOT_H
#define POLDER_BOOT_BOOT_H

#include "../lib/types.h"

struct e820_entry {
    uint64_t addr, size;
    uint32_t type; /* 1 RAM, 2 reserved, 3 ACPI, 4 NVS, 5 unusable */
};
#define E820_MAX 256
#define E820_RAM 1

struct boot_module {
    paddr_t start;
    uint64_t size;
    const char *cmdline; /* direct map, terminated */
};
#define BOOT_MODULES_MAX 8

struct boot_info {
    struct e820_entry e820[E820_MAX]; /* sorted, without overlaps, as the firmware gave it */
    unsigned nr_e820;
    struct boot_module modules[BOOT_MODULES_MAX]; /* 0: Dom0 kernel, 1: its initrd */
    unsigned nr_modules;
    char cmdline[1024];  /* the hypervisor's own options, without the file's name */
    char dom0_args[512]; /* what stood behind a word "--": more words for Dom0's kernel */
    char loader[64];
    paddr_t rsdp; /* 0: not given, search */
    struct {
        uint16_t cols, rows;
        bool text;
    } vga;
};
extern struct boot_info boot_info;

/*
 * Command-line options.  A parser gets the value ("" for a bare word; a word
 * no-X or X=no is the value "no") and returns 0 or -EINVAL, which is reported
 * and leaves the default.  Place them with the macros, at file scope.
 */
struct boot_param {
    const char *name;
    int (*parse)(const char *value);
};
#ifdef POLDER_HOST /* a name that the host's linker makes the bounds of */
#define PARAM_SECTION "init_params"
#else
#define PARAM_SECTION ".init.params"
#endif
#define BOOT_PARAM(opt, fn)                                                                                            \
    static const struct boot_param __section(PARAM_SECTION)                                                            \
    __used boot_param_##fn = {(opt), (fn)}
/* Parses the command line once; unknown options are named in a warning. */
void cmdline_parse(const char *cmdline);
int parse_bool(const char *value, bool *out);
int parse_uint(const char *value, uint64_t *out);
/* A size with suffix B K M G T; without one in KiB, as Xen has it. Value in bytes. */
int parse_size(const char **value, uint64_t *out);

/* Fills boot_info from what the loader left (32-bit physical address). multiboot.c */
void multiboot_parse(uint32_t magic, uint32_t info);
/* Where it all begins in C, from head.S on the boot CPU's stack. setup.c */
void boot_start(uint32_t magic, uint32_t info) __noreturn;

/* A module whose frames were given away (to Dom0) has its size set to 0 first. Frees the memory of the initial code and data, and of the modules that were consumed. */
void free_init_memory(void);

#endif
