/* SPDX-License-Identifier: Apache-2.0 */
/* Compaction, rule by rule. */
#include "cleaner_util.h"

#include "storage/offset_map.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)

static void begin(bench_t *bench)
{
    log_config_t config;

    compact_config(&config);
    open_bench(bench, unit_tmpdir(), &config);
}

static void the_newest_record_of_a_key_survives_where_it_was(void)
{
    static const keyed_t first[] = {{"a", "1"}, {"b", "1"}, {"c", "1"}};
    keyed_batch_t spec = KEYED_BATCH;
    bench_t bench;

    begin(&bench);
    append_keyed(bench.log, &spec, first, 3);
    append_one(bench.log, "b", "2");
    append_one(bench.log, "a", "2");
    append_one(bench.log, "a", "3");
    settle(bench.log);
    CU_ASSERT_EQUAL(clean(&bench), 1);
    HOLDS(bench.log, "[2 c=1][3 b=2][5 a=3]");
    CU_ASSERT_EQUAL(clean(&bench), 0);
    close_bench(&bench);
}

static void a_batch_keeps_its_first_and_last_offset(void)
{
    static const keyed_t records[] = {{"a", "1"}, {"b", "1"}, {"c", "1"}};
    keyed_batch_t spec = KEYED_BATCH;
    record_batch_t batch;
    apr_size_t length;
    uint8_t *data;
    bench_t bench;

    begin(&bench);
    append_keyed(bench.log, &spec, records, 3);
    append_one(bench.log, "a", "2");
    append_one(bench.log, "c", "2");
    settle(bench.log);
    clean(&bench);
    UNIT_OK(log_read(bench.log, 0, 5, 1000, &data, &length, unit_pool()));
    UNIT_OK(record_batch_parse(&batch, data, length));
    CU_ASSERT_EQUAL(batch.base_offset, 0);
    CU_ASSERT_EQUAL(batch.last_offset_delta, 2);
    CU_ASSERT_EQUAL(batch.record_count, 1);
    close_bench(&bench);
}

static void the_last_batch_stays_as_an_empty_one(void)
{
    bench_t bench;

    begin(&bench);
    append_one(bench.log, "a", "1");
    append_one(bench.log, NULL, "x");
    settle(bench.log);
    clean(&bench);
    HOLDS(bench.log, "[0 a=1][]");
    append_one(bench.log, "b", "1");
    settle(bench.log);
    clean(&bench);
    HOLDS(bench.log, "[0 a=1][2 b=1]");
    close_bench(&bench);
}

static void a_tombstone_lives_for_its_time(void)
{
    bench_t bench;

    clock_test_begin(0, 1000 * DAY_MS);
    begin(&bench);
    append_one(bench.log, "a", "1");
    append_one(bench.log, "a", NULL);
    append_one(bench.log, "b", "1");
    settle(bench.log);
    clean(&bench);
    HOLDS(bench.log, "[1 a=#][2 b=1]");
    clock_test_advance((DAY_MS - 1) * 1000);
    append_one(bench.log, "c", "1");
    settle(bench.log);
    clean(&bench);
    HOLDS(bench.log, "[1 a=#][2 b=1][3 c=1]");
    clock_test_advance(1000);
    append_one(bench.log, "d", "1");
    settle(bench.log);
    clean(&bench);
    HOLDS(bench.log, "[2 b=1][3 c=1][4 d=1]");
    close_bench(&bench);
    clock_test_end();
}

static void a_tombstones_horizon_stands_in_its_batch(void)
{
    record_batch_t batch;
    record_iterator_t iterator;
    record_t record;
    apr_size_t length;
    uint8_t *data;
    bench_t bench;

    clock_test_begin(0, 1000 * DAY_MS);
    begin(&bench);
    append_one(bench.log, "a", NULL);
    settle(bench.log);
    clean(&bench);
    UNIT_OK(log_read(bench.log, 0, 1, 1000, &data, &length, unit_pool()));
    UNIT_OK(record_batch_parse(&batch, data, length));
    CU_ASSERT_EQUAL(record_batch_delete_horizon(&batch), 1001 * DAY_MS);
    UNIT_OK(record_iterator_init(&iterator, &batch, data, NULL, 0));
    UNIT_OK(record_iterator_next(&iterator, &record));
    CU_ASSERT_EQUAL(record.timestamp, 1000);
    close_bench(&bench);
    clock_test_end();
}

static void aborted_records_go_and_their_marker_follows(void)
{
    keyed_batch_t spec = {RECORD_CODEC_NONE, 7, 0, 1000, 1};
    keyed_t aborted = {"a", "aborted"};
    log_aborted_t *list;
    bench_t bench;
    int count;

    clock_test_begin(0, 1000 * DAY_MS);
    begin(&bench);
    append_one(bench.log, "a", "1");
    append_keyed(bench.log, &spec, &aborted, 1);
    append_marker(bench.log, 7, 0);
    spec.sequence = 1;
    append_keyed(bench.log, &spec, &aborted, 1);
    append_marker(bench.log, 7, 0);
    append_one(bench.log, "b", "1");
    settle(bench.log);
    clean(&bench);
    /* The second batch has the producer's last sequence number. */
    HOLDS(bench.log, "[0 a=1]!~[2 =]~[]!~[4 =][5 b=1]");
    UNIT_OK(
        log_aborted_transactions(bench.log, 0, 6, &list, &count, unit_pool()));
    CU_ASSERT_EQUAL(count, 2);
    append_one(bench.log, "c", "1");
    settle(bench.log);
    clean(&bench); /* the first marker has no records: its time begins */
    UNIT_OK(
        log_aborted_transactions(bench.log, 0, 6, &list, &count, unit_pool()));
    CU_ASSERT_EQUAL(count, 1);
    HOLDS(bench.log, "[0 a=1]!~[2 =]~[]!~[4 =][5 b=1][6 c=1]");
    clock_test_advance(DAY_MS * 1000);
    append_one(bench.log, "d", "1");
    settle(bench.log);
    clean(&bench);
    HOLDS(bench.log, "[0 a=1]~[]!~[4 =][5 b=1][6 c=1][7 d=1]");
    close_bench(&bench);
    clock_test_end();
}

static void a_commit_marker_stays_as_long_as_its_records(void)
{
    keyed_batch_t spec = {RECORD_CODEC_NONE, 7, 0, 1000, 1};
    keyed_t record = {"a", "1"}, other = {"x", "1"};
    bench_t bench;

    clock_test_begin(0, 1000 * DAY_MS);
    begin(&bench);
    append_keyed(bench.log, &spec, &record, 1);
    append_marker(bench.log, 7, 1);
    spec.sequence = 1;
    append_keyed(bench.log, &spec, &other, 1); /* the producer's last */
    append_marker(bench.log, 7, 1);
    settle(bench.log);
    clean(&bench);
    HOLDS(bench.log, "~[0 a=1]!~[1 =]~[2 x=1]!~[3 =]");
    append_one(bench.log, "a", "2");
    settle(bench.log);
    clean(&bench); /* the batch is met once more as it goes */
    HOLDS(bench.log, "!~[1 =]~[2 x=1]!~[3 =][4 a=2]");
    append_one(bench.log, "a", "3");
    settle(bench.log);
    clean(&bench); /* the marker's time begins */
    clock_test_advance(DAY_MS * 1000);
    append_one(bench.log, "a", "4");
    settle(bench.log);
    clean(&bench);
    HOLDS(bench.log, "~[2 x=1]!~[3 =][6 a=4]");
    close_bench(&bench);
    clock_test_end();
}

static void an_active_producers_last_sequence_is_found_again(void)
{
    keyed_batch_t spec = {RECORD_CODEC_LZ4, 9, 0, 1000, 0};
    keyed_t record = {"a", "1"};
    append_result_t result;
    char path[SEGMENT_PATH];
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    record_builder_t builder = {0};
    record_t plain = {0};
    const char *directory = unit_tmpdir();
    uint8_t *data;
    size_t length;
    log_config_t config;
    bench_t bench;

    compact_config(&config);
    open_bench(&bench, directory, &config);
    append_keyed(bench.log, &spec, &record, 1);
    append_one(bench.log, "a", "2");
    append_one(bench.log, "b", "2");
    settle(bench.log);
    clean(&bench);
    HOLDS(bench.log, "[][1 a=2][2 b=2]");
    snprintf(path, sizeof(path), "%s", bench.log->path);
    log_abandon(bench.log);
    UNIT_OK(log_dir_close(bench.dirs[0], -2));
    /* Without a snapshot the log itself must tell. */
    {
        char snapshot[SEGMENT_PATH];

        UNIT_OK(fs_remove(segment_path(snapshot, path, 3, ".snapshot")));
    }
    open_bench(&bench, directory, &config);
    options.producer_id = 9;
    options.producer_epoch = 0;
    options.base_sequence = 0;
    UNIT_OK(record_builder_begin(&builder, &options));
    plain.key = (const uint8_t *)"a";
    plain.key_length = 1;
    UNIT_OK(record_builder_append(&builder, &plain));
    UNIT_OK(record_builder_finish(&builder, &data, &length));
    UNIT_OK(append_bytes(bench.log, data, length, APPEND_CLIENT, &result));
    CU_ASSERT(result.duplicate);
    CU_ASSERT_EQUAL(result.base_offset, 0);
    record_builder_free(&builder);
    spec.sequence = 1;
    CU_ASSERT_EQUAL(append_keyed(bench.log, &spec, &record, 1), 3);
    close_bench(&bench);
}

static void what_is_not_stable_is_left_alone(void)
{
    keyed_batch_t spec = {RECORD_CODEC_NONE, 7, 0, 1000, 1};
    keyed_t record = {"a", "open"};
    bench_t bench;

    begin(&bench);
    append_one(bench.log, "a", "1");
    append_one(bench.log, "a", "2");
    settle(bench.log);
    append_keyed(bench.log, &spec, &record, 1);
    append_one(bench.log, "a", "3");
    settle(bench.log);
    append_one(bench.log, "a", "4"); /* in the active segment */
    clean(&bench);
    HOLDS(bench.log, "[1 a=2]~[2 a=open][3 a=3][4 a=4]");
    append_marker(bench.log, 7, 1);
    log_raise_high_watermark(bench.log, log_end_offset(bench.log));
    CU_ASSERT_EQUAL(clean(&bench), 1);
    HOLDS(bench.log, "~[][3 a=3][4 a=4]!~[5 =]");
    close_bench(&bench);
}

static void nothing_at_or_above_the_high_watermark_is_compacted(void)
{
    log_config_t config;
    bench_t bench;
    int found;

    begin(&bench);
    append_one(bench.log, "a", "1");
    append_one(bench.log, "a", "2");
    lock_enter(bench.log->append_lock);
    UNIT_OK(log_roll(bench.log, 2));
    lock_leave(bench.log->append_lock);
    log_raise_high_watermark(bench.log, 1);
    UNIT_OK(log_flush(bench.log));
    CU_ASSERT_EQUAL(clean(&bench), 0);
    log_raise_high_watermark(bench.log, 2);
    CU_ASSERT_EQUAL(clean(&bench), 1);
    /* Nor what a crash could still take back: a log that was not compacted
     * before is not flushed as it rolls. */
    append_one(bench.log, "a", "3");
    log_config(bench.log, &config);
    config.compact = 0;
    log_set_config(bench.log, &config);
    lock_enter(bench.log->append_lock);
    UNIT_OK(log_roll(bench.log, 3));
    lock_leave(bench.log->append_lock);
    config.compact = 1;
    log_set_config(bench.log, &config);
    log_raise_high_watermark(bench.log, 3);
    UNIT_OK(cleaner_run_once(bench.cleaner, &found));
    CU_ASSERT_EQUAL(found, 0);
    close_bench(&bench);
}

static void a_log_waits_until_enough_of_it_is_dirty(void)
{
    log_config_t config;
    bench_t bench;

    compact_config(&config);
    config.min_cleanable_dirty_ratio = 0.5;
    open_bench(&bench, unit_tmpdir(), &config);
    append_one(bench.log, "a", "1");
    append_one(bench.log, "b", "1");
    append_one(bench.log, "c", "1");
    settle(bench.log);
    CU_ASSERT_EQUAL(clean(&bench), 1);
    append_one(bench.log, "a", "2");
    settle(bench.log);
    CU_ASSERT_EQUAL(clean(&bench), 0);
    append_one(bench.log, "b", "2");
    append_one(bench.log, "c", "2");
    append_one(bench.log, "d", "2");
    settle(bench.log);
    CU_ASSERT_EQUAL(clean(&bench), 1);
    close_bench(&bench);
}

static void what_is_younger_than_the_least_lag_is_left_alone(void)
{
    keyed_batch_t old = KEYED_BATCH, young = KEYED_BATCH;
    keyed_t record = {"a", "1"};
    log_config_t config;
    bench_t bench;

    clock_test_begin(0, 1000 * DAY_MS);
    compact_config(&config);
    config.min_compaction_lag_ms = 1000;
    open_bench(&bench, unit_tmpdir(), &config);
    young.timestamp = 1000 * DAY_MS - 500;
    append_keyed(bench.log, &old, &record, 1);
    append_keyed(bench.log, &old, &record, 1);
    settle(bench.log);
    append_keyed(bench.log, &young, &record, 1);
    settle(bench.log);
    CU_ASSERT_EQUAL(clean(&bench), 1);
    HOLDS(bench.log, "[1 a=1][2 a=1]");
    CU_ASSERT_EQUAL(clean(&bench), 0);
    clock_test_advance(1000 * 1000);
    CU_ASSERT_EQUAL(clean(&bench), 1);
    HOLDS(bench.log, "[2 a=1]");
    close_bench(&bench);
    clock_test_end();
}

static void the_longest_lag_overrules_the_ratio(void)
{
    keyed_batch_t spec = KEYED_BATCH;
    keyed_t record = {"a", "1"};
    log_config_t config;
    bench_t bench;

    clock_test_begin(0, 1000 * DAY_MS);
    compact_config(&config);
    config.min_cleanable_dirty_ratio = 1;
    config.max_compaction_lag_ms = 5000;
    open_bench(&bench, unit_tmpdir(), &config);
    spec.timestamp = 1000 * DAY_MS;
    append_keyed(bench.log, &spec, &record, 1);
    append_keyed(bench.log, &spec, &record, 1);
    settle(bench.log);
    CU_ASSERT_EQUAL(clean(&bench), 0);
    clock_test_advance(5001 * 1000);
    CU_ASSERT_EQUAL(clean(&bench), 1);
    HOLDS(bench.log, "[1 a=1]");
    close_bench(&bench);
    clock_test_end();
}

static void small_segments_become_one_within_the_limits(void)
{
    log_config_t config;
    bench_t bench;
    int i, before;

    compact_config(&config);
    config.segment_bytes = 400; /* five batches of one record */
    open_bench(&bench, unit_tmpdir(), &config);
    for (i = 0; i < 40; i++) {
        char key[8];

        snprintf(key, sizeof(key), "k%d", i % 10);
        append_one(bench.log, key, "value");
    }
    settle(bench.log);
    before = bench.log->segment_count;
    CU_ASSERT(before > 8);
    clean(&bench);
    /* Groups are made by the sizes before, so it takes some rounds. */
    for (i = 0; i < 4; i++) {
        append_one(bench.log, "k0", "value");
        settle(bench.log);
        clean(&bench);
    }
    CU_ASSERT(bench.log->segment_count <= 5);
    for (i = 0; i + 1 < bench.log->segment_count; i++)
        CU_ASSERT(bench.log->segments[i]->size <= 400);
    CU_ASSERT_EQUAL(
        log_size(bench.log),
        bench.log->segments[0]->size +
            (bench.log->segment_count > 2 ? bench.log->segments[1]->size : 0) +
            (bench.log->segment_count > 3 ? bench.log->segments[2]->size : 0) +
            (bench.log->segment_count > 4 ? bench.log->segments[3]->size : 0));
    dump_all(bench.log);
    close_bench(&bench);
}

/* A value of SIZE letters, from the test's pool. */
static const char *letters(int size)
{
    char *value = apr_palloc(unit_pool(), (apr_size_t)size + 1);

    memset(value, 'v', (size_t)size);
    value[size] = '\0';
    return value;
}

static void batches_that_stay_are_moved_without_a_copy(void)
{
    cleaner_stats_t stats;
    apr_uint64_t moved = 0;
    bench_t bench;
    int i;

    begin(&bench);
    append_one(bench.log, "gone", "1");
    for (i = 0; i < 20; i++) {
        char key[8];

        snprintf(key, sizeof(key), "k%d", i);
        append_one(bench.log, key, letters(10000));
    }
    append_one(bench.log, "gone", "2");
    settle(bench.log);
    clean(&bench);
    cleaner_stats(bench.cleaner, &stats);
    CU_ASSERT_EQUAL(stats.work.batches_whole, 21);
    CU_ASSERT_EQUAL(stats.work.batches_dropped, 1);
    CU_ASSERT_EQUAL(stats.work.batches_rebuilt, 0);
    for (i = 0; i < TAKHIN_FALLBACK_REASONS; i++)
        moved += stats.copies.fallback_bytes[i];
    moved += stats.copies.zero_copy_bytes;
    CU_ASSERT(moved > 200000);
    dump_all(bench.log);
    close_bench(&bench);
}

static void a_segment_that_stays_whole_is_not_written_again(void)
{
    log_config_t config;
    cleaner_stats_t stats;
    segment_t *first;
    bench_t bench;

    compact_config(&config);
    config.segment_bytes = 3000;
    open_bench(&bench, unit_tmpdir(), &config);
    append_one(bench.log, "a", letters(2000));
    settle(bench.log);
    append_one(bench.log, "b", letters(2000));
    append_one(bench.log, "b", "2");
    settle(bench.log);
    first = bench.log->segments[0];
    clean(&bench);
    cleaner_stats(bench.cleaner, &stats);
    CU_ASSERT_EQUAL(stats.work.segments_written, 1);
    CU_ASSERT_PTR_EQUAL(bench.log->segments[0], first);
    close_bench(&bench);
}

static void a_rebuilt_batch_keeps_its_codec(void)
{
    static const record_codec_t codecs[] = {
        RECORD_CODEC_GZIP, RECORD_CODEC_SNAPPY, RECORD_CODEC_LZ4,
        RECORD_CODEC_ZSTD};
    static const keyed_t records[] = {{"gone", "1"}, {"b", "1"}, {"c", "1"}};
    size_t i;

    for (i = 0; i < 4; i++) {
        keyed_batch_t spec = KEYED_BATCH;
        record_batch_t batch;
        apr_size_t length;
        uint8_t *data;
        bench_t bench;

        spec.codec = codecs[i];
        begin(&bench);
        append_keyed(bench.log, &spec, records, 3);
        append_one(bench.log, "gone", "2");
        settle(bench.log);
        clean(&bench);
        HOLDS(bench.log, "[1 b=1 2 c=1][3 gone=2]");
        UNIT_OK(log_read(bench.log, 0, 4, 10000, &data, &length, unit_pool()));
        UNIT_OK(record_batch_parse(&batch, data, length));
        CU_ASSERT_EQUAL(record_batch_codec(&batch), codecs[i]);
        close_bench(&bench);
    }
}

static void little_memory_takes_more_rounds(void)
{
    cleaner_options_t options;
    cleaner_stats_t stats;
    log_config_t config;
    cleaner_t *cleaner;
    bench_t bench;
    int i, round, found = 1;

    compact_config(&config);
    config.segment_bytes = 2000;
    open_bench(&bench, unit_tmpdir(), &config);
    for (round = 0; round < 2; round++)
        for (i = 0; i < 100; i++) {
            char key[8];

            snprintf(key, sizeof(key), "k%d", i);
            append_one(bench.log, key, "value");
        }
    settle(bench.log);
    cleaner_options_init(&options);
    options.dedupe_bytes = 50 * OFFSET_MAP_ENTRY;
    UNIT_OK(cleaner_create(&cleaner, &options, bench.dirs, 1, unit_pool()));
    for (round = 0; found && round < 50; round++)
        UNIT_OK(cleaner_run_once(cleaner, &found));
    CU_ASSERT(round > 3 && round < 50);
    cleaner_stats(cleaner, &stats);
    CU_ASSERT(stats.work.map_bytes_peak <= 50 * OFFSET_MAP_ENTRY + 100);
    CU_ASSERT_EQUAL(stats.work.map_entries_peak, 45);
    for (i = 0; i < bench.log->segment_count; i++)
        CU_ASSERT(bench.log->segments[i]->base_offset == 0 ||
                  bench.log->segments[i]->next_offset > 100);
    dump_all(bench.log);
    close_bench(&bench);
}

static void the_first_dirty_offset_is_kept_in_kafkas_file(void)
{
    const char *directory = unit_tmpdir();
    log_config_t config;
    apr_size_t length;
    char *text;
    bench_t bench;

    compact_config(&config);
    open_bench(&bench, directory, &config);
    append_one(bench.log, "a", "1");
    append_one(bench.log, "a", "2");
    settle(bench.log);
    clean(&bench);
    UNIT_OK(fs_read_whole(
        apr_pstrcat(unit_pool(), directory, "/cleaner-offset-checkpoint", NULL),
        1000, &text, &length, unit_pool()));
    CU_ASSERT_STRING_EQUAL(text, "0\n1\nt 0 2\n");
    close_bench(&bench);
    open_bench(&bench, directory, &config);
    CU_ASSERT_EQUAL(log_dir_cleaned_offset(bench.dirs[0], "t-0"), 2);
    CU_ASSERT_EQUAL(clean(&bench), 0);
    UNIT_OK(log_truncate(bench.log, 1));
    CU_ASSERT(log_dir_cleaned_offset(bench.dirs[0], "t-0") <= 1);
    close_bench(&bench);
}

static void a_log_that_cannot_be_compacted_keeps_no_other_waiting(void)
{
    cleaner_stats_t stats;
    char path[SEGMENT_PATH];
    fs_file_t *file;
    log_t *other;
    bench_t bench;
    int found = 0;

    begin(&bench);
    append_one(bench.log, "a", "1");
    append_one(bench.log, "a", "2");
    settle(bench.log);
    segment_path(path, bench.log->path, 0, ".log");
    UNIT_OK(fs_open(&file, path, FS_WRITABLE));
    UNIT_OK(fs_write_at(file, 65, "?", 1));
    UNIT_OK(fs_close(file));
    CU_ASSERT_EQUAL(cleaner_run_once(bench.cleaner, &found), TAKHIN_ECORRUPT);
    CU_ASSERT_EQUAL(found, 1);
    CU_ASSERT(log_dir_online(bench.dirs[0]));
    UNIT_OK(log_open(&other, bench.dirs[0], "t-1", NULL, &bench.config, 0));
    append_one(other, "a", "1");
    append_one(other, "a", "2");
    settle(other);
    CU_ASSERT_EQUAL(clean(&bench), 1);
    HOLDS(other, "[1 a=2]");
    CU_ASSERT_EQUAL(clean(&bench), 0);
    cleaner_stats(bench.cleaner, &stats);
    CU_ASSERT_EQUAL(stats.uncleanable, 1);
    CU_ASSERT_EQUAL(stats.work.failures, 1);
    UNIT_OK(log_close(other));
    close_bench(&bench);
}

static void who_holds_a_range_reads_on_in_the_old_file(void)
{
    read_range_t range;
    uint8_t before[512], after[512];
    bench_t bench;

    begin(&bench);
    append_one(bench.log, "a", "1");
    append_one(bench.log, "a", "2");
    append_one(bench.log, "b", "1");
    settle(bench.log);
    UNIT_OK(log_read_range(bench.log, 0, 3, 512, 1, &range));
    CU_ASSERT_EQUAL(range.count, 1);
    UNIT_OK(fs_read_at(range.pieces[0].segment->file, range.pieces[0].position,
                       before, range.size, NULL));
    clean(&bench);
    UNIT_OK(fs_read_at(range.pieces[0].segment->file, range.pieces[0].position,
                       after, range.size, NULL));
    CU_ASSERT_EQUAL(memcmp(before, after, range.size), 0);
    read_range_release(&range);
    HOLDS(bench.log, "[1 a=2][2 b=1]");
    close_bench(&bench);
}

static void compact_and_delete_go_together(void)
{
    log_config_t config;
    bench_t bench;

    compact_config(&config);
    config.delete = 1;
    config.retention_ms = 1000;
    open_bench(&bench, unit_tmpdir(), &config);
    append_one(bench.log, "a", "1");
    append_one(bench.log, "a", "2");
    settle(bench.log);
    clean(&bench);
    HOLDS(bench.log, "[1 a=2]");
    append_one(bench.log, "b", "1");
    settle(bench.log);
    UNIT_OK(log_clean_up(bench.log, clock_wall_ms()));
    HOLDS(bench.log, "");
    CU_ASSERT_EQUAL(log_start_offset(bench.log), 3);
    close_bench(&bench);
}

static apr_status_t stop_at_once(void *baton, apr_size_t bytes)
{
    (void)baton;
    (void)bytes;
    return APR_EINTR;
}

static void a_stop_leaves_the_log_as_it_was(void)
{
    compact_options_t options = {1 << 20, 0.9, 65536, stop_at_once, NULL};
    compact_counters_t counters;
    compact_measure_t measure;
    int64_t cleaned;
    bench_t bench;

    begin(&bench);
    append_one(bench.log, "a", "1");
    append_one(bench.log, "a", "2");
    settle(bench.log);
    memset(&counters, 0, sizeof(counters));
    UNIT_OK(compact_measure(bench.log, -1, 0, &measure));
    CU_ASSERT(APR_STATUS_IS_EINTR(
        compact_log(bench.log, &measure, &options, 0, &counters, &cleaned)));
    HOLDS(bench.log, "[0 a=1][1 a=2]");
    close_bench(&bench);
}

static void a_limit_of_bytes_a_second_is_kept(void)
{
    cleaner_options_t options;
    cleaner_stats_t stats;
    cleaner_t *cleaner;
    apr_time_t began;
    bench_t bench;
    int found;

    begin(&bench);
    append_one(bench.log, "a", letters(20000));
    append_one(bench.log, "a", letters(20000));
    settle(bench.log);
    cleaner_options_init(&options);
    options.bytes_per_second = 400000;
    UNIT_OK(cleaner_create(&cleaner, &options, bench.dirs, 1, unit_pool()));
    began = clock_monotonic();
    UNIT_OK(cleaner_run_once(cleaner, &found));
    /* Two walks of 40 KB and a write of 20. */
    CU_ASSERT(clock_monotonic() - began >= 200000);
    cleaner_stats(cleaner, &stats);
    CU_ASSERT(stats.work.throttled > 0);
    close_bench(&bench);
}

static void threads_compact_and_stop(void)
{
    cleaner_options_t options;
    cleaner_stats_t stats;
    log_t *logs[8];
    bench_t bench;
    int i;

    begin(&bench);
    for (i = 0; i < 8; i++) {
        char name[8];

        snprintf(name, sizeof(name), "p-%d", i);
        UNIT_OK(
            log_open(&logs[i], bench.dirs[0], name, NULL, &bench.config, 0));
        append_one(logs[i], "a", "1");
        append_one(logs[i], "a", "2");
        settle(logs[i]);
    }
    cleaner_options_init(&options);
    options.threads = 2;
    options.backoff_ms = 10;
    UNIT_OK(
        cleaner_create(&bench.cleaner, &options, bench.dirs, 1, unit_pool()));
    UNIT_OK(cleaner_start(bench.cleaner));
    do {
        apr_sleep(1000);
        cleaner_stats(bench.cleaner, &stats);
    } while (stats.work.compactions < 8);
    cleaner_stop(bench.cleaner);
    for (i = 0; i < 8; i++) {
        HOLDS(logs[i], "[1 a=2]");
        UNIT_OK(log_close(logs[i]));
    }
    CU_ASSERT_EQUAL(stats.work.compactions, 8);
    close_bench(&bench);
}

UNIT_MAIN(UNIT_TEST(the_newest_record_of_a_key_survives_where_it_was),
          UNIT_TEST(a_batch_keeps_its_first_and_last_offset),
          UNIT_TEST(the_last_batch_stays_as_an_empty_one),
          UNIT_TEST(a_tombstone_lives_for_its_time),
          UNIT_TEST(a_tombstones_horizon_stands_in_its_batch),
          UNIT_TEST(aborted_records_go_and_their_marker_follows),
          UNIT_TEST(a_commit_marker_stays_as_long_as_its_records),
          UNIT_TEST(an_active_producers_last_sequence_is_found_again),
          UNIT_TEST(what_is_not_stable_is_left_alone),
          UNIT_TEST(nothing_at_or_above_the_high_watermark_is_compacted),
          UNIT_TEST(a_log_waits_until_enough_of_it_is_dirty),
          UNIT_TEST(what_is_younger_than_the_least_lag_is_left_alone),
          UNIT_TEST(the_longest_lag_overrules_the_ratio),
          UNIT_TEST(small_segments_become_one_within_the_limits),
          UNIT_TEST(batches_that_stay_are_moved_without_a_copy),
          UNIT_TEST(a_segment_that_stays_whole_is_not_written_again),
          UNIT_TEST(a_rebuilt_batch_keeps_its_codec),
          UNIT_TEST(little_memory_takes_more_rounds),
          UNIT_TEST(the_first_dirty_offset_is_kept_in_kafkas_file),
          UNIT_TEST(a_log_that_cannot_be_compacted_keeps_no_other_waiting),
          UNIT_TEST(who_holds_a_range_reads_on_in_the_old_file),
          UNIT_TEST(compact_and_delete_go_together),
          UNIT_TEST(a_stop_leaves_the_log_as_it_was),
          UNIT_TEST(a_limit_of_bytes_a_second_is_kept),
          UNIT_TEST(threads_compact_and_stop))
