/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A binary heap of entries, earliest first, under one mutex; the thread sleeps
 * until the first deadline. The heap holds pointers in an array that only
 * grows, so that starting a timer allocates nothing. A callback never runs
 * with the mutex held.
 */
#include "base/timer.h"

#include <apr_portable.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/out_of_memory.h"
#include "base/clock.h"

#define TIMER_FIRST_CAPACITY 64
/* The longest sleep: bounds what a jump of the system's clock can do to the
 * condition's own time-out. */
#define TIMER_MAX_SLEEP apr_time_from_sec(1)

struct base_timer_t {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *wake;     /* the first deadline changed, or stop */
    apr_thread_cond_t *finished; /* a callback has returned */
    apr_thread_t *thread;
    apr_os_thread_t id;        /* of the thread, valid once it runs */
    base_timer_entry_t **heap; /* 1..count */
    apr_size_t count, capacity;
    apr_time_t sleeps_until;     /* 0: awake */
    base_timer_entry_t *running; /* its callback runs now */
    int awaited;                 /* someone waits for FINISHED */
    int stop;
};

static void heap_put(base_timer_t *timer, apr_size_t place,
                     base_timer_entry_t *entry)
{
    timer->heap[place] = entry;
    entry->place = place;
}

static void heap_up(base_timer_t *timer, base_timer_entry_t *entry)
{
    apr_size_t at = entry->place;
    while (at > 1 && timer->heap[at / 2]->deadline > entry->deadline) {
        heap_put(timer, at, timer->heap[at / 2]);
        at /= 2;
    }
    heap_put(timer, at, entry);
}

static void heap_down(base_timer_t *timer, base_timer_entry_t *entry)
{
    apr_size_t at = entry->place, child;
    while ((child = at * 2) <= timer->count) {
        if (child < timer->count &&
            timer->heap[child + 1]->deadline < timer->heap[child]->deadline)
            child++;
        if (timer->heap[child]->deadline >= entry->deadline)
            break;
        heap_put(timer, at, timer->heap[child]);
        at = child;
    }
    heap_put(timer, at, entry);
}

static void heap_add(base_timer_t *timer, base_timer_entry_t *entry)
{
    if (timer->count + 1 >= timer->capacity) {
        timer->capacity *= 2;
        timer->heap =
            realloc(timer->heap, timer->capacity * sizeof(*timer->heap));
        if (!timer->heap)
            out_of_memory(APR_ENOMEM);
    }
    entry->place = ++timer->count;
    heap_up(timer, entry);
}

static void heap_remove(base_timer_t *timer, base_timer_entry_t *entry)
{
    base_timer_entry_t *last = timer->heap[timer->count--];
    if (last != entry) {
        last->place = entry->place;
        heap_up(timer, last);
        heap_down(timer, last);
    }
    entry->place = 0;
}

/* Calls the first entry back, with the mutex released meanwhile. */
static void fire(base_timer_t *timer)
{
    base_timer_entry_t *entry = timer->heap[1];
    void (*callback)(void *) = entry->callback;
    void *baton = entry->baton;

    heap_remove(timer, entry);
    timer->running = entry;
    apr_thread_mutex_unlock(timer->mutex);
    callback(baton); /* ENTRY may be gone from here on */
    apr_thread_mutex_lock(timer->mutex);
    timer->running = NULL;
    if (timer->awaited) {
        timer->awaited = 0;
        apr_thread_cond_broadcast(timer->finished);
    }
}

static void *APR_THREAD_FUNC timer_main(apr_thread_t *thread, void *baton)
{
    base_timer_t *timer = baton;

    (void)thread;
    apr_thread_mutex_lock(timer->mutex);
    timer->id = apr_os_thread_current();
    while (!timer->stop) {
        apr_time_t now = clock_monotonic();
        apr_time_t first =
            timer->count ? timer->heap[1]->deadline : APR_INT64_MAX;
        if (first <= now) {
            fire(timer);
        } else {
            apr_interval_time_t sleep = first - now;
            timer->sleeps_until = first;
            if (first == APR_INT64_MAX)
                apr_thread_cond_wait(timer->wake, timer->mutex);
            else
                apr_thread_cond_timedwait(
                    timer->wake, timer->mutex,
                    sleep < TIMER_MAX_SLEEP ? sleep : TIMER_MAX_SLEEP);
            timer->sleeps_until = 0;
        }
    }
    apr_thread_mutex_unlock(timer->mutex);
    return NULL;
}

apr_status_t base_timer_create(base_timer_t **out, apr_pool_t *pool)
{
    base_timer_t *timer = apr_pcalloc(pool, sizeof(*timer));
    apr_status_t rv;

    timer->capacity = TIMER_FIRST_CAPACITY;
    timer->heap = malloc(timer->capacity * sizeof(*timer->heap));
    if (!timer->heap)
        return APR_ENOMEM;
    if ((rv = apr_thread_mutex_create(&timer->mutex, APR_THREAD_MUTEX_DEFAULT,
                                      pool)) ||
        (rv = apr_thread_cond_create(&timer->wake, pool)) ||
        (rv = apr_thread_cond_create(&timer->finished, pool)) ||
        (rv = apr_thread_create(&timer->thread, NULL, timer_main, timer,
                                pool))) {
        free(timer->heap);
        return rv;
    }
    *out = timer;
    return APR_SUCCESS;
}

void base_timer_stop(base_timer_t *timer)
{
    apr_status_t ignored; /* the thread's own status: always success */

    apr_thread_mutex_lock(timer->mutex);
    timer->stop = 1;
    apr_thread_cond_signal(timer->wake);
    apr_thread_mutex_unlock(timer->mutex);
    apr_thread_join(&ignored, timer->thread);
    apr_thread_mutex_lock(timer->mutex);
    while (timer->count)
        heap_remove(timer, timer->heap[timer->count]);
    free(timer->heap);
    timer->heap = NULL;
    apr_thread_mutex_unlock(timer->mutex);
}

void base_timer_start(base_timer_t *timer, base_timer_entry_t *entry,
                      apr_interval_time_t delay)
{
    apr_time_t now = clock_monotonic();

    apr_thread_mutex_lock(timer->mutex);
    if (!timer->stop) {
        if (entry->place)
            heap_remove(timer, entry);
        entry->deadline = delay > 0 ? now + delay : now;
        heap_add(timer, entry);
        if (entry->deadline < timer->sleeps_until) {
            timer->sleeps_until = entry->deadline;
            apr_thread_cond_signal(timer->wake);
        }
    }
    apr_thread_mutex_unlock(timer->mutex);
}

int base_timer_cancel(base_timer_t *timer, base_timer_entry_t *entry)
{
    int prevented;

    apr_thread_mutex_lock(timer->mutex);
    prevented = entry->place != 0;
    if (prevented)
        heap_remove(timer, entry);
    while (timer->running == entry &&
           !apr_os_thread_equal(timer->id, apr_os_thread_current())) {
        timer->awaited = 1;
        apr_thread_cond_wait(timer->finished, timer->mutex);
    }
    apr_thread_mutex_unlock(timer->mutex);
    return prevented;
}
