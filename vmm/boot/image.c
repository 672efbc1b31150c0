/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel images: from what the boot loader gave to an ELF file, and its segments into memory. */
#include "image.h"
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "../mm/alloc.h"

static bool is_elf(const uint8_t *p, size_t len) { return len >= 4 && !memcmp(p, "\177ELF", 4); }

int image_load(const void *module, size_t len, struct image_info *out, char *err, size_t errlen)
{
    const uint8_t *data = module;
    size_t elf_len = 0;
    void *elf = NULL;
    int rc;

    memset(out, 0, sizeof(*out));
    if (bzimage_probe(module, len)) {
        rc = bzimage_payload(module, len, &data, &len, err, errlen);
        if (rc) {
            return rc;
        }
    }
    if (is_elf(data, len)) {
        return elf_parse(data, len, out, err, errlen);
    }
    rc = decompress(data, len, &elf, &elf_len, &out->alloc_order, err, errlen);
    if (rc) {
        return rc;
    }
    out->alloc = elf;
    rc = elf_parse(elf, elf_len, out, err, errlen);
    if (rc) {
        image_free(out);
    }
    return rc;
}

void image_free(struct image_info *img)
{
    if (img->alloc) {
        free_xenheap_pages(img->alloc, img->alloc_order);
    }
    img->alloc = NULL;
    img->elf = NULL;
}

/* src NULL: zeros. */
static int place(uint64_t vaddr, const uint8_t *src, uint64_t n, image_dst_fn dst, void *ctx)
{
    while (n) {
        uint64_t avail = 0;
        void *p = dst(ctx, vaddr, &avail);

        if (!p || !avail) {
            return -EFAULT;
        }
        avail = MIN(avail, n);
        if (src) {
            memcpy(p, src, avail);
            src += avail;
        } else {
            memset(p, 0, avail);
        }
        vaddr += avail;
        n -= avail;
    }
    return 0;
}

int image_place(const struct image_info *img, image_dst_fn dst, void *ctx)
{
    for (unsigned i = 0; i < img->nr_segments; i++) {
        const struct image_segment *s = &img->segment[i];
        int rc = place(s->vaddr, img->elf + s->file_offset, s->filesz, dst, ctx);

        if (!rc) {
            rc = place(s->vaddr + s->filesz, NULL, s->memsz - s->filesz, dst, ctx);
        }
        if (rc) {
            return rc;
        }
    }
    return 0;
}
