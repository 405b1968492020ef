/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DeleteTopics, by name or (from version 6) by id. A topic that is named twice,
 * or by both, is refused each time, as Kafka does.
 */
#include <apr_hash.h>

#include "api/context.h"
#include "api/error.h"
#include "api/handlers.h"
#include "protocol/delete_topics_request.h"
#include "protocol/delete_topics_response.h"
#include "protocol/error_code.h"

typedef delete_topics_response_deletable_topic_result_t result_t;

/* The topics asked for, in one form for all versions. */
typedef struct {
    wire_string_t name;   /* length -1: by id */
    wire_uuid_t id;
    int twin;             /* named more than once: answered once */
    int again;            /* an earlier one names the same */
} asked_t;

static asked_t *asked_topics(const request_t *request, int32_t *count)
{
    const delete_topics_request_t *body = request->body;
    int by_state = request->version >= 6;
    asked_t *asked;

    *count = by_state ? body->topics_count : body->topic_names_count;
    if (*count < 0)
        *count = 0;
    asked = apr_pcalloc(request->pool, (*count + 1) * sizeof *asked);
    for (int32_t i = 0; i < *count; i++) {
        if (by_state) {
            asked[i].name = body->topics[i].name;
            asked[i].id = body->topics[i].topic_id;
        } else {
            asked[i].name = body->topic_names[i];
        }
    }
    return asked;
}

static const image_topic_t *find(const metadata_image_t *image,
                                 const asked_t *asked)
{
    return asked->name.length >= 0
               ? image_topic(image, asked->name.data, asked->name.length)
               : image_topic_by_id(image, &asked->id);
}

/* What tells ASKED from the others: the topic where there is one. */
static const void *identity(const metadata_image_t *image,
                            const asked_t *asked, apr_ssize_t *length)
{
    const image_topic_t *topic = find(image, asked);

    if (!topic && asked->name.length >= 0) {
        *length = asked->name.length;
        return asked->name.data;
    }
    *length = sizeof asked->id.bytes;
    return topic ? image_topic_id(topic)->bytes : asked->id.bytes;
}

/* Marks what is named more than once, and the later mentions. */
static void find_twins(const metadata_image_t *image, asked_t *asked,
                       int32_t count, apr_pool_t *pool)
{
    apr_hash_t *seen = apr_hash_make(pool);

    for (int32_t i = 0; i < count; i++) {
        apr_ssize_t length;
        const void *key = identity(image, &asked[i], &length);
        asked_t *first = apr_hash_get(seen, key, length);

        if (first)
            first->twin = asked[i].again = 1;
        else
            apr_hash_set(seen, key, length, &asked[i]);
    }
}

static void delete_one(request_t *request, const metadata_image_t *image,
                       const asked_t *asked, result_t *result)
{
    const image_topic_t *topic = find(image, asked);
    int by_id = asked->name.length < 0;
    int has_id = !wire_uuid_is_zero(&asked->id);

    delete_topics_response_deletable_topic_result_init(result);
    result->name = asked->name;
    result->topic_id = asked->id;
    if (by_id != has_id) {
        result->error_code = KAFKA_INVALID_REQUEST;
        result->error_message =
            wire_string_from("a topic is named either by name or by id");
    } else if (asked->twin) {
        result->error_code = KAFKA_INVALID_REQUEST;
        result->error_message =
            wire_string_from("the topic is named more than once");
    } else if (!topic) {
        result->error_code = by_id ? KAFKA_UNKNOWN_TOPIC_ID
                                   : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        result->error_message =
            wire_string_from(kafka_error_text(result->error_code));
    } else {
        result->name.data = image_topic_name(topic);
        result->name.length = (int32_t)image_topic_name_length(topic);
        result->topic_id = *image_topic_id(topic);
        result->error_code = api_error(metadata_delete_topic(
            request->broker->metadata, image_topic_id(topic), request->pool));
        if (result->error_code)
            result->error_message =
                wire_string_from(kafka_error_text(result->error_code));
    }
}

static void refuse_deletion(const request_t *request, const asked_t *asked,
                            result_t *result)
{
    delete_topics_response_deletable_topic_result_init(result);
    result->name = asked->name;
    result->topic_id = asked->id;
    result->error_code = request->version < 3 ? KAFKA_INVALID_REQUEST
                                              : KAFKA_TOPIC_DELETION_DISABLED;
}

void handle_delete_topics(request_t *request)
{
    delete_topics_response_t response;
    const metadata_image_t *image = metadata_image(request->broker->metadata);
    int32_t count;
    asked_t *asked = asked_topics(request, &count);
    int enabled = config_bool(request->broker->config,
                              CONFIG_DELETE_TOPIC_ENABLE);

    find_twins(image, asked, count, request->pool);
    delete_topics_response_init(&response);
    response.responses =
        apr_pcalloc(request->pool, (count + 1) * sizeof *response.responses);
    response.responses_count = 0;
    for (int32_t i = 0; i < count; i++) {
        result_t *result = &response.responses[response.responses_count];

        if (asked[i].again)
            continue;
        response.responses_count++;
        if (enabled)
            delete_one(request, image, &asked[i], result);
        else
            refuse_deletion(request, &asked[i], result);
    }
    request_reply(request, &response);
    image_release(image);
}
