/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACPI tables: only those fixed tables that a hypervisor needs; no AML. */
#ifndef POLDER_CPU_ACPI_H
#define POLDER_CPU_ACPI_H

#include "../lib/types.h"

struct acpi_ioapic {
    uint8_t id;
    uint32_t addr, gsi_base;
};
struct acpi_override {
    uint8_t isa_irq;
    uint32_t gsi;
    bool level, active_low;
};
struct acpi_cpu {
    uint32_t apic_id, acpi_id;
    bool enabled;
};
struct acpi_mcfg {
    uint64_t base;
    uint16_t seg;
    uint8_t first_bus, last_bus;
};

struct acpi_info {
    paddr_t rsdp;
    uint64_t lapic_addr;
    struct acpi_ioapic ioapic[16];
    unsigned nr_ioapics;
    struct acpi_override override[32];
    unsigned nr_overrides;
    struct acpi_cpu cpu[512];
    unsigned nr_cpus;
    struct acpi_mcfg mcfg[16];
    unsigned nr_mcfg;
    paddr_t hpet_addr;
    uint32_t pm_timer_port;
    bool pm_timer_32bit;
    uint16_t pm1a_evt, pm1a_cnt, pm1b_cnt;
    uint16_t sci;
    struct {
        uint8_t space;
        uint64_t addr;
        uint8_t value;
    } reset; /* space 255: none */
    bool has_8259, vga_absent;
};
extern struct acpi_info acpi_info;
void acpi_parse(void);
/* Enters sleep state S5 with the values that Dom0 found in AML (platform op enter_acpi_sleep). -EINVAL if not possible. */
int acpi_enter_sleep(uint8_t state, uint16_t pm1a_val, uint16_t pm1b_val) __must_check;

#endif
