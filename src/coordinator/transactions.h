/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transaction coordinator (KIP-98, KIP-890): transactional ids, each in the
 * shard of its partition of __transaction_state, each shard with a lock of its
 * own. Every step is a record there before it counts. A transaction is decided
 * when its PrepareCommit or PrepareAbort is durable; then the markers are written
 * to all of its partitions, and when those are durable CompleteX ends it. Who
 * replays a PrepareX carries it on, so a crash leaves no transaction half done.
 *
 * It never talks to a client, and no thread waits for the device: an operation
 * answers through its call, at once or from a worker.
 */
#ifndef TAKHIN_COORDINATOR_TRANSACTIONS_H
#define TAKHIN_COORDINATOR_TRANSACTIONS_H

#include "base/timer.h"
#include "coordinator/journal.h"
#include "coordinator/task.h"
#include "coordinator/transaction_marker.h"
#include "coordinator/transaction_state.h"
#include "protocol/describe_transactions_response.h"
#include "protocol/list_transactions_request.h"
#include "protocol/list_transactions_response.h"

typedef struct transaction_coordinator_t transaction_coordinator_t;

#define TRANSACTION_TOPIC "__transaction_state"

/* Kafka's properties of the same names. Times in milliseconds. */
typedef struct {
    int32_t max_timeout_ms;
    int64_t id_expiration_ms;
    int64_t abort_interval_ms;  /* between looks for what timed out */
    int64_t remove_interval_ms; /* between looks for what expired */
    int16_t version;            /* the level of transaction.version */
    unsigned flush : 1;         /* durable is: on the device */
} transaction_config_t;

/* Kafka's defaults. */
void transaction_config_init(transaction_config_t *config);

/* ---- life --------------------------------------------------------------- */

/* What it works with; copied. */
typedef struct {
    journal_driver_t journal;
    coordinator_workers_t workers;
    base_timer_t *timer; /* NULL in tests: transactions_tick */
    topics_t *topics;    /* where markers go */
    transaction_ids_t ids;
    transaction_offsets_t offsets; /* told of markers */
} transaction_parts_t;

/* For a topic of SHARDS partitions, as it is or as it will be created. POOL
 * lives as long as the coordinator. */
apr_status_t transactions_create(transaction_coordinator_t **coordinator,
                                 const transaction_config_t *config,
                                 int32_t shards,
                                 const transaction_parts_t *parts,
                                 apr_pool_t *pool);

/* Has workers replay every shard whose partition is there, and carry on what
 * was decided. */
void transactions_start(transaction_coordinator_t *coordinator);

/* Answers all who wait, and all who come later, with
 * COORDINATOR_NOT_AVAILABLE. Workers and timer must still run. */
void transactions_stop(transaction_coordinator_t *coordinator);

/* Frees all state. Nobody calls any more, no worker or timer runs. */
void transactions_destroy(transaction_coordinator_t *coordinator);

/* Aborts what timed out and removes what expired, in this thread. */
void transactions_tick(transaction_coordinator_t *coordinator);

/* The level of transaction.version changed. Lock-free. */
void transactions_set_version(transaction_coordinator_t *coordinator,
                              int16_t version);

/* Which partition of __transaction_state ID is in. */
int32_t transactions_shard(const transaction_coordinator_t *coordinator,
                           wire_string_t id);

/* ---- calls -------------------------------------------------------------- */

/*
 * One operation. The caller fills the first part and keeps it until DONE, which
 * runs once, without a lock, in the caller's thread before the operation
 * returns or in a worker's. What else is passed is copied.
 */
typedef struct transaction_call_t transaction_call_t;
struct transaction_call_t {
    void (*done)(transaction_call_t *self);
    void *baton;

    /* The answer. */
    int16_t error;
    int16_t producer_epoch; /* -1 with an error */
    int64_t producer_id;    /* -1 with an error */

    transaction_call_t *next; /* the coordinator's */
};

/* InitProducerId with a transactional id. */
void transactions_init_producer(transaction_coordinator_t *coordinator,
                                transaction_call_t *call, wire_string_t id,
                                const transaction_init_t *init);

/* AddPartitionsToTxn, AddOffsetsToTxn, and what Produce and TxnOffsetCommit add
 * by themselves in transaction version 2. The partitions exist. */
void transactions_add(transaction_coordinator_t *coordinator,
                      transaction_call_t *call, wire_string_t id,
                      int64_t producer_id, int16_t producer_epoch,
                      const transaction_partitions_t *partitions,
                      int16_t client_version);

/* Whether the transaction goes on and has PARTITIONS: ERRORS[i] for each of
 * them, NONE or TRANSACTION_ABORTABLE; or the error returned, for all. At once.
 */
int16_t transactions_verify(transaction_coordinator_t *coordinator,
                            wire_string_t id, int64_t producer_id,
                            int16_t producer_epoch,
                            const transaction_partitions_t *partitions,
                            int16_t *errors);

/* EndTxn: answered when the transaction is complete, or when it is decided and
 * a partition's marker has to wait. */
void transactions_end(transaction_coordinator_t *coordinator,
                      transaction_call_t *call, wire_string_t id,
                      const transaction_end_t *end);

/* At once. */
void transactions_describe(
    transaction_coordinator_t *coordinator, wire_string_t id,
    describe_transactions_response_transaction_state_t *described,
    apr_pool_t *pool);
/* MATCHES says whether an id is asked for; NULL: every one. */
void transactions_list(transaction_coordinator_t *coordinator,
                       const list_transactions_request_t *request,
                       int (*matches)(void *baton, wire_string_t id),
                       void *baton, list_transactions_response_t *response,
                       apr_pool_t *pool);

#endif
