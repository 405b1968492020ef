/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EndTxn: commits or aborts. From version 5 on each transaction ends with a new
 * epoch for the producer, which is in the answer (KIP-890).
 */
#include "api/handlers.h"
#include "api/transaction_call.h"
#include "protocol/end_txn_request.h"
#include "protocol/end_txn_response.h"

enum { FENCED_SINCE = 2, BUMPS_SINCE = 5 };

static void ended(transaction_call_t *call)
{
    request_t *request = call->baton;
    end_txn_response_t response;

    end_txn_response_init(&response);
    response.error_code = transaction_error(request, FENCED_SINCE, call->error);
    response.producer_id = call->producer_id;
    response.producer_epoch = call->producer_epoch;
    request_reply(request, &response);
}

void handle_end_txn(request_t *request)
{
    const end_txn_request_t *body = request->body;
    transaction_end_t end = {.producer_id = body->producer_id,
                             .producer_epoch = body->producer_epoch,
                             .client_version = request->version >= BUMPS_SINCE
                                                   ? TRANSACTION_CLIENT_BUMPS
                                                   : TRANSACTION_CLIENT_OLD,
                             .commit = body->committed};

    transactions_end(request->broker->transactions,
                     transaction_call_create(request, ended, request),
                     body->transactional_id, &end);
}
