/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 8254's channel 2, which every PC has: one shot of 50 ms to measure the TSC where nothing better is there. */
#include "asm.h"
#include "platform_timer.h"

#define PIT_CH2 0x42
#define PIT_MODE 0x43
#define PORT_B 0x61
#define PORT_B_GATE2 0x01
#define PORT_B_SPEAKER 0x02
#define PORT_B_OUT2 0x20
#define COUNT (PIT_HZ / 20)

void pit_measure_tsc(uint64_t *tsc_ticks, uint32_t *pit_ticks)
{
    uint8_t port_b = inb(PORT_B) & 0x0f;
    uint64_t start;

    outb(PORT_B, (port_b & ~PORT_B_SPEAKER) | PORT_B_GATE2);
    outb(PIT_MODE, 0xb0); /* channel 2, low byte then high, mode 0: OUT rises at the end of the count */
    outb(PIT_CH2, COUNT & 0xff);
    outb(PIT_CH2, COUNT >> 8);
    start = rdtsc_ordered();
    for (unsigned i = 0; i < 100000000 && !(inb(PORT_B) & PORT_B_OUT2); i++)
        continue;
    *tsc_ticks = rdtsc_ordered() - start;
    *pit_ticks = COUNT;
    outb(PORT_B, port_b);
}
