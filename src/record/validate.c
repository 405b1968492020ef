/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of Produce. The path that nearly all batches take (no codec,
 * nothing wrong) is a CRC and a walk over the records' headers: it must never
 * allocate.
 */
#include "record/validate.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "record/builder.h"

#define FRAME_LEAST  14 /* a length below is corrupt in every magic */
#define VERSION_ZSTD 7  /* first Produce version with zstd (KIP-110) */

/* One check's state. */
typedef struct {
    record_validation_t *result;
    const record_validate_config_t *config;
    int64_t now_ms;
    apr_pool_t *pool;
    record_codec_t target; /* codec the log shall have */
    record_error_t *errors;
    int32_t errors_room;
    int32_t errors_total;
    unsigned bad_timestamp : 1;
    unsigned rebuild : 1; /* cannot be stored as it came */
} validate_t;

static void refuse(record_validation_t *result, int16_t error,
                   const char *message)
{
    result->error = error;
    result->message = message;
}

typedef enum { FRAME_WHOLE, FRAME_NONE, FRAME_CORRUPT } frame_t;

/* Whether a whole batch begins at DATA; its size then. A cut one is none. */
static frame_t frame_find(const uint8_t *data, size_t length, size_t *size)
{
    int32_t batch_length;

    if (length < LOG_OVERHEAD)
        return FRAME_NONE;
    batch_length = bytes_get_i32(data + RECORD_BATCH_LENGTH);
    if (batch_length < FRAME_LEAST)
        return FRAME_CORRUPT;
    if (length <= RECORD_BATCH_MAGIC)
        return FRAME_NONE;
    if (data[RECORD_BATCH_MAGIC] > 2)
        return FRAME_CORRUPT;
    *size = (size_t)batch_length + LOG_OVERHEAD;
    return *size <= length ? FRAME_WHOLE : FRAME_NONE;
}

/* Exactly one whole batch of magic 2 must be there. Bytes behind it that are
 * not a whole batch are cut off, as Kafka does. */
static int check_frame(record_validation_t *result, const uint8_t *data,
                       size_t length)
{
    size_t size, next;

    switch (frame_find(data, length, &size)) {
    case FRAME_NONE:
        refuse(result, RECORD_REFUSED_INVALID,
               "no whole record batch for the partition");
        return 0;
    case FRAME_CORRUPT:
        refuse(result, RECORD_REFUSED_CORRUPT, "not a record batch");
        return 0;
    case FRAME_WHOLE:
        break;
    }
    if (data[RECORD_BATCH_MAGIC] != 2)
        refuse(result, RECORD_REFUSED_INVALID,
               "only record batches of magic 2 are accepted");
    else if (size < RECORD_BATCH_OVERHEAD)
        refuse(result, RECORD_REFUSED_CORRUPT,
               "the record batch is shorter than its header");
    if (result->error)
        return 0;
    result->length = size;
    switch (frame_find(data + size, length - size, &next)) {
    case FRAME_NONE:
        return 1;
    case FRAME_CORRUPT:
        refuse(result, RECORD_REFUSED_CORRUPT,
               "bytes behind the record batch are none");
        return 0;
    case FRAME_WHOLE:
        refuse(result, RECORD_REFUSED_INVALID,
               "more than one record batch for the partition");
        return 0;
    }
    return 0;
}

static int check_codec(record_validation_t *result, const uint8_t *data,
                       int16_t version)
{
    int codec = data[RECORD_BATCH_ATTRIBUTES + 1] & RECORD_ATTR_CODEC;

    if (codec > RECORD_CODEC_ZSTD)
        refuse(result, RECORD_REFUSED_CODEC, "no such compression codec");
    else if (codec == RECORD_CODEC_ZSTD && version < VERSION_ZSTD)
        refuse(result, RECORD_REFUSED_CODEC,
               "zstd needs version 7 of Produce or above");
    return result->error == 0;
}

/* Size and CRC, and that the client left the offsets to the broker. */
static int check_bytes(const validate_t *check, const uint8_t *data)
{
    record_validation_t *result = check->result;
    record_batch_t batch = {.magic = 2};

    batch.batch_length = bytes_get_i32(data + RECORD_BATCH_LENGTH);
    batch.crc = bytes_get_u32(data + RECORD_BATCH_CRC);
    if (bytes_get_i64(data + RECORD_BATCH_BASE_OFFSET) != 0)
        refuse(result, RECORD_REFUSED_INVALID,
               "a producer's base offset must be 0");
    else if (batch.batch_length > check->config->max_message_bytes ||
             record_batch_size(&batch) >
                 (size_t)check->config->max_message_bytes)
        refuse(result, RECORD_REFUSED_TOO_LARGE,
               "the record batch is larger than max.message.bytes");
    else if (record_batch_verify_crc(&batch, data) != APR_SUCCESS)
        refuse(result, RECORD_REFUSED_CORRUPT,
               "the record batch's CRC is wrong");
    return result->error == 0;
}

/* The header's fields, once they are known to be what the client sent. */
static int check_header(record_validation_t *result, const uint8_t *data)
{
    record_batch_t *batch = &result->batch;
    const char *why = NULL;

    if (record_batch_parse(batch, data, result->length) != APR_SUCCESS)
        why = "negative last offset delta or record count";
    else if (batch->record_count == 0)
        why = "no records";
    else if (batch->record_count != (int64_t)batch->last_offset_delta + 1)
        why = "record count and last offset delta do not agree";
    else if (record_batch_is_control(batch))
        why = "clients may not write control records";
    else if (batch->attributes & RECORD_ATTR_DELETE_HORIZON)
        why = "clients may not set a delete horizon";
    else if (record_batch_has_producer(batch) &&
             batch->base_sequence < 0)
        why = "a producer id needs a sequence number";
    else if (record_batch_is_transactional(batch) &&
             !record_batch_has_producer(batch))
        why = "transactional records need a producer id";
    if (why)
        refuse(result, RECORD_REFUSED_INVALID, why);
    return result->error == 0;
}

static void record_error(validate_t *check, int32_t index, const char *message)
{
    check->errors_total++;
    if (check->result->record_error_count == RECORD_ERRORS_MAX)
        return;
    if (check->result->record_error_count == check->errors_room) {
        int32_t room = check->errors_room ? check->errors_room * 4 : 16;
        record_error_t *larger =
            apr_palloc(check->pool, (size_t)room * sizeof *larger);
        if (check->errors_room)
            memcpy(larger, check->errors,
                   (size_t)check->errors_room * sizeof *larger);
        check->errors = larger;
        check->errors_room = room;
    }
    check->errors[check->result->record_error_count].batch_index = index;
    check->errors[check->result->record_error_count++].message = message;
}

static int timestamp_in_range(const validate_t *check, int64_t timestamp)
{
    uint64_t now = (uint64_t)check->now_ms, then = (uint64_t)timestamp;

    if (timestamp <= check->now_ms)
        return now - then <= (uint64_t)check->config->timestamp_before_max_ms;
    return then - now <= (uint64_t)check->config->timestamp_after_max_ms;
}

static void timestamp_error(validate_t *check, const record_t *record,
                            int32_t index)
{
    const char *message = NULL;

    check->bad_timestamp = 1;
    if (check->result->record_error_count < RECORD_ERRORS_MAX)
        message = apr_psprintf(
            check->pool,
            "timestamp %" APR_INT64_T_FMT " is more than %" APR_INT64_T_FMT
            " ms before or %" APR_INT64_T_FMT
            " ms after the broker's %" APR_INT64_T_FMT,
            record->timestamp, check->config->timestamp_before_max_ms,
            check->config->timestamp_after_max_ms, check->now_ms);
    record_error(check, index, message);
}

static void check_record(validate_t *check, const record_t *record,
                         int32_t index)
{
    record_validation_t *result = check->result;

    if (check->config->compact && record->key_length < 0) {
        record_error(check, index, "a compacted topic needs keys");
        return;
    }
    if (!check->config->log_append_time &&
        record->timestamp != RECORD_NO_TIMESTAMP) {
        if (!timestamp_in_range(check, record->timestamp)) {
            timestamp_error(check, record, index);
            return;
        }
    } else if (record_batch_timestamp_type(&result->batch) ==
               RECORD_LOG_APPEND_TIME) {
        check->bad_timestamp = 1;
        record_error(check, index,
                     "a producer may not set the timestamp type LogAppendTime");
        return;
    }
    if (record->timestamp > result->max_timestamp) {
        result->max_timestamp = record->timestamp;
        result->max_timestamp_delta = index;
    }
    if (record->offset != index)
        check->rebuild = 1;
}

/* Walks the records from ITERATOR on. APR_EOF: all were seen. */
static apr_status_t check_records(validate_t *check, record_iterator_t iterator)
{
    record_t record;
    apr_status_t rv;

    for (int32_t index = 0;; index++) {
        rv = record_iterator_next(&iterator, &record);
        if (rv != APR_SUCCESS)
            return rv;
        check_record(check, &record, index);
    }
}

static void refuse_records(validate_t *check)
{
    record_validation_t *result = check->result;

    result->record_errors = check->errors;
    if (check->bad_timestamp)
        refuse(result, RECORD_REFUSED_TIMESTAMP,
               "records were refused for their timestamps");
    else
        refuse(result, RECORD_REFUSED_INVALID,
               apr_psprintf(check->pool, "%d records were refused",
                            check->errors_total));
}

/* A payload that is not what its header says; APR_ENOMEM is our own fault. */
static apr_status_t refuse_payload(record_validation_t *result, apr_status_t rv)
{
    /* the batch is at fault, none of its records */
    result->record_error_count = 0;
    if (rv == APR_ENOMEM)
        return rv;
    if (rv == TAKHIN_ETOOBIG)
        refuse(result, RECORD_REFUSED_TOO_LARGE,
               "the record batch decompresses to too many bytes");
    else
        refuse(result, RECORD_REFUSED_INVALID,
               "the records do not have the structure the header says");
    return APR_SUCCESS;
}

static apr_status_t validate_free(void *data)
{
    free(data);
    return APR_SUCCESS;
}

/* The options that make a builder repeat the batch. */
static record_builder_options_t rebuild_options(const validate_t *check)
{
    const record_batch_t *batch = &check->result->batch;
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;

    options.producer_id = batch->producer_id;
    options.producer_epoch = batch->producer_epoch;
    options.base_sequence = batch->base_sequence;
    options.codec = check->target;
    options.level = check->config->compression_level;
    options.transactional = record_batch_is_transactional(batch) != 0;
    if (check->config->log_append_time)
        options.log_append_time = check->now_ms;
    return options;
}

static apr_status_t rebuild_batch(record_builder_t *builder,
                                  const validate_t *check,
                                  record_iterator_t iterator)
{
    record_builder_options_t options = rebuild_options(check);
    record_validation_t *result = check->result;
    record_t record;
    apr_status_t rv = record_builder_begin(builder, &options);

    while (rv == APR_SUCCESS) {
        rv = record_iterator_next(&iterator, &record);
        if (rv == APR_SUCCESS)
            rv = record_builder_append(builder, &record);
    }
    if (rv != APR_EOF)
        return rv;
    return record_builder_finish(builder, &result->data, &result->length);
}

/* Writes the records anew: another codec, or offsets that had to be counted
 * again. The result's memory goes with the pool. */
static apr_status_t rebuild(validate_t *check, record_iterator_t iterator)
{
    record_validation_t *result = check->result;
    record_builder_t builder = {0};
    apr_status_t rv = rebuild_batch(&builder, check, iterator);
    record_buffer_t *kept =
        result->data == builder.packed.data ? &builder.packed : &builder.plain;

    if (rv == APR_SUCCESS) {
        apr_pool_cleanup_register(check->pool, kept->data, validate_free,
                                  apr_pool_cleanup_null);
        memset(kept, 0, sizeof *kept);
        result->recompressed = 1;
        if (result->length > (size_t)check->config->max_message_bytes)
            refuse(result, RECORD_REFUSED_TOO_LARGE,
                   "the record batch is larger than max.message.bytes in the "
                   "topic's compression");
        rv = record_batch_parse(&result->batch, result->data, result->length);
    }
    record_builder_free(&builder);
    return rv == APR_SUCCESS ? rv : refuse_payload(result, rv);
}

/* The only change to a batch that is stored as it came. Writing costs a second
 * CRC, so only what differs is written. */
static void set_timestamps(const validate_t *check)
{
    record_validation_t *result = check->result;
    record_batch_t *batch = &result->batch;

    if (check->config->log_append_time)
        record_batch_set_log_append_time(result->data, check->now_ms);
    else if (batch->max_timestamp != result->max_timestamp ||
             record_batch_timestamp_type(batch) != RECORD_CREATE_TIME)
        record_batch_set_create_time(result->data, result->max_timestamp);
    else
        return;
    /* It was parsed before, and the patch keeps it valid. */
    (void)record_batch_parse(batch, result->data, result->length);
}

static apr_status_t validate_records(validate_t *check,
                                     record_scratch_t *scratch)
{
    record_validation_t *result = check->result;
    size_t limit = check->config->decompress_limit;
    record_iterator_t iterator;
    apr_status_t rv;

    rv = record_iterator_init(&iterator, &result->batch, result->data, scratch,
                              limit ? limit : RECORD_DECOMPRESS_LIMIT);
    if (rv == APR_SUCCESS)
        rv = check_records(check, iterator);
    if (rv != APR_EOF)
        return refuse_payload(result, rv);
    if (check->errors_total) {
        refuse_records(check);
        return APR_SUCCESS;
    }
    if (check->target != record_batch_codec(&result->batch))
        check->rebuild = 1;
    rv = APR_SUCCESS;
    if (check->rebuild)
        rv = rebuild(check, iterator);
    else
        set_timestamps(check);
    if (check->config->log_append_time) {
        result->max_timestamp = check->now_ms;
        result->max_timestamp_delta = 0;
    }
    return rv;
}

apr_status_t record_validate(record_validation_t *result,
                             const record_validate_config_t *config,
                             uint8_t *data, size_t length, int16_t version,
                             int64_t now_ms, record_scratch_t *scratch,
                             apr_pool_t *pool)
{
    validate_t check = {
        .result = result, .config = config, .now_ms = now_ms, .pool = pool};

    memset(result, 0, sizeof *result);
    result->data = data;
    result->max_timestamp = RECORD_NO_TIMESTAMP;
    if (!check_frame(result, data, length) ||
        !check_codec(result, data, version) || !check_bytes(&check, data) ||
        !check_header(result, data))
        return APR_SUCCESS;
    check.target = config->compression_type == RECORD_CODEC_PRODUCER
                       ? record_batch_codec(&result->batch)
                       : (record_codec_t)config->compression_type;
    return validate_records(&check, scratch);
}
