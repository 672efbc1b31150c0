/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The local APIC of a vCPU.  Intel SDM 3A, 11 "Advanced Programmable Interrupt Controller (APIC)". */
#ifndef POLDER_HVM_VLAPIC_H
#define POLDER_HVM_VLAPIC_H

#include "devices.h"

#define APIC_ID 0x20
#define APIC_LVR 0x30
#define APIC_TPR 0x80
#define APIC_APR 0x90
#define APIC_PPR 0xa0
#define APIC_EOI 0xb0
#define APIC_LDR 0xd0
#define APIC_DFR 0xe0
#define APIC_SPIV 0xf0
#define APIC_ISR 0x100
#define APIC_TMR 0x180
#define APIC_IRR 0x200
#define APIC_ESR 0x280
#define APIC_CMCI 0x2f0
#define APIC_ICR 0x300
#define APIC_ICR2 0x310
#define APIC_LVTT 0x320
#define APIC_LVTTHMR 0x330
#define APIC_LVTPC 0x340
#define APIC_LVT0 0x350
#define APIC_LVT1 0x360
#define APIC_LVTERR 0x370
#define APIC_TMICT 0x380
#define APIC_TMCCT 0x390
#define APIC_TDCR 0x3e0
#define APIC_SELF_IPI 0x3f0

#define APIC_VERSION 0x00050014U
#define APIC_SPIV_ENABLED 0x100U
#define LVT_MASKED 0x10000U
#define LVT_TIMER_MODE 0x60000U
#define LVT_TIMER_PERIODIC 0x20000U
#define LVT_TIMER_TSC_DEADLINE 0x40000U
#define LVT_MODE(lvt) (((lvt) >> 8) & 7)
#define ESR_SEND_ILLEGAL 0x20U
#define ESR_RECV_ILLEGAL 0x40U
#define ESR_REGISTER 0x80U

#define VLAPIC_DISABLED_HW 1U /* APICBASE.EN clear */
#define VLAPIC_DISABLED_SW 2U /* SPIV bit 8 clear */
#define APIC_TICK_NS 10       /* the timer's clock before its divisor: 100 MHz */

/* Intel SDM 3C, 30.6 "Posted-Interrupt Processing" */
struct posted_interrupts {
    uint32_t requested[8]; /* [a] */
    uint32_t notified;     /* [a] bit 0: VECTOR_POSTED_INTR is on its way */
    uint32_t unused[7];
} __aligned(64);

struct vlapic {
    struct posted_interrupts posted; /* requests that reach a running guest without an exit */
    struct vcpu *v;
    struct hvm_hw_lapic hw;
    uint8_t *regs;         /* a page: the registers, 16 bytes apart (hardware reads it with APIC virtualisation) */
    uint32_t requested[8]; /* [a] vectors on their way into IRR, which v's CPU alone writes */
    bool any_requested;    /* [a] */
    bool trigger_changed;  /* [a] TMR was written */
    uint32_t timer_mode;   /* that of LVTT */
    uint32_t esr_latched;  /* errors since the ESR was last written */
    struct timer timer;
    time_ns_t timer_start, timer_period; /* period 0: one shot, or not running */
    bool timer_running;
    spinlock_t esr_lock;
};

static inline uint32_t vlapic_reg(const struct vlapic *l, unsigned reg)
{
    return *(const volatile uint32_t *)(l->regs + reg);
}
static inline void vlapic_set_reg(struct vlapic *l, unsigned reg, uint32_t value)
{
    *(volatile uint32_t *)(l->regs + reg) = value;
}
static inline bool vlapic_hw_enabled(const struct vlapic *l) { return !(l->hw.disabled & VLAPIC_DISABLED_HW); }
static inline bool vlapic_enabled(const struct vlapic *l) { return !l->hw.disabled; }
static inline bool vlapic_x2apic(const struct vlapic *l) { return l->hw.apic_base_msr & 0x400; }

/* v is current, or does not run: moves requests into IRR. */
void vlapic_take_requests(struct vlapic *l);
int vlapic_highest_irr(struct vlapic *l); /* with the requests; -1: none */
int vlapic_highest_isr(const struct vlapic *l);
void vlapic_prepare_entry(struct vlapic *l);
int vlapic_pending(struct vlapic *l); /* deliverable vector, or -1 */
void vlapic_acknowledge(struct vlapic *l, uint8_t vector);
void vlapic_eoi(struct vlapic *l);
void vlapic_error(struct vlapic *l, uint32_t bits);
void vlapic_send_ipi(struct vlapic *l, uint32_t icr_low, uint32_t dest);
/* Registers as the guest sees them; writes have their effects. false: no such register (x2APIC: #GP). */
bool vlapic_read_reg(struct vlapic *l, unsigned reg, uint32_t *value);
bool vlapic_write_reg(struct vlapic *l, unsigned reg, uint32_t value);
/* Timer */
void vlapic_timer_init(struct vlapic *l);
void vlapic_timer_start(struct vlapic *l);  /* TMICT or the mode was written */
void vlapic_timer_resume(struct vlapic *l); /* after restore: goes on at TMCCT; at 0 it has run out */
void vlapic_timer_stop(struct vlapic *l);
uint32_t vlapic_timer_count(struct vlapic *l);
void vlapic_set_divisor(struct vlapic *l);

extern const struct mmio_ops vlapic_mmio_ops;

#endif
