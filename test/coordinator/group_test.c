/* SPDX-License-Identifier: Apache-2.0 */
/* Classic groups: joining, syncing, leaving, dying, static members, limits. */
#include "support.h"

/* ---- joining ------------------------------------------------------------- */

static void a_member_without_id_is_told_one_first(void)
{
    client_t *a = client("g");

    begin();
    join_at(a, 4);
    CU_ASSERT_PTR_NOT_NULL_FATAL(joined(a));
    CU_ASSERT_EQUAL(joined(a)->error_code, KAFKA_MEMBER_ID_REQUIRED);
    CU_ASSERT_EQUAL(joined(a)->member_id.length, 6 + 1 + 36);
    CU_ASSERT_NSTRING_EQUAL(joined(a)->member_id.data, "client-", 7);
    CU_ASSERT_TRUE(is_state("g", "Empty"));
    finish();
}

static void an_old_client_joins_without_an_id(void)
{
    client_t *a = client("g");

    begin();
    join_at(a, 3);
    CU_ASSERT_PTR_NULL(joined(a));
    pass(3000);
    CU_ASSERT_TRUE(take_generation(a));
    CU_ASSERT_EQUAL(a->generation, 1);
    CU_ASSERT_TRUE(wire_string_equal(joined(a)->leader, a->id));
    finish();
}

static void the_first_rebalance_waits_for_more_members(void)
{
    client_t *a = client("g"), *b = client("g");

    begin();
    join(a);
    pass(2900);
    CU_ASSERT_PTR_NULL(joined(a));
    join(b);
    pass(200);
    CU_ASSERT_PTR_NULL(joined(a)); /* who came late begins the delay anew */
    pass(3000);
    CU_ASSERT_TRUE(take_generation(a));
    CU_ASSERT_TRUE(take_generation(b));
    CU_ASSERT_EQUAL(a->generation, b->generation);
    CU_ASSERT_EQUAL(joined(a)->members_count, 2);
    CU_ASSERT_EQUAL(joined(b)->members_count, 0);
    finish();
}

static void the_delay_ends_with_the_rebalance_timeout(void)
{
    client_t *members[4];

    begin();
    for (int i = 0; i < 4; i++) {
        members[i] = client("g");
        members[i]->rebalance_ms = 5000;
        join(members[i]);
        if (i < 3)
            pass(1200);
    }
    pass(1500);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_TRUE(take_generation(members[i]));
    finish();
}

static void the_leader_assigns_for_all(void)
{
    client_t *m[3] = { NULL };

    begin();
    stabilize(m, 3, "g");
    for (int i = 0; i < 3; i++) {
        const char *mine = apr_psprintf(unit_pool(), "for %.*s",
                                        (int)m[i]->id.length, m[i]->id.data);

        CU_ASSERT_EQUAL(synced(m[i])->error_code, KAFKA_NONE);
        CU_ASSERT_EQUAL(synced(m[i])->assignment.length,
                        (int32_t)strlen(mine));
        CU_ASSERT_NSTRING_EQUAL((const char *)synced(m[i])->assignment.data,
                                mine, strlen(mine));
    }
    CU_ASSERT_TRUE(is_state("g", "Stable"));
    CU_ASSERT_EQUAL(beat(m[1]), KAFKA_NONE);
    finish();
}

static void followers_wait_for_the_leaders_sync(void)
{
    client_t *a = client("g"), *b = client("g");

    begin();
    join(a);
    join(b);
    pass(6100);
    take_generation(a);
    take_generation(b);
    CU_ASSERT_TRUE(is_state("g", "CompletingRebalance"));
    synchronize(b);
    CU_ASSERT_PTR_NULL(synced(b));
    synchronize(a);
    CU_ASSERT_PTR_NOT_NULL(synced(b));
    finish();
}

static void the_protocol_most_prefer_wins(void)
{
    client_t *m[3] = { client("g"), client("g"), client("g") };

    m[0]->protocols = "range,sticky";
    m[1]->protocols = "sticky,range";
    m[2]->protocols = "only,sticky,range";
    begin();
    stabilize(m, 3, "g");
    CU_ASSERT_TRUE(
        wire_string_equal_text(joined(m[0])->protocol_name, "sticky"));
    finish();
}

static void a_member_without_a_common_protocol_is_refused(void)
{
    client_t *m[1] = { NULL }, *other = client("g"), *connect = client("g");

    begin();
    stabilize(m, 1, "g");
    other->protocols = "strange";
    join(other);
    CU_ASSERT_EQUAL(joined(other)->error_code,
                    KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    connect->type = "connect";
    join(connect);
    CU_ASSERT_EQUAL(joined(connect)->error_code,
                    KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    finish();
}

static void a_group_may_be_of_any_protocol_type(void)
{
    client_t *m[2] = { client("g"), client("g") };

    m[0]->type = m[1]->type = "connect";
    m[0]->protocols = m[1]->protocols = "sessioned,compatible";
    begin();
    stabilize(m, 2, "g");
    CU_ASSERT_TRUE(
        wire_string_equal_text(joined(m[1])->protocol_type, "connect"));
    finish();
}

static void a_bad_request_is_refused(void)
{
    client_t *a = client(""), *b = client("g"), *c = client("g");

    begin();
    join(a);
    CU_ASSERT_EQUAL(joined(a)->error_code, KAFKA_INVALID_GROUP_ID);
    b->session_ms = 5999;
    join(b);
    CU_ASSERT_EQUAL(joined(b)->error_code, KAFKA_INVALID_SESSION_TIMEOUT);
    c->id = text("stranger");
    join(c);
    CU_ASSERT_EQUAL(joined(c)->error_code, KAFKA_UNKNOWN_MEMBER_ID);
    finish();
}

static void a_full_group_takes_no_more(void)
{
    client_t *m[2] = { NULL }, *late = client("g");

    begin();
    config.max_size = 2;
    restart();
    stabilize(m, 2, "g");
    join(late);
    CU_ASSERT_EQUAL(joined(late)->error_code, KAFKA_GROUP_MAX_SIZE_REACHED);
    finish();
}

/* ---- rebalances ---------------------------------------------------------- */

static void a_new_member_has_the_others_join_again(void)
{
    client_t *m[2] = { NULL }, *late = client("g");

    begin();
    stabilize(m, 2, "g");
    join(late);
    CU_ASSERT_PTR_NULL(joined(late));
    CU_ASSERT_TRUE(is_state("g", "PreparingRebalance"));
    CU_ASSERT_EQUAL(beat(m[0]), KAFKA_REBALANCE_IN_PROGRESS);
    join(m[0]);
    CU_ASSERT_PTR_NULL(joined(m[0]));
    join(m[1]);
    CU_ASSERT_TRUE(take_generation(m[0]));
    CU_ASSERT_TRUE(take_generation(late));
    CU_ASSERT_EQUAL(late->generation, 2);
    CU_ASSERT_TRUE(wire_string_equal(joined(late)->leader, m[0]->id));
    finish();
}

static void who_does_not_join_again_in_time_is_out(void)
{
    client_t *m[2] = { NULL }, *late = client("g");

    begin();
    m[0] = client("g");
    m[1] = client("g");
    m[0]->session_ms = m[1]->session_ms = 60000;
    stabilize(m, 2, "g");
    join(late);
    join(m[1]);
    pass(30000);
    CU_ASSERT_TRUE(take_generation(m[1]));
    CU_ASSERT_TRUE(take_generation(late));
    CU_ASSERT_TRUE(wire_string_equal(joined(m[1])->leader, m[1]->id));
    CU_ASSERT_EQUAL(joined(m[1])->members_count, 2);
    CU_ASSERT_EQUAL(beat(m[0]), KAFKA_UNKNOWN_MEMBER_ID);
    finish();
}

static void a_silent_member_dies_and_the_group_rebalances(void)
{
    client_t *m[2] = { NULL };

    begin();
    stabilize(m, 2, "g");
    for (int i = 0; i < 5; i++) {
        pass(2500);
        beat(m[0]);
    }
    CU_ASSERT_TRUE(is_state("g", "PreparingRebalance"));
    CU_ASSERT_EQUAL(beat(m[1]), KAFKA_UNKNOWN_MEMBER_ID);
    join(m[0]);
    CU_ASSERT_TRUE(take_generation(m[0]));
    CU_ASSERT_EQUAL(joined(m[0])->members_count, 1);
    finish();
}

static void a_promised_id_expires_with_the_session(void)
{
    client_t *a = client("g");

    begin();
    join_at(a, 4);
    a->id = joined(a)->member_id;
    pass(10000);
    join_at(a, 4);
    CU_ASSERT_EQUAL(joined(a)->error_code, KAFKA_UNKNOWN_MEMBER_ID);
    finish();
}

static void a_rebalance_waits_for_who_was_promised_an_id(void)
{
    client_t *m[1] = { NULL }, *late = client("g");

    begin();
    stabilize(m, 1, "g");
    join_at(late, 9); /* has an id, and is expected */
    join(m[0]);       /* the leader asks for a rebalance */
    CU_ASSERT_PTR_NULL(joined(m[0]));
    late->id = joined(late)->member_id;
    join_at(late, 9);
    CU_ASSERT_TRUE(take_generation(m[0]));
    CU_ASSERT_EQUAL(joined(m[0])->members_count, 2);
    finish();
}

static void who_does_not_sync_is_out(void)
{
    client_t *a = client("g"), *b = client("g");

    begin();
    a->session_ms = b->session_ms = 100000;
    join(a);
    join(b);
    pass(6100);
    take_generation(a);
    take_generation(b);
    synchronize(a);
    CU_ASSERT_TRUE(is_state("g", "Stable"));
    pass(30100);
    CU_ASSERT_TRUE(is_state("g", "PreparingRebalance"));
    CU_ASSERT_EQUAL(beat(b), KAFKA_UNKNOWN_MEMBER_ID);
    finish();
}

static void a_leader_that_rejoins_starts_a_rebalance(void)
{
    client_t *m[2] = { NULL };

    begin();
    stabilize(m, 2, "g");
    join(m[1]);
    CU_ASSERT_PTR_NOT_NULL(joined(m[1])); /* a follower's answer was lost */
    CU_ASSERT_EQUAL(joined(m[1])->generation_id, 1);
    CU_ASSERT_TRUE(is_state("g", "Stable"));
    join(m[0]);
    CU_ASSERT_PTR_NULL(joined(m[0]));
    CU_ASSERT_TRUE(is_state("g", "PreparingRebalance"));
    finish();
}

static void changed_metadata_starts_a_rebalance(void)
{
    client_t *m[2] = { NULL };

    begin();
    stabilize(m, 2, "g");
    m[1]->protocols = "range,sticky";
    join(m[1]);
    CU_ASSERT_PTR_NULL(joined(m[1]));
    CU_ASSERT_TRUE(is_state("g", "PreparingRebalance"));
    finish();
}

static void a_sync_parked_when_members_change_is_told_so(void)
{
    client_t *a = client("g"), *b = client("g"), *late = client("g");

    begin();
    join(a);
    join(b);
    pass(6100);
    take_generation(a);
    take_generation(b);
    synchronize(b);
    join(late);
    CU_ASSERT_PTR_NOT_NULL_FATAL(synced(b));
    CU_ASSERT_EQUAL(synced(b)->error_code, KAFKA_REBALANCE_IN_PROGRESS);
    finish();
}

static void wrong_generations_are_refused(void)
{
    client_t *m[1] = { NULL };

    begin();
    stabilize(m, 1, "g");
    m[0]->generation++;
    CU_ASSERT_EQUAL(beat(m[0]), KAFKA_ILLEGAL_GENERATION);
    synchronize(m[0]);
    CU_ASSERT_EQUAL(synced(m[0])->error_code, KAFKA_ILLEGAL_GENERATION);
    finish();
}

/* ---- leaving ------------------------------------------------------------- */

static void the_last_to_leave_leaves_an_empty_group(void)
{
    client_t *m[2] = { NULL };

    begin();
    stabilize(m, 2, "g");
    CU_ASSERT_EQUAL(leave(m[0]), KAFKA_NONE);
    CU_ASSERT_TRUE(is_state("g", "PreparingRebalance"));
    CU_ASSERT_EQUAL(leave(m[1]), KAFKA_NONE);
    CU_ASSERT_TRUE(is_state("g", "Empty"));
    CU_ASSERT_EQUAL(leave(m[1]), KAFKA_UNKNOWN_MEMBER_ID);
    finish();
}

static void who_leaves_completes_the_others_join(void)
{
    client_t *m[2] = { NULL };

    begin();
    stabilize(m, 2, "g");
    join(m[0]);
    CU_ASSERT_PTR_NULL(joined(m[0]));
    leave(m[1]);
    CU_ASSERT_TRUE(take_generation(m[0]));
    finish();
}

/* ---- static members (KIP-345) -------------------------------------------- */

static client_t *static_client(const char *instance)
{
    client_t *made = client("g");

    made->instance = instance;
    return made;
}

static void a_static_member_comes_back_without_a_rebalance(void)
{
    client_t *m[2] = { static_client("i1"), static_client("i2") };
    wire_string_t old;

    begin();
    stabilize(m, 2, "g");
    old = m[1]->id;
    m[1]->id = wire_string_literal("");
    join(m[1]);
    CU_ASSERT_TRUE_FATAL(take_generation(m[1]));
    CU_ASSERT_EQUAL(m[1]->generation, 1);
    CU_ASSERT_FALSE(wire_string_equal(old, m[1]->id));
    CU_ASSERT_FALSE(joined(m[1])->skip_assignment);
    CU_ASSERT_TRUE(is_state("g", "Stable"));
    synchronize(m[1]);
    CU_ASSERT_TRUE(synced(m[1])->assignment.length > 0);
    m[1]->id = old;
    CU_ASSERT_EQUAL(beat(m[1]), KAFKA_FENCED_INSTANCE_ID);
    finish();
}

static void a_static_leader_comes_back_and_need_not_assign(void)
{
    client_t *m[2] = { static_client("i1"), static_client("i2") };

    begin();
    stabilize(m, 2, "g");
    m[0]->id = wire_string_literal("");
    join(m[0]);
    CU_ASSERT_TRUE_FATAL(take_generation(m[0]));
    CU_ASSERT_TRUE(joined(m[0])->skip_assignment);
    CU_ASSERT_EQUAL(joined(m[0])->members_count, 2);
    CU_ASSERT_TRUE(wire_string_equal(joined(m[0])->leader, m[0]->id));
    finish();
}

static void a_second_holder_of_an_instance_id_fences_the_first(void)
{
    client_t *a = static_client("i"), *b = static_client("i");

    begin();
    join(a);
    join(b);
    CU_ASSERT_PTR_NOT_NULL_FATAL(joined(a));
    CU_ASSERT_EQUAL(joined(a)->error_code, KAFKA_FENCED_INSTANCE_ID);
    pass(6100);
    CU_ASSERT_TRUE(take_generation(b));
    finish();
}

static void a_static_member_keeps_its_place_through_a_rebalance(void)
{
    client_t *m[2] = { static_client("i1"), client("g") };

    begin();
    m[0]->session_ms = 120000;
    m[1]->session_ms = 120000;
    stabilize(m, 2, "g");
    m[1]->protocols = "range,sticky";
    join(m[1]);
    pass(30100);
    CU_ASSERT_TRUE(take_generation(m[1]));
    CU_ASSERT_EQUAL(joined(m[1])->members_count, 2);
    finish();
}

static void an_administrator_removes_a_static_member(void)
{
    client_t *m[1] = { static_client("i1") };

    begin();
    stabilize(m, 1, "g");
    m[0]->id = wire_string_literal("");
    CU_ASSERT_EQUAL(leave(m[0]), KAFKA_NONE);
    CU_ASSERT_TRUE(is_state("g", "Empty"));
    finish();
}

/* ---- the journal --------------------------------------------------------- */

static void a_restart_changes_nothing_for_members(void)
{
    client_t *m[3] = { NULL };

    begin();
    stabilize(m, 3, "g");
    restart();
    CU_ASSERT_TRUE(is_state("g", "Stable"));
    CU_ASSERT_EQUAL(describe("g")->members_count, 3);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(beat(m[i]), KAFKA_NONE);
        synchronize(m[i]);
        CU_ASSERT_TRUE(synced(m[i])->assignment.length > 0);
    }
    finish();
}

static void a_restart_in_a_rebalance_goes_back_to_the_last_generation(void)
{
    client_t *m[2] = { NULL }, *late = client("g");

    begin();
    stabilize(m, 2, "g");
    join(late);
    restart();
    CU_ASSERT_TRUE(is_state("g", "Stable"));
    CU_ASSERT_EQUAL(beat(m[0]), KAFKA_NONE);
    CU_ASSERT_EQUAL(joined(late)->error_code, KAFKA_NOT_COORDINATOR);
    late->id = wire_string_literal("");
    join(late);
    CU_ASSERT_TRUE(is_state("g", "PreparingRebalance"));
    finish();
}

static void members_that_do_not_come_back_after_a_restart_die(void)
{
    client_t *m[2] = { NULL };

    begin();
    stabilize(m, 2, "g");
    restart();
    pass(10100);
    CU_ASSERT_TRUE(is_state("g", "Empty"));
    restart();
    CU_ASSERT_TRUE(is_state("g", "Empty"));
    finish();
}

static void a_sync_waits_for_the_device(void)
{
    client_t *a = client("g");

    begin();
    config.flush = 1;
    restart();
    join(a);
    pass(3100);
    take_generation(a);
    journal.flushed = journal.end;
    synchronize(a);
    CU_ASSERT_PTR_NULL(synced(a));
    journal.flushed = journal.end;
    group_coordinator_tick(coordinator);
    CU_ASSERT_PTR_NOT_NULL_FATAL(synced(a));
    CU_ASSERT_EQUAL(synced(a)->error_code, KAFKA_NONE);
    finish();
}

static void a_failed_write_answers_all_and_replays(void)
{
    client_t *m[2] = { NULL };

    begin();
    stabilize(m, 2, "g");
    join(m[0]);
    join(m[1]);
    journal.fails = TAKHIN_EOFFLINE;
    commit("other", "t", 0, 1);
    journal.fails = 0;
    CU_ASSERT_TRUE(is_state("g", "PreparingRebalance") ||
                   is_state("g", "Stable") ||
                   is_state("g", "CompletingRebalance"));
    CU_ASSERT_EQUAL(joined(m[0])->error_code == KAFKA_NONE ||
                        joined(m[0])->error_code == KAFKA_NOT_COORDINATOR,
                    1);
    CU_ASSERT_EQUAL(describe("g")->members_count, 2);
    CU_ASSERT_EQUAL(describe("other")->error_code, KAFKA_GROUP_ID_NOT_FOUND);
    finish();
}

static void without_its_topic_there_is_no_coordinator(void)
{
    client_t *a = client("g");
    list_groups_request_t request;
    list_groups_response_t response;

    begin();
    journal.missing = 1;
    restart();
    join(a);
    CU_ASSERT_EQUAL(joined(a)->error_code, KAFKA_NOT_COORDINATOR);
    list_groups_request_init(&request);
    group_list(coordinator, &request, &response, unit_pool());
    CU_ASSERT_EQUAL(response.error_code, KAFKA_NONE);
    CU_ASSERT_EQUAL(response.groups_count, 0);
    journal.missing = 0;
    join(a);
    CU_ASSERT_PTR_NULL(joined(a));
    finish();
}

static void a_stop_answers_who_waits(void)
{
    client_t *a = client("g");

    begin();
    join(a);
    group_coordinator_stop(coordinator);
    CU_ASSERT_EQUAL(joined(a)->error_code, KAFKA_NOT_COORDINATOR);
    join(a);
    CU_ASSERT_EQUAL(joined(a)->error_code, KAFKA_COORDINATOR_NOT_AVAILABLE);
    finish();
}

/* ---- administration ------------------------------------------------------ */

static int16_t delete_group(const char *group)
{
    asked_t *asked = ask(2);

    group_delete(coordinator, &asked->call, text(group));
    return *(const int16_t *)asked->response;
}

static void only_an_empty_group_is_deleted(void)
{
    client_t *m[1] = { NULL };

    begin();
    stabilize(m, 1, "g");
    CU_ASSERT_EQUAL(delete_group("g"), KAFKA_NON_EMPTY_GROUP);
    commit_as("g", m[0]->id, m[0]->generation, "t", 0, 5);
    leave(m[0]);
    CU_ASSERT_EQUAL(fetch("g", "t", 0), 5);
    CU_ASSERT_EQUAL(delete_group("g"), KAFKA_NONE);
    CU_ASSERT_EQUAL(delete_group("g"), KAFKA_GROUP_ID_NOT_FOUND);
    restart();
    CU_ASSERT_EQUAL(describe("g")->error_code, KAFKA_GROUP_ID_NOT_FOUND);
    CU_ASSERT_EQUAL(fetch("g", "t", 0), -1);
    finish();
}

static void groups_are_listed_by_state_and_type(void)
{
    client_t *m[1] = { NULL };
    list_groups_request_t request;
    list_groups_response_t response;
    wire_string_t filter = wire_string_literal("stable");

    begin();
    stabilize(m, 1, "one");
    commit("two", "t", 0, 1);
    list_groups_request_init(&request);
    group_list(coordinator, &request, &response, unit_pool());
    CU_ASSERT_EQUAL(response.groups_count, 2);
    request.states_filter = &filter;
    request.states_filter_count = 1;
    group_list(coordinator, &request, &response, unit_pool());
    CU_ASSERT_EQUAL_FATAL(response.groups_count, 1);
    CU_ASSERT_TRUE(wire_string_equal_text(response.groups[0].group_id, "one"));
    request.states_filter_count = 0;
    filter = wire_string_literal("consumer");
    request.types_filter = &filter;
    request.types_filter_count = 1;
    group_list(coordinator, &request, &response, unit_pool());
    CU_ASSERT_EQUAL(response.groups_count, 0);
    finish();
}

static void groups_lie_where_kafka_puts_them(void)
{
    journal_driver_t driver = { .topic = "t" };
    coordinator_workers_t workers = { run_now, NULL };
    group_metadata_t metadata = { current_image, NULL };
    group_coordinator_t *fifty;

    begin();
    UNIT_OK(group_coordinator_create(&fifty, &config, 50, &driver, &workers,
                                     NULL, &metadata, unit_pool()));
    /* abs(String.hashCode()) % 50, as a JVM computes it. */
    CU_ASSERT_EQUAL(group_shard_index(fifty, text("g1")), 42);
    CU_ASSERT_EQUAL(group_shard_index(fifty, text("")), 0);
    CU_ASSERT_EQUAL(group_shard_index(fifty, text("polygenelubricants")), 0);
    CU_ASSERT_EQUAL(group_shard_index(fifty, text("gr\xc3\xbc\xc3\x9f")), 12);
    CU_ASSERT_EQUAL(group_shard_index(fifty, text("\xf0\x9f\x98\x80")), 49);
    group_coordinator_destroy(fifty);
    finish();
}

UNIT_MAIN(UNIT_TEST(a_member_without_id_is_told_one_first),
          UNIT_TEST(an_old_client_joins_without_an_id),
          UNIT_TEST(the_first_rebalance_waits_for_more_members),
          UNIT_TEST(the_delay_ends_with_the_rebalance_timeout),
          UNIT_TEST(the_leader_assigns_for_all),
          UNIT_TEST(followers_wait_for_the_leaders_sync),
          UNIT_TEST(the_protocol_most_prefer_wins),
          UNIT_TEST(a_member_without_a_common_protocol_is_refused),
          UNIT_TEST(a_group_may_be_of_any_protocol_type),
          UNIT_TEST(a_bad_request_is_refused),
          UNIT_TEST(a_full_group_takes_no_more),
          UNIT_TEST(a_new_member_has_the_others_join_again),
          UNIT_TEST(who_does_not_join_again_in_time_is_out),
          UNIT_TEST(a_silent_member_dies_and_the_group_rebalances),
          UNIT_TEST(a_promised_id_expires_with_the_session),
          UNIT_TEST(a_rebalance_waits_for_who_was_promised_an_id),
          UNIT_TEST(who_does_not_sync_is_out),
          UNIT_TEST(a_leader_that_rejoins_starts_a_rebalance),
          UNIT_TEST(changed_metadata_starts_a_rebalance),
          UNIT_TEST(a_sync_parked_when_members_change_is_told_so),
          UNIT_TEST(wrong_generations_are_refused),
          UNIT_TEST(the_last_to_leave_leaves_an_empty_group),
          UNIT_TEST(who_leaves_completes_the_others_join),
          UNIT_TEST(a_static_member_comes_back_without_a_rebalance),
          UNIT_TEST(a_static_leader_comes_back_and_need_not_assign),
          UNIT_TEST(a_second_holder_of_an_instance_id_fences_the_first),
          UNIT_TEST(a_static_member_keeps_its_place_through_a_rebalance),
          UNIT_TEST(an_administrator_removes_a_static_member),
          UNIT_TEST(a_restart_changes_nothing_for_members),
          UNIT_TEST(a_restart_in_a_rebalance_goes_back_to_the_last_generation),
          UNIT_TEST(members_that_do_not_come_back_after_a_restart_die),
          UNIT_TEST(a_sync_waits_for_the_device),
          UNIT_TEST(a_failed_write_answers_all_and_replays),
          UNIT_TEST(without_its_topic_there_is_no_coordinator),
          UNIT_TEST(a_stop_answers_who_waits),
          UNIT_TEST(only_an_empty_group_is_deleted),
          UNIT_TEST(groups_are_listed_by_state_and_type),
          UNIT_TEST(groups_lie_where_kafka_puts_them))
