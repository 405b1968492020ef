/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to the group coordinator. */
#include "api/group_call.h"

#include <apr_strings.h>

static void reply(group_call_t *call, const void *response)
{
    request_reply(call->baton, response);
}

group_call_t *group_call_create(request_t *request)
{
    group_call_t *call = apr_pcalloc(request->pool, sizeof *call);

    call->done = reply;
    call->baton = request;
    call->pool = request->pool;
    call->client_id = request->client_id;
    /* Java prints an address behind its host's name, which is empty. */
    call->client_host = wire_string_from(
        apr_pstrcat(request->pool, "/", request->peer_host, NULL));
    call->version = request->version;
    return call;
}

int group_partition_exists(const metadata_image_t *image, wire_string_t topic,
                           int32_t partition)
{
    const image_topic_t *found =
        topic.length > 0
            ? image_topic(image, topic.data, (apr_size_t)topic.length)
            : NULL;

    return found && partition >= 0 &&
           partition < image_topic_partition_count(found);
}
