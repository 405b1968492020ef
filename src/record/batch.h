/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record batch, as it lies on the wire and in a log: reading its header,
 * checking its CRC, patching the few fields a broker may change, and walking
 * its records. Nothing here keeps or frees the bytes it is given.
 *
 * Magic 2 (KIP-98) is what is written today. Magic 0 and 1, the message sets
 * of before 0.11, are read only: there a "batch" is one log entry, which is
 * one message or one compressed wrapper around several.
 */
#ifndef TAKHIN_RECORD_BATCH_H
#define TAKHIN_RECORD_BATCH_H

#include <apr_errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "record/compress.h"

/* Sizes in bytes. */
#define RECORD_BATCH_OVERHEAD 61 /* header of a magic-2 batch */
#define LOG_OVERHEAD          12 /* base offset and length, in every magic */

/* Least a magic-0 entry can be, and what must be there to parse one of magic 0
 * or 1. */
#define RECORD_LEGACY_OVERHEAD 26

/* Where the fields are, from the batch's first byte. */
enum {
    RECORD_BATCH_BASE_OFFSET = 0,
    RECORD_BATCH_LENGTH = 8,
    RECORD_BATCH_LEADER_EPOCH = 12,
    RECORD_BATCH_MAGIC = 16, /* in every magic */
    RECORD_BATCH_CRC = 17,   /* of all that follows it */
    RECORD_BATCH_ATTRIBUTES = 21,
    RECORD_BATCH_LAST_OFFSET_DELTA = 23,
    RECORD_BATCH_BASE_TIMESTAMP = 27,
    RECORD_BATCH_MAX_TIMESTAMP = 35,
    RECORD_BATCH_PRODUCER_ID = 43,
    RECORD_BATCH_PRODUCER_EPOCH = 51,
    RECORD_BATCH_BASE_SEQUENCE = 53,
    RECORD_BATCH_RECORD_COUNT = 57,
    RECORD_LEGACY_CRC = 12,
    RECORD_LEGACY_ATTRIBUTES = 17,
    RECORD_LEGACY_TIMESTAMP = 18 /* magic 1 only */
};

/* Attribute bits. */
#define RECORD_ATTR_CODEC           0x07
#define RECORD_ATTR_LOG_APPEND_TIME 0x08
#define RECORD_ATTR_TRANSACTIONAL   0x10
#define RECORD_ATTR_CONTROL         0x20
#define RECORD_ATTR_DELETE_HORIZON  0x40 /* base timestamp is it (KIP-534) */

#define RECORD_NO_TIMESTAMP      (-1)
#define RECORD_NO_PRODUCER_ID    (-1)
#define RECORD_NO_PRODUCER_EPOCH (-1)
#define RECORD_NO_SEQUENCE       (-1)
#define RECORD_NO_LEADER_EPOCH   (-1)

typedef enum {
    RECORD_CREATE_TIME = 0,
    RECORD_LOG_APPEND_TIME = 1
} record_timestamp_type_t;

/*
 * A batch's header. In magic 0 and 1 what the format lacks is -1, the last
 * offset delta is 0, record count is 1, or -1 for a compressed wrapper, and
 * base_offset is the entry's own: of a wrapper in magic 1 that is the offset
 * of its LAST record; walk it to learn the first.
 */
typedef struct {
    int64_t base_offset;
    int32_t batch_length; /* as on the wire: bytes after this field */
    int32_t partition_leader_epoch;
    int8_t magic;
    uint32_t crc;
    int16_t attributes;
    int32_t last_offset_delta;
    int64_t base_timestamp, max_timestamp; /* ms */
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
    int32_t record_count;
} record_batch_t;

/*
 * Sets *OUT from the header at DATA, of which AVAILABLE bytes are there; the
 * records themselves need not be. Errors: TAKHIN_ETRUNCATED when the bytes do
 * not reach to the end of the header (see record_batch_need); TAKHIN_ECORRUPT
 * when they cannot be a batch: a magic above 2, a length below its header's,
 * a negative offset, delta or count. The CRC is not looked at. Any thread.
 */
apr_status_t record_batch_parse(record_batch_t *out, const uint8_t *data,
                                size_t available);

/*
 * Checks the CRC over the whole batch at DATA, which must hold
 * record_batch_size(BATCH) bytes. TAKHIN_ECORRUPT when it differs. Any thread.
 */
apr_status_t record_batch_verify_crc(const record_batch_t *batch,
                                     const uint8_t *data);

/* Patch a batch in place (magic 2 except for the base offset). The first two
 * lie before what the CRC covers. */
void record_batch_set_base_offset(uint8_t *data, int64_t base_offset);
void record_batch_set_leader_epoch(uint8_t *data, int32_t leader_epoch);

/* Makes the batch at DATA, which must be whole, one of LogAppendTime MS:
 * attribute, max timestamp and CRC. */
void record_batch_set_log_append_time(uint8_t *data, int64_t ms);

/* The same for CreateTime: a producer's wrong max timestamp is set right. */
void record_batch_set_create_time(uint8_t *data, int64_t max_timestamp);

/* Bytes from the batch's first to the one behind it. */
static inline size_t record_batch_size(const record_batch_t *batch)
{
    return (size_t)batch->batch_length + LOG_OVERHEAD;
}

static inline int64_t record_batch_last_offset(const record_batch_t *batch)
{
    return batch->base_offset + batch->last_offset_delta;
}

static inline int64_t record_batch_next_offset(const record_batch_t *batch)
{
    return record_batch_last_offset(batch) + 1;
}

static inline record_codec_t record_batch_codec(const record_batch_t *batch)
{
    return (record_codec_t)(batch->attributes & RECORD_ATTR_CODEC);
}

static inline int record_batch_is_control(const record_batch_t *batch)
{
    return batch->magic >= 2 && (batch->attributes & RECORD_ATTR_CONTROL);
}

static inline int record_batch_is_transactional(const record_batch_t *batch)
{
    return batch->magic >= 2 && (batch->attributes & RECORD_ATTR_TRANSACTIONAL);
}

static inline int record_batch_has_producer(const record_batch_t *batch)
{
    return batch->producer_id > RECORD_NO_PRODUCER_ID;
}

static inline record_timestamp_type_t
record_batch_timestamp_type(const record_batch_t *batch)
{
    return batch->magic > 0 && (batch->attributes & RECORD_ATTR_LOG_APPEND_TIME)
               ? RECORD_LOG_APPEND_TIME
               : RECORD_CREATE_TIME;
}

/* The ms from which a cleaner may drop the batch's tombstones and marker, or
 * -1 when none was set (KIP-534). */
static inline int64_t record_batch_delete_horizon(const record_batch_t *batch)
{
    return batch->magic >= 2 && (batch->attributes & RECORD_ATTR_DELETE_HORIZON)
               ? batch->base_timestamp
               : -1;
}

/* SEQUENCE (0 or above) moved on by DELTA (0 or above); INT32_MAX is followed
 * by 0 (KIP-98). */
static inline int32_t record_sequence_add(int32_t sequence, int32_t delta)
{
    return (int32_t)(((uint32_t)sequence + (uint32_t)delta) & 0x7fffffffu);
}

static inline int32_t record_batch_last_sequence(const record_batch_t *batch)
{
    if (batch->base_sequence < 0)
        return RECORD_NO_SEQUENCE;
    return record_sequence_add(batch->base_sequence, batch->last_offset_delta);
}

/*
 * One record. Pointers lead into the batch or into the scratch that the
 * iterator was given, and hold until the iterator's next batch.
 */
typedef struct {
    int64_t offset;
    int64_t timestamp; /* ms; -1 for none. The batch's in LogAppendTime */
    int32_t sequence;  /* -1 without a producer id */
    int32_t size;      /* bytes it takes, its own length included */
    const uint8_t *key;
    const uint8_t *value;
    int32_t key_length;   /* -1: null */
    int32_t value_length; /* -1: null */
    int32_t header_count;
    const uint8_t *headers; /* header_count times: key, value, both behind
                               varint lengths, checked */
    size_t headers_length;
} record_t;

typedef struct {
    const uint8_t *key; /* UTF-8, not terminated */
    const uint8_t *value;
    int32_t key_length;
    int32_t value_length; /* -1: null */
} record_header_t;

/* Walks the records of one batch. The caller gives the memory; there is
 * nothing to release. One thread. */
typedef struct {
    const record_batch_t *batch;
    const uint8_t *position;
    const uint8_t *end;
    int32_t remaining;         /* records still to come, magic 2 */
    int64_t inner_base;        /* magic 1: added to inner offsets */
    unsigned legacy_inner : 1; /* in a magic 0 or 1 wrapper */
} record_iterator_t;

/*
 * Starts at the first record of BATCH, whose bytes (all record_batch_size of
 * them) are at DATA. A compressed one is decompressed into SCRATCH, to at most
 * LIMIT bytes; SCRATCH may be NULL where the batch is known to be without a
 * codec. BATCH must stay. Errors: TAKHIN_ECORRUPT, TAKHIN_EUNSUPPORTED (no such
 * codec), TAKHIN_ETOOBIG (above LIMIT: a decompression bomb), APR_ENOMEM.
 */
apr_status_t record_iterator_init(record_iterator_t *iterator,
                                  const record_batch_t *batch,
                                  const uint8_t *data,
                                  record_scratch_t *scratch, size_t limit);

/*
 * Sets *RECORD to the next one. APR_EOF behind the last, TAKHIN_ECORRUPT when a
 * varint or length does not fit, bytes are left over, records are missing, or
 * an inner message's CRC (magic 0, 1) is wrong. Offsets are not compared with
 * each other: a compacted batch has gaps.
 */
apr_status_t record_iterator_next(record_iterator_t *iterator,
                                  record_t *record);

/*
 * Reads one header at *POSITION (which starts as record->headers) and moves
 * behind it. Call it record->header_count times: it was checked.
 */
void record_header_next(const uint8_t **position, record_header_t *header);

#endif
