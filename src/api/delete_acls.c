/* SPDX-License-Identifier: Apache-2.0 */
/* DeleteAcls: without an authorizer every filter is refused. */
#include "api/acl.h"
#include "api/handlers.h"
#include "protocol/delete_acls_request.h"
#include "protocol/delete_acls_response.h"
#include "protocol/error_code.h"

void handle_delete_acls(request_t *request)
{
    const delete_acls_request_t *body = request->body;
    delete_acls_response_t response;
    delete_acls_response_delete_acls_filter_result_t *results =
        apr_palloc(request->pool, (body->filters_count + 1) * sizeof *results);

    for (int32_t i = 0; i < body->filters_count; i++)
        if (!acl_is_known(body->filters[i].resource_type_filter,
                          body->filters[i].pattern_type_filter,
                          body->filters[i].operation,
                          body->filters[i].permission_type)) {
            request_disconnect(request, ACL_UNKNOWN);
            return;
        }
    delete_acls_response_init(&response);
    response.filter_results_count = body->filters_count;
    response.filter_results = results;
    for (int32_t i = 0; i < body->filters_count; i++) {
        delete_acls_response_delete_acls_filter_result_init(&results[i]);
        results[i].error_code = KAFKA_SECURITY_DISABLED;
        results[i].error_message =
            wire_string_literal("No Authorizer is configured.");
        results[i].matching_acls_count = 0;
    }
    request_reply(request, &response);
}
