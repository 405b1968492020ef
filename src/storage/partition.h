/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A partition as its leader sees it: a log, the high watermark, the replicas'
 * progress, and who waits for one of them to move. Counted by reference: a
 * deleted partition lives until its last request ended, and answers
 * TAKHIN_EDELETED meanwhile.
 */
#ifndef TAKHIN_STORAGE_PARTITION_H
#define TAKHIN_STORAGE_PARTITION_H

#include "storage/log.h"

typedef struct topic_t topic_t;
typedef struct partition_t partition_t;

/* What a waiter is woken for: bits. */
enum {
    PARTITION_APPENDED = 1, /* the high watermark or last stable offset moved */
    PARTITION_FLUSHED = 2,  /* the flushed offset moved */
    PARTITION_GONE = 4      /* deleted, or its log directory went offline */
};

/*
 * Someone who waits for a partition (a delayed operation has one for each
 * partition it watches). The caller owns the memory and must remove it before
 * it goes. NOTIFY runs in the thread that moved the partition, with the
 * partition's waiter lock held: it must be short and must not call
 * partition_watch or partition_unwatch.
 */
typedef struct partition_waiter_t partition_waiter_t;
struct partition_waiter_t {
    partition_waiter_t *next, *previous;
    partition_t *partition;
    int events;                        /* which ones it wants */
    void (*notify)(partition_waiter_t *self, int events);
    void *baton;
};
void partition_watch(partition_t *partition, partition_waiter_t *waiter);
void partition_unwatch(partition_waiter_t *waiter);

void partition_retain(partition_t *partition);
void partition_release(partition_t *partition);

/* The partition's log; TAKHIN's own reads and appends go through these. */
log_t *partition_log(const partition_t *partition);
const char *partition_topic_name(const partition_t *partition);
int32_t partition_index(const partition_t *partition);
int32_t partition_leader_epoch(const partition_t *partition);
int64_t partition_high_watermark(const partition_t *partition);
int64_t partition_last_stable_offset(const partition_t *partition);

/* log_append, then moves the high watermark and wakes who waits. */
apr_status_t partition_append(partition_t *partition, uint8_t *data,
                              apr_size_t length, const record_batch_t *batch,
                              append_origin_t origin, append_result_t *result);

/* Asks the flusher to bring all that was appended to the device; the waiters'
 * PARTITION_FLUSHED tells when. Many requests share one flush. */
void partition_request_flush(partition_t *partition);

/* A follower's Fetch (replica id 0 and above): its fetch offset tells how far it
 * has come; moves the in-sync set's bookkeeping and the high watermark. */
void partition_follower_fetched(partition_t *partition, int32_t replica,
                                int64_t fetch_offset, int64_t now_ms);

#endif
