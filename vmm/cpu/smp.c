/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding and starting the other CPUs.  Intel SDM 3A, 9.4.4; AMD APM 2, 15.27.
 * One CPU is started at a time; the boot CPU waits for it.
 */
#include "../boot/boot.h"
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "../mm/percpu.h"
#include "../mm/pgtable.h"
#include "../sched/sched.h"
#include "acpi.h"
#include "apic.h"
#include "asm.h"
#include "cpu.h"
#include "entry.h"
#include "irq.h"
#include "regs.h"
#include "time.h"
#include "tsc_sync.h"

extern const char trampoline_start[], trampoline_end[], trampoline_64[], trampoline_gdt[];
extern const char trampoline_gdtr[], trampoline_far[], trampoline_cr3[], trampoline_efer[], trampoline_stack[],
    trampoline_entry[];

cpumask_t cpu_online_map;
uint32_t cpu_apicid[MAX_CPUS];
unsigned nr_cpus_possible = 1;
static uint64_t max_cpus = MAX_CPUS;
static uint32_t ap_alive; /* number of the CPU that has come as far as C */

static int parse_maxcpus(const char *value)
{
    uint64_t n;

    if (parse_uint(value, &n))
        return -EINVAL;
    max_cpus = MAX(MIN(n, (uint64_t)MAX_CPUS), 1UL);
    return 0;
}
BOOT_PARAM("maxcpus", parse_maxcpus);

static int parse_nosmp(const char *value)
{
    max_cpus = 1;
    return 0;
}
BOOT_PARAM("nosmp", parse_nosmp);

void smp_prepare(void)
{
    unsigned skipped = 0;

    cpumask_set(0, &cpu_online_map);
    for (unsigned i = 0; i < acpi_info.nr_cpus; i++) {
        const struct acpi_cpu *c = &acpi_info.cpu[i];

        if (!c->enabled || c->apic_id == cpu_apicid[0])
            continue;
        /* Interrupts reach 8-bit IDs only without remapping. */
        if (nr_cpus_possible >= max_cpus || c->apic_id >= 255) {
            skipped++;
            continue;
        }
        cpu_apicid[nr_cpus_possible++] = c->apic_id;
    }
    printk(LOG_INFO "SMP: %u CPUs%s\n", nr_cpus_possible, skipped ? ", others are not used" : "");
}

/* -- the new CPU --------------------------------------------------------------------------------------------------- */

static void __noreturn ap_main(void)
{
    unsigned cpu = smp_processor_id();

    cpu_init();
    apic_init_cpu();
    __atomic_store_n(&ap_alive, cpu, __ATOMIC_SEQ_CST);
    time_init_cpu();
    sched_init_cpu(cpu);
    cpumask_set(cpu, &cpu_online_map);
    local_irq_enable();
    reset_stack_and_jump(idle_loop);
}

/* -- the boot CPU -------------------------------------------------------------------------------------------------- */

/* A page of RAM below 640 KiB; the allocator leaves the first MiB alone. 0: none. */
static paddr_t trampoline_page(void)
{
    paddr_t best = 0;

    for (unsigned i = 0; i < boot_info.nr_e820; i++) {
        const struct e820_entry *e = &boot_info.e820[i];
        paddr_t end = MIN(e->addr + e->size, 0xa0000UL) & PAGE_MASK;

        if (e->type == E820_RAM && end >= 2 * PAGE_SIZE && end - PAGE_SIZE >= e->addr && end - PAGE_SIZE > best)
            best = end - PAGE_SIZE;
    }
    return best;
}

static void put_trampoline(char *page, const char *symbol, uint64_t value, size_t size)
{
    memcpy(page + (symbol - trampoline_start), &value, size);
}

/* The page's contents are the firmware's or Dom0's concern afterwards: they are put back. */
static char *write_trampoline(paddr_t pa)
{
    char *page = ioremap_cache(pa, PAGE_SIZE, 0);

    if (!page)
        return NULL;
    memcpy(page, trampoline_start, (size_t)(trampoline_end - trampoline_start));
    put_trampoline(page, trampoline_gdtr + 2, pa + (uint64_t)(trampoline_gdt - trampoline_start), 4);
    put_trampoline(page, trampoline_far, pa + (uint64_t)(trampoline_64 - trampoline_start), 4);
    put_trampoline(page, trampoline_cr3, idle_cr3(), 4);
    put_trampoline(page, trampoline_efer, EFER_LME | (cpu_features.nx ? EFER_NXE : 0), 4);
    put_trampoline(page, trampoline_entry, (uint64_t)ap_main, 8);
    return page;
}

/* Memory of a CPU that has none yet: per-CPU data, GDT, stack with struct cpu_info. */
static struct cpu_info *prepare_cpu(unsigned cpu)
{
    struct cpu_info *info;
    char *stack;

    if (percpu_init_cpu(cpu) || desc_prepare_cpu(cpu) || !(stack = alloc_xenheap_pages(STACK_ORDER)))
        return NULL;
    memset(stack, 0, STACK_SIZE);
    info = (struct cpu_info *)(stack + STACK_SIZE) - 1;
    info->cpu = cpu;
    info->percpu_offset = percpu_offset[cpu];
    return info;
}

static bool wait_for(bool (*done)(unsigned cpu), unsigned cpu, unsigned ms)
{
    time_ns_t end = now() + (time_ns_t)ms * 1000000;

    while (!done(cpu)) {
        if (now() > end)
            return false;
        cpu_relax();
    }
    return true;
}

static bool is_alive(unsigned cpu) { return __atomic_load_n(&ap_alive, __ATOMIC_SEQ_CST) == cpu; }
static bool is_online(unsigned cpu) { return cpumask_test(cpu, &cpu_online_map); }

static int boot_cpu(unsigned cpu, char *trampoline, unsigned page)
{
    struct cpu_info *info = prepare_cpu(cpu);

    if (!info)
        return -ENOMEM;
    put_trampoline(trampoline, trampoline_stack, (uint64_t)info, 8);
    smp_mb();
    apic_send_init(cpu);
    udelay(10000);
    for (unsigned try = 0; try < 2 && !is_alive(cpu); try++) {
        apic_send_startup(cpu, page);
        udelay(200);
        wait_for(is_alive, cpu, try ? 1000 : 10);
    }
    if (!is_alive(cpu))
        return -ETIMEDOUT;
    tsc_sync_check_boot();
    /* It cannot be taken back any more, and all that is left are a few functions. */
    if (!wait_for(is_online, cpu, 10000))
        panic("CPU %u stopped in the middle of its start", cpu);
    return 0;
}

void smp_boot_all(void)
{
    paddr_t pa = trampoline_page();
    char *saved, *trampoline;

    if (nr_cpus_possible == 1) {
        time_init_done();
        return;
    }
    saved = alloc_zeroed_page();
    trampoline = pa ? ioremap_cache(pa, PAGE_SIZE, 0) : NULL;
    if (!saved || !trampoline)
        panic("No page below 1 MiB to start CPUs from");
    memcpy(saved, trampoline, PAGE_SIZE);
    iounmap(trampoline);
    trampoline = write_trampoline(pa);
    for (unsigned cpu = 1; trampoline && cpu < nr_cpus_possible; cpu++) {
        int rc = boot_cpu(cpu, trampoline, (unsigned)(pa >> PAGE_SHIFT));

        if (rc) {
            printk(LOG_ERR "SMP: CPU %u (APIC ID %u) does not start: error %d\n", cpu, cpu_apicid[cpu], -rc);
            nr_cpus_possible = cpu;
        }
    }
    if (trampoline) {
        memcpy(trampoline, saved, PAGE_SIZE);
        iounmap(trampoline);
    }
    free_xenheap_pages(saved, 0);
    printk(LOG_INFO "SMP: %u CPUs are running\n", nr_cpus_possible);
    time_init_done();
}
