/* SPDX-License-Identifier: Apache-2.0 */
/* Topics, partitions, who waits for them, and what followers change. */
#include <apr_atomic.h>
#include <apr_thread_cond.h>
#include <apr_thread_proc.h>

#include "storage/topics.h"
#include "storage_util.h"

static const char *path;
static log_dir_t *dir;
static topics_t *topics;

static void begin_at(const char *where)
{
    topics_options_t options = {&dir, 1, 1, 2};

    path = where;
    dir = open_dir(path);
    UNIT_OK(topics_create(&topics, &options, unit_pool()));
    UNIT_OK(log_dir_start(dir));
}

static void end(void)
{
    UNIT_OK(topics_close(topics));
    UNIT_OK(log_dir_close(dir, -1));
}

static topic_spec_t spec_of(const char *name, int partitions)
{
    topic_spec_t spec;

    memset(&spec, 0, sizeof(spec));
    spec.name = name;
    memset(spec.id.bytes, name[0], sizeof(spec.id.bytes));
    spec.partition_count = partitions;
    log_config_init(&spec.config);
    return spec;
}

static partition_t *get(const char *name, int index)
{
    partition_t *partition = NULL;

    UNIT_OK(topics_find(topics, name, strlen(name), index, &partition));
    return partition;
}

static apr_status_t append(partition_t *partition, append_result_t *result)
{
    batch_spec_t spec = PLAIN_BATCH;
    record_batch_t batch;
    size_t length;
    uint8_t *data = make_batch(&spec, &length);
    apr_status_t status;

    UNIT_OK(record_batch_parse(&batch, data, length));
    status = partition_append(partition, data, length, &batch, APPEND_CLIENT,
                              result);
    free(data);
    return status;
}

static void topics_are_found_by_name_and_id(void)
{
    topic_spec_t a = spec_of("alpha", 3), b = spec_of("beta", 1);
    partition_t *partition;

    begin_at(unit_tmpdir());
    UNIT_OK(topics_add(topics, &a));
    UNIT_OK(topics_add(topics, &b));
    CU_ASSERT_EQUAL(topics_add(topics, &a), TAKHIN_ETOPIC_EXISTS);
    partition = get("alpha", 2);
    CU_ASSERT_STRING_EQUAL(partition_topic_name(partition), "alpha");
    CU_ASSERT_EQUAL(partition_index(partition), 2);
    partition_release(partition);
    UNIT_OK(topics_find_id(topics, &b.id, 0, &partition));
    CU_ASSERT_STRING_EQUAL(partition_topic_name(partition), "beta");
    partition_release(partition);
    CU_ASSERT_EQUAL(topics_find(topics, "beta", 4, 1, &partition),
                    TAKHIN_EUNKNOWN_PARTITION);
    CU_ASSERT_EQUAL(topics_find(topics, "bet", 3, 0, &partition),
                    TAKHIN_EUNKNOWN_TOPIC);
    UNIT_OK(topics_grow(topics, "beta", 4));
    partition_release(get("beta", 3));
    end();
}

static void topics_come_back(void)
{
    topic_spec_t specs[2] = {spec_of("alpha", 3), spec_of("beta", 200)};
    append_result_t result;
    partition_t *partition;

    begin_at(unit_tmpdir());
    UNIT_OK(topics_add(topics, &specs[0]));
    UNIT_OK(topics_add(topics, &specs[1]));
    partition = get("beta", 150);
    UNIT_OK(append(partition, &result));
    partition_release(partition);
    end();
    begin_at(path);
    UNIT_OK(topics_load(topics, specs, 2));
    partition = get("beta", 150);
    CU_ASSERT_EQUAL(partition_high_watermark(partition), 1);
    partition_release(partition);
    partition_release(get("alpha", 2));
    end();
}

static void a_topic_that_is_sent_may_be_deleted(void)
{
    topic_spec_t spec = spec_of("alpha", 1);
    append_result_t result;
    partition_t *partition;
    read_range_t range;
    topic_t *topic;

    spec.config.file_delete_delay_ms = 0;
    begin_at(unit_tmpdir());
    UNIT_OK(topics_add(topics, &spec));
    partition = get("alpha", 0);
    UNIT_OK(append(partition, &result));
    UNIT_OK(topics_get(topics, "alpha", 5, &topic));
    UNIT_OK(topic_read_range(topic, 0, 0, 1, 1000, 1, &range));
    UNIT_OK(topics_delete(topics, &spec.id));
    CU_ASSERT_EQUAL(append(partition, &result), TAKHIN_EDELETED);
    partition_release(partition);
    CU_ASSERT_EQUAL(range_base(&range), 0);
    read_range_release(&range);
    CU_ASSERT_EQUAL(topic_partition(topic, 0, &partition),
                    TAKHIN_EUNKNOWN_PARTITION);
    topic_release(topic);
    /* The name is free at once, with nothing in it. */
    UNIT_OK(topics_add(topics, &spec));
    partition = get("alpha", 0);
    CU_ASSERT_EQUAL(partition_high_watermark(partition), 0);
    partition_release(partition);
    end();
}

/* ---- waiters ----------------------------------------------------------- */

typedef struct {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *cond;
    int events;
} bell_t;

static void ring(partition_waiter_t *self, int events)
{
    bell_t *bell = self->baton;

    apr_thread_mutex_lock(bell->mutex);
    bell->events |= events;
    apr_thread_cond_signal(bell->cond);
    apr_thread_mutex_unlock(bell->mutex);
}

static void make_bell(bell_t *bell)
{
    bell->events = 0;
    apr_thread_mutex_create(&bell->mutex, APR_THREAD_MUTEX_DEFAULT,
                            unit_pool());
    apr_thread_cond_create(&bell->cond, unit_pool());
}

static void wait_for(bell_t *bell, int events)
{
    apr_thread_mutex_lock(bell->mutex);
    while (!(bell->events & events))
        apr_thread_cond_wait(bell->cond, bell->mutex);
    bell->events = 0;
    apr_thread_mutex_unlock(bell->mutex);
}

static void waiters_hear_of_appends_flushes_and_the_end(void)
{
    topic_spec_t spec = spec_of("alpha", 1);
    partition_waiter_t waiter = {0};
    append_result_t result;
    partition_t *partition;
    bell_t bell;

    make_bell(&bell);
    begin_at(unit_tmpdir());
    UNIT_OK(topics_add(topics, &spec));
    partition = get("alpha", 0);
    waiter.events = PARTITION_APPENDED | PARTITION_FLUSHED | PARTITION_GONE;
    waiter.notify = ring;
    waiter.baton = &bell;
    partition_watch(partition, &waiter);
    UNIT_OK(append(partition, &result));
    CU_ASSERT_EQUAL(bell.events, PARTITION_APPENDED);
    bell.events = 0;
    CU_ASSERT_EQUAL(log_flushed_offset(partition_log(partition)), 0);
    partition_request_flush(partition);
    wait_for(&bell, PARTITION_FLUSHED);
    CU_ASSERT_EQUAL(log_flushed_offset(partition_log(partition)), 1);
    UNIT_OK(topics_delete(topics, &spec.id));
    CU_ASSERT_EQUAL(bell.events, PARTITION_GONE);
    partition_unwatch(&waiter);
    partition_release(partition);
    end();
}

static void a_follower_in_sync_holds_the_high_watermark(void)
{
    static const int32_t replicas[] = {1, 2};
    topic_spec_t spec = spec_of("alpha", 1);
    partition_replica_t known[3];
    append_result_t result;
    partition_t *partition;

    begin_at(unit_tmpdir());
    UNIT_OK(topics_add(topics, &spec));
    partition = get("alpha", 0);
    UNIT_OK(append(partition, &result));
    CU_ASSERT_EQUAL(partition_high_watermark(partition), 1);
    /* Who is not assigned may fetch, and changes nothing. */
    partition_follower_fetched(partition, 9, 0, 100);
    UNIT_OK(append(partition, &result));
    CU_ASSERT_EQUAL(partition_high_watermark(partition), 2);
    UNIT_OK(partition_set_replicas(partition, replicas, 2));
    partition_follower_fetched(partition, 2, 0, 100);
    UNIT_OK(append(partition, &result));
    CU_ASSERT_EQUAL(partition_high_watermark(partition), 3);
    partition_follower_fetched(partition, 2, 3, 200); /* caught up */
    UNIT_OK(append(partition, &result));
    CU_ASSERT_EQUAL(partition_high_watermark(partition), 3);
    CU_ASSERT_EQUAL(partition_replicas(partition, known, 3), 3);
    CU_ASSERT_EQUAL(known[2].replica, 2);
    CU_ASSERT_EQUAL(known[2].last_caught_up_ms, 200);
    CU_ASSERT_TRUE(known[2].in_sync);
    CU_ASSERT_FALSE(known[1].in_sync);
    partition_follower_fetched(partition, 2, 4, 300);
    CU_ASSERT_EQUAL(partition_high_watermark(partition), 4);
    UNIT_OK(append(partition, &result));
    partition_shrink_isr(partition, 1300, 1000);
    CU_ASSERT_EQUAL(partition_high_watermark(partition), 4);
    partition_shrink_isr(partition, 1301, 1000);
    CU_ASSERT_EQUAL(partition_high_watermark(partition), 5);
    partition_release(partition);
    end();
}

/* ---- many at once ------------------------------------------------------ */

#define WRITERS 4
#define READERS 2
#define APPENDS 2000

static volatile apr_uint32_t writing;

static void *APR_THREAD_FUNC write_thread(apr_thread_t *thread, void *baton)
{
    partition_t *partition = baton;
    int i;

    (void)thread;
    for (i = 0; i < APPENDS; i++) {
        append_result_t result;

        UNIT_OK(append(partition, &result));
        if (i % 50 == 0)
            partition_request_flush(partition);
    }
    apr_atomic_dec32(&writing);
    return NULL;
}

static void *APR_THREAD_FUNC read_thread(apr_thread_t *thread, void *baton)
{
    partition_t *partition = baton;
    int64_t offset = 0;

    (void)thread;
    while (offset < WRITERS * APPENDS) {
        int64_t upper = partition_high_watermark(partition);
        read_range_t range;
        uint8_t data[20000];
        apr_size_t at = 0, got = 0;

        if (offset >= upper) {
            apr_thread_yield();
            continue;
        }
        UNIT_OK(log_read_range(partition_log(partition), offset, upper,
                               sizeof(data), 1, &range));
        UNIT_OK(fs_os_pread(range.pieces[0].file, range.pieces[0].position,
                            data, range.pieces[0].size, &got));
        read_range_release(&range);
        while (at < got) {
            record_batch_t batch;

            if (record_batch_parse(&batch, data + at, got - at) !=
                    APR_SUCCESS ||
                record_batch_size(&batch) > got - at)
                break;
            if (batch.base_offset != offset || batch.base_offset >= upper) {
                CU_FAIL("not the batch that was to come");
                return NULL;
            }
            offset++;
            at += record_batch_size(&batch);
        }
    }
    return NULL;
}

static void readers_follow_writers(void)
{
    topic_spec_t spec = spec_of("alpha", 1);
    apr_thread_t *threads[WRITERS + READERS];
    partition_t *partition;
    apr_status_t ignored;
    int i;

    spec.config.segment_bytes = 50000;
    begin_at(unit_tmpdir());
    UNIT_OK(topics_add(topics, &spec));
    partition = get("alpha", 0);
    apr_atomic_set32(&writing, WRITERS);
    for (i = 0; i < WRITERS + READERS; i++)
        UNIT_OK(apr_thread_create(&threads[i], NULL,
                                  i < WRITERS ? write_thread : read_thread,
                                  partition, unit_pool()));
    for (i = 0; i < WRITERS + READERS; i++)
        apr_thread_join(&ignored, threads[i]);
    CU_ASSERT_EQUAL(partition_high_watermark(partition), WRITERS * APPENDS);
    partition_release(partition);
    end();
}

UNIT_MAIN(UNIT_TEST(topics_are_found_by_name_and_id),
          UNIT_TEST(topics_come_back),
          UNIT_TEST(a_topic_that_is_sent_may_be_deleted),
          UNIT_TEST(waiters_hear_of_appends_flushes_and_the_end),
          UNIT_TEST(a_follower_in_sync_holds_the_high_watermark),
          UNIT_TEST(readers_follow_writers))
