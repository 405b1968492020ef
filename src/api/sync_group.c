/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SyncGroup: the coordinator answers when the leader's assignment is written.
 * From version 5 the member says which protocol it believes in (KIP-559).
 */
#include "api/group_call.h"
#include "api/handlers.h"
#include "protocol/error_code.h"
#include "protocol/sync_group_response.h"

enum { NAMES_PROTOCOL_FROM = 5 };

void handle_sync_group(request_t *request)
{
    const sync_group_request_t *body = request->body;
    sync_group_response_t response;

    if (request->version < NAMES_PROTOCOL_FROM ||
        (body->protocol_type.length >= 0 && body->protocol_name.length >= 0)) {
        group_sync(request->broker->groups, group_call_create(request), body);
        return;
    }
    sync_group_response_init(&response);
    response.error_code = KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    request_reply(request, &response);
}
