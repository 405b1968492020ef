/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment: one .log file with its .index and .timeindex, in Kafka's format.
 *
 *   .log        record batches, one behind the other
 *   .index      8 bytes an entry: last offset of a batch, relative to the
 *               segment's base offset; position of that batch's first byte
 *   .timeindex  12 bytes an entry: largest timestamp so far; relative offset
 *               of the last record of the batch that had it
 *
 * An entry is written for a batch when more than index.interval.bytes of
 * batches lie behind the last entry. Indexes are a help, never the truth: they
 * are read up to the first entry that makes no sense, which is also how one
 * that Kafka preallocated and did not trim is understood.
 *
 * A segment is counted by reference. Its file is open only while someone needs
 * it: who reads or writes pins it. What is open and not pinned stays in a
 * bounded cache. A segment must never be memory mapped.
 *
 * Fields are guarded by the lock of the log that owns the segment unless they
 * say otherwise; functions say which lock they expect.
 */
#ifndef TAKHIN_STORAGE_SEGMENT_H
#define TAKHIN_STORAGE_SEGMENT_H

#include <apr_thread_mutex.h>
#include <stdint.h>

#include "base/fs.h"
#include "base/lock.h"
#include "record/batch.h"
#include "storage/read_range.h"

/* ---- the cache of open files ------------------------------------------- */

typedef struct segment_cache_t segment_cache_t;

/* At most MAX_OPEN files (log.max.open.files) and MAX_INDEX_BYTES of loaded
 * indexes, as far as pins allow. Lives as long as POOL. */
apr_status_t segment_cache_create(segment_cache_t **cache, int max_open,
                                  int64_t max_index_bytes, apr_pool_t *pool);
int segment_cache_open_files(segment_cache_t *cache);
/* Closes what was not used since the last call. */
void segment_cache_sweep(segment_cache_t *cache);
/* A loaded index grew by BYTES. Any thread. */
void segment_cache_account(segment_cache_t *cache, int64_t bytes);

/* ---- a segment --------------------------------------------------------- */

#define SEGMENT_INDEX_ENTRY 8
#define SEGMENT_TIME_ENTRY  12
#define SEGMENT_PENDING     128
#define SEGMENT_HINTS       8

typedef struct {
    uint32_t offset; /* relative to the base offset */
    uint32_t position;
} segment_entry_t;

typedef struct {
    int64_t timestamp;
    uint32_t offset;
} segment_time_t;

/* Index entries that are not in their files yet. */
typedef struct {
    int entries;
    int times;
    segment_entry_t entry[SEGMENT_PENDING];
    segment_time_t time[SEGMENT_PENDING];
} segment_pending_t;

/* The first batch whose last offset is at or above OFFSET begins at POSITION.
 */
typedef struct {
    int64_t offset;
    int64_t position;
} segment_hint_t;

/* What comes with an open file and goes with it. */
typedef struct {
    segment_entry_t *entries;
    uint32_t count;
    uint32_t room;
    unsigned loaded : 1;
    segment_hint_t hints[SEGMENT_HINTS];
} segment_index_t;

struct segment_t {
    apr_uint32_t references; /* atomic */
    apr_uint32_t pins;       /* atomic; SEGMENT_CLOSED while it has no file */
    segment_cache_t *cache;
    segment_t *newer, *older;     /* the cache's ring; the cache's mutex */
    fs_file_t *file;              /* while pinned */
    segment_index_t *index;       /* while pinned, and under the log's lock */
    int64_t base_offset;          /* never changes */
    int64_t next_offset;          /* last offset + 1; the base when empty */
    int64_t size;                 /* bytes of whole batches */
    int64_t created;              /* ms */
    int64_t first_timestamp;      /* first batch's largest, -1 none; ready */
    int64_t max_timestamp;        /* -1 none */
    int64_t max_timestamp_offset; /* last offset of the batch that has it */
    segment_time_t last_time; /* last time index entry; timestamp -1: none */
    segment_pending_t *pending;
    uint32_t entries_on_disk;       /* ready */
    uint32_t times_on_disk;         /* ready */
    uint32_t since_entry;           /* bytes of batches since the last entry */
    uint32_t largest_batch;         /* UINT32_MAX: not known */
    apr_uint32_t touched;           /* used since the cache looked last */
    volatile apr_uint32_t replaced; /* atomic: its files' names are another
                                  segment's, or soon will be */
    unsigned ready : 1;             /* index sizes and timestamps are known */
    apr_uint32_t unsynced; /* atomic: index files hold what is not flushed */
};

/* The names of a segment's files. BUFFER has room for SEGMENT_PATH bytes. */
#define SEGMENT_PATH 4096
char *segment_path(char *buffer, const char *directory, int64_t base_offset,
                   const char *suffix);

/* A segment of SIZE bytes with one reference; touches no file. NULL when there
 * is no memory. */
segment_t *segment_create(segment_cache_t *cache, int64_t base_offset,
                          int64_t next_offset, int64_t size, int64_t now_ms);
void segment_retain(segment_t *segment);
void segment_release(segment_t *segment);

/* Says that its files were replaced: from here on it is not opened any more
 * (APR_ENOENT); who has it pinned goes on with the file as it was. */
void segment_set_replaced(segment_t *segment);
int segment_is_replaced(const segment_t *segment);

/* Pins SEGMENT's file open; no lock held. */
apr_status_t segment_pin(segment_t *segment, const char *directory);
/* Pins it if that needs no system call; any lock held. */
int segment_try_pin(segment_t *segment);
void segment_unpin(segment_t *segment);

/* Creates the empty .log file of SEGMENT and leaves it pinned. A size of
 * PREALLOCATE above 0 asks for that much room on the device. */
apr_status_t segment_create_file(segment_t *segment, const char *directory,
                                 int64_t preallocate);

/*
 * Makes index sizes and timestamps known, from the index files and the first
 * batch, once: before the first append to a segment that was found on disk.
 * SEGMENT is pinned; the caller keeps appends away, LOCK is not held.
 */
apr_status_t segment_prepare(segment_t *segment, const char *directory,
                             lock_t *lock);

/*
 * Notes that BATCH was written at the segment's end, which moves behind it.
 * Returns 1 when the pending index entries must be written before the next
 * call. The log's lock is held, the segment is pinned and ready.
 */
int segment_appended(segment_t *segment, const record_batch_t *batch,
                     uint32_t index_interval);

/* Writes the pending index entries to their files. The caller keeps appends
 * away; LOCK is the log's, not held. */
apr_status_t segment_write_indexes(segment_t *segment, const char *directory,
                                   lock_t *lock);

/* The same, and gives their memory back: for a log that is idle. */
apr_status_t segment_quiet(segment_t *segment, const char *directory,
                           lock_t *lock);

/* As a segment is rolled or closed: the largest timestamp gets its entry in
 * the time index. Same conditions. */
apr_status_t segment_finish(segment_t *segment, const char *directory,
                            lock_t *lock);

/* Gives back what was preallocated behind the segment's end. */
apr_status_t segment_trim(segment_t *segment, const char *directory);

/* Flushes the index files, too, when they were written since. */
apr_status_t segment_sync_indexes(segment_t *segment, const char *directory);

/*
 * Sets *POSITION to the first byte of the first batch whose last offset is at
 * or above OFFSET, or to LIMIT when there is none below it. LIMIT is the
 * segment's size as the caller saw it, NEXT the next offset that went with it.
 * *BATCH_SIZE becomes that batch's size, or 0 when it was not needed to read
 * it. The segment is pinned, LOCK not held.
 */
apr_status_t segment_find(segment_t *segment, const char *directory,
                          lock_t *lock, int64_t offset, int64_t limit,
                          int64_t next, int64_t *position,
                          uint32_t *batch_size);

/* Reads the header of the batch at POSITION. APR_EOF at LIMIT or when the
 * header does not fit before it. Pinned. */
apr_status_t segment_read_header(segment_t *segment, int64_t position,
                                 int64_t limit, record_batch_t *batch);

/* Remembers a batch boundary for readers that go on there. Lock held, pinned.
 */
void segment_hint(segment_t *segment, int64_t offset, int64_t position);

/*
 * The position of the last batch that the time index says is not later than
 * needed to find the first record with a timestamp at or above TIMESTAMP:
 * *OFFSET is where to start to look. Pinned or not; LOCK not held.
 */
apr_status_t segment_time_floor(segment_t *segment, const char *directory,
                                lock_t *lock, int64_t timestamp,
                                int64_t *offset);

/* The largest timestamp and where, from memory or the time index's last entry;
 * -1 when the segment has none. */
apr_status_t segment_max_timestamp(segment_t *segment, const char *directory,
                                   lock_t *lock, int64_t *timestamp,
                                   int64_t *offset);

/* Cuts .log and indexes at POSITION, the first byte of a batch; NEXT becomes
 * the next offset. The caller keeps appends away; pinned. */
apr_status_t segment_truncate(segment_t *segment, const char *directory,
                              lock_t *lock, int64_t position, int64_t next);

/* Renames .log and indexes by putting SUFFIX behind (or taking it away). Files
 * that are not there are no error, except the .log. */
apr_status_t segment_rename(const char *directory, int64_t base_offset,
                            const char *old_suffix, const char *new_suffix);
apr_status_t segment_remove(const char *directory, int64_t base_offset,
                            const char *suffix);

#endif
