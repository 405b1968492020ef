/* SPDX-License-Identifier: Apache-2.0 */
/* ConsumerGroupDescribe: state and members of consumer groups (KIP-848). */
#include "api/authorized.h"
#include "api/group_call.h"
#include "api/handlers.h"
#include "protocol/consumer_group_describe_request.h"

void handle_consumer_group_describe(request_t *request)
{
    const consumer_group_describe_request_t *body = request->body;
    consumer_group_describe_response_t response;

    consumer_group_describe_response_init(&response);
    response.groups_count = body->group_ids_count;
    response.groups = apr_palloc(request->pool,
                                 ((apr_size_t)body->group_ids_count + 1) *
                                     sizeof *response.groups);
    for (int32_t g = 0; g < body->group_ids_count; g++) {
        consumer_group_describe(request->broker->groups, body->group_ids[g],
                                &response.groups[g], request->pool);
        response.groups[g].authorized_operations =
            body->include_authorized_operations &&
                    !response.groups[g].error_code
                ? AUTHORIZED_GROUP
                : AUTHORIZED_NOT_ASKED;
    }
    request_reply(request, &response);
}
