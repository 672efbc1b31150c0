/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel images: ELF files with Xen notes, bzImages in each compression, and damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "vmm/boot/decompress.h"
#include "vmm/boot/image.h"
#include "vmm/mm/alloc.h"
#include <xen/elfnote.h>

/* -- what the code under test expects of the hypervisor -------------------------------------------------------------------- */
void *alloc_xenheap_pages(unsigned order) { return malloc(PAGE_SIZE << order); }
void free_xenheap_pages(void *va, unsigned order) { free(va); }
void libs_enter(void) {}
void libs_leave(void) {}

/* -- a small kernel ------------------------------------------------------------------------------------------------------------ */
#define BASE 0xffffffff80000000UL
#define LOAD 0x1000000UL
#define TEXT_LEN 3000
#define TEXT_MEM 8192
#define FILE_LEN 8192

struct kernel {
    uint8_t data[FILE_LEN];
    size_t len;
};

static size_t put_note(uint8_t *p, uint32_t type, const void *desc, uint32_t size)
{
    uint32_t head[3] = {4, size, type};

    memcpy(p, head, sizeof(head));
    memcpy(p + 12, "Xen", 4);
    memcpy(p + 16, desc, size);
    return 16 + ((size + 3) & ~3U);
}

static void make_kernel(struct kernel *k, const char *features)
{
    uint64_t base = BASE, entry = BASE + LOAD + 0x10;
    Elf64_Ehdr *h = (void *)k->data;
    Elf64_Phdr *p = (void *)(k->data + sizeof(*h));
    uint8_t *note = k->data + 1024, *n = note;

    memset(k, 0, sizeof(*k));
    memcpy(h->e_ident, "\177ELF\2\1\1", 7);
    h->e_type = ET_EXEC;
    h->e_machine = EM_X86_64;
    h->e_phoff = sizeof(*h);
    h->e_phentsize = sizeof(*p);
    h->e_phnum = 2;
    h->e_entry = 0x1234;
    n += put_note(n, XEN_ELFNOTE_VIRT_BASE, &base, 8);
    n += put_note(n, XEN_ELFNOTE_ENTRY, &entry, 8);
    n += put_note(n, XEN_ELFNOTE_GUEST_OS, "linux", 6);
    n += put_note(n, XEN_ELFNOTE_FEATURES, features, strlen(features) + 1);
    n += put_note(n, XEN_ELFNOTE_MOD_START_PFN, &(uint64_t){1}, 8);
    p[0] = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = 1024, .p_filesz = (size_t)(n - note)};
    p[1] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_offset = 4096, .p_paddr = LOAD, .p_filesz = TEXT_LEN, .p_memsz = TEXT_MEM};
    for (unsigned i = 0; i < TEXT_LEN; i++) {
        k->data[4096 + i] = (uint8_t)(i * 7 + i / 256);
    }
    k->len = FILE_LEN;
}

static struct image_info img;
static char err[200];

static int load(const void *p, size_t len)
{
    /* An exact copy, so that the address sanitizer sees reads behind its end. */
    static uint8_t *copy;
    int rc;

    free(copy);
    copy = malloc(len ? len : 1);
    memcpy(copy, p, len);
    err[0] = '\0';
    rc = image_load(copy, len, &img, err, sizeof(err));
    if (rc) {
        assert_true(err[0]);
    }
    return rc;
}

static void test_elf(void **state)
{
    struct kernel k;

    make_kernel(&k, "writable_page_tables|!supervisor_mode_kernel");
    assert_int_equal(load(k.data, k.len), 0);
    assert_true(img.notes.found && img.notes.mod_start_pfn);
    assert_int_equal(img.notes.virt_base, BASE);
    assert_int_equal(img.ventry, BASE + LOAD + 0x10);
    assert_string_equal(img.notes.guest_os, "linux");
    assert_int_equal(img.notes.features_supported, 1 << 0 | 1 << 3);
    assert_int_equal(img.notes.features_required, 1 << 3);
    assert_int_equal(img.notes.init_p2m, IMAGE_UNSET);
    assert_int_equal(img.nr_segments, 1);
    assert_int_equal(img.vstart, BASE + LOAD);
    assert_int_equal(img.vend, BASE + LOAD + TEXT_MEM);
    image_free(&img);
}

static uint8_t memory[TEXT_MEM];
static void *dst(void *ctx, uint64_t vaddr, uint64_t *avail)
{
    uint64_t at = vaddr - BASE - LOAD;

    *avail = MIN(100 - at % 100, TEXT_MEM - at);
    return at < TEXT_MEM ? memory + at : NULL;
}

static void test_place(void **state)
{
    struct kernel k;

    make_kernel(&k, "");
    memset(memory, 0xee, sizeof(memory));
    assert_int_equal(load(k.data, k.len), 0);
    assert_int_equal(image_place(&img, dst, NULL), 0);
    assert_memory_equal(memory, k.data + 4096, TEXT_LEN);
    for (unsigned i = TEXT_LEN; i < TEXT_MEM; i++) {
        assert_int_equal(memory[i], 0);
    }
}

static void test_refused(void **state)
{
    struct kernel k;

    make_kernel(&k, "!no_such_feature");
    assert_true(load(k.data, k.len) < 0);
    assert_non_null(strstr(err, "feature"));
    make_kernel(&k, "");
    k.data[4] = 1;
    assert_true(load(k.data, k.len) < 0);
    assert_non_null(strstr(err, "32-bit"));
    assert_true(load("hello, world, this is no kernel", 31) < 0);
    assert_true(load("", 0) < 0);
    make_kernel(&k, "");
    assert_true(load(k.data, 5000) < 0);
    assert_non_null(strstr(err, "cut off"));
}

/* Any single damaged byte in headers and notes is either refused or harmless. */
static void test_damaged(void **state)
{
    struct kernel k;

    for (unsigned i = 0; i < 1200; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            make_kernel(&k, "writable_page_tables");
            k.data[i] ^= 1U << bit;
            if (!load(k.data, k.len)) {
                (void)!image_place(&img, dst, NULL);
                image_free(&img);
            }
        }
    }
}

/* -- bzImages ---------------------------------------------------------------------------------------------------------------- */
static size_t pack(const char *how, const uint8_t *in, size_t len, uint8_t *out, size_t size)
{
    size_t n = 0;

    if (!strcmp(how, "gzip")) {
        z_stream s = {.next_in = (uint8_t *)in, .avail_in = len, .next_out = out, .avail_out = size};

        assert_int_equal(deflateInit2(&s, 9, Z_DEFLATED, 31, 8, 0), Z_OK);
        assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
        n = s.total_out;
        deflateEnd(&s);
        return n; /* its own trailer has the size */
    }
    if (!strcmp(how, "xz")) {
        assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, in, len, out, &n, size), LZMA_OK);
    } else if (!strcmp(how, "zstd")) {
        n = ZSTD_compress(out, size, in, len, 19);
        assert_false(ZSTD_isError(n));
    } else {
        uint32_t head[2] = {0x184c2102, 0};

        head[1] = (uint32_t)LZ4_compress_default((const char *)in, (char *)out + 8, (int)len, (int)size - 8);
        assert_int_not_equal(head[1], 0);
        memcpy(out, head, 8);
        n = 8 + head[1];
    }
    memcpy(out + n, &(uint32_t){len}, 4);
    return n + 4;
}

static size_t make_bzimage(const char *how, const struct kernel *k, uint8_t *out, size_t size)
{
    uint32_t payload = 64, n;

    memset(out, 0, 2048);
    out[0x1f1] = 1;
    memcpy(out + 0x1fe, "\x55\xaa", 2);
    memcpy(out + 0x202, "HdrS\x0f\x02", 6);
    n = (uint32_t)pack(how, k->data, k->len, out + 1024 + payload, size - 2048);
    memcpy(out + 0x248, &payload, 4);
    memcpy(out + 0x24c, &n, 4);
    return 1024 + payload + n;
}

static const char *const packings[] = {"gzip", "xz", "zstd", "LZ4"};

static void test_bzimage(void **state)
{
    static uint8_t file[65536];
    struct kernel k;

    make_kernel(&k, "writable_page_tables");
    for (unsigned i = 0; i < ARRAY_SIZE(packings); i++) {
        size_t len = make_bzimage(packings[i], &k, file, sizeof(file));

        assert_int_equal(load(file, len), 0);
        assert_int_equal(img.elf_len, k.len);
        assert_memory_equal(img.elf, k.data, k.len);
        image_free(&img);
        for (size_t cut = 0; cut < len; cut += 13) {
            assert_true(load(file, cut) < 0);
        }
        for (size_t at = 0x200; at < len; at++) {
            file[at] ^= 0x10;
            if (!load(file, len)) {
                image_free(&img);
            }
            file[at] ^= 0x10;
        }
    }
}

static void test_distribution_kernel(void **state)
{
    FILE *f = popen("ls /boot/vmlinuz-* 2>/dev/null | head -1", "r");
    char name[256] = "";
    uint8_t *data;
    long len;

    if (!f || !fgets(name, sizeof(name), f)) {
        skip();
    }
    pclose(f);
    name[strcspn(name, "\n")] = '\0';
    f = fopen(name, "r");
    if (!f) {
        skip();
    }
    fseek(f, 0, SEEK_END);
    len = ftell(f);
    rewind(f);
    data = malloc((size_t)len);
    assert_int_equal(fread(data, 1, (size_t)len, f), len);
    fclose(f);
    if (load(data, (size_t)len)) {
        fail_msg("%s: %s", name, err);
    }
    print_message("%s: %s %s, %#lx-%#lx, entry %#lx, p2m %#lx, hypercall page %#lx, PVH %#lx, features %#x!%#x, %u segments\n",
                  name, img.notes.guest_os, img.notes.guest_version, img.vstart, img.vend, img.ventry,
                  img.notes.init_p2m, img.notes.hypercall_page, img.notes.phys32_entry, img.notes.features_supported,
                  img.notes.features_required, img.nr_segments);
    assert_true(img.notes.found);
    assert_int_equal(img.notes.virt_base, BASE);
    assert_true(img.notes.mod_start_pfn);
    image_free(&img);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elf),     cmocka_unit_test(test_place),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_damaged), cmocka_unit_test(test_bzimage), cmocka_unit_test(test_distribution_kernel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
