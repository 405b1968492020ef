/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DescribeQuorum (KIP-836): the metadata log's leader and its one voter, both
 * this node. The only partition that has a quorum is __cluster_metadata-0.
 */
#include <string.h>

#include "api/context.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "protocol/describe_quorum_request.h"
#include "protocol/describe_quorum_response.h"
#include "protocol/error_code.h"

#define METADATA_TOPIC "__cluster_metadata"

typedef describe_quorum_response_topic_data_t topic_data_t;
typedef describe_quorum_response_partition_data_t partition_data_t;
typedef describe_quorum_response_replica_state_t replica_t;

static int asks_for_metadata(const describe_quorum_request_t *body)
{
    return body->topics_count == 1 &&
           wire_string_equal_text(body->topics[0].topic_name, METADATA_TOPIC) &&
           body->topics[0].partitions_count == 1 &&
           body->topics[0].partitions[0].partition_index == 0;
}

static void put_self(request_t *request, partition_data_t *to)
{
    broker_t *broker = request->broker;
    replica_t *self = apr_palloc(request->pool, sizeof *self);

    describe_quorum_response_replica_state_init(self);
    self->replica_id = broker->node_id;
    if (metadata_voter_directory(broker->metadata))
        self->replica_directory_id =
            *metadata_voter_directory(broker->metadata);
    self->log_end_offset = metadata_log_end_offset(broker->metadata);
    self->last_fetch_timestamp = clock_wall_ms();
    self->last_caught_up_timestamp = self->last_fetch_timestamp;
    to->error_message = WIRE_STRING_NULL;
    to->leader_id = broker->node_id;
    to->leader_epoch = metadata_leader_epoch(broker->metadata);
    to->high_watermark = self->log_end_offset;
    to->current_voters = self;
    to->current_voters_count = 1;
    to->observers_count = 0;
}

/* Where the voter listens: as its registration says. */
static void put_node(request_t *request, const metadata_image_t *image,
                     describe_quorum_response_t *response)
{
    const image_node_t *from =
        image_controller(image, request->broker->node_id);
    describe_quorum_response_node_t *node =
        apr_palloc(request->pool, sizeof *node);

    if (!from)
        from = image_broker(image, request->broker->node_id);
    describe_quorum_response_node_init(node);
    node->node_id = request->broker->node_id;
    node->listeners_count = from ? from->endpoint_count : 0;
    node->listeners = apr_palloc(request->pool, (node->listeners_count + 1) *
                                                    sizeof *node->listeners);
    for (int i = 0; i < node->listeners_count; i++) {
        describe_quorum_response_listener_init(&node->listeners[i]);
        node->listeners[i].name = wire_string_from(from->endpoints[i].name);
        node->listeners[i].host = wire_string_from(from->endpoints[i].host);
        node->listeners[i].port = from->endpoints[i].port;
    }
    response->nodes = node;
    response->nodes_count = 1;
}

static void put_unknown(request_t *request,
                        const describe_quorum_request_topic_data_t *from,
                        topic_data_t *to)
{
    describe_quorum_response_topic_data_init(to);
    to->topic_name = from->topic_name;
    to->partitions_count = from->partitions_count;
    to->partitions = apr_palloc(request->pool, (from->partitions_count + 1) *
                                                   sizeof *to->partitions);
    for (int32_t i = 0; i < from->partitions_count; i++) {
        partition_data_t *partition = &to->partitions[i];

        describe_quorum_response_partition_data_init(partition);
        partition->partition_index = from->partitions[i].partition_index;
        partition->error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        partition->error_message =
            wire_string_from(kafka_error_text(partition->error_code));
        partition->current_voters_count = 0;
        partition->observers_count = 0;
    }
}

static void put_metadata(request_t *request, const metadata_image_t *image,
                         describe_quorum_response_t *response)
{
    topic_data_t *topic = response->topics;

    describe_quorum_response_topic_data_init(topic);
    topic->topic_name = wire_string_literal(METADATA_TOPIC);
    topic->partitions_count = 1;
    topic->partitions = apr_palloc(request->pool, sizeof *topic->partitions);
    describe_quorum_response_partition_data_init(topic->partitions);
    put_self(request, topic->partitions);
    if (request->version >= 2)
        put_node(request, image, response);
}

void handle_describe_quorum(request_t *request)
{
    const describe_quorum_request_t *body = request->body;
    const metadata_image_t *image = metadata_image(request->broker->metadata);
    describe_quorum_response_t response;

    describe_quorum_response_init(&response);
    response.error_message = WIRE_STRING_NULL;
    response.nodes_count = 0;
    response.topics_count = body->topics_count;
    response.topics = apr_palloc(request->pool, (body->topics_count + 1) *
                                                    sizeof *response.topics);
    if (asks_for_metadata(body))
        put_metadata(request, image, &response);
    else
        for (int32_t i = 0; i < body->topics_count; i++)
            put_unknown(request, &body->topics[i], &response.topics[i]);
    request_reply(request, &response);
    image_release(image);
}
