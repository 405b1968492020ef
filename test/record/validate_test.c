/* SPDX-License-Identifier: Apache-2.0 */
/* Produce's checks: Kafka's error code for each fault, and what is stored. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "record/builder.h"
#include "record/crc32c.h"
#include "record/validate.h"

#define NOW     1700000000000
#define PRODUCE 13

static record_scratch_t scratch;
static record_builder_t builder;
static record_builder_options_t options;
static record_validate_config_t config;
static record_validation_t result;
static uint8_t *data; /* the batch under test, exactly as large as it is */
static size_t length;

static void begin(void)
{
    static const record_builder_options_t plain = RECORD_BUILDER_OPTIONS;
    static const record_validate_config_t usual = {
        .max_message_bytes = 1048588,
        .compression_type = RECORD_CODEC_PRODUCER,
        .compression_level = RECORD_LEVEL_DEFAULT,
        .timestamp_before_max_ms = INT64_MAX,
        .timestamp_after_max_ms = 3600000};

    options = plain;
    config = usual;
    free(data);
    data = NULL;
}

static void end(void)
{
    begin();
    record_scratch_free(&scratch);
    record_builder_free(&builder);
}

static void add(const char *key, int64_t timestamp)
{
    record_t record = {.timestamp = timestamp, .value_length = 3};

    if (builder.plain.length == 0)
        UNIT_OK(record_builder_begin(&builder, &options));
    record.key = (const uint8_t *)key;
    record.key_length = key ? (int32_t)strlen(key) : -1;
    record.value = (const uint8_t *)"abc";
    UNIT_OK(record_builder_append(&builder, &record));
}

static void finish(void)
{
    uint8_t *made;

    UNIT_OK(record_builder_finish(&builder, &made, &length));
    free(data);
    data = malloc(length);
    memcpy(data, made, length);
    builder.plain.length = 0;
}

/* Two records with keys. */
static void usual_batch(void)
{
    add("a", NOW);
    add("b", NOW - 1000);
    finish();
}

static void sign(void)
{
    bytes_put_u32(data + RECORD_BATCH_CRC,
                  crc32c(0, data + RECORD_BATCH_ATTRIBUTES,
                         length - RECORD_BATCH_ATTRIBUTES));
}

static int validate(int16_t version)
{
    UNIT_OK(record_validate(&result, &config, data, length, version, NOW,
                            &scratch, unit_pool()));
    CU_ASSERT_EQUAL(result.error == 0, result.message == NULL);
    return result.error;
}

#define REFUSED(code) CU_ASSERT_EQUAL(validate(PRODUCE), RECORD_REFUSED_##code)
#define ACCEPTED()    CU_ASSERT_EQUAL(validate(PRODUCE), 0)

static void a_good_batch_is_stored_as_it_came(void)
{
    for (int codec = 0; codec <= RECORD_CODEC_ZSTD; codec++) {
        uint8_t *copy;
        begin();
        options.codec = (record_codec_t)codec;
        usual_batch();
        copy = malloc(length);
        memcpy(copy, data, length);
        ACCEPTED();
        CU_ASSERT_PTR_EQUAL(result.data, data);
        CU_ASSERT_EQUAL(result.length, length);
        CU_ASSERT(memcmp(copy, data, length) == 0);
        CU_ASSERT_EQUAL(result.batch.record_count, 2);
        CU_ASSERT_EQUAL(result.max_timestamp, NOW);
        CU_ASSERT_EQUAL(result.max_timestamp_delta, 0);
        CU_ASSERT_FALSE(result.recompressed);
        free(copy);
    }
    end();
}

static void no_batch_at_all_is_invalid(void)
{
    begin();
    usual_batch();
    for (size_t whole = length, n = 0; n < whole; n++) {
        uint8_t *cut = malloc(n + 1);
        memcpy(cut, data, n);
        UNIT_OK(record_validate(&result, &config, cut, n, PRODUCE, NOW,
                                &scratch, unit_pool()));
        CU_ASSERT_EQUAL(result.error, RECORD_REFUSED_INVALID);
        free(cut);
    }
    end();
}

static void two_batches_are_invalid_and_a_cut_second_is_dropped(void)
{
    uint8_t *two;

    begin();
    usual_batch();
    two = malloc(2 * length);
    memcpy(two, data, length);
    memcpy(two + length, data, length);
    UNIT_OK(record_validate(&result, &config, two, 2 * length, PRODUCE, NOW,
                            &scratch, unit_pool()));
    CU_ASSERT_EQUAL(result.error, RECORD_REFUSED_INVALID);
    UNIT_OK(record_validate(&result, &config, two, 2 * length - 1, PRODUCE, NOW,
                            &scratch, unit_pool()));
    CU_ASSERT_EQUAL(result.error, 0);
    CU_ASSERT_EQUAL(result.length, length);
    free(two);
    end();
}

static void older_magic_is_invalid_and_unknown_is_corrupt(void)
{
    begin();
    usual_batch();
    data[RECORD_BATCH_MAGIC] = 1;
    REFUSED(INVALID);
    data[RECORD_BATCH_MAGIC] = 3;
    REFUSED(CORRUPT);
    data[RECORD_BATCH_MAGIC] = 0xff;
    REFUSED(CORRUPT);
    end();
}

static void a_length_below_the_headers_is_corrupt(void)
{
    begin();
    usual_batch();
    bytes_put_i32(data + RECORD_BATCH_LENGTH, 13);
    REFUSED(CORRUPT);
    bytes_put_i32(data + RECORD_BATCH_LENGTH, -1);
    REFUSED(CORRUPT);
    bytes_put_i32(data + RECORD_BATCH_LENGTH, 48);
    REFUSED(CORRUPT);
    end();
}

static void a_wrong_crc_is_corrupt(void)
{
    begin();
    usual_batch();
    data[length - 2] ^= 1;
    REFUSED(CORRUPT);
    end();
}

static void zstd_needs_produce_7_and_no_codec_is_above_it(void)
{
    begin();
    options.codec = RECORD_CODEC_ZSTD;
    usual_batch();
    CU_ASSERT_EQUAL(validate(6), RECORD_REFUSED_CODEC);
    CU_ASSERT_EQUAL(validate(7), 0);
    data[RECORD_BATCH_ATTRIBUTES + 1] |= 7;
    sign();
    REFUSED(CODEC);
    end();
}

static void a_batch_above_max_message_bytes_is_too_large(void)
{
    begin();
    usual_batch();
    config.max_message_bytes = (int32_t)length;
    ACCEPTED();
    config.max_message_bytes = (int32_t)length - 1;
    REFUSED(TOO_LARGE);
    end();
}

static void a_base_offset_from_a_client_is_invalid(void)
{
    begin();
    options.base_offset = 1;
    usual_batch();
    REFUSED(INVALID);
    end();
}

static void counts_that_do_not_agree_are_invalid(void)
{
    static const int32_t wrong[][2] = {/* last offset delta, count */
                                       {1, 1},
                                       {1, 3},
                                       {0, 2},
                                       {2, 2},
                                       {1, 0},
                                       {-1, 0},
                                       {1, -2},
                                       {0, 1},
                                       {2, 3},
                                       {-1, 2},
                                       {INT32_MAX, INT32_MIN}};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        begin();
        usual_batch();
        bytes_put_i32(data + RECORD_BATCH_LAST_OFFSET_DELTA, wrong[i][0]);
        bytes_put_i32(data + RECORD_BATCH_RECORD_COUNT, wrong[i][1]);
        sign();
        REFUSED(INVALID);
    }
    end();
}

static void control_batches_from_clients_are_invalid(void)
{
    begin();
    options.control = 1;
    usual_batch();
    REFUSED(INVALID);
    end();
}

static void producer_fields_must_go_together(void)
{
    begin();
    options.producer_id = 7;
    usual_batch();
    REFUSED(INVALID); /* neither epoch nor sequence */
    options.producer_epoch = 0;
    usual_batch();
    REFUSED(INVALID); /* no sequence */
    options.base_sequence = 0;
    usual_batch();
    ACCEPTED();
    options.transactional = 1;
    usual_batch();
    ACCEPTED();
    options.producer_id = -1;
    usual_batch();
    REFUSED(INVALID);
    end();
}

static void a_record_that_does_not_fit_is_invalid(void)
{
    for (int codec = 0; codec < 2; codec++) {
        begin();
        options.codec = RECORD_CODEC_NONE;
        usual_batch();
        data[length - 5] = 0x40; /* the last value's length */
        if (codec) {
            record_buffer_t packed = {0};
            UNIT_OK(record_compress(RECORD_CODEC_NONE, 0, data,
                                    RECORD_BATCH_OVERHEAD, &packed));
            UNIT_OK(record_compress(RECORD_CODEC_LZ4, RECORD_LEVEL_DEFAULT,
                                    data + RECORD_BATCH_OVERHEAD,
                                    length - RECORD_BATCH_OVERHEAD, &packed));
            free(data);
            data = packed.data;
            length = packed.length;
            data[RECORD_BATCH_ATTRIBUTES + 1] |= RECORD_CODEC_LZ4;
            bytes_put_i32(data + RECORD_BATCH_LENGTH,
                          (int32_t)length - LOG_OVERHEAD);
        }
        sign();
        REFUSED(INVALID);
    }
    end();
}

static void what_does_not_decompress_is_invalid(void)
{
    for (int codec = 1; codec <= RECORD_CODEC_ZSTD; codec++) {
        begin();
        usual_batch();
        data[RECORD_BATCH_ATTRIBUTES + 1] |= (uint8_t)codec;
        sign();
        REFUSED(INVALID);
    }
    end();
}

static void a_decompression_bomb_is_too_large(void)
{
    static uint8_t zeros[1 << 20];

    for (int codec = 1; codec <= RECORD_CODEC_ZSTD; codec++) {
        record_t record = {.value = zeros, .value_length = sizeof zeros};
        begin();
        config.decompress_limit = 1 << 16;
        options.codec = (record_codec_t)codec;
        UNIT_OK(record_builder_begin(&builder, &options));
        UNIT_OK(record_builder_append(&builder, &record));
        finish();
        record_scratch_trim(&scratch, 0);
        REFUSED(TOO_LARGE);
        CU_ASSERT(scratch.buffer.capacity <= (1 << 16) + 1);
    }
    end();
}

static void compacted_topics_need_keys_and_say_which_lack_one(void)
{
    begin();
    config.compact = 1;
    add("a", NOW);
    add(NULL, NOW);
    add("c", NOW);
    add(NULL, NOW);
    finish();
    REFUSED(INVALID);
    CU_ASSERT_EQUAL_FATAL(result.record_error_count, 2);
    CU_ASSERT_EQUAL(result.record_errors[0].batch_index, 1);
    CU_ASSERT_EQUAL(result.record_errors[1].batch_index, 3);
    CU_ASSERT_PTR_NOT_NULL(result.record_errors[1].message);
    usual_batch();
    ACCEPTED();
    end();
}

static void the_list_of_record_errors_is_bounded(void)
{
    begin();
    config.compact = 1;
    options.codec = RECORD_CODEC_GZIP;
    for (int i = 0; i < 3 * RECORD_ERRORS_MAX; i++)
        add(NULL, NOW);
    finish();
    REFUSED(INVALID);
    CU_ASSERT_EQUAL(result.record_error_count, RECORD_ERRORS_MAX);
    CU_ASSERT_EQUAL(result.record_errors[RECORD_ERRORS_MAX - 1].batch_index,
                    RECORD_ERRORS_MAX - 1);
    end();
}

static void timestamps_out_of_bounds_are_refused(void)
{
    static const struct {
        int64_t timestamp, before, after;
        int refused;
    } cases[] = {{NOW - 100, 100, 100, 0},
                 {NOW - 101, 100, 100, 1},
                 {NOW + 100, 100, 100, 0},
                 {NOW + 101, 100, 100, 1},
                 {-1, 100, 100, 0},
                 {-2, INT64_MAX, 100, 0},
                 {INT64_MAX, 0, INT64_MAX, 0},
                 {INT64_MIN, INT64_MAX, 0, 1},
                 {INT64_MAX, 0, 3600000, 1},
                 {0, INT64_MAX, 0, 0}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin();
        config.timestamp_before_max_ms = cases[i].before;
        config.timestamp_after_max_ms = cases[i].after;
        add("a", NOW);
        add("b", cases[i].timestamp);
        finish();
        CU_ASSERT_EQUAL(validate(PRODUCE),
                        cases[i].refused ? RECORD_REFUSED_TIMESTAMP : 0);
        CU_ASSERT_EQUAL(result.record_error_count, cases[i].refused);
        if (result.record_error_count)
            CU_ASSERT_EQUAL(result.record_errors[0].batch_index, 1);
        config.log_append_time = 1; /* then they do not matter */
        ACCEPTED();
    }
    end();
}

static void log_append_time_is_set_by_the_broker(void)
{
    for (int codec = 0; codec <= RECORD_CODEC_ZSTD; codec++) {
        record_batch_t batch;
        begin();
        config.log_append_time = 1;
        options.codec = (record_codec_t)codec;
        add("a", 5);
        add("b", 6);
        finish();
        ACCEPTED();
        CU_ASSERT_EQUAL(result.max_timestamp, NOW);
        UNIT_OK(record_batch_parse(&batch, data, length));
        UNIT_OK(record_batch_verify_crc(&batch, data));
        CU_ASSERT_EQUAL(batch.max_timestamp, NOW);
        CU_ASSERT_EQUAL(record_batch_timestamp_type(&batch),
                        RECORD_LOG_APPEND_TIME);
        CU_ASSERT_EQUAL(result.batch.crc, batch.crc);
    }
    end();
}

static void log_append_time_set_by_a_client_is_refused(void)
{
    begin();
    config.log_append_time = 1;
    options.log_append_time = NOW;
    usual_batch();
    REFUSED(TIMESTAMP);
    CU_ASSERT_EQUAL(result.record_error_count, 2);
    end();
}

static void a_wrong_max_timestamp_is_set_right(void)
{
    record_batch_t batch;

    begin();
    add("a", NOW - 7);
    add("b", NOW - 5);
    add("c", NOW - 6);
    finish();
    bytes_put_i64(data + RECORD_BATCH_MAX_TIMESTAMP, NOW + 99);
    sign();
    ACCEPTED();
    CU_ASSERT_EQUAL(result.max_timestamp, NOW - 5);
    CU_ASSERT_EQUAL(result.max_timestamp_delta, 1);
    UNIT_OK(record_batch_parse(&batch, data, length));
    UNIT_OK(record_batch_verify_crc(&batch, data));
    CU_ASSERT_EQUAL(batch.max_timestamp, NOW - 5);
    end();
}

static void the_topics_codec_is_applied(void)
{
    for (int from = 0; from <= RECORD_CODEC_ZSTD; from++)
        for (int to = 0; to <= RECORD_CODEC_ZSTD; to++) {
            record_iterator_t iterator;
            record_t record;
            begin();
            config.compression_type = (int8_t)to;
            options.codec = (record_codec_t)from;
            options.producer_id = 9;
            options.producer_epoch = 3;
            options.base_sequence = 40;
            options.transactional = 1;
            usual_batch();
            ACCEPTED();
            CU_ASSERT_EQUAL(result.recompressed, from != to);
            CU_ASSERT_EQUAL((int)record_batch_codec(&result.batch), to);
            CU_ASSERT_EQUAL(result.batch.base_sequence, 40);
            CU_ASSERT_EQUAL(result.batch.producer_epoch, 3);
            CU_ASSERT(record_batch_is_transactional(&result.batch));
            UNIT_OK(record_batch_verify_crc(&result.batch, result.data));
            UNIT_OK(record_iterator_init(&iterator, &result.batch, result.data,
                                         &scratch, 1 << 20));
            UNIT_OK(record_iterator_next(&iterator, &record));
            UNIT_OK(record_iterator_next(&iterator, &record));
            CU_ASSERT_EQUAL(record.timestamp, NOW - 1000);
            CU_ASSERT(record.key_length == 1 && record.key[0] == 'b');
            CU_ASSERT_EQUAL(record_iterator_next(&iterator, &record), APR_EOF);
        }
    end();
}

static void a_batch_that_grows_above_the_limit_is_too_large(void)
{
    begin();
    options.codec = RECORD_CODEC_ZSTD;
    for (int i = 0; i < 1000; i++)
        add("same", NOW);
    finish();
    config.max_message_bytes = 2000;
    ACCEPTED();
    config.compression_type = RECORD_CODEC_NONE;
    REFUSED(TOO_LARGE);
    end();
}

static void offsets_that_skip_are_counted_anew(void)
{
    for (int codec = 0; codec <= RECORD_CODEC_GZIP; codec++) {
        record_t record = {.offset = 0, .timestamp = NOW};
        record_iterator_t iterator;
        begin();
        options.codec = (record_codec_t)codec;
        UNIT_OK(record_builder_begin(&builder, &options));
        UNIT_OK(record_builder_append_at(&builder, &record));
        record.offset = 2;
        UNIT_OK(record_builder_append_at(&builder, &record));
        record_builder_set_last_offset(&builder, 2);
        finish();
        bytes_put_i32(data + RECORD_BATCH_RECORD_COUNT, 3);
        sign();
        REFUSED(INVALID); /* one is missing */
        UNIT_OK(record_builder_begin(&builder, &options));
        record.offset = 1;
        UNIT_OK(record_builder_append_at(&builder, &record));
        record_builder_set_last_offset(&builder, 1);
        finish();
        bytes_put_i32(data + RECORD_BATCH_RECORD_COUNT, 1);
        bytes_put_i32(data + RECORD_BATCH_LAST_OFFSET_DELTA, 0);
        sign();
        REFUSED(INVALID); /* beyond the batch */
        UNIT_OK(record_builder_begin(&builder, &options));
        record.offset = 1;
        UNIT_OK(record_builder_append_at(&builder, &record));
        builder.next_offset = 0; /* two records with one offset */
        record.offset = 1;
        UNIT_OK(record_builder_append_at(&builder, &record));
        finish();
        ACCEPTED();
        UNIT_OK(record_iterator_init(&iterator, &result.batch, result.data,
                                     &scratch, 1 << 20));
        UNIT_OK(record_iterator_next(&iterator, &record));
        CU_ASSERT_EQUAL(record.offset, 0);
        UNIT_OK(record_iterator_next(&iterator, &record));
        CU_ASSERT_EQUAL(record.offset, 1);
    }
    end();
}

UNIT_MAIN(UNIT_TEST(a_good_batch_is_stored_as_it_came),
          UNIT_TEST(no_batch_at_all_is_invalid),
          UNIT_TEST(two_batches_are_invalid_and_a_cut_second_is_dropped),
          UNIT_TEST(older_magic_is_invalid_and_unknown_is_corrupt),
          UNIT_TEST(a_length_below_the_headers_is_corrupt),
          UNIT_TEST(a_wrong_crc_is_corrupt),
          UNIT_TEST(zstd_needs_produce_7_and_no_codec_is_above_it),
          UNIT_TEST(a_batch_above_max_message_bytes_is_too_large),
          UNIT_TEST(a_base_offset_from_a_client_is_invalid),
          UNIT_TEST(counts_that_do_not_agree_are_invalid),
          UNIT_TEST(control_batches_from_clients_are_invalid),
          UNIT_TEST(producer_fields_must_go_together),
          UNIT_TEST(a_record_that_does_not_fit_is_invalid),
          UNIT_TEST(what_does_not_decompress_is_invalid),
          UNIT_TEST(a_decompression_bomb_is_too_large),
          UNIT_TEST(compacted_topics_need_keys_and_say_which_lack_one),
          UNIT_TEST(the_list_of_record_errors_is_bounded),
          UNIT_TEST(timestamps_out_of_bounds_are_refused),
          UNIT_TEST(log_append_time_is_set_by_the_broker),
          UNIT_TEST(log_append_time_set_by_a_client_is_refused),
          UNIT_TEST(a_wrong_max_timestamp_is_set_right),
          UNIT_TEST(the_topics_codec_is_applied),
          UNIT_TEST(a_batch_that_grows_above_the_limit_is_too_large),
          UNIT_TEST(offsets_that_skip_are_counted_anew))
