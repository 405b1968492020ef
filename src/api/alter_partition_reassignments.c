/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AlterPartitionReassignments (KIP-455) as one broker answers: the only place
 * that a partition can be assigned to is where it is.
 */
#include <apr_strings.h>

#include "api/context.h"
#include "api/handlers.h"
#include "protocol/alter_partition_reassignments_request.h"
#include "protocol/alter_partition_reassignments_response.h"
#include "protocol/error_code.h"

typedef alter_partition_reassignments_request_reassignable_topic_t asked_t;
typedef alter_partition_reassignments_request_reassignable_partition_t
    asked_partition_t;
typedef alter_partition_reassignments_response_reassignable_topic_response_t
    result_t;
typedef alter_partition_reassignments_response_reassignable_partition_response_t
    partition_result_t;

static void refuse(partition_result_t *result, int16_t error, const char *why)
{
    result->error_code = error;
    result->error_message =
        wire_string_from(why ? why : kafka_error_text(error));
}

static void reassign(request_t *request, const image_topic_t *topic,
                     const asked_partition_t *asked, partition_result_t *result)
{
    int32_t self = request->broker->node_id;

    if (!topic || !image_topic_partition(topic, asked->partition_index)) {
        refuse(result, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, NULL);
        return;
    }
    if (asked->replicas_count < 0) {
        result->error_code = KAFKA_NO_REASSIGNMENT_IN_PROGRESS;
        return;
    }
    if (asked->replicas_count == 0)
        refuse(result, KAFKA_INVALID_REPLICA_ASSIGNMENT,
               "the assignment names no replica");
    for (int32_t i = 0; i < asked->replicas_count; i++)
        if (asked->replicas[i] != self)
            refuse(result, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                   apr_psprintf(request->pool, "broker %d is not registered",
                                (int)asked->replicas[i]));
        else if (i > 0)
            refuse(result, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                   "the assignment names a broker more than once");
}

static void reassign_topic(request_t *request, const metadata_image_t *image,
                           const asked_t *asked, result_t *result)
{
    const image_topic_t *topic =
        image_topic(image, asked->name.data, asked->name.length);

    alter_partition_reassignments_response_reassignable_topic_response_init(
        result);
    result->name = asked->name;
    result->partitions_count = asked->partitions_count;
    result->partitions =
        apr_palloc(request->pool,
                   (asked->partitions_count + 1) * sizeof *result->partitions);
    for (int32_t i = 0; i < asked->partitions_count; i++) {
        partition_result_t *to = &result->partitions[i];

        alter_partition_reassignments_response_reassignable_partition_response_init(
            to);
        to->partition_index = asked->partitions[i].partition_index;
        reassign(request, topic, &asked->partitions[i], to);
    }
}

void handle_alter_partition_reassignments(request_t *request)
{
    const alter_partition_reassignments_request_t *body = request->body;
    const metadata_image_t *image = metadata_image(request->broker->metadata);
    alter_partition_reassignments_response_t response;

    alter_partition_reassignments_response_init(&response);
    if (body->topics_count > 0)
        response.allow_replication_factor_change =
            body->allow_replication_factor_change;
    response.error_message = WIRE_STRING_NULL;
    response.responses_count = body->topics_count;
    response.responses = apr_palloc(
        request->pool, (body->topics_count + 1) * sizeof *response.responses);
    for (int32_t i = 0; i < body->topics_count; i++)
        reassign_topic(request, image, &body->topics[i],
                       &response.responses[i]);
    request_reply(request, &response);
    image_release(image);
}
