/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotent and transactional producers (KIP-98), also across restarts. */
#include "storage_util.h"

static const char *path;
static log_dir_t *dir;
static log_t *log_;
static log_config_t config;

static void open_log(void)
{
    dir = open_dir(path);
    UNIT_OK(log_open(&log_, dir, "topic-0", NULL, &config, 0));
}

static void begin(void)
{
    path = unit_tmpdir();
    log_config_init(&config);
    config.producer_id_expiration_ms = INT64_MAX; /* timestamps here are old */
    open_log();
}

static void end(int clean)
{
    if (clean)
        UNIT_OK(log_close(log_));
    else
        log_abandon(log_);
    UNIT_OK(log_dir_close(dir, clean ? -1 : -2));
}

static apr_status_t produce(int16_t epoch, int32_t sequence, int records,
                            append_result_t *result)
{
    batch_spec_t spec = PLAIN_BATCH;

    spec.producer_id = 77;
    spec.producer_epoch = epoch;
    spec.sequence = sequence;
    spec.records = records;
    return append_spec(log_, &spec, result);
}

static void a_duplicate_gets_its_first_offsets(void)
{
    append_result_t result;
    int i;

    begin();
    for (i = 0; i < 7; i++)
        UNIT_OK(produce(0, i * 2, 2, &result));
    for (i = 2; i < 7; i++) {
        UNIT_OK(produce(0, i * 2, 2, &result));
        CU_ASSERT_TRUE(result.duplicate);
        CU_ASSERT_EQUAL(result.base_offset, i * 2);
        CU_ASSERT_EQUAL(result.last_offset, i * 2 + 1);
    }
    CU_ASSERT_EQUAL(log_end_offset(log_), 14);
    /* Of more than five batches nothing is known any more. */
    CU_ASSERT_EQUAL(produce(0, 2, 2, &result), TAKHIN_EOUT_OF_ORDER);
    end(1);
}

static void a_gap_is_refused(void)
{
    append_result_t result;

    begin();
    UNIT_OK(produce(0, 5, 2, &result)); /* unknown: any sequence may begin */
    CU_ASSERT_EQUAL(produce(0, 8, 2, &result), TAKHIN_EOUT_OF_ORDER);
    UNIT_OK(produce(0, 7, 2, &result));
    CU_ASSERT_EQUAL(produce(1, 9, 2, &result), TAKHIN_EOUT_OF_ORDER);
    UNIT_OK(produce(1, 0, 2, &result));
    CU_ASSERT_EQUAL(produce(0, 9, 2, &result), TAKHIN_EPRODUCER_FENCED);
    end(1);
}

static void sequences_go_round(void)
{
    append_result_t result;

    begin();
    UNIT_OK(produce(0, INT32_MAX - 1, 2, &result));
    UNIT_OK(produce(0, 0, 2, &result));
    CU_ASSERT_FALSE(result.duplicate);
    UNIT_OK(produce(0, INT32_MAX - 1, 2, &result));
    CU_ASSERT_TRUE(result.duplicate);
    end(1);
}

static void producers_are_known_again_after(int clean)
{
    append_result_t result;
    int i;

    begin();
    config.segment_bytes = 1000;
    log_set_config(log_, &config);
    for (i = 0; i < 20; i++)
        UNIT_OK(produce(3, i * 2, 2, &result));
    end(clean);
    open_log();
    UNIT_OK(produce(3, 38, 2, &result));
    CU_ASSERT_TRUE(result.duplicate);
    CU_ASSERT_EQUAL(result.base_offset, 38);
    CU_ASSERT_EQUAL(produce(3, 41, 2, &result), TAKHIN_EOUT_OF_ORDER);
    CU_ASSERT_EQUAL(produce(2, 40, 2, &result), TAKHIN_EPRODUCER_FENCED);
    UNIT_OK(produce(3, 40, 2, &result));
    CU_ASSERT_EQUAL(result.base_offset, 40);
    end(1);
}

static void producers_are_known_again_after_a_clean_stop(void)
{
    producers_are_known_again_after(1);
}

static void producers_are_known_again_after_a_crash(void)
{
    producers_are_known_again_after(0);
}

static void a_spoilt_snapshot_is_passed_over(void)
{
    append_result_t result;
    int i;

    begin();
    config.segment_bytes = 1000;
    log_set_config(log_, &config);
    for (i = 0; i < 20; i++)
        UNIT_OK(produce(3, i * 2, 2, &result));
    end(1);
    UNIT_OK(fs_write_whole(apr_pstrcat(unit_pool(), path,
                                       "/topic-0/"
                                       "00000000000000000040.snapshot",
                                       NULL),
                           "spoilt", 6));
    open_log();
    UNIT_OK(produce(3, 38, 2, &result));
    CU_ASSERT_TRUE(result.duplicate);
    UNIT_OK(produce(3, 40, 2, &result));
    end(1);
}

/* ---- transactions ------------------------------------------------------ */

static int64_t transact(int64_t producer, int32_t sequence)
{
    batch_spec_t spec = PLAIN_BATCH;
    append_result_t result;

    spec.producer_id = producer;
    spec.producer_epoch = 0;
    spec.sequence = sequence;
    spec.records = 2;
    spec.transactional = 1;
    UNIT_OK(append_spec(log_, &spec, &result));
    log_raise_high_watermark(log_, log_end_offset(log_));
    return result.base_offset;
}

static void finish(int64_t producer, int commit)
{
    append_result_t result;
    size_t length;
    uint8_t *data = make_marker(producer, 0, commit, &length);

    UNIT_OK(append_bytes(log_, data, length, APPEND_COORDINATOR, &result));
    free(data);
    log_raise_high_watermark(log_, log_end_offset(log_));
}

static void check_aborted(int64_t from, int64_t upper, int count,
                          int64_t first_offset)
{
    log_aborted_t *aborted;
    int found;

    UNIT_OK(log_aborted_transactions(log_, from, upper, &aborted, &found,
                                     unit_pool()));
    CU_ASSERT_EQUAL_FATAL(found, count);
    if (count > 0)
        CU_ASSERT_EQUAL(aborted[0].first_offset, first_offset);
}

static void an_open_transaction_holds_the_last_stable_offset(void)
{
    begin();
    append_plain(log_, 1, 1, 10);
    CU_ASSERT_EQUAL(log_last_stable_offset(log_), 1);
    CU_ASSERT_EQUAL(transact(1, 0), 1);
    CU_ASSERT_EQUAL(transact(2, 0), 3);
    CU_ASSERT_EQUAL(log_last_stable_offset(log_), 1);
    finish(1, 1); /* at 5 */
    CU_ASSERT_EQUAL(log_last_stable_offset(log_), 3);
    finish(2, 0); /* at 6 */
    CU_ASSERT_EQUAL(log_last_stable_offset(log_), 7);
    check_aborted(0, 7, 1, 3);
    check_aborted(0, 3, 0, 0);
    check_aborted(6, 7, 1, 3);
    CU_ASSERT_EQUAL(transact(1, 2), 7);
    end(0);
    open_log();
    CU_ASSERT_EQUAL(log_end_offset(log_), 9);
    CU_ASSERT_EQUAL(log_last_stable_offset(log_), 7);
    check_aborted(0, 9, 1, 3);
    finish(1, 0);
    check_aborted(0, 10, 2, 3);
    end(1);
    open_log();
    CU_ASSERT_EQUAL(log_last_stable_offset(log_), 10);
    check_aborted(0, 10, 2, 3);
    end(1);
}

static void a_plain_batch_in_a_transaction_is_refused(void)
{
    append_result_t result;

    begin();
    transact(77, 0);
    CU_ASSERT_EQUAL(produce(0, 2, 1, &result), TAKHIN_ETRANSACTION);
    finish(77, 1);
    UNIT_OK(produce(0, 2, 1, &result));
    end(1);
}

static log_guard_t verify(int16_t epoch, int32_t sequence, int bumps)
{
    log_guard_t guard = LOG_GUARD_NONE;

    UNIT_OK(log_verify(log_, 9, epoch, sequence, bumps, &guard));
    return guard;
}

static apr_status_t append_guarded(int16_t epoch, int32_t sequence,
                                   log_guard_t guard)
{
    batch_spec_t spec = PLAIN_BATCH;
    append_result_t result;
    record_batch_t batch;
    size_t length;
    uint8_t *data;
    apr_status_t status;

    spec.producer_id = 9;
    spec.producer_epoch = epoch;
    spec.sequence = sequence;
    spec.transactional = 1;
    data = make_batch(&spec, &length);
    UNIT_OK(record_batch_parse(&batch, data, length));
    status =
        log_append_guarded(log_, data, length, &batch, 0, guard, &result);
    free(data);
    return status;
}

static void a_guard_holds_until_the_next_marker(void)
{
    log_guard_t guard, stale;

    begin();
    CU_ASSERT_EQUAL(append_guarded(0, 0, LOG_GUARD_ONGOING),
                    TAKHIN_ETRANSACTION);
    guard = verify(0, 0, 0);
    CU_ASSERT_NOT_EQUAL(guard, LOG_GUARD_ONGOING);
    CU_ASSERT_EQUAL(verify(0, 1, 0), guard);
    CU_ASSERT_EQUAL(append_guarded(0, 0, guard + 1), TAKHIN_ETRANSACTION);
    UNIT_OK(append_guarded(0, 0, guard));
    /* The transaction is open: nobody needs to be asked. */
    CU_ASSERT_EQUAL(verify(0, 1, 0), LOG_GUARD_ONGOING);
    UNIT_OK(append_guarded(0, 1, LOG_GUARD_ONGOING));
    finish(9, 0);
    stale = verify(0, 2, 0);
    finish(9, 0);
    CU_ASSERT_EQUAL(append_guarded(0, 2, stale), TAKHIN_ETRANSACTION);
    CU_ASSERT_NOT_EQUAL(verify(0, 2, 0), stale);
    CU_ASSERT_EQUAL(append_guarded(0, 2, stale), TAKHIN_ETRANSACTION);
    end(1);
}

static void a_transaction_does_not_begin_in_its_midst(void)
{
    log_guard_t guard;

    begin();
    (void)verify(0, 3, 0);
    guard = verify(0, 5, 0);
    CU_ASSERT_EQUAL(append_guarded(0, 5, guard), TAKHIN_EOUT_OF_ORDER);
    UNIT_OK(append_guarded(0, 3, guard));
    finish(9, 1);
    /* With an epoch for each transaction the first sequence is 0. */
    guard = verify(1, 4, 1);
    CU_ASSERT_EQUAL(append_guarded(1, 4, guard), TAKHIN_EOUT_OF_ORDER);
    UNIT_OK(append_guarded(1, 0, guard));
    end(1);
}

static void a_replica_behind_keeps_the_last_stable_offset_down(void)
{
    append_result_t result;
    size_t length;
    uint8_t *data;

    begin();
    transact(1, 0);
    data = make_marker(1, 0, 1, &length);
    UNIT_OK(append_bytes(log_, data, length, APPEND_COORDINATOR, &result));
    free(data);
    CU_ASSERT_EQUAL(log_last_stable_offset(log_), 0);
    log_raise_high_watermark(log_, 3);
    CU_ASSERT_EQUAL(log_last_stable_offset(log_), 3);
    end(1);
}

static void silent_producers_are_forgotten(void)
{
    append_result_t result;
    log_producer_t *producers;
    int count;

    begin();
    config.producer_id_expiration_ms = 1000;
    log_set_config(log_, &config);
    UNIT_OK(produce(0, 0, 1, &result));
    UNIT_OK(log_producers(log_, &producers, &count, unit_pool()));
    CU_ASSERT_EQUAL(count, 1);
    CU_ASSERT_EQUAL(producers[0].producer_id, 77);
    config.retention_ms = -1;
    log_set_config(log_, &config);
    UNIT_OK(log_clean_up(log_, 1999));
    UNIT_OK(produce(0, 1, 1, &result));
    UNIT_OK(log_clean_up(log_, 3000));
    UNIT_OK(log_producers(log_, &producers, &count, unit_pool()));
    CU_ASSERT_EQUAL(count, 0);
    end(1);
}

UNIT_MAIN(UNIT_TEST(a_duplicate_gets_its_first_offsets),
          UNIT_TEST(a_gap_is_refused), UNIT_TEST(sequences_go_round),
          UNIT_TEST(producers_are_known_again_after_a_clean_stop),
          UNIT_TEST(producers_are_known_again_after_a_crash),
          UNIT_TEST(a_spoilt_snapshot_is_passed_over),
          UNIT_TEST(an_open_transaction_holds_the_last_stable_offset),
          UNIT_TEST(a_plain_batch_in_a_transaction_is_refused),
          UNIT_TEST(a_guard_holds_until_the_next_marker),
          UNIT_TEST(a_transaction_does_not_begin_in_its_midst),
          UNIT_TEST(a_replica_behind_keeps_the_last_stable_offset_down),
          UNIT_TEST(silent_producers_are_forgotten))
