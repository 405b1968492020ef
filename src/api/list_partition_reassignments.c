/* SPDX-License-Identifier: Apache-2.0 */
/* ListPartitionReassignments: on one broker nothing is ever under way. */
#include "api/handlers.h"
#include "protocol/list_partition_reassignments_response.h"

void handle_list_partition_reassignments(request_t *request)
{
    list_partition_reassignments_response_t response;

    list_partition_reassignments_response_init(&response);
    response.error_message = WIRE_STRING_NULL;
    response.topics_count = 0;
    request_reply(request, &response);
}
