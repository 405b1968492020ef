/* SPDX-License-Identifier: Apache-2.0 */
/* CreatePartitions: raises the number of a topic's partitions (KIP-195). */
#include <apr_hash.h>
#include <apr_strings.h>

#include "api/context.h"
#include "api/error.h"
#include "api/handlers.h"
#include "api/topic_creation.h"
#include "protocol/create_partitions_request.h"
#include "protocol/create_partitions_response.h"
#include "protocol/error_code.h"

typedef create_partitions_request_create_partitions_topic_t asked_t;
typedef create_partitions_response_create_partitions_topic_result_t result_t;

static void refuse(result_t *result, int16_t error, const char *why)
{
    result->error_code = error;
    result->error_message = wire_string_from(why);
}

/* Every replica of a one-broker cluster is this broker. */
static int assignment_is_here(const request_t *request, const asked_t *asked)
{
    for (int32_t i = 0; i < asked->assignments_count; i++)
        if (asked->assignments[i].broker_ids_count != 1 ||
            asked->assignments[i].broker_ids[0] != request->broker->node_id)
            return 0;
    return 1;
}

/* Checks ASKED against the topic as it is; sets RESULT's error. */
static void check(request_t *request, const image_topic_t *topic,
                  const asked_t *asked, result_t *result)
{
    int32_t present = topic ? image_topic_partition_count(topic) : 0;

    if (!topic)
        refuse(result, KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
               kafka_error_text(KAFKA_UNKNOWN_TOPIC_OR_PARTITION));
    else if (asked->count == present)
        refuse(result, KAFKA_INVALID_PARTITIONS,
               apr_psprintf(request->pool, "Topic already has %d partition(s).",
                            present));
    else if (asked->count < present)
        refuse(result, KAFKA_INVALID_PARTITIONS,
               apr_psprintf(request->pool,
                            "the topic has %d partition(s), and %d would not "
                            "be an increase",
                            present, asked->count));
    else if (asked->count - present > TOPIC_MAX_NEW_PARTITIONS)
        refuse(result, KAFKA_POLICY_VIOLATION,
               apr_psprintf(request->pool,
                            "%d partitions at once are asked for, and %d are "
                            "allowed",
                            asked->count - present, TOPIC_MAX_NEW_PARTITIONS));
    else if (asked->assignments_count >= 0 &&
             asked->assignments_count != asked->count - present)
        refuse(result, KAFKA_INVALID_REPLICA_ASSIGNMENT,
               apr_psprintf(request->pool,
                            "%d partition(s) are added, but %d assignment(s) "
                            "are given",
                            asked->count - present, asked->assignments_count));
    else if (!assignment_is_here(request, asked))
        refuse(result, KAFKA_INVALID_REPLICA_ASSIGNMENT,
               "an assignment names other brokers than this one");
}

static void create_one(request_t *request, const metadata_image_t *image,
                       const asked_t *asked, result_t *result)
{
    const create_partitions_request_t *body = request->body;
    const image_topic_t *topic =
        image_topic(image, asked->name.data, asked->name.length);

    check(request, topic, asked, result);
    if (result->error_code)
        return;
    result->error_code = api_error(metadata_create_partitions(
        request->broker->metadata, image_topic_name(topic), asked->count,
        body->validate_only, request->pool));
    if (result->error_code)
        result->error_message =
            wire_string_from(kafka_error_text(result->error_code));
}

/* The topics named once; the others are answered INVALID_REQUEST, once each. */
static int32_t *name_counts(const create_partitions_request_t *body,
                            apr_pool_t *pool)
{
    apr_hash_t *seen = apr_hash_make(pool);
    int32_t *counts = apr_pcalloc(pool, (body->topics_count + 1) *
                                            sizeof *counts);

    for (int32_t i = 0; i < body->topics_count; i++) {
        const wire_string_t *name = &body->topics[i].name;
        int32_t *first = apr_hash_get(seen, name->data, name->length);

        if (!first)
            apr_hash_set(seen, name->data, name->length, first = &counts[i]);
        ++*first;
    }
    return counts;
}

void handle_create_partitions(request_t *request)
{
    const create_partitions_request_t *body = request->body;
    create_partitions_response_t response;
    const metadata_image_t *image = metadata_image(request->broker->metadata);
    int32_t *counts = name_counts(body, request->pool);

    create_partitions_response_init(&response);
    response.results = apr_palloc(request->pool, (body->topics_count + 1) *
                                                     sizeof *response.results);
    response.results_count = 0;
    for (int32_t i = 0; i < body->topics_count; i++) {
        result_t *result;

        if (!counts[i])
            continue;
        result = &response.results[response.results_count++];
        create_partitions_response_create_partitions_topic_result_init(result);
        result->name = body->topics[i].name;
        if (counts[i] > 1)
            refuse(result, KAFKA_INVALID_REQUEST,
                   "the topic is named more than once");
        else
            create_one(request, image, &body->topics[i], result);
    }
    request_reply(request, &response);
    image_release(image);
}
