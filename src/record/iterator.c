/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks the records of a batch. Every length and varint is checked against the
 * bytes that are left before anything is read or pointed to; a record must end
 * exactly where its length says. It copies nothing and allocates nothing but
 * what decompression puts into the scratch.
 */
#include "record/batch.h"

#include <string.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/varint.h"

/* One entry of a message set, magic 0 or 1, taken apart. */
typedef struct {
    int64_t offset;
    int64_t timestamp;
    int8_t magic;
    uint8_t attributes;
    const uint8_t *key, *value;
    int32_t key_length, value_length;
    size_t size;
} legacy_entry_t;

/* Reads a length of 32 bits and as many bytes behind it; NULL when they do
 * not fit. */
static const uint8_t *legacy_bytes(const uint8_t *p, const uint8_t *end,
                                   const uint8_t **bytes, int32_t *length)
{
    if (end - p < 4)
        return NULL;
    *length = bytes_get_i32(p);
    p += 4;
    *bytes = NULL;
    if (*length < 0)
        return *length == -1 ? p : NULL;
    if (*length > end - p)
        return NULL;
    *bytes = p;
    return p + *length;
}

static apr_status_t legacy_parse(legacy_entry_t *entry, const uint8_t *data,
                                 const uint8_t *end)
{
    const uint8_t *p = data;
    int32_t length;

    if (end - data < RECORD_LEGACY_OVERHEAD)
        return TAKHIN_ECORRUPT;
    entry->offset = bytes_get_i64(data);
    length = bytes_get_i32(data + RECORD_BATCH_LENGTH);
    if (length < 0 || length > end - data - LOG_OVERHEAD)
        return TAKHIN_ECORRUPT;
    entry->size = (size_t)length + LOG_OVERHEAD;
    end = data + entry->size;
    entry->magic = (int8_t)data[RECORD_BATCH_MAGIC];
    entry->attributes = data[RECORD_LEGACY_ATTRIBUTES];
    entry->timestamp = RECORD_NO_TIMESTAMP;
    p = data + RECORD_LEGACY_TIMESTAMP;
    if (entry->magic == 1) {
        if (end - p < 8)
            return TAKHIN_ECORRUPT;
        entry->timestamp = bytes_get_i64(p);
        p += 8;
    }
    p = legacy_bytes(p, end, &entry->key, &entry->key_length);
    if (p)
        p = legacy_bytes(p, end, &entry->value, &entry->value_length);
    return p == end ? APR_SUCCESS : TAKHIN_ECORRUPT;
}

/* Checks an entry inside a wrapper, where no batch CRC was checked. */
static apr_status_t legacy_check_inner(const legacy_entry_t *entry,
                                       const uint8_t *data, int8_t magic)
{
    uint32_t crc = (uint32_t)crc32(0, data + RECORD_BATCH_MAGIC,
                                   (uInt)(entry->size - RECORD_BATCH_MAGIC));

    return entry->magic == magic && entry->offset >= 0 &&
                   !(entry->attributes & RECORD_ATTR_CODEC) &&
                   crc == bytes_get_u32(data + RECORD_LEGACY_CRC)
               ? APR_SUCCESS
               : TAKHIN_ECORRUPT;
}

/* A magic-1 wrapper carries its last record's offset, and its records are
 * numbered from 0 (KIP-31): the last number gives the base. */
static apr_status_t legacy_find_base(record_iterator_t *iterator)
{
    const uint8_t *p = iterator->position;
    legacy_entry_t entry = {0};

    while (p < iterator->end) {
        apr_status_t rv = legacy_parse(&entry, p, iterator->end);
        if (rv != APR_SUCCESS)
            return rv;
        p += entry.size;
    }
    iterator->inner_base = iterator->batch->base_offset - entry.offset;
    return entry.offset >= 0 && iterator->inner_base >= 0 ? APR_SUCCESS
                                                          : TAKHIN_ECORRUPT;
}

static apr_status_t legacy_init(record_iterator_t *iterator,
                                const uint8_t *data, record_scratch_t *scratch,
                                size_t limit)
{
    const record_batch_t *batch = iterator->batch;
    record_codec_t codec = record_batch_codec(batch);
    legacy_entry_t wrapper;
    apr_status_t rv;

    iterator->position = data;
    iterator->end = data + record_batch_size(batch);
    if (codec == RECORD_CODEC_NONE)
        return APR_SUCCESS;
    if (codec > RECORD_CODEC_LZ4)
        return TAKHIN_EUNSUPPORTED; /* zstd came with magic 2 (KIP-110) */
    rv = legacy_parse(&wrapper, data, iterator->end);
    if (rv != APR_SUCCESS)
        return rv;
    if (wrapper.value_length < 0)
        return TAKHIN_ECORRUPT;
    rv = record_decompress(codec, batch->magic, wrapper.value,
                           (size_t)wrapper.value_length, scratch, limit);
    if (rv != APR_SUCCESS)
        return rv;
    if (scratch->buffer.length == 0)
        return TAKHIN_ECORRUPT;
    iterator->position = scratch->buffer.data;
    iterator->end = scratch->buffer.data + scratch->buffer.length;
    iterator->legacy_inner = 1;
    return batch->magic == 1 ? legacy_find_base(iterator) : APR_SUCCESS;
}

static apr_status_t legacy_next(record_iterator_t *iterator, record_t *record)
{
    const record_batch_t *batch = iterator->batch;
    legacy_entry_t entry;
    apr_status_t rv;

    if (iterator->position == iterator->end)
        return APR_EOF;
    rv = legacy_parse(&entry, iterator->position, iterator->end);
    if (rv == APR_SUCCESS && iterator->legacy_inner)
        rv = legacy_check_inner(&entry, iterator->position, batch->magic);
    if (rv != APR_SUCCESS)
        return rv;
    if (entry.offset > INT64_MAX - iterator->inner_base)
        return TAKHIN_ECORRUPT;
    record->offset = entry.offset + iterator->inner_base;
    record->timestamp =
        record_batch_timestamp_type(batch) == RECORD_LOG_APPEND_TIME
            ? batch->max_timestamp
            : entry.timestamp;
    record->sequence = RECORD_NO_SEQUENCE;
    record->size = (int32_t)entry.size;
    record->key = entry.key;
    record->key_length = entry.key_length;
    record->value = entry.value;
    record->value_length = entry.value_length;
    record->header_count = 0;
    record->headers = NULL;
    record->headers_length = 0;
    iterator->position += entry.size;
    return APR_SUCCESS;
}

apr_status_t record_iterator_init(record_iterator_t *iterator,
                                  const record_batch_t *batch,
                                  const uint8_t *data,
                                  record_scratch_t *scratch, size_t limit)
{
    record_codec_t codec = record_batch_codec(batch);
    apr_status_t rv;

    memset(iterator, 0, sizeof *iterator);
    iterator->batch = batch;
    if (codec != RECORD_CODEC_NONE && !scratch)
        return APR_EINVAL;
    if (batch->magic < 2)
        return legacy_init(iterator, data, scratch, limit);
    iterator->remaining = batch->record_count;
    iterator->position = data + RECORD_BATCH_OVERHEAD;
    iterator->end = data + record_batch_size(batch);
    if (codec == RECORD_CODEC_NONE)
        return APR_SUCCESS;
    if (batch->record_count == 0 && iterator->position == iterator->end)
        return APR_SUCCESS; /* what a cleaner leaves of an emptied batch */
    rv = record_decompress(codec, batch->magic, iterator->position,
                           (size_t)(iterator->end - iterator->position),
                           scratch, limit);
    if (rv != APR_SUCCESS)
        return rv;
    iterator->position = scratch->buffer.data;
    iterator->end = scratch->buffer.data + scratch->buffer.length;
    return APR_SUCCESS;
}

/* Reads a varint length of -1 or above and as many bytes behind it. */
static inline const uint8_t *field_get(const uint8_t *p, const uint8_t *end,
                                       const uint8_t **bytes, int32_t *length)
{
    p = varint_get(p, end, length);
    if (!p || *length < -1 || *length > end - p)
        return NULL;
    if (*length == -1) {
        *bytes = NULL;
        return p;
    }
    *bytes = p;
    return p + *length;
}

static const uint8_t *headers_check(const uint8_t *p, const uint8_t *end,
                                    record_t *record)
{
    const uint8_t *bytes;
    int32_t length;

    p = varint_get(p, end, &record->header_count);
    /* Each header takes two bytes at least. */
    if (!p || record->header_count < 0 || record->header_count > (end - p) / 2)
        return NULL;
    record->headers = p;
    for (int32_t i = 0; i < record->header_count; i++) {
        p = field_get(p, end, &bytes, &length);
        if (!p || length < 0) /* a header's key is never null */
            return NULL;
        p = field_get(p, end, &bytes, &length);
        if (!p)
            return NULL;
    }
    record->headers_length = (size_t)(p - record->headers);
    return p;
}

static const uint8_t *record_parse(const record_batch_t *batch,
                                   const uint8_t *data, const uint8_t *end,
                                   record_t *record)
{
    const uint8_t *p = data;
    int32_t length, offset_delta;
    int64_t timestamp_delta;

    p = varint_get(p, end, &length);
    if (!p || length < 1 || length > end - p)
        return NULL;
    end = p + length;
    record->size = (int32_t)(end - data);
    p = varlong_get(p + 1, end, &timestamp_delta); /* +1: attributes, unused */
    if (!p)
        return NULL;
    p = varint_get(p, end, &offset_delta);
    if (!p || offset_delta < 0 || offset_delta > batch->last_offset_delta)
        return NULL;
    p = field_get(p, end, &record->key, &record->key_length);
    if (!p)
        return NULL;
    p = field_get(p, end, &record->value, &record->value_length);
    if (!p)
        return NULL;
    p = headers_check(p, end, record);
    if (p != end)
        return NULL;
    record->offset = batch->base_offset + offset_delta;
    /* Wraps like Java's: a strange timestamp is no reason to lose a record. */
    record->timestamp = batch->attributes & RECORD_ATTR_LOG_APPEND_TIME
                            ? batch->max_timestamp
                            : (int64_t)((uint64_t)batch->base_timestamp +
                                        (uint64_t)timestamp_delta);
    record->sequence =
        batch->base_sequence < 0
            ? RECORD_NO_SEQUENCE
            : record_sequence_add(batch->base_sequence, offset_delta);
    return end;
}

apr_status_t record_iterator_next(record_iterator_t *iterator, record_t *record)
{
    const uint8_t *next;

    if (iterator->batch->magic < 2)
        return legacy_next(iterator, record);
    if (iterator->remaining == 0)
        return iterator->position == iterator->end ? APR_EOF : TAKHIN_ECORRUPT;
    next = record_parse(iterator->batch, iterator->position, iterator->end,
                        record);
    if (!next)
        return TAKHIN_ECORRUPT;
    iterator->position = next;
    iterator->remaining--;
    return APR_SUCCESS;
}

void record_header_next(const uint8_t **position, record_header_t *header)
{
    /* Checked by headers_check: no end is needed, and none is known. */
    const uint8_t *p = *position;

    p = varint_get(p, p + VARINT_MAX, &header->key_length);
    header->key = p;
    p += header->key_length;
    p = varint_get(p, p + VARINT_MAX, &header->value_length);
    header->value = header->value_length < 0 ? NULL : p;
    if (header->value_length > 0)
        p += header->value_length;
    *position = p;
}
