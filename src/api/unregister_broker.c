/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UnregisterBroker: forgets a broker that is gone (a directory that came from a
 * cluster may name some). This one is running: Kafka would let it go and leave
 * it without a place; here that is refused.
 */
#include <apr_strings.h>

#include "api/context.h"
#include "api/error.h"
#include "api/handlers.h"
#include "metadata/frame.h"
#include "protocol/error_code.h"
#include "protocol/unregister_broker_record.h"
#include "protocol/unregister_broker_request.h"
#include "protocol/unregister_broker_response.h"

static int16_t unregister(request_t *request, const image_node_t *node)
{
    unregister_broker_record_t body;
    metadata_record_t record = {RECORD_UNREGISTER_BROKER, 0, &body};

    unregister_broker_record_init(&body);
    body.broker_id = node->id;
    body.broker_epoch = node->epoch;
    return api_error(
        metadata_append(request->broker->metadata, &record, 1, request->pool));
}

void handle_unregister_broker(request_t *request)
{
    const unregister_broker_request_t *body = request->body;
    const metadata_image_t *image = metadata_image(request->broker->metadata);
    const image_node_t *node = image_broker(image, body->broker_id);
    unregister_broker_response_t response;

    unregister_broker_response_init(&response);
    response.error_message = WIRE_STRING_NULL;
    if (!node) {
        response.error_code = KAFKA_BROKER_ID_NOT_REGISTERED;
        response.error_message = wire_string_from(apr_psprintf(
            request->pool, "Broker ID %d is not currently registered",
            (int)body->broker_id));
    } else if (node->id == request->broker->node_id) {
        response.error_code = KAFKA_INVALID_REQUEST;
        response.error_message = wire_string_literal(
            "the broker is running, and the only one of its cluster");
    } else if ((response.error_code = unregister(request, node))) {
        response.error_message =
            wire_string_from(kafka_error_text(response.error_code));
    }
    request_reply(request, &response);
    image_release(image);
}
