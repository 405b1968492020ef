/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TxnOffsetCommit: offsets that count when the transaction is committed. The
 * transaction coordinator is asked whether the group's partition is in the
 * transaction, and from version 5 puts it there (KIP-890); then the group
 * coordinator keeps them. Partitions that are not there are refused here.
 */
#include <apr_strings.h>

#include "api/group_call.h"
#include "api/handlers.h"
#include "api/transaction_call.h"
#include "protocol/txn_offset_commit_response.h"

typedef txn_offset_commit_request_txn_offset_commit_request_topic_t from_t;
typedef txn_offset_commit_response_txn_offset_commit_response_topic_t to_t;

enum { ABORTABLE_SINCE = 4, ADDS_SINCE = 5, LOADING_SINCE = 2 };

typedef struct {
    request_t *request;
    txn_offset_commit_request_t known;     /* partitions that are there */
    txn_offset_commit_response_t response; /* to everything */
} commit_t;

/* ---- the answer --------------------------------------------------------- */

/* Clients before version 2 do not know that a coordinator loads. */
static int16_t as_version(const commit_t *commit, int16_t error)
{
    if (error == KAFKA_COORDINATOR_LOAD_IN_PROGRESS &&
        commit->request->version < LOADING_SINCE)
        return KAFKA_COORDINATOR_NOT_AVAILABLE;
    return error;
}

/* Each partition that has no error yet has its answer next in FROM. */
static void committed(group_call_t *call, const void *answered)
{
    commit_t *commit = call->baton;
    const txn_offset_commit_response_t *from = answered;
    int32_t topic = 0, partition = 0;

    for (int32_t t = 0; t < commit->response.topics_count; t++)
        for (int32_t p = 0; p < commit->response.topics[t].partitions_count;
             p++) {
            if (commit->response.topics[t].partitions[p].error_code)
                continue;
            while (partition == from->topics[topic].partitions_count) {
                topic++;
                partition = 0;
            }
            commit->response.topics[t].partitions[p].error_code = as_version(
                commit, from->topics[topic].partitions[partition++].error_code);
        }
    request_reply(commit->request, &commit->response);
}

static void refuse(commit_t *commit, int16_t error)
{
    for (int32_t t = 0; t < commit->response.topics_count; t++)
        for (int32_t p = 0; p < commit->response.topics[t].partitions_count;
             p++) {
            int16_t *to = &commit->response.topics[t].partitions[p].error_code;

            if (!*to)
                *to = as_version(commit, error);
        }
    request_reply(commit->request, &commit->response);
}

/* ---- the transaction ---------------------------------------------------- */

/* The transaction coordinator's word in that of the group coordinator's. */
static int16_t translate(const request_t *request, int16_t error)
{
    if (error == KAFKA_PRODUCER_FENCED)
        return KAFKA_INVALID_PRODUCER_EPOCH;
    if (error == KAFKA_TRANSACTION_ABORTABLE &&
        request->version < ABORTABLE_SINCE)
        return KAFKA_INVALID_TXN_STATE;
    return error;
}

static void admitted(commit_t *commit, int16_t error)
{
    group_call_t *call;

    if (error) {
        refuse(commit, translate(commit->request, error));
        return;
    }
    call = group_call_create(commit->request);
    call->baton = commit;
    call->done = committed;
    offsets_commit_in_transaction(commit->request->broker->groups, call,
                                  &commit->known);
}

static void added(transaction_call_t *call)
{
    admitted(call->baton, call->error);
}

static void ask_transaction(commit_t *commit)
{
    request_t *request = commit->request;
    const txn_offset_commit_request_t *body = request->body;
    broker_t *broker = request->broker;
    transaction_partitions_t set = {0};

    transaction_partitions_add(
        &set, wire_string_from(GROUP_TOPIC),
        group_shard_index(broker->groups, body->group_id));
    if (request->version >= ADDS_SINCE) {
        transactions_add(broker->transactions,
                         transaction_call_create(request, added, commit),
                         body->transactional_id, body->producer_id,
                         body->producer_epoch, &set, TRANSACTION_CLIENT_BUMPS);
    } else {
        int16_t in = KAFKA_NONE;
        int16_t error = transactions_verify(
            broker->transactions, body->transactional_id, body->producer_id,
            body->producer_epoch, &set, &in);

        admitted(commit, error ? error : in);
    }
    transaction_partitions_free(&set);
}

/* ---- the request -------------------------------------------------------- */

/* Answers what is refused of FROM, and puts the rest to what is asked for. */
static void sort_topic(commit_t *commit, const metadata_image_t *image,
                       const from_t *from, to_t *to)
{
    apr_pool_t *pool = commit->request->pool;
    apr_size_t room = (apr_size_t)from->partitions_count + 1;
    from_t *known = &commit->known.topics[commit->known.topics_count];

    txn_offset_commit_response_txn_offset_commit_response_topic_init(to);
    to->name = from->name;
    to->partitions_count = from->partitions_count;
    to->partitions = apr_pcalloc(pool, room * sizeof *to->partitions);
    *known = *from;
    known->partitions = apr_palloc(pool, room * sizeof *known->partitions);
    known->partitions_count = 0;
    for (int32_t p = 0; p < from->partitions_count; p++) {
        int32_t index = from->partitions[p].partition_index;

        to->partitions[p].partition_index = index;
        if (group_partition_exists(image, from->name, index))
            known->partitions[known->partitions_count++] = from->partitions[p];
        else
            to->partitions[p].error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    }
    if (known->partitions_count > 0)
        commit->known.topics_count++;
}

void handle_txn_offset_commit(request_t *request)
{
    const txn_offset_commit_request_t *body = request->body;
    commit_t *commit = apr_pcalloc(request->pool, sizeof *commit);
    const metadata_image_t *image = metadata_image(request->broker->metadata);
    apr_size_t room = (apr_size_t)body->topics_count + 1;

    commit->request = request;
    commit->known = *body;
    commit->known.topics_count = 0;
    commit->known.topics =
        apr_palloc(request->pool, room * sizeof *commit->known.topics);
    txn_offset_commit_response_init(&commit->response);
    commit->response.topics_count = body->topics_count;
    commit->response.topics =
        apr_palloc(request->pool, room * sizeof *commit->response.topics);
    for (int32_t t = 0; t < body->topics_count; t++)
        sort_topic(commit, image, &body->topics[t],
                   &commit->response.topics[t]);
    image_release(image);
    if (commit->known.topics_count == 0)
        request_reply(request, &commit->response);
    else
        ask_transaction(commit);
}
