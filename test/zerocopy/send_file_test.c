/* SPDX-License-Identifier: Apache-2.0 */
/*
 * takhin_send_file with the system's own calls: sockets, pipes, files and
 * writers; large offsets; receivers that are slow or go away.
 */
#include "support.h"

#define SIZE (3 * MIB + 17)

static void send_over_tcp(apr_off_t offset, apr_off_t count)
{
    apr_file_t *file = file_with(SIZE);
    takhin_zerocopy_counters_t counters = {0};
    apr_socket_t *sender;
    receiver_t *r = tcp_receiver(offset, &sender);
    takhin_destination_t to = takhin_to_socket(sender);
    apr_off_t sent;

    ASSERT_OK(takhin_send_file(&to, file, offset, count, &counters, &sent));
    CU_ASSERT_EQUAL(sent, count);
    CU_ASSERT_EQUAL(file_position(file), 0);
    apr_socket_close(sender);
    receiver_join(r);
    CU_ASSERT_EQUAL(r->received, count);
    CU_ASSERT(r->matches);
    CU_ASSERT_EQUAL(counters.zero_copy_bytes +
                        counters.fallback_bytes[TAKHIN_FALLBACK_UNSUPPORTED],
                    (apr_uint64_t)count);
    apr_file_close(file);
}

static void a_whole_file_goes_over_tcp(void)
{
    send_over_tcp(0, SIZE);
}

static void a_part_of_a_file_goes_over_tcp(void)
{
    send_over_tcp(4097, 1);
    send_over_tcp(65537, MIB + 1);
    send_over_tcp(SIZE - 5, 5);
}

static void send_to_pipe(apr_off_t offset, apr_off_t count)
{
    apr_file_t *file = file_with(SIZE);
    apr_file_t *sender;
    receiver_t *r = pipe_receiver(offset, &sender);
    takhin_destination_t to = takhin_to_file(sender);
    apr_off_t sent;

    CU_ASSERT_EQUAL(to.kind, TAKHIN_TO_PIPE);
    ASSERT_OK(takhin_send_file(&to, file, offset, count, NULL, &sent));
    CU_ASSERT_EQUAL(sent, count);
    CU_ASSERT_EQUAL(file_position(file), 0);
    apr_file_close(sender);
    receiver_join(r);
    CU_ASSERT_EQUAL(r->received, count);
    CU_ASSERT(r->matches);
    apr_file_close(file);
}

static void a_whole_file_goes_to_a_pipe(void)
{
    send_to_pipe(0, SIZE);
}

static void a_part_of_a_file_goes_to_a_pipe(void)
{
    send_to_pipe(4097, 1);
    send_to_pipe(65537, MIB + 1);
}

static void a_full_pipe_that_does_not_block_says_eagain(void)
{
    apr_file_t *file = file_with(SIZE);
    apr_file_t *in, *out;
    takhin_destination_t to;
    apr_off_t done = 0, received = 0, sent;
    static unsigned char data[32 * 1024];
    int eagain = 0;

    ASSERT_OK(apr_file_pipe_create_ex(&in, &out, APR_READ_BLOCK, unit_pool()));
    to = takhin_to_file(out);
    while (received < SIZE) {
        apr_size_t n = sizeof(data);
        apr_status_t status =
            takhin_send_file(&to, file, done, SIZE - done, NULL, &sent);

        CU_ASSERT_FATAL(status == APR_SUCCESS || APR_STATUS_IS_EAGAIN(status));
        eagain += status != APR_SUCCESS;
        done += sent;
        CU_ASSERT_FATAL(done > received);
        ASSERT_OK(apr_file_read(in, data, &n));
        CU_ASSERT_FATAL(pattern_matches(data, n, received));
        received += (apr_off_t)n;
    }
    CU_ASSERT(eagain > 0);
    apr_file_close(in);
    apr_file_close(out);
    apr_file_close(file);
}

static void a_pipe_without_reader_is_an_error(void)
{
    apr_file_t *file = file_with(SIZE);
    apr_file_t *in, *out;
    takhin_destination_t to;
    apr_off_t sent;

    apr_signal(SIGPIPE, SIG_IGN);
    ASSERT_OK(apr_file_pipe_create_ex(&in, &out, APR_FULL_BLOCK, unit_pool()));
    apr_file_close(in);
    to = takhin_to_file(out);
    CU_ASSERT_EQUAL(takhin_send_file(&to, file, 0, SIZE, NULL, &sent),
                    APR_EPIPE);
    CU_ASSERT_EQUAL(sent, 0);
    apr_file_close(out);
    apr_file_close(file);
}

static void a_file_takes_bytes_at_its_own_position(void)
{
    apr_file_t *file = file_with(SIZE);
    apr_file_t *out = file_create(unit_tmpdir(), "out");
    takhin_destination_t to = takhin_to_file(out);
    takhin_zerocopy_counters_t counters = {0};
    apr_off_t sent;

    CU_ASSERT_EQUAL(to.kind, TAKHIN_TO_FILE);
    ASSERT_OK(takhin_send_file(&to, file, 1000, MIB, &counters, &sent));
    ASSERT_OK(takhin_send_file(&to, file, 1000 + MIB, 7, &counters, &sent));
    CU_ASSERT_EQUAL(file_position(out), MIB + 7);
    CU_ASSERT(file_matches(out, 0, MIB + 7, 1000));
    CU_ASSERT_EQUAL(counters.fallback_calls[TAKHIN_FALLBACK_UNSUPPORTED], 2);
    CU_ASSERT_EQUAL(counters.fallback_bytes[TAKHIN_FALLBACK_UNSUPPORTED],
                    (apr_uint64_t)MIB + 7);
    apr_file_close(out);
    apr_file_close(file);
}

static void a_buffered_file_keeps_its_order(void)
{
    apr_file_t *file = file_with(SIZE);
    apr_file_t *out = NULL;
    takhin_destination_t to;
    apr_off_t sent;
    unsigned char head[100];

    ASSERT_OK(apr_file_open(
        &out, apr_pstrcat(unit_pool(), unit_tmpdir(), "/buffered", NULL),
        APR_FOPEN_CREATE | APR_FOPEN_READ | APR_FOPEN_WRITE |
            APR_FOPEN_BUFFERED | APR_FOPEN_BINARY,
        APR_FPROT_OS_DEFAULT, unit_pool()));
    pattern_fill(head, sizeof(head), 0);
    ASSERT_OK(apr_file_write_full(out, head, sizeof(head), NULL));
    to = takhin_to_file(out);
    ASSERT_OK(takhin_send_file(&to, file, 100, 300000, NULL, &sent));
    ASSERT_OK(apr_file_flush(out));
    CU_ASSERT(file_matches(out, 0, 300100, 0));
    apr_file_close(out);
    apr_file_close(file);
}

static void a_writer_that_takes_little_gets_every_byte_once(void)
{
    apr_file_t *file = file_with(SIZE);
    sink_t sink = {.offset = 333, .matches = 1, .most = 4099};
    takhin_destination_t to = takhin_to_writer(sink_write, &sink);
    apr_off_t sent;

    ASSERT_OK(takhin_send_file(&to, file, 333, MIB, NULL, &sent));
    CU_ASSERT_EQUAL(sent, MIB);
    CU_ASSERT_EQUAL(sink.received, MIB);
    CU_ASSERT(sink.matches);
    apr_file_close(file);
}

static void a_writer_without_room_is_resumed_at_the_exact_byte(void)
{
    apr_file_t *file = file_with(SIZE);
    sink_t sink = {.matches = 1, .most = 9001, .eagain_every = 3};
    takhin_destination_t to = takhin_to_writer(sink_write, &sink);
    apr_off_t done = 0;
    apr_off_t sent;
    apr_status_t status;

    do {
        status = takhin_send_file(&to, file, done, SIZE - done, NULL, &sent);
        done += sent;
        CU_ASSERT_EQUAL_FATAL(done, sink.received);
    } while (APR_STATUS_IS_EAGAIN(status));
    CU_ASSERT_EQUAL(status, APR_SUCCESS);
    CU_ASSERT_EQUAL(done, SIZE);
    CU_ASSERT(sink.matches);
    apr_file_close(file);
}

static void offsets_above_4_gib_work(void)
{
    const apr_off_t offset = 4 * GIB + 12345;
    const apr_off_t length = 2 * MIB + 3;
    apr_file_t *file = file_create(unit_tmpdir(), "sparse");
    apr_socket_t *socket;
    apr_file_t *pipe;
    receiver_t *r;
    takhin_destination_t to;
    sink_t sink = {.offset = offset, .matches = 1};
    apr_off_t sent;

    file_fill(file, offset, length);
    r = tcp_receiver(offset, &socket);
    to = takhin_to_socket(socket);
    ASSERT_OK(takhin_send_file(&to, file, offset, length, NULL, &sent));
    apr_socket_close(socket);
    receiver_join(r);
    CU_ASSERT(r->matches && r->received == length);

    r = pipe_receiver(offset, &pipe);
    to = takhin_to_file(pipe);
    ASSERT_OK(takhin_send_file(&to, file, offset, length, NULL, &sent));
    apr_file_close(pipe);
    receiver_join(r);
    CU_ASSERT(r->matches && r->received == length);

    to = takhin_to_writer(sink_write, &sink);
    ASSERT_OK(takhin_send_file(&to, file, offset, length, NULL, &sent));
    CU_ASSERT(sink.matches && sink.received == length);
    apr_file_close(file);
}

static void more_than_one_call_can_carry_is_sent_whole(void)
{
    const apr_off_t length = 2 * GIB + MIB + 1;
    apr_file_t *file = file_create(unit_tmpdir(), "sparse");
    apr_socket_t *sender;
    receiver_t *r = apr_pcalloc(unit_pool(), sizeof(*r));
    takhin_destination_t to;
    apr_off_t sent;

    ASSERT_OK(apr_file_trunc(file, length));
    connect_pair(&sender, &r->socket);
    r->unchecked = 1;
    receiver_start(r);
    to = takhin_to_socket(sender);
    ASSERT_OK(takhin_send_file(&to, file, 0, length, NULL, &sent));
    CU_ASSERT_EQUAL(sent, length);
    apr_socket_close(sender);
    receiver_join(r);
    CU_ASSERT_EQUAL(r->received, length);
    apr_file_close(file);
}

/* Takes up to 64 KiB from SOCKET, which has some, and checks them. */
static void take_some(apr_socket_t *socket, apr_off_t *received)
{
    static unsigned char data[64 * 1024];
    apr_size_t n = sizeof(data);

    ASSERT_OK(apr_socket_recv(socket, (char *)data, &n));
    CU_ASSERT_FATAL(pattern_matches(data, n, *received));
    *received += (apr_off_t)n;
}

static void a_slow_receiver_on_a_nonblocking_socket_gets_all(void)
{
    const apr_off_t size = 12 * MIB;
    apr_file_t *file = file_with(size);
    apr_socket_t *sender, *receiver;
    takhin_destination_t to;
    apr_off_t done = 0, received = 0, sent;
    int eagain = 0;

    connect_pair(&sender, &receiver);
    ASSERT_OK(apr_socket_opt_set(sender, APR_SO_SNDBUF, 64 * 1024));
    ASSERT_OK(apr_socket_timeout_set(sender, 0));
    to = takhin_to_socket(sender);
    while (received < size) {
        apr_status_t status =
            takhin_send_file(&to, file, done, size - done, NULL, &sent);

        CU_ASSERT_FATAL(status == APR_SUCCESS || APR_STATUS_IS_EAGAIN(status));
        eagain += status != APR_SUCCESS;
        done += sent;
        CU_ASSERT_FATAL(done > received);
        take_some(receiver, &received);
    }
    CU_ASSERT(eagain > 0);
    CU_ASSERT_EQUAL(done, size);
    apr_socket_close(sender);
    apr_socket_close(receiver);
    apr_file_close(file);
}

static void a_socket_with_a_timeout_is_not_waited_for(void)
{
    const apr_off_t size = 64 * MIB;
    apr_file_t *file = file_create(unit_tmpdir(), "sparse");
    apr_socket_t *sender, *receiver;
    takhin_destination_t to;
    apr_off_t sent;

    ASSERT_OK(apr_file_trunc(file, size));
    connect_pair(&sender, &receiver);
    ASSERT_OK(apr_socket_timeout_set(sender, apr_time_from_sec(3600)));
    to = takhin_to_socket(sender);
    CU_ASSERT(APR_STATUS_IS_EAGAIN(
        takhin_send_file(&to, file, 0, size, NULL, &sent)));
    CU_ASSERT(sent > 0 && sent < size);
    CU_ASSERT(APR_STATUS_IS_EAGAIN(
        takhin_send_copy(&to, file, sent, size - sent, NULL, &sent)));
    apr_socket_close(sender);
    apr_socket_close(receiver);
    apr_file_close(file);
}

static void a_receiver_that_closes_is_an_error(void)
{
    const apr_off_t size = 64 * MIB;
    apr_file_t *file = file_create(unit_tmpdir(), "sparse");
    receiver_t *r = apr_pcalloc(unit_pool(), sizeof(*r));
    apr_socket_t *sender;
    takhin_destination_t to;
    apr_off_t sent, again;
    apr_status_t status;

    ASSERT_OK(apr_file_trunc(file, size));
    connect_pair(&sender, &r->socket);
    r->limit = 100000;
    r->unchecked = 1;
    receiver_start(r);
    to = takhin_to_socket(sender);
    status = takhin_send_file(&to, file, 0, size, NULL, &sent);
    receiver_join(r);
    CU_ASSERT(APR_STATUS_IS_EPIPE(status) || APR_STATUS_IS_ECONNRESET(status) ||
              APR_STATUS_IS_ECONNABORTED(status));
    CU_ASSERT(sent >= r->received && sent < size);
    status = takhin_send_file(&to, file, sent, size - sent, NULL, &again);
    CU_ASSERT(status != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(status));
    CU_ASSERT_EQUAL(again, 0);
    apr_socket_close(sender);
    apr_file_close(file);
}

static void a_file_truncated_meanwhile_ends_with_eof(void)
{
    const apr_off_t size = 12 * MIB;
    const apr_off_t rest = 1001;
    apr_file_t *file = file_with(size);
    apr_socket_t *sender, *receiver;
    takhin_destination_t to;
    apr_off_t done, received = 0, sent;

    connect_pair(&sender, &receiver);
    ASSERT_OK(apr_socket_timeout_set(sender, 0));
    to = takhin_to_socket(sender);
    CU_ASSERT_FATAL(APR_STATUS_IS_EAGAIN(
        takhin_send_file(&to, file, 0, size, NULL, &done)));
    ASSERT_OK(apr_file_trunc(file, done + rest));
    while (received < done) {
        take_some(receiver, &received);
    }
    ASSERT_OK(apr_socket_timeout_set(sender, -1));
    CU_ASSERT_EQUAL(takhin_send_file(&to, file, done, size - done, NULL, &sent),
                    APR_EOF);
    CU_ASSERT_EQUAL(sent, rest);
    while (received < done + rest) {
        take_some(receiver, &received);
    }
    CU_ASSERT_EQUAL(received, done + rest);
    apr_socket_close(sender);
    apr_socket_close(receiver);
    apr_file_close(file);
}

static void a_file_that_is_shorter_ends_with_eof_for_each_destination(void)
{
    apr_file_t *file = file_with(1000);
    apr_socket_t *sender, *receiver;
    apr_file_t *in, *out;
    sink_t sink = {.offset = 400, .matches = 1};
    takhin_destination_t to[3];
    apr_off_t sent;
    int i;

    connect_pair(&sender, &receiver);
    ASSERT_OK(apr_file_pipe_create_ex(&in, &out, APR_FULL_BLOCK, unit_pool()));
    to[0] = takhin_to_socket(sender);
    to[1] = takhin_to_file(out);
    to[2] = takhin_to_writer(sink_write, &sink);
    for (i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(takhin_send_file(&to[i], file, 400, 5000, NULL, &sent),
                        APR_EOF);
        CU_ASSERT_EQUAL(sent, 600);
        CU_ASSERT_EQUAL(takhin_send_file(&to[i], file, 1000, 1, NULL, &sent),
                        APR_EOF);
        CU_ASSERT_EQUAL(sent, 0);
    }
    apr_socket_close(sender);
    apr_socket_close(receiver);
    apr_file_close(in);
    apr_file_close(out);
    apr_file_close(file);
}

static void what_is_no_range_is_refused(void)
{
    const apr_off_t most = APR_INT64_MAX;
    apr_file_t *file = file_with(10);
    sink_t sink = {.matches = 1};
    takhin_destination_t to = takhin_to_writer(sink_write, &sink);
    apr_off_t sent = 99;

    CU_ASSERT_EQUAL(takhin_send_file(&to, file, -1, 1, NULL, &sent),
                    APR_EINVAL);
    CU_ASSERT_EQUAL(sent, 0);
    CU_ASSERT_EQUAL(takhin_send_file(&to, file, 0, -1, NULL, &sent),
                    APR_EINVAL);
    CU_ASSERT_EQUAL(takhin_send_copy(&to, file, most, 1, NULL, &sent),
                    APR_EINVAL);
    CU_ASSERT_EQUAL(takhin_send_file(&to, file, 5, 0, NULL, &sent),
                    APR_SUCCESS);
    CU_ASSERT_EQUAL(sink.calls, 0);
    apr_file_close(file);
}

typedef struct {
    apr_file_t *file;
    apr_off_t offset;
    apr_socket_t *socket;
    apr_status_t status;
    apr_off_t sent;
} sender_t;

static void *APR_THREAD_FUNC sender_main(apr_thread_t *thread, void *baton)
{
    sender_t *s = baton;
    takhin_destination_t to = takhin_to_socket(s->socket);

    (void)thread;
    s->status =
        takhin_send_file(&to, s->file, s->offset, 2 * MIB, NULL, &s->sent);
    apr_socket_close(s->socket);
    return NULL;
}

static void many_threads_send_from_one_file(void)
{
    enum { SENDERS = 4 };
    apr_file_t *file = file_with(SIZE);
    receiver_t *receivers[SENDERS];
    sender_t senders[SENDERS];
    apr_thread_t *threads[SENDERS];
    int i;

    for (i = 0; i < SENDERS; i++) {
        senders[i].file = file;
        senders[i].offset = i * 300001;
        receivers[i] = tcp_receiver(senders[i].offset, &senders[i].socket);
    }
    for (i = 0; i < SENDERS; i++) {
        ASSERT_OK(apr_thread_create(&threads[i], NULL, sender_main, &senders[i],
                                    unit_pool()));
    }
    for (i = 0; i < SENDERS; i++) {
        apr_status_t ignored;

        ASSERT_OK(apr_thread_join(&ignored, threads[i]));
        receiver_join(receivers[i]);
        CU_ASSERT_EQUAL(senders[i].status, APR_SUCCESS);
        CU_ASSERT_EQUAL(senders[i].sent, 2 * MIB);
        CU_ASSERT_EQUAL(receivers[i]->received, 2 * MIB);
        CU_ASSERT(receivers[i]->matches);
    }
    CU_ASSERT_EQUAL(file_position(file), 0);
    apr_file_close(file);
}

UNIT_MAIN(UNIT_TEST(a_whole_file_goes_over_tcp),
          UNIT_TEST(a_part_of_a_file_goes_over_tcp),
          UNIT_TEST(a_whole_file_goes_to_a_pipe),
          UNIT_TEST(a_part_of_a_file_goes_to_a_pipe),
          UNIT_TEST(a_full_pipe_that_does_not_block_says_eagain),
          UNIT_TEST(a_pipe_without_reader_is_an_error),
          UNIT_TEST(a_file_takes_bytes_at_its_own_position),
          UNIT_TEST(a_buffered_file_keeps_its_order),
          UNIT_TEST(a_writer_that_takes_little_gets_every_byte_once),
          UNIT_TEST(a_writer_without_room_is_resumed_at_the_exact_byte),
          UNIT_TEST(offsets_above_4_gib_work),
          UNIT_TEST(more_than_one_call_can_carry_is_sent_whole),
          UNIT_TEST(a_slow_receiver_on_a_nonblocking_socket_gets_all),
          UNIT_TEST(a_socket_with_a_timeout_is_not_waited_for),
          UNIT_TEST(a_receiver_that_closes_is_an_error),
          UNIT_TEST(a_file_truncated_meanwhile_ends_with_eof),
          UNIT_TEST(a_file_that_is_shorter_ends_with_eof_for_each_destination),
          UNIT_TEST(what_is_no_range_is_refused),
          UNIT_TEST(many_threads_send_from_one_file))
