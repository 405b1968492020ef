/* SPDX-License-Identifier: Apache-2.0 */
/* Heartbeat of a classic group's member. */
#include "api/group_call.h"
#include "api/handlers.h"

void handle_heartbeat(request_t *request)
{
    group_heartbeat(request->broker->groups, group_call_create(request),
                    request->body);
}
