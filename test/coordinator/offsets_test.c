/* SPDX-License-Identifier: Apache-2.0 */
/* Committed offsets: who may commit, what is kept, what expires. */
#include "support.h"

#include "coordinator/group_shard.h"
#include "protocol/offset_delete_response.h"
#include "protocol/txn_offset_commit_response.h"

static void an_offset_is_kept_through_a_restart(void)
{
    begin();
    CU_ASSERT_EQUAL(commit_error(commit("g", "t", 3, 42)), KAFKA_NONE);
    commit("g", "t", 1, 7);
    commit("g", "t", 3, 43);
    CU_ASSERT_EQUAL(fetch("g", "t", 3), 43);
    restart();
    CU_ASSERT_EQUAL(fetch("g", "t", 3), 43);
    CU_ASSERT_EQUAL(fetch("g", "t", 1), 7);
    CU_ASSERT_EQUAL(fetch("g", "t", 2), -1);
    CU_ASSERT_EQUAL(fetch("other", "t", 3), -1);
    finish();
}

static void a_commit_is_answered_when_it_is_on_the_device(void)
{
    asked_t *first, *second;

    begin();
    config.flush = 1;
    journal.flushed = 0;
    restart();
    first = commit("g", "t", 0, 1);
    second = commit("g", "t", 0, 2);
    CU_ASSERT_PTR_NULL(first->response);
    journal.flushed = 1;
    group_coordinator_tick(coordinator);
    CU_ASSERT_PTR_NOT_NULL(first->response);
    CU_ASSERT_PTR_NULL(second->response);
    journal.flushed = 2;
    group_coordinator_tick(coordinator);
    CU_ASSERT_EQUAL(commit_error(second), KAFKA_NONE);
    finish();
}

static void a_commit_that_does_not_reach_the_device_is_refused(void)
{
    asked_t *asked;

    begin();
    config.flush = 1;
    journal.flushed = 0;
    restart();
    asked = commit("g", "t", 0, 1);
    journal.lost = TAKHIN_EOFFLINE;
    group_coordinator_tick(coordinator);
    CU_ASSERT_PTR_NOT_NULL_FATAL(asked->response);
    CU_ASSERT_EQUAL(commit_error(asked), KAFKA_NOT_COORDINATOR);
    finish();
}

static void a_failed_append_is_refused(void)
{
    asked_t *asked;

    begin();
    commit("g", "t", 0, 1);
    journal.fails = TAKHIN_EOFFLINE;
    asked = commit("g", "t", 0, 2);
    CU_ASSERT_EQUAL(commit_error(asked), KAFKA_NOT_COORDINATOR);
    journal.fails = 0;
    CU_ASSERT_EQUAL(fetch("g", "t", 0), 1);
    finish();
}

static void long_metadata_is_refused(void)
{
    asked_t *asked;

    begin();
    config.offset_metadata_max_bytes = 0;
    restart();
    asked = commit("g", "t", 0, 1);
    CU_ASSERT_EQUAL(commit_error(asked), KAFKA_OFFSET_METADATA_TOO_LARGE);
    CU_ASSERT_EQUAL(fetch("g", "t", 0), -1);
    finish();
}

static void only_members_commit_to_a_living_group(void)
{
    client_t *m[1] = { NULL };

    begin();
    stabilize(m, 1, "g");
    CU_ASSERT_EQUAL(commit_error(commit("g", "t", 0, 1)),
                    KAFKA_UNKNOWN_MEMBER_ID);
    CU_ASSERT_EQUAL(
        commit_error(commit_as("g", m[0]->id, m[0]->generation + 1, "t", 0,
                               1)),
        KAFKA_ILLEGAL_GENERATION);
    CU_ASSERT_EQUAL(
        commit_error(commit_as("g", m[0]->id, m[0]->generation, "t", 0, 1)),
        KAFKA_NONE);
    CU_ASSERT_EQUAL(commit_error(commit_as("none", text("m"), 3, "t", 0, 1)),
                    KAFKA_GROUP_ID_NOT_FOUND);
    finish();
}

static void commits_between_join_and_sync_wait(void)
{
    client_t *a = client("g");

    begin();
    join(a);
    pass(3100);
    take_generation(a);
    CU_ASSERT_EQUAL(
        commit_error(commit_as("g", a->id, a->generation, "t", 0, 1)),
        KAFKA_REBALANCE_IN_PROGRESS);
    finish();
}

static void a_commit_keeps_the_member_alive(void)
{
    client_t *m[1] = { NULL };

    begin();
    stabilize(m, 1, "g");
    for (int i = 0; i < 4; i++) {
        pass(6000);
        commit_as("g", m[0]->id, m[0]->generation, "t", 0, i);
    }
    CU_ASSERT_EQUAL(beat(m[0]), KAFKA_NONE);
    finish();
}

/* ---- expiry -------------------------------------------------------------- */

static void offsets_of_an_empty_group_expire_with_it(void)
{
    client_t *m[1] = { NULL };

    begin();
    config.offsets_retention_ms = 3600000;
    config.offsets_retention_check_ms = 60000;
    restart();
    stabilize(m, 1, "g");
    commit_as("g", m[0]->id, m[0]->generation, "t", 0, 5);
    leave(m[0]);
    pass(3500000);
    CU_ASSERT_EQUAL(fetch("g", "t", 0), 5);
    pass(200000);
    CU_ASSERT_EQUAL(fetch("g", "t", 0), -1);
    CU_ASSERT_EQUAL(describe("g")->error_code, KAFKA_GROUP_ID_NOT_FOUND);
    restart();
    CU_ASSERT_EQUAL(fetch("g", "t", 0), -1);
    finish();
}

static void a_living_group_keeps_what_it_subscribes_to(void)
{
    client_t *m[1] = { NULL };

    begin();
    config.offsets_retention_ms = 60000;
    config.offsets_retention_check_ms = 10000;
    restart();
    m[0] = client("g");
    m[0]->session_ms = 1000000;
    stabilize(m, 1, "g"); /* to topic t */
    commit_as("g", m[0]->id, m[0]->generation, "t", 0, 5);
    commit_as("g", m[0]->id, m[0]->generation, "u", 0, 6);
    pass(80000);
    CU_ASSERT_EQUAL(fetch("g", "t", 0), 5);
    CU_ASSERT_EQUAL(fetch("g", "u", 0), -1);
    finish();
}

static void an_offset_says_itself_when_it_expires(void)
{
    asked_t *asked = ask(4);

    begin();
    config.offsets_retention_check_ms = 10000;
    restart();
    commit("g", "t", 1, 9);
    *asked = *commit("g", "t", 0, 1);
    asked->request.commit.retention_time_ms = 30000;
    asked->response = NULL;
    offsets_commit(coordinator, &asked->call, &asked->request.commit);
    restart();
    CU_ASSERT_EQUAL(fetch("g", "t", 0), 1);
    pass(45000);
    CU_ASSERT_EQUAL(fetch("g", "t", 0), -1);
    CU_ASSERT_EQUAL(fetch("g", "t", 1), 9);
    finish();
}

static void offsets_go_with_their_topic(void)
{
    begin();
    commit("g", "t", 0, 1);
    commit("g", "u", 0, 2);
    commit("h", "t", 7, 3);
    group_coordinator_topic_deleted(coordinator, "t");
    group_coordinator_tick(coordinator);
    CU_ASSERT_EQUAL(fetch("g", "t", 0), -1);
    CU_ASSERT_EQUAL(fetch("h", "t", 7), -1);
    CU_ASSERT_EQUAL(fetch("g", "u", 0), 2);
    restart();
    CU_ASSERT_EQUAL(fetch("g", "t", 0), -1);
    finish();
}

/* ---- OffsetDelete -------------------------------------------------------- */

static int16_t delete_offset(const char *group, const char *topic,
                             int32_t partition)
{
    asked_t *asked = ask(0);
    offset_delete_request_t *request = &asked->request.delete;
    const offset_delete_response_t *response;

    offset_delete_request_init(request);
    request->group_id = text(group);
    request->topics = apr_pcalloc(unit_pool(), sizeof *request->topics);
    request->topics_count = 1;
    request->topics->name = text(topic);
    request->topics->partitions =
        apr_pcalloc(unit_pool(), sizeof *request->topics->partitions);
    request->topics->partitions_count = 1;
    request->topics->partitions->partition_index = partition;
    offsets_delete(coordinator, &asked->call, request);
    response = asked->response;
    return response->error_code ? response->error_code
                                : response->topics[0].partitions[0].error_code;
}

static void an_offset_is_deleted_unless_its_topic_is_read(void)
{
    client_t *m[1] = { NULL };

    begin();
    CU_ASSERT_EQUAL(delete_offset("g", "t", 0), KAFKA_GROUP_ID_NOT_FOUND);
    stabilize(m, 1, "g");
    commit_as("g", m[0]->id, m[0]->generation, "t", 0, 5);
    commit_as("g", m[0]->id, m[0]->generation, "u", 0, 6);
    CU_ASSERT_EQUAL(delete_offset("g", "t", 0),
                    KAFKA_GROUP_SUBSCRIBED_TO_TOPIC);
    CU_ASSERT_EQUAL(delete_offset("g", "u", 0), KAFKA_NONE);
    CU_ASSERT_EQUAL(fetch("g", "u", 0), -1);
    leave(m[0]);
    CU_ASSERT_EQUAL(delete_offset("g", "t", 0), KAFKA_NONE);
    restart();
    CU_ASSERT_EQUAL(fetch("g", "t", 0), -1);
    finish();
}

/* ---- transactions -------------------------------------------------------- */

static int16_t commit_in_transaction(int64_t producer_id, const char *group,
                                     const char *topic, int64_t offset)
{
    asked_t *asked = ask(3);
    txn_offset_commit_request_t *request = &asked->request.txn_commit;
    const txn_offset_commit_response_t *response;

    txn_offset_commit_request_init(request);
    request->group_id = text(group);
    request->producer_id = producer_id;
    request->member_id = wire_string_literal("");
    request->topics = apr_pcalloc(unit_pool(), sizeof *request->topics);
    request->topics_count = 1;
    request->topics->name = text(topic);
    request->topics->partitions =
        apr_pcalloc(unit_pool(), sizeof *request->topics->partitions);
    request->topics->partitions_count = 1;
    request->topics->partitions->committed_offset = offset;
    request->topics->partitions->committed_metadata = WIRE_STRING_NULL;
    offsets_commit_in_transaction(coordinator, &asked->call, request);
    response = asked->response;
    return response->topics[0].partitions[0].error_code;
}

/* What WriteTxnMarkers does. */
static void end_transaction(int64_t producer_id, int commits)
{
    record_builder_t builder = { 0 };
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    uint8_t *data;
    size_t length;
    int64_t base, end;

    options.producer_id = producer_id;
    options.producer_epoch = 0;
    options.transactional = 1;
    options.control = 1;
    UNIT_OK(record_builder_begin(&builder, &options));
    UNIT_OK(record_builder_append_end_marker(&builder, commits, 0, 1));
    UNIT_OK(record_builder_finish(&builder, &data, &length));
    UNIT_OK(memory_append(&journal, data, length, &base, &end));
    record_builder_free(&builder);
    offsets_end_transaction(coordinator, 0, producer_id, commits);
}

static void a_transactions_offsets_count_when_it_is_committed(void)
{
    begin();
    commit("g", "t", 0, 1);
    CU_ASSERT_EQUAL(commit_in_transaction(9, "g", "t", 5), KAFKA_NONE);
    CU_ASSERT_EQUAL(fetch("g", "t", 0), 1);
    CU_ASSERT_EQUAL(fetch_stable("g", "t", 0, 1),
                    -2 - KAFKA_UNSTABLE_OFFSET_COMMIT);
    restart();
    CU_ASSERT_EQUAL(fetch_stable("g", "t", 0, 1),
                    -2 - KAFKA_UNSTABLE_OFFSET_COMMIT);
    end_transaction(9, 1);
    CU_ASSERT_EQUAL(fetch_stable("g", "t", 0, 1), 5);
    restart();
    CU_ASSERT_EQUAL(fetch_stable("g", "t", 0, 1), 5);
    finish();
}

static void an_aborted_transactions_offsets_never_count(void)
{
    begin();
    commit("g", "t", 0, 1);
    commit_in_transaction(9, "g", "t", 5);
    end_transaction(9, 0);
    CU_ASSERT_EQUAL(fetch_stable("g", "t", 0, 1), 1);
    restart();
    CU_ASSERT_EQUAL(fetch_stable("g", "t", 0, 1), 1);
    finish();
}

static void a_later_plain_commit_wins_over_a_transaction(void)
{
    begin();
    commit_in_transaction(9, "g", "t", 5);
    commit("g", "t", 0, 8);
    end_transaction(9, 1);
    CU_ASSERT_EQUAL(fetch("g", "t", 0), 8);
    restart();
    CU_ASSERT_EQUAL(fetch("g", "t", 0), 8);
    finish();
}

static void a_deleted_group_is_not_touched_by_an_old_transaction(void)
{
    asked_t *asked = ask(2);

    begin();
    commit_in_transaction(9, "g", "t", 5);
    group_delete(coordinator, &asked->call, text("g"));
    CU_ASSERT_EQUAL(*(const int16_t *)asked->response, KAFKA_NONE);
    commit("g", "t", 0, 1);
    end_transaction(9, 1);
    CU_ASSERT_EQUAL(fetch("g", "t", 0), 1);
    restart();
    CU_ASSERT_EQUAL(fetch("g", "t", 0), 1);
    finish();
}

UNIT_MAIN(UNIT_TEST(an_offset_is_kept_through_a_restart),
          UNIT_TEST(a_commit_is_answered_when_it_is_on_the_device),
          UNIT_TEST(a_commit_that_does_not_reach_the_device_is_refused),
          UNIT_TEST(a_failed_append_is_refused),
          UNIT_TEST(long_metadata_is_refused),
          UNIT_TEST(only_members_commit_to_a_living_group),
          UNIT_TEST(commits_between_join_and_sync_wait),
          UNIT_TEST(a_commit_keeps_the_member_alive),
          UNIT_TEST(offsets_of_an_empty_group_expire_with_it),
          UNIT_TEST(a_living_group_keeps_what_it_subscribes_to),
          UNIT_TEST(an_offset_says_itself_when_it_expires),
          UNIT_TEST(offsets_go_with_their_topic),
          UNIT_TEST(an_offset_is_deleted_unless_its_topic_is_read),
          UNIT_TEST(a_transactions_offsets_count_when_it_is_committed),
          UNIT_TEST(an_aborted_transactions_offsets_never_count),
          UNIT_TEST(a_later_plain_commit_wins_over_a_transaction),
          UNIT_TEST(a_deleted_group_is_not_touched_by_an_old_transaction))
