/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compression codecs of record batches, each with the framing that Kafka's
 * clients write. Decompression fills a scratch that is used again and again;
 * it never grows beyond the limit that the caller sets, whatever the data says.
 */
#ifndef TAKHIN_RECORD_COMPRESS_H
#define TAKHIN_RECORD_COMPRESS_H

#include <apr_errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* As in a batch's attributes. */
typedef enum {
    RECORD_CODEC_NONE = 0,
    RECORD_CODEC_GZIP = 1,
    RECORD_CODEC_SNAPPY = 2,
    RECORD_CODEC_LZ4 = 3,
    RECORD_CODEC_ZSTD = 4
} record_codec_t;

#define RECORD_CODEC_PRODUCER (-1)    /* compression.type=producer */
#define RECORD_LEVEL_DEFAULT  INT_MIN /* each codec's own default */

/* Bytes that grow. Owner: whoever initialised it (zero bytes are a valid
 * empty buffer). One thread. */
typedef struct {
    uint8_t *data;
    size_t length;
    size_t capacity;
} record_buffer_t;

/* Makes room for MORE bytes behind the length: APR_ENOMEM, or TAKHIN_ETOOBIG
 * when length + MORE were above LIMIT. Moves data. */
apr_status_t record_buffer_reserve(record_buffer_t *buffer, size_t more,
                                   size_t limit);
void record_buffer_free(record_buffer_t *buffer);

/* What decompression needs again and again: room for the result, and codec
 * contexts, made at first use. Zero bytes are a valid empty one. One thread. */
typedef struct {
    record_buffer_t buffer; /* the last result */
    void *lz4;              /* LZ4F_dctx */
    void *zstd;             /* ZSTD_DCtx */
    void *gzip;             /* z_stream */
} record_scratch_t;

void record_scratch_free(record_scratch_t *scratch);

/* Gives back memory above KEEP bytes: call it when a large batch is done, so
 * that one client's peak does not stay. */
void record_scratch_trim(record_scratch_t *scratch, size_t keep);

/*
 * Decompresses LENGTH bytes at DATA into scratch->buffer, which then holds the
 * whole result, at most LIMIT bytes. MAGIC is the batch's: the lz4 frames of
 * magic 0 have a header checksum of their own. Errors: TAKHIN_ECORRUPT,
 * TAKHIN_ETOOBIG (above LIMIT), TAKHIN_EUNSUPPORTED (no such codec), APR_ENOMEM.
 */
apr_status_t record_decompress(record_codec_t codec, int8_t magic,
                               const uint8_t *data, size_t length,
                               record_scratch_t *scratch, size_t limit);

/*
 * Appends DATA, compressed, to OUT. LEVEL is the codec's own scale (gzip 1-9,
 * lz4 1-12, zstd -131072 to 22; snappy has none) or RECORD_LEVEL_DEFAULT.
 * Errors: TAKHIN_EUNSUPPORTED, APR_ENOMEM, APR_EGENERAL (the library refused).
 */
apr_status_t record_compress(record_codec_t codec, int level,
                             const uint8_t *data, size_t length,
                             record_buffer_t *out);

/* "none", "gzip" ("uncompressed" is Kafka's word in configurations), ...;
 * NULL for an unknown codec. */
const char *record_codec_name(int codec);

#endif
