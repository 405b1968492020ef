/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appending to a log: one write of the bytes as they came, base offset and
 * leader epoch patched. It must never let a reader see what was not written
 * whole, nor a read_committed one what belongs to an open transaction.
 */
#include "storage/log_private.h"

#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"
#include "storage/segment_index.h"

/* What one call appends. */
typedef struct {
    uint8_t *data;
    apr_size_t length;
    record_batch_t first; /* header of the first batch, patched */
    int64_t base_offset;
    int64_t last_offset;
    int64_t max_timestamp;
    int64_t messages;
    append_origin_t origin;
    log_guard_t guard;
    unsigned single : 1; /* there is just the first */
} append_plan_t;

/* ---- what will be written ----------------------------------------------- */

/* Sets *BATCH to the batch at AT of DATA; the first is parsed already. */
static apr_status_t batch_at(const append_plan_t *plan, apr_size_t at,
                             record_batch_t *batch)
{
    apr_status_t status;

    if (at == 0) {
        *batch = plan->first;
        return APR_SUCCESS;
    }
    status = record_batch_parse(batch, plan->data + at, plan->length - at);
    if (status == APR_SUCCESS && record_batch_size(batch) > plan->length - at)
        status = TAKHIN_ETRUNCATED;
    return status;
}

/* The verdict on a batch that is no duplicate, in Kafka's order. */
static apr_status_t guard_or(log_t *log, const record_batch_t *batch,
                             log_guard_t guard, apr_status_t otherwise)
{
    apr_status_t status = APR_SUCCESS;

    if (guard != LOG_GUARD_NONE && record_batch_is_transactional(batch) &&
        !record_batch_is_control(batch))
        status = log->producers == NULL
                     ? TAKHIN_ETRANSACTION
                     : producer_state_check_guard(log->producers, batch, guard);
    return status != APR_SUCCESS ? status : otherwise;
}

static apr_status_t check_producer(log_t *log, const record_batch_t *batch,
                                   const uint8_t *data,
                                   const append_plan_t *plan,
                                   append_result_t *result)
{
    const producer_batch_t *duplicate = NULL;
    apr_status_t status = APR_SUCCESS;

    if (log->producers != NULL)
        status = producer_state_check(log->producers, batch, data, plan->origin,
                                      &duplicate);
    if (duplicate == NULL)
        status = guard_or(log, batch, plan->guard, status);
    if (status == APR_SUCCESS && duplicate != NULL) {
        result->duplicate = 1;
        result->last_offset = duplicate->last_offset;
        result->base_offset = duplicate->last_offset - duplicate->offset_delta;
        result->log_append_time = duplicate->timestamp; /* as Kafka says */
    }
    return status;
}

/* Gives every batch its offset, or checks the one it has. */
static apr_status_t plan_append(log_t *log, append_plan_t *plan,
                                int32_t leader_epoch, append_result_t *result)
{
    int64_t next = log_get(&log->end_offset);
    int given =
        plan->origin == APPEND_RAFT || plan->origin == APPEND_REPLICATION;
    apr_size_t at = 0;

    if (given && plan->first.base_offset > next)
        next = plan->first.base_offset;
    plan->base_offset = next;
    plan->max_timestamp = -1;
    plan->messages = 0;
    plan->single = record_batch_size(&plan->first) == plan->length;
    while (at < plan->length) {
        record_batch_t batch;
        apr_status_t status = batch_at(plan, at, &batch);

        if (status != APR_SUCCESS)
            return status;
        if (record_batch_has_producer(&batch)) {
            status = check_producer(log, &batch, plan->data + at, plan, result);
            if (status != APR_SUCCESS || result->duplicate)
                return status;
        }
        if (given && batch.base_offset < next)
            return TAKHIN_EINVALID;
        if (given) {
            next = batch.base_offset;
        } else {
            record_batch_set_base_offset(plan->data + at, next);
            record_batch_set_leader_epoch(plan->data + at, leader_epoch);
            batch.base_offset = next;
            batch.partition_leader_epoch = leader_epoch;
        }
        if (at == 0)
            plan->first = batch;
        if (batch.max_timestamp > plan->max_timestamp)
            plan->max_timestamp = batch.max_timestamp;
        next = record_batch_next_offset(&batch);
        plan->messages += batch.record_count > 0 ? batch.record_count : 1;
        at += record_batch_size(&batch);
    }
    plan->last_offset = next - 1;
    return APR_SUCCESS;
}

/* ---- where -------------------------------------------------------------- */

static int is_time_to_roll(const log_t *log, const segment_t *active,
                           const append_plan_t *plan)
{
    int64_t waited, limit = log->config.segment_ms;

    /* What is to be compacted in time must not stay in the active segment. */
    if (log->config.compact && log->config.max_compaction_lag_ms > 0 &&
        log->config.max_compaction_lag_ms < limit)
        limit = log->config.max_compaction_lag_ms;
    if (active->first_timestamp >= 0 && plan->max_timestamp >= 0)
        waited = plan->max_timestamp - active->first_timestamp;
    else
        waited = clock_wall_ms() - active->created;
    return waited > limit - log->jitter_ms;
}

static int must_roll(const log_t *log, const segment_t *active,
                     const append_plan_t *plan)
{
    uint32_t index_bytes = (uint32_t)log->config.segment_index_bytes;

    if (plan->last_offset - active->base_offset > INT32_MAX)
        return 1;
    if (active->size == 0)
        return 0;
    return active->size > log->config.segment_bytes - (int64_t)plan->length ||
           is_time_to_roll(log, active, plan) ||
           segment_index_entries(active) >= index_bytes / SEGMENT_INDEX_ENTRY ||
           segment_index_times(active) + 1 >= index_bytes / SEGMENT_TIME_ENTRY;
}

/* ---- the end that a clean stop left -------------------------------------- */

typedef struct {
    int64_t next; /* offset behind the batches so far */
    int64_t last; /* that the first must have, by the index; -1: not known */
} tail_t;

static apr_status_t take_next(void *baton, int64_t position,
                              const record_batch_t *batch, const uint8_t *data)
{
    tail_t *tail = baton;

    (void)position, (void)data;
    /* what a look-up would stumble over */
    if (batch->base_offset < tail->next ||
        (tail->last >= 0 && tail->last != record_batch_last_offset(batch)))
        return TAKHIN_ECORRUPT;
    tail->last = -1;
    tail->next = record_batch_next_offset(batch);
    return APR_SUCCESS;
}

/* Walks the headers of SEGMENT from POSITION on, where the batch that ends with
 * LAST lies: where they end and with which offset. */
static apr_status_t walk_to_end(segment_t *segment, int64_t position,
                                int64_t last, int64_t *end, int64_t *next)
{
    tail_t tail = {segment->base_offset, last};
    apr_status_t status =
        log_scan(segment, position, segment->size, 0, take_next, &tail, end);

    *next = tail.next;
    return status == TAKHIN_ECORRUPT ? APR_SUCCESS : status;
}

/*
 * Before the first append to a segment that nobody has read: its batches must
 * end where the file and the checkpoint say, or what is appended could never
 * be found. What lies behind that end was never promised to anyone, and is
 * cut. When they end elsewhere *ROLL is set: nothing is to be added to it.
 */
static apr_status_t check_end(log_t *log, segment_t *active, int *roll)
{
    const int64_t size = active->size;
    int64_t offset, position, end, next;
    apr_status_t status =
        segment_index_before(active, log->path, INT64_MAX, &offset, &position);

    if (status == APR_SUCCESS)
        status = walk_to_end(active, position, position > 0 ? offset : -1, &end,
                             &next);
    if (status == APR_SUCCESS && next != active->next_offset && position > 0)
        status = walk_to_end(active, 0, -1, &end, &next);
    if (status != APR_SUCCESS || size == 0)
        return status;
    *roll = next != active->next_offset;
    if (*roll)
        LOG_ERROR(storage,
                  "%s/%020lld.log: makes no sense from byte %lld on: nothing "
                  "is added to it",
                  log->path, (long long)active->base_offset, (long long)end);
    if (*roll || end == size)
        return APR_SUCCESS;
    LOG_WARN(storage, "%s: cut %lld bytes behind the log's end %lld", log->path,
             (long long)(size - end), (long long)next);
    status = segment_truncate(active, log->path, log->lock, end, next);
    log_put(&log->bytes, log_get(&log->bytes) - (size - end));
    return status;
}

static apr_status_t open_active(log_t *log, segment_t *active, int *roll)
{
    apr_status_t status = segment_pin(active, log->path);

    if (status != APR_SUCCESS || active->ready)
        return status;
    status = segment_prepare(active, log->path, log->lock);
    if (status == APR_SUCCESS)
        status = check_end(log, active, roll);
    if (status != APR_SUCCESS)
        segment_unpin(active);
    return status;
}

/* Sets *SEGMENT to the pinned segment that takes PLAN. */
static apr_status_t choose_segment(log_t *log, const append_plan_t *plan,
                                   segment_t **segment)
{
    segment_t *active = log_active(log);
    int roll = 0;
    apr_status_t status = open_active(log, active, &roll);

    if (status != APR_SUCCESS)
        return log_failed(log, status, "opening the active segment");
    if (roll || must_roll(log, active, plan)) {
        segment_unpin(active);
        status = log_roll(log, plan->base_offset);
        if (status == APR_SUCCESS) {
            active = log_active(log);
            status = segment_pin(active, log->path);
        }
    }
    *segment = active;
    return status;
}

/* ---- write, and say so -------------------------------------------------- */

/* Nobody saw what was written behind the segment's end: it goes again. */
static void take_back(log_t *log, segment_t *segment)
{
    apr_status_t status = fs_truncate(segment->file, segment->size);

    /* Bytes that stay there would be taken for records after a crash. */
    if (status != APR_SUCCESS)
        log_failed(log, status, "cutting off a failed append");
}

apr_status_t log_track_producer(log_t *log, segment_t *segment,
                                const record_batch_t *batch,
                                const uint8_t *data)
{
    producer_txn_t ended;
    int has_ended;
    apr_status_t status;

    if (!record_batch_has_producer(batch))
        return APR_SUCCESS;
    if (log->producers == NULL)
        log->producers = producer_state_create();
    if (log->producers == NULL)
        return APR_ENOMEM;
    status =
        producer_state_apply(log->producers, batch, data, &ended, &has_ended);
    if (status == APR_SUCCESS && has_ended && ended.aborted) {
        log->dirty_txns = 1;
        status = txn_index_append(log->path, segment->base_offset, &ended);
    }
    return status;
}

void log_update_unstable(log_t *log)
{
    int64_t first = log->producers == NULL
                        ? INT64_MAX
                        : producer_state_first_unstable(log->producers);

    if (first != log_get(&log->first_unstable))
        log_put(&log->first_unstable, first);
}

int log_raise_high_watermark(log_t *log, int64_t offset)
{
    apr_uint64_t seen = apr_atomic_read64(&log->high_watermark);
    int moved = 0;

    while ((int64_t)seen < offset && !moved) {
        apr_uint64_t was =
            apr_atomic_cas64(&log->high_watermark, (apr_uint64_t)offset, seen);

        moved = was == seen;
        seen = was;
    }
    if (!moved || apr_atomic_read32(&log->has_ended) == 0)
        return moved;
    lock_enter(log->append_lock);
    apr_atomic_set32(&log->has_ended, 0);
    if (log->producers != NULL) {
        producer_state_replicated(log->producers,
                                  log_get(&log->high_watermark));
        log_update_unstable(log);
        if (producer_state_has_ended(log->producers))
            apr_atomic_set32(&log->has_ended, 1);
    }
    lock_leave(log->append_lock);
    return moved;
}

static apr_status_t track_producers(log_t *log, segment_t *segment,
                                    const append_plan_t *plan)
{
    apr_status_t status = APR_SUCCESS;
    apr_size_t at = 0;

    if (plan->single && !record_batch_has_producer(&plan->first))
        return APR_SUCCESS;
    while (at < plan->length && status == APR_SUCCESS) {
        record_batch_t batch;

        status = batch_at(plan, at, &batch);
        if (status == APR_SUCCESS)
            status = log_track_producer(log, segment, &batch, plan->data + at);
        at += record_batch_size(&batch);
    }
    log_update_unstable(log);
    if (log->producers != NULL && producer_state_has_ended(log->producers))
        apr_atomic_set32(&log->has_ended, 1);
    return status;
}

/* From here on readers see it. 1 when index entries must be written. */
static int publish(log_t *log, segment_t *segment, const append_plan_t *plan)
{
    uint32_t interval = (uint32_t)log->config.index_interval_bytes;
    apr_size_t at = 0;
    int full = 0;

    lock_enter(log->lock);
    while (at < plan->length) {
        record_batch_t batch;
        apr_status_t status = batch_at(plan, at, &batch);

        TAKHIN_ASSERT(status == APR_SUCCESS);
        if (batch.partition_leader_epoch > epochs_latest(&log->epochs))
            /* Without memory the epoch is missing until the next append. */
            (void)epochs_assign(&log->epochs, batch.partition_leader_epoch,
                                batch.base_offset);
        else if (log->epochs.silent)
            log->epochs.dirty = 1;
        log->epochs.silent = 0;
        full |= segment_appended(segment, &batch, interval);
        at += record_batch_size(&batch);
        if (full && at < plan->length) {
            lock_leave(log->lock);
            /* Tried again at the next append; entries are a help only. */
            (void)segment_write_indexes(segment, log->path, log->lock);
            lock_enter(log->lock);
            full = 0;
        }
    }
    log->recent[log->recent_next].offset = plan->last_offset + 1;
    log->recent[log->recent_next].position = segment->size;
    log->recent_next = (log->recent_next + 1) % LOG_RECENT;
    log_put(&log->bytes, log_get(&log->bytes) + (int64_t)plan->length);
    log_put(&log->end_offset, plan->last_offset + 1);
    lock_leave(log->lock);
    return full;
}

/* Producer state knows of batches that were taken back: it is made anew from
 * what the log says. Left as it is it would call them duplicates. */
static void untrack_producers(log_t *log)
{
    apr_status_t status = log_load_producers(log, 0);

    if (status != APR_SUCCESS)
        log_dir_fail(log->dir, status, "taking back an append");
}

static apr_status_t write_plan(log_t *log, const append_plan_t *plan)
{
    segment_t *segment = NULL;
    apr_status_t status = choose_segment(log, plan, &segment);
    int tracked = 0;

    if (status != APR_SUCCESS)
        return status;
    status =
        fs_write_at(segment->file, segment->size, plan->data, plan->length);
    if (status == APR_SUCCESS) {
        status = track_producers(log, segment, plan);
        tracked = 1;
    }
    if (status != APR_SUCCESS) {
        log_failed(log, status, "appending");
        take_back(log, segment);
        segment_unpin(segment);
        if (tracked && log_dir_online(log->dir))
            untrack_producers(log);
        return status;
    }
    if (publish(log, segment, plan))
        status = log_failed(
            log, segment_write_indexes(segment, log->path, log->lock),
            "writing indexes");
    segment_unpin(segment);
    /* The records are there: only a failing disk is worth an error. */
    return log_dir_online(log->dir) ? APR_SUCCESS : status;
}

static apr_status_t append_locked(log_t *log, append_plan_t *plan,
                                  int32_t leader_epoch, append_result_t *result)
{
    apr_status_t status = log_usable(log);

    if (status == APR_SUCCESS &&
        plan->length > (apr_size_t)log->config.segment_bytes)
        status = TAKHIN_ETOOBIG;
    if (status == APR_SUCCESS)
        status = plan_append(log, plan, leader_epoch, result);
    if (status != APR_SUCCESS || result->duplicate)
        return status;
    log_dir_will_write(log->dir, plan->length);
    status = log_dir_check_space(log->dir);
    if (status == APR_SUCCESS)
        status = write_plan(log, plan);
    if (status != APR_SUCCESS)
        return status;
    result->base_offset = plan->base_offset;
    result->last_offset = plan->last_offset;
    log->unflushed += plan->messages;
    return APR_SUCCESS;
}

static apr_status_t append(log_t *log, uint8_t *data, apr_size_t length,
                           const record_batch_t *batch, int32_t leader_epoch,
                           append_origin_t origin, log_guard_t guard,
                           append_result_t *result)
{
    append_plan_t plan;
    apr_status_t status;
    int flush = 0;

    memset(result, 0, sizeof(*result));
    plan.data = data;
    plan.length = length;
    plan.first = *batch;
    plan.origin = origin;
    plan.guard = guard;
    if (length == 0 || record_batch_size(batch) > length)
        return TAKHIN_ETRUNCATED;
    result->log_append_time = batch->attributes & RECORD_ATTR_LOG_APPEND_TIME
                                  ? batch->max_timestamp
                                  : -1;
    lock_enter(log->append_lock);
    status = append_locked(log, &plan, leader_epoch, result);
    if (status == APR_SUCCESS && log->unflushed >= log->config.flush_messages) {
        log->unflushed = 0;
        flush = 1;
    }
    lock_leave(log->append_lock);
    result->log_start_offset = log_get(&log->start_offset);
    if (flush)
        status = log_flush(log);
    return status;
}

apr_status_t log_append(log_t *log, uint8_t *data, apr_size_t length,
                        const record_batch_t *batch, int32_t leader_epoch,
                        append_origin_t origin, append_result_t *result)
{
    return append(log, data, length, batch, leader_epoch, origin,
                  LOG_GUARD_NONE, result);
}

apr_status_t log_append_guarded(log_t *log, uint8_t *data, apr_size_t length,
                                const record_batch_t *batch,
                                int32_t leader_epoch, log_guard_t guard,
                                append_result_t *result)
{
    return append(log, data, length, batch, leader_epoch, APPEND_CLIENT, guard,
                  result);
}

apr_status_t log_verify(log_t *log, int64_t producer_id, int16_t epoch,
                        int32_t sequence, int epoch_bumps, log_guard_t *guard)
{
    apr_status_t status = APR_ENOMEM;

    lock_enter(log->append_lock);
    if (log->producers == NULL)
        log->producers = producer_state_create();
    if (log->producers != NULL)
        status =
            producer_state_verify(log->producers, producer_id, epoch, sequence,
                                  epoch_bumps, clock_wall_ms(), guard);
    lock_leave(log->append_lock);
    return status;
}
