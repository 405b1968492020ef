/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WriteTxnMarkers: another broker's transaction coordinator, or an
 * administrator with a hanging transaction (KIP-664), has markers written.
 * Answered when they are durable.
 */
#include "api/error.h"
#include "api/flush_wait.h"
#include "api/handlers.h"
#include "api/partition_lookup.h"
#include "protocol/error_code.h"
#include "protocol/write_txn_markers_request.h"
#include "protocol/write_txn_markers_response.h"

typedef write_txn_markers_request_writable_txn_marker_t asked_t;
typedef write_txn_markers_response_writable_txn_marker_result_t answer_t;
typedef write_txn_markers_response_writable_txn_marker_partition_result_t
    partition_answer_t;

enum { FLUSH_LIMIT_MS = 30000 };

typedef struct {
    request_t *request;
    write_txn_markers_response_t response;
    flush_wait_t *wait; /* NULL: nobody asked for flushes */
} markers_t;

static void reply(void *baton)
{
    markers_t *markers = baton;

    request_reply(markers->request, &markers->response);
}

static void offsets_ended(void *groups, int32_t index, int64_t producer_id,
                          int commit)
{
    offsets_end_transaction(groups, index, producer_id, commit);
}

static void write_one(markers_t *markers, const transaction_marker_t *marker,
                      const wire_string_t *topic, partition_answer_t *answer)
{
    broker_t *broker = markers->request->broker;
    transaction_offsets_t offsets = {offsets_ended, broker->groups};
    partition_t *partition;
    int64_t after;

    answer->error_code = partition_lookup(
        broker, topic, NULL, 0, answer->partition_index, -1, &partition);
    if (!partition)
        return;
    answer->error_code = api_error(
        transaction_marker_write(partition, marker, &offsets, &after));
    if (!answer->error_code && markers->wait)
        flush_wait_add(markers->wait, partition, after, &answer->error_code);
    partition_release(partition);
}

static void
write_topic(markers_t *markers, const transaction_marker_t *marker,
            const write_txn_markers_request_writable_txn_marker_topic_t *from,
            write_txn_markers_response_writable_txn_marker_topic_result_t *to)
{
    int32_t count = from->partition_indexes_count;

    to->name = from->name;
    to->partitions_count = count;
    to->partitions =
        apr_pcalloc(markers->request->pool,
                    ((apr_size_t)count + 1) * sizeof *to->partitions);
    for (int32_t p = 0; p < count; p++) {
        to->partitions[p].partition_index = from->partition_indexes[p];
        write_one(markers, marker, &from->name, &to->partitions[p]);
    }
}

static void write_marker(markers_t *markers, const asked_t *from, answer_t *to)
{
    transaction_marker_t marker = {from->producer_id, from->producer_epoch,
                                   from->coordinator_epoch,
                                   from->transaction_result};

    to->producer_id = from->producer_id;
    to->topics_count = from->topics_count;
    to->topics =
        apr_pcalloc(markers->request->pool,
                    ((apr_size_t)from->topics_count + 1) * sizeof *to->topics);
    for (int32_t t = 0; t < from->topics_count; t++)
        write_topic(markers, &marker, &from->topics[t], &to->topics[t]);
}

static int count_partitions(const write_txn_markers_request_t *body)
{
    int count = 0;

    for (int32_t m = 0; m < body->markers_count; m++)
        for (int32_t t = 0; t < body->markers[m].topics_count; t++)
            count += body->markers[m].topics[t].partition_indexes_count;
    return count;
}

void handle_write_txn_markers(request_t *request)
{
    const write_txn_markers_request_t *body = request->body;
    markers_t *markers = apr_pcalloc(request->pool, sizeof *markers);

    markers->request = request;
    if (config_bool(request->broker->config, CONFIG_LOG_FLUSH_ON_ACKS_ALL))
        markers->wait =
            flush_wait_create(request, count_partitions(body), reply, markers);
    write_txn_markers_response_init(&markers->response);
    markers->response.markers_count = body->markers_count;
    markers->response.markers =
        apr_pcalloc(request->pool, ((apr_size_t)body->markers_count + 1) *
                                       sizeof *markers->response.markers);
    for (int32_t m = 0; m < body->markers_count; m++)
        write_marker(markers, &body->markers[m], &markers->response.markers[m]);
    if (markers->wait && flush_wait_count(markers->wait) > 0)
        flush_wait_start(markers->wait, FLUSH_LIMIT_MS);
    else
        reply(markers);
}
