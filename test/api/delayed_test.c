/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delayed operations: they complete once, whoever comes first, and nobody
 * touches them afterwards. The partitions are the test's own.
 */
#include "api/delayed.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <stdlib.h>

#include "unit.h"

struct partition_t {
    apr_thread_mutex_t *mutex;
    partition_waiter_t *first;
    atomic_u32_t offset;
};

void partition_watch(partition_t *partition, partition_waiter_t *waiter)
{
    apr_thread_mutex_lock(partition->mutex);
    waiter->partition = partition;
    waiter->previous = NULL;
    waiter->next = partition->first;
    if (waiter->next)
        waiter->next->previous = waiter;
    partition->first = waiter;
    apr_thread_mutex_unlock(partition->mutex);
}

void partition_unwatch(partition_waiter_t *waiter)
{
    partition_t *partition = waiter->partition;
    apr_thread_mutex_lock(partition->mutex);
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        partition->first = waiter->next;
    apr_thread_mutex_unlock(partition->mutex);
}

static void append(partition_t *partition)
{
    partition_waiter_t *waiter;
    apr_thread_mutex_lock(partition->mutex);
    atomic_add32(&partition->offset, 1);
    for (waiter = partition->first; waiter; waiter = waiter->next)
        if (waiter->events & PARTITION_APPENDED)
            waiter->notify(waiter, PARTITION_APPENDED);
    apr_thread_mutex_unlock(partition->mutex);
}

static worker_pool_t *workers;
static base_timer_t *timer;
static purgatory_t *purgatory;
static apr_thread_mutex_t *mutex;
static apr_thread_cond_t *changed;
static int completed, expired_count;

typedef struct {
    partition_t *partition;
    apr_uint32_t least;
    apr_pool_t *pool;
    atomic_u32_t complete;
} wait_t;

static int is_ready(delayed_t *delayed)
{
    wait_t *wait = delayed->baton;
    return atomic_get32(&wait->partition->offset) >= wait->least;
}

static void on_complete(delayed_t *delayed, int expired)
{
    wait_t *wait = delayed->baton;

    if (atomic_add32(&wait->complete, 1) != 1)
        abort();                  /* twice */
    apr_pool_destroy(wait->pool); /* the operation with it */
    free(wait);
    apr_thread_mutex_lock(mutex);
    completed++;
    expired_count += expired;
    apr_thread_cond_broadcast(changed);
    apr_thread_mutex_unlock(mutex);
}

static void wait_completed(int count)
{
    apr_thread_mutex_lock(mutex);
    while (completed < count)
        apr_thread_cond_wait(changed, mutex);
    apr_thread_mutex_unlock(mutex);
}

/* An operation that waits until PARTITION's offset is LEAST. */
static void begin(partition_t *partition, apr_uint32_t least,
                  apr_interval_time_t timeout)
{
    wait_t *wait = calloc(1, sizeof(*wait));
    delayed_t *delayed;

    wait->partition = partition;
    wait->least = least;
    apr_pool_create(&wait->pool, NULL);
    delayed =
        delayed_create(purgatory, 1, is_ready, on_complete, wait, wait->pool);
    delayed_watch(delayed, partition, PARTITION_APPENDED);
    delayed_start(delayed, timeout);
}

static void start(void)
{
    completed = expired_count = 0;
    apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, unit_pool());
    apr_thread_cond_create(&changed, unit_pool());
    UNIT_OK(worker_pool_create(&workers, 3, unit_pool()));
    UNIT_OK(base_timer_create(&timer, unit_pool()));
    UNIT_OK(purgatory_create(&purgatory, workers, timer, unit_pool()));
}

static void stop(void)
{
    purgatory_stop(purgatory);
    worker_pool_stop(workers);
    base_timer_stop(timer);
}

static partition_t *partition_new(void)
{
    partition_t *partition = apr_pcalloc(unit_pool(), sizeof(*partition));
    apr_thread_mutex_create(&partition->mutex, APR_THREAD_MUTEX_DEFAULT,
                            unit_pool());
    return partition;
}

static void what_is_ready_completes_at_once(void)
{
    start();
    begin(partition_new(), 0, apr_time_from_sec(3600));
    CU_ASSERT_EQUAL(completed, 1);
    CU_ASSERT_EQUAL(expired_count, 0);
    CU_ASSERT_EQUAL(purgatory_waiting(purgatory), 0);
    stop();
}

static void a_partition_that_moves_completes_it(void)
{
    partition_t *partition = partition_new();

    start();
    begin(partition, 3, apr_time_from_sec(3600));
    begin(partition, 2, apr_time_from_sec(3600));
    append(partition);
    append(partition);
    wait_completed(1);
    append(partition);
    wait_completed(2);
    CU_ASSERT_EQUAL(expired_count, 0);
    CU_ASSERT_PTR_NULL(partition->first);
    stop();
}

static void the_deadline_completes_it(void)
{
    partition_t *partition = partition_new();

    start();
    begin(partition, 1, 1000);
    begin(partition, 1, 0);
    wait_completed(2);
    CU_ASSERT_EQUAL(expired_count, 2);
    CU_ASSERT_EQUAL(purgatory_expired(purgatory), 2);
    CU_ASSERT_PTR_NULL(partition->first);
    stop();
}

static void a_stop_completes_all(void)
{
    partition_t *partition = partition_new();
    int i;

    start();
    for (i = 0; i < 50; i++)
        begin(partition, 1, apr_time_from_sec(3600));
    CU_ASSERT_EQUAL(purgatory_waiting(purgatory), 50);
    purgatory_stop(purgatory);
    wait_completed(50);
    begin(partition, 1, apr_time_from_sec(3600));
    CU_ASSERT_EQUAL(completed, 51);
    CU_ASSERT_EQUAL(expired_count, 51);
    stop();
}

static partition_t *busy[4];

static void *APR_THREAD_FUNC appender_main(apr_thread_t *thread, void *baton)
{
    int i;
    (void)thread;
    (void)baton;
    for (i = 0; i < 3000; i++)
        append(busy[i & 3]);
    return NULL;
}

static void *APR_THREAD_FUNC waiter_main(apr_thread_t *thread, void *baton)
{
    int i;
    (void)thread;
    (void)baton;
    for (i = 0; i < 2000; i++) {
        partition_t *partition = busy[i & 3];
        begin(partition, atomic_get32(&partition->offset) + 1 + (i & 7),
              (i & 31) * 10);
    }
    return NULL;
}

static void appends_and_deadlines_race_and_each_completes_once(void)
{
    apr_thread_t *threads[4];
    apr_status_t rv;
    int i;

    for (i = 0; i < 4; i++)
        busy[i] = partition_new();
    start();
    for (i = 0; i < 4; i++)
        apr_thread_create(&threads[i], NULL,
                          i < 2 ? appender_main : waiter_main, NULL,
                          unit_pool());
    for (i = 0; i < 4; i++)
        apr_thread_join(&rv, threads[i]);
    wait_completed(4000);
    CU_ASSERT_EQUAL(purgatory_waiting(purgatory), 0);
    for (i = 0; i < 4; i++)
        CU_ASSERT_PTR_NULL(busy[i]->first);
    stop();
}

UNIT_MAIN(UNIT_TEST(what_is_ready_completes_at_once),
          UNIT_TEST(a_partition_that_moves_completes_it),
          UNIT_TEST(the_deadline_completes_it), UNIT_TEST(a_stop_completes_all),
          UNIT_TEST(appends_and_deadlines_race_and_each_completes_once))
