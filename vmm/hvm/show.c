/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For debug keys: why HVM vCPUs exited, and what interrupts are on their way.  Looked at while they run. */
#include "hvm_state.h"
#include "vlapic.h"

static void show_pins(const struct domain *d)
{
    const struct hvm_irq *irq = d->hvm->irq;

    for (unsigned pin = 0; d->hvm->vioapic && pin < NR_GSIS; pin++) {
        const union vioapic_redir_entry *e = &d->hvm->vioapic->hw.redirtbl[pin];

        if (!e->fields.mask || irq->gsi_count[pin])
            printk("    pin %u: vector %#x for %u%s%s%s, held by %u\n", pin, e->fields.vector, e->fields.dest_id,
                   e->fields.trig_mode ? ", level" : ", edge", e->fields.mask ? ", masked" : "",
                   e->fields.remote_irr ? ", sent" : "", irq->gsi_count[pin]);
    }
}

/* Nothing here moves requests: they may only be where the vCPU runs. */
void hvm_show_vcpu(struct vcpu *v)
{
    const struct hvm_vcpu *h = v->hvm;
    const struct vlapic *l = h->vlapic;

    printk("    local APIC%s: base %#lx TPR %#x, LVT timer %#x\n", vlapic_enabled(l) ? "" : " (off)",
           l->hw.apic_base_msr, vlapic_reg(l, APIC_TPR), vlapic_reg(l, APIC_LVTT));
    for (unsigned i = 0; i < 8; i++) {
        uint32_t irr = vlapic_reg(l, APIC_IRR + i * 16), isr = vlapic_reg(l, APIC_ISR + i * 16);

        if (irr | isr | READ_ONCE(l->requested[i]))
            printk("    vectors from %#x: requested %#x, IRR %#x, ISR %#x\n", i * 32, READ_ONCE(l->requested[i]), irr,
                   isr);
    }
    printk("    offered: source %d vector %#x; to be injected: %s vector %#x; NMI %s\n", h->offered.source,
           h->offered.vector, h->pending.valid ? "yes" : "no", h->pending.vector,
           READ_ONCE(v->nmi_is_pending) ? "pending" : "none");
    if (v->id == 0)
        show_pins(v->domain);
}

/* -- exits --------------------------------------------------------------------------------------------------------- */
static const char *const exit_name[NR_VMEXITS] = {
    [VMEXIT_NONE] = "of the host",
    [VMEXIT_CPUID] = "CPUID",
    [VMEXIT_HLT] = "HLT",
    [VMEXIT_PIO] = "ports",
    [VMEXIT_NPF] = "nested page faults",
    [VMEXIT_CR] = "control registers",
    [VMEXIT_DR] = "debug registers",
    [VMEXIT_MSR] = "MSRs",
    [VMEXIT_RDTSC] = "RDTSC",
    [VMEXIT_RDPMC] = "RDPMC",
    [VMEXIT_EXCEPTION] = "exceptions",
    [VMEXIT_HYPERCALL] = "hypercalls",
    [VMEXIT_TASK_SWITCH] = "task switches",
    [VMEXIT_INVLPG] = "INVLPG",
    [VMEXIT_WBINVD] = "WBINVD",
    [VMEXIT_XSETBV] = "XSETBV",
    [VMEXIT_PAUSE] = "PAUSE",
    [VMEXIT_INTR_WINDOW] = "interrupt windows",
    [VMEXIT_NMI_WINDOW] = "NMI windows",
    [VMEXIT_TRIPLE_FAULT] = "triple faults",
    [VMEXIT_INVALID_OP] = "invalid instructions",
    [VMEXIT_EMULATE] = "emulations",
    [VMEXIT_APIC_ACCESS] = "APIC accesses",
    [VMEXIT_APIC_WRITE] = "APIC writes",
    [VMEXIT_APIC_EOI] = "APIC EOIs",
    [VMEXIT_TPR] = "TPR",
    [VMEXIT_SINGLE_STEP] = "single steps",
    [VMEXIT_BAD_STATE] = "bad states",
};

static void show_exits_of(const struct vcpu *v)
{
    uint64_t all = 0;

    printk("d%dv%u has exited for:\n", v->domain->id, v->id);
    for (unsigned i = 0; i < NR_VMEXITS; i++) {
        if (v->hvm->exits[i])
            printk("  %10lu %s\n", v->hvm->exits[i], exit_name[i]);
        all += v->hvm->exits[i];
    }
    printk("  %10lu in all\n", all);
}

void hvm_show_exits(char key)
{
    struct domain *d;
    struct vcpu *v;

    for (domid_t id = 0; (d = domain_get_next(id)) != NULL; id = d->id + 1, domain_put(d)) {
        if (!d->is_hvm)
            continue;
        for_each_vcpu(d, v)
            if (v->hvm)
                show_exits_of(v);
    }
}
