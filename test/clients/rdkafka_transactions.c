/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rdkafka_transactions - transactions with librdkafka, for the script tests.
 *
 *   rdkafka_transactions BROKERS TOPIC ID GROUP COUNT
 *
 * Runs COUNT transactions of five records, "N-0" to "N-4", with N as the group's
 * offset in partition 0 of TOPIC; each third is aborted. Then prints what a
 * read_committed consumer is shown, and last "offset N", what the group has
 * committed. Every call that fails ends it with exit 1.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS = 5, PATIENCE_MS = 60000 };

static void die(const char *what, const char *why)
{
    fprintf(stderr, "rdkafka_transactions: %s: %s\n", what, why);
    exit(1);
}

/* A transaction that cannot go on is aborted by who uses it in earnest; here
 * it is a failure. */
static void must(rd_kafka_error_t *error, const char *what)
{
    if (error)
        die(what, rd_kafka_error_string(error));
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char why[256];

    if (rd_kafka_conf_set(conf, key, value, why, sizeof why))
        die(key, why);
}

static rd_kafka_t *client_open(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char why[256];
    rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof why);

    if (!client)
        die("client", why);
    return client;
}

static rd_kafka_t *producer_open(const char *brokers, const char *id)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *producer;

    set(conf, "bootstrap.servers", brokers);
    set(conf, "transactional.id", id);
    producer = client_open(RD_KAFKA_PRODUCER, conf);
    must(rd_kafka_init_transactions(producer, PATIENCE_MS),
         "init_transactions");
    return producer;
}

static void send_offset(rd_kafka_t *producer, const char *topic,
                        const char *group, int number)
{
    rd_kafka_consumer_group_metadata_t *member =
        rd_kafka_consumer_group_metadata_new(group);
    rd_kafka_topic_partition_list_t *offsets =
        rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(offsets, topic, 0)->offset = number;
    must(rd_kafka_send_offsets_to_transaction(producer, offsets, member,
                                              PATIENCE_MS),
         "send_offsets_to_transaction");
    rd_kafka_topic_partition_list_destroy(offsets);
    rd_kafka_consumer_group_metadata_destroy(member);
}

static void transact(rd_kafka_t *producer, const char *topic,
                     const char *group, int number)
{
    must(rd_kafka_begin_transaction(producer), "begin_transaction");
    for (int i = 0; i < RECORDS; i++) {
        char value[32];
        rd_kafka_resp_err_t error;

        snprintf(value, sizeof value, "%d-%d", number, i);
        error = rd_kafka_producev(
            producer, RD_KAFKA_V_TOPIC(topic),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_VALUE(value, strlen(value)), RD_KAFKA_V_END);
        if (error)
            die("produce", rd_kafka_err2str(error));
    }
    send_offset(producer, topic, group, number);
    if (number % 3 == 0)
        must(rd_kafka_abort_transaction(producer, PATIENCE_MS),
             "abort_transaction");
    else
        must(rd_kafka_commit_transaction(producer, PATIENCE_MS),
             "commit_transaction");
}

static rd_kafka_t *consumer_open(const char *brokers, const char *group)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    set(conf, "bootstrap.servers", brokers);
    set(conf, "group.id", group);
    set(conf, "isolation.level", "read_committed");
    set(conf, "enable.partition.eof", "true");
    set(conf, "enable.auto.commit", "false");
    return client_open(RD_KAFKA_CONSUMER, conf);
}

static void print_committed(rd_kafka_t *consumer, const char *topic)
{
    rd_kafka_topic_partition_list_t *all =
        rd_kafka_topic_partition_list_new(1);
    int over = 0;

    rd_kafka_topic_partition_list_add(all, topic, 0)->offset =
        RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(consumer, all);
    while (!over) {
        rd_kafka_message_t *message =
            rd_kafka_consumer_poll(consumer, PATIENCE_MS);

        if (!message)
            die("consume", "nothing comes");
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            over = 1;
        else if (message->err)
            die("consume", rd_kafka_message_errstr(message));
        else
            printf("%.*s\n", (int)message->len, (char *)message->payload);
        rd_kafka_message_destroy(message);
    }
    all->elems[0].offset = RD_KAFKA_OFFSET_INVALID;
    if (rd_kafka_committed(consumer, all, PATIENCE_MS))
        die("committed", "no answer");
    printf("offset %lld\n", (long long)all->elems[0].offset);
    rd_kafka_topic_partition_list_destroy(all);
}

int main(int argc, char **argv)
{
    rd_kafka_t *client;

    if (argc != 6)
        die("usage", "BROKERS TOPIC ID GROUP COUNT");
    client = producer_open(argv[1], argv[3]);
    for (int number = 1; number <= atoi(argv[5]); number++)
        transact(client, argv[2], argv[4], number);
    rd_kafka_destroy(client);
    client = consumer_open(argv[1], argv[4]);
    print_committed(client, argv[2]);
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return 0;
}
