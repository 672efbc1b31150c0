/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What irq.c and the interrupt controllers' files share. */
#ifndef POLDER_CPU_IRQ_PRIV_H
#define POLDER_CPU_IRQ_PRIV_H

#include "../lib/spinlock.h"
#include "irq.h"

#define IRQ_MAX_ACTIONS 8

/* A source of interrupts as its controller drives it. Called with the IRQ's lock. */
struct irq_chip {
    void (*mask)(int irq, bool mask);
    /* Where it goes. Only the CPU changes while it is unmasked: one register write. */
    void (*route)(int irq, unsigned cpu, unsigned vector);
    bool can_move; /* to another CPU */
};

struct irq_action {
    irq_handler_t fn;
    void *data;
    bool eoi_pending; /* a guest that has not said yet that it is done */
};

/* lock guards all but what is set when the IRQ comes into being (chip, chip_data). */
struct irq_desc {
    spinlock_t lock;
    const struct irq_chip *chip; /* NULL: no such IRQ */
    void *chip_data;
    const char *name;
    bool level, active_low;
    bool guest, shareable;
    uint8_t vector;        /* 0: none yet; for life once given */
    uint16_t cpu, old_cpu; /* old_cpu: where a late interrupt may still arrive; it keeps the vector, too */
    uint8_t nr_actions, in_flight;
    uint32_t running; /* handlers in progress */
    struct irq_action action[IRQ_MAX_ACTIONS];
    uint64_t count;
};

extern struct irq_desc irq_descs[NR_IRQS];

/* Claims the same vector for 'n' IRQs from 'irq' on in a row, aligned to n (a power of two), on one CPU. 0 or -ENOSPC. */
int irq_assign_vectors(int irq, unsigned n, unsigned cpu) __must_check;
/* Gives up an IRQ's vector; it is masked and has no action. */
void irq_release_vector(int irq);
/* IPI of on_cpus(). smp.c */
void smp_call_interrupt(void);

#endif
