/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OffsetCommit: offsets of partitions that are not there are refused here, the
 * others go to the coordinator. From version 10 topics are named by id.
 */
#include <apr_strings.h>

#include "api/group_call.h"
#include "api/handlers.h"
#include "protocol/error_code.h"
#include "protocol/offset_commit_response.h"

typedef offset_commit_request_offset_commit_request_topic_t from_t;
typedef offset_commit_response_offset_commit_response_topic_t to_t;

enum { IDS_FROM = 10 };

typedef struct {
    request_t *request;
    offset_commit_request_t known;     /* what the coordinator is asked for */
    offset_commit_response_t response; /* to everything */
} commit_t;

/* Each partition that has no error yet has its answer next in FROM. */
static void reply(group_call_t *call, const void *answered)
{
    commit_t *commit = call->baton;
    const offset_commit_response_t *from = answered;
    int32_t topic = 0, partition = 0;

    for (int32_t t = 0; t < commit->response.topics_count; t++)
        for (int32_t p = 0; p < commit->response.topics[t].partitions_count;
             p++) {
            if (commit->response.topics[t].partitions[p].error_code)
                continue;
            while (partition == from->topics[topic].partitions_count) {
                topic++;
                partition = 0;
            }
            commit->response.topics[t].partitions[p].error_code =
                from->topics[topic].partitions[partition++].error_code;
        }
    request_reply(commit->request, &commit->response);
}

/* The name and id of the topic that FROM means; NULL when there is none. */
static const image_topic_t *find(const commit_t *commit,
                                 const metadata_image_t *image,
                                 const from_t *from)
{
    if (commit->request->version >= IDS_FROM)
        return image_topic_by_id(image, &from->topic_id);
    return from->name.length > 0
               ? image_topic(image, from->name.data,
                             (apr_size_t)from->name.length)
               : NULL;
}

/* Answers what is refused of FROM, and puts the rest to what is asked for. */
static void sort_topic(commit_t *commit, const metadata_image_t *image,
                       const from_t *from, to_t *to)
{
    apr_pool_t *pool = commit->request->pool;
    apr_size_t room = (apr_size_t)from->partitions_count + 1;
    const image_topic_t *topic = find(commit, image, from);
    from_t *known = &commit->known.topics[commit->known.topics_count];
    int16_t missing = commit->request->version >= IDS_FROM && !topic
                          ? KAFKA_UNKNOWN_TOPIC_ID
                          : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;

    offset_commit_response_offset_commit_response_topic_init(to);
    to->name = from->name;
    to->topic_id = from->topic_id;
    to->partitions_count = from->partitions_count;
    to->partitions = apr_pcalloc(pool, room * sizeof *to->partitions);
    *known = *from;
    known->partitions = apr_palloc(pool, room * sizeof *known->partitions);
    known->partitions_count = 0;
    for (int32_t p = 0; p < from->partitions_count; p++) {
        int32_t index = from->partitions[p].partition_index;

        to->partitions[p].partition_index = index;
        if (topic && index >= 0 && index < image_topic_partition_count(topic))
            known->partitions[known->partitions_count++] = from->partitions[p];
        else
            to->partitions[p].error_code = missing;
    }
    if (known->partitions_count == 0)
        return;
    known->name = wire_string_from(
        apr_pstrmemdup(pool, image_topic_name(topic),
                       image_topic_name_length(topic)));
    known->topic_id = *image_topic_id(topic);
    commit->known.topics_count++;
}

void handle_offset_commit(request_t *request)
{
    const offset_commit_request_t *body = request->body;
    commit_t *commit = apr_pcalloc(request->pool, sizeof *commit);
    const metadata_image_t *image = metadata_image(request->broker->metadata);
    apr_size_t room = (apr_size_t)body->topics_count + 1;
    group_call_t *call;

    commit->request = request;
    commit->known = *body;
    commit->known.topics_count = 0;
    commit->known.topics =
        apr_palloc(request->pool, room * sizeof *commit->known.topics);
    offset_commit_response_init(&commit->response);
    commit->response.topics_count = body->topics_count;
    commit->response.topics =
        apr_palloc(request->pool, room * sizeof *commit->response.topics);
    for (int32_t t = 0; t < body->topics_count; t++)
        sort_topic(commit, image, &body->topics[t],
                   &commit->response.topics[t]);
    image_release(image);
    if (commit->known.topics_count == 0) {
        request_reply(request, &commit->response);
        return;
    }
    call = group_call_create(request);
    call->baton = commit;
    call->done = reply;
    offsets_commit(request->broker->groups, call, &commit->known);
}
