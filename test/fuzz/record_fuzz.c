/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a record batch: read, validated as a Produce request's, and,
 * with the CRC set right, walked with every codec and magic. What validation
 * accepts must read back.
 */
#include <apr_general.h>
#include <apr_pools.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "record/crc32c.h"
#include "record/validate.h"

#define LIMIT ((size_t)1 << 20)

static record_scratch_t scratch;

/* Bytes seen, so that the sanitizer sees them too. */
static volatile unsigned sink;

static void touch(const uint8_t *bytes, int32_t length)
{
    for (int32_t i = 0; i < length; i++)
        sink += bytes[i];
}

static int walk(const record_batch_t *batch, const uint8_t *data)
{
    record_iterator_t iterator;
    record_t record;
    int seen = 0;

    if (record_iterator_init(&iterator, batch, data, &scratch, LIMIT))
        return -1;
    for (; record_iterator_next(&iterator, &record) == APR_SUCCESS; seen++) {
        const uint8_t *at = record.headers;
        touch(record.key, record.key_length);
        touch(record.value, record.value_length);
        for (int32_t i = 0; i < record.header_count; i++) {
            record_header_t header;
            record_header_next(&at, &header);
            touch(header.key, header.key_length);
            touch(header.value, header.value_length);
        }
    }
    return seen;
}

static void sign(uint8_t *data, size_t length)
{
    bytes_put_i64(data, 0);
    bytes_put_i32(data + RECORD_BATCH_LENGTH, (int32_t)(length - LOG_OVERHEAD));
    if (data[RECORD_BATCH_MAGIC] == 2 && length >= RECORD_BATCH_OVERHEAD)
        bytes_put_u32(data + RECORD_BATCH_CRC,
                      crc32c(0, data + RECORD_BATCH_ATTRIBUTES,
                             length - RECORD_BATCH_ATTRIBUTES));
}

static void validate(uint8_t *data, size_t length, int recompress)
{
    record_validate_config_t config = {
        .max_message_bytes = 1 << 20,
        .compression_type = recompress ? RECORD_CODEC_LZ4 : -1,
        .compression_level = RECORD_LEVEL_DEFAULT,
        .timestamp_before_max_ms = INT64_MAX,
        .timestamp_after_max_ms = INT64_MAX,
        .decompress_limit = LIMIT};
    record_validation_t result;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    if (record_validate(&result, &config, data, length, 13, 1700000000000,
                        &scratch, pool) == APR_SUCCESS &&
        result.error == 0) {
        TAKHIN_ASSERT(record_batch_verify_crc(&result.batch, result.data) ==
                      APR_SUCCESS);
        TAKHIN_ASSERT(walk(&result.batch, result.data) ==
                      result.batch.record_count);
    }
    apr_pool_destroy(pool);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return apr_initialize();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    record_batch_t batch;
    uint8_t *data = malloc(length ? length : 1);

    memcpy(data, bytes, length);
    validate(data, length, 0);
    if (length > RECORD_BATCH_MAGIC) {
        sign(data, length);
        if (record_batch_parse(&batch, data, length) == APR_SUCCESS)
            walk(&batch, data);
        validate(data, length, 0);
        memcpy(data, bytes, length);
        sign(data, length);
        validate(data, length, 1);
    }
    free(data);
    return 0;
}
