/* SPDX-License-Identifier: Apache-2.0 */
/* Shards: entering and leaving, loading, writing, answering, deadlines. */
#include "coordinator/group_shard.h"

#include "base/clock.h"
#include "base/logger.h"
#include "coordinator/group_state.h"
#include "coordinator/memory.h"
#include "coordinator/text.h"
#include "protocol/api.h"

/* ---- queues of calls ----------------------------------------------------- */

static void queue_init(call_queue_t *queue)
{
    queue->first = NULL;
    queue->end = &queue->first;
}

static void queue_add(call_queue_t *queue, group_call_t *call)
{
    call->next = NULL;
    *queue->end = call;
    queue->end = &call->next;
}

/* All of FROM behind TO. */
static void queue_move(call_queue_t *to, call_queue_t *from)
{
    if (!from->first)
        return;
    *to->end = from->first;
    to->end = from->end;
    queue_init(from);
}

static void answer_all(group_call_t *call)
{
    for (group_call_t *next; call; call = next) {
        next = call->next;
        call->done(call, call->response);
    }
}

void call_begin(group_call_t *call, const void *body,
                const void *(*refusal)(group_call_t *self, int16_t error))
{
    call->body = body;
    call->refusal = refusal;
    call->response = NULL;
    call->next = NULL;
    call->after = -1;
}

void call_refuse(group_call_t *call, int16_t error)
{
    call->done(call, call->refusal(call, error));
}

void shard_answer(group_shard_t *shard, group_call_t *call,
                  const void *response)
{
    call->response = response;
    queue_add(&shard->ready, call);
}

void shard_refuse(group_shard_t *shard, group_call_t *call, int16_t error)
{
    shard_answer(shard, call, call->refusal(call, error));
}

/* ---- waking -------------------------------------------------------------- */

static void wake(group_shard_t *shard)
{
    if (atomic_cas32(&shard->queued, 0, 1))
        shard->coordinator->workers.submit(shard->coordinator->workers.baton,
                                           &shard->task);
}

/* From the journal, under the partition's lock. */
static void journal_moved(void *baton)
{
    wake(baton);
}

/* In the timer's thread. */
static void alarm_rang(void *baton)
{
    wake(baton);
}

/* Has the timer wake the shard at its earliest deadline. An alarm that is
 * too early is left as it is: it only finds nothing to do. */
static void set_alarm(group_shard_t *shard)
{
    apr_time_t next = deadlines_next(&shard->deadlines);

    if (!shard->coordinator->timer || next < 0 ||
        (shard->alarm_at >= 0 && shard->alarm_at <= next))
        return;
    shard->alarm_at = next;
    base_timer_start(shard->coordinator->timer, &shard->alarm,
                     next - clock_monotonic());
}

void shard_set_deadline(group_shard_t *shard, deadline_t *deadline,
                        int64_t delay_ms)
{
    deadlines_set(&shard->deadlines, deadline,
                  clock_monotonic() + apr_time_from_msec(delay_ms));
}

void shard_clear_deadline(group_shard_t *shard, deadline_t *deadline)
{
    deadlines_clear(&shard->deadlines, deadline);
}

/* ---- loading ------------------------------------------------------------- */

/* Drops all state: who waits is told ERROR, in the answers of the operation
 * at hand. */
static void drop_state(group_shard_t *shard, int16_t error)
{
    for (map_entry_t *entry = shard->groups.first; entry; entry = entry->next)
        group_abandon(entry->value, error);
    for (map_entry_t *entry = shard->groups.first; entry; entry = entry->next)
        group_free(entry->value);
    map_free(&shard->groups);
    offsets_free_transactions(&shard->transactions);
    deadlines_free(&shard->deadlines);
    if (shard->journal)
        shard->coordinator->journal.close(shard->journal);
    shard->journal = NULL;
    shard->has_records = 0;
}

static void set_expiry(group_shard_t *shard)
{
    shard_set_deadline(shard, &shard->expiry,
                       shard_config(shard)->offsets_retention_check_ms);
}

static void expiry_passed(deadline_t *deadline)
{
    group_shard_t *shard =
        (group_shard_t *)((char *)deadline - offsetof(group_shard_t, expiry));

    group_expire_offsets(shard);
    set_expiry(shard);
}

/* Replays, with the lock given back meanwhile: nobody else touches a shard
 * that is loading. */
static apr_status_t replay(group_shard_t *shard)
{
    const journal_driver_t *driver = &shard->coordinator->journal;
    apr_status_t status;

    shard->state = SHARD_LOADING;
    apr_thread_mutex_unlock(shard->mutex);
    status = driver->open(driver, shard->index, journal_moved, shard,
                          &shard->journal);
    if (!status)
        status = driver->replay(shard->journal, shard_replay_batch, shard);
    apr_thread_mutex_lock(shard->mutex);
    return status;
}

static int16_t load(group_shard_t *shard)
{
    apr_status_t status = replay(shard);
    shard_state_t state = shard->state;

    shard->alarm_at = -1; /* it may have rung meanwhile */
    if (!status && state == SHARD_LOADING) {
        shard->state = SHARD_ACTIVE;
        group_replayed(shard);
        set_expiry(shard);
        return KAFKA_NONE;
    }
    drop_state(shard, KAFKA_NOT_COORDINATOR);
    if (state == SHARD_STOPPED)
        return KAFKA_COORDINATOR_NOT_AVAILABLE;
    shard->state = SHARD_UNLOADED;
    if (status == TAKHIN_EUNKNOWN_TOPIC || status == TAKHIN_EUNKNOWN_PARTITION)
        return KAFKA_NOT_COORDINATOR; /* FindCoordinator creates it */
    LOG_EVERY(10, coordinator, ERROR, "%s-%d cannot be loaded: %s",
              shard->coordinator->journal.topic, (int)shard->index,
              LOG_STATUS(status));
    return KAFKA_COORDINATOR_NOT_AVAILABLE;
}

/* ---- entering and leaving ------------------------------------------------ */

int16_t shard_enter_index(group_coordinator_t *coordinator, int32_t index,
                          group_shard_t **out)
{
    group_shard_t *shard = &coordinator->shards[index];
    int16_t error = KAFKA_NONE;

    *out = shard;
    apr_thread_mutex_lock(shard->mutex);
    switch (shard->state) {
    case SHARD_UNLOADED:
        error = load(shard);
        break;
    case SHARD_LOADING:
        error = KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
        break;
    case SHARD_STOPPED:
        error = KAFKA_COORDINATOR_NOT_AVAILABLE;
        break;
    case SHARD_ACTIVE:
        deadlines_run(&shard->deadlines, clock_monotonic());
        break;
    }
    if (error)
        apr_thread_mutex_unlock(shard->mutex);
    return error;
}

int16_t shard_enter(group_coordinator_t *coordinator, wire_string_t group,
                    group_shard_t **shard)
{
    return shard_enter_index(coordinator, group_shard_index(coordinator, group),
                             shard);
}

/* Writes the records of the operation; the answers are then due at *END. */
static apr_status_t write_records(group_shard_t *shard, int64_t *end)
{
    int64_t base_offset;
    uint8_t *data;
    size_t length;
    apr_status_t status =
        record_builder_finish(&shard->records, &data, &length);

    if (!status)
        status = shard->coordinator->journal.append(shard->journal, data,
                                                    length, &base_offset, end);
    shard->has_records = 0;
    return status;
}

/* The journal failed: nothing that the operation did is true. */
static void lose_journal(group_shard_t *shard, apr_status_t status)
{
    LOG_EVERY(10, coordinator, ERROR, "%s-%d cannot be written: %s",
              shard->coordinator->journal.topic, (int)shard->index,
              LOG_STATUS(status));
    queue_move(&shard->ready, &shard->waiting);
    for (group_call_t *call = shard->ready.first; call; call = call->next)
        call->response = call->refusal(call, KAFKA_NOT_COORDINATOR);
    drop_state(shard, KAFKA_NOT_COORDINATOR);
    shard->state = SHARD_UNLOADED;
}

/* Moves to the ready answers what the device has. */
static void release_flushed(group_shard_t *shard)
{
    const journal_driver_t *driver = &shard->coordinator->journal;
    call_queue_t kept;
    group_call_t *call = shard->waiting.first;

    queue_init(&kept);
    for (group_call_t *next; call; call = next) {
        apr_status_t status = driver->flushed(shard->journal, call->after);

        next = call->next;
        if (status && !APR_STATUS_IS_EAGAIN(status)) {
            shard->waiting.first = call;
            lose_journal(shard, status);
            return;
        }
        if (status) {
            kept.first = call; /* and all behind it: in order of offsets */
            kept.end = shard->waiting.end;
            break;
        }
        queue_add(&shard->ready, call);
    }
    shard->waiting = kept;
    if (!kept.first)
        queue_init(&shard->waiting);
}

/* Lets the operation's answers wait for the device. */
static void await_flush(group_shard_t *shard, int64_t end)
{
    for (group_call_t *call = shard->ready.first; call; call = call->next)
        call->after = end;
    queue_move(&shard->waiting, &shard->ready);
    shard->coordinator->journal.request_flush(shard->journal);
    release_flushed(shard); /* it may be there already */
}

void shard_leave(group_shard_t *shard)
{
    group_call_t *ready;

    if (shard->has_records) {
        int64_t end = 0;
        apr_status_t status = write_records(shard, &end);

        if (status)
            lose_journal(shard, status);
        else if (shard_config(shard)->flush)
            await_flush(shard, end);
    }
    set_alarm(shard);
    ready = shard->ready.first;
    queue_init(&shard->ready);
    apr_thread_mutex_unlock(shard->mutex);
    answer_all(ready);
}

/* A deadline passed, or the flushed offset moved, or it is the start. */
static void run_shard(coordinator_task_t *task)
{
    group_shard_t *shard = (group_shard_t *)task;

    atomic_set32(&shard->queued, 0);
    if (shard_enter_index(shard->coordinator, shard->index, &shard)) {
        if (shard->state == SHARD_UNLOADED)
            group_skip_deleted_topics(shard);
        return;
    }
    shard->alarm_at = -1;
    if (shard->waiting.first)
        release_flushed(shard);
    if (shard->state == SHARD_ACTIVE)
        group_forget_deleted_topics(shard);
    shard_leave(shard);
}

/* ---- records ------------------------------------------------------------- */

static void begin_records(group_shard_t *shard,
                          const shard_producer_t *producer)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;

    if (shard->has_records)
        return;
    if (producer) {
        options.producer_id = producer->producer_id;
        options.producer_epoch = producer->producer_epoch;
        options.transactional = 1;
    }
    TAKHIN_ASSERT(!record_builder_begin(&shard->records, &options));
    shard->record_time = clock_wall_ms();
    shard->has_records = 1;
}

static void encode(wire_writer_t *out, const wire_message_t *type,
                   int16_t prefix, const void *message, int16_t version)
{
    wire_put_int16(out, prefix);
    TAKHIN_ASSERT(!wire_message_encode(type, message, out, version));
}

void shard_put_in_transaction(group_shard_t *shard,
                              const shard_producer_t *producer,
                              int16_t key_type, const void *key,
                              const void *value, int16_t version)
{
    wire_writer_t key_out, value_out;
    record_t record = { .value_length = -1 };

    begin_records(shard, producer);
    wire_writer_init(&key_out, shard->scratch, 256);
    encode(&key_out, group_record_key(key_type), key_type, key, 0);
    record.key = key_out.buf;
    record.key_length = (int32_t)key_out.length;
    record.timestamp = shard->record_time;
    if (value) {
        wire_writer_init(&value_out, shard->scratch, 512);
        encode(&value_out, group_record_value(key_type), version, value,
               version);
        record.value = value_out.buf;
        record.value_length = (int32_t)value_out.length;
    }
    TAKHIN_ASSERT(!record_builder_append(&shard->records, &record));
    apr_pool_clear(shard->scratch);
}

void shard_put(group_shard_t *shard, int16_t key_type, const void *key,
               const void *value, int16_t version)
{
    shard_put_in_transaction(shard, NULL, key_type, key, value, version);
}

/* ---- life ---------------------------------------------------------------- */

void group_config_init(group_config_t *config)
{
    memset(config, 0, sizeof *config);
    config->min_session_timeout_ms = 6000;
    config->max_session_timeout_ms = 1800000;
    config->initial_rebalance_delay_ms = 3000;
    config->max_size = INT32_MAX;
    config->offsets_retention_ms = INT64_C(7) * 24 * 3600 * 1000;
    config->offsets_retention_check_ms = 600000;
    config->offset_metadata_max_bytes = 4096;
    config->consumer_session_timeout_ms = 45000;
    config->consumer_heartbeat_interval_ms = 5000;
    config->consumer_max_size = INT32_MAX;
    config->consumer_regex_refresh_ms = 600000;
    config->consumer_assignors[0] = "uniform";
    config->consumer_assignors[1] = "range";
    config->migration = GROUP_MIGRATION_BOTH;
}

static apr_status_t init_shard(group_coordinator_t *coordinator, int32_t index,
                               apr_pool_t *pool)
{
    group_shard_t *shard = &coordinator->shards[index];

    shard->coordinator = coordinator;
    shard->index = index;
    shard->task.run = run_shard;
    shard->expiry.passed = expiry_passed;
    shard->alarm.callback = alarm_rang;
    shard->alarm.baton = shard;
    shard->alarm_at = -1;
    queue_init(&shard->ready);
    queue_init(&shard->waiting);
    TAKHIN_ASSERT(!apr_pool_create(&shard->scratch, NULL));
    return apr_thread_mutex_create(&shard->mutex, APR_THREAD_MUTEX_DEFAULT,
                                   pool);
}

apr_status_t group_coordinator_create(group_coordinator_t **out,
                                      const group_config_t *config,
                                      int32_t shards,
                                      const journal_driver_t *journal,
                                      const coordinator_workers_t *workers,
                                      base_timer_t *timer,
                                      const group_metadata_t *metadata,
                                      apr_pool_t *pool)
{
    group_coordinator_t *coordinator = apr_pcalloc(pool, sizeof *coordinator);
    apr_status_t status;

    coordinator->config = *config;
    coordinator->journal = *journal;
    coordinator->workers = *workers;
    coordinator->timer = timer;
    coordinator->metadata = *metadata;
    coordinator->shard_count = shards;
    coordinator->shards =
        apr_pcalloc(pool, (apr_size_t)shards * sizeof *coordinator->shards);
    status = apr_thread_mutex_create(&coordinator->deleted_mutex,
                                     APR_THREAD_MUTEX_DEFAULT, pool);
    for (int32_t i = 0; i < shards && !status; i++)
        status = init_shard(coordinator, i, pool);
    *out = coordinator;
    return status;
}

void group_coordinator_start(group_coordinator_t *coordinator)
{
    for (int32_t i = 0; i < coordinator->shard_count; i++)
        wake(&coordinator->shards[i]);
}

void group_coordinator_tick(group_coordinator_t *coordinator)
{
    for (int32_t i = 0; i < coordinator->shard_count; i++)
        run_shard(&coordinator->shards[i].task);
}

static void stop_shard(group_shard_t *shard)
{
    group_call_t *calls;

    apr_thread_mutex_lock(shard->mutex);
    if (shard->state == SHARD_ACTIVE) {
        queue_move(&shard->ready, &shard->waiting);
        for (group_call_t *call = shard->ready.first; call; call = call->next)
            call->response = call->refusal(call, KAFKA_NOT_COORDINATOR);
        drop_state(shard, KAFKA_NOT_COORDINATOR);
    }
    shard->state = SHARD_STOPPED; /* a load that goes on cleans up itself */
    calls = shard->ready.first;
    queue_init(&shard->ready);
    apr_thread_mutex_unlock(shard->mutex);
    answer_all(calls);
}

void group_coordinator_stop(group_coordinator_t *coordinator)
{
    for (int32_t i = 0; i < coordinator->shard_count; i++) {
        stop_shard(&coordinator->shards[i]);
        if (coordinator->timer)
            base_timer_cancel(coordinator->timer,
                              &coordinator->shards[i].alarm);
    }
}

void group_coordinator_destroy(group_coordinator_t *coordinator)
{
    for (int32_t i = 0; i < coordinator->shard_count; i++) {
        group_shard_t *shard = &coordinator->shards[i];

        if (shard->state == SHARD_ACTIVE)
            drop_state(shard, KAFKA_NOT_COORDINATOR);
        shard->state = SHARD_STOPPED;
        record_builder_free(&shard->records);
        apr_pool_destroy(shard->scratch);
    }
    group_free_deleted_topics(coordinator);
}

/* ---- where a group is ---------------------------------------------------- */

int32_t group_shard_index(const group_coordinator_t *coordinator,
                          wire_string_t group)
{
    return text_java_shard(group, coordinator->shard_count);
}
