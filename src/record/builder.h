/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds record batches of magic 2: for the metadata log, coordinators,
 * transaction markers, compaction, recompression and tests. One builder makes
 * one batch after the other in the same memory.
 *
 *     record_builder_t builder = {0};
 *     record_builder_options_t options = RECORD_BUILDER_OPTIONS;
 *     record_builder_begin(&builder, &options);
 *     record_builder_append(&builder, &record);          // as often as needed
 *     record_builder_finish(&builder, &data, &length);   // data: the builder's
 *     record_builder_free(&builder);
 *
 * One thread a builder. A failed call leaves the batch unusable: begin anew.
 */
#ifndef TAKHIN_RECORD_BUILDER_H
#define TAKHIN_RECORD_BUILDER_H

#include "record/batch.h"

/* What a batch has beside its records. */
typedef struct {
    int64_t base_offset;
    int32_t partition_leader_epoch;
    int64_t producer_id; /* -1: none */
    int16_t producer_epoch;
    int32_t base_sequence;
    int64_t log_append_time; /* ms; -1: CreateTime, each record has its own */
    int64_t delete_horizon;  /* ms; -1: none (KIP-534) */
    record_codec_t codec;
    int level; /* as in record_compress */
    unsigned transactional : 1;
    unsigned control : 1;
} record_builder_options_t;

/* A plain batch at offset 0: change what differs. */
#define RECORD_BUILDER_OPTIONS                                      \
    {                                                               \
        .partition_leader_epoch = RECORD_NO_LEADER_EPOCH,           \
        .producer_id = RECORD_NO_PRODUCER_ID,                       \
        .producer_epoch = RECORD_NO_PRODUCER_EPOCH,                 \
        .base_sequence = RECORD_NO_SEQUENCE, .log_append_time = -1, \
        .delete_horizon = -1, .level = RECORD_LEVEL_DEFAULT         \
    }

/* Zero bytes are a valid empty builder. */
typedef struct {
    record_builder_options_t options;
    record_buffer_t plain;  /* header's room, then the records */
    record_buffer_t packed; /* the same, compressed */
    int64_t base_timestamp;
    int64_t max_timestamp;
    int64_t next_offset; /* of the record that is appended next */
    int64_t last_offset; /* what the header will say */
    int32_t record_count;
} record_builder_t;

/* Starts a batch; what came before is forgotten. OPTIONS is copied. */
apr_status_t record_builder_begin(record_builder_t *builder,
                                  const record_builder_options_t *options);

/*
 * Appends RECORD: its key, value, headers and timestamp (-1: none), copied;
 * it gets the next offset. A zeroed record_t has key and value of length 0; say
 * -1 for null. Errors: APR_ENOMEM, TAKHIN_ETOOBIG (a batch ends below 2 GiB).
 */
apr_status_t record_builder_append(record_builder_t *builder,
                                   const record_t *record);

/* The same at RECORD's own offset, which is not below the next: compaction
 * leaves gaps. APR_EINVAL when it is. */
apr_status_t record_builder_append_at(record_builder_t *builder,
                                      const record_t *record);

/* Appends RECORD with COUNT headers in place of its own. */
apr_status_t record_builder_append_headers(record_builder_t *builder,
                                           const record_t *record,
                                           const record_header_t *headers,
                                           int32_t count);

/* Makes OFFSET the batch's last although no record has it, as a cleaned batch
 * keeps its range (and so its last sequence). Before finish. */
void record_builder_set_last_offset(record_builder_t *builder, int64_t offset);

/* Makes MS the max timestamp of a batch whose records are all gone. */
void record_builder_set_max_timestamp(record_builder_t *builder, int64_t ms);

/* Bytes the batch has so far, header included, before compression. */
size_t record_builder_size(const record_builder_t *builder);

/*
 * Completes the batch: *DATA and *LENGTH are the builder's and hold until it
 * begins again or is freed. A batch without a record is valid where a last offset
 * was set (a cleaner's), else APR_EINVAL.
 */
apr_status_t record_builder_finish(record_builder_t *builder, uint8_t **data,
                                   size_t *length);

void record_builder_free(record_builder_t *builder);

/* Control records: key is version 0 and one of these types (KIP-98, KIP-595,
 * KIP-630, KIP-853). */
typedef enum {
    RECORD_CONTROL_ABORT = 0,
    RECORD_CONTROL_COMMIT = 1,
    RECORD_CONTROL_LEADER_CHANGE = 2,
    RECORD_CONTROL_SNAPSHOT_HEADER = 3,
    RECORD_CONTROL_SNAPSHOT_FOOTER = 4,
    RECORD_CONTROL_KRAFT_VERSION = 5,
    RECORD_CONTROL_KRAFT_VOTERS = 6
} record_control_type_t;

#define RECORD_CONTROL_KEY_SIZE 4
#define RECORD_END_MARKER_SIZE  6 /* value: version 0, coordinator epoch */

/* Appends a control record with VALUE. The batch's options must say control. */
apr_status_t record_builder_append_control(record_builder_t *builder,
                                           record_control_type_t type,
                                           const uint8_t *value,
                                           int32_t value_length,
                                           int64_t timestamp);

/* Appends a transaction's end marker (EndTxnMarker, version 0). */
apr_status_t record_builder_append_end_marker(record_builder_t *builder,
                                              int commit,
                                              int32_t coordinator_epoch,
                                              int64_t timestamp);

/* A control record's type (it may be one we do not know), or -1 when RECORD's
 * key is none. */
int record_control_type(const record_t *record);

/* Reads an end marker. TAKHIN_ECORRUPT when RECORD is none. */
apr_status_t record_end_marker_parse(const record_t *record, int *commit,
                                     int32_t *coordinator_epoch);

#endif
