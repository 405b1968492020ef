/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AddPartitionsToTxn: partitions join a transaction, or (from version 4, which
 * brokers send to each other, KIP-890) one asks whether they are in it. One
 * partition that does not exist keeps all of its transaction's from joining.
 */
#include "api/handlers.h"
#include "api/transaction_call.h"
#include "protocol/add_partitions_to_txn_request.h"
#include "protocol/add_partitions_to_txn_response.h"

enum { FENCED_SINCE = 2, BATCHED_SINCE = 4 };

typedef add_partitions_to_txn_request_add_partitions_to_txn_transaction_t
    asked_t;
typedef add_partitions_to_txn_response_add_partitions_to_txn_result_t answer_t;
typedef add_partitions_to_txn_response_add_partitions_to_txn_topic_result_t
    topic_answer_t;
typedef add_partitions_to_txn_response_add_partitions_to_txn_partition_result_t
    partition_answer_t;

typedef struct {
    request_t *request;
    add_partitions_to_txn_response_t response;
    atomic_u32_t open; /* transactions without an answer, and the handler */
} batch_t;

/* One transaction of the request. */
typedef struct {
    batch_t *batch;
    answer_t *answer;
} one_t;

/* ---- answers ------------------------------------------------------------ */

/* The last one replies. */
static void close_one(batch_t *batch)
{
    add_partitions_to_txn_response_t *response = &batch->response;

    if (atomic_add32(&batch->open, -1) > 0)
        return;
    if (batch->request->version < BATCHED_SINCE) {
        answer_t *only = &response->results_by_transaction[0];

        response->results_by_topic_v3_and_below = only->topic_results;
        response->results_by_topic_v3_and_below_count =
            only->topic_results_count;
        response->results_by_transaction_count = 0;
    }
    request_reply(batch->request, response);
}

static void answer_all(answer_t *answer, int16_t error)
{
    for (int32_t t = 0; t < answer->topic_results_count; t++) {
        topic_answer_t *topic = &answer->topic_results[t];

        for (int32_t p = 0; p < topic->results_by_partition_count; p++)
            topic->results_by_partition[p].partition_error_code = error;
    }
}

static void begin_answer(batch_t *batch, const asked_t *asked, answer_t *answer)
{
    apr_pool_t *pool = batch->request->pool;

    add_partitions_to_txn_response_add_partitions_to_txn_result_init(answer);
    answer->transactional_id = asked->transactional_id;
    answer->topic_results_count = asked->topics_count;
    answer->topic_results =
        apr_pcalloc(pool, ((apr_size_t)asked->topics_count + 1) *
                              sizeof *answer->topic_results);
    for (int32_t t = 0; t < asked->topics_count; t++) {
        topic_answer_t *topic = &answer->topic_results[t];
        int32_t count = asked->topics[t].partitions_count;

        topic->name = asked->topics[t].name;
        topic->results_by_partition_count = count;
        topic->results_by_partition =
            apr_pcalloc(pool, ((apr_size_t)count + 1) *
                                  sizeof *topic->results_by_partition);
        for (int32_t p = 0; p < count; p++)
            topic->results_by_partition[p].partition_index =
                asked->topics[t].partitions[p];
    }
}

/* ---- one transaction ---------------------------------------------------- */

/* Whether all partitions are there; else those that are not say so, and the
 * others that nothing was done. */
static int all_exist(const broker_t *broker, answer_t *answer)
{
    int exist = 1;

    answer_all(answer, KAFKA_OPERATION_NOT_ATTEMPTED);
    for (int32_t t = 0; t < answer->topic_results_count; t++) {
        topic_answer_t *topic = &answer->topic_results[t];

        for (int32_t p = 0; p < topic->results_by_partition_count; p++) {
            partition_answer_t *to = &topic->results_by_partition[p];

            if (transaction_partition_exists(broker, topic->name,
                                             to->partition_index))
                continue;
            to->partition_error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
            exist = 0;
        }
    }
    return exist;
}

static void collect(const answer_t *answer, transaction_partitions_t *set)
{
    for (int32_t t = 0; t < answer->topic_results_count; t++) {
        const topic_answer_t *topic = &answer->topic_results[t];

        for (int32_t p = 0; p < topic->results_by_partition_count; p++)
            transaction_partitions_add(
                set, topic->name,
                topic->results_by_partition[p].partition_index);
    }
}

static void added(transaction_call_t *call)
{
    one_t *one = call->baton;

    answer_all(one->answer, transaction_error(one->batch->request, FENCED_SINCE,
                                              call->error));
    close_one(one->batch);
}

static int16_t verified(const transaction_partitions_t *set,
                        const int16_t *errors, wire_string_t topic,
                        int32_t index)
{
    int32_t i = 0;

    while (set->items[i].index != index ||
           !wire_string_equal(set->items[i].topic, topic))
        i++;
    return errors[i];
}

static void verify(batch_t *batch, const asked_t *asked, answer_t *answer,
                   const transaction_partitions_t *set)
{
    int16_t *errors = apr_pcalloc(
        batch->request->pool, ((apr_size_t)set->count + 1) * sizeof *errors);
    int16_t error = transactions_verify(
        batch->request->broker->transactions, asked->transactional_id,
        asked->producer_id, asked->producer_epoch, set, errors);

    answer_all(answer, error);
    for (int32_t t = 0; t < answer->topic_results_count && !error; t++) {
        topic_answer_t *topic = &answer->topic_results[t];

        for (int32_t p = 0; p < topic->results_by_partition_count; p++) {
            partition_answer_t *to = &topic->results_by_partition[p];

            to->partition_error_code =
                verified(set, errors, topic->name, to->partition_index);
        }
    }
    close_one(batch);
}

static void add(batch_t *batch, const asked_t *asked, answer_t *answer,
                const transaction_partitions_t *set)
{
    request_t *request = batch->request;
    one_t *one = apr_palloc(request->pool, sizeof *one);

    one->batch = batch;
    one->answer = answer;
    transactions_add(
        request->broker->transactions,
        transaction_call_create(request, added, one), asked->transactional_id,
        asked->producer_id, asked->producer_epoch, set,
        request->version >= BATCHED_SINCE ? TRANSACTION_CLIENT_BUMPS
                                          : TRANSACTION_CLIENT_OLD);
}

static void handle_one(batch_t *batch, const asked_t *asked, answer_t *answer)
{
    transaction_partitions_t set = {0};

    if (!all_exist(batch->request->broker, answer)) {
        close_one(batch);
        return;
    }
    collect(answer, &set);
    if (asked->verify_only)
        verify(batch, asked, answer, &set);
    else
        add(batch, asked, answer, &set);
    transaction_partitions_free(&set);
}

/* ---- the request -------------------------------------------------------- */

/* What version 3 and below asks, as a batch of one. */
static void as_batch(const add_partitions_to_txn_request_t *body,
                     asked_t *asked)
{
    add_partitions_to_txn_request_add_partitions_to_txn_transaction_init(asked);
    asked->transactional_id = body->v3_and_below_transactional_id;
    asked->producer_id = body->v3_and_below_producer_id;
    asked->producer_epoch = body->v3_and_below_producer_epoch;
    asked->topics = body->v3_and_below_topics;
    asked->topics_count = body->v3_and_below_topics_count;
}

void handle_add_partitions_to_txn(request_t *request)
{
    const add_partitions_to_txn_request_t *body = request->body;
    batch_t *batch = apr_pcalloc(request->pool, sizeof *batch);
    asked_t only;
    const asked_t *asked = body->transactions;
    int32_t count = body->transactions_count;
    answer_t *answers;

    if (request->version < BATCHED_SINCE) {
        as_batch(body, &only);
        asked = &only;
        count = 1;
    }
    answers =
        apr_palloc(request->pool, ((apr_size_t)count + 1) * sizeof *answers);
    batch->request = request;
    add_partitions_to_txn_response_init(&batch->response);
    batch->response.results_by_transaction = answers;
    batch->response.results_by_transaction_count = count;
    atomic_set32(&batch->open, (apr_uint32_t)count + 1);
    for (int32_t i = 0; i < count; i++)
        begin_answer(batch, &asked[i], &answers[i]);
    for (int32_t i = 0; i < count; i++)
        handle_one(batch, &asked[i], &answers[i]);
    close_one(batch);
}
