/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operation is run by one thread at a time, which its STATE word says. A
 * wake-up puts a waiting operation into the worker pool's queue by the link in
 * it, and leaves a word at one that is running; so many wake-ups become one
 * run. Completing first takes back all who could wake it (partitions, timer),
 * each of which returns only when its call is over: then nobody knows the
 * operation any more.
 */
#include "api/delayed.h"

#include <apr_thread_mutex.h>

#include "base/assert.h"

typedef enum {
    DELAYED_RUNNING, /* a thread looks at it */
    DELAYED_AGAIN,   /* and must look again: it was woken meanwhile */
    DELAYED_WAITING,
    DELAYED_QUEUED /* for a worker */
} delayed_state_t;

struct purgatory_t {
    worker_pool_t *workers;
    base_timer_t *timer;
    apr_thread_mutex_t *mutex; /* guards FIRST and STOPPED */
    delayed_t *first;
    int stopped;
    atomic_u64_t waiting;
    atomic_u64_t expired;
};

apr_status_t purgatory_create(purgatory_t **out, worker_pool_t *workers,
                              base_timer_t *timer, apr_pool_t *pool)
{
    purgatory_t *purgatory = apr_pcalloc(pool, sizeof(*purgatory));

    purgatory->workers = workers;
    purgatory->timer = timer;
    *out = purgatory;
    return apr_thread_mutex_create(&purgatory->mutex, APR_THREAD_MUTEX_DEFAULT,
                                   pool);
}

apr_uint64_t purgatory_waiting(purgatory_t *purgatory)
{
    return atomic_get64(&purgatory->waiting);
}

apr_uint64_t purgatory_expired(purgatory_t *purgatory)
{
    return atomic_get64(&purgatory->expired);
}

static void expire(delayed_t *delayed)
{
    atomic_set32(&delayed->expired, 1);
    delayed_wake(delayed);
}

void purgatory_stop(purgatory_t *purgatory)
{
    delayed_t *delayed;

    apr_thread_mutex_lock(purgatory->mutex);
    purgatory->stopped = 1;
    for (delayed = purgatory->first; delayed; delayed = delayed->next)
        expire(delayed);
    apr_thread_mutex_unlock(purgatory->mutex);
}

/* Puts DELAYED among those that wait, for purgatory_stop. */
static void enter(purgatory_t *purgatory, delayed_t *delayed)
{
    apr_thread_mutex_lock(purgatory->mutex);
    delayed->next = purgatory->first;
    if (delayed->next)
        delayed->next->previous = delayed;
    purgatory->first = delayed;
    if (purgatory->stopped)
        atomic_set32(&delayed->expired, 1);
    apr_thread_mutex_unlock(purgatory->mutex);
    atomic_add64(&purgatory->waiting, 1);
}

static void leave(purgatory_t *purgatory, delayed_t *delayed)
{
    apr_thread_mutex_lock(purgatory->mutex);
    if (delayed->next)
        delayed->next->previous = delayed->previous;
    if (delayed->previous)
        delayed->previous->next = delayed->next;
    else
        purgatory->first = delayed->next;
    apr_thread_mutex_unlock(purgatory->mutex);
    atomic_add64(&purgatory->waiting, -1);
}

static void finish(delayed_t *delayed, int expired)
{
    purgatory_t *purgatory = delayed->purgatory;
    int i;

    for (i = 0; i < delayed->waiter_count; i++)
        partition_unwatch(&delayed->waiters[i]);
    base_timer_cancel(purgatory->timer, &delayed->timer);
    leave(purgatory, delayed);
    if (expired)
        atomic_add64(&purgatory->expired, 1);
    delayed->complete(delayed, expired);
}

/* The caller has made DELAYED's state RUNNING. */
static void run(delayed_t *delayed)
{
    for (;;) {
        int expired = (int)atomic_get32(&delayed->expired);
        if (delayed->ready(delayed)) {
            finish(delayed, 0);
            return;
        }
        if (expired) {
            finish(delayed, 1);
            return;
        }
        if (atomic_cas32(&delayed->state, DELAYED_RUNNING, DELAYED_WAITING))
            return;
        atomic_set32(&delayed->state, DELAYED_RUNNING); /* it was AGAIN */
    }
}

static void run_task(worker_task_t *task)
{
    delayed_t *delayed = (delayed_t *)task;

    atomic_set32(&delayed->state, DELAYED_RUNNING);
    run(delayed);
}

void delayed_wake(delayed_t *delayed)
{
    atomic_u32_t *state = &delayed->state;

    for (;;) {
        switch (atomic_get32(state)) {
        case DELAYED_WAITING:
            if (atomic_cas32(state, DELAYED_WAITING, DELAYED_QUEUED)) {
                worker_pool_submit(delayed->purgatory->workers, &delayed->task);
                return;
            }
            break;
        case DELAYED_RUNNING:
            if (atomic_cas32(state, DELAYED_RUNNING, DELAYED_AGAIN))
                return;
            break;
        default: /* it will look */
            return;
        }
    }
}

static void on_deadline(void *baton)
{
    expire(baton);
}

static void on_event(partition_waiter_t *waiter, int events)
{
    (void)events;
    delayed_wake(waiter->baton);
}

delayed_t *delayed_create(purgatory_t *purgatory, int partitions,
                          int (*ready)(delayed_t *self),
                          void (*complete)(delayed_t *self, int expired),
                          void *baton, apr_pool_t *pool)
{
    delayed_t *delayed = apr_pcalloc(pool, sizeof(*delayed));

    delayed->task.run = run_task;
    delayed->ready = ready;
    delayed->complete = complete;
    delayed->baton = baton;
    delayed->purgatory = purgatory;
    delayed->timer.callback = on_deadline;
    delayed->timer.baton = delayed;
    delayed->waiters =
        apr_pcalloc(pool, sizeof(*delayed->waiters) * (apr_size_t)partitions);
    delayed->waiter_max = partitions;
    delayed->state = DELAYED_RUNNING;
    return delayed;
}

void delayed_watch(delayed_t *delayed, partition_t *partition, int events)
{
    partition_waiter_t *waiter = &delayed->waiters[delayed->waiter_count++];

    TAKHIN_ASSERT(delayed->waiter_count <= delayed->waiter_max);
    waiter->events = events;
    waiter->notify = on_event;
    waiter->baton = delayed;
    partition_watch(partition, waiter);
}

void delayed_start(delayed_t *delayed, apr_interval_time_t timeout)
{
    purgatory_t *purgatory = delayed->purgatory;

    enter(purgatory, delayed);
    base_timer_start(purgatory->timer, &delayed->timer, timeout);
    run(delayed);
}
