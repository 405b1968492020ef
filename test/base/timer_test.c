/* SPDX-License-Identifier: Apache-2.0 */
/* The timer: order, cancelling, and that nobody is called back afterwards. */
#include "base/timer.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "unit.h"

static base_timer_t *timer;
static apr_thread_mutex_t *mutex;
static apr_thread_cond_t *changed;
static int fired[256], fired_count;

typedef struct {
    base_timer_entry_t entry;
    int number;
} alarm_t;

static void on_alarm(void *baton)
{
    alarm_t *alarm = baton;
    apr_thread_mutex_lock(mutex);
    fired[fired_count++] = alarm->number;
    apr_thread_cond_broadcast(changed);
    apr_thread_mutex_unlock(mutex);
}

static void start(void)
{
    apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, unit_pool());
    apr_thread_cond_create(&changed, unit_pool());
    fired_count = 0;
    UNIT_OK(base_timer_create(&timer, unit_pool()));
}

static alarm_t *alarms(int count)
{
    alarm_t *all = apr_pcalloc(unit_pool(), sizeof(*all) * count);
    int i;
    for (i = 0; i < count; i++) {
        all[i].number = i;
        all[i].entry.callback = on_alarm;
        all[i].entry.baton = &all[i];
    }
    return all;
}

static void wait_fired(int count)
{
    apr_thread_mutex_lock(mutex);
    while (fired_count < count)
        apr_thread_cond_wait(changed, mutex);
    apr_thread_mutex_unlock(mutex);
}

static void deadlines_pass_in_order(void)
{
    enum { COUNT = 200 };
    alarm_t *all;
    int i;

    start();
    all = alarms(COUNT);
    for (i = 0; i < COUNT; i++) {
        int at = i * 77 % COUNT; /* all of them, in disorder */
        base_timer_start(timer, &all[at].entry, 50000 + at * 200);
    }
    wait_fired(COUNT);
    base_timer_stop(timer);
    /* The starts take time too, which may put neighbours into disorder. */
    for (i = 1; i < COUNT; i++)
        CU_ASSERT(all[fired[i - 1]].entry.deadline <=
                  all[fired[i]].entry.deadline);
}

static void a_cancelled_one_is_not_called_back(void)
{
    alarm_t *all;
    int i;

    start();
    all = alarms(100);
    for (i = 0; i < 100; i++)
        base_timer_start(timer, &all[i].entry, 20000);
    for (i = 0; i < 100; i += 2)
        all[i].number = base_timer_cancel(timer, &all[i].entry) ? -1 : i;
    wait_fired(50);
    base_timer_stop(timer);
    for (i = 0; i < 50; i++)
        CU_ASSERT_NOT_EQUAL(fired[i], -1);
}

static void an_earlier_deadline_wakes_the_sleeper(void)
{
    alarm_t *all;

    start();
    all = alarms(2);
    base_timer_start(timer, &all[0].entry, apr_time_from_sec(3600));
    base_timer_start(timer, &all[1].entry, 1000);
    wait_fired(1);
    CU_ASSERT_EQUAL(fired[0], 1);
    CU_ASSERT_EQUAL(base_timer_cancel(timer, &all[0].entry), 1);
    CU_ASSERT_EQUAL(base_timer_cancel(timer, &all[0].entry), 0);
    base_timer_stop(timer);
}

static void a_started_one_can_be_moved(void)
{
    alarm_t *all;

    start();
    all = alarms(1);
    base_timer_start(timer, &all[0].entry, apr_time_from_sec(3600));
    base_timer_start(timer, &all[0].entry, 0);
    wait_fired(1);
    base_timer_stop(timer);
    CU_ASSERT_EQUAL(fired_count, 1);
}

typedef struct {
    base_timer_entry_t entry;
    atomic_u32_t alive;
    atomic_u32_t *errors;
} short_lived_t;

static void on_short_lived(void *baton)
{
    short_lived_t *self = baton;
    if (!atomic_get32(&self->alive))
        atomic_add32(self->errors, 1);
}

static atomic_u32_t errors;

static void *APR_THREAD_FUNC churn(apr_thread_t *thread, void *baton)
{
    int i;
    (void)thread;
    (void)baton;
    for (i = 0; i < 2000; i++) {
        short_lived_t *one = calloc(1, sizeof(*one));
        one->entry.callback = on_short_lived;
        one->entry.baton = one;
        one->errors = &errors;
        atomic_set32(&one->alive, 1);
        base_timer_start(timer, &one->entry, i % 50);
        if (i % 3)
            apr_thread_yield();
        base_timer_cancel(timer, &one->entry);
        atomic_set32(&one->alive, 0);
        free(one);
    }
    return NULL;
}

static void after_cancelling_it_may_be_freed(void)
{
    apr_thread_t *threads[4];
    apr_status_t rv;
    int i;

    start();
    atomic_set32(&errors, 0);
    for (i = 0; i < 4; i++)
        apr_thread_create(&threads[i], NULL, churn, NULL, unit_pool());
    for (i = 0; i < 4; i++)
        apr_thread_join(&rv, threads[i]);
    base_timer_stop(timer);
    CU_ASSERT_EQUAL(atomic_get32(&errors), 0);
}

UNIT_MAIN(UNIT_TEST(deadlines_pass_in_order),
          UNIT_TEST(a_cancelled_one_is_not_called_back),
          UNIT_TEST(an_earlier_deadline_wakes_the_sleeper),
          UNIT_TEST(a_started_one_can_be_moved),
          UNIT_TEST(after_cancelling_it_may_be_freed))
