/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header of a record batch: reading it, its CRC, and the patches a broker
 * makes. It must never read beyond the bytes it was told are there.
 */
#include "record/batch.h"

#include <zlib.h>

#include "base/bytes.h"
#include "record/crc32c.h"

/* Least batch_length of each magic: what its header and fixed fields take. */
#define BATCH_LENGTH_V0 14
#define BATCH_LENGTH_V1 22
#define BATCH_LENGTH_V2 (RECORD_BATCH_OVERHEAD - LOG_OVERHEAD)

static apr_status_t batch_parse_legacy(record_batch_t *out, const uint8_t *data,
                                       size_t available)
{
    if (out->batch_length < (out->magic ? BATCH_LENGTH_V1 : BATCH_LENGTH_V0))
        return TAKHIN_ECORRUPT;
    if (available < RECORD_LEGACY_OVERHEAD)
        return TAKHIN_ETRUNCATED;
    out->partition_leader_epoch = RECORD_NO_LEADER_EPOCH;
    out->crc = bytes_get_u32(data + RECORD_LEGACY_CRC);
    out->attributes = data[RECORD_LEGACY_ATTRIBUTES];
    out->last_offset_delta = 0;
    out->base_timestamp = out->magic
                              ? bytes_get_i64(data + RECORD_LEGACY_TIMESTAMP)
                              : RECORD_NO_TIMESTAMP;
    out->max_timestamp = out->base_timestamp;
    out->producer_id = RECORD_NO_PRODUCER_ID;
    out->producer_epoch = RECORD_NO_PRODUCER_EPOCH;
    out->base_sequence = RECORD_NO_SEQUENCE;
    out->record_count = out->attributes & RECORD_ATTR_CODEC ? -1 : 1;
    return APR_SUCCESS;
}

apr_status_t record_batch_parse(record_batch_t *out, const uint8_t *data,
                                size_t available)
{
    if (available <= RECORD_BATCH_MAGIC)
        return TAKHIN_ETRUNCATED;
    out->base_offset = bytes_get_i64(data + RECORD_BATCH_BASE_OFFSET);
    out->batch_length = bytes_get_i32(data + RECORD_BATCH_LENGTH);
    out->magic = (int8_t)data[RECORD_BATCH_MAGIC];
    if (out->base_offset < 0 || out->magic < 0 || out->magic > 2)
        return TAKHIN_ECORRUPT;
    if (out->magic < 2)
        return batch_parse_legacy(out, data, available);
    if (out->batch_length < BATCH_LENGTH_V2)
        return TAKHIN_ECORRUPT;
    if (available < RECORD_BATCH_OVERHEAD)
        return TAKHIN_ETRUNCATED;
    out->partition_leader_epoch =
        bytes_get_i32(data + RECORD_BATCH_LEADER_EPOCH);
    out->crc = bytes_get_u32(data + RECORD_BATCH_CRC);
    out->attributes = bytes_get_i16(data + RECORD_BATCH_ATTRIBUTES);
    out->last_offset_delta =
        bytes_get_i32(data + RECORD_BATCH_LAST_OFFSET_DELTA);
    out->base_timestamp = bytes_get_i64(data + RECORD_BATCH_BASE_TIMESTAMP);
    out->max_timestamp = bytes_get_i64(data + RECORD_BATCH_MAX_TIMESTAMP);
    out->producer_id = bytes_get_i64(data + RECORD_BATCH_PRODUCER_ID);
    out->producer_epoch = bytes_get_i16(data + RECORD_BATCH_PRODUCER_EPOCH);
    out->base_sequence = bytes_get_i32(data + RECORD_BATCH_BASE_SEQUENCE);
    out->record_count = bytes_get_i32(data + RECORD_BATCH_RECORD_COUNT);
    if (out->last_offset_delta < 0 || out->record_count < 0 ||
        out->base_offset > INT64_MAX - 1 - out->last_offset_delta)
        return TAKHIN_ECORRUPT;
    return APR_SUCCESS;
}

static uint32_t batch_crc(const uint8_t *data, size_t size)
{
    return crc32c(0, data + RECORD_BATCH_ATTRIBUTES,
                  size - RECORD_BATCH_ATTRIBUTES);
}

apr_status_t record_batch_verify_crc(const record_batch_t *batch,
                                     const uint8_t *data)
{
    size_t size = record_batch_size(batch);
    uint32_t crc;

    if (batch->magic >= 2)
        crc = batch_crc(data, size);
    else /* the older formats use gzip's polynomial, from the magic on */
        crc = (uint32_t)crc32(0, data + RECORD_BATCH_MAGIC,
                              (uInt)(size - RECORD_BATCH_MAGIC));
    return crc == batch->crc ? APR_SUCCESS : TAKHIN_ECORRUPT;
}

void record_batch_set_base_offset(uint8_t *data, int64_t base_offset)
{
    bytes_put_i64(data + RECORD_BATCH_BASE_OFFSET, base_offset);
}

void record_batch_set_leader_epoch(uint8_t *data, int32_t leader_epoch)
{
    bytes_put_i32(data + RECORD_BATCH_LEADER_EPOCH, leader_epoch);
}

static void batch_set_time(uint8_t *data, int16_t attributes, int64_t ms)
{
    size_t size = bytes_get_u32(data + RECORD_BATCH_LENGTH) + LOG_OVERHEAD;

    bytes_put_i16(data + RECORD_BATCH_ATTRIBUTES, attributes);
    bytes_put_i64(data + RECORD_BATCH_MAX_TIMESTAMP, ms);
    bytes_put_u32(data + RECORD_BATCH_CRC, batch_crc(data, size));
}

void record_batch_set_log_append_time(uint8_t *data, int64_t ms)
{
    int16_t attributes = bytes_get_i16(data + RECORD_BATCH_ATTRIBUTES);

    batch_set_time(data, attributes | RECORD_ATTR_LOG_APPEND_TIME, ms);
}

void record_batch_set_create_time(uint8_t *data, int64_t max_timestamp)
{
    int16_t attributes = bytes_get_i16(data + RECORD_BATCH_ATTRIBUTES);

    batch_set_time(data, attributes & ~RECORD_ATTR_LOG_APPEND_TIME,
                   max_timestamp);
}
