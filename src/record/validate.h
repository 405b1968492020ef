/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Produce does with the records of one partition before they may be
 * appended: the checks that Kafka 4.3 makes, in its order and with its error
 * codes. Nothing that fails them reaches a log; what passes is stored as it
 * came, but for the timestamp fields and where the topic asks for another codec.
 */
#ifndef TAKHIN_RECORD_VALIDATE_H
#define TAKHIN_RECORD_VALIDATE_H

#include <apr_pools.h>

#include "record/batch.h"

/* Kafka's error codes that this check gives. */
enum {
    RECORD_REFUSED_CORRUPT = 2,    /* CORRUPT_MESSAGE */
    RECORD_REFUSED_TOO_LARGE = 10, /* MESSAGE_TOO_LARGE */
    RECORD_REFUSED_TIMESTAMP = 32, /* INVALID_TIMESTAMP */
    RECORD_REFUSED_CODEC = 76,     /* UNSUPPORTED_COMPRESSION_TYPE */
    RECORD_REFUSED_INVALID = 87    /* INVALID_RECORD */
};

/* Record errors that are listed; a batch may have more. */
#define RECORD_ERRORS_MAX 1000

/* What a compressed batch may become where the configuration says nothing. */
#define RECORD_DECOMPRESS_LIMIT ((size_t)128 << 20)

typedef struct {
    int32_t max_message_bytes;       /* of a batch, header included */
    int8_t compression_type;         /* codec, or RECORD_CODEC_PRODUCER */
    int compression_level;           /* for recompression */
    int64_t timestamp_before_max_ms; /* INT64_MAX: no limit */
    int64_t timestamp_after_max_ms;
    size_t decompress_limit;      /* bytes; 0: RECORD_DECOMPRESS_LIMIT */
    unsigned log_append_time : 1; /* message.timestamp.type */
    unsigned compact : 1;         /* cleanup.policy: keys are required */
} record_validate_config_t;

typedef struct {
    int32_t batch_index; /* the record's place in the batch, from 0 */
    const char *message;
} record_error_t;

typedef struct {
    int16_t error;       /* Kafka's code; 0: the batch may be appended */
    const char *message; /* why, without topic and partition; NULL for 0 */
    const record_error_t *record_errors;
    int32_t record_error_count;

    /* When error is 0: */
    uint8_t *data;         /* what to append: the caller's, or the pool's */
    size_t length;         /* one whole batch, without trailing bytes */
    record_batch_t batch;  /* its header; base offset 0 */
    int64_t max_timestamp; /* ms; -1: none */
    int32_t max_timestamp_delta; /* offset of the first record that has it,
                                        from the base offset */
    unsigned recompressed : 1;
} record_validation_t;

/*
 * Checks LENGTH bytes at DATA, a partition's records in a Produce request of
 * VERSION (3 or above), received at NOW_MS. DATA may be changed: timestamp type
 * and max timestamp are set right. *RESULT tells the verdict; messages and a
 * recompressed batch live in POOL, which the good path does not touch. SCRATCH is
 * for compressed batches. Returns APR_ENOMEM only, a client's fault is a verdict.
 * Any thread that owns SCRATCH and POOL.
 */
apr_status_t record_validate(record_validation_t *result,
                             const record_validate_config_t *config,
                             uint8_t *data, size_t length, int16_t version,
                             int64_t now_ms, record_scratch_t *scratch,
                             apr_pool_t *pool);

#endif
