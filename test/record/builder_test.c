/* SPDX-License-Identifier: Apache-2.0 */
/* Batches that the builder makes must read back as what went in. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/varint.h"
#include "record/builder.h"

#define LIMIT   ((size_t)16 << 20)
#define TEXT(s) (const uint8_t *)(s), (int32_t)(sizeof(s) - 1)

static record_t record_of(const char *key, const char *value, int64_t timestamp)
{
    record_t record = {.timestamp = timestamp};

    record.key = (const uint8_t *)key;
    record.key_length = key ? (int32_t)strlen(key) : -1;
    record.value = (const uint8_t *)value;
    record.value_length = value ? (int32_t)strlen(value) : -1;
    return record;
}

static int is_text(const uint8_t *bytes, int32_t length, const char *text)
{
    return text ? length == (int32_t)strlen(text) &&
                      memcmp(bytes, text, (size_t)length) == 0
                : length == -1;
}

static void parse(record_batch_t *batch, record_iterator_t *iterator,
                  const uint8_t *data, size_t length, record_scratch_t *scratch)
{
    UNIT_OK(record_batch_parse(batch, data, length));
    CU_ASSERT_EQUAL_FATAL(record_batch_size(batch), length);
    UNIT_OK(record_batch_verify_crc(batch, data));
    UNIT_OK(record_iterator_init(iterator, batch, data, scratch, LIMIT));
}

static void records_come_back_with_every_codec(void)
{
    record_builder_t builder = {0};
    record_scratch_t scratch = {0};

    for (int codec = 0; codec <= RECORD_CODEC_ZSTD; codec++) {
        record_builder_options_t options = RECORD_BUILDER_OPTIONS;
        record_batch_t batch;
        record_iterator_t iterator;
        record_t record;
        uint8_t *data;
        size_t length;
        options.codec = (record_codec_t)codec;
        options.base_offset = 1000;
        options.partition_leader_epoch = 7;
        UNIT_OK(record_builder_begin(&builder, &options));
        record = record_of("k", NULL, 500);
        UNIT_OK(record_builder_append(&builder, &record));
        record = record_of(NULL, "v", 400);
        for (int i = 0; i < 3000; i++)
            UNIT_OK(record_builder_append(&builder, &record));
        UNIT_OK(record_builder_finish(&builder, &data, &length));
        CU_ASSERT(codec == 0 || length < record_builder_size(&builder));
        parse(&batch, &iterator, data, length, &scratch);
        CU_ASSERT_EQUAL(batch.record_count, 3001);
        CU_ASSERT_EQUAL(record_batch_next_offset(&batch), 4001);
        CU_ASSERT_EQUAL(batch.max_timestamp, 500);
        CU_ASSERT_EQUAL(batch.partition_leader_epoch, 7);
        UNIT_OK(record_iterator_next(&iterator, &record));
        CU_ASSERT(is_text(record.key, record.key_length, "k"));
        CU_ASSERT(is_text(record.value, record.value_length, NULL));
        CU_ASSERT_EQUAL(record.timestamp, 500);
        for (int i = 0; i < 3000; i++) {
            UNIT_OK(record_iterator_next(&iterator, &record));
            CU_ASSERT_EQUAL(record.offset, 1001 + i);
            CU_ASSERT_EQUAL(record.timestamp, 400);
            CU_ASSERT(is_text(record.value, record.value_length, "v"));
        }
        CU_ASSERT_EQUAL(record_iterator_next(&iterator, &record), APR_EOF);
    }
    record_builder_free(&builder);
    record_scratch_free(&scratch);
}

static void headers_are_written_and_copied(void)
{
    static const record_header_t headers[] = {
        {(const uint8_t *)"a", (const uint8_t *)"1", 1, 1},
        {(const uint8_t *)"", NULL, 0, -1}};
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    record_builder_t builder = {0}, copy = {0};
    record_batch_t batch;
    record_iterator_t iterator;
    record_t record = record_of("k", "v", 1);
    record_header_t header;
    const uint8_t *at;
    uint8_t *data;
    size_t length;

    UNIT_OK(record_builder_begin(&builder, &options));
    UNIT_OK(record_builder_append_headers(&builder, &record, headers, 2));
    UNIT_OK(record_builder_finish(&builder, &data, &length));
    parse(&batch, &iterator, data, length, NULL);
    UNIT_OK(record_iterator_next(&iterator, &record));
    UNIT_OK(record_builder_begin(&copy, &options));
    UNIT_OK(record_builder_append(&copy, &record));
    UNIT_OK(record_builder_finish(&copy, &data, &length));
    parse(&batch, &iterator, data, length, NULL);
    UNIT_OK(record_iterator_next(&iterator, &record));
    CU_ASSERT_EQUAL_FATAL(record.header_count, 2);
    at = record.headers;
    record_header_next(&at, &header);
    CU_ASSERT(is_text(header.key, header.key_length, "a"));
    CU_ASSERT(is_text(header.value, header.value_length, "1"));
    record_header_next(&at, &header);
    CU_ASSERT_EQUAL(header.key_length, 0);
    CU_ASSERT_EQUAL(header.value_length, -1);
    CU_ASSERT_PTR_NULL(header.value);
    record_builder_free(&builder);
    record_builder_free(&copy);
}

static void a_cleaned_batch_keeps_its_range_and_sequence(void)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    record_builder_t builder = {0};
    record_batch_t batch;
    record_iterator_t iterator;
    record_t record = record_of("k", "v", 10000);
    uint8_t *data;
    size_t length;

    options.base_offset = 100;
    options.producer_id = 9;
    options.producer_epoch = 1;
    options.base_sequence = INT32_MAX - 1;
    options.delete_horizon = 4000;
    UNIT_OK(record_builder_begin(&builder, &options));
    record.offset = 103;
    UNIT_OK(record_builder_append_at(&builder, &record));
    CU_ASSERT_EQUAL(record_builder_append_at(&builder, &record), APR_EINVAL);
    record.offset = 105;
    UNIT_OK(record_builder_append_at(&builder, &record));
    record_builder_set_last_offset(&builder, 109);
    UNIT_OK(record_builder_finish(&builder, &data, &length));
    parse(&batch, &iterator, data, length, NULL);
    CU_ASSERT_EQUAL(batch.base_offset, 100);
    CU_ASSERT_EQUAL(record_batch_last_offset(&batch), 109);
    CU_ASSERT_EQUAL(record_batch_last_sequence(&batch), 7);
    CU_ASSERT_EQUAL(record_batch_delete_horizon(&batch), 4000);
    UNIT_OK(record_iterator_next(&iterator, &record));
    CU_ASSERT_EQUAL(record.offset, 103);
    CU_ASSERT_EQUAL(record.timestamp, 10000);
    CU_ASSERT_EQUAL(record.sequence, 1);
    UNIT_OK(record_iterator_next(&iterator, &record));
    CU_ASSERT_EQUAL(record.offset, 105);
    CU_ASSERT_EQUAL(record_iterator_next(&iterator, &record), APR_EOF);
    record_builder_free(&builder);
}

static void a_batch_may_be_empty_only_when_cleaned(void)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    record_builder_t builder = {0};
    record_scratch_t scratch = {0};
    record_batch_t batch;
    record_iterator_t iterator;
    record_t record;
    uint8_t *data;
    size_t length;

    options.codec = RECORD_CODEC_ZSTD;
    UNIT_OK(record_builder_begin(&builder, &options));
    CU_ASSERT_EQUAL(record_builder_finish(&builder, &data, &length),
                    APR_EINVAL);
    record_builder_set_last_offset(&builder, 4);
    record_builder_set_max_timestamp(&builder, 77);
    UNIT_OK(record_builder_finish(&builder, &data, &length));
    CU_ASSERT_EQUAL(length, RECORD_BATCH_OVERHEAD);
    parse(&batch, &iterator, data, length, &scratch);
    CU_ASSERT_EQUAL(batch.record_count, 0);
    CU_ASSERT_EQUAL(batch.max_timestamp, 77);
    CU_ASSERT_EQUAL(record_batch_last_offset(&batch), 4);
    CU_ASSERT_EQUAL(record_iterator_next(&iterator, &record), APR_EOF);
    record_builder_free(&builder);
    record_scratch_free(&scratch);
}

static void end_markers_are_read_back(void)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    record_builder_t builder = {0};
    record_batch_t batch;
    record_iterator_t iterator;
    record_t record;
    uint8_t *data;
    size_t length;
    int commit = 1;
    int32_t epoch = 0;

    options.control = options.transactional = 1;
    options.producer_id = 1;
    options.producer_epoch = 0;
    UNIT_OK(record_builder_begin(&builder, &options));
    UNIT_OK(record_builder_append_end_marker(&builder, 0, 12, 99));
    UNIT_OK(record_builder_append_control(
        &builder, RECORD_CONTROL_LEADER_CHANGE, TEXT("xx"), 99));
    UNIT_OK(record_builder_finish(&builder, &data, &length));
    parse(&batch, &iterator, data, length, NULL);
    CU_ASSERT(record_batch_is_control(&batch));
    CU_ASSERT(record_batch_is_transactional(&batch));
    UNIT_OK(record_iterator_next(&iterator, &record));
    UNIT_OK(record_end_marker_parse(&record, &commit, &epoch));
    CU_ASSERT_EQUAL(commit, 0);
    CU_ASSERT_EQUAL(epoch, 12);
    UNIT_OK(record_iterator_next(&iterator, &record));
    CU_ASSERT_EQUAL(record_control_type(&record), RECORD_CONTROL_LEADER_CHANGE);
    CU_ASSERT_EQUAL(record_end_marker_parse(&record, &commit, &epoch),
                    TAKHIN_ECORRUPT);
    record_builder_free(&builder);
}

static void patches_keep_the_crc_right(void)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    record_builder_t builder = {0};
    record_batch_t batch;
    record_iterator_t iterator;
    record_t record = record_of("k", "v", 5);
    uint8_t *data;
    size_t length;

    UNIT_OK(record_builder_begin(&builder, &options));
    UNIT_OK(record_builder_append(&builder, &record));
    UNIT_OK(record_builder_finish(&builder, &data, &length));
    record_batch_set_base_offset(data, 1234567890123);
    record_batch_set_leader_epoch(data, 42);
    parse(&batch, &iterator, data, length, NULL);
    CU_ASSERT_EQUAL(batch.base_offset, 1234567890123);
    CU_ASSERT_EQUAL(batch.partition_leader_epoch, 42);
    record_batch_set_log_append_time(data, 6000);
    parse(&batch, &iterator, data, length, NULL);
    CU_ASSERT_EQUAL(record_batch_timestamp_type(&batch),
                    RECORD_LOG_APPEND_TIME);
    UNIT_OK(record_iterator_next(&iterator, &record));
    CU_ASSERT_EQUAL(record.timestamp, 6000);
    CU_ASSERT_EQUAL(record.offset, 1234567890123);
    record_batch_set_create_time(data, 5);
    parse(&batch, &iterator, data, length, NULL);
    CU_ASSERT_EQUAL(record_batch_timestamp_type(&batch), RECORD_CREATE_TIME);
    UNIT_OK(record_iterator_next(&iterator, &record));
    CU_ASSERT_EQUAL(record.timestamp, 5);
    record_builder_free(&builder);
}

static void sequences_wrap_as_in_kip_98(void)
{
    CU_ASSERT_EQUAL(record_sequence_add(0, 0), 0);
    CU_ASSERT_EQUAL(record_sequence_add(5, 7), 12);
    CU_ASSERT_EQUAL(record_sequence_add(INT32_MAX, 0), INT32_MAX);
    CU_ASSERT_EQUAL(record_sequence_add(INT32_MAX, 1), 0);
    CU_ASSERT_EQUAL(record_sequence_add(INT32_MAX - 2, 5), 2);
    CU_ASSERT_EQUAL(record_sequence_add(INT32_MAX, INT32_MAX), INT32_MAX - 1);
}

static void varints_come_back_and_bad_ones_are_refused(void)
{
    static const int64_t values[] = {
        0, -1, 1, 63, -64, 64, 300, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    static const uint8_t too_long[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
    static const uint8_t too_large[] = {0xff, 0xff, 0xff, 0xff, 0x10};
    uint8_t bytes[VARLONG_MAX];
    int32_t narrow;

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const uint8_t *end = varint_put(bytes, values[i]), *got;
        int64_t wide = 0;
        CU_ASSERT_EQUAL((size_t)(end - bytes), varint_size(values[i]));
        CU_ASSERT_PTR_EQUAL(varlong_get(bytes, end, &wide), end);
        CU_ASSERT_EQUAL(wide, values[i]);
        CU_ASSERT_PTR_NULL(varlong_get(bytes, end - 1, &wide));
        got = varint_get(bytes, end, &narrow);
        if (values[i] >= INT32_MIN && values[i] <= INT32_MAX)
            CU_ASSERT(got == end && narrow == values[i])
        else
            CU_ASSERT_PTR_NULL(got);
    }
    CU_ASSERT_PTR_NULL(varint_get(too_long, too_long + 6, &narrow));
    CU_ASSERT_PTR_NULL(varint_get(too_large, too_large + 5, &narrow));
}

UNIT_MAIN(UNIT_TEST(records_come_back_with_every_codec),
          UNIT_TEST(headers_are_written_and_copied),
          UNIT_TEST(a_cleaned_batch_keeps_its_range_and_sequence),
          UNIT_TEST(a_batch_may_be_empty_only_when_cleaned),
          UNIT_TEST(end_markers_are_read_back),
          UNIT_TEST(patches_keep_the_crc_right),
          UNIT_TEST(sequences_wrap_as_in_kip_98),
          UNIT_TEST(varints_come_back_and_bad_ones_are_refused))
