/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record batches from records. The records are laid down behind room for the
 * header; with a codec they are compressed at the end, into a second buffer.
 */
#include "record/builder.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/varint.h"
#include "record/crc32c.h"

#define BUILDER_LIMIT INT32_MAX /* batch_length is an int32 */

apr_status_t record_builder_begin(record_builder_t *builder,
                                  const record_builder_options_t *options)
{
    apr_status_t rv;

    builder->options = *options;
    builder->plain.length = 0;
    builder->packed.length = 0;
    builder->base_timestamp = RECORD_NO_TIMESTAMP;
    builder->max_timestamp = RECORD_NO_TIMESTAMP;
    builder->next_offset = options->base_offset;
    builder->last_offset = options->base_offset - 1;
    builder->record_count = 0;
    rv = record_buffer_reserve(&builder->plain, RECORD_BATCH_OVERHEAD,
                               BUILDER_LIMIT);
    if (rv == APR_SUCCESS)
        builder->plain.length = RECORD_BATCH_OVERHEAD;
    return rv;
}

static size_t field_size(int32_t length)
{
    return varint_size(length) + (length > 0 ? (size_t)length : 0);
}

static uint8_t *field_put(uint8_t *p, const uint8_t *bytes, int32_t length)
{
    p = varint_put(p, length);
    if (length > 0) {
        memcpy(p, bytes, (size_t)length);
        p += length;
    }
    return p;
}

/* Lays down all of a record but its headers, which take HEADERS_SIZE bytes,
 * count included. *AT is where they belong. */
static apr_status_t builder_put(record_builder_t *builder,
                                const record_t *record, int64_t offset,
                                size_t headers_size, uint8_t **at)
{
    int64_t offset_delta = offset - builder->options.base_offset;
    int64_t timestamp_delta = (int64_t)((uint64_t)record->timestamp -
                                        (uint64_t)builder->base_timestamp);
    size_t body = 1 + varint_size(timestamp_delta) + varint_size(offset_delta) +
                  field_size(record->key_length) +
                  field_size(record->value_length) + headers_size;
    apr_status_t rv;
    uint8_t *p;

    if (body > BUILDER_LIMIT)
        return TAKHIN_ETOOBIG;
    rv = record_buffer_reserve(
        &builder->plain, varint_size((int64_t)body) + body, BUILDER_LIMIT);
    if (rv != APR_SUCCESS)
        return rv;
    p = varint_put(builder->plain.data + builder->plain.length, (int64_t)body);
    builder->plain.length = (size_t)(p - builder->plain.data) + body;
    *p++ = 0; /* attributes: none are defined */
    p = varint_put(p, timestamp_delta);
    p = varint_put(p, offset_delta);
    p = field_put(p, record->key, record->key_length);
    *at = field_put(p, record->value, record->value_length);
    return APR_SUCCESS;
}

static apr_status_t builder_append(record_builder_t *builder,
                                   const record_t *record, int64_t offset,
                                   size_t headers_size, uint8_t **at)
{
    apr_status_t rv;

    TAKHIN_ASSERT(record->key_length >= -1 && record->value_length >= -1);
    if (offset < builder->next_offset ||
        offset - builder->options.base_offset > INT32_MAX)
        return APR_EINVAL;
    if (builder->record_count == 0)
        builder->base_timestamp = builder->options.delete_horizon >= 0
                                      ? builder->options.delete_horizon
                                      : record->timestamp;
    rv = builder_put(builder, record, offset, headers_size, at);
    if (rv != APR_SUCCESS)
        return rv;
    if (record->timestamp > builder->max_timestamp)
        builder->max_timestamp = record->timestamp;
    builder->last_offset = offset;
    builder->next_offset = offset + 1;
    builder->record_count++;
    return APR_SUCCESS;
}

static apr_status_t builder_append_raw(record_builder_t *builder,
                                       const record_t *record, int64_t offset)
{
    uint8_t *p;
    apr_status_t rv = builder_append(
        builder, record, offset,
        varint_size(record->header_count) + record->headers_length, &p);

    if (rv != APR_SUCCESS)
        return rv;
    p = varint_put(p, record->header_count);
    if (record->headers_length)
        memcpy(p, record->headers, record->headers_length);
    return APR_SUCCESS;
}

apr_status_t record_builder_append(record_builder_t *builder,
                                   const record_t *record)
{
    return builder_append_raw(builder, record, builder->next_offset);
}

apr_status_t record_builder_append_at(record_builder_t *builder,
                                      const record_t *record)
{
    return builder_append_raw(builder, record, record->offset);
}

apr_status_t record_builder_append_headers(record_builder_t *builder,
                                           const record_t *record,
                                           const record_header_t *headers,
                                           int32_t count)
{
    size_t size = varint_size(count);
    uint8_t *p;
    apr_status_t rv;

    for (int32_t i = 0; i < count; i++)
        size += field_size(headers[i].key_length) +
                field_size(headers[i].value_length);
    rv = builder_append(builder, record, builder->next_offset, size, &p);
    if (rv != APR_SUCCESS)
        return rv;
    p = varint_put(p, count);
    for (int32_t i = 0; i < count; i++) {
        p = field_put(p, headers[i].key, headers[i].key_length);
        p = field_put(p, headers[i].value, headers[i].value_length);
    }
    return APR_SUCCESS;
}

void record_builder_set_last_offset(record_builder_t *builder, int64_t offset)
{
    TAKHIN_ASSERT(offset >= builder->last_offset &&
                  offset - builder->options.base_offset <= INT32_MAX);
    builder->last_offset = offset;
}

void record_builder_set_max_timestamp(record_builder_t *builder, int64_t ms)
{
    builder->max_timestamp = ms;
}

size_t record_builder_size(const record_builder_t *builder)
{
    return builder->plain.length;
}

static apr_status_t builder_pack(record_builder_t *builder)
{
    record_buffer_t *plain = &builder->plain, *packed = &builder->packed;
    apr_status_t rv =
        record_buffer_reserve(packed, RECORD_BATCH_OVERHEAD, BUILDER_LIMIT);

    if (rv != APR_SUCCESS)
        return rv;
    packed->length = RECORD_BATCH_OVERHEAD;
    rv = record_compress(builder->options.codec, builder->options.level,
                         plain->data + RECORD_BATCH_OVERHEAD,
                         plain->length - RECORD_BATCH_OVERHEAD, packed);
    if (rv == APR_SUCCESS && packed->length > BUILDER_LIMIT)
        rv = TAKHIN_ETOOBIG;
    return rv;
}

static int16_t builder_attributes(const record_builder_options_t *options)
{
    return (int16_t)((int)options->codec |
                     (options->log_append_time >= 0
                          ? RECORD_ATTR_LOG_APPEND_TIME
                          : 0) |
                     (options->transactional ? RECORD_ATTR_TRANSACTIONAL : 0) |
                     (options->control ? RECORD_ATTR_CONTROL : 0) |
                     (options->delete_horizon >= 0 ? RECORD_ATTR_DELETE_HORIZON
                                                   : 0));
}

static void builder_put_header(const record_builder_t *builder, uint8_t *data,
                               size_t size)
{
    const record_builder_options_t *options = &builder->options;

    record_batch_set_base_offset(data, options->base_offset);
    bytes_put_u32(data + RECORD_BATCH_LENGTH, (uint32_t)(size - LOG_OVERHEAD));
    record_batch_set_leader_epoch(data, options->partition_leader_epoch);
    data[RECORD_BATCH_MAGIC] = 2;
    bytes_put_i16(data + RECORD_BATCH_ATTRIBUTES, builder_attributes(options));
    bytes_put_i32(data + RECORD_BATCH_LAST_OFFSET_DELTA,
                  (int32_t)(builder->last_offset - options->base_offset));
    bytes_put_i64(data + RECORD_BATCH_BASE_TIMESTAMP, builder->base_timestamp);
    bytes_put_i64(data + RECORD_BATCH_MAX_TIMESTAMP,
                  options->log_append_time >= 0 ? options->log_append_time
                                                : builder->max_timestamp);
    bytes_put_i64(data + RECORD_BATCH_PRODUCER_ID, options->producer_id);
    bytes_put_i16(data + RECORD_BATCH_PRODUCER_EPOCH, options->producer_epoch);
    bytes_put_i32(data + RECORD_BATCH_BASE_SEQUENCE, options->base_sequence);
    bytes_put_i32(data + RECORD_BATCH_RECORD_COUNT, builder->record_count);
    bytes_put_u32(data + RECORD_BATCH_CRC,
                  crc32c(0, data + RECORD_BATCH_ATTRIBUTES,
                         size - RECORD_BATCH_ATTRIBUTES));
}

apr_status_t record_builder_finish(record_builder_t *builder, uint8_t **data,
                                   size_t *length)
{
    record_buffer_t *out = &builder->plain;

    if (builder->last_offset < builder->options.base_offset)
        return APR_EINVAL;
    if (builder->record_count == 0 && builder->options.delete_horizon >= 0)
        builder->base_timestamp = builder->options.delete_horizon;
    if (builder->options.codec != RECORD_CODEC_NONE && builder->record_count) {
        apr_status_t rv = builder_pack(builder);
        if (rv != APR_SUCCESS)
            return rv;
        out = &builder->packed;
    }
    builder_put_header(builder, out->data, out->length);
    *data = out->data;
    *length = out->length;
    return APR_SUCCESS;
}

void record_builder_free(record_builder_t *builder)
{
    record_buffer_free(&builder->plain);
    record_buffer_free(&builder->packed);
}

apr_status_t record_builder_append_control(record_builder_t *builder,
                                           record_control_type_t type,
                                           const uint8_t *value,
                                           int32_t value_length,
                                           int64_t timestamp)
{
    uint8_t key[RECORD_CONTROL_KEY_SIZE];
    record_t record;

    TAKHIN_ASSERT(builder->options.control);
    memset(&record, 0, sizeof record);
    bytes_put_i16(key, 0);
    bytes_put_i16(key + 2, (int16_t)type);
    record.timestamp = timestamp;
    record.key = key;
    record.key_length = RECORD_CONTROL_KEY_SIZE;
    record.value = value;
    record.value_length = value_length;
    return record_builder_append(builder, &record);
}

apr_status_t record_builder_append_end_marker(record_builder_t *builder,
                                              int commit,
                                              int32_t coordinator_epoch,
                                              int64_t timestamp)
{
    uint8_t value[RECORD_END_MARKER_SIZE];

    bytes_put_i16(value, 0);
    bytes_put_i32(value + 2, coordinator_epoch);
    return record_builder_append_control(
        builder, commit ? RECORD_CONTROL_COMMIT : RECORD_CONTROL_ABORT, value,
        RECORD_END_MARKER_SIZE, timestamp);
}

int record_control_type(const record_t *record)
{
    /* Later versions may add behind these fields, not change them. */
    if (record->key_length < RECORD_CONTROL_KEY_SIZE ||
        bytes_get_i16(record->key) < 0)
        return -1;
    return bytes_get_i16(record->key + 2);
}

apr_status_t record_end_marker_parse(const record_t *record, int *commit,
                                     int32_t *coordinator_epoch)
{
    int type = record_control_type(record);

    if ((type != RECORD_CONTROL_ABORT && type != RECORD_CONTROL_COMMIT) ||
        record->value_length < RECORD_END_MARKER_SIZE ||
        bytes_get_i16(record->value) < 0)
        return TAKHIN_ECORRUPT;
    *commit = type == RECORD_CONTROL_COMMIT;
    *coordinator_epoch = bytes_get_i32(record->value + 2);
    return APR_SUCCESS;
}
