/* SPDX-License-Identifier: Apache-2.0 */
/* ListGroups: of this broker, by state and type (KIP-518, KIP-848). */
#include "api/group_call.h"
#include "api/handlers.h"

void handle_list_groups(request_t *request)
{
    list_groups_response_t response;

    group_list(request->broker->groups, request->body, &response,
               request->pool);
    request_reply(request, &response);
}
