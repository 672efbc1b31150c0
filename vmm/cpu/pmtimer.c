/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ACPI power management timer: 3.579545 MHz, 24 or 32 bits. ACPI 6.4, 4.8.3.3. */
#include "acpi.h"
#include "asm.h"
#include "platform_timer.h"

static uint64_t pm_read(void) { return inl((uint16_t)acpi_info.pm_timer_port); }

static bool pm_probe(struct platform_timer *t)
{
    uint64_t first;

    if (!acpi_info.pm_timer_port)
        return false;
    t->mask = acpi_info.pm_timer_32bit ? 0xffffffff : 0xffffff;
    first = pm_read() & t->mask;
    for (unsigned i = 0; i < 10000; i++) {
        if ((pm_read() & t->mask) != first)
            return true;
    }
    return false;
}

struct platform_timer pm_timer = {.name = "ACPI PM timer", .probe = pm_probe, .read = pm_read, .hz = 3579545};
