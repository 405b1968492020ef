/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the zero-copy package share: files whose every byte tells
 * its offset, connected sockets, and a receiver that checks what it gets.
 */
#ifndef TAKHIN_TEST_ZEROCOPY_SUPPORT_H
#define TAKHIN_TEST_ZEROCOPY_SUPPORT_H

#include <apr_file_io.h>
#include <apr_network_io.h>
#include <apr_signal.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <string.h>

#include <takhin/zerocopy.h>

#include "unit.h"

#define KIB ((apr_off_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define ASSERT_OK(call) CU_ASSERT_EQUAL_FATAL((call), APR_SUCCESS)

/* The byte that belongs at OFFSET of every test file. */
static inline unsigned char pattern_at(apr_off_t offset)
{
    apr_uint64_t x = (apr_uint64_t)offset * 0x9e3779b97f4a7c15u;

    return (unsigned char)(x >> 56 ^ x >> 32);
}

static inline void pattern_fill(unsigned char *data, apr_size_t length,
                                apr_off_t offset)
{
    apr_size_t i;

    for (i = 0; i < length; i++) {
        data[i] = pattern_at(offset + (apr_off_t)i);
    }
}

static inline int pattern_matches(const unsigned char *data, apr_size_t length,
                                  apr_off_t offset)
{
    apr_size_t i;

    for (i = 0; i < length; i++) {
        if (data[i] != pattern_at(offset + (apr_off_t)i)) {
            return 0;
        }
    }
    return 1;
}

static inline apr_file_t *file_create(const char *directory, const char *name)
{
    apr_file_t *file = NULL;
    const char *path = apr_pstrcat(unit_pool(), directory, "/", name, NULL);

    ASSERT_OK(apr_file_open(&file, path,
                            APR_FOPEN_CREATE | APR_FOPEN_TRUNCATE |
                                APR_FOPEN_READ | APR_FOPEN_WRITE |
                                APR_FOPEN_BINARY,
                            APR_FPROT_OS_DEFAULT, unit_pool()));
    return file;
}

/* Writes LENGTH bytes of the pattern at OFFSET; before it, what isn't written
 * is a hole. The file's position is 0 afterwards. */
static inline void file_fill(apr_file_t *file, apr_off_t offset,
                             apr_off_t length)
{
    static unsigned char chunk[256 * 1024];
    apr_off_t at = offset;
    apr_off_t zero = 0;

    ASSERT_OK(apr_file_seek(file, APR_SET, &at));
    while (length > 0) {
        apr_size_t n = length < (apr_off_t)sizeof(chunk) ? (apr_size_t)length
                                                         : sizeof(chunk);

        pattern_fill(chunk, n, offset);
        ASSERT_OK(apr_file_write_full(file, chunk, n, NULL));
        offset += (apr_off_t)n;
        length -= (apr_off_t)n;
    }
    ASSERT_OK(apr_file_seek(file, APR_SET, &zero));
}

static inline apr_file_t *file_with(apr_off_t length)
{
    apr_file_t *file = file_create(unit_tmpdir(), "source");

    file_fill(file, 0, length);
    return file;
}

static inline apr_off_t file_position(apr_file_t *file)
{
    apr_off_t at = 0;

    ASSERT_OK(apr_file_seek(file, APR_CUR, &at));
    return at;
}

/* Whether the file has the LENGTH pattern bytes of OFFSET at AT. */
static inline int file_matches(apr_file_t *file, apr_off_t at, apr_off_t length,
                               apr_off_t offset)
{
    static unsigned char chunk[64 * 1024];

    ASSERT_OK(apr_file_seek(file, APR_SET, &at));
    while (length > 0) {
        apr_size_t n = length < (apr_off_t)sizeof(chunk) ? (apr_size_t)length
                                                         : sizeof(chunk);

        if (apr_file_read_full(file, chunk, n, NULL) != APR_SUCCESS ||
            !pattern_matches(chunk, n, offset)) {
            return 0;
        }
        offset += (apr_off_t)n;
        length -= (apr_off_t)n;
    }
    return 1;
}

/* Two ends of a TCP connection over loopback, both blocking. */
static inline void connect_pair(apr_socket_t **sender, apr_socket_t **receiver)
{
    apr_pool_t *pool = unit_pool();
    apr_socket_t *listener;
    apr_sockaddr_t *address;

    apr_signal(SIGPIPE, SIG_IGN);
    ASSERT_OK(
        apr_sockaddr_info_get(&address, "127.0.0.1", APR_INET, 0, 0, pool));
    ASSERT_OK(apr_socket_create(&listener, APR_INET, SOCK_STREAM, APR_PROTO_TCP,
                                pool));
    ASSERT_OK(apr_socket_bind(listener, address));
    ASSERT_OK(apr_socket_listen(listener, 1));
    ASSERT_OK(apr_socket_addr_get(&address, APR_LOCAL, listener));
    ASSERT_OK(
        apr_socket_create(sender, APR_INET, SOCK_STREAM, APR_PROTO_TCP, pool));
    ASSERT_OK(apr_socket_connect(*sender, address));
    ASSERT_OK(apr_socket_accept(receiver, listener, pool));
    ASSERT_OK(apr_socket_close(listener));
}

/*
 * A receiver: reads one socket or pipe in a thread of its own until the end
 * (or until LIMIT bytes, where that is above 0), checks the pattern from
 * OFFSET on, and closes its end.
 */
typedef struct {
    apr_socket_t *socket;
    apr_file_t *pipe; /* where SOCKET is NULL */
    apr_off_t offset;
    apr_off_t limit;
    int unchecked;
    apr_off_t received;
    int matches;
    apr_pool_t *pool;
    apr_thread_t *thread;
    unsigned char data[64 * 1024];
} receiver_t;

static inline apr_status_t receiver_read(receiver_t *r, apr_size_t *n)
{
    *n = sizeof(r->data);
    if (r->limit > 0 && r->limit - r->received < (apr_off_t)*n) {
        *n = (apr_size_t)(r->limit - r->received);
    }
    return r->socket != NULL ? apr_socket_recv(r->socket, (char *)r->data, n)
                             : apr_file_read(r->pipe, r->data, n);
}

static inline void *APR_THREAD_FUNC receiver_main(apr_thread_t *thread,
                                                  void *baton)
{
    receiver_t *r = baton;
    apr_size_t n;

    (void)thread;
    r->matches = 1;
    while ((r->limit == 0 || r->received < r->limit) &&
           receiver_read(r, &n) == APR_SUCCESS) {
        r->matches = r->matches &&
                     (r->unchecked ||
                      pattern_matches(r->data, n, r->offset + r->received));
        r->received += (apr_off_t)n;
    }
    if (r->socket != NULL) {
        apr_socket_close(r->socket);
    } else {
        apr_file_close(r->pipe);
    }
    return NULL;
}

static inline void receiver_start(receiver_t *r)
{
    /* a pool of its own, because threads must not share one */
    ASSERT_OK(apr_pool_create_unmanaged_ex(&r->pool, NULL, NULL));
    ASSERT_OK(apr_thread_create(&r->thread, NULL, receiver_main, r, r->pool));
}

static inline void receiver_join(receiver_t *r)
{
    apr_status_t ignored;

    ASSERT_OK(apr_thread_join(&ignored, r->thread));
    apr_pool_destroy(r->pool);
}

/* A connection with a receiver behind it that expects the file from OFFSET
 * on: send to *SENDER, then finish. */
static inline receiver_t *tcp_receiver(apr_off_t offset, apr_socket_t **sender)
{
    receiver_t *r = apr_pcalloc(unit_pool(), sizeof(*r));

    connect_pair(sender, &r->socket);
    r->offset = offset;
    receiver_start(r);
    return r;
}

static inline receiver_t *pipe_receiver(apr_off_t offset, apr_file_t **sender)
{
    receiver_t *r = apr_pcalloc(unit_pool(), sizeof(*r));

    apr_signal(SIGPIPE, SIG_IGN);
    ASSERT_OK(
        apr_file_pipe_create_ex(&r->pipe, sender, APR_FULL_BLOCK, unit_pool()));
    r->offset = offset;
    receiver_start(r);
    return r;
}

/* A writer destination that checks the pattern and can be stingy. */
typedef struct {
    apr_off_t offset; /* of the next byte expected */
    apr_off_t received;
    int matches;
    apr_size_t most;  /* bytes taken at once; 0: no limit */
    int eagain_every; /* every so many calls there is no room; 0: never */
    int calls;
} sink_t;

static inline apr_status_t sink_write(void *baton, const void *data,
                                      apr_size_t *length)
{
    sink_t *sink = baton;

    sink->calls++;
    if (sink->eagain_every > 0 && sink->calls % sink->eagain_every == 0) {
        *length = 0;
        return APR_EAGAIN;
    }
    if (sink->most > 0 && *length > sink->most) {
        *length = sink->most;
    }
    sink->matches =
        sink->matches && pattern_matches(data, *length, sink->offset);
    sink->offset += (apr_off_t)*length;
    sink->received += (apr_off_t)*length;
    return APR_SUCCESS;
}

static inline apr_uint64_t
fallback_calls_of_all(const takhin_zerocopy_counters_t *counters)
{
    apr_uint64_t sum = 0;
    int i;

    for (i = 0; i < TAKHIN_FALLBACK_REASONS; i++) {
        sum += counters->fallback_calls[i];
    }
    return sum;
}

#endif
