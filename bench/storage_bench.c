/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the storage layer costs by itself, without a network:
 *
 *   storage_bench DIRECTORY log            append and read_range, ns each
 *   storage_bench DIRECTORY partitions N   create, restart, bytes of memory
 * each storage_bench DIRECTORY flush N [F]    N producers of 1 KiB batches,
 * each to its partition, each waiting for its flush, for two seconds; F
 * flushers
 */
#include <apr_atomic.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_proc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "record/builder.h"
#include "storage/topics.h"

static apr_pool_t *pool;

static void must(apr_status_t status, const char *what)
{
    char text[128];

    if (status == APR_SUCCESS)
        return;
    fprintf(stderr, "%s: %s\n", what,
            takhin_strerror(status, text, sizeof(text)));
    exit(1);
}

static log_dir_t *open_dir(const char *path)
{
    log_dir_options_t options;
    log_dir_t *dir;
    const char *error;

    log_dir_options_init(&options);
    must(log_dir_open(&dir, path, &options, pool, &error), "log_dir_open");
    return dir;
}

static void report(const char *what, apr_time_t begin, int64_t count)
{
    printf("%-32s %8.0f ns\n", what,
           (double)(clock_monotonic() - begin) * 1000.0 / (double)count);
}

/* ---- a log ------------------------------------------------------------- */

static void bench_append(log_t *log, size_t size, int count, const char *what)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    record_builder_t builder = {0};
    record_t record = {0};
    record_batch_t batch;
    uint8_t *value = calloc(1, size), *data;
    apr_time_t begin;
    size_t length;
    int i;

    record.key_length = -1;
    record.timestamp = 1;
    record.value = value;
    record.value_length = (int32_t)size - 70;
    must(record_builder_begin(&builder, &options), "begin");
    must(record_builder_append(&builder, &record), "append");
    must(record_builder_finish(&builder, &data, &length), "finish");
    begin = clock_monotonic();
    for (i = 0; i < count; i++) {
        append_result_t result;

        must(record_batch_parse(&batch, data, length), "parse");
        must(log_append(log, data, length, &batch, 0, APPEND_CLIENT, &result),
             "log_append");
    }
    report(what, begin, count);
    record_builder_free(&builder);
    free(value);
}

static void bench_read(log_t *log, size_t size, int64_t step, int64_t from,
                       int64_t to, const char *what)
{
    apr_time_t begin = clock_monotonic();
    int64_t offset, count = 0;

    for (offset = from; offset < to; offset += step, count++) {
        read_range_t range;

        must(log_read_range(log, offset, log_end_offset(log), size, 1, &range),
             "log_read_range");
        read_range_release(&range);
    }
    report(what, begin, count);
}

static void bench_log(const char *path)
{
    log_dir_t *dir = open_dir(path);
    log_config_t config;
    int64_t small;
    log_t *log;

    log_config_init(&config);
    must(log_open(&log, dir, "bench-0", NULL, &config, 0), "log_open");
    bench_append(log, 1024, 200000, "append 1 KiB");
    small = log_end_offset(log);
    bench_append(log, 65536, 2000, "append 64 KiB");
    bench_read(log, 1024, 1, 0, small, "read_range 1 KiB, in order");
    bench_read(log, 1024, 7919, 0, small, "read_range 1 KiB, jumping");
    bench_read(log, 65536, 1, small, small + 2000, "read_range 64 KiB");
    bench_read(log, 1 << 20, 1000, 0, small, "read_range 1 MiB of 1 KiB");
    must(log_close(log), "log_close");
    must(log_dir_close(dir, -1), "log_dir_close");
}

/* ---- many partitions --------------------------------------------------- */

static long resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * 4096;
}

static void bench_partitions(const char *path, int count)
{
    log_dir_t *dir = open_dir(path);
    topics_options_t options = {&dir, 1, 1, 2};
    topic_spec_t spec;
    topics_t *topics;
    apr_time_t begin;
    long before;

    memset(&spec, 0, sizeof(spec));
    spec.name = "bench";
    spec.id.bytes[0] = 1;
    spec.partition_count = count;
    log_config_init(&spec.config);
    must(topics_create(&topics, &options, pool), "topics_create");
    must(log_dir_start(dir), "log_dir_start");
    begin = clock_monotonic();
    must(topics_add(topics, &spec), "topics_add");
    report("create a partition", begin, count);
    begin = clock_monotonic();
    must(topics_close(topics), "topics_close");
    must(log_dir_close(dir, 0), "log_dir_close");
    report("close a partition", begin, count);

    dir = open_dir(path);
    before = resident();
    must(topics_create(&topics, &options, pool), "topics_create");
    begin = clock_monotonic();
    must(topics_load(topics, &spec, 1), "topics_load");
    report("open a partition", begin, count);
    printf("%-32s %8ld bytes\n", "a partition, idle",
           (resident() - before) / count);
    must(topics_close(topics), "topics_close");
    must(log_dir_close(dir, 0), "log_dir_close");
}

/* ---- flushes ----------------------------------------------------------- */

typedef struct {
    partition_t *partition;
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *cond;
    int flushed;
    int64_t count;
} producer_t;

static volatile apr_uint32_t stop;

static void wake(partition_waiter_t *waiter, int events)
{
    producer_t *producer = waiter->baton;

    (void)events;
    apr_thread_mutex_lock(producer->mutex);
    producer->flushed = 1;
    apr_thread_cond_signal(producer->cond);
    apr_thread_mutex_unlock(producer->mutex);
}

static void await_flush(producer_t *producer, int64_t offset)
{
    partition_request_flush(producer->partition);
    apr_thread_mutex_lock(producer->mutex);
    while (log_flushed_offset(partition_log(producer->partition)) < offset) {
        while (!producer->flushed)
            apr_thread_cond_wait(producer->cond, producer->mutex);
        producer->flushed = 0;
    }
    apr_thread_mutex_unlock(producer->mutex);
}

static void *APR_THREAD_FUNC produce(apr_thread_t *thread, void *baton)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    record_builder_t builder = {0};
    producer_t *producer = baton;
    partition_waiter_t waiter = {0};
    uint8_t value[950] = {0}, *data;
    record_t record = {0};
    size_t length;

    (void)thread;
    record.key_length = -1;
    record.value = value;
    record.value_length = sizeof(value);
    must(record_builder_begin(&builder, &options), "begin");
    must(record_builder_append(&builder, &record), "append");
    must(record_builder_finish(&builder, &data, &length), "finish");
    waiter.events = PARTITION_FLUSHED;
    waiter.notify = wake;
    waiter.baton = producer;
    partition_watch(producer->partition, &waiter);
    while (!apr_atomic_read32(&stop)) {
        append_result_t result;
        record_batch_t batch;

        must(record_batch_parse(&batch, data, length), "parse");
        must(partition_append(producer->partition, data, length, &batch,
                              APPEND_CLIENT, &result),
             "partition_append");
        await_flush(producer, result.last_offset + 1);
        producer->count++;
    }
    partition_unwatch(&waiter);
    record_builder_free(&builder);
    return NULL;
}

static void bench_flush(const char *path, int count, int flushers)
{
    producer_t *producers =
        apr_pcalloc(pool, sizeof(*producers) * (apr_size_t)count);
    apr_thread_t **threads =
        apr_pcalloc(pool, sizeof(*threads) * (apr_size_t)count);
    log_dir_options_t dir_options;
    topics_options_t options;
    topic_spec_t spec;
    topics_t *topics;
    log_dir_t *dir;
    const char *error;
    apr_status_t ignored;
    int64_t total = 0;
    int i;

    log_dir_options_init(&dir_options);
    dir_options.flush_threads = flushers;
    must(log_dir_open(&dir, path, &dir_options, pool, &error), "log_dir_open");
    memset(&options, 0, sizeof(options));
    options.dirs = &dir;
    options.dir_count = 1;
    memset(&spec, 0, sizeof(spec));
    spec.name = "flush";
    spec.partition_count = count;
    log_config_init(&spec.config);
    must(topics_create(&topics, &options, pool), "topics_create");
    must(topics_add(topics, &spec), "topics_add");
    must(log_dir_start(dir), "log_dir_start");
    for (i = 0; i < count; i++) {
        must(topics_find(topics, "flush", 5, i, &producers[i].partition),
             "topics_find");
        apr_thread_mutex_create(&producers[i].mutex, APR_THREAD_MUTEX_DEFAULT,
                                pool);
        apr_thread_cond_create(&producers[i].cond, pool);
        must(apr_thread_create(&threads[i], NULL, produce, &producers[i], pool),
             "apr_thread_create");
    }
    apr_sleep(apr_time_from_sec(2));
    apr_atomic_set32(&stop, 1);
    for (i = 0; i < count; i++) {
        apr_thread_join(&ignored, threads[i]);
        partition_release(producers[i].partition);
        total += producers[i].count;
    }
    printf("%2d producers, %2d flushers       %8lld a second\n", count,
           flushers, (long long)total / 2);
    must(topics_close(topics), "topics_close");
    must(log_dir_close(dir, 0), "log_dir_close");
}

int main(int argc, const char *const *argv, const char *const *env)
{
    if (argc < 3) {
        fprintf(stderr, "storage_bench DIRECTORY log|partitions|flush [N]\n");
        return 2;
    }
    apr_app_initialize(&argc, &argv, &env);
    apr_pool_create(&pool, NULL);
    if (strcmp(argv[2], "log") == 0)
        bench_log(argv[1]);
    else if (strcmp(argv[2], "flush") == 0)
        bench_flush(argv[1], argc > 3 ? atoi(argv[3]) : 1,
                    argc > 4 ? atoi(argv[4]) : 4);
    else
        bench_partitions(argv[1], argc > 3 ? atoi(argv[3]) : 10000);
    apr_terminate();
    return 0;
}
