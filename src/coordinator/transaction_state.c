/* SPDX-License-Identifier: Apache-2.0 */
/* What a transaction may become next. Never writes anything. */
#include "coordinator/transaction_state.h"

#include "coordinator/memory.h"
#include "protocol/error_code.h"

enum { EPOCH_BUMPS = 2 }; /* the transaction version that ends with one */

static const char *const names[] = {
    "Empty",          "Ongoing",       "PrepareCommit", "PrepareAbort",
    "CompleteCommit", "CompleteAbort", "Dead",          "PrepareEpochFence"};

const char *transaction_status_name(int status)
{
    if (status < 0 || (size_t)status >= sizeof names / sizeof names[0])
        return NULL;
    return names[status];
}

/* ---- life --------------------------------------------------------------- */

void transaction_values_init(transaction_values_t *values)
{
    memset(values, 0, sizeof *values);
    values->producer_id = -1;
    values->previous_producer_id = -1;
    values->next_producer_id = -1;
    values->producer_epoch = -1;
    values->last_producer_epoch = -1;
    values->start_ms = -1;
    values->update_ms = -1;
}

void transaction_values_free(transaction_values_t *values)
{
    transaction_partitions_free(&values->partitions);
}

transaction_t *transaction_create(wire_string_t id)
{
    transaction_t *transaction = memory_new(sizeof *transaction);

    transaction->id = text_copy(id);
    transaction->pending = TRANSACTION_NONE;
    transaction_values_init(&transaction->now);
    return transaction;
}

void transaction_free(transaction_t *transaction)
{
    text_free(&transaction->id);
    transaction_values_free(&transaction->now);
    free(transaction);
}

/* ---- what all steps share ----------------------------------------------- */

/* NEXT becomes what is now, as STATUS, without the partitions. */
static void take_over(const transaction_t *transaction,
                      transaction_status_t status, int64_t now,
                      transaction_values_t *next)
{
    *next = transaction->now;
    next->status = status;
    next->previous_producer_id = transaction->now.producer_id;
    next->next_producer_id = -1;
    next->update_ms = now;
    memset(&next->partitions, 0, sizeof next->partitions);
}

/* Where the epoch has come to its end, *ID is a new producer id, else -1. */
static int16_t successor(const transaction_t *transaction,
                         const transaction_ids_t *ids, int64_t *id)
{
    *id = -1;
    if (!transaction_epoch_exhausted(transaction->now.producer_epoch))
        return KAFKA_NONE;
    return ids->next(ids->baton, id) ? KAFKA_COORDINATOR_NOT_AVAILABLE
                                     : KAFKA_NONE;
}

static int is_over(const transaction_t *transaction)
{
    return transaction->now.status == TRANSACTION_EMPTY ||
           transaction->now.status == TRANSACTION_COMPLETE_COMMIT ||
           transaction->now.status == TRANSACTION_COMPLETE_ABORT;
}

/* ---- init --------------------------------------------------------------- */

/* Whether a producer with that id may go on: it is the one we know, or one
 * whose epochs ran out and that missed our answer (KIP-360). */
static int knows_producer(const transaction_t *transaction,
                          const transaction_init_t *init)
{
    const transaction_values_t *now = &transaction->now;

    return init->producer_id < 0 || now->producer_epoch < 0 ||
           init->producer_id == now->producer_id ||
           (init->producer_id == now->previous_producer_id &&
            transaction_epoch_exhausted(init->producer_epoch));
}

static int16_t next_epoch(const transaction_t *transaction,
                          const transaction_init_t *init,
                          transaction_values_t *next)
{
    const transaction_values_t *now = &transaction->now;
    int named = init->producer_id >= 0;

    if (named && now->producer_epoch >= 0 &&
        init->producer_epoch != now->producer_epoch) {
        if (init->producer_epoch != now->last_producer_epoch)
            return KAFKA_PRODUCER_FENCED;
        return KAFKA_NONE; /* a retry: it gets the epoch that it missed */
    }
    next->producer_epoch = now->producer_epoch + 1;
    next->last_producer_epoch = named ? now->producer_epoch : -1;
    return KAFKA_NONE;
}

int16_t transaction_prepare_init(const transaction_t *transaction,
                                 const transaction_init_t *init,
                                 const transaction_ids_t *ids, int64_t now,
                                 transaction_values_t *next, int *must_fence)
{
    int named = init->producer_id >= 0;
    int16_t epoch = transaction->now.producer_epoch;

    *must_fence = 0;
    if (transaction->pending != TRANSACTION_NONE)
        return KAFKA_CONCURRENT_TRANSACTIONS;
    if (!knows_producer(transaction, init))
        return KAFKA_PRODUCER_FENCED;
    if (transaction->now.status == TRANSACTION_ONGOING) {
        *must_fence = 1;
        return KAFKA_NONE;
    }
    if (!is_over(transaction))
        return KAFKA_CONCURRENT_TRANSACTIONS;
    take_over(transaction, TRANSACTION_EMPTY, now, next);
    next->timeout_ms = init->timeout_ms;
    next->start_ms = -1;
    if (!transaction_epoch_exhausted(epoch) ||
        (named && init->producer_epoch != epoch))
        return next_epoch(transaction, init, next);
    next->producer_epoch = 0;
    next->last_producer_epoch = named ? epoch : -1;
    return successor(transaction, ids, &next->producer_id);
}

/* ---- partitions --------------------------------------------------------- */

static int has_all(const transaction_t *transaction,
                   const transaction_partitions_t *added)
{
    for (int32_t i = 0; i < added->count; i++)
        if (!transaction_partitions_contain(&transaction->now.partitions,
                                            added->items[i].topic,
                                            added->items[i].index))
            return 0;
    return 1;
}

int16_t transaction_verify(const transaction_t *transaction,
                           int64_t producer_id, int16_t producer_epoch)
{
    if (transaction->now.producer_id != producer_id)
        return KAFKA_INVALID_PRODUCER_ID_MAPPING;
    if (transaction->now.producer_epoch != producer_epoch)
        return KAFKA_PRODUCER_FENCED;
    if (transaction_is_prepared(transaction))
        return KAFKA_CONCURRENT_TRANSACTIONS;
    return KAFKA_NONE;
}

int16_t transaction_prepare_add(const transaction_t *transaction,
                                int64_t producer_id, int16_t producer_epoch,
                                const transaction_partitions_t *added,
                                int16_t client_version, int64_t now,
                                transaction_values_t *next, int *nothing)
{
    int16_t error;

    *nothing = 0;
    if (transaction->pending != TRANSACTION_NONE)
        return KAFKA_CONCURRENT_TRANSACTIONS;
    error = transaction_verify(transaction, producer_id, producer_epoch);
    if (error)
        return error;
    if (transaction->now.status == TRANSACTION_ONGOING &&
        has_all(transaction, added)) {
        *nothing = 1;
        return KAFKA_NONE;
    }
    take_over(transaction, TRANSACTION_ONGOING, now, next);
    next->client_version = client_version;
    if (is_over(transaction))
        next->start_ms = now;
    else
        transaction_partitions_copy(&next->partitions,
                                    &transaction->now.partitions);
    for (int32_t i = 0; i < added->count; i++)
        transaction_partitions_add(&next->partitions, added->items[i].topic,
                                   added->items[i].index);
    return KAFKA_NONE;
}

/* ---- end ---------------------------------------------------------------- */

static int16_t prepare_to_end(const transaction_t *transaction, int commit,
                              int16_t version, const transaction_ids_t *ids,
                              int64_t now, transaction_values_t *next)
{
    int16_t error = KAFKA_NONE;

    take_over(transaction,
              commit ? TRANSACTION_PREPARE_COMMIT : TRANSACTION_PREPARE_ABORT,
              now, next);
    next->client_version = version;
    if (version >= EPOCH_BUMPS) {
        error = successor(transaction, ids, &next->next_producer_id);
        if (error)
            return error;
        if (next->producer_epoch < INT16_MAX)
            next->producer_epoch++;
        next->last_producer_epoch = transaction->now.producer_epoch;
    }
    if (transaction->now.status == TRANSACTION_ONGOING)
        transaction_partitions_copy(&next->partitions,
                                    &transaction->now.partitions);
    else
        next->start_ms = now; /* nothing to end, but an epoch to raise */
    return KAFKA_NONE;
}

int16_t transaction_prepare_fence(const transaction_t *transaction,
                                  int16_t version, const transaction_ids_t *ids,
                                  int64_t now, transaction_values_t *next)
{
    int16_t error;

    if (transaction->pending != TRANSACTION_NONE)
        return KAFKA_CONCURRENT_TRANSACTIONS;
    error = prepare_to_end(transaction, 0, version, ids, now, next);
    if (!error && version < EPOCH_BUMPS) {
        if (next->producer_epoch < INT16_MAX)
            next->producer_epoch++;
        next->last_producer_epoch = -1;
    }
    return error;
}

/* What EndTxn says to a transaction that is in none of the states below. */
static int16_t end_when_decided(const transaction_t *transaction, int commit)
{
    transaction_status_t same =
        commit ? TRANSACTION_PREPARE_COMMIT : TRANSACTION_PREPARE_ABORT;

    return transaction->now.status == same ? KAFKA_CONCURRENT_TRANSACTIONS
                                           : KAFKA_INVALID_TXN_STATE;
}

/* Without epochs that rise at the end, a repeated EndTxn looks like the first
 * and is recognised by the state alone. */
static int16_t end_version_1(const transaction_t *transaction,
                             const transaction_end_t *end,
                             const transaction_ids_t *ids, int64_t now,
                             transaction_values_t *next, int *nothing)
{
    transaction_status_t complete =
        end->commit ? TRANSACTION_COMPLETE_COMMIT : TRANSACTION_COMPLETE_ABORT;

    if (transaction->now.producer_id != end->producer_id)
        return KAFKA_INVALID_PRODUCER_ID_MAPPING;
    if (transaction->now.producer_epoch != end->producer_epoch)
        return KAFKA_PRODUCER_FENCED;
    if (transaction->now.status == TRANSACTION_ONGOING)
        return prepare_to_end(transaction, end->commit, end->client_version,
                              ids, now, next);
    if (transaction->now.status == complete) {
        *nothing = 1;
        return KAFKA_NONE;
    }
    return end_when_decided(transaction, end->commit);
}

/* With them (KIP-890) a repeated EndTxn has the epoch before, or the last epoch
 * of the producer id before. */
static int16_t end_version_2(const transaction_t *transaction,
                             const transaction_end_t *end,
                             const transaction_ids_t *ids, int64_t now,
                             transaction_values_t *next, int *nothing)
{
    const transaction_values_t *is = &transaction->now;
    int same = end->producer_epoch == is->producer_epoch;
    int after_bump = end->producer_epoch + 1 == is->producer_epoch;
    int after_overflow = end->producer_id == is->previous_producer_id &&
                         end->producer_epoch == INT16_MAX - 1 &&
                         is->producer_epoch == 0;
    int retry = after_bump || after_overflow;
    int complete = is->status == TRANSACTION_COMPLETE_COMMIT ||
                   is->status == TRANSACTION_COMPLETE_ABORT;
    int valid = transaction_is_prepared(transaction)
                    ? after_bump
                    : same || (complete && retry);

    if (is->producer_id != end->producer_id && !after_overflow)
        return KAFKA_INVALID_PRODUCER_ID_MAPPING;
    if (!valid)
        return KAFKA_PRODUCER_FENCED;
    if (transaction_is_prepared(transaction))
        return end_when_decided(transaction, end->commit);
    if (complete && retry) {
        if ((is->status == TRANSACTION_COMPLETE_COMMIT) != (end->commit != 0))
            return KAFKA_INVALID_TXN_STATE;
        *nothing = 1;
        return KAFKA_NONE;
    }
    if (is->status != TRANSACTION_ONGOING && end->commit)
        return KAFKA_INVALID_TXN_STATE;
    return prepare_to_end(transaction, end->commit, end->client_version, ids,
                          now, next);
}

int16_t transaction_prepare_end(const transaction_t *transaction,
                                const transaction_end_t *end,
                                const transaction_ids_t *ids, int64_t now,
                                transaction_values_t *next, int *nothing)
{
    *nothing = 0;
    if (transaction->pending != TRANSACTION_NONE)
        return KAFKA_CONCURRENT_TRANSACTIONS;
    return end->client_version >= EPOCH_BUMPS
               ? end_version_2(transaction, end, ids, now, next, nothing)
               : end_version_1(transaction, end, ids, now, next, nothing);
}

void transaction_prepare_complete(const transaction_t *transaction, int64_t now,
                                  transaction_values_t *next)
{
    const transaction_values_t *is = &transaction->now;

    TAKHIN_ASSERT(transaction_is_prepared(transaction));
    take_over(transaction,
              is->status == TRANSACTION_PREPARE_COMMIT
                  ? TRANSACTION_COMPLETE_COMMIT
                  : TRANSACTION_COMPLETE_ABORT,
              now, next);
    if (is->client_version >= EPOCH_BUMPS && is->next_producer_id >= 0) {
        next->producer_id = is->next_producer_id;
        next->producer_epoch = 0;
    }
}

/* ---- begin and finish --------------------------------------------------- */

void transaction_begin(transaction_t *transaction, transaction_status_t status)
{
    TAKHIN_ASSERT(transaction->pending == TRANSACTION_NONE);
    transaction->pending = status;
}

void transaction_cancel(transaction_t *transaction)
{
    transaction->pending = TRANSACTION_NONE;
}

void transaction_finish(transaction_t *transaction,
                        transaction_values_t *values)
{
    int64_t previous = transaction->now.previous_producer_id;
    int renewed = values->producer_id != transaction->now.producer_id;

    TAKHIN_ASSERT(transaction->pending == values->status);
    transaction_values_free(&transaction->now);
    transaction->now = *values;
    /* The record always names the id before; here it only counts where the
     * producer got a new one, until the next time that may happen. */
    if (!renewed && values->status != TRANSACTION_EMPTY)
        transaction->now.previous_producer_id = previous;
    transaction->pending = TRANSACTION_NONE;
    memset(values, 0, sizeof *values);
}

/* ---- questions ---------------------------------------------------------- */

int transaction_timed_out(const transaction_t *transaction, int64_t now)
{
    return transaction->pending == TRANSACTION_NONE &&
           transaction->now.status == TRANSACTION_ONGOING &&
           transaction->now.start_ms + transaction->now.timeout_ms < now;
}

int transaction_expired(const transaction_t *transaction, int64_t now,
                        int64_t expiration_ms)
{
    return transaction->pending == TRANSACTION_NONE && is_over(transaction) &&
           transaction->now.update_ms <= now - expiration_ms;
}
