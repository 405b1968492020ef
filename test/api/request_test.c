/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames become requests and responses become answers, over a real connection.
 * The table of APIs is the test's own.
 */
#include "api/request.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "api/context.h"
#include "api/table.h"
#include "base/assert.h"
#include "base/atomic.h"
#include "base/bytes.h"
#include "net/server.h"
#include "protocol/api_versions_request.h"
#include "protocol/api_versions_response.h"
#include "protocol/fetch_response.h"
#include "storage/segment.h"
#include "unit.h"

/* The broker that requests see, and what the handlers here keep beside it. */
typedef struct {
    broker_t seen;
    segment_t *segment; /* pinned: its file is open */
    atomic_u32_t handled;
} test_broker_t;

static test_broker_t broker;
static net_server_t *server;

/* The handlers ------------------------------------------------------------- */

static void handle_api_versions(request_t *request)
{
    api_versions_response_api_version_t own = {18, 0, 4};
    api_versions_response_t response;

    atomic_add32(&broker.handled, 1);
    api_versions_response_init(&response);
    response.api_keys = &own;
    response.api_keys_count = 1;
    request_reply(request, &response);
}

/* As the log does: each piece holds a reference and a pin. */
static void add_piece(read_range_t *range, segment_t *segment,
                      apr_off_t position, apr_size_t size)
{
    segment_retain(segment);
    TAKHIN_ASSERT(segment_try_pin(segment));
    range->pieces[range->count++] =
        (read_piece_t){segment, segment->file->file, position, size};
}

/* Two pieces of the broker's file, one small and one large. */
static void handle_fetch(request_t *request)
{
    fetch_response_partition_data_t partition;
    fetch_response_fetchable_topic_response_t topic;
    fetch_response_t response;
    read_range_t *range = apr_pcalloc(request->pool, sizeof(*range));

    add_piece(range, broker.segment, 10, 100);
    add_piece(range, broker.segment, 1000, 100000);
    range->size = 100100;
    fetch_response_partition_data_init(&partition);
    partition.records = (wire_records_t){NULL, 100100, range};
    fetch_response_fetchable_topic_response_init(&topic);
    topic.topic = wire_string_literal("t");
    topic.partitions = &partition;
    topic.partitions_count = 1;
    fetch_response_init(&response);
    response.responses = &topic;
    response.responses_count = 1;
    request_reply(request, &response);
}

static void handle_without_answer(request_t *request)
{
    atomic_add32(&broker.handled, 1);
    request_done(request);
}

static void handle_badly(request_t *request)
{
    request_disconnect(request, "the test wants it");
}

static const api_row_t rows[] = {
    {0, 3, 13, 0, "Produce", handle_without_answer},
    {1, 4, 18, 4, "Fetch", handle_fetch},
    {3, 0, 13, 0, "Metadata", handle_badly},
    {18, 0, 4, 0, "ApiVersions", handle_api_versions},
};

const api_row_t *api_row(int16_t key)
{
    unsigned i;
    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (rows[i].key == key)
            return &rows[i];
    return NULL;
}

const api_row_t *api_rows(int *count)
{
    *count = sizeof(rows) / sizeof(*rows);
    return rows;
}

/* The client --------------------------------------------------------------- */

static void start(void)
{
    static const net_listener_options_t listener = {"PLAINTEXT", "127.0.0.1",
                                                    0};
    net_options_t options;
    const char *error;

    memset(&broker, 0, sizeof(broker));
    net_options_init(&options);
    options.listeners = &listener;
    options.listener_count = 1;
    options.workers = 2;
    options.baton = &broker.seen;
    options.room_size = sizeof(request_t);
    options.dispatch = request_dispatch;
    options.overlaps = request_overlaps;
    if (!UNIT_OK(net_server_start(&server, &options, &error, unit_pool())))
        abort();
}

static void stop(void)
{
    net_server_stop(server, apr_time_from_sec(20));
}

static apr_socket_t *dial(void)
{
    apr_sockaddr_t *address;
    apr_socket_t *socket;

    UNIT_OK(apr_sockaddr_info_get(&address, "127.0.0.1", APR_INET,
                                  net_server_port(server, 0), 0, unit_pool()));
    UNIT_OK(apr_socket_create(&socket, APR_INET, SOCK_STREAM, 0, unit_pool()));
    UNIT_OK(apr_socket_connect(socket, address));
    return socket;
}

/* Sends a request of KEY and VERSION with an empty client id and BODY. */
static void ask(apr_socket_t *socket, int key, int version, int correlation,
                const void *body, apr_size_t size)
{
    uint8_t frame[512] = {0};
    apr_size_t length = 14 + size;

    bytes_put_i32(frame, (int32_t)(length - 4));
    bytes_put_i16(frame + 4, (int16_t)key);
    bytes_put_i16(frame + 6, (int16_t)version);
    bytes_put_i32(frame + 8, correlation);
    if (size)
        memcpy(frame + 14, body, size);
    UNIT_OK(apr_socket_send(socket, (char *)frame, &length));
}

static apr_size_t get(apr_socket_t *socket, void *data, apr_size_t size)
{
    char *p = data;
    apr_size_t got = 0;
    while (got < size) {
        apr_size_t n = size - got;
        if (apr_socket_recv(socket, p + got, &n))
            break;
        got += n;
    }
    return got;
}

/* Reads an answer without its size; NULL at the end. */
static uint8_t *get_answer(apr_socket_t *socket, apr_size_t *length)
{
    uint8_t size[4], *answer;

    if (get(socket, size, 4) < 4)
        return NULL;
    *length = (apr_size_t)bytes_get_i32(size);
    answer = apr_palloc(unit_pool(), *length);
    CU_ASSERT_EQUAL(get(socket, answer, *length), *length);
    return answer;
}

/* Fetch version 4: replica, wait, least, most, isolation, no topics. */
static const uint8_t fetch_body[] = {255, 255, 255, 255, 0,  0, 0, 0, 0, 0, 0,
                                     0,   0,   0,   0,   99, 0, 0, 0, 0, 0};

/* Tests -------------------------------------------------------------------- */

static void a_request_is_decoded_and_answered(void)
{
    api_versions_response_t response;
    wire_reader_t in;
    apr_socket_t *socket;
    apr_size_t length;
    uint8_t *answer;
    int version;

    start();
    socket = dial();
    for (version = 0; version <= 2; version++) {
        ask(socket, 18, version, 70 + version, NULL, 0);
        answer = get_answer(socket, &length);
        CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
        CU_ASSERT_EQUAL(bytes_get_i32(answer), 70 + version);
        wire_reader_init(&in, answer + 4, length - 4, unit_pool());
        UNIT_OK(api_versions_response_decode(&response, &in, version));
        CU_ASSERT_EQUAL(wire_left(&in), 0);
        CU_ASSERT_EQUAL(response.api_keys_count, 1);
    }
    CU_ASSERT_EQUAL(atomic_get32(&broker.handled), 3);
    stop();
}

static void a_newer_api_versions_is_answered_in_version_0(void)
{
    api_versions_response_t response;
    wire_reader_t in;
    apr_socket_t *socket;
    apr_size_t length;
    uint8_t *answer;

    start();
    socket = dial();
    ask(socket, 18, 99, 5, "\0\0anything", 10);
    answer = get_answer(socket, &length);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
    CU_ASSERT_EQUAL(bytes_get_i32(answer), 5);
    wire_reader_init(&in, answer + 4, length - 4, unit_pool());
    UNIT_OK(api_versions_response_decode(&response, &in, 0));
    CU_ASSERT_EQUAL(wire_left(&in), 0);
    CU_ASSERT_EQUAL(response.error_code, 35);
    CU_ASSERT_EQUAL(response.api_keys_count, 1);
    CU_ASSERT_EQUAL(response.api_keys[0].api_key, 18);
    CU_ASSERT_EQUAL(response.api_keys[0].max_version, 4);
    ask(socket, 18, 0, 6, NULL, 0); /* and the connection goes on */
    CU_ASSERT_PTR_NOT_NULL(get_answer(socket, &length));
    stop();
}

static void what_cannot_be_served_is_disconnected(void)
{
    static const struct {
        int key, version;
        apr_size_t size;
    } bad[] = {{999, 0, 0}, {-1, 0, 0}, {0, 2, 0},   {0, 14, 0},
               {1, -1, 0},  {1, 4, 3},  {18, -1, 0}, {3, 0, 4}};
    apr_socket_t *good, *socket;
    apr_size_t length;
    unsigned i;

    start();
    good = dial();
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        socket = dial();
        ask(socket, bad[i].key, bad[i].version, 1, "\0\0\0\0", bad[i].size);
        if (bad[i].key == 18) /* but this one: see above */
            CU_ASSERT_PTR_NOT_NULL(get_answer(socket, &length))
        else
            CU_ASSERT_PTR_NULL(get_answer(socket, &length));
        ask(good, 18, 0, 1, NULL, 0);
        CU_ASSERT_PTR_NOT_NULL(get_answer(good, &length));
    }
    stop();
}

static void file_ranges_go_where_the_records_belong(void)
{
    segment_cache_t *cache;
    fetch_response_t response;
    wire_reader_t in;
    apr_socket_t *socket;
    apr_size_t length;
    uint8_t *content, *answer;
    const wire_records_t *records;
    int i;

    start();
    content = apr_palloc(unit_pool(), 200000);
    for (i = 0; i < 200000; i++)
        content[i] = (uint8_t)(i * 31 + (i >> 9));
    UNIT_OK(segment_cache_create(&cache, 4, 1 << 20, unit_pool()));
    broker.segment = segment_create(cache, 0, 0, 0, 0);
    UNIT_OK(segment_create_file(broker.segment, unit_tmpdir(), 0));
    UNIT_OK(fs_write_at(broker.segment->file, 0, content, 200000));
    socket = dial();
    for (i = 0; i < 3; i++) {
        ask(socket, 1, 4, i, fetch_body, sizeof(fetch_body));
        answer = get_answer(socket, &length);
        CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
        CU_ASSERT_EQUAL(bytes_get_i32(answer), i);
        wire_reader_init(&in, answer + 4, length - 4, unit_pool());
        UNIT_OK(fetch_response_decode(&response, &in, 4));
        CU_ASSERT_EQUAL(wire_left(&in), 0);
        records = &response.responses[0].partitions[0].records;
        CU_ASSERT_EQUAL_FATAL(records->length, 100100);
        CU_ASSERT_EQUAL(memcmp(records->data, content + 10, 100), 0);
        CU_ASSERT_EQUAL(memcmp(records->data + 100, content + 1000, 100000), 0);
    }
    stop();
    CU_ASSERT_EQUAL(apr_atomic_read32(&broker.segment->references), 1);
    CU_ASSERT_EQUAL(apr_atomic_read32(&broker.segment->pins), 1);
    segment_unpin(broker.segment);
    segment_release(broker.segment);
    CU_ASSERT_EQUAL(
        atomic_get64(&net_server_counters(server)->answers_zero_copy), 3);
}

UNIT_MAIN(UNIT_TEST(a_request_is_decoded_and_answered),
          UNIT_TEST(a_newer_api_versions_is_answered_in_version_0),
          UNIT_TEST(what_cannot_be_served_is_disconnected),
          UNIT_TEST(file_ranges_go_where_the_records_belong))
