/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts of the machine: vectors, IOAPIC pins and MSIs, and who handles
 * them: the hypervisor, or a guest through a pirq (vmm/domain/pirq.c).
 */
#ifndef POLDER_CPU_IRQ_H
#define POLDER_CPU_IRQ_H

#include "../lib/cpumask.h"
#include "../lib/types.h"

struct cpu_user_regs;

/* Vectors with a fixed use. 0x20 to 0xef are given out; higher ones are of higher priority. */
#define VECTOR_DYNAMIC_FIRST 0x21
#define VECTOR_DYNAMIC_LAST 0xef
#define VECTOR_LEGACY_SYSCALL 0x80
#define VECTOR_HYPERCALL 0x82
#define VECTOR_SPURIOUS 0xff
#define VECTOR_ERROR 0xfe
#define VECTOR_INVALIDATE 0xfd
#define VECTOR_EVENT_CHECK 0xfc
#define VECTOR_CALL_FUNCTION 0xfb
#define VECTOR_LOCAL_TIMER 0xfa
#define VECTOR_POSTED_INTR 0xf9

#define NR_IRQS 1024 /* GSIs first (as the IOAPICs number them), then MSIs */

typedef void (*irq_handler_t)(int irq, void *data);

extern unsigned nr_irqs_gsi; /* GSIs that the IOAPICs have */

/* All C-level interrupt handling begins here; interrupts off. vector: entry_vector of the frame. */
void do_irq(struct cpu_user_regs *regs);
/* VM exits where the CPU has acknowledged the interrupt already (VT-x) call this with its vector. */
void do_irq_vector(unsigned vector);

/* For the hypervisor's own devices. 0, -EBUSY, -EINVAL. */
int request_irq(int irq, irq_handler_t fn, void *data, const char *name);
void free_irq(int irq);

/*
 * For guests. The handler runs with interrupts off; a level-triggered line stays masked (or un-EOIed) until irq_guest_eoi.
 */
int irq_bind_guest(int irq, irq_handler_t fn, void *data, bool shareable) __must_check;
void irq_unbind_guest(int irq, void *data);
void irq_guest_eoi(int irq, void *data);
bool irq_needs_eoi(int irq);
bool irq_is_shared(int irq);   /* more than one guest has it */
bool irq_exists(int irq);      /* a GSI with a pin, or an MSI that is set up */
void irq_synchronize(int irq); /* waits until no handler of it runs; without locks that handlers take */
void irq_set_affinity(int irq, unsigned cpu);

/* Trigger and polarity of a GSI as Dom0 learnt them (PHYSDEVOP_setup_gsi). */
int irq_setup_gsi(int gsi, bool level, bool active_low) __must_check;
int isa_irq_to_gsi(int isa_irq);
/* PHYSDEVOP_apic_read / apic_write for Dom0. */
int ioapic_guest_read(paddr_t base, unsigned reg, uint32_t *value) __must_check;
int ioapic_guest_write(paddr_t base, unsigned reg, uint32_t value) __must_check;

/* MSI and MSI-X. Returns the IRQ (>= nr_irqs_gsi) or a negative errno. */
struct msi_request {
    uint16_t seg;
    uint8_t bus, devfn;
    unsigned entry_nr;   /* MSI-X: index into the table */
    paddr_t table_base;  /* MSI-X: 0 means plain MSI */
    unsigned nr_vectors; /* multi-message MSI: 1 unless said */
};
int msi_setup(const struct msi_request *req);
void msi_teardown(int irq);
bool msi_device_in_use(uint16_t seg, uint8_t bus, uint8_t devfn);
void msi_restore_device(uint16_t seg, uint8_t bus, uint8_t devfn);

/* Local APIC of this CPU (cpu/apic.c). */
void apic_init_boot(void); /* finds it, chooses xAPIC or x2APIC, masks the 8259s */
void apic_init_cpu(void);
void ioapic_init(void);
void apic_eoi(void);
void apic_send_ipi(unsigned cpu, unsigned vector);
uint32_t apic_id(void);
bool apic_vector_in_service(unsigned vector);

#endif
