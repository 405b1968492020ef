/* SPDX-License-Identifier: Apache-2.0 */
/* Retention, DeleteRecords, truncation, and look-ups by time and epoch. */
#include "storage/segment.h"
#include "storage_util.h"

static const char *path;
static log_dir_t *dir;
static log_t *log_;
static log_config_t config;

static void open_log(void)
{
    dir = open_dir(path);
    UNIT_OK(log_open(&log_, dir, "topic-0", NULL, &config, 0));
}

static void begin(int32_t segment_bytes)
{
    path = unit_tmpdir();
    log_config_init(&config);
    config.segment_bytes = segment_bytes;
    config.index_interval_bytes = 500;
    config.file_delete_delay_ms = 0;
    open_log();
}

static void end(void)
{
    UNIT_OK(log_close(log_));
    UNIT_OK(log_dir_close(dir, -1));
}

static void replicate(void)
{
    log_raise_high_watermark(log_, log_end_offset(log_));
}

static apr_status_t count_log(void *baton, const char *name,
                              apr_filetype_e type)
{
    (void)type;
    *(int *)baton += strstr(name, ".log") != NULL;
    return APR_SUCCESS;
}

static int log_files(void)
{
    int count = 0;

    UNIT_OK(fs_list(apr_pstrcat(unit_pool(), path, "/topic-0", NULL), count_log,
                    &count));
    return count;
}

/* ---- at the start ------------------------------------------------------ */

static void old_segments_go_by_time(void)
{
    begin(3000);
    append_plain(log_, 30, 1, 900); /* timestamps 1000 to 1029 */
    CU_ASSERT_EQUAL(log_files(), 10);
    replicate();
    config.retention_ms = 100;
    log_set_config(log_, &config);
    UNIT_OK(log_clean_up(log_, 1115)); /* below 1015 is too old */
    CU_ASSERT_EQUAL(log_start_offset(log_), 15);
    check_all(log_);
    UNIT_OK(log_clean_up(log_, 100000)); /* the active one is rolled, too */
    CU_ASSERT_EQUAL(log_start_offset(log_), 30);
    CU_ASSERT_EQUAL(log_size(log_), 0);
    append_plain(log_, 3, 1, 900);
    check_all(log_);
    end();
    CU_ASSERT_EQUAL(log_files(), 1);
    open_log();
    CU_ASSERT_EQUAL(log_start_offset(log_), 30);
    CU_ASSERT_EQUAL(log_end_offset(log_), 33);
    end();
}

static void old_segments_go_by_size(void)
{
    int64_t size;

    begin(3000);
    config.retention_ms = -1;
    config.retention_bytes = 10000;
    log_set_config(log_, &config);
    append_plain(log_, 30, 1, 900);
    UNIT_OK(log_clean_up(log_, 1115));
    CU_ASSERT_EQUAL(log_start_offset(log_), 0); /* above the high watermark */
    replicate();
    UNIT_OK(log_clean_up(log_, 1115));
    size = log_size(log_);
    CU_ASSERT(size >= 10000 && size < 13000);
    check_all(log_);
    end();
}

static void a_range_survives_retention(void)
{
    read_range_t range;

    begin(3000);
    append_plain(log_, 30, 1, 900);
    replicate();
    UNIT_OK(log_read_range(log_, 0, 30, 2000, 1, &range));
    UNIT_OK(log_clean_up(log_, INT64_MAX / 2));
    CU_ASSERT_EQUAL(range_base(&range), 0);
    read_range_release(&range);
    end();
}

static void records_are_deleted_up_to_an_offset(void)
{
    read_range_t range;

    begin(3000);
    append_plain(log_, 30, 1, 900);
    CU_ASSERT_EQUAL(log_delete_records(log_, 5), TAKHIN_EOFFSET_RANGE);
    replicate();
    UNIT_OK(log_delete_records(log_, 17));
    CU_ASSERT_EQUAL(log_start_offset(log_), 17);
    CU_ASSERT_EQUAL(log_read_range(log_, 16, 30, 10, 1, &range),
                    TAKHIN_EOFFSET_RANGE);
    check_all(log_);
    UNIT_OK(log_delete_records(log_, 3)); /* never back */
    CU_ASSERT_EQUAL(log_start_offset(log_), 17);
    end();
    CU_ASSERT_EQUAL(log_files(), 5);
    open_log();
    CU_ASSERT_EQUAL(log_start_offset(log_), 17);
    replicate();
    UNIT_OK(log_delete_records(log_, 30));
    CU_ASSERT_EQUAL(log_start_offset(log_), 30);
    end();
    open_log();
    CU_ASSERT_EQUAL(log_start_offset(log_), 30);
    CU_ASSERT_EQUAL(log_end_offset(log_), 30);
    append_plain(log_, 5, 1, 900);
    check_all(log_);
    end();
}

/* ---- at the end -------------------------------------------------------- */

static void a_truncated_log_goes_on(void)
{
    int64_t to;

    begin(3000);
    append_plain(log_, 30, 1, 900);
    for (to = 29; to >= 0; to -= 7) {
        UNIT_OK(log_truncate(log_, to));
        CU_ASSERT_EQUAL(log_end_offset(log_), to);
        check_all(log_);
        append_plain(log_, 3, 1, 900);
        check_all(log_);
    }
    end();
    open_log();
    check_all(log_);
    UNIT_OK(log_truncate_fully(log_, 100));
    CU_ASSERT_EQUAL(log_start_offset(log_), 100);
    append_plain(log_, 3, 1, 900);
    CU_ASSERT_EQUAL(log_end_offset(log_), 103);
    check_all(log_);
    UNIT_OK(log_truncate_fully(log_, 100));
    CU_ASSERT_EQUAL(log_end_offset(log_), 100);
    append_plain(log_, 3, 1, 900);
    check_all(log_);
    end();
}

/* ---- by time ----------------------------------------------------------- */

static void look_up_times(void)
{
    log_position_t found;
    int64_t time;

    for (time = 990; time < 1000 + 3 * 60; time++) {
        UNIT_OK(log_offset_for_timestamp(log_, time, INT64_MAX, &found));
        CU_ASSERT_EQUAL(found.offset, time < 1000 ? 0 : time - 1000);
        CU_ASSERT_EQUAL(found.timestamp, time < 1000 ? 1000 : time);
        CU_ASSERT_EQUAL(found.leader_epoch, 0);
    }
    UNIT_OK(log_offset_for_timestamp(log_, time, INT64_MAX, &found));
    CU_ASSERT_EQUAL(found.offset, -1);
    UNIT_OK(log_offset_for_timestamp(log_, 1100, 100, &found));
    CU_ASSERT_EQUAL(found.offset, -1);
    UNIT_OK(log_max_timestamp(log_, &found));
    CU_ASSERT_EQUAL(found.offset, 179);
    CU_ASSERT_EQUAL(found.timestamp, 1179);
}

static void offsets_are_found_by_timestamp(void)
{
    begin(3000);
    append_plain(log_, 60, 3, 100);
    look_up_times();
    end();
    open_log();
    look_up_times();
    log_abandon(log_);
    UNIT_OK(log_dir_close(dir, -2));
    open_log();
    look_up_times();
    end();
}

static void the_largest_timestamp_need_not_be_the_last(void)
{
    batch_spec_t spec = PLAIN_BATCH;
    append_result_t result;
    log_position_t found;

    begin(1 << 20);
    append_plain(log_, 5, 3, 100);
    spec.timestamp = 9000;
    spec.records = 2;
    UNIT_OK(append_spec(log_, &spec, &result));
    append_plain(log_, 5, 3, 100);
    UNIT_OK(log_max_timestamp(log_, &found));
    CU_ASSERT_EQUAL(found.offset, 16);
    CU_ASSERT_EQUAL(found.timestamp, 9001);
    end();
}

/* ---- by epoch ---------------------------------------------------------- */

static void append_in_epoch(int32_t epoch)
{
    batch_spec_t spec = PLAIN_BATCH;
    append_result_t result;
    record_batch_t batch;
    size_t length;
    uint8_t *data = make_batch(&spec, &length);

    UNIT_OK(record_batch_parse(&batch, data, length));
    UNIT_OK(
        log_append(log_, data, length, &batch, epoch, APPEND_CLIENT, &result));
    free(data);
}

static void check_epoch(int32_t epoch, int32_t found, int64_t end_offset)
{
    int32_t got;
    int64_t at;

    log_end_offset_for_epoch(log_, epoch, &got, &at);
    CU_ASSERT_EQUAL(got, found);
    CU_ASSERT_EQUAL(at, end_offset);
}

static void check_epochs(void)
{
    check_epoch(1, 1, 0); /* ended before this log began */
    check_epoch(2, 2, 2);
    check_epoch(3, 2, 2);
    check_epoch(5, 5, 3);
    check_epoch(6, -1, -1);
    CU_ASSERT_EQUAL(log_epoch_for_offset(log_, 1), 2);
    CU_ASSERT_EQUAL(log_latest_epoch(log_), 5);
}

static void epochs_end_where_the_next_began(void)
{
    begin(1 << 20);
    append_in_epoch(2);
    append_in_epoch(2);
    append_in_epoch(5);
    check_epochs();
    log_abandon(log_);
    UNIT_OK(log_dir_close(dir, -2));
    open_log(); /* the file was not written: the batches say it */
    check_epochs();
    end();
    open_log();
    check_epochs();
    UNIT_OK(log_truncate(log_, 2));
    CU_ASSERT_EQUAL(log_latest_epoch(log_), 2);
    end();
}

/* ---- handles ----------------------------------------------------------- */

static void few_files_are_open_at_once(void)
{
    log_dir_options_t options;
    const char *error;
    read_range_t held;

    path = unit_tmpdir();
    log_config_init(&config);
    config.segment_bytes = 1000;
    log_dir_options_init(&options);
    options.max_open_files = 3;
    UNIT_OK(log_dir_open(&dir, path, &options, unit_pool(), &error));
    UNIT_OK(log_open(&log_, dir, "topic-0", NULL, &config, 0));
    append_plain(log_, 50, 1, 900);
    UNIT_OK(log_read_range(log_, 0, 50, 100, 1, &held));
    check_all(log_);
    check_all(log_);
    CU_ASSERT(log_dir_open_files(dir) <= 5); /* four pieces pin theirs */
    CU_ASSERT_EQUAL(range_base(&held), 0);
    read_range_release(&held);
    end();
}

UNIT_MAIN(UNIT_TEST(old_segments_go_by_time),
          UNIT_TEST(old_segments_go_by_size),
          UNIT_TEST(a_range_survives_retention),
          UNIT_TEST(records_are_deleted_up_to_an_offset),
          UNIT_TEST(a_truncated_log_goes_on),
          UNIT_TEST(offsets_are_found_by_timestamp),
          UNIT_TEST(the_largest_timestamp_need_not_be_the_last),
          UNIT_TEST(epochs_end_where_the_next_began),
          UNIT_TEST(few_files_are_open_at_once))
