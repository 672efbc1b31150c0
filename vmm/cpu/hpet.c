/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The HPET's main counter, its low 32 bits. IA-PC HPET specification 1.0a, 2.3. */
#include "../mm/pgtable.h"
#include "acpi.h"
#include "platform_timer.h"
#include "time.h"

#define HPET_PERIOD 0x04
#define HPET_CONFIG 0x10
#define HPET_CONFIG_ENABLE 1U
#define HPET_CONFIG_LEGACY 2U
#define HPET_COUNTER 0xf0
#define FEMTOSECONDS 1000000000000000UL

uint32_t host_hpet_period_fs;
static volatile uint32_t *hpet;

static uint64_t hpet_read(void) { return hpet[HPET_COUNTER / 4]; }

static bool hpet_probe(struct platform_timer *t)
{
    uint32_t period;

    if (!acpi_info.hpet_addr || !(hpet = ioremap(acpi_info.hpet_addr, 1024)))
        return false;
    period = hpet[HPET_PERIOD / 4];
    /* At most 100 ns by the specification; a chip that is not there reads as all ones. */
    if (!period || period > 100000000)
        return false;
    hpet[HPET_CONFIG / 4] = (hpet[HPET_CONFIG / 4] & ~HPET_CONFIG_LEGACY) | HPET_CONFIG_ENABLE;
    host_hpet_period_fs = period;
    t->hz = FEMTOSECONDS / period;
    return true;
}

struct platform_timer hpet_timer = {.name = "HPET", .probe = hpet_probe, .read = hpet_read, .mask = 0xffffffff};
