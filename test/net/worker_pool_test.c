/* SPDX-License-Identifier: Apache-2.0 */
/* The worker pool: every task runs, where it should, and few workers wait. */
#include "net/worker_pool.h"

#include <apr_portable.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "base/atomic.h"
#include "unit.h"

static worker_pool_t *workers;
static apr_thread_mutex_t *mutex;
static apr_thread_cond_t *changed;
static int done, released;

typedef struct {
    worker_task_t task;
    worker_task_t *then;    /* submitted by the task */
    apr_os_thread_t thread; /* it ran on */
    int lingers;            /* what worker_pool_linger_begin said */
} job_t;

static void start(int count)
{
    apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, unit_pool());
    apr_thread_cond_create(&changed, unit_pool());
    done = released = 0;
    UNIT_OK(worker_pool_create(&workers, count, unit_pool()));
}

static void count_done(void)
{
    apr_thread_mutex_lock(mutex);
    done++;
    apr_thread_cond_broadcast(changed);
    apr_thread_mutex_unlock(mutex);
}

static void wait_done(int count)
{
    apr_thread_mutex_lock(mutex);
    while (done < count)
        apr_thread_cond_wait(changed, mutex);
    apr_thread_mutex_unlock(mutex);
}

/* Until the test lets it go. */
static void hold(void)
{
    apr_thread_mutex_lock(mutex);
    while (!released)
        apr_thread_cond_wait(changed, mutex);
    apr_thread_mutex_unlock(mutex);
}

static void let_go(void)
{
    apr_thread_mutex_lock(mutex);
    released = 1;
    apr_thread_cond_broadcast(changed);
    apr_thread_mutex_unlock(mutex);
}

static void run_simply(worker_task_t *task)
{
    ((job_t *)task)->thread = apr_os_thread_current();
    count_done();
}

static void run_and_hold(worker_task_t *task)
{
    (void)task;
    count_done();
    hold();
}

static void run_and_submit(worker_task_t *task)
{
    job_t *job = (job_t *)task;
    job->thread = apr_os_thread_current();
    worker_pool_submit(workers, job->then);
    count_done();
}

static void run_own(worker_task_t *task)
{
    job_t *job = (job_t *)task;
    job->thread = apr_os_thread_current();
    worker_pool_submit(workers, job->then);
    CU_ASSERT(worker_pool_run_own(workers));
    CU_ASSERT_EQUAL(done, 1);
    CU_ASSERT(!worker_pool_run_own(workers));
    CU_ASSERT(!worker_pool_is_nested());
    count_done();
}

static void run_and_linger(worker_task_t *task)
{
    job_t *job = (job_t *)task;
    job->lingers = worker_pool_linger_begin(workers);
    count_done();
    hold();
    if (job->lingers)
        worker_pool_linger_end(workers);
}

static job_t *jobs(int count, void (*run)(worker_task_t *))
{
    job_t *all = apr_pcalloc(unit_pool(), sizeof(*all) * count);
    int i;
    for (i = 0; i < count; i++)
        all[i].task.run = run;
    return all;
}

static void every_task_runs(void)
{
    job_t *all = jobs(10000, run_simply);
    int i;

    start(4);
    for (i = 0; i < 10000; i++)
        worker_pool_submit(workers, &all[i].task);
    wait_done(10000);
    worker_pool_stop(workers);
}

static void a_stop_runs_what_is_queued(void)
{
    job_t *blocker = jobs(1, run_and_hold), *all = jobs(100, run_simply);
    int i;

    start(1);
    worker_pool_submit(workers, &blocker->task);
    wait_done(1);
    for (i = 0; i < 100; i++)
        worker_pool_submit(workers, &all[i].task);
    CU_ASSERT(worker_pool_busy(workers));
    let_go();
    worker_pool_stop(workers);
    CU_ASSERT_EQUAL(done, 101);
}

static void a_workers_own_task_stays_with_it(void)
{
    job_t *first = jobs(1, run_and_submit), *then = jobs(1, run_simply);

    start(4);
    first->then = &then->task;
    worker_pool_submit(workers, &first->task);
    wait_done(2);
    worker_pool_stop(workers);
    CU_ASSERT(apr_os_thread_equal(first->thread, then->thread));
}

static void a_worker_can_run_its_own_task_in_between(void)
{
    job_t *first = jobs(1, run_own), *then = jobs(1, run_simply);

    start(2);
    first->then = &then->task;
    worker_pool_submit(workers, &first->task);
    wait_done(2);
    worker_pool_stop(workers);
    CU_ASSERT(apr_os_thread_equal(first->thread, then->thread));
}

static void half_of_the_workers_never_linger(void)
{
    job_t *all = jobs(7, run_and_linger);
    int i, lingering = 0;

    start(8);
    for (i = 0; i < 7; i++) {
        worker_pool_submit(workers, &all[i].task);
        wait_done(i + 1);
        lingering += all[i].lingers;
    }
    CU_ASSERT(lingering <= 4);
    let_go();
    worker_pool_stop(workers);
}

static void the_last_free_worker_does_not_linger(void)
{
    job_t *blocker = jobs(1, run_and_hold), *last = jobs(1, run_and_linger);

    start(2);
    worker_pool_submit(workers, &blocker->task);
    wait_done(1);
    worker_pool_submit(workers, &last->task);
    wait_done(2);
    CU_ASSERT_EQUAL(last->lingers, 0);
    let_go();
    worker_pool_stop(workers);
}

UNIT_MAIN(UNIT_TEST(every_task_runs), UNIT_TEST(a_stop_runs_what_is_queued),
          UNIT_TEST(a_workers_own_task_stays_with_it),
          UNIT_TEST(a_worker_can_run_its_own_task_in_between),
          UNIT_TEST(half_of_the_workers_never_linger),
          UNIT_TEST(the_last_free_worker_does_not_linger))
