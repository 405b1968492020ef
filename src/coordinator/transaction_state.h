/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine of one transactional id (KIP-98, KIP-360, KIP-890), without
 * any I/O. Each step is two: prepare says whether a client's wish is allowed and
 * what the transaction would become, which is written to __transaction_state;
 * once that is durable, finish makes it so. In between the step is pending and
 * other wishes are told to come again (CONCURRENT_TRANSACTIONS).
 *
 *     Empty -> Ongoing -> PrepareCommit -> CompleteCommit -> Ongoing ...
 *                      -> PrepareAbort  -> CompleteAbort  -> Ongoing ...
 *
 * A producer is fenced by raising its epoch: in transaction version 2 (KIP-890)
 * at the end of every transaction, before only when another producer with the
 * same transactional id begins, or the transaction took too long.
 */
#ifndef TAKHIN_COORDINATOR_TRANSACTION_STATE_H
#define TAKHIN_COORDINATOR_TRANSACTION_STATE_H

#include "coordinator/transaction_partitions.h"

/* Numbers as in the record. PrepareEpochFence is never written: here fencing is
 * one step to PrepareAbort. */
typedef enum {
    TRANSACTION_NONE = -1,
    TRANSACTION_EMPTY = 0,
    TRANSACTION_ONGOING = 1,
    TRANSACTION_PREPARE_COMMIT = 2,
    TRANSACTION_PREPARE_ABORT = 3,
    TRANSACTION_COMPLETE_COMMIT = 4,
    TRANSACTION_COMPLETE_ABORT = 5,
    TRANSACTION_DEAD = 6,
    TRANSACTION_PREPARE_EPOCH_FENCE = 7
} transaction_status_t;

/* "Ongoing", as ListTransactions says it; NULL when STATUS is none. */
const char *transaction_status_name(int status);

/* What a record says. Times in milliseconds, -1 for none. */
typedef struct {
    transaction_status_t status;
    int64_t producer_id;
    int64_t previous_producer_id; /* before an exhausted epoch, -1: none */
    int64_t next_producer_id;     /* once the markers are written, -1: none */
    int16_t producer_epoch;       /* -1: no producer yet */
    int16_t last_producer_epoch;  /* what a retry may name, -1: none */
    int16_t client_version;       /* transaction version of the last step */
    int32_t timeout_ms;
    int64_t start_ms;  /* of the transaction */
    int64_t update_ms; /* of the last step: for expiry */
    transaction_partitions_t partitions;
} transaction_values_t;

typedef struct {
    wire_string_t id; /* owned */
    transaction_values_t now;
    transaction_status_t pending; /* TRANSACTION_NONE: no step is on its way */
} transaction_t;

/* Where producer ids come from; an error becomes COORDINATOR_NOT_AVAILABLE. */
typedef struct {
    apr_status_t (*next)(void *baton, int64_t *id);
    void *baton;
} transaction_ids_t;

transaction_t *transaction_create(wire_string_t id);
void transaction_free(transaction_t *transaction);
void transaction_values_init(transaction_values_t *values);
void transaction_values_free(transaction_values_t *values);

/* An epoch that no producer is given any more: the one above is for fencing. */
static inline int transaction_epoch_exhausted(int16_t epoch)
{
    return epoch >= INT16_MAX - 1;
}

/* ---- prepare ------------------------------------------------------------ */
/*
 * Each returns a Kafka error code. With KAFKA_NONE *NEXT is set, the caller's
 * to free; TRANSACTION is as it was. NOW is the wall clock in milliseconds.
 */

typedef struct {
    int32_t timeout_ms;
    int64_t producer_id; /* what the producer has, -1: nothing */
    int16_t producer_epoch;
} transaction_init_t;

/* InitProducerId when no transaction is ongoing: the next epoch, or where that
 * is exhausted a new producer id (KIP-360). *MUST_FENCE is set instead, with
 * nothing in NEXT, when one is ongoing: it is aborted first. */
int16_t transaction_prepare_init(const transaction_t *transaction,
                                 const transaction_init_t *init,
                                 const transaction_ids_t *ids, int64_t now,
                                 transaction_values_t *next, int *must_fence);

/* ADDED joins; *NOTHING when all of it is in already and no step is needed. */
int16_t transaction_prepare_add(const transaction_t *transaction,
                                int64_t producer_id, int16_t producer_epoch,
                                const transaction_partitions_t *added,
                                int16_t client_version, int64_t now,
                                transaction_values_t *next, int *nothing);

/* EndTxn. *NOTHING: a retry of what was done already. */
typedef struct {
    int64_t producer_id;
    int16_t producer_epoch;
    int16_t client_version;
    int commit;
} transaction_end_t;
int16_t transaction_prepare_end(const transaction_t *transaction,
                                const transaction_end_t *end,
                                const transaction_ids_t *ids, int64_t now,
                                transaction_values_t *next, int *nothing);

/* Aborts an ongoing transaction and fences its producer, with the broker's
 * transaction VERSION. */
int16_t transaction_prepare_fence(const transaction_t *transaction,
                                  int16_t version, const transaction_ids_t *ids,
                                  int64_t now, transaction_values_t *next);

/* From PrepareX to CompleteX. */
void transaction_prepare_complete(const transaction_t *transaction, int64_t now,
                                  transaction_values_t *next);

/* ---- begin and finish --------------------------------------------------- */

/* STATUS is on its way. */
void transaction_begin(transaction_t *transaction, transaction_status_t status);
/* It was not written: everything is as before. */
void transaction_cancel(transaction_t *transaction);
/* It was: takes VALUES over, which is empty then. */
void transaction_finish(transaction_t *transaction,
                        transaction_values_t *values);

/* ---- questions ---------------------------------------------------------- */

/* AddPartitionsToTxn that only asks (KIP-890): the error for all, and with
 * KAFKA_NONE whether each is in is for the caller to look up. */
int16_t transaction_verify(const transaction_t *transaction,
                           int64_t producer_id, int16_t producer_epoch);

int transaction_timed_out(const transaction_t *transaction, int64_t now);
int transaction_expired(const transaction_t *transaction, int64_t now,
                        int64_t expiration_ms);

static inline int transaction_is_prepared(const transaction_t *transaction)
{
    return transaction->now.status == TRANSACTION_PREPARE_COMMIT ||
           transaction->now.status == TRANSACTION_PREPARE_ABORT;
}

#endif
