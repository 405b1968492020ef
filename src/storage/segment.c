/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a segment's log file holds and where: appending, finding, truncating.
 * The index files are segment_index.c's. It must never read record data on the
 * way to an offset: batch headers only.
 */
#include "storage/segment.h"

#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/logger.h"
#include "storage/segment_index.h"

char *segment_path(char *buffer, const char *directory, int64_t base_offset,
                   const char *suffix)
{
    snprintf(buffer, SEGMENT_PATH, "%s/%020lld%s", directory,
             (long long)base_offset, suffix);
    return buffer;
}

/* ---- append ------------------------------------------------------------ */

int segment_appended(segment_t *segment, const record_batch_t *batch,
                     uint32_t index_interval)
{
    uint32_t size = (uint32_t)record_batch_size(batch);
    int64_t last_offset = record_batch_last_offset(batch);
    int full = 0;

    TAKHIN_ASSERT(segment->ready);
    if (segment->size == 0)
        segment->first_timestamp = batch->max_timestamp;
    if (batch->max_timestamp > segment->max_timestamp) {
        segment->max_timestamp = batch->max_timestamp;
        segment->max_timestamp_offset = last_offset;
    }
    if (segment->since_entry > index_interval) {
        full = segment_index_add(segment, last_offset, segment->size);
        segment->since_entry = 0;
    }
    segment->since_entry += size;
    segment->size += size;
    segment->next_offset = last_offset + 1;
    if (size > segment->largest_batch)
        segment->largest_batch = size;
    return full;
}

/* ---- find -------------------------------------------------------------- */

void segment_hint(segment_t *segment, int64_t offset, int64_t position)
{
    segment_hint_t *hint =
        &segment->index->hints[(uint64_t)offset % SEGMENT_HINTS];

    hint->offset = offset;
    hint->position = position;
}

apr_status_t segment_read_header(segment_t *segment, int64_t position,
                                 int64_t limit, record_batch_t *batch)
{
    uint8_t header[RECORD_BATCH_OVERHEAD];
    apr_size_t want = sizeof(header);
    apr_status_t status;

    if (limit - position < (int64_t)want)
        want = limit > position ? (apr_size_t)(limit - position) : 0;
    if (want < RECORD_LEGACY_OVERHEAD)
        return APR_EOF;
    status = fs_read_at(segment->file, position, header, want, NULL);
    if (status != APR_SUCCESS)
        return status;
    status = record_batch_parse(batch, header, want);
    return status == TAKHIN_ETRUNCATED ? APR_EOF : status;
}

/* A window over the file that moves on as headers are walked. */
typedef struct {
    uint8_t bytes[8192];
    int64_t position;
    apr_size_t length;
} walk_window_t;

/* Brings the header at POSITION into WINDOW. STOP is where the walk will end
 * at the latest: reading as far as there saves a second read, but where
 * batches are large a header is all that is wanted. */
static apr_status_t walk_fill(segment_t *segment, walk_window_t *window,
                              int64_t position, int64_t stop, int64_t limit)
{
    int64_t want = stop - position + RECORD_BATCH_OVERHEAD;
    apr_status_t status;

    /* past STOP, when the index and the log do not agree */
    if (want > (int64_t)sizeof(window->bytes) || want < RECORD_BATCH_OVERHEAD)
        want = 2 * RECORD_BATCH_OVERHEAD;
    if (want > limit - position)
        want = limit - position;
    window->position = position;
    status = fs_read_at(segment->file, position, window->bytes,
                        (apr_size_t)want, &window->length);
    return status == APR_EOF ? TAKHIN_ECORRUPT : status;
}

/* Where a walk begins. */
typedef struct {
    int64_t position;
    int64_t last; /* offset of the batch there, or -1: not known */
    int64_t stop; /* by where OFFSET was met */
} walk_start_t;

/* From the batch at START on to the first whose last offset is at or above
 * OFFSET. *NEXT: the offset behind it, or -1 when its header was not read. */
static apr_status_t walk(segment_t *segment, int64_t offset,
                         const walk_start_t *start, int64_t limit,
                         int64_t *position, uint32_t *size, int64_t *next)
{
    walk_window_t window;
    record_batch_t batch;
    int64_t at = start->position;

    window.length = 0;
    window.position = at;
    *next = -1;
    while (at < limit) {
        int64_t skip = at - window.position;
        int64_t left = (int64_t)window.length - skip;
        apr_status_t status;

        if (left < RECORD_BATCH_OVERHEAD) {
            status = walk_fill(segment, &window, at, start->stop, limit);
            if (status != APR_SUCCESS)
                return status;
            skip = 0;
            left = (int64_t)window.length;
        }
        status =
            record_batch_parse(&batch, window.bytes + skip, (apr_size_t)left);
        if (status != APR_SUCCESS)
            return status;
        if (at + (int64_t)record_batch_size(&batch) > limit ||
            (at == start->position && start->last >= 0 &&
             start->last != record_batch_last_offset(&batch)))
            return TAKHIN_ECORRUPT;
        if (record_batch_last_offset(&batch) >= offset) {
            *size = (uint32_t)record_batch_size(&batch);
            *next = record_batch_next_offset(&batch);
            break;
        }
        at += (int64_t)record_batch_size(&batch);
        if (record_batch_next_offset(&batch) == offset)
            break; /* whatever comes next is it, its header is not needed */
    }
    *position = at;
    return APR_SUCCESS;
}

/* 1 when a hint knows OFFSET; otherwise where to walk from. The lock is held. */
static int find_start(segment_t *segment, int64_t offset, int64_t limit,
                      walk_start_t *start)
{
    const segment_hint_t *hint =
        &segment->index->hints[(uint64_t)offset % SEGMENT_HINTS];

    if (hint->offset == offset && hint->position > 0 &&
        hint->position <= limit) {
        start->position = hint->position;
        return 1;
    }
    start->stop = limit;
    segment_index_floor(segment, offset, limit, &start->position, &start->stop,
                        &start->last);
    return 0;
}

/* An index entry that the log does not agree with is of no use: the whole
 * segment is walked. */
static apr_status_t walk_all(segment_t *segment, const char *directory,
                             int64_t offset, int64_t limit, int64_t *position,
                             uint32_t *size, int64_t *next)
{
    const walk_start_t start = {0, -1, limit};

    LOG_EVERY(10, storage, WARN,
              "%s/%020lld.index does not agree with its segment near offset "
              "%lld, which is searched for without it",
              directory, (long long)segment->base_offset, (long long)offset);
    return walk(segment, offset, &start, limit, position, size, next);
}

apr_status_t segment_find(segment_t *segment, const char *directory,
                          lock_t *lock, int64_t offset, int64_t limit,
                          int64_t next, int64_t *position, uint32_t *batch_size)
{
    apr_status_t status = APR_SUCCESS;
    walk_start_t start;
    int64_t behind;
    int known;

    *batch_size = 0;
    if (offset >= next || offset <= segment->base_offset) {
        *position = offset >= next ? limit : 0;
        return APR_SUCCESS;
    }
    lock_enter(lock);
    known = find_start(segment, offset, limit, &start);
    if (!known && !segment->index->loaded) {
        lock_leave(lock);
        status = segment_index_load(segment, directory, lock);
        if (status != APR_SUCCESS)
            return status;
        lock_enter(lock);
        known = find_start(segment, offset, limit, &start);
    }
    lock_leave(lock);
    *position = start.position;
    if (known)
        return APR_SUCCESS;
    status =
        walk(segment, offset, &start, limit, position, batch_size, &behind);
    if (start.position > 0 &&
        (status == TAKHIN_ECORRUPT || status == TAKHIN_ETRUNCATED))
        status = walk_all(segment, directory, offset, limit, position,
                          batch_size, &behind);
    if (status != APR_SUCCESS)
        return status;
    lock_enter(lock);
    segment_hint(segment, offset, *position);
    if (behind >= 0)
        segment_hint(segment, behind, *position + *batch_size);
    lock_leave(lock);
    return APR_SUCCESS;
}

/* ---- prepare and truncate ---------------------------------------------- */

apr_status_t segment_prepare(segment_t *segment, const char *directory,
                             lock_t *lock)
{
    record_batch_t batch;
    apr_status_t status;

    if (segment->ready)
        return APR_SUCCESS;
    status = segment_index_prepare(segment, directory, lock);
    if (status != APR_SUCCESS)
        return status;
    if (segment->size > 0) {
        status = segment_read_header(segment, 0, segment->size, &batch);
        if (status == APR_SUCCESS)
            segment->first_timestamp = batch.max_timestamp;
        else if (status != TAKHIN_ECORRUPT && status != APR_EOF)
            return status; /* what makes no sense has no timestamp */
    }
    lock_enter(lock);
    segment->ready = 1;
    lock_leave(lock);
    return APR_SUCCESS;
}

apr_status_t segment_truncate(segment_t *segment, const char *directory,
                              lock_t *lock, int64_t position, int64_t next)
{
    apr_status_t status = segment_prepare(segment, directory, lock);

    if (status == APR_SUCCESS)
        status = segment_write_indexes(segment, directory, lock);
    if (status == APR_SUCCESS)
        status =
            segment_index_truncate(segment, directory, lock, position, next);
    if (status == APR_SUCCESS)
        status = fs_truncate(segment->file, position);
    if (status != APR_SUCCESS)
        return status;
    lock_enter(lock);
    segment->size = position;
    segment->next_offset = next;
    segment->since_entry = 0;
    memset(segment->index->hints, 0, sizeof(segment->index->hints));
    if (position == 0)
        segment->first_timestamp = -1;
    lock_leave(lock);
    return APR_SUCCESS;
}

apr_status_t segment_trim(segment_t *segment, const char *directory)
{
    apr_status_t status = segment_pin(segment, directory);

    if (status != APR_SUCCESS)
        return status;
    status = fs_truncate(segment->file, segment->size);
    segment_unpin(segment);
    return status;
}

/* ---- names ------------------------------------------------------------- */

static const char *const suffixes[] = {".index", ".timeindex", ".txnindex",
                                       ".log"};
#define SUFFIXES ((int)(sizeof(suffixes) / sizeof(suffixes[0])))

apr_status_t segment_rename(const char *directory, int64_t base_offset,
                            const char *old_suffix, const char *new_suffix)
{
    char from[SEGMENT_PATH], to[SEGMENT_PATH], suffix[64];
    apr_status_t result = APR_SUCCESS;
    int i;

    /* The log comes first: without it the others mean nothing. */
    for (i = SUFFIXES - 1; i >= 0; i--) {
        apr_status_t status;

        snprintf(suffix, sizeof(suffix), "%s%s", suffixes[i], old_suffix);
        segment_path(from, directory, base_offset, suffix);
        snprintf(suffix, sizeof(suffix), "%s%s", suffixes[i], new_suffix);
        segment_path(to, directory, base_offset, suffix);
        status = fs_rename(from, to);
        if (APR_STATUS_IS_ENOENT(status) && i != SUFFIXES - 1)
            continue;
        if (status != APR_SUCCESS && result == APR_SUCCESS)
            result = status;
    }
    return result;
}

apr_status_t segment_remove(const char *directory, int64_t base_offset,
                            const char *suffix)
{
    char path[SEGMENT_PATH], whole[64];
    apr_status_t result = APR_SUCCESS;
    int i;

    for (i = 0; i < SUFFIXES; i++) {
        apr_status_t status;

        snprintf(whole, sizeof(whole), "%s%s", suffixes[i], suffix);
        status = fs_remove(segment_path(path, directory, base_offset, whole));
        if (status != APR_SUCCESS && !APR_STATUS_IS_ENOENT(status))
            result = status;
    }
    return result;
}
