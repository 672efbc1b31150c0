/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log-dirty of HVM domains: no write is missed, however often a shadow_op is preempted, or fails. */
#include "fakes.h"

#include "vmm/cpu/cpu.h"
#include "vmm/hvm/p2m.h"

/* A guest of five bitmap pages and a bit: 2 MiB leaves of one frame of RAM (nothing looks into it), then 4 KiB ones. */
#define LARGE (5 * P2M_DIRTY_CHUNK)
#define FRAMES (LARGE + 13)
#define LARGE_ORDER 9
#define SOME_MFN MFN(1UL << LARGE_ORDER)

static struct hvm_domain hvm;
static struct domain *d, *tools;
static uint8_t bits[DIV_ROUND_UP(FRAMES, 8)];

static unsigned paused;

void domain_pause(struct domain *of) { paused++; }
void domain_unpause(struct domain *of) { paused--; }

/* Whenever rights are taken away, no vCPU is in the middle of a write that it has noted already. */
static void flush(struct domain *of)
{
    assert_int_equal(paused, 1);
}
static const struct hvm_backend backend = {.npt_format = NPT_FORMAT_AMD64, .npt_2m = true, .flush_nested = flush};
const struct hvm_backend *hvm_backend = &backend;

static long shadow_op(struct xen_domctl_shadow_op *op)
{
    bool copyback = false;
    long rc = hvm_shadow_op(d, op, &copyback);

    assert_true(copyback);
    assert_int_equal(fake_locks_held, 0);
    assert_int_equal(paused, 0);
    return rc;
}

/* A shadow_op with its continuations; a fresh structure as the caller passes it. */
static long whole(uint32_t op, struct xen_domctl_shadow_op *out)
{
    struct xen_domctl_shadow_op o = {.op = op, .pages = FRAMES};
    long rc;

    set_xen_guest_handle_raw(o.dirty_bitmap, bits);
    while ((rc = shadow_op(&o)) == -ERESTART)
        fake_continuations++;
    if (out)
        *out = o;
    return rc;
}

static enum p2m_type type_of(uint64_t gfn)
{
    enum p2m_type t;

    p2m_lookup(d, GFN(gfn), &t, NULL);
    return t;
}

static bool write_faults(uint64_t gfn)
{
    if (type_of(gfn) != P2M_ram_logdirty)
        return false;
    p2m_note_write(d, GFN(gfn));
    return true;
}

static unsigned bits_set(void)
{
    unsigned n = 0;

    for (uint64_t i = 0; i < sizeof(bits); i++)
        n += hweight64(bits[i]);
    return n;
}

static bool bit(uint64_t gfn) { return bits[gfn / 8] >> gfn % 8 & 1; }

static int setup(void **state)
{
    fake_setup(state);
    cpu_features.paddr_bits = 40;
    tools = fake_domain(0, false, 1);
    d = fake_domain(1, true, 1);
    fake_run(tools->vcpu[0]);
    hvm = (struct hvm_domain){0};
    d->hvm = &hvm;
    assert_int_equal(p2m_create(d), 0);
    assert_int_equal(p2m_set_pool_pages(d, 1024), 0);
    for (uint64_t gfn = 0; gfn < LARGE; gfn += 1U << LARGE_ORDER)
        assert_int_equal(p2m_set(d, GFN(gfn), SOME_MFN, LARGE_ORDER, P2M_ram_rw), 0);
    for (uint64_t gfn = LARGE; gfn < FRAMES; gfn++)
        assert_int_equal(p2m_set(d, GFN(gfn), SOME_MFN, 0, P2M_ram_rw), 0);
    memset(bits, 0xa5, sizeof(bits));
    return 0;
}

static int teardown(void **state)
{
    fake_preempt_after = -1;
    fake_fault_at = 0;
    p2m_free(d);
    d->hvm = NULL;
    fake_domain_free(d);
    fake_domain_free(tools);
    return fake_teardown(state);
}

static void writes_are_seen_once(void **state)
{
    struct xen_domctl_shadow_op op;

    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_PEEK, NULL), -EINVAL); /* it is off */
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL), 0);
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL), -EINVAL);
    assert_true(write_faults(0));
    assert_true(write_faults(P2M_DIRTY_CHUNK + 5));
    assert_false(write_faults(P2M_DIRTY_CHUNK + 5));
    assert_true(write_faults(FRAMES - 1));

    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_PEEK, &op), 0);
    assert_int_equal(op.stats.dirty_count, 3);
    assert_int_equal(op.stats.fault_count, 3);
    assert_int_equal(bits_set(), 3);
    assert_true(bit(0) && bit(P2M_DIRTY_CHUNK + 5) && bit(FRAMES - 1));

    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_CLEAN, &op), 0);
    assert_int_equal(op.pages, FRAMES);
    assert_int_equal(bits_set(), 3);
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_CLEAN, &op), 0);
    assert_int_equal(op.stats.dirty_count, 0);
    assert_int_equal(bits_set(), 0);
    assert_true(write_faults(0));

    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_OFF, NULL), 0);
    for (uint64_t gfn = 0; gfn < FRAMES; gfn++)
        assert_int_equal(type_of(gfn), P2M_ram_rw);
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_OFF, NULL), 0);
}

/* Every frame becomes a leaf of its own, so that a switch takes several batches; each is followed by a preemption. */
static void preempted_switch_and_scan_go_on(void **state)
{
    struct xen_domctl_shadow_op op;

    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL), 0);
    for (uint64_t gfn = 0; gfn < FRAMES; gfn++)
        assert_true(write_faults(gfn));
    fake_preempt_after = 0;
    fake_continuations = 0;
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_CLEAN, &op), 0);
    assert_int_equal(fake_continuations, 5);
    assert_int_equal(op.stats.dirty_count, FRAMES);
    assert_int_equal(bits_set(), FRAMES);
    for (uint64_t gfn = 0; gfn < FRAMES; gfn++)
        assert_int_equal(type_of(gfn), P2M_ram_logdirty);

    fake_continuations = 0;
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_OFF, NULL), 0);
    assert_true(fake_continuations > 2);
    for (uint64_t gfn = 0; gfn < FRAMES; gfn++)
        assert_int_equal(type_of(gfn), P2M_ram_rw);
    fake_continuations = 0;
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL), 0);
    assert_true(fake_continuations > 2);
    for (uint64_t gfn = 0; gfn < FRAMES; gfn++)
        assert_int_equal(type_of(gfn), P2M_ram_logdirty);
}

/* What is written before the scan gets there is in it; what is written behind it is in the next one. */
static void guest_writes_while_a_scan_is_preempted(void **state)
{
    struct xen_domctl_shadow_op op = {.op = XEN_DOMCTL_SHADOW_OP_CLEAN, .pages = FRAMES};

    set_xen_guest_handle_raw(op.dirty_bitmap, bits);
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL), 0);
    fake_preempt_after = 0;
    assert_int_equal(shadow_op(&op), -ERESTART);
    assert_true(write_faults(3));
    assert_true(write_faults(2 * P2M_DIRTY_CHUNK + 1));
    while (shadow_op(&op) == -ERESTART)
        ;
    assert_false(bit(3));
    assert_true(bit(2 * P2M_DIRTY_CHUNK + 1));
    assert_int_equal(op.stats.dirty_count, 1);
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_CLEAN, &op), 0);
    assert_true(bit(3));
    assert_int_equal(bits_set(), 1);
}

static void preempted_scan_is_its_callers(void **state)
{
    struct xen_domctl_shadow_op op = {.op = XEN_DOMCTL_SHADOW_OP_CLEAN, .pages = FRAMES};
    struct domain *other = fake_domain(2, false, 1);

    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL), 0);
    fake_preempt_after = 0;
    assert_int_equal(shadow_op(&op), -ERESTART);
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_PEEK, NULL), -EBUSY);
    fake_run(other->vcpu[0]);
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_CLEAN, NULL), -EBUSY);
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_OFF, NULL), 0); /* the way out */
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL), 0);
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_PEEK, NULL), 0);
    fake_run(tools->vcpu[0]);
    fake_domain_free(other);
}

/* The caller's bitmap cannot be written to: what it was not told it is told the next time. */
static void failed_scan_loses_no_write(void **state)
{
    struct xen_domctl_shadow_op op;

    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL), 0);
    assert_true(write_faults(7));
    assert_true(write_faults(P2M_DIRTY_CHUNK + 7));
    fake_fault_at = (uint64_t)&bits[P2M_DIRTY_CHUNK / 8 + 1];
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_CLEAN, &op), -EFAULT);
    assert_int_equal(op.pages, P2M_DIRTY_CHUNK);
    assert_int_equal(op.stats.dirty_count, 1);
    assert_true(bit(7));
    fake_fault_at = 0;
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_CLEAN, &op), 0);
    assert_int_equal(op.pages, FRAMES);
    assert_int_equal(bits_set(), 1);
    assert_true(bit(P2M_DIRTY_CHUNK + 7));
}

/* The pool for tables is used up, so that a large page became dirty as a whole and cannot be split to be protected. */
static void scan_without_memory_for_tables_loses_no_write(void **state)
{
    struct xen_domctl_shadow_op op;

    assert_int_equal(p2m_set_pool_pages(d, 256), 0);
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL), 0);
    for (uint64_t gfn = 7; gfn < LARGE; gfn += 1U << LARGE_ORDER)
        assert_true(write_faults(gfn));
    assert_int_equal(type_of(0), P2M_ram_logdirty);
    assert_int_equal(type_of(LARGE - 1), P2M_ram_rw);
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_CLEAN, &op), -ENOMEM);
    assert_int_equal(op.pages, 3 * P2M_DIRTY_CHUNK);

    assert_int_equal(p2m_set_pool_pages(d, 1024), 0);
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_CLEAN, &op), 0);
    for (uint64_t gfn = 3 * P2M_DIRTY_CHUNK + 7; gfn < LARGE; gfn += 1U << LARGE_ORDER)
        assert_true(bit(gfn));
    assert_true(bit(LARGE - 1));
}

static void no_bits_beyond_what_was_asked_for(void **state)
{
    struct xen_domctl_shadow_op op = {.op = XEN_DOMCTL_SHADOW_OP_PEEK, .pages = 11};

    set_xen_guest_handle_raw(op.dirty_bitmap, bits);
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL), 0);
    for (uint64_t gfn = 0; gfn < 32; gfn++)
        assert_true(write_faults(gfn));
    assert_int_equal(shadow_op(&op), 0);
    assert_int_equal(op.pages, 11);
    assert_int_equal(op.stats.dirty_count, 11);
    assert_int_equal(bits[0], 0xff);
    assert_int_equal(bits[1], 7);
    assert_int_equal(bits[2], 0xa5); /* not touched */
}

/* A device model makes a frame read-only, then writable again: what the guest writes there then counts. */
static void frame_made_writable_is_watched(void **state)
{
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL), 0);
    paused = 1;
    assert_int_equal(p2m_change_type(d, GFN(FRAMES - 1), P2M_ram_logdirty, P2M_ram_ro), 0);
    assert_int_equal(p2m_change_type(d, GFN(FRAMES - 1), P2M_ram_ro, P2M_ram_rw), 0);
    paused = 0;
    assert_true(write_faults(FRAMES - 1));
    assert_int_equal(whole(XEN_DOMCTL_SHADOW_OP_PEEK, NULL), 0);
    assert_true(bit(FRAMES - 1));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(writes_are_seen_once),
        T(preempted_switch_and_scan_go_on),
        T(guest_writes_while_a_scan_is_preempted),
        T(preempted_scan_is_its_callers),
        T(failed_scan_loses_no_write),
        T(scan_without_memory_for_tables_loses_no_write),
        T(no_bits_beyond_what_was_asked_for),
        T(frame_made_writable_is_watched),
    };

    return cmocka_run_group_tests_name("log-dirty", tests, NULL, NULL);
}
