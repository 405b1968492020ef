/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of `__cluster_metadata-0` as their one writer sees them: batches
 * go to the end and are flushed before anyone hears of them. What was in
 * the files before was read by replay.c, which says where they end.
 *
 * It never changes a byte that was flushed. One thread at a time.
 */
#ifndef TAKHIN_METADATA_RAFT_LOG_H
#define TAKHIN_METADATA_RAFT_LOG_H

#include <apr_pools.h>
#include <stdint.h>

#include "storage/log.h"

typedef struct raft_log_t raft_log_t;

/* Opens the log in PATH, made when it is missing. It ends at END_OFFSET:
 * a torn batch behind that is cut away. POOL lives as long as the log. */
apr_status_t raft_log_open(raft_log_t **log, const char *path,
                           int64_t end_offset, int32_t segment_bytes,
                           apr_pool_t *pool);

/* A new leader epoch begins at the end of the log. */
apr_status_t raft_log_begin_epoch(raft_log_t *log, int32_t epoch);

/* Appends whole batches, the first of which begins at the end offset, and
 * which end before END_OFFSET: all of them, or none after an error. Not
 * flushed. TAKHIN_EOFFLINE when an earlier flush failed, or the log could not
 * be brought back to what it was: then it takes no more. */
apr_status_t raft_log_append(raft_log_t *log, uint8_t *data, apr_size_t length,
                             int64_t end_offset);

/* Whether it still takes appends. */
int raft_log_usable(const raft_log_t *log);

/* All that was appended is on the device. */
apr_status_t raft_log_flush(raft_log_t *log);

/* Drops the segments that hold nothing from OFFSET on; a new one begins first
 * where the last is among them. */
apr_status_t raft_log_trim(raft_log_t *log, int64_t offset);

void raft_log_close(raft_log_t *log);

#endif
