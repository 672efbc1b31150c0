/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways to reset a PC, one after the other, and to stop it. */
#include "../lib/printk.h"
#include "../mm/pgtable.h"
#include "acpi.h"
#include "asm.h"
#include "cpu.h"
#include "entry.h"
#include "pci.h"
#include "time.h"

#define PORT_KBC 0x64
#define KBC_INPUT_FULL 0x02
#define KBC_PULSE_RESET 0xfe
#define PORT_RESET 0xcf9

enum { ACPI_SPACE_MEMORY, ACPI_SPACE_IO, ACPI_SPACE_PCI };

static void stop_others(void)
{
    local_irq_disable();
    if (!smp_nmi_stop)
        smp_send_nmi_all_but_self();
    udelay(10000);
}

static void reset_by_acpi(void)
{
    uint64_t addr = acpi_info.reset.addr;

    if (acpi_info.reset.space == ACPI_SPACE_IO && addr < 0x10000) {
        outb((uint16_t)addr, acpi_info.reset.value);
    } else if (acpi_info.reset.space == ACPI_SPACE_PCI) {
        /* Device in bits 47:32, function 31:16, register 15:0, on bus 0. ACPI 6.4, 4.8.3.6. */
        struct pci_addr a = {0, 0, (uint8_t)((addr >> 32 & 0x1f) << 3 | (addr >> 16 & 7))};

        pci_conf_write(a, addr & 0xff, 1, acpi_info.reset.value);
    } else if (acpi_info.reset.space == ACPI_SPACE_MEMORY && addr) {
        volatile uint8_t *reg = ioremap(addr, 1);

        if (reg)
            *reg = acpi_info.reset.value;
    } else {
        return;
    }
    udelay(50000);
}

static void reset_by_keyboard(void)
{
    for (unsigned i = 0; i < 10000 && (inb(PORT_KBC) & KBC_INPUT_FULL); i++)
        udelay(2);
    outb(PORT_KBC, KBC_PULSE_RESET);
    udelay(50000);
}

static void reset_by_chipset(void)
{
    uint8_t v = inb(PORT_RESET) & 0xf1;

    outb(PORT_RESET, v | 0x02); /* full reset */
    udelay(50);
    outb(PORT_RESET, v | 0x06);
    udelay(50000);
}

static void __noreturn triple_fault(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __packed none = {0, 0};

    __asm__ volatile("lidt %0; int3" ::"m"(none));
    for (;;)
        __asm__ volatile("hlt");
}

void machine_restart(unsigned delay_ms)
{
    if (delay_ms)
        printk("Restarting in %u ms\n", delay_ms);
    while (delay_ms--)
        udelay(1000);
    stop_others();
    reset_by_acpi();
    reset_by_keyboard();
    reset_by_chipset();
    triple_fault();
}

void machine_halt(void)
{
    stop_others();
    for (;;)
        __asm__ volatile("cli; hlt");
}
