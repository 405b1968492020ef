/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a log's directory says when it is opened. After a clean stop no segment
 * is read. After a crash what lies past the recovery point is checked batch by
 * batch, a torn tail is cut, and indexes and producer state are made to say
 * what the log says. It must never cut what lies below the recovery point and
 * is whole.
 */
#include "storage/log_private.h"

#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"
#include "storage/segment_index.h"

/* ---- names ------------------------------------------------------------- */

typedef struct {
    int64_t *offsets;
    int count;
    int room;
} offsets_t;

typedef struct {
    const char *path;
    offsets_t logs;
    offsets_t snapshots;
    offsets_t indexes;     /* base offsets of .index and .timeindex files */
    int left_over;         /* files of a swap, or to be removed */
    unsigned epochs : 1;   /* leader-epoch-checkpoint */
    unsigned metadata : 1; /* partition.metadata */
} files_t;

static apr_status_t add_offset(offsets_t *offsets, int64_t offset)
{
    if (offsets->count == offsets->room) {
        int room = offsets->room == 0 ? 8 : offsets->room * 2;
        int64_t *grown =
            realloc(offsets->offsets, (size_t)room * sizeof(*grown));

        if (grown == NULL)
            return APR_ENOMEM;
        offsets->offsets = grown;
        offsets->room = room;
    }
    offsets->offsets[offsets->count++] = offset;
    return APR_SUCCESS;
}

static int by_offset(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static void sort_offsets(offsets_t *offsets)
{
    if (offsets->count > 1)
        qsort(offsets->offsets, (size_t)offsets->count,
              sizeof(*offsets->offsets), by_offset);
}

static int has_offset(const offsets_t *offsets, int64_t offset)
{
    return offsets->count > 0 &&
           bsearch(&offset, offsets->offsets, (size_t)offsets->count,
                   sizeof(offset), by_offset) != NULL;
}

static apr_status_t take_name(void *baton, const char *name,
                              apr_filetype_e type)
{
    files_t *files = baton;
    char *behind;
    int64_t offset;

    if (type != APR_REG)
        return APR_SUCCESS;
    if (log_is_left_over(name)) {
        files->left_over++;
        return APR_SUCCESS;
    }
    if (strspn(name, "0123456789") != 20) {
        files->epochs |= strcmp(name, "leader-epoch-checkpoint") == 0;
        files->metadata |= strcmp(name, "partition.metadata") == 0;
        return APR_SUCCESS;
    }
    offset = apr_strtoi64(name, &behind, 10);
    if (strcmp(behind, ".log") == 0)
        return add_offset(&files->logs, offset);
    if (strcmp(behind, ".snapshot") == 0)
        return add_offset(&files->snapshots, offset);
    if (strcmp(behind, ".index") == 0 || strcmp(behind, ".timeindex") == 0 ||
        strcmp(behind, ".txnindex") == 0)
        return add_offset(&files->indexes, offset);
    return APR_SUCCESS;
}

static void free_files(files_t *files)
{
    free(files->logs.offsets);
    free(files->snapshots.offsets);
    free(files->indexes.offsets);
}

static apr_status_t list_files(const log_t *log, files_t *files)
{
    apr_status_t status;

    memset(files, 0, sizeof(*files));
    files->path = log->path;
    status = fs_list(log->path, take_name, files);
    if (status == APR_SUCCESS && files->left_over > 0) {
        status = log_finish_swaps(log->path);
        free_files(files);
        memset(files, 0, sizeof(*files));
        files->path = log->path;
        if (status == APR_SUCCESS)
            status = fs_list(log->path, take_name, files);
    }
    sort_offsets(&files->logs);
    sort_offsets(&files->snapshots);
    if (status != APR_SUCCESS)
        free_files(files);
    return status;
}

static apr_status_t remove_orphans(const log_t *log, const files_t *files)
{
    apr_status_t status = APR_SUCCESS;
    int i;

    for (i = 0; i < files->indexes.count && status == APR_SUCCESS; i++)
        if (!has_offset(&files->logs, files->indexes.offsets[i]))
            status = segment_remove(log->path, files->indexes.offsets[i], "");
    return status;
}

/* ---- segments ---------------------------------------------------------- */

static apr_status_t add_found(log_t *log, int64_t base, int64_t next)
{
    char path[SEGMENT_PATH];
    segment_t *segment;
    fs_stat_t stat;
    apr_status_t status;

    status = fs_stat(segment_path(path, log->path, base, ".log"), &stat);
    if (status != APR_SUCCESS)
        return status;
    segment = segment_create(log_dir_cache(log->dir), base, next, stat.size,
                             stat.modified / 1000);
    if (segment == NULL)
        return APR_ENOMEM;
    status = log_add_segment(log, segment);
    if (status != APR_SUCCESS)
        segment_release(segment);
    else
        log_put(&log->bytes, log_get(&log->bytes) + stat.size);
    return status;
}

static apr_status_t find_segments(log_t *log, const offsets_t *bases)
{
    apr_status_t status = APR_SUCCESS;
    int i;

    for (i = 0; i < bases->count && status == APR_SUCCESS; i++) {
        int last = i + 1 == bases->count;

        status =
            add_found(log, bases->offsets[i], bases->offsets[last ? i : i + 1]);
    }
    return status;
}

/* The segment is walked from somewhere on: batches are taken in as if they were
 * appended. */
typedef struct {
    log_t *log;
    segment_t *segment;
    int64_t trusted;     /* below it nothing is checked but headers */
    apr_status_t failed; /* an I/O error, which is no torn tail */
} rebuild_t;

static apr_status_t rebuild_batch(void *baton, int64_t position,
                                  const record_batch_t *batch,
                                  const uint8_t *data)
{
    rebuild_t *rebuild = baton;
    segment_t *segment = rebuild->segment;
    log_t *log = rebuild->log;

    (void)position;
    if (batch->base_offset < segment->next_offset && batch->magic >= 2)
        return TAKHIN_ECORRUPT;
    if (record_batch_last_offset(batch) < segment->next_offset ||
        record_batch_last_offset(batch) - segment->base_offset > INT32_MAX)
        return TAKHIN_ECORRUPT;
    if (data != NULL && batch->base_offset >= rebuild->trusted &&
        record_batch_verify_crc(batch, data) != APR_SUCCESS)
        return TAKHIN_ECORRUPT;
    rebuild->failed = epochs_assign(&log->epochs, batch->partition_leader_epoch,
                                    batch->base_offset);
    if (rebuild->failed == APR_SUCCESS &&
        segment_appended(segment, batch,
                         (uint32_t)log->config.index_interval_bytes))
        rebuild->failed = segment_write_indexes(segment, log->path, log->lock);
    return rebuild->failed;
}

/* As rebuild_batch, but stops where checking must begin. */
static apr_status_t rebuild_trusted(void *baton, int64_t position,
                                    const record_batch_t *batch,
                                    const uint8_t *data)
{
    rebuild_t *rebuild = baton;

    if (batch->base_offset >= rebuild->trusted)
        return APR_EOF;
    (void)data;
    return rebuild_batch(baton, position, batch, NULL);
}

/* Goes back to the last index entry below TRUSTED that the log agrees with, or
 * to the beginning; the segment is then as if it ended there. */
static apr_status_t rewind_segment(log_t *log, segment_t *segment, int64_t size,
                                   int64_t trusted)
{
    int64_t offset = segment->base_offset, position = 0;
    record_batch_t batch;
    apr_status_t status = segment_index_prepare(segment, log->path, log->lock);

    if (status == APR_SUCCESS)
        status = segment_index_before(segment, log->path, trusted, &offset,
                                      &position);
    if (status != APR_SUCCESS)
        return status;
    if (position > 0 &&
        (segment_read_header(segment, position, size, &batch) != APR_SUCCESS ||
         record_batch_last_offset(&batch) != offset ||
         batch.max_timestamp > segment->last_time.timestamp))
        position = 0;
    segment->next_offset =
        position > 0 ? batch.base_offset : segment->base_offset;
    segment->size = position;
    segment->since_entry = 0;
    if (position > 0 &&
        segment_read_header(segment, 0, size, &batch) == APR_SUCCESS)
        segment->first_timestamp = batch.max_timestamp;
    segment->ready = 1;
    /* The entry of the batch at POSITION stays: it is walked again, but with
     * nothing since the last entry it gets no second one. */
    return segment_index_truncate(segment, log->path, log->lock, position + 1,
                                  position > 0 ? offset + 1
                                               : segment->base_offset);
}

/* Checks SEGMENT; *CUT becomes how many bytes make no sense. */
static apr_status_t recover_segment(log_t *log, segment_t *segment,
                                    int64_t trusted, int64_t *cut)
{
    rebuild_t rebuild = {log, segment, trusted, APR_SUCCESS};
    int64_t size = segment->size, end;
    apr_status_t status = segment_pin(segment, log->path);

    if (status != APR_SUCCESS)
        return status;
    status = rewind_segment(log, segment, size, trusted);
    if (status == APR_SUCCESS)
        status = log_scan(segment, segment->size, size, 0, rebuild_trusted,
                          &rebuild, &end);
    if (status == APR_EOF)
        status = APR_SUCCESS;
    if (status == APR_SUCCESS && rebuild.failed == APR_SUCCESS)
        status = log_scan(segment, segment->size, size, 1, rebuild_batch,
                          &rebuild, &end);
    *cut = size - segment->size;
    if (rebuild.failed != APR_SUCCESS)
        status = rebuild.failed;
    else if (status == TAKHIN_ECORRUPT) {
        status = fs_truncate(segment->file, segment->size);
        if (status == APR_SUCCESS) /* before anything is written there */
            status = fs_sync(segment->file);
    }
    if (status == APR_SUCCESS)
        status = segment_write_indexes(segment, log->path, log->lock);
    segment_unpin(segment);
    return status;
}

/* Everything behind segment INDEX lies behind a hole: it goes. */
static apr_status_t drop_behind(log_t *log, int index, int64_t *cut)
{
    int i, count = log->segment_count - index - 1;

    for (i = index + 1; i < log->segment_count; i++)
        *cut += log->segments[i]->size;
    return log_drop_segments(log, index + 1, count, 0);
}

/*
 * What follows segment I does not follow it: the next one begins below its
 * end, or behind a hole. A hole is where the end of a segment was lost that was
 * rolled and not flushed: were it left, a producer that sends the lost
 * batches again would be told that they are there. Only compaction makes holes
 * on purpose.
 */
static int is_torn_off(const log_t *log, int i)
{
    int64_t end = log->segments[i]->next_offset, next;

    if (i + 1 == log->segment_count)
        return 0;
    next = log->segments[i + 1]->base_offset;
    return next < end || (next > end && !log->config.compact);
}

static apr_status_t recover_segments(log_t *log, int64_t recovery_point)
{
    int64_t cut = 0, before = log_get(&log->bytes);
    apr_status_t status = APR_SUCCESS;
    int i = log_segment_at(log, recovery_point);

    for (i = i < 0 ? 0 : i; i < log->segment_count; i++) {
        segment_t *segment = log->segments[i];

        status = recover_segment(log, segment, recovery_point, &cut);
        if (status != APR_SUCCESS)
            return status;
        log_put(&log->bytes, before - cut);
        if (cut > 0 || is_torn_off(log, i)) {
            status = drop_behind(log, i, &cut);
            LOG_WARN(storage,
                     "%s: cut %lld bytes behind offset %lld that were "
                     "not written whole",
                     log->path, (long long)cut,
                     (long long)segment->next_offset);
            break;
        }
        if (i + 1 < log->segment_count) {
            status = segment_finish(segment, log->path, log->lock);
            segment->next_offset = log->segments[i + 1]->base_offset;
        }
    }
    return status;
}

static int is_plausible_end(const segment_t *active, int64_t end)
{
    return end >= active->base_offset &&
           end - active->base_offset <= (int64_t)INT32_MAX + 1 &&
           (active->size > 0) == (end > active->base_offset);
}

/* ---- all of it --------------------------------------------------------- */

static apr_status_t set_offsets(log_t *log, int64_t recovery_point,
                                int64_t start_offset)
{
    int64_t first = log->segments[0]->base_offset;
    int64_t end = log_active(log)->next_offset;
    apr_status_t status = APR_SUCCESS;

    if (start_offset < first)
        start_offset = first;
    log_put(&log->start_offset, start_offset);
    if (start_offset > end) {
        LOG_WARN(storage,
                 "%s: ends at %lld, below its log start offset %lld: "
                 "it begins anew there",
                 log->path, (long long)end, (long long)start_offset);
        status = log_drop_segments(log, 0, log->segment_count, 0);
        end = start_offset;
    }
    log_put(&log->end_offset, end);
    log_put(&log->flushed_offset, recovery_point < end ? recovery_point : end);
    epochs_truncate_end(&log->epochs, end);
    return status;
}

/* Epochs that make no sense are taken from the log, all of it. */
static apr_status_t read_epochs(log_t *log, int64_t *recovery_point, int *clean)
{
    apr_status_t status = epochs_read(&log->epochs, log->path);

    if (status != TAKHIN_ECORRUPT)
        return status;
    LOG_WARN(storage,
             "%s: leader-epoch-checkpoint makes no sense; the epochs "
             "are taken from the log",
             log->path);
    epochs_free(&log->epochs);
    *recovery_point = 0;
    *clean = 0;
    return APR_SUCCESS;
}

apr_status_t log_recover(log_t *log, int64_t recovery_point,
                         int64_t start_offset, int clean, int *has_metadata)
{
    files_t files;
    apr_status_t status = list_files(log, &files);

    if (status != APR_SUCCESS)
        return status;
    *has_metadata = files.metadata;
    if (files.epochs)
        status = read_epochs(log, &recovery_point, &clean);
    if (status == APR_SUCCESS)
        status = remove_orphans(log, &files);
    if (status == APR_SUCCESS)
        status = find_segments(log, &files.logs);
    if (status == APR_SUCCESS && files.snapshots.count > 0)
        log->snapshot_offset =
            files.snapshots.offsets[files.snapshots.count - 1];
    free_files(&files);
    log->dirty_parent = 1;
    if (status != APR_SUCCESS || log->segment_count == 0)
        return status;
    if (clean && is_plausible_end(log_active(log), recovery_point))
        log_active(log)->next_offset = recovery_point;
    else {
        clean = 0;
        status = recover_segments(log, recovery_point);
    }
    /* What a killed process left may be in the system's cache only, and what was
     * removed here is not removed on the device. A log that was empty at a
     * clean stop was not flushed. */
    log->dirty_names = log->dirty_parent =
        !clean || log_active(log)->size == 0;
    if (status == APR_SUCCESS)
        status = set_offsets(log, recovery_point, start_offset);
    if (status == APR_SUCCESS && !(log->flags & LOG_NO_CHECKPOINT))
        status = log_load_producers(log, clean);
    return status;
}
