/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker pool: a fixed number of threads that run tasks. A task is an
 * intrusive link, so handing one over allocates nothing; an idle worker is
 * given its task directly, the one that went idle last first, because its
 * stack is still in the cache. Tasks must be able to run on any worker, should
 * not block for long, and must never wait for another task, which may be kept
 * for the very worker that waits.
 */
#ifndef TAKHIN_NET_WORKER_POOL_H
#define TAKHIN_NET_WORKER_POOL_H

#include <apr_pools.h>

typedef struct worker_pool_t worker_pool_t;

/* Embedded in what is to be done. It is in at most one queue at a time: submit
 * it again only when RUN has begun. */
typedef struct worker_task_t worker_task_t;
struct worker_task_t {
    worker_task_t *next;
    void (*run)(worker_task_t *task);
};

/* Starts WORKERS threads (1 and above). */
apr_status_t worker_pool_create(worker_pool_t **workers, int count,
                                apr_pool_t *pool);

/* Runs what is queued, then ends and joins the threads. What is submitted
 * afterwards is dropped. Not to be called from a worker. */
void worker_pool_stop(worker_pool_t *workers);

/*
 * Runs TASK on a worker soon. From a worker of the same pool, the first task is
 * kept for that worker itself, to run as soon as it comes by
 * worker_pool_run_own, without waking anybody. Any thread.
 */
void worker_pool_submit(worker_pool_t *workers, worker_task_t *task);

/* TASK behind all others: for a task that gives way. */
void worker_pool_requeue(worker_pool_t *workers, worker_task_t *task);

/* From a worker, between two pieces of work: runs the task it kept for itself,
 * if any, and returns whether it did. Does nothing when called from inside a
 * task run this way. */
int worker_pool_run_own(worker_pool_t *workers);

/* Whether the calling thread is inside worker_pool_run_own: another piece of
 * work waits below it, so it should not look for more. */
int worker_pool_is_nested(void);

/* Whether tasks wait for a worker. A hint, without a lock. */
int worker_pool_busy(const worker_pool_t *workers);

/*
 * Asks whether the calling worker may wait a moment for what it expects next:
 * only while another worker is idle, no task waits, and less than half of the
 * workers do the same, and not inside worker_pool_run_own. If so,
 * worker_pool_linger_end must follow.
 */
int worker_pool_linger_begin(worker_pool_t *workers);
void worker_pool_linger_end(worker_pool_t *workers);

/* Whether every other worker is idle. A hint, without a lock. */
int worker_pool_alone(const worker_pool_t *workers);

#endif
