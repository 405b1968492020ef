/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snappy, in both framings that clients use: librdkafka and Go clients write
 * one raw snappy block, Java writes snappy-java's stream ("xerial"): a 16-byte
 * header, then blocks of 32 KiB, each behind its compressed length.
 */
#include "record/codec.h"

#include <snappy-c.h>
#include <string.h>

#include "base/bytes.h"

#define XERIAL_HEADER  16 /* magic, version, least compatible version */
#define XERIAL_VERSION 1
#define XERIAL_BLOCK   32768

static const uint8_t xerial_magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

/* No element of snappy's format yields more than 64 bytes from 3: a block
 * that claims more is refused before its claim is allocated. */
#define SNAPPY_MAX_RATIO 22

static apr_status_t snappy_block(const uint8_t *data, size_t length,
                                 record_buffer_t *out, size_t limit)
{
    size_t size;
    apr_status_t rv;

    if (snappy_uncompressed_length((const char *)data, length, &size) !=
            SNAPPY_OK ||
        size / SNAPPY_MAX_RATIO > length)
        return TAKHIN_ECORRUPT;
    rv = record_buffer_reserve(out, size, limit);
    if (rv != APR_SUCCESS)
        return rv;
    if (snappy_uncompress((const char *)data, length,
                          (char *)out->data + out->length, &size) != SNAPPY_OK)
        return TAKHIN_ECORRUPT;
    out->length += size;
    return APR_SUCCESS;
}

static int xerial_is_header(const uint8_t *data, size_t length)
{
    return length >= XERIAL_HEADER &&
           memcmp(data, xerial_magic, sizeof xerial_magic) == 0;
}

apr_status_t codec_snappy_decompress(const uint8_t *data, size_t length,
                                     record_scratch_t *scratch, size_t limit)
{
    record_buffer_t *out = &scratch->buffer;

    if (!xerial_is_header(data, length))
        return snappy_block(data, length, out, limit);
    while (length > 0) {
        if (xerial_is_header(data, length)) { /* streams may follow streams */
            if (bytes_get_i32(data + 8) < XERIAL_VERSION)
                return TAKHIN_ECORRUPT;
            data += XERIAL_HEADER;
            length -= XERIAL_HEADER;
            continue;
        }
        if (length < 4)
            return TAKHIN_ECORRUPT;
        size_t block = bytes_get_u32(data);
        data += 4;
        length -= 4;
        if (block > length)
            return TAKHIN_ECORRUPT;
        apr_status_t rv = snappy_block(data, block, out, limit);
        if (rv != APR_SUCCESS)
            return rv;
        data += block;
        length -= block;
    }
    return APR_SUCCESS;
}

static apr_status_t xerial_put_block(const uint8_t *data, size_t length,
                                     record_buffer_t *out)
{
    size_t size = snappy_max_compressed_length(length);
    apr_status_t rv = record_buffer_reserve(out, 4 + size, CODEC_NO_LIMIT);

    if (rv != APR_SUCCESS)
        return rv;
    if (snappy_compress((const char *)data, length,
                        (char *)out->data + out->length + 4,
                        &size) != SNAPPY_OK)
        return APR_EGENERAL;
    bytes_put_u32(out->data + out->length, (uint32_t)size);
    out->length += 4 + size;
    return APR_SUCCESS;
}

apr_status_t codec_snappy_compress(const uint8_t *data, size_t length,
                                   record_buffer_t *out)
{
    apr_status_t rv = record_buffer_reserve(out, XERIAL_HEADER, CODEC_NO_LIMIT);

    if (rv != APR_SUCCESS)
        return rv;
    memcpy(out->data + out->length, xerial_magic, sizeof xerial_magic);
    bytes_put_u32(out->data + out->length + 8, XERIAL_VERSION);
    bytes_put_u32(out->data + out->length + 12, XERIAL_VERSION);
    out->length += XERIAL_HEADER;
    while (length > 0) {
        size_t block = length < XERIAL_BLOCK ? length : XERIAL_BLOCK;
        rv = xerial_put_block(data, block, out);
        if (rv != APR_SUCCESS)
            return rv;
        data += block;
        length -= block;
    }
    return APR_SUCCESS;
}
