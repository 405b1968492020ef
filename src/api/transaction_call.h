/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between requests and the transaction coordinator: calls in a request's pool,
 * and the error codes that clients of an older version understand.
 */
#ifndef TAKHIN_API_TRANSACTION_CALL_H
#define TAKHIN_API_TRANSACTION_CALL_H

#include "api/context.h"
#include "protocol/error_code.h"

enum {
    /* Transaction versions that clients speak: a request's version tells. */
    TRANSACTION_CLIENT_OLD = 0,
    TRANSACTION_CLIENT_BUMPS = 2 /* KIP-890 */
};

/* A call that runs DONE with BATON. */
transaction_call_t *
transaction_call_create(request_t *request,
                        void (*done)(transaction_call_t *call), void *baton);

/* PRODUCER_FENCED (KIP-588) was INVALID_PRODUCER_EPOCH before version SINCE of
 * the request. */
int16_t transaction_error(const request_t *request, int16_t since,
                          int16_t error);

/* Whether PARTITION of TOPIC is there; takes an image each time. */
int transaction_partition_exists(const broker_t *broker, wire_string_t topic,
                                 int32_t partition);

#endif
