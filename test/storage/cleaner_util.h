/* SPDX-License-Identifier: Apache-2.0 */
/* Keyed batches, logs that can be compacted, and what is left in them. */
#ifndef TAKHIN_TEST_CLEANER_UTIL_H
#define TAKHIN_TEST_CLEANER_UTIL_H

#include <apr_env.h>

#include "base/clock.h"
#include "storage/cleaner.h"
#include "storage/log_private.h"
#include "storage_util.h"

/* A directory for tests with thousands of flushes, which prove nothing there:
 * on a file system in memory where there is one. */
static inline const char *memory_dir(void)
{
    fs_stat_t stat;

    if (fs_stat("/dev/shm", &stat) == APR_SUCCESS)
        (void)apr_env_set("TMPDIR", "/dev/shm", unit_pool());
    return unit_tmpdir();
}

typedef struct {
    const char *key;   /* NULL: none */
    const char *value; /* NULL: a tombstone */
} keyed_t;

typedef struct {
    record_codec_t codec;
    int64_t producer_id; /* -1: none */
    int32_t sequence;
    int64_t timestamp;
    unsigned transactional : 1;
} keyed_batch_t;

#define KEYED_BATCH                        \
    {                                      \
        RECORD_CODEC_NONE, -1, -1, 1000, 0 \
    }

/* Appends one batch of COUNT records; returns its base offset. */
static inline int64_t append_keyed(log_t *log, const keyed_batch_t *spec,
                                   const keyed_t *records, int count)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    record_builder_t builder = {0};
    append_result_t result;
    uint8_t *data;
    size_t length;
    int i;

    options.codec = spec->codec;
    options.producer_id = spec->producer_id;
    options.producer_epoch = spec->producer_id < 0 ? -1 : 0;
    options.base_sequence = spec->producer_id < 0 ? -1 : spec->sequence;
    options.transactional = spec->transactional;
    UNIT_OK(record_builder_begin(&builder, &options));
    for (i = 0; i < count; i++) {
        record_t record = {0};

        record.timestamp = spec->timestamp + i;
        record.key = (const uint8_t *)records[i].key;
        record.key_length =
            records[i].key == NULL ? -1 : (int32_t)strlen(records[i].key);
        record.value = (const uint8_t *)records[i].value;
        record.value_length =
            records[i].value == NULL ? -1 : (int32_t)strlen(records[i].value);
        UNIT_OK(record_builder_append(&builder, &record));
    }
    UNIT_OK(record_builder_finish(&builder, &data, &length));
    UNIT_OK(append_bytes(log, data, length, APPEND_CLIENT, &result));
    record_builder_free(&builder);
    return result.base_offset;
}

static inline int64_t append_one(log_t *log, const char *key, const char *value)
{
    keyed_batch_t spec = KEYED_BATCH;
    keyed_t record = {key, value};

    return append_keyed(log, &spec, &record, 1);
}

static inline int64_t append_marker(log_t *log, int64_t producer_id, int commit)
{
    append_result_t result;
    size_t length;
    uint8_t *data = make_marker(producer_id, 0, commit, &length);

    UNIT_OK(append_bytes(log, data, length, APPEND_COORDINATOR, &result));
    free(data);
    return result.base_offset;
}

/* Everything may be compacted but an empty active segment. */
static inline void settle(log_t *log)
{
    lock_enter(log->append_lock);
    UNIT_OK(log_roll(log, log_end_offset(log)));
    lock_leave(log->append_lock);
    log_raise_high_watermark(log, log_end_offset(log));
    UNIT_OK(log_flush(log));
}

static inline void compact_config(log_config_t *config)
{
    log_config_init(config);
    config->compact = 1;
    config->delete = 0;
    config->min_cleanable_dirty_ratio = 0;
    config->index_interval_bytes = 64;
    config->file_delete_delay_ms = 0;
}

typedef struct {
    log_dir_t *dirs[1];
    log_t *log;
    cleaner_t *cleaner;
    log_config_t config;
} bench_t;

static inline void open_bench(bench_t *bench, const char *path,
                              const log_config_t *config)
{
    cleaner_options_t options;

    bench->config = *config;
    bench->dirs[0] = open_dir(path);
    cleaner_options_init(&options);
    UNIT_OK(
        cleaner_create(&bench->cleaner, &options, bench->dirs, 1, unit_pool()));
    bench->log = NULL;
    UNIT_OK(log_open(&bench->log, bench->dirs[0], "t-0", NULL, config, 0));
}

static inline void close_bench(bench_t *bench)
{
    UNIT_OK(log_close(bench->log));
    UNIT_OK(log_dir_close(bench->dirs[0], 1));
}

static inline int clean(bench_t *bench)
{
    int found;

    UNIT_OK(cleaner_run_once(bench->cleaner, &found));
    return found;
}

/* A log as text, from POOL: "offset key=value", batch after batch in [], with
 * "!" for control and "~" for transactional ones, "#" for a missing value. */
static inline const char *dump(log_t *log, int64_t upper, apr_pool_t *pool)
{
    int64_t offset = log_start_offset(log);
    record_scratch_t scratch = {0};
    char *text = "";

    while (offset < upper) {
        uint8_t *data;
        apr_size_t length, at;

        UNIT_OK(log_read(log, offset, upper, 100000, &data, &length, pool));
        if (length == 0)
            break;
        for (at = 0; at < length;) {
            record_batch_t batch;
            record_iterator_t iterator;
            record_t record;

            UNIT_OK(record_batch_parse(&batch, data + at, length - at));
            UNIT_OK(record_batch_verify_crc(&batch, data + at));
            text = apr_pstrcat(
                pool, text, record_batch_is_control(&batch) ? "!" : "",
                record_batch_is_transactional(&batch) ? "~" : "", "[", NULL);
            UNIT_OK(record_iterator_init(&iterator, &batch, data + at, &scratch,
                                         1 << 20));
            while (record_iterator_next(&iterator, &record) == APR_SUCCESS)
                text = apr_psprintf(
                    pool, "%s%" APR_INT64_T_FMT " %.*s=%.*s ", text,
                    (apr_int64_t)record.offset,
                    record_batch_is_control(&batch) ? 0 : record.key_length,
                    record.key ? (const char *)record.key : "",
                    record.value_length < 0           ? 1
                    : record_batch_is_control(&batch) ? 0
                                                      : record.value_length,
                    record.value_length < 0 ? "#" : (const char *)record.value);
            if (text[strlen(text) - 1] == ' ')
                text[strlen(text) - 1] = '\0';
            text = apr_pstrcat(pool, text, "]", NULL);
            CU_ASSERT(record_batch_last_offset(&batch) >= offset);
            offset = record_batch_next_offset(&batch);
            at += record_batch_size(&batch);
        }
    }
    record_scratch_free(&scratch);
    return text;
}

static inline const char *dump_all(log_t *log)
{
    return dump(log, log_end_offset(log), unit_pool());
}

#define HOLDS(log, text) holds((log), (text), __FILE__, __LINE__)

static inline void holds(log_t *log, const char *expected, const char *file,
                         int line)
{
    const char *found = dump_all(log);

    if (strcmp(found, expected) != 0)
        fprintf(stdout, "# %s\n# instead of\n# %s\n", found, expected);
    CU_assertImplementation(strcmp(found, expected) == 0, (unsigned)line,
                            "the log holds what it must", file, "", CU_FALSE);
}

#endif
