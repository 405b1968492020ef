/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OffsetFetch: up to version 7 of one group, later of several; from version 10
 * topics are named by id. No topics (null) asks for all.
 */
#include "api/group_call.h"
#include "api/handlers.h"
#include "protocol/error_code.h"

typedef offset_fetch_request_offset_fetch_request_group_t asked_t;
typedef offset_fetch_response_offset_fetch_response_group_t answer_t;
typedef offset_fetch_response_offset_fetch_response_topics_t found_t;

enum { GROUP_ERROR_FROM = 2, GROUPS_FROM = 8, IDS_FROM = 10 };

/* ---- names and ids ------------------------------------------------------- */

/* Asks the coordinator by name; topics without one are left to be refused. */
static void name_topics(request_t *request, const metadata_image_t *image,
                        asked_t *asked)
{
    offset_fetch_request_offset_fetch_request_topics_t *named = apr_palloc(
        request->pool,
        ((apr_size_t)asked->topics_count + 1) * sizeof *named);
    int32_t count = 0;

    for (int32_t t = 0; t < asked->topics_count; t++) {
        const image_topic_t *topic =
            image_topic_by_id(image, &asked->topics[t].topic_id);

        if (!topic)
            continue;
        named[count] = asked->topics[t];
        named[count].name.data = image_topic_name(topic);
        named[count++].name.length = (int32_t)image_topic_name_length(topic);
    }
    asked->topics = named;
    asked->topics_count = count;
}

static void refuse_topic(
    request_t *request,
    const offset_fetch_request_offset_fetch_request_topics_t *from,
    found_t *to)
{
    to->topic_id = from->topic_id;
    to->name = WIRE_STRING_NULL;
    to->partitions_count = from->partition_indexes_count;
    to->partitions = apr_palloc(
        request->pool,
        ((apr_size_t)to->partitions_count + 1) * sizeof *to->partitions);
    for (int32_t p = 0; p < to->partitions_count; p++) {
        offset_fetch_response_offset_fetch_response_partitions_init(
            &to->partitions[p]);
        to->partitions[p].partition_index = from->partition_indexes[p];
        to->partitions[p].committed_offset = -1;
        to->partitions[p].metadata = wire_string_literal("");
        to->partitions[p].error_code = KAFKA_UNKNOWN_TOPIC_ID;
    }
}

/* Puts the refused topics behind the others'. */
static void refuse_unknown(request_t *request, const metadata_image_t *image,
                           const asked_t *asked, answer_t *answer)
{
    found_t *topics = apr_pcalloc(
        request->pool, ((apr_size_t)asked->topics_count + 1) * sizeof *topics);

    memcpy(topics, answer->topics,
           (size_t)answer->topics_count * sizeof *topics);
    answer->topics = topics;
    for (int32_t t = 0; t < asked->topics_count; t++)
        if (!image_topic_by_id(image, &asked->topics[t].topic_id))
            refuse_topic(request, &asked->topics[t],
                         &topics[answer->topics_count++]);
}

/* Of all topics with offsets those that still exist, with today's id. */
static void identify_topics(const metadata_image_t *image, answer_t *answer)
{
    int32_t count = 0;

    for (int32_t t = 0; t < answer->topics_count; t++) {
        const image_topic_t *topic =
            image_topic(image, answer->topics[t].name.data,
                        (apr_size_t)answer->topics[t].name.length);

        if (!topic)
            continue;
        answer->topics[count] = answer->topics[t];
        answer->topics[count++].topic_id = *image_topic_id(topic);
    }
    answer->topics_count = count;
}

static void fetch_by_id(request_t *request, const asked_t *asked, int stable,
                        answer_t *answer)
{
    const metadata_image_t *image = metadata_image(request->broker->metadata);
    asked_t named = *asked;

    if (asked->topics_count >= 0)
        name_topics(request, image, &named);
    offsets_fetch(request->broker->groups, &named, stable, answer,
                  request->pool);
    if (answer->error_code)
        ;
    else if (asked->topics_count < 0)
        identify_topics(image, answer);
    else
        refuse_unknown(request, image, asked, answer);
    for (int32_t t = 0; t < answer->topics_count; t++)
        answer->topics[t].name = wire_string_literal("");
    image_release(image);
}

static void fetch(request_t *request, const asked_t *asked, answer_t *answer)
{
    const offset_fetch_request_t *body = request->body;

    if (request->version >= IDS_FROM)
        fetch_by_id(request, asked, body->require_stable, answer);
    else
        offsets_fetch(request->broker->groups, asked, body->require_stable,
                      answer, request->pool);
    if (answer->error_code)
        answer->topics_count = 0;
}

/* ---- the older response -------------------------------------------------- */

static void fill_partitions(
    request_t *request, const found_t *from,
    offset_fetch_response_offset_fetch_response_topic_t *to)
{
    to->name = from->name;
    to->partitions_count = from->partitions_count;
    to->partitions = apr_palloc(
        request->pool,
        ((apr_size_t)to->partitions_count + 1) * sizeof *to->partitions);
    for (int32_t p = 0; p < to->partitions_count; p++) {
        to->partitions[p].partition_index = from->partitions[p].partition_index;
        to->partitions[p].committed_offset =
            from->partitions[p].committed_offset;
        to->partitions[p].committed_leader_epoch =
            from->partitions[p].committed_leader_epoch;
        to->partitions[p].metadata = from->partitions[p].metadata;
        to->partitions[p].error_code = from->partitions[p].error_code;
    }
}

/* Version 1 has no error of the group: each partition has it. */
static void spread_error(request_t *request, const asked_t *asked,
                         answer_t *answer)
{
    answer->topics = apr_pcalloc(
        request->pool,
        ((apr_size_t)asked->topics_count + 1) * sizeof *answer->topics);
    answer->topics_count = asked->topics_count < 0 ? 0 : asked->topics_count;
    for (int32_t t = 0; t < answer->topics_count; t++) {
        refuse_topic(request, &asked->topics[t], &answer->topics[t]);
        answer->topics[t].name = asked->topics[t].name;
        for (int32_t p = 0; p < answer->topics[t].partitions_count; p++)
            answer->topics[t].partitions[p].error_code = answer->error_code;
    }
}

static void ask_of_one(request_t *request, asked_t *asked)
{
    const offset_fetch_request_t *body = request->body;

    offset_fetch_request_offset_fetch_request_group_init(asked);
    asked->group_id = body->group_id;
    asked->topics_count = body->topics_count;
    asked->topics = apr_pcalloc(request->pool,
                                ((apr_size_t)(body->topics_count < 0
                                                  ? 0
                                                  : body->topics_count) +
                                 1) * sizeof *asked->topics);
    for (int32_t t = 0; t < body->topics_count; t++) {
        asked->topics[t].name = body->topics[t].name;
        asked->topics[t].partition_indexes = body->topics[t].partition_indexes;
        asked->topics[t].partition_indexes_count =
            body->topics[t].partition_indexes_count;
    }
}

static void fetch_of_one(request_t *request)
{
    offset_fetch_response_t response;
    asked_t asked;
    answer_t answer;

    offset_fetch_response_init(&response);
    ask_of_one(request, &asked);
    fetch(request, &asked, &answer);
    response.error_code = answer.error_code;
    if (answer.error_code && request->version < GROUP_ERROR_FROM)
        spread_error(request, &asked, &answer);
    response.topics_count = answer.topics_count;
    response.topics = apr_pcalloc(
        request->pool,
        ((apr_size_t)answer.topics_count + 1) * sizeof *response.topics);
    for (int32_t t = 0; t < answer.topics_count; t++)
        fill_partitions(request, &answer.topics[t], &response.topics[t]);
    request_reply(request, &response);
}

void handle_offset_fetch(request_t *request)
{
    const offset_fetch_request_t *body = request->body;
    offset_fetch_response_t response;

    if (request->version < GROUPS_FROM) {
        fetch_of_one(request);
        return;
    }
    offset_fetch_response_init(&response);
    response.groups_count = body->groups_count;
    response.groups = apr_palloc(request->pool,
                                 ((apr_size_t)body->groups_count + 1) *
                                     sizeof *response.groups);
    for (int32_t g = 0; g < body->groups_count; g++)
        fetch(request, &body->groups[g], &response.groups[g]);
    request_reply(request, &response);
}
