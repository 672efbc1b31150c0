/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib: formatting, strings, bits, lists. */
#include "fakes.h"

#include <limits.h>

#include "vmm/lib/bitops.h"
#include "vmm/lib/list.h"

/* string.c as the hypervisor has it, renamed. */
void *fs_memcpy(void *dst, const void *src, size_t n);
void *fs_memmove(void *dst, const void *src, size_t n);
void *fs_memset(void *dst, int c, size_t n);
int fs_memcmp(const void *a, const void *b, size_t n);
void *fs_memchr(const void *s, int c, size_t n);
size_t fs_strlen(const char *s);
size_t fs_strnlen(const char *s, size_t max);
int fs_strcmp(const char *a, const char *b);
int fs_strncmp(const char *a, const char *b, size_t n);
char *fs_strchr(const char *s, int c);
char *fs_strstr(const char *s, const char *sub);
unsigned long long fs_strtoull(const char *s, char **end, int base);
size_t fs_strlcpy(char *dst, const char *src, size_t size);

#define FORMATS(expected, ...)                                                                                         \
    do {                                                                                                               \
        char buf_[128];                                                                                                \
        int n_ = snprintf(buf_, sizeof(buf_), __VA_ARGS__);                                                            \
        assert_string_equal(buf_, expected);                                                                           \
        assert_int_equal(n_, strlen(expected));                                                                        \
    } while (0)

static void snprintf_formats_integers(void **state)
{
    FORMATS("0 -1 2147483647 -2147483648", "%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
    FORMATS("4294967295", "%u", UINT_MAX);
    FORMATS("-9223372036854775808 18446744073709551615", "%ld %lu", LONG_MIN, ULONG_MAX);
    FORMATS("-1 255 -1 65535", "%hhd %hhu %hd %hu", -1, 255, -1, 65535);
    FORMATS("deadBEEF 0xff 0XFF 0", "%x%X %#x %#X %#x", 0xdead, 0xBEEF, 0xff, 0xff, 0);
    FORMATS("123 456", "%zu %llu", (size_t)123, 456ULL);
}

static void snprintf_pads_and_cuts(void **state)
{
    FORMATS("[    7][7    ][00007][-0007]", "[%5d][%-5d][%05d][%05d]", 7, 7, 7, -7);
    FORMATS("[0x00ff][ 0xff]", "[%#06x][%#5x]", 0xff, 0xff);
    FORMATS("[  ab][ab  ][a]", "[%4s][%-4s][%.1s]", "ab", "ab", "ab");
    FORMATS("[   42][42]", "[%*d][%-*d]", 5, 42, 2, 42);
    FORMATS("[007]", "[%.3d]", 7);
    FORMATS("c % x", "%c %% %c", 'c', 'x');
}

static void snprintf_never_writes_beyond_its_buffer(void **state)
{
    char buf[8];

    memset(buf, '#', sizeof(buf));
    assert_int_equal(snprintf(buf, 4, "%s", "truncated"), 9);
    assert_memory_equal(buf, "tru\0####", 8);
    assert_int_equal(snprintf(buf, 1, "%d", 12345), 5);
    assert_int_equal(buf[0], '\0');
    assert_int_equal(snprintf(NULL, 0, "%d", 12345), 5);
    /* A string that ends at its precision, not at a zero. */
    assert_int_equal(snprintf(buf, sizeof(buf), "%.3s", (const char[3]){'a', 'b', 'c'}), 3);
    assert_string_equal(buf, "abc");
}

static void memory_functions_move_every_size(void **state)
{
    char a[320], b[320];

    for (size_t n = 0; n <= 300; n++) {
        for (size_t j = 0; j < sizeof(a); j++) {
            a[j] = (char)(j * 7 + 1);
            b[j] = 0;
        }
        fs_memcpy(b + 3, a + 1, n);
        assert_memory_equal(b + 3, a + 1, n);
        assert_int_equal(b[3 + n], 0);
        memcpy(b, a, sizeof(a));
        memmove(b + 2, b, n);
        fs_memmove(a + 2, a, n);
        assert_memory_equal(a, b, sizeof(a));
        memmove(b, b + 5, n);
        fs_memmove(a, a + 5, n);
        assert_memory_equal(a, b, sizeof(a));
        fs_memset(a + 1, 0x5a, n);
        memset(b + 1, 0x5a, n);
        assert_memory_equal(a, b, sizeof(a));
    }
    assert_true(fs_memcmp("abc", "abd", 3) < 0);
    assert_true(fs_memcmp("\xff", "\x01", 1) > 0);
    assert_int_equal(fs_memcmp("abc", "abd", 2), 0);
    assert_ptr_equal(fs_memchr(a, a[9], 0), NULL);
}

static void string_functions_are_those_of_c(void **state)
{
    const char *s = "hello";
    char buf[4];

    assert_int_equal(fs_strlen(s), 5);
    assert_int_equal(fs_strnlen(s, 3), 3);
    assert_int_equal(fs_strcmp(s, "hello"), 0);
    assert_true(fs_strcmp("a", "b") < 0);
    assert_true(fs_strcmp("\xc3", "a") > 0);
    assert_int_equal(fs_strncmp("abcd", "abxx", 2), 0);
    assert_ptr_equal(fs_strchr(s, 'l'), s + 2);
    assert_ptr_equal(fs_strchr(s, '\0'), s + 5);
    assert_null(fs_strchr(s, 'z'));
    assert_ptr_equal(fs_strstr(s, "lo"), s + 3);
    assert_ptr_equal(fs_strstr(s, ""), s);
    assert_null(fs_strstr(s, "lox"));
    assert_int_equal(fs_strlcpy(buf, "toolong", sizeof(buf)), 7);
    assert_string_equal(buf, "too");
}

static void strtoull_reads_as_c_does(void **state)
{
    static const char *const text[] = {"0", "42", "0x1fZ", "017", "  7", "-1", "18446744073709551615", "0x", "", "zz",
                                       "99999999999999999999", "+5", "08"};
    char *e1, *e2;

    for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
        unsigned long long want = strtoull(text[i], &e1, 0), got = fs_strtoull(text[i], &e2, 0);

        assert_int_equal(got, want);
        assert_ptr_equal(e2, e1);
    }
    assert_int_equal(fs_strtoull("ff", &e2, 16), 255);
}

static void bits_are_found_where_they_are(void **state)
{
    unsigned long map[3] = {0};

    assert_int_equal(find_next_bit(map, 130, 0), 130);
    for (unsigned bit = 0; bit < 130; bit += 13)
        set_bit(bit, map);
    for (unsigned from = 0; from < 130; from++)
        assert_int_equal(find_next_bit(map, 130, from), MIN((from + 12) / 13 * 13, 130U));
    assert_int_equal(find_next_zero_bit(map, 130, 0), 1);
    memset(map, 0xff, sizeof(map));
    assert_int_equal(find_next_zero_bit(map, 130, 0), 130);
    clear_bit(129, map);
    assert_int_equal(find_next_zero_bit(map, 130, 5), 129);
    assert_int_equal(find_next_bit(map, 64, 64), 64);
}

static void bit_operations_say_what_was_there(void **state)
{
    unsigned long map[2] = {0};

    assert_false(test_and_set_bit(70, map));
    assert_true(test_and_set_bit(70, map));
    assert_true(test_bit(70, map));
    assert_int_equal(map[1], 1UL << 6);
    assert_true(test_and_clear_bit(70, map));
    assert_false(test_and_clear_bit(70, map));
    assert_int_equal(ffs64(0x8000000000000000), 63);
    assert_int_equal(fls64(1), 0);
    assert_int_equal(hweight64(0xf0f0), 8);
}

struct item {
    int n;
    struct list_head link;
};

static void lists_keep_order_and_forget_what_left(void **state)
{
    LIST_HEAD(head);
    struct item items[4], *pos, *tmp;
    int expect = 0;

    assert_true(list_empty(&head));
    for (int i = 0; i < 4; i++) {
        items[i].n = i;
        list_add_tail(&items[i].link, &head);
    }
    list_for_each_entry (pos, &head, link)
        assert_int_equal(pos->n, expect++);
    list_for_each_entry_safe (pos, tmp, &head, link)
        if (pos->n % 2 == 0)
            list_del(&pos->link);
    assert_true(list_empty(&items[0].link));
    list_del(&items[0].link); /* twice does no harm */
    assert_int_equal(list_first_entry(&head, struct item, link)->n, 1);
    list_add(&items[2].link, &head);
    assert_int_equal(list_first_entry(&head, struct item, link)->n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snprintf_formats_integers),
        cmocka_unit_test(snprintf_pads_and_cuts),
        cmocka_unit_test(snprintf_never_writes_beyond_its_buffer),
        cmocka_unit_test(memory_functions_move_every_size),
        cmocka_unit_test(string_functions_are_those_of_c),
        cmocka_unit_test(strtoull_reads_as_c_does),
        cmocka_unit_test(bits_are_found_where_they_are),
        cmocka_unit_test(bit_operations_say_what_was_there),
        cmocka_unit_test(lists_keep_order_and_forget_what_left),
    };
    return cmocka_run_group_tests_name("lib", tests, NULL, NULL);
}
