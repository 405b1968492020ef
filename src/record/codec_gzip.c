/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip, by zlib. Several gzip members in a row are one result (RFC 1952), as
 * Java's reader has it; bytes behind the last are corruption.
 */
#include "record/codec.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define GZIP_WINDOW (MAX_WBITS + 16) /* 16: gzip's header, not zlib's */

static apr_status_t gzip_stream(record_scratch_t *scratch, z_stream **stream)
{
    *stream = scratch->gzip;
    if (*stream)
        return inflateReset(*stream) == Z_OK ? APR_SUCCESS : APR_EGENERAL;
    *stream = calloc(1, sizeof **stream);
    if (!*stream)
        return APR_ENOMEM;
    if (inflateInit2(*stream, GZIP_WINDOW) != Z_OK) {
        free(*stream);
        return APR_ENOMEM;
    }
    scratch->gzip = *stream;
    return APR_SUCCESS;
}

static uInt gzip_room(const record_buffer_t *buffer)
{
    size_t room = buffer->capacity - buffer->length;

    return room > INT_MAX ? INT_MAX : (uInt)room;
}

apr_status_t codec_gzip_decompress(const uint8_t *data, size_t length,
                                   record_scratch_t *scratch, size_t limit)
{
    record_buffer_t *out = &scratch->buffer;
    z_stream *stream;
    apr_status_t rv = gzip_stream(scratch, &stream);

    if (rv != APR_SUCCESS)
        return rv;
    stream->next_in = (Bytef *)(uintptr_t)data;
    stream->avail_in = (uInt)length;
    for (;;) {
        rv = codec_grow(out, limit);
        if (rv != APR_SUCCESS)
            return rv;
        stream->next_out = out->data + out->length;
        stream->avail_out = gzip_room(out);
        int status = inflate(stream, Z_NO_FLUSH);
        out->length = (size_t)(stream->next_out - out->data);
        if (status == Z_MEM_ERROR)
            return APR_ENOMEM;
        if (status == Z_STREAM_END) {
            if (stream->avail_in == 0)
                return out->length > limit ? TAKHIN_ETOOBIG : APR_SUCCESS;
            if (inflateReset(stream) != Z_OK)
                return APR_EGENERAL;
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            return TAKHIN_ECORRUPT;
        } else if (stream->avail_in == 0 && stream->avail_out > 0) {
            return TAKHIN_ECORRUPT; /* cut short */
        }
    }
}

apr_status_t codec_gzip_compress(int level, const uint8_t *data, size_t length,
                                 record_buffer_t *out)
{
    z_stream stream;
    apr_status_t rv;
    int status;

    memset(&stream, 0, sizeof stream);
    if (level == RECORD_LEVEL_DEFAULT)
        level = Z_DEFAULT_COMPRESSION;
    if (deflateInit2(&stream, level, Z_DEFLATED, GZIP_WINDOW, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return APR_EGENERAL;
    rv = record_buffer_reserve(out, deflateBound(&stream, (uLong)length),
                               CODEC_NO_LIMIT);
    if (rv != APR_SUCCESS) {
        deflateEnd(&stream);
        return rv;
    }
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)length;
    stream.next_out = out->data + out->length;
    stream.avail_out = gzip_room(out);
    status = deflate(&stream, Z_FINISH);
    out->length = (size_t)(stream.next_out - out->data);
    deflateEnd(&stream);
    return status == Z_STREAM_END ? APR_SUCCESS : APR_EGENERAL;
}

void codec_gzip_free(record_scratch_t *scratch)
{
    if (scratch->gzip) {
        inflateEnd(scratch->gzip);
        free(scratch->gzip);
        scratch->gzip = NULL;
    }
}
