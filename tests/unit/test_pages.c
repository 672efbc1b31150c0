/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mm: lists of frames, references, the allocator, and the accounts of domains. */
#include "fakes.h"

static void page_lists_keep_order(void **state)
{
    struct page_list l = PAGE_LIST_INIT;
    struct page_info *pg[4];

    assert_null(page_list_first(&l));
    for (int i = 0; i < 4; i++) {
        pg[i] = alloc_anon_pages(0, 0);
        page_list_add_tail(&l, pg[i]);
    }
    assert_int_equal(l.count, 4);
    page_list_del(&l, pg[0]);
    page_list_del(&l, pg[2]);
    assert_ptr_equal(page_list_first(&l), pg[1]);
    assert_ptr_equal(page_list_next(pg[1]), pg[3]);
    assert_null(page_list_next(pg[3]));
    page_list_del(&l, pg[3]);
    page_list_add_tail(&l, pg[0]);
    assert_ptr_equal(page_list_next(pg[1]), pg[0]);
    page_list_del(&l, pg[1]);
    page_list_del(&l, pg[0]);
    assert_null(page_list_first(&l));
    for (int i = 0; i < 4; i++)
        free_anon_pages(pg[i], 0);
}

static void allocations_do_not_overlap_and_come_back(void **state)
{
    struct page_info *block[64];
    uint64_t before = avail_heap_pages();
    unsigned n = 0;

    for (unsigned i = 0; i < 64; i++) {
        block[n] = alloc_anon_pages(i % 6, 0);
        assert_non_null(block[n]);
        assert_int_equal(page_to_mfn(block[n]).v % (1UL << i % 6), 0);
        memset(page_to_virt(block[n]), (int)i + 1, PAGE_SIZE << i % 6);
        n++;
    }
    for (unsigned i = 0; i < 64; i++) {
        const uint8_t *p = page_to_virt(block[i]);

        for (size_t k = 0; k < PAGE_SIZE << i % 6; k += 512)
            assert_int_equal(p[k], i + 1);
    }
    for (unsigned i = 0; i < 64; i += 2)
        free_anon_pages(block[i], i % 6);
    for (unsigned i = 1; i < 64; i += 2)
        free_anon_pages(block[i], i % 6);
    assert_int_equal(avail_heap_pages(), before);
    /* All joined again: the largest block is to be had. */
    block[0] = alloc_anon_pages(9, 0);
    assert_non_null(block[0]);
    free_anon_pages(block[0], 9);
}

static void memory_below_a_limit_is_found_or_refused(void **state)
{
    struct page_info *pg = alloc_anon_pages(0, 22); /* 4 MiB */

    assert_non_null(pg);
    assert_true(page_to_mfn(pg).v < 1024);
    free_anon_pages(pg, 0);
    assert_null(alloc_anon_pages(0, 20)); /* nothing below 1 MiB is the heap's */
    assert_null(alloc_anon_pages(0, 12));
    assert_null(alloc_anon_pages(MAX_ORDER + 1, 0));
}

static void a_domain_gets_frames_without_others_secrets(void **state)
{
    struct domain *d = fake_domain(1, false, 1);
    struct page_info *pg = alloc_anon_pages(0, 0);

    memset(page_to_virt(pg), 0x5a, PAGE_SIZE);
    free_anon_pages(pg, 0);
    pg = alloc_domain_pages(d, 0, 0, 0);
    for (size_t i = 0; i < PAGE_SIZE; i++)
        assert_int_equal(((uint8_t *)page_to_virt(pg))[i], 0);
    fake_domain_free(d);
}

static bool all_zero(const struct page_info *pg, unsigned order)
{
    const uint64_t *p = page_to_virt(pg);

    for (size_t i = 0; i < (PAGE_SIZE << order) / sizeof(*p); i++)
        if (p[i])
            return false;
    return true;
}

static void an_idle_cpu_scrubs_free_frames_ahead(void **state)
{
    struct page_info *pg = alloc_anon_pages(3, 0);

    memset(page_to_virt(pg), 0x5a, PAGE_SIZE << 3);
    free_anon_pages(pg, 3);
    assert_false(all_zero(pg, 3));
    while (heap_scrub_some())
        ;
    assert_true(all_zero(pg, 3));
    /* What is freed after that is dirty again, also where it joins what is clean. */
    pg = alloc_anon_pages(0, 0);
    memset(page_to_virt(pg), 0x5a, PAGE_SIZE);
    free_anon_pages(pg, 0);
    assert_true(heap_scrub_some());
    while (heap_scrub_some())
        ;
    assert_true(all_zero(pg, 0));
}

/* An emulator's TLB would grow with each frame that is touched, and cost those that the CPU goes back to. */
static void scrubbing_flushes_the_tlb_every_hundred_frames(void **state)
{
    struct page_info *pg = alloc_anon_pages(9, 0);
    unsigned flushes = fake_local_flushes, since = 0;

    free_anon_pages(pg, 9);
    for (unsigned scrubbed = 0; scrubbed < 512; scrubbed += 8) {
        assert_true(heap_scrub_some());
        since += 8;
        if (fake_local_flushes != flushes)
            since = 0;
        flushes = fake_local_flushes;
        assert_true(since < 128);
    }
    while (heap_scrub_some())
        ;
}

/* Blocks split and join in any order between pieces of scrubbing: nobody gets a frame with another's contents. */
static void scrubbing_keeps_pace_with_splitting_and_joining(void **state)
{
    struct page_info *block[32] = {NULL};
    unsigned order[32] = {0}, seed = 1;

    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (seed = seed * 1103515245 + 12345) >> 16 & 31, o = seed >> 21 & 7;

        for (unsigned n = seed >> 24 & 15; n > 0; n--)
            (void)heap_scrub_some();
        if (block[i]) {
            free_anon_pages(block[i], order[i]);
            block[i] = NULL;
            continue;
        }
        block[i] = alloc_anon_pages(order[i] = o, 0);
        assert_non_null(block[i]);
        assert_true(all_zero(block[i], o));
        memset(page_to_virt(block[i]), 0xa5, PAGE_SIZE << o);
    }
    for (unsigned i = 0; i < 32; i++)
        if (block[i])
            free_anon_pages(block[i], order[i]);
    while (heap_scrub_some())
        ;
    block[0] = alloc_anon_pages(9, 0);
    assert_non_null(block[0]);
    assert_true(all_zero(block[0], 9));
    free_anon_pages(block[0], 9);
}

static void a_domain_cannot_pass_its_maximum(void **state)
{
    struct domain *d = fake_domain(1, false, 1);

    d->max_pages = 5;
    assert_non_null(alloc_domain_pages(d, 2, 0, 0));
    assert_null(alloc_domain_pages(d, 1, 0, 0));
    assert_non_null(alloc_domain_pages(d, 0, 0, 0));
    assert_null(alloc_domain_pages(d, 0, 0, 0));
    assert_int_equal(d->tot_pages, 5);
    assert_int_equal(d->page_list.count, 5);
    fake_domain_free(d);
}

static void a_frame_lives_while_it_is_referenced(void **state)
{
    struct domain *d = fake_domain(1, false, 1), *other = fake_domain(2, false, 1);
    struct page_info *pg = fake_page(d, 0);
    uint64_t free_frames = avail_heap_pages();

    assert_false(page_get(pg, other));
    assert_true(page_get(pg, d));
    page_put_allocated(pg);
    page_put_allocated(pg); /* no second time */
    assert_int_equal(avail_heap_pages(), free_frames);
    assert_int_equal(d->tot_pages, 1);
    page_put(pg);
    assert_int_equal(avail_heap_pages(), free_frames + 1);
    assert_int_equal(d->tot_pages, 0);
    assert_false(page_get(pg, d));
    fake_domain_free(d);
    fake_domain_free(other);
}

static void a_frame_has_one_type_at_a_time(void **state)
{
    struct domain *d = fake_domain(1, false, 1);
    struct page_info *pg = fake_page(d, 0);

    assert_true(page_get_and_type(pg, d, PGT_writable_page));
    assert_int_equal(page_get_type(pg, PGT_writable_page), 0);
    assert_false(page_get_and_type(pg, d, PGT_shared_page));
    page_put_type(pg);
    page_put_and_type(pg);
    assert_int_equal(pg->type_info & PGT_count_mask, 0);
    fake_domain_free(d);
}

/* A frame's stamp is when a TLB could last have learnt of it: not when a pin ended, nor earlier than any mapping's end. */
static void a_frame_remembers_its_last_mappings_end(void **state)
{
    struct domain *d = fake_domain(1, false, 1);
    struct page_info *pg = fake_page(d, 0);

    fake_tlb_clock = 10;
    for (int i = 0; i < 4; i++)
        assert_int_equal(page_get_type(pg, PGT_writable_page), 0);
    page_put_type(pg);
    assert_int_equal(pg->tlb_stamp, 10);
    fake_tlb_clock = 9; /* read before, by a CPU that was slow to come here */
    page_put_type(pg);
    assert_int_equal(pg->tlb_stamp, 10);
    fake_tlb_clock = 11;
    page_put_type(pg);
    fake_tlb_clock = 12;
    assert_int_equal(page_put_unmapped_type(pg), 0);
    assert_int_equal(pg->tlb_stamp, 11);
    assert_int_equal(pg->type_info & (PGT_count_mask | PGT_validated), 0);
    /* The clock goes round: a stamp that is older than half its range is no later one. */
    fake_tlb_clock = 11 + 0x80000010U;
    assert_int_equal(page_get_type(pg, PGT_writable_page), 0);
    page_put_type(pg);
    assert_int_equal(pg->tlb_stamp, fake_tlb_clock);
    fake_tlb_clock = 1;
    fake_domain_free(d);
}

static void stolen_frames_are_unreferenced_ones(void **state)
{
    struct domain *d = fake_domain(1, false, 1), *other = fake_domain(2, false, 1);
    struct page_info *pg = fake_page(d, 0);

    assert_true(page_get(pg, d));
    assert_int_equal(steal_page(d, pg), -EBUSY);
    page_put(pg);
    assert_int_equal(steal_page(other, pg), -EBUSY);
    assert_int_equal(steal_page(d, pg), 0);
    assert_int_equal(d->tot_pages, 0);
    assert_int_equal(assign_pages(other, pg, 0, 0), 0);
    assert_ptr_equal(page_owner(pg), other);
    fake_domain_free(d);
    fake_domain_free(other);
}

static void a_shared_page_outlives_its_domain_while_mapped(void **state)
{
    struct domain *d = fake_domain(1, false, 1);
    void *va = alloc_zeroed_page();
    struct page_info *pg = virt_to_page(va);
    uint64_t free_frames = avail_heap_pages();

    share_heap_page(va, d, true);
    assert_true(page_get_and_type(pg, d, PGT_writable_page));
    free_xenheap_pages(va, 0);
    assert_int_equal(avail_heap_pages(), free_frames);
    assert_false(page_get(pg, d)); /* no new ones for the guest */
    page_put_and_type(pg);
    assert_int_equal(avail_heap_pages(), free_frames + 1);
    fake_domain_free(d);
}

static void a_claim_keeps_frames_from_others(void **state)
{
    struct domain *d = fake_domain(1, true, 1), *other = fake_domain(2, true, 1);
    uint64_t avail = avail_heap_pages();

    d->max_pages = other->max_pages = avail;
    assert_int_equal(domain_set_claim(d, avail + 1), -EINVAL);
    assert_int_equal(domain_set_claim(d, avail - 2), 0);
    assert_int_equal(outstanding_claims(), avail - 2);
    assert_null(alloc_domain_pages(other, 2, 0, 0));
    assert_non_null(alloc_domain_pages(other, 0, 0, 0));
    assert_non_null(alloc_domain_pages(d, 3, 0, 0));
    assert_int_equal(outstanding_claims(), avail - 10);
    assert_int_equal(domain_set_claim(other, avail - 2), -ENOMEM);
    assert_int_equal(domain_set_claim(d, 0), 0);
    assert_int_equal(outstanding_claims(), 0);
    assert_non_null(alloc_domain_pages(other, 2, 0, 0));
    fake_domain_free(d);
    fake_domain_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(page_lists_keep_order),
        UNIT_TEST(allocations_do_not_overlap_and_come_back),
        UNIT_TEST(memory_below_a_limit_is_found_or_refused),
        UNIT_TEST(a_domain_gets_frames_without_others_secrets),
        UNIT_TEST(an_idle_cpu_scrubs_free_frames_ahead),
        UNIT_TEST(scrubbing_flushes_the_tlb_every_hundred_frames),
        UNIT_TEST(scrubbing_keeps_pace_with_splitting_and_joining),
        UNIT_TEST(a_domain_cannot_pass_its_maximum),
        UNIT_TEST(a_frame_lives_while_it_is_referenced),
        UNIT_TEST(a_frame_has_one_type_at_a_time),
        UNIT_TEST(a_frame_remembers_its_last_mappings_end),
        UNIT_TEST(stolen_frames_are_unreferenced_ones),
        UNIT_TEST(a_shared_page_outlives_its_domain_while_mapped),
        UNIT_TEST(a_claim_keeps_frames_from_others),
    };
    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
