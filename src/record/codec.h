/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each codec's file gives to compress.c. Internal to src/record.
 *
 * A decompress function appends to scratch->buffer, at most LIMIT bytes in all;
 * a compress function appends to OUT. Errors as in record/compress.h.
 */
#ifndef TAKHIN_RECORD_CODEC_H
#define TAKHIN_RECORD_CODEC_H

#include "record/compress.h"

/* Larger than any batch can be: for results whose size we decide. */
#define CODEC_NO_LIMIT ((size_t)-1 / 4)

/* Makes some more room in a buffer whose final size is not known, never above
 * LIMIT + 1 bytes: so that a result above LIMIT shows itself. */
apr_status_t codec_grow(record_buffer_t *buffer, size_t limit);

apr_status_t codec_gzip_decompress(const uint8_t *data, size_t length,
                                   record_scratch_t *scratch, size_t limit);
apr_status_t codec_gzip_compress(int level, const uint8_t *data, size_t length,
                                 record_buffer_t *out);
void codec_gzip_free(record_scratch_t *scratch);

apr_status_t codec_snappy_decompress(const uint8_t *data, size_t length,
                                     record_scratch_t *scratch, size_t limit);
apr_status_t codec_snappy_compress(const uint8_t *data, size_t length,
                                   record_buffer_t *out);

apr_status_t codec_lz4_decompress(int8_t magic, const uint8_t *data,
                                  size_t length, record_scratch_t *scratch,
                                  size_t limit);
apr_status_t codec_lz4_compress(int level, const uint8_t *data, size_t length,
                                record_buffer_t *out);
void codec_lz4_free(record_scratch_t *scratch);

apr_status_t codec_zstd_decompress(const uint8_t *data, size_t length,
                                   record_scratch_t *scratch, size_t limit);
apr_status_t codec_zstd_compress(int level, const uint8_t *data, size_t length,
                                 record_buffer_t *out);
void codec_zstd_free(record_scratch_t *scratch);

#endif
