/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FindCoordinator: who coordinates a group or a transactional id, which here
 * is this broker. The coordinator's own topic is created when it is first
 * asked for, as in Kafka.
 */
#include <string.h>

#include "api/context.h"
#include "api/handlers.h"
#include "api/topic_creation.h"
#include "protocol/error_code.h"
#include "protocol/find_coordinator_request.h"
#include "protocol/find_coordinator_response.h"

enum { KEY_GROUP = 0, KEY_TRANSACTION = 1, KEYS_FROM = 4 };

/* Makes sure of the topic that coordinators of that type live in. */
static int16_t coordinator_error(request_t *request, int8_t key_type)
{
    const char *topic;
    const metadata_image_t *image;
    int16_t error = KAFKA_NONE;

    if (key_type == KEY_GROUP)
        topic = "__consumer_offsets";
    else if (key_type == KEY_TRANSACTION)
        topic = "__transaction_state";
    else
        return KAFKA_INVALID_REQUEST; /* share groups are not served */
    image = metadata_image(request->broker->metadata);
    if (!image_topic(image, topic, strlen(topic)))
        error = topic_create_automatically(request->broker, topic,
                                           strlen(topic), request->pool);
    image_release(image);
    return error ? KAFKA_COORDINATOR_NOT_AVAILABLE : KAFKA_NONE;
}

static void fill_one(request_t *request, int16_t error,
                     find_coordinator_response_t *response)
{
    const api_endpoint_t *endpoint =
        broker_endpoint(request->broker, request->listener);

    response->error_code = error;
    response->error_message =
        wire_string_from(error ? kafka_error_text(error) : "NONE");
    response->node_id = error ? -1 : request->broker->node_id;
    response->host = wire_string_from(error ? "" : endpoint->host);
    response->port = error ? -1 : endpoint->port;
}

static void fill_all(request_t *request, int16_t error,
                     find_coordinator_response_t *response)
{
    const find_coordinator_request_t *body = request->body;
    const api_endpoint_t *endpoint =
        broker_endpoint(request->broker, request->listener);

    response->coordinators_count = body->coordinator_keys_count;
    response->coordinators = apr_palloc(
        request->pool, ((apr_size_t)body->coordinator_keys_count + 1) *
                           sizeof *response->coordinators);
    for (int32_t i = 0; i < body->coordinator_keys_count; i++) {
        find_coordinator_response_coordinator_t *out =
            &response->coordinators[i];

        find_coordinator_response_coordinator_init(out);
        out->key = body->coordinator_keys[i];
        out->error_code = error;
        out->node_id = error ? -1 : request->broker->node_id;
        out->host = wire_string_from(error ? "" : endpoint->host);
        out->port = error ? -1 : endpoint->port;
    }
}

void handle_find_coordinator(request_t *request)
{
    const find_coordinator_request_t *body = request->body;
    find_coordinator_response_t response;
    int16_t error = coordinator_error(request, body->key_type);

    find_coordinator_response_init(&response);
    if (request->version < KEYS_FROM)
        fill_one(request, error, &response);
    else
        fill_all(request, error, &response);
    request_reply(request, &response);
}
