/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The platform inside the hypervisor: interrupt wiring and controllers, and the
 * timers.  One lock for each domain, struct hvm_irq.lock (LOCK_VLAPIC), guards
 * the wires, the IOAPIC and the PICs; each timer device has its own.
 */
#ifndef POLDER_HVM_DEVICES_H
#define POLDER_HVM_DEVICES_H

#include "../lib/bitops.h"
#include "../lib/string.h"
#include "../mm/alloc.h"
#include "../sched/sched.h"
#include "../cpu/time.h"
#include "hvm.h"

#define NR_GSIS VIOAPIC_NUM_PINS
#define NR_ISA_IRQS 16
#define PCI_WIRES 128 /* device * 4 + INTx */
#define ISA_IRQ_CASCADE 2
#define ISA_IRQ_RTC 8
#define ISA_IRQ_SCI 9

enum callback_type { CALLBACK_NONE, CALLBACK_GSI, CALLBACK_PCI_INTX, CALLBACK_VECTOR };

struct hvm_irq {
    spinlock_t lock;
    struct hvm_hw_pci_irqs pci;
    struct hvm_hw_isa_irqs isa;
    struct hvm_hw_pci_link link;
    uint8_t link_count[4];
    uint8_t gsi_count[NR_GSIS]; /* wires that hold it up */
    enum callback_type callback;
    uint8_t callback_gsi, callback_device, callback_intx, callback_vector;
    bool callback_asserted;
    unsigned lowest_prio_next; /* lowest-priority delivery goes round */
};

/* The wires -> controllers, the irq lock held. */
void vioapic_pin_rises(struct domain *d, unsigned pin);
void vpic_line_rises(struct domain *d, unsigned irq);
void vpic_line_falls(struct domain *d, unsigned irq);

/* vioapic.c */
struct vioapic {
    struct hvm_hw_vioapic hw;
};
int vioapic_init(struct domain *d) __must_check;
void vioapic_eoi(struct domain *d, uint8_t vector);
void vioapic_reset(struct domain *d);

/* vpic.c */
struct vpic {
    struct hvm_hw_vpic hw; /* [0] master, [1] slave */
};
int vpic_init(struct domain *d) __must_check;
void vpic_reset(struct domain *d);
bool vpic_output(struct domain *d);
int vpic_acknowledge(struct domain *d); /* the vector, or -1: it went away (which a PIC answers with IR7) */

/* Delivery of a message (IOAPIC entry, MSI, IPI) to the local APICs that it names. vlapic_ipi.c */
enum apic_mode { APIC_FIXED, APIC_LOWEST, APIC_SMI, APIC_REMOTE_READ, APIC_NMI, APIC_INIT, APIC_STARTUP, APIC_EXTINT };
void vlapic_deliver(struct domain *d, uint32_t dest, bool logical, enum apic_mode mode, uint8_t vector, bool level);
/* Does the destination name this one? */
bool vlapic_matches(struct vcpu *v, uint32_t dest, bool logical);

/* A timer that raises an interrupt again and again, without drift; ticks that the guest could not take follow: vtick.c. */
struct vtick {
    struct timer timer;
    struct domain *d;
    time_ns_t period, next;
    uint64_t owed; /* ticks that the guest has missed */
    bool between;  /* the timer is set for one of these, before next */
    bool extra;    /* for fn: its tick is one of these, and no period has passed */
    bool in_wait;  /* the last tick came while vCPU 0 waited for a CPU */
    void (*fn)(struct domain *d, void *data);
    void *data;
    struct vtick *other; /* the next of the domain's */
};
void vtick_init(struct vtick *t, struct domain *d, void (*fn)(struct domain *, void *), void *data);
void vtick_start(struct vtick *t, time_ns_t first, time_ns_t period /* 0: once */);
void vtick_stop(struct vtick *t);
void vtick_kill(struct vtick *t);
void vticks_kill(struct domain *d); /* all of d's */

int vpit_init(struct domain *d) __must_check;
void vpit_free(struct domain *d);
void vpit_reset(struct domain *d);
int vrtc_init(struct domain *d) __must_check;
void vrtc_free(struct domain *d);
void vrtc_reset(struct domain *d);
void vrtc_update_offset(struct domain *d); /* the domain's time offset changed */
int vhpet_init(struct domain *d) __must_check;
void vhpet_free(struct domain *d);
void vhpet_reset(struct domain *d);
int vpmtimer_init(struct domain *d) __must_check;
void vpmtimer_free(struct domain *d);
void vpmtimer_reset(struct domain *d);
/* The buttons of `xl trigger`. -ENODEV: the domain has no ACPI event block. */
int vpmtimer_press_power(struct domain *d) __must_check;
int vpmtimer_press_sleep(struct domain *d) __must_check;
/* HVM_PARAM_ACPI_IOPORTS_LOCATION: 0 or 1. -EINVAL otherwise. */
int vpmtimer_set_location(struct domain *d, uint64_t version) __must_check;
/* Legacy replacement: the HPET takes IRQ 0 and 8 from PIT and RTC. */
bool vhpet_is_legacy(struct domain *d);
void hvm_isa_irq_pulse(struct domain *d, unsigned isa_irq);

/* a * b / c without overflow of a * b. */
static inline uint64_t muldiv64(uint64_t a, uint32_t b, uint32_t c)
{
    uint64_t hi = (a >> 32) * b, lo = (a & 0xffffffff) * b;

    hi += lo >> 32;
    return (hi / c) << 32 | ((hi % c) << 32 | (lo & 0xffffffff)) / c;
}

#endif
