/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delayed operations (Kafka's purgatory): a request that cannot be answered yet
 * waits for partitions to move, or for its deadline, without a thread. A Fetch
 * waits for bytes, a Produce with acks=all for the flush, a group operation for
 * its members.
 *
 * An operation lies in its request's pool and completes once: READY is asked
 * at the start, whenever something it watches moved, and at the deadline; as
 * soon as it says yes, or the deadline has passed, nothing is watched any more
 * and COMPLETE answers the request, with which the operation is gone. Both are
 * called by one thread at a time, a worker, without any lock. A partition that
 * nobody waits for pays nothing.
 */
#ifndef TAKHIN_API_DELAYED_H
#define TAKHIN_API_DELAYED_H

#include "base/atomic.h"
#include "base/timer.h"
#include "net/worker_pool.h"
#include "storage/partition.h"

typedef struct purgatory_t purgatory_t;
typedef struct delayed_t delayed_t;

struct delayed_t {
    worker_task_t task;            /* first */
    int (*ready)(delayed_t *self); /* whether it can be completed */
    void (*complete)(delayed_t *self, int expired); /* answers */
    void *baton;                                    /* the caller's */

    /* What follows is delayed.c's. */
    purgatory_t *purgatory;
    delayed_t *next, *previous; /* all that wait */
    base_timer_entry_t timer;
    partition_waiter_t *waiters;
    int waiter_count, waiter_max;
    atomic_u32_t state;
    atomic_u32_t expired;
};

/* One for a broker. WORKERS run the operations, TIMER keeps their deadlines. */
apr_status_t purgatory_create(purgatory_t **purgatory, worker_pool_t *workers,
                              base_timer_t *timer, apr_pool_t *pool);

/* Completes all that wait, as if their deadlines had passed, and all that is
 * started later at once: the first step of a stop. Returns before they have.
 * Then the server stops, then the timer. */
void purgatory_stop(purgatory_t *purgatory);

/* How many operations wait, and how many have expired so far. */
apr_uint64_t purgatory_waiting(purgatory_t *purgatory);
apr_uint64_t purgatory_expired(purgatory_t *purgatory);

/* An operation in POOL, the request's, that may watch up to PARTITIONS
 * partitions (0 and above). */
delayed_t *delayed_create(purgatory_t *purgatory, int partitions,
                          int (*ready)(delayed_t *self),
                          void (*complete)(delayed_t *self, int expired),
                          void *baton, apr_pool_t *pool);

/* Before delayed_start: READY is to be asked after EVENTS of PARTITION, which
 * the caller keeps retained until COMPLETE is called. */
void delayed_watch(delayed_t *delayed, partition_t *partition, int events);

/* Starts waiting, for at most TIMEOUT microseconds. The operation may be
 * complete, and gone, when this returns. */
void delayed_start(delayed_t *delayed, apr_interval_time_t timeout);

/* Something that no partition tells has moved: READY is asked again, by a
 * worker. Any thread; the caller knows that DELAYED is not complete, by a lock
 * that COMPLETE takes before it answers, for example. */
void delayed_wake(delayed_t *delayed);

#endif
