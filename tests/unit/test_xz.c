/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmm/boot/xz.c against liblzma's encoder: filters, checks, blocks, stored chunks; what is cut off or altered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <lzma.h>
#include "vmm/boot/decompress.h"

#define PLAIN 300000U
#define BLOCK 120000U

static uint8_t plain[PLAIN], packed[2 * PLAIN], expanded[PLAIN];

/* Text that repeats, code with calls (for x86's filter), and 70000 bytes that no packer makes smaller. */
static void make_plain(void)
{
    uint64_t random = 88172645463325252U;

    for (size_t i = 0; i < PLAIN; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (i % 100000 < 70000 && i >= 200000) {
            plain[i] = (uint8_t)random;
        } else if (i >= 100000) {
            plain[i] = i % 10 == 0 ? 0xe8 : i % 10 == 3 ? (uint8_t)(random & 1) : i % 10 == 4 ? 0 : (uint8_t)(i / 700);
        } else {
            plain[i] = (uint8_t)"polder, dike, mill and sluice; "[random % 7 ? i % 31 : random % 31];
        }
    }
}

static size_t pack(bool x86, lzma_check check, bool in_blocks)
{
    lzma_options_lzma options;
    lzma_filter filters[] = {{LZMA_FILTER_X86, NULL}, {LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
    lzma_stream s = LZMA_STREAM_INIT;
    size_t size;

    assert_false(lzma_lzma_preset(&options, 6));
    assert_int_equal(lzma_stream_encoder(&s, filters + !x86, check), LZMA_OK);
    s.next_out = packed;
    s.avail_out = sizeof(packed);
    for (size_t at = 0; at < PLAIN; at += BLOCK) {
        lzma_action action = at + BLOCK >= PLAIN ? LZMA_FINISH : in_blocks ? LZMA_FULL_FLUSH : LZMA_RUN;

        s.next_in = plain + at;
        s.avail_in = action == LZMA_FINISH ? PLAIN - at : BLOCK;
        assert_int_equal(lzma_code(&s, action), action == LZMA_RUN ? LZMA_OK : LZMA_STREAM_END);
    }
    size = s.total_out;
    lzma_end(&s);
    return size;
}

static const char *expand(size_t len, size_t room, size_t *n)
{
    *n = 0;
    memset(expanded, 0, sizeof(expanded));
    return expand_xz(packed, len, expanded, room, n);
}

static void test_expands(void **state)
{
    static const lzma_check checks[] = {LZMA_CHECK_NONE, LZMA_CHECK_CRC32, LZMA_CHECK_CRC64};

    make_plain();
    for (unsigned i = 0; i < 12; i++) {
        size_t len = pack(i & 1, checks[i / 4], i & 2), n;

        assert_null(expand(len, PLAIN, &n));
        assert_int_equal(n, PLAIN);
        assert_memory_equal(expanded, plain, PLAIN);
    }
}

static void test_tells_what_is_wrong(void **state)
{
    size_t len, n;

    make_plain();
    len = pack(true, LZMA_CHECK_SHA256, false);
    assert_string_equal(expand(len, PLAIN, &n), "it uses a filter or a check that is not known");
    len = pack(true, LZMA_CHECK_CRC32, true);
    assert_string_equal(expand(len, PLAIN - 1, &n), "it is damaged"); /* more than there is room for */
    assert_true(n <= PLAIN - 1);
    for (size_t cut = 0; cut < len / 2; cut += 997) {
        assert_string_equal(expand(cut, PLAIN, &n), "it is cut off");
    }
}

/* Behind the headers: whatever comes out, it is not taken for what was packed. */
static void test_altered(void **state)
{
    size_t len, n;

    make_plain();
    len = pack(true, LZMA_CHECK_CRC32, false);
    for (size_t at = 12; at < len - 200; at += 499) {
        packed[at] ^= 1 << at % 8;
        assert_non_null(expand(len, PLAIN, &n));
        packed[at] ^= 1 << at % 8;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expands),
        cmocka_unit_test(test_tells_what_is_wrong),
        cmocka_unit_test(test_altered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
