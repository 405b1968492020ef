/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing buffers, and the choice of a codec. A buffer must never grow beyond
 * its caller's limit: what is decompressed comes from strangers.
 */
#include "record/compress.h"

#include <stdlib.h>
#include <string.h>

#include "record/codec.h"

#define BUFFER_LEAST 4096

static apr_status_t buffer_resize(record_buffer_t *buffer, size_t capacity)
{
    uint8_t *data = realloc(buffer->data, capacity);

    if (!data)
        return APR_ENOMEM;
    buffer->data = data;
    buffer->capacity = capacity;
    return APR_SUCCESS;
}

apr_status_t record_buffer_reserve(record_buffer_t *buffer, size_t more,
                                   size_t limit)
{
    size_t need, capacity;

    if (buffer->length > limit || more > limit - buffer->length)
        return TAKHIN_ETOOBIG;
    need = buffer->length + more;
    if (need <= buffer->capacity && buffer->data)
        return APR_SUCCESS;
    capacity = buffer->capacity < limit / 2 ? buffer->capacity * 2 : limit;
    if (capacity < need)
        capacity = need;
    if (capacity < BUFFER_LEAST)
        capacity = BUFFER_LEAST;
    return buffer_resize(buffer, capacity);
}

void record_buffer_free(record_buffer_t *buffer)
{
    free(buffer->data);
    memset(buffer, 0, sizeof *buffer);
}

apr_status_t codec_grow(record_buffer_t *buffer, size_t limit)
{
    if (buffer->length > limit)
        return TAKHIN_ETOOBIG;
    return buffer->length < buffer->capacity
               ? APR_SUCCESS
               : record_buffer_reserve(buffer, 1, limit + 1);
}

void record_scratch_free(record_scratch_t *scratch)
{
    record_buffer_free(&scratch->buffer);
    codec_gzip_free(scratch);
    codec_lz4_free(scratch);
    codec_zstd_free(scratch);
}

void record_scratch_trim(record_scratch_t *scratch, size_t keep)
{
    if (scratch->buffer.capacity > keep)
        record_buffer_free(&scratch->buffer);
}

static apr_status_t decompress_none(const uint8_t *data, size_t length,
                                    record_scratch_t *scratch, size_t limit)
{
    apr_status_t rv = record_buffer_reserve(&scratch->buffer, length, limit);

    if (rv == APR_SUCCESS && length) {
        memcpy(scratch->buffer.data, data, length);
        scratch->buffer.length = length;
    }
    return rv;
}

apr_status_t record_decompress(record_codec_t codec, int8_t magic,
                               const uint8_t *data, size_t length,
                               record_scratch_t *scratch, size_t limit)
{
    apr_status_t rv;

    if (limit > CODEC_NO_LIMIT)
        limit = CODEC_NO_LIMIT;
    scratch->buffer.length = 0;
    /* An empty result has an address too. */
    rv = record_buffer_reserve(&scratch->buffer, 0, limit);
    if (rv != APR_SUCCESS)
        return rv;
    switch (codec) {
    case RECORD_CODEC_NONE:
        return decompress_none(data, length, scratch, limit);
    case RECORD_CODEC_GZIP:
        return codec_gzip_decompress(data, length, scratch, limit);
    case RECORD_CODEC_SNAPPY:
        return codec_snappy_decompress(data, length, scratch, limit);
    case RECORD_CODEC_LZ4:
        return codec_lz4_decompress(magic, data, length, scratch, limit);
    case RECORD_CODEC_ZSTD:
        return codec_zstd_decompress(data, length, scratch, limit);
    }
    return TAKHIN_EUNSUPPORTED;
}

static apr_status_t compress_none(const uint8_t *data, size_t length,
                                  record_buffer_t *out)
{
    apr_status_t rv = record_buffer_reserve(out, length, CODEC_NO_LIMIT);

    if (rv == APR_SUCCESS && length) {
        memcpy(out->data + out->length, data, length);
        out->length += length;
    }
    return rv;
}

apr_status_t record_compress(record_codec_t codec, int level,
                             const uint8_t *data, size_t length,
                             record_buffer_t *out)
{
    switch (codec) {
    case RECORD_CODEC_NONE:
        return compress_none(data, length, out);
    case RECORD_CODEC_GZIP:
        return codec_gzip_compress(level, data, length, out);
    case RECORD_CODEC_SNAPPY:
        return codec_snappy_compress(data, length, out);
    case RECORD_CODEC_LZ4:
        return codec_lz4_compress(level, data, length, out);
    case RECORD_CODEC_ZSTD:
        return codec_zstd_compress(level, data, length, out);
    }
    return TAKHIN_EUNSUPPORTED;
}

const char *record_codec_name(int codec)
{
    static const char *const names[] = {"none", "gzip", "snappy", "lz4",
                                        "zstd"};

    return codec >= 0 && codec <= RECORD_CODEC_ZSTD ? names[codec] : NULL;
}
