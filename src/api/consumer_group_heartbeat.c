/* SPDX-License-Identifier: Apache-2.0 */
/* ConsumerGroupHeartbeat (KIP-848): one call for a member's whole life. */
#include "api/group_call.h"
#include "api/handlers.h"

void handle_consumer_group_heartbeat(request_t *request)
{
    consumer_group_heartbeat(request->broker->groups,
                             group_call_create(request), request->body);
}
