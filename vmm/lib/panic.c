/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end: what went wrong, where, and on whose behalf; then stop or reboot. */
#include "printk.h"
#include "../boot/boot.h"
#include "../boot/console.h"
#include "../cpu/asm.h"
#include "../cpu/cpu.h"
#include "../cpu/percpu.h"
#include "../domain/domain.h"

static bool noreboot;
static int32_t panicking; /* CPU + 1 of the first to panic */

#define REBOOT_DELAY_MS 5000

static int noreboot_parse(const char *value) { return parse_bool(value, &noreboot); }
BOOT_PARAM("noreboot", noreboot_parse);

static void show_current(void)
{
    const struct vcpu *v = current;

    if (!v)
        printk(LOG_ERR "No vCPU is current yet\n");
    else if (v->is_idle)
        printk(LOG_ERR "Current: idle vCPU %u\n", v->id);
    else
        printk(LOG_ERR "Current: domain %u, vCPU %u, guest RIP %04x:%016lx RSP %016lx CR3 %016lx\n", v->domain->id,
               v->id, v->regs.cs, v->regs.rip, v->regs.rsp, read_cr3());
}

void panic(const char *fmt, ...)
{
    char text[512];
    va_list args;
    int32_t nobody = 0, me = (int32_t)smp_processor_id() + 1;

    local_irq_disable();
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    if (!__atomic_compare_exchange_n(&panicking, &nobody, me, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        /* A panic within the panic: say only why, and stop here. Another CPU's is heard, and waits. */
        if (nobody == me)
            printk(LOG_ERR "Panic while panicking: %s\n", text);
        machine_halt();
    }
    console_panic_begin();
    printk(LOG_ERR "\n****************************************\n");
    printk(LOG_ERR "Panic on CPU %u:\n", smp_processor_id());
    printk(LOG_ERR "%s\n", text);
    printk(LOG_ERR "****************************************\n\n");
    show_current();
    show_stack_trace(NULL);
    smp_send_nmi_all_but_self();
    if (noreboot) {
        printk(LOG_ERR "Halted ('noreboot' is set)\n");
        machine_halt();
    }
    printk(LOG_ERR "Reboot in five seconds ('noreboot' prevents it)...\n");
    machine_restart(REBOOT_DELAY_MS);
}
