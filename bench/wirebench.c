/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wirebench - measures a Kafka-compatible broker over plain sockets: no
 * client library is in the way, batches are built once, and what is fetched
 * is dropped inside the kernel.
 *
 *   wirebench produce HOST:PORT TOPIC PID MIB BATCH_KIB ACKS DEPTH CONNS
 *   wirebench fetch   HOST:PORT TOPIC PID MIB MAX_KIB CONNS
 *   wirebench rtt     HOST:PORT TOPIC PID COUNT RECORD_BYTES ACKS
 *   wirebench e2e     HOST:PORT TOPIC PID COUNT RECORD_BYTES ACKS
 *   wirebench idle    HOST:PORT TOPIC PID CONNS
 *
 * PID is the broker's process, whose CPU time and memory are read (0: they are
 * not). Connection number i works on partition i. Each run prints one line of
 * key=value. The requests are ApiVersions v0, Produce v3, Fetch v4 and
 * ListOffsets v1, which every broker since Kafka 0.11 serves. Linux only.
 *
 * The measured loop must do nothing but send, receive and count.
 */
#include <pthread.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <time.h>

#include "record/crc32c.h"
#include "wire.h"

enum { PRODUCE = 0, FETCH = 1, LIST_OFFSETS = 2, API_VERSIONS = 18 };
enum { EARLIEST = -2, LATEST = -1 };

#define MIB 1048576.0
#define GIB 1073741824.0
#define CONNECTIONS 256
#define PRODUCED_RECORD 1024      /* bytes of a record's value in bulk */
#define BATCH_HEADER 61
#define SMALL_FRAME 512           /* requests without records, and answers */
#define WAIT_MS 5000

/* What one connection's thread does, and what it did. */
typedef struct job_t {
    int partition;
    size_t total;                 /* bytes to move */
    size_t unit;                  /* bytes of a batch, or a fetch's limit */
    int acks;
    int depth;                    /* requests in flight */
    double bytes;
    double requests;
    double records;
} job_t;

static char host[64];
static int port;
static const char *topic;
static int broker_pid;

static void fail(const char *what, int code)
{
    fprintf(stderr, "wirebench: %s: %d\n", what, code);
    exit(1);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The broker's user and system time so far. */
static double broker_cpu(void)
{
    char path[64], line[1024];
    unsigned long user = 0, system = 0;
    FILE *file;

    if (!broker_pid)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/stat", broker_pid);
    if (!(file = fopen(path, "r")) || !fgets(line, sizeof line, file))
        die(path);
    fclose(file);
    sscanf(strrchr(line, ')') + 2,
           "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
           &system);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double broker_rss_mib(void)
{
    char path[64], line[256];
    long kib = 0;
    FILE *file;

    if (!broker_pid)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/status", broker_pid);
    if (!(file = fopen(path, "r")))
        die(path);
    while (fgets(line, sizeof line, file) &&
           sscanf(line, "VmRSS: %ld", &kib) != 1)
        ;
    fclose(file);
    return (double)kib / 1024;
}

static int dial(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
        fail("not an IPv4 address", 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to))
        die("connect");
    no_delay(fd);
    return fd;
}

/* Takes SIZE bytes off the socket without copying them to this program. */
static void discard(int fd, size_t size)
{
    while (size) {
        ssize_t got = recv(fd, NULL, size, MSG_TRUNC);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            die("discard");
        size -= (size_t)got;
    }
}

/* ---- Requests ------------------------------------------------------------ */

static void put_varint(frame_t *f, int64_t value)
{
    uint64_t zigzag = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);

    for (; zigzag > 127; zigzag >>= 7)
        put_i8(f, (int)(zigzag & 127) | 128);
    put_i8(f, (int)zigzag);
}

static size_t varint_size(int64_t value)
{
    uint8_t bytes[10];
    frame_t f = { bytes, 0 };

    put_varint(&f, value);
    return f.size;
}

static void request_begin(frame_t *f, int key, int version)
{
    f->size = 4;                  /* the frame's size is known at its end */
    put_i16(f, key);
    put_i16(f, version);
    put_i32(f, 1);
    put_string(f, "wirebench");
}

/* Up to "partition" the requests about one partition are alike. */
static void put_partition(frame_t *f, int partition)
{
    put_i32(f, 1);
    put_string(f, topic);
    put_i32(f, 1);
    put_i32(f, partition);
}

static void put_record(frame_t *f, int index, size_t value)
{
    size_t body = 1 + 1 + varint_size(index) + 1 +
                  varint_size((int64_t)value) + value + 1;

    put_varint(f, (int64_t)body);
    put_i8(f, 0);                 /* attributes */
    put_varint(f, 0);             /* timestamp delta */
    put_varint(f, index);
    put_varint(f, -1);            /* no key */
    put_varint(f, (int64_t)value);
    for (size_t i = 0; i < value; i++)
        put_i8(f, 'a' + (int)((i * 7 + (size_t)index) % 26));
    put_varint(f, 0);             /* no headers */
}

/*
 * Appends a record batch of at most SIZE bytes, but one record at least, of
 * VALUE bytes each; returns the number of records.
 */
static int put_batch(frame_t *f, size_t size, size_t value)
{
    uint8_t *batch = f->bytes + f->size;
    int64_t now = (int64_t)time(NULL) * 1000;
    int count = 0;

    memset(batch, 0, BATCH_HEADER);
    bytes_put_i32(batch + 12, -1);              /* leader epoch */
    batch[16] = 2;                              /* magic */
    bytes_put_i64(batch + 27, now);
    bytes_put_i64(batch + 35, now);
    bytes_put_i64(batch + 43, -1);              /* producer id */
    bytes_put_i16(batch + 51, -1);
    bytes_put_i32(batch + 53, -1);
    f->size += BATCH_HEADER;
    do
        put_record(f, count++, value);
    while ((size_t)(f->bytes + f->size - batch) + value + 16 < size);
    size = (size_t)(f->bytes + f->size - batch);
    bytes_put_u32(batch + 8, (uint32_t)size - 12);
    bytes_put_i32(batch + 23, count - 1);
    bytes_put_i32(batch + 57, count);
    bytes_put_u32(batch + 17, crc32c(0, batch + 21, size - 21));
    return count;
}

/* A whole Produce request in a frame of its own, which is never freed. */
static int produce_request(frame_t *f, int partition, int acks, size_t batch,
                           size_t value)
{
    size_t length_at;
    int count;

    f->bytes = malloc(batch + value + 4096);
    if (!f->bytes)
        die("memory");
    request_begin(f, PRODUCE, 3);
    put_i16(f, -1);               /* no transaction */
    put_i16(f, acks);
    put_i32(f, 30000);
    put_partition(f, partition);
    length_at = f->size;
    put_i32(f, 0);
    count = put_batch(f, batch, value);
    bytes_put_u32(f->bytes + length_at, (uint32_t)(f->size - length_at - 4));
    frame_seal(f);
    return count;
}

static void produce_answer(int fd)
{
    uint8_t answer[SMALL_FRAME];
    uint32_t size;
    const uint8_t *error = answer + 4 + 4 + 2 + strlen(topic) + 4 + 4;

    receive_all(fd, answer, 4);
    size = bytes_get_u32(answer);
    if (size > sizeof answer)
        fail("size of a Produce answer", (int)size);
    receive_all(fd, answer, size);
    if (bytes_get_i16(error))
        fail("error of a Produce", bytes_get_i16(error));
}

static int64_t list_offset(int fd, int partition, int64_t when)
{
    uint8_t bytes[SMALL_FRAME];
    frame_t f = { bytes, 0 };
    const uint8_t *part = bytes + 4 + 4 + 2 + strlen(topic) + 4 + 4;
    uint32_t size;

    request_begin(&f, LIST_OFFSETS, 1);
    put_i32(&f, -1);
    put_partition(&f, partition);
    put_i64(&f, when);
    frame_seal(&f);
    send_all(fd, f.bytes, f.size, 0);
    receive_all(fd, bytes, 4);
    size = bytes_get_u32(bytes);
    if (size > sizeof bytes)
        fail("size of a ListOffsets answer", (int)size);
    receive_all(fd, bytes, size);
    if (bytes_get_i16(part))
        fail("error of a ListOffsets", bytes_get_i16(part));
    return bytes_get_i64(part + 2 + 8);
}

static void fetch_send(int fd, int partition, int64_t offset, size_t max)
{
    uint8_t bytes[SMALL_FRAME];
    frame_t f = { bytes, 0 };

    request_begin(&f, FETCH, 4);
    put_i32(&f, -1);
    put_i32(&f, WAIT_MS);
    put_i32(&f, 1);               /* min bytes */
    put_i32(&f, (int32_t)max);
    put_i8(&f, 0);
    put_partition(&f, partition);
    put_i64(&f, offset);
    put_i32(&f, (int32_t)max);
    frame_seal(&f);
    send_all(fd, f.bytes, f.size, 0);
}

/* Reads a Fetch answer up to its records; returns their size in bytes. */
static size_t fetch_head(int fd)
{
    uint8_t answer[SMALL_FRAME];
    size_t at_error = 4 + 4 + 4 + 4 + 2 + strlen(topic) + 4 + 4;
    size_t at_aborted = at_error + 2 + 8 + 8;
    int32_t size;

    receive_all(fd, answer, at_aborted + 4 + 4);
    if (bytes_get_i16(answer + at_error))
        fail("error of a Fetch", bytes_get_i16(answer + at_error));
    if (bytes_get_i32(answer + at_aborted) > 0)
        fail("aborted transactions", bytes_get_i32(answer + at_aborted));
    size = bytes_get_i32(answer + at_aborted + 4);
    return size < 0 ? 0 : (size_t)size;
}

/* Reads one answer's batches; returns the offset behind the last whole one. */
static int64_t fetch_next_offset(int fd, int64_t offset)
{
    size_t left = fetch_head(fd);

    while (left >= BATCH_HEADER) {
        uint8_t header[BATCH_HEADER];
        size_t rest;

        receive_all(fd, header, sizeof header);
        left -= sizeof header;
        rest = bytes_get_u32(header + 8) + 12 - sizeof header;
        if (rest > left)
            break;                /* cut off by the limit */
        discard(fd, rest);
        left -= rest;
        offset = bytes_get_i64(header) + bytes_get_i32(header + 23) + 1;
    }
    discard(fd, left);
    return offset;
}

/* ---- Throughput ---------------------------------------------------------- */

static void *produce_thread(void *argument)
{
    job_t *job = argument;
    frame_t request, last;
    int count = produce_request(&request, job->partition, job->acks,
                                job->unit, PRODUCED_RECORD);
    int fd = dial(), in_flight = 0;

    while (job->bytes < (double)job->total) {
        send_all(fd, request.bytes, request.size, 0);
        job->bytes += (double)request.size;
        job->records += count;
        job->requests++;
        if (job->acks && ++in_flight == job->depth) {
            produce_answer(fd);
            in_flight--;
        }
    }
    while (in_flight--)
        produce_answer(fd);
    if (!job->acks) {             /* its answer says that all came through */
        produce_request(&last, job->partition, 1, 200, 100);
        send_all(fd, last.bytes, last.size, 0);
        produce_answer(fd);
    }
    close(fd);
    return NULL;
}

/*
 * All batches are alike, so that each answer brings as many offsets as the
 * first: the loop need not look into what comes. At the end of the log it
 * starts again from its beginning.
 */
static void *fetch_thread(void *argument)
{
    job_t *job = argument;
    int fd = dial();
    int64_t low = list_offset(fd, job->partition, EARLIEST);
    int64_t end = list_offset(fd, job->partition, LATEST);
    int64_t step, at;

    fetch_send(fd, job->partition, low, job->unit);
    step = fetch_next_offset(fd, low) - low;
    if (step <= 0)
        fail("nothing to fetch from partition", job->partition);
    for (at = low; job->bytes < (double)job->total; at += step) {
        size_t size;

        if (at + step > end)
            at = low;
        fetch_send(fd, job->partition, at, job->unit);
        size = fetch_head(fd);
        discard(fd, size);
        job->bytes += (double)size;
        job->requests++;
    }
    close(fd);
    return NULL;
}

/* Runs one thread a job; returns the seconds until the last has ended. */
static double run_jobs(void *(*body)(void *), job_t *jobs, int count)
{
    pthread_t threads[CONNECTIONS];
    double begin = seconds();

    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, body, &jobs[i]))
            fail("thread", i);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return seconds() - begin;
}

static void throughput(const char *mode, void *(*body)(void *), size_t mib,
                       int conns, const job_t *pattern)
{
    job_t jobs[CONNECTIONS];
    double bytes = 0, requests = 0, records = 0, cpu, wall;

    if (conns < 1 || conns > CONNECTIONS)
        fail("connections", conns);
    for (int i = 0; i < conns; i++) {
        jobs[i] = *pattern;
        jobs[i].partition = i;
        jobs[i].total = mib * (size_t)MIB / (size_t)conns;
    }
    cpu = broker_cpu();
    wall = run_jobs(body, jobs, conns);
    cpu = broker_cpu() - cpu;
    for (int i = 0; i < conns; i++) {
        bytes += jobs[i].bytes;
        requests += jobs[i].requests;
        records += jobs[i].records;
    }
    printf("%s unit_KiB=%zu acks=%d depth=%d conns=%d MiB_s=%.1f "
           "requests_s=%.0f records_s=%.0f broker_cpu_s_per_GiB=%.3f "
           "rss_MiB=%.1f\n",
           mode, pattern->unit / 1024, pattern->acks, pattern->depth, conns,
           bytes / MIB / wall, requests / wall, records / wall,
           cpu / (bytes / GIB), broker_rss_mib());
}

/* ---- Latency ------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;

    return (one > other) - (one < other);
}

static void print_latency(const char *mode, double *took, int count,
                          double cpu)
{
    qsort(took, (size_t)count, sizeof *took, by_value);
    printf("%s count=%d p50_us=%.1f p99_us=%.1f p999_us=%.1f max_us=%.0f "
           "broker_cpu_us_per_request=%.1f\n",
           mode, count, took[count / 2] * 1e6,
           took[(int)(count * 0.99)] * 1e6, took[(int)(count * 0.999)] * 1e6,
           took[count - 1] * 1e6, cpu / count * 1e6);
}

/*
 * One record at a time: from sending it to its acknowledgement (rtt), or to
 * its arrival at a consumer that already waits for it (e2e).
 */
static void latency(const char *mode, int count, size_t value, int acks)
{
    bool to_consumer = mode[0] == 'e';
    int producer = dial(), consumer = to_consumer ? dial() : -1;
    double *took = calloc((size_t)count, sizeof *took), cpu;
    frame_t request;
    int64_t offset = 0;

    if (count < 1 || !took)
        fail("count", count);
    produce_request(&request, 0, acks, 1, value);
    if (to_consumer)
        offset = list_offset(consumer, 0, LATEST);
    cpu = broker_cpu();
    for (int i = 0; i < count; i++) {
        double begin;

        if (to_consumer) {
            fetch_send(consumer, 0, offset + i, 1 << 20);
            usleep(200);          /* until the broker has parked it */
        }
        begin = seconds();
        send_all(producer, request.bytes, request.size, 0);
        if (to_consumer)
            discard(consumer, fetch_head(consumer));
        else
            produce_answer(producer);
        took[i] = seconds() - begin;
        if (to_consumer)
            produce_answer(producer);
    }
    print_latency(mode, took, count, broker_cpu() - cpu);
    free(took);
}

/* ---- Idle connections ---------------------------------------------------- */

static void idle(int conns)
{
    struct rlimit limit = { (rlim_t)conns + 64, (rlim_t)conns + 64 };
    double before = broker_rss_mib(), begin = seconds(), opened;

    if (setrlimit(RLIMIT_NOFILE, &limit))
        die("descriptors");
    for (int i = 0; i < conns; i++) {
        uint8_t bytes[SMALL_FRAME];
        frame_t f = { bytes, 0 };
        int fd = dial();          /* closed when the program ends */

        request_begin(&f, API_VERSIONS, 0);
        frame_seal(&f);
        send_all(fd, f.bytes, f.size, 0);
        receive_all(fd, bytes, 4);
        discard(fd, bytes_get_u32(bytes));
    }
    opened = seconds() - begin;
    sleep(1);
    printf("idle conns=%d opened_s=%.0f rss_KiB_per_conn=%.2f rss_MiB=%.1f\n",
           conns, conns / opened,
           (broker_rss_mib() - before) * 1024 / conns, broker_rss_mib());
}

static int usage(void)
{
    fprintf(stderr,
            "usage: wirebench produce|fetch|rtt|e2e|idle HOST:PORT TOPIC PID "
            "...\n(the head of wirebench.c says it all)\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 5 ? argv[1] : "";
    const char *colon = argc > 5 ? strchr(argv[2], ':') : NULL;
    job_t job = { .depth = 1 };

    if (!colon)
        return usage();
    snprintf(host, sizeof host, "%.*s", (int)(colon - argv[2]), argv[2]);
    port = atoi(colon + 1);
    topic = argv[3];
    broker_pid = atoi(argv[4]);
    if (!strcmp(mode, "produce") && argc == 10) {
        job.unit = (size_t)atol(argv[6]) * 1024;
        job.acks = atoi(argv[7]);
        job.depth = atoi(argv[8]);
        throughput(mode, produce_thread, (size_t)atol(argv[5]), atoi(argv[9]),
                   &job);
    } else if (!strcmp(mode, "fetch") && argc == 8) {
        job.unit = (size_t)atol(argv[6]) * 1024;
        throughput(mode, fetch_thread, (size_t)atol(argv[5]), atoi(argv[7]),
                   &job);
    } else if ((!strcmp(mode, "rtt") || !strcmp(mode, "e2e")) && argc == 8) {
        latency(mode, atoi(argv[5]), (size_t)atol(argv[6]), atoi(argv[7]));
    } else if (!strcmp(mode, "idle") && argc == 6) {
        idle(atoi(argv[5]));
    } else {
        return usage();
    }
    return 0;
}
