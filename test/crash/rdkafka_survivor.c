/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clients of kill_rounds_test.py: producers that go on while the broker is
 * killed and started again, and a reader that says what came of it.
 *
 *   rdkafka_survivor produce BROKERS SEED TOPICS PARTITIONS PROGRESS > sent
 *   rdkafka_survivor read BROKERS TOPICS PARTITIONS > found
 *
 * TOPICS is "a,b". `produce` has one idempotent producer with acks=all for each
 * codec. Until SIGTERM it sends records at random; then it waits for the last
 * answers. It gives up on no record. A line for each answer:
 * "topic partition producer number offset", the offset -1 where the broker
 * answered that it had the batch before, and "refused" instead where there is
 * none. PROGRESS is a file in which its answers are counted: 8 bytes, little
 * end first, for who waits for them.
 *
 * A record says who sent it (producer) and as which of its records to that
 * partition (number); all else in it follows from these two, so the reader
 * knows a changed byte. `read` writes "topic partition offset producer number"
 * in the order of the log, or "corrupt" for the last two.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATIENCE_MS 120000
#define MAX_TOPICS  8
#define MAX_PARTS   8
#define OUTSTANDING 300 /* records of one producer without an answer */
#define MAX_VALUE   3000

static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
#define PRODUCERS ((int)(sizeof codecs / sizeof *codecs))

static const char *topics[MAX_TOPICS];
static int topic_count, partitions;
static volatile sig_atomic_t stopping;
static volatile uint64_t *progress;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "rdkafka_survivor: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char why[256];

    if (rd_kafka_conf_set(conf, key, value, why, sizeof why))
        die(key, why);
}

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* Fills VALUE with record NUMBER of PRODUCER; returns its length. */
static size_t fill(char *value, int producer, uint64_t number)
{
    uint64_t chance = mix((uint64_t)producer << 48 ^ number);
    size_t length = 24 + chance % (chance % 16 ? 200 : MAX_VALUE - 24);
    int head = snprintf(value, 24, "%d %" PRIu64 " ", producer, number);

    for (size_t i = (size_t)head; i < length; i++) {
        if (i % 8 == 0)
            chance = mix(chance);
        /* half of it repeats: there must be something to compress */
        value[i] = i / 16 % 2 ? 'x' : (char)(chance >> i % 8 * 8);
    }
    return length;
}

/* ---- producers --------------------------------------------------------- */

typedef struct {
    rd_kafka_t *client;
    int id;
    uint64_t next[MAX_TOPICS][MAX_PARTS];
} producer_t;

static void on_stop(int number)
{
    (void)number;
    stopping = 1;
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message,
                        void *opaque)
{
    const producer_t *producer = opaque;
    uint64_t number = (uint64_t)(uintptr_t)message->_private;

    (void)client;
    printf("%s %d %d %" PRIu64, rd_kafka_topic_name(message->rkt),
           (int)message->partition, producer->id, number);
    if (message->err)
        printf(" refused %s\n", rd_kafka_err2name(message->err));
    else
        printf(" %" PRId64 "\n", message->offset);
    ++*progress;
}

static void on_error(rd_kafka_t *client, int err, const char *reason,
                     void *opaque)
{
    (void)opaque;
    if (err == RD_KAFKA_RESP_ERR__FATAL) {
        char why[512];

        rd_kafka_fatal_error(client, why, sizeof why);
        fprintf(stderr, "rdkafka_survivor: fatal: %s (%s)\n", why, reason);
        _exit(1);
    }
}

static void on_log(const rd_kafka_t *client, int level, const char *facility,
                   const char *text)
{
    /* that connections break is what this is about */
    (void)client, (void)level, (void)facility, (void)text;
}

static void open_producer(producer_t *producer, const char *brokers, int id)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];

    set(conf, "bootstrap.servers", brokers);
    set(conf, "enable.idempotence", "true");
    set(conf, "acks", "all");
    set(conf, "compression.codec", codecs[id]);
    set(conf, "linger.ms", id % 2 ? "0" : "4");
    set(conf, "batch.num.messages", id % 2 ? "5" : "100");
    set(conf, "message.timeout.ms", "0"); /* never gives up */
    set(conf, "retries", "2147483647");
    set(conf, "retry.backoff.ms", "5");
    set(conf, "reconnect.backoff.ms", "5");
    set(conf, "reconnect.backoff.max.ms", "40");
    set(conf, "topic.metadata.refresh.fast.interval.ms", "20");
    rd_kafka_conf_set_opaque(conf, producer);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    producer->id = id;
    producer->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!producer->client)
        die("producer", why);
}

static void send_one(producer_t *producer, uint64_t chance)
{
    static char value[MAX_VALUE + 8];
    int topic = (int)(chance % (uint64_t)topic_count);
    int part = (int)(chance / 64 % (uint64_t)partitions);
    uint64_t number = producer->next[topic][part];
    size_t length = fill(value, producer->id, number);
    rd_kafka_resp_err_t err;

    err = rd_kafka_producev(
        producer->client, RD_KAFKA_V_TOPIC(topics[topic]),
        RD_KAFKA_V_PARTITION(part), RD_KAFKA_V_VALUE(value, length),
        RD_KAFKA_V_KEY(value, number % 3 ? 8 : 0),
        RD_KAFKA_V_HEADER("n", &number, number % 5 ? 0 : sizeof number),
        RD_KAFKA_V_OPAQUE((void *)(uintptr_t)number),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (!err)
        producer->next[topic][part]++;
    else if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        die("produce", rd_kafka_err2str(err));
}

static void map_progress(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT, 0600);
    void *memory;

    if (file < 0 || ftruncate(file, sizeof *progress))
        die(path, "cannot be made");
    memory = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED,
                  file, 0);
    if (memory == MAP_FAILED)
        die(path, "cannot be mapped");
    progress = memory;
}

static int produce(const char *brokers, uint64_t chance, const char *path)
{
    static producer_t producers[PRODUCERS];
    int failed = 0;

    map_progress(path);
    signal(SIGTERM, on_stop);
    for (int i = 0; i < PRODUCERS; i++)
        open_producer(&producers[i], brokers, i);
    while (!stopping) {
        int busy = 0;

        for (int i = 0; i < PRODUCERS; i++) {
            if (rd_kafka_outq_len(producers[i].client) < OUTSTANDING) {
                send_one(&producers[i], chance = mix(chance));
                busy = 1;
            }
            rd_kafka_poll(producers[i].client, 0);
        }
        if (!busy)
            rd_kafka_poll(producers[chance++ % PRODUCERS].client, 2);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        if (rd_kafka_flush(producers[i].client, PATIENCE_MS)) {
            fprintf(stderr,
                    "rdkafka_survivor: %d records of %s are without "
                    "an answer\n",
                    rd_kafka_outq_len(producers[i].client), codecs[i]);
            failed = 1;
        }
        if (!failed)
            rd_kafka_destroy(producers[i].client);
    }
    return fflush(stdout) || failed;
}

/* ---- reader ------------------------------------------------------------ */

static void write_found(const rd_kafka_message_t *message)
{
    char wanted[MAX_VALUE + 8], head[24] = "";
    const char *value = message->payload;
    int producer;
    uint64_t number;

    printf("%s %d %" PRId64 " ", rd_kafka_topic_name(message->rkt),
           (int)message->partition, message->offset);
    memcpy(head, value, message->len < 23 ? message->len : 23);
    if (sscanf(head, "%d %" SCNu64 " ", &producer, &number) == 2 &&
        fill(wanted, producer, number) == message->len &&
        memcmp(wanted, value, message->len) == 0)
        printf("%d %" PRIu64 "\n", producer, number);
    else
        printf("corrupt\n");
}

static void read_partition(rd_kafka_t *client, const char *topic, int part)
{
    rd_kafka_topic_partition_list_t *from =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t err;
    int64_t low, end, next;

    if ((err = rd_kafka_query_watermark_offsets(client, topic, part, &low, &end,
                                                PATIENCE_MS)))
        die("offsets", rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_add(from, topic, part)->offset = low;
    if ((err = rd_kafka_assign(client, from)))
        die("assign", rd_kafka_err2str(err));
    for (next = low; next < end;) {
        rd_kafka_message_t *message =
            rd_kafka_consumer_poll(client, PATIENCE_MS);

        if (!message)
            die("read", "nothing came");
        if (message->err)
            die("read", rd_kafka_message_errstr(message));
        write_found(message);
        next = message->offset + 1;
        rd_kafka_message_destroy(message);
    }
    rd_kafka_topic_partition_list_destroy(from);
}

static int read_all(const char *brokers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];
    rd_kafka_t *client;

    set(conf, "bootstrap.servers", brokers);
    set(conf, "group.id", "none");
    set(conf, "enable.auto.commit", "false");
    set(conf, "check.crcs", "true");
    set(conf, "fetch.wait.max.ms", "10");
    client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (!client)
        die("consumer", why);
    for (int t = 0; t < topic_count; t++)
        for (int p = 0; p < partitions; p++)
            read_partition(client, topics[t], p);
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return fflush(stdout) ? 1 : 0;
}

static void take_topics(char *list, const char *count)
{
    for (char *name = strtok(list, ","); name; name = strtok(NULL, ","))
        if (topic_count < MAX_TOPICS)
            topics[topic_count++] = name;
    partitions = atoi(count);
    if (topic_count == 0 || partitions < 1 || partitions > MAX_PARTS)
        die("arguments", "no topics, or too many partitions");
}

int main(int argc, char **argv)
{
    if (argc == 7 && !strcmp(argv[1], "produce")) {
        take_topics(argv[4], argv[5]);
        return produce(argv[2], strtoull(argv[3], NULL, 10), argv[6]);
    }
    if (argc == 5 && !strcmp(argv[1], "read")) {
        take_topics(argv[3], argv[4]);
        return read_all(argv[2]);
    }
    fprintf(stderr,
            "usage: rdkafka_survivor produce BROKERS SEED TOPICS PARTITIONS "
            "PROGRESS\n"
            "       rdkafka_survivor read BROKERS TOPICS PARTITIONS\n");
    return 2;
}
