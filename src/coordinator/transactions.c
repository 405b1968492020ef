/* SPDX-License-Identifier: Apache-2.0 */
/* What clients ask of the transaction coordinator, and what time does to it. */
#include "coordinator/transactions.h"

#include <apr_strings.h>

#include "base/clock.h"
#include "base/logger.h"
#include "coordinator/memory.h"
#include "coordinator/transaction_shard.h"

static int is_empty(wire_string_t id)
{
    return id.length <= 0;
}

static void answer_now(transaction_shard_t *shard, transaction_call_t *call,
                       const transaction_t *transaction)
{
    call->producer_id = transaction->now.producer_id;
    call->producer_epoch = transaction->now.producer_epoch;
    transaction_answer(shard, call, KAFKA_NONE);
}

/* ---- InitProducerId ----------------------------------------------------- */

static void initialised(transaction_shard_t *shard, transaction_t *transaction,
                        transaction_call_t *call)
{
    answer_now(shard, call, transaction);
}

/* The ongoing transaction is going to be aborted; the client comes again. */
static void fenced(transaction_shard_t *shard, transaction_t *transaction,
                   transaction_call_t *call)
{
    transaction_mark(shard, transaction, call, KAFKA_CONCURRENT_TRANSACTIONS);
}

static int16_t fence(transaction_shard_t *shard, transaction_t *transaction,
                     transaction_call_t *call)
{
    const transaction_coordinator_t *coordinator = shard->coordinator;
    transaction_values_t next;
    int16_t error = transaction_prepare_fence(
        transaction, transaction_version(coordinator), &coordinator->parts.ids,
        clock_wall_ms(), &next);

    return error
               ? error
               : transaction_write(shard, transaction, &next, 1, call, fenced);
}

/* A transactional id that is new gets a producer id, and its first epoch in the
 * step that follows. */
static int16_t create(transaction_shard_t *shard, wire_string_t id,
                      int32_t timeout_ms, transaction_t **out)
{
    const transaction_ids_t *ids = &shard->coordinator->parts.ids;
    transaction_t *transaction;
    int64_t producer_id;

    if (ids->next(ids->baton, &producer_id))
        return KAFKA_COORDINATOR_NOT_AVAILABLE;
    transaction = transaction_create(id);
    transaction->now.producer_id = producer_id;
    transaction->now.timeout_ms = timeout_ms;
    transaction->now.update_ms = clock_wall_ms();
    map_put(&shard->transactions, id, transaction);
    *out = transaction;
    return KAFKA_NONE;
}

static int16_t init_producer(transaction_shard_t *shard,
                             transaction_t *transaction,
                             transaction_call_t *call, wire_string_t id,
                             const transaction_init_t *init)
{
    transaction_values_t next;
    int must_fence = 0;
    int16_t error = KAFKA_NONE;

    if (!transaction)
        error = create(shard, id, init->timeout_ms, &transaction);
    if (!error)
        error = transaction_prepare_init(transaction, init,
                                         &shard->coordinator->parts.ids,
                                         clock_wall_ms(), &next, &must_fence);
    if (error)
        return error;
    return must_fence ? fence(shard, transaction, call)
                      : transaction_write(shard, transaction, &next, 1, call,
                                          initialised);
}

void transactions_init_producer(transaction_coordinator_t *coordinator,
                                transaction_call_t *call, wire_string_t id,
                                const transaction_init_t *init)
{
    transaction_shard_t *shard;
    transaction_t *transaction;
    int16_t error = KAFKA_NONE;

    if (is_empty(id))
        error = KAFKA_INVALID_REQUEST;
    else if (init->timeout_ms <= 0 ||
             init->timeout_ms > coordinator->config.max_timeout_ms)
        error = KAFKA_INVALID_TRANSACTION_TIMEOUT;
    else
        error = transaction_enter(coordinator, id, &shard, &transaction);
    if (error) {
        transaction_refuse(call, error);
        return;
    }
    error = init_producer(shard, transaction, call, id, init);
    if (error)
        transaction_answer(shard, call, error);
    transaction_shard_leave(shard);
}

/* ---- partitions --------------------------------------------------------- */

static int16_t add(transaction_shard_t *shard, transaction_t *transaction,
                   transaction_call_t *call, int64_t producer_id,
                   int16_t producer_epoch,
                   const transaction_partitions_t *partitions,
                   int16_t client_version)
{
    transaction_values_t next;
    int nothing;
    int16_t error;

    if (!transaction)
        return KAFKA_INVALID_PRODUCER_ID_MAPPING;
    error = transaction_prepare_add(transaction, producer_id, producer_epoch,
                                    partitions, client_version, clock_wall_ms(),
                                    &next, &nothing);
    if (error)
        return error;
    if (nothing) {
        answer_now(shard, call, transaction);
        return KAFKA_NONE;
    }
    return transaction_write(shard, transaction, &next, 1, call, initialised);
}

void transactions_add(transaction_coordinator_t *coordinator,
                      transaction_call_t *call, wire_string_t id,
                      int64_t producer_id, int16_t producer_epoch,
                      const transaction_partitions_t *partitions,
                      int16_t client_version)
{
    transaction_shard_t *shard;
    transaction_t *transaction;
    int16_t error =
        is_empty(id) ? KAFKA_INVALID_REQUEST
                     : transaction_enter(coordinator, id, &shard, &transaction);

    if (error) {
        transaction_refuse(call, error);
        return;
    }
    error = add(shard, transaction, call, producer_id, producer_epoch,
                partitions, client_version);
    if (error)
        transaction_answer(shard, call, error);
    transaction_shard_leave(shard);
}

int16_t transactions_verify(transaction_coordinator_t *coordinator,
                            wire_string_t id, int64_t producer_id,
                            int16_t producer_epoch,
                            const transaction_partitions_t *partitions,
                            int16_t *errors)
{
    transaction_shard_t *shard;
    transaction_t *transaction;
    int16_t error =
        is_empty(id) ? KAFKA_INVALID_REQUEST
                     : transaction_enter(coordinator, id, &shard, &transaction);

    if (error)
        return error;
    error = transaction
                ? transaction_verify(transaction, producer_id, producer_epoch)
                : KAFKA_INVALID_PRODUCER_ID_MAPPING;
    for (int32_t i = 0; i < partitions->count && !error; i++)
        errors[i] = transaction_partitions_contain(&transaction->now.partitions,
                                                   partitions->items[i].topic,
                                                   partitions->items[i].index)
                        ? KAFKA_NONE
                        : KAFKA_TRANSACTION_ABORTABLE;
    transaction_shard_leave(shard);
    return error;
}

/* ---- EndTxn ------------------------------------------------------------- */

static void decided(transaction_shard_t *shard, transaction_t *transaction,
                    transaction_call_t *call)
{
    transaction_mark(shard, transaction, call, KAFKA_NONE);
}

static int16_t end(transaction_shard_t *shard, transaction_t *transaction,
                   transaction_call_t *call, const transaction_end_t *how)
{
    transaction_values_t next;
    int nothing;
    int16_t error;

    if (!transaction)
        return KAFKA_INVALID_PRODUCER_ID_MAPPING;
    error = transaction_prepare_end(transaction, how,
                                    &shard->coordinator->parts.ids,
                                    clock_wall_ms(), &next, &nothing);
    if (error)
        return error;
    if (nothing) {
        answer_now(shard, call, transaction);
        return KAFKA_NONE;
    }
    return transaction_write(shard, transaction, &next, 1, call, decided);
}

void transactions_end(transaction_coordinator_t *coordinator,
                      transaction_call_t *call, wire_string_t id,
                      const transaction_end_t *how)
{
    transaction_shard_t *shard;
    transaction_t *transaction;
    int16_t error =
        is_empty(id) ? KAFKA_INVALID_REQUEST
                     : transaction_enter(coordinator, id, &shard, &transaction);

    if (error) {
        transaction_refuse(call, error);
        return;
    }
    error = end(shard, transaction, call, how);
    if (error)
        transaction_answer(shard, call, error);
    transaction_shard_leave(shard);
}

/* ---- time --------------------------------------------------------------- */

/* What no client asked for has no call. */
static void timed_out(transaction_shard_t *shard, transaction_t *transaction,
                      transaction_call_t *call)
{
    (void)call;
    LOG_INFO(coordinator, "the transaction of %.*s took too long: aborted",
             (int)transaction->id.length, transaction->id.data);
    transaction_mark(shard, transaction, NULL, KAFKA_NONE);
}

static void expired(transaction_shard_t *shard, transaction_t *transaction,
                    transaction_call_t *call)
{
    (void)call;
    transaction_remove(shard, transaction);
}

static void abort_if_late(transaction_shard_t *shard,
                          transaction_t *transaction, int64_t now)
{
    const transaction_coordinator_t *coordinator = shard->coordinator;
    transaction_values_t next;

    /* An error is tried again at the next look. */
    if (transaction_timed_out(transaction, now) &&
        !transaction_prepare_fence(transaction,
                                   transaction_version(coordinator),
                                   &coordinator->parts.ids, now, &next))
        (void)transaction_write(shard, transaction, &next, 1, NULL, timed_out);
}

static void remove_if_old(transaction_shard_t *shard,
                          transaction_t *transaction, int64_t now)
{
    transaction_values_t dead;

    if (!transaction_expired(transaction, now,
                             shard->coordinator->config.id_expiration_ms))
        return;
    transaction_values_init(&dead);
    dead.status = TRANSACTION_DEAD;
    (void)transaction_write(shard, transaction, &dead, 1, NULL, expired);
}

static void look_at_all(transaction_coordinator_t *coordinator,
                        void (*look)(transaction_shard_t *shard,
                                     transaction_t *transaction, int64_t now))
{
    int64_t now = clock_wall_ms();

    for (int32_t i = 0; i < coordinator->shard_count; i++) {
        transaction_shard_t *shard;

        if (transaction_shard_enter(coordinator, i, &shard))
            continue;
        for (map_entry_t *entry = shard->transactions.first, *next; entry;
             entry = next) {
            next = entry->next; /* LOOK may remove it */
            look(shard, entry->value, now);
        }
        transaction_shard_leave(shard);
    }
}

static void abort_late(transaction_coordinator_t *coordinator)
{
    look_at_all(coordinator, abort_if_late);
}

static void remove_old(transaction_coordinator_t *coordinator)
{
    look_at_all(coordinator, remove_if_old);
}

void transactions_tick(transaction_coordinator_t *coordinator)
{
    abort_late(coordinator);
    remove_old(coordinator);
}

/* ---- describe and list -------------------------------------------------- */

static wire_string_t copy_to(apr_pool_t *pool, wire_string_t text)
{
    wire_string_t copy = text;

    copy.data = apr_pstrmemdup(pool, text.data, (apr_size_t)text.length);
    return copy;
}

static void
describe_topics(const transaction_partitions_t *set,
                describe_transactions_response_transaction_state_t *out,
                apr_pool_t *pool)
{
    apr_size_t room = (apr_size_t)set->count + 1;
    int32_t *indexes = apr_palloc(pool, room * sizeof *indexes);

    out->topics = apr_palloc(pool, room * sizeof *out->topics);
    for (int32_t i = 0; i < set->count;) {
        int32_t count = transaction_partitions_of_topic(set, i);
        describe_transactions_response_topic_data_t *topic =
            &out->topics[out->topics_count++];

        describe_transactions_response_topic_data_init(topic);
        topic->topic = copy_to(pool, set->items[i].topic);
        topic->partitions = &indexes[i];
        topic->partitions_count = count;
        for (int32_t last = i + count; i < last; i++)
            indexes[i] = set->items[i].index;
    }
}

void transactions_describe(
    transaction_coordinator_t *coordinator, wire_string_t id,
    describe_transactions_response_transaction_state_t *out, apr_pool_t *pool)
{
    transaction_shard_t *shard;
    transaction_t *transaction;

    out->transactional_id = id;
    out->error_code =
        is_empty(id) ? KAFKA_INVALID_REQUEST
                     : transaction_enter(coordinator, id, &shard, &transaction);
    if (out->error_code)
        return;
    if (!transaction || transaction->now.status == TRANSACTION_DEAD)
        out->error_code = KAFKA_TRANSACTIONAL_ID_NOT_FOUND;
    else {
        out->producer_id = transaction->now.producer_id;
        out->producer_epoch = transaction->now.producer_epoch;
        out->transaction_state =
            wire_string_from(transaction_status_name(transaction->now.status));
        out->transaction_timeout_ms = transaction->now.timeout_ms;
        out->transaction_start_time_ms = transaction->now.start_ms;
        describe_topics(&transaction->now.partitions, out, pool);
    }
    transaction_shard_leave(shard);
}

/* A response that grows. */
typedef struct {
    const list_transactions_request_t *request;
    int (*matches)(void *baton, wire_string_t id);
    void *baton;
    list_transactions_response_t *response;
    apr_pool_t *pool;
    int32_t room;
    int64_t now;
} listing_t;

static int has_state(const list_transactions_request_t *request,
                     const char *name)
{
    for (int32_t i = 0; i < request->state_filters_count; i++)
        if (wire_string_equal_text(request->state_filters[i], name))
            return 1;
    return request->state_filters_count == 0;
}

static int has_producer(const list_transactions_request_t *request, int64_t id)
{
    for (int32_t i = 0; i < request->producer_id_filters_count; i++)
        if (request->producer_id_filters[i] == id)
            return 1;
    return request->producer_id_filters_count == 0;
}

static int is_wanted(const listing_t *listing, const transaction_t *transaction)
{
    const transaction_values_t *is = &transaction->now;
    int64_t duration = listing->request->duration_filter;

    return is->status != TRANSACTION_DEAD &&
           has_producer(listing->request, is->producer_id) &&
           has_state(listing->request, transaction_status_name(is->status)) &&
           (duration < 0 || listing->now - is->start_ms > duration) &&
           (!listing->matches ||
            listing->matches(listing->baton, transaction->id));
}

static void list_one(listing_t *listing, const transaction_t *transaction)
{
    list_transactions_response_t *response = listing->response;
    list_transactions_response_transaction_state_t *out;

    if (!is_wanted(listing, transaction))
        return;
    if (response->transaction_states_count == listing->room) {
        apr_size_t size = sizeof *response->transaction_states;
        void *more;

        listing->room = listing->room ? listing->room * 2 : 16;
        more = apr_palloc(listing->pool, (apr_size_t)listing->room * size);
        if (response->transaction_states_count > 0)
            memcpy(more, response->transaction_states,
                   (size_t)response->transaction_states_count * size);
        response->transaction_states = more;
    }
    out = &response->transaction_states[response->transaction_states_count++];
    list_transactions_response_transaction_state_init(out);
    out->transactional_id = copy_to(listing->pool, transaction->id);
    out->producer_id = transaction->now.producer_id;
    out->transaction_state =
        wire_string_from(transaction_status_name(transaction->now.status));
}

static void list_unknown_states(listing_t *listing)
{
    const list_transactions_request_t *request = listing->request;
    list_transactions_response_t *response = listing->response;

    response->unknown_state_filters = apr_palloc(
        listing->pool, ((apr_size_t)request->state_filters_count + 1) *
                           sizeof *response->unknown_state_filters);
    for (int32_t i = 0; i < request->state_filters_count; i++) {
        int status = TRANSACTION_EMPTY;

        while (transaction_status_name(status) &&
               !wire_string_equal_text(request->state_filters[i],
                                       transaction_status_name(status)))
            status++;
        if (!transaction_status_name(status))
            response->unknown_state_filters
                [response->unknown_state_filters_count++] =
                request->state_filters[i];
    }
}

void transactions_list(transaction_coordinator_t *coordinator,
                       const list_transactions_request_t *request,
                       int (*matches)(void *baton, wire_string_t id),
                       void *baton, list_transactions_response_t *response,
                       apr_pool_t *pool)
{
    listing_t listing = {request, matches, baton,          response,
                         pool,    0,       clock_wall_ms()};

    list_unknown_states(&listing);
    for (int32_t i = 0; i < coordinator->shard_count; i++) {
        transaction_shard_t *shard;
        int16_t error = transaction_shard_enter(coordinator, i, &shard);

        if (error == KAFKA_NOT_COORDINATOR)
            continue; /* there are none yet */
        if (error) {
            response->error_code = error;
            response->transaction_states_count = 0;
            response->unknown_state_filters_count = 0;
            return;
        }
        for (map_entry_t *entry = shard->transactions.first; entry;
             entry = entry->next)
            list_one(&listing, entry->value);
        transaction_shard_leave(shard);
    }
}

/* ---- creation ----------------------------------------------------------- */

void transaction_config_init(transaction_config_t *config)
{
    memset(config, 0, sizeof *config);
    config->max_timeout_ms = 900000;
    config->id_expiration_ms = INT64_C(7) * 24 * 3600 * 1000;
    config->abort_interval_ms = 10000;
    config->remove_interval_ms = 3600000;
    config->version = 2;
}

void transactions_set_version(transaction_coordinator_t *coordinator,
                              int16_t version)
{
    atomic_set32(&coordinator->version, (apr_uint32_t)version);
}

apr_status_t transactions_create(transaction_coordinator_t **out,
                                 const transaction_config_t *config,
                                 int32_t shards,
                                 const transaction_parts_t *parts,
                                 apr_pool_t *pool)
{
    transaction_coordinator_t *coordinator =
        apr_pcalloc(pool, sizeof *coordinator);

    coordinator->config = *config;
    coordinator->parts = *parts;
    transactions_set_version(coordinator, config->version);
    transaction_periodic_init(&coordinator->periodics[0], coordinator,
                              config->abort_interval_ms, abort_late);
    transaction_periodic_init(&coordinator->periodics[1], coordinator,
                              config->remove_interval_ms, remove_old);
    *out = coordinator;
    return transaction_shards_create(coordinator, shards, pool);
}
