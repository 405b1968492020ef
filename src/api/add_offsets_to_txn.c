/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AddOffsetsToTxn: the partition of __consumer_offsets that a group's offsets
 * go to joins the transaction (KIP-98).
 */
#include "api/handlers.h"
#include "api/transaction_call.h"
#include "protocol/add_offsets_to_txn_request.h"
#include "protocol/add_offsets_to_txn_response.h"

enum { FENCED_SINCE = 2 };

static void added(transaction_call_t *call)
{
    request_t *request = call->baton;
    add_offsets_to_txn_response_t response;

    add_offsets_to_txn_response_init(&response);
    response.error_code = transaction_error(request, FENCED_SINCE, call->error);
    request_reply(request, &response);
}

void handle_add_offsets_to_txn(request_t *request)
{
    const add_offsets_to_txn_request_t *body = request->body;
    transaction_partitions_t partitions = {0};

    transaction_partitions_add(
        &partitions, wire_string_from(GROUP_TOPIC),
        group_shard_index(request->broker->groups, body->group_id));
    transactions_add(request->broker->transactions,
                     transaction_call_create(request, added, request),
                     body->transactional_id, body->producer_id,
                     body->producer_epoch, &partitions, TRANSACTION_CLIENT_OLD);
    transaction_partitions_free(&partitions);
}
