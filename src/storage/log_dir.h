/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One log directory (an entry of log.dirs): the lock that keeps a second broker
 * out, Kafka's checkpoint files, the cache of open files, the flusher that all
 * its logs share, and what is to be deleted later. When its disk fails it goes
 * offline, and nothing else does.
 *
 *   .lock                              who has it
 *   .kafka_cleanshutdown               the last stop was in order
 *   recovery-point-offset-checkpoint   below it a log is on the device
 *   log-start-offset-checkpoint        where records were deleted up to
 *   replication-offset-checkpoint      high watermarks
 *   cleaner-offset-checkpoint          how far compaction came
 *   TOPIC-PARTITION/                   a log
 *   TOPIC-PARTITION.UUID-delete/       one that is being deleted
 *
 * meta.properties is the metadata's.
 */
#ifndef TAKHIN_STORAGE_LOG_DIR_H
#define TAKHIN_STORAGE_LOG_DIR_H

#include "storage/log.h"

typedef struct {
    int max_open_files;         /* log.max.open.files */
    int64_t max_index_bytes;    /* memory for loaded indexes */
    int64_t reserve_bytes;      /* log.dir.reserve.bytes, 0: none */
    int64_t checkpoint_ms;      /* log.flush.offset.checkpoint.interval.ms */
    int64_t retention_check_ms; /* log.retention.check.interval.ms */
    int32_t flush_threads;      /* flushes at once: of one log there is
                                   never more than one */
    int32_t recovery_threads;   /* num.recovery.threads.per.data.dir */
} log_dir_options_t;

void log_dir_options_init(log_dir_options_t *options); /* Kafka's defaults */

/*
 * Opens PATH, which is created when it is missing, and takes its lock. Writes
 * nothing else. Errors: TAKHIN_ELOCKED, or an I/O status; *ERROR then says in
 * one line what is wrong. Allocates from POOL, which must outlive the
 * directory and all its logs.
 */
apr_status_t log_dir_open(log_dir_t **dir, const char *path,
                          const log_dir_options_t *options, apr_pool_t *pool,
                          const char **error);

/* Everything in it is understood: starts the flusher and the housekeeping, and
 * takes the clean-stop marker away. May be called before or after logs were
 * opened. */
apr_status_t log_dir_start(log_dir_t *dir);

/*
 * Stops the threads, writes the checkpoints and, when all of that went well and
 * BROKER_EPOCH is not below -1, the clean-stop marker; gives the lock back. Its
 * logs were closed before (log_close, log_abandon); the directory is then only
 * good for log_release.
 */
apr_status_t log_dir_close(log_dir_t *dir, int64_t broker_epoch);

const char *log_dir_path(const log_dir_t *dir);
int log_dir_online(const log_dir_t *dir);
/* The last stop was in order (as of log_dir_open). */
int log_dir_was_clean(const log_dir_t *dir);
/* Broker epoch in the clean-stop marker, -1 when there was none. */
int64_t log_dir_clean_epoch(const log_dir_t *dir);

/* Takes DIR offline because WHAT failed with STATUS: one line is logged, its
 * logs' listeners are told GONE. Any thread, no lock of a log held except its
 * append lock. */
void log_dir_fail(log_dir_t *dir, apr_status_t status, const char *what);

/* APR_ENOSPC while less than reserve_bytes is free. */
apr_status_t log_dir_check_space(log_dir_t *dir);

/* Names of the logs that lie here on disk ("topic-0"), in no order. */
apr_status_t log_dir_list(log_dir_t *dir, apr_pool_t *pool, char ***names,
                          int *count);

/* Bytes of all its open logs, and of the device. */
int64_t log_dir_size(log_dir_t *dir);
int log_dir_log_count(log_dir_t *dir);
int log_dir_open_files(log_dir_t *dir);

/* Writes the checkpoint files from the open logs. */
apr_status_t log_dir_checkpoint(log_dir_t *dir);

/* Runs the flusher's work until nothing waits; for tests and close. */
void log_dir_drain(log_dir_t *dir);

#endif
