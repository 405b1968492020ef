/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shard of the transaction coordinator, for the files that make it up. An
 * operation enters the shard of its id, prepares a step, has it written, and
 * leaves. A step takes effect when its record is durable, under the lock; the
 * answers, and the markers of what was decided, go out without it.
 *
 * A shard whose journal's partition goes offline drops its state and is
 * replayed for the next one who asks.
 */
#ifndef TAKHIN_COORDINATOR_TRANSACTION_SHARD_H
#define TAKHIN_COORDINATOR_TRANSACTION_SHARD_H

#include <apr_thread_mutex.h>

#include "base/atomic.h"
#include "coordinator/map.h"
#include "coordinator/transactions.h"
#include "protocol/error_code.h"
#include "record/builder.h"

typedef struct transaction_shard_t transaction_shard_t;
typedef struct transaction_step_t transaction_step_t;
typedef struct transaction_marking_t transaction_marking_t;

typedef enum {
    TRANSACTION_SHARD_UNLOADED,
    TRANSACTION_SHARD_LOADING, /* one thread replays, without the lock */
    TRANSACTION_SHARD_ACTIVE,
    TRANSACTION_SHARD_STOPPED
} transaction_shard_state_t;

/* What happens, under the lock, when a step took effect. */
typedef void (*transaction_then_fn)(transaction_shard_t *shard,
                                    transaction_t *transaction,
                                    transaction_call_t *call);

struct transaction_step_t {
    transaction_step_t *next;
    transaction_t *transaction;
    transaction_values_t values;
    transaction_call_t *call; /* or NULL */
    transaction_then_fn then;
    int64_t after; /* durable when this offset is flushed */
};

struct transaction_shard_t {
    coordinator_task_t task; /* first: wakes the shard */
    transaction_coordinator_t *coordinator;
    int32_t index;
    int32_t epoch; /* of the partition's leader: in markers */
    apr_thread_mutex_t *mutex;
    transaction_shard_state_t state;
    uint32_t generation; /* counts how often state was dropped */
    void *journal;       /* NULL while it is not open */
    map_t transactions;  /* id -> transaction_t */
    record_builder_t builder;
    transaction_step_t *waiting, **waiting_end; /* for a flush, in order */
    transaction_call_t *answers, **answers_end; /* to give when left */
    transaction_marking_t *starting;            /* to run when left */
    transaction_marking_t *markings;            /* all that go on */
    atomic_u32_t queued;                        /* the task is on its way */
};

/* Something that is done again and again. */
typedef struct {
    coordinator_task_t task; /* first */
    base_timer_entry_t timer;
    transaction_coordinator_t *coordinator;
    int64_t interval_ms;
    void (*pass)(transaction_coordinator_t *coordinator);
} transaction_periodic_t;

enum { TRANSACTION_PERIODICS = 2 };

struct transaction_coordinator_t {
    transaction_config_t config;
    transaction_parts_t parts;
    transaction_shard_t *shards;
    int32_t shard_count;
    transaction_periodic_t periodics[TRANSACTION_PERIODICS];
    atomic_u32_t stopped;
    atomic_u32_t version; /* the level of transaction.version */
};

static inline int16_t
transaction_version(const transaction_coordinator_t *coordinator)
{
    return (int16_t)atomic_get32(&coordinator->version);
}

/* ---- transaction_shard.c ------------------------------------------------ */

/* Enters a shard, replayed first where need be. On success the lock is held
 * until transaction_shard_leave; otherwise a Kafka error code is returned and
 * nothing is held. */
int16_t transaction_shard_enter(transaction_coordinator_t *coordinator,
                                int32_t index, transaction_shard_t **shard);
void transaction_shard_leave(transaction_shard_t *shard);

/* The same for ID's shard; sets *TRANSACTION, NULL where there is none. */
int16_t transaction_enter(transaction_coordinator_t *coordinator,
                          wire_string_t id, transaction_shard_t **shard,
                          transaction_t **transaction);

/*
 * Writes the step to VALUES, which are taken over in any case: with WAIT it
 * takes effect when the record is durable, else at once. CALL, which may be
 * NULL, goes to THEN. An error code: nothing was written and nothing changed.
 */
int16_t transaction_write(transaction_shard_t *shard,
                          transaction_t *transaction,
                          transaction_values_t *values, int wait,
                          transaction_call_t *call, transaction_then_fn then);

/* CALL is answered with ERROR when the shard is left. */
void transaction_answer(transaction_shard_t *shard, transaction_call_t *call,
                        int16_t error);

/* Answers CALL without a shard. */
void transaction_refuse(transaction_call_t *call, int16_t error);

/* Takes TRANSACTION out and frees it. */
void transaction_remove(transaction_shard_t *shard, transaction_t *transaction);

/* Parts of transactions_create. */
apr_status_t transaction_shards_create(transaction_coordinator_t *coordinator,
                                       int32_t count, apr_pool_t *pool);
void transaction_periodic_init(transaction_periodic_t *periodic,
                               transaction_coordinator_t *coordinator,
                               int64_t interval_ms,
                               void (*pass)(transaction_coordinator_t *));

/* ---- transaction_marking.c ---------------------------------------------- */

/* TRANSACTION is decided: begins to write its markers when the shard is left.
 * CALL, which may be NULL, is answered in the end with ERROR. */
void transaction_mark(transaction_shard_t *shard, transaction_t *transaction,
                      transaction_call_t *call, int16_t error);

/* Goes on with MARKING; it may be gone afterwards. Without the lock. */
void transaction_marking_run(transaction_marking_t *marking);
transaction_marking_t *
transaction_marking_next(const transaction_marking_t *marking);

/* All of SHARD are to end, its lock being held: workers do that. */
void transaction_markings_stop(transaction_shard_t *shard);
/* Frees those that no worker could end. */
void transaction_markings_destroy(transaction_shard_t *shard);

#endif
