/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes logs into a directory for scripts that look at them:
 *
 *   storage_tool DIRECTORY plain|roll|crash|transactions
 *
 * or opens every log in one, reads all of it, says what is in each, and stops
 * in order:
 *
 *   storage_tool DIRECTORY read
 */
#include "storage_util.h"

static const char *directory, *mode;
static log_dir_t *dir;

static void write_transactions(log_t *log)
{
    int i;

    for (i = 0; i < 30; i++) {
        batch_spec_t spec = PLAIN_BATCH;
        append_result_t result;
        uint8_t *marker;
        size_t length;

        spec.producer_id = 4000 + i % 3;
        spec.producer_epoch = 0;
        spec.sequence = i / 3 * 5;
        spec.records = 5;
        spec.transactional = 1;
        spec.timestamp = 2000 + i * 10;
        UNIT_OK(append_spec(log, &spec, &result));
        if (i >= 29)
            break; /* one stays open */
        marker = make_marker(spec.producer_id, 0, i % 2, &length);
        UNIT_OK(append_bytes(log, marker, length, APPEND_COORDINATOR, &result));
        log_raise_high_watermark(log, result.last_offset + 1);
        free(marker);
    }
}

static void write_logs(void)
{
    const uint8_t id[UUID_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    log_config_t config;
    log_t *log;

    log_config_init(&config);
    if (strcmp(mode, "plain") != 0) {
        config.segment_bytes = 30000;
        config.index_interval_bytes = 2000;
    }
    dir = open_dir(directory);
    UNIT_OK(log_open(&log, dir, "written-0", id, &config, 0));
    if (strcmp(mode, "transactions") == 0) {
        write_transactions(log);
    } else {
        append_plain(log, 300, 3, 100);
        append_plain(log, 5, 1, 20000);
        append_plain(log, 20, 30, 10);
    }
    if (strcmp(mode, "crash") == 0) {
        log_abandon(log);
        UNIT_OK(log_dir_close(dir, -2));
        dir = open_dir(directory);
        UNIT_OK(log_open(&log, dir, "written-0", id, &config, 0));
    }
    UNIT_OK(log_close(log));
    UNIT_OK(log_dir_close(dir, 3));
}

static void read_log(const char *name)
{
    log_producer_t *producers;
    log_config_t config;
    log_position_t latest;
    int count;
    log_t *log;

    log_config_init(&config);
    config.retention_ms = -1;
    UNIT_OK(log_open(&log, dir, name, NULL, &config, 0));
    check_all(log);
    UNIT_OK(log_producers(log, &producers, &count, unit_pool()));
    UNIT_OK(log_max_timestamp(log, &latest));
    printf("# %s start=%lld end=%lld stable=%lld bytes=%lld producers=%d "
           "latest=%lld epoch=%d\n",
           name, (long long)log_start_offset(log),
           (long long)log_end_offset(log),
           (long long)log_last_stable_offset(log), (long long)log_size(log),
           count, (long long)latest.offset, log_latest_epoch(log));
    UNIT_OK(log_close(log));
}

static void read_logs(void)
{
    char **names;
    int i, count;

    dir = open_dir(directory);
    printf("# clean=%d epoch=%lld\n", log_dir_was_clean(dir),
           (long long)log_dir_clean_epoch(dir));
    UNIT_OK(log_dir_list(dir, unit_pool(), &names, &count));
    UNIT_OK(log_dir_start(dir));
    for (i = 0; i < count; i++)
        read_log(names[i]);
    UNIT_OK(log_dir_close(dir, log_dir_clean_epoch(dir)));
}

int main(int argc, const char *const *argv)
{
    static const unit_test_t tests[] = {UNIT_TEST(write_logs),
                                        UNIT_TEST(read_logs)};

    if (argc != 3)
        return 2;
    directory = argv[1];
    mode = argv[2];
    return unit_main(1, argv, tests + (strcmp(mode, "read") == 0), 1);
}
