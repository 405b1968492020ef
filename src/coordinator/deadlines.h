/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadlines of one shard in a heap: who must hear from whom until when. They
 * live under their shard's lock, which the broker's timer must never take;
 * the timer only wakes the shard at the earliest of them. Setting, moving and
 * clearing cost the logarithm of how many there are.
 */
#ifndef TAKHIN_COORDINATOR_DEADLINES_H
#define TAKHIN_COORDINATOR_DEADLINES_H

#include <apr_time.h>
#include <stddef.h>

/* Embedded in what waits. Zero bytes and a callback: not set. */
typedef struct deadline_t deadline_t;
struct deadline_t {
    apr_time_t at;                    /* clock_monotonic() */
    void (*passed)(deadline_t *self); /* under the shard's lock; may set it
                                         again, or free it */
    size_t place;                     /* in the heap, from 1; 0: not set */
};

/* Zero bytes are a valid empty one. */
typedef struct {
    deadline_t **heap;
    size_t count, capacity;
} deadlines_t;

/* Sets or moves DEADLINE to AT. */
void deadlines_set(deadlines_t *deadlines, deadline_t *deadline,
                   apr_time_t at);

/* Does nothing when it is not set. */
void deadlines_clear(deadlines_t *deadlines, deadline_t *deadline);

/* Calls all that are due at NOW, the earliest first. */
void deadlines_run(deadlines_t *deadlines, apr_time_t now);

/* The earliest, or -1 when none is set. */
apr_time_t deadlines_next(const deadlines_t *deadlines);

/* Frees the heap; what was set is forgotten. */
void deadlines_free(deadlines_t *deadlines);

#endif
