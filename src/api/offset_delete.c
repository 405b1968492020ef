/* SPDX-License-Identifier: Apache-2.0 */
/* OffsetDelete (KIP-496): partitions that are not there are refused here. */
#include "api/group_call.h"
#include "api/handlers.h"
#include "protocol/error_code.h"
#include "protocol/offset_delete_response.h"

typedef offset_delete_request_offset_delete_request_topic_t from_t;
typedef offset_delete_response_offset_delete_response_topic_t to_t;

typedef struct {
    request_t *request;
    offset_delete_request_t known;
    offset_delete_response_t response;
} deletion_t;

static void reply(group_call_t *call, const void *answered)
{
    deletion_t *deletion = call->baton;
    const offset_delete_response_t *from = answered;
    int32_t topic = 0, partition = 0;

    if (from->error_code) {
        request_reply(deletion->request, from);
        return;
    }
    for (int32_t t = 0; t < deletion->response.topics_count; t++)
        for (int32_t p = 0; p < deletion->response.topics[t].partitions_count;
             p++) {
            if (deletion->response.topics[t].partitions[p].error_code)
                continue;
            while (partition == from->topics[topic].partitions_count) {
                topic++;
                partition = 0;
            }
            deletion->response.topics[t].partitions[p].error_code =
                from->topics[topic].partitions[partition++].error_code;
        }
    request_reply(deletion->request, &deletion->response);
}

static void sort_topic(deletion_t *deletion, const metadata_image_t *image,
                       const from_t *from, to_t *to)
{
    apr_pool_t *pool = deletion->request->pool;
    apr_size_t room = (apr_size_t)from->partitions_count + 1;
    from_t *known = &deletion->known.topics[deletion->known.topics_count];

    to->name = from->name;
    to->partitions_count = from->partitions_count;
    to->partitions = apr_pcalloc(pool, room * sizeof *to->partitions);
    *known = *from;
    known->partitions = apr_palloc(pool, room * sizeof *known->partitions);
    known->partitions_count = 0;
    for (int32_t p = 0; p < from->partitions_count; p++) {
        int32_t index = from->partitions[p].partition_index;

        to->partitions[p].partition_index = index;
        if (group_partition_exists(image, from->name, index))
            known->partitions[known->partitions_count++] = from->partitions[p];
        else
            to->partitions[p].error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    }
    if (known->partitions_count > 0)
        deletion->known.topics_count++;
}

void handle_offset_delete(request_t *request)
{
    const offset_delete_request_t *body = request->body;
    deletion_t *deletion = apr_pcalloc(request->pool, sizeof *deletion);
    const metadata_image_t *image = metadata_image(request->broker->metadata);
    apr_size_t room = (apr_size_t)body->topics_count + 1;
    group_call_t *call;

    deletion->request = request;
    deletion->known = *body;
    deletion->known.topics_count = 0;
    deletion->known.topics =
        apr_palloc(request->pool, room * sizeof *deletion->known.topics);
    offset_delete_response_init(&deletion->response);
    deletion->response.topics_count = body->topics_count;
    deletion->response.topics =
        apr_pcalloc(request->pool, room * sizeof *deletion->response.topics);
    for (int32_t t = 0; t < body->topics_count; t++)
        sort_topic(deletion, image, &body->topics[t],
                   &deletion->response.topics[t]);
    image_release(image);
    if (deletion->known.topics_count == 0) {
        request_reply(request, &deletion->response);
        return;
    }
    call = group_call_create(request);
    call->baton = deletion;
    call->done = reply;
    offsets_delete(request->broker->groups, call, &deletion->known);
}
