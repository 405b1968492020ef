/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ListTransactions: the transactional ids that this broker coordinates, those
 * that the filters let through (KIP-664, KIP-994, KIP-1152).
 */
#include "api/context.h"
#include "api/handlers.h"
#include "coordinator/topic_regex.h"
#include "protocol/error_code.h"

static int matches(void *pattern, wire_string_t id)
{
    return topic_regex_matches(pattern, id.data, (apr_size_t)id.length);
}

static void list_by_pattern(request_t *request,
                            list_transactions_response_t *response)
{
    const list_transactions_request_t *body = request->body;
    const char *error;
    topic_regex_t *pattern = topic_regex_compile(body->transactional_id_pattern,
                                                 &error, request->pool);

    if (!pattern) {
        response->error_code = KAFKA_INVALID_REGULAR_EXPRESSION;
        return;
    }
    transactions_list(request->broker->transactions, body, matches, pattern,
                      response, request->pool);
    topic_regex_free(pattern);
}

void handle_list_transactions(request_t *request)
{
    const list_transactions_request_t *body = request->body;
    list_transactions_response_t response;

    list_transactions_response_init(&response);
    if (body->transactional_id_pattern.length > 0)
        list_by_pattern(request, &response);
    else
        transactions_list(request->broker->transactions, body, NULL, NULL,
                          &response, request->pool);
    request_reply(request, &response);
}
