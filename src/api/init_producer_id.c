/* SPDX-License-Identifier: Apache-2.0 */
/*
 * InitProducerId. An idempotent producer gets a fresh id at epoch 0 (KIP-98);
 * one with a transactional id gets what the transaction coordinator says,
 * which fences all that had the id before (KIP-360, KIP-588).
 */
#include "api/error.h"
#include "api/handlers.h"
#include "api/transaction_call.h"
#include "protocol/init_producer_id_request.h"
#include "protocol/init_producer_id_response.h"

enum { FENCED_SINCE = 4 };

static void reply(request_t *request, int16_t error, int64_t id, int16_t epoch)
{
    init_producer_id_response_t response;

    init_producer_id_response_init(&response);
    response.error_code = error;
    response.producer_id = error ? -1 : id;
    response.producer_epoch = error ? -1 : epoch;
    request_reply(request, &response);
}

static void initialised(transaction_call_t *call)
{
    request_t *request = call->baton;

    reply(request, transaction_error(request, FENCED_SINCE, call->error),
          call->producer_id, call->producer_epoch);
}

static void init_idempotent(request_t *request)
{
    int64_t id = -1;
    int16_t error = api_error(
        producer_ids_next(request->broker->producer_ids, &id, request->pool));

    reply(request, error, id, 0);
}

void handle_init_producer_id(request_t *request)
{
    const init_producer_id_request_t *body = request->body;
    transaction_init_t init = {body->transaction_timeout_ms, body->producer_id,
                               body->producer_epoch};

    if ((body->producer_id == -1) != (body->producer_epoch == -1))
        reply(request, KAFKA_INVALID_REQUEST, -1, -1);
    else if (body->transactional_id.length < 0)
        init_idempotent(request);
    else
        transactions_init_producer(
            request->broker->transactions,
            transaction_call_create(request, initialised, request),
            body->transactional_id, &init);
}
