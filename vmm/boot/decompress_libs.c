/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calls into zlib, libzstd and liblz4 (xz.c has those into liblzma).  Compiled with the
 * system's headers; includes nothing of the hypervisor's but its own.
 */
#include "decompress.h"
#include <lz4.h>
#include <zlib.h>
#include <zstd.h>

#define GZIP_ONLY (15 + 16) /* zlib.h: windowBits of inflateInit2 */

const char *expand_gzip(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, size_t *produced)
{
    z_stream s = {.next_in = (Bytef *)in, .avail_in = (uInt)in_len, .next_out = out, .avail_out = (uInt)out_len};
    int rc;

    if (inflateInit2(&s, GZIP_ONLY) != Z_OK) {
        return "no memory";
    }
    rc = inflate(&s, Z_FINISH);
    *produced = s.total_out;
    inflateEnd(&s);
    switch (rc) {
    case Z_STREAM_END: return NULL;
    case Z_MEM_ERROR: return "no memory";
    case Z_BUF_ERROR: return "it is cut off";
    default: return "it is damaged";
    }
}

const char *expand_zstd(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, size_t *produced)
{
    size_t n = ZSTD_findFrameCompressedSize(in, in_len);

    if (ZSTD_isError(n)) {
        return "it is cut off or damaged";
    }
    n = ZSTD_decompress(out, out_len, in, n);
    if (ZSTD_isError(n)) {
        return "it is damaged";
    }
    *produced = n;
    return NULL;
}

int expand_lz4_block(const uint8_t *in, int in_len, uint8_t *out, int out_len)
{
    return LZ4_decompress_safe((const char *)in, (char *)out, in_len, out_len);
}
