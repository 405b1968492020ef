/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeAcls: without an authorizer there are no rules to tell of. */
#include "api/acl.h"
#include "api/handlers.h"
#include "protocol/describe_acls_request.h"
#include "protocol/describe_acls_response.h"
#include "protocol/error_code.h"

void handle_describe_acls(request_t *request)
{
    const describe_acls_request_t *body = request->body;
    describe_acls_response_t response;

    if (!acl_is_known(body->resource_type_filter, body->pattern_type_filter,
                      body->operation, body->permission_type)) {
        request_disconnect(request, ACL_UNKNOWN);
        return;
    }
    describe_acls_response_init(&response);
    response.error_code = KAFKA_SECURITY_DISABLED;
    response.error_message =
        wire_string_literal("No Authorizer is configured on the broker");
    response.resources_count = 0;
    request_reply(request, &response);
}
