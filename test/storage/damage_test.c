/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that were changed behind the broker's back, and what still holds:
 * what is appended can be read, and damage to one log is no one else's.
 */
#include "storage_util.h"

#include "storage/checkpoint.h"

static const char *path;
static log_dir_t *dir;
static log_t *log_;
static log_config_t config;

static void open_one(void)
{
    dir = open_dir(path);
    UNIT_OK(log_open(&log_, dir, "topic-0", NULL, &config, 0));
}

static void close_one(void)
{
    UNIT_OK(log_close(log_));
    UNIT_OK(log_dir_close(dir, 1));
}

/* 60 batches of one record, then an orderly stop. */
static void begin(void)
{
    path = unit_tmpdir();
    log_config_init(&config);
    config.index_interval_bytes = 300;
    open_one();
    append_plain(log_, 60, 1, 100);
    close_one();
}

static const char *file_of(const char *suffix)
{
    return apr_pstrcat(unit_pool(), path, "/topic-0/00000000000000000000",
                       suffix, NULL);
}

/* Writes LENGTH bytes at OFFSET of a file; -1: at its end. */
static void damage(const char *name, apr_off_t offset, const void *bytes,
                   apr_size_t length)
{
    fs_file_t *file;

    UNIT_OK(fs_open(&file, name, FS_WRITABLE));
    if (offset < 0)
        UNIT_OK(fs_size(file, &offset));
    UNIT_OK(fs_write_at(file, offset, bytes, length));
    UNIT_OK(fs_close(file));
}

static apr_off_t size_of(const char *name)
{
    fs_stat_t stat;

    UNIT_OK(fs_stat(name, &stat));
    return stat.size;
}

static apr_status_t read_at(int64_t offset)
{
    uint8_t *data;
    apr_size_t length;

    return log_read(log_, offset, log_end_offset(log_), 100, &data, &length,
                    unit_pool());
}

static void what_lies_behind_a_clean_end_is_cut_before_an_append(void)
{
    apr_off_t size;

    begin();
    size = size_of(file_of(".log"));
    damage(file_of(".log"), -1, "some of a batch", 15);
    open_one();
    append_plain(log_, 1, 1, 100);
    CU_ASSERT_EQUAL(log_end_offset(log_), 61);
    check_all(log_);
    CU_ASSERT_EQUAL(size_of(file_of(".log")), size + size / 60);
    CU_ASSERT_EQUAL(log_size(log_), size + size / 60);
    close_one();
    open_one();
    check_all(log_);
    close_one();
}

static void nothing_is_appended_behind_what_makes_no_sense(void)
{
    begin();
    damage(file_of(".log"), size_of(file_of(".log")) / 60 * 58 + 8, "\xff", 1);
    open_one();
    append_plain(log_, 1, 1, 100);
    UNIT_OK(read_at(60));
    CU_ASSERT_EQUAL(read_at(59), TAKHIN_ECORRUPT);
    close_one();
    open_one();
    CU_ASSERT_EQUAL(log_end_offset(log_), 61);
    UNIT_OK(read_at(60));
    close_one();
}

static void nothing_is_appended_behind_an_offset_that_is_too_high(void)
{
    begin();
    damage(file_of(".log"), 0, "\x01", 1); /* no CRC covers a base offset */
    UNIT_OK(fs_remove(file_of(".index")));
    open_one();
    append_plain(log_, 1, 1, 100);
    UNIT_OK(read_at(60));
    CU_ASSERT_EQUAL(log_end_offset(log_), 61);
    close_one();
}

static void a_batch_that_makes_no_sense_leaves_the_directory_online(void)
{
    log_t *other;

    begin();
    damage(file_of(".log"), size_of(file_of(".log")) / 60 * 30 + 8,
           "\x7f\xff\xff\xff", 4);
    open_one();
    UNIT_OK(log_open(&other, dir, "other-0", NULL, &config, 0));
    UNIT_OK(read_at(1));
    CU_ASSERT_EQUAL(read_at(31), TAKHIN_ECORRUPT);
    CU_ASSERT(log_dir_online(dir));
    append_plain(log_, 1, 1, 100);
    append_plain(other, 1, 1, 100);
    UNIT_OK(read_at(60));
    UNIT_OK(log_close(other));
    close_one();
}

static void an_index_that_does_not_agree_is_not_believed(void)
{
    const uint8_t position[] = {0, 0, 0x08, 0x01}; /* within a batch */
    const uint8_t offset[] = {0, 0, 0, 20};        /* not the batch's */

    begin();
    damage(file_of(".index"), 5 * 8 + 4, position, sizeof(position));
    damage(file_of(".index"), 9 * 8, offset, sizeof(offset));
    open_one();
    for (int64_t i = 0; i < 60; i++) {
        uint8_t *data;
        apr_size_t length;
        record_batch_t batch;

        UNIT_OK(log_read(log_, 59 - i, 60, 100, &data, &length, unit_pool()));
        UNIT_OK(record_batch_parse(&batch, data, length));
        CU_ASSERT_EQUAL(batch.base_offset, 59 - i);
    }
    append_plain(log_, 1, 1, 100);
    check_all(log_);
    close_one();
}

static void a_corrupt_checkpoint_takes_no_other_with_it(void)
{
    const char *point = apr_pstrcat(unit_pool(), path = unit_tmpdir(),
                                    "/recovery-point-offset-checkpoint", NULL);
    checkpoint_t *checkpoint = checkpoint_create();
    int64_t recovery_point, start;
    const char *error = NULL;

    UNIT_OK(fs_write_whole(point, "0\n2\na 0 7\nb 0 x\n", 16));
    UNIT_OK(fs_write_whole(
        apr_pstrcat(unit_pool(), path, "/log-start-offset-checkpoint", NULL),
        "0\n1\nb 0 5\n", 10));
    CU_ASSERT_EQUAL(checkpoint_read(checkpoint, path, &error, unit_pool()),
                    TAKHIN_ECORRUPT);
    CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(error, "recovery-point"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "line 4"));
    checkpoint_get(checkpoint, "a-0", &recovery_point, &start);
    CU_ASSERT_EQUAL(recovery_point, 7);
    checkpoint_get(checkpoint, "b-0", &recovery_point, &start);
    CU_ASSERT_EQUAL(recovery_point, 0);
    CU_ASSERT_EQUAL(start, 5);
    checkpoint_destroy(checkpoint);
}

UNIT_MAIN(UNIT_TEST(what_lies_behind_a_clean_end_is_cut_before_an_append),
          UNIT_TEST(nothing_is_appended_behind_what_makes_no_sense),
          UNIT_TEST(nothing_is_appended_behind_an_offset_that_is_too_high),
          UNIT_TEST(a_batch_that_makes_no_sense_leaves_the_directory_online),
          UNIT_TEST(an_index_that_does_not_agree_is_not_believed),
          UNIT_TEST(a_corrupt_checkpoint_takes_no_other_with_it))
