/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeCluster: this broker, which is also the cluster (KIP-700). */
#include <apr_strings.h>

#include "api/authorized.h"
#include "api/context.h"
#include "api/handlers.h"
#include "protocol/describe_cluster_request.h"
#include "protocol/describe_cluster_response.h"
#include "protocol/error_code.h"

enum { ENDPOINT_BROKERS = 1, ENDPOINT_CONTROLLERS = 2 };

static void put_broker(request_t *request, describe_cluster_response_t *response)
{
    const api_endpoint_t *endpoint =
        broker_endpoint(request->broker, request->listener);

    response->brokers = apr_palloc(request->pool, sizeof *response->brokers);
    response->brokers_count = 1;
    describe_cluster_response_describe_cluster_broker_init(response->brokers);
    response->brokers->broker_id = request->broker->node_id;
    response->brokers->host = wire_string_from(endpoint->host);
    response->brokers->port = endpoint->port;
    response->brokers->rack = wire_string_from(request->broker->rack);
}

void handle_describe_cluster(request_t *request)
{
    const describe_cluster_request_t *body = request->body;
    describe_cluster_response_t response;

    describe_cluster_response_init(&response);
    if (body->endpoint_type == ENDPOINT_CONTROLLERS) {
        /* This listener is a broker's: as in Kafka, controllers are to be
         * asked on their own. */
        response.error_code = KAFKA_MISMATCHED_ENDPOINT_TYPE;
        response.error_message =
            wire_string_from("this listener belongs to a broker");
    } else if (body->endpoint_type != ENDPOINT_BROKERS) {
        response.error_code = KAFKA_UNSUPPORTED_ENDPOINT_TYPE;
        response.error_message = wire_string_from("unknown endpoint type");
    } else {
        response.cluster_id =
            wire_string_from(metadata_cluster_id(request->broker->metadata));
        response.controller_id = request->broker->node_id;
        put_broker(request, &response);
        if (body->include_cluster_authorized_operations)
            response.cluster_authorized_operations = AUTHORIZED_CLUSTER;
    }
    request_reply(request, &response);
}
