/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One segment takes the place of others, in Kafka's steps. A crash leaves:
 *
 *   X.log.cleaned       the new one was not whole: it goes, the old ones stay
 *   X.log.swap          the new one is whole and counts: the old ones go
 *   X.log.deleted       to be removed
 *
 * A segment is several files, so there is a moment with some named ".cleaned"
 * and some ".swap": it still counts as not whole. It must never come to pass
 * that neither the old ones nor the new one count.
 */
#include "storage/log_private.h"

#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/logger.h"

/* ---- the swap ----------------------------------------------------------- */

void log_await_change(log_t *log)
{
    lock_enter(log->append_lock);
    lock_leave(log->append_lock);
}

/* Where the COUNT segments OLD stand, -1 when they do not any more, one behind
 * the other and before the active one. The append lock is held. */
static int place_of(const log_t *log, segment_t *const *old, int count)
{
    int i = 0, k = 0;

    while (i < log->segment_count && log->segments[i] != old[0])
        i++;
    if (i + count >= log->segment_count)
        return -1;
    while (k < count && log->segments[i + k] == old[k])
        k++;
    return k == count ? i : -1;
}

/* From here on the new one counts. */
static apr_status_t commit(log_t *log, int64_t base)
{
    apr_status_t status = segment_rename(log->path, base, ".cleaned", ".swap");

    if (status == APR_SUCCESS)
        status = fs_sync_dir(log->path);
    return status;
}

static apr_status_t give_names(log_t *log, segment_t *const *old, int count,
                               int64_t base)
{
    apr_status_t status = APR_SUCCESS;
    int i;

    /* Before their names go: who opens one afterwards must not take the new
     * file for it. */
    for (i = 0; i < count; i++)
        segment_set_replaced(old[i]);
    for (i = 0; i < count && status == APR_SUCCESS; i++)
        status = segment_rename(log->path, old[i]->base_offset, "", ".deleted");
    /* An old one that came back beside the new one would be read twice. */
    if (status == APR_SUCCESS)
        status = fs_sync_dir(log->path);
    if (status == APR_SUCCESS)
        status = segment_rename(log->path, base, ".swap", "");
    if (status == APR_SUCCESS)
        status = fs_sync_dir(log->path);
    return status;
}

static void take_place(log_t *log, int at, int count, segment_t *replacement)
{
    int64_t bytes = replacement->size;
    int i;

    lock_enter(log->lock);
    for (i = 0; i < count; i++)
        bytes -= log->segments[at + i]->size;
    log->segments[at] = replacement;
    memmove(log->segments + at + 1, log->segments + at + count,
            (size_t)(log->segment_count - at - count) * sizeof(segment_t *));
    log->segment_count -= count - 1;
    log_put(&log->bytes, log_get(&log->bytes) + bytes);
    lock_leave(log->lock);
}

/* The old ones are in no list any more. */
static void dispose(log_t *log, segment_t *const *old, int count,
                    int64_t delay_ms)
{
    char path[SEGMENT_PATH];
    int i;

    for (i = 0; i < count; i++) {
        int64_t base = old[i]->base_offset;

        log_dir_remove_later(log->dir, log->path, base, delay_ms);
        /* No segment begins there any more; the first keeps its own. One that
         * stays does no harm. */
        if (i > 0 && base != log->snapshot_offset)
            (void)fs_remove(segment_path(path, log->path, base, ".snapshot"));
        segment_release(old[i]);
    }
}

static apr_status_t swap(log_t *log, segment_t *const *old, int count,
                         segment_t *replacement)
{
    int64_t base = replacement->base_offset;
    int at = place_of(log, old, count);
    apr_status_t status;
    char what[300];

    if (at < 0)
        return APR_EAGAIN;
    status = commit(log, base);
    if (status == APR_SUCCESS)
        status = give_names(log, old, count, base);
    if (status != APR_SUCCESS) {
        /* Half a swap is finished or undone by the next start, not here. */
        snprintf(what, sizeof(what), "replacing segments of %s", log->name);
        log_dir_fail(log->dir, status, what);
        return status;
    }
    take_place(log, at, count, replacement);
    dispose(log, old, count, log->config.file_delete_delay_ms);
    return APR_SUCCESS;
}

apr_status_t log_replace_segments(log_t *log, segment_t *const *old, int count,
                                  segment_t *replacement, unsigned truncations)
{
    apr_status_t status = fs_sync_dir(log->path);

    /* That the ".cleaned" names are there is what tells half a swap. */
    if (status != APR_SUCCESS)
        return status;
    lock_enter(log->append_lock);
    status = log_usable(log);
    if (status == TAKHIN_EDELETED || log->truncations != truncations)
        status = APR_EAGAIN;
    if (status == APR_SUCCESS) {
        apr_atomic_inc32(&log->swaps);
        status = swap(log, old, count, replacement);
        apr_atomic_inc32(&log->swaps);
    }
    lock_leave(log->append_lock);
    return status;
}

/* ---- what a crash left -------------------------------------------------- */

typedef struct {
    const char *directory;
    int64_t first_cleaned; /* INT64_MAX: none */
    int64_t from, to;      /* old segments that begin there are replaced */
} left_t;

enum { KEEP, SWAP, CLEANED, DELETED };

/* What NAME says of itself; *BASE is its segment's, -1 when it is of none. */
static int kind_of(const char *name, int64_t *base)
{
    static const char *const suffixes[] = {"", ".swap", ".cleaned", ".deleted"};
    size_t length = strlen(name);
    int kind;

    *base = -1;
    if (strspn(name, "0123456789") == 20)
        *base = apr_strtoi64(name, NULL, 10);
    for (kind = SWAP; kind <= DELETED; kind++) {
        size_t tail = strlen(suffixes[kind]);

        if (length > tail && strcmp(name + length - tail, suffixes[kind]) == 0)
            return kind;
    }
    return KEEP;
}

static apr_status_t remove_name(const char *directory, const char *name)
{
    char path[SEGMENT_PATH];
    apr_status_t status;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    status = fs_remove(path);
    return APR_STATUS_IS_ENOENT(status) ? APR_SUCCESS : status;
}

int log_is_left_over(const char *name)
{
    int64_t base;

    return kind_of(name, &base) != KEEP;
}

static apr_status_t look(void *baton, const char *name, apr_filetype_e type)
{
    left_t *left = baton;
    int64_t base;

    if (type == APR_REG && kind_of(name, &base) == CLEANED && base >= 0 &&
        base < left->first_cleaned)
        left->first_cleaned = base;
    return APR_SUCCESS;
}

/* Swaps that were not whole go first, then what told us that they were not. */
static apr_status_t remove_unfinished(void *baton, const char *name,
                                      apr_filetype_e type)
{
    const left_t *left = baton;
    int64_t base;

    if (type != APR_REG || kind_of(name, &base) != SWAP ||
        base < left->first_cleaned)
        return APR_SUCCESS;
    return remove_name(left->directory, name);
}

static apr_status_t remove_garbage(void *baton, const char *name,
                                   apr_filetype_e type)
{
    const left_t *left = baton;
    int64_t base;
    int kind = kind_of(name, &base);

    if (type != APR_REG || (kind != CLEANED && kind != DELETED))
        return APR_SUCCESS;
    return remove_name(left->directory, name);
}

static apr_status_t note_end(void *baton, int64_t position,
                             const record_batch_t *batch, const uint8_t *data)
{
    (void)position;
    (void)data;
    *(int64_t *)baton = record_batch_next_offset(batch);
    return APR_SUCCESS;
}

/* The offset behind the last batch of the file at PATH. */
static apr_status_t end_of_file(const char *path, int64_t base, int64_t *end)
{
    segment_t segment;
    apr_off_t size = 0;
    int64_t position;
    apr_status_t status;

    *end = base + 1; /* also an empty one stands for its own base */
    memset(&segment, 0, sizeof(segment));
    status = fs_open(&segment.file, path, FS_READ_ONLY);
    if (status != APR_SUCCESS)
        return status;
    status = fs_size(segment.file, &size);
    if (status == APR_SUCCESS)
        status = log_scan(&segment, 0, size, 0, note_end, end, &position);
    (void)fs_close(segment.file); /* only read */
    /* It was flushed: what is wrong with it who reads it will find. */
    return status == TAKHIN_ECORRUPT ? APR_SUCCESS : status;
}

static apr_status_t remove_replaced(void *baton, const char *name,
                                    apr_filetype_e type)
{
    const left_t *left = baton;
    int64_t base;

    if (type != APR_REG || kind_of(name, &base) != KEEP || base < left->from ||
        base >= left->to || strcmp(name + 20, ".snapshot") == 0)
        return APR_SUCCESS;
    return remove_name(left->directory, name);
}

/* For each new log the segments that it stands for. The names may be listed
 * again and again: crashes at this point are rare and directories small. */
static apr_status_t clear_place(void *baton, const char *name,
                                apr_filetype_e type)
{
    left_t *left = baton;
    char path[SEGMENT_PATH];
    int64_t base;
    apr_status_t status;

    if (type != APR_REG || kind_of(name, &base) != SWAP || base < 0 ||
        strcmp(name + 20, ".log.swap") != 0)
        return APR_SUCCESS;
    snprintf(path, sizeof(path), "%s/%s", left->directory, name);
    left->from = base;
    status = end_of_file(path, base, &left->to);
    if (status == APR_SUCCESS)
        status = fs_list(left->directory, remove_replaced, left);
    if (status == APR_SUCCESS)
        LOG_INFO(storage,
                 "%s: the compaction of offsets %lld to %lld is "
                 "finished",
                 left->directory, (long long)left->from,
                 (long long)left->to - 1);
    return status;
}

static apr_status_t give_name(const left_t *left, const char *name)
{
    char from[SEGMENT_PATH], to[SEGMENT_PATH];

    snprintf(from, sizeof(from), "%s/%s", left->directory, name);
    snprintf(to, sizeof(to), "%s/%.*s", left->directory, (int)strlen(name) - 5,
             name);
    return fs_rename(from, to);
}

/* The .log comes first: as long as it is a swap, what has its indexes' names
 * is old and cleared away. */
static apr_status_t name_log(void *baton, const char *name, apr_filetype_e type)
{
    int64_t base;

    if (type != APR_REG || kind_of(name, &base) != SWAP || base < 0 ||
        strcmp(name + 20, ".log.swap") != 0)
        return APR_SUCCESS;
    return give_name(baton, name);
}

static apr_status_t name_rest(void *baton, const char *name,
                              apr_filetype_e type)
{
    int64_t base;

    if (type != APR_REG || kind_of(name, &base) != SWAP || base < 0)
        return APR_SUCCESS;
    return give_name(baton, name);
}

typedef apr_status_t step_t(void *baton, const char *name, apr_filetype_e type);

apr_status_t log_finish_swaps(const char *directory)
{
    static step_t *const steps[] = {remove_unfinished, remove_garbage,
                                    clear_place, name_log, name_rest};
    left_t left = {directory, INT64_MAX, 0, 0};
    apr_status_t status = fs_list(directory, look, &left);
    size_t i;

    /* Each is on the device before the next begins: it may end here, too. */
    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (status == APR_SUCCESS)
            status = fs_list(directory, steps[i], &left);
        if (status == APR_SUCCESS)
            status = fs_sync_dir(directory);
    }
    return status;
}
