/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of a log besides its bytes: offsets by time, by leader epoch,
 * aborted transactions. Never on the path of a plain Fetch.
 */
#include "storage/log_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* ---- segments, as they are now ------------------------------------------ */

typedef struct {
    segment_t **segments;
    int count;
    int64_t end;
    int64_t active_size; /* bytes that belong to END, of the last */
} snapshot_t;

static apr_status_t take_segments(log_t *log, snapshot_t *snapshot)
{
    int i;

    lock_enter(log->lock);
    snapshot->count = log->segment_count;
    snapshot->segments =
        malloc(sizeof(*snapshot->segments) * (size_t)(snapshot->count + 1));
    snapshot->end = log_get(&log->end_offset);
    snapshot->active_size = snapshot->count > 0 ? log_active(log)->size : 0;
    for (i = 0; snapshot->segments != NULL && i < snapshot->count; i++) {
        snapshot->segments[i] = log->segments[i];
        segment_retain(log->segments[i]);
    }
    lock_leave(log->lock);
    return snapshot->segments == NULL ? APR_ENOMEM : APR_SUCCESS;
}

static void release_segments(snapshot_t *snapshot)
{
    while (snapshot->count > 0)
        segment_release(snapshot->segments[--snapshot->count]);
    free(snapshot->segments);
}

/* A segment that is not the last has its size for good. */
static int64_t readable_size(const snapshot_t *snapshot, int i)
{
    return i + 1 == snapshot->count ? snapshot->active_size
                                    : snapshot->segments[i]->size;
}

/* And its next offset, which for the last one is the log's end. */
static int64_t readable_next(const snapshot_t *snapshot, int i)
{
    return i + 1 == snapshot->count ? snapshot->end
                                    : snapshot->segments[i]->next_offset;
}

/* ---- by time ------------------------------------------------------------ */

typedef struct {
    segment_t *segment;
    int64_t timestamp; /* at or above it */
    int64_t from;      /* offsets below it are deleted */
    int64_t upper;
    log_position_t *found;
    record_scratch_t *scratch;
} search_t;

#define SEARCH_LIMIT (256u << 20) /* of one batch, decompressed */

/* Looks into one batch whose largest timestamp is late enough. */
static apr_status_t search_records(search_t *search, int64_t position,
                                   const record_batch_t *batch)
{
    record_iterator_t iterator;
    record_t record;
    apr_size_t size = record_batch_size(batch);
    uint8_t *data = malloc(size);
    apr_status_t status;

    if (data == NULL)
        return APR_ENOMEM;
    status = fs_read_at(search->segment->file, position, data, size, NULL);
    if (status == APR_SUCCESS)
        status = record_iterator_init(&iterator, batch, data, search->scratch,
                                      SEARCH_LIMIT);
    while (status == APR_SUCCESS) {
        status = record_iterator_next(&iterator, &record);
        if (status != APR_SUCCESS || record.timestamp < search->timestamp ||
            record.offset < search->from)
            continue;
        if (record.offset < search->upper) {
            search->found->offset = record.offset;
            search->found->timestamp = record.timestamp;
            search->found->leader_epoch = batch->partition_leader_epoch;
        }
        break;
    }
    free(data);
    if (status == APR_EOF)
        return APR_SUCCESS; /* not here: batches may be out of order */
    return status == APR_SUCCESS ? APR_EOF : status;
}

/* APR_EOF ends the walk. */
static apr_status_t search_batch(void *baton, int64_t position,
                                 const record_batch_t *batch,
                                 const uint8_t *data)
{
    search_t *search = baton;

    (void)data;
    if (batch->magic >= 2 && batch->base_offset >= search->upper)
        return APR_EOF;
    if (batch->max_timestamp < search->timestamp ||
        record_batch_last_offset(batch) < search->from)
        return APR_SUCCESS;
    return search_records(search, position, batch);
}

/* Looks into segment INDEX of SNAPSHOT. */
static apr_status_t search_segment(log_t *log, const snapshot_t *snapshot,
                                   int index, search_t *search)
{
    segment_t *segment = snapshot->segments[index];
    int64_t size = readable_size(snapshot, index);
    int64_t timestamp, offset, position, end;
    uint32_t ignored;
    apr_status_t status = segment_max_timestamp(segment, log->path, log->lock,
                                                &timestamp, &offset);

    if (status != APR_SUCCESS || timestamp < search->timestamp || size == 0)
        return status;
    status = segment_time_floor(segment, log->path, log->lock,
                                search->timestamp, &offset);
    if (status == APR_SUCCESS)
        status = segment_pin(segment, log->path);
    if (status != APR_SUCCESS)
        return status;
    if (offset < search->from)
        offset = search->from;
    search->segment = segment;
    status = segment_find(segment, log->path, log->lock, offset, size,
                          readable_next(snapshot, index), &position, &ignored);
    if (status == APR_SUCCESS)
        status =
            log_scan(segment, position, size, 0, search_batch, search, &end);
    segment_unpin(segment);
    return status;
}

static void nothing_found(log_position_t *found)
{
    found->offset = found->timestamp = -1;
    found->leader_epoch = -1;
}

static apr_status_t offset_for_timestamp(log_t *log, int64_t timestamp,
                                         int64_t upper, log_position_t *found)
{
    record_scratch_t scratch = {0};
    search_t search = {NULL,  timestamp, log_start_offset(log),
                       upper, found,     &scratch};
    snapshot_t snapshot;
    apr_status_t status = log_usable(log);
    int i;

    nothing_found(found);
    if (status == APR_SUCCESS)
        status = take_segments(log, &snapshot);
    if (status != APR_SUCCESS)
        return status;
    if (search.upper > snapshot.end)
        search.upper = snapshot.end;
    for (i = 0; i < snapshot.count && status == APR_SUCCESS; i++)
        status = search_segment(log, &snapshot, i, &search);
    record_scratch_free(&scratch);
    release_segments(&snapshot);
    return status == APR_EOF ? APR_SUCCESS : status;
}

/* The record of the largest timestamp lies in the batch whose last offset the
 * time index has: look for it there, and from there on. */
static apr_status_t max_timestamp(log_t *log, log_position_t *found)
{
    record_scratch_t scratch = {0};
    search_t search = {NULL, -1, 0, INT64_MAX, found, &scratch};
    snapshot_t snapshot;
    int64_t offset = -1;
    int i, best = -1;
    apr_status_t status = log_usable(log);

    nothing_found(found);
    if (status == APR_SUCCESS)
        status = take_segments(log, &snapshot);
    if (status != APR_SUCCESS)
        return status;
    search.from = log_start_offset(log);
    for (i = 0; i < snapshot.count && status == APR_SUCCESS; i++) {
        int64_t timestamp, last;

        status = segment_max_timestamp(snapshot.segments[i], log->path,
                                       log->lock, &timestamp, &last);
        if (status == APR_SUCCESS && timestamp > search.timestamp) {
            search.timestamp = timestamp;
            offset = last;
            best = i;
        }
    }
    if (status == APR_SUCCESS && best >= 0 && offset >= search.from)
        status = search_segment(log, &snapshot, best, &search);
    record_scratch_free(&scratch);
    release_segments(&snapshot);
    return status == APR_EOF ? APR_SUCCESS : status;
}

/* A segment that went while it was looked at is looked for again. */
#define LOOKUP_ATTEMPTS 8

apr_status_t log_offset_for_timestamp(log_t *log, int64_t timestamp,
                                      int64_t upper, log_position_t *found)
{
    apr_status_t status;
    int attempt = 0;

    for (;;) {
        status = offset_for_timestamp(log, timestamp, upper, found);
        if (!APR_STATUS_IS_ENOENT(status) || ++attempt == LOOKUP_ATTEMPTS)
            return status;
        log_await_change(log);
    }
}

apr_status_t log_max_timestamp(log_t *log, log_position_t *found)
{
    apr_status_t status;
    int attempt = 0;

    for (;;) {
        status = max_timestamp(log, found);
        if (!APR_STATUS_IS_ENOENT(status) || ++attempt == LOOKUP_ATTEMPTS)
            return status;
        log_await_change(log);
    }
}

/* ---- by leader epoch ---------------------------------------------------- */

void log_assign_epoch(log_t *log, int32_t epoch)
{
    unsigned dirty;

    lock_enter(log->lock);
    dirty = log->epochs.dirty;
    if (epoch > epochs_latest(&log->epochs) &&
        /* Without memory the first append does it. */
        epochs_assign(&log->epochs, epoch, log_get(&log->end_offset)) ==
            APR_SUCCESS)
        log->epochs.silent = 1;
    log->epochs.dirty = dirty;
    lock_leave(log->lock);
}

void log_end_offset_for_epoch(log_t *log, int32_t epoch, int32_t *found_epoch,
                              int64_t *end_offset)
{
    lock_enter(log->lock);
    epochs_end_offset(&log->epochs, epoch, log_get(&log->end_offset),
                      found_epoch, end_offset);
    lock_leave(log->lock);
}

int32_t log_epoch_for_offset(log_t *log, int64_t offset)
{
    int32_t epoch;

    lock_enter(log->lock);
    epoch = epochs_of(&log->epochs, offset);
    lock_leave(log->lock);
    return epoch;
}

int32_t log_latest_epoch(log_t *log)
{
    int32_t epoch;

    lock_enter(log->lock);
    epoch = epochs_latest(&log->epochs);
    lock_leave(log->lock);
    return epoch;
}

/* ---- aborted transactions ----------------------------------------------- */

typedef struct {
    int64_t from;
    int64_t upper;
    apr_pool_t *pool;
    log_aborted_t *items;
    int count;
    int room;
    int done;
} collect_t;

static int collect(void *baton, const producer_txn_t *txn)
{
    collect_t *collect = baton;

    if (txn->last_offset >= collect->from &&
        txn->first_offset < collect->upper) {
        if (collect->count == collect->room) {
            int room = collect->room == 0 ? 8 : collect->room * 2;
            log_aborted_t *items =
                apr_palloc(collect->pool, sizeof(*items) * (apr_size_t)room);

            if (collect->count > 0)
                memcpy(items, collect->items,
                       sizeof(*items) * (size_t)collect->count);
            collect->items = items;
            collect->room = room;
        }
        collect->items[collect->count].producer_id = txn->producer_id;
        collect->items[collect->count].first_offset = txn->first_offset;
        collect->count++;
    }
    /* Whatever ends later had not begun below the last stable offset. */
    if (txn->last_stable_offset >= collect->upper)
        collect->done = 1;
    return !collect->done;
}

static apr_status_t aborted_transactions(log_t *log, int64_t from,
                                         int64_t upper, log_aborted_t **aborted,
                                         int *count, apr_pool_t *pool)
{
    collect_t state = {from, upper, pool, NULL, 0, 0, 0};
    snapshot_t snapshot;
    apr_status_t status = log_usable(log);
    int i;

    *aborted = NULL;
    *count = 0;
    if (status == APR_SUCCESS)
        status = take_segments(log, &snapshot);
    if (status != APR_SUCCESS)
        return status;
    for (i = 0; i < snapshot.count && status == APR_SUCCESS && !state.done;
         i++) {
        int64_t next = i + 1 < snapshot.count
                           ? snapshot.segments[i + 1]->base_offset
                           : snapshot.end;

        if (next > from)
            status = txn_index_each(
                log->path, snapshot.segments[i]->base_offset, collect, &state);
    }
    release_segments(&snapshot);
    *aborted = state.items;
    *count = state.count;
    return status;
}

/* While segments are replaced an index may be out of its place for a moment;
 * to miss it would show a reader what was aborted. */
apr_status_t log_aborted_transactions(log_t *log, int64_t from, int64_t upper,
                                      log_aborted_t **aborted, int *count,
                                      apr_pool_t *pool)
{
    for (;;) {
        apr_uint32_t before = apr_atomic_read32(&log->swaps);
        apr_status_t status;

        if (before % 2 == 0) {
            status =
                aborted_transactions(log, from, upper, aborted, count, pool);
            if (apr_atomic_read32(&log->swaps) == before)
                return status;
        }
        log_await_change(log);
    }
}
