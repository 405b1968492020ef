/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log's producer state on disk: snapshots, and the walk from the newest one
 * to the log's end. It must never append to a transaction index what stands
 * there.
 */
#include "storage/log_private.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"

/* Batches below a snapshot are not looked at again: what they made of the
 * transaction indexes is on the device first. */
static apr_status_t sync_txn_indexes(log_t *log)
{
    int i = log_segment_at(log, log->snapshot_offset);
    apr_status_t status = APR_SUCCESS;

    for (i = i < 1 ? 0 : i - 1;
         log->dirty_txns && status == APR_SUCCESS && i < log->segment_count;
         i++)
        status = txn_index_sync(log->path, log->segments[i]->base_offset);
    if (status == APR_SUCCESS && log->dirty_txns)
        status = fs_sync_dir(log->path); /* their names, too */
    if (status == APR_SUCCESS)
        log->dirty_txns = 0;
    return status;
}

apr_status_t log_snapshot(log_t *log)
{
    int64_t end = log_get(&log->end_offset);
    apr_status_t status;

    if (log->snapshot_offset == end || (log->flags & LOG_NO_CHECKPOINT))
        return APR_SUCCESS;
    if (log->producers == NULL)
        log->producers = producer_state_create();
    if (log->producers == NULL)
        return APR_ENOMEM;
    status = sync_txn_indexes(log);
    if (status == APR_SUCCESS)
        status = producer_state_write(log->producers, log->path, end);
    if (status == APR_SUCCESS)
        log->snapshot_offset = end;
    return status;
}

/* ---- which snapshots there are ----------------------------------------- */

typedef struct {
    const log_t *log;
    int64_t limit;        /* find: the largest at or below it */
    int64_t found;        /* -1: none */
    int64_t below, above; /* remove: those below, those above */
} snapshots_t;

static int64_t snapshot_of(const char *name)
{
    char *behind;
    int64_t offset;

    if (strspn(name, "0123456789") != 20)
        return -1;
    offset = apr_strtoi64(name, &behind, 10);
    return strcmp(behind, ".snapshot") == 0 ? offset : -1;
}

static apr_status_t find_each(void *baton, const char *name,
                              apr_filetype_e type)
{
    snapshots_t *snapshots = baton;
    int64_t offset = snapshot_of(name);

    (void)type;
    if (offset <= snapshots->limit && offset > snapshots->found)
        snapshots->found = offset;
    return APR_SUCCESS;
}

static apr_status_t remove_each(void *baton, const char *name,
                                apr_filetype_e type)
{
    snapshots_t *snapshots = baton;
    int64_t offset = snapshot_of(name);
    char path[SEGMENT_PATH];
    apr_status_t status;

    (void)type;
    if (offset < 0 ||
        (offset >= snapshots->below && offset <= snapshots->above))
        return APR_SUCCESS;
    status = fs_remove(
        segment_path(path, snapshots->log->path, offset, ".snapshot"));
    return APR_STATUS_IS_ENOENT(status) ? APR_SUCCESS : status;
}

apr_status_t log_remove_snapshots(log_t *log, int64_t below, int64_t above)
{
    snapshots_t snapshots = {log, 0, -1, below, above};

    if (log->snapshot_offset < 0)
        return APR_SUCCESS;
    if (log->snapshot_offset < below || log->snapshot_offset > above)
        log->snapshot_offset = -1;
    return fs_list(log->path, remove_each, &snapshots);
}

/* The newest snapshot at or below LIMIT that can be read becomes the state. */
static apr_status_t read_newest(log_t *log, int64_t limit, int64_t *offset)
{
    snapshots_t snapshots = {log, limit, -1, 0, 0};
    apr_status_t status;

    *offset = -1;
    for (;;) {
        snapshots.found = -1;
        status = fs_list(log->path, find_each, &snapshots);
        if (status != APR_SUCCESS || snapshots.found < 0)
            return status;
        status = producer_state_read(log->producers, log->path, snapshots.found,
                                     clock_wall_ms(),
                                     log->config.producer_id_expiration_ms);
        if (status != TAKHIN_ECORRUPT)
            break;
        LOG_WARN(storage,
                 "%s: the producer snapshot at %lld makes no sense; "
                 "the one before is taken",
                 log->path, (long long)snapshots.found);
        snapshots.limit = snapshots.found - 1;
    }
    *offset = snapshots.found;
    return status;
}

/* ---- replay ------------------------------------------------------------ */

typedef struct {
    log_t *log;
    segment_t *segment;
    int64_t from;
} replay_t;

static apr_status_t replay_batch(void *baton, int64_t position,
                                 const record_batch_t *batch,
                                 const uint8_t *data)
{
    replay_t *replay = baton;

    (void)position;
    if (record_batch_last_offset(batch) < replay->from)
        return APR_SUCCESS;
    return log_track_producer(replay->log, replay->segment, batch, data);
}

static apr_status_t replay_segment(log_t *log, segment_t *segment, int64_t from)
{
    replay_t replay = {log, segment, from};
    int64_t position, end;
    uint32_t ignored;
    apr_status_t status =
        txn_index_truncate(log->path, segment->base_offset, from);

    if (status == APR_SUCCESS)
        status = segment_pin(segment, log->path);
    if (status != APR_SUCCESS)
        return status;
    status = segment_find(segment, log->path, log->lock, from, segment->size,
                          segment->next_offset, &position, &ignored);
    if (status == APR_SUCCESS)
        status = log_scan(segment, position, segment->size, 0, replay_batch,
                          &replay, &end);
    segment_unpin(segment);
    return status;
}

apr_status_t log_load_producers(log_t *log, int clean)
{
    int64_t end = log_get(&log->end_offset), from = -1;
    apr_status_t status;
    int i;

    /* A clean log without a snapshot never had a producer to remember. */
    if (clean && log->snapshot_offset < 0)
        return APR_SUCCESS;
    if (log->producers == NULL)
        log->producers = producer_state_create();
    if (log->producers == NULL)
        return APR_ENOMEM;
    producer_state_clear(log->producers);
    status = log_remove_snapshots(log, INT64_MIN, end);
    if (status == APR_SUCCESS)
        status = read_newest(log, end, &from);
    log->snapshot_offset = from;
    if (from < log_get(&log->start_offset))
        from = log_get(&log->start_offset);
    i = log_segment_at(log, from);
    for (i = i < 0 ? 0 : i;
         status == APR_SUCCESS && from < end && i < log->segment_count; i++)
        status = replay_segment(log, log->segments[i], from);
    if (status != APR_SUCCESS)
        return status;
    producer_state_replicated(log->producers, end);
    log_update_unstable(log);
    if (producer_state_count(log->producers) == 0) {
        producer_state_destroy(log->producers);
        log->producers = NULL;
    }
    return APR_SUCCESS;
}

apr_status_t log_producers(log_t *log, log_producer_t **producers, int *count,
                           apr_pool_t *pool)
{
    const producer_t *producer;
    int cursor = 0;

    *count = 0;
    *producers = NULL;
    lock_enter(log->append_lock);
    if (log->producers != NULL) {
        *producers = apr_palloc(
            pool, sizeof(**producers) *
                      (apr_size_t)(1 + producer_state_count(log->producers)));
        while ((producer = producer_state_next(log->producers, &cursor))) {
            log_producer_t *out = &(*producers)[(*count)++];

            out->producer_id = producer->id;
            out->epoch = producer->epoch;
            out->last_sequence =
                producer->batch_count > 0
                    ? producer->batches[producer->batch_count - 1].last_sequence
                    : -1;
            out->last_timestamp = producer->last_timestamp;
            out->coordinator_epoch = producer->coordinator_epoch;
            out->txn_start_offset = producer->txn_first_offset;
        }
    }
    lock_leave(log->append_lock);
    return APR_SUCCESS;
}
