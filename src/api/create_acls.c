/* SPDX-License-Identifier: Apache-2.0 */
/* CreateAcls: without an authorizer every rule is refused. */
#include "api/acl.h"
#include "api/handlers.h"
#include "protocol/create_acls_request.h"
#include "protocol/create_acls_response.h"
#include "protocol/error_code.h"

void handle_create_acls(request_t *request)
{
    const create_acls_request_t *body = request->body;
    create_acls_response_t response;

    for (int32_t i = 0; i < body->creations_count; i++)
        if (!acl_is_known(body->creations[i].resource_type,
                          body->creations[i].resource_pattern_type,
                          body->creations[i].operation,
                          body->creations[i].permission_type)) {
            request_disconnect(request, ACL_UNKNOWN);
            return;
        }
    create_acls_response_init(&response);
    response.results_count = body->creations_count;
    response.results = apr_palloc(request->pool, (body->creations_count + 1) *
                                                     sizeof *response.results);
    for (int32_t i = 0; i < body->creations_count; i++) {
        create_acls_response_acl_creation_result_init(&response.results[i]);
        response.results[i].error_code = KAFKA_SECURITY_DISABLED;
        response.results[i].error_message =
            wire_string_literal("No Authorizer is configured.");
    }
    request_reply(request, &response);
}
