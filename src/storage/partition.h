/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A partition as its leader sees it: a log, the high watermark, the replicas'
 * progress, and who waits for one of them to move. Counted by reference: a
 * deleted partition lives until its last request ended, and answers
 * TAKHIN_EDELETED meanwhile.
 */
#ifndef TAKHIN_STORAGE_PARTITION_H
#define TAKHIN_STORAGE_PARTITION_H

#include "base/lock.h"
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
    int events; /* which ones it wants */
    void (*notify)(partition_waiter_t *self, int events);
    void *baton;
};
void partition_watch(partition_t *partition, partition_waiter_t *waiter);
void partition_unwatch(partition_waiter_t *waiter);

/*
 * A partition over LOG, whose reference it takes, with one reference. TOPIC is
 * retained. REPLICA is this broker. NULL when there is no memory. The log's
 * listener is the partition's from here on.
 */
partition_t *partition_create(topic_t *topic, int32_t index, log_t *log,
                              int32_t replica);

/* Stops it in order (log_close) or deletes it (log_delete). Waiters hear
 * PARTITION_GONE; whoever still has a reference gets TAKHIN_EDELETED. */
apr_status_t partition_close(partition_t *partition);
apr_status_t partition_delete(partition_t *partition);

void partition_retain(partition_t *partition);
void partition_release(partition_t *partition);

/* The partition's log; TAKHIN's own reads and appends go through these. */
log_t *partition_log(const partition_t *partition);
/* The log that is to replace it in another directory (KIP-113), retained; NULL
 * when none is. Any thread. */
log_t *partition_future(partition_t *partition);
const char *partition_topic_name(const partition_t *partition);
int32_t partition_index(const partition_t *partition);
int32_t partition_leader_epoch(const partition_t *partition);
topic_t *partition_topic(const partition_t *partition);
/* This broker leads in EPOCH, which begins at the log's end. */
void partition_set_leader_epoch(partition_t *partition, int32_t epoch);
int64_t partition_high_watermark(const partition_t *partition);
int64_t partition_last_stable_offset(const partition_t *partition);

/* log_append, then moves the high watermark and wakes who waits. */
apr_status_t partition_append(partition_t *partition, uint8_t *data,
                              apr_size_t length, const record_batch_t *batch,
                              append_origin_t origin, append_result_t *result);

/* log_append_guarded, the same way. */
apr_status_t partition_append_guarded(partition_t *partition, uint8_t *data,
                                      apr_size_t length,
                                      const record_batch_t *batch,
                                      log_guard_t guard,
                                      append_result_t *result);

/* Asks the flusher to bring all that was appended to the device; the waiters'
 * PARTITION_FLUSHED tells when. Many requests share one flush. */
void partition_request_flush(partition_t *partition);

/* The replicas that the metadata assigned; others that fetch are remembered but
 * never in sync. At first: this broker alone. APR_ENOMEM. */
apr_status_t partition_set_replicas(partition_t *partition,
                                    const int32_t *replicas, int count);

/* Whether the metadata assigned REPLICA, another broker than this one. */
int partition_has_follower(partition_t *partition, int32_t replica);

/* A follower's Fetch (replica id 0 and above): its fetch offset tells how far
 * it has come; moves the in-sync set's bookkeeping and the high watermark. */
void partition_follower_fetched(partition_t *partition, int32_t replica,
                                int64_t fetch_offset, int64_t now_ms);

/* Takes replicas out of the in-sync set that did not catch up for LAG_MS
 * (replica.lag.time.max.ms), which may move the high watermark. */
void partition_shrink_isr(partition_t *partition, int64_t now_ms,
                          int64_t lag_ms);

/* What is known of the replicas, this broker first. Returns how many there are;
 * fills at most ROOM. */
typedef struct {
    int32_t replica;
    int64_t log_end_offset;
    int64_t last_caught_up_ms; /* -1: never */
    unsigned in_sync : 1;
} partition_replica_t;
int partition_replicas(partition_t *partition, partition_replica_t *replicas,
                       int room);

/* DeleteRecords: OFFSET -1 is the high watermark. Sets *LOW_WATERMARK. */
apr_status_t partition_delete_records(partition_t *partition, int64_t offset,
                                      int64_t *low_watermark);

#endif
