/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A counter of the platform, of known frequency, to measure the TSC against and to go by where TSCs disagree. */
#ifndef POLDER_CPU_PLATFORM_TIMER_H
#define POLDER_CPU_PLATFORM_TIMER_H

#include "../lib/types.h"

struct platform_timer {
    const char *name;
    bool (*probe)(struct platform_timer *t);
    uint64_t (*read)(void);
    uint64_t hz;
    uint64_t mask; /* the counter's bits */
};

/* hpet.c, pmtimer.c */
extern struct platform_timer hpet_timer, pm_timer;

/* pit.c: TSC ticks in about 50 ms, and how long that was by the PIT, in its own ticks (1193182 Hz). */
#define PIT_HZ 1193182U
void pit_measure_tsc(uint64_t *tsc_ticks, uint32_t *pit_ticks);

#endif
