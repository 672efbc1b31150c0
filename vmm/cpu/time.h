/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time sources, system time, and the calibration that guests are given. */
#ifndef POLDER_CPU_TIME_H
#define POLDER_CPU_TIME_H

#include "../lib/types.h"

void time_init(void);     /* boot CPU: finds HPET, PM timer, PIT; calibrates the TSC */
void time_init_cpu(void); /* an AP */
extern uint64_t tsc_khz;
extern uint32_t host_hpet_period_fs;

time_ns_t now(void); /* nanoseconds since boot, monotonic over all CPUs */
uint64_t tsc_to_ns(uint64_t ticks);
uint64_t ns_to_tsc(uint64_t ns);
uint64_t ticks_to_ns(uint64_t ticks, uint64_t khz); /* of a clock of another rate */
time_ns_t tsc_to_system_time(uint64_t tsc);         /* of the TSC value on this CPU */
/* Multiplier and shift as in vcpu_time_info: ns = (ticks << shift) * mul >> 32. */
void tsc_scale(uint32_t *mul, int8_t *shift);
void tsc_scale_of(uint64_t khz, uint32_t *mul, int8_t *shift);

/* This CPU's one-shot timer: fires VECTOR_LOCAL_TIMER at the time given (0: off). False if it is past already. */
bool hw_timer_program(time_ns_t deadline);

/* Wall clock, seconds and ns since 1970 at system time 0. */
void wallclock_get(uint64_t *sec, uint32_t *nsec);
void wallclock_set(uint64_t sec, uint32_t nsec, time_ns_t system_time); /* platform_op settime */
uint64_t rtc_read_seconds(void);
void udelay(unsigned us);

#endif
