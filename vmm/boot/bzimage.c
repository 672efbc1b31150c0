/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compressed kernel inside a bzImage.  Linux, Documentation, "The
 * Linux/x86 Boot Protocol": payload_offset and payload_length, from 2.08 on.
 */
#include "../lib/errno.h"
#include "../lib/printk.h"
#include "../lib/string.h"
#include "image.h"

#define SECTOR 512
#define SETUP_SECTS 0x1f1
#define BOOT_FLAG 0x1fe
#define HEADER_MAGIC 0x202
#define HEADER_VERSION 0x206
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_LENGTH 0x24c
#define HEADER_END 0x250
#define VERSION_WITH_PAYLOAD 0x0208
#define SETUP_SECTS_OLD 4 /* what 0 means */

static uint32_t le16(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8; }
static uint32_t le32(const uint8_t *p) { return le16(p) | le16(p + 2) << 16; }

bool bzimage_probe(const void *image, size_t len)
{
    const uint8_t *p = image;

    return len >= HEADER_END && le16(p + BOOT_FLAG) == 0xaa55 && !memcmp(p + HEADER_MAGIC, "HdrS", 4);
}

int bzimage_payload(const void *image, size_t len, const uint8_t **payload, size_t *payload_len, char *err,
                    size_t errlen)
{
    const uint8_t *p = image;
    uint64_t start, size;

    if (le16(p + HEADER_VERSION) < VERSION_WITH_PAYLOAD) {
        snprintf(err, errlen,
                 "a bzImage of boot protocol %x.%02x, which does not tell where the kernel is; 2.08 is needed",
                 p[HEADER_VERSION + 1], p[HEADER_VERSION]);
        return -ENOEXEC;
    }
    start = p[SETUP_SECTS] ? p[SETUP_SECTS] : SETUP_SECTS_OLD;
    start = (start + 1) * SECTOR + le32(p + PAYLOAD_OFFSET);
    size = le32(p + PAYLOAD_LENGTH);
    if (start > len || size > len - start || size < 8) {
        snprintf(err, errlen,
                 "a bzImage whose kernel (%lu bytes at %lu) does not fit in its %lu bytes; it is cut off, "
                 "copy it again",
                 (unsigned long)size, (unsigned long)start, (unsigned long)len);
        return -ENOEXEC;
    }
    *payload = p + start;
    *payload_len = size;
    return 0;
}
