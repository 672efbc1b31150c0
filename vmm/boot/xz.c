/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expanding xz.  liblzma reads the headers and undoes the filters that stand
 * before LZMA2; LZMA2 itself is for the decoder of the LZMA SDK, which writes
 * where the data belongs and is short enough for one page of code.  liblzma's
 * keeps a dictionary apart and has 14 KiB: QEMU's TCG, which looks up anew
 * where each jump to another page leads, takes more than twice as long for it.
 *
 * Compiled with the system's headers; includes nothing of the hypervisor's
 * but its own.
 */
#include "decompress.h"
#include <lzma.h>
#include <lzma/LzmaDec.h>
#include <stdlib.h>
#include <string.h>

#define STORED_MAX 65536U

static const char *const cut_off = "it is cut off", *const damaged = "it is damaged", *const no_memory = "no memory",
                         *const unknown = "it uses a filter or a check that is not known";

/* What is left of the file. */
struct input {
    const uint8_t *p;
    size_t left;
};

/* The next n bytes; NULL where there are fewer. */
static const uint8_t *take(struct input *in, size_t n)
{
    const uint8_t *p = in->p;

    if (n > in->left) {
        return NULL;
    }
    in->p += n;
    in->left -= n;
    return p;
}

static const char *explain(lzma_ret rc)
{
    switch (rc) {
    case LZMA_OK: return NULL;
    case LZMA_MEM_ERROR: return no_memory;
    case LZMA_OPTIONS_ERROR: return unknown;
    default: return damaged;
    }
}

/* -- LZMA2: chunks, each behind a byte that tells its kind ----------------------------------------------------------- */
enum {
    CHUNK_END,
    CHUNK_STORED_RESET, /* ... which also forgets what came before */
    CHUNK_STORED,
    CHUNK_LZMA = 0x80, /* bits 0-4: of the expanded size; bits 5-6: what it resets, each with those before it */
    RESET_STATE = 1,
    RESET_PROPERTIES,
    RESET_DICTIONARY,
};

/* LzmaDec.c; its header does not have it. */
void LzmaDec_InitDicAndState(CLzmaDec *d, Bool reset_dictionary, Bool reset_state);

static void *sdk_malloc(void *heap, size_t size) { return malloc(size); }
static void sdk_free(void *heap, void *p) { free(p); }
static ISzAlloc sdk_heap = {sdk_malloc, sdk_free};

static size_t be16_plus_1(const uint8_t *p) { return ((size_t)p[0] << 8 | p[1]) + 1; }

static const char *expand_stored(CLzmaDec *d, struct input *in, bool reset)
{
    const uint8_t *head = take(in, 2), *data;
    size_t size;

    if (!head) {
        return cut_off;
    }
    size = be16_plus_1(head);
    data = take(in, size);
    if (!data) {
        return cut_off;
    }
    if (size > d->dicBufSize - d->dicPos) {
        return damaged;
    }
    LzmaDec_InitDicAndState(d, reset, False);
    memcpy(d->dic + d->dicPos, data, size);
    d->dicPos += size;
    d->processedPos += (UInt32)size;
    return NULL;
}

/* The dictionary is all that is written so far, however large the file says that it is. */
static const char *new_properties(CLzmaDec *d, uint8_t lc_lp_pb)
{
    const Byte properties[LZMA_PROPS_SIZE] = {lc_lp_pb, 0xff, 0xff, 0xff, 0xff};

    switch (LzmaDec_AllocateProbs(d, properties, sizeof(properties), &sdk_heap)) {
    case SZ_OK: return NULL;
    case SZ_ERROR_MEM: return no_memory;
    default: return damaged;
    }
}

static const char *expand_lzma(CLzmaDec *d, struct input *in, uint8_t kind)
{
    unsigned reset = kind >> 5 & 3;
    const uint8_t *head = take(in, reset >= RESET_PROPERTIES ? 5 : 4), *data;
    const char *why = NULL;
    ELzmaStatus status;
    size_t end, size;
    SizeT used;

    if (!head) {
        return cut_off;
    }
    end = d->dicPos + ((size_t)(kind & 0x1f) << 16) + be16_plus_1(head);
    size = used = be16_plus_1(head + 2);
    data = take(in, size);
    if (!data) {
        return cut_off;
    }
    if (reset >= RESET_PROPERTIES) {
        why = new_properties(d, head[4]);
    }
    if (!why && (!d->probs || end > d->dicBufSize)) {
        why = damaged;
    }
    if (why) {
        return why;
    }
    LzmaDec_InitDicAndState(d, reset >= RESET_DICTIONARY, reset >= RESET_STATE);
    if (LzmaDec_DecodeToDic(d, end, data, &used, LZMA_FINISH_ANY, &status) != SZ_OK || used != size ||
        d->dicPos != end) {
        return damaged;
    }
    return NULL;
}

static const char *expand_lzma2(struct input *in, uint8_t *out, size_t out_len, size_t *produced)
{
    CLzmaDec d = {.dic = out, .dicBufSize = out_len};
    const char *why = NULL;

    LzmaDec_InitDicAndState(&d, True, True);
    while (!why) {
        const uint8_t *kind = take(in, 1);

        if (!kind) {
            why = cut_off;
        } else if (*kind == CHUNK_END) {
            break;
        } else if (*kind >= CHUNK_LZMA) {
            why = expand_lzma(&d, in, *kind);
        } else {
            why = *kind <= CHUNK_STORED ? expand_stored(&d, in, *kind == CHUNK_STORED_RESET) : damaged;
        }
    }
    *produced = d.dicPos;
    LzmaDec_FreeProbs(&d, &sdk_heap);
    return why;
}

/* -- the filters before it --------------------------------------------------------------------------------------------- */
static lzma_ret feed(lzma_stream *s, const uint8_t *in, size_t len)
{
    s->next_in = in;
    s->avail_in = len;
    return lzma_code(s, LZMA_RUN);
}

/*
 * In place: what a filter writes, it has read before.  liblzma has no call for a filter alone, so it gets LZMA2 once more,
 * of stored chunks.
 */
static lzma_ret undo_filters(lzma_filter *filters, unsigned last, uint8_t *data, size_t len)
{
    static const uint8_t end = CHUNK_END;
    lzma_stream s = LZMA_STREAM_INIT;
    lzma_ret rc;

    ((lzma_options_lzma *)filters[last].options)->dict_size = STORED_MAX; /* spares the memory for it */
    rc = lzma_raw_decoder(&s, filters);
    s.next_out = data;
    s.avail_out = len;
    for (size_t at = 0; rc == LZMA_OK && at < len; at += STORED_MAX) {
        size_t n = len - at < STORED_MAX ? len - at : STORED_MAX;
        uint8_t head[] = {at ? CHUNK_STORED : CHUNK_STORED_RESET, (uint8_t)((n - 1) >> 8), (uint8_t)(n - 1)};

        rc = feed(&s, head, sizeof(head));
        if (rc == LZMA_OK) {
            rc = feed(&s, data + at, n);
        }
    }
    if (rc == LZMA_OK) {
        rc = feed(&s, &end, sizeof(end));
    }
    if (rc == LZMA_STREAM_END) {
        rc = s.total_out == len ? LZMA_OK : LZMA_DATA_ERROR;
    }
    lzma_end(&s);
    return rc;
}

/* -- the container: xz-file-format.txt, sections 2 and 3 ---------------------------------------------------------------- */
/* NULL if the check that follows a block's data says that they are what was packed. */
static const char *verify(struct input *in, lzma_check check, const uint8_t *data, size_t len)
{
    const size_t size = lzma_check_size(check);
    const uint8_t *want = take(in, size);
    uint64_t sum = 0; /* as in the file: least significant byte first */

    if (!want) {
        return cut_off;
    }
    switch (check) {
    case LZMA_CHECK_NONE: break;
    case LZMA_CHECK_CRC32: sum = lzma_crc32(data, len, 0); break;
    case LZMA_CHECK_CRC64: sum = lzma_crc64(data, len, 0); break;
    default: return unknown;
    }
    return memcmp(want, &sum, size) ? damaged : NULL;
}

/* The data of a block whose header has been read, their padding and check. */
static const char *expand_data(struct input *in, lzma_check check, lzma_filter *filters, uint8_t *out, size_t out_len,
                               size_t *produced)
{
    size_t left = in->left;
    const char *why = expand_lzma2(in, out, out_len, produced);
    unsigned last = 0;

    if (why) {
        return why;
    }
    if (!take(in, -(left - in->left) & 3)) {
        return cut_off;
    }
    while (filters[last + 1].id != LZMA_VLI_UNKNOWN) {
        last++;
    }
    if (filters[last].id != LZMA_FILTER_LZMA2) {
        return unknown;
    }
    if (last) {
        why = explain(undo_filters(filters, last, out, *produced));
    }
    return why ? why : verify(in, check, out, *produced);
}

static const char *expand_block(struct input *in, lzma_check check, uint8_t *out, size_t out_len, size_t *produced)
{
    lzma_filter filters[LZMA_FILTERS_MAX + 1];
    lzma_block block = {.check = check, .filters = filters};
    const uint8_t *head;
    const char *why;

    block.header_size = lzma_block_header_size_decode(in->p[0]);
    head = take(in, block.header_size);
    if (!head) {
        return cut_off;
    }
    why = explain(lzma_block_header_decode(&block, NULL, head));
    if (why) {
        return why;
    }
    why = expand_data(in, check, filters, out, out_len, produced);
    lzma_filters_free(filters, NULL);
    return why;
}

/* The index behind the blocks is not needed: each block has its check, and the caller knows the whole size. */
const char *expand_xz(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, size_t *produced)
{
    struct input rest = {in, in_len};
    const uint8_t *head = take(&rest, LZMA_STREAM_HEADER_SIZE);
    lzma_stream_flags flags;
    const char *why;

    if (!head) {
        return cut_off;
    }
    why = explain(lzma_stream_header_decode(&flags, head));
    while (!why && rest.left && rest.p[0]) {
        size_t more = 0;

        why = expand_block(&rest, flags.check, out + *produced, out_len - *produced, &more);
        *produced += more;
    }
    return why || rest.left ? why : cut_off;
}
