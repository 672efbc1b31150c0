/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which core and socket a CPU is part of, from its APIC ID (Intel SDM 3A, 9.9.2; AMD APM 3, E.5.2). One node only. */
#include "asm.h"
#include "cpu.h"

/* Bits of the APIC ID below the core number and below the socket number. */
static void topology_shifts(unsigned *core_shift, unsigned *socket_shift)
{
    static unsigned core, socket;
    static bool known;
    uint32_t r[4];

    if (!known) {
        if (cpu_features.max_leaf >= 0xb) {
            for (uint32_t i = 0; i < 8; i++) {
                cpuid_count(0xb, i, r);
                if (!(r[2] >> 8 & 0xff))
                    break;
                if ((r[2] >> 8 & 0xff) == 1) /* level type SMT */
                    core = r[0] & 0x1f;
                socket = r[0] & 0x1f;
            }
        }
        if (!socket && (cpu_features.leaf1_edx & BIT(28))) {
            cpuid_count(1, 0, r);
            while (1U << socket < (r[1] >> 16 & 0xff))
                socket++;
        }
        known = true;
    }
    *core_shift = core;
    *socket_shift = socket;
}

unsigned cpu_to_node(unsigned cpu) { return 0; }

unsigned cpu_to_core(unsigned cpu)
{
    unsigned core_shift, socket_shift;

    topology_shifts(&core_shift, &socket_shift);
    return (cpu_apicid[cpu] & ((1U << socket_shift) - 1)) >> core_shift;
}

unsigned cpu_to_socket(unsigned cpu)
{
    unsigned core_shift, socket_shift;

    topology_shifts(&core_shift, &socket_shift);
    return cpu_apicid[cpu] >> socket_shift;
}
