/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log directory: its lock, its checkpoints, its flusher and its housekeeping;
 * see log_dir.h. It must never flush again what failed to flush once: the
 * directory goes offline.
 */
#include "storage/log_dir.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_proc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"
#include "base/uuid.h"
#include "storage/checkpoint.h"
#include "storage/log_private.h"

typedef struct removal_t removal_t;
struct removal_t {
    removal_t *next;
    apr_time_t due; /* monotonic */
    int64_t base;   /* a segment's, or -1: the path is a directory */
    char path[];
};

#define MAX_FLUSHERS 16

struct log_dir_t {
    apr_pool_t *pool;
    const char *path;
    log_dir_options_t options;
    fs_lock_t *lock;
    segment_cache_t *cache;
    volatile apr_uint32_t offline; /* atomic */
    volatile apr_uint32_t full;    /* atomic: less than the reserve is free */
    volatile apr_uint64_t written; /* atomic: bytes since that was looked up */
    volatile apr_uint32_t unclean; /* atomic: no clean-stop marker */
    int was_clean;
    int64_t clean_epoch;
    apr_thread_mutex_t *checkpointing; /* who writes the checkpoints; taken
                                          before the mutex */
    apr_thread_mutex_t *mutex;
    checkpoint_t *deleted; /* mutex: logs that the files may still know */
    int forgot;            /* mutex: and those that found no room there */
    log_t *logs;            /* mutex */
    int log_count;          /* mutex */
    checkpoint_t *recalled; /* mutex: what the files said of logs that
                                       are not open; of all logs how far they
                                       were compacted */
    apr_thread_mutex_t *cleaned_mutex; /* who writes that file; before mutex */
    /* the flushers; mutex */
    apr_thread_cond_t *wake;
    apr_thread_cond_t *drained;
    log_t *flush_first, *flush_last;
    int flushing; /* how many flush now */
    int idle;     /* how many wait for work */
    int started;
    int stopping;
    apr_thread_t *flushers[MAX_FLUSHERS];
    /* the housekeeper; mutex */
    apr_thread_cond_t *tick;
    removal_t *removals;
    apr_thread_t *housekeeper;
    apr_time_t next_checkpoint;
    apr_time_t next_retention;
};

void log_dir_options_init(log_dir_options_t *options)
{
    memset(options, 0, sizeof(*options));
    options->max_open_files = 10000;
    options->max_index_bytes = 64 << 20;
    options->checkpoint_ms = 60000;
    options->retention_check_ms = 300000;
    options->flush_threads = 16;
    options->recovery_threads = 2;
}

const char *log_dir_path(const log_dir_t *dir)
{
    return dir->path;
}

int log_dir_online(const log_dir_t *dir)
{
    return apr_atomic_read32((volatile apr_uint32_t *)&dir->offline) == 0;
}

int log_dir_was_clean(const log_dir_t *dir)
{
    return dir->was_clean;
}

int64_t log_dir_clean_epoch(const log_dir_t *dir)
{
    return dir->clean_epoch;
}

segment_cache_t *log_dir_cache(log_dir_t *dir)
{
    return dir->cache;
}

apr_status_t log_dir_check_space(log_dir_t *dir)
{
    return apr_atomic_read32(&dir->full) ? APR_ENOSPC : APR_SUCCESS;
}

static void check_space(log_dir_t *dir)
{
    apr_off_t free, total;
    apr_uint32_t full;

    if (dir->options.reserve_bytes <= 0)
        return;
    if (fs_free_space(dir->path, &free, &total) != APR_SUCCESS)
        return; /* a failing disk shows where it matters */
    full = free < dir->options.reserve_bytes;
    if (apr_atomic_xchg32(&dir->full, full) == full)
        return;
    if (full)
        LOG_ERROR(storage,
                  "log directory %s: %lld bytes are free, less than "
                  "log.dir.reserve.bytes: Produce is refused",
                  dir->path, (long long)free);
    else
        LOG_INFO(storage, "log directory %s has space again", dir->path);
}

void log_dir_will_write(log_dir_t *dir, apr_size_t bytes)
{
    apr_uint64_t written;

    if (dir->options.reserve_bytes <= 0)
        return;
    written = apr_atomic_add64(&dir->written, bytes) + bytes;
    if (written < (apr_uint64_t)dir->options.reserve_bytes / 8)
        return;
    apr_atomic_set64(&dir->written, 0);
    check_space(dir);
}

/* ---- its logs ----------------------------------------------------------- */

void log_dir_add(log_dir_t *dir, log_t *log)
{
    apr_thread_mutex_lock(dir->mutex);
    log->next = dir->logs;
    log->previous = NULL;
    if (dir->logs != NULL)
        dir->logs->previous = log;
    dir->logs = log;
    dir->log_count++;
    log_retain(log); /* the list's */
    apr_thread_mutex_unlock(dir->mutex);
}

/* What a closed log leaves in the checkpoints. Mutex held. */
static void remember(log_dir_t *dir, const log_t *log)
{
    if (log->flags & LOG_NO_CHECKPOINT)
        return;
    if (apr_atomic_read32((volatile apr_uint32_t *)&log->state) & LOG_DELETED) {
        checkpoint_remove(dir->recalled, log->name);
        if (log_flushed_offset(log) > 0 || log_start_offset(log) > 0)
            dir->forgot |= !checkpoint_set(dir->deleted, log->name, 1, 1, 1);
    } else
        checkpoint_set(dir->recalled, log->name, log_flushed_offset(log),
                       log_start_offset(log), log_high_watermark(log));
}

void log_dir_forget(log_dir_t *dir, log_t *log)
{
    int listed;

    apr_thread_mutex_lock(dir->mutex);
    listed = dir->logs == log || log->previous != NULL;
    if (listed) {
        if (log->previous != NULL)
            log->previous->next = log->next;
        else
            dir->logs = log->next;
        if (log->next != NULL)
            log->next->previous = log->previous;
        log->next = log->previous = NULL;
        dir->log_count--;
        remember(dir, log);
    }
    apr_thread_mutex_unlock(dir->mutex);
    if (listed)
        log_release(log);
}

void log_abandon(log_t *log)
{
    apr_atomic_set32(&log->state, LOG_CLOSED);
    log_dir_forget(log->dir, log);
    log_release(log);
}

void log_dir_recall(log_dir_t *dir, const char *name, int64_t *recovery_point,
                    int64_t *start_offset)
{
    apr_thread_mutex_lock(dir->mutex);
    checkpoint_get(dir->recalled, name, recovery_point, start_offset);
    apr_thread_mutex_unlock(dir->mutex);
}

log_t **log_dir_logs(log_dir_t *dir, int *count)
{
    log_t **logs, *log;

    *count = 0;
    apr_thread_mutex_lock(dir->mutex);
    logs = malloc(sizeof(*logs) * (size_t)(dir->log_count + 1));
    for (log = dir->logs; logs != NULL && log != NULL; log = log->next) {
        log_retain(log);
        logs[(*count)++] = log;
    }
    apr_thread_mutex_unlock(dir->mutex);
    return logs;
}

void log_dir_release_logs(log_t **logs, int count)
{
    while (count > 0)
        log_release(logs[--count]);
    free(logs);
}

int64_t log_dir_size(log_dir_t *dir)
{
    int64_t size = 0;
    const log_t *log;

    apr_thread_mutex_lock(dir->mutex);
    for (log = dir->logs; log != NULL; log = log->next)
        size += log_size(log);
    apr_thread_mutex_unlock(dir->mutex);
    return size;
}

int log_dir_log_count(log_dir_t *dir)
{
    int count;

    apr_thread_mutex_lock(dir->mutex);
    count = dir->log_count;
    apr_thread_mutex_unlock(dir->mutex);
    return count;
}

int log_dir_open_files(log_dir_t *dir)
{
    return segment_cache_open_files(dir->cache);
}

void log_dir_fail(log_dir_t *dir, apr_status_t status, const char *what)
{
    log_t **logs;
    int i, count;

    if (apr_atomic_xchg32(&dir->offline, 1) != 0)
        return; /* it is known, and was told */
    LOG_ERROR(storage, "log directory %s goes offline: %s failed: %s",
              dir->path, what, LOG_STATUS(status));
    logs = log_dir_logs(dir, &count);
    for (i = 0; i < count; i++)
        log_tell_gone(logs[i]);
    log_dir_release_logs(logs, count);
}

/* ---- checkpoints -------------------------------------------------------- */

/* What is to be written now; the mutex is held. */
static apr_status_t collect_offsets(log_dir_t *dir, checkpoint_t *checkpoint)
{
    const log_t *log;

    if (!checkpoint_copy(checkpoint, dir->recalled))
        return APR_ENOMEM;
    for (log = dir->logs; log != NULL; log = log->next)
        if (!(log->flags & LOG_NO_CHECKPOINT) &&
            !checkpoint_set(checkpoint, log->name, log_flushed_offset(log),
                            log_start_offset(log), log_high_watermark(log)))
            return APR_ENOMEM;
    return APR_SUCCESS;
}

/* Writes CHECKPOINT; the files then know nothing of the logs that were deleted
 * before it was collected. */
static apr_status_t write_offsets(log_dir_t *dir, checkpoint_t *checkpoint,
                                  checkpoint_t *fresh)
{
    checkpoint_t *deleted;
    apr_status_t status;

    apr_thread_mutex_lock(dir->mutex);
    status = collect_offsets(dir, checkpoint);
    deleted = dir->deleted;
    dir->deleted = fresh;
    apr_thread_mutex_unlock(dir->mutex);
    if (status == APR_SUCCESS)
        status = checkpoint_write(checkpoint, dir->path);
    if (status != APR_SUCCESS) {
        apr_thread_mutex_lock(dir->mutex);
        dir->forgot |= !checkpoint_copy(dir->deleted, deleted);
        apr_thread_mutex_unlock(dir->mutex);
    }
    checkpoint_destroy(deleted);
    return status;
}

apr_status_t log_dir_checkpoint(log_dir_t *dir)
{
    checkpoint_t *checkpoint = checkpoint_create();
    checkpoint_t *fresh = checkpoint_create();
    apr_status_t status = APR_ENOMEM;

    if (checkpoint != NULL && fresh != NULL) {
        apr_thread_mutex_lock(dir->checkpointing);
        status = write_offsets(dir, checkpoint, fresh);
        apr_thread_mutex_unlock(dir->checkpointing);
    } else {
        checkpoint_destroy(fresh);
    }
    checkpoint_destroy(checkpoint);
    return status;
}

int64_t log_dir_cleaned_offset(log_dir_t *dir, const char *name)
{
    int64_t offset;

    apr_thread_mutex_lock(dir->mutex);
    offset = checkpoint_get_cleaned(dir->recalled, name);
    apr_thread_mutex_unlock(dir->mutex);
    return offset;
}

apr_status_t log_dir_set_cleaned(log_dir_t *dir, log_t *log, int64_t offset)
{
    checkpoint_t *checkpoint = checkpoint_create();
    apr_status_t status = checkpoint == NULL ? APR_ENOMEM : APR_SUCCESS;

    apr_thread_mutex_lock(dir->cleaned_mutex);
    apr_thread_mutex_lock(dir->mutex);
    /* A deleted log's name may be another's already. */
    if (status == APR_SUCCESS && log_usable(log) == APR_SUCCESS &&
        (!checkpoint_set_cleaned(dir->recalled, log->name, offset) ||
         !checkpoint_copy(checkpoint, dir->recalled)))
        status = APR_ENOMEM;
    apr_thread_mutex_unlock(dir->mutex);
    if (status == APR_SUCCESS && log_usable(log) == APR_SUCCESS)
        status = checkpoint_write_cleaned(checkpoint, dir->path);
    apr_thread_mutex_unlock(dir->cleaned_mutex);
    checkpoint_destroy(checkpoint);
    return status;
}

void log_dir_lower_cleaned(log_dir_t *dir, const char *name, int64_t offset)
{
    apr_thread_mutex_lock(dir->mutex);
    if (checkpoint_get_cleaned(dir->recalled, name) > offset)
        checkpoint_set_cleaned(dir->recalled, name, offset);
    apr_thread_mutex_unlock(dir->mutex);
}

void log_dir_set_unclean(log_dir_t *dir)
{
    apr_atomic_set32(&dir->unclean, 1);
}

apr_status_t log_dir_begin_anew(log_dir_t *dir, const char *name)
{
    int64_t recovery_point, start_offset;
    int known;

    apr_thread_mutex_lock(dir->mutex);
    known = dir->forgot;
    checkpoint_get(dir->recalled, name, &recovery_point, &start_offset);
    known |= recovery_point > 0 || start_offset > 0;
    checkpoint_remove(dir->recalled, name);
    checkpoint_get(dir->deleted, name, &recovery_point, &start_offset);
    known |= recovery_point > 0 || start_offset > 0;
    apr_thread_mutex_unlock(dir->mutex);
    return known ? log_dir_checkpoint(dir) : APR_SUCCESS;
}

void log_dir_aside_name(const log_dir_t *dir, const char *name,
                        const char *why, char *path, size_t room)
{
    uint8_t id[UUID_SIZE];
    char hex[2 * UUID_SIZE + 1];
    int i, keep = (int)strlen(name);

    if (uuid_random(id) != APR_SUCCESS)
        memset(id, 0x5a, sizeof(id)); /* a name that is free nearly always */
    for (i = 0; i < UUID_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", id[i]);
    if (keep > 255 - (2 * UUID_SIZE + 8)) /* a file name's limit, as in Kafka */
        keep = 255 - (2 * UUID_SIZE + 8);
    snprintf(path, room, "%s/%.*s.%s-%s", dir->path, keep, name, hex, why);
}

apr_status_t log_dir_set_aside(log_dir_t *dir, const char *name)
{
    char from[SEGMENT_PATH], to[SEGMENT_PATH];
    apr_status_t status;

    snprintf(from, sizeof(from), "%s/%s", dir->path, name);
    log_dir_aside_name(dir, name, "stray", to, sizeof(to));
    status = fs_rename(from, to);
    if (status == APR_SUCCESS)
        LOG_WARN(storage, "%s is another topic's and is kept as %s", from, to);
    return status;
}

/* ---- the flusher -------------------------------------------------------- */

/* Puts LOG at the queue's end; the mutex is held. */
static void enqueue(log_dir_t *dir, log_t *log)
{
    log->queued = 1;
    log->next_flush = NULL;
    log_retain(log);
    if (dir->flush_last != NULL)
        dir->flush_last->next_flush = log;
    else
        dir->flush_first = log;
    dir->flush_last = log;
    if (dir->idle > 0)
        apr_thread_cond_signal(dir->wake);
}

/* No artificial delay: what is appended while a log is being flushed waits for
 * that flush to end, and then shares the next. */
void log_dir_queue_flush(log_dir_t *dir, log_t *log)
{
    apr_thread_mutex_lock(dir->mutex);
    if (log->flushing)
        log->again = 1;
    else if (!log->queued && !dir->stopping)
        enqueue(dir, log);
    apr_thread_mutex_unlock(dir->mutex);
}

/* Takes one log out of the queue; the mutex is held. */
static log_t *next_to_flush(log_dir_t *dir)
{
    log_t *log = dir->flush_first;

    if (log == NULL)
        return NULL;
    dir->flush_first = log->next_flush;
    if (dir->flush_first == NULL)
        dir->flush_last = NULL;
    log->next_flush = NULL;
    log->queued = 0;
    return log;
}

/* The mutex is held, and given up meanwhile. */
static void flush_one(log_dir_t *dir, log_t *log)
{
    dir->flushing++;
    log->flushing = 1;
    apr_thread_mutex_unlock(dir->mutex);
    (void)log_flush(log); /* took the directory offline if it failed */
    apr_thread_mutex_lock(dir->mutex);
    log->flushing = 0;
    if (log->again)
        enqueue(dir, log);
    log->again = 0;
    dir->flushing--;
    apr_thread_mutex_unlock(dir->mutex);
    log_release(log);
    apr_thread_mutex_lock(dir->mutex);
}

static void *APR_THREAD_FUNC flush_thread(apr_thread_t *thread, void *baton)
{
    log_dir_t *dir = baton;

    apr_thread_mutex_lock(dir->mutex);
    for (;;) {
        log_t *log = next_to_flush(dir);

        if (log != NULL) {
            flush_one(dir, log);
            continue;
        }
        if (dir->flushing == 0)
            apr_thread_cond_broadcast(dir->drained);
        if (dir->stopping)
            break;
        dir->idle++;
        apr_thread_cond_wait(dir->wake, dir->mutex);
        dir->idle--;
    }
    apr_thread_mutex_unlock(dir->mutex);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

void log_dir_drain(log_dir_t *dir)
{
    apr_thread_mutex_lock(dir->mutex);
    while (dir->started && (dir->flush_first != NULL || dir->flushing > 0))
        apr_thread_cond_wait(dir->drained, dir->mutex);
    apr_thread_mutex_unlock(dir->mutex);
}

/* ---- what is to be removed ---------------------------------------------- */

void log_dir_remove_later(log_dir_t *dir, const char *path, int64_t base,
                          int64_t delay_ms)
{
    size_t length = strlen(path) + 1;
    removal_t *removal = malloc(sizeof(*removal) + length);

    if (removal == NULL)
        return; /* its name says that it is to go: the next start does it */
    memcpy(removal->path, path, length);
    removal->base = base;
    removal->due = clock_monotonic() + (apr_time_t)delay_ms * 1000;
    apr_thread_mutex_lock(dir->mutex);
    removal->next = dir->removals;
    dir->removals = removal;
    apr_thread_cond_signal(dir->tick);
    apr_thread_mutex_unlock(dir->mutex);
}

static void remove_now(log_dir_t *dir, const removal_t *removal)
{
    apr_status_t status;

    if (removal->base >= 0)
        status = segment_remove(removal->path, removal->base, ".deleted");
    else
        status = fs_remove_tree(removal->path);
    if (status == APR_SUCCESS || APR_STATUS_IS_ENOENT(status))
        return;
    LOG_WARN(storage, "cannot remove %s: %s; the next start tries again",
             removal->path, LOG_STATUS(status));
    (void)dir;
}

/* Removes what is due; the mutex is held, and given up for each. */
static void remove_due(log_dir_t *dir, apr_time_t now)
{
    removal_t **at = &dir->removals;

    while (*at != NULL) {
        removal_t *removal = *at;

        if (removal->due > now) {
            at = &removal->next;
            continue;
        }
        *at = removal->next;
        apr_thread_mutex_unlock(dir->mutex);
        remove_now(dir, removal);
        free(removal);
        apr_thread_mutex_lock(dir->mutex);
        at = &dir->removals;
    }
}

/* ---- the housekeeper ---------------------------------------------------- */


/* Whether flush.ms says that it is time. */
static int is_flush_due(log_t *log, apr_time_t now)
{
    int due;

    if (log_flushed_offset(log) >= log_end_offset(log))
        return 0;
    lock_enter(log->lock);
    due = log->config.flush_ms < INT64_MAX / 1000 &&
          now - log->last_flush >= log->config.flush_ms * 1000;
    lock_leave(log->lock);
    return due;
}

static void keep_logs(log_dir_t *dir, int retention)
{
    int64_t now_ms = clock_wall_ms();
    apr_time_t now = clock_monotonic();
    int i, count;
    log_t **logs = log_dir_logs(dir, &count);

    for (i = 0; i < count; i++) {
        log_t *log = logs[i];

        if (retention)
            (void)log_clean_up(log, now_ms); /* said what went wrong */
        if (is_flush_due(log, now))
            log_dir_queue_flush(dir, log);
    }
    log_dir_release_logs(logs, count);
}

static void keep_house(log_dir_t *dir, apr_time_t now)
{
    int retention = now >= dir->next_retention;

    check_space(dir);
    keep_logs(dir, retention);
    if (retention)
        dir->next_retention = now + dir->options.retention_check_ms * 1000;
    if (now >= dir->next_checkpoint) {
        apr_status_t status = log_dir_checkpoint(dir);

        segment_cache_sweep(dir->cache);
        dir->next_checkpoint = now + dir->options.checkpoint_ms * 1000;
        if (status != APR_SUCCESS && !APR_STATUS_IS_ENOSPC(status))
            log_dir_fail(dir, status, "writing the checkpoints");
    }
}

#define TICK apr_time_from_sec(1)

static void *APR_THREAD_FUNC house_thread(apr_thread_t *thread, void *baton)
{
    log_dir_t *dir = baton;
    apr_time_t next = clock_monotonic() + TICK;

    apr_thread_mutex_lock(dir->mutex);
    while (!dir->stopping) {
        apr_time_t now = clock_monotonic();

        remove_due(dir, now);
        if (dir->stopping)
            break;
        if (now >= next) {
            apr_thread_mutex_unlock(dir->mutex);
            if (log_dir_online(dir))
                keep_house(dir, now);
            apr_thread_mutex_lock(dir->mutex);
            next = now + TICK;
            continue;
        }
        apr_thread_cond_timedwait(dir->tick, dir->mutex, next - now);
    }
    apr_thread_mutex_unlock(dir->mutex);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

/* ---- open, start, close ------------------------------------------------- */

#define MARKER ".kafka_cleanshutdown"

static char *file_in(const log_dir_t *dir, const char *name)
{
    return apr_pstrcat(dir->pool, dir->path, "/", name, NULL);
}

static apr_status_t read_marker(log_dir_t *dir)
{
    char *text, *epoch;
    apr_size_t length;
    apr_status_t status =
        fs_read_whole(file_in(dir, MARKER), 65536, &text, &length, dir->pool);

    dir->clean_epoch = -1;
    if (APR_STATUS_IS_ENOENT(status))
        return APR_SUCCESS;
    if (status != APR_SUCCESS)
        return status;
    dir->was_clean = 1;
    epoch = strstr(text, "\"brokerEpoch\"");
    if (epoch != NULL && (epoch = strchr(epoch, ':')) != NULL)
        dir->clean_epoch = apr_atoi64(epoch + 1);
    return APR_SUCCESS;
}

static apr_status_t lock_dir(log_dir_t *dir, const char **error)
{
    int holder;
    apr_status_t status = fs_lock(&dir->lock, file_in(dir, ".lock"), &holder);

    if (status == APR_SUCCESS)
        return status;
    if (!APR_STATUS_IS_EAGAIN(status))
        *error = apr_psprintf(dir->pool, "cannot lock log directory %s: %s",
                              dir->path, LOG_STATUS(status));
    else if (holder > 0)
        *error = apr_psprintf(dir->pool,
                              "log directory %s is in use by "
                              "process %d",
                              dir->path, holder);
    else
        *error = apr_psprintf(dir->pool,
                              "log directory %s is in use by "
                              "another process",
                              dir->path);
    return APR_STATUS_IS_EAGAIN(status) ? TAKHIN_ELOCKED : status;
}

static apr_status_t make_dir(log_dir_t *dir)
{
    apr_status_t status;

    status = apr_thread_mutex_create(&dir->mutex, APR_THREAD_MUTEX_DEFAULT,
                                     dir->pool);
    if (status == APR_SUCCESS)
        status = apr_thread_mutex_create(&dir->cleaned_mutex,
                                         APR_THREAD_MUTEX_DEFAULT, dir->pool);
    if (status == APR_SUCCESS)
        status = apr_thread_mutex_create(&dir->checkpointing,
                                         APR_THREAD_MUTEX_DEFAULT, dir->pool);
    if (status == APR_SUCCESS)
        status = apr_thread_cond_create(&dir->wake, dir->pool);
    if (status == APR_SUCCESS)
        status = apr_thread_cond_create(&dir->drained, dir->pool);
    if (status == APR_SUCCESS)
        status = apr_thread_cond_create(&dir->tick, dir->pool);
    if (status == APR_SUCCESS)
        status = segment_cache_create(&dir->cache, dir->options.max_open_files,
                                      dir->options.max_index_bytes, dir->pool);
    if (status == APR_SUCCESS)
        status = lock_initialize(NULL);
    dir->recalled = checkpoint_create();
    dir->deleted = checkpoint_create();
    return dir->recalled == NULL || dir->deleted == NULL ? APR_ENOMEM : status;
}

apr_status_t log_dir_open(log_dir_t **dir, const char *path,
                          const log_dir_options_t *options, apr_pool_t *pool,
                          const char **error)
{
    log_dir_t *made = apr_pcalloc(pool, sizeof(*made));
    apr_status_t status;

    *dir = NULL;
    *error = NULL;
    made->pool = pool;
    made->path = apr_pstrdup(pool, path);
    made->options = *options;
    status = make_dir(made);
    if (status == APR_SUCCESS)
        status = fs_mkdir_durable(path);
    if (status == APR_SUCCESS)
        status = lock_dir(made, error);
    if (status == APR_SUCCESS)
        status = read_marker(made);
    if (status == APR_SUCCESS) {
        status = checkpoint_read(made->recalled, path, error, pool);
        if (status == TAKHIN_ECORRUPT && !made->was_clean) {
            /* They only save work: what they do not tell is checked. */
            LOG_WARN(storage, "%s; it is not read any further", *error);
            *error = NULL;
            status = APR_SUCCESS;
        }
    }
    if (status == APR_SUCCESS) {
        *dir = made;
        return APR_SUCCESS;
    }
    if (*error == NULL)
        *error = apr_psprintf(pool, "cannot open log directory %s: %s", path,
                              LOG_STATUS(status));
    if (made->lock != NULL)
        fs_unlock(made->lock);
    checkpoint_destroy(made->recalled);
    checkpoint_destroy(made->deleted);
    return status;
}

static apr_status_t find_deleted(void *baton, const char *name,
                                 apr_filetype_e type)
{
    log_dir_t *dir = baton;
    size_t length = strlen(name);
    char path[SEGMENT_PATH];

    if (type != APR_DIR || length < 7 ||
        strcmp(name + length - 7, "-delete") != 0)
        return APR_SUCCESS;
    snprintf(path, sizeof(path), "%s/%s", dir->path, name);
    log_dir_remove_later(dir, path, -1, 0);
    return APR_SUCCESS;
}

apr_status_t log_dir_start(log_dir_t *dir)
{
    apr_status_t status = fs_remove(file_in(dir, MARKER));
    apr_time_t now = clock_monotonic();
    int i;

    if (APR_STATUS_IS_ENOENT(status))
        status = APR_SUCCESS;
    else if (status == APR_SUCCESS)
        status = fs_sync_dir(dir->path);
    if (status == APR_SUCCESS)
        status = fs_list(dir->path, find_deleted, dir);
    if (status != APR_SUCCESS)
        return status;
    check_space(dir);
    dir->next_checkpoint = now + dir->options.checkpoint_ms * 1000;
    dir->next_retention = now + dir->options.retention_check_ms * 1000;
    dir->started = 1;
    for (i = 0; status == APR_SUCCESS && i < MAX_FLUSHERS &&
                i < dir->options.flush_threads;
         i++)
        status = apr_thread_create(&dir->flushers[i], NULL, flush_thread, dir,
                                   dir->pool);
    if (status == APR_SUCCESS)
        status = apr_thread_create(&dir->housekeeper, NULL, house_thread, dir,
                                   dir->pool);
    return status;
}

static void stop_threads(log_dir_t *dir)
{
    apr_status_t ignored;
    int i;

    apr_thread_mutex_lock(dir->mutex);
    dir->stopping = 1;
    apr_thread_cond_broadcast(dir->wake);
    apr_thread_cond_broadcast(dir->tick);
    apr_thread_mutex_unlock(dir->mutex);
    for (i = 0; i < MAX_FLUSHERS; i++)
        if (dir->flushers[i] != NULL)
            apr_thread_join(&ignored, dir->flushers[i]);
    if (dir->housekeeper != NULL)
        apr_thread_join(&ignored, dir->housekeeper);
    dir->started = 0;
    while (dir->flush_first != NULL) /* there was no flusher */
        log_release(next_to_flush(dir));
}

static void remove_rest(log_dir_t *dir)
{
    while (dir->removals != NULL) {
        removal_t *removal = dir->removals;

        dir->removals = removal->next;
        if (log_dir_online(dir))
            remove_now(dir, removal);
        free(removal);
    }
}

apr_status_t log_dir_close(log_dir_t *dir, int64_t broker_epoch)
{
    apr_status_t status = log_dir_online(dir) ? APR_SUCCESS : TAKHIN_EOFFLINE;
    /* A start that came to nothing leaves a new directory new. */
    int used = dir->started || broker_epoch >= -1;
    char text[96];

    stop_threads(dir);
    remove_rest(dir);
    TAKHIN_ASSERT(dir->logs == NULL);
    if (status == APR_SUCCESS && used)
        status = log_dir_checkpoint(dir);
    if (status == APR_SUCCESS && broker_epoch >= -1 &&
        apr_atomic_read32(&dir->unclean) == 0) {
        int length =
            snprintf(text, sizeof(text), "{\"version\":0,\"brokerEpoch\":%lld}",
                     (long long)broker_epoch);

        status =
            fs_write_atomic(file_in(dir, MARKER), text, (apr_size_t)length);
    }
    checkpoint_destroy(dir->recalled);
    checkpoint_destroy(dir->deleted);
    fs_unlock(dir->lock);
    return status;
}

/* ---- what lies here ----------------------------------------------------- */

typedef struct {
    apr_pool_t *pool;
    char **names;
    int count;
    int room;
} names_t;

static int is_log_name(const char *name)
{
    const char *dash = strrchr(name, '-');

    return dash != NULL && dash != name && dash[1] != '\0' &&
           strspn(dash + 1, "0123456789") == strlen(dash + 1) &&
           strcmp(name, "__cluster_metadata-0") != 0;
}

static apr_status_t take_log(void *baton, const char *name, apr_filetype_e type)
{
    names_t *names = baton;

    if (type != APR_DIR || !is_log_name(name))
        return APR_SUCCESS;
    if (names->count == names->room) {
        int room = names->room == 0 ? 64 : names->room * 2;
        char **grown =
            apr_palloc(names->pool, sizeof(*grown) * (apr_size_t)room);

        if (names->count > 0)
            memcpy(grown, names->names, sizeof(*grown) * (size_t)names->count);
        names->names = grown;
        names->room = room;
    }
    names->names[names->count++] = apr_pstrdup(names->pool, name);
    return APR_SUCCESS;
}

apr_status_t log_dir_list(log_dir_t *dir, apr_pool_t *pool, char ***names,
                          int *count)
{
    names_t found = {pool, NULL, 0, 0};
    apr_status_t status = fs_list(dir->path, take_log, &found);

    *names = found.names;
    *count = found.count;
    return status;
}
