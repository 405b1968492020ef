/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server with a dispatch function of the test's own: a frame's first byte
 * says what happens to it. All tests run with the shared pollset and again with
 * the queued one.
 */
#include "net/server.h"

#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "net/connection.h"
#include "unit.h"

#define FRAME_HEAD 8 /* what a frame has at least */

/* What happens to a frame: its first byte. */
enum {
    KEEP_OVERLAPPING = 'o', /* kept until the test answers it; may overlap */
    KEEP = 'k',             /* kept until the test answers it */
    ECHO = 'e',
    ECHO_FILE = 'f', /* the parts the test has prepared */
    DONE = 'd',      /* no answer */
    DISCONNECT = 'x',
    LATER = 'l' /* answered by the helper thread */
};

static net_pollset_mode_t mode;
static net_server_t *server;
static net_options_t options;
static apr_thread_mutex_t *mutex;
static apr_thread_cond_t *changed;
static net_exchange_t *kept[256];
static int kept_count;
static net_part_t *file_parts;
static int file_part_count;
static int released;

/* The server's side ------------------------------------------------------- */

static void note_release(net_exchange_t *exchange)
{
    (void)exchange;
    apr_thread_mutex_lock(mutex);
    released++;
    apr_thread_cond_broadcast(changed);
    apr_thread_mutex_unlock(mutex);
}

static void echo(net_exchange_t *exchange)
{
    net_part_t *parts = apr_pcalloc(exchange->pool, 2 * sizeof(*parts));
    uint8_t *size = apr_palloc(exchange->pool, 4);

    bytes_put_i32(size, (int32_t)exchange->frame_length);
    parts[0].data = size;
    parts[0].size = 4;
    parts[1].data = exchange->frame;
    parts[1].size = exchange->frame_length;
    net_exchange_reply(exchange, parts, 2, note_release);
}

static void keep(net_exchange_t *exchange)
{
    apr_thread_mutex_lock(mutex);
    kept[kept_count++] = exchange;
    apr_thread_cond_broadcast(changed);
    apr_thread_mutex_unlock(mutex);
}

static void echo_file(net_exchange_t *exchange)
{
    net_part_t *parts = apr_pmemdup(exchange->pool, file_parts,
                                    sizeof(*parts) * file_part_count);
    net_exchange_reply(exchange, parts, file_part_count, note_release);
}

static void dispatch(net_exchange_t *exchange)
{
    switch (exchange->frame[0]) {
    case ECHO:
        echo(exchange);
        break;
    case ECHO_FILE:
        echo_file(exchange);
        break;
    case DONE:
        net_exchange_done(exchange);
        break;
    case DISCONNECT:
        net_exchange_disconnect(exchange, "the test wants it");
        break;
    default:
        keep(exchange);
    }
}

static int overlaps(const uint8_t *frame, apr_size_t length)
{
    (void)length;
    return frame[0] == KEEP_OVERLAPPING;
}

static void wait_kept(int count)
{
    apr_thread_mutex_lock(mutex);
    while (kept_count < count)
        apr_thread_cond_wait(changed, mutex);
    apr_thread_mutex_unlock(mutex);
}

static void wait_released(int count)
{
    apr_thread_mutex_lock(mutex);
    while (released < count)
        apr_thread_cond_wait(changed, mutex);
    apr_thread_mutex_unlock(mutex);
}

static void prepare(void)
{
    static const net_listener_options_t listener = {"PLAINTEXT", "127.0.0.1",
                                                    0};
    apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, unit_pool());
    apr_thread_cond_create(&changed, unit_pool());
    kept_count = released = 0;
    net_options_init(&options);
    options.listeners = &listener;
    options.listener_count = 1;
    options.workers = 4;
    options.dispatch = dispatch;
    options.overlaps = overlaps;
    options.pollset = mode;
    options.sendfile_min_bytes = 64 * 1024;
}

static void start(void)
{
    const char *error;
    if (!UNIT_OK(net_server_start(&server, &options, &error, unit_pool())))
        abort();
}

static void stop(void)
{
    net_server_stop(server, apr_time_from_sec(20));
}

/* The client's side -------------------------------------------------------- */

static apr_socket_t *dial_at(const char *host)
{
    apr_sockaddr_t *address;
    apr_socket_t *socket;

    UNIT_OK(apr_sockaddr_info_get(&address, host, APR_UNSPEC,
                                  net_server_port(server, 0), 0, unit_pool()));
    UNIT_OK(apr_socket_create(&socket, address->family, SOCK_STREAM, 0,
                              unit_pool()));
    UNIT_OK(apr_socket_connect(socket, address));
    return socket;
}

static apr_socket_t *dial(void)
{
    return dial_at("127.0.0.1");
}

static void put(apr_socket_t *socket, const void *data, apr_size_t size)
{
    const char *p = data;
    while (size) {
        apr_size_t n = size;
        if (!UNIT_OK(apr_socket_send(socket, p, &n)))
            return;
        p += n;
        size -= n;
    }
}

/* A frame of SIZE bytes in POOL, whose first is KIND, with its size before. */
static uint8_t *frame_of(int kind, apr_size_t size)
{
    uint8_t *frame = apr_palloc(unit_pool(), 4 + size);
    apr_size_t i;

    for (i = 0; i < size; i++)
        frame[4 + i] = (uint8_t)(i * 7 + (i >> 9));
    bytes_put_i32(frame, (int32_t)size);
    frame[4] = (uint8_t)kind;
    return frame;
}

static void put_frame(apr_socket_t *socket, int kind, int number)
{
    uint8_t frame[4 + FRAME_HEAD + 4] = {0};
    bytes_put_i32(frame, FRAME_HEAD + 4);
    frame[4] = (uint8_t)kind;
    bytes_put_i32(frame + 4 + FRAME_HEAD, number);
    put(socket, frame, sizeof(frame));
}

/* Reads SIZE bytes; returns how many came before the end. */
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

/* Reads the answer to put_frame and returns its number, or -1 at the end. */
static int get_number(apr_socket_t *socket)
{
    uint8_t frame[4 + FRAME_HEAD + 4];
    if (get(socket, frame, sizeof(frame)) < sizeof(frame))
        return -1;
    return bytes_get_i32(frame + 4 + FRAME_HEAD);
}

static int is_at_end(apr_socket_t *socket)
{
    char byte;
    return get(socket, &byte, 1) == 0;
}

static void expect_echo(apr_socket_t *socket, const uint8_t *frame,
                        apr_size_t size)
{
    uint8_t *back = malloc(4 + size);
    CU_ASSERT_EQUAL(get(socket, back, 4 + size), 4 + size);
    CU_ASSERT_EQUAL(memcmp(back, frame, 4 + size), 0);
    free(back);
}

/* Tests -------------------------------------------------------------------- */

static void a_frame_is_answered(void)
{
    apr_socket_t *socket;
    int i;

    prepare();
    start();
    socket = dial();
    for (i = 0; i < 100; i++) {
        put_frame(socket, ECHO, i);
        CU_ASSERT_EQUAL(get_number(socket), i);
    }
    wait_released(100);
    CU_ASSERT_EQUAL(atomic_get64(&net_server_counters(server)->requests), 100);
    apr_socket_close(socket);
    stop();
    CU_ASSERT_EQUAL(atomic_get64(&net_server_counters(server)->open), 0);
}

static void frames_in_one_packet_are_answered_in_order(void)
{
    enum { COUNT = 5000, SIZE = 4 + FRAME_HEAD + 4 };
    uint8_t *all;
    apr_socket_t *socket;
    int i, wrong = 0;

    prepare();
    start();
    all = apr_pcalloc(unit_pool(), COUNT * SIZE);
    for (i = 0; i < COUNT; i++) {
        bytes_put_i32(all + i * SIZE, SIZE - 4);
        all[i * SIZE + 4] = ECHO;
        bytes_put_i32(all + i * SIZE + 4 + FRAME_HEAD, i);
    }
    socket = dial();
    put(socket, all, COUNT * SIZE);
    for (i = 0; i < COUNT; i++)
        wrong += get_number(socket) != i;
    CU_ASSERT_EQUAL(wrong, 0);
    stop();
}

static void a_frame_may_come_byte_by_byte(void)
{
    uint8_t *frame;
    apr_socket_t *socket;
    apr_size_t i;

    prepare();
    start();
    socket = dial();
    apr_socket_opt_set(socket, APR_TCP_NODELAY, 1);
    frame = frame_of(ECHO, 40);
    for (i = 0; i < 44; i++)
        put(socket, frame + i, 1);
    expect_echo(socket, frame, 40);
    stop();
}

static void frames_of_all_sizes_are_read_whole(void)
{
    static const apr_size_t sizes[] = {
        8,     100,      8188,     8189,  16000,   20000,
        65536, 65540,    100,      65540, 1 << 20, (1 << 20) + 100,
        300,   20 << 20, 20 << 20, 9};
    apr_socket_t *socket;
    unsigned i;

    prepare();
    start();
    socket = dial();
    for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        uint8_t *frame = frame_of(ECHO, sizes[i]);
        put(socket, frame, 4 + sizes[i]);
        expect_echo(socket, frame, sizes[i]);
    }
    stop();
}

static void bad_frames_close_their_connection_only(void)
{
    static const int32_t sizes[] = {-1, APR_INT32_MIN, 0, 7, 1001};
    apr_socket_t *good, *bad;
    uint8_t prefix[4];
    unsigned i;

    prepare();
    options.max_request_bytes = 1000;
    start();
    good = dial();
    for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        bad = dial();
        put_frame(bad, ECHO, 7);
        CU_ASSERT_EQUAL(get_number(bad), 7);
        bytes_put_i32(prefix, sizes[i]);
        put(bad, prefix, 4);
        CU_ASSERT(is_at_end(bad));
        put_frame(good, ECHO, (int)i);
        CU_ASSERT_EQUAL(get_number(good), (int)i);
    }
    CU_ASSERT_EQUAL(atomic_get64(&net_server_counters(server)->failed), i);
    stop();
}

static void answers_before_a_bad_frame_are_sent(void)
{
    uint8_t frames[2 * (4 + FRAME_HEAD + 4) + 4] = {0};
    apr_socket_t *socket;
    int i;

    prepare();
    start();
    socket = dial();
    for (i = 0; i < 2; i++) {
        uint8_t *frame = frames + i * (4 + FRAME_HEAD + 4);
        bytes_put_i32(frame, FRAME_HEAD + 4);
        frame[4] = KEEP_OVERLAPPING;
        bytes_put_i32(frame + 4 + FRAME_HEAD, i);
    }
    bytes_put_i32(frames + sizeof(frames) - 4, -5);
    put(socket, frames, sizeof(frames));
    wait_kept(2);
    echo(kept[1]);
    echo(kept[0]);
    CU_ASSERT_EQUAL(get_number(socket), 0);
    CU_ASSERT_EQUAL(get_number(socket), 1);
    CU_ASSERT(is_at_end(socket));
    stop();
}

static void half_a_frame_and_silence_is_closed(void)
{
    apr_socket_t *idle, *half;

    prepare();
    options.stall_time = apr_time_from_msec(50);
    start();
    idle = dial();
    half = dial();
    put(half, "\0\0\0\100ab", 6);
    CU_ASSERT(is_at_end(half));
    put_frame(idle, ECHO, 3);
    CU_ASSERT_EQUAL(get_number(idle), 3);
    stop();
}

static void a_silent_connection_is_closed(void)
{
    apr_socket_t *fresh, *used;

    prepare();
    options.idle_time = apr_time_from_msec(100);
    start();
    fresh = dial();
    used = dial();
    put_frame(used, ECHO, 3);
    CU_ASSERT_EQUAL(get_number(used), 3);
    CU_ASSERT(is_at_end(fresh));
    CU_ASSERT(is_at_end(used));
    CU_ASSERT_EQUAL(atomic_get64(&net_server_counters(server)->expired), 2);
    stop();
}

static void overlapping_requests_are_answered_in_order(void)
{
    apr_socket_t *socket;
    int i;

    prepare();
    start();
    socket = dial();
    for (i = 0; i < 20; i++)
        put_frame(socket, KEEP_OVERLAPPING, i);
    wait_kept(20); /* all begin although none is answered */
    for (i = 19; i >= 0; i--)
        echo(kept[i]);
    for (i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(get_number(socket), i);
    stop();
}

static void no_more_overlap_than_allowed(void)
{
    apr_socket_t *socket;
    int i;

    prepare();
    options.max_outstanding = 4;
    start();
    socket = dial();
    for (i = 0; i < 12; i++)
        put_frame(socket, KEEP_OVERLAPPING, i);
    for (i = 0; i < 12; i++) {
        wait_kept(i + 4 < 12 ? i + 4 : 12);
        CU_ASSERT(kept_count <= i + 4);
        echo(kept[i]);
        CU_ASSERT_EQUAL(get_number(socket), i);
    }
    stop();
}

static void another_request_waits_for_those_before(void)
{
    apr_socket_t *socket;

    prepare();
    start();
    socket = dial();
    put_frame(socket, KEEP_OVERLAPPING, 0);
    put_frame(socket, KEEP, 1);
    put_frame(socket, KEEP_OVERLAPPING, 2);
    put_frame(socket, ECHO, 3);
    wait_kept(1);
    echo(kept[0]);
    CU_ASSERT_EQUAL(get_number(socket), 0);
    wait_kept(2);
    CU_ASSERT_EQUAL(kept_count, 2);
    echo(kept[1]);
    CU_ASSERT_EQUAL(get_number(socket), 1);
    wait_kept(3);
    echo(kept[2]);
    CU_ASSERT_EQUAL(get_number(socket), 2);
    CU_ASSERT_EQUAL(get_number(socket), 3);
    stop();
}

static void a_request_without_answer_leaves_no_gap(void)
{
    apr_socket_t *socket;

    prepare();
    start();
    socket = dial();
    put_frame(socket, DONE, 1);
    put_frame(socket, DONE, 2);
    put_frame(socket, ECHO, 3);
    CU_ASSERT_EQUAL(get_number(socket), 3);
    stop();
}

static void disconnecting_sends_the_answers_before(void)
{
    apr_socket_t *socket;

    prepare();
    start();
    socket = dial();
    put_frame(socket, ECHO, 1);
    put_frame(socket, DISCONNECT, 2);
    CU_ASSERT_EQUAL(get_number(socket), 1);
    CU_ASSERT(is_at_end(socket));
    stop();
}

/* A file of SIZE bytes with a known content, which is returned in *CONTENT. */
static apr_file_t *file_of(apr_size_t size, uint8_t **content)
{
    const char *path = apr_pstrcat(unit_pool(), unit_tmpdir(), "/data", NULL);
    apr_file_t *file;
    apr_size_t i;

    *content = apr_palloc(unit_pool(), size);
    for (i = 0; i < size; i++)
        (*content)[i] = (uint8_t)(i * 13 + (i >> 11));
    UNIT_OK(apr_file_open(&file, path,
                          APR_FOPEN_CREATE | APR_FOPEN_TRUNCATE |
                              APR_FOPEN_READ | APR_FOPEN_WRITE,
                          APR_FPROT_OS_DEFAULT, unit_pool()));
    UNIT_OK(apr_file_write_full(file, *content, size, NULL));
    return file;
}

static void set_part(int i, const uint8_t *data, apr_file_t *file,
                     apr_off_t offset, apr_size_t size)
{
    file_parts[i] = (net_part_t){data, file, offset, size, 0};
}

static void file_parts_arrive_byte_for_byte(void)
{
    enum { SMALL = 1000, LARGE = 3 << 20, PARTS = 9 };
    uint8_t *content, *expected, *got;
    apr_socket_t *socket;
    apr_file_t *file;
    net_counters_t *counters;
    takhin_zerocopy_counters_t zerocopy;
    apr_size_t size = 0;
    int i, round;

    prepare();
    start();
    file = file_of(8 << 20, &content);
    file_parts = apr_pcalloc(unit_pool(), PARTS * sizeof(*file_parts));
    file_part_count = PARTS;
    set_part(0, (const uint8_t *)"head", NULL, 0, 4);
    set_part(1, NULL, file, 17, SMALL);
    set_part(2, (const uint8_t *)"middle", NULL, 0, 6);
    set_part(3, NULL, file, 999, LARGE);
    set_part(4, NULL, file, 5 << 20, 70000);
    set_part(5, (const uint8_t *)"", NULL, 0, 0);
    set_part(6, NULL, file, 77, 60000);
    set_part(7, NULL, file, 78, 1);
    set_part(8, (const uint8_t *)"end", NULL, 0, 3);
    expected = apr_palloc(unit_pool(), 8 << 20);
    for (i = 0; i < PARTS; i++) {
        memcpy(expected + size,
               file_parts[i].data ? file_parts[i].data
                                  : content + file_parts[i].offset,
               file_parts[i].size);
        size += file_parts[i].size;
    }
    got = apr_palloc(unit_pool(), size);
    socket = dial();
    for (round = 1; round <= 3; round++) {
        memset(got, 0, size);
        put_frame(socket, ECHO_FILE, 0);
        CU_ASSERT_EQUAL(get(socket, got, size), size);
        CU_ASSERT_EQUAL(memcmp(got, expected, size), 0);
        wait_released(round);
    }
    file_part_count = 3; /* small ones only */
    put_frame(socket, ECHO_FILE, 0);
    CU_ASSERT_EQUAL(get(socket, got, 1010), 1010);
    CU_ASSERT_EQUAL(memcmp(got, expected, 1010), 0);
    stop();
    counters = net_server_counters(server);
    CU_ASSERT_EQUAL(atomic_get64(&counters->answers_zero_copy), 3);
    CU_ASSERT_EQUAL(atomic_get64(&counters->answers_copied), 1);
    CU_ASSERT_EQUAL(atomic_get64(&counters->bytes_out), 3 * size + 1010);
    takhin_zerocopy_counters_get(&counters->zerocopy, &zerocopy);
    CU_ASSERT_EQUAL(zerocopy.zero_copy_bytes, 3 * (LARGE + 70000));
}

static void small_parts_of_a_large_run_are_not_copied(void)
{
    uint8_t *content, *got;
    apr_socket_t *socket;
    apr_file_t *file;
    takhin_zerocopy_counters_t zerocopy;

    prepare();
    start();
    file = file_of(100000, &content);
    file_parts = apr_pcalloc(unit_pool(), 3 * sizeof(*file_parts));
    file_part_count = 3;
    set_part(0, (const uint8_t *)"head", NULL, 0, 4);
    set_part(1, NULL, file, 0, 10);
    set_part(2, NULL, file, 10, 80000);
    file_parts[1].run = file_parts[2].run = 80010;
    got = apr_palloc(unit_pool(), 80014);
    socket = dial();
    put_frame(socket, ECHO_FILE, 0);
    CU_ASSERT_EQUAL(get(socket, got, 80014), 80014);
    CU_ASSERT_EQUAL(memcmp(got + 4, content, 80010), 0);
    stop();
    takhin_zerocopy_counters_get(&net_server_counters(server)->zerocopy,
                                 &zerocopy);
    CU_ASSERT_EQUAL(zerocopy.zero_copy_bytes, 80010);
}

static void many_small_file_parts_arrive(void)
{
    enum { PARTS = 300, SIZE = 9000 };
    uint8_t *content, *got;
    apr_socket_t *socket;
    apr_file_t *file;
    int i, wrong = 0;

    prepare();
    start();
    file = file_of(PARTS * 100 + SIZE, &content);
    file_parts = apr_pcalloc(unit_pool(), PARTS * sizeof(*file_parts));
    file_part_count = PARTS;
    for (i = 0; i < PARTS; i++)
        set_part(i, NULL, file, i * 100, SIZE);
    got = apr_palloc(unit_pool(), SIZE);
    socket = dial();
    put_frame(socket, ECHO_FILE, 0);
    for (i = 0; i < PARTS; i++) {
        wrong += get(socket, got, SIZE) != SIZE;
        wrong += memcmp(got, content + i * 100, SIZE) != 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    stop();
}

static void a_slow_receiver_gets_everything(void)
{
    enum { LARGE = 12 << 20 };
    uint8_t *content, *got;
    apr_socket_t *slow, *quick;
    apr_file_t *file;
    int i;

    prepare();
    options.send_buffer_bytes = 65536;
    start();
    file = file_of(LARGE, &content);
    file_parts = apr_pcalloc(unit_pool(), 3 * sizeof(*file_parts));
    file_part_count = 3;
    set_part(0, content, NULL, 0, 1 << 20);
    set_part(1, NULL, file, 0, LARGE);
    set_part(2, content, NULL, 0, 1 << 20);
    slow = dial();
    put_frame(slow, ECHO_FILE, 0);
    put_frame(slow, ECHO, 5);
    quick = dial();
    for (i = 0; i < 100; i++) { /* nobody waits for the slow one */
        put_frame(quick, ECHO, i);
        CU_ASSERT_EQUAL(get_number(quick), i);
    }
    got = apr_palloc(unit_pool(), LARGE);
    CU_ASSERT_EQUAL(get(slow, got, 1 << 20), 1 << 20);
    CU_ASSERT_EQUAL(memcmp(got, content, 1 << 20), 0);
    CU_ASSERT_EQUAL(get(slow, got, LARGE), LARGE);
    CU_ASSERT_EQUAL(memcmp(got, content, LARGE), 0);
    CU_ASSERT_EQUAL(get(slow, got, 1 << 20), 1 << 20);
    CU_ASSERT_EQUAL(memcmp(got, content, 1 << 20), 0);
    CU_ASSERT_EQUAL(get_number(slow), 5);
    stop();
}

static void a_file_that_is_too_short_closes_the_connection(void)
{
    static const apr_size_t sizes[] = {1000, 300000};
    uint8_t *content, *got;
    apr_socket_t *socket;
    apr_file_t *file;
    int i;

    prepare();
    start();
    file = file_of(600, &content);
    got = apr_palloc(unit_pool(), 1000);
    file_parts = apr_pcalloc(unit_pool(), 2 * sizeof(*file_parts));
    file_part_count = 2;
    for (i = 0; i < 2; i++) {
        set_part(0, (const uint8_t *)"head", NULL, 0, 4);
        set_part(1, NULL, file, 100, sizes[i]);
        socket = dial();
        put_frame(socket, ECHO_FILE, 0);
        CU_ASSERT(get(socket, got, 1000) < 1000);
        wait_released(i + 1);
        socket = dial();
        put_frame(socket, ECHO, i);
        CU_ASSERT_EQUAL(get_number(socket), i);
    }
    stop();
}

static void a_client_may_go_while_its_request_is_in_progress(void)
{
    apr_socket_t *socket;
    int i;

    prepare();
    start();
    for (i = 0; i < 20; i++) {
        socket = dial();
        put_frame(socket, i % 2 ? KEEP : KEEP_OVERLAPPING, i);
        wait_kept(i + 1);
        apr_socket_close(socket);
    }
    for (i = 0; i < 20; i++)
        echo(kept[i]);
    wait_released(20); /* sent or not, what an answer holds is given back */
    socket = dial();
    put_frame(socket, ECHO, 1);
    CU_ASSERT_EQUAL(get_number(socket), 1);
    stop();
    CU_ASSERT_EQUAL(atomic_get64(&net_server_counters(server)->open), 0);
}

static void *APR_THREAD_FUNC answer_kept(apr_thread_t *thread, void *baton)
{
    (void)thread;
    (void)baton;
    apr_sleep(20000); /* the stop has likely begun by then; if not, no harm */
    echo(kept[0]);
    return NULL;
}

static void a_stop_answers_what_is_in_progress(void)
{
    apr_socket_t *socket, *idle;
    apr_thread_t *thread;
    apr_status_t rv;

    prepare();
    start();
    idle = dial();
    socket = dial();
    put_frame(socket, KEEP, 9);
    wait_kept(1);
    apr_thread_create(&thread, NULL, answer_kept, NULL, unit_pool());
    stop();
    apr_thread_join(&rv, thread);
    CU_ASSERT_EQUAL(get_number(socket), 9);
    CU_ASSERT(is_at_end(socket));
    CU_ASSERT(is_at_end(idle));
}

static void a_stop_does_not_wait_for_ever(void)
{
    apr_socket_t *socket;

    prepare();
    start();
    socket = dial();
    put_frame(socket, KEEP, 9);
    wait_kept(1);
    net_server_stop(server, apr_time_from_msec(20));
    CU_ASSERT(is_at_end(socket));
    echo(kept[0]); /* too late, and harmless */
}

static void a_port_in_use_is_an_error_that_says_so(void)
{
    net_listener_options_t listener = {"PLAINTEXT", "127.0.0.1", 0};
    net_server_t *second;
    const char *error = NULL;

    prepare();
    start();
    listener.port = net_server_port(server, 0);
    options.listeners = &listener;
    CU_ASSERT_NOT_EQUAL(
        net_server_start(&second, &options, &error, unit_pool()), APR_SUCCESS);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "in use"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "127.0.0.1"));
    stop();
}

static void an_empty_host_is_ipv4_and_ipv6(void)
{
    static const char *const hosts[] = {"", "[::]"};
    apr_sockaddr_t *v6;
    apr_socket_t *probe, *socket;
    int i, has_v6;

    has_v6 =
        !apr_sockaddr_info_get(&v6, "::1", APR_UNSPEC, 0, 0, unit_pool()) &&
        !apr_socket_create(&probe, v6->family, SOCK_STREAM, 0, unit_pool()) &&
        !apr_socket_bind(probe, v6);
    for (i = 0; i < 2; i++) {
        net_listener_options_t listener = {"PLAINTEXT", hosts[i], 0};
        prepare();
        options.listeners = &listener;
        start();
        socket = dial_at("127.0.0.1");
        put_frame(socket, ECHO, 4);
        CU_ASSERT_EQUAL(get_number(socket), 4);
        if (has_v6) {
            socket = dial_at("::1");
            put_frame(socket, ECHO, 6);
            CU_ASSERT_EQUAL(get_number(socket), 6);
        }
        stop();
    }
}

static void connections_above_the_limit_are_refused(void)
{
    apr_socket_t *first, *second, *third;

    prepare();
    options.max_connections = 2;
    start();
    first = dial();
    put_frame(first, ECHO, 1);
    CU_ASSERT_EQUAL(get_number(first), 1);
    second = dial();
    put_frame(second, ECHO, 2);
    CU_ASSERT_EQUAL(get_number(second), 2);
    third = dial();
    CU_ASSERT(is_at_end(third));
    put_frame(first, ECHO, 3);
    CU_ASSERT_EQUAL(get_number(first), 3);
    stop();
}

static void a_peer_is_known_by_its_address(void)
{
    apr_socket_t *socket;
    apr_sockaddr_t *local;
    const char *peer;

    prepare();
    start();
    socket = dial();
    put_frame(socket, KEEP, 1);
    wait_kept(1);
    apr_socket_addr_get(&local, APR_LOCAL, socket);
    peer = apr_psprintf(unit_pool(), "127.0.0.1:%d", local->port);
    CU_ASSERT_STRING_EQUAL(connection_peer(kept[0]->connection), peer);
    CU_ASSERT_STRING_EQUAL(connection_peer_host(kept[0]->connection),
                           "127.0.0.1");
    CU_ASSERT_STRING_EQUAL(connection_listener(kept[0]->connection),
                           "PLAINTEXT");
    echo(kept[0]);
    CU_ASSERT_EQUAL(get_number(socket), 1);
    stop();
}

static atomic_u32_t helpers_end;

/* Answers what is kept, the newest first. */
static void *APR_THREAD_FUNC helper_main(apr_thread_t *thread, void *baton)
{
    (void)thread;
    (void)baton;
    for (;;) {
        net_exchange_t *exchange = NULL;
        apr_thread_mutex_lock(mutex);
        while (!kept_count && !atomic_get32(&helpers_end))
            apr_thread_cond_wait(changed, mutex);
        if (kept_count)
            exchange = kept[--kept_count];
        apr_thread_mutex_unlock(mutex);
        if (!exchange)
            break;
        echo(exchange);
    }
    return NULL;
}

static atomic_u32_t client_errors;

static void *APR_THREAD_FUNC client_main(apr_thread_t *thread, void *baton)
{
    unsigned seed = (unsigned)(apr_uintptr_t)baton;
    apr_sockaddr_t *address;
    apr_pool_t *pool;
    int round, i;

    (void)thread;
    apr_pool_create(&pool, NULL);
    apr_sockaddr_info_get(&address, "127.0.0.1", APR_INET,
                          net_server_port(server, 0), 0, pool);
    for (round = 0; round < 30; round++) {
        int count = (int)(seed = seed * 1103515245 + 12345) >> 16 & 15;
        apr_pool_t *scratch;
        apr_socket_t *socket;
        apr_pool_create(&scratch, pool);
        apr_socket_create(&socket, APR_INET, SOCK_STREAM, 0, scratch);
        if (apr_socket_connect(socket, address))
            atomic_add32(&client_errors, 1);
        for (i = 0; i < count; i++) {
            static const int kinds[] = {KEEP_OVERLAPPING, KEEP_OVERLAPPING,
                                        LATER, ECHO};
            put_frame(socket,
                      kinds[(seed = seed * 1103515245 + 12345) >> 16 & 3], i);
        }
        for (i = 0; i < count && !(round % 4 == 3 && i > 3); i++)
            if (get_number(socket) != i)
                atomic_add32(&client_errors, 1);
        apr_socket_close(socket); /* sometimes in the midst of it */
        apr_pool_destroy(scratch);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void many_clients_and_answering_threads_get_along(void)
{
    enum { CLIENTS = 8, HELPERS = 3 };
    apr_thread_t *clients[CLIENTS], *helpers[HELPERS];
    apr_status_t rv;
    int i;

    prepare();
    atomic_set32(&helpers_end, 0);
    atomic_set32(&client_errors, 0);
    start();
    for (i = 0; i < HELPERS; i++)
        apr_thread_create(&helpers[i], NULL, helper_main, NULL, unit_pool());
    for (i = 0; i < CLIENTS; i++)
        apr_thread_create(&clients[i], NULL, client_main,
                          (void *)(apr_uintptr_t)(i * 7919 + 1), unit_pool());
    for (i = 0; i < CLIENTS; i++)
        apr_thread_join(&rv, clients[i]);
    stop();
    apr_thread_mutex_lock(mutex);
    atomic_set32(&helpers_end, 1);
    apr_thread_cond_broadcast(changed);
    apr_thread_mutex_unlock(mutex);
    for (i = 0; i < HELPERS; i++)
        apr_thread_join(&rv, helpers[i]);
    CU_ASSERT_EQUAL(atomic_get32(&client_errors), 0);
    CU_ASSERT_EQUAL(atomic_get64(&net_server_counters(server)->open), 0);
}

#define EACH(X)                                         \
    X(a_frame_is_answered)                              \
    X(frames_in_one_packet_are_answered_in_order)       \
    X(a_frame_may_come_byte_by_byte)                    \
    X(frames_of_all_sizes_are_read_whole)               \
    X(bad_frames_close_their_connection_only)           \
    X(answers_before_a_bad_frame_are_sent)              \
    X(half_a_frame_and_silence_is_closed)               \
    X(a_silent_connection_is_closed)                    \
    X(overlapping_requests_are_answered_in_order)       \
    X(no_more_overlap_than_allowed)                     \
    X(another_request_waits_for_those_before)           \
    X(a_request_without_answer_leaves_no_gap)           \
    X(disconnecting_sends_the_answers_before)           \
    X(file_parts_arrive_byte_for_byte)                  \
    X(small_parts_of_a_large_run_are_not_copied)        \
    X(many_small_file_parts_arrive)                     \
    X(a_slow_receiver_gets_everything)                  \
    X(a_file_that_is_too_short_closes_the_connection)   \
    X(a_client_may_go_while_its_request_is_in_progress) \
    X(a_stop_answers_what_is_in_progress)               \
    X(a_stop_does_not_wait_for_ever)                    \
    X(a_port_in_use_is_an_error_that_says_so)           \
    X(an_empty_host_is_ipv4_and_ipv6)                   \
    X(connections_above_the_limit_are_refused)          \
    X(a_peer_is_known_by_its_address)                   \
    X(many_clients_and_answering_threads_get_along)

#define QUEUED(name)                               \
    static void name##_with_a_queued_pollset(void) \
    {                                              \
        mode = NET_POLLSET_QUEUED;                 \
        name();                                    \
        mode = NET_POLLSET_AUTO;                   \
    }
EACH(QUEUED)

#define ROWS(name) UNIT_TEST(name), UNIT_TEST(name##_with_a_queued_pollset),

UNIT_MAIN(EACH(ROWS))
