/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log's life: open, flush, close, delete, and what holds its segments
 * together. Appending is log_append.c's, reading log_read.c's, finding out what
 * a crash left log_recovery.c's. It must never say flushed what is not.
 */
#include "storage/log_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"
#include "storage/segment_index.h"

void log_config_init(log_config_t *config)
{
    memset(config, 0, sizeof(*config));
    config->segment_bytes = 1 << 30;
    config->segment_ms = (int64_t)7 * 24 * 3600 * 1000;
    config->segment_index_bytes = 10 << 20;
    config->index_interval_bytes = 4096;
    config->max_message_bytes = (1 << 20) + 12;
    config->retention_ms = (int64_t)7 * 24 * 3600 * 1000;
    config->retention_bytes = -1;
    config->delete_retention_ms = (int64_t)24 * 3600 * 1000;
    config->file_delete_delay_ms = 60000;
    config->flush_messages = INT64_MAX;
    config->flush_ms = INT64_MAX;
    config->max_compaction_lag_ms = INT64_MAX;
    config->min_cleanable_dirty_ratio = 0.5;
    config->timestamp_before_max_ms = INT64_MAX;
    config->timestamp_after_max_ms = 3600000;
    config->min_insync_replicas = 1;
    config->compression_type = -1;
    config->delete = 1;
    config->producer_id_expiration_ms = (int64_t)24 * 3600 * 1000;
}

/* ---- numbers that anyone may read -------------------------------------- */

int64_t log_start_offset(const log_t *log)
{
    return log_get(&log->start_offset);
}

int64_t log_end_offset(const log_t *log)
{
    return log_get(&log->end_offset);
}

int64_t log_flushed_offset(const log_t *log)
{
    return log_get(&log->flushed_offset);
}

int64_t log_last_stable_offset(const log_t *log)
{
    int64_t end = log_get(&log->end_offset);
    int64_t unstable = log_get(&log->first_unstable);

    return unstable < end ? unstable : end;
}

int64_t log_high_watermark(const log_t *log)
{
    return log_get(&log->high_watermark);
}

int64_t log_size(const log_t *log)
{
    return log_get(&log->bytes);
}

const char *log_name(const log_t *log)
{
    return log->name;
}

log_dir_t *log_directory(const log_t *log)
{
    return log->dir;
}

void log_config(log_t *log, log_config_t *config)
{
    lock_enter(log->lock);
    *config = log->config;
    lock_leave(log->lock);
}

void log_set_config(log_t *log, const log_config_t *config)
{
    lock_enter(log->append_lock);
    lock_enter(log->lock);
    log->config = *config;
    lock_leave(log->lock);
    lock_leave(log->append_lock);
}

void log_listen(log_t *log, const log_listener_t *listener)
{
    lock_enter(log->lock);
    log->listener = *listener;
    lock_leave(log->lock);
}

static log_listener_t listener_of(log_t *log)
{
    log_listener_t listener;

    lock_enter(log->lock);
    listener = log->listener;
    lock_leave(log->lock);
    return listener;
}

void log_tell_flushed(log_t *log)
{
    log_listener_t listener = listener_of(log);

    if (listener.flushed != NULL)
        listener.flushed(listener.baton, log);
}

void log_tell_gone(log_t *log)
{
    log_listener_t listener = listener_of(log);

    if (listener.gone != NULL)
        listener.gone(listener.baton, log);
}

apr_status_t log_usable(const log_t *log)
{
    if (apr_atomic_read32((volatile apr_uint32_t *)&log->state) != 0)
        return TAKHIN_EDELETED;
    return log_dir_online(log->dir) ? APR_SUCCESS : TAKHIN_EOFFLINE;
}

apr_status_t log_failed(log_t *log, apr_status_t status, const char *what)
{
    char line[512];

    if (APR_STATUS_IS_ENOSPC(status))
        LOG_EVERY(10, storage, ERROR, "%s: %s failed: no space is left",
                  log->path, what);
    if (status == APR_SUCCESS || APR_STATUS_IS_ENOSPC(status) ||
        status == APR_ENOMEM || APR_STATUS_IS_EMFILE(status))
        return status;
    snprintf(line, sizeof(line), "%s of %s", what, log->name);
    log_dir_fail(log->dir, status, line);
    return status;
}

/* ---- segments ---------------------------------------------------------- */

int log_segment_at(const log_t *log, int64_t offset)
{
    int low = 0, high = log->segment_count;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (log->segments[middle]->base_offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

apr_status_t log_add_segment(log_t *log, segment_t *segment)
{
    apr_status_t status = APR_SUCCESS;

    lock_enter(log->lock);
    if (log->segment_count == log->segment_room) {
        int room = log->segment_room == 0 ? 1 : log->segment_room * 2;
        segment_t **segments =
            realloc(log->segments, (size_t)room * sizeof(*segments));

        if (segments == NULL) {
            status = APR_ENOMEM;
        } else {
            log->segments = segments;
            log->segment_room = room;
        }
    }
    if (status == APR_SUCCESS) {
        TAKHIN_ASSERT(log->segment_count == 0 ||
                      log_active(log)->base_offset < segment->base_offset);
        log->segments[log->segment_count++] = segment;
        memset(log->recent, 0, sizeof(log->recent));
        log->dirty_names = 1;
    }
    lock_leave(log->lock);
    return status;
}

/* Segments of many partitions that began together must not all roll together
 * (segment.jitter.ms). */
static int64_t random_jitter(int64_t limit, int64_t salt)
{
    uint64_t x =
        (uint64_t)salt * 0x9e3779b97f4a7c15u + (uint64_t)clock_monotonic();

    if (limit <= 0)
        return 0;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 32;
    return (int64_t)(x % (uint64_t)limit);
}

apr_status_t log_begin_segment(log_t *log, int64_t offset)
{
    segment_t *segment = segment_create(log_dir_cache(log->dir), offset, offset,
                                        0, clock_wall_ms());
    apr_status_t status;

    if (segment == NULL)
        return APR_ENOMEM;
    status = segment_create_file(
        segment, log->path,
        log->config.preallocate ? log->config.segment_bytes : 0);
    if (status == APR_SUCCESS) {
        segment->ready = 1;
        status = segment_index_create_files(segment, log->path);
        segment_unpin(segment);
    }
    if (status == APR_SUCCESS)
        status = log_add_segment(log, segment);
    if (status != APR_SUCCESS)
        segment_release(segment);
    else
        log->jitter_ms = random_jitter(log->config.segment_jitter_ms, offset);
    return status;
}

/* The names of the segments so far are on the device before the next one's can
 * be: a log that a crash took the first segment from would look as if
 * retention had. */
static apr_status_t sync_names(log_t *log)
{
    int dirty;

    lock_enter(log->lock);
    dirty = log->dirty_names;
    lock_leave(log->lock);
    return dirty ? fs_sync_dir(log->path) : APR_SUCCESS;
}

apr_status_t log_roll(log_t *log, int64_t offset)
{
    apr_status_t status = segment_finish(log_active(log), log->path, log->lock);

    if (status == APR_SUCCESS && log->config.preallocate)
        status = segment_trim(log_active(log), log->path);
    /* Where compaction leaves holes, a crash must not: see is_torn_off. */
    if (status == APR_SUCCESS && log->config.compact)
        status = log_flush_untold(log);
    if (status == APR_SUCCESS)
        status = sync_names(log);
    if (status == APR_SUCCESS)
        status = log_begin_segment(log, offset);
    if (status == APR_SUCCESS)
        status = log_snapshot(log);
    if (status == APR_SUCCESS)
        log_dir_queue_flush(log->dir, log);
    return log_failed(log, status, "rolling");
}

apr_status_t log_drop_segments(log_t *log, int first, int count,
                               int64_t delay_ms)
{
    apr_status_t status = APR_SUCCESS;
    int i;

    for (i = 0; i < count; i++) {
        segment_t *segment;

        lock_enter(log->lock);
        segment = log->segments[first];
        log->segment_count--;
        memmove(log->segments + first, log->segments + first + 1,
                (size_t)(log->segment_count - first) * sizeof(segment_t *));
        log_put(&log->bytes, log_get(&log->bytes) - segment->size);
        log->dirty_names = 1;
        lock_leave(log->lock);
        status =
            segment_rename(log->path, segment->base_offset, "", ".deleted");
        if (status == APR_SUCCESS)
            log_dir_remove_later(log->dir, log->path, segment->base_offset,
                                 delay_ms);
        segment_release(segment);
        if (status != APR_SUCCESS)
            break;
    }
    return status;
}

/* ---- partition.metadata ------------------------------------------------ */

static apr_status_t write_metadata(const log_t *log, const uint8_t *id)
{
    char path[SEGMENT_PATH], text[128], uuid[UUID_TEXT_LENGTH + 1];
    int length = snprintf(text, sizeof(text), "version: 0\ntopic_id: %s",
                          uuid_to_text(uuid, id));

    snprintf(path, sizeof(path), "%s/partition.metadata", log->path);
    /* Lost in a crash it is written again: the metadata log knows the id. */
    return fs_write_whole(path, text, (apr_size_t)length);
}

static apr_status_t check_metadata(const log_t *log, const uint8_t *id)
{
    char path[SEGMENT_PATH], *text, *at;
    uint8_t found[UUID_SIZE];
    apr_size_t length;
    apr_pool_t *pool;
    apr_status_t status = apr_pool_create(&pool, NULL);

    if (status != APR_SUCCESS)
        return status;
    snprintf(path, sizeof(path), "%s/partition.metadata", log->path);
    status = fs_read_whole(path, 4096, &text, &length, pool);
    if (status == APR_SUCCESS && text[0] == '\0') {
        /* A crash left it empty, or its size and no bytes. */
        status = write_metadata(log, id);
    } else if (status == APR_SUCCESS) {
        at = strstr(text, "topic_id: ");
        if (at == NULL ||
            uuid_from_text(found, at + 10, strcspn(at + 10, "\r\n")) !=
                APR_SUCCESS)
            status = TAKHIN_ECORRUPT;
        else if (memcmp(found, id, UUID_SIZE) != 0)
            status = TAKHIN_EINVALID;
        if (status != APR_SUCCESS)
            LOG_ERROR(storage, "%s does not hold this topic's id", path);
    }
    apr_pool_destroy(pool);
    return status;
}

/* ---- open -------------------------------------------------------------- */

static void free_log(log_t *log)
{
    while (log->segment_count > 0)
        segment_release(log->segments[--log->segment_count]);
    free(log->segments);
    producer_state_destroy(log->producers);
    epochs_free(&log->epochs);
    lock_destroy(log->flush_lock);
    lock_destroy(log->append_lock);
    lock_destroy(log->lock);
    free(log->name);
    free(log->path);
    if (log->listener.free != NULL)
        log->listener.free(log->listener.baton);
    free(log);
}

static log_t *make_log(log_dir_t *dir, const char *name,
                       const log_config_t *config, int flags)
{
    size_t room = strlen(log_dir_path(dir)) + strlen(name) + 2;
    log_t *log = calloc(1, sizeof(*log));

    if (log == NULL)
        return NULL;
    log->references = 1;
    log->dir = dir;
    log->config = *config;
    log->flags = flags;
    log->snapshot_offset = -1;
    log->first_unstable = (apr_uint64_t)INT64_MAX;
    log->last_flush = clock_monotonic();
    log->name = strdup(name);
    log->path = malloc(room);
    log->flush_lock = lock_create(3);
    log->append_lock = lock_create(0);
    log->lock = lock_create(2);
    if (!log->name || !log->path || !log->flush_lock || !log->append_lock ||
        !log->lock) {
        free_log(log);
        return NULL;
    }
    snprintf(log->path, room, "%s/%s", log_dir_path(dir), name);
    return log;
}

/* What is on disk becomes what is in memory; the append lock is held. */
static apr_status_t load(log_t *log, const uint8_t *topic_id)
{
    int64_t recovery_point = 0, start_offset = 0;
    int has_metadata = 0, clean = log_dir_was_clean(log->dir);
    apr_status_t status;

    if (log->flags & LOG_NO_CHECKPOINT)
        clean = 0;
    else
        log_dir_recall(log->dir, log->name, &recovery_point, &start_offset);
    status =
        log_recover(log, recovery_point, start_offset, clean, &has_metadata);
    if (APR_STATUS_IS_ENOENT(status)) {
        start_offset = 0; /* whose that was is gone */
        status = log_dir_begin_anew(log->dir, log->name);
        if (status == APR_SUCCESS)
            status = fs_mkdir(log->path);
        log->dirty_names = log->dirty_parent = 1;
    }
    if (status == APR_SUCCESS && topic_id != NULL)
        status = has_metadata ? check_metadata(log, topic_id)
                              : write_metadata(log, topic_id);
    if (status == APR_SUCCESS && log->segment_count == 0) {
        log_put(&log->start_offset, start_offset);
        log_put(&log->end_offset, start_offset);
        log_put(&log->flushed_offset, start_offset);
        status = log_begin_segment(log, start_offset);
    }
    log_put(&log->high_watermark, log_get(&log->end_offset));
    return status;
}

apr_status_t log_open(log_t **log, log_dir_t *dir, const char *name,
                      const uint8_t *topic_id, const log_config_t *config,
                      int flags)
{
    log_t *made = make_log(dir, name, config, flags);
    apr_status_t status;

    *log = NULL;
    if (made == NULL)
        return APR_ENOMEM;
    status = log_usable(made);
    if (status == APR_SUCCESS) {
        lock_enter(made->append_lock);
        status = load(made, topic_id);
        lock_leave(made->append_lock);
        log_failed(made, status == TAKHIN_EINVALID ? APR_SUCCESS : status,
                   "opening");
    }
    if (status != APR_SUCCESS) {
        if (status != TAKHIN_EINVALID)
            log_dir_set_unclean(dir);
        free_log(made);
        return status;
    }
    log_dir_add(dir, made);
    *log = made;
    return APR_SUCCESS;
}

void log_retain(log_t *log)
{
    apr_atomic_inc32(&log->references);
}

void log_release(log_t *log)
{
    if (apr_atomic_dec32(&log->references) == 0)
        free_log(log);
}

/* ---- flush ------------------------------------------------------------- */

#define FLUSH_SEGMENTS 16

typedef struct {
    segment_t *segments[FLUSH_SEGMENTS];
    int count;
    int64_t from; /* the flushed offset so far */
    int64_t to;   /* what it becomes */
    int with_active;
    int names;
    int parent;
} flush_plan_t;

static void plan_flush(log_t *log, flush_plan_t *plan)
{
    int i;

    plan->count = 0;
    plan->from = log_get(&log->flushed_offset);
    lock_enter(log->lock);
    plan->names = log->dirty_names;
    plan->parent = log->dirty_parent;
    log->dirty_names = log->dirty_parent = 0;
    plan->to = plan->from;
    i = log_segment_at(log, plan->from);
    /* A segment that was flushed and then rolled has new index entries. */
    while (i > 0 && apr_atomic_read32(&log->segments[i - 1]->unsynced) != 0)
        i--;
    for (i = i < 0 ? 0 : i;
         i < log->segment_count && plan->count < FLUSH_SEGMENTS; i++) {
        plan->segments[plan->count++] = log->segments[i];
        segment_retain(log->segments[i]);
        plan->to = log->segments[i]->next_offset;
    }
    plan->with_active = i == log->segment_count;
    lock_leave(log->lock);
}

static apr_status_t flush_segment(log_t *log, segment_t *segment, int rolled)
{
    apr_status_t status = segment_pin(segment, log->path);

    /* Only what is flushed already is compacted. */
    if (APR_STATUS_IS_ENOENT(status) && segment_is_replaced(segment))
        return APR_SUCCESS;
    if (status != APR_SUCCESS)
        return status;
    status = fs_sync(segment->file);
    segment_unpin(segment);
    if (status == APR_SUCCESS && rolled)
        status = segment_sync_indexes(segment, log->path);
    return status;
}

/* The checkpoint is written from a copy: the lock is not held over I/O. */
static apr_status_t flush_epochs(log_t *log)
{
    epochs_t copy = {0};
    apr_status_t status = APR_SUCCESS;

    lock_enter(log->lock);
    if (log->epochs.dirty) {
        copy = log->epochs;
        copy.entries = malloc(sizeof(*copy.entries) *
                              (size_t)(copy.count > 0 ? copy.count : 1));
        if (copy.entries == NULL)
            status = APR_ENOMEM;
        else
            memcpy(copy.entries, log->epochs.entries,
                   sizeof(*copy.entries) * (size_t)copy.count);
        log->epochs.dirty = status != APR_SUCCESS;
    }
    lock_leave(log->lock);
    if (copy.entries == NULL)
        return status;
    status = epochs_write(&copy, log->path, 1);
    epochs_free(&copy);
    return status;
}

/* A log that has records must be known for its topic's: without that another
 * topic of the same name would take them for its own. */
static apr_status_t flush_metadata(const log_t *log)
{
    char path[SEGMENT_PATH];
    fs_file_t *file;
    apr_status_t status, closed;

    snprintf(path, sizeof(path), "%s/partition.metadata", log->path);
    status = fs_open(&file, path, FS_WRITABLE);
    if (status != APR_SUCCESS)
        return APR_STATUS_IS_ENOENT(status) ? APR_SUCCESS : status;
    status = fs_sync(file);
    closed = fs_close(file);
    return status == APR_SUCCESS ? closed : status;
}

static apr_status_t flush_once(log_t *log, flush_plan_t *plan)
{
    apr_status_t status = APR_SUCCESS;
    int i;

    plan_flush(log, plan);
    for (i = 0; i < plan->count; i++) {
        int rolled = i + 1 < plan->count || !plan->with_active;

        if (status == APR_SUCCESS)
            status = flush_segment(log, plan->segments[i], rolled);
        segment_release(plan->segments[i]);
    }
    if (status == APR_SUCCESS)
        status = flush_epochs(log);
    if (status == APR_SUCCESS && plan->parent)
        status = flush_metadata(log);
    if (status == APR_SUCCESS && plan->names)
        status = fs_sync_dir(log->path);
    if (status == APR_SUCCESS && plan->parent)
        status = fs_sync_dir(log_dir_path(log->dir));
    return status;
}

/* Two may flush at once: each says only what it has seen flushed itself. */
static void advance_flushed(log_t *log, int64_t to)
{
    apr_uint64_t seen = apr_atomic_read64(&log->flushed_offset);

    while ((int64_t)seen < to) {
        apr_uint64_t was =
            apr_atomic_cas64(&log->flushed_offset, (apr_uint64_t)to, seen);

        if (was == seen)
            break;
        seen = was;
    }
}

static apr_status_t flush_locked(log_t *log)
{
    flush_plan_t plan;
    apr_status_t status;

    do {
        status = log_usable(log);
        if (status == APR_SUCCESS)
            status = flush_once(log, &plan);
        if (status != APR_SUCCESS) {
            /* A log that is deleted meanwhile has its files elsewhere. */
            if (log_usable(log) == TAKHIN_EDELETED)
                return TAKHIN_EDELETED;
            if (log_dir_online(log->dir))
                log_dir_fail(log->dir, status, log->path);
            return status;
        }
        advance_flushed(log, plan.to);
    } while (!plan.with_active);
    lock_enter(log->lock);
    log->last_flush = clock_monotonic();
    lock_leave(log->lock);
    return APR_SUCCESS;
}

apr_status_t log_flush_untold(log_t *log)
{
    apr_status_t status;

    lock_enter(log->flush_lock);
    status = flush_locked(log);
    lock_leave(log->flush_lock);
    return status;
}

apr_status_t log_flush(log_t *log)
{
    apr_status_t status = log_flush_untold(log);

    if (status == APR_SUCCESS)
        log_tell_flushed(log);
    return status;
}

/* Has the device begin while the flusher is on its way: the logs that one
 * journal commit finds written share it. */
static void start_writing(log_t *log)
{
    segment_t *active;

    lock_enter(log->lock);
    active = log_active(log);
    segment_retain(active);
    lock_leave(log->lock);
    if (segment_try_pin(active)) {
        fs_start_writing(active->file, 0, 0); /* to the end of the file */
        segment_unpin(active);
    }
    segment_release(active);
}

void log_request_flush(log_t *log)
{
    start_writing(log);
    log_dir_queue_flush(log->dir, log);
}

/* ---- close and delete -------------------------------------------------- */

apr_status_t log_close(log_t *log)
{
    apr_status_t status, usable = log_usable(log);
    segment_t *active;

    lock_enter(log->append_lock);
    status = usable;
    active = log_active(log);
    if (status == APR_SUCCESS)
        status = segment_finish(active, log->path, log->lock);
    if (status == APR_SUCCESS && log->config.preallocate)
        status = segment_trim(active, log->path);
    if (status == APR_SUCCESS && active->ready)
        status = segment_sync_indexes(active, log->path);
    if (status == APR_SUCCESS &&
        log_get(&log->end_offset) > log->snapshot_offset &&
        (log->snapshot_offset >= 0 ||
         (log->producers && producer_state_count(log->producers) > 0)))
        status = log_snapshot(log);
    lock_leave(log->append_lock);
    /* Of a log that is empty and new nothing would be missed. */
    if (status == APR_SUCCESS &&
        (log_get(&log->flushed_offset) < log_get(&log->end_offset) ||
         log->epochs.dirty || (log->dirty_names && log_size(log) > 0)))
        status = log_flush(log);
    log_failed(log,
               status == TAKHIN_EDELETED || status == TAKHIN_EOFFLINE
                   ? APR_SUCCESS
                   : status,
               "closing");
    if (status != APR_SUCCESS && status != TAKHIN_EDELETED &&
        log_dir_online(log->dir)) {
        LOG_ERROR(storage, "%s was not closed in order: %s; the next start "
                  "checks all logs", log->path, LOG_STATUS(status));
        log_dir_set_unclean(log->dir);
    }
    apr_atomic_set32(&log->state, LOG_CLOSED);
    log_dir_forget(log->dir, log);
    log_release(log);
    return status;
}

apr_status_t log_delete(log_t *log)
{
    char path[SEGMENT_PATH];
    apr_status_t status;

    log_dir_aside_name(log->dir, log->name, "delete", path, sizeof(path));
    lock_enter(log->append_lock);
    status = log_usable(log);
    if (status == APR_SUCCESS) {
        apr_atomic_set32(&log->state, LOG_DELETED);
        status = fs_rename(log->path, path);
    }
    lock_leave(log->append_lock);
    log_dir_forget(log->dir, log);
    if (status != APR_SUCCESS)
        return log_failed(log, status, "deleting");
    log_dir_remove_later(log->dir, path, -1, log->config.file_delete_delay_ms);
    return APR_SUCCESS;
}
