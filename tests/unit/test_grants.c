/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Grant tables: what a grant gives, what it does not, and that nothing stays behind. */
#include "fakes.h"

#include "vmm/domain/grant.h"
#include "vmm/domain/grant_priv.h"

static struct domain *lender, *borrower;
static struct page_info *page;    /* of the lender, at gfn 5 */

static void start(bool lender_hvm, bool borrower_hvm)
{
    lender = fake_domain(1, lender_hvm, 1);
    borrower = fake_domain(2, borrower_hvm, 1);
    assert_int_equal(grant_table_init(lender, 4, 2, 2), 0);
    assert_int_equal(grant_table_init(borrower, 4, 2, 2), 0);
    page = fake_page(lender, 5);
    fake_run(borrower->vcpu[0]);
}

static void stop(void)
{
    assert_int_equal(page->count_info & PGC_count_mask, 1);
    assert_int_equal(page->type_info & PGT_count_mask, 0);
    assert_int_equal(grant_table_release_mappings(borrower), 0);
    assert_int_equal(grant_table_release_mappings(lender), 0);
    grant_table_free(lender);
    grant_table_free(borrower);
    fake_domain_free(borrower);
    fake_domain_free(lender);
}

static uint64_t frame_of_page(void) { return lender->is_hvm ? 5 : page_to_mfn(page).v; }

/* Entry ref of the lender, version 1. */
static struct grant_entry_v1 *entry(unsigned ref)
{
    mfn_t mfn;

    assert_int_equal(grant_table_map_frame(lender, ref / ENTRIES_V1, &mfn), 0);
    return (struct grant_entry_v1 *)mfn_to_virt(mfn) + ref % ENTRIES_V1;
}

static void lend(unsigned ref, uint16_t flags)
{
    *entry(ref) = (struct grant_entry_v1){GTF_permit_access | flags, borrower->id, (uint32_t)frame_of_page()};
}

static struct gnttab_map_grant_ref map(unsigned ref, uint32_t flags, uint64_t addr)
{
    struct gnttab_map_grant_ref op = {.host_addr = addr, .flags = flags, .ref = ref, .dom = lender->id, .status = 99};

    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_map_grant_ref, (uint64_t)&op, 1), 0);
    return op;
}

static int unmap(uint32_t handle, uint64_t addr, uint64_t bus)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = addr, .dev_bus_addr = bus, .handle = handle, .status = 99};

    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_unmap_grant_ref, (uint64_t)&op, 1), 0);
    return op.status;
}

static void a_mapping_holds_the_frame_until_it_ends(void **state)
{
    struct gnttab_map_grant_ref m;

    start(false, false);
    lend(9, 0);
    m = map(9, GNTMAP_host_map, 0x1000);
    assert_int_equal(m.status, GNTST_okay);
    assert_int_equal(m.dev_bus_addr, mfn_to_paddr(page_to_mfn(page)));
    assert_int_equal(entry(9)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    assert_int_equal(page->count_info & PGC_count_mask, 2);
    assert_int_equal(page->type_info & (PGT_type_mask | PGT_count_mask), PGT_writable_page | 1);
    assert_int_equal(fake_mapping_at(borrower, 0x1000)->mfn.v, page_to_mfn(page).v);
    assert_int_equal(unmap(m.handle, 0x1000, 0), GNTST_okay);
    assert_int_equal(fake_tlb_flushes, 1);
    assert_int_equal(entry(9)->flags, GTF_permit_access);
    assert_int_equal(unmap(m.handle, 0x1000, 0), GNTST_bad_handle);
    stop();
}

static void a_read_only_grant_cannot_be_written(void **state)
{
    struct gnttab_map_grant_ref m;

    start(false, false);
    lend(9, GTF_readonly);
    assert_int_equal(map(9, GNTMAP_host_map, 0x1000).status, GNTST_general_error);
    assert_int_equal(entry(9)->flags, GTF_permit_access | GTF_readonly);
    m = map(9, GNTMAP_host_map | GNTMAP_readonly, 0x1000);
    assert_int_equal(m.status, GNTST_okay);
    assert_int_equal(entry(9)->flags, GTF_permit_access | GTF_readonly | GTF_reading);
    assert_int_equal(page->type_info & PGT_count_mask, 0); /* reading needs no type */
    assert_int_equal(unmap(m.handle, 0x1000, 0), GNTST_okay);
    stop();
}

static void what_was_not_granted_is_refused(void **state)
{
    start(false, false);
    assert_int_equal(map(9, GNTMAP_host_map, 0x1000).status, GNTST_general_error);       /* invalid entry */
    assert_int_equal(map(100000, GNTMAP_host_map, 0x1000).status, GNTST_bad_gntref);
    assert_int_equal(map(~0U, GNTMAP_host_map, 0x1000).status, GNTST_bad_gntref);
    lend(9, 0);
    entry(9)->domid = 7;
    assert_int_equal(map(9, GNTMAP_host_map, 0x1000).status, GNTST_general_error);       /* to another */
    lend(9, 0);
    entry(9)->flags = GTF_accept_transfer;
    assert_int_equal(map(9, GNTMAP_host_map, 0x1000).status, GNTST_general_error);
    lend(9, 0);
    entry(9)->frame = (uint32_t)virt_to_mfn(borrower).v;                                 /* not the lender's */
    assert_int_equal(map(9, GNTMAP_host_map, 0x1000).status, GNTST_general_error);
    assert_int_equal(entry(9)->flags, GTF_permit_access);
    entry(9)->frame = 0xfffffff0;
    assert_int_equal(map(9, GNTMAP_host_map, 0x1000).status, GNTST_general_error);
    lend(9, 0);
    assert_int_equal(map(9, 0, 0x1000).status, GNTST_bad_gntref);                        /* neither kind */
    struct gnttab_map_grant_ref op = {.flags = GNTMAP_host_map, .ref = 9, .dom = 77};
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_map_grant_ref, (uint64_t)&op, 1), 0);
    assert_int_equal(op.status, GNTST_bad_domain);
    stop();
}

static void a_failed_mapping_leaves_no_trace(void **state)
{
    start(false, false);
    lend(9, 0);
    fake_grant_map_error = -EINVAL;
    assert_int_equal(map(9, GNTMAP_host_map | GNTMAP_device_map, 0x1000).status, GNTST_general_error);
    assert_int_equal(entry(9)->flags, GTF_permit_access);
    assert_int_equal(page->count_info & PGC_count_mask, 1);
    assert_int_equal(borrower->grant->mapped, 0);
    stop();
}

static void host_and_device_mappings_end_one_by_one(void **state)
{
    struct gnttab_map_grant_ref m;

    start(false, false);
    lend(9, 0);
    m = map(9, GNTMAP_host_map | GNTMAP_device_map, 0x1000);
    assert_int_equal(m.status, GNTST_okay);
    assert_int_equal(page->count_info & PGC_count_mask, 3);
    assert_int_equal(unmap(m.handle, 0, m.dev_bus_addr + PAGE_SIZE), GNTST_bad_dev_addr);
    assert_int_equal(unmap(m.handle, 0, m.dev_bus_addr), GNTST_okay);
    assert_int_equal(page->count_info & PGC_count_mask, 2);
    assert_int_equal(entry(9)->flags & GTF_writing, GTF_writing);
    assert_int_equal(unmap(m.handle, 0x9000, 0), GNTST_general_error); /* not mapped there */
    assert_int_equal(unmap(m.handle, 0x1000, 0), GNTST_okay);
    assert_int_equal(entry(9)->flags, GTF_permit_access);
    stop();
}

static void an_owner_can_revoke_only_unused_grants(void **state)
{
    struct gnttab_map_grant_ref a, b;

    start(false, false);
    lend(9, 0);
    a = map(9, GNTMAP_host_map, 0x1000);
    b = map(9, GNTMAP_host_map | GNTMAP_readonly, 0x2000);
    assert_int_equal(unmap(a.handle, 0x1000, 0), GNTST_okay);
    assert_int_equal(entry(9)->flags, GTF_permit_access | GTF_reading);
    /* Given to another while in use: the newcomer must wait. */
    entry(9)->domid = lender->id;
    fake_run(lender->vcpu[0]);
    assert_int_equal(map(9, GNTMAP_host_map, 0x3000).status, GNTST_general_error);
    fake_run(borrower->vcpu[0]);
    assert_int_equal(unmap(b.handle, 0x2000, 0), GNTST_okay);
    assert_int_equal(entry(9)->flags, GTF_permit_access);
    stop();
}

static void handles_run_out_and_come_back(void **state)
{
    enum { MANY = 400 };
    static uint32_t handle[MANY];
    unsigned n = 0;

    start(false, false);
    lend(9, GTF_readonly);
    for (;;) {
        struct gnttab_map_grant_ref m = map(9, GNTMAP_device_map | GNTMAP_readonly, 0);

        if (m.status == GNTST_no_space)
            break;
        assert_int_equal(m.status, GNTST_okay);
        assert_true(n < MANY);
        handle[n++] = m.handle;
    }
    assert_int_equal(n, 2 * MAPPINGS_PER_FRAME);
    while (n--)
        assert_int_equal(unmap(handle[n], 0, mfn_to_paddr(page_to_mfn(page))), GNTST_okay);
    assert_int_equal(borrower->grant->mapped, 0);
    assert_int_equal(unmap(12345678, 0x1000, 0), GNTST_bad_handle);
    stop();
}

static void a_dying_domain_gives_back_what_it_borrowed(void **state)
{
    struct gnttab_map_grant_ref m;

    start(true, true);
    lend(9, 0);
    m = map(9, GNTMAP_host_map, 0x1000);
    assert_int_equal(m.status, GNTST_okay);
    assert_int_equal(lender->refcount, 3);
    assert_int_equal(grant_table_release_mappings(borrower), 0);
    assert_int_equal(entry(9)->flags, GTF_permit_access);
    assert_int_equal(lender->refcount, 2);
    stop();
}

static void batches_continue_where_they_were_preempted(void **state)
{
    struct gnttab_map_grant_ref op[40];
    struct gnttab_unmap_grant_ref un[40];

    start(false, false);
    lend(9, 0);
    for (unsigned i = 0; i < 40; i++)
        op[i] = (struct gnttab_map_grant_ref){.host_addr = 0x1000 * (i + 1), .flags = GNTMAP_host_map, .ref = 9,
                                              .dom = lender->id, .status = 99};
    fake_preempt_after = 3;
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_map_grant_ref, (uint64_t)op, 40), 0);
    assert_true(fake_continuations >= 9);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(op[i].status, GNTST_okay);
        un[i] = (struct gnttab_unmap_grant_ref){.host_addr = op[i].host_addr, .handle = op[i].handle, .status = 99};
    }
    fake_preempt_after = 0;
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_unmap_grant_ref, (uint64_t)un, 40), 0);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(un[i].status, GNTST_okay);
    assert_int_equal(fake_tlb_flushes, 2); /* 40 unmappings in two batches */
    stop();
}

static void faulting_arguments_end_the_batch_with_an_error(void **state)
{
    struct gnttab_unmap_grant_ref un[2] = {{.handle = 5}, {.handle = 6}};

    start(false, false);
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_map_grant_ref, 8, 1), -EFAULT);
    fake_fault_at = (uint64_t)&un[1].status;
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_unmap_grant_ref, (uint64_t)un, 2), -EFAULT);
    assert_int_equal(un[0].status, GNTST_bad_handle);
    assert_int_equal(fake_hypercall(do_grant_table_op, 99, 0, 1), -ENOSYS);
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_transfer, 0, 1), -EOPNOTSUPP);
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_copy, 0, 0x80000000U), -EINVAL);
    stop();
}

/* -- copying --------------------------------------------------------------------------------------------------------- */

static int copy(struct gnttab_copy op)
{
    op.status = 99;
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_copy, (uint64_t)&op, 1), 0);
    return op.status;
}

static void copies_go_between_grant_and_own_frame(void **state)
{
    struct page_info *mine;
    struct gnttab_copy op;

    start(true, false);
    mine = fake_page(borrower, 1);
    lend(9, 0);
    memcpy((char *)page_to_virt(page) + 100, "granted bytes", 13);
    op = (struct gnttab_copy){.source = {.u.ref = 9, .domid = lender->id, .offset = 100},
                              .dest = {.u.gmfn = page_to_mfn(mine).v, .domid = DOMID_SELF, .offset = 4083},
                              .len = 13, .flags = GNTCOPY_source_gref};
    assert_int_equal(copy(op), GNTST_okay);
    assert_memory_equal((char *)page_to_virt(mine) + 4083, "granted bytes", 13);
    assert_int_equal(entry(9)->flags, GTF_permit_access);

    op.dest.offset = 4084;
    assert_int_equal(copy(op), GNTST_bad_copy_arg);
    op.dest.offset = 0;
    op.dest.domid = lender->id; /* another's frame by number */
    assert_int_equal(copy(op), GNTST_permission_denied);
    op.dest.domid = DOMID_SELF;
    op.dest.u.gmfn = ~0UL;
    assert_int_equal(copy(op), GNTST_bad_page);
    /* And the other way, where the grant must allow it. */
    op = (struct gnttab_copy){.source = {.u.gmfn = page_to_mfn(mine).v, .domid = DOMID_SELF, .offset = 4083},
                              .dest = {.u.ref = 9, .domid = lender->id}, .len = 13, .flags = GNTCOPY_dest_gref};
    assert_int_equal(copy(op), GNTST_okay);
    assert_memory_equal(page_to_virt(page), "granted bytes", 13);
    entry(9)->flags |= GTF_readonly;
    assert_int_equal(copy(op), GNTST_general_error);
    assert_int_equal(mine->count_info & PGC_count_mask, 1);
    stop();
}

static void set_version_of_lender(uint32_t version, int expected)
{
    struct gnttab_set_version op = {.version = version};
    struct vcpu *v = current;

    fake_run(lender->vcpu[0]);
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_set_version, (uint64_t)&op, 1), expected);
    fake_run(v);
}

static union grant_entry_v2 *entry2(unsigned ref)
{
    mfn_t mfn;

    assert_int_equal(grant_table_map_frame(lender, ref / ENTRIES_V2, &mfn), 0);
    return (union grant_entry_v2 *)mfn_to_virt(mfn) + ref % ENTRIES_V2;
}

static void sub_page_grants_give_no_more_than_their_part(void **state)
{
    struct page_info *mine;
    struct gnttab_copy op;

    start(true, false);
    mine = fake_page(borrower, 1);
    set_version_of_lender(2, 0);
    entry2(9)->sub_page.frame = frame_of_page();
    entry2(9)->sub_page.page_off = 512;
    entry2(9)->sub_page.length = 64;
    entry2(9)->hdr = (grant_entry_header_t){GTF_permit_access | GTF_sub_page, borrower->id};
    op = (struct gnttab_copy){.source = {.u.ref = 9, .domid = lender->id, .offset = 512},
                              .dest = {.u.gmfn = page_to_mfn(mine).v, .domid = DOMID_SELF},
                              .len = 64, .flags = GNTCOPY_source_gref};
    assert_int_equal(copy(op), GNTST_okay);
    op.len = 65;
    assert_int_equal(copy(op), GNTST_general_error);
    op.len = 1;
    op.source.offset = 511;
    assert_int_equal(copy(op), GNTST_general_error);
    assert_int_equal(map(9, GNTMAP_host_map, 0x1000).status, GNTST_general_error);
    entry2(9)->sub_page.page_off = 4090; /* not within a page at all */
    op.source.offset = 4090;
    assert_int_equal(copy(op), GNTST_general_error);
    stop();
}

static void transitive_grants_pass_one_step(void **state)
{
    struct domain *third;
    struct page_info *secret, *mine;
    struct gnttab_copy op;
    mfn_t mfn;

    start(true, false);
    third = fake_domain(3, true, 1);
    assert_int_equal(grant_table_init(third, 4, 2, 2), 0);
    secret = fake_page(third, 8);
    mine = fake_page(borrower, 1);
    strcpy(page_to_virt(secret), "from the third");
    assert_int_equal(grant_table_map_frame(third, 0, &mfn), 0);
    ((struct grant_entry_v1 *)mfn_to_virt(mfn))[20] = (struct grant_entry_v1){GTF_permit_access, lender->id, 8};
    set_version_of_lender(2, 0);
    entry2(9)->transitive.trans_domid = third->id;
    entry2(9)->transitive.gref = 20;
    entry2(9)->hdr = (grant_entry_header_t){GTF_transitive, borrower->id};

    op = (struct gnttab_copy){.source = {.u.ref = 9, .domid = lender->id},
                              .dest = {.u.gmfn = page_to_mfn(mine).v, .domid = DOMID_SELF},
                              .len = 15, .flags = GNTCOPY_source_gref};
    assert_int_equal(copy(op), GNTST_okay);
    assert_string_equal(page_to_virt(mine), "from the third");
    assert_int_equal(map(9, GNTMAP_host_map, 0x1000).status, GNTST_general_error);
    /* The third did not grant it to the borrower. */
    op.source.u.ref = 20;
    op.source.domid = third->id;
    assert_int_equal(copy(op), GNTST_general_error);
    /* A chain, here of one that names itself, ends. */
    entry2(9)->transitive.trans_domid = lender->id;
    entry2(9)->transitive.gref = 10;
    entry2(10)->transitive.trans_domid = lender->id;
    entry2(10)->transitive.gref = 10;
    entry2(10)->hdr = (grant_entry_header_t){GTF_transitive, lender->id};
    op.source.u.ref = 9;
    op.source.domid = lender->id;
    assert_int_equal(copy(op), GNTST_general_error);
    assert_int_equal(*grant_status(lender->grant, 9), 0);
    assert_int_equal(*grant_status(lender->grant, 10), 0);

    grant_table_free(third);
    fake_domain_free(third);
    stop();
}

static void version_2_marks_use_in_the_status_frames(void **state)
{
    struct gnttab_map_grant_ref m;

    start(false, false);
    set_version_of_lender(2, 0);
    entry2(300)->full_page.frame = frame_of_page();
    entry2(300)->hdr = (grant_entry_header_t){GTF_permit_access, borrower->id};
    m = map(300, GNTMAP_host_map, 0x1000);
    assert_int_equal(m.status, GNTST_okay);
    assert_int_equal(*grant_status(lender->grant, 300), GTF_reading | GTF_writing);
    assert_int_equal(entry2(300)->hdr.flags, GTF_permit_access);
    set_version_of_lender(1, -EBUSY);
    assert_int_equal(unmap(m.handle, 0x1000, 0), GNTST_okay);
    assert_int_equal(*grant_status(lender->grant, 300), 0);
    stop();
}

static void reserved_entries_survive_a_change_of_version(void **state)
{
    struct gnttab_map_grant_ref m;

    start(false, false);
    lend(GNTTAB_RESERVED_XENSTORE, 0);
    lend(20, 0);
    set_version_of_lender(2, 0);
    assert_int_equal(entry2(1)->hdr.flags, GTF_permit_access);
    assert_int_equal(entry2(1)->full_page.frame, frame_of_page());
    assert_int_equal(entry2(20)->hdr.flags, 0);
    m = map(1, GNTMAP_host_map, 0x1000);
    assert_int_equal(m.status, GNTST_okay);
    assert_int_equal(unmap(m.handle, 0x1000, 0), GNTST_okay);
    entry2(2)->hdr.flags = GTF_transitive; /* version 1 has no word for it */
    set_version_of_lender(1, -EINVAL);
    entry2(2)->hdr.flags = 0;
    set_version_of_lender(1, 0);
    assert_int_equal(entry(1)->flags, GTF_permit_access);
    assert_int_equal(entry(1)->frame, frame_of_page());
    set_version_of_lender(3, -EINVAL);
    stop();
}

static void tables_grow_to_their_limit(void **state)
{
    uint64_t list[8] = {0};
    struct gnttab_setup_table op = {.dom = DOMID_SELF, .nr_frames = 4, .frame_list.p = list};
    struct gnttab_query_size q = {.dom = DOMID_SELF};
    mfn_t mfns[8], mfn;

    start(false, false);
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_setup_table, (uint64_t)&op, 1), 0);
    assert_int_equal(op.status, GNTST_okay);
    for (unsigned i = 0; i < 4; i++)
        assert_ptr_equal(page_owner(mfn_to_page(MFN(list[i]))), borrower);
    op.nr_frames = 5;
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_setup_table, (uint64_t)&op, 1), 0);
    assert_int_equal(op.status, GNTST_general_error);
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_query_size, (uint64_t)&q, 1), 0);
    assert_int_equal(q.status, GNTST_okay);
    assert_int_equal(q.nr_frames, 4);
    assert_int_equal(q.max_nr_frames, 4);
    q.dom = lender->id; /* not the borrower's business */
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_query_size, (uint64_t)&q, 1), 0);
    assert_int_equal(q.status, GNTST_permission_denied);

    assert_int_equal(grant_table_map_frame(lender, 4, &mfn), -EINVAL);
    assert_int_equal(grant_table_map_frame(lender, XENMAPIDX_grant_table_status, &mfn), -EINVAL);
    assert_int_equal(grant_table_acquire_resource(lender, 0, 2, 2, mfns), 0);
    assert_int_equal(grant_table_acquire_resource(lender, 0, 2, 3, mfns), -EINVAL);
    assert_int_equal(grant_table_acquire_resource(lender, 0, ~0UL, 3, mfns), -EINVAL);
    assert_int_equal(grant_table_acquire_resource(lender, 1, 0, 1, mfns), -EINVAL);
    assert_int_equal(grant_table_acquire_resource(lender, 0, 0, 0, NULL), 4);
    set_version_of_lender(2, 0);
    assert_int_equal(grant_table_acquire_resource(lender, 1, 0, 1, mfns), 0);
    assert_int_equal(grant_table_map_frame(lender, XENMAPIDX_grant_table_status, &mfn), 0);
    assert_int_equal(mfn.v, mfns[0].v);
    stop();
}

static void swapping_spares_entries_in_use(void **state)
{
    struct gnttab_swap_grant_ref op = {.ref_a = 9, .ref_b = 10};
    struct gnttab_map_grant_ref m;

    start(false, false);
    lend(9, 0);
    fake_run(lender->vcpu[0]);
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_swap_grant_ref, (uint64_t)&op, 1), 0);
    assert_int_equal(op.status, GNTST_okay);
    assert_int_equal(entry(9)->flags, 0);
    assert_int_equal(entry(10)->domid, borrower->id);
    fake_run(borrower->vcpu[0]);
    m = map(10, GNTMAP_host_map, 0x1000);
    fake_run(lender->vcpu[0]);
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_swap_grant_ref, (uint64_t)&op, 1), 0);
    assert_int_equal(op.status, GNTST_eagain);
    op.ref_b = 99999;
    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_swap_grant_ref, (uint64_t)&op, 1), 0);
    assert_int_equal(op.status, GNTST_bad_gntref);
    fake_run(borrower->vcpu[0]);
    assert_int_equal(unmap(m.handle, 0x1000, 0), GNTST_okay);
    stop();
}

/* A frame that others wrote to is dirty when they let it go, not only when they took it. */
static void an_hvm_lender_learns_of_writes(void **state)
{
    struct gnttab_map_grant_ref m;
    struct gnttab_copy op = {.flags = GNTCOPY_dest_gref, .len = 8, .dest.u.ref = 9, .dest.domid = 1,
                             .source.domid = DOMID_SELF};
    struct page_info *mine;

    start(true, false);
    mine = fake_page(borrower, 0);
    op.source.u.gmfn = page_to_mfn(mine).v;
    lend(9, 0);
    m = map(9, GNTMAP_host_map, 0x1000);
    fake_dirtied = MFN(0);
    assert_int_equal(unmap(m.handle, 0x1000, 0), GNTST_okay);
    assert_int_equal(fake_dirtied.v, page_to_mfn(page).v);
    fake_dirtied = MFN(0);
    m = map(9, GNTMAP_host_map | GNTMAP_readonly, 0x1000);
    assert_int_equal(unmap(m.handle, 0x1000, 0), GNTST_okay);
    assert_int_equal(fake_dirtied.v, 0);
    assert_int_equal(copy(op), GNTST_okay);
    assert_int_equal(fake_dirtied.v, page_to_mfn(page).v);
    stop();
}

static int dump(void)
{
    struct gnttab_dump_table op = {.dom = DOMID_SELF, .status = 99};

    assert_int_equal(fake_hypercall(do_grant_table_op, GNTTABOP_dump_table, (uint64_t)&op, 1), 0);
    return op.status;
}

static void only_the_console_owner_has_tables_dumped(void **state)
{
    start(false, false);
    fake_last_message[0] = '\0';
    assert_int_equal(dump(), GNTST_permission_denied);
    assert_string_equal(fake_last_message, "");
    borrower->is_privileged = true;
    assert_int_equal(dump(), GNTST_okay);
    assert_string_not_equal(fake_last_message, "");
    stop();
}

static void creation_fails_cleanly_without_memory(void **state)
{
    struct domain *d = fake_domain(1, false, 1);

    for (int i = 0; i < 6; i++) {
        fake_heap_fail_after = i;
        assert_int_equal(grant_table_init(d, 4, 2, 2), -ENOMEM);
        assert_null(d->grant);
    }
    fake_heap_fail_after = -1;
    assert_int_equal(grant_table_init(d, 0, 2, 2), -EINVAL);
    assert_int_equal(grant_table_init(d, 1 << 20, 2, 2), -EINVAL);
    assert_int_equal(grant_table_init(d, -1, -1, 0), 0);
    assert_int_equal(d->grant->max_frames, 64);
    grant_table_free(d);
    fake_domain_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(a_mapping_holds_the_frame_until_it_ends),
        UNIT_TEST(a_read_only_grant_cannot_be_written),
        UNIT_TEST(what_was_not_granted_is_refused),
        UNIT_TEST(a_failed_mapping_leaves_no_trace),
        UNIT_TEST(host_and_device_mappings_end_one_by_one),
        UNIT_TEST(an_owner_can_revoke_only_unused_grants),
        UNIT_TEST(handles_run_out_and_come_back),
        UNIT_TEST(a_dying_domain_gives_back_what_it_borrowed),
        UNIT_TEST(batches_continue_where_they_were_preempted),
        UNIT_TEST(faulting_arguments_end_the_batch_with_an_error),
        UNIT_TEST(copies_go_between_grant_and_own_frame),
        UNIT_TEST(sub_page_grants_give_no_more_than_their_part),
        UNIT_TEST(transitive_grants_pass_one_step),
        UNIT_TEST(version_2_marks_use_in_the_status_frames),
        UNIT_TEST(reserved_entries_survive_a_change_of_version),
        UNIT_TEST(tables_grow_to_their_limit),
        UNIT_TEST(swapping_spares_entries_in_use),
        UNIT_TEST(an_hvm_lender_learns_of_writes),
        UNIT_TEST(only_the_console_owner_has_tables_dumped),
        UNIT_TEST(creation_fails_cleanly_without_memory),
    };
    return cmocka_run_group_tests_name("grants", tests, NULL, NULL);
}
