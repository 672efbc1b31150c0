/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debug keys: typed on the console after three Ctrl-a, or sent with `xl debug-keys`. Registered during boot only. */
#include "console.h"
#include "../cpu/cpu.h"
#include "../cpu/percpu.h"
#include "../domain/domain.h"
#include "../domain/show.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "../mm/alloc.h"

static struct {
    const char *help;
    void (*fn)(char key);
} handlers[128];

void keyhandler_register(char key, const char *help, void (*fn)(char key))
{
    if (key < 0) /* char is signed: not ASCII */
        return;
    handlers[(unsigned)key].help = help;
    handlers[(unsigned)key].fn = fn;
}

void keyhandler_run(char key)
{
    if (key >= 0 && handlers[(unsigned)key].fn) {
        printk("'%c' pressed -> %s\n", key, handlers[(unsigned)key].help);
        handlers[(unsigned)key].fn(key);
    } else {
        printk("No debug key '%c': 'h' lists them\n", key >= ' ' ? key : '?');
    }
}

static void show_help(char key)
{
    for (unsigned i = ' '; i < ARRAY_SIZE(handlers); i++)
        if (handlers[i].fn)
            printk(" '%c': %s\n", (char)i, handlers[i].help);
}

static void show_one_cpu(void *unused)
{
    const struct vcpu *v = current;

    printk("CPU %u: ", smp_processor_id());
    if (!v || v->is_idle) {
        printk("idle\n");
        return;
    }
    printk("domain %u vCPU %u\n", v->domain->id, v->id);
    show_registers(&v->regs);
}

/* One CPU after the other, so that their lines do not mix. */
static void show_cpus(char key)
{
    unsigned cpu;

    for_each_online_cpu(cpu) {
        cpumask_t one = {};

        cpumask_set(cpu, &one);
        on_cpus(&one, show_one_cpu, NULL, true);
    }
}

static void reboot(char key) { machine_restart(0); }

static void show_memory(char key)
{
    printk("RAM: %lu MiB, free: %lu MiB, claimed: %lu MiB\n", total_ram_pages() >> 8, avail_heap_pages() >> 8,
           outstanding_claims() >> 8);
}

void keyhandler_init(void)
{
    keyhandler_register('h', "show this help", show_help);
    keyhandler_register('d', "dump the registers of what each CPU runs", show_cpus);
    keyhandler_register('q', "dump domains and what their vCPUs wait for", show_domains);
    keyhandler_register('R', "reboot the machine", reboot);
    keyhandler_register('m', "memory info", show_memory);
}
