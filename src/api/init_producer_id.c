/* SPDX-License-Identifier: Apache-2.0 */
/*
 * InitProducerId for idempotent producers (KIP-98): a fresh id at epoch 0.
 * A transactional id is the transaction coordinator's.
 */
#include "api/context.h"
#include "api/error.h"
#include "api/handlers.h"
#include "protocol/error_code.h"
#include "protocol/init_producer_id_request.h"
#include "protocol/init_producer_id_response.h"

void handle_init_producer_id(request_t *request)
{
    const init_producer_id_request_t *body = request->body;
    init_producer_id_response_t response;
    int64_t id = -1;

    init_producer_id_response_init(&response);
    response.producer_epoch = -1;
    if (body->transactional_id.length == 0)
        response.error_code = KAFKA_INVALID_REQUEST;
    else if (body->transactional_id.length > 0)
        response.error_code = KAFKA_COORDINATOR_NOT_AVAILABLE;
    else if ((body->producer_id < 0) != (body->producer_epoch < 0))
        response.error_code = KAFKA_INVALID_REQUEST;
    else
        response.error_code = api_error(producer_ids_next(
            request->broker->producer_ids, &id, request->pool));
    if (response.error_code == KAFKA_NONE) {
        response.producer_id = id;
        response.producer_epoch = 0;
    }
    request_reply(request, &response);
}
