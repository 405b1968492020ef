/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ListTransactions: the transactional ids that this broker coordinates, those
 * that the filters let through (KIP-664, KIP-994).
 */
#include "api/context.h"
#include "api/handlers.h"

void handle_list_transactions(request_t *request)
{
    list_transactions_response_t response;

    list_transactions_response_init(&response);
    transactions_list(request->broker->transactions, request->body, NULL, NULL,
                      &response, request->pool);
    request_reply(request, &response);
}
