/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest is interrupted with.  Faults are queued in v->hvm->pending;
 * before each entry one event is chosen: what was queued or interrupted, then
 * an NMI, then an interrupt.  AMD APM 2, 8.5 "Priorities" and 15.20 to 15.21.
 */
#include "../cpu/regs.h"
#include "../lib/printk.h"
#include "hvm_state.h"
#include "vlapic.h"

/* -- faults ---------------------------------------------------------------------------------------------------- */
static bool exception_is_contributory(uint8_t vector)
{
    return vector == X86_TRAP_DE || (vector >= X86_TRAP_TS && vector <= X86_TRAP_GP);
}

/* Two exceptions meet: does the second become a double fault? APM 2, 8.2.9; SDM 3A, table 6-5. */
static bool exceptions_double(uint8_t first, uint8_t second)
{
    if (first == X86_TRAP_PF)
        return second == X86_TRAP_PF || exception_is_contributory(second);
    return exception_is_contributory(first) && exception_is_contributory(second);
}

bool hvm_event_possible(const struct hvm_event *e, bool protected_mode)
{
    static const uint32_t with_error = BIT(X86_TRAP_DF) | BIT(X86_TRAP_TS) | BIT(X86_TRAP_NP) | BIT(X86_TRAP_SS) |
                                       BIT(X86_TRAP_GP) | BIT(X86_TRAP_PF) | BIT(X86_TRAP_AC);

    if (e->type == EVENT_EXCEPTION)
        return e->vector < 32 && e->vector != X86_TRAP_NMI && e->error_code <= 0xffff &&
               e->has_error == (protected_mode && (with_error & BIT(e->vector)));
    if (e->has_error)
        return false;
    switch (e->type) {
    case EVENT_EXT_INTR:
    case EVENT_SW_INTR: return true;
    case EVENT_NMI: return e->vector == X86_TRAP_NMI;
    case EVENT_PRIV_SW_EXC: return e->vector == X86_TRAP_DB;
    case EVENT_SW_EXC: return e->vector == X86_TRAP_BP || e->vector == X86_TRAP_OF;
    default: return false;
    }
}

void hvm_inject_event(struct vcpu *v, const struct hvm_event *e)
{
    struct hvm_event *p = &v->hvm->pending;

    if (e->type != EVENT_EXCEPTION || !p->valid || p->type != EVENT_EXCEPTION) {
        *p = *e;
        p->valid = true;
        return;
    }
    if (p->vector == X86_TRAP_DF && (exception_is_contributory(e->vector) || e->vector == X86_TRAP_PF)) {
        p->valid = false;
        hvm_triple_fault(v);
    } else if (exceptions_double(p->vector, e->vector)) {
        *p = (struct hvm_event){.valid = true, .type = EVENT_EXCEPTION, .vector = X86_TRAP_DF, .has_error = true};
    } else {
        *p = *e;
        p->valid = true;
    }
}

void hvm_inject_exception(struct vcpu *v, unsigned vector, int error_code, uint64_t cr2)
{
    struct hvm_event e = {.valid = true, .type = EVENT_EXCEPTION, .vector = (uint8_t)vector, .cr2 = cr2};

    e.has_error = error_code >= 0 && (v->hvm->cr[0] & CR0_PE);
    e.error_code = e.has_error ? (uint32_t)error_code : 0;
    hvm_inject_event(v, &e);
}

void hvm_triple_fault(struct vcpu *v)
{
    struct domain *d = v->domain;
    unsigned reason = (unsigned)d->hvm->params[HVM_PARAM_TRIPLE_FAULT_REASON];

    printk(LOG_GUEST LOG_WARN "d%dv%u: triple fault at RIP %#lx\n", d->id, v->id, v->regs.rip);
    if (d->is_privileged)
        hvm_backend->dump(v);
    domain_shutdown(d, reason);
}

/* -- interrupts ------------------------------------------------------------------------------------------------ */
/* Of what the guest lets through right now: nothing else is on its way in, IF is set, no shadow. */
static bool can_take_interrupt(struct vcpu *v)
{
    return !hvm_backend->event_pending(v) && (v->regs.rflags & EFLAGS_IF) && !hvm_backend->interrupt_shadow(v);
}

static void withdraw(struct vcpu *v)
{
    if (v->hvm->offered.source == INTSRC_NONE)
        return;
    hvm_backend->withdraw_interrupt(v);
    v->hvm->offered.source = INTSRC_NONE;
}

static void assist_nmi(struct vcpu *v, struct hvm_intack ack)
{
    bool free = !hvm_backend->event_pending(v) && !hvm_backend->interrupt_shadow(v);

    withdraw(v);
    if (hvm_backend->nmi_blocked(v) || !free) {
        hvm_backend->nmi_window(v, true);
    } else if (hvm_ack_irq(v, &ack)) {
        const struct hvm_event e = {.valid = true, .type = EVENT_NMI, .vector = X86_TRAP_NMI};

        hvm_backend->inject_event(v, &e);
    }
}

/* Acknowledged and injected if it can be taken now, else the window is asked for. */
static void assist_now(struct vcpu *v, struct hvm_intack ack)
{
    struct hvm_event e = {.valid = true, .type = EVENT_EXT_INTR};

    withdraw(v);
    if (!can_take_interrupt(v)) {
        hvm_backend->interrupt_window(v, true);
        return;
    }
    if (!hvm_ack_irq(v, &ack))
        return;
    e.vector = ack.vector;
    hvm_backend->inject_event(v, &e);
}

/* The TPR that the hardware keeps, and when it is to tell: if the TPR alone holds back a pending interrupt. */
static void update_tpr(struct vcpu *v, enum hvm_intsrc source)
{
    uint8_t tpr, threshold = 0;
    int irr;

    if (!hvm_backend->update_tpr_shadow || hvm_backend->set_virtual_interrupts)
        return;
    tpr = vlapic_get_tpr(v);
    if (source == INTSRC_NONE) {
        irr = vlapic_highest_irr(v->hvm->vlapic);
        if (irr >= 0 && irr >> 4 <= tpr >> 4)
            threshold = (uint8_t)(irr >> 4);
    }
    hvm_backend->update_tpr_shadow(v, tpr, threshold);
}

static void offer(struct vcpu *v, struct hvm_intack ack)
{
    hvm_backend->offer_interrupt(v, ack.vector, ack.source == INTSRC_LAPIC);
    v->hvm->offered = ack;
}

/* The local APIC's next interrupt, also if the TPR holds it back: the hardware sees when the guest lowers that. */
static void offer_lapic(struct vcpu *v)
{
    struct vlapic *l = v->hvm->vlapic;
    int irr = vlapic_enabled(l) ? vlapic_highest_irr(l) : -1, isr = vlapic_highest_isr(l);

    if (irr >= 0 && irr >> 4 > isr >> 4)
        offer(v, (struct hvm_intack){INTSRC_LAPIC, (uint8_t)irr});
    else
        withdraw(v);
}

void hvm_intr_assist(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;
    bool offers = hvm_backend->offer_interrupt, now;
    struct hvm_intack ack;

    if (h->pending.valid) {
        h->pending.valid = false;
        hvm_backend->inject_event(v, &h->pending);
    }
    now = !offers || (!hvm_backend->offers_all && can_take_interrupt(v));
    ack = hvm_pending_irq(v);
    vlapic_prepare_entry(h->vlapic);
    update_tpr(v, ack.source);
    if (ack.source == INTSRC_LAPIC && hvm_backend->set_virtual_interrupts)
        return; /* the hardware takes it from the vlapic */
    if (ack.source == INTSRC_NMI) {
        assist_nmi(v, ack);
    } else if (ack.source == INTSRC_PIC || (now && ack.source != INTSRC_NONE)) {
        assist_now(v, ack);
        /* An upcall, unlike the others, may end without an exit, with the local APIC's interrupt still to come. */
        if (ack.source == INTSRC_VECTOR && offers)
            offer_lapic(v);
        else if (ack.source == INTSRC_VECTOR && !hvm_backend->set_virtual_interrupts && vlapic_pending(h->vlapic) >= 0)
            hvm_backend->interrupt_window(v, true);
    } else if (offers && ack.source == INTSRC_VECTOR) {
        offer(v, ack);
    } else if (offers) {
        offer_lapic(v);
    }
}

void hvm_intr_after_exit(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;
    uint8_t vector;

    if (hvm_backend->tpr_shadow) {
        uint8_t class = hvm_backend->tpr_shadow(v) >> 4;

        if (class != vlapic_get_tpr(v) >> 4)
            vlapic_set_tpr(v, (uint8_t)(class << 4));
    }
    if (h->offered.source != INTSRC_NONE && hvm_backend->interrupt_taken(v, &vector)) {
        struct hvm_intack ack = h->offered;

        h->offered.source = INTSRC_NONE;
        (void)hvm_ack_irq(v, &ack);
    }
}
