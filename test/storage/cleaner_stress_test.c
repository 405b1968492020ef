/* SPDX-License-Identifier: Apache-2.0 */
/* Appends, reads, look-ups and flushes go on while the log is compacted. */
#include <apr_thread_proc.h>

#include "cleaner_util.h"

#define KEYS     50
#define SEGMENTS 300 /* that are written */

typedef struct {
    bench_t bench;
    volatile apr_uint32_t stop;  /* atomic */
    volatile apr_uint32_t wrong; /* atomic */
} stress_t;

static int is_stopped(stress_t *stress)
{
    return apr_atomic_read32(&stress->stop) != 0;
}

static void wrong(stress_t *stress, const char *what, apr_status_t status)
{
    printf("# %s: %d\n", what, (int)status);
    apr_atomic_inc32(&stress->wrong);
}

static void *APR_THREAD_FUNC append_thread(apr_thread_t *thread, void *baton)
{
    stress_t *stress = baton;
    int i;

    for (i = 0; !is_stopped(stress); i++) {
        log_t *log = stress->bench.log;
        char key[16];

        snprintf(key, sizeof(key), "key-%d", i * 7 % KEYS);
        append_one(log, key, "some value or other");
        log_raise_high_watermark(log, log_end_offset(log));
        if (i % 16 == 0)
            log_request_flush(log);
        if (i % 64 == 0)
            apr_sleep(1000);
    }
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

/* Every batch that a read gives is whole and where it belongs. */
static void read_once(stress_t *stress, int64_t offset, apr_pool_t *pool)
{
    int64_t end = log_end_offset(stress->bench.log);
    apr_size_t length, at = 0;
    uint8_t *data;
    apr_status_t status =
        log_read(stress->bench.log, offset, end, 20000, &data, &length, pool);

    if (status != APR_SUCCESS) {
        wrong(stress, "a read failed", status);
        return;
    }
    while (at < length) {
        record_batch_t batch;

        if (record_batch_parse(&batch, data + at, length - at) != APR_SUCCESS ||
            record_batch_verify_crc(&batch, data + at) != APR_SUCCESS ||
            record_batch_last_offset(&batch) < offset) {
            wrong(stress, "a read gave nonsense", (apr_status_t)offset);
            return;
        }
        offset = record_batch_next_offset(&batch);
        at += record_batch_size(&batch);
    }
}

static void *APR_THREAD_FUNC read_thread(apr_thread_t *thread, void *baton)
{
    stress_t *stress = baton;
    uint32_t random = 1;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    while (!is_stopped(stress)) {
        int64_t end = log_end_offset(stress->bench.log);
        log_position_t found;
        log_aborted_t *aborted;
        int count;

        random = random * 1103515245u + 12345u;
        if (end > 0)
            read_once(stress, (int64_t)(random >> 8) % end, pool);
        if (random % 16 == 0 &&
            log_offset_for_timestamp(stress->bench.log, 1000, end, &found) !=
                APR_SUCCESS)
            wrong(stress, "a look-up failed", 0);
        if (random % 8 == 0 &&
            log_aborted_transactions(stress->bench.log, 0, end, &aborted,
                                     &count, pool) != APR_SUCCESS)
            wrong(stress, "the aborted ones are not found", 0);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void who_reads_and_appends_does_not_notice(void)
{
    apr_thread_t *threads[3];
    cleaner_options_t options;
    cleaner_stats_t stats;
    log_config_t config;
    stress_t stress;
    apr_status_t ignored;
    int i;

    memset(&stress, 0, sizeof(stress));
    compact_config(&config);
    config.segment_bytes = 8000;
    open_bench(&stress.bench, memory_dir(), &config);
    UNIT_OK(log_dir_start(stress.bench.dirs[0]));
    cleaner_options_init(&options);
    options.threads = 2;
    options.backoff_ms = 1;
    UNIT_OK(cleaner_create(&stress.bench.cleaner, &options, stress.bench.dirs,
                           1, unit_pool()));
    UNIT_OK(cleaner_start(stress.bench.cleaner));
    UNIT_OK(apr_thread_create(&threads[0], NULL, append_thread, &stress,
                              unit_pool()));
    for (i = 1; i < 3; i++)
        UNIT_OK(apr_thread_create(&threads[i], NULL, read_thread, &stress,
                                  unit_pool()));
    do {
        apr_sleep(2000);
        cleaner_stats(stress.bench.cleaner, &stats);
    } while (stats.work.segments_written < SEGMENTS &&
             log_dir_online(stress.bench.dirs[0]) &&
             apr_atomic_read32(&stress.wrong) == 0);
    apr_atomic_set32(&stress.stop, 1);
    for (i = 0; i < 3; i++)
        apr_thread_join(&ignored, threads[i]);
    cleaner_stop(stress.bench.cleaner);
    CU_ASSERT_EQUAL(apr_atomic_read32(&stress.wrong), 0);
    CU_ASSERT_EQUAL(stats.uncleanable, 0);
    CU_ASSERT(log_dir_online(stress.bench.dirs[0]));
    printf("# %d records, %d compactions\n",
           (int)log_end_offset(stress.bench.log), (int)stats.work.compactions);
    close_bench(&stress.bench);
}

static void a_log_may_be_deleted_while_it_is_compacted(void)
{
    cleaner_options_t options;
    cleaner_stats_t stats;
    bench_t bench;
    log_config_t config;
    int i, k;

    compact_config(&config);
    config.segment_bytes = 4000;
    open_bench(&bench, memory_dir(), &config);
    UNIT_OK(log_dir_start(bench.dirs[0]));
    cleaner_options_init(&options);
    options.backoff_ms = 1;
    UNIT_OK(
        cleaner_create(&bench.cleaner, &options, bench.dirs, 1, unit_pool()));
    UNIT_OK(cleaner_start(bench.cleaner));
    for (i = 0; i < 30; i++) {
        log_t *log;

        UNIT_OK(log_open(&log, bench.dirs[0], "gone-0", NULL, &config, 0));
        CU_ASSERT_EQUAL(log_end_offset(log), 0);
        for (k = 0; k < 200; k++)
            append_one(log, k % 2 ? "a" : "b", "value");
        settle(log);
        if (i % 3 == 0)
            apr_sleep(3000);
        UNIT_OK(log_delete(log));
        log_release(log);
    }
    CU_ASSERT(log_dir_online(bench.dirs[0]));
    cleaner_stop(bench.cleaner);
    cleaner_stats(bench.cleaner, &stats);
    CU_ASSERT_EQUAL(stats.work.failures, 0);
    close_bench(&bench);
}

UNIT_MAIN(UNIT_TEST(who_reads_and_appends_does_not_notice),
          UNIT_TEST(a_log_may_be_deleted_while_it_is_compacted))
