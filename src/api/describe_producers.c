/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DescribeProducers: who writes to a partition, and since which offset a
 * transaction is open there (KIP-664): what one needs to find a hanging one.
 */
#include <stdlib.h>

#include "api/error.h"
#include "api/handlers.h"
#include "api/partition_lookup.h"
#include "api/topic_name.h"
#include "protocol/describe_producers_request.h"
#include "protocol/describe_producers_response.h"
#include "protocol/error_code.h"

typedef describe_producers_response_partition_response_t answer_t;
typedef describe_producers_response_producer_state_t state_t;

static int by_id(const void *left, const void *right)
{
    const log_producer_t *a = left, *b = right;

    return (a->producer_id > b->producer_id) -
           (a->producer_id < b->producer_id);
}

static void describe(partition_t *partition, answer_t *answer, apr_pool_t *pool)
{
    log_producer_t *producers;
    int count;

    answer->error_code = api_error(
        log_producers(partition_log(partition), &producers, &count, pool));
    if (answer->error_code)
        return;
    answer->active_producers = apr_palloc(
        pool, ((apr_size_t)count + 1) * sizeof *answer->active_producers);
    answer->active_producers_count = count;
    if (count)
        qsort(producers, (size_t)count, sizeof *producers, by_id);
    for (int i = 0; i < count; i++) {
        state_t *to = &answer->active_producers[i];

        describe_producers_response_producer_state_init(to);
        to->producer_id = producers[i].producer_id;
        to->producer_epoch = producers[i].epoch;
        to->last_sequence = producers[i].last_sequence;
        to->last_timestamp = producers[i].last_timestamp;
        to->coordinator_epoch = producers[i].coordinator_epoch;
        to->current_txn_start_offset = producers[i].txn_start_offset;
    }
}

static void answer_one(request_t *request, const wire_string_t *topic,
                       const char *bad_name, answer_t *answer)
{
    partition_t *partition;

    if (bad_name) {
        answer->error_code = KAFKA_INVALID_TOPIC_EXCEPTION;
        answer->error_message = wire_string_from(bad_name);
        return;
    }
    answer->error_code =
        partition_lookup(request->broker, topic, NULL, 0,
                         answer->partition_index, -1, &partition);
    if (!partition)
        return;
    describe(partition, answer, request->pool);
    partition_release(partition);
}

static void answer_topic(request_t *request,
                         const describe_producers_request_topic_request_t *from,
                         describe_producers_response_topic_response_t *to)
{
    int32_t count = from->partition_indexes_count;
    const char *bad_name = topic_name_error(
        from->name.data, (apr_size_t)from->name.length, request->pool);

    describe_producers_response_topic_response_init(to);
    to->name = from->name;
    to->partitions_count = count;
    to->partitions = apr_palloc(request->pool, ((apr_size_t)count + 1) *
                                                   sizeof *to->partitions);
    for (int32_t p = 0; p < count; p++) {
        describe_producers_response_partition_response_init(&to->partitions[p]);
        to->partitions[p].partition_index = from->partition_indexes[p];
        answer_one(request, &from->name, bad_name, &to->partitions[p]);
    }
}

void handle_describe_producers(request_t *request)
{
    const describe_producers_request_t *body = request->body;
    describe_producers_response_t response;

    describe_producers_response_init(&response);
    response.topics_count = body->topics_count;
    response.topics =
        apr_palloc(request->pool, ((apr_size_t)body->topics_count + 1) *
                                      sizeof *response.topics);
    for (int32_t t = 0; t < body->topics_count; t++)
        answer_topic(request, &body->topics[t], &response.topics[t]);
    request_reply(request, &response);
}
