/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing the segment that takes the place of others; see cleaned_segment.h.
 * It must never touch a file that is not a ".cleaned" one.
 */
#include "storage/cleaned_segment.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "storage/log_private.h"

#define INDEX_BUFFER (16 << 10)
#define COPY_FROM    (32 << 10) /* a shorter range costs less through memory */

/* ---- a growing file ----------------------------------------------------- */

static apr_status_t open_file(const cleaned_segment_t *segment,
                              cleaned_file_t *file)
{
    char path[SEGMENT_PATH];

    if (file->file != NULL)
        return APR_SUCCESS;
    segment_path(path, segment->directory, segment->base_offset, file->suffix);
    return fs_open(&file->file, path, FS_WRITABLE | FS_CREATE | FS_TRUNCATED);
}

static apr_status_t flush_file(const cleaned_segment_t *segment,
                               cleaned_file_t *file)
{
    apr_status_t status = open_file(segment, file);

    if (status != APR_SUCCESS || file->used == 0)
        return status;
    status = fs_write_at(file->file, file->written, file->pending, file->used);
    file->written += (apr_off_t)file->used;
    file->used = 0;
    return status;
}

/* Room for LENGTH bytes at the end of what is pending. A length above the
 * whole buffer has to be written on its own. */
static apr_status_t make_room(const cleaned_segment_t *segment,
                              cleaned_file_t *file, apr_size_t length)
{
    if (file->pending == NULL) {
        file->pending = malloc(file->room);
        if (file->pending == NULL)
            return APR_ENOMEM;
    }
    if (length <= file->room - file->used)
        return APR_SUCCESS;
    return flush_file(segment, file);
}

static apr_status_t put(const cleaned_segment_t *segment, cleaned_file_t *file,
                        const uint8_t *data, apr_size_t length)
{
    apr_status_t status = make_room(segment, file, length);

    if (status != APR_SUCCESS)
        return status;
    if (length > file->room) {
        status = open_file(segment, file);
        if (status == APR_SUCCESS)
            status = fs_write_at(file->file, file->written, data, length);
        file->written += (apr_off_t)length;
        return status;
    }
    memcpy(file->pending + file->used, data, length);
    file->used += length;
    return APR_SUCCESS;
}

/* ---- begin and note ----------------------------------------------------- */

void cleaned_segment_begin(cleaned_segment_t *segment, const char *directory,
                           int64_t base_offset, uint32_t interval,
                           apr_size_t buffer_bytes)
{
    static const char *const suffixes[CLEANED_FILES] = {
        ".log.cleaned", ".index.cleaned", ".timeindex.cleaned",
        ".txnindex.cleaned"};
    int i;

    memset(segment, 0, sizeof(*segment));
    segment->directory = directory;
    segment->base_offset = base_offset;
    segment->interval = interval;
    segment->largest_timestamp = segment->last_time.timestamp = -1;
    for (i = 0; i < CLEANED_FILES; i++) {
        segment->files[i].suffix = suffixes[i];
        segment->files[i].room = i == CLEANED_LOG ? buffer_bytes : INDEX_BUFFER;
    }
}

static apr_status_t put_time(cleaned_segment_t *segment)
{
    uint8_t entry[SEGMENT_TIME_ENTRY];

    if (segment->largest_timestamp <= segment->last_time.timestamp)
        return APR_SUCCESS;
    segment->last_time.timestamp = segment->largest_timestamp;
    segment->last_time.offset = segment->largest_offset;
    bytes_put_i64(entry, segment->last_time.timestamp);
    bytes_put_u32(entry + 8, segment->last_time.offset);
    return put(segment, &segment->files[CLEANED_TIMES], entry, sizeof(entry));
}

apr_status_t cleaned_segment_note(cleaned_segment_t *segment,
                                  const record_batch_t *batch)
{
    int64_t last = record_batch_last_offset(batch) - segment->base_offset;
    uint32_t size = (uint32_t)record_batch_size(batch);
    apr_status_t status = APR_SUCCESS;
    uint8_t entry[SEGMENT_INDEX_ENTRY];

    /* Recompressed it may have outgrown what Kafka can open. */
    if (last > INT32_MAX || segment->size + size > INT32_MAX)
        return TAKHIN_ETOOBIG;
    if (batch->max_timestamp > segment->largest_timestamp) {
        segment->largest_timestamp = batch->max_timestamp;
        segment->largest_offset = (uint32_t)last;
    }
    if (segment->since_entry > segment->interval && segment->size > 0) {
        bytes_put_u32(entry, (uint32_t)last);
        bytes_put_u32(entry + 4, (uint32_t)segment->size);
        status =
            put(segment, &segment->files[CLEANED_INDEX], entry, sizeof(entry));
        if (status == APR_SUCCESS)
            status = put_time(segment);
        segment->since_entry = 0;
    }
    segment->since_entry += size;
    segment->size += size;
    return status;
}

/* ---- batches ------------------------------------------------------------ */

apr_status_t cleaned_segment_write(cleaned_segment_t *segment,
                                   const uint8_t *data, apr_size_t length)
{
    return put(segment, &segment->files[CLEANED_LOG], data, length);
}

/* The system moves the bytes; whoever stands between is told all the same. */
static apr_status_t copy_range(cleaned_file_t *to, fs_file_t *from,
                               apr_off_t position, apr_off_t length,
                               takhin_zerocopy_counters_t *counters)
{
    apr_off_t copied = 0;
    apr_status_t status = fs_copy_begins(to->file, to->written, length);

    if (status == APR_SUCCESS)
        status = takhin_copy_file_range(from->file, position, to->file->file,
                                        to->written, length, counters, &copied);
    if (status == APR_SUCCESS)
        fs_copy_ended(to->file, to->written, length);
    to->written += copied;
    /* The file is shorter than its segment: no disk's failure. */
    return status == APR_EOF ? TAKHIN_ECORRUPT : status;
}

apr_status_t cleaned_segment_copy(cleaned_segment_t *segment, fs_file_t *from,
                                  apr_off_t position, apr_off_t length,
                                  takhin_zerocopy_counters_t *counters)
{
    cleaned_file_t *log = &segment->files[CLEANED_LOG];
    apr_status_t status;

    if (length < COPY_FROM && length <= (apr_off_t)log->room) {
        status = make_room(segment, log, (apr_size_t)length);
        if (status == APR_SUCCESS)
            status = fs_read_at(from, position, log->pending + log->used,
                                (apr_size_t)length, NULL);
        log->used += (apr_size_t)length;
        return status == APR_EOF ? TAKHIN_ECORRUPT : status;
    }
    status = flush_file(segment, log);
    if (status == APR_SUCCESS)
        status = copy_range(log, from, position, length, counters);
    return status;
}

apr_status_t cleaned_segment_txn(cleaned_segment_t *segment,
                                 const producer_txn_t *txn)
{
    uint8_t entry[TXN_INDEX_ENTRY];

    txn_index_encode(entry, txn);
    return put(segment, &segment->files[CLEANED_TXNS], entry, sizeof(entry));
}

/* ---- the end ------------------------------------------------------------ */

static apr_status_t finish_file(const cleaned_segment_t *segment,
                                cleaned_file_t *file, int64_t modified_ms)
{
    apr_status_t status = flush_file(segment, file), closed;

    if (status == APR_SUCCESS)
        status = fs_sync(file->file);
    if (file->file == NULL)
        return status;
    fs_set_modified(file->file, (apr_time_t)modified_ms * 1000);
    closed = fs_close(file->file);
    file->file = NULL;
    return status == APR_SUCCESS ? closed : status;
}

apr_status_t cleaned_segment_finish(cleaned_segment_t *segment,
                                    int64_t modified_ms)
{
    apr_status_t status = put_time(segment);
    int i;

    for (i = 0; i < CLEANED_FILES && status == APR_SUCCESS; i++) {
        cleaned_file_t *file = &segment->files[i];

        /* The other three are always there. */
        if (i != CLEANED_TXNS || file->file != NULL || file->used > 0)
            status = finish_file(segment, file, modified_ms);
    }
    return status;
}

void cleaned_segment_end(cleaned_segment_t *segment, int remove)
{
    int i;

    for (i = 0; i < CLEANED_FILES; i++) {
        if (segment->files[i].file != NULL)
            (void)fs_close(segment->files[i].file); /* it is given up */
        free(segment->files[i].pending);
        segment->files[i].file = NULL;
        segment->files[i].pending = NULL;
    }
    /* What stays there the next start removes. */
    if (remove)
        (void)segment_remove(segment->directory, segment->base_offset,
                             ".cleaned");
}
