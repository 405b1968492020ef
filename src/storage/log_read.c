/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a log: from offsets to file positions. It must never read a record
 * where only its place is asked for, and never wait for an append's I/O.
 */
#include "storage/log_private.h"

#include <string.h>

#include "base/error.h"
#include "base/logger.h"

/* A segment as it was when the lock was held. Holds a reference. */
typedef struct {
    segment_t *segment;
    int64_t limit; /* bytes that may be read */
    int64_t next;  /* offset that goes with LIMIT */
    uint32_t largest_batch;
    unsigned cut : 1; /* LIMIT must still be moved down to UPPER */
} view_t;

typedef struct {
    view_t views[READ_RANGE_MAX_PIECES];
    int count;
    int64_t upper;
} views_t;

static void release_views(views_t *views)
{
    while (views->count > 0)
        segment_release(views->views[--views->count].segment);
}

/* Where UPPER lies in the active segment, if it was the end a moment ago. The
 * lock is held. */
static int64_t recent_position(const log_t *log, int64_t upper)
{
    int i;

    for (i = 0; i < LOG_RECENT; i++)
        if (log->recent[i].offset == upper)
            return log->recent[i].position;
    return 0;
}

static void add_view(const log_t *log, views_t *views, segment_t *segment)
{
    view_t *view = &views->views[views->count++];

    segment_retain(segment);
    view->segment = segment;
    view->limit = segment->size;
    view->next = segment->next_offset;
    view->largest_batch = segment->largest_batch;
    view->cut = 0;
    if (views->upper < segment->next_offset) {
        int64_t position =
            segment == log_active(log) ? recent_position(log, views->upper) : 0;

        view->cut = position == 0;
        if (position > 0) {
            view->limit = position;
            view->next = views->upper;
        }
    }
}

/* Errors: TAKHIN_EOFFSET_RANGE. No view when nothing is to be read. */
static apr_status_t take_views(log_t *log, int64_t offset, int64_t upper,
                               views_t *views)
{
    int64_t end;
    int i;

    views->count = 0;
    lock_enter(log->lock);
    end = log_get(&log->end_offset);
    if (offset < log_get(&log->start_offset) || offset > end) {
        lock_leave(log->lock);
        return TAKHIN_EOFFSET_RANGE;
    }
    views->upper = upper < end ? upper : end;
    i = log_segment_at(log, offset);
    if (i < 0)
        i = 0;
    if (offset < views->upper)
        for (; i < log->segment_count && views->count < READ_RANGE_MAX_PIECES;
             i++) {
            if (log->segments[i]->base_offset >= views->upper)
                break;
            add_view(log, views, log->segments[i]);
        }
    lock_leave(log->lock);
    return APR_SUCCESS;
}

/* Adds what VIEW has from POSITION on, its pin and a reference. */
static void add_piece(read_range_t *range, const view_t *view, int64_t position,
                      apr_size_t size)
{
    read_piece_t *piece = &range->pieces[range->count++];

    segment_retain(view->segment);
    piece->segment = view->segment;
    piece->file = view->segment->file->file;
    piece->position = position;
    piece->size = size;
    range->size += size;
}

/* The size of the first batch, when it may be above MAX_BYTES; else 0. */
static apr_status_t first_batch_size(log_t *log, const view_t *view,
                                     int64_t position, apr_size_t max_bytes,
                                     uint32_t *size, read_range_t *range)
{
    record_batch_t batch;
    apr_status_t status;

    if ((int64_t)max_bytes >= view->limit - position ||
        view->largest_batch <= max_bytes || *size != 0)
        return APR_SUCCESS;
    status = segment_read_header(view->segment, position, view->limit, &batch);
    if (status != APR_SUCCESS)
        return status == APR_EOF ? TAKHIN_ECORRUPT : status;
    *size = (uint32_t)record_batch_size(&batch);
    range->first_offset = batch.base_offset;
    lock_enter(log->lock);
    segment_hint(view->segment, record_batch_next_offset(&batch),
                 position + *size);
    lock_leave(log->lock);
    return APR_SUCCESS;
}

/* One view's piece. OFFSET is where to start in the first one, and below every
 * other's base. *LEFT is what may still be added. */
static apr_status_t read_view(log_t *log, view_t *view, int64_t offset,
                              int64_t upper, apr_size_t *left, int at_least_one,
                              read_range_t *range)
{
    int64_t position;
    uint32_t size = 0, ignored;
    apr_size_t available;
    apr_status_t status = APR_SUCCESS;

    if (view->cut)
        status = segment_find(view->segment, log->path, log->lock, upper,
                              view->limit, view->next, &view->limit, &ignored);
    if (status == APR_SUCCESS)
        status = segment_find(view->segment, log->path, log->lock, offset,
                              view->limit, view->next, &position, &size);
    if (status != APR_SUCCESS || position >= view->limit)
        return status;
    if (range->count == 0) {
        status = first_batch_size(log, view, position, *left, &size, range);
        if (status != APR_SUCCESS)
            return status;
        if (size > *left) {
            range->truncated_first = !at_least_one;
            *left = at_least_one ? size : *left;
        }
    }
    available = (apr_size_t)(view->limit - position);
    if (available > *left)
        available = *left;
    if (available == 0)
        return APR_SUCCESS;
    /* The piece's own pin: the file is open, so it needs no system call. */
    if (!segment_try_pin(view->segment))
        return APR_EGENERAL;
    add_piece(range, view, position, available);
    *left -= available;
    return APR_SUCCESS;
}

static apr_status_t read_views(log_t *log, views_t *views, int64_t offset,
                               apr_size_t max_bytes, int at_least_one,
                               read_range_t *range)
{
    apr_size_t left = max_bytes;
    int i;

    for (i = 0; i < views->count && (left > 0 || (at_least_one && i == 0));
         i++) {
        view_t *view = &views->views[i];
        apr_status_t status = segment_pin(view->segment, log->path);

        if (status != APR_SUCCESS)
            return status;
        status = read_view(log, view, offset, views->upper, &left, at_least_one,
                           range);
        segment_unpin(view->segment);
        if (status != APR_SUCCESS)
            return status;
    }
    return APR_SUCCESS;
}

/* Bytes that make no sense concern who reads them, not the whole disk. */
static apr_status_t read_failed(log_t *log, apr_status_t status, int64_t offset)
{
    if (status != TAKHIN_ECORRUPT && status != TAKHIN_ETRUNCATED &&
        status != APR_EOF)
        return log_failed(log, status, "reading");
    LOG_EVERY(10, storage, ERROR,
              "%s: what lies at or behind offset %lld makes no sense",
              log->path, (long long)offset);
    return TAKHIN_ECORRUPT;
}

#define READ_ATTEMPTS 8

apr_status_t log_read_range(log_t *log, int64_t offset, int64_t upper,
                            apr_size_t max_bytes, int at_least_one,
                            read_range_t *range)
{
    apr_status_t status;
    int attempt;

    for (attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        views_t views;

        range->count = 0;
        range->size = 0;
        range->first_offset = offset;
        range->truncated_first = 0;
        status = log_usable(log);
        if (status == APR_SUCCESS)
            status = take_views(log, offset, upper, &views);
        if (status != APR_SUCCESS)
            return status;
        status =
            read_views(log, &views, offset, max_bytes, at_least_one, range);
        release_views(&views);
        /* A log of the same name may have been opened in place of a deleted
         * one: its files are not ours. */
        if (status == APR_SUCCESS)
            status = log_usable(log);
        if (status == APR_SUCCESS)
            return APR_SUCCESS;
        read_range_release(range);
        /* Retention, compaction or a delete took the file away before it was
         * opened. */
        if (!APR_STATUS_IS_ENOENT(status))
            break;
        log_await_change(log);
    }
    if (log_usable(log) != APR_SUCCESS)
        return log_usable(log);
    return read_failed(log, status, offset);
}

/* ---- into memory ------------------------------------------------------- */

static apr_size_t whole_batches(const uint8_t *data, apr_size_t length)
{
    apr_size_t at = 0;
    record_batch_t batch;

    while (record_batch_parse(&batch, data + at, length - at) == APR_SUCCESS &&
           record_batch_size(&batch) <= length - at)
        at += record_batch_size(&batch);
    return at;
}

static apr_status_t read_piece(const read_piece_t *piece, uint8_t *data)
{
    return fs_read_at(piece->segment->file, piece->position, data, piece->size,
                      NULL);
}

apr_status_t log_read(log_t *log, int64_t offset, int64_t upper,
                      apr_size_t max_bytes, uint8_t **data, apr_size_t *length,
                      apr_pool_t *pool)
{
    read_range_t range;
    apr_size_t at = 0;
    int i;
    apr_status_t status =
        log_read_range(log, offset, upper, max_bytes, 1, &range);

    *length = 0;
    *data = NULL;
    if (status != APR_SUCCESS || range.size == 0)
        return status;
    *data = apr_palloc(pool, range.size);
    for (i = 0; i < range.count && status == APR_SUCCESS; i++) {
        status = read_piece(&range.pieces[i], *data + at);
        at += range.pieces[i].size;
    }
    read_range_release(&range);
    if (status != APR_SUCCESS)
        return read_failed(log, status, offset);
    *length = whole_batches(*data, at);
    return *length == 0 ? TAKHIN_ECORRUPT : APR_SUCCESS;
}
