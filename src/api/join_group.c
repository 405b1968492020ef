/* SPDX-License-Identifier: Apache-2.0 */
/* JoinGroup: the coordinator answers when the generation is complete. */
#include "api/group_call.h"
#include "api/handlers.h"

void handle_join_group(request_t *request)
{
    group_join(request->broker->groups, group_call_create(request),
               request->body);
}
