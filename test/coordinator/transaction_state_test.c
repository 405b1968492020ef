/* SPDX-License-Identifier: Apache-2.0 */
/* What a transaction may become, state by state, in both versions. */
#include <string.h>

#include "coordinator/transaction_log.h"
#include "coordinator/transaction_state.h"
#include "protocol/error_code.h"
#include "unit.h"

enum { NOW = 1000000, LATER = 2000000, TIMEOUT = 60000, PRODUCER = 7 };

/* ---- a transaction to try things on ------------------------------------- */

static transaction_t *tried;
static transaction_values_t next;
static int nothing;
static int64_t last_id;
static apr_status_t ids_fail;

static apr_status_t next_id(void *baton, int64_t *id)
{
    (void)baton;
    if (!ids_fail)
        *id = ++last_id;
    return ids_fail;
}

static const transaction_ids_t ids = {next_id, NULL};

static wire_string_t topic(void)
{
    return wire_string_from("topic");
}

static void begin(void)
{
    last_id = 100;
    ids_fail = APR_SUCCESS;
    transaction_values_init(&next);
    tried = transaction_create(wire_string_from("id"));
    tried->now.producer_id = PRODUCER;
    tried->now.timeout_ms = TIMEOUT;
    tried->now.update_ms = NOW;
}

static void end(void)
{
    transaction_values_free(&next);
    transaction_free(tried);
}

/* The step is written. */
static void written(void)
{
    transaction_begin(tried, next.status);
    transaction_finish(tried, &next);
}

static int16_t init_naming(int64_t producer_id, int16_t epoch)
{
    transaction_init_t init = {TIMEOUT, producer_id, epoch};
    int must_fence;
    int16_t error = transaction_prepare_init(tried, &init, &ids, NOW, &next,
                                             &must_fence);

    nothing = must_fence;
    if (!error && !must_fence)
        written();
    return error;
}

static int16_t init(void)
{
    return init_naming(-1, -1);
}

static int16_t add_to(int32_t partition, int16_t version)
{
    transaction_partitions_t set = {0};
    int16_t error;

    transaction_partitions_add(&set, topic(), partition);
    error = transaction_prepare_add(tried, tried->now.producer_id,
                                    tried->now.producer_epoch, &set, version,
                                    NOW, &next, &nothing);
    transaction_partitions_free(&set);
    if (!error && !nothing)
        written();
    return error;
}

static int16_t end_as(int64_t producer_id, int16_t epoch, int commit,
                      int16_t version)
{
    transaction_end_t how = {producer_id, epoch, version, commit};
    int16_t error =
        transaction_prepare_end(tried, &how, &ids, NOW, &next, &nothing);

    if (!error && !nothing)
        written();
    return error;
}

static int16_t end_it(int commit, int16_t version)
{
    return end_as(tried->now.producer_id, tried->now.producer_epoch, commit,
                  version);
}

static void complete(void)
{
    transaction_prepare_complete(tried, LATER, &next);
    written();
}

static void goes_on(int16_t version)
{
    begin();
    CU_ASSERT_EQUAL(init(), KAFKA_NONE);
    CU_ASSERT_EQUAL(add_to(0, version), KAFKA_NONE);
}

/* ---- tests ---------------------------------------------------------------- */

static void the_first_epoch_is_0_and_each_init_raises_it(void)
{
    begin();
    for (int16_t epoch = 0; epoch < 4; epoch++) {
        CU_ASSERT_EQUAL(init(), KAFKA_NONE);
        CU_ASSERT_EQUAL(tried->now.producer_epoch, epoch);
        CU_ASSERT_EQUAL(tried->now.producer_id, PRODUCER);
        CU_ASSERT_EQUAL(tried->now.status, TRANSACTION_EMPTY);
    }
    end();
}

static void an_init_that_names_the_epoch_can_be_repeated(void)
{
    begin();
    CU_ASSERT_EQUAL(init(), KAFKA_NONE);
    CU_ASSERT_EQUAL(init_naming(PRODUCER, 0), KAFKA_NONE);
    CU_ASSERT_EQUAL(tried->now.producer_epoch, 1);
    CU_ASSERT_EQUAL(init_naming(PRODUCER, 0), KAFKA_NONE);
    CU_ASSERT_EQUAL(tried->now.producer_epoch, 1);
    CU_ASSERT_EQUAL(init_naming(PRODUCER, 5), KAFKA_PRODUCER_FENCED);
    CU_ASSERT_EQUAL(init_naming(PRODUCER + 1, 1), KAFKA_PRODUCER_FENCED);
    CU_ASSERT_EQUAL(init(), KAFKA_NONE);
    CU_ASSERT_EQUAL(init_naming(PRODUCER, 1), KAFKA_PRODUCER_FENCED);
    end();
}

static void an_exhausted_epoch_brings_a_new_producer_id(void)
{
    begin();
    tried->now.producer_epoch = INT16_MAX - 1;
    CU_ASSERT_EQUAL(init_naming(PRODUCER, INT16_MAX - 1), KAFKA_NONE);
    CU_ASSERT_EQUAL(tried->now.producer_id, 101);
    CU_ASSERT_EQUAL(tried->now.producer_epoch, 0);
    /* Who missed the answer asks with what it had. */
    CU_ASSERT_EQUAL(init_naming(PRODUCER, INT16_MAX - 1), KAFKA_NONE);
    CU_ASSERT_EQUAL(tried->now.producer_id, 101);
    CU_ASSERT_EQUAL(tried->now.producer_epoch, 0);
    end();
}

static void without_a_producer_id_nothing_changes(void)
{
    begin();
    tried->now.producer_epoch = INT16_MAX - 1;
    ids_fail = APR_EGENERAL;
    CU_ASSERT_EQUAL(init(), KAFKA_COORDINATOR_NOT_AVAILABLE);
    CU_ASSERT_EQUAL(tried->now.producer_id, PRODUCER);
    CU_ASSERT_EQUAL(tried->pending, TRANSACTION_NONE);
    end();
}

static void version_1_ends_with_the_same_epoch(void)
{
    for (int commit = 0; commit < 2; commit++) {
        goes_on(0);
        CU_ASSERT_EQUAL(end_it(commit, 0), KAFKA_NONE);
        CU_ASSERT_EQUAL(tried->now.status, commit ? TRANSACTION_PREPARE_COMMIT
                                                  : TRANSACTION_PREPARE_ABORT);
        CU_ASSERT_EQUAL(tried->now.partitions.count, 1);
        CU_ASSERT_EQUAL(end_it(commit, 0), KAFKA_CONCURRENT_TRANSACTIONS);
        CU_ASSERT_EQUAL(end_it(!commit, 0), KAFKA_INVALID_TXN_STATE);
        CU_ASSERT_EQUAL(add_to(1, 0), KAFKA_CONCURRENT_TRANSACTIONS);
        CU_ASSERT_EQUAL(init(), KAFKA_CONCURRENT_TRANSACTIONS);
        complete();
        CU_ASSERT_EQUAL(tried->now.producer_epoch, 0);
        CU_ASSERT_EQUAL(tried->now.partitions.count, 0);
        CU_ASSERT_EQUAL(end_it(commit, 0), KAFKA_NONE);
        CU_ASSERT(nothing);
        CU_ASSERT_EQUAL(end_it(!commit, 0), KAFKA_INVALID_TXN_STATE);
        end();
    }
}

static void version_2_ends_with_the_next_epoch(void)
{
    for (int commit = 0; commit < 2; commit++) {
        goes_on(2);
        CU_ASSERT_EQUAL(end_it(commit, 2), KAFKA_NONE);
        CU_ASSERT_EQUAL(tried->now.producer_epoch, 1);
        CU_ASSERT_EQUAL(end_as(PRODUCER, 0, commit, 2),
                        KAFKA_CONCURRENT_TRANSACTIONS);
        CU_ASSERT_EQUAL(end_as(PRODUCER, 1, commit, 2), KAFKA_PRODUCER_FENCED);
        CU_ASSERT_EQUAL(end_as(PRODUCER, 0, !commit, 2),
                        KAFKA_INVALID_TXN_STATE);
        complete();
        CU_ASSERT_EQUAL(tried->now.producer_epoch, 1);
        CU_ASSERT_EQUAL(end_as(PRODUCER, 0, commit, 2), KAFKA_NONE);
        CU_ASSERT(nothing);
        CU_ASSERT_EQUAL(end_as(PRODUCER, 0, !commit, 2),
                        KAFKA_INVALID_TXN_STATE);
        CU_ASSERT_EQUAL(end_as(PRODUCER, 5, commit, 2), KAFKA_PRODUCER_FENCED);
        end();
    }
}

static void version_2_aborts_what_is_empty_to_raise_the_epoch(void)
{
    begin();
    CU_ASSERT_EQUAL(init(), KAFKA_NONE);
    CU_ASSERT_EQUAL(end_it(1, 2), KAFKA_INVALID_TXN_STATE);
    CU_ASSERT_EQUAL(end_it(0, 0), KAFKA_INVALID_TXN_STATE);
    CU_ASSERT_EQUAL(end_it(0, 2), KAFKA_NONE);
    CU_ASSERT_EQUAL(tried->now.status, TRANSACTION_PREPARE_ABORT);
    CU_ASSERT_EQUAL(tried->now.start_ms, NOW);
    complete();
    CU_ASSERT_EQUAL(tried->now.producer_epoch, 1);
    end();
}

static void version_2_changes_the_id_when_epochs_run_out(void)
{
    goes_on(2);
    tried->now.producer_epoch = INT16_MAX - 1;
    CU_ASSERT_EQUAL(end_it(1, 2), KAFKA_NONE);
    CU_ASSERT_EQUAL(tried->now.producer_id, PRODUCER);
    CU_ASSERT_EQUAL(tried->now.producer_epoch, INT16_MAX);
    CU_ASSERT_EQUAL(tried->now.next_producer_id, 101);
    complete();
    CU_ASSERT_EQUAL(tried->now.producer_id, 101);
    CU_ASSERT_EQUAL(tried->now.producer_epoch, 0);
    CU_ASSERT_EQUAL(tried->now.previous_producer_id, PRODUCER);
    CU_ASSERT_EQUAL(end_as(PRODUCER, INT16_MAX - 1, 1, 2), KAFKA_NONE);
    CU_ASSERT(nothing);
    end();
}

static void an_ongoing_transaction_is_fenced_before_an_init(void)
{
    for (int16_t version = 0; version < 3; version += 2) {
        goes_on(version);
        CU_ASSERT_EQUAL(init(), KAFKA_NONE);
        CU_ASSERT(nothing); /* it must be fenced */
        CU_ASSERT_EQUAL(
            transaction_prepare_fence(tried, version, &ids, NOW, &next),
            KAFKA_NONE);
        written();
        CU_ASSERT_EQUAL(tried->now.status, TRANSACTION_PREPARE_ABORT);
        CU_ASSERT_EQUAL(tried->now.producer_epoch, 1);
        CU_ASSERT_EQUAL(tried->now.partitions.count, 1);
        complete();
        CU_ASSERT_EQUAL(init(), KAFKA_NONE);
        CU_ASSERT_EQUAL(tried->now.producer_epoch, 2);
        end();
    }
}

static void others_are_told_to_come_again_while_a_step_is_pending(void)
{
    goes_on(2);
    transaction_begin(tried, TRANSACTION_PREPARE_COMMIT);
    CU_ASSERT_EQUAL(init(), KAFKA_CONCURRENT_TRANSACTIONS);
    CU_ASSERT_EQUAL(add_to(3, 2), KAFKA_CONCURRENT_TRANSACTIONS);
    CU_ASSERT_EQUAL(end_it(1, 2), KAFKA_CONCURRENT_TRANSACTIONS);
    CU_ASSERT_EQUAL(transaction_prepare_fence(tried, 2, &ids, NOW, &next),
                    KAFKA_CONCURRENT_TRANSACTIONS);
    CU_ASSERT(!transaction_timed_out(tried, NOW + TIMEOUT + 1));
    transaction_cancel(tried);
    CU_ASSERT_EQUAL(end_it(1, 2), KAFKA_NONE);
    end();
}

static void partitions_join_once_and_start_the_clock(void)
{
    goes_on(2);
    CU_ASSERT_EQUAL(tried->now.start_ms, NOW);
    CU_ASSERT_EQUAL(add_to(0, 2), KAFKA_NONE);
    CU_ASSERT(nothing);
    CU_ASSERT_EQUAL(add_to(1, 2), KAFKA_NONE);
    CU_ASSERT(!nothing);
    CU_ASSERT_EQUAL(tried->now.partitions.count, 2);
    CU_ASSERT(!transaction_timed_out(tried, NOW + TIMEOUT));
    CU_ASSERT(transaction_timed_out(tried, NOW + TIMEOUT + 1));
    end();
}

static void only_what_is_over_expires(void)
{
    goes_on(2);
    CU_ASSERT(!transaction_expired(tried, NOW + 5000, 5000));
    CU_ASSERT_EQUAL(end_it(1, 2), KAFKA_NONE);
    CU_ASSERT(!transaction_expired(tried, NOW + 5000, 5000));
    complete();
    CU_ASSERT(!transaction_expired(tried, LATER + 4999, 5000));
    CU_ASSERT(transaction_expired(tried, LATER + 5000, 5000));
    end();
}

static void partitions_are_a_sorted_set(void)
{
    static const char *const names[] = {"b", "a", "ab", "b", "a"};
    transaction_partitions_t set = {0}, copy = {0};

    for (int i = 0; i < 5; i++)
        for (int32_t index = 3; index > 0; index--)
            transaction_partitions_add(&set, wire_string_from(names[i]),
                                       index);
    CU_ASSERT_EQUAL(set.count, 9);
    transaction_partitions_copy(&copy, &set);
    transaction_partitions_free(&set);
    for (int32_t i = 0; i < copy.count; i += 3)
        CU_ASSERT_EQUAL(transaction_partitions_of_topic(&copy, i), 3);
    CU_ASSERT(wire_string_equal_text(copy.items[3].topic, "ab"));
    CU_ASSERT_EQUAL(copy.items[8].index, 3);
    CU_ASSERT(
        transaction_partitions_contain(&copy, wire_string_from("a"), 2));
    CU_ASSERT(
        !transaction_partitions_contain(&copy, wire_string_from("a"), 4));
    CU_ASSERT(
        !transaction_partitions_contain(&copy, wire_string_from("c"), 1));
    transaction_partitions_free(&copy);
}

/* ---- records -------------------------------------------------------------- */

/* Writes VALUES and reads them back. */
static void through_a_record(const transaction_values_t *values, int flexible,
                             transaction_values_t *found, int *tombstone)
{
    record_builder_t builder = {0};
    record_iterator_t iterator;
    record_batch_t batch;
    record_t record;
    wire_string_t id;
    uint8_t *data;
    size_t length;

    UNIT_OK(transaction_log_write(&builder, wire_string_from("id"), values,
                                  flexible, NOW, &data, &length));
    UNIT_OK(record_batch_parse(&batch, data, length));
    UNIT_OK(record_iterator_init(&iterator, &batch, data, NULL, 0));
    UNIT_OK(record_iterator_next(&iterator, &record));
    UNIT_OK(transaction_log_read(&record, &id, found, tombstone, unit_pool()));
    CU_ASSERT(wire_string_equal_text(id, "id"));
    record_builder_free(&builder);
}

static void a_record_says_all(void)
{
    transaction_values_t found;
    int tombstone;

    for (int flexible = 0; flexible < 2; flexible++) {
        goes_on(2);
        tried->now.next_producer_id = 55;
        tried->now.previous_producer_id = 66;
        through_a_record(&tried->now, flexible, &found, &tombstone);
        CU_ASSERT(!tombstone);
        CU_ASSERT_EQUAL(found.status, TRANSACTION_ONGOING);
        CU_ASSERT_EQUAL(found.producer_id, PRODUCER);
        CU_ASSERT_EQUAL(found.producer_epoch, 0);
        CU_ASSERT_EQUAL(found.timeout_ms, TIMEOUT);
        CU_ASSERT_EQUAL(found.start_ms, NOW);
        CU_ASSERT_EQUAL(found.update_ms, NOW);
        CU_ASSERT_EQUAL(found.next_producer_id, flexible ? 55 : -1);
        CU_ASSERT_EQUAL(found.previous_producer_id, flexible ? 66 : -1);
        CU_ASSERT_EQUAL(found.client_version, flexible ? 2 : 0);
        CU_ASSERT(transaction_partitions_contain(&found.partitions, topic(),
                                                 0));
        transaction_values_free(&found);
        end();
    }
}

static void a_tombstone_says_that_there_is_nothing(void)
{
    transaction_values_t found;
    int tombstone;

    through_a_record(NULL, 1, &found, &tombstone);
    CU_ASSERT(tombstone);
}

static void a_record_of_another_kind_is_refused(void)
{
    static const uint8_t later[] = {0, 9, 0, 0}, torn[] = {0, 0, 0, 9};
    transaction_values_t values;
    wire_string_t id;
    int tombstone;
    record_t record = {0};

    record.key = later;
    record.key_length = 4;
    CU_ASSERT_EQUAL(transaction_log_read(&record, &id, &values, &tombstone,
                                         unit_pool()),
                    TAKHIN_EUNSUPPORTED);
    record.key = torn;
    CU_ASSERT_NOT_EQUAL(transaction_log_read(&record, &id, &values,
                                             &tombstone, unit_pool()),
                        APR_SUCCESS);
    record.key_length = 1;
    CU_ASSERT_EQUAL(transaction_log_read(&record, &id, &values, &tombstone,
                                         unit_pool()),
                    TAKHIN_ECORRUPT);
}

UNIT_MAIN(UNIT_TEST(the_first_epoch_is_0_and_each_init_raises_it),
          UNIT_TEST(an_init_that_names_the_epoch_can_be_repeated),
          UNIT_TEST(an_exhausted_epoch_brings_a_new_producer_id),
          UNIT_TEST(without_a_producer_id_nothing_changes),
          UNIT_TEST(version_1_ends_with_the_same_epoch),
          UNIT_TEST(version_2_ends_with_the_next_epoch),
          UNIT_TEST(version_2_aborts_what_is_empty_to_raise_the_epoch),
          UNIT_TEST(version_2_changes_the_id_when_epochs_run_out),
          UNIT_TEST(an_ongoing_transaction_is_fenced_before_an_init),
          UNIT_TEST(others_are_told_to_come_again_while_a_step_is_pending),
          UNIT_TEST(partitions_join_once_and_start_the_clock),
          UNIT_TEST(only_what_is_over_expires),
          UNIT_TEST(partitions_are_a_sorted_set),
          UNIT_TEST(a_record_says_all),
          UNIT_TEST(a_tombstone_says_that_there_is_nothing),
          UNIT_TEST(a_record_of_another_kind_is_refused))
