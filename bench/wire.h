/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the wire benchmarks and the raw servers share: big-endian writing into
 * a frame, and whole reads and writes of blocking sockets. Every failure ends
 * the program with a line that says what failed: a benchmark never goes on
 * with half a result. Linux only.
 */
#ifndef TAKHIN_BENCH_WIRE_H
#define TAKHIN_BENCH_WIRE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/bytes.h"

/* Bytes being written; whoever makes one sees to it that they suffice. */
typedef struct frame_t {
    uint8_t *bytes;
    size_t size;
} frame_t;

static inline void die(const char *what)
{
    perror(what);
    exit(1);
}

static inline void put_i8(frame_t *f, int value)
{
    f->bytes[f->size++] = (uint8_t)value;
}

static inline void put_i16(frame_t *f, int value)
{
    bytes_put_i16(f->bytes + f->size, (int16_t)value);
    f->size += 2;
}

static inline void put_i32(frame_t *f, int32_t value)
{
    bytes_put_i32(f->bytes + f->size, value);
    f->size += 4;
}

static inline void put_i64(frame_t *f, int64_t value)
{
    bytes_put_i64(f->bytes + f->size, value);
    f->size += 8;
}

static inline void put_bytes(frame_t *f, const void *from, size_t size)
{
    memcpy(f->bytes + f->size, from, size);
    f->size += size;
}

static inline void put_string(frame_t *f, const char *text)
{
    put_i16(f, (int)strlen(text));
    put_bytes(f, text, strlen(text));
}

/* Writes the frame's own size to its first four bytes. */
static inline void frame_seal(frame_t *f)
{
    bytes_put_u32(f->bytes, (uint32_t)(f->size - 4));
}

static inline void send_all(int fd, const void *from, size_t size, int flags)
{
    const uint8_t *at = from;

    while (size) {
        ssize_t sent = send(fd, at, size, flags | MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            die("send");
        at += sent;
        size -= (size_t)sent;
    }
}

/* Returns 0 when the other side closed before the first byte, else 1. */
static inline int receive(int fd, void *to, size_t size)
{
    size_t have = 0;

    while (have < size) {
        ssize_t got = recv(fd, (uint8_t *)to + have, size - have, MSG_WAITALL);

        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0 && have == 0)
            return 0;
        if (got <= 0)
            die("receive");
        have += (size_t)got;
    }
    return 1;
}

static inline void receive_all(int fd, void *to, size_t size)
{
    if (!receive(fd, to, size)) {
        fprintf(stderr, "receive: the other side closed\n");
        exit(1);
    }
}

static inline void no_delay(int fd)
{
    int one = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one))
        die("TCP_NODELAY");
}

/* Listens on PORT of the loopback address. */
static inline int listen_on(int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 64))
        die("listen");
    return fd;
}

#endif
