/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between decompress.c, the distribution's libraries (called in
 * decompress_libs.c) and the little C library that they need (libs_shim.c).
 */
#ifndef POLDER_BOOT_DECOMPRESS_H
#define POLDER_BOOT_DECOMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each expands all of in[]; NULL, or what is wrong. *produced: bytes written, at most out_len. */
typedef const char *(*expand_fn)(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, size_t *produced);
const char *expand_gzip(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, size_t *produced);
const char *expand_xz(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, size_t *produced);
const char *expand_zstd(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, size_t *produced);
/* One block of LZ4, as the block format has it. Bytes written, or negative. */
int expand_lz4_block(const uint8_t *in, int in_len, uint8_t *out, int out_len);

/*
 * The libraries use SSE registers and the stack guard at FS:0x28, and want a heap: to be called around them, on a CPU that
 * holds no guest's state. Boot CPU only.
 */
void libs_enter(void);
void libs_leave(void); /* gives back what they did not free */

#endif
