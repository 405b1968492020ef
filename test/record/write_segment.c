/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write_segment FILE: writes batches of every kind that the builder makes, one
 * behind the other, for kafka_reads_test.py.
 */
#include <apr_general.h>
#include <stdio.h>
#include <string.h>

#include "record/builder.h"

#define RECORDS 300

static record_builder_t builder;
static int64_t next_offset;

static int finish(FILE *file)
{
    uint8_t *data;
    size_t length;

    if (record_builder_finish(&builder, &data, &length) != APR_SUCCESS)
        return 1;
    next_offset = builder.last_offset + 1;
    return fwrite(data, 1, length, file) != length;
}

static int write_records(FILE *file, record_builder_options_t options)
{
    static const record_header_t header = {(const uint8_t *)"header",
                                           (const uint8_t *)"content", 6, 7};

    options.base_offset = next_offset;
    record_builder_begin(&builder, &options);
    for (int i = 0; i < RECORDS; i++) {
        char key[16], value[200];
        record_t record = {.timestamp = 1700000000000 + i, .value_length = -1};
        record.key = (const uint8_t *)key;
        record.key_length = snprintf(key, sizeof key, "key-%d", i);
        if (i % 10) {
            memset(value, 'a' + i % 26, sizeof value);
            record.value = (const uint8_t *)value;
            record.value_length = (int32_t)sizeof value;
        }
        if (record_builder_append_headers(&builder, &record, &header,
                                          i % 3 == 0))
            return 1;
    }
    return finish(file);
}

static int write_marker(FILE *file, record_builder_options_t options)
{
    options.base_offset = next_offset;
    options.codec = RECORD_CODEC_NONE;
    options.base_sequence = RECORD_NO_SEQUENCE;
    options.control = 1;
    record_builder_begin(&builder, &options);
    if (record_builder_append_end_marker(&builder, 1, 5, 1700000001000))
        return 1;
    return finish(file);
}

int main(int argc, char **argv)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    FILE *file = argc == 2 ? fopen(argv[1], "wb") : NULL;
    int failed = 0;

    if (!file)
        return 2;
    apr_initialize();
    options.partition_leader_epoch = 3;
    for (int codec = 0; codec <= RECORD_CODEC_ZSTD; codec++) {
        options.codec = (record_codec_t)codec;
        failed |= write_records(file, options);
    }
    options.producer_id = 4711;
    options.producer_epoch = 2;
    options.base_sequence = 0;
    options.transactional = 1;
    failed |= write_records(file, options);
    failed |= write_marker(file, options);
    record_builder_free(&builder);
    return fclose(file) || failed;
}
