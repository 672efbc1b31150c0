/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory operations: what they decode and refuse, and that they account for every frame. */
#include "fakes.h"

#include "vmm/boot/boot.h"
#include "vmm/domain/grant.h"
#include "vmm/domain/memory.h"
#include "vmm/domain/memory_priv.h"
#include "vmm/mm/pgtable.h"

static struct domain *control, *guest;

static void start(bool hvm)
{
    control = fake_domain(0, false, 1);
    guest = fake_domain(1, hvm, 1);
    fake_run(control->vcpu[0]);
}

static void stop(void)
{
    memory_free_domain(guest);
    fake_domain_free(guest);
    fake_domain_free(control);
}

static long memory_op(uint64_t op, void *arg)
{
    return fake_hypercall(do_memory_op, op, (uint64_t)arg, 0);
}

static struct xen_memory_reservation reservation(uint64_t *list, uint64_t n, unsigned order)
{
    return (struct xen_memory_reservation){.extent_start.p = list, .nr_extents = n, .extent_order = order, .domid = guest->id};
}

static void populate_gives_pv_guests_their_machine_frames(void **state)
{
    uint64_t list[8];
    struct xen_memory_reservation r;

    start(false);
    r = reservation(list, 8, 1);
    for (unsigned i = 0; i < 8; i++)
        list[i] = 100 + 2 * i;
    fake_preempt_after = 2;
    assert_int_equal(memory_op(XENMEM_populate_physmap, &r), 8);
    assert_true(fake_continuations >= 2);
    assert_int_equal(guest->tot_pages, 16);
    for (unsigned i = 0; i < 8; i++)
        for (unsigned k = 0; k < 2; k++) {
            assert_int_equal(m2p_get(MFN(list[i] + k)), 100 + 2 * i + k);
            assert_ptr_equal(page_owner(mfn_to_page(MFN(list[i] + k))), guest);
        }
    assert_int_equal(memory_op(XENMEM_decrease_reservation, &r), 8);
    assert_int_equal(guest->tot_pages, 0);
    stop();
}

static void populate_places_hvm_guests_frames(void **state)
{
    uint64_t list[3] = {16, 32, 48};
    struct xen_memory_reservation r;

    start(true);
    r = reservation(list, 3, 4);
    assert_int_equal(memory_op(XENMEM_populate_physmap, &r), 3);
    assert_int_equal(list[0], 16); /* machine frames are not told */
    assert_false(mfn_eq(guest->ops->gfn_to_mfn(guest, GFN(63)), INVALID_MFN));
    list[0] = 17;
    r.nr_extents = 1;
    assert_int_equal(memory_op(XENMEM_populate_physmap, &r), 0); /* not aligned */
    list[0] = ~0UL;
    assert_int_equal(memory_op(XENMEM_populate_physmap, &r), 0);
    assert_int_equal(guest->tot_pages, 48);
    stop();
}

static void reservations_stop_at_what_cannot_be_done(void **state)
{
    uint64_t list[10] = {0};
    struct xen_memory_reservation r;

    start(false);
    guest->max_pages = 4;
    r = reservation(list, 10, 0);
    assert_int_equal(memory_op(XENMEM_populate_physmap, &r), 4);
    assert_int_equal(memory_op(XENMEM_increase_reservation, &r), 0);
    assert_int_equal(guest->tot_pages, 4);
    guest->max_pages = 1024;

    r.extent_order = 30;
    assert_int_equal(memory_op(XENMEM_populate_physmap, &r), 0);
    r.extent_order = 0;
    r.nr_extents = ~0UL;
    assert_int_equal(memory_op(XENMEM_populate_physmap, &r), 0);
    r.nr_extents = 1;
    r.extent_start.p = NULL;
    assert_int_equal(memory_op(XENMEM_populate_physmap, &r), 0);
    assert_int_equal(memory_op(XENMEM_increase_reservation, &r), 1); /* the list is optional there */
    r.extent_start.p = list;
    r.mem_flags = XENMEMF_address_bits(8);
    assert_int_equal(memory_op(XENMEM_populate_physmap, &r), 0);
    r.mem_flags = XENMEMF_populate_on_demand;
    assert_int_equal(memory_op(XENMEM_populate_physmap, &r), 0);
    r.mem_flags = 0;
    r.domid = 99;
    assert_int_equal(memory_op(XENMEM_populate_physmap, &r), 0);
    assert_int_equal(memory_op(XENMEM_populate_physmap | 5 << 6, &r), 5); /* a start that no call of ours made */
    assert_int_equal(memory_op(XENMEM_populate_physmap, (void *)16), -EFAULT);
    fake_fault_at = (uint64_t)&list[0];
    r.domid = guest->id;
    assert_int_equal(memory_op(XENMEM_increase_reservation, &r), 0);
    assert_int_equal(guest->tot_pages, 5);
    stop();
}

static void guests_cannot_change_others(void **state)
{
    uint64_t list[1] = {1};
    struct xen_memory_reservation r;
    struct xen_memory_domain md = {.domid = 0};

    start(false);
    fake_run(guest->vcpu[0]);
    r = reservation(list, 1, 0);
    r.domid = 0;
    assert_int_equal(memory_op(XENMEM_populate_physmap, &r), -EPERM);
    assert_int_equal(memory_op(XENMEM_current_reservation, &md), -EPERM);
    struct xen_memory_reservation claim = {.nr_extents = 5, .domid = DOMID_SELF};
    assert_int_equal(memory_op(XENMEM_claim_pages, &claim), -EPERM);
    struct xen_pod_target pod = {.domid = DOMID_SELF};
    assert_int_equal(memory_op(XENMEM_get_pod_target, &pod), -EPERM);
    assert_int_equal(memory_op(XENMEM_machine_memory_map, &md), -EPERM);
    r.domid = DOMID_SELF;
    assert_int_equal(memory_op(XENMEM_populate_physmap, &r), 1);
    md.domid = DOMID_SELF;
    assert_int_equal(memory_op(XENMEM_current_reservation, &md), 1);
    assert_int_equal(memory_op(XENMEM_maximum_reservation, &md), 1024);
    md.domid = 55;
    assert_int_equal(memory_op(XENMEM_current_reservation, &md), -ESRCH);
    stop();
}

static void frames_in_use_or_foreign_are_not_given_back(void **state)
{
    uint64_t list[1];
    struct xen_memory_reservation r;
    struct page_info *pg;

    start(false);
    fake_run(guest->vcpu[0]);
    r = reservation(list, 1, 0);
    list[0] = virt_to_mfn(control).v;
    assert_int_equal(memory_op(XENMEM_decrease_reservation, &r), 0);
    list[0] = virt_to_mfn(guest->shared_info).v;
    assert_int_equal(memory_op(XENMEM_decrease_reservation, &r), 0);
    list[0] = ~0UL >> 20;
    assert_int_equal(memory_op(XENMEM_decrease_reservation, &r), 0);
    pg = fake_page(guest, 3);
    list[0] = page_to_mfn(pg).v;
    assert_true(page_get(pg, guest)); /* another's mapping */
    assert_int_equal(memory_op(XENMEM_decrease_reservation, &r), 1);
    assert_int_equal(guest->tot_pages, 1);
    assert_int_equal(memory_op(XENMEM_decrease_reservation, &r), 1); /* nothing more to drop, and no harm */
    page_put(pg);
    assert_int_equal(guest->tot_pages, 0);
    stop();
}

static void exchange_replaces_all_or_nothing(void **state)
{
    uint64_t in[8], out[1] = {700}, before;
    struct xen_memory_exchange x;

    start(false);
    fake_run(guest->vcpu[0]);
    for (unsigned i = 0; i < 8; i++)
        in[i] = page_to_mfn(fake_page(guest, 700 + i)).v;
    before = avail_heap_pages();
    x = (struct xen_memory_exchange){
        .in = {.extent_start.p = in, .nr_extents = 8, .extent_order = 0, .domid = DOMID_SELF},
        .out = {.extent_start.p = out, .nr_extents = 1, .extent_order = 3, .mem_flags = XENMEMF_address_bits(23),
                .domid = DOMID_SELF},
    };
    assert_true(page_get(mfn_to_page(MFN(in[5])), guest));
    assert_int_equal(memory_op(XENMEM_exchange, &x), -EBUSY);
    assert_int_equal(x.nr_exchanged, 0);
    assert_int_equal(guest->tot_pages, 8);
    assert_int_equal(avail_heap_pages(), before);
    page_put(mfn_to_page(MFN(in[5])));

    assert_int_equal(memory_op(XENMEM_exchange, &x), 0);
    assert_int_equal(x.nr_exchanged, 8);
    assert_int_equal(guest->tot_pages, 8);
    assert_int_equal(avail_heap_pages(), before);
    assert_true(out[0] < 2048 && out[0] % 8 == 0);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(m2p_get(MFN(out[0] + i)), 700 + i);
        assert_ptr_equal(page_owner(mfn_to_page(MFN(out[0] + i))), guest);
    }
    stop();
}

static void exchange_splits_and_continues(void **state)
{
    uint64_t in[4], out[16];
    struct xen_memory_exchange x;

    start(false);
    fake_run(guest->vcpu[0]);
    for (unsigned i = 0; i < 4; i++) {
        in[i] = page_to_mfn(alloc_domain_pages(guest, 2, 0, 0)).v;
        for (unsigned k = 0; k < 4; k++)
            out[4 * i + k] = 4 * i + k;
    }
    x = (struct xen_memory_exchange){
        .in = {.extent_start.p = in, .nr_extents = 4, .extent_order = 2, .domid = DOMID_SELF},
        .out = {.extent_start.p = out, .nr_extents = 16, .extent_order = 0, .domid = DOMID_SELF},
    };
    fake_preempt_after = 0;
    assert_int_equal(memory_op(XENMEM_exchange, &x), 0);
    assert_int_equal(fake_continuations, 3);
    assert_int_equal(x.nr_exchanged, 4);
    assert_int_equal(guest->tot_pages, 16);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(m2p_get(MFN(out[i])), i);
    stop();
}

static void exchange_refuses_what_does_not_add_up(void **state)
{
    uint64_t in[4] = {0}, out[4] = {0};
    struct xen_memory_exchange x = {
        .in = {.extent_start.p = in, .nr_extents = 4, .extent_order = 0, .domid = DOMID_SELF},
        .out = {.extent_start.p = out, .nr_extents = 2, .extent_order = 0, .domid = DOMID_SELF},
    };

    start(false);
    fake_run(guest->vcpu[0]);
    assert_int_equal(memory_op(XENMEM_exchange, &x), -EINVAL);
    x.out.extent_order = 1;
    x.out.domid = 0;
    assert_int_equal(memory_op(XENMEM_exchange, &x), -EINVAL);
    x.out.domid = DOMID_SELF;
    x.nr_exchanged = 5;
    assert_int_equal(memory_op(XENMEM_exchange, &x), -EINVAL);
    x.nr_exchanged = 1; /* in the middle of a chunk */
    assert_int_equal(memory_op(XENMEM_exchange, &x), -EINVAL);
    x.nr_exchanged = 0;
    in[0] = ~0UL;
    assert_int_equal(memory_op(XENMEM_exchange, &x), -EINVAL);
    x.in.nr_extents = 1UL << 63;
    x.in.extent_order = 1;
    assert_int_equal(memory_op(XENMEM_exchange, &x), -EINVAL);
    x.in.extent_order = 40;
    assert_int_equal(memory_op(XENMEM_exchange, &x), -EPERM);
    stop();
}

static void the_map_of_a_guest_is_what_was_set(void **state)
{
    struct guest_e820_entry set[3] = {{0, 0xa0000, 1}, {0x100000, 0x700000, 1}, {0xfc000000, 0x1000, 2}}, got[4];
    struct xen_foreign_memory_map f = {.map = {.nr_entries = 3, .buffer.p = set}};
    struct xen_memory_map m = {.nr_entries = 4, .buffer.p = got};

    start(true);
    f.domid = guest->id;
    fake_run(guest->vcpu[0]);
    assert_int_equal(memory_op(XENMEM_memory_map, &m), -ENOSYS);
    fake_run(control->vcpu[0]);
    f.map.nr_entries = 1000;
    assert_int_equal(memory_op(XENMEM_set_memory_map, &f), -EINVAL);
    f.map.nr_entries = 3;
    assert_int_equal(memory_op(XENMEM_set_memory_map, &f), 0);
    assert_int_equal(memory_op(XENMEM_set_memory_map, &f), 0); /* replaces it */
    fake_run(guest->vcpu[0]);
    assert_int_equal(memory_op(XENMEM_memory_map, &m), 0);
    assert_int_equal(m.nr_entries, 3);
    assert_memory_equal(got, set, sizeof(set));
    m.nr_entries = 1;
    assert_int_equal(memory_op(XENMEM_memory_map, &m), 0);
    assert_int_equal(m.nr_entries, 1);
    stop();
}

static void the_machine_map_is_dom0s(void **state)
{
    struct guest_e820_entry got[4];
    struct xen_memory_map m = {.nr_entries = 4, .buffer.p = got};

    start(false);
    boot_info.nr_e820 = 2;
    boot_info.e820[1] = (struct e820_entry){0x100000, 0xf00000, 1};
    assert_int_equal(memory_op(XENMEM_machine_memory_map, &m), 0);
    assert_int_equal(m.nr_entries, 2);
    assert_int_equal(got[1].addr, 0x100000);
    assert_int_equal(got[1].size, 0xf00000);
    m = (struct xen_memory_map){0}; /* no buffer: how many there are */
    assert_int_equal(memory_op(XENMEM_machine_memory_map, &m), 0);
    assert_int_equal(m.nr_entries, 2);
    stop();
}

static void physmap_places_and_moves_special_frames(void **state)
{
    struct xen_add_to_physmap x = {.space = XENMAPSPACE_shared_info, .gpfn = 20};
    struct xen_remove_from_physmap rm = {.gpfn = 21};

    start(true);
    x.domid = rm.domid = guest->id;
    assert_int_equal(grant_table_init(guest, 4, 1, 2), 0);
    fake_page(guest, 20);
    assert_int_equal(memory_op(XENMEM_add_to_physmap, &x), 0);
    assert_int_equal(guest->tot_pages, 0); /* what was there went back */
    assert_int_equal(guest->ops->gfn_to_mfn(guest, GFN(20)).v, virt_to_mfn(guest->shared_info).v);
    x.gpfn = 21;
    assert_int_equal(memory_op(XENMEM_add_to_physmap, &x), 0);
    assert_int_equal(memory_op(XENMEM_add_to_physmap, &x), 0); /* again: nothing to do */
    assert_true(mfn_eq(guest->ops->gfn_to_mfn(guest, GFN(20)), INVALID_MFN));
    x.idx = 1;
    assert_int_equal(memory_op(XENMEM_add_to_physmap, &x), -EINVAL);

    x.space = XENMAPSPACE_grant_table; /* over the shared page, which stays the hypervisor's */
    x.idx = 3;
    assert_int_equal(memory_op(XENMEM_add_to_physmap, &x), 0);
    x.idx = 4;
    assert_int_equal(memory_op(XENMEM_add_to_physmap, &x), -EINVAL);
    assert_int_equal(memory_op(XENMEM_remove_from_physmap, &rm), 0);
    assert_int_equal(memory_op(XENMEM_remove_from_physmap, &rm), -ENOENT);
    x.space = XENMAPSPACE_gmfn_foreign;
    assert_int_equal(memory_op(XENMEM_add_to_physmap, &x), -ENOSYS);
    x.space = XENMAPSPACE_dev_mmio;
    x.idx = 0;
    assert_int_equal(memory_op(XENMEM_add_to_physmap, &x), -EINVAL);
    x.space = 77;
    assert_int_equal(memory_op(XENMEM_add_to_physmap, &x), -EINVAL);
    grant_table_free(guest);
    stop();
}

static void physmap_moves_ranges_of_ram(void **state)
{
    struct xen_add_to_physmap x = {.space = XENMAPSPACE_gmfn_range, .idx = 100, .gpfn = 200, .size = 5};
    uint64_t mfn[5];

    start(true);
    x.domid = guest->id;
    for (unsigned i = 0; i < 5; i++)
        mfn[i] = page_to_mfn(fake_page(guest, 100 + i)).v;
    fake_preempt_after = 1;
    assert_int_equal(memory_op(XENMEM_add_to_physmap, &x), 0);
    assert_true(fake_continuations);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(guest->ops->gfn_to_mfn(guest, GFN(200 + i)).v, mfn[i]);
        assert_true(mfn_eq(guest->ops->gfn_to_mfn(guest, GFN(100 + i)), INVALID_MFN));
    }
    assert_int_equal(guest->tot_pages, 5);
    stop();
}

static void batches_report_each_error(void **state)
{
    uint64_t idxs[3] = {10, 11, 12}, gpfns[3] = {30, 31, ~0UL};
    int errs[3] = {9, 9, 9};
    struct xen_add_to_physmap_batch x = {.space = XENMAPSPACE_gmfn, .size = 3, .idxs.p = idxs, .gpfns.p = gpfns,
                                         .errs.p = errs};

    start(true);
    x.domid = guest->id;
    fake_page(guest, 10);
    assert_int_equal(memory_op(XENMEM_add_to_physmap_batch, &x), 0);
    assert_int_equal(errs[0], 0);
    assert_int_equal(errs[1], -EINVAL);
    assert_int_equal(errs[2], -EINVAL);
    x.u.res0 = 1;
    assert_int_equal(memory_op(XENMEM_add_to_physmap_batch, &x), -EOPNOTSUPP);
    stop();
}

static void pv_guests_have_no_physmap(void **state)
{
    struct xen_add_to_physmap x = {.space = XENMAPSPACE_shared_info, .gpfn = 20, .domid = 1};

    start(false);
    assert_int_equal(memory_op(XENMEM_add_to_physmap, &x), -EACCES);
    stop();
}

/* What the machine-to-phys table says of a frame is for its owner to change. */
static void pv_guests_remove_no_frames_of_others(void **state)
{
    struct xen_remove_from_physmap rm = {.domid = DOMID_SELF};
    struct page_info *mine, *others;

    start(false);
    mine = fake_page(guest, 7);
    others = fake_page(control, 9);
    fake_run(guest->vcpu[0]);
    rm.gpfn = page_to_mfn(others).v;
    assert_int_equal(memory_op(XENMEM_remove_from_physmap, &rm), -ENOENT);
    assert_int_equal(m2p_get(page_to_mfn(others)), 9);
    rm.gpfn = GFN_MAX - 1; /* no frame at all */
    assert_int_equal(memory_op(XENMEM_remove_from_physmap, &rm), -ENOENT);
    rm.gpfn = page_to_mfn(mine).v;
    assert_int_equal(memory_op(XENMEM_remove_from_physmap, &rm), 0);
    assert_int_equal(m2p_get(page_to_mfn(mine)), M2P_INVALID);
    fake_run(control->vcpu[0]);
    assert_int_equal(domain_relinquish_memory(control, &control->page_list), 0);
    stop();
}

static void give_back(struct domain *d, gfn_t gfn)
{
    fake_get_page_hook = NULL;
    assert_int_equal(guest_remove_page(d, gfn), 0);
}

static void move_away(struct domain *d, gfn_t gfn)
{
    union xen_add_to_physmap_batch_extra none = {0};

    fake_get_page_hook = NULL;
    assert_int_equal(add_to_physmap_one(d, XENMAPSPACE_gmfn, none, gfn.v, GFN(40)), 0);
}

/* Two vCPUs at once: a frame has one place at most, and none once it is given back. */
static void moved_frames_have_one_place(void **state)
{
    struct xen_add_to_physmap x = {.space = XENMAPSPACE_gmfn, .idx = 30, .gpfn = 50};
    struct page_info *pg;

    start(true);
    x.domid = guest->id;
    fake_page(guest, 30);
    fake_get_page_hook = give_back;
    assert_int_equal(memory_op(XENMEM_add_to_physmap, &x), -EINVAL);
    assert_true(mfn_eq(guest->ops->gfn_to_mfn(guest, GFN(50)), INVALID_MFN));
    assert_int_equal(guest->tot_pages, 0);
    pg = fake_page(guest, 30);
    fake_get_page_hook = move_away;
    assert_int_equal(memory_op(XENMEM_add_to_physmap, &x), 0);
    assert_true(mfn_eq(guest->ops->gfn_to_mfn(guest, GFN(40)), INVALID_MFN));
    assert_int_equal(guest->ops->gfn_to_mfn(guest, GFN(50)).v, page_to_mfn(pg).v);
    stop();
}

static void resources_are_named_by_machine_frame_to_pv_tools(void **state)
{
    uint64_t frames[3] = {0};
    struct xen_mem_acquire_resource x = {.type = XENMEM_resource_grant_table, .nr_frames = 0};

    start(true);
    x.domid = guest->id;
    assert_int_equal(grant_table_init(guest, 4, 1, 2), 0);
    assert_int_equal(memory_op(XENMEM_acquire_resource, &x), 0);
    assert_int_equal(x.nr_frames, 4);
    x.nr_frames = 3;
    assert_int_equal(memory_op(XENMEM_acquire_resource, &x), -EINVAL); /* frames but no list */
    x.frame_list.p = frames;
    assert_int_equal(memory_op(XENMEM_acquire_resource, &x), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_ptr_equal(page_owner(mfn_to_page(MFN(frames[i]))), guest);
    x.frame = 2;
    assert_int_equal(memory_op(XENMEM_acquire_resource, &x), -EINVAL);
    x.frame = ~0UL;
    assert_int_equal(memory_op(XENMEM_acquire_resource, &x), -EINVAL);
    x.frame = 0;
    x.pad = 1;
    assert_int_equal(memory_op(XENMEM_acquire_resource, &x), -EINVAL);
    x.pad = 0;
    x.type = XENMEM_resource_vmtrace_buf;
    assert_int_equal(memory_op(XENMEM_acquire_resource, &x), -EOPNOTSUPP);
    x.domid = DOMID_SELF;
    assert_int_equal(memory_op(XENMEM_acquire_resource, &x), -EPERM);
    grant_table_free(guest);
    stop();
}

static void what_is_not_done_says_so(void **state)
{
    uint8_t arg[256] = {0};
    struct xen_pod_target pod = {.target_pages = 10, .tot_pages = 77, .pod_entries = 5};
    struct xen_machphys_mapping m2p;

    start(true);
    assert_int_equal(memory_op(XENMEM_sharing_op, arg), -EOPNOTSUPP);
    assert_int_equal(memory_op(XENMEM_paging_op, arg), -EOPNOTSUPP);
    assert_int_equal(memory_op(XENMEM_access_op, arg), -EOPNOTSUPP);
    assert_int_equal(memory_op(XENMEM_get_vnumainfo, arg), -EOPNOTSUPP);
    assert_int_equal(memory_op(63, arg), -ENOSYS);
    assert_int_equal(memory_op(XENMEM_maximum_ram_page, NULL), FAKE_FRAMES - 1);
    pod.domid = guest->id;
    fake_page(guest, 3);
    assert_int_equal(memory_op(XENMEM_get_pod_target, &pod), 0);
    assert_int_equal(pod.tot_pages, 1);
    assert_int_equal(pod.pod_entries, 0);
    pod.domid = 0;
    assert_int_equal(memory_op(XENMEM_get_pod_target, &pod), -EINVAL);
    assert_int_equal(memory_op(XENMEM_machphys_mapping, &m2p), 0);
    assert_int_equal(m2p.v_start, 0xffff800000000000);
    stop();
}

static void the_m2p_is_found_in_the_page_tables(void **state)
{
    uint64_t list[4] = {9, 9, 9, 9};
    struct xen_machphys_mfn_list x = {.max_extents = 4, .extent_start.p = list};
    pte_t *l3 = alloc_zeroed_page(), *l2 = alloc_zeroed_page();

    start(false);
    idle_pgd[PT_INDEX(RW_M2P_START, 4)] = make_pte(virt_to_mfn(l3), PTE_P | PTE_W);
    l3[PT_INDEX(RW_M2P_START, 3)] = make_pte(virt_to_mfn(l2), PTE_P | PTE_W);
    l2[PT_INDEX(RW_M2P_START, 2)] = make_pte(MFN(0x400), PTE_P | PTE_W | PTE_PS);
    assert_int_equal(memory_op(XENMEM_machphys_mfn_list, &x), 0);
    assert_int_equal(x.nr_extents, 1); /* 4,096 frames fit in one */
    assert_int_equal(list[0], 0x400);
    assert_int_equal(list[1], 9);
    l2[PT_INDEX(RW_M2P_START, 2)] = 0;
    assert_int_equal(memory_op(XENMEM_machphys_mfn_list, &x), 0);
    assert_int_equal(list[0], 0);
    idle_pgd[PT_INDEX(RW_M2P_START, 4)] = 0;
    free_xenheap_pages(l3, 0);
    free_xenheap_pages(l2, 0);
    stop();
}

static void a_domains_end_leaves_frames_that_others_map(void **state)
{
    struct page_info *pg[600];

    start(false);
    for (unsigned i = 0; i < 600; i++)
        pg[i] = fake_page(guest, i);
    for (unsigned i = 0; i < 600; i += 100)
        assert_true(page_get(pg[i], guest));
    fake_preempt_after = 0;
    assert_int_equal(domain_relinquish_memory(guest, &guest->page_list), -ERESTART);
    while (domain_relinquish_memory(guest, &guest->page_list))
        ;
    assert_int_equal(guest->page_list.count, 6);
    for (unsigned i = 0; i < 600; i += 100)
        page_put(pg[i]);
    assert_int_equal(guest->page_list.count, 0);
    stop();
}

/* A block in which one frame is mapped by another domain: what lies around it is freed, flushed, and whole again. */
static void a_domains_end_frees_blocks(void **state)
{
    struct page_info *pg;
    uint64_t before;

    start(false);
    before = avail_heap_pages();
    pg = alloc_domain_pages(guest, 9, 0, 0);
    assert_non_null(pg);
    assert_true(page_get(pg + 100, guest));
    fake_tlb_clock = 4711;
    assert_int_equal(domain_relinquish_memory(guest, &guest->page_list), 0);
    assert_int_equal(guest->page_list.count, 1);
    assert_int_equal(guest->tot_pages, 1);
    assert_int_equal(avail_heap_pages(), before - 1);
    assert_int_equal(pg[0].tlb_stamp, 4711);
    assert_int_equal(pg[511].tlb_stamp, 4711);
    page_put(pg + 100);
    assert_int_equal(guest->page_list.count, 0);
    assert_ptr_equal(alloc_domain_pages(guest, 9, 0, 0), pg);
    assert_int_equal(domain_relinquish_memory(guest, &guest->page_list), 0);
    assert_int_equal(avail_heap_pages(), before);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(populate_gives_pv_guests_their_machine_frames),
        UNIT_TEST(populate_places_hvm_guests_frames),
        UNIT_TEST(reservations_stop_at_what_cannot_be_done),
        UNIT_TEST(guests_cannot_change_others),
        UNIT_TEST(frames_in_use_or_foreign_are_not_given_back),
        UNIT_TEST(exchange_replaces_all_or_nothing),
        UNIT_TEST(exchange_splits_and_continues),
        UNIT_TEST(exchange_refuses_what_does_not_add_up),
        UNIT_TEST(the_map_of_a_guest_is_what_was_set),
        UNIT_TEST(the_machine_map_is_dom0s),
        UNIT_TEST(physmap_places_and_moves_special_frames),
        UNIT_TEST(physmap_moves_ranges_of_ram),
        UNIT_TEST(batches_report_each_error),
        UNIT_TEST(pv_guests_have_no_physmap),
        UNIT_TEST(pv_guests_remove_no_frames_of_others),
        UNIT_TEST(moved_frames_have_one_place),
        UNIT_TEST(resources_are_named_by_machine_frame_to_pv_tools),
        UNIT_TEST(what_is_not_done_says_so),
        UNIT_TEST(the_m2p_is_found_in_the_page_tables),
        UNIT_TEST(a_domains_end_leaves_frames_that_others_map),
        UNIT_TEST(a_domains_end_frees_blocks),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
