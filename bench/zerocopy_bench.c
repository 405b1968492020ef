/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SendFile against RegularCopy: takhin_send_file and takhin_send_copy at four
 * sizes, to a TCP socket over loopback and to a buffer-like destination.
 * The two take turns (A-B-A-B); what is printed is each one's median.
 *
 *     zerocopy_bench [ROUNDS [SCALE]]
 *
 * ROUNDS samples of each (default 5), each of SCALE times the usual bytes
 * (default 1.0). CPU is the whole process's, with the thread that takes the
 * bytes off the socket and throws them away. The file is in the page cache.
 */
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_network_io.h>
#include <apr_thread_proc.h>
#include <apr_time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <takhin/zerocopy.h>

#include "zerocopy_bench.h"

#define MIB        (1024.0 * 1024.0)
#define GIB        (1024.0 * 1024.0 * 1024.0)
#define FILE_SIZE  ((apr_off_t)64 * 1024 * 1024)
#define MAX_ROUNDS 99

typedef enum { TO_TCP, TO_BUFFER, DESTINATIONS } target_t;
typedef enum { SEND_FILE, REGULAR_COPY, METHODS } method_t;

static const char *const target_names[] = {"TCP socket", "buffer"};
static const char *const method_names[] = {"SendFile", "RegularCopy"};

static const struct {
    const char *name;
    apr_off_t bytes;
    double sample; /* bytes a sample */
} sizes[] = {
    {"1 KB", 1024, 64 * MIB},
    {"64 KB", 64 * 1024, GIB},
    {"1 MB", 1024 * 1024, 2 * GIB},
    {"8 MB", 8 * 1024 * 1024, 2 * GIB},
};
#define SIZES (int)(sizeof(sizes) / sizeof(sizes[0]))

typedef struct {
    double seconds;
    double cpu;
    double allocations; /* an operation */
    double allocated;   /* bytes an operation */
    double zero_copy;   /* share of the bytes */
} sample_t;

static void check(apr_status_t status, const char *what)
{
    char text[200];

    if (status != APR_SUCCESS) {
        fprintf(stderr, "zerocopy_bench: %s: %s\n", what,
                apr_strerror(status, text, sizeof(text)));
        exit(1);
    }
}

static apr_file_t *make_file(apr_pool_t *pool)
{
    static char block[1024 * 1024];
    char path[] = "zerocopy_bench.XXXXXX";
    apr_file_t *file;
    apr_off_t left;

    check(apr_file_mktemp(&file, path,
                          APR_FOPEN_CREATE | APR_FOPEN_EXCL | APR_FOPEN_READ |
                              APR_FOPEN_WRITE | APR_FOPEN_BINARY |
                              APR_FOPEN_DELONCLOSE,
                          pool),
          "temporary file");
    memset(block, 'x', sizeof(block));
    for (left = FILE_SIZE; left > 0; left -= sizeof(block)) {
        check(apr_file_write_full(file, block, sizeof(block), NULL), "write");
    }
    return file;
}

static void connect_pair(apr_socket_t **sender, apr_socket_t **receiver,
                         apr_pool_t *pool)
{
    apr_socket_t *listener;
    apr_sockaddr_t *address;

    check(apr_sockaddr_info_get(&address, "127.0.0.1", APR_INET, 0, 0, pool),
          "address");
    check(apr_socket_create(&listener, APR_INET, SOCK_STREAM, APR_PROTO_TCP,
                            pool),
          "socket");
    check(apr_socket_bind(listener, address), "bind");
    check(apr_socket_listen(listener, 1), "listen");
    check(apr_socket_addr_get(&address, APR_LOCAL, listener), "address");
    check(apr_socket_create(sender, APR_INET, SOCK_STREAM, APR_PROTO_TCP, pool),
          "socket");
    check(apr_socket_connect(*sender, address), "connect");
    check(apr_socket_accept(receiver, listener, pool), "accept");
    check(apr_socket_opt_set(*sender, APR_TCP_NODELAY, 1), "TCP_NODELAY");
    check(apr_socket_close(listener), "close");
}

static void *APR_THREAD_FUNC drain(apr_thread_t *thread, void *socket)
{
    (void)thread;
    while (bench_discard(socket) > 0) {}
    return NULL;
}

/* The buffer-like destination: memory that is written round and round. */
static apr_status_t buffer_write(void *baton, const void *data,
                                 apr_size_t *length)
{
    static char memory[8 * 1024 * 1024];
    apr_size_t *used = baton;

    if (*used + *length > sizeof(memory)) {
        *used = 0;
    }
    memcpy(memory + *used, data, *length);
    *used += *length;
    return APR_SUCCESS;
}

/* OPERATIONS sends of SIZE bytes each, through the file and round again. */
static void send_all(const takhin_destination_t *to, apr_file_t *file,
                     method_t method, apr_off_t size, apr_off_t operations,
                     takhin_zerocopy_counters_t *counters)
{
    apr_off_t offset = 0, sent;

    for (; operations > 0; operations--) {
        check(method == SEND_FILE
                  ? takhin_send_file(to, file, offset, size, counters, &sent)
                  : takhin_send_copy(to, file, offset, size, counters, &sent),
              "send");
        offset += size;
        if (offset + size > FILE_SIZE) {
            offset = 0;
        }
    }
}

static sample_t measure(apr_file_t *file, target_t target, method_t method,
                        apr_off_t size, apr_off_t operations)
{
    takhin_zerocopy_counters_t counters = {0};
    takhin_destination_t to;
    apr_size_t used = 0;
    apr_socket_t *sender = NULL, *receiver = NULL;
    apr_thread_t *thread = NULL;
    apr_uint64_t calls[2], bytes[2];
    apr_pool_t *pool;
    apr_time_t begin;
    sample_t sample;
    double cpu;

    check(apr_pool_create(&pool, NULL), "pool");
    to = takhin_to_writer(buffer_write, &used);
    if (target == TO_TCP) {
        connect_pair(&sender, &receiver, pool);
        check(apr_thread_create(&thread, NULL, drain, receiver, pool),
              "thread");
        to = takhin_to_socket(sender);
    }
    cpu = bench_cpu_seconds();
    begin = apr_time_now();
    bench_allocations(&calls[0], &bytes[0]);
    send_all(&to, file, method, size, operations, &counters);
    bench_allocations(&calls[1], &bytes[1]);
    if (target == TO_TCP) {
        apr_status_t ignored;

        check(apr_socket_shutdown(sender, APR_SHUTDOWN_WRITE), "shutdown");
        check(apr_thread_join(&ignored, thread), "join");
    }
    sample.seconds = (double)(apr_time_now() - begin) / 1e6;
    sample.cpu = bench_cpu_seconds() - cpu;
    sample.allocations = (double)(calls[1] - calls[0]) / (double)operations;
    sample.allocated = (double)(bytes[1] - bytes[0]) / (double)operations;
    sample.zero_copy =
        (double)counters.zero_copy_bytes / ((double)size * (double)operations);
    apr_pool_destroy(pool);
    return sample;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), by_value);
    return count % 2 ? values[count / 2]
                     : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* The largest allocation figures of all samples are printed: one that isn't
 * zero must not hide behind a median. */
static void print_row(target_t target, int size, method_t method,
                      const sample_t *samples, int rounds, double bytes)
{
    double rates[MAX_ROUNDS], cpus[MAX_ROUNDS];
    double allocations = 0, allocated = 0, zero_copy = 1;
    apr_uint64_t ignored;
    int i;

    for (i = 0; i < rounds; i++) {
        const sample_t *s = &samples[i];

        rates[i] = bytes / s->seconds / 1e6;
        cpus[i] = s->cpu / (bytes / GIB);
        allocations =
            s->allocations > allocations ? s->allocations : allocations;
        allocated = s->allocated > allocated ? s->allocated : allocated;
        zero_copy = s->zero_copy < zero_copy ? s->zero_copy : zero_copy;
    }
    printf("| %-10s | %-5s | %-11s | %8.0f | %9.3f | ", target_names[target],
           sizes[size].name, method_names[method], median(rates, rounds),
           median(cpus, rounds));
    if (bench_allocations(&ignored, &ignored)) {
        printf("%8.3g | %14.3g | ", allocated, allocations);
    } else {
        printf("%8s | %14s | ", "-", "-");
    }
    printf("%8.0f%% |\n", zero_copy * 100);
    fflush(stdout);
}

static void compare(apr_file_t *file, target_t target, int size, int rounds,
                    double scale)
{
    sample_t samples[METHODS][MAX_ROUNDS];
    apr_off_t operations =
        (apr_off_t)(sizes[size].sample * scale / (double)sizes[size].bytes);
    int round, method;

    operations = operations > 0 ? operations : 1;
    for (method = 0; method < METHODS; method++) { /* warm */
        measure(file, target, method, sizes[size].bytes, operations / 8 + 1);
    }
    for (round = 0; round < rounds; round++) {
        for (method = 0; method < METHODS; method++) {
            samples[method][round] =
                measure(file, target, method, sizes[size].bytes, operations);
        }
    }
    for (method = 0; method < METHODS; method++) {
        print_row(target, size, method, samples[method], rounds,
                  (double)operations * (double)sizes[size].bytes);
    }
}

int main(int argc, const char *const *argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    double scale = argc > 2 ? atof(argv[2]) : 1.0;
    apr_pool_t *pool;
    apr_file_t *file;
    int target, size;

    if (rounds < 1 || rounds > MAX_ROUNDS || scale <= 0) {
        fprintf(stderr, "usage: zerocopy_bench [ROUNDS [SCALE]]\n");
        return 2;
    }
    check(apr_app_initialize(&argc, &argv, NULL), "APR");
    check(apr_pool_create(&pool, NULL), "pool");
    file = make_file(pool);
    printf("| %-10s | %-5s | %-11s | %8s | %9s | %8s | %14s | %9s |\n", "to",
           "size", "by", "MB/s", "CPU-s/GiB", "bytes/op", "allocations/op",
           "zero-copy");
    printf("|------------|-------|-------------|---------:|----------:"
           "|---------:|---------------:|----------:|\n");
    for (target = 0; target < DESTINATIONS; target++) {
        for (size = 0; size < SIZES; size++) {
            compare(file, target, size, rounds, scale);
        }
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
