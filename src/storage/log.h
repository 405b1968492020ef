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

#include "base/uuid.h"
#include "record/batch.h"
#include "storage/read_range.h"

typedef struct log_t log_t;
typedef struct log_dir_t log_dir_t; /* one entry of log.dirs: path, state
                                       (online or offline), handle cache,
                                       flusher, checkpoints: log_dir.h */

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
    int8_t compression_type; /* codec, or -1 for "producer" */
    unsigned compact : 1;    /* cleanup.policy */
    unsigned delete : 1;
    unsigned log_append_time : 1; /* message.timestamp.type */
    unsigned preallocate : 1;
    int64_t producer_id_expiration_ms;
} log_config_t;

/* Kafka's defaults. */
void log_config_init(log_config_t *config);

/* ---- life -------------------------------------------------------------- */

enum {
    LOG_NO_CHECKPOINT = 1 /* the metadata log: its offsets are in no checkpoint
                             file, it is checked from its start each time */
};

/*
 * Opens the log NAME ("topic-0") in DIR, with one reference: creates it when
 * it is not there, recovers it when the last stop was not clean. TOPIC_ID is
 * written to partition.metadata, or compared with what stands there
 * (TAKHIN_EINVALID when it is another); NULL for none. A torn tail is cut
 * and said in one log line. Any thread.
 */
apr_status_t log_open(log_t **log, log_dir_t *dir, const char *name,
                      const uint8_t *topic_id, const log_config_t *config,
                      int flags);

/* Stops it in order: all is flushed, indexes and producer snapshot written, so
 * that the next log_open reads no segment. Gives the reference back. Nobody
 * appends any more. */
apr_status_t log_close(log_t *log);

/* Gives the reference back and leaves everything as it lies, as a crash would.
 */
void log_abandon(log_t *log);

/* Its directory is renamed and removed later; appends and reads fail with
 * TAKHIN_EDELETED, ranges that were read stay valid. Keeps the reference. */
apr_status_t log_delete(log_t *log);

void log_retain(log_t *log);
/* The last one closes files without a flush. */
void log_release(log_t *log);

/* A copy of the configuration as it is now; a new one. Any thread. */
void log_config(log_t *log, log_config_t *config);
void log_set_config(log_t *log, const log_config_t *config);

/* Whether it can be read and appended to: TAKHIN_EDELETED, TAKHIN_EOFFLINE or
 * APR_SUCCESS. Any thread, no lock. */
apr_status_t log_usable(const log_t *log);

const char *log_name(const log_t *log);
log_dir_t *log_directory(const log_t *log);

/* FLUSHED runs in the thread that flushed, when the flushed offset moved; GONE
 * in whichever thread it was, when the directory went offline. Both without a
 * lock of the log's. FREE runs when the last reference to the log is gone:
 * until then the others may come. */
typedef struct {
    void (*flushed)(void *baton, log_t *log);
    void (*gone)(void *baton, log_t *log);
    void (*free)(void *baton);
    void *baton;
} log_listener_t;
void log_listen(log_t *log, const log_listener_t *listener);

/* ---- append and read --------------------------------------------------- */

/* Who appends, which decides what is checked. */
typedef enum {
    APPEND_CLIENT,      /* sequence numbers are checked (KIP-98) */
    APPEND_COORDINATOR, /* group and transaction records, markers */
    APPEND_RAFT,        /* the metadata log: offsets and epoch as given */
    APPEND_REPLICATION  /* fetched from a leader: offsets as given */
} append_origin_t;

typedef struct {
    int64_t base_offset; /* of the first appended batch; for a duplicate
                            the offset it got the first time */
    int64_t last_offset;
    int64_t log_append_time; /* ms, or -1 when the topic keeps CreateTime;
                                for a duplicate always its timestamp */
    int64_t log_start_offset;
    unsigned duplicate : 1; /* idempotent producer's retry: nothing written */
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
 * A transactional batch of a client may only be written when the coordinator
 * knows that the partition is in the transaction (KIP-890): else it would wait
 * for a marker that nobody writes. Where the log has no open transaction of
 * that producer and epoch yet, the caller asks the coordinator, and shows at
 * the append that it did so after the log's last marker: by a guard.
 */
typedef uint64_t log_guard_t;
#define LOG_GUARD_ONGOING ((log_guard_t)0) /* nothing was asked: the transaction
                                              must be open */
#define LOG_GUARD_NONE UINT64_MAX          /* not to be checked */

/* A guard for the first batch, of base SEQUENCE, or LOG_GUARD_ONGOING when the
 * transaction is open and nobody needs to be asked. EPOCH_BUMPS: each of the
 * producer's transactions has an epoch of its own, so its first sequence is 0.
 * APR_ENOMEM. */
apr_status_t log_verify(log_t *log, int64_t producer_id, int16_t epoch,
                        int32_t sequence, int epoch_bumps,
                        log_guard_t *guard);

/* log_append for APPEND_CLIENT under GUARD: TAKHIN_ETRANSACTION when it does
 * not hold, because a marker has ended the transaction. */
apr_status_t log_append_guarded(log_t *log, uint8_t *data, apr_size_t length,
                                const record_batch_t *batch,
                                int32_t leader_epoch, log_guard_t guard,
                                append_result_t *result);

/*
 * Sets *RANGE to the pieces that hold the batches from OFFSET (the first may
 * begin before OFFSET: it is the batch that contains it) up to UPPER, which is
 * exclusive and a batch boundary, and to at most MAX_BYTES. With AT_LEAST_ONE
 * the first batch is whole even where it is larger (KIP-74); a last batch may
 * be cut by MAX_BYTES, as in Kafka. Empty when OFFSET == UPPER or above. No
 * record data is read but the batch headers between an index entry and OFFSET.
 * Errors: TAKHIN_EOFFSET_RANGE when OFFSET is below the log start offset or
 * above the log end offset. Any thread.
 */
apr_status_t log_read_range(log_t *log, int64_t offset, int64_t upper,
                            apr_size_t max_bytes, int at_least_one,
                            read_range_t *range);

int64_t log_start_offset(const log_t *log); /* any thread, no lock */
int64_t log_end_offset(const log_t *log);   /* any thread, no lock */
int64_t
log_flushed_offset(const log_t *log); /* below it all is on the device */
int64_t log_last_stable_offset(const log_t *log); /* first open transaction's
                                              offset, or the log end (KIP-98) */
int64_t log_size(const log_t *log);               /* bytes of all segments */
int64_t log_high_watermark(const log_t *log);     /* as log_raise_high_watermark
                                                  left it */

/* The partition tells how far replicas have come: the high watermark moves up
 * to OFFSET, or stays where it is. Says whether it moved. Any thread. */
int log_raise_high_watermark(log_t *log, int64_t offset);

/*
 * Reads what log_read_range gives into *DATA, from POOL: for who needs the
 * records itself. Whole batches only: a cut last one is left off. *LENGTH is
 * 0 at the end.
 */
apr_status_t log_read(log_t *log, int64_t offset, int64_t upper,
                      apr_size_t max_bytes, uint8_t **data, apr_size_t *length,
                      apr_pool_t *pool);

/* Brings everything appended so far to the device, in this thread. */
apr_status_t log_flush(log_t *log);

/* Asks the directory's flusher to do so; the listener is told. */
void log_request_flush(log_t *log);

/* ---- look-ups ---------------------------------------------------------- */

typedef struct {
    int64_t offset;       /* -1: none */
    int64_t timestamp;    /* ms, -1: none */
    int32_t leader_epoch; /* -1: none */
} log_position_t;

/* The first record with a timestamp at or above TIMESTAMP and an offset below
 * UPPER (ListOffsets). */
apr_status_t log_offset_for_timestamp(log_t *log, int64_t timestamp,
                                      int64_t upper, log_position_t *found);

/* The record with the largest timestamp (KIP-734). */
apr_status_t log_max_timestamp(log_t *log, log_position_t *found);

/* A leader begins EPOCH at the log's end: what OffsetForLeaderEpoch says of an
 * epoch that has no record yet. Any thread. */
void log_assign_epoch(log_t *log, int32_t epoch);

/* The end offset of the largest leader epoch at or below EPOCH, and that epoch
 * (KIP-279, OffsetForLeaderEpoch); both -1 when the log knows of none. */
void log_end_offset_for_epoch(log_t *log, int32_t epoch, int32_t *found_epoch,
                              int64_t *end_offset);
/* The epoch of OFFSET's batch, or -1. */
int32_t log_epoch_for_offset(log_t *log, int64_t offset);
int32_t log_latest_epoch(log_t *log);

/* Aborted transactions that overlap [FROM, UPPER), for a read_committed Fetch.
 */
typedef struct {
    int64_t producer_id;
    int64_t first_offset;
} log_aborted_t;
apr_status_t log_aborted_transactions(log_t *log, int64_t from, int64_t upper,
                                      log_aborted_t **aborted, int *count,
                                      apr_pool_t *pool);

/* Who has written lately (DescribeProducers). */
typedef struct {
    int64_t producer_id;
    int16_t epoch;
    int32_t last_sequence;
    int64_t last_timestamp;
    int32_t coordinator_epoch;
    int64_t txn_start_offset; /* -1: no open transaction */
} log_producer_t;
apr_status_t log_producers(log_t *log, log_producer_t **producers, int *count,
                           apr_pool_t *pool);

/* ---- keeping ----------------------------------------------------------- */

/* Moves the log start offset up to OFFSET (DeleteRecords); segments that lie
 * wholly below it go after file.delete.delay.ms. TAKHIN_EOFFSET_RANGE above the
 * high watermark. */
apr_status_t log_delete_records(log_t *log, int64_t offset);

/* Cuts everything at and above OFFSET. */
apr_status_t log_truncate(log_t *log, int64_t offset);

/* Empties the log: it goes on at OFFSET (a follower's log that is too old). */
apr_status_t log_truncate_fully(log_t *log, int64_t offset);

/* Deletes what retention.ms, retention.bytes and the log start offset allow to
 * go, and forgets producers that expired. NOW in ms. */
apr_status_t log_clean_up(log_t *log, int64_t now_ms);

#endif
