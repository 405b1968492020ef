/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeGroups: state and members of classic groups. */
#include "api/authorized.h"
#include "api/group_call.h"
#include "api/handlers.h"
#include "protocol/describe_groups_request.h"

void handle_describe_groups(request_t *request)
{
    const describe_groups_request_t *body = request->body;
    describe_groups_response_t response;

    describe_groups_response_init(&response);
    response.groups_count = body->groups_count;
    response.groups = apr_palloc(request->pool,
                                 ((apr_size_t)body->groups_count + 1) *
                                     sizeof *response.groups);
    for (int32_t g = 0; g < body->groups_count; g++) {
        group_describe(request->broker->groups, body->groups[g],
                       request->version, &response.groups[g], request->pool);
        response.groups[g].authorized_operations =
            body->include_authorized_operations &&
                    !response.groups[g].error_code
                ? AUTHORIZED_GROUP
                : AUTHORIZED_NOT_ASKED;
    }
    request_reply(request, &response);
}
