/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timer: one thread that calls back when a deadline has passed. A timer
 * that is started and cancelled costs two heap operations under one mutex and
 * wakes nobody unless its deadline is the earliest of all. Callbacks must be
 * short and must not wait: whoever has work to do hands it to a worker.
 */
#ifndef TAKHIN_BASE_TIMER_H
#define TAKHIN_BASE_TIMER_H

#include <apr_pools.h>
#include <apr_time.h>

typedef struct base_timer_t base_timer_t;

/*
 * One deadline. The caller owns the memory, fills in CALLBACK and BATON, zeroes
 * the rest, and keeps it until the callback has begun or base_timer_cancel said
 * that it won't; a callback may free it or start it again.
 */
typedef struct base_timer_entry_t {
    void (*callback)(void *baton); /* runs in the timer's thread */
    void *baton;
    apr_time_t deadline; /* clock_monotonic(), in microseconds */
    apr_size_t place;    /* in the heap, from 1; 0: not started */
} base_timer_entry_t;

/* Creates the timer with its thread. It lives until base_timer_stop. */
apr_status_t base_timer_create(base_timer_t **timer, apr_pool_t *pool);

/* Ends the thread; entries that are still started are forgotten. Starting one
 * afterwards has no effect. Not to be called from a callback. */
void base_timer_stop(base_timer_t *timer);

/* Calls ENTRY back in DELAY microseconds (at once if not above 0). An entry
 * that is started already is moved. Any thread. */
void base_timer_start(base_timer_t *timer, base_timer_entry_t *entry,
                      apr_interval_time_t delay);

/*
 * Stops ENTRY. When it returns, the callback will not run and is not running,
 * unless this is the callback itself: so don't hold a lock that the callback
 * takes. Returns whether the callback was prevented. Any thread.
 */
int base_timer_cancel(base_timer_t *timer, base_timer_entry_t *entry);

#endif
