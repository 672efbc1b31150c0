/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The heap of small objects: they do not overlap, are zeroed, aligned, and come back. */
#include "fakes.h"

#define MANY 500
static uint8_t *obj[MANY];
static size_t size_of(unsigned i) { return 1 + (i * 131) % 3000 + (i % 50 == 0 ? 9000 : 0); }

/* Here the heap is the real one, which keeps a page of each size: a fake's count of objects does not apply. */
unsigned fake_heap_objects;
int fake_heap_fail_after;

static void objects_are_apart_zeroed_and_aligned(void **state)
{
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            size_t n = size_of(i);

            obj[i] = xzalloc_bytes(n);
            assert_non_null(obj[i]);
            assert_int_equal((uintptr_t)obj[i] % 16, 0);
            for (size_t k = 0; k < n; k++)
                assert_int_equal(obj[i][k], 0);
            memset(obj[i], (int)(i % 255) + 1, n);
        }
        for (unsigned i = 0; i < MANY; i++) {
            for (size_t k = 0; k < size_of(i); k++)
                if (obj[i][k] != i % 255 + 1)
                    fail_msg("object %u was overwritten", i);
            if (i % 2)
                xfree(obj[i]);
        }
        for (unsigned i = 0; i < MANY; i += 2)
            xfree(obj[i]);
    }
}

static void memory_comes_back_in_whole_pages(void **state)
{
    uint64_t before;

    xfree(xzalloc_bytes(64)); /* the page that is kept */
    before = avail_heap_pages();
    for (unsigned i = 0; i < MANY; i++)
        obj[i] = xzalloc_bytes(64);
    for (unsigned i = 0; i < MANY; i++)
        xfree(obj[i]);
    assert_int_equal(avail_heap_pages(), before);
    obj[0] = xzalloc_bytes(5 * PAGE_SIZE);
    assert_int_equal(avail_heap_pages(), before - 5);
    xfree(obj[0]);
    assert_int_equal(avail_heap_pages(), before);
}

static void growing_keeps_contents(void **state)
{
    char *p = xzalloc_bytes(10);

    strcpy(p, "contents");
    p = xrealloc_bytes(p, 10, 6000);
    assert_string_equal(p, "contents");
    assert_int_equal(p[5999], 0);
    p = xrealloc_bytes(p, 6000, 4);
    assert_memory_equal(p, "cont", 4);
    xfree(p);
    xfree(NULL);
}

static void absurd_sizes_are_refused(void **state)
{
    assert_null(xzalloc_bytes(~0UL));
    assert_null(xzalloc_bytes(PAGE_SIZE << MAX_ORDER));
    assert_null(xzalloc_array(uint64_t, ~0UL));
    assert_null(xzalloc_array(uint64_t, 1UL << 61));
}

static void freeing_twice_is_noticed(void **state)
{
    char *p = xzalloc_bytes(100);

    xfree(p);
    assert_panics(xfree(p));
}

static int start(void **state)
{
    fake_machine_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_apart_zeroed_and_aligned),
        cmocka_unit_test(memory_comes_back_in_whole_pages),
        cmocka_unit_test(growing_keeps_contents),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(freeing_twice_is_noticed),
    };
    return cmocka_run_group_tests_name("heap", tests, start, NULL);
}
