/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which transactional batches of a Produce may be written (KIP-890): those
 * whose partition is in the producer's transaction. A partition's first batch
 * of a transaction is asked of the transaction coordinator; from version 12 of
 * the request on it puts the partition there.
 */
#ifndef TAKHIN_API_PRODUCE_ADMISSION_H
#define TAKHIN_API_PRODUCE_ADMISSION_H

#include "api/context.h"
#include "protocol/produce_request.h"

/* For each partition of the request, in its order. */
typedef struct {
    log_guard_t guard;   /* for the append */
    int16_t error;       /* or why not */
    const char *message; /* what Kafka would say beside it, or NULL */
} produce_admission_t;

/*
 * Fills ADMISSIONS, which are zeroed, and calls ADMITTED: at once, or when the
 * coordinator has written, from a worker.
 */
void produce_admit(request_t *request, produce_admission_t *admissions,
                   void (*admitted)(void *baton), void *baton);

#endif
