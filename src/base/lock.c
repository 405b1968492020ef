/* SPDX-License-Identifier: Apache-2.0 */
/* Mutexes without an owner's pool; see lock.h. Never frees one, keeps it. */
#include "base/lock.h"

#include <string.h>

#include "base/assert.h"

struct lock_t {
    apr_thread_mutex_t *mutex;
    lock_t *next; /* while nobody has it */
    int rank;
};

static apr_pool_t *lock_pool;
static apr_thread_mutex_t *list_mutex;
static lock_t *unused[LOCK_RANKS];

static apr_status_t forget(void *baton)
{
    (void)baton;
    lock_pool = NULL;
    list_mutex = NULL;
    memset(unused, 0, sizeof(unused));
    return APR_SUCCESS;
}

apr_status_t lock_initialize(apr_pool_t *pool)
{
    apr_status_t status;

    if (lock_pool != NULL)
        return APR_SUCCESS;
    status = apr_pool_create(&lock_pool, pool);
    if (status == APR_SUCCESS)
        status = apr_thread_mutex_create(&list_mutex, APR_THREAD_MUTEX_DEFAULT,
                                         lock_pool);
    if (status == APR_SUCCESS)
        apr_pool_cleanup_register(lock_pool, NULL, forget,
                                  apr_pool_cleanup_null);
    return status;
}

lock_t *lock_create(int rank)
{
    lock_t *lock;

    TAKHIN_ASSERT(list_mutex != NULL && rank >= 0 && rank < LOCK_RANKS);
    apr_thread_mutex_lock(list_mutex);
    lock = unused[rank];
    if (lock != NULL) {
        unused[rank] = lock->next;
    } else {
        lock = apr_palloc(lock_pool, sizeof(*lock));
        if (lock != NULL &&
            apr_thread_mutex_create(&lock->mutex, APR_THREAD_MUTEX_DEFAULT,
                                    lock_pool) != APR_SUCCESS)
            lock = NULL;
        if (lock != NULL)
            lock->rank = rank;
    }
    apr_thread_mutex_unlock(list_mutex);
    return lock;
}

void lock_destroy(lock_t *lock)
{
    if (lock == NULL)
        return;
    apr_thread_mutex_lock(list_mutex);
    lock->next = unused[lock->rank];
    unused[lock->rank] = lock;
    apr_thread_mutex_unlock(list_mutex);
}

void lock_enter(lock_t *lock)
{
    apr_status_t status = apr_thread_mutex_lock(lock->mutex);

    TAKHIN_ASSERT(status == APR_SUCCESS);
}

void lock_leave(lock_t *lock)
{
    apr_status_t status = apr_thread_mutex_unlock(lock->mutex);

    TAKHIN_ASSERT(status == APR_SUCCESS);
}

apr_thread_mutex_t *lock_mutex(lock_t *lock)
{
    return lock->mutex;
}
