/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log from inside: for the files log*.c and log_dir.c only.
 *
 * Three locks. The append lock is held by who changes the log's end or its set
 * of segments, also over I/O. The flush lock is held by who flushes. The lock is
 * held for a look or a change of what readers see, never over I/O. Order: append
 * lock, flush lock, lock, the segment cache's mutex. Numbers that others read
 * without a lock are atomic.
 */
#ifndef TAKHIN_STORAGE_LOG_PRIVATE_H
#define TAKHIN_STORAGE_LOG_PRIVATE_H

#include <apr_atomic.h>
#include <apr_thread_mutex.h>

#include "base/lock.h"
#include "storage/epochs.h"
#include "storage/log.h"
#include "storage/log_dir.h"
#include "storage/producer_state.h"
#include "storage/segment.h"

#define LOG_RECENT 8

typedef struct {
    int64_t offset;
    int64_t position;
} log_boundary_t;

enum { LOG_DELETED = 1, LOG_CLOSED = 2 };

struct log_t {
    apr_uint32_t references;     /* atomic */
    volatile apr_uint32_t state; /* atomic; LOG_DELETED and so on */
    log_dir_t *dir;
    char *name;
    char *path; /* its directory, also when it was renamed to be
                   deleted: who opens looks at the state after */
    lock_t *flush_lock; /* one flush at a time, so that nobody says flushed
                           while another is still at the names */
    lock_t *append_lock;
    lock_t *lock;
    volatile apr_uint64_t start_offset;   /* atomic */
    volatile apr_uint64_t end_offset;     /* atomic */
    volatile apr_uint64_t flushed_offset; /* atomic; the recovery point */
    volatile apr_uint64_t high_watermark; /* atomic */
    volatile apr_uint64_t first_unstable; /* atomic; INT64_MAX: none */
    volatile apr_uint64_t bytes;          /* atomic */
    segment_t **segments; /* ascending; the last is active. Changed with
                             both locks held */
    int segment_count;
    int segment_room;
    log_boundary_t recent[LOG_RECENT]; /* ends of the last appends in the
                                          active segment; lock */
    unsigned recent_next;
    int64_t jitter_ms;           /* of the active segment */
    producer_state_t *producers; /* append lock; NULL until one comes */
    int64_t snapshot_offset; /* of the newest snapshot, -1 none; append lock */
    int dirty_txns;             /* a transaction index is not flushed; append
                                   lock */
    epochs_t epochs;         /* lock */
    volatile apr_uint32_t has_ended; /* atomic: transactions wait for the
                                        high watermark */
    int64_t unflushed;       /* messages since the last flush; append lock */
    apr_time_t last_flush;   /* monotonic; lock */
    log_listener_t listener; /* lock */
    log_config_t config;     /* lock; read with the append lock, too */
    int flags;
    unsigned dirty_names : 1;   /* the directory's entries need a flush; lock */
    unsigned dirty_parent : 1;  /* and so does its own entry; lock */
    unsigned truncations;       /* lock */
    volatile apr_uint32_t swaps; /* atomic; odd while segments are replaced */
    volatile apr_uint32_t uncleanable; /* atomic: a compaction failed on it */
    /* the directory's */
    log_t *next, *previous; /* all logs of the directory; its mutex */
    log_t *next_flush;      /* the flusher's queue; its mutex */
    unsigned queued : 1;    /* in it; the directory's mutex */
    unsigned flushing : 1;  /* a flusher is at it; the directory's mutex */
    unsigned again : 1;     /* and was asked meanwhile to do so again */
};

static inline int64_t log_get(const volatile apr_uint64_t *value)
{
    return (int64_t)apr_atomic_read64((volatile apr_uint64_t *)value);
}

static inline void log_put(volatile apr_uint64_t *value, int64_t to)
{
    apr_atomic_set64(value, (apr_uint64_t)to);
}

static inline segment_t *log_active(const log_t *log)
{
    return log->segments[log->segment_count - 1];
}

/* The segment that holds or would hold OFFSET; -1 below the first. Lock. */
int log_segment_at(const log_t *log, int64_t offset);

/* Calls the listener, no lock held. */
void log_tell_flushed(log_t *log);
void log_tell_gone(log_t *log);

/* An I/O error while doing WHAT: takes the directory offline, unless it is one
 * that only means "try again later" (no space). Returns STATUS. */
apr_status_t log_failed(log_t *log, apr_status_t status, const char *what);

/* As log_flush, with the append lock held: the listener is not told, so the
 * flusher must be asked, too. */
apr_status_t log_flush_untold(log_t *log);

/* Puts SEGMENT behind the others. APR_ENOMEM. The append lock is held. */
apr_status_t log_add_segment(log_t *log, segment_t *segment);

/* Creates a segment that begins at OFFSET, as the active one. */
apr_status_t log_begin_segment(log_t *log, int64_t offset);

/* Closes the active segment off and goes on in one that begins at OFFSET. The
 * append lock is held. */
apr_status_t log_roll(log_t *log, int64_t offset);

/* Takes COUNT segments from index FIRST on out of the log and deletes their
 * files after DELAY_MS (0: now). The append lock is held. */
apr_status_t log_drop_segments(log_t *log, int first, int count,
                               int64_t delay_ms);

/* Feeds one batch into the producer state and transaction index. Append lock.
 */
apr_status_t log_track_producer(log_t *log, segment_t *segment,
                                const record_batch_t *batch,
                                const uint8_t *data);

/* Writes a snapshot at the log's end when there is something to say. Append
 * lock. */
apr_status_t log_snapshot(log_t *log);
/* Removes snapshots below START and above END that no segment begins at. */
apr_status_t log_remove_snapshots(log_t *log, int64_t below, int64_t above);
/* Producer state as of the log's end, from the newest snapshot at or below
 * it and the batches behind that. Append lock. */
apr_status_t log_load_producers(log_t *log, int clean);
void log_update_unstable(log_t *log);

/* Finds segments, epochs, producers and the log's end; see log_recovery.c.
 * *HAS_METADATA: partition.metadata is there. ENOENT: the directory is not. */
apr_status_t log_recover(log_t *log, int64_t recovery_point,
                         int64_t start_offset, int clean, int *has_metadata);

/*
 * Walks the batches of SEGMENT from POSITION on, to LIMIT. EACH gets each
 * header and, with WHOLE, the batch's bytes, otherwise NULL except for control
 * batches. It stops at the first status that EACH returns. *END is behind the
 * last batch that EACH accepted. TAKHIN_ECORRUPT where a header makes no sense
 * or the batch does not fit. SEGMENT is pinned.
 */
typedef apr_status_t log_scan_each_t(void *baton, int64_t position,
                                     const record_batch_t *batch,
                                     const uint8_t *data);
apr_status_t log_scan(segment_t *segment, int64_t position, int64_t limit,
                      int whole, log_scan_each_t *each, void *baton,
                      int64_t *end);
/* The same, reading WINDOW_BYTES at a time (more for a larger batch). */
apr_status_t log_scan_by(segment_t *segment, int64_t position, int64_t limit,
                         apr_size_t window_bytes, int whole,
                         log_scan_each_t *each, void *baton, int64_t *end);

/* ---- log_swap.c --------------------------------------------------------- */

/*
 * Puts REPLACEMENT, whose flushed files are named ".cleaned", in the place of
 * the COUNT segments OLD, so that a crash leaves either the old ones or the
 * new one. TRUNCATIONS is the log's number of truncations when OLD was read.
 * Takes REPLACEMENT's reference when it goes well. APR_EAGAIN when the log is
 * not as it was: a segment went, it was truncated or deleted.
 */
apr_status_t log_replace_segments(log_t *log, segment_t *const *old, int count,
                                  segment_t *replacement, unsigned truncations);

/* Waits until a swap or a deletion of segments that is under way is done: for
 * readers whose file had gone. No lock is held. */
void log_await_change(log_t *log);

/* What a crash left in DIRECTORY: files that were only begun or were to be
 * removed go, a swap that had begun is finished. Before anything is opened. */
apr_status_t log_finish_swaps(const char *directory);
/* Whether a file of this name says that there is something to do. */
int log_is_left_over(const char *name);

/* ---- txn_index.c -------------------------------------------------------- */

#define TXN_INDEX_ENTRY 34
void txn_index_encode(uint8_t *entry, const producer_txn_t *txn);
apr_status_t txn_index_append(const char *directory, int64_t base_offset,
                              const producer_txn_t *txn);
/* Drops entries whose last offset is at or above OFFSET. */
apr_status_t txn_index_truncate(const char *directory, int64_t base_offset,
                                int64_t offset);
/* Flushes it, where it is. */
apr_status_t txn_index_sync(const char *directory, int64_t base_offset);
apr_status_t txn_index_each(const char *directory, int64_t base_offset,
                            int (*each)(void *baton, const producer_txn_t *),
                            void *baton);

/* ---- log_dir.c ---------------------------------------------------------- */

segment_cache_t *log_dir_cache(log_dir_t *dir);
void log_dir_add(log_dir_t *dir, log_t *log);
void log_dir_forget(log_dir_t *dir, log_t *log);
/* Recovery point and log start offset of NAME in the checkpoints; 0 each. */
void log_dir_recall(log_dir_t *dir, const char *name, int64_t *recovery_point,
                    int64_t *start_offset);
/* All open logs, each retained, malloc'ed; NULL without memory. */
log_t **log_dir_logs(log_dir_t *dir, int *count);
void log_dir_release_logs(log_t **logs, int count);
/* Up to where NAME was compacted, -1 when it never was. */
int64_t log_dir_cleaned_offset(log_dir_t *dir, const char *name);
/* Notes that LOG was compacted up to OFFSET, and writes the checkpoint. */
apr_status_t log_dir_set_cleaned(log_dir_t *dir, log_t *log, int64_t offset);
/* Lowers it to OFFSET, where the log was truncated. */
void log_dir_lower_cleaned(log_dir_t *dir, const char *name, int64_t offset);
/* BYTES are about to be written: the free space is looked up again before the
 * reserve can be used up unseen. */
void log_dir_will_write(log_dir_t *dir, apr_size_t bytes);
/* A log was not opened or not closed in order: the next start must not take
 * this stop for a clean one. */
void log_dir_set_unclean(log_dir_t *dir);
/* NAME begins anew: what the checkpoint files say of an older log of that name
 * is taken out of them before anything is promised. */
apr_status_t log_dir_begin_anew(log_dir_t *dir, const char *name);
/* Sets PATH to what log NAME is called while it is kept for WHY ("delete"). */
void log_dir_aside_name(const log_dir_t *dir, const char *name,
                        const char *why, char *path, size_t room);
/* Renames the directory NAME, which is another topic's, as Kafka does. */
apr_status_t log_dir_set_aside(log_dir_t *dir, const char *name);
void log_dir_queue_flush(log_dir_t *dir, log_t *log);
/* Removes PATH (a directory, or a segment's files when BASE is not below 0)
 * DELAY_MS from now. */
void log_dir_remove_later(log_dir_t *dir, const char *path, int64_t base,
                          int64_t delay_ms);

#endif
