/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rawproduce - how fast Produce can be on this machine: it receives a frame,
 * computes its CRC-32C, appends it to a file and answers, and must do nothing
 * else.
 *
 *   rawproduce PORT FILE [flush]
 *
 * Serves Produce v3 as `wirebench produce` and `wirebench rtt` send it; a
 * thread and a file (FILE.0, FILE.1, ...) a connection, until it is killed.
 * With "flush" it answers after fdatasync. Linux only.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>

#include "record/crc32c.h"
#include "wire.h"

#define LARGEST (16 << 20)

static const char *path;
static bool flushing;
static volatile uint32_t checksum;        /* so that the CRC is computed */

static int open_file(void)
{
    static int opened;
    char name[4096];
    int file;

    snprintf(name, sizeof name, "%s.%d", path, opened++);
    file = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    if (file < 0)
        die(name);
    return file;
}

static void answer_produce(int fd, const uint8_t *request)
{
    uint8_t bytes[512];
    frame_t f = { bytes, 4 };
    const uint8_t *topics = request + 10 + bytes_get_u16(request + 8) +
                            2 + 2 + 4;          /* transaction, acks, time */

    put_bytes(&f, request + 4, 4);              /* correlation id */
    put_bytes(&f, topics, 4 + 2 + bytes_get_u16(topics + 4) + 4 + 4);
    put_i16(&f, 0);
    put_i64(&f, 0);
    put_i64(&f, -1);
    put_i32(&f, 0);
    frame_seal(&f);
    send_all(fd, f.bytes, f.size, 0);
}

typedef struct peer_t {
    int fd;
    int file;
} peer_t;

static void *serve(void *argument)
{
    peer_t *peer = argument;
    uint8_t *frame = malloc(LARGEST), head[4];

    if (!frame)
        die("memory");
    while (receive(peer->fd, head, 4)) {
        uint32_t size = bytes_get_u32(head);

        if (size > LARGEST)
            break;
        receive_all(peer->fd, frame, size);
        checksum = crc32c(0, frame, size);
        if (write(peer->file, frame, size) != (ssize_t)size ||
            (flushing && fdatasync(peer->file)))
            die(path);
        answer_produce(peer->fd, frame);
    }
    close(peer->fd);
    close(peer->file);
    free(frame);
    free(peer);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    int listener, fd;

    if (argc < 3 || (argc == 4 && strcmp(argv[3], "flush")) || argc > 4) {
        fprintf(stderr, "usage: rawproduce PORT FILE [flush]\n");
        return 2;
    }
    path = argv[2];
    flushing = argc == 4;
    listener = listen_on(atoi(argv[1]));
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        peer_t *peer = malloc(sizeof *peer);

        if (!peer)
            die("memory");
        no_delay(fd);
        peer->fd = fd;
        peer->file = open_file();
        if (pthread_create(&thread, NULL, serve, peer))
            die("thread");
        pthread_detach(thread);
    }
    die("accept");
    return 1;
}
