/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SVM: what becomes of an event whose delivery an exit interrupted. */
#include "fakes.h"

#include "svm/svm.h"
#include "vmm/cpu/regs.h"

#define RIP 0x1000
bool svm_in_tcg;
static struct vmcb vmcb;
static struct svm_vcpu backend;
static struct hvm_vcpu hvm;
static struct vcpu *v;

void svm_set_intercepts(struct svm_vcpu *s, uint32_t *word, uint32_t bits, bool on)
{
    *word = on ? *word | bits : *word & ~bits;
}

void svm_update_cr(struct vcpu *of, unsigned cr) { assert_int_equal(cr, 2); }

static int setup(void **state)
{
    fake_setup(state);
    v = fake_domain(1, true, 1)->vcpu[0];
    memset(&vmcb, 0, sizeof(vmcb));
    backend = (struct svm_vcpu){.vmcb = &vmcb};
    hvm = (struct hvm_vcpu){.backend = &backend};
    v->hvm = &hvm;
    v->regs.rip = RIP;
    return 0;
}

static int teardown(void **state)
{
    fake_domain_free(v->domain);
    return fake_teardown(state);
}

/* The guest ran, and an exit came; valid: whether EXITINTINFO told an event, of that type and vector. */
static struct hvm_event exit_with(unsigned type, uint64_t vector, bool valid)
{
    struct hvm_event e;

    vmcb.exitintinfo = valid ? EVENTINJ_V | (uint64_t)type << EVENTINJ_TYPE_SHIFT | vector : 0;
    svm_note_injection_done(v);
    svm_decode_exitintinfo(v, &e);
    assert_false(svm_event_pending(v));
    return e;
}

static void expect(const struct hvm_event *e, enum event_type type, unsigned vector, unsigned insn_len)
{
    assert_true(e->valid);
    assert_int_equal(e->type, type);
    assert_int_equal(e->vector, vector);
    assert_int_equal(e->insn_len, insn_len);
}

static void guests_own_events_are_told_apart(void **state)
{
    static const struct {
        unsigned cpu_type, vector;
        enum event_type type;
    } cases[] = {
        {EVENT_EXT_INTR, 0x31, EVENT_EXT_INTR},
        {EVENT_NMI, X86_TRAP_NMI, EVENT_NMI},
        {EVENT_EXCEPTION, X86_TRAP_UD, EVENT_EXCEPTION},
        {EVENT_SW_INTR, 0x80, EVENT_SW_INTR},
        {EVENT_EXCEPTION, X86_TRAP_BP, EVENT_SW_EXC},
        {EVENT_EXCEPTION, X86_TRAP_OF, EVENT_SW_EXC},
        {EVENT_EXCEPTION, 0x31, EVENT_EXT_INTR},       /* QEMU */
        {EVENT_EXCEPTION, X86_TRAP_NMI, EVENT_NMI},    /* QEMU */
        {EVENT_EXT_INTR, 0, EVENT_SW_INTR},            /* Bochs */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hvm_event e = exit_with(cases[i].cpu_type, cases[i].vector, true);

        expect(&e, cases[i].type, cases[i].vector, 0);
        assert_int_equal(v->regs.rip, RIP);
    }
    assert_false(exit_with(0, 0, false).valid);
}

/* Whatever the CPU calls it; and RIP is back at the instruction, so that it can be injected once more. */
static void injected_event_comes_back_as_it_was(void **state)
{
    static const struct {
        struct hvm_event event;
        unsigned cpu_type, cpu_vector;
    } cases[] = {
        {{.type = EVENT_EXCEPTION, .vector = X86_TRAP_UD, .insn_len = 2}, EVENT_EXCEPTION, X86_TRAP_UD},
        {{.type = EVENT_EXT_INTR, .vector = 0x31}, EVENT_EXT_INTR, 0x31},
        {{.type = EVENT_EXT_INTR, .vector = 0}, EVENT_EXT_INTR, 0}, /* not taken for Bochs's INT n */
        {{.type = EVENT_SW_EXC, .vector = X86_TRAP_BP, .insn_len = 1}, EVENT_EXCEPTION, X86_TRAP_BP},
        {{.type = EVENT_SW_INTR, .vector = 0x80, .insn_len = 2}, EVENT_SW_INTR, 0x80},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hvm_event e = cases[i].event;
        bool software = hvm_event_is_software(&e);

        e.valid = true;
        svm_inject_event(v, &e);
        assert_true(svm_event_pending(v));
        assert_int_equal(v->regs.rip, RIP + (software ? e.insn_len : 0));
        e = exit_with(cases[i].cpu_type, cases[i].cpu_vector, true);
        expect(&e, cases[i].event.type, cases[i].event.vector, cases[i].event.insn_len);
        assert_int_equal(v->regs.rip, RIP);
    }
}

/* An injected event that was delivered is not taken for one of the guest's own that comes later. */
static void delivered_event_is_forgotten(void **state)
{
    struct hvm_event e = {.valid = true, .type = EVENT_EXCEPTION, .vector = X86_TRAP_UD};

    svm_inject_event(v, &e);
    assert_false(exit_with(0, 0, false).valid);
    e = exit_with(EVENT_EXT_INTR, 0, true);
    expect(&e, EVENT_SW_INTR, 0, 0);

    svm_inject_event(v, &(struct hvm_event){.valid = true, .type = EVENT_SW_EXC, .vector = X86_TRAP_BP, .insn_len = 1});
    v->regs.rip += 0x100; /* in its handler, which executes an INT3 */
    e = exit_with(EVENT_EXCEPTION, X86_TRAP_BP, true);
    expect(&e, EVENT_SW_EXC, X86_TRAP_BP, 0);
}

/* QEMU delivers an interrupt twice that comes by EVENTINJ: it is a V_IRQ there, and comes back when an exit was first. */
static void interrupt_goes_as_virq_in_tcg(void **state)
{
    struct hvm_event e = {.valid = true, .type = EVENT_EXT_INTR, .vector = 0x31};

    svm_in_tcg = true;
    svm_inject_event(v, &e);
    assert_false(vmcb.eventinj & EVENTINJ_V);
    assert_true(vmcb.vintr & VINTR_IRQ);
    e = exit_with(0, 0, false);
    expect(&e, EVENT_EXT_INTR, 0x31, 0);
    assert_false(vmcb.vintr & VINTR_IRQ);

    svm_inject_event(v, &e);
    vmcb.vintr &= ~VINTR_IRQ; /* the guest took it */
    assert_false(exit_with(0, 0, false).valid);
    svm_in_tcg = false;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(guests_own_events_are_told_apart),
        T(injected_event_comes_back_as_it_was),
        T(delivered_event_is_forgotten),
        T(interrupt_goes_as_virq_in_tcg),
    };

    return cmocka_run_group_tests_name("svm injection", tests, NULL, NULL);
}
