/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC, by memory (xAPIC) or by MSRs (x2APIC).  Intel SDM 3A, 11;
 * AMD APM 2, 16.  Destinations are physical always: logical IDs of x2APIC
 * mode do not work everywhere.
 */
#include "../boot/boot.h"
#include "../lib/printk.h"
#include "../mm/pgtable.h"
#include "acpi.h"
#include "apic.h"
#include "asm.h"
#include "cpu.h"
#include "irq.h"
#include "irq_priv.h"
#include "regs.h"

#define APIC_DEFAULT_BASE 0xfee00000UL

static bool x2apic;
static int x2apic_option = -1; /* -1: decide */
static volatile uint32_t *xapic;

static int parse_x2apic(const char *value)
{
    bool on = true;
    int rc = *value ? parse_bool(value, &on) : 0;

    if (!rc)
        x2apic_option = on;
    return rc;
}
BOOT_PARAM("x2apic", parse_x2apic);

uint32_t apic_read(unsigned reg) { return x2apic ? (uint32_t)rdmsr(MSR_X2APIC_FIRST + reg / 16) : xapic[reg / 4]; }

void apic_write(unsigned reg, uint32_t value)
{
    if (x2apic)
        wrmsr(MSR_X2APIC_FIRST + reg / 16, value);
    else
        xapic[reg / 4] = value;
}

uint32_t apic_id(void)
{
    uint32_t id = apic_read(APIC_ID);

    return x2apic ? id : id >> 24;
}

void apic_eoi(void) { apic_write(APIC_EOI, 0); }

bool apic_vector_in_service(unsigned vector) { return apic_read(APIC_ISR + vector / 32 * 16) >> (vector % 32) & 1; }

/*
 * Without interrupt remapping Intel promises x2APIC mode nothing, but it works under hypervisors; and where the
 * firmware left the CPU in it, or IDs do not fit in 8 bits, it is the only way.
 */
static bool want_x2apic(void)
{
    bool already = rdmsr(MSR_IA32_APICBASE) & APICBASE_EXTD, wide_id = false;

    if (!cpu_features.x2apic)
        return false;
    for (unsigned i = 0; i < acpi_info.nr_cpus; i++)
        wide_id |= acpi_info.cpu[i].enabled && acpi_info.cpu[i].apic_id >= 255;
    if (already || x2apic_option >= 0)
        return already || x2apic_option;
    return wide_id || (cpu_features.leaf1_ecx & BIT(31));
}

static void mask_8259s(void)
{
    outb(0xa1, 0xff);
    outb(0x21, 0xff);
}

void apic_init_boot(void)
{
    paddr_t base = acpi_info.lapic_addr ? acpi_info.lapic_addr : rdmsr(MSR_IA32_APICBASE) & PTE_ADDR;

    if (acpi_info.has_8259)
        mask_8259s();
    x2apic = want_x2apic();
    if (!x2apic) {
        xapic = ioremap(base ? base : APIC_DEFAULT_BASE, PAGE_SIZE);
        if (!xapic)
            panic("No memory to map the local APIC");
    }
    apic_init_cpu();
    cpu_apicid[0] = apic_id();
    printk(LOG_INFO "APIC: %s mode, boot CPU has ID %u\n", x2apic ? "x2APIC" : "xAPIC", cpu_apicid[0]);
}

void apic_init_cpu(void)
{
    uint64_t base = rdmsr(MSR_IA32_APICBASE) | APICBASE_ENABLE;

    wrmsr(MSR_IA32_APICBASE, base);
    if (x2apic)
        wrmsr(MSR_IA32_APICBASE, base | APICBASE_EXTD);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_SVR, APIC_SVR_ENABLE | VECTOR_SPURIOUS);
    /* The 8259s are not used, and NMIs arrive by LINT1 as the PC's wiring has it: on the boot CPU only. */
    apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
    apic_write(APIC_LVT_LINT1, smp_processor_id() ? APIC_LVT_MASKED : APIC_DM_NMI);
    apic_write(APIC_LVT_ERROR, VECTOR_ERROR);
    apic_timer_init_cpu();
    apic_write(APIC_ESR, 0);
    /* Firmware may have left vectors in service; each EOI retires one. */
    for (unsigned i = 0; i < 256; i++) {
        bool any = false;
        for (unsigned w = 0; w < 8; w++)
            any |= apic_read(APIC_ISR + w * 16) != 0;
        if (!any)
            break;
        apic_eoi();
    }
}

static void icr_write(uint32_t dest, uint32_t low)
{
    unsigned long flags;

    if (x2apic) {
        smp_mb(); /* WRMSR to the ICR does not wait for earlier stores (Intel SDM 3A, 11.12.3) */
        wrmsr(MSR_X2APIC_FIRST + APIC_ICR / 16, (uint64_t)dest << 32 | low);
        return;
    }
    flags = local_irq_save();
    while (apic_read(APIC_ICR) & APIC_ICR_PENDING)
        cpu_relax();
    apic_write(APIC_ICR_HIGH, dest << 24);
    apic_write(APIC_ICR, low);
    local_irq_restore(flags);
}

/* To itself by shorthand, which leaves the high half of the ICR alone: an NMI handler may do it anywhere. */
void apic_send_ipi(unsigned cpu, unsigned vector)
{
    if (cpu != smp_processor_id())
        icr_write(cpu_apicid[cpu], APIC_ICR_ASSERT | vector);
    else if (x2apic)
        wrmsr(MSR_X2APIC_FIRST + APIC_SELF_IPI / 16, vector);
    else
        apic_write(APIC_ICR, APIC_ICR_SELF | APIC_ICR_ASSERT | vector);
}

void apic_send_nmi(unsigned cpu) { icr_write(cpu_apicid[cpu], APIC_ICR_ASSERT | APIC_DM_NMI); }

/* INIT, then STARTUP with the page of its first instruction (Intel SDM 3A, 9.4.4.1). */
void apic_send_init(unsigned cpu) { icr_write(cpu_apicid[cpu], APIC_ICR_ASSERT | APIC_DM_INIT); }

void apic_send_startup(unsigned cpu, unsigned page)
{
    icr_write(cpu_apicid[cpu], APIC_ICR_ASSERT | APIC_DM_STARTUP | page);
}

void apic_error_interrupt(void)
{
    uint32_t esr;

    apic_write(APIC_ESR, 0);
    esr = apic_read(APIC_ESR);
    printk(LOG_WARN "CPU%u: APIC error %#x\n", smp_processor_id(), esr);
}
