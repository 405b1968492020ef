/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A partition: the high watermark, the replicas that move it, and who waits;
 * see partition.h. It must never let the high watermark pass a replica that is
 * in sync, nor a waiter miss a move: who moves first moves, then looks for
 * waiters; who waits first says so, then looks whether it moved.
 */
#include "storage/partition.h"

#include <apr_atomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "storage/log_dir.h"
#include "storage/topics.h"

typedef struct {
    int32_t replica;
    int64_t end_offset;     /* as its last Fetch told */
    int64_t last_caught_up; /* ms */
    int64_t last_fetch;     /* ms */
    int64_t leader_end;     /* ours at its last Fetch */
    unsigned assigned : 1;
    unsigned in_sync : 1;
} follower_t;

struct partition_t {
    volatile apr_uint32_t references; /* atomic */
    volatile apr_uint32_t waiting;    /* atomic: how many watch */
    volatile apr_uint32_t gone;       /* atomic */
    volatile apr_uint32_t leader_epoch;
    volatile apr_uint32_t followers_in_sync; /* atomic */
    int32_t index;
    int32_t replica; /* this broker */
    topic_t *topic;
    log_t *log;
    lock_t *lock;
    partition_waiter_t *waiters; /* lock */
    follower_t *followers;       /* lock; NULL when alone */
    int follower_count;
};

/* ---- life -------------------------------------------------------------- */

static void log_was_flushed(void *baton, log_t *log);
static void log_is_gone(void *baton, log_t *log);

/* The flusher may still be at the log when the last request has gone: the
 * memory stays until the log's last reference. */
static void free_partition(void *baton)
{
    partition_t *partition = baton;

    lock_destroy(partition->lock);
    free(partition->followers);
    free(partition);
}

partition_t *partition_create(topic_t *topic, int32_t index, log_t *log,
                              int32_t replica)
{
    log_listener_t listener = {log_was_flushed, log_is_gone, free_partition,
                               NULL};
    partition_t *partition = calloc(1, sizeof(*partition));

    if (partition == NULL)
        return NULL;
    partition->lock = lock_create(1);
    if (partition->lock == NULL) {
        free(partition);
        return NULL;
    }
    partition->references = 1;
    partition->topic = topic;
    partition->index = index;
    partition->log = log;
    partition->replica = replica;
    topic_retain(topic);
    listener.baton = partition;
    log_listen(log, &listener);
    return partition;
}

void partition_retain(partition_t *partition)
{
    apr_atomic_inc32(&partition->references);
}

void partition_release(partition_t *partition)
{
    if (apr_atomic_dec32(&partition->references) != 0)
        return;
    TAKHIN_ASSERT(partition->waiters == NULL);
    topic_release(partition->topic);
    log_release(partition->log);
}

log_t *partition_log(const partition_t *partition)
{
    return partition->log;
}

log_t *partition_future(partition_t *partition)
{
    (void)partition;
    return NULL;
}

topic_t *partition_topic(const partition_t *partition)
{
    return partition->topic;
}

const char *partition_topic_name(const partition_t *partition)
{
    return topic_name(partition->topic);
}

int32_t partition_index(const partition_t *partition)
{
    return partition->index;
}

int32_t partition_leader_epoch(const partition_t *partition)
{
    return (int32_t)apr_atomic_read32(
        (volatile apr_uint32_t *)&partition->leader_epoch);
}

void partition_set_leader_epoch(partition_t *partition, int32_t epoch)
{
    apr_atomic_set32(&partition->leader_epoch, (apr_uint32_t)epoch);
    log_assign_epoch(partition->log, epoch);
}

int64_t partition_high_watermark(const partition_t *partition)
{
    return log_high_watermark(partition->log);
}

int64_t partition_last_stable_offset(const partition_t *partition)
{
    int64_t high_watermark = log_high_watermark(partition->log);
    int64_t stable = log_last_stable_offset(partition->log);

    return stable < high_watermark ? stable : high_watermark;
}

/* ---- waiters ----------------------------------------------------------- */

void partition_watch(partition_t *partition, partition_waiter_t *waiter)
{
    waiter->partition = partition;
    partition_retain(partition);
    lock_enter(partition->lock);
    waiter->previous = NULL;
    waiter->next = partition->waiters;
    if (waiter->next != NULL)
        waiter->next->previous = waiter;
    partition->waiters = waiter;
    apr_atomic_inc32(&partition->waiting);
    lock_leave(partition->lock);
}

void partition_unwatch(partition_waiter_t *waiter)
{
    partition_t *partition = waiter->partition;

    if (partition == NULL)
        return;
    lock_enter(partition->lock);
    if (waiter->previous != NULL)
        waiter->previous->next = waiter->next;
    else
        partition->waiters = waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    apr_atomic_dec32(&partition->waiting);
    lock_leave(partition->lock);
    waiter->partition = NULL;
    partition_release(partition);
}

static void notify(partition_t *partition, int events)
{
    partition_waiter_t *waiter, *next;

    if (apr_atomic_read32(&partition->waiting) == 0)
        return;
    lock_enter(partition->lock);
    for (waiter = partition->waiters; waiter != NULL; waiter = next) {
        next = waiter->next;
        if (waiter->events & events)
            waiter->notify(waiter, events & waiter->events);
    }
    lock_leave(partition->lock);
}

static void log_was_flushed(void *baton, log_t *log)
{
    (void)log;
    notify(baton, PARTITION_FLUSHED);
}

static void log_is_gone(void *baton, log_t *log)
{
    (void)log;
    notify(baton, PARTITION_GONE);
}

/* ---- the high watermark ------------------------------------------------ */

/* What it may be: the least of what those in sync have. The lock is held. */
static int64_t least_in_sync(const partition_t *partition)
{
    int64_t least = log_end_offset(partition->log);
    int i;

    for (i = 0; i < partition->follower_count; i++)
        if (partition->followers[i].in_sync &&
            partition->followers[i].end_offset < least)
            least = partition->followers[i].end_offset;
    return least;
}

/* Moves it up where that may be; says whether it moved. */
static int move_high_watermark(partition_t *partition)
{
    int moved = 0;
    int64_t to;

    lock_enter(partition->lock);
    to = least_in_sync(partition);
    if (to > log_high_watermark(partition->log))
        moved = 1;
    lock_leave(partition->lock);
    if (moved)
        moved = log_raise_high_watermark(partition->log, to);
    return moved;
}

/* Moves the high watermark after an append, and wakes who waits. */
static void appended(partition_t *partition, const append_result_t *result)
{
    int moved;

    if (result->duplicate)
        return;
    if (apr_atomic_read32(&partition->followers_in_sync) == 0)
        moved =
            log_raise_high_watermark(partition->log, result->last_offset + 1);
    else
        moved = move_high_watermark(partition);
    if (moved)
        notify(partition, PARTITION_APPENDED);
}

apr_status_t partition_append(partition_t *partition, uint8_t *data,
                              apr_size_t length, const record_batch_t *batch,
                              append_origin_t origin, append_result_t *result)
{
    apr_status_t status;

    if (apr_atomic_read32(&partition->gone) != 0)
        return TAKHIN_EDELETED;
    status = log_append(partition->log, data, length, batch,
                        partition_leader_epoch(partition), origin, result);
    if (status == APR_SUCCESS)
        appended(partition, result);
    return status;
}

apr_status_t partition_append_guarded(partition_t *partition, uint8_t *data,
                                      apr_size_t length,
                                      const record_batch_t *batch,
                                      log_guard_t guard,
                                      append_result_t *result)
{
    apr_status_t status;

    if (apr_atomic_read32(&partition->gone) != 0)
        return TAKHIN_EDELETED;
    status = log_append_guarded(partition->log, data, length, batch,
                                partition_leader_epoch(partition), guard,
                                result);
    if (status == APR_SUCCESS)
        appended(partition, result);
    return status;
}

void partition_request_flush(partition_t *partition)
{
    log_request_flush(partition->log);
}

/* ---- replicas ---------------------------------------------------------- */

/* A replica id is whatever a client says: so many are remembered. */
#define MAX_FOLLOWERS 64

/* The lock is held. NULL without memory, or when there are too many. */
static follower_t *find_follower(partition_t *partition, int32_t replica)
{
    follower_t *followers;
    int i;

    for (i = 0; i < partition->follower_count; i++)
        if (partition->followers[i].replica == replica)
            return &partition->followers[i];
    if (partition->follower_count == MAX_FOLLOWERS)
        return NULL;
    followers =
        realloc(partition->followers,
                sizeof(*followers) * (size_t)(partition->follower_count + 1));
    if (followers == NULL)
        return NULL;
    partition->followers = followers;
    followers += partition->follower_count++;
    memset(followers, 0, sizeof(*followers));
    followers->replica = replica;
    followers->last_caught_up = -1;
    return followers;
}

static void set_in_sync(partition_t *partition, follower_t *follower, int to)
{
    if (follower->in_sync == (unsigned)to)
        return;
    follower->in_sync = (unsigned)to;
    if (to)
        apr_atomic_inc32(&partition->followers_in_sync);
    else
        apr_atomic_dec32(&partition->followers_in_sync);
}

apr_status_t partition_set_replicas(partition_t *partition,
                                    const int32_t *replicas, int count)
{
    apr_status_t status = APR_SUCCESS;
    int i;

    lock_enter(partition->lock);
    for (i = 0; i < partition->follower_count; i++)
        partition->followers[i].assigned = 0;
    for (i = 0; i < count && status == APR_SUCCESS; i++) {
        follower_t *follower;

        if (replicas[i] == partition->replica)
            continue;
        follower = find_follower(partition, replicas[i]);
        if (follower == NULL)
            status = APR_ENOMEM;
        else
            follower->assigned = 1;
    }
    for (i = 0; i < partition->follower_count; i++)
        if (!partition->followers[i].assigned)
            set_in_sync(partition, &partition->followers[i], 0);
    lock_leave(partition->lock);
    if (move_high_watermark(partition))
        notify(partition, PARTITION_APPENDED);
    return status;
}

/* A follower has caught up when it asks for our end, or for what was our end
 * when it asked the last time: then it had caught up at that time. */
int partition_has_follower(partition_t *partition, int32_t replica)
{
    int has = 0;

    lock_enter(partition->lock);
    for (int i = 0; i < partition->follower_count && !has; i++)
        has = partition->followers[i].replica == replica &&
              partition->followers[i].assigned;
    lock_leave(partition->lock);
    return has;
}

void partition_follower_fetched(partition_t *partition, int32_t replica,
                                int64_t fetch_offset, int64_t now_ms)
{
    int64_t end = log_end_offset(partition->log);
    follower_t *follower;

    lock_enter(partition->lock);
    follower = find_follower(partition, replica);
    if (follower != NULL) {
        int64_t caught_up = -1;

        if (fetch_offset >= end)
            caught_up = now_ms;
        else if (follower->last_fetch > 0 &&
                 fetch_offset >= follower->leader_end)
            caught_up = follower->last_fetch;
        if (caught_up > follower->last_caught_up)
            follower->last_caught_up = caught_up;
        follower->end_offset = fetch_offset;
        follower->leader_end = end;
        follower->last_fetch = now_ms;
        if (follower->assigned &&
            fetch_offset >= log_high_watermark(partition->log) &&
            follower->last_caught_up >= 0)
            set_in_sync(partition, follower, 1);
    }
    lock_leave(partition->lock);
    if (follower != NULL && move_high_watermark(partition))
        notify(partition, PARTITION_APPENDED);
}

void partition_shrink_isr(partition_t *partition, int64_t now_ms,
                          int64_t lag_ms)
{
    int64_t end = log_end_offset(partition->log);
    int i;

    if (apr_atomic_read32(&partition->followers_in_sync) == 0)
        return;
    lock_enter(partition->lock);
    for (i = 0; i < partition->follower_count; i++) {
        follower_t *follower = &partition->followers[i];

        if (follower->end_offset < end &&
            now_ms - follower->last_caught_up > lag_ms)
            set_in_sync(partition, follower, 0);
    }
    lock_leave(partition->lock);
    if (move_high_watermark(partition))
        notify(partition, PARTITION_APPENDED);
}

int partition_replicas(partition_t *partition, partition_replica_t *replicas,
                       int room)
{
    int i, count;

    lock_enter(partition->lock);
    count = partition->follower_count + 1;
    for (i = 0; i < count && i < room; i++) {
        const follower_t *follower = &partition->followers[i - 1];

        replicas[i].replica = i == 0 ? partition->replica : follower->replica;
        replicas[i].log_end_offset =
            i == 0 ? log_end_offset(partition->log) : follower->end_offset;
        replicas[i].last_caught_up_ms =
            i == 0 ? clock_wall_ms() : follower->last_caught_up;
        replicas[i].in_sync = i == 0 || follower->in_sync;
    }
    lock_leave(partition->lock);
    return count;
}

/* ---- the end ----------------------------------------------------------- */

apr_status_t partition_delete_records(partition_t *partition, int64_t offset,
                                      int64_t *low_watermark)
{
    apr_status_t status;

    if (offset == -1)
        offset = partition_high_watermark(partition);
    status = log_delete_records(partition->log, offset);
    *low_watermark = log_start_offset(partition->log);
    return status;
}

apr_status_t partition_delete(partition_t *partition)
{
    apr_status_t status;

    apr_atomic_set32(&partition->gone, 1);
    status = log_delete(partition->log);
    notify(partition, PARTITION_GONE);
    return status;
}

apr_status_t partition_close(partition_t *partition)
{
    apr_status_t status;

    apr_atomic_set32(&partition->gone, 1);
    log_retain(partition->log); /* log_close gives one back */
    status = log_close(partition->log);
    notify(partition, PARTITION_GONE);
    return status;
}
