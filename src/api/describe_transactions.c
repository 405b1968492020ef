/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeTransactions: the state and the partitions of each id (KIP-664). */
#include "api/context.h"
#include "api/handlers.h"
#include "protocol/describe_transactions_request.h"

void handle_describe_transactions(request_t *request)
{
    const describe_transactions_request_t *body = request->body;
    describe_transactions_response_t response;
    int32_t count = body->transactional_ids_count;

    describe_transactions_response_init(&response);
    response.transaction_states_count = count;
    response.transaction_states =
        apr_palloc(request->pool, ((apr_size_t)count + 1) *
                                      sizeof *response.transaction_states);
    for (int32_t i = 0; i < count; i++) {
        describe_transactions_response_transaction_state_init(
            &response.transaction_states[i]);
        transactions_describe(request->broker->transactions,
                              body->transactional_ids[i],
                              &response.transaction_states[i], request->pool);
    }
    request_reply(request, &response);
}
