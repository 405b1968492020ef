/* SPDX-License-Identifier: Apache-2.0 */
/* takhin_reader: a range of a file, read and sent piece by piece. */
#include "support.h"

#define SIZE (200 * KIB)

static void a_reader_reads_its_range_and_no_more(void)
{
    apr_file_t *file = file_with(SIZE);
    takhin_reader_t reader = takhin_reader(file, 1000, 50000);
    static unsigned char data[60000];
    apr_size_t n = 30000;

    CU_ASSERT_EQUAL(takhin_reader_position(&reader), 0);
    CU_ASSERT_EQUAL(takhin_reader_remaining(&reader), 50000);
    ASSERT_OK(takhin_reader_read(&reader, data, &n));
    CU_ASSERT_EQUAL(n, 30000);
    CU_ASSERT(pattern_matches(data, n, 1000));
    CU_ASSERT_EQUAL(takhin_reader_position(&reader), 30000);
    CU_ASSERT_EQUAL(takhin_reader_remaining(&reader), 20000);
    n = 30000;
    ASSERT_OK(takhin_reader_read(&reader, data, &n));
    CU_ASSERT_EQUAL(n, 20000);
    CU_ASSERT(pattern_matches(data, n, 31000));
    CU_ASSERT_EQUAL(takhin_reader_remaining(&reader), 0);
    n = 1;
    CU_ASSERT_EQUAL(takhin_reader_read(&reader, data, &n), APR_EOF);
    CU_ASSERT_EQUAL(n, 0);
    CU_ASSERT_EQUAL(file_position(file), 0);
    apr_file_close(file);
}

static void a_reader_is_a_value(void)
{
    apr_file_t *file = file_with(SIZE);
    takhin_reader_t reader = takhin_reader(file, 0, SIZE);
    takhin_reader_t copy;
    unsigned char data[100];
    apr_size_t n = sizeof(data);

    ASSERT_OK(takhin_reader_read(&reader, data, &n));
    copy = reader;
    ASSERT_OK(takhin_reader_read(&reader, data, &n));
    CU_ASSERT_EQUAL(takhin_reader_position(&reader), 200);
    CU_ASSERT_EQUAL(takhin_reader_position(&copy), 100);
    ASSERT_OK(takhin_reader_read(&copy, data, &n));
    CU_ASSERT(pattern_matches(data, n, 100));
    apr_file_close(file);
}

static void a_reader_over_a_shorter_file_says_eof_with_what_there_was(void)
{
    apr_file_t *file = file_with(1000);
    takhin_reader_t reader = takhin_reader(file, 900, 5000);
    takhin_destination_t to;
    sink_t sink = {.offset = 900, .matches = 1};
    unsigned char data[500];
    apr_size_t n = sizeof(data);
    apr_off_t sent;

    CU_ASSERT_EQUAL(takhin_reader_read(&reader, data, &n), APR_EOF);
    CU_ASSERT_EQUAL(n, 100);
    CU_ASSERT_EQUAL(takhin_reader_remaining(&reader), 4900);
    reader = takhin_reader(file, 900, 5000);
    to = takhin_to_writer(sink_write, &sink);
    CU_ASSERT_EQUAL(takhin_reader_write_to(&reader, &to, 5000, NULL, &sent),
                    APR_EOF);
    CU_ASSERT_EQUAL(sent, 100);
    CU_ASSERT_EQUAL(takhin_reader_position(&reader), 100);
    apr_file_close(file);
}

static void a_reader_writes_to_any_destination(void)
{
    apr_file_t *file = file_with(SIZE);
    apr_file_t *out = file_create(unit_tmpdir(), "out");
    apr_socket_t *socket;
    apr_file_t *pipe;
    receiver_t *of_socket = tcp_receiver(5000, &socket);
    receiver_t *of_pipe = pipe_receiver(5000, &pipe);
    sink_t sink = {.offset = 5000, .matches = 1};
    takhin_destination_t to[4];
    int i;

    to[0] = takhin_to_socket(socket);
    to[1] = takhin_to_file(pipe);
    to[2] = takhin_to_file(out);
    to[3] = takhin_to_writer(sink_write, &sink);
    for (i = 0; i < 4; i++) {
        takhin_reader_t reader = takhin_reader(file, 5000, 150001);
        apr_off_t sent, sum = 0;

        while (takhin_reader_remaining(&reader) > 0) {
            ASSERT_OK(
                takhin_reader_write_to(&reader, &to[i], 40000, NULL, &sent));
            sum += sent;
            CU_ASSERT_EQUAL_FATAL(takhin_reader_position(&reader), sum);
        }
        CU_ASSERT_EQUAL(sum, 150001);
        ASSERT_OK(takhin_reader_write_to(&reader, &to[i], 1, NULL, &sent));
        CU_ASSERT_EQUAL(sent, 0);
    }
    apr_socket_close(socket);
    apr_file_close(pipe);
    receiver_join(of_socket);
    receiver_join(of_pipe);
    CU_ASSERT(of_socket->matches && of_socket->received == 150001);
    CU_ASSERT(of_pipe->matches && of_pipe->received == 150001);
    CU_ASSERT(sink.matches && sink.received == 150001);
    CU_ASSERT(file_matches(out, 0, 150001, 5000));
    apr_file_close(out);
    apr_file_close(file);
}

static void a_reader_goes_on_where_a_destination_had_no_room(void)
{
    apr_file_t *file = file_with(SIZE);
    takhin_reader_t reader = takhin_reader(file, 3, SIZE - 3);
    sink_t sink = {.offset = 3, .matches = 1, .most = 1003, .eagain_every = 5};
    takhin_destination_t to = takhin_to_writer(sink_write, &sink);
    apr_status_t status;
    apr_off_t sent;

    do {
        status = takhin_reader_write_to(&reader, &to, SIZE, NULL, &sent);
        CU_ASSERT_EQUAL_FATAL(takhin_reader_position(&reader), sink.received);
    } while (APR_STATUS_IS_EAGAIN(status));
    CU_ASSERT_EQUAL(status, APR_SUCCESS);
    CU_ASSERT_EQUAL(sink.received, SIZE - 3);
    CU_ASSERT(sink.matches);
    apr_file_close(file);
}

static void a_reader_over_no_range_is_refused(void)
{
    apr_file_t *file = file_with(10);
    takhin_reader_t reader = takhin_reader(file, -1, 5);
    sink_t sink = {.matches = 1};
    takhin_destination_t to = takhin_to_writer(sink_write, &sink);
    char data[5];
    apr_size_t n = sizeof(data);
    apr_off_t sent;

    CU_ASSERT_EQUAL(takhin_reader_read(&reader, data, &n), APR_EINVAL);
    CU_ASSERT_EQUAL(n, 0);
    CU_ASSERT_EQUAL(takhin_reader_write_to(&reader, &to, 5, NULL, &sent),
                    APR_EINVAL);
    apr_file_close(file);
}

UNIT_MAIN(UNIT_TEST(a_reader_reads_its_range_and_no_more),
          UNIT_TEST(a_reader_is_a_value),
          UNIT_TEST(a_reader_over_a_shorter_file_says_eof_with_what_there_was),
          UNIT_TEST(a_reader_writes_to_any_destination),
          UNIT_TEST(a_reader_goes_on_where_a_destination_had_no_room),
          UNIT_TEST(a_reader_over_no_range_is_refused))
