/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lz4, in its frame format with independent blocks: the only kind that Kafka's
 * Java clients can read, so the only kind that is let in.
 *
 * Magic 0 has a quirk: its clients computed the header's checksum over the
 * frame's magic number as well, and nobody checks it. It is set right in a copy
 * of the header before the library sees it.
 */
#include "record/codec.h"

#include <lz4frame.h>
#include <string.h>

/* The frame's header: magic number, flags, block descriptor, optional content
 * size and dictionary id, checksum. */
#define LZ4_FLAGS             4
#define LZ4_HEADER_MIN        7
#define LZ4_HEADER_MAX        19
#define LZ4_FLAG_INDEPENDENT  0x20
#define LZ4_FLAG_CONTENT_SIZE 0x08
#define LZ4_FLAG_DICTIONARY   0x01

static uint32_t xxh32_rotate(uint32_t value, int bits)
{
    return value << bits | value >> (32 - bits);
}

/* XXH32 with seed 0 for less than 16 bytes, which a header always is. */
static uint32_t xxh32_short(const uint8_t *p, size_t length)
{
    uint32_t hash = 374761393u + (uint32_t)length;

    for (; length >= 4; p += 4, length -= 4) {
        uint32_t word = (uint32_t)p[0] | (uint32_t)p[1] << 8 |
                        (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        hash = xxh32_rotate(hash + word * 3266489917u, 17) * 668265263u;
    }
    for (; length; p++, length--)
        hash = xxh32_rotate(hash + *p * 374761393u, 11) * 2654435761u;
    hash = (hash ^ hash >> 15) * 2246822519u;
    hash = (hash ^ hash >> 13) * 3266489917u;
    return hash ^ hash >> 16;
}

/* The header's size, or 0 when DATA does not begin with a usable one. */
static size_t lz4_header_size(const uint8_t *data, size_t length)
{
    size_t size = LZ4_HEADER_MIN;

    if (length < LZ4_HEADER_MIN || !(data[LZ4_FLAGS] & LZ4_FLAG_INDEPENDENT))
        return 0;
    if (data[LZ4_FLAGS] & LZ4_FLAG_CONTENT_SIZE)
        size += 8;
    if (data[LZ4_FLAGS] & LZ4_FLAG_DICTIONARY)
        size += 4;
    return size <= length ? size : 0;
}

/* The checksum is the second byte of the hash over flags to dictionary id. */
static void lz4_set_checksum(uint8_t *header, size_t size)
{
    uint32_t hash = xxh32_short(header + LZ4_FLAGS, size - LZ4_FLAGS - 1);

    header[size - 1] = (uint8_t)(hash >> 8);
}

static apr_status_t lz4_context(record_scratch_t *scratch, LZ4F_dctx **context)
{
    if (!scratch->lz4 &&
        LZ4F_isError(LZ4F_createDecompressionContext(context, LZ4F_VERSION)))
        return APR_ENOMEM;
    if (!scratch->lz4)
        scratch->lz4 = *context;
    *context = scratch->lz4;
    return APR_SUCCESS;
}

/* Feeds LENGTH bytes; *HINT becomes 0 when the frame is complete. */
static apr_status_t lz4_feed(LZ4F_dctx *context, const uint8_t *data,
                             size_t length, record_buffer_t *out, size_t limit,
                             size_t *hint)
{
    for (;;) {
        size_t taken = length, room;
        apr_status_t rv = codec_grow(out, limit);
        if (rv != APR_SUCCESS)
            return rv;
        room = out->capacity - out->length;
        size_t given = room;
        *hint = LZ4F_decompress(context, out->data + out->length, &given, data,
                                &taken, NULL);
        if (LZ4F_isError(*hint))
            return TAKHIN_ECORRUPT;
        out->length += given;
        data += taken;
        length -= taken;
        if (*hint == 0)
            return length ? TAKHIN_ECORRUPT : APR_SUCCESS;
        if (length == 0 && given < room)
            return APR_SUCCESS;
        if (taken == 0 && given == 0)
            return TAKHIN_ECORRUPT;
    }
}

apr_status_t codec_lz4_decompress(int8_t magic, const uint8_t *data,
                                  size_t length, record_scratch_t *scratch,
                                  size_t limit)
{
    uint8_t header[LZ4_HEADER_MAX];
    size_t header_size = lz4_header_size(data, length), hint;
    LZ4F_dctx *context;
    apr_status_t rv;

    if (!header_size)
        return TAKHIN_ECORRUPT;
    rv = lz4_context(scratch, &context);
    if (rv != APR_SUCCESS)
        return rv;
    memcpy(header, data, header_size);
    if (magic == 0)
        lz4_set_checksum(header, header_size);
    rv = lz4_feed(context, header, header_size, &scratch->buffer, limit, &hint);
    if (rv == APR_SUCCESS)
        rv = lz4_feed(context, data + header_size, length - header_size,
                      &scratch->buffer, limit, &hint);
    if (rv == APR_SUCCESS && hint != 0)
        rv = TAKHIN_ECORRUPT; /* cut short */
    if (rv == APR_SUCCESS && scratch->buffer.length > limit)
        rv = TAKHIN_ETOOBIG;
    /* A context that did not reach its frame's end is not used again: up to lz4
     * 1.9 its reset keeps the frame's content size, and the next frame, of
     * another client, would be refused for it. */
    if (rv != APR_SUCCESS)
        codec_lz4_free(scratch);
    return rv;
}

apr_status_t codec_lz4_compress(int level, const uint8_t *data, size_t length,
                                record_buffer_t *out)
{
    LZ4F_preferences_t preferences;
    apr_status_t rv;
    size_t bound, size;

    memset(&preferences, 0, sizeof preferences);
    preferences.frameInfo.blockSizeID = LZ4F_max64KB;
    preferences.frameInfo.blockMode = LZ4F_blockIndependent;
    preferences.compressionLevel = level == RECORD_LEVEL_DEFAULT ? 0 : level;
    bound = LZ4F_compressFrameBound(length, &preferences);
    rv = record_buffer_reserve(out, bound, CODEC_NO_LIMIT);
    if (rv != APR_SUCCESS)
        return rv;
    size = LZ4F_compressFrame(out->data + out->length, bound, data, length,
                              &preferences);
    if (LZ4F_isError(size))
        return APR_EGENERAL;
    out->length += size;
    return APR_SUCCESS;
}

void codec_lz4_free(record_scratch_t *scratch)
{
    LZ4F_freeDecompressionContext(scratch->lz4);
    scratch->lz4 = NULL;
}
