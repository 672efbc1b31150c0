/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The saved record of a vCPU: what comes back of an event that was on its way in. */
#include "fakes.h"

#include "vmm/cpu/fpu.h"
#include "vmm/cpu/policy.h"
#include "vmm/cpu/regs.h"
#include "vmm/hvm/hvm_state.h"
#include "vmm/sched/sched.h"

#define RIP 0x401000UL

extern const struct hvm_save_type cpu_record;

/* -- what a backend keeps ------------------------------------------------------------------------------------------ */
static struct segment_reg segments[NR_SEGMENTS];
static uint64_t msrs[HVM_MSR_TSC_AUX + 1], dr6, dr7;

static void get_segment(struct vcpu *v, enum hvm_segment seg, struct segment_reg *out) { *out = segments[seg]; }
static void set_segment(struct vcpu *v, enum hvm_segment seg, const struct segment_reg *in) { segments[seg] = *in; }
static uint64_t get_msr(struct vcpu *v, enum hvm_saved_msr msr) { return msrs[msr]; }
static void set_msr(struct vcpu *v, enum hvm_saved_msr msr, uint64_t value) { msrs[msr] = value; }
static uint64_t get_dr(struct vcpu *v, unsigned dr) { return dr == 6 ? dr6 : dr7; }
static void set_dr(struct vcpu *v, unsigned dr, uint64_t value) { *(dr == 6 ? &dr6 : &dr7) = value; }
static void nothing(struct vcpu *v) {}
static void update_cr(struct vcpu *v, unsigned cr) {}

static const struct hvm_backend backend = {
    .get_segment = get_segment,
    .set_segment = set_segment,
    .get_msr = get_msr,
    .set_msr = set_msr,
    .get_dr = get_dr,
    .set_dr = set_dr,
    .update_efer = nothing,
    .update_cr = update_cr,
    .flush_guest_tlb = nothing,
};
const struct hvm_backend *hvm_backend = &backend;

/* -- the rest of the hypervisor ------------------------------------------------------------------------------------ */
static struct hvm_hw_cpu saved;
static bool event_possible;

int hvm_save_put(struct hvm_save_buf *b, uint16_t code, uint16_t instance, const void *body, uint32_t len)
{
    assert_int_equal(code, HVM_SAVE_CODE(CPU));
    assert_int_equal(len, sizeof(saved));
    memcpy(&saved, body, len);
    return 0;
}
bool hvm_event_possible(const struct hvm_event *e, bool protected_mode) { return event_possible; }
uint64_t hvm_cr4_allowed(const struct domain *d) { return CR4_PAE; }
uint64_t hvm_efer_allowed(const struct domain *d) { return EFER_LME | EFER_LMA; }
uint64_t hvm_xcr0_allowed(const struct domain *d) { return 0; }
void hvm_vcpu_reset_state(struct vcpu *v) { v->hvm->pending = (struct hvm_event){0}; }
void hvm_restore_pdptes(struct vcpu *v) {}
void hvm_set_guest_tsc_at(struct vcpu *v, uint64_t tsc, uint64_t host_tsc) {}
void hvm_fpu_fill_legacy(struct xsave_area *a) {}
void hvm_fpu_legacy_changed(struct xsave_area *a) {}
void fpu_reset(struct xsave_area *a) {}
void vcpu_wake(struct vcpu *v) {}
uint64_t xfeature_mask;
unsigned xstate_size_of(uint64_t xcr0) { return 576; }
bool xcr0_valid(uint64_t xcr0, uint64_t allowed) { return true; }
uint64_t mtrr_cap(void) { return 0; }
bool pat_valid(uint64_t value) { return true; }
bool mtrr_value_ok(uint32_t msr, uint64_t value) { return true; }
bool mtrr_write(struct vcpu *v, uint32_t msr, uint64_t value, bool *ok) { return *ok = true; }
bool policy_has(const struct domain *d, unsigned feature) { return false; }
static uint64_t guest_tsc(struct vcpu *v, uint64_t host_tsc) { return host_tsc; }

/* -- a vCPU in long mode ------------------------------------------------------------------------------------------- */
static const struct guest_ops ops = {.guest_tsc = guest_tsc};
static struct hvm_domain domain_state;
static struct hvm_vcpu state;
static uint8_t fpu[512] __aligned(64);
static struct vcpu *v;

static int setup(void **unused)
{
    fake_setup(unused);
    v = fake_domain(1, true, 1)->vcpu[0];
    memset(&state, 0, sizeof(state));
    state.cr[0] = CR0_PE | CR0_PG;
    state.cr[4] = CR4_PAE;
    state.efer = EFER_LME | EFER_LMA;
    v->hvm = &state;
    v->ops = &ops;
    v->fpu = (struct xsave_area *)fpu;
    v->domain->hvm = &domain_state;
    v->regs.rip = RIP;
    v->regs.rflags = EFLAGS_MBS | EFLAGS_IF;
    memset(&saved, 0, sizeof(saved));
    event_possible = true;
    return 0;
}

static int teardown(void **unused)
{
    v->fpu = NULL;
    v->hvm = NULL;
    v->domain->hvm = NULL;
    fake_domain_free(v->domain);
    return fake_teardown(unused);
}

static void save(void)
{
    struct hvm_save_buf b = {0};

    assert_int_equal(cpu_record.save(v, &b), 0);
}

static int load(void) { return cpu_record.load(v->domain, 0, &saved, sizeof(saved)); }

static void events_on_their_way_come_after_the_restore(void **unused)
{
    static const struct hvm_event events[] = {
        {.valid = true, .type = EVENT_EXT_INTR, .vector = 0x31},
        {.valid = true, .type = EVENT_NMI, .vector = X86_TRAP_NMI},
        {.valid = true, .type = EVENT_EXCEPTION, .vector = X86_TRAP_GP, .has_error = true, .error_code = 0x18},
    };

    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        const struct hvm_event *e = &events[i], *back = &state.pending;

        state.pending = *e;
        save();
        state.pending = (struct hvm_event){0};
        v->regs.rip = 0;
        assert_int_equal(load(), 0);
        assert_true(back->valid);
        assert_int_equal(back->type, e->type);
        assert_int_equal(back->vector, e->vector);
        assert_int_equal(back->has_error, e->has_error);
        assert_int_equal(back->error_code, e->error_code);
        assert_int_equal(v->regs.rip, RIP);
    }
}

/* A record has no room for the length of INT n: RIP is still at it, and it is executed again. */
static void software_events_are_executed_again(void **unused)
{
    static const struct hvm_event events[] = {
        {.valid = true, .type = EVENT_SW_INTR, .vector = 0x80, .insn_len = 2},
        {.valid = true, .type = EVENT_SW_EXC, .vector = X86_TRAP_BP, .insn_len = 1},
        {.valid = true, .type = EVENT_PRIV_SW_EXC, .vector = X86_TRAP_DB, .insn_len = 1},
    };

    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        state.pending = events[i];
        save();
        assert_int_equal(saved.pending_valid, 0);
        v->regs.rip = 0;
        assert_int_equal(load(), 0);
        assert_false(state.pending.valid);
        assert_int_equal(v->regs.rip, RIP);
    }
}

/* Where another hypervisor wrote one into its record all the same. */
static void software_event_of_a_record_is_left_to_the_instruction(void **unused)
{
    save();
    saved.pending_valid = 1;
    saved.pending_type = EVENT_SW_INTR;
    saved.pending_vector = 0x80;
    assert_int_equal(load(), 0);
    assert_false(state.pending.valid);
    assert_int_equal(v->regs.rip, RIP);
}

static void impossible_records_change_nothing(void **unused)
{
    save();
    event_possible = false;
    saved.pending_valid = 1;
    saved.pending_type = EVENT_EXCEPTION;
    saved.pending_vector = 77;
    saved.rip = 1;
    assert_int_equal(load(), -EINVAL);
    assert_int_equal(v->regs.rip, RIP);
    event_possible = true;
    saved.pending_valid = 0;
    saved.cr4 = CR4_PAE | BIT(31);
    assert_int_equal(load(), -EINVAL);
    assert_int_equal(v->regs.rip, RIP);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(events_on_their_way_come_after_the_restore),
        TEST(software_events_are_executed_again),
        TEST(software_event_of_a_record_is_left_to_the_instruction),
        TEST(impossible_records_change_nothing),
    };

    fake_machine_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
