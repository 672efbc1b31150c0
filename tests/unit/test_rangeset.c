/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of ranges, against a bitmap that is too simple to be wrong. */
#include "fakes.h"

#include "vmm/domain/pirq.h"

static void ranges_join_split_and_end(void **state)
{
    struct rangeset *r = rangeset_new();

    assert_non_null(r);
    assert_false(rangeset_contains(r, 5, 5));
    assert_int_equal(rangeset_add(r, 10, 19), 0);
    assert_int_equal(rangeset_add(r, 30, 39), 0);
    assert_true(rangeset_contains(r, 12, 19));
    assert_false(rangeset_contains(r, 12, 20));
    assert_true(rangeset_overlaps(r, 0, 10));
    assert_false(rangeset_overlaps(r, 20, 29));
    assert_int_equal(rangeset_add(r, 20, 29), 0);
    assert_true(rangeset_contains(r, 10, 39));
    assert_int_equal(rangeset_remove(r, 15, 15), 0);
    assert_false(rangeset_contains(r, 10, 39));
    assert_true(rangeset_contains(r, 16, 39));
    assert_int_equal(rangeset_add(r, 5, 4), -EINVAL);
    rangeset_free(r);
}

static void the_ends_of_the_number_line_are_numbers(void **state)
{
    struct rangeset *r = rangeset_new();

    assert_int_equal(rangeset_add(r, 0, 0), 0);
    assert_int_equal(rangeset_add(r, ~0UL, ~0UL), 0);
    assert_true(rangeset_contains(r, 0, 0));
    assert_true(rangeset_contains(r, ~0UL, ~0UL));
    assert_false(rangeset_overlaps(r, 1, ~0UL - 1));
    assert_int_equal(rangeset_add(r, 0, ~0UL), 0);
    assert_true(rangeset_contains(r, 0, ~0UL));
    assert_int_equal(rangeset_remove(r, 0, 0), 0);
    assert_int_equal(rangeset_remove(r, ~0UL, ~0UL), 0);
    assert_true(rangeset_contains(r, 1, ~0UL - 1));
    assert_int_equal(rangeset_remove(r, 0, ~0UL), 0);
    assert_false(rangeset_overlaps(r, 0, ~0UL));
    rangeset_free(r);
}

static void random_changes_match_a_bitmap(void **state)
{
    struct rangeset *r = rangeset_new();
    bool bit[128] = {0};
    uint32_t seed = 1;

    for (unsigned step = 0; step < 20000; step++) {
        uint64_t first, last;
        bool all = true, any = false;

        seed = seed * 1103515245 + 12345;
        first = seed >> 16 & 127;
        last = MIN(first + (seed >> 8 & 15), 127UL);
        if (seed & 0x80000000U) {
            assert_int_equal(rangeset_add(r, first, last), 0);
            memset(bit + first, 1, last - first + 1);
        } else {
            assert_int_equal(rangeset_remove(r, first, last), 0);
            memset(bit + first, 0, last - first + 1);
        }
        first = seed >> 3 & 127;
        last = MIN(first + (seed >> 24 & 7), 127UL);
        for (uint64_t i = first; i <= last; i++) {
            all &= bit[i];
            any |= bit[i];
        }
        assert_int_equal(rangeset_contains(r, first, last), all);
        assert_int_equal(rangeset_overlaps(r, first, last), any);
    }
    rangeset_free(r);
}

static void memory_running_out_changes_nothing(void **state)
{
    struct rangeset *r = rangeset_new();

    for (uint64_t i = 0; i < 8; i++)
        assert_int_equal(rangeset_add(r, i * 10, i * 10), 0);
    fake_heap_fail_after = 0;
    assert_int_equal(rangeset_add(r, 1000, 1000), -ENOMEM);
    fake_heap_fail_after = -1;
    assert_false(rangeset_contains(r, 1000, 1000));
    for (uint64_t i = 0; i < 8; i++)
        assert_true(rangeset_contains(r, i * 10, i * 10));
    rangeset_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_TEST(ranges_join_split_and_end),
        UNIT_TEST(the_ends_of_the_number_line_are_numbers),
        UNIT_TEST(random_changes_match_a_bitmap),
        UNIT_TEST(memory_running_out_changes_nothing),
    };
    return cmocka_run_group_tests_name("rangeset", tests, NULL, NULL);
}
