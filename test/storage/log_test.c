/* SPDX-License-Identifier: Apache-2.0 */
/* Appending to a log and reading it back. */
#include "storage_util.h"

static log_t *fresh_log(log_dir_t *dir, const log_config_t *config)
{
    log_t *log = NULL;

    UNIT_OK(log_open(&log, dir, "topic-0", NULL, config, 0));
    return log;
}

static void what_was_appended_is_read(void)
{
    log_dir_t *dir = open_dir(unit_tmpdir());
    log_config_t config;
    log_t *log;
    read_range_t range;

    log_config_init(&config);
    log = fresh_log(dir, &config);
    CU_ASSERT_EQUAL(log_end_offset(log), 0);
    UNIT_OK(log_read_range(log, 0, 0, 1000, 1, &range));
    CU_ASSERT_EQUAL(range.count, 0);
    append_plain(log, 100, 3, 100);
    CU_ASSERT_EQUAL(log_end_offset(log), 300);
    check_all(log);
    CU_ASSERT_EQUAL(log_read_range(log, 301, 301, 1000, 1, &range),
                    TAKHIN_EOFFSET_RANGE);
    UNIT_OK(log_close(log));
    UNIT_OK(log_dir_close(dir, -1));
}

static void every_offset_is_found(void)
{
    log_dir_t *dir = open_dir(unit_tmpdir());
    log_config_t config;
    log_t *log;
    int64_t offset;

    log_config_init(&config);
    config.segment_bytes = 20000;
    config.index_interval_bytes = 1000;
    log = fresh_log(dir, &config);
    append_plain(log, 200, 3, 100);
    for (offset = 599; offset >= 0; offset--) {
        read_range_t range;

        UNIT_OK(log_read_range(log, offset, 600, 1, 1, &range));
        CU_ASSERT_EQUAL_FATAL(range.count, 1);
        CU_ASSERT_EQUAL(range_base(&range), offset / 3 * 3);
        CU_ASSERT_EQUAL(range.size, (apr_size_t)log_size(log) / 200);
        read_range_release(&range);
    }
    UNIT_OK(log_close(log));
    UNIT_OK(log_dir_close(dir, -1));
}

static void a_range_ends_at_its_upper_bound(void)
{
    log_dir_t *dir = open_dir(unit_tmpdir());
    log_config_t config;
    log_t *log;
    int64_t upper;
    apr_size_t each;

    log_config_init(&config);
    config.segment_bytes = 20000;
    log = fresh_log(dir, &config);
    append_plain(log, 200, 3, 100);
    each = (apr_size_t)log_size(log) / 200;
    for (upper = 3; upper <= 600; upper += 3) {
        read_range_t range;
        int64_t from = upper > 60 ? upper - 60 : 0;

        UNIT_OK(log_read_range(log, from, upper, 1 << 20, 1, &range));
        CU_ASSERT_EQUAL(range.size, each * (apr_size_t)(upper - from) / 3);
        read_range_release(&range);
    }
    UNIT_OK(log_close(log));
    UNIT_OK(log_dir_close(dir, -1));
}

static void a_range_spans_segments(void)
{
    log_dir_t *dir = open_dir(unit_tmpdir());
    log_config_t config;
    log_t *log;
    read_range_t range;

    log_config_init(&config);
    config.segment_bytes = 10000;
    log = fresh_log(dir, &config);
    append_plain(log, 40, 1, 900);
    UNIT_OK(log_read_range(log, 5, 40, 20000, 1, &range));
    CU_ASSERT_EQUAL(range.count, 3);
    CU_ASSERT_EQUAL(range.size, 20000);
    read_range_release(&range);
    UNIT_OK(log_read_range(log, 0, 40, 1 << 30, 1, &range));
    CU_ASSERT_EQUAL(range.count, READ_RANGE_MAX_PIECES);
    read_range_release(&range);
    UNIT_OK(log_close(log));
    UNIT_OK(log_dir_close(dir, -1));
}

static void the_first_batch_is_whole_only_when_asked_for(void)
{
    log_dir_t *dir = open_dir(unit_tmpdir());
    log_config_t config;
    log_t *log;
    read_range_t range;

    log_config_init(&config);
    log = fresh_log(dir, &config);
    append_plain(log, 3, 1, 5000);
    UNIT_OK(log_read_range(log, 1, 3, 100, 1, &range));
    CU_ASSERT_EQUAL(range.size, (apr_size_t)log_size(log) / 3);
    CU_ASSERT_EQUAL(range.truncated_first, 0);
    read_range_release(&range);
    UNIT_OK(log_read_range(log, 1, 3, 100, 0, &range));
    CU_ASSERT_EQUAL(range.size, 100);
    CU_ASSERT_EQUAL(range.truncated_first, 1);
    read_range_release(&range);
    UNIT_OK(log_read_range(log, 1, 3, 0, 0, &range));
    CU_ASSERT_EQUAL(range.count, 0);
    UNIT_OK(log_close(log));
    UNIT_OK(log_dir_close(dir, -1));
}

static void reopen(int clean, int index_interval)
{
    const char *path = unit_tmpdir();
    log_dir_t *dir = open_dir(path);
    log_config_t config;
    log_t *log;
    int64_t size;

    log_config_init(&config);
    config.segment_bytes = 20000;
    config.index_interval_bytes = index_interval;
    log = fresh_log(dir, &config);
    append_plain(log, 150, 3, 100);
    size = log_size(log);
    if (clean)
        UNIT_OK(log_close(log));
    else
        log_abandon(log);
    UNIT_OK(log_dir_close(dir, clean ? 7 : -2));
    dir = open_dir(path);
    CU_ASSERT_EQUAL(log_dir_was_clean(dir), clean);
    CU_ASSERT_EQUAL(log_dir_clean_epoch(dir), clean ? 7 : -1);
    log = fresh_log(dir, &config);
    CU_ASSERT_EQUAL(log_end_offset(log), 450);
    CU_ASSERT_EQUAL(log_size(log), size);
    check_all(log);
    append_plain(log, 100, 3, 100);
    CU_ASSERT_EQUAL(log_end_offset(log), 750);
    check_all(log);
    UNIT_OK(log_close(log));
    UNIT_OK(log_dir_close(dir, -1));
}

static void a_log_goes_on_after_a_clean_stop(void)
{
    reopen(1, 1000);
}

static void a_log_goes_on_after_a_crash(void)
{
    reopen(0, 1000);
    reopen(0, 40);
}

static void a_torn_tail_is_cut(void)
{
    const char *path = unit_tmpdir();
    log_dir_t *dir = open_dir(path);
    log_config_t config;
    log_t *log;
    fs_file_t *file;
    apr_off_t size;

    log_config_init(&config);
    log = fresh_log(dir, &config);
    append_plain(log, 10, 3, 100);
    log_abandon(log);
    UNIT_OK(log_dir_close(dir, -2));
    UNIT_OK(fs_open(&file,
                    apr_pstrcat(unit_pool(), path,
                                "/topic-0/00000000000000000000.log", NULL),
                    FS_WRITABLE));
    UNIT_OK(fs_size(file, &size));
    UNIT_OK(fs_truncate(file, size - 1));
    UNIT_OK(fs_close(file));
    dir = open_dir(path);
    log = fresh_log(dir, &config);
    CU_ASSERT_EQUAL(log_end_offset(log), 27);
    check_all(log);
    append_plain(log, 1, 3, 100);
    check_all(log);
    UNIT_OK(log_close(log));
    UNIT_OK(log_dir_close(dir, -1));
}

static int synced;

static void count_syncs(void *baton, const fs_call_t *call)
{
    const char *suffix = baton;
    size_t length = strlen(call->path);

    if (call->op == FS_SYNC && length > strlen(suffix) &&
        strcmp(call->path + length - strlen(suffix), suffix) == 0)
        synced++;
}

static void a_rolled_segments_indexes_are_flushed(void)
{
    static const fs_hooks_t hooks = {(void *)"00000000000000000000.timeindex",
                                     NULL, count_syncs};
    log_dir_t *dir = open_dir(unit_tmpdir());
    log_config_t config;
    log_t *log;

    log_config_init(&config);
    config.segment_bytes = 3000;
    log = fresh_log(dir, &config);
    append_plain(log, 3, 1, 900);
    UNIT_OK(log_flush(log));
    append_plain(log, 1, 1, 900); /* rolls: only indexes are not flushed */
    synced = 0;
    fs_hooks = &hooks;
    UNIT_OK(log_flush(log));
    UNIT_OK(log_flush(log));
    fs_hooks = NULL;
    CU_ASSERT_EQUAL(synced, 1);
    UNIT_OK(log_close(log));
    UNIT_OK(log_dir_close(dir, -1));
}

UNIT_MAIN(UNIT_TEST(a_rolled_segments_indexes_are_flushed),
          UNIT_TEST(what_was_appended_is_read),
          UNIT_TEST(every_offset_is_found),
          UNIT_TEST(a_range_ends_at_its_upper_bound),
          UNIT_TEST(a_range_spans_segments),
          UNIT_TEST(the_first_batch_is_whole_only_when_asked_for),
          UNIT_TEST(a_log_goes_on_after_a_clean_stop),
          UNIT_TEST(a_log_goes_on_after_a_crash), UNIT_TEST(a_torn_tail_is_cut))
