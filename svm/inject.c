/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events for the guest: by EVENTINJ what it can take now, and as a virtual
 * interrupt (V_IRQ) what waits for its IF or TPR, which the CPU then delivers
 * without an exit.  AMD APM 2, 15.20 "Event Injection", 15.21.4 "Injecting
 * Virtual (INTR) Interrupts".
 *
 * QEMU's TCG needs two exceptions (svm_in_tcg).  It may deliver an external
 * interrupt twice that came by EVENTINJ: all go as V_IRQ there.  It aborts at a
 * write of CR8 while V_IRQ is set, and delivers what has only the TPR's class:
 * such writes exit then, and V_IRQ is set for what the TPR lets through.
 */
#include "../vmm/cpu/regs.h"
#include "svm.h"

#define VIRQ_BITS (VINTR_IRQ | VINTR_PRIO_MASK | VINTR_IGN_TPR | VINTR_VECTOR_MASK)

static uint64_t svm_virq(uint8_t vector, bool heeds_tpr)
{
    return VINTR_IRQ | (heeds_tpr ? 0 : VINTR_IGN_TPR) | (uint64_t)(vector >> 4) << VINTR_PRIO_SHIFT |
           (uint64_t)vector << VINTR_VECTOR_SHIFT;
}

static void svm_watch_cr8(struct svm_vcpu *s, bool on)
{
    uint16_t cr_writes = (s->vmcb->cr_writes & ~BIT(8)) | (on ? BIT(8) : 0);

    if (cr_writes == s->vmcb->cr_writes)
        return;
    s->vmcb->cr_writes = cr_writes;
    svm_dirty(s, CLEAN_INTERCEPTS);
}

static void svm_set_vintr(struct svm_vcpu *s, uint64_t vintr)
{
    if (vintr == s->vmcb->vintr)
        return;
    s->vmcb->vintr = vintr;
    svm_dirty(s, CLEAN_VINTR);
}

/* virq: of svm_virq(), or 0 for none */
static void svm_set_virq(struct svm_vcpu *s, uint64_t virq)
{
    svm_set_vintr(s, (s->vmcb->vintr & ~VIRQ_BITS) | virq);
    svm_set_intercepts(s, &s->vmcb->intercepts1, INTERCEPT_VINTR, virq && s->window_wanted);
    svm_watch_cr8(s, virq && svm_in_tcg);
}

void svm_offer_interrupt(struct vcpu *v, uint8_t vector, bool heeds_tpr)
{
    struct svm_vcpu *s = svm_of(v);
    bool later = svm_in_tcg && heeds_tpr && vector >> 4 <= (s->vmcb->vintr & 0xf); /* after the next write of CR8 */

    if (s->reinjecting)
        return;
    s->window_wanted = false;
    s->irq_offered = !later;
    s->offered_vector = vector;
    svm_set_virq(s, later ? 0 : svm_virq(vector, heeds_tpr));
    if (later)
        svm_watch_cr8(s, true);
}

void svm_withdraw_interrupt(struct vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);

    s->irq_offered = false;
    if (!s->reinjecting && !s->window_wanted)
        svm_set_virq(s, 0);
}

/* The CPU clears V_IRQ when the guest takes the interrupt. */
bool svm_interrupt_taken(struct vcpu *v, uint8_t *vector)
{
    struct svm_vcpu *s = svm_of(v);

    if (!s->irq_offered || (s->vmcb->vintr & VINTR_IRQ))
        return false;
    s->irq_offered = false;
    svm_set_virq(s, 0);
    *vector = s->offered_vector;
    return true;
}

void svm_interrupt_window(struct vcpu *v, bool on)
{
    struct svm_vcpu *s = svm_of(v);

    if (on == s->window_wanted || s->reinjecting || s->irq_offered)
        return;
    s->window_wanted = on;
    svm_set_virq(s, on ? svm_virq(0, false) : 0);
}

/* It was acknowledged before; IF is set. */
static void svm_inject_interrupt(struct vcpu *v, uint8_t vector)
{
    struct svm_vcpu *s = svm_of(v);

    svm_interrupt_window(v, false);
    if (!svm_in_tcg) {
        s->vmcb->eventinj = EVENTINJ_V | (uint64_t)EVENT_EXT_INTR << EVENTINJ_TYPE_SHIFT | vector;
        s->injected = (struct hvm_event){.valid = true, .type = EVENT_EXT_INTR, .vector = vector};
        s->injected_rip = v->regs.rip;
        return;
    }
    s->irq_offered = false;
    s->reinjecting = true;
    s->offered_vector = vector;
    svm_set_virq(s, svm_virq(vector, false));
}

void svm_inject_event(struct vcpu *v, const struct hvm_event *e)
{
    struct svm_vcpu *s = svm_of(v);
    uint64_t inj = EVENTINJ_V | e->vector;

    switch (e->type) {
    case EVENT_EXT_INTR: svm_inject_interrupt(v, e->vector); return;
    case EVENT_NMI:
        svm_set_nmi_blocked(v, true);
        inj |= (uint64_t)EVENT_NMI << EVENTINJ_TYPE_SHIFT;
        break;
    case EVENT_SW_INTR: inj |= (uint64_t)EVENT_SW_INTR << EVENTINJ_TYPE_SHIFT; break;
    default: /* breakpoints and overflows are exceptions here: APM 2, 15.20 */
        inj |= (uint64_t)EVENT_EXCEPTION << EVENTINJ_TYPE_SHIFT;
        if (e->has_error)
            inj |= EVENTINJ_EV | (uint64_t)e->error_code << 32;
        if (e->vector == X86_TRAP_PF && e->type == EVENT_EXCEPTION) {
            v->hvm->cr[2] = e->cr2;
            svm_update_cr(v, 2);
        }
        break;
    }
    if (hvm_event_is_software(e)) /* without NRIP save the return address is RIP as it stands */
        v->regs.rip += e->insn_len;
    s->vmcb->eventinj = inj;
    s->injected = *e;
    s->injected_rip = v->regs.rip;
}

bool svm_event_pending(struct vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);

    return (s->vmcb->eventinj & EVENTINJ_V) || s->reinjecting;
}

/* After an exit: EVENTINJ was used up (or stands in EXITINTINFO), and so was a V_IRQ that had been taken. */
void svm_note_injection_done(struct vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);

    s->vmcb->eventinj = 0;
    if (s->reinjecting && !(s->vmcb->vintr & VINTR_IRQ)) {
        s->reinjecting = false;
        svm_set_virq(s, 0);
    }
    if (s->iret_seen && v->regs.rip != s->iret_rip) {
        s->iret_seen = false;
        s->nmi_masked = false;
    }
}

/* RIP is still where it was injected. */
static bool svm_was_injected(const struct svm_vcpu *s, uint64_t rip, const struct hvm_event *e)
{
    return s->injected.valid && rip == s->injected_rip && e->vector == s->injected.vector;
}

/*
 * What e, as the CPU tells it, was.  It calls INT3 and INTO exceptions, with RIP
 * at themselves (APM 2, 15.20): without a length, they are executed again.  Some
 * emulators report an interrupt as an exception: the vector tells.  Others do not
 * report INT n: what stands there is the event before it, or 0 if none was yet.
 */
static enum event_type svm_event_type(const struct hvm_event *e)
{
    if (e->type == EVENT_EXT_INTR)
        return e->vector == 0 ? EVENT_SW_INTR : EVENT_EXT_INTR;
    if (e->type != EVENT_EXCEPTION)
        return e->type;
    switch (e->vector) {
    case X86_TRAP_NMI: return EVENT_NMI;
    case X86_TRAP_BP:
    case X86_TRAP_OF: return EVENT_SW_EXC;
    default: return e->vector >= 32 ? EVENT_EXT_INTR : EVENT_EXCEPTION;
    }
}

/* An event whose delivery the exit interrupted, or came before. */
void svm_decode_exitintinfo(struct vcpu *v, struct hvm_event *e)
{
    struct svm_vcpu *s = svm_of(v);
    uint64_t info = s->vmcb->exitintinfo;

    *e = (struct hvm_event){0};
    if (info & EVENTINJ_V) {
        e->valid = true;
        e->vector = info & 0xff;
        e->type = (info >> EVENTINJ_TYPE_SHIFT) & 7;
        e->has_error = info & EVENTINJ_EV;
        e->error_code = e->has_error ? info >> 32 : 0;
        e->cr2 = s->vmcb->cr2;
        if (svm_was_injected(s, v->regs.rip, e)) {
            *e = s->injected;
            if (hvm_event_is_software(e))
                v->regs.rip -= e->insn_len; /* svm_inject_event moves it on again */
        } else {
            e->type = svm_event_type(e);
        }
    } else if (s->reinjecting) { /* a host interrupt came first: it is the core's again, which may save it */
        *e = (struct hvm_event){.valid = true, .type = EVENT_EXT_INTR, .vector = s->offered_vector};
        s->reinjecting = false;
        svm_set_virq(s, 0);
    }
    s->injected.valid = false;
}

unsigned svm_interrupt_shadow(struct vcpu *v) { return svm_of(v)->vmcb->shadow & 1 ? HVM_SHADOW_STI : 0; }

void svm_set_interrupt_shadow(struct vcpu *v, unsigned shadow)
{
    struct vmcb *vmcb = svm_of(v)->vmcb;

    vmcb->shadow = (vmcb->shadow & ~1UL) | (shadow ? 1 : 0);
}

bool svm_nmi_blocked(struct vcpu *v) { return svm_of(v)->nmi_masked; }

/* The CPU does not tell when an NMI handler ends: its IRET is intercepted. */
void svm_set_nmi_blocked(struct vcpu *v, bool blocked)
{
    struct svm_vcpu *s = svm_of(v);

    s->nmi_masked = blocked;
    s->iret_seen = false;
    svm_set_intercepts(s, &s->vmcb->intercepts1, INTERCEPT_IRET, blocked);
}

/* The masking lasts until the IRET has run: the next exit with another RIP says so. */
void svm_iret_intercepted(struct vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);

    svm_set_intercepts(s, &s->vmcb->intercepts1, INTERCEPT_IRET, false);
    s->iret_seen = true;
    s->iret_rip = v->regs.rip;
}

/* IRET is intercepted while NMIs are blocked, so that window reports itself; a shadow ends soon. */
void svm_nmi_window(struct vcpu *v, bool on)
{
    struct svm_vcpu *s = svm_of(v);

    s->nmi_window_wanted = on;
    if (on && !s->nmi_masked)
        svm_interrupt_window(v, true);
}

/* CR8 as the guest has it: V_TPR, since V_INTR_MASKING is set. APM 2, 15.21.2 "Virtualizing APIC.TPR". */
void svm_update_tpr_shadow(struct vcpu *v, uint8_t tpr, uint8_t threshold)
{
    struct svm_vcpu *s = svm_of(v);

    svm_set_vintr(s, (s->vmcb->vintr & ~VINTR_TPR_MASK) | tpr >> 4);
}

uint8_t svm_tpr_shadow(struct vcpu *v) { return (svm_of(v)->vmcb->vintr & 0xf) << 4; }
