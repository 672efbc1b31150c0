/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers of the local APIC by their xAPIC offsets (Intel SDM 3A, table 11-1), and what the files of this folder share. */
#ifndef POLDER_CPU_APIC_H
#define POLDER_CPU_APIC_H

#include "../lib/types.h"

#define APIC_ID 0x20
#define APIC_VERSION 0x30
#define APIC_TPR 0x80
#define APIC_EOI 0xb0
#define APIC_SVR 0xf0
#define APIC_SVR_ENABLE 0x100
#define APIC_ISR 0x100
#define APIC_ESR 0x280
#define APIC_ICR 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_ICR_PENDING 0x1000
#define APIC_ICR_ASSERT 0x4000
#define APIC_ICR_SELF 0x40000
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_LVT_MASKED 0x10000
#define APIC_LVT_TSC_DEADLINE 0x40000
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE 0x3e0
#define APIC_TIMER_DIVIDE_1 0xb
#define APIC_SELF_IPI 0x3f0

#define APIC_DM_NMI 0x400
#define APIC_DM_INIT 0x500
#define APIC_DM_STARTUP 0x600

uint32_t apic_read(unsigned reg);
void apic_write(unsigned reg, uint32_t value);
void apic_send_nmi(unsigned cpu);
void apic_send_init(unsigned cpu);
void apic_send_startup(unsigned cpu, unsigned page);
void apic_error_interrupt(void);

void apic_timer_init_cpu(void);
void apic_timer_calibrate(void); /* boot CPU, once the TSC's frequency is known */

#endif
