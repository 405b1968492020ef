/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the crash tests do to a station: steps that a broker's life is made of,
 * each of which tells the history what was asked and what was promised. A step
 * that fails promises nothing; what comes after it is tried all the same, as
 * clients do.
 */
#ifndef TAKHIN_TEST_CRASH_WORKLOAD_H
#define TAKHIN_TEST_CRASH_WORKLOAD_H

#include "station.h"
#include "storage/cleaner.h"

static inline int setting(const char *name, int otherwise)
{
    const char *text = getenv(name);

    return text != NULL && *text != '\0' ? atoi(text) : otherwise;
}

static inline void quiet(void *baton, const char *line, apr_size_t length)
{
    (void)baton;
    (void)line;
    (void)length;
}

typedef struct {
    disk_t disk;
    const char *root;          /* the disk's */
    const char *path;          /* the log directory on it */
    station_t station;
    int up;
    history_t history;
    int failures;              /* steps that did not end well */
    const char *broken;        /* a promise broken while it ran */
} run_t;

static inline void run_begin(run_t *run)
{
    memset(run, 0, sizeof(*run));
    run->root = disk_tmpdir();
    run->path = apr_pstrcat(unit_pool(), run->root, "/logs", NULL);
    disk_attach(&run->disk, run->root);
}

static inline void run_end(run_t *run)
{
    disk_detach();
    if (run->up)
        (void)station_stop(&run->station, 0);
    run->up = 0;
    history_free(&run->history);
    disk_free(&run->disk);
}

static inline int64_t run_now(const run_t *run)
{
    return run->disk.count;
}

static inline apr_status_t step_ended(run_t *run, apr_status_t status)
{
    run->failures += status != APR_SUCCESS;
    return status;
}

/* ---- start and stop ----------------------------------------------------------- */

static inline void step_start(run_t *run)
{
    if (run->up)
        return;
    run->up = step_ended(run, station_start(&run->station, run->path)) ==
              APR_SUCCESS;
}

static inline void step_stop(run_t *run, int clean)
{
    apr_status_t status;

    if (!run->up)
        return;
    status = station_stop(&run->station, clean);
    if (clean)
        step_ended(run, status);
    run->up = 0;
}

/* ---- topics --------------------------------------------------------------------- */

static inline void step_create(run_t *run, const char *name, int partitions)
{
    metadata_new_topic_t topic = {.name = name, .partitions = partitions};
    topic_history_t *history;
    apr_status_t status;

    if (!run->up)
        return;
    history = history_add(&run->history, name);
    history->creating = run_now(run);
    mark(&history->partitions_asked, run_now(run), partitions);
    status = metadata_create_topics(run->station.metadata, &topic, 1, 0,
                                    unit_pool());
    if (step_ended(run, status ? status : topic.status) != APR_SUCCESS)
        return;
    history->id = topic.id;
    history->known_id = 1;
    history->created = run_now(run);
    mark(&history->partitions, run_now(run), partitions);
}

static inline void step_grow(run_t *run, const char *name, int total)
{
    topic_history_t *history = history_topic(&run->history, name);

    if (!run->up || history == NULL || !history->known_id)
        return;
    mark(&history->partitions_asked, run_now(run), total);
    if (step_ended(run, metadata_create_partitions(
                            run->station.metadata, name, total, 0,
                            unit_pool())) == APR_SUCCESS)
        mark(&history->partitions, run_now(run), total);
}

static inline void step_delete(run_t *run, const char *name)
{
    topic_history_t *history = history_topic(&run->history, name);

    if (!run->up || history == NULL || !history->known_id)
        return;
    history->deleting = run_now(run);
    if (step_ended(run, metadata_delete_topic(run->station.metadata,
                                              &history->id, unit_pool())) ==
        APR_SUCCESS)
        history->deleted = run_now(run);
}

static inline void step_snapshot(run_t *run)
{
    if (run->up)
        step_ended(run, metadata_snapshot(run->station.metadata));
}

/* ---- records ---------------------------------------------------------------------- */

static inline partition_t *run_partition(run_t *run, const char *name,
                                         int index, log_history_t **history,
                                         int *topic)
{
    topic_history_t *found = history_topic(&run->history, name);
    partition_t *partition = NULL;

    if (!run->up || found == NULL || !found->known_id)
        return NULL;
    *history = found->logs[index];
    *topic = history_index(&run->history, found);
    step_ended(run, topics_find_id(run->station.topics, &found->id, index,
                                   &partition));
    return partition;
}

static inline void note_batch(log_history_t *history,
                              const batch_plan_t *plan)
{
    sent_batch_t *batch = &history->batches[history->batch_count++];

    if (history->batch_count > BATCHES)
        abort();
    batch->producer_id = plan->producer_id;
    batch->sequence = plan->sequence;
    batch->records = plan->records;
    batch->base_offset = plan->offset;
    batch->transactional = plan->transactional;
}

static inline apr_status_t run_append(run_t *run, const char *name, int index,
                                      batch_plan_t *plan)
{
    append_result_t result;
    log_history_t *history;
    partition_t *partition = run_partition(run, name, index, &history,
                                           &plan->topic);
    apr_status_t status;

    if (partition == NULL)
        return APR_EGENERAL;
    plan->partition = index;
    plan->offset = log_end_offset(partition_log(partition));
    mark(&history->sent, run_now(run),
         plan->offset + plan->records + (plan->marker != 0));
    status = step_ended(run, batch_append(partition, plan, &result));
    if (status == APR_SUCCESS && !plan->marker)
        note_batch(history, plan);
    if (status == APR_SUCCESS &&
        (result.duplicate || result.base_offset != plan->offset))
        run->broken = "an append went elsewhere";
    partition_release(partition);
    return status;
}

/* IDEMPOTENT 0: no producer id. */
static inline void step_append(run_t *run, const char *name, int index,
                               int records, int idempotent)
{
    topic_history_t *topic = history_topic(&run->history, name);
    batch_plan_t plan = {.records = records, .producer_id = -1,
                         .sequence = -1};

    if (topic == NULL)
        return;
    if (idempotent) {
        plan.producer_id = 1000 + index;
        plan.sequence = topic->logs[index]->sequence;
    }
    if (run_append(run, name, index, &plan) == APR_SUCCESS && idempotent)
        topic->logs[index]->sequence += records;
}

/* A transaction that is aborted; without MARKER it is left open. */
static inline void step_abort(run_t *run, const char *name, int index,
                              int records, int with_marker)
{
    topic_history_t *topic = history_topic(&run->history, name);
    batch_plan_t plan = {.records = records, .producer_id = 2000,
                         .transactional = 1};
    log_history_t *history;
    abort_t *aborted;

    if (topic == NULL)
        return;
    history = topic->logs[index];
    plan.sequence = history->txn_sequence;
    if (run_append(run, name, index, &plan) != APR_SUCCESS)
        return;
    history->txn_sequence += records;
    if (history->abort_count == ABORTS)
        abort();
    aborted = &history->aborts[history->abort_count++];
    aborted->producer_id = plan.producer_id;
    aborted->first_offset = plan.offset;
    aborted->marker = NEVER;
    if (!with_marker)
        return;
    plan.marker = 1;
    plan.records = 0;
    aborted->appended = run_append(run, name, index, &plan) == APR_SUCCESS;
    aborted->marker = plan.offset; /* an answer may be missing */
}

/* What acks=all waits for. */
static inline void step_flush(run_t *run, const char *name, int index)
{
    log_history_t *history;
    int topic;
    partition_t *partition = run_partition(run, name, index, &history, &topic);
    log_t *log;
    int64_t end, flushed;

    if (partition == NULL)
        return;
    log = partition_log(partition);
    end = log_end_offset(log);
    if (step_ended(run, log_flush(log)) == APR_SUCCESS &&
        log_flushed_offset(log) < end)
        run->broken = "a flush left something out";
    /* Also behind a failed flush: it is what a waiter would be told. */
    flushed = log_flushed_offset(log);
    if (marked(&history->acked, run_now(run), 0) < flushed)
        mark(&history->acked, run_now(run), flushed);
    partition_release(partition);
}

static inline void step_retain(run_t *run, const char *name, int index)
{
    log_history_t *history;
    int topic;
    partition_t *partition = run_partition(run, name, index, &history, &topic);
    log_t *log;

    if (partition == NULL)
        return;
    log = partition_log(partition);
    mark(&history->start, run_now(run), log_end_offset(log));
    step_ended(run, log_clean_up(log, clock_wall_ms()));
    mark(&history->start, run_now(run), log_start_offset(log));
    partition_release(partition);
}

static inline void step_delete_records(run_t *run, const char *name, int index,
                                       int64_t offset)
{
    log_history_t *history;
    int topic;
    partition_t *partition = run_partition(run, name, index, &history, &topic);
    int64_t low;

    if (partition == NULL)
        return;
    mark(&history->start, run_now(run), offset);
    step_ended(run, partition_delete_records(partition, offset, &low));
    partition_release(partition);
}

/* Compacts what needs it most. */
static inline void step_compact(run_t *run)
{
    cleaner_options_t options;
    cleaner_t *cleaner;
    apr_status_t status;
    int found;

    if (!run->up)
        return;
    cleaner_options_init(&options);
    options.dedupe_bytes = 1 << 20;
    status = cleaner_create(&cleaner, &options, &run->station.dir, 1,
                            run->station.pool);
    if (status == APR_SUCCESS) {
        status = cleaner_run_once(cleaner, &found);
        cleaner_stop(cleaner);
    }
    if (status != APR_EAGAIN)
        step_ended(run, status);
}

static inline void step_checkpoint(run_t *run)
{
    if (run->up)
        step_ended(run, log_dir_checkpoint(run->station.dir));
}

/* ---- a life ------------------------------------------------------------------------ */

/* Batches of all kinds to the partitions of NAME, some of them flushed. */
static inline void step_produce(run_t *run, const char *name, int partitions,
                                int batches)
{
    int i;

    for (i = 0; i < batches; i++) {
        int index = (int)(disk_random() % (uint64_t)partitions);
        int records = 1 + (int)(disk_random() % 4);

        step_append(run, name, index, records, disk_random() % 3 != 0);
        if (disk_random() % 2)
            step_flush(run, name, index);
    }
}

static inline void run_life(run_t *run)
{
    step_start(run);
    step_create(run, "plain", 2);
    step_produce(run, "plain", 2, 16);
    step_create(run, "kept", 1);
    step_abort(run, "plain", 0, 2, 1);
    step_produce(run, "plain", 2, 6);
    step_flush(run, "plain", 0);
    step_abort(run, "plain", 1, 1, 0);
    step_produce(run, "kept", 1, 16);
    step_checkpoint(run);
    step_retain(run, "kept", 0);
    step_produce(run, "kept", 1, 6);
    step_delete_records(run, "plain", 0, 9);
    step_snapshot(run);
    step_grow(run, "plain", 3);
    step_produce(run, "plain", 3, 8);
    step_create(run, "compact", 1);
    step_produce(run, "compact", 1, 16);
    step_flush(run, "compact", 0);
    step_compact(run);
    step_stop(run, 0);
    step_start(run);
    step_produce(run, "plain", 3, 10);
    step_produce(run, "compact", 1, 8);
    step_compact(run);
    step_checkpoint(run);
    step_delete(run, "kept");
    step_create(run, "kept", 1);
    step_produce(run, "kept", 1, 3);
    step_flush(run, "kept", 0);
    step_stop(run, 1);
    step_start(run);
    step_produce(run, "kept", 1, 8);
    step_produce(run, "plain", 3, 8);
    step_retain(run, "kept", 0);
    step_stop(run, 1);
}

#endif
