/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutexes for objects that have no pool of their own (a log, a partition):
 * apr_thread_mutex_t, taken from a list and given back to it, so that creating
 * and deleting a million partitions leaves no more mutexes than lived at once.
 */
#ifndef TAKHIN_BASE_LOCK_H
#define TAKHIN_BASE_LOCK_H

#include <apr_thread_mutex.h>

typedef struct lock_t lock_t;

/* Before any thread; the mutexes live as long as POOL. Harmless twice. */
apr_status_t lock_initialize(apr_pool_t *pool);

#define LOCK_RANKS 4

/*
 * RANK, below LOCK_RANKS, is the lock's place in the order in which its owners
 * take locks: 0 is taken first. A mutex that is given back is given out for the
 * same rank only, so that who watches for deadlocks (ThreadSanitizer) sees one
 * order. NULL when there is no memory.
 */
lock_t *lock_create(int rank);
void lock_destroy(lock_t *lock);
void lock_enter(lock_t *lock);
void lock_leave(lock_t *lock);

/* The mutex below, for apr_thread_cond_wait. */
apr_thread_mutex_t *lock_mutex(lock_t *lock);

#endif
