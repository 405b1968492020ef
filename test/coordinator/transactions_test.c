/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transaction coordinator on real partitions, in one thread: what waits for
 * the device waits until the test flushes, and workers' tasks run when the test
 * says so. What a crash leaves behind is written by hand.
 */
#include <apr_strings.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/lock.h"
#include "coordinator/transaction_log.h"
#include "coordinator/transactions.h"
#include "protocol/error_code.h"
#include "storage/log_dir.h"
#include "unit.h"

/* ---- the broker around it ------------------------------------------------- */

static log_dir_t *dir;
static topics_t *topics;
static transaction_coordinator_t *coordinator;
static transaction_config_t config;
static journal_driver_t partitions; /* of __transaction_state */
static apr_status_t append_fails, flush_fails;
static int64_t last_id;
static coordinator_task_t *tasks[1000];
static int task_count;
static int ended_index, ended_commit;
static int64_t ended_producer;

static void submit(void *baton, coordinator_task_t *task)
{
    (void)baton;
    tasks[task_count++] = task;
}

static void run_tasks(void)
{
    for (int i = 0; i < task_count; i++)
        tasks[i]->run(tasks[i]);
    task_count = 0;
}

static apr_status_t open_journal(const journal_driver_t *driver, int32_t index,
                                 journal_moved_fn moved, void *baton,
                                 void **journal)
{
    (void)driver;
    return partitions.open(&partitions, index, moved, baton, journal);
}

static apr_status_t append(void *journal, uint8_t *data, size_t length,
                           int64_t *base_offset, int64_t *end)
{
    return append_fails
               ? append_fails
               : partitions.append(journal, data, length, base_offset, end);
}

static void request_flush(void *journal)
{
    (void)journal; /* tests flush */
}

static apr_status_t flushed(void *journal, int64_t end)
{
    return flush_fails ? flush_fails : partitions.flushed(journal, end);
}

static apr_status_t next_id(void *baton, int64_t *id)
{
    (void)baton;
    *id = last_id++;
    return APR_SUCCESS;
}

static void offsets_ended(void *baton, int32_t index, int64_t producer_id,
                          int commit)
{
    (void)baton;
    ended_index = index;
    ended_producer = producer_id;
    ended_commit = commit;
}

static void start(void)
{
    transaction_parts_t parts = {.workers = {submit, NULL},
                                 .topics = topics,
                                 .ids = {next_id, NULL},
                                 .offsets = {offsets_ended, NULL}};

    journal_partitions(&partitions, topics, TRANSACTION_TOPIC);
    parts.journal = partitions;
    parts.journal.open = open_journal;
    parts.journal.append = append;
    parts.journal.request_flush = request_flush;
    parts.journal.flushed = flushed;
    UNIT_OK(transactions_create(&coordinator, &config, 1, &parts,
                                unit_pool()));
    transactions_start(coordinator);
    run_tasks();
}

static void stop(void)
{
    transactions_stop(coordinator);
    run_tasks();
    transactions_destroy(coordinator);
}

static void add_topic(const char *name, uint8_t id, int32_t count)
{
    topic_spec_t spec = {.name = name, .partition_count = count};

    spec.id.bytes[0] = id;
    log_config_init(&spec.config);
    UNIT_OK(topics_add(topics, &spec));
}

static void begin(int flush)
{
    log_dir_options_t dir_options;
    topics_options_t options = {.dirs = &dir,
                                .dir_count = 1,
                                .replica = 1,
                                .recovery_threads = 1};
    const char *error;

    UNIT_OK(lock_initialize(unit_pool()));
    log_dir_options_init(&dir_options);
    UNIT_OK(log_dir_open(&dir, unit_tmpdir(), &dir_options, unit_pool(),
                         &error));
    UNIT_OK(topics_create(&topics, &options, unit_pool()));
    add_topic(TRANSACTION_TOPIC, 1, 1);
    add_topic("data", 2, 3);
    add_topic("__consumer_offsets", 3, 2);
    append_fails = flush_fails = APR_SUCCESS;
    last_id = 500;
    ended_index = -1;
    clock_test_begin(apr_time_from_sec(1000), 1700000000000);
    transaction_config_init(&config);
    config.flush = flush ? 1 : 0;
    start();
}

static void end(void)
{
    stop();
    clock_test_end();
    UNIT_OK(topics_close(topics));
    UNIT_OK(log_dir_close(dir, -2));
}

static partition_t *find(const char *topic, int32_t index)
{
    partition_t *partition = NULL;

    UNIT_OK(topics_find(topics, topic, strlen(topic), index, &partition));
    return partition;
}

static void flush(const char *topic, int32_t index)
{
    partition_t *partition = find(topic, index);

    UNIT_OK(log_flush(partition_log(partition)));
    partition_release(partition);
    run_tasks();
}

static void flush_journal(void)
{
    flush(TRANSACTION_TOPIC, 0);
}

/* How many batches partition INDEX of TOPIC has: the end of its log. */
static int64_t end_of(const char *topic, int32_t index)
{
    partition_t *partition = find(topic, index);
    int64_t offset = log_end_offset(partition_log(partition));

    partition_release(partition);
    return offset;
}

/* ---- calls ------------------------------------------------------------------ */

typedef struct {
    transaction_call_t call;
    int done;
} asked_t;

static void done(transaction_call_t *call)
{
    ((asked_t *)call)->done++;
}

static const wire_string_t name = {"id", 2};

static void init(asked_t *asked)
{
    transaction_init_t how = {60000, -1, -1};

    memset(asked, 0, sizeof *asked);
    asked->call.done = done;
    transactions_init_producer(coordinator, &asked->call, name, &how);
}

static void add(asked_t *asked, int64_t producer_id, int16_t epoch)
{
    transaction_partitions_t set = {0};

    memset(asked, 0, sizeof *asked);
    asked->call.done = done;
    transaction_partitions_add(&set, wire_string_from("data"), 0);
    transaction_partitions_add(&set, wire_string_from("data"), 2);
    transaction_partitions_add(&set, wire_string_from("__consumer_offsets"),
                               1);
    transactions_add(coordinator, &asked->call, name, producer_id, epoch,
                     &set, 2);
    transaction_partitions_free(&set);
}

static void finish(asked_t *asked, int64_t producer_id, int16_t epoch,
                   int commit)
{
    transaction_end_t how = {producer_id, epoch, 2, commit};

    memset(asked, 0, sizeof *asked);
    asked->call.done = done;
    transactions_end(coordinator, &asked->call, name, &how);
}

static const char *state(void)
{
    describe_transactions_response_transaction_state_t described;

    describe_transactions_response_transaction_state_init(&described);
    transactions_describe(coordinator, name, &described, unit_pool());
    return described.error_code
               ? kafka_error_text(described.error_code)
               : apr_pstrmemdup(unit_pool(),
                                described.transaction_state.data,
                                (apr_size_t)described.transaction_state.length);
}

static int is(const char *wanted)
{
    return strcmp(state(), wanted) == 0;
}

/* A record as a broker that died has left it. */
static void leave_record(transaction_status_t status, int64_t producer_id,
                         int16_t epoch, const char *topic)
{
    transaction_values_t values;
    record_builder_t builder = {0};
    record_batch_t batch;
    append_result_t result;
    partition_t *partition = find(TRANSACTION_TOPIC, 0);
    uint8_t *data;
    size_t length;

    transaction_values_init(&values);
    values.status = status;
    values.producer_id = producer_id;
    values.producer_epoch = epoch;
    values.timeout_ms = 1000;
    values.start_ms = values.update_ms = clock_wall_ms();
    values.client_version = 2;
    transaction_partitions_add(&values.partitions, wire_string_from(topic), 1);
    UNIT_OK(transaction_log_write(&builder, name, &values, 1, 0, &data,
                                  &length));
    UNIT_OK(record_batch_parse(&batch, data, length));
    UNIT_OK(partition_append(partition, data, length, &batch,
                             APPEND_COORDINATOR, &result));
    transaction_values_free(&values);
    record_builder_free(&builder);
    partition_release(partition);
}

/* ---- tests ------------------------------------------------------------------- */

static void a_commit_writes_a_marker_to_each_partition(void)
{
    asked_t asked;

    begin(0);
    init(&asked);
    CU_ASSERT_EQUAL(asked.call.producer_id, 500);
    add(&asked, 500, 0);
    CU_ASSERT(is("Ongoing"));
    finish(&asked, 500, 0, 1);
    CU_ASSERT_EQUAL(asked.done, 1);
    CU_ASSERT_EQUAL(asked.call.error, KAFKA_NONE);
    CU_ASSERT_EQUAL(asked.call.producer_epoch, 1);
    CU_ASSERT(is("CompleteCommit"));
    CU_ASSERT_EQUAL(end_of("data", 0), 1);
    CU_ASSERT_EQUAL(end_of("data", 1), 0);
    CU_ASSERT_EQUAL(end_of("data", 2), 1);
    CU_ASSERT_EQUAL(end_of("__consumer_offsets", 1), 1);
    CU_ASSERT_EQUAL(ended_index, 1);
    CU_ASSERT_EQUAL(ended_producer, 500);
    CU_ASSERT_EQUAL(ended_commit, 1);
    end();
}

static void each_step_waits_for_the_device(void)
{
    asked_t asked, other;

    begin(1);
    init(&asked);
    init(&other);
    CU_ASSERT_EQUAL(asked.done, 0);
    CU_ASSERT_EQUAL(other.call.error, KAFKA_CONCURRENT_TRANSACTIONS);
    flush_journal();
    CU_ASSERT_EQUAL(asked.done, 1);
    add(&asked, 500, 0);
    CU_ASSERT_EQUAL(asked.done, 0);
    CU_ASSERT(is("Empty"));
    flush_journal();
    CU_ASSERT_EQUAL(asked.done, 1);
    finish(&asked, 500, 0, 0);
    CU_ASSERT(is("Ongoing"));
    CU_ASSERT_EQUAL(end_of("data", 0), 0);
    flush_journal(); /* it is decided: now the markers */
    CU_ASSERT(is("PrepareAbort"));
    CU_ASSERT_EQUAL(end_of("data", 0), 1);
    CU_ASSERT_EQUAL(asked.done, 0);
    flush("data", 0);
    flush("data", 2);
    CU_ASSERT(is("PrepareAbort"));
    flush("__consumer_offsets", 1);
    CU_ASSERT(is("CompleteAbort"));
    CU_ASSERT_EQUAL(asked.done, 1);
    CU_ASSERT_EQUAL(asked.call.error, KAFKA_NONE);
    end();
}

static void what_was_decided_is_carried_on_after_a_restart(void)
{
    for (int commit = 0; commit < 2; commit++) {
        partition_t *partition;
        log_producer_t *producers;
        int count;

        begin(0);
        stop();
        leave_record(commit ? TRANSACTION_PREPARE_COMMIT
                            : TRANSACTION_PREPARE_ABORT,
                     77, 4, "data");
        start();
        CU_ASSERT(is(commit ? "CompleteCommit" : "CompleteAbort"));
        partition = find("data", 1);
        UNIT_OK(log_producers(partition_log(partition), &producers, &count,
                              unit_pool()));
        CU_ASSERT_EQUAL(count, 1);
        CU_ASSERT_EQUAL(producers[0].producer_id, 77);
        CU_ASSERT_EQUAL(producers[0].epoch, 4);
        partition_release(partition);
        stop();
        start(); /* once is enough */
        CU_ASSERT_EQUAL(end_of("data", 1), 1);
        end();
    }
}

static void what_was_not_decided_goes_on_until_it_takes_too_long(void)
{
    begin(0);
    stop();
    leave_record(TRANSACTION_ONGOING, 77, 4, "data");
    start();
    CU_ASSERT(is("Ongoing"));
    CU_ASSERT_EQUAL(end_of("data", 1), 0);
    clock_test_advance(apr_time_from_msec(1000));
    transactions_tick(coordinator);
    CU_ASSERT(is("Ongoing"));
    clock_test_advance(apr_time_from_msec(1));
    transactions_tick(coordinator);
    CU_ASSERT(is("CompleteAbort"));
    CU_ASSERT_EQUAL(end_of("data", 1), 1);
    end();
}

static void a_partition_that_is_gone_needs_no_marker(void)
{
    begin(0);
    stop();
    leave_record(TRANSACTION_PREPARE_COMMIT, 77, 4, "deleted");
    start();
    CU_ASSERT(is("CompleteCommit"));
    end();
}

static void a_record_that_cannot_be_written_changes_nothing(void)
{
    asked_t asked;

    begin(0);
    init(&asked);
    append_fails = APR_ENOSPC;
    add(&asked, 500, 0);
    CU_ASSERT_EQUAL(asked.call.error, KAFKA_COORDINATOR_NOT_AVAILABLE);
    CU_ASSERT_EQUAL(asked.call.producer_id, -1);
    CU_ASSERT(is("Empty"));
    append_fails = APR_SUCCESS;
    add(&asked, 500, 0);
    CU_ASSERT_EQUAL(asked.call.error, KAFKA_NONE);
    append_fails = APR_ENOSPC;
    finish(&asked, 500, 0, 1);
    CU_ASSERT_EQUAL(asked.call.error, KAFKA_COORDINATOR_NOT_AVAILABLE);
    CU_ASSERT(is("Ongoing"));
    CU_ASSERT_EQUAL(end_of("data", 0), 0);
    append_fails = APR_SUCCESS;
    finish(&asked, 500, 0, 1);
    CU_ASSERT(is("CompleteCommit"));
    end();
}

static void a_lost_journal_is_replayed_for_the_next_who_asks(void)
{
    asked_t asked;

    begin(1);
    init(&asked);
    flush_fails = TAKHIN_EOFFLINE;
    flush_journal();
    CU_ASSERT_EQUAL(asked.done, 1);
    CU_ASSERT_EQUAL(asked.call.error, KAFKA_COORDINATOR_NOT_AVAILABLE);
    flush_fails = APR_SUCCESS;
    CU_ASSERT(is("Empty")); /* it had been written */
    init(&asked);
    flush_journal();
    CU_ASSERT_EQUAL(asked.call.error, KAFKA_NONE);
    CU_ASSERT_EQUAL(asked.call.producer_epoch, 1);
    end();
}

static void a_stop_answers_all_who_wait(void)
{
    asked_t asked;

    begin(1);
    init(&asked);
    transactions_stop(coordinator);
    CU_ASSERT_EQUAL(asked.done, 1);
    CU_ASSERT_EQUAL(asked.call.error, KAFKA_COORDINATOR_NOT_AVAILABLE);
    init(&asked);
    CU_ASSERT_EQUAL(asked.call.error, KAFKA_COORDINATOR_NOT_AVAILABLE);
    end();
}

static void a_stop_in_the_midst_of_the_markers_leaves_them_for_the_start(void)
{
    asked_t asked;

    begin(1);
    init(&asked);
    flush_journal();
    add(&asked, 500, 0);
    flush_journal();
    finish(&asked, 500, 0, 1);
    flush_journal();
    stop();
    CU_ASSERT_EQUAL(asked.done, 1);
    config.flush = 0;
    start();
    CU_ASSERT(is("CompleteCommit"));
    CU_ASSERT_EQUAL(end_of("data", 0), 2);
    end();
}

static void an_idle_id_expires_with_a_tombstone(void)
{
    asked_t asked;

    begin(0);
    config.id_expiration_ms = 1000;
    stop();
    start();
    init(&asked);
    clock_test_advance(apr_time_from_msec(999));
    transactions_tick(coordinator);
    CU_ASSERT(is("Empty"));
    clock_test_advance(apr_time_from_msec(1));
    transactions_tick(coordinator);
    CU_ASSERT(!is("Empty"));
    stop();
    start();
    CU_ASSERT(!is("Empty"));
    end();
}

UNIT_MAIN(
    UNIT_TEST(a_commit_writes_a_marker_to_each_partition),
    UNIT_TEST(each_step_waits_for_the_device),
    UNIT_TEST(what_was_decided_is_carried_on_after_a_restart),
    UNIT_TEST(what_was_not_decided_goes_on_until_it_takes_too_long),
    UNIT_TEST(a_partition_that_is_gone_needs_no_marker),
    UNIT_TEST(a_record_that_cannot_be_written_changes_nothing),
    UNIT_TEST(a_lost_journal_is_replayed_for_the_next_who_asks),
    UNIT_TEST(a_stop_answers_all_who_wait),
    UNIT_TEST(a_stop_in_the_midst_of_the_markers_leaves_them_for_the_start),
    UNIT_TEST(an_idle_id_expires_with_a_tombstone))
