/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rdkafka_roundtrip - a small librdkafka client for the script tests.
 *
 *   rdkafka_roundtrip produce BROKERS TOPIC CODEC < records
 *   rdkafka_roundtrip consume BROKERS TOPIC > records
 *
 * A record ends with the byte 0x1e. `produce` is idempotent with acks=all and
 * succeeds only when every record was acknowledged. `consume` reads partition
 * 0 from its beginning to the end that it has when the program starts. Neither
 * may lose a record and still exit 0.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_END 0x1e
#define PATIENCE_MS 60000

static long delivered, refused;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "rdkafka_roundtrip: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char why[256];

    if (rd_kafka_conf_set(conf, key, value, why, sizeof why))
        die(key, why);
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message,
                        void *opaque)
{
    (void)client, (void)opaque;
    if (message->err) {
        refused++;
        fprintf(stderr, "refused: %s\n", rd_kafka_err2str(message->err));
    } else {
        delivered++;
    }
}

static rd_kafka_t *client_open(rd_kafka_type_t type, rd_kafka_conf_t *conf,
                               const char *brokers)
{
    char why[256];
    rd_kafka_t *client;

    set(conf, "bootstrap.servers", brokers);
    if (!(client = rd_kafka_new(type, conf, why, sizeof why)))
        die("client", why);
    return client;
}

static int produce(const char *brokers, const char *topic, const char *codec)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *client;
    char *record = NULL;
    size_t room = 0;
    ssize_t size;
    long sent = 0;

    set(conf, "enable.idempotence", "true");
    set(conf, "compression.codec", codec);
    set(conf, "linger.ms", "20");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    client = client_open(RD_KAFKA_PRODUCER, conf, brokers);
    while ((size = getdelim(&record, &room, RECORD_END, stdin)) > 0) {
        rd_kafka_resp_err_t err;

        if (record[size - 1] == RECORD_END)
            size--;
        while ((err = rd_kafka_producev(
                    client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                    RD_KAFKA_V_VALUE(record, (size_t)size),
                    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                    RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            rd_kafka_poll(client, 100);
        if (err)
            die("produce", rd_kafka_err2str(err));
        sent++;
        rd_kafka_poll(client, 0);
    }
    rd_kafka_flush(client, PATIENCE_MS);
    free(record);
    rd_kafka_destroy(client);
    if (refused || delivered != sent) {
        fprintf(stderr, "%ld of %ld delivered\n", delivered, sent);
        return 1;
    }
    return 0;
}

static void write_record(const rd_kafka_message_t *message)
{
    if (fwrite(message->payload, 1, message->len, stdout) != message->len ||
        putchar(RECORD_END) == EOF)
        die("standard output", "cannot be written");
}

static int consume(const char *brokers, const char *topic)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *from =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_t *client;
    int64_t low, end, next;
    rd_kafka_resp_err_t err;

    set(conf, "group.id", "none");
    set(conf, "enable.auto.commit", "false");
    set(conf, "check.crcs", "true");
    client = client_open(RD_KAFKA_CONSUMER, conf, brokers);
    if ((err = rd_kafka_query_watermark_offsets(client, topic, 0, &low, &end,
                                                PATIENCE_MS)))
        die("offsets", rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_add(from, topic, 0)->offset = low;
    if ((err = rd_kafka_assign(client, from)))
        die("assign", rd_kafka_err2str(err));
    for (next = low; next < end; ) {
        rd_kafka_message_t *message =
            rd_kafka_consumer_poll(client, PATIENCE_MS);

        if (!message)
            die("consume", "nothing came");
        if (message->err)
            die("consume", rd_kafka_message_errstr(message));
        if (message->offset != next)
            die("consume", "an offset is missing or came twice");
        write_record(message);
        next++;
        rd_kafka_message_destroy(message);
    }
    rd_kafka_topic_partition_list_destroy(from);
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[1], "produce"))
        return produce(argv[2], argv[3], argv[4]);
    if (argc == 4 && !strcmp(argv[1], "consume"))
        return consume(argv[2], argv[3]);
    fprintf(stderr, "usage: rdkafka_roundtrip produce BROKERS TOPIC CODEC\n"
                    "       rdkafka_roundtrip consume BROKERS TOPIC\n");
    return 2;
}
