/* SPDX-License-Identifier: Apache-2.0 */
/* Incremental fetch sessions (KIP-227). */
#include "api/fetch_session.h"

#include "base/clock.h"
#include "protocol/error_code.h"
#include "unit.h"

enum { NONE = 0, INITIAL = 0, FINAL = -1, BY_NAME = 12, BY_ID = 13 };

typedef struct {
    fetch_request_t request;
    fetch_request_fetch_topic_t topic;
    fetch_request_fetch_partition_t partitions[4];
    fetch_request_forgotten_topic_t forgotten;
    int32_t forgotten_partitions[4];
} ask_t;

static fetch_sessions_t *sessions;

static void setup(int slots)
{
    CU_ASSERT_EQUAL_FATAL(
        fetch_sessions_create(&sessions, slots, unit_pool()), APR_SUCCESS);
}

/* A request for the COUNT partitions from FIRST on of topic "t". */
static ask_t *ask(int32_t session, int32_t epoch, int32_t first, int count)
{
    ask_t *ask = apr_pcalloc(unit_pool(), sizeof *ask);

    fetch_request_init(&ask->request);
    ask->request.session_id = session;
    ask->request.session_epoch = epoch;
    ask->request.topics = &ask->topic;
    ask->request.topics_count = count > 0;
    ask->request.forgotten_topics_data_count = 0;
    ask->topic.topic = wire_string_literal("t");
    ask->topic.topic_id.bytes[0] = 7;
    ask->topic.partitions = ask->partitions;
    ask->topic.partitions_count = count;
    for (int i = 0; i < count; i++) {
        fetch_request_fetch_partition_init(&ask->partitions[i]);
        ask->partitions[i].partition = first + i;
        ask->partitions[i].fetch_offset = 100 + first + i;
        ask->partitions[i].partition_max_bytes = 1000;
    }
    return ask;
}

static void forget(ask_t *ask, int32_t partition)
{
    ask->request.forgotten_topics_data = &ask->forgotten;
    ask->request.forgotten_topics_data_count = 1;
    ask->forgotten.topic = ask->topic.topic;
    ask->forgotten.topic_id = ask->topic.topic_id;
    ask->forgotten.partitions = ask->forgotten_partitions;
    ask->forgotten.partitions_count = 1;
    ask->forgotten_partitions[0] = partition;
}

static int16_t open_at(ask_t *ask, int16_t version, fetch_context_t *context)
{
    return fetch_context_open(sessions, &ask->request, version, unit_pool(),
                              context);
}

/* Opens a session with COUNT partitions; returns its id. */
static int32_t begin(int count)
{
    fetch_context_t context;
    int32_t id;

    CU_ASSERT_EQUAL(open_at(ask(NONE, INITIAL, 0, count), BY_ID, &context),
                    KAFKA_NONE);
    id = context.session_id;
    CU_ASSERT_FALSE(context.incremental);
    for (int i = 0; i < context.count; i++)
        CU_ASSERT_TRUE(fetch_context_must_answer(
            sessions, &context, &context.items[i], KAFKA_NONE, 10, 0, 5));
    fetch_context_close(sessions, &context);
    return id;
}

static void a_request_without_session_is_read_as_it_stands(void)
{
    fetch_context_t context;

    setup(10);
    CU_ASSERT_EQUAL(open_at(ask(NONE, FINAL, 3, 2), BY_NAME, &context),
                    KAFKA_NONE);
    CU_ASSERT_EQUAL(context.session_id, NONE);
    CU_ASSERT_EQUAL(context.count, 2);
    CU_ASSERT_EQUAL(context.items[1].partition, 4);
    CU_ASSERT_EQUAL(context.items[1].fetch_offset, 104);
    fetch_context_close(sessions, &context);
}

static void a_session_remembers_its_partitions(void)
{
    fetch_context_t context;
    int32_t id;

    setup(10);
    id = begin(3);
    CU_ASSERT_NOT_EQUAL(id, NONE);
    CU_ASSERT_EQUAL(open_at(ask(id, 1, 0, 0), BY_ID, &context), KAFKA_NONE);
    CU_ASSERT_TRUE(context.incremental);
    CU_ASSERT_EQUAL(context.count, 3);
    CU_ASSERT_EQUAL(context.items[2].fetch_offset, 102);
    fetch_context_close(sessions, &context);
}

static void only_what_changed_is_answered(void)
{
    fetch_context_t context;
    int32_t id;

    setup(10);
    id = begin(2);
    open_at(ask(id, 1, 0, 0), BY_ID, &context);
    CU_ASSERT_FALSE(fetch_context_must_answer(
        sessions, &context, &context.items[0], KAFKA_NONE, 10, 0, 0));
    CU_ASSERT_TRUE(fetch_context_must_answer(
        sessions, &context, &context.items[1], KAFKA_NONE, 11, 0, 0));
    fetch_context_close(sessions, &context);
}

static void after_an_error_the_next_answer_comes_whatever_it_says(void)
{
    fetch_context_t context;
    int32_t id;

    setup(10);
    id = begin(1);
    open_at(ask(id, 1, 0, 0), BY_ID, &context);
    CU_ASSERT_TRUE(fetch_context_must_answer(
        sessions, &context, &context.items[0],
        KAFKA_OFFSET_OUT_OF_RANGE, -1, -1, 0));
    fetch_context_close(sessions, &context);
    open_at(ask(id, 2, 0, 0), BY_ID, &context);
    CU_ASSERT_TRUE(fetch_context_must_answer(
        sessions, &context, &context.items[0], KAFKA_NONE, 10, 0, 0));
    fetch_context_close(sessions, &context);
}

static void who_was_served_goes_to_the_end(void)
{
    fetch_context_t context;
    int32_t id;

    setup(10);
    id = begin(2);
    open_at(ask(id, 1, 0, 0), BY_ID, &context);
    CU_ASSERT_EQUAL(context.items[0].partition, 0);
    fetch_context_must_answer(sessions, &context, &context.items[0],
                              KAFKA_NONE, 10, 0, 500);
    fetch_context_close(sessions, &context);
    open_at(ask(id, 2, 0, 0), BY_ID, &context);
    CU_ASSERT_EQUAL(context.items[0].partition, 1);
    fetch_context_close(sessions, &context);
}

static void forgotten_partitions_are_not_read(void)
{
    fetch_context_t context;
    ask_t *request;
    int32_t id;

    setup(10);
    id = begin(3);
    request = ask(id, 1, 0, 0);
    forget(request, 1);
    open_at(request, BY_ID, &context);
    CU_ASSERT_EQUAL(context.count, 2);
    CU_ASSERT_EQUAL(context.items[0].partition, 0);
    CU_ASSERT_EQUAL(context.items[1].partition, 2);
    fetch_context_close(sessions, &context);
}

static void a_session_that_forgot_all_ends(void)
{
    fetch_context_t context;
    ask_t *request;
    int32_t id;

    setup(10);
    id = begin(1);
    request = ask(id, 1, 0, 0);
    forget(request, 0);
    CU_ASSERT_EQUAL(open_at(request, BY_ID, &context), KAFKA_NONE);
    CU_ASSERT_EQUAL(context.session_id, NONE);
    CU_ASSERT_EQUAL(context.count, 0);
    fetch_context_close(sessions, &context);
    CU_ASSERT_EQUAL(open_at(ask(id, 2, 0, 0), BY_ID, &context),
                    KAFKA_FETCH_SESSION_ID_NOT_FOUND);
}

static void wrong_ids_epochs_and_kinds_are_refused(void)
{
    fetch_context_t context;
    int32_t id;

    setup(10);
    id = begin(1);
    CU_ASSERT_EQUAL(open_at(ask(id + 1, 1, 0, 0), BY_ID, &context),
                    KAFKA_FETCH_SESSION_ID_NOT_FOUND);
    CU_ASSERT_EQUAL(open_at(ask(id, 2, 0, 0), BY_ID, &context),
                    KAFKA_INVALID_FETCH_SESSION_EPOCH);
    CU_ASSERT_EQUAL(open_at(ask(id, 1, 0, 0), BY_NAME, &context),
                    KAFKA_FETCH_SESSION_TOPIC_ID_ERROR);
}

static void a_final_epoch_ends_the_session_and_is_read_in_full(void)
{
    fetch_context_t context;
    int32_t id;

    setup(10);
    id = begin(1);
    CU_ASSERT_EQUAL(open_at(ask(id, FINAL, 0, 2), BY_ID, &context),
                    KAFKA_NONE);
    CU_ASSERT_EQUAL(context.session_id, NONE);
    CU_ASSERT_EQUAL(context.count, 2);
    CU_ASSERT_EQUAL(open_at(ask(id, 1, 0, 0), BY_ID, &context),
                    KAFKA_FETCH_SESSION_ID_NOT_FOUND);
}

static void without_a_free_slot_a_client_goes_without_session(void)
{
    fetch_context_t context;

    setup(1);
    CU_ASSERT_NOT_EQUAL(begin(1), NONE);
    CU_ASSERT_EQUAL(open_at(ask(NONE, INITIAL, 0, 2), BY_ID, &context),
                    KAFKA_NONE);
    CU_ASSERT_EQUAL(context.session_id, NONE);
    CU_ASSERT_EQUAL(context.count, 2);
    fetch_context_close(sessions, &context);
}

UNIT_MAIN(UNIT_TEST(a_request_without_session_is_read_as_it_stands),
          UNIT_TEST(a_session_remembers_its_partitions),
          UNIT_TEST(only_what_changed_is_answered),
          UNIT_TEST(after_an_error_the_next_answer_comes_whatever_it_says),
          UNIT_TEST(who_was_served_goes_to_the_end),
          UNIT_TEST(forgotten_partitions_are_not_read),
          UNIT_TEST(a_session_that_forgot_all_ends),
          UNIT_TEST(wrong_ids_epochs_and_kinds_are_refused),
          UNIT_TEST(a_final_epoch_ends_the_session_and_is_read_in_full),
          UNIT_TEST(without_a_free_slot_a_client_goes_without_session))
