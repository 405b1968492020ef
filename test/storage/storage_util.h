/* SPDX-License-Identifier: Apache-2.0 */
/* What the storage tests share: a directory, a log, batches to append. */
#ifndef TAKHIN_TEST_STORAGE_UTIL_H
#define TAKHIN_TEST_STORAGE_UTIL_H

#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "record/builder.h"
#include "storage/log.h"
#include "storage/log_dir.h"
#include "unit.h"

typedef struct {
    int64_t timestamp; /* of the first record, then one ms more each */
    int records;
    int value_size;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t sequence;
    unsigned transactional : 1;
} batch_spec_t;

#define PLAIN_BATCH                 \
    {                               \
        1000, 1, 100, -1, -1, -1, 0 \
    }

static inline log_dir_t *open_dir(const char *path)
{
    log_dir_options_t options;
    log_dir_t *dir = NULL;
    const char *error;

    log_dir_options_init(&options);
    UNIT_OK(log_dir_open(&dir, path, &options, unit_pool(), &error));
    return dir;
}

/* As log_append gets it; malloc'ed. */
static inline uint8_t *make_batch(const batch_spec_t *spec, size_t *length)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    record_builder_t builder = {0};
    uint8_t *built, *copy, *value = malloc((size_t)spec->value_size + 1);
    int i;

    options.producer_id = spec->producer_id;
    options.producer_epoch = spec->producer_epoch;
    options.base_sequence = spec->sequence;
    options.transactional = spec->transactional;
    UNIT_OK(record_builder_begin(&builder, &options));
    for (i = 0; i < spec->records; i++) {
        record_t record = {0};

        memset(value, 'a' + i % 26, (size_t)spec->value_size);
        record.timestamp = spec->timestamp + i;
        record.key_length = -1;
        record.value = value;
        record.value_length = spec->value_size;
        UNIT_OK(record_builder_append(&builder, &record));
    }
    UNIT_OK(record_builder_finish(&builder, &built, length));
    copy = malloc(*length);
    memcpy(copy, built, *length);
    record_builder_free(&builder);
    free(value);
    return copy;
}

/* A marker that ends a transaction. */
static inline uint8_t *make_marker(int64_t producer_id, int16_t epoch,
                                   int commit, size_t *length)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    record_builder_t builder = {0};
    uint8_t *built, *copy;
    uint8_t key[4] = {0, 0, 0, (uint8_t)commit};
    uint8_t value[6] = {0};
    record_t record = {0};

    options.producer_id = producer_id;
    options.producer_epoch = epoch;
    options.transactional = 1;
    options.control = 1;
    UNIT_OK(record_builder_begin(&builder, &options));
    record.timestamp = 5000;
    record.key = key;
    record.key_length = sizeof(key);
    record.value = value;
    record.value_length = sizeof(value);
    UNIT_OK(record_builder_append(&builder, &record));
    UNIT_OK(record_builder_finish(&builder, &built, length));
    copy = malloc(*length);
    memcpy(copy, built, *length);
    record_builder_free(&builder);
    return copy;
}

static inline apr_status_t append_bytes(log_t *log, uint8_t *data,
                                        size_t length, append_origin_t origin,
                                        append_result_t *result)
{
    record_batch_t batch;

    UNIT_OK(record_batch_parse(&batch, data, length));
    return log_append(log, data, length, &batch, 0, origin, result);
}

static inline apr_status_t append_spec(log_t *log, const batch_spec_t *spec,
                                       append_result_t *result)
{
    size_t length;
    uint8_t *data = make_batch(spec, &length);
    apr_status_t status =
        append_bytes(log, data, length, APPEND_CLIENT, result);

    free(data);
    return status;
}

/* COUNT batches of RECORDS records each. */
static inline void append_plain(log_t *log, int count, int records,
                                int value_size)
{
    int i;

    for (i = 0; i < count; i++) {
        batch_spec_t spec = PLAIN_BATCH;
        append_result_t result;

        spec.records = records;
        spec.value_size = value_size;
        spec.timestamp = 1000 + log_end_offset(log);
        UNIT_OK(append_spec(log, &spec, &result));
    }
}

/* The base offset of the batch that a range begins with. */
static inline int64_t range_base(const read_range_t *range)
{
    uint8_t header[RECORD_BATCH_OVERHEAD];
    record_batch_t batch;
    apr_off_t at = range->pieces[0].position;
    apr_size_t got = sizeof(header);

    UNIT_OK(
        fs_os_pread(range->pieces[0].file, at, header, sizeof(header), &got));
    UNIT_OK(record_batch_parse(&batch, header, got));
    return batch.base_offset;
}

/* Every offset of LOG is found, batch by batch, its bytes in order. */
static inline void check_all(log_t *log)
{
    int64_t offset = log_start_offset(log), end = log_end_offset(log);

    while (offset < end) {
        uint8_t *data;
        apr_size_t length, at = 0;

        UNIT_OK(
            log_read(log, offset, end, 100000, &data, &length, unit_pool()));
        if (length == 0) {
            CU_FAIL("nothing was read");
            return;
        }
        while (at < length) {
            record_batch_t batch;

            UNIT_OK(record_batch_parse(&batch, data + at, length - at));
            UNIT_OK(record_batch_verify_crc(&batch, data + at));
            CU_ASSERT(record_batch_last_offset(&batch) >= offset);
            CU_ASSERT(at == 0 || batch.base_offset == offset);
            offset = record_batch_next_offset(&batch);
            at += record_batch_size(&batch);
        }
    }
    CU_ASSERT_EQUAL(offset, end);
}

#endif
