/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carrying out what was decided: a marker to every partition of a transaction,
 * a flush of each, then the record that says it is complete. It knows its
 * transaction by name only, as the shard may drop its state meanwhile and
 * replay, which begins the same again: a second marker does no harm. It never
 * says complete before every marker is durable, and it never gives up on a
 * partition that exists.
 *
 * A marking is run by one thread at a time: who wants it to go on counts
 * WANTED up, and runs it only when that was 0.
 */
#include <stddef.h>

#include "base/clock.h"
#include "base/logger.h"
#include "coordinator/memory.h"
#include "coordinator/transaction_shard.h"

#define RETRY_INTERVAL apr_time_from_sec(1)

typedef enum {
    MARKER_TO_WRITE,
    MARKER_TO_FLUSH, /* the partition is retained and watched */
    MARKER_DONE
} marker_state_t;

typedef struct {
    transaction_marking_t *marking;
    wire_string_t topic; /* owned */
    int32_t index;
    marker_state_t state;
    partition_t *partition;
    partition_waiter_t waiter;
    int64_t after; /* durable when this offset is flushed */
} marker_target_t;

struct transaction_marking_t {
    coordinator_task_t task;                /* first */
    transaction_marking_t *next, *previous; /* of the shard's markings */
    transaction_marking_t *starting_next;
    transaction_shard_t *shard;
    uint32_t generation; /* of the shard */
    wire_string_t id;    /* owned */
    transaction_marker_t marker;
    transaction_call_t *call; /* NULL: nobody waits any more */
    int16_t error;            /* what CALL is told */
    base_timer_entry_t retry;
    marker_target_t *targets;
    int32_t target_count;
    atomic_u32_t wanted;
    atomic_u32_t stopped;
};

/* ---- life --------------------------------------------------------------- */

static void want(transaction_marking_t *marking)
{
    const coordinator_workers_t *workers =
        &marking->shard->coordinator->parts.workers;

    if (atomic_add32(&marking->wanted, 1) == 1)
        workers->submit(workers->baton, &marking->task);
}

/* Under the partition's lock. */
static void flush_moved(partition_waiter_t *waiter, int events)
{
    (void)events; /* the log itself tells */
    want(waiter->baton);
}

/* In the timer's thread. */
static void retry_due(void *baton)
{
    want(baton);
}

static void run_task(coordinator_task_t *task)
{
    transaction_marking_run((transaction_marking_t *)task);
}

static void link_in(transaction_shard_t *shard, transaction_marking_t *marking)
{
    marking->next = shard->markings;
    if (marking->next)
        marking->next->previous = marking;
    shard->markings = marking;
}

static void link_out(transaction_shard_t *shard, transaction_marking_t *marking)
{
    if (marking->previous)
        marking->previous->next = marking->next;
    else
        shard->markings = marking->next;
    if (marking->next)
        marking->next->previous = marking->previous;
}

static void set_targets(transaction_marking_t *marking,
                        const transaction_partitions_t *partitions)
{
    marking->target_count = partitions->count;
    marking->targets =
        memory_new((size_t)partitions->count * sizeof *marking->targets);
    for (int32_t i = 0; i < partitions->count; i++) {
        marker_target_t *target = &marking->targets[i];

        target->marking = marking;
        target->topic = text_copy(partitions->items[i].topic);
        target->index = partitions->items[i].index;
        target->waiter.events = PARTITION_FLUSHED | PARTITION_GONE;
        target->waiter.notify = flush_moved;
        target->waiter.baton = marking;
    }
}

void transaction_mark(transaction_shard_t *shard, transaction_t *transaction,
                      transaction_call_t *call, int16_t error)
{
    transaction_marking_t *marking = memory_new(sizeof *marking);
    int commit = transaction->now.status == TRANSACTION_PREPARE_COMMIT;

    transaction_begin(transaction, commit ? TRANSACTION_COMPLETE_COMMIT
                                          : TRANSACTION_COMPLETE_ABORT);
    marking->task.run = run_task;
    marking->shard = shard;
    marking->generation = shard->generation;
    marking->id = text_copy(transaction->id);
    marking->marker.producer_id = transaction->now.producer_id;
    marking->marker.producer_epoch = transaction->now.producer_epoch;
    marking->marker.coordinator_epoch = shard->epoch;
    marking->marker.commit = commit;
    marking->call = call;
    marking->error = error;
    marking->retry.callback = retry_due;
    marking->retry.baton = marking;
    set_targets(marking, &transaction->now.partitions);
    atomic_set32(&marking->wanted, 1); /* who leaves the shard runs it */
    link_in(shard, marking);
    marking->starting_next = shard->starting;
    shard->starting = marking;
}

transaction_marking_t *
transaction_marking_next(const transaction_marking_t *marking)
{
    return marking->starting_next;
}

/* Nothing of it is waited for any more. */
static void let_go(transaction_marking_t *marking)
{
    base_timer_t *timer = marking->shard->coordinator->parts.timer;

    if (timer)
        base_timer_cancel(timer, &marking->retry);
    for (int32_t i = 0; i < marking->target_count; i++)
        if (marking->targets[i].state == MARKER_TO_FLUSH) {
            partition_unwatch(&marking->targets[i].waiter);
            partition_release(marking->targets[i].partition);
        }
}

static void free_marking(transaction_marking_t *marking)
{
    for (int32_t i = 0; i < marking->target_count; i++)
        text_free(&marking->targets[i].topic);
    text_free(&marking->id);
    free(marking->targets);
    free(marking);
}

/* ---- markers ------------------------------------------------------------ */

/* Whether it can never be written, and need not be. */
static int is_needless(apr_status_t status)
{
    return status == TAKHIN_EUNKNOWN_TOPIC ||
           status == TAKHIN_EUNKNOWN_PARTITION || status == TAKHIN_EDELETED ||
           status == TAKHIN_EPRODUCER_FENCED ||
           status == TAKHIN_ECOORDINATOR_FENCED;
}

static apr_status_t write_to(marker_target_t *target)
{
    const transaction_marking_t *marking = target->marking;
    const transaction_coordinator_t *coordinator = marking->shard->coordinator;
    apr_status_t status = topics_find(
        coordinator->parts.topics, target->topic.data,
        (apr_size_t)target->topic.length, target->index, &target->partition);

    if (status)
        return status;
    status =
        transaction_marker_write(target->partition, &marking->marker,
                                 &coordinator->parts.offsets, &target->after);
    if (!status && coordinator->config.flush) {
        target->state = MARKER_TO_FLUSH;
        partition_watch(target->partition, &target->waiter);
        partition_request_flush(target->partition);
        return APR_SUCCESS;
    }
    partition_release(target->partition);
    if (!status)
        target->state = MARKER_DONE;
    return status;
}

static void write_marker(marker_target_t *target)
{
    apr_status_t status = write_to(target);

    if (!status)
        return;
    LOG_EVERY(10, coordinator, WARN,
              "the marker of producer %lld cannot be written to %.*s-%d: %s",
              (long long)target->marking->marker.producer_id,
              (int)target->topic.length, target->topic.data, (int)target->index,
              LOG_STATUS(status));
    if (is_needless(status))
        target->state = MARKER_DONE;
}

/* A directory that goes offline stays so until the next start, which carries
 * this on; a deleted partition needs no marker. */
static void check_flush(marker_target_t *target)
{
    log_t *log = partition_log(target->partition);

    if (log_flushed_offset(log) < target->after &&
        log_usable(log) != TAKHIN_EDELETED)
        return;
    partition_unwatch(&target->waiter);
    partition_release(target->partition);
    target->state = MARKER_DONE;
}

/* Writes what is to be written; returns how many markers are not durable. */
static int32_t advance(transaction_marking_t *marking, int32_t *unwritten)
{
    int32_t left = 0;

    *unwritten = 0;
    for (int32_t i = 0; i < marking->target_count; i++)
        if (marking->targets[i].state == MARKER_TO_WRITE)
            write_marker(&marking->targets[i]);
    for (int32_t i = 0; i < marking->target_count; i++) {
        marker_target_t *target = &marking->targets[i];

        if (target->state == MARKER_TO_FLUSH)
            check_flush(target);
        left += target->state != MARKER_DONE;
        *unwritten += target->state == MARKER_TO_WRITE;
    }
    return left;
}

/* ---- the end ------------------------------------------------------------ */

static void answer(transaction_shard_t *shard, transaction_marking_t *marking,
                   const transaction_values_t *values)
{
    transaction_call_t *call = marking->call;

    if (!call)
        return;
    marking->call = NULL;
    call->producer_id = values->producer_id;
    call->producer_epoch = values->producer_epoch;
    transaction_answer(shard, call, marking->error);
}

/* The transaction, or NULL when the shard's state is another by now. */
static transaction_t *find(const transaction_marking_t *marking)
{
    const transaction_shard_t *shard = marking->shard;

    if (shard->state != TRANSACTION_SHARD_ACTIVE ||
        shard->generation != marking->generation)
        return NULL;
    return map_get(&shard->transactions, marking->id);
}

static void completed(transaction_shard_t *shard, transaction_t *transaction,
                      transaction_call_t *call)
{
    (void)shard;
    (void)transaction;
    (void)call;
}

/* All markers are durable. Whether nothing is left to do. */
static int complete(transaction_marking_t *marking, transaction_t *transaction)
{
    transaction_status_t pending = transaction->pending;
    transaction_values_t next;

    transaction_prepare_complete(transaction, clock_wall_ms(), &next);
    transaction_cancel(transaction);
    /* Nobody waits for it: if it is lost, PrepareX is carried on again. */
    if (transaction_write(marking->shard, transaction, &next, 0, NULL,
                          completed)) {
        transaction_begin(transaction, pending);
        return 0;
    }
    answer(marking->shard, marking, &transaction->now);
    return 1;
}

/* The answer while the transaction is decided, but not complete: what the
 * producer goes on with is known already. */
static void answer_early(transaction_marking_t *marking,
                         const transaction_t *transaction)
{
    transaction_values_t next;

    transaction_prepare_complete(transaction, clock_wall_ms(), &next);
    answer(marking->shard, marking, &next);
    transaction_values_free(&next);
}

/* One step under the shard's lock. Whether MARKING has come to its end. */
static int finish(transaction_marking_t *marking, int32_t left)
{
    transaction_shard_t *shard = marking->shard;
    transaction_t *transaction;
    int over = 1;

    apr_thread_mutex_lock(shard->mutex);
    transaction = find(marking);
    if (transaction) {
        over = left == 0 && complete(marking, transaction);
        if (!over)
            answer_early(marking, transaction);
    }
    if (over) {
        if (marking->call)
            transaction_answer(shard, marking->call,
                               KAFKA_COORDINATOR_NOT_AVAILABLE);
        link_out(shard, marking);
    }
    transaction_shard_leave(shard);
    return over;
}

static void retry_later(transaction_marking_t *marking)
{
    base_timer_t *timer = marking->shard->coordinator->parts.timer;

    if (timer)
        base_timer_start(timer, &marking->retry, RETRY_INTERVAL);
}

/* Whether it has come to its end. */
static int go_on(transaction_marking_t *marking)
{
    int32_t unwritten = 0, left = 0;

    if (!atomic_get32(&marking->stopped))
        left = advance(marking, &unwritten);
    if (left > 0 && unwritten == 0)
        return 0; /* for the flush */
    if (finish(marking, left))
        return 1;
    retry_later(marking);
    return 0;
}

void transaction_marking_run(transaction_marking_t *marking)
{
    apr_uint32_t wanted;

    do {
        wanted = atomic_get32(&marking->wanted);
        if (go_on(marking)) {
            let_go(marking);
            free_marking(marking);
            return;
        }
    } while (!atomic_cas32(&marking->wanted, wanted, 0));
}

/* ---- stop --------------------------------------------------------------- */

void transaction_markings_stop(transaction_shard_t *shard)
{
    for (transaction_marking_t *marking = shard->markings; marking;
         marking = marking->next) {
        atomic_set32(&marking->stopped, 1);
        want(marking);
    }
}

void transaction_markings_destroy(transaction_shard_t *shard)
{
    while (shard->markings) {
        transaction_marking_t *marking = shard->markings;

        link_out(shard, marking);
        let_go(marking);
        free_marking(marking);
    }
}
