/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log: the ordered segments of one partition in one directory, in Kafka's
 * own file layout. Appends are serialised by the log's own mutex; reads never
 * wait for an append's I/O. It never decides who may read how far: the
 * caller passes the upper bound (high watermark, last stable offset, log end).
 */
#ifndef TAKHIN_STORAGE_LOG_H
#define TAKHIN_STORAGE_LOG_H

#include <apr_pools.h>
#include <stdint.h>

#include "record/batch.h"
#include "storage/read_range.h"

typedef struct log_t log_t;
typedef struct log_dir_t log_dir_t; /* one entry of log.dirs: path, state
                                       (online or offline), handle cache,
                                       flusher, checkpoints */

/* The configuration of one log, resolved from topic over broker properties.
 * Times in milliseconds, sizes in bytes, -1 where Kafka's is "no limit". */
typedef struct {
    int32_t segment_bytes;
    int64_t segment_ms;
    int64_t segment_jitter_ms;
    int32_t segment_index_bytes;
    int32_t index_interval_bytes;
    int32_t max_message_bytes;
    int64_t retention_ms;
    int64_t retention_bytes;
    int64_t delete_retention_ms;
    int64_t file_delete_delay_ms;
    int64_t flush_messages;
    int64_t flush_ms;
    int64_t min_compaction_lag_ms;
    int64_t max_compaction_lag_ms;
    double min_cleanable_dirty_ratio;
    int64_t timestamp_before_max_ms;
    int64_t timestamp_after_max_ms;
    int32_t min_insync_replicas;
    int8_t compression_type;      /* codec, or -1 for "producer" */
    unsigned compact : 1;         /* cleanup.policy */
    unsigned delete : 1;
    unsigned log_append_time : 1; /* message.timestamp.type */
    unsigned preallocate : 1;
    int64_t producer_id_expiration_ms;
} log_config_t;

/* Who appends, which decides what is checked. */
typedef enum {
    APPEND_CLIENT,      /* sequence numbers are checked (KIP-98) */
    APPEND_COORDINATOR, /* group and transaction records, markers */
    APPEND_RAFT,        /* the metadata log: offsets and epoch as given */
    APPEND_REPLICATION  /* fetched from a leader: offsets as given */
} append_origin_t;

typedef struct {
    int64_t base_offset;       /* of the first appended batch; for a duplicate
                                  the offset it got the first time */
    int64_t last_offset;
    int64_t log_append_time;   /* ms, or -1 when the topic keeps CreateTime */
    int64_t log_start_offset;
    unsigned duplicate : 1;    /* idempotent producer's retry: nothing written */
} append_result_t;

/*
 * Appends the record batches in DATA (LENGTH bytes, whole batches, checked by
 * record/validate.h; base offset and leader epoch are patched in place).
 * BATCH is the parsed header of the first. Errors: TAKHIN_EOUT_OF_ORDER,
 * TAKHIN_EPRODUCER_FENCED (producer epoch), TAKHIN_EOFFLINE (the log directory
 * failed), or an I/O status, after which the directory is offline.
 * Any thread.
 */
apr_status_t log_append(log_t *log, uint8_t *data, apr_size_t length,
                        const record_batch_t *batch, int32_t leader_epoch,
                        append_origin_t origin, append_result_t *result);

/*
 * Sets *RANGE to the pieces that hold the batches from OFFSET (the first may
 * begin before OFFSET: it is the batch that contains it) up to UPPER, which is
 * exclusive and a batch boundary, and to at most MAX_BYTES. With AT_LEAST_ONE the
 * first batch is whole even where it is larger (KIP-74); a last batch may be cut
 * by MAX_BYTES, as in Kafka. Empty when OFFSET == UPPER or above.
 * No record data is read but the batch headers between an index entry and
 * OFFSET. Errors: TAKHIN_EOFFSET_RANGE when OFFSET is below the log start
 * offset or above the log end offset. Any thread.
 */
apr_status_t log_read_range(log_t *log, int64_t offset, int64_t upper,
                            apr_size_t max_bytes, int at_least_one,
                            read_range_t *range);

int64_t log_start_offset(const log_t *log);   /* any thread, no lock */
int64_t log_end_offset(const log_t *log);     /* any thread, no lock */
int64_t log_flushed_offset(const log_t *log); /* below it all is on the device */
int64_t log_last_stable_offset(const log_t *log); /* first open transaction's
                                              offset, or the log end (KIP-98) */
int64_t log_size(const log_t *log);           /* bytes of all segments */

#endif
