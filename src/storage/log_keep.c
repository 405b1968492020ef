/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a log loses on purpose: at its start by retention and DeleteRecords, at
 * its end by truncation. It must never delete at or above the high watermark
 * by policy, and never the active segment while it is the only one.
 */
#include "storage/log_private.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"

/* ---- at the start ------------------------------------------------------ */

static void raise_start(log_t *log, int64_t offset)
{
    lock_enter(log->lock);
    if (offset > log_get(&log->start_offset))
        log_put(&log->start_offset, offset);
    epochs_truncate_start(&log->epochs, log_get(&log->start_offset));
    lock_leave(log->lock);
}

/* The offset at which segment I ends. */
static int64_t end_of(const log_t *log, int i)
{
    return i + 1 < log->segment_count ? log->segments[i + 1]->base_offset
                                      : log_get(&log->end_offset);
}

/* The largest timestamp of a segment, or when its file was written last. */
static apr_status_t age_of(log_t *log, segment_t *segment, int64_t *timestamp)
{
    int64_t offset;
    apr_status_t status = segment_max_timestamp(segment, log->path, log->lock,
                                                timestamp, &offset);

    if (status == APR_SUCCESS && *timestamp < 0)
        *timestamp = segment->created;
    return status;
}

/* How many segments from the first on may go, and why. The append lock is held.
 */
static apr_status_t count_expired(log_t *log, int64_t now_ms, int *count,
                                  const char **why)
{
    int64_t high_watermark = log_get(&log->high_watermark);
    int64_t excess = log_get(&log->bytes) - log->config.retention_bytes;
    apr_status_t status = APR_SUCCESS;

    for (*count = 0; *count < log->segment_count; ++*count) {
        segment_t *segment = log->segments[*count];
        int64_t end = end_of(log, *count), timestamp;

        if (end > high_watermark ||
            (*count + 1 == log->segment_count && segment->size == 0))
            break;
        if (end <= log_get(&log->start_offset)) {
            *why = "log start offset";
            if (*count + 1 == log->segment_count)
                break; /* it is only hidden, the active one stays */
            continue;
        }
        if (!log->config.delete)
            break;
        if (log->config.retention_ms >= 0) {
            status = age_of(log, segment, &timestamp);
            if (status != APR_SUCCESS)
                break;
            if (now_ms - timestamp > log->config.retention_ms) {
                *why = "retention.ms";
                continue;
            }
        }
        if (log->config.retention_bytes < 0 || excess < segment->size)
            break;
        excess -= segment->size;
        *why = "retention.bytes";
    }
    return status;
}

/*
 * After a crash some of the deleted segments may be there again and others not.
 * That must not look like a log that lost its end: the recovery point lies
 * behind them, on the device where there are several.
 */
static apr_status_t be_ready_to_delete(log_t *log, int count, int64_t end)
{
    apr_status_t status = APR_SUCCESS;

    if (log_get(&log->flushed_offset) < end) {
        status = log_flush_untold(log);
        log_dir_queue_flush(log->dir, log); /* it tells who waits */
    }
    raise_start(log, end);
    if (status == APR_SUCCESS && count > 1)
        status = log_dir_checkpoint(log->dir);
    return status;
}

/* Deletes COUNT segments from the first on; the append lock is held. */
static apr_status_t delete_front(log_t *log, int count, const char *why)
{
    int64_t end = end_of(log, count - 1);
    apr_status_t status = APR_SUCCESS;

    if (count == log->segment_count)
        status = log_roll(log, log_get(&log->end_offset));
    if (status == APR_SUCCESS)
        status = be_ready_to_delete(log, count, end);
    if (status != APR_SUCCESS)
        return status;
    status = log_drop_segments(log, 0, count, log->config.file_delete_delay_ms);
    if (status == APR_SUCCESS)
        status = log_remove_snapshots(log, end, INT64_MAX);
    LOG_INFO(storage, "%s: %d segments below offset %lld go for its %s",
             log->path, count, (long long)end, why);
    return status;
}

apr_status_t log_clean_up(log_t *log, int64_t now_ms)
{
    const char *why = "";
    apr_status_t status;
    int count = 0;

    lock_enter(log->append_lock);
    status = log_usable(log);
    if (status == APR_SUCCESS && !(log->flags & LOG_NO_CHECKPOINT))
        status = count_expired(log, now_ms, &count, &why);
    if (status == APR_SUCCESS && count > 0)
        status = delete_front(log, count, why);
    if (status == APR_SUCCESS)
        status = segment_quiet(log_active(log), log->path, log->lock);
    if (status == APR_SUCCESS && log->producers != NULL)
        producer_state_expire(log->producers, now_ms,
                              log->config.producer_id_expiration_ms);
    lock_leave(log->append_lock);
    if (status == TAKHIN_EDELETED || status == TAKHIN_EOFFLINE)
        return APR_SUCCESS; /* nothing to keep any more */
    return log_failed(log, status, "retention");
}

apr_status_t log_delete_records(log_t *log, int64_t offset)
{
    apr_status_t status;
    int count = 0;

    if (offset > log_get(&log->high_watermark))
        return TAKHIN_EOFFSET_RANGE;
    lock_enter(log->append_lock);
    status = log_usable(log);
    if (status == APR_SUCCESS) {
        raise_start(log, offset);
        while (count + 1 < log->segment_count && end_of(log, count) <= offset)
            count++;
        if (count > 0)
            status = delete_front(log, count, "log start offset");
    }
    lock_leave(log->append_lock);
    if (status == TAKHIN_EDELETED || status == TAKHIN_EOFFLINE)
        return status;
    return log_failed(log, status, "deleting records");
}

/* ---- at the end -------------------------------------------------------- */

static void lower(volatile apr_uint64_t *value, int64_t to)
{
    if (log_get(value) > to)
        log_put(value, to);
}

/* The end is OFFSET now; the append lock is held. */
static apr_status_t end_at(log_t *log, int64_t offset)
{
    apr_status_t status;

    lock_enter(log->lock);
    log_put(&log->end_offset, offset);
    lower(&log->flushed_offset, offset);
    lower(&log->high_watermark, offset);
    lower(&log->start_offset, offset);
    log->truncations++;
    epochs_truncate_end(&log->epochs, offset);
    memset(log->recent, 0, sizeof(log->recent));
    lock_leave(log->lock);
    if (log->flags & LOG_NO_CHECKPOINT)
        return APR_SUCCESS;
    log_dir_lower_cleaned(log->dir, log->name, offset);
    /* Producers may have ended up without what made them known. */
    log->snapshot_offset = log->snapshot_offset < 0 ? -1 : INT64_MAX;
    status = log_load_producers(log, 0);
    return status;
}

/* Cuts inside segment I, which becomes the active one. */
static apr_status_t cut_segment(log_t *log, int i, int64_t offset)
{
    segment_t *segment = log->segments[i];
    int64_t position, before = segment->size;
    uint32_t ignored;
    apr_status_t status = segment_pin(segment, log->path);

    if (status != APR_SUCCESS)
        return status;
    status = segment_find(segment, log->path, log->lock, offset, segment->size,
                          segment->next_offset, &position, &ignored);
    if (status == APR_SUCCESS)
        status =
            segment_truncate(segment, log->path, log->lock, position, offset);
    if (status == APR_SUCCESS)
        log_put(&log->bytes, log_get(&log->bytes) - (before - position));
    segment_unpin(segment);
    return status;
}

apr_status_t log_truncate(log_t *log, int64_t offset)
{
    apr_status_t status;
    int i;

    if (offset < log_get(&log->start_offset))
        return log_truncate_fully(log, offset);
    lock_enter(log->append_lock);
    status = log_usable(log);
    if (status == APR_SUCCESS && offset < log_get(&log->end_offset)) {
        i = log_segment_at(log, offset);
        status = log_drop_segments(log, i + 1, log->segment_count - i - 1,
                                   log->config.file_delete_delay_ms);
        if (status == APR_SUCCESS)
            status = cut_segment(log, i, offset);
        if (status == APR_SUCCESS)
            status = end_at(log, offset);
    }
    lock_leave(log->append_lock);
    return log_failed(log, status, "truncating");
}

apr_status_t log_truncate_fully(log_t *log, int64_t offset)
{
    apr_status_t status;

    lock_enter(log->append_lock);
    status = log_usable(log);
    if (status == APR_SUCCESS && log_active(log)->base_offset == offset)
        /* Its name is the one that is needed: it is emptied. */
        status = cut_segment(log, log->segment_count - 1, offset);
    else if (status == APR_SUCCESS)
        status = log_drop_segments(log, 0, log->segment_count,
                                   log->config.file_delete_delay_ms);
    if (status == APR_SUCCESS && log->segment_count == 0)
        status = log_begin_segment(log, offset);
    else if (status == APR_SUCCESS)
        status = log_drop_segments(log, 0, log->segment_count - 1,
                                   log->config.file_delete_delay_ms);
    if (status == APR_SUCCESS) {
        log_put(&log->start_offset, offset);
        log_put(&log->high_watermark, offset);
        status = end_at(log, offset);
    }
    lock_leave(log->append_lock);
    return log_failed(log, status, "emptying");
}
