/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of CPUs. */
#ifndef POLDER_LIB_CPUMASK_H
#define POLDER_LIB_CPUMASK_H

#include "bitops.h"

#define MAX_CPUS 256

typedef struct {
    DECLARE_BITMAP(bits, MAX_CPUS);
} cpumask_t;

static inline bool cpumask_test(unsigned cpu, const cpumask_t *m) { return test_bit(cpu, m->bits); }
static inline void cpumask_set(unsigned cpu, cpumask_t *m) { set_bit(cpu, m->bits); }
static inline void cpumask_clear(unsigned cpu, cpumask_t *m) { clear_bit(cpu, m->bits); }
static inline unsigned cpumask_next(unsigned from, const cpumask_t *m)
{
    return find_next_bit(m->bits, MAX_CPUS, from);
}
static inline bool cpumask_empty(const cpumask_t *m) { return cpumask_next(0, m) >= MAX_CPUS; }
#define for_each_cpu(cpu, m) for ((cpu) = cpumask_next(0, m); (cpu) < MAX_CPUS; (cpu) = cpumask_next((cpu) + 1, m))

/* CPUs that take part in scheduling; grows during boot only. Defined in cpu/smp.c. */
extern cpumask_t cpu_online_map;
#define for_each_online_cpu(cpu) for_each_cpu(cpu, &cpu_online_map)

#endif
