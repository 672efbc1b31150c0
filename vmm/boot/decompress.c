/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expanding a compressed kernel: gzip, xz, zstd, or LZ4 in its legacy frame
 * format.  The build of Linux ends each with the expanded size in 4 bytes
 * (gzip's own trailer is that), so one allocation does.
 */
#include "decompress.h"
#include "image.h"
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "../mm/alloc.h"

#define SIZE_BYTES 4
#define EXPANDED_MAX GB(1)

#define LZ4_BLOCK_MAX (8U << 20) /* of a legacy frame, expanded */
#define LZ4_LEGACY_MAGIC_LEN 4

static uint32_t le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* LZ4, doc/lz4_Frame_format.md, "Legacy frame": magic, then blocks, each with its compressed size, to the end. */
static const char *expand_lz4(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, size_t *produced)
{
    size_t at = LZ4_LEGACY_MAGIC_LEN, done = 0;

    while (done < out_len) {
        uint32_t size;
        int n;

        if (in_len - at < 4) {
            return "it is cut off";
        }
        size = le32(in + at);
        at += 4;
        if (!size || size > in_len - at) {
            return "it is cut off or damaged";
        }
        n = expand_lz4_block(in + at, (int)size, out + done, (int)MIN(out_len - done, (size_t)LZ4_BLOCK_MAX));
        if (n <= 0) {
            return "it is damaged";
        }
        at += size;
        done += (size_t)n;
    }
    *produced = done;
    return NULL;
}

static const struct format {
    const char *name;
    uint8_t magic[6];
    uint8_t magic_len;
    bool size_behind; /* the size is not part of the format */
    expand_fn expand;
} formats[] = {
    {"gzip", {0x1f, 0x8b, 0x08}, 3, false, expand_gzip},
    {"xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, true, expand_xz},
    {"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, true, expand_zstd},
    {"LZ4", {0x02, 0x21, 0x4c, 0x18}, 4, true, expand_lz4},
};

static const struct format *recognise(const uint8_t *in, size_t len)
{
    for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
        if (len > (size_t)formats[i].magic_len + SIZE_BYTES && !memcmp(in, formats[i].magic, formats[i].magic_len)) {
            return &formats[i];
        }
    }
    return NULL;
}

static const char *expand(const struct format *f, const uint8_t *in, size_t in_len, void *out, size_t size)
{
    size_t produced = 0;
    const char *why;

    libs_enter();
    why = f->expand(in, in_len - (f->size_behind ? SIZE_BYTES : 0), out, size, &produced);
    libs_leave();
    return !why && produced != size ? "it expands to another size than it says" : why;
}

int decompress(const uint8_t *in, size_t in_len, void **out, size_t *out_len, unsigned *out_order, char *err,
               size_t errlen)
{
    const struct format *f = recognise(in, in_len);
    unsigned order = 0;
    const char *why;
    uint64_t size;

    if (!f) {
        snprintf(err, errlen,
                 "neither an ELF file nor compressed in a way that is known (gzip, xz, zstd, LZ4); rebuild the "
                 "kernel with one of these");
        return -ENOEXEC;
    }
    size = le32(in + in_len - SIZE_BYTES);
    if (!size || size > EXPANDED_MAX) {
        snprintf(err, errlen, "%s data that does not end with its expanded size; it is cut off, copy it again",
                 f->name);
        return -ENOEXEC;
    }
    while (PAGE_SIZE << order < size) {
        order++;
    }
    *out = alloc_xenheap_pages(order);
    if (!*out) {
        snprintf(err, errlen, "no memory to expand %lu MiB of %s data", (unsigned long)(size >> 20) + 1, f->name);
        return -ENOMEM;
    }
    why = expand(f, in, in_len, *out, size);
    if (why) {
        snprintf(err, errlen, "the %s data cannot be expanded: %s; copy the kernel again", f->name, why);
        free_xenheap_pages(*out, order);
        *out = NULL;
        return -ENOEXEC;
    }
    *out_len = size;
    *out_order = order;
    return 0;
}
