/* SPDX-License-Identifier: Apache-2.0 */
/* The codec's runtime: bounds, varints, bad lengths, tags, splices. */
#include <stdlib.h>

#include "base/error.h"
#include "protocol/api.h"
#include "protocol/error_code.h"
#include "protocol/messages.h"
#include "protocol/wire.h"
#include "unit.h"

static wire_reader_t in;
static wire_writer_t out;

/* Reads from a literal's bytes, in memory of their own, so that ASan sees a
 * read behind them. */
#define READ(bytes) read_bytes(bytes, sizeof(bytes) - 1)

static void read_bytes(const char *bytes, apr_size_t length)
{
    static uint8_t *frame;
    free(frame);
    frame = malloc(length);
    memcpy(frame, bytes, length);
    wire_reader_init(&in, frame, length, unit_pool());
}

static void write_anew(void)
{
    wire_writer_init(&out, unit_pool(), 0);
}

/* Reads what was written. */
static void read_back(void)
{
    CU_ASSERT_EQUAL(out.status, APR_SUCCESS);
    wire_reader_init(&in, out.buf, out.length, unit_pool());
}

#define WROTE(bytes)                                                          \
    CU_ASSERT(out.status == APR_SUCCESS && out.length == sizeof(bytes) - 1 && \
              memcmp(out.buf, bytes, sizeof(bytes) - 1) == 0)

static void integers_are_big_endian(void)
{
    write_anew();
    wire_put_int8(&out, -2);
    wire_put_int16(&out, 0x0102);
    wire_put_int32(&out, 0x03040506);
    wire_put_int64(&out, INT64_C(0x0708090a0b0c0d0e));
    wire_put_bool(&out, true);
    wire_put_uint16(&out, 0xfffe);
    wire_put_float64(&out, 1.0);
    WROTE("\xfe\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\1\xff\xfe"
          "\x3f\xf0\0\0\0\0\0\0");
    read_back();
    CU_ASSERT_EQUAL(wire_get_int8(&in, "a"), -2);
    CU_ASSERT_EQUAL(wire_get_int16(&in, "b"), 0x0102);
    CU_ASSERT_EQUAL(wire_get_int32(&in, "c"), 0x03040506);
    CU_ASSERT_EQUAL(wire_get_int64(&in, "d"), INT64_C(0x0708090a0b0c0d0e));
    CU_ASSERT(wire_get_bool(&in, "e"));
    CU_ASSERT_EQUAL(wire_get_uint16(&in, "f"), 0xfffe);
    CU_ASSERT_EQUAL(wire_get_float64(&in, "g"), 1.0);
    CU_ASSERT_EQUAL(wire_left(&in), 0);
}

static void an_integer_that_is_cut_short_is_truncated(void)
{
    READ("\0\0\0");
    CU_ASSERT_EQUAL(wire_get_int32(&in, "Size"), 0);
    CU_ASSERT_EQUAL(in.status, TAKHIN_ETRUNCATED);
    CU_ASSERT_STRING_EQUAL(wire_reader_error(&in, unit_pool()),
                           "Size at byte 0: the frame ends too early");
}

static void after_an_error_nothing_more_is_read(void)
{
    READ("\0\0\1");
    wire_get_int32(&in, "First");
    CU_ASSERT_EQUAL(wire_get_int8(&in, "Second"), 0);
    CU_ASSERT_EQUAL(wire_left(&in), 0);
    CU_ASSERT_STRING_EQUAL(in.field, "First");
}

static void varints_of_every_length_come_back(void)
{
    for (int shift = 0; shift < 64; shift++)
        for (int less = 0; less < 2; less++) {
            uint64_t value = (UINT64_C(1) << shift) - (uint64_t)less;
            write_anew();
            wire_put_uvarlong(&out, value);
            wire_put_varlong(&out, (int64_t)value);
            wire_put_varlong(&out, (int64_t)(0 - value));
            wire_put_uvarint(&out, (uint32_t)value);
            wire_put_varint(&out, (int32_t)(uint32_t)value);
            read_back();
            CU_ASSERT_EQUAL(wire_get_uvarlong(&in, "a"), value);
            CU_ASSERT_EQUAL(wire_get_varlong(&in, "b"), (int64_t)value);
            CU_ASSERT_EQUAL(wire_get_varlong(&in, "c"), (int64_t)(0 - value));
            CU_ASSERT_EQUAL(wire_get_uvarint(&in, "d"), (uint32_t)value);
            CU_ASSERT_EQUAL(wire_get_varint(&in, "e"),
                            (int32_t)(uint32_t)value);
            CU_ASSERT_EQUAL(wire_left(&in), 0);
        }
}

static void varints_have_kafkas_bytes(void)
{
    write_anew();
    wire_put_uvarint(&out, 300);
    wire_put_varint(&out, -1);
    wire_put_varint(&out, 1);
    wire_put_varint(&out, INT32_MIN);
    WROTE("\xac\x02\x01\x02\xff\xff\xff\xff\x0f");
}

static void a_varint_that_is_too_long_is_corrupt(void)
{
    READ("\xff\xff\xff\xff\x1f");
    wire_get_uvarint(&in, "Count");
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
    READ("\x80\x80\x80\x80\x80\0");
    wire_get_uvarint(&in, "Count");
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
    READ("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
    wire_get_varlong(&in, "Count");
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
    READ("\x80\x80");
    wire_get_uvarint(&in, "Count");
    CU_ASSERT_EQUAL(in.status, TAKHIN_ETRUNCATED);
}

static void strings_point_into_the_frame(void)
{
    wire_string_t string;
    READ("\0\2abc");
    string = wire_get_string(&in, false, false, "Name");
    CU_ASSERT(wire_string_equal_text(string, "ab"));
    CU_ASSERT_PTR_EQUAL(string.data, in.start + 2);
    READ("\3abc");
    string = wire_get_string(&in, true, false, "Name");
    CU_ASSERT(wire_string_equal_text(string, "ab"));
    CU_ASSERT_STRING_EQUAL(wire_string_dup(string, unit_pool()), "ab");
}

static void a_null_is_taken_only_where_one_may_be(void)
{
    READ("\xff\xff");
    CU_ASSERT(wire_string_is_null(wire_get_string(&in, false, true, "N")));
    CU_ASSERT(wire_reader_ok(&in));
    READ("\0");
    CU_ASSERT(wire_string_is_null(wire_get_string(&in, true, true, "N")));
    CU_ASSERT(wire_reader_ok(&in));
    READ("\xff\xff");
    wire_get_string(&in, false, false, "N");
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
    READ("\0");
    wire_get_bytes(&in, true, false, "N");
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
    READ("\xff");
    CU_ASSERT_PTR_NULL(wire_get_struct(&in, false, false, 8, "N"));
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
    write_anew();
    wire_put_string(&out, WIRE_STRING_NULL, true, false, "N");
    CU_ASSERT_EQUAL(out.status, TAKHIN_ECORRUPT);
    CU_ASSERT_STRING_EQUAL(wire_writer_error(&out, unit_pool()),
                           "N: must not be null");
}

static void a_length_beyond_the_frame_is_corrupt(void)
{
    READ("\0\3ab");
    wire_get_string(&in, false, false, "Name");
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
    READ("\x7f\xff\xff\xff"
         "a");
    wire_get_bytes(&in, false, false, "Data");
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
    READ("\xff\xff\xff\xff\x0f"
         "a");
    wire_get_records(&in, true, true, "Records");
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
    READ("\xff\xfe"
         "ab");
    wire_get_string(&in, false, true, "Name");
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
}

static void a_string_above_32767_bytes_is_neither_read_nor_written(void)
{
    static char text[0x8000 + 3] = {(char)0x81, (char)0x80, 2};
    wire_reader_init(&in, text, sizeof(text), unit_pool());
    wire_get_string(&in, true, false, "Name");
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
    write_anew();
    wire_put_string(&out, (wire_string_t){text, 0x8000}, true, false, "N");
    CU_ASSERT_EQUAL(out.status, TAKHIN_ETOOBIG);
}

static void an_array_that_cannot_fit_is_not_allocated(void)
{
    int32_t count;
    /* Three elements of four bytes at least, but eight bytes left. A reader
     * without a pool could not allocate. */
    READ("\0\0\0\3"
         "12345678");
    in.pool = NULL;
    CU_ASSERT_PTR_NULL(wire_get_array(&in, &count, false, false, 4, 4, "A"));
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
    CU_ASSERT(count <= 0);
    READ("\x7f\xff\xff\xff"
         "12345678");
    in.pool = NULL;
    CU_ASSERT_PTR_NULL(wire_get_array(&in, &count, false, false, 1, 99, "A"));
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
    READ("\xff\xff\xff\xff\x0f");
    CU_ASSERT_PTR_NULL(wire_get_array(&in, &count, true, true, 1, 99, "A"));
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
    READ("\0\0\0\2"
         "12345678");
    CU_ASSERT_PTR_NOT_NULL(
        wire_get_array(&in, &count, false, false, 4, 4, "A"));
    CU_ASSERT_EQUAL(count, 2);
}

static void a_null_array_has_count_minus_one(void)
{
    int32_t count;
    READ("\xff\xff\xff\xff");
    CU_ASSERT_PTR_NULL(wire_get_array(&in, &count, false, true, 4, 4, "A"));
    CU_ASSERT_EQUAL(count, -1);
    CU_ASSERT(wire_reader_ok(&in));
    READ("\xff\xff\xff\xfe");
    wire_get_array(&in, &count, false, true, 4, 4, "A");
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
}

static void unknown_tagged_fields_are_passed_over(void)
{
    READ("\2\0\1x\5\2yz!");
    wire_skip_tags(&in);
    CU_ASSERT(wire_reader_ok(&in));
    CU_ASSERT_EQUAL(wire_left(&in), 1);
}

static void a_tagged_field_longer_than_the_frame_is_corrupt(void)
{
    READ("\1\0\4xyz");
    wire_skip_tags(&in);
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
    READ("\xff\xff\xff\xff\x0f\0\0");
    wire_skip_tags(&in);
    CU_ASSERT_EQUAL(in.status, TAKHIN_ETRUNCATED);
}

static void a_tagged_field_must_fill_its_size(void)
{
    uint32_t tag;
    const uint8_t *end;
    READ("\7\5\0\0\0\1\0");
    end = wire_get_tag(&in, &tag);
    CU_ASSERT_EQUAL(tag, 7);
    CU_ASSERT_EQUAL(wire_get_int32(&in, "V"), 1);
    wire_get_tag_end(&in, end);
    CU_ASSERT_EQUAL(in.status, TAKHIN_ECORRUPT);
    CU_ASSERT_EQUAL(wire_left(&in), 0);
    /* Nor may its value reach beyond it. */
    READ("\7\3\0\0\0\1");
    end = wire_get_tag(&in, &tag);
    wire_get_int32(&in, "V");
    wire_get_tag_end(&in, end);
    CU_ASSERT_EQUAL(in.status, TAKHIN_ETRUNCATED);
    CU_ASSERT_EQUAL(wire_left(&in), 0);
}

static void a_long_tagged_value_has_its_size_before_it(void)
{
    static const char text[300] = "x";
    apr_size_t mark;
    uint32_t tag;
    const uint8_t *end;
    write_anew();
    mark = wire_put_tag(&out, 1);
    wire_put_raw(&out, text, sizeof(text));
    wire_put_tag_end(&out, mark);
    CU_ASSERT_EQUAL(out.length, sizeof(text) + 3);
    CU_ASSERT_EQUAL(memcmp(out.buf, "\1\xac\2x", 4), 0);
    read_back();
    end = wire_get_tag(&in, &tag);
    CU_ASSERT_EQUAL(wire_left(&in), sizeof(text));
    wire_skip_tag(&in);
    wire_get_tag_end(&in, end);
    CU_ASSERT(wire_reader_ok(&in));
}

static void records_with_ranges_are_spliced_not_copied(void)
{
    int range;
    wire_records_t file = {NULL, 1000, &range};
    wire_records_t memory = {(const uint8_t *)"abc", 3, NULL};
    write_anew();
    wire_put_records(&out, &file, false, true, "Records");
    wire_put_records(&out, &memory, false, true, "Records");
    wire_put_records(&out, &file, true, true, "Records");
    wire_put_int8(&out, 9);
    WROTE("\0\0\3\xe8\0\0\0\3abc\xe9\7\x9");
    CU_ASSERT_EQUAL_FATAL(out.splice_count, 2);
    CU_ASSERT_EQUAL(out.splices[0].at, 4);
    CU_ASSERT_EQUAL(out.splices[1].at, 13);
    CU_ASSERT_PTR_EQUAL(out.splices[1].records, &file);
    CU_ASSERT_EQUAL(wire_writer_total(&out), out.length + 2000);
    /* Many of them. */
    for (int i = 0; i < 100; i++)
        wire_put_records(&out, &file, true, true, "Records");
    CU_ASSERT_EQUAL(out.splice_count, 102);
    CU_ASSERT_EQUAL(out.splices[0].at, 4);
}

static void a_writer_grows_as_needed(void)
{
    write_anew();
    for (int32_t i = 0; i < 100000; i++)
        wire_put_int32(&out, i);
    read_back();
    CU_ASSERT_EQUAL(wire_left(&in), 400000);
    for (int32_t i = 0; i < 100000; i++)
        if (wire_get_int32(&in, "I") != i)
            CU_FAIL("another number");
}

static void a_field_that_the_version_lacks_gets_its_default(void)
{
    fetch_request_t request;
    memset(&request, 0xa5, sizeof(request));
    READ("\xff\xff\xff\xff\0\0\0\1\0\0\0\2\0\0\0\3\1\0\0\0\0");
    UNIT_OK(fetch_request_decode(&request, &in, 4));
    CU_ASSERT_EQUAL(request.replica_id, -1);
    CU_ASSERT_EQUAL(request.max_bytes, 3);
    CU_ASSERT_EQUAL(request.isolation_level, 1);
    CU_ASSERT_EQUAL(request.session_epoch, -1);
    CU_ASSERT_EQUAL(request.replica_state.replica_epoch, -1);
    CU_ASSERT_EQUAL(request.forgotten_topics_data_count, 0);
    CU_ASSERT(wire_string_is_null(request.cluster_id));
    CU_ASSERT(wire_string_equal_text(request.rack_id, ""));
}

static void a_field_that_may_not_be_lost_stops_the_encoding(void)
{
    fetch_request_t request;
    int32_t partition = 0;
    fetch_request_forgotten_topic_t forgotten;
    fetch_request_init(&request);
    fetch_request_forgotten_topic_init(&forgotten);
    forgotten.partitions = &partition;
    forgotten.partitions_count = 1;
    request.forgotten_topics_data = &forgotten;
    request.forgotten_topics_data_count = 1;
    write_anew();
    CU_ASSERT_EQUAL(fetch_request_encode(&request, &out, 6),
                    TAKHIN_EUNSUPPORTED);
    CU_ASSERT_STRING_EQUAL(wire_writer_error(&out, unit_pool()),
                           "ForgottenTopicsData: set, but not in this "
                           "version");
    write_anew();
    UNIT_OK(fetch_request_encode(&request, &out, 7));
    /* One that may be ignored is left out. */
    fetch_request_init(&request);
    request.session_id = 7;
    write_anew();
    UNIT_OK(fetch_request_encode(&request, &out, 6));
}

static void headers_have_the_version_that_the_request_calls_for(void)
{
    request_header_t header;
    CU_ASSERT_EQUAL(protocol_request_header_version(1, 11), 1);
    CU_ASSERT_EQUAL(protocol_request_header_version(1, 12), 2);
    CU_ASSERT_EQUAL(protocol_response_header_version(1, 11), 0);
    CU_ASSERT_EQUAL(protocol_response_header_version(1, 12), 1);
    CU_ASSERT_EQUAL(protocol_request_header_version(18, 3), 2);
    CU_ASSERT_EQUAL(protocol_response_header_version(18, 3), 0);
    CU_ASSERT_EQUAL(protocol_request_header_version(17, 1), 1);
    CU_ASSERT_EQUAL(protocol_request_header_version(9999, 1), 1);
    /* Version 12 of Fetch: tagged fields, but a 16-bit length. */
    READ("\0\1\0\x0c\0\0\0\5\0\2me\0X");
    UNIT_OK(protocol_request_header_decode(&header, &in));
    CU_ASSERT_EQUAL(header.request_api_key, 1);
    CU_ASSERT_EQUAL(header.correlation_id, 5);
    CU_ASSERT(wire_string_equal_text(header.client_id, "me"));
    CU_ASSERT_EQUAL(wire_left(&in), 1);
    READ("\0\1\0\4\0\0\0\5\xff\xffX");
    UNIT_OK(protocol_request_header_decode(&header, &in));
    CU_ASSERT(wire_string_is_null(header.client_id));
    CU_ASSERT_EQUAL(wire_left(&in), 1);
    READ("\0\1\0");
    CU_ASSERT_EQUAL(protocol_request_header_decode(&header, &in),
                    TAKHIN_ETRUNCATED);
}

static void the_tables_find_what_they_hold(void)
{
    const protocol_api_t *api = protocol_api(1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(api);
    CU_ASSERT_STRING_EQUAL(api->name, "Fetch");
    CU_ASSERT_EQUAL(api->min_version, 4);
    CU_ASSERT_EQUAL(api->max_version, 18);
    CU_ASSERT_EQUAL(api->flexible, 12);
    CU_ASSERT_PTR_EQUAL(api->request, &fetch_request_message);
    CU_ASSERT_PTR_EQUAL(api->response, &fetch_response_message);
    CU_ASSERT_PTR_NULL(protocol_api(4));
    CU_ASSERT_PTR_NULL(protocol_api(-1));
    CU_ASSERT_PTR_NULL(protocol_api(INT16_MAX));
    CU_ASSERT_STRING_EQUAL(protocol_api_name(4), "unknown");
    CU_ASSERT_PTR_EQUAL(metadata_record(2), &topic_record_message);
    CU_ASSERT_PTR_NULL(metadata_record(999));
    CU_ASSERT_PTR_EQUAL(group_record_key(1), &offset_commit_key_message);
    CU_ASSERT_PTR_EQUAL(group_record_value(1), &offset_commit_value_message);
    CU_ASSERT_PTR_EQUAL(transaction_record_key(0),
                        &transaction_log_key_message);
    CU_ASSERT_PTR_EQUAL(protocol_message("VotersRecord"),
                        &voters_record_message);
    CU_ASSERT_PTR_NULL(protocol_message("Nothing"));
}

static void error_codes_have_kafkas_names(void)
{
    CU_ASSERT_EQUAL(KAFKA_UNKNOWN_TOPIC_OR_PARTITION, 3);
    CU_ASSERT_EQUAL(KAFKA_SHARE_SESSION_LIMIT_REACHED, 133);
    CU_ASSERT_STRING_EQUAL(kafka_error_name(0), "NONE");
    CU_ASSERT_STRING_EQUAL(kafka_error_name(35), "UNSUPPORTED_VERSION");
    CU_ASSERT_STRING_EQUAL(kafka_error_name(-1), "UNKNOWN_SERVER_ERROR");
    CU_ASSERT_STRING_EQUAL(kafka_error_name(9999), "UNKNOWN_SERVER_ERROR");
    CU_ASSERT(kafka_error_retriable(KAFKA_NOT_COORDINATOR));
    CU_ASSERT(!kafka_error_retriable(KAFKA_INVALID_REQUEST));
}

UNIT_MAIN(UNIT_TEST(integers_are_big_endian),
          UNIT_TEST(an_integer_that_is_cut_short_is_truncated),
          UNIT_TEST(after_an_error_nothing_more_is_read),
          UNIT_TEST(varints_of_every_length_come_back),
          UNIT_TEST(varints_have_kafkas_bytes),
          UNIT_TEST(a_varint_that_is_too_long_is_corrupt),
          UNIT_TEST(strings_point_into_the_frame),
          UNIT_TEST(a_null_is_taken_only_where_one_may_be),
          UNIT_TEST(a_length_beyond_the_frame_is_corrupt),
          UNIT_TEST(a_string_above_32767_bytes_is_neither_read_nor_written),
          UNIT_TEST(an_array_that_cannot_fit_is_not_allocated),
          UNIT_TEST(a_null_array_has_count_minus_one),
          UNIT_TEST(unknown_tagged_fields_are_passed_over),
          UNIT_TEST(a_tagged_field_longer_than_the_frame_is_corrupt),
          UNIT_TEST(a_tagged_field_must_fill_its_size),
          UNIT_TEST(a_long_tagged_value_has_its_size_before_it),
          UNIT_TEST(records_with_ranges_are_spliced_not_copied),
          UNIT_TEST(a_writer_grows_as_needed),
          UNIT_TEST(a_field_that_the_version_lacks_gets_its_default),
          UNIT_TEST(a_field_that_may_not_be_lost_stops_the_encoding),
          UNIT_TEST(headers_have_the_version_that_the_request_calls_for),
          UNIT_TEST(the_tables_find_what_they_hold),
          UNIT_TEST(error_codes_have_kafkas_names))
