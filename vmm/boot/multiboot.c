/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads what a Multiboot 1 or 2 loader left in memory into boot_info, so that nothing later needs the original.
 * Multiboot Specification 0.6.96, 3.3 "Boot information format"; Multiboot2 Specification 2.0, 3.6.
 */
#include "boot.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "../mm/page.h"

#define MB1_LOADER_MAGIC 0x2badb002
#define MB2_LOADER_MAGIC 0x36d76289

struct mb1_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr,
        drives_length, drives_addr, config_table, loader_name, apm_table, vbe[4];
    uint64_t fb_addr;
    uint32_t fb_pitch, fb_width, fb_height;
    uint8_t fb_bpp, fb_type;
} __packed;
#define MB1_CMDLINE 0x4
#define MB1_MODS 0x8
#define MB1_MMAP 0x40
#define MB1_LOADER 0x200
#define MB1_FRAMEBUFFER 0x1000

struct mb1_module {
    uint32_t start, end, string, reserved;
};
struct mb1_mmap {
    uint32_t size; /* of what follows */
    uint64_t addr, len;
    uint32_t type;
} __packed;

struct mb2_tag {
    uint32_t type, size;
    union {
        char string[0];
        struct {
            uint32_t start, end;
            char cmdline[];
        } module;
        struct {
            uint32_t entry_size, version;
            uint8_t entries[];
        } mmap;
        struct {
            uint64_t addr;
            uint32_t pitch, width, height;
            uint8_t bpp, type;
        } fb;
    };
};
struct mb2_mmap {
    uint64_t addr, len;
    uint32_t type, zero;
};
enum {
    MB2_END,
    MB2_CMDLINE,
    MB2_LOADER,
    MB2_MODULE,
    MB2_MMAP = 6,
    MB2_FRAMEBUFFER = 8,
    MB2_RSDP_OLD = 14,
    MB2_RSDP_NEW
};
#define FB_TYPE_EGA_TEXT 2

struct boot_info boot_info;
/* The modules' command lines, one after the other. */
static char strings[4096];
static size_t strings_used;
/* The RSDP as the loader copied it: the original's place is not told. */
static char rsdp_copy[64] __aligned(16);

static struct e820_entry raw_map[E820_MAX] __initdata;
static unsigned nr_raw __initdata;

static void *__init phys(uint32_t pa) { return paddr_to_virt(pa); }

static const char *__init keep_string(const char *s)
{
    char *dst = strings + strings_used;
    size_t room = sizeof(strings) - strings_used, n;

    if (room < 2)
        return "";
    n = polder_strlcpy(dst, s, room);
    strings_used += MIN(n, room - 1) + 1;
    return dst;
}

static void __init add_range(uint64_t addr, uint64_t len, uint32_t type)
{
    if (len && addr + len > addr && nr_raw < E820_MAX)
        raw_map[nr_raw++] = (struct e820_entry){addr, len, type ? type : 2};
}

static void __init add_module(uint32_t start, uint32_t end, const char *cmdline)
{
    if (end > start && boot_info.nr_modules < BOOT_MODULES_MAX)
        boot_info.modules[boot_info.nr_modules++] = (struct boot_module){start, end - start, keep_string(cmdline)};
}

/* GRUB 2 leaves the file's name out of command lines; every other loader has it as the first word. */
static bool __init loader_omits_name(void)
{
    return strncmp(boot_info.loader, "GRUB ", 5) == 0 && boot_info.loader[5] >= '1';
}

static const char *__init skip_name(const char *s)
{
    while (*s == ' ')
        s++;
    if (loader_omits_name())
        return s;
    while (*s && *s != ' ')
        s++;
    while (*s == ' ')
        s++;
    return s;
}

static void __init parse_mb1(const struct mb1_info *mbi)
{
    const struct mb1_module *m = phys(mbi->mods_addr);

    if (mbi->flags & MB1_LOADER)
        polder_strlcpy(boot_info.loader, phys(mbi->loader_name), sizeof(boot_info.loader));
    if (mbi->flags & MB1_CMDLINE)
        polder_strlcpy(boot_info.cmdline, skip_name(phys(mbi->cmdline)), sizeof(boot_info.cmdline));
    if (mbi->flags & MB1_MODS)
        for (unsigned i = 0; i < mbi->mods_count; i++)
            add_module(m[i].start, m[i].end, m[i].string ? skip_name(phys(m[i].string)) : "");
    if (mbi->flags & MB1_MMAP) {
        for (uint32_t at = 0; at < mbi->mmap_length;) {
            const struct mb1_mmap *e = phys(mbi->mmap_addr + at);

            add_range(e->addr, e->len, e->type);
            at += e->size + sizeof(e->size);
        }
    } else {
        add_range(0, (uint64_t)mbi->mem_lower << 10, E820_RAM);
        add_range(MB(1), (uint64_t)mbi->mem_upper << 10, E820_RAM);
    }
    if ((mbi->flags & MB1_FRAMEBUFFER) && mbi->fb_type != FB_TYPE_EGA_TEXT)
        boot_info.vga.text = false;
}

static void __init parse_mb2_tag(const struct mb2_tag *t)
{
    switch (t->type) {
    case MB2_CMDLINE: polder_strlcpy(boot_info.cmdline, t->string, sizeof(boot_info.cmdline)); break;
    case MB2_LOADER: polder_strlcpy(boot_info.loader, t->string, sizeof(boot_info.loader)); break;
    case MB2_MODULE: add_module(t->module.start, t->module.end, t->module.cmdline); break;
    case MB2_MMAP:
        for (uint32_t at = 16; at + sizeof(struct mb2_mmap) <= t->size; at += t->mmap.entry_size) {
            const struct mb2_mmap *e = (const void *)((const char *)t + at);

            add_range(e->addr, e->len, e->type);
        }
        break;
    case MB2_FRAMEBUFFER: boot_info.vga.text = t->fb.type == FB_TYPE_EGA_TEXT; break;
    case MB2_RSDP_OLD:
        if (boot_info.rsdp)
            break;
        fallthrough;
    case MB2_RSDP_NEW:
        memcpy(rsdp_copy, t->string, MIN(t->size - 8, (uint32_t)sizeof(rsdp_copy)));
        boot_info.rsdp = (paddr_t)rsdp_copy - IMAGE_START;
        break;
    default: break;
    }
}

static void __init parse_mb2(const uint32_t *info)
{
    for (uint32_t at = 8; at + 8 <= info[0];) {
        const struct mb2_tag *t = (const void *)((const char *)info + at);

        if (t->type == MB2_END || t->size < 8)
            break;
        parse_mb2_tag(t);
        at += ROUND_UP(t->size, 8U);
    }
    /* Tags come in any order: the loader's name is known only now. */
    memmove(boot_info.cmdline, skip_name(boot_info.cmdline), strlen(skip_name(boot_info.cmdline)) + 1);
    for (unsigned i = 0; i < boot_info.nr_modules; i++)
        boot_info.modules[i].cmdline = skip_name(boot_info.modules[i].cmdline);
}

/* The type of [start, end), which no border of a raw entry divides: the highest wins, so RAM must be undisputed. */
static uint32_t __init type_of(uint64_t start)
{
    uint32_t type = 0;

    for (unsigned i = 0; i < nr_raw; i++)
        if (raw_map[i].addr <= start && start - raw_map[i].addr < raw_map[i].size)
            type = MAX(type, raw_map[i].type);
    return type;
}

static uint64_t __init next_border(uint64_t after)
{
    uint64_t next = ~0ULL;

    for (unsigned i = 0; i < nr_raw; i++) {
        uint64_t start = raw_map[i].addr, end = start + raw_map[i].size;

        if (start > after)
            next = MIN(next, start);
        if (end > after)
            next = MIN(next, end);
    }
    return next;
}

static void __init sanitise_map(void)
{
    uint64_t start = 0, end;
    struct e820_entry *last = NULL;

    for (; (end = next_border(start)) != ~0ULL; start = end) {
        uint32_t type = type_of(start);

        if (!type)
            continue;
        if (last && last->type == type && last->addr + last->size == start) {
            last->size += end - start;
        } else if (boot_info.nr_e820 < E820_MAX) {
            last = &boot_info.e820[boot_info.nr_e820++];
            *last = (struct e820_entry){start, end - start, type};
        }
    }
}

static void __init split_dom0_args(void)
{
    char *s = strncmp(boot_info.cmdline, "-- ", 3) == 0 ? boot_info.cmdline : strstr(boot_info.cmdline, " -- ");

    if (!s)
        return;
    polder_strlcpy(boot_info.dom0_args, strchr(s, '-') + 3, sizeof(boot_info.dom0_args));
    *s = '\0';
}

void __init multiboot_parse(uint32_t magic, uint32_t info)
{
    boot_info.vga.text = true;
    boot_info.vga.cols = 80;
    boot_info.vga.rows = 25;
    if (magic == MB1_LOADER_MAGIC)
        parse_mb1(phys(info));
    else if (magic == MB2_LOADER_MAGIC)
        parse_mb2(phys(info));
    else
        panic("Not started by a Multiboot loader (magic %#x): use GRUB's multiboot2 command", magic);
    sanitise_map();
    split_dom0_args();
    if (!boot_info.nr_e820)
        panic("The boot loader gave no memory map");
}
