/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zstd. Frames are decompressed whole into the result, not through a stream:
 * that needs no window of up to 128 MiB that the frame's writer would choose.
 * Kafka's clients do not store the size, so it is guessed and doubled: the
 * scratch keeps its room, and the guess soon fits.
 */
#include "record/codec.h"

#include <zstd.h>
#include <zstd_errors.h>

static size_t zstd_guess(const uint8_t *data, size_t length, size_t limit)
{
    unsigned long long size = ZSTD_getFrameContentSize(data, length);

    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR)
        size = (unsigned long long)length * 4;
    return size < limit ? (size_t)size : limit;
}

apr_status_t codec_zstd_decompress(const uint8_t *data, size_t length,
                                   record_scratch_t *scratch, size_t limit)
{
    record_buffer_t *out = &scratch->buffer;
    size_t room = zstd_guess(data, length, limit);
    apr_status_t rv;

    if (!scratch->zstd)
        scratch->zstd = ZSTD_createDCtx();
    if (!scratch->zstd)
        return APR_ENOMEM;
    if (length == 0)
        return TAKHIN_ECORRUPT; /* not even an empty frame */
    for (;;) {
        rv = record_buffer_reserve(out, room, limit);
        if (rv != APR_SUCCESS)
            return rv;
        room = out->capacity < limit ? out->capacity : limit;
        size_t size =
            ZSTD_decompressDCtx(scratch->zstd, out->data, room, data, length);
        if (!ZSTD_isError(size)) {
            out->length = size;
            return APR_SUCCESS;
        }
        if (ZSTD_getErrorCode(size) == ZSTD_error_memory_allocation)
            return APR_ENOMEM;
        if (ZSTD_getErrorCode(size) != ZSTD_error_dstSize_tooSmall)
            return TAKHIN_ECORRUPT;
        if (room == limit)
            return TAKHIN_ETOOBIG;
        room = room < limit / 2 ? room * 2 : limit;
    }
}

apr_status_t codec_zstd_compress(int level, const uint8_t *data, size_t length,
                                 record_buffer_t *out)
{
    size_t bound = ZSTD_compressBound(length), size;
    apr_status_t rv = record_buffer_reserve(out, bound, CODEC_NO_LIMIT);

    if (rv != APR_SUCCESS)
        return rv;
    if (level == RECORD_LEVEL_DEFAULT)
        level = ZSTD_CLEVEL_DEFAULT;
    size = ZSTD_compress(out->data + out->length, bound, data, length, level);
    if (ZSTD_isError(size))
        return APR_EGENERAL;
    out->length += size;
    return APR_SUCCESS;
}

void codec_zstd_free(record_scratch_t *scratch)
{
    ZSTD_freeDCtx(scratch->zstd);
    scratch->zstd = NULL;
}
