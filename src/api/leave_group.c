/* SPDX-License-Identifier: Apache-2.0 */
/* LeaveGroup: up to version 2 of one member, later of several (KIP-345). */
#include "api/group_call.h"
#include "api/handlers.h"
#include "protocol/leave_group_response.h"

enum { SEVERAL_FROM = 3 };

/* An old client knows one error: the response's or its member's. */
static void reply_to_one(group_call_t *call, const void *response)
{
    const leave_group_response_t *from = response;
    leave_group_response_t to;

    leave_group_response_init(&to);
    to.error_code = from->error_code;
    if (!to.error_code && from->members_count > 0)
        to.error_code = from->members[0].error_code;
    request_reply(call->baton, &to);
}

void handle_leave_group(request_t *request)
{
    leave_group_request_t *body = request->body;
    group_call_t *call = group_call_create(request);

    if (request->version < SEVERAL_FROM) {
        body->members = apr_palloc(request->pool, sizeof *body->members);
        leave_group_request_member_identity_init(body->members);
        body->members->member_id = body->member_id;
        body->members_count = 1;
        call->done = reply_to_one;
    }
    group_leave(request->broker->groups, call, body);
}
