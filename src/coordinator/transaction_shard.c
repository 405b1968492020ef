/* SPDX-License-Identifier: Apache-2.0 */
/* Shards: entering and leaving, loading, writing, answering. */
#include "coordinator/transaction_shard.h"

#include "base/clock.h"
#include "base/logger.h"
#include "coordinator/memory.h"
#include "coordinator/text.h"
#include "coordinator/transaction_log.h"

enum { REPLAY_LIMIT = 64 * 1024 * 1024 }; /* of a batch, decompressed */

/* ---- answers ------------------------------------------------------------ */

static void set_error(transaction_call_t *call, int16_t error)
{
    call->error = error;
    if (error) {
        call->producer_id = -1;
        call->producer_epoch = -1;
    }
}

void transaction_refuse(transaction_call_t *call, int16_t error)
{
    set_error(call, error);
    call->done(call);
}

void transaction_answer(transaction_shard_t *shard, transaction_call_t *call,
                        int16_t error)
{
    set_error(call, error);
    call->next = NULL;
    *shard->answers_end = call;
    shard->answers_end = &call->next;
}

/* ---- waking ------------------------------------------------------------- */

static void wake(transaction_shard_t *shard)
{
    const coordinator_workers_t *workers = &shard->coordinator->parts.workers;

    if (atomic_cas32(&shard->queued, 0, 1))
        workers->submit(workers->baton, &shard->task);
}

/* From the journal, under the partition's lock. */
static void journal_moved(void *baton)
{
    wake(baton);
}

/* ---- steps -------------------------------------------------------------- */

static void free_step(transaction_step_t *step)
{
    transaction_values_free(&step->values);
    free(step);
}

/* The step's record is durable: it counts. */
static void take_effect(transaction_shard_t *shard, transaction_step_t *step)
{
    transaction_finish(step->transaction, &step->values);
    step->then(shard, step->transaction, step->call);
    free_step(step);
}

static apr_status_t append(transaction_shard_t *shard,
                           const transaction_t *transaction,
                           const transaction_values_t *values, int64_t *after)
{
    const transaction_coordinator_t *coordinator = shard->coordinator;
    int dead = values->status == TRANSACTION_DEAD;
    int64_t base_offset;
    uint8_t *data;
    size_t length;
    apr_status_t status = transaction_log_write(
        &shard->builder, transaction->id, dead ? NULL : values,
        transaction_version(coordinator) > 0, clock_wall_ms(), &data, &length);

    if (!status)
        status = coordinator->parts.journal.append(shard->journal, data, length,
                                                   &base_offset, after);
    if (status)
        LOG_EVERY(10, coordinator, ERROR, "%s-%d cannot be written: %s",
                  coordinator->parts.journal.topic, (int)shard->index,
                  LOG_STATUS(status));
    return status;
}

int16_t transaction_write(transaction_shard_t *shard,
                          transaction_t *transaction,
                          transaction_values_t *values, int wait,
                          transaction_call_t *call, transaction_then_fn then)
{
    transaction_step_t *step;
    int64_t after = 0;

    if (append(shard, transaction, values, &after)) {
        transaction_values_free(values);
        return KAFKA_COORDINATOR_NOT_AVAILABLE;
    }
    transaction_begin(transaction, values->status);
    step = memory_new(sizeof *step);
    step->transaction = transaction;
    step->values = *values;
    step->call = call;
    step->then = then;
    step->after = after;
    memset(values, 0, sizeof *values);
    if (!wait || !shard->coordinator->config.flush) {
        take_effect(shard, step);
        return KAFKA_NONE;
    }
    *shard->waiting_end = step;
    shard->waiting_end = &step->next;
    shard->coordinator->parts.journal.request_flush(shard->journal);
    return KAFKA_NONE;
}

/* ---- dropping state ----------------------------------------------------- */

void transaction_remove(transaction_shard_t *shard, transaction_t *transaction)
{
    map_remove(&shard->transactions, transaction->id);
    transaction_free(transaction);
}

/* Who waits is told ERROR when the shard is left. Markings end by themselves
 * when they see another generation. */
static void drop_state(transaction_shard_t *shard, int16_t error)
{
    for (transaction_step_t *step = shard->waiting, *next; step; step = next) {
        next = step->next;
        if (step->call)
            transaction_answer(shard, step->call, error);
        free_step(step);
    }
    shard->waiting = NULL;
    shard->waiting_end = &shard->waiting;
    for (map_entry_t *entry = shard->transactions.first; entry;
         entry = entry->next)
        transaction_free(entry->value);
    map_free(&shard->transactions);
    if (shard->journal)
        shard->coordinator->parts.journal.close(shard->journal);
    shard->journal = NULL;
    shard->generation++;
}

/* Lets take effect what the device has by now. */
static void settle(transaction_shard_t *shard)
{
    const journal_driver_t *driver = &shard->coordinator->parts.journal;

    while (shard->waiting) {
        transaction_step_t *step = shard->waiting;
        apr_status_t status = driver->flushed(shard->journal, step->after);

        if (APR_STATUS_IS_EAGAIN(status))
            return;
        if (status) {
            LOG_ERROR(coordinator, "%s-%d is lost: %s", driver->topic,
                      (int)shard->index, LOG_STATUS(status));
            drop_state(shard, KAFKA_COORDINATOR_NOT_AVAILABLE);
            shard->state = TRANSACTION_SHARD_UNLOADED;
            return;
        }
        shard->waiting = step->next;
        if (!shard->waiting)
            shard->waiting_end = &shard->waiting;
        take_effect(shard, step);
    }
}

/* ---- loading ------------------------------------------------------------ */

static void replay_values(transaction_shard_t *shard, wire_string_t id,
                          transaction_values_t *values, int tombstone)
{
    transaction_t *transaction = map_get(&shard->transactions, id);

    if (tombstone) {
        if (transaction)
            transaction_remove(shard, transaction);
        return;
    }
    if (!transaction) {
        transaction = transaction_create(id);
        map_put(&shard->transactions, id, transaction);
    }
    transaction_values_free(&transaction->now);
    transaction->now = *values;
}

static apr_status_t replay_record(transaction_shard_t *shard,
                                  const record_t *record, apr_pool_t *pool)
{
    wire_string_t id;
    transaction_values_t values;
    int tombstone;
    apr_status_t status =
        transaction_log_read(record, &id, &values, &tombstone, pool);

    if (!status)
        replay_values(shard, id, &values, tombstone);
    else if (status == TAKHIN_EUNSUPPORTED)
        LOG_WARN(coordinator,
                 "%s-%d: a record at offset %lld of an unknown "
                 "version is passed over",
                 shard->coordinator->parts.journal.topic, (int)shard->index,
                 (long long)record->offset);
    return status == TAKHIN_EUNSUPPORTED ? APR_SUCCESS : status;
}

static apr_status_t replay_batch(void *baton, const record_batch_t *batch,
                                 const uint8_t *data)
{
    transaction_shard_t *shard = baton;
    record_scratch_t scratch = {0};
    record_iterator_t iterator;
    record_t record;
    apr_pool_t *pool;
    apr_status_t status;

    if (record_batch_is_control(batch))
        return APR_SUCCESS;
    status = apr_pool_create(&pool, NULL);
    if (status)
        return status;
    status =
        record_iterator_init(&iterator, batch, data, &scratch, REPLAY_LIMIT);
    while (!status) {
        status = record_iterator_next(&iterator, &record);
        if (!status)
            status = replay_record(shard, &record, pool);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    record_scratch_free(&scratch);
    return APR_STATUS_IS_EOF(status) ? APR_SUCCESS : status;
}

static int32_t leader_epoch(const transaction_shard_t *shard)
{
    const char *topic = shard->coordinator->parts.journal.topic;
    partition_t *partition;
    int32_t epoch = 0;

    if (!topics_find(shard->coordinator->parts.topics, topic, strlen(topic),
                     shard->index, &partition)) {
        epoch = partition_leader_epoch(partition);
        partition_release(partition);
    }
    return epoch;
}

/* Replays, with the lock given back meanwhile: nobody else touches a shard
 * that is loading. */
static apr_status_t replay(transaction_shard_t *shard)
{
    const journal_driver_t *driver = &shard->coordinator->parts.journal;
    apr_status_t status;

    shard->state = TRANSACTION_SHARD_LOADING;
    apr_thread_mutex_unlock(shard->mutex);
    status = driver->open(driver, shard->index, journal_moved, shard,
                          &shard->journal);
    if (!status)
        status = driver->replay(shard->journal, replay_batch, shard);
    shard->epoch = leader_epoch(shard);
    apr_thread_mutex_lock(shard->mutex);
    return status;
}

static int16_t load(transaction_shard_t *shard)
{
    apr_status_t status = replay(shard);
    int stopped = shard->state == TRANSACTION_SHARD_STOPPED;

    if (!status && !stopped) {
        shard->state = TRANSACTION_SHARD_ACTIVE;
        for (map_entry_t *entry = shard->transactions.first; entry;
             entry = entry->next)
            if (transaction_is_prepared(entry->value))
                transaction_mark(shard, entry->value, NULL, KAFKA_NONE);
        return KAFKA_NONE;
    }
    drop_state(shard, KAFKA_COORDINATOR_NOT_AVAILABLE);
    if (stopped)
        return KAFKA_COORDINATOR_NOT_AVAILABLE;
    shard->state = TRANSACTION_SHARD_UNLOADED;
    if (status == TAKHIN_EUNKNOWN_TOPIC || status == TAKHIN_EUNKNOWN_PARTITION)
        return KAFKA_NOT_COORDINATOR; /* FindCoordinator creates it */
    LOG_EVERY(10, coordinator, ERROR, "%s-%d cannot be loaded: %s",
              shard->coordinator->parts.journal.topic, (int)shard->index,
              LOG_STATUS(status));
    return KAFKA_COORDINATOR_NOT_AVAILABLE;
}

/* ---- entering and leaving ----------------------------------------------- */

int16_t transaction_shard_enter(transaction_coordinator_t *coordinator,
                                int32_t index, transaction_shard_t **out)
{
    transaction_shard_t *shard = &coordinator->shards[index];
    int16_t error = KAFKA_NONE;

    *out = shard;
    apr_thread_mutex_lock(shard->mutex);
    switch (shard->state) {
    case TRANSACTION_SHARD_UNLOADED:
        error = load(shard);
        break;
    case TRANSACTION_SHARD_LOADING:
        error = KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
        break;
    case TRANSACTION_SHARD_STOPPED:
        error = KAFKA_COORDINATOR_NOT_AVAILABLE;
        break;
    case TRANSACTION_SHARD_ACTIVE:
        break;
    }
    if (error)
        apr_thread_mutex_unlock(shard->mutex);
    return error;
}

int16_t transaction_enter(transaction_coordinator_t *coordinator,
                          wire_string_t id, transaction_shard_t **shard,
                          transaction_t **transaction)
{
    int16_t error = transaction_shard_enter(
        coordinator, transactions_shard(coordinator, id), shard);

    if (!error)
        *transaction = map_get(&(*shard)->transactions, id);
    return error;
}

void transaction_shard_leave(transaction_shard_t *shard)
{
    transaction_call_t *call;
    transaction_marking_t *marking;

    if (shard->state == TRANSACTION_SHARD_ACTIVE)
        settle(shard);
    call = shard->answers;
    shard->answers = NULL;
    shard->answers_end = &shard->answers;
    marking = shard->starting;
    shard->starting = NULL;
    apr_thread_mutex_unlock(shard->mutex);
    for (transaction_marking_t *next; marking; marking = next) {
        next = transaction_marking_next(marking);
        transaction_marking_run(marking);
    }
    for (transaction_call_t *next; call; call = next) {
        next = call->next;
        call->done(call);
    }
}

/* The flushed offset moved, or it is the start. */
static void run_shard(coordinator_task_t *task)
{
    transaction_shard_t *shard = (transaction_shard_t *)task;

    atomic_set32(&shard->queued, 0);
    if (!transaction_shard_enter(shard->coordinator, shard->index, &shard))
        transaction_shard_leave(shard);
}

/* ---- life --------------------------------------------------------------- */

static apr_status_t init_shard(transaction_coordinator_t *coordinator,
                               int32_t index, apr_pool_t *pool)
{
    transaction_shard_t *shard = &coordinator->shards[index];

    shard->task.run = run_shard;
    shard->coordinator = coordinator;
    shard->index = index;
    shard->waiting_end = &shard->waiting;
    shard->answers_end = &shard->answers;
    return apr_thread_mutex_create(&shard->mutex, APR_THREAD_MUTEX_DEFAULT,
                                   pool);
}

/* In the timer's thread. */
static void periodic_due(void *baton)
{
    transaction_periodic_t *periodic = baton;
    const coordinator_workers_t *workers =
        &periodic->coordinator->parts.workers;

    workers->submit(workers->baton, &periodic->task);
}

static void start_periodic(transaction_periodic_t *periodic)
{
    base_timer_t *timer = periodic->coordinator->parts.timer;

    if (timer && !atomic_get32(&periodic->coordinator->stopped))
        base_timer_start(timer, &periodic->timer,
                         apr_time_from_msec(periodic->interval_ms));
}

static void run_periodic(coordinator_task_t *task)
{
    transaction_periodic_t *periodic = (transaction_periodic_t *)task;

    periodic->pass(periodic->coordinator);
    start_periodic(periodic);
}

void transaction_periodic_init(transaction_periodic_t *periodic,
                               transaction_coordinator_t *coordinator,
                               int64_t interval_ms,
                               void (*pass)(transaction_coordinator_t *))
{
    periodic->task.run = run_periodic;
    periodic->timer.callback = periodic_due;
    periodic->timer.baton = periodic;
    periodic->coordinator = coordinator;
    periodic->interval_ms = interval_ms;
    periodic->pass = pass;
}

apr_status_t transaction_shards_create(transaction_coordinator_t *coordinator,
                                       int32_t count, apr_pool_t *pool)
{
    apr_status_t status = APR_SUCCESS;

    coordinator->shard_count = count;
    coordinator->shards =
        apr_pcalloc(pool, (apr_size_t)count * sizeof *coordinator->shards);
    for (int32_t i = 0; i < count && !status; i++)
        status = init_shard(coordinator, i, pool);
    return status;
}

void transactions_start(transaction_coordinator_t *coordinator)
{
    for (int32_t i = 0; i < coordinator->shard_count; i++)
        wake(&coordinator->shards[i]);
    for (int i = 0; i < TRANSACTION_PERIODICS; i++)
        start_periodic(&coordinator->periodics[i]);
}

static void stop_shard(transaction_shard_t *shard)
{
    apr_thread_mutex_lock(shard->mutex);
    if (shard->state == TRANSACTION_SHARD_ACTIVE)
        drop_state(shard, KAFKA_COORDINATOR_NOT_AVAILABLE);
    shard->state = TRANSACTION_SHARD_STOPPED; /* a load that goes on cleans up
                                                 itself */
    transaction_markings_stop(shard);
    transaction_shard_leave(shard);
}

void transactions_stop(transaction_coordinator_t *coordinator)
{
    atomic_set32(&coordinator->stopped, 1);
    for (int32_t i = 0; i < coordinator->shard_count; i++)
        stop_shard(&coordinator->shards[i]);
    for (int i = 0; i < TRANSACTION_PERIODICS && coordinator->parts.timer; i++)
        base_timer_cancel(coordinator->parts.timer,
                          &coordinator->periodics[i].timer);
}

void transactions_destroy(transaction_coordinator_t *coordinator)
{
    for (int32_t i = 0; i < coordinator->shard_count; i++) {
        transaction_shard_t *shard = &coordinator->shards[i];

        transaction_markings_destroy(shard);
        if (shard->state == TRANSACTION_SHARD_ACTIVE)
            drop_state(shard, KAFKA_COORDINATOR_NOT_AVAILABLE);
        shard->state = TRANSACTION_SHARD_STOPPED;
        record_builder_free(&shard->builder);
    }
}

int32_t transactions_shard(const transaction_coordinator_t *coordinator,
                           wire_string_t id)
{
    return text_java_shard(id, coordinator->shard_count);
}
