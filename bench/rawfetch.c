/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rawfetch - how fast Fetch can be on this machine: it looks a position up by
 * division and hands the bytes to the socket, and must do nothing else.
 *
 *   rawfetch PORT SEGMENT.log sendfile|copy
 *
 * Serves ListOffsets v1 and Fetch v4 as `wirebench fetch` sends them, every
 * partition from the one segment, whose batches are all alike (as `wirebench
 * produce` makes them); a thread a connection, until it is killed. Linux only.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "wire.h"

#define BATCH_HEADER 61
#define BLOCK (1 << 20)

static int segment;
static bool copying;
static uint64_t batch_bytes, batch_records, batches;

static void send_records(int fd, uint64_t from, uint64_t size)
{
    static _Thread_local uint8_t block[BLOCK];
    off_t at = (off_t)from;

    while (size && copying) {
        ssize_t got = pread(segment, block, size < BLOCK ? size : BLOCK, at);

        if (got <= 0)
            die("pread");
        send_all(fd, block, (size_t)got, 0);
        at += got;
        size -= (uint64_t)got;
    }
    while (size) {
        ssize_t sent = sendfile(fd, segment, &at, size);

        if (sent <= 0)
            die("sendfile");
        size -= (uint64_t)sent;
    }
}

/* The request's topic array as it stands, up to the partition's number. */
static void put_same_topic(frame_t *f, const uint8_t *topics)
{
    put_bytes(f, topics, 4 + 2 + bytes_get_u16(topics + 4) + 4 + 4);
}

static const uint8_t *after_partition(const uint8_t *topics)
{
    return topics + 4 + 2 + bytes_get_u16(topics + 4) + 4 + 4;
}

static void answer_list_offsets(int fd, frame_t *f, const uint8_t *body)
{
    const uint8_t *topics = body + 4;
    int64_t when = bytes_get_i64(after_partition(topics));

    put_same_topic(f, topics);
    put_i16(f, 0);
    put_i64(f, -1);
    put_i64(f, when == -2 ? 0 : (int64_t)(batches * batch_records));
    frame_seal(f);
    send_all(fd, f->bytes, f->size, 0);
}

static void answer_fetch(int fd, frame_t *f, const uint8_t *body)
{
    const uint8_t *topics = body + 4 + 4 + 4 + 4 + 1;
    const uint8_t *rest = after_partition(topics);
    uint64_t first = bytes_get_u64(rest) / batch_records;
    uint64_t count = bytes_get_u32(rest + 8) / batch_bytes;
    int64_t end = (int64_t)(batches * batch_records);

    if (!count)
        count = 1;
    if (count > batches - first)
        count = batches - first;
    put_i32(f, 0);                /* throttle time */
    put_same_topic(f, topics);
    put_i16(f, 0);
    put_i64(f, end);
    put_i64(f, end);
    put_i32(f, -1);               /* no aborted transactions */
    put_i32(f, (int32_t)(count * batch_bytes));
    bytes_put_u32(f->bytes,
                  (uint32_t)(f->size - 4 + count * batch_bytes));
    send_all(fd, f->bytes, f->size, MSG_MORE);
    send_records(fd, first * batch_bytes, count * batch_bytes);
}

static void *serve(void *argument)
{
    int fd = (int)(intptr_t)argument;
    uint8_t request[4096], answer[512];

    while (receive(fd, request, 4)) {
        uint32_t size = bytes_get_u32(request);
        frame_t f = { answer, 4 };
        const uint8_t *body;

        if (size > sizeof request)
            break;
        receive_all(fd, request, size);
        body = request + 10 + bytes_get_u16(request + 8);
        put_bytes(&f, request + 4, 4);          /* correlation id */
        if (bytes_get_u16(request) == 2)
            answer_list_offsets(fd, &f, body);
        else
            answer_fetch(fd, &f, body);
    }
    close(fd);
    return NULL;
}

int main(int argc, char **argv)
{
    uint8_t header[BATCH_HEADER];
    struct stat status;
    pthread_t thread;
    int listener, fd;

    if (argc != 4) {
        fprintf(stderr, "usage: rawfetch PORT SEGMENT.log sendfile|copy\n");
        return 2;
    }
    segment = open(argv[2], O_RDONLY);
    if (segment < 0 || fstat(segment, &status) ||
        pread(segment, header, sizeof header, 0) != sizeof header)
        die(argv[2]);
    copying = !strcmp(argv[3], "copy");
    batch_bytes = bytes_get_u32(header + 8) + 12;
    batch_records = bytes_get_u32(header + 23) + 1;
    batches = (uint64_t)status.st_size / batch_bytes;
    listener = listen_on(atoi(argv[1]));
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        no_delay(fd);
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd))
            die("thread");
        pthread_detach(thread);
    }
    die("accept");
    return 1;
}
