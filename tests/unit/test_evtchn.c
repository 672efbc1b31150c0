/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Event channels: who may reach whom, what is delivered, and what is left when a port closes. */
#include "fakes.h"

#include "vmm/domain/evtchn.h"
#include "vmm/domain/evtchn_port.h"
#include "vmm/domain/pirq.h"

/* -- below ------------------------------------------------------------------------------------------------------------- */
static unsigned kicks;
static struct vcpu *kicked;
void vcpu_kick(struct vcpu *v)
{
    kicks++;
    kicked = v;
}
void vcpu_unblock(struct vcpu *v) { (void)v; }

static uint32_t pirq_port[32];
static int pirq_bind_error;
int pirq_bind(struct domain *d, unsigned pirq, uint32_t port, bool share)
{
    (void)d, (void)share;
    if (pirq >= 32)
        return -EINVAL;
    if (pirq_bind_error)
        return pirq_bind_error;
    pirq_port[pirq] = port;
    return 0;
}
void pirq_unbind(struct domain *d, unsigned pirq)
{
    (void)d;
    pirq_port[pirq] = 0;
}
uint32_t pirq_to_port(struct domain *d, unsigned pirq)
{
    (void)d;
    return pirq < 32 ? pirq_port[pirq] : 0;
}
void pirq_set_affinity(struct domain *d, unsigned pirq, unsigned cpu) { (void)d, (void)pirq, (void)cpu; }

/* -- the domains -------------------------------------------------------------------------------------------------------- */
static struct domain *control, *a, *b;

static struct domain *domain_with_ports(domid_t id)
{
    struct domain *d = fake_domain(id, false, 2);

    d->evtchn.max_port = 4096;
    assert_int_equal(evtchn_init_domain(d), 0);
    return d;
}

static void start(void)
{
    control = domain_with_ports(0);
    a = domain_with_ports(1);
    b = domain_with_ports(2);
    kicks = 0;
    fake_run(a->vcpu[0]);
}

static void end(struct domain *d)
{
    while (evtchn_destroy(d))
        ;
    evtchn_free(d);
    fake_domain_free(d);
}

static void stop(void)
{
    end(a);
    end(b);
    end(control);
}

#define OP(cmd, op) fake_hypercall(do_event_channel_op, EVTCHNOP_##cmd, (uint64_t)(op), 0)

static uint32_t unbound(struct domain *d, domid_t remote)
{
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = remote};

    fake_run(d->vcpu[0]);
    assert_int_equal(OP(alloc_unbound, &op), 0);
    return op.port;
}

static uint32_t bind_to(struct domain *d, domid_t remote, uint32_t remote_port)
{
    struct evtchn_bind_interdomain op = {.remote_dom = remote, .remote_port = remote_port};

    fake_run(d->vcpu[0]);
    assert_int_equal(OP(bind_interdomain, &op), 0);
    return op.local_port;
}

static bool pending(struct domain *d, uint32_t port) { return d->shared_info->evtchn_pending[port / 64] >> port % 64 & 1; }
static void handled(struct domain *d, uint32_t port)
{
    d->shared_info->evtchn_pending[port / 64] &= ~(1UL << port % 64);
    for (unsigned i = 0; i < 2; i++) {
        d->vcpu[i]->info->evtchn_upcall_pending = 0;
        d->vcpu[i]->info->evtchn_pending_sel = 0;
    }
}
static long send(struct domain *d, uint32_t port)
{
    struct evtchn_send op = {.port = port};

    fake_run(d->vcpu[0]);
    return OP(send, &op);
}
static long close_port(struct domain *d, uint32_t port)
{
    struct evtchn_close op = {.port = port};

    fake_run(d->vcpu[0]);
    return OP(close, &op);
}
static struct evtchn_status status_of(domid_t dom, uint32_t port)
{
    struct evtchn_status op = {.dom = dom, .port = port};

    assert_int_equal(OP(status, &op), 0);
    return op;
}

static void events_reach_the_other_end(void **state)
{
    uint32_t pa, pb;

    start();
    pa = unbound(a, b->id);
    assert_int_not_equal(pa, 0);
    assert_int_equal(send(a, pa), 0); /* nobody there yet: no error */
    pb = bind_to(b, a->id, pa);
    assert_true(pending(b, pb)); /* in case something was sent before */
    handled(b, pb);
    assert_int_equal(send(a, pa), 0);
    assert_true(pending(b, pb));
    assert_false(pending(a, pa));
    assert_int_equal(b->vcpu[0]->info->evtchn_upcall_pending, 1);
    assert_int_equal(b->vcpu[0]->info->evtchn_pending_sel, 1UL << pb / 64);
    assert_ptr_equal(kicked, b->vcpu[0]);
    kicks = 0;
    assert_int_equal(send(a, pa), 0); /* pending already: no second kick */
    assert_int_equal(kicks, 0);
    assert_int_equal(send(b, pb), 0);
    assert_true(pending(a, pa));
    stop();
}

static void masked_events_wait_until_they_are_unmasked(void **state)
{
    struct evtchn_unmask um;
    uint32_t pa, pb;

    start();
    pa = unbound(a, b->id);
    pb = bind_to(b, a->id, pa);
    handled(b, pb);
    b->shared_info->evtchn_mask[0] |= 1UL << pb;
    assert_int_equal(send(a, pa), 0);
    assert_true(pending(b, pb));
    assert_int_equal(b->vcpu[0]->info->evtchn_upcall_pending, 0);
    fake_run(b->vcpu[0]);
    um.port = pb;
    assert_int_equal(OP(unmask, &um), 0);
    assert_int_equal(b->vcpu[0]->info->evtchn_upcall_pending, 1);
    um.port = 4000;
    assert_int_equal(OP(unmask, &um), -EINVAL);
    stop();
}

static void only_the_named_domain_can_bind(void **state)
{
    struct evtchn_bind_interdomain op = {.remote_dom = 1};
    struct evtchn_alloc_unbound au = {.dom = 2, .remote_dom = 1};

    start();
    op.remote_port = unbound(a, b->id);
    fake_run(control->vcpu[0]);
    assert_int_equal(OP(bind_interdomain, &op), -EINVAL);
    fake_run(b->vcpu[0]);
    op.remote_port++;
    assert_int_equal(OP(bind_interdomain, &op), -EINVAL);
    op.remote_port = 0;
    assert_int_equal(OP(bind_interdomain, &op), -EINVAL);
    op.remote_port = ~0U;
    assert_int_equal(OP(bind_interdomain, &op), -EINVAL);
    op.remote_dom = 50;
    assert_int_equal(OP(bind_interdomain, &op), -ESRCH);
    fake_run(a->vcpu[0]);
    assert_int_equal(OP(alloc_unbound, &au), -EPERM);
    fake_run(control->vcpu[0]);
    assert_int_equal(OP(alloc_unbound, &au), 0);
    assert_int_equal(status_of(2, au.port).status, EVTCHNSTAT_unbound);
    assert_int_equal(status_of(2, au.port).u.unbound.dom, 1);
    stop();
}

static void a_closed_end_leaves_the_other_unbound(void **state)
{
    uint32_t pa, pb;

    start();
    pa = unbound(a, b->id);
    pb = bind_to(b, a->id, pa);
    fake_run(control->vcpu[0]);
    assert_int_equal(status_of(1, pa).status, EVTCHNSTAT_interdomain);
    assert_int_equal(status_of(1, pa).u.interdomain.port, pb);
    assert_int_equal(close_port(b, pb), 0);
    assert_int_equal(close_port(b, pb), -EINVAL);
    assert_int_equal(send(b, pb), -EINVAL);
    fake_run(control->vcpu[0]);
    assert_int_equal(status_of(1, pa).status, EVTCHNSTAT_unbound);
    assert_int_equal(status_of(1, pa).u.unbound.dom, 2);
    assert_int_equal(send(a, pa), 0);
    assert_int_equal(bind_to(b, a->id, pa), pb); /* may be bound again, the port given out again */
    stop();
}

static void a_domain_may_talk_to_itself(void **state)
{
    uint32_t p1, p2;

    start();
    p1 = unbound(a, DOMID_SELF);
    p2 = bind_to(a, DOMID_SELF, p1);
    handled(a, p2);
    assert_int_equal(send(a, p1), 0);
    assert_true(pending(a, p2));
    assert_int_equal(close_port(a, p1), 0);
    assert_int_equal(send(a, p2), 0);
    assert_int_equal(close_port(a, p2), 0);
    stop();
}

static void virqs_are_bound_once_for_each_vcpu(void **state)
{
    struct evtchn_bind_virq timer0 = {.virq = VIRQ_TIMER}, timer1 = {.virq = VIRQ_TIMER, .vcpu = 1};
    struct evtchn_bind_virq global = {.virq = VIRQ_CONSOLE}, bad = {.virq = NR_VIRQS};
    struct evtchn_bind_vcpu move = {.vcpu = 0};

    start();
    assert_int_equal(OP(bind_virq, &timer0), 0);
    assert_int_equal(OP(bind_virq, &timer1), 0);
    assert_int_equal(OP(bind_virq, &timer1), -EEXIST);
    assert_int_equal(OP(bind_virq, &bad), -EINVAL);
    bad = (struct evtchn_bind_virq){.virq = VIRQ_TIMER, .vcpu = 2};
    assert_int_equal(OP(bind_virq, &bad), -ENOENT);
    bad = (struct evtchn_bind_virq){.virq = VIRQ_CONSOLE, .vcpu = 1};
    assert_int_equal(OP(bind_virq, &bad), -EINVAL);
    assert_int_equal(OP(bind_virq, &global), 0);
    send_guest_vcpu_virq(a->vcpu[1], VIRQ_TIMER);
    assert_true(pending(a, timer1.port));
    assert_false(pending(a, timer0.port));
    assert_int_equal(a->vcpu[1]->info->evtchn_upcall_pending, 1);
    send_guest_global_virq(a, VIRQ_CONSOLE);
    assert_true(pending(a, global.port));
    assert_int_equal(send(a, global.port), -EINVAL); /* the guest cannot raise it */
    move.port = timer1.port;
    assert_int_equal(OP(bind_vcpu, &move), -EINVAL); /* its vCPU's own */
    assert_int_equal(close_port(a, timer1.port), 0);
    assert_int_equal(OP(bind_virq, &timer1), 0);
    stop();
}

/* Its handler gives a global VIRQ back when it dies, so that none may come after. */
static void dying_domains_handle_no_virq(void **state)
{
    start();
    assert_int_equal(set_global_virq_handler(b, VIRQ_TIMER), -EINVAL);
    assert_int_equal(set_global_virq_handler(b, NR_VIRQS), -EINVAL);
    assert_int_equal(set_global_virq_handler(b, VIRQ_CON_RING), 0);
    assert_int_equal(b->refcount, 2);
    b->dying = DOMDYING_dying;
    while (evtchn_destroy(b))
        ;
    assert_int_equal(b->refcount, 1);
    assert_int_equal(set_global_virq_handler(b, VIRQ_CON_RING), -EINVAL);
    assert_int_equal(b->refcount, 1);
    stop();
}

static void ipis_go_to_their_vcpu(void **state)
{
    struct evtchn_bind_ipi ipi = {.vcpu = 1}, bad = {.vcpu = 9};

    start();
    assert_int_equal(OP(bind_ipi, &bad), -ENOENT);
    assert_int_equal(OP(bind_ipi, &ipi), 0);
    assert_int_equal(send(a, ipi.port), 0);
    assert_ptr_equal(kicked, a->vcpu[1]);
    assert_int_equal(a->vcpu[0]->info->evtchn_upcall_pending, 0);
    stop();
}

static void events_follow_bind_vcpu(void **state)
{
    struct evtchn_bind_vcpu move = {.vcpu = 1}, bad = {.vcpu = 77};
    uint32_t pa, pb;

    start();
    pa = unbound(a, b->id);
    pb = bind_to(b, a->id, pa);
    handled(b, pb);
    move.port = bad.port = pb;
    assert_int_equal(OP(bind_vcpu, &move), 0);
    assert_int_equal(OP(bind_vcpu, &bad), -ENOENT);
    assert_int_equal(send(a, pa), 0);
    assert_ptr_equal(kicked, b->vcpu[1]);
    stop();
}

static void pirqs_come_with_their_port(void **state)
{
    struct evtchn_bind_pirq op = {.pirq = 9, .flags = BIND_PIRQ__WILL_SHARE}, op2 = {.pirq = 10}, bad = {.pirq = 9, .flags = 8};
    struct evtchn_bind_vcpu move = {.vcpu = 1};

    start();
    assert_int_equal(OP(bind_pirq, &bad), -EINVAL);
    pirq_bind_error = -EBUSY;
    assert_int_equal(OP(bind_pirq, &op), -EBUSY);
    pirq_bind_error = 0;
    assert_int_equal(OP(bind_pirq, &op), 0);
    assert_int_equal(OP(bind_pirq, &op), -EEXIST);
    assert_int_equal(OP(bind_pirq, &op2), 0);
    send_guest_pirq(a, 9);
    assert_true(pending(a, op.port));
    move.port = op.port;
    assert_int_equal(OP(bind_vcpu, &move), 0);
    evtchn_move_pirqs(a->vcpu[1]);
    assert_int_equal(close_port(a, op.port), 0);
    assert_int_equal(pirq_port[9], 0);
    assert_int_equal(close_port(a, op2.port), 0);
    assert_int_equal(a->vcpu[0]->pirq_first, 0);
    assert_int_equal(a->vcpu[1]->pirq_first, 0);
    stop();
}

static struct vcpu *xen_called;
static void xen_listener(struct vcpu *v, unsigned port)
{
    (void)port;
    assert_int_equal(fake_locks_held, 0);
    xen_called = v;
}

static void the_hypervisors_ports_are_not_the_guests(void **state)
{
    uint32_t px, pb;
    int rc;

    start();
    rc = evtchn_alloc_xen(a, 1, b->id, xen_listener);
    assert_true(rc > 0);
    px = (uint32_t)rc;
    pb = bind_to(b, a->id, px);
    handled(b, pb);
    assert_int_equal(send(b, pb), 0);
    assert_ptr_equal(xen_called, a->vcpu[1]);
    assert_false(pending(a, px));
    assert_int_equal(send(a, px), -EINVAL);
    assert_int_equal(close_port(a, px), -EINVAL);
    evtchn_notify_xen(a, px);
    assert_true(pending(b, pb));
    evtchn_free_xen(a, px);
    assert_int_equal(send(b, pb), 0);
    stop();
}

static void ports_run_out_at_the_limit(void **state)
{
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = 2};
    unsigned n = 0;

    start();
    a->evtchn.max_port = 200;
    while (OP(alloc_unbound, &op) == 0)
        n++;
    assert_int_equal(n, 199);
    assert_int_equal(OP(alloc_unbound, &op), -ENOSPC);
    assert_int_equal(close_port(a, 77), 0);
    assert_int_equal(OP(alloc_unbound, &op), 0);
    assert_int_equal(op.port, 77);
    stop();
}

static void a_reset_closes_all_in_steps(void **state)
{
    struct evtchn_reset op = {.dom = DOMID_SELF};
    uint32_t port[20];

    start();
    for (unsigned i = 0; i < 20; i++)
        port[i] = unbound(a, 2);
    fake_preempt_after = 3;
    assert_int_equal(OP(reset, &op), 0);
    assert_true(fake_continuations > 2);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(send(a, port[i]), -EINVAL);
    fake_run(a->vcpu[0]);
    op.dom = 2;
    assert_int_equal(OP(reset, &op), -EPERM);
    stop();
}

static void bad_arguments_are_answered(void **state)
{
    start();
    assert_int_equal(OP(send, 4), -EFAULT);
    assert_int_equal(fake_hypercall(do_event_channel_op, 77, 0, 0), -ENOSYS);
    assert_int_equal(send(a, 0), -EINVAL);
    assert_int_equal(send(a, ~0U), -EINVAL);
    assert_int_equal(close_port(a, 0), -EINVAL);
    assert_int_equal(close_port(a, 5), -EINVAL);
    stop();
}

/* -- FIFO ----------------------------------------------------------------------------------------------------------------- */
static struct page_info *fifo_page[2], *fifo_array;
static struct evtchn_fifo_control_block *fifo_control(unsigned v) { return page_to_virt(fifo_page[v]); }
static event_word_t *fifo_words(void) { return page_to_virt(fifo_array); }

static void fifo_on(struct domain *d)
{
    fake_run(d->vcpu[0]);
    for (unsigned i = 0; i < 2; i++) {
        struct evtchn_init_control op = {.vcpu = i};

        fifo_page[i] = fake_page(d, 0);
        op.control_gfn = page_to_mfn(fifo_page[i]).v;
        assert_int_equal(OP(init_control, &op), 0);
        assert_int_equal(op.link_bits, EVTCHN_FIFO_LINK_BITS);
    }
    fifo_array = fake_page(d, 1);
    struct evtchn_expand_array ex = {.array_gfn = page_to_mfn(fifo_array).v};
    assert_int_equal(OP(expand_array, &ex), 0);
}

static void fifo_queues_keep_order(void **state)
{
    struct evtchn_bind_ipi ipi[3] = {{0}};

    start();
    fifo_on(a);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(OP(bind_ipi, &ipi[i]), 0);
        assert_int_equal(send(a, ipi[i].port), 0);
    }
    assert_int_equal(fifo_control(0)->ready, 1U << EVTCHN_FIFO_PRIORITY_DEFAULT);
    assert_int_equal(fifo_control(0)->head[EVTCHN_FIFO_PRIORITY_DEFAULT], ipi[0].port);
    assert_int_equal(fifo_words()[ipi[0].port], 1U << EVTCHN_FIFO_PENDING | 1U << EVTCHN_FIFO_LINKED | ipi[1].port);
    assert_int_equal(fifo_words()[ipi[1].port], 1U << EVTCHN_FIFO_PENDING | 1U << EVTCHN_FIFO_LINKED | ipi[2].port);
    assert_int_equal(fifo_words()[ipi[2].port], 1U << EVTCHN_FIFO_PENDING | 1U << EVTCHN_FIFO_LINKED);
    assert_int_equal(a->vcpu[0]->info->evtchn_upcall_pending, 1);
    stop();
}

static void fifo_priorities_have_their_queues(void **state)
{
    struct evtchn_bind_ipi ipi = {0};
    struct evtchn_set_priority prio = {.priority = 3};

    start();
    fifo_on(a);
    assert_int_equal(OP(bind_ipi, &ipi), 0);
    prio.port = ipi.port;
    assert_int_equal(OP(set_priority, &prio), 0);
    assert_int_equal(send(a, ipi.port), 0);
    assert_int_equal(fifo_control(0)->ready, 1U << 3);
    assert_int_equal(fifo_control(0)->head[3], ipi.port);
    prio.priority = EVTCHN_FIFO_PRIORITY_MIN + 1;
    assert_int_equal(OP(set_priority, &prio), -EINVAL);
    stop();
}

static void fifo_survives_hostile_words(void **state)
{
    struct evtchn_bind_ipi ipi[4] = {{0}};

    start();
    fifo_on(a);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(OP(bind_ipi, &ipi[i]), 0);
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < 1024; i++)
            fifo_words()[i] = round * 0x9e3779b9U + i * 0x85ebca6bU;
        for (unsigned i = 0; i < 16; i++)
            fifo_control(0)->head[i] = ~0U - round;
        assert_int_equal(send(a, ipi[round % 4].port), 0);
        assert_int_equal(send(a, ipi[round * 7 % 4].port), 0);
    }
    stop();
}

static void fifo_setup_is_checked(void **state)
{
    struct evtchn_init_control op = {.vcpu = 0, .offset = 0};
    struct evtchn_expand_array ex = {0};

    start();
    assert_int_equal(OP(expand_array, &ex), -EOPNOTSUPP);
    op.control_gfn = virt_to_mfn(b).v;
    assert_int_equal(OP(init_control, &op), -EINVAL);
    op.control_gfn = page_to_mfn(fake_page(a, 0)).v;
    op.offset = 4;
    assert_int_equal(OP(init_control, &op), -EINVAL);
    op.offset = PAGE_SIZE - 8;
    assert_int_equal(OP(init_control, &op), -EINVAL);
    op.offset = 0;
    op.vcpu = 9;
    assert_int_equal(OP(init_control, &op), -ENOENT);
    op.vcpu = 0;
    assert_int_equal(OP(init_control, &op), 0);
    assert_int_equal(OP(init_control, &op), -EINVAL); /* once */
    stop();
}

static void pending_events_survive_the_change_to_fifo(void **state)
{
    struct evtchn_bind_ipi ipi = {0};

    start();
    assert_int_equal(OP(bind_ipi, &ipi), 0);
    assert_int_equal(send(a, ipi.port), 0);
    fifo_on(a);
    assert_true(fifo_words()[ipi.port] & 1U << EVTCHN_FIFO_PENDING);
    assert_true(fifo_words()[ipi.port] & 1U << EVTCHN_FIFO_LINKED);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(events_reach_the_other_end),
        UNIT_TEST(masked_events_wait_until_they_are_unmasked),
        UNIT_TEST(only_the_named_domain_can_bind),
        UNIT_TEST(a_closed_end_leaves_the_other_unbound),
        UNIT_TEST(a_domain_may_talk_to_itself),
        UNIT_TEST(virqs_are_bound_once_for_each_vcpu),
        UNIT_TEST(dying_domains_handle_no_virq),
        UNIT_TEST(ipis_go_to_their_vcpu),
        UNIT_TEST(events_follow_bind_vcpu),
        UNIT_TEST(pirqs_come_with_their_port),
        UNIT_TEST(the_hypervisors_ports_are_not_the_guests),
        UNIT_TEST(ports_run_out_at_the_limit),
        UNIT_TEST(a_reset_closes_all_in_steps),
        UNIT_TEST(bad_arguments_are_answered),
        UNIT_TEST(fifo_queues_keep_order),
        UNIT_TEST(fifo_priorities_have_their_queues),
        UNIT_TEST(fifo_survives_hostile_words),
        UNIT_TEST(fifo_setup_is_checked),
        UNIT_TEST(pending_events_survive_the_change_to_fifo),
    };
    return cmocka_run_group_tests_name("evtchn", tests, NULL, NULL);
}
