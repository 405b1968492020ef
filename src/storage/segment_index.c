/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index files of a segment. New entries wait in memory and are written
 * many at a time: whatever a crash loses of them recovery finds again in the
 * log. It must never trust an entry that does not lie above the one before.
 */
#include "storage/segment_index.h"

#include <apr_atomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"

/* ---- entries in their files -------------------------------------------- */

static void put_entry(uint8_t *p, const segment_entry_t *entry)
{
    bytes_put_u32(p, entry->offset);
    bytes_put_u32(p + 4, entry->position);
}

static segment_entry_t get_entry(const uint8_t *p)
{
    segment_entry_t entry = {bytes_get_u32(p), bytes_get_u32(p + 4)};

    return entry;
}

static segment_time_t get_time(const uint8_t *p)
{
    segment_time_t time = {bytes_get_i64(p), bytes_get_u32(p + 8)};

    return time;
}

/* How many of the entries at DATA make sense, from the first on. */
static uint32_t valid_entries(const uint8_t *data, apr_size_t length,
                              int64_t size)
{
    uint32_t count = 0;
    segment_entry_t last = {0, 0};

    while (length - count * SEGMENT_INDEX_ENTRY >= SEGMENT_INDEX_ENTRY) {
        segment_entry_t entry = get_entry(data + count * SEGMENT_INDEX_ENTRY);

        if (entry.position <= last.position ||
            (count > 0 && entry.offset <= last.offset) ||
            (int64_t)entry.position >= size)
            break;
        last = entry;
        count++;
    }
    return count;
}

/* Zeros, which is what a preallocated file ends in, are no entry. */
static int time_is_above(const segment_time_t *time, const segment_time_t *last)
{
    if (time->timestamp == 0 && time->offset == 0)
        return 0;
    return time->timestamp > last->timestamp && time->offset >= last->offset;
}

static uint32_t valid_times(const uint8_t *data, apr_size_t length,
                            segment_time_t *last)
{
    uint32_t count = 0;

    last->timestamp = -1;
    last->offset = 0;
    while (length - count * SEGMENT_TIME_ENTRY >= SEGMENT_TIME_ENTRY) {
        segment_time_t time = get_time(data + count * SEGMENT_TIME_ENTRY);

        if (!time_is_above(&time, last))
            break;
        *last = time;
        count++;
    }
    return count;
}

static apr_status_t open_index(fs_file_t **file, const segment_t *segment,
                               const char *directory, const char *suffix,
                               int flags)
{
    char path[SEGMENT_PATH];

    segment_path(path, directory, segment->base_offset, suffix);
    return fs_open(file, path, flags);
}

/* The whole of an index file, malloc'ed; empty where there is no such file. */
static apr_status_t read_index(const segment_t *segment, const char *directory,
                               const char *suffix, uint8_t **data,
                               apr_size_t *length)
{
    fs_file_t *file;
    apr_off_t size = 0;
    apr_status_t status =
        open_index(&file, segment, directory, suffix, FS_READ_ONLY);

    *data = NULL;
    *length = 0;
    if (APR_STATUS_IS_ENOENT(status))
        return APR_SUCCESS;
    if (status != APR_SUCCESS)
        return status;
    status = fs_size(file, &size);
    if (status == APR_SUCCESS && size > 0) {
        *data = malloc((apr_size_t)size);
        status = *data == NULL
                     ? APR_ENOMEM
                     : fs_read_at(file, 0, *data, (apr_size_t)size, length);
        if (status == APR_EOF)
            status = APR_SUCCESS;
    }
    (void)fs_close(file); /* only read */
    if (status != APR_SUCCESS) {
        free(*data);
        *data = NULL;
        *length = 0;
    }
    return status;
}

/* ---- entries in memory ------------------------------------------------- */

uint32_t segment_index_entries(const segment_t *segment)
{
    return segment->entries_on_disk +
           (uint32_t)(segment->pending ? segment->pending->entries : 0);
}

uint32_t segment_index_times(const segment_t *segment)
{
    return segment->times_on_disk +
           (uint32_t)(segment->pending ? segment->pending->times : 0);
}

static void forget_entries(segment_t *segment)
{
    segment_index_t *index = segment->index;

    segment_cache_account(segment->cache, -(int64_t)index->room *
                                              (int64_t)sizeof(*index->entries));
    free(index->entries);
    index->entries = NULL;
    index->count = index->room = 0;
    index->loaded = 0;
}

static int remember_entry(segment_t *segment, segment_entry_t entry)
{
    segment_index_t *index = segment->index;

    if (index->count == index->room) {
        uint32_t room = index->room == 0 ? 64 : index->room * 2;
        segment_entry_t *entries =
            realloc(index->entries, room * sizeof(*entries));

        if (entries == NULL)
            return 0;
        segment_cache_account(segment->cache, (int64_t)(room - index->room) *
                                                  (int64_t)sizeof(*entries));
        index->entries = entries;
        index->room = room;
    }
    index->entries[index->count++] = entry;
    return 1;
}

int segment_index_add(segment_t *segment, int64_t last_offset, int64_t position)
{
    segment_pending_t *pending = segment->pending;
    segment_entry_t entry = {(uint32_t)(last_offset - segment->base_offset),
                             (uint32_t)position};
    segment_time_t time = {
        segment->max_timestamp,
        (uint32_t)(segment->max_timestamp_offset - segment->base_offset)};

    if (pending == NULL) {
        pending = segment->pending = malloc(sizeof(*pending));
        if (pending == NULL)
            return 0; /* an entry less; the index is sparse anyway */
        pending->entries = pending->times = 0;
    }
    if (pending->entries == SEGMENT_PENDING)
        return 1; /* writing them failed: the same holds */
    pending->entry[pending->entries++] = entry;
    if (time.timestamp > segment->last_time.timestamp) {
        pending->time[pending->times++] = time;
        segment->last_time = time;
    }
    if (segment->index->loaded && !remember_entry(segment, entry))
        forget_entries(segment);
    return pending->entries == SEGMENT_PENDING;
}

static int install_entries(segment_t *segment, const uint8_t *data,
                           uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++)
        if (!remember_entry(segment, get_entry(data + i * SEGMENT_INDEX_ENTRY)))
            return 0;
    for (i = 0; segment->pending && (int)i < segment->pending->entries; i++)
        if (!remember_entry(segment, segment->pending->entry[i]))
            return 0;
    segment->index->loaded = 1;
    return 1;
}

apr_status_t segment_index_load(segment_t *segment, const char *directory,
                                lock_t *lock)
{
    for (;;) {
        apr_status_t status;
        uint8_t *data;
        apr_size_t length;
        uint32_t count, before;
        int current, installed = 1;

        lock_enter(lock);
        before = segment->entries_on_disk;
        lock_leave(lock);
        status = read_index(segment, directory, ".index", &data, &length);
        if (status == APR_SUCCESS && segment_is_replaced(segment)) {
            free(data); /* it may be another's */
            status = APR_ENOENT;
        }
        if (status != APR_SUCCESS)
            return status;
        lock_enter(lock);
        count = valid_entries(data, length, segment->size);
        if (segment->ready && count > segment->entries_on_disk)
            count = segment->entries_on_disk;
        /* Pending entries may have gone to the file since it was read. */
        current = segment->entries_on_disk == before;
        if (current && !segment->index->loaded)
            installed = install_entries(segment, data, count);
        if (!installed)
            forget_entries(segment);
        lock_leave(lock);
        free(data);
        if (!installed)
            return APR_ENOMEM;
        if (current)
            return APR_SUCCESS;
    }
}

void segment_index_floor(const segment_t *segment, int64_t offset,
                         int64_t limit, int64_t *start, int64_t *stop,
                         int64_t *last)
{
    const segment_index_t *index = segment->index;
    int64_t relative = offset - segment->base_offset;
    uint32_t low = 0, high = index->loaded ? index->count : 0;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if ((int64_t)index->entries[middle].offset <= relative)
            low = middle + 1;
        else
            high = middle;
    }
    *last = -1;
    if (low < index->count && (int64_t)index->entries[low].position < limit)
        *stop = index->entries[low].position;
    if (low == 0 || (int64_t)index->entries[low - 1].position >= limit) {
        *start = 0;
        return;
    }
    *start = index->entries[low - 1].position;
    *last = segment->base_offset + (int64_t)index->entries[low - 1].offset;
}

/* ---- to the files ------------------------------------------------------ */

static apr_status_t append_to_index(segment_t *segment, const char *directory,
                                    const char *suffix, apr_off_t offset,
                                    const uint8_t *data, apr_size_t length)
{
    fs_file_t *file;
    apr_status_t status, closed;

    status =
        open_index(&file, segment, directory, suffix, FS_WRITABLE | FS_CREATE);
    if (status != APR_SUCCESS)
        return status;
    if (length > 0) {
        apr_atomic_set32(&segment->unsynced, 1);
        status = fs_write_at(file, offset, data, length);
    }
    closed = fs_close(file);
    return status == APR_SUCCESS ? closed : status;
}

apr_status_t segment_index_create_files(segment_t *segment,
                                        const char *directory)
{
    apr_status_t status =
        append_to_index(segment, directory, ".index", 0, NULL, 0);

    if (status != APR_SUCCESS)
        return status;
    return append_to_index(segment, directory, ".timeindex", 0, NULL, 0);
}

apr_status_t segment_write_indexes(segment_t *segment, const char *directory,
                                   lock_t *lock)
{
    uint8_t data[SEGMENT_PENDING * SEGMENT_TIME_ENTRY];
    segment_pending_t *pending = segment->pending;
    apr_status_t status = APR_SUCCESS;
    int i;

    /* Only appends change these, and the caller keeps them away. */
    if (pending == NULL || !segment->ready)
        return APR_SUCCESS;
    /* Times first: who finds an entry in .index after a kill may believe
     * that .timeindex knows as much. */
    if (pending->times > 0) {
        for (i = 0; i < pending->times; i++) {
            bytes_put_i64(data + i * SEGMENT_TIME_ENTRY,
                          pending->time[i].timestamp);
            bytes_put_u32(data + i * SEGMENT_TIME_ENTRY + 8,
                          pending->time[i].offset);
        }
        status = append_to_index(
            segment, directory, ".timeindex",
            (apr_off_t)segment->times_on_disk * SEGMENT_TIME_ENTRY, data,
            (apr_size_t)pending->times * SEGMENT_TIME_ENTRY);
    }
    if (status == APR_SUCCESS && pending->entries > 0) {
        for (i = 0; i < pending->entries; i++)
            put_entry(data + i * SEGMENT_INDEX_ENTRY, &pending->entry[i]);
        status = append_to_index(
            segment, directory, ".index",
            (apr_off_t)segment->entries_on_disk * SEGMENT_INDEX_ENTRY, data,
            (apr_size_t)pending->entries * SEGMENT_INDEX_ENTRY);
    }
    if (status != APR_SUCCESS)
        return status;
    lock_enter(lock);
    segment->entries_on_disk += (uint32_t)pending->entries;
    segment->times_on_disk += (uint32_t)pending->times;
    pending->entries = pending->times = 0;
    lock_leave(lock);
    return APR_SUCCESS;
}

apr_status_t segment_quiet(segment_t *segment, const char *directory,
                           lock_t *lock)
{
    apr_status_t status = segment_write_indexes(segment, directory, lock);

    if (status != APR_SUCCESS || segment->pending == NULL)
        return status;
    lock_enter(lock);
    free(segment->pending);
    segment->pending = NULL;
    lock_leave(lock);
    return APR_SUCCESS;
}

apr_status_t segment_finish(segment_t *segment, const char *directory,
                            lock_t *lock)
{
    apr_status_t status = segment_quiet(segment, directory, lock);
    uint8_t data[SEGMENT_TIME_ENTRY];
    segment_time_t last = {
        segment->max_timestamp,
        (uint32_t)(segment->max_timestamp_offset - segment->base_offset)};

    if (status != APR_SUCCESS || !segment->ready ||
        last.timestamp <= segment->last_time.timestamp)
        return status;
    bytes_put_i64(data, last.timestamp);
    bytes_put_u32(data + 8, last.offset);
    status =
        append_to_index(segment, directory, ".timeindex",
                        (apr_off_t)segment->times_on_disk * SEGMENT_TIME_ENTRY,
                        data, sizeof(data));
    if (status != APR_SUCCESS)
        return status;
    lock_enter(lock);
    segment->last_time = last;
    segment->times_on_disk++;
    lock_leave(lock);
    return APR_SUCCESS;
}

static apr_status_t sync_index(segment_t *segment, const char *directory,
                               const char *suffix)
{
    fs_file_t *file;
    apr_status_t status =
        open_index(&file, segment, directory, suffix, FS_WRITABLE);
    apr_status_t closed;

    if (APR_STATUS_IS_ENOENT(status))
        return APR_SUCCESS; /* it will be rebuilt */
    if (status != APR_SUCCESS)
        return status;
    status = fs_sync(file);
    closed = fs_close(file);
    return status == APR_SUCCESS ? closed : status;
}

apr_status_t segment_sync_indexes(segment_t *segment, const char *directory)
{
    apr_status_t status;

    if (apr_atomic_xchg32(&segment->unsynced, 0) == 0)
        return APR_SUCCESS;
    status = sync_index(segment, directory, ".index");
    if (status != APR_SUCCESS)
        return status;
    return sync_index(segment, directory, ".timeindex");
}

/* ---- from the files ---------------------------------------------------- */

/* Cuts the file SUFFIX at LENGTH when it is longer. */
static apr_status_t cut_index(const segment_t *segment, const char *directory,
                              const char *suffix, apr_off_t length)
{
    fs_file_t *file;
    apr_off_t size;
    apr_status_t status =
        open_index(&file, segment, directory, suffix, FS_WRITABLE | FS_CREATE);

    if (status != APR_SUCCESS)
        return status;
    status = fs_size(file, &size);
    if (status == APR_SUCCESS && size > length)
        status = fs_truncate(file, length);
    (void)fs_close(file); /* nothing was written that a close could lose */
    return status;
}

apr_status_t segment_index_prepare(segment_t *segment, const char *directory,
                                   lock_t *lock)
{
    apr_status_t status;
    uint8_t *data;
    apr_size_t length;
    segment_time_t last;
    uint32_t entries, times;

    status = read_index(segment, directory, ".index", &data, &length);
    if (status != APR_SUCCESS)
        return status;
    entries = valid_entries(data, length, segment->size);
    free(data);
    status = read_index(segment, directory, ".timeindex", &data, &length);
    if (status != APR_SUCCESS)
        return status;
    times = valid_times(data, length, &last);
    free(data);
    lock_enter(lock);
    segment->entries_on_disk = entries;
    segment->times_on_disk = times;
    segment->last_time = last;
    if (last.timestamp > segment->max_timestamp) {
        segment->max_timestamp = last.timestamp;
        segment->max_timestamp_offset = segment->base_offset + last.offset;
    }
    lock_leave(lock);
    status = cut_index(segment, directory, ".index",
                       (apr_off_t)entries * SEGMENT_INDEX_ENTRY);
    if (status != APR_SUCCESS)
        return status;
    return cut_index(segment, directory, ".timeindex",
                     (apr_off_t)times * SEGMENT_TIME_ENTRY);
}

apr_status_t segment_index_truncate(segment_t *segment, const char *directory,
                                    lock_t *lock, int64_t position,
                                    int64_t next)
{
    apr_status_t status;
    uint8_t *data;
    apr_size_t length;
    segment_time_t last = {-1, 0};
    uint32_t entries, times = 0;

    status = read_index(segment, directory, ".index", &data, &length);
    if (status != APR_SUCCESS)
        return status;
    entries = valid_entries(data, length, position);
    free(data);
    status = read_index(segment, directory, ".timeindex", &data, &length);
    if (status != APR_SUCCESS)
        return status;
    while (length - times * SEGMENT_TIME_ENTRY >= SEGMENT_TIME_ENTRY) {
        segment_time_t time = get_time(data + times * SEGMENT_TIME_ENTRY);

        if (!time_is_above(&time, &last) ||
            segment->base_offset + (int64_t)time.offset >= next)
            break;
        last = time;
        times++;
    }
    free(data);
    lock_enter(lock);
    if (segment->index->loaded)
        forget_entries(segment);
    segment->entries_on_disk = entries;
    segment->times_on_disk = times;
    segment->last_time = last;
    segment->max_timestamp = last.timestamp;
    segment->max_timestamp_offset = segment->base_offset + last.offset;
    lock_leave(lock);
    status = cut_index(segment, directory, ".index",
                       (apr_off_t)entries * SEGMENT_INDEX_ENTRY);
    if (status == APR_SUCCESS)
        status = cut_index(segment, directory, ".timeindex",
                           (apr_off_t)times * SEGMENT_TIME_ENTRY);
    return status;
}

apr_status_t segment_index_before(segment_t *segment, const char *directory,
                                  int64_t offset_limit, int64_t *offset,
                                  int64_t *position)
{
    uint8_t *data;
    apr_size_t length;
    uint32_t count, i;
    apr_status_t status =
        read_index(segment, directory, ".index", &data, &length);

    *offset = segment->base_offset;
    *position = 0;
    if (status != APR_SUCCESS)
        return status;
    count = valid_entries(data, length, segment->size);
    for (i = 0; i < count; i++) {
        segment_entry_t entry = get_entry(data + i * SEGMENT_INDEX_ENTRY);

        if (segment->base_offset + (int64_t)entry.offset >= offset_limit)
            break;
        *offset = segment->base_offset + (int64_t)entry.offset;
        *position = entry.position;
    }
    free(data);
    return APR_SUCCESS;
}

/* ---- by time ----------------------------------------------------------- */

/* The last entry of the time index at or below TIMESTAMP, by binary search in
 * the file. Zeros at its end count as above everything. */
static apr_status_t time_floor(const segment_t *segment, const char *directory,
                               int64_t timestamp, segment_time_t *found)
{
    fs_file_t *file;
    apr_off_t size = 0;
    int64_t low = 0, high;
    apr_status_t status =
        open_index(&file, segment, directory, ".timeindex", FS_READ_ONLY);

    found->timestamp = -1;
    found->offset = 0;
    if (APR_STATUS_IS_ENOENT(status))
        return APR_SUCCESS;
    if (status != APR_SUCCESS)
        return status;
    status = fs_size(file, &size);
    high = size / SEGMENT_TIME_ENTRY;
    while (status == APR_SUCCESS && low < high) {
        int64_t middle = low + (high - low) / 2;
        uint8_t data[SEGMENT_TIME_ENTRY];
        segment_time_t time;

        status = fs_read_at(file, middle * SEGMENT_TIME_ENTRY, data,
                            sizeof(data), NULL);
        if (status != APR_SUCCESS)
            break;
        time = get_time(data);
        if (time.timestamp <= timestamp &&
            (time.timestamp != 0 || time.offset != 0)) {
            *found = time;
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    (void)fs_close(file); /* only read */
    return status == APR_EOF ? APR_SUCCESS : status;
}

apr_status_t segment_time_floor(segment_t *segment, const char *directory,
                                lock_t *lock, int64_t timestamp,
                                int64_t *offset)
{
    segment_time_t found;
    apr_status_t status = time_floor(segment, directory, timestamp, &found);
    int i;

    if (status != APR_SUCCESS)
        return status;
    lock_enter(lock);
    for (i = 0; segment->pending && i < segment->pending->times; i++)
        if (segment->pending->time[i].timestamp <= timestamp &&
            segment->pending->time[i].timestamp > found.timestamp)
            found = segment->pending->time[i];
    lock_leave(lock);
    *offset = segment->base_offset + (int64_t)found.offset;
    return APR_SUCCESS;
}

apr_status_t segment_max_timestamp(segment_t *segment, const char *directory,
                                   lock_t *lock, int64_t *timestamp,
                                   int64_t *offset)
{
    segment_time_t last;
    apr_status_t status;

    lock_enter(lock);
    *timestamp = segment->max_timestamp;
    *offset = segment->max_timestamp_offset;
    if (segment->ready || *timestamp >= 0) {
        lock_leave(lock);
        return APR_SUCCESS;
    }
    lock_leave(lock);
    status = time_floor(segment, directory, INT64_MAX, &last);
    if (status != APR_SUCCESS || last.timestamp < 0)
        return status;
    lock_enter(lock);
    if (last.timestamp > segment->max_timestamp) {
        segment->max_timestamp = last.timestamp;
        segment->max_timestamp_offset = segment->base_offset + last.offset;
    }
    *timestamp = segment->max_timestamp;
    *offset = segment->max_timestamp_offset;
    lock_leave(lock);
    return APR_SUCCESS;
}
