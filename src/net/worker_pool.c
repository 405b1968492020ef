/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One mutex guards the queue and the stack of idle workers; each worker has a
 * condition of its own, so that a submit wakes exactly the one it chose. The
 * counts that others look at without the mutex are hints and never decide
 * about correctness.
 */
#include "net/worker_pool.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "base/assert.h"
#include "base/atomic.h"

typedef struct worker_t worker_t;

struct worker_t {
    worker_pool_t *workers;
    worker_t *next_idle;
    worker_task_t *given; /* by submit, under the mutex */
    worker_task_t *own;   /* submitted by itself: only this thread looks */
    int nested;           /* inside worker_pool_run_own */
    apr_thread_cond_t *wake;
    apr_thread_t *thread;
};

struct worker_pool_t {
    apr_thread_mutex_t *mutex;
    worker_task_t *first, *last;
    worker_t *idle;
    worker_t *all;
    int count;
    int stop;
    atomic_u32_t queued;
    atomic_u32_t idling;
    atomic_u32_t lingering;
};

static _Thread_local worker_t *this_worker;

/* The next task for WORKER, or NULL when the pool stops and none is left. */
static worker_task_t *next_task(worker_pool_t *workers, worker_t *worker)
{
    worker_task_t *task;

    if ((task = worker->own)) {
        worker->own = NULL;
        return task;
    }
    apr_thread_mutex_lock(workers->mutex);
    if ((task = workers->first)) {
        workers->first = task->next;
        atomic_add32(&workers->queued, -1);
    } else if (!workers->stop) {
        worker->next_idle = workers->idle;
        workers->idle = worker;
        atomic_add32(&workers->idling, 1);
        while (!worker->given && !workers->stop)
            apr_thread_cond_wait(worker->wake, workers->mutex);
        task = worker->given;
        worker->given = NULL;
    }
    apr_thread_mutex_unlock(workers->mutex);
    return task;
}

static void *APR_THREAD_FUNC worker_main(apr_thread_t *thread, void *baton)
{
    worker_t *worker = baton;
    worker_task_t *task;

    (void)thread;
    this_worker = worker;
    while ((task = next_task(worker->workers, worker)))
        task->run(task);
    return NULL;
}

apr_status_t worker_pool_create(worker_pool_t **out, int count,
                                apr_pool_t *pool)
{
    worker_pool_t *workers = apr_pcalloc(pool, sizeof(*workers));
    apr_status_t rv;
    int i;

    workers->all = apr_pcalloc(pool, sizeof(*workers->all) * count);
    if ((rv = apr_thread_mutex_create(&workers->mutex, APR_THREAD_MUTEX_DEFAULT,
                                      pool)))
        return rv;
    for (i = 0; i < count; i++) {
        worker_t *worker = &workers->all[i];
        worker->workers = workers;
        if ((rv = apr_thread_cond_create(&worker->wake, pool)) ||
            (rv = apr_thread_create(&worker->thread, NULL, worker_main, worker,
                                    pool))) {
            worker_pool_stop(workers);
            return rv;
        }
        workers->count++;
    }
    *out = workers;
    return APR_SUCCESS;
}

void worker_pool_stop(worker_pool_t *workers)
{
    apr_status_t ignored; /* a worker's own status: always success */
    int i;

    apr_thread_mutex_lock(workers->mutex);
    workers->stop = 1;
    for (i = 0; i < workers->count; i++)
        apr_thread_cond_signal(workers->all[i].wake);
    apr_thread_mutex_unlock(workers->mutex);
    for (i = 0; i < workers->count; i++)
        apr_thread_join(&ignored, workers->all[i].thread);
}

/* Gives TASK to an idle worker or puts it behind the others. */
static void hand_over(worker_pool_t *workers, worker_task_t *task)
{
    worker_t *worker;

    apr_thread_mutex_lock(workers->mutex);
    worker = workers->stop ? NULL : workers->idle;
    if (worker) {
        workers->idle = worker->next_idle;
        atomic_add32(&workers->idling, -1);
        worker->given = task;
    } else {
        task->next = NULL;
        if (workers->first)
            workers->last->next = task;
        else
            workers->first = task;
        workers->last = task;
        atomic_add32(&workers->queued, 1);
    }
    apr_thread_mutex_unlock(workers->mutex);
    if (worker)
        apr_thread_cond_signal(worker->wake);
}

void worker_pool_submit(worker_pool_t *workers, worker_task_t *task)
{
    worker_t *worker = this_worker;

    if (worker && worker->workers == workers && !worker->own)
        worker->own = task;
    else
        hand_over(workers, task);
}

void worker_pool_requeue(worker_pool_t *workers, worker_task_t *task)
{
    hand_over(workers, task);
}

int worker_pool_run_own(worker_pool_t *workers)
{
    worker_t *worker = this_worker;
    worker_task_t *task;

    if (!worker || worker->workers != workers || worker->nested || !worker->own)
        return 0;
    task = worker->own;
    worker->own = NULL;
    worker->nested = 1;
    task->run(task);
    /* What that task submitted in turn (an operation that completed submits
     * its connection) runs here too, else it would wait for this task. */
    while ((task = worker->own)) {
        worker->own = NULL;
        task->run(task);
    }
    worker->nested = 0;
    return 1;
}

int worker_pool_is_nested(void)
{
    return this_worker && this_worker->nested;
}

int worker_pool_busy(const worker_pool_t *workers)
{
    return atomic_get32(&workers->queued) != 0;
}

int worker_pool_linger_begin(worker_pool_t *workers)
{
    if (worker_pool_is_nested() || !atomic_get32(&workers->idling) ||
        worker_pool_busy(workers))
        return 0;
    if (atomic_add32(&workers->lingering, 1) >
        (apr_uint32_t)(workers->count + 1) / 2) {
        atomic_add32(&workers->lingering, -1);
        return 0;
    }
    return 1;
}

int worker_pool_alone(const worker_pool_t *workers)
{
    return atomic_get32(&workers->idling) + 1 >= (apr_uint32_t)workers->count;
}

void worker_pool_linger_end(worker_pool_t *workers)
{
    atomic_add32(&workers->lingering, -1);
}
