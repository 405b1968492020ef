/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rebalances at random: hundreds of members come, go, die and forget, in both
 * protocols, and the broker dies too. Whatever happens, no partition is read
 * by two members at a time, no commit is lost, and in the end every partition
 * is read by somebody.
 */
#include "support.h"

#include <stdlib.h>

#include "coordinator/assignor.h"
#include "coordinator/partition_set.h"
#include "metadata/image_edit.h"
#include "protocol/consumer_group_heartbeat_response.h"

enum { MEMBERS = 200, PARTITIONS = 300, ROUNDS = 4000 };

static unsigned seed;

static int chance(int in)
{
    seed = seed * 1103515245u + 12345u;
    return (int)((seed >> 16) % (unsigned)in);
}

/* ---- who reads what ------------------------------------------------------ */

static int readers[PARTITIONS];     /* member + 1, 0: nobody */
static int64_t committed[PARTITIONS];
static int conflicts;

static void stop_reading(int member)
{
    for (int p = 0; p < PARTITIONS; p++)
        if (readers[p] == member + 1)
            readers[p] = 0;
}

static void start_reading(int member, int32_t partition)
{
    if (readers[partition] && readers[partition] != member + 1)
        conflicts++;
    readers[partition] = member + 1;
}

/* ---- the consumer protocol ----------------------------------------------- */

typedef struct {
    char id[16];
    int32_t epoch;
    int alive;
    partition_set_t owned;
} consumer_t;

static consumer_t consumers[MEMBERS];
static int names;

static const wire_uuid_t topic_id = { "a topic's id...." };

static void make_topic(void)
{
    metadata_image_t *edited = image_create();
    int32_t node = 1;
    image_partition_t partition = { .leader = 1,
                                    .replicas = { &node, 1 },
                                    .isr = { &node, 1 } };

    UNIT_OK(image_add_topic(edited, (image_text_t){ "t", 1 }, &topic_id));
    for (int32_t i = 0; i < PARTITIONS; i++)
        UNIT_OK(image_put_partition(edited, &topic_id, i, &partition));
    image_set_position(edited, 1, 1);
    image = edited;
}

static void tell_owned(const partition_set_t *owned, apr_pool_t *pool,
                       consumer_group_heartbeat_request_t *request)
{
    request->topic_partitions =
        apr_pcalloc(pool, sizeof *request->topic_partitions);
    request->topic_partitions_count = owned->count > 0;
    if (owned->count == 0)
        return;
    request->topic_partitions->topic_id = topic_id;
    request->topic_partitions->partitions =
        set_partitions(owned, 0, owned->count, pool);
    request->topic_partitions->partitions_count = owned->count;
}

static void take(int m,
                 const consumer_group_heartbeat_response_assignment_t *told)
{
    stop_reading(m);
    set_free(&consumers[m].owned);
    for (int32_t t = 0; t < told->topic_partitions_count; t++)
        for (int32_t p = 0; p < told->topic_partitions[t].partitions_count;
             p++) {
            int32_t partition = told->topic_partitions[t].partitions[p];

            set_add(&consumers[m].owned, &topic_id, partition, 0);
            start_reading(m, partition);
        }
}

static void noted(group_call_t *call, const void *response)
{
    *(const void **)call->baton = response;
}

/* A heartbeat whose answer may get lost. */
static void consumer_beat(int m, int32_t epoch, int lost)
{
    consumer_t *self = &consumers[m];
    const consumer_group_heartbeat_response_t *answer = NULL;
    consumer_group_heartbeat_request_t request;
    wire_string_t topic = wire_string_literal("t");
    group_call_t call = { .done = noted,
                          .baton = &answer,
                          .client_id = wire_string_literal("c"),
                          .client_host = wire_string_literal("/h"),
                          .version = 1 };

    UNIT_OK(apr_pool_create(&call.pool, NULL));
    consumer_group_heartbeat_request_init(&request);
    request.group_id = wire_string_literal("g");
    request.member_id = text(self->id);
    request.member_epoch = epoch;
    request.rebalance_timeout_ms = 60000;
    request.subscribed_topic_names = &topic;
    request.subscribed_topic_names_count = 1;
    tell_owned(&self->owned, call.pool, &request);
    consumer_group_heartbeat(coordinator, &call, &request);
    if (!lost && answer->error_code) {
        stop_reading(m); /* fenced: it starts anew */
        set_free(&self->owned);
        self->alive = 0;
    } else if (!lost && epoch >= 0) {
        self->epoch = answer->member_epoch;
        if (answer->assignment)
            take(m, answer->assignment);
    }
    apr_pool_destroy(call.pool);
}

static void consumer_join(int m)
{
    consumer_t *self = &consumers[m];

    sprintf(self->id, "m%d", ++names);
    self->alive = 1;
    self->epoch = 0;
    set_free(&self->owned);
    consumer_beat(m, 0, 0);
}

/* Reads on and commits. */
static void consumer_commit(int m)
{
    consumer_t *self = &consumers[m];

    if (self->owned.count > 0) {
        int32_t p = self->owned.items[chance(self->owned.count)].partition;
        asked_t *asked = commit_as("g", text(self->id), self->epoch, "t", p,
                                   committed[p] + 1);

        if (!commit_error(asked))
            committed[p]++;
    }
}

static void consumer_step(void)
{
    int m = chance(MEMBERS);

    if (!consumers[m].alive) {
        consumer_join(m);
    } else if (chance(40) == 0) {
        stop_reading(m); /* it says goodbye */
        set_free(&consumers[m].owned);
        consumer_beat(m, -1, 0);
        consumers[m].alive = 0;
    } else if (chance(60) == 0) {
        stop_reading(m); /* it dies */
        consumers[m].alive = 0;
    } else if (chance(5) == 0) {
        consumer_commit(m);
    } else {
        consumer_beat(m, consumers[m].epoch, chance(20) == 0);
    }
}

static void all_beat(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        for (int m = 0; m < MEMBERS; m++)
            if (consumers[m].alive)
                consumer_beat(m, consumers[m].epoch, 0);
        pass(5000);
    }
}

static void check_commits(void)
{
    int lost = 0;

    for (int p = 0; p < PARTITIONS; p++)
        if (committed[p] > 0 && fetch("g", "t", p) != committed[p])
            lost++;
    CU_ASSERT_EQUAL(lost, 0);
}

static void partitions_have_one_reader_whatever_consumers_do(void)
{
    int read = 0;

    seed = 42;
    begin();
    make_topic();
    restart();
    for (int i = 0; i < ROUNDS && conflicts == 0; i++) {
        consumer_step();
        if (chance(10) == 0)
            pass(100);
        if (chance(200) == 0)
            all_beat(1);
        if (chance(1000) == 0)
            restart();
    }
    CU_ASSERT_EQUAL(conflicts, 0);
    all_beat(30);
    CU_ASSERT_EQUAL(conflicts, 0);
    for (int p = 0; p < PARTITIONS; p++)
        read += readers[p] != 0;
    CU_ASSERT_EQUAL(read, PARTITIONS);
    check_commits();
    finish();
    image_release(image);
    image = NULL;
}

/* ---- the classic protocol ------------------------------------------------ */

static client_t *classics[MEMBERS];
static int alive[MEMBERS];

static void lose(int m)
{
    stop_reading(m);
    alive[m] = 0;
}

/* Takes the partitions whose number leaves its place when divided: the
 * assignment says "place of members". */
static void classic_take(int m)
{
    wire_bytes_t assignment = synced(classics[m])->assignment;
    char *told = apr_pstrmemdup(unit_pool(), (const char *)assignment.data,
                                (apr_size_t)assignment.length);
    int place, members;

    if (sscanf(told, "%d of %d", &place, &members) == 2)
        for (int p = place; p < PARTITIONS; p += members)
            start_reading(m, p);
}

static void classic_sync(int m)
{
    client_t *self = classics[m];
    const join_group_response_t *told = joined(self);
    asked_t *asked = ask(5);
    sync_group_request_t *request = &asked->request.sync;

    sync_group_request_init(request);
    request->group_id = text("c");
    request->member_id = self->id;
    request->generation_id = self->generation;
    request->assignments_count = told->members_count;
    request->assignments = apr_pcalloc(
        unit_pool(), (told->members_count + 1) * sizeof *request->assignments);
    for (int32_t i = 0; i < told->members_count; i++) {
        request->assignments[i].member_id = told->members[i].member_id;
        request->assignments[i].assignment =
            bytes(apr_psprintf(unit_pool(), "%d of %d", (int)i,
                               (int)told->members_count));
    }
    self->syncing = asked;
    self->joining = NULL;
    group_sync(coordinator, &asked->call, request);
}

/* One thing that a living classic client does. */
static void classic_go_on(int m)
{
    client_t *self = classics[m];

    if (self->joining) {
        if (!joined(self))
            return;
        if (joined(self)->error_code)
            lose(m);
        else if (take_generation(self))
            classic_sync(m);
    } else if (self->syncing) {
        const sync_group_response_t *answer = synced(self);

        if (!answer)
            return;
        if (!answer->error_code)
            classic_take(m);
        self->syncing = NULL;
        if (answer->error_code == KAFKA_REBALANCE_IN_PROGRESS)
            join(self);
        else if (answer->error_code)
            lose(m);
    } else {
        int16_t error = beat(self);

        if (error == KAFKA_REBALANCE_IN_PROGRESS) {
            stop_reading(m); /* eager: it gives up all, then joins */
            join(self);
        } else if (error) {
            lose(m);
        }
    }
}

static void classic_start(int m)
{
    classics[m] = client("c");
    alive[m] = 1;
    join(classics[m]);
}

static void classic_step(void)
{
    int m = chance(MEMBERS);

    if (!alive[m]) {
        if (chance(4) == 0)
            classic_start(m);
    } else if (!classics[m]->joining && !classics[m]->syncing &&
               chance(60) == 0) {
        stop_reading(m);
        leave(classics[m]);
        alive[m] = 0;
    } else if (chance(100) == 0) {
        lose(m); /* it dies, and may leave a request behind */
    } else {
        classic_go_on(m);
    }
}

static void partitions_have_one_reader_whatever_classic_members_do(void)
{
    int read = 0;

    seed = 7;
    conflicts = 0;
    memset(readers, 0, sizeof readers);
    begin();
    for (int i = 0; i < ROUNDS && conflicts == 0; i++) {
        classic_step();
        if (chance(20) == 0)
            pass(100);
        if (chance(100) == 0)
            for (int m = 0; m < MEMBERS; m++)
                if (alive[m])
                    classic_go_on(m);
    }
    CU_ASSERT_EQUAL(conflicts, 0);
    for (int round = 0; round < 60; round++) {
        for (int m = 0; m < MEMBERS; m++)
            if (alive[m])
                classic_go_on(m);
        pass(1000);
    }
    CU_ASSERT_EQUAL(conflicts, 0);
    CU_ASSERT_TRUE(is_state("c", "Stable"));
    for (int p = 0; p < PARTITIONS; p++)
        read += readers[p] != 0;
    CU_ASSERT_EQUAL(read, PARTITIONS);
    finish();
}

/* ---- the assignors ------------------------------------------------------- */

/* Random subscriptions: all partitions go to members that want them, and no
 * single move would make it more even. */
static void the_uniform_assignor_is_even_for_any_subscriptions(void)
{
    enum { M = 12, T = 8 };

    seed = 3;
    for (int round = 0; round < 200; round++) {
        assignor_topic_t topics[T];
        assignor_member_t members[M];
        partition_set_t before[M];
        int32_t wanted[M][T];
        assignor_input_t input = { topics, T, members, 1 + chance(M) };
        int32_t total = 0, given = 0;
        int uneven = 0;

        memset(topics, 0, sizeof topics);
        memset(members, 0, sizeof members);
        memset(before, 0, sizeof before);
        for (int t = 0; t < T; t++) {
            topics[t].id.bytes[0] = (uint8_t)(t + 1);
            topics[t].partitions = 1 + chance(9);
        }
        for (int m = 0; m < input.member_count; m++) {
            members[m].id = text("m");
            members[m].instance_id = WIRE_STRING_NULL;
            members[m].topics = wanted[m];
            members[m].before = &before[m];
            for (int t = 0; t < T; t++)
                if (chance(3) > 0)
                    wanted[m][members[m].topic_count++] = t;
            for (int i = chance(6); i > 0; i--)
                set_add(&before[m], &topics[chance(T)].id, chance(9), 0);
        }
        assignor_uniform(&input, unit_pool());
        for (int t = 0; t < T; t++) {
            int subscribed = 0;

            for (int m = 0; m < input.member_count; m++)
                for (int i = 0; i < members[m].topic_count; i++)
                    subscribed |= wanted[m][i] == t;
            total += subscribed ? topics[t].partitions : 0;
        }
        for (int m = 0; m < input.member_count; m++) {
            given += members[m].after.count;
            for (int o = 0; o < input.member_count; o++)
                for (int i = 0; i < members[m].after.count; i++)
                    for (int w = 0; w < members[o].topic_count; w++)
                        if (wire_uuid_equal(&topics[wanted[o][w]].id,
                                            &members[m].after.items[i].topic) &&
                            members[m].after.count >
                                members[o].after.count + 1)
                            uneven++;
        }
        CU_ASSERT_EQUAL(given, total);
        CU_ASSERT_EQUAL(uneven, 0);
        for (int m = 0; m < M; m++) {
            set_free(&before[m]);
            set_free(&members[m].after);
        }
    }
}

UNIT_MAIN(UNIT_TEST(partitions_have_one_reader_whatever_consumers_do),
          UNIT_TEST(partitions_have_one_reader_whatever_classic_members_do),
          UNIT_TEST(the_uniform_assignor_is_even_for_any_subscriptions))
