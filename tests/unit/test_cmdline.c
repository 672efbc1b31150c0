/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: values, and words that are wrong. */
#include "fakes.h"

#include "vmm/boot/boot.h"

static char got[64], got_number[64];
static int text_parse(const char *value)
{
    polder_strlcpy(got, value, sizeof(got));
    return strcmp(value, "bad") == 0 ? -EINVAL : 0;
}
BOOT_PARAM("text", text_parse);
static int number_parse(const char *value)
{
    polder_strlcpy(got_number, value, sizeof(got_number));
    return 0;
}
BOOT_PARAM("number", number_parse);

static void parse(const char *line)
{
    strcpy(got, "unset");
    strcpy(got_number, "unset");
    fake_last_message[0] = '\0';
    cmdline_parse(line);
}

static void words_reach_their_parsers(void **state)
{
    parse("text=one number=5");
    assert_string_equal(got, "one");
    assert_string_equal(got_number, "5");
    parse("   text    number=a=b  ");
    assert_string_equal(got, "");
    assert_string_equal(got_number, "a=b");
    parse("no-text");
    assert_string_equal(got, "no");
    parse("text=");
    assert_string_equal(got, "");
    parse("");
    parse("   ");
    assert_string_equal(got, "unset");
}

static void quotes_keep_spaces(void **state)
{
    parse("text=\"a b\" number=\"5\"");
    assert_string_equal(got, "a b");
    assert_string_equal(got_number, "5");
    parse("\"text=never closed");
    assert_string_equal(got, "never closed");
}

static void the_last_one_stands(void **state)
{
    parse("text=one text=two");
    assert_string_equal(got, "two");
}

static void unknown_and_bad_words_are_named(void **state)
{
    parse("nonsense text=x");
    assert_non_null(strstr(fake_last_message, "nonsense"));
    assert_string_equal(got, "x");
    parse("text=bad");
    assert_non_null(strstr(fake_last_message, "bad"));
    parse("no-nonsense");
    assert_non_null(strstr(fake_last_message, "nonsense"));
}

static void long_words_are_cut_not_written_beyond(void **state)
{
    static char line[5000];

    memset(line, 'x', sizeof(line) - 1);
    parse(line);
    memcpy(line, "text=", 5);
    parse(line);
    assert_int_equal(strlen(got), sizeof(got) - 1);
}

static void booleans_have_many_names(void **state)
{
    static const char *const yes[] = {"", "1", "yes", "true", "on"}, *const no[] = {"0", "no", "false", "off"};
    bool b;

    for (unsigned i = 0; i < ARRAY_SIZE(yes); i++) {
        b = false;
        assert_int_equal(parse_bool(yes[i], &b), 0);
        assert_true(b);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(no); i++) {
        b = true;
        assert_int_equal(parse_bool(no[i], &b), 0);
        assert_false(b);
    }
    assert_int_equal(parse_bool("maybe", &b), -EINVAL);
}

static void numbers_are_whole_words(void **state)
{
    uint64_t v;

    assert_int_equal(parse_uint("42", &v), 0);
    assert_int_equal(v, 42);
    assert_int_equal(parse_uint("0x2A", &v), 0);
    assert_int_equal(v, 42);
    assert_int_equal(parse_uint("", &v), -EINVAL);
    assert_int_equal(parse_uint("-1", &v), -EINVAL);
    assert_int_equal(parse_uint("5x", &v), -EINVAL);
    assert_int_equal(parse_uint(" 5", &v), -EINVAL);
}

static void sizes_have_units(void **state)
{
    static const struct { const char *text; uint64_t bytes; const char *rest; } t[] = {
        {"512", 512 << 10, ""}, {"512M", 512UL << 20, ""}, {"1g,max:2G", 1UL << 30, ",max:2G"}, {"4096B", 4096, ""},
        {"3T", 3UL << 40, ""}, {"0", 0, ""},
    };
    const char *s;
    uint64_t v;

    for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
        s = t[i].text;
        assert_int_equal(parse_size(&s, &v), 0);
        assert_int_equal(v, t[i].bytes);
        assert_string_equal(s, t[i].rest);
    }
    s = "M";
    assert_int_equal(parse_size(&s, &v), -EINVAL);
    s = "99999999999999999T"; /* more than 64 bits */
    assert_int_equal(parse_size(&s, &v), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_reach_their_parsers),
        cmocka_unit_test(quotes_keep_spaces),
        cmocka_unit_test(the_last_one_stands),
        cmocka_unit_test(unknown_and_bad_words_are_named),
        cmocka_unit_test(long_words_are_cut_not_written_beyond),
        cmocka_unit_test(booleans_have_many_names),
        cmocka_unit_test(numbers_are_whole_words),
        cmocka_unit_test(sizes_have_units),
    };
    return cmocka_run_group_tests_name("cmdline", tests, NULL, NULL);
}
