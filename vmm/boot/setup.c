/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order in which everything starts. Interrupts stay off until the boot CPU has its timers, softirqs and idle vCPU. */
#include "boot.h"
#include "console.h"
#include "../cpu/acpi.h"
#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/fpu.h"
#include "../cpu/irq.h"
#include "../cpu/policy.h"
#include "../cpu/time.h"
#include "../domain/domain.h"
#include "../hvm/hvm.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "../mm/pgtable.h"
#include "../pv/dom0.h"
#include "../sched/sched.h"
#include "../sched/softirq.h"
#include "../sched/timer.h"

extern const char __percpu_start[], __percpu_end[];
extern char _percpu_boot[];
extern char _image_start[], _image_end[];
extern char _init_text_start[], _init_text_end[], _init_data_start[], _init_data_end[];

/* The boot CPU's per-CPU variables: a copy, so that the template stays what later CPUs start with. */
static void __init setup_boot_percpu(void)
{
    struct cpu_info *info = get_cpu_info();

    memcpy(_percpu_boot, __percpu_start, (size_t)(__percpu_end - __percpu_start));
    *info = (struct cpu_info){.percpu_offset = (uint64_t)_percpu_boot - (uint64_t)__percpu_start};
    percpu_offset[0] = info->percpu_offset;
}

static void __init print_banner(void)
{
    printk("Polder %s, Xen ABI 4.17 (gcc " __VERSION__ ")\n", POLDER_VERSION);
    printk("Loader: %s, command line: %s\n", boot_info.loader[0] ? boot_info.loader : "unknown", boot_info.cmdline);
}

static void __init print_memory_map(void)
{
    static const char *const names[] = {"?", "RAM", "reserved", "ACPI data", "ACPI NVS", "unusable"};

    printk(LOG_INFO "Memory map:\n");
    for (unsigned i = 0; i < boot_info.nr_e820; i++) {
        const struct e820_entry *e = &boot_info.e820[i];

        printk(LOG_INFO "  %012lx - %012lx %s\n", e->addr, e->addr + e->size,
               e->type < ARRAY_SIZE(names) ? names[e->type] : "reserved");
    }
    for (unsigned i = 0; i < boot_info.nr_modules; i++)
        printk(LOG_INFO "Module %u: %012lx + %lu KiB: %s\n", i, boot_info.modules[i].start,
               boot_info.modules[i].size >> 10, boot_info.modules[i].cmdline);
}

static void __init start_memory(uint32_t magic, uint32_t info)
{
    setup_boot_percpu();
    console_early_init();
    multiboot_parse(magic, info);
    cmdline_parse(boot_info.cmdline);
    console_init();
    print_banner();
    print_memory_map();
    mm_init();
}

static void __init start_boot_cpu(void)
{
    cpu_identify();
    cpu_init();
    fpu_init_boot();
    acpi_parse();
    apic_init_boot();
    ioapic_init();
    time_init();
    timer_subsystem_init();
    smp_prepare();
    sched_init();
    if (domains_init())
        panic("No memory for the first domains");
    local_irq_enable();
    console_init_irq();
}

static void __init start_all(void)
{
    smp_boot_all();
    idle_pgd_drop_low();
    hvm_init();
    policy_init();
    dom0_construct();
    console_vga_release();
}

void boot_start(uint32_t magic, uint32_t info)
{
    start_memory(magic, info);
    start_boot_cpu();
    start_all();
    free_init_memory();
    idle_loop();
}

static void free_frames(char *start, char *end)
{
    paddr_t pa = virt_to_paddr(start);

    unmap_pages(start, (uint64_t)(end - start) >> PAGE_SHIFT);
    mm_release_range(pa, pa + (paddr_t)(end - start));
}

void free_init_memory(void)
{
    uint64_t before = avail_heap_pages();

    free_frames(_init_text_start, _init_text_end);
    free_frames(_init_data_start, _init_data_end);
    for (unsigned i = 0; i < boot_info.nr_modules; i++) {
        struct boot_module *m = &boot_info.modules[i];

        if (m->size)
            mm_release_range(m->start, m->start + m->size);
        m->size = 0;
    }
    printk(LOG_INFO "Freed %lu KiB of boot memory\n", (avail_heap_pages() - before) << 2);
}
