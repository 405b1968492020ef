/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a log is compacted, and by whom; how is compact.c's. It must never let
 * two threads work on one log, nor on two that had the same name.
 */
#include "storage/cleaner.h"

#include <apr_thread_cond.h>
#include <apr_thread_proc.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"
#include "storage/log_private.h"

#define LONGEST_SLEEP  apr_time_from_sec(1)
#define LEAST_IO_BYTES 8192

struct cleaner_t {
    cleaner_options_t options;
    log_dir_t *const *dirs;
    int dir_count;
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex; /* of all that follows */
    apr_thread_cond_t *wake;
    apr_thread_t **threads;
    log_t **working; /* what each thread, or caller, works on */
    int working_room;
    int stopping;
    apr_time_t pace_began; /* the throttle: of how long and how much */
    double pace_bytes;
    compact_counters_t work;
    int running;
    double dirtiest;
    takhin_zerocopy_counters_t copies; /* atomic */
};

void cleaner_options_init(cleaner_options_t *options)
{
    options->threads = 1;
    options->dedupe_bytes = 128 << 20;
    options->load_factor = 0.9;
    options->io_bytes = 512 << 10;
    options->bytes_per_second = 1e300;
    options->backoff_ms = 15000;
}

/* ---- the throttle ------------------------------------------------------- */

/* How long to sleep after BYTES more. The mutex is held. A pause is not saved
 * up for a burst. */
static apr_time_t owed(cleaner_t *cleaner, apr_size_t bytes)
{
    apr_time_t now = clock_monotonic(), due;
    double seconds;

    if (now - cleaner->pace_began > apr_time_from_sec(1) &&
        cleaner->pace_bytes / cleaner->options.bytes_per_second <
            (double)(now - cleaner->pace_began) / 1e6) {
        cleaner->pace_began = now;
        cleaner->pace_bytes = 0;
    }
    cleaner->pace_bytes += (double)bytes;
    seconds = cleaner->pace_bytes / cleaner->options.bytes_per_second;
    if (seconds > 86400)
        seconds = 86400;
    due = cleaner->pace_began + (apr_time_t)(seconds * 1e6);
    return due > now ? due - now : 0;
}

/* compact_options_t's. */
static apr_status_t pace(void *baton, apr_size_t bytes)
{
    cleaner_t *cleaner = baton;
    apr_status_t status;
    apr_time_t until, now;

    apr_thread_mutex_lock(cleaner->mutex);
    now = clock_monotonic();
    until = now + owed(cleaner, bytes);
    /* Short sleeps cost more than they save. */
    if (until - now >= 10000)
        for (; now < until && !cleaner->stopping; now = clock_monotonic()) {
            apr_time_t nap = until - now;

            if (nap > LONGEST_SLEEP)
                nap = LONGEST_SLEEP;
            cleaner->work.throttled += nap;
            apr_thread_cond_timedwait(cleaner->wake, cleaner->mutex, nap);
        }
    status = cleaner->stopping ? APR_EINTR : APR_SUCCESS;
    apr_thread_mutex_unlock(cleaner->mutex);
    return status;
}

/* ---- which log ---------------------------------------------------------- */

typedef struct {
    log_t *log; /* retained */
    int place;  /* in WORKING */
    compact_measure_t measure;
    double ratio;
} choice_t;

static int is_same_name(const log_t *a, const log_t *b)
{
    return a->dir == b->dir && strcmp(a->name, b->name) == 0;
}

/* Whether someone works on LOG, or on a deleted one that had its place. The
 * mutex is held. */
static int is_taken(const cleaner_t *cleaner, const log_t *log)
{
    int i;

    for (i = 0; i < cleaner->working_room; i++)
        if (cleaner->working[i] != NULL &&
            is_same_name(cleaner->working[i], log))
            return 1;
    return 0;
}

static int is_compacted(log_t *log, double *least_ratio)
{
    log_config_t config;

    if ((log->flags & LOG_NO_CHECKPOINT) || log_usable(log) != APR_SUCCESS ||
        apr_atomic_read32(&log->uncleanable))
        return 0;
    log_config(log, &config);
    *least_ratio = config.min_cleanable_dirty_ratio;
    return config.compact;
}

/* Takes LOG as the choice if it is dirtier than what was chosen before. */
static void consider(log_t *log, int64_t now_ms, choice_t *choice)
{
    compact_measure_t measure;
    double least_ratio, ratio;
    int64_t total;

    if (!is_compacted(log, &least_ratio))
        return;
    /* Where its segments cannot be read who compacts or reads it says so. */
    if (compact_measure(log, log_dir_cleaned_offset(log->dir, log->name),
                        now_ms, &measure) != APR_SUCCESS)
        return;
    total = measure.clean_bytes + measure.dirty_bytes;
    if (measure.dirty_bytes == 0)
        return;
    ratio = (double)measure.dirty_bytes / (double)total;
    if (!(ratio > least_ratio) && !measure.overdue)
        return;
    if (choice->log != NULL && ratio <= choice->ratio)
        return;
    if (choice->log != NULL)
        log_release(choice->log);
    log_retain(log);
    choice->log = log;
    choice->measure = measure;
    choice->ratio = ratio;
}

static void consider_dir(cleaner_t *cleaner, log_dir_t *dir, int64_t now_ms,
                         choice_t *choice)
{
    int i, count;
    log_t **logs;

    if (!log_dir_online(dir))
        return;
    logs = log_dir_logs(dir, &count);
    for (i = 0; i < count; i++) {
        int taken;

        apr_thread_mutex_lock(cleaner->mutex);
        taken = is_taken(cleaner, logs[i]);
        apr_thread_mutex_unlock(cleaner->mutex);
        if (!taken)
            consider(logs[i], now_ms, choice);
    }
    log_dir_release_logs(logs, count);
}

/* LOG is ours from here on; 0 when someone was faster. */
static int take(cleaner_t *cleaner, choice_t *choice)
{
    int i, taken;

    apr_thread_mutex_lock(cleaner->mutex);
    taken = is_taken(cleaner, choice->log) || cleaner->stopping;
    for (i = 0; !taken && i < cleaner->working_room; i++)
        if (cleaner->working[i] == NULL) {
            cleaner->working[i] = choice->log;
            choice->place = i;
            cleaner->running++;
            cleaner->dirtiest = choice->ratio;
            break;
        }
    taken |= i == cleaner->working_room;
    apr_thread_mutex_unlock(cleaner->mutex);
    return !taken;
}

static int choose(cleaner_t *cleaner, int64_t now_ms, choice_t *choice)
{
    int i;

    memset(choice, 0, sizeof(*choice));
    for (i = 0; i < cleaner->dir_count; i++)
        consider_dir(cleaner, cleaner->dirs[i], now_ms, choice);
    if (choice->log == NULL)
        return 0;
    if (take(cleaner, choice))
        return 1;
    log_release(choice->log);
    return 0;
}

/* ---- compact it --------------------------------------------------------- */

static void add_counters(compact_counters_t *to, const compact_counters_t *from)
{
    to->compactions += from->compactions;
    to->failures += from->failures;
    to->abandoned += from->abandoned;
    to->segments_read += from->segments_read;
    to->segments_written += from->segments_written;
    to->batches_read += from->batches_read;
    to->batches_whole += from->batches_whole;
    to->batches_rebuilt += from->batches_rebuilt;
    to->batches_dropped += from->batches_dropped;
    to->records_read += from->records_read;
    to->records_kept += from->records_kept;
    to->records_without_key += from->records_without_key;
    to->bytes_read += from->bytes_read;
    to->bytes_before += from->bytes_before;
    to->bytes_after += from->bytes_after;
    to->time += from->time;
    if (from->map_bytes_peak > to->map_bytes_peak)
        to->map_bytes_peak = from->map_bytes_peak;
    if (from->map_entries_peak > to->map_entries_peak)
        to->map_entries_peak = from->map_entries_peak;
}

/* What became of it, once, in a line. */
static void tell(const choice_t *choice, const compact_counters_t *work,
                 int64_t cleaned, apr_status_t status)
{
    log_t *log = choice->log;

    if (status == APR_SUCCESS)
        LOG_INFO(storage,
                 "%s: compacted from offset %lld to %lld: %lld bytes "
                 "became %lld in %lld ms",
                 log->path, (long long)choice->measure.first_dirty,
                 (long long)cleaned, (long long)work->bytes_before,
                 (long long)work->bytes_after,
                 (long long)apr_time_as_msec(work->time));
    else if (work->failures > 0)
        LOG_ERROR(storage, "%s cannot be compacted and is left as it is: %s",
                  log->path, LOG_STATUS(status));
    else if (APR_STATUS_IS_ENOSPC(status) || status == APR_ENOMEM)
        LOG_WARN(storage, "%s: compaction is put off: %s", log->path,
                 LOG_STATUS(status));
}

static apr_status_t compact_choice(cleaner_t *cleaner, choice_t *choice,
                                   int64_t now_ms, compact_counters_t *work)
{
    log_t *log = choice->log;
    int64_t cleaned;
    compact_options_t options = {
        .map_bytes = cleaner->options.dedupe_bytes / cleaner->options.threads,
        .load_factor = cleaner->options.load_factor,
        .io_bytes =
            (apr_size_t)(cleaner->options.io_bytes / cleaner->options.threads),
        .pace = pace,
        .baton = cleaner};
    apr_status_t status;

    if (options.io_bytes < LEAST_IO_BYTES)
        options.io_bytes = LEAST_IO_BYTES;
    work->copies = &cleaner->copies;
    status =
        compact_log(log, &choice->measure, &options, now_ms, work, &cleaned);
    if (status == APR_SUCCESS) {
        status = log_failed(log, log_dir_set_cleaned(log->dir, log, cleaned),
                            "writing the cleaner's checkpoint");
    } else if (status == TAKHIN_ECORRUPT || status == TAKHIN_ETOOBIG ||
               status == TAKHIN_EUNSUPPORTED) {
        apr_atomic_set32(&log->uncleanable, 1);
        work->failures++;
    } else if (!APR_STATUS_IS_EINTR(status)) {
        work->abandoned++;
    }
    tell(choice, work, cleaned, status);
    return status;
}

apr_status_t cleaner_run_once(cleaner_t *cleaner, int *found)
{
    int64_t now_ms = clock_wall_ms();
    compact_counters_t work;
    choice_t choice;
    apr_status_t status;

    *found = choose(cleaner, now_ms, &choice);
    if (!*found)
        return APR_SUCCESS;
    memset(&work, 0, sizeof(work));
    status = compact_choice(cleaner, &choice, now_ms, &work);
    apr_thread_mutex_lock(cleaner->mutex);
    cleaner->working[choice.place] = NULL;
    cleaner->running--;
    add_counters(&cleaner->work, &work);
    apr_thread_mutex_unlock(cleaner->mutex);
    log_release(choice.log);
    return status;
}

/* ---- threads ------------------------------------------------------------ */

static void *APR_THREAD_FUNC clean_thread(apr_thread_t *thread, void *baton)
{
    cleaner_t *cleaner = baton;

    apr_thread_mutex_lock(cleaner->mutex);
    while (!cleaner->stopping) {
        apr_status_t status;
        int found;

        apr_thread_mutex_unlock(cleaner->mutex);
        status = cleaner_run_once(cleaner, &found); /* said what went wrong */
        apr_thread_mutex_lock(cleaner->mutex);
        if ((!found || status != APR_SUCCESS) && !cleaner->stopping)
            apr_thread_cond_timedwait(cleaner->wake, cleaner->mutex,
                                      cleaner->options.backoff_ms * 1000);
    }
    apr_thread_mutex_unlock(cleaner->mutex);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

apr_status_t cleaner_create(cleaner_t **cleaner,
                            const cleaner_options_t *options,
                            log_dir_t *const *dirs, int dir_count,
                            apr_pool_t *pool)
{
    cleaner_t *made = apr_pcalloc(pool, sizeof(*made));
    apr_status_t status;

    made->options = *options;
    if (made->options.threads < 1)
        made->options.threads = 1;
    if (!(made->options.load_factor > 0.01))
        made->options.load_factor = 0.01;
    if (made->options.load_factor > 0.99)
        made->options.load_factor = 0.99;
    if (!(made->options.bytes_per_second > 0))
        made->options.bytes_per_second = 1e300;
    made->dirs = dirs;
    made->dir_count = dir_count;
    made->pool = pool;
    made->threads = apr_pcalloc(pool, sizeof(*made->threads) *
                                          (apr_size_t)made->options.threads);
    made->working_room = made->options.threads + 1; /* and one caller */
    made->working = apr_pcalloc(pool, sizeof(*made->working) *
                                          (apr_size_t)made->working_room);
    made->pace_began = clock_monotonic();
    status =
        apr_thread_mutex_create(&made->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    if (status == APR_SUCCESS)
        status = apr_thread_cond_create(&made->wake, pool);
    *cleaner = made;
    return status;
}

apr_status_t cleaner_start(cleaner_t *cleaner)
{
    apr_status_t status = APR_SUCCESS;
    int i;

    for (i = 0; i < cleaner->options.threads && status == APR_SUCCESS; i++)
        status = apr_thread_create(&cleaner->threads[i], NULL, clean_thread,
                                   cleaner, cleaner->pool);
    return status;
}

void cleaner_stop(cleaner_t *cleaner)
{
    apr_status_t ignored;
    int i;

    apr_thread_mutex_lock(cleaner->mutex);
    cleaner->stopping = 1;
    apr_thread_cond_broadcast(cleaner->wake);
    apr_thread_mutex_unlock(cleaner->mutex);
    for (i = 0; i < cleaner->options.threads; i++)
        if (cleaner->threads[i] != NULL)
            apr_thread_join(&ignored, cleaner->threads[i]);
}

static int count_uncleanable(const cleaner_t *cleaner)
{
    int i, j, count, found = 0;

    for (i = 0; i < cleaner->dir_count; i++) {
        log_t **logs = log_dir_logs(cleaner->dirs[i], &count);

        for (j = 0; j < count; j++)
            found += apr_atomic_read32(&logs[j]->uncleanable) != 0;
        log_dir_release_logs(logs, count);
    }
    return found;
}

void cleaner_stats(cleaner_t *cleaner, cleaner_stats_t *stats)
{
    memset(stats, 0, sizeof(*stats));
    stats->uncleanable = count_uncleanable(cleaner);
    apr_thread_mutex_lock(cleaner->mutex);
    stats->work = cleaner->work;
    stats->work.copies = NULL;
    stats->running = cleaner->running;
    stats->dirtiest = cleaner->dirtiest;
    apr_thread_mutex_unlock(cleaner->mutex);
    takhin_zerocopy_counters_get(&cleaner->copies, &stats->copies);
}
