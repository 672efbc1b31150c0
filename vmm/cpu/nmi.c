/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NMIs and machine checks.  Nothing here takes a lock or may fault: an IRET
 * from a fault would let the next NMI in on the same stack (AMD APM 2, 8.2.3).
 */
#include "../boot/boot.h"
#include "../domain/domain.h"
#include "../lib/string.h"
#include "../sched/sched.h"
#include "asm.h"
#include "cpu.h"
#include "entry.h"
#include "irq.h"
#include "regs.h"

/* System control port B: who raised the NMI, and the bits that clear it. */
#define PORT_B 0x61
#define PORT_B_IOCHK 0x40
#define PORT_B_SERR 0x80
#define PORT_B_CLEAR_SERR 0x04
#define PORT_B_CLEAR_IOCHK 0x08

static enum { NMI_DOM0, NMI_FATAL, NMI_IGNORE } nmi_action = NMI_DOM0;

static int parse_nmi(const char *value)
{
    if (!strcmp(value, "dom0"))
        nmi_action = NMI_DOM0;
    else if (!strcmp(value, "fatal"))
        nmi_action = NMI_FATAL;
    else if (!strcmp(value, "ignore"))
        nmi_action = NMI_IGNORE;
    else
        return -EINVAL;
    return 0;
}
BOOT_PARAM("nmi", parse_nmi);

volatile bool smp_nmi_stop;
static uint32_t nmi_reasons; /* port B bits not yet handed to Dom0; bit 0: of unknown origin */

static void __noreturn stop_this_cpu(void)
{
    cpumask_clear(smp_processor_id(), &cpu_online_map);
    for (;;)
        __asm__ volatile("cli; hlt");
}

void nmi_handle(struct cpu_user_regs *regs)
{
    uint8_t reason;

    if (smp_nmi_stop)
        stop_this_cpu();
    if (nmi_action == NMI_IGNORE || smp_processor_id())
        return;
    reason = inb(PORT_B) & (PORT_B_SERR | PORT_B_IOCHK);
    if (nmi_action == NMI_FATAL) {
        show_execution_state(regs);
        panic("NMI, reason %02x", reason);
    }
    /* Keep the line from firing again: Dom0 re-enables it. */
    if (reason & PORT_B_SERR)
        outb(PORT_B, (inb(PORT_B) & 0x0f) | PORT_B_CLEAR_SERR);
    if (reason & PORT_B_IOCHK)
        outb(PORT_B, (inb(PORT_B) & 0x0f) | PORT_B_CLEAR_IOCHK);
    __atomic_fetch_or(&nmi_reasons, reason ? reason : 1, __ATOMIC_SEQ_CST);
    apic_send_ipi(smp_processor_id(), VECTOR_EVENT_CHECK);
}

void nmi_forward_pending(void)
{
    uint32_t reasons;
    struct vcpu *v;

    if (likely(!READ_ONCE(nmi_reasons)))
        return;
    reasons = __atomic_exchange_n(&nmi_reasons, 0, __ATOMIC_SEQ_CST);
    if (!dom0 || !dom0->max_vcpus || !(v = dom0->vcpu[0]))
        return;
    if (reasons & PORT_B_IOCHK)
        set_bit(0, &dom0->shared_info->arch.nmi_reason); /* XEN_NMIREASON_io_error */
    if (reasons & PORT_B_SERR)
        set_bit(1, &dom0->shared_info->arch.nmi_reason); /* XEN_NMIREASON_pci_serr */
    if (reasons & 1)
        set_bit(2, &dom0->shared_info->arch.nmi_reason); /* XEN_NMIREASON_unknown */
    if (!__atomic_exchange_n(&v->nmi_is_pending, true, __ATOMIC_SEQ_CST))
        vcpu_kick(v);
}

/* Every machine check that interrupts is treated as fatal; corrected errors do not raise #MC (SDM 3B, 16.3.1). */
void machine_check(struct cpu_user_regs *regs)
{
    unsigned banks = rdmsr(MSR_IA32_MCG_CAP) & 0xff;

    printk(LOG_ERR "Machine check on CPU %u, MCG_STATUS %lx\n", smp_processor_id(), rdmsr(MSR_IA32_MCG_STATUS));
    for (unsigned i = 0; i < banks && i < 32; i++) {
        uint64_t status = rdmsr(0x401 + 4 * i); /* IA32_MCi_STATUS */

        if (status >> 63)
            printk(LOG_ERR "  bank %u: status %016lx address %016lx\n", i, status,
                   status >> 58 & 1 ? rdmsr(0x402 + 4 * i) : 0UL);
    }
    show_execution_state(regs);
    panic("Machine check");
}
