/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of the consumer protocol (KIP-848), and between the protocols. */
#include "support.h"

#include "coordinator/partition_set.h"
#include "coordinator/topic_regex.h"
#include "metadata/image_edit.h"
#include "protocol/consumer_group_heartbeat_response.h"

/* ---- topics -------------------------------------------------------------- */

static int64_t image_position;

static image_text_t edit_text(const char *from)
{
    return (image_text_t){ from, strlen(from) };
}

static void set_topic(const char *name, int32_t partitions)
{
    metadata_image_t *edited = image ? image_edit(image) : image_create();
    wire_uuid_t id = id_of(name);
    int32_t node = 1;
    image_partition_t partition = { .leader = 1,
                                    .replicas = { &node, 1 },
                                    .isr = { &node, 1 } };
    int32_t first = 0;
    const image_topic_t *topic =
        image ? image_topic(image, name, strlen(name)) : NULL;

    if (topic)
        first = image_topic_partition_count(topic);
    else
        UNIT_OK(image_add_topic(edited, edit_text(name), &id));
    for (int32_t i = first; i < partitions; i++)
        UNIT_OK(image_put_partition(edited, &id, i, &partition));
    image_set_position(edited, ++image_position, 1);
    if (image)
        image_release(image);
    image = edited;
}

static void remove_topic(const char *name)
{
    metadata_image_t *edited = image_edit(image);
    wire_uuid_t id = id_of(name);

    UNIT_OK(image_remove_topic(edited, &id));
    image_set_position(edited, ++image_position, 1);
    image_release(image);
    image = edited;
}

static void open_group(void)
{
    begin();
    set_topic("t", 6);
}

static void close_group(void)
{
    finish();
    image_release(image);
    image = NULL;
}

/* ---- members ------------------------------------------------------------- */

typedef struct {
    const char *id;
    const char *instance;
    const char *topics;     /* "t,u"; NULL: by expression */
    const char *regex;
    const char *assignor;
    int32_t epoch;
    partition_set_t owned;  /* what the client reads */
    const consumer_group_heartbeat_response_t *answer;
} member_t;

static apr_status_t forget_set(void *set)
{
    set_free(set);
    return APR_SUCCESS;
}

/* An empty set that goes with the test. */
static partition_set_t *new_set(partition_set_t *set)
{
    if (!set)
        set = apr_pcalloc(unit_pool(), sizeof *set);
    apr_pool_cleanup_register(unit_pool(), set, forget_set,
                              apr_pool_cleanup_null);
    return set;
}

static member_t *member(const char *id)
{
    member_t *made = apr_pcalloc(unit_pool(), sizeof *made);

    new_set(&made->owned);
    made->id = id;
    made->topics = "t";
    return made;
}

static void list_names(const char *names, wire_string_t **list, int32_t *count)
{
    char *copy = apr_pstrdup(unit_pool(), names), *last;

    *list = apr_pcalloc(unit_pool(), 16 * sizeof **list);
    *count = 0;
    for (char *name = apr_strtok(copy, ",", &last); name;
         name = apr_strtok(NULL, ",", &last))
        (*list)[(*count)++] = text(name);
}

static void tell_owned(const partition_set_t *owned,
                       consumer_group_heartbeat_request_t *request)
{
    request->topic_partitions = apr_pcalloc(
        unit_pool(), (owned->count + 1) * sizeof *request->topic_partitions);
    request->topic_partitions_count = 0;
    for (int32_t at = 0, end; at < owned->count; at = end) {
        consumer_group_heartbeat_request_topic_partitions_t *to =
            &request->topic_partitions[request->topic_partitions_count++];

        end = set_topic_end(owned, at);
        to->topic_id = owned->items[at].topic;
        to->partitions = set_partitions(owned, at, end, unit_pool());
        to->partitions_count = end - at;
    }
}

/* The client takes what it is told to have at once. */
static void take_assignment(member_t *self)
{
    const consumer_group_heartbeat_response_assignment_t *told =
        self->answer->assignment;

    if (!told)
        return;
    set_free(&self->owned);
    for (int32_t t = 0; t < told->topic_partitions_count; t++)
        for (int32_t p = 0; p < told->topic_partitions[t].partitions_count;
             p++)
            set_add(&self->owned, &told->topic_partitions[t].topic_id,
                    told->topic_partitions[t].partitions[p], 0);
}

static int16_t send_beat(member_t *self, int32_t epoch)
{
    asked_t *asked = ask(1);
    consumer_group_heartbeat_request_t *request =
        apr_pcalloc(unit_pool(), sizeof *request);

    consumer_group_heartbeat_request_init(request);
    request->group_id = text("g");
    request->member_id = text(self->id);
    request->instance_id = text(self->instance);
    request->member_epoch = epoch;
    request->server_assignor = text(self->assignor);
    request->rebalance_timeout_ms = 30000;
    request->subscribed_topic_names_count = -1;
    if (self->topics)
        list_names(self->topics, &request->subscribed_topic_names,
                   &request->subscribed_topic_names_count);
    request->subscribed_topic_regex = text(self->regex);
    if (epoch == 0)
        set_free(&self->owned);
    tell_owned(&self->owned, request);
    consumer_group_heartbeat(coordinator, &asked->call, request);
    self->answer = asked->response;
    if (self->answer->error_code)
        return self->answer->error_code;
    self->epoch = self->answer->member_epoch;
    take_assignment(self);
    return KAFKA_NONE;
}

static int16_t heartbeat(member_t *self)
{
    return send_beat(self, self->epoch);
}

/* Until nothing moves any more. */
static void settle(member_t **members, int count)
{
    for (int round = 0; round < 10; round++)
        for (int i = 0; i < count; i++)
            CU_ASSERT_EQUAL(heartbeat(members[i]), KAFKA_NONE);
}

static const consumer_group_describe_response_described_group_t *
describe_consumer(void)
{
    consumer_group_describe_response_described_group_t *described =
        apr_pcalloc(unit_pool(), sizeof *described);

    consumer_group_describe(coordinator, text("g"), described, unit_pool());
    return described;
}

static int consumer_state_is(const char *state)
{
    return wire_string_equal_text(describe_consumer()->group_state, state);
}

static int has(const member_t *self, const char *topic, int32_t partition)
{
    wire_uuid_t id = id_of(topic);

    return set_has(&self->owned, &id, partition);
}

/* ---- joining ------------------------------------------------------------- */

static void the_first_member_gets_everything(void)
{
    member_t *a = member("a");

    open_group();
    CU_ASSERT_EQUAL(heartbeat(a), KAFKA_NONE);
    CU_ASSERT_EQUAL(a->owned.count, 6);
    CU_ASSERT_EQUAL(a->answer->heartbeat_interval_ms, 5000);
    CU_ASSERT_TRUE(consumer_state_is("Stable"));
    CU_ASSERT_EQUAL(heartbeat(a), KAFKA_NONE);
    close_group();
}

static void a_second_member_waits_for_what_the_first_gives_up(void)
{
    member_t *a = member("a"), *b = member("b");

    open_group();
    heartbeat(a);
    CU_ASSERT_EQUAL(heartbeat(b), KAFKA_NONE);
    CU_ASSERT_EQUAL(b->owned.count, 0);
    CU_ASSERT_TRUE(consumer_state_is("Reconciling"));
    heartbeat(a);      /* hears that it must give up three */
    CU_ASSERT_EQUAL(a->owned.count, 3);
    heartbeat(b);
    CU_ASSERT_EQUAL(b->owned.count, 0); /* not confirmed yet */
    heartbeat(a);      /* confirms */
    heartbeat(b);
    CU_ASSERT_EQUAL(b->owned.count, 3);
    CU_ASSERT_EQUAL(a->epoch, b->epoch);
    CU_ASSERT_TRUE(consumer_state_is("Stable"));
    close_group();
}

static void assignments_stay_with_who_had_them(void)
{
    member_t *m[3] = { member("a"), member("b"), member("c") };
    partition_set_t *before = new_set(NULL), *kept = new_set(NULL);

    open_group();
    settle(m, 2);
    set_copy(before, &m[0]->owned);
    settle(m, 3);
    set_select(kept, &m[0]->owned, before, 1);
    CU_ASSERT_EQUAL(kept->count, 2);
    CU_ASSERT_EQUAL(m[2]->owned.count, 2);
    close_group();
}

static void a_member_that_leaves_gives_all_to_the_others(void)
{
    member_t *m[2] = { member("a"), member("b") };

    open_group();
    settle(m, 2);
    CU_ASSERT_EQUAL(send_beat(m[1], -1), KAFKA_NONE);
    settle(m, 1);
    CU_ASSERT_EQUAL(m[0]->owned.count, 6);
    close_group();
}

static void a_silent_member_is_thrown_out(void)
{
    member_t *m[2] = { member("a"), member("b") };

    open_group();
    settle(m, 2);
    for (int i = 0; i < 11; i++) {
        pass(5000);
        heartbeat(m[0]);
    }
    settle(m, 1);
    CU_ASSERT_EQUAL(m[0]->owned.count, 6);
    CU_ASSERT_EQUAL(heartbeat(m[1]), KAFKA_UNKNOWN_MEMBER_ID);
    close_group();
}

static void who_does_not_give_up_in_time_is_thrown_out(void)
{
    member_t *a = member("a"), *b = member("b");
    partition_set_t *all = new_set(NULL);

    open_group();
    heartbeat(a);
    set_copy(all, &a->owned);
    heartbeat(b);
    for (int i = 0; i < 7; i++) {
        heartbeat(a);
        set_copy(&a->owned, all); /* goes on reading all */
        heartbeat(b);
        pass(5000);
    }
    CU_ASSERT_EQUAL(heartbeat(a), KAFKA_UNKNOWN_MEMBER_ID);
    settle(&b, 1);
    CU_ASSERT_EQUAL(b->owned.count, 6);
    close_group();
}

static void wrong_epochs_are_fenced(void)
{
    member_t *a = member("a");

    open_group();
    heartbeat(a);
    CU_ASSERT_EQUAL(send_beat(a, a->epoch + 1), KAFKA_FENCED_MEMBER_EPOCH);
    a->epoch = 1;
    CU_ASSERT_EQUAL(heartbeat(a), KAFKA_FENCED_MEMBER_EPOCH);
    CU_ASSERT_EQUAL(send_beat(a, -3), KAFKA_INVALID_REQUEST);
    close_group();
}

static void a_lost_answer_does_no_harm(void)
{
    member_t *a = member("a");

    open_group();
    heartbeat(a);
    CU_ASSERT_EQUAL(send_beat(a, 0), KAFKA_NONE); /* the same once more */
    CU_ASSERT_EQUAL(a->owned.count, 6);
    close_group();
}

static void bad_requests_are_refused(void)
{
    member_t *a = member("a"), *b = member("b");

    open_group();
    CU_ASSERT_EQUAL(send_beat(a, 7), KAFKA_GROUP_ID_NOT_FOUND);
    a->assignor = "strange";
    CU_ASSERT_EQUAL(heartbeat(a), KAFKA_UNSUPPORTED_ASSIGNOR);
    a->assignor = NULL;
    a->topics = NULL;
    CU_ASSERT_EQUAL(heartbeat(a), KAFKA_INVALID_REQUEST);
    a->topics = "t";
    heartbeat(a);
    CU_ASSERT_EQUAL(send_beat(b, 3), KAFKA_UNKNOWN_MEMBER_ID);
    close_group();
}

/* ---- topics -------------------------------------------------------------- */

static void new_partitions_are_assigned(void)
{
    member_t *m[2] = { member("a"), member("b") };

    open_group();
    settle(m, 2);
    set_topic("t", 8);
    settle(m, 2);
    CU_ASSERT_EQUAL(m[0]->owned.count, 4);
    CU_ASSERT_EQUAL(m[1]->owned.count, 4);
    close_group();
}

static void a_topic_is_assigned_while_it_exists(void)
{
    member_t *a = member("a");

    open_group();
    a->topics = "t,u";
    settle(&a, 1);
    CU_ASSERT_EQUAL(a->owned.count, 6);
    set_topic("u", 2);
    settle(&a, 1);
    CU_ASSERT_EQUAL(a->owned.count, 8);
    remove_topic("t");
    settle(&a, 1);
    CU_ASSERT_EQUAL(a->owned.count, 2);
    close_group();
}

static void a_changed_subscription_changes_the_assignment(void)
{
    member_t *a = member("a");

    open_group();
    set_topic("u", 3);
    settle(&a, 1);
    a->topics = "u";
    settle(&a, 1);
    CU_ASSERT_EQUAL(a->owned.count, 3);
    CU_ASSERT_TRUE(has(a, "u", 2));
    close_group();
}

static void expressions_subscribe_to_what_they_match(void)
{
    member_t *a = member("a");

    open_group();
    set_topic("u.logs", 2);
    set_topic("v.logs", 1);
    a->topics = NULL;
    a->regex = ".*\\.logs";
    if (heartbeat(a) == KAFKA_INVALID_REGULAR_EXPRESSION) {
        close_group();
        unit_skip("built without PCRE2");
        return;
    }
    settle(&a, 1);
    CU_ASSERT_EQUAL(a->owned.count, 3);
    set_topic("w.logs", 4);
    settle(&a, 1);
    CU_ASSERT_EQUAL(a->owned.count, 7);
    a->regex = "(";
    CU_ASSERT_EQUAL(heartbeat(a), KAFKA_INVALID_REGULAR_EXPRESSION);
    close_group();
}

static void the_members_choose_the_assignor(void)
{
    member_t *m[2] = { member("a"), member("b") };

    open_group();
    set_topic("u", 6);
    for (int i = 0; i < 2; i++) {
        m[i]->assignor = "range";
        m[i]->topics = "t,u";
    }
    settle(m, 2);
    for (int32_t p = 0; p < 3; p++) {
        CU_ASSERT_TRUE(has(m[0], "t", p));
        CU_ASSERT_TRUE(has(m[0], "u", p));
    }
    close_group();
}

static void different_subscriptions_are_balanced(void)
{
    member_t *m[3] = { member("a"), member("b"), member("c") };

    open_group();
    set_topic("u", 6);
    m[0]->topics = "t";
    m[1]->topics = "t,u";
    m[2]->topics = "u";
    settle(m, 3);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(m[i]->owned.count, 4);
    close_group();
}

/* ---- static members ------------------------------------------------------ */

static void a_static_member_comes_back_to_its_assignment(void)
{
    member_t *m[2] = { member("a"), member("b") }, *again = member("a2");
    partition_set_t *before = new_set(NULL);

    m[0]->instance = "i1";
    again->instance = "i1";
    open_group();
    settle(m, 2);
    set_copy(before, &m[0]->owned);
    CU_ASSERT_EQUAL(heartbeat(again), KAFKA_UNRELEASED_INSTANCE_ID);
    CU_ASSERT_EQUAL(send_beat(m[0], -2), KAFKA_NONE);
    settle(&m[1], 1);
    CU_ASSERT_EQUAL(m[1]->owned.count, 3);
    CU_ASSERT_EQUAL(send_beat(again, 0), KAFKA_NONE);
    CU_ASSERT_TRUE(set_equal(&again->owned, before));
    m[0]->epoch = again->epoch;
    CU_ASSERT_EQUAL(heartbeat(m[0]), KAFKA_FENCED_INSTANCE_ID);
    close_group();
}

/* ---- offsets and the journal --------------------------------------------- */

static void only_the_current_epoch_commits(void)
{
    member_t *a = member("a");

    open_group();
    heartbeat(a);
    CU_ASSERT_EQUAL(
        commit_error(commit_as("g", text("a"), a->epoch, "t", 0, 5)),
        KAFKA_NONE);
    CU_ASSERT_EQUAL(
        commit_error(commit_as("g", text("a"), a->epoch - 1, "t", 0, 5)),
        KAFKA_STALE_MEMBER_EPOCH);
    CU_ASSERT_EQUAL(
        commit_error(commit_as("g", text("a"), a->epoch + 1, "t", 0, 5)),
        KAFKA_STALE_MEMBER_EPOCH);
    CU_ASSERT_EQUAL(
        commit_error(commit_as("g", text("x"), a->epoch, "t", 0, 5)),
        KAFKA_UNKNOWN_MEMBER_ID);
    close_group();
}

static void an_older_epoch_commits_what_the_member_still_has(void)
{
    member_t *m[2] = { member("a"), member("b") };
    int32_t epoch, kept = 0, given = 0;

    open_group();
    heartbeat(m[0]);
    epoch = m[0]->epoch;
    settle(m, 2);
    CU_ASSERT_TRUE(epoch < m[0]->epoch);
    while (!has(m[0], "t", kept))
        kept++;
    while (has(m[0], "t", given))
        given++;
    CU_ASSERT_EQUAL(
        commit_error(commit_as("g", text("a"), epoch, "t", kept, 5)),
        KAFKA_NONE);
    CU_ASSERT_EQUAL(
        commit_error(commit_as("g", text("a"), epoch, "t", given, 5)),
        KAFKA_STALE_MEMBER_EPOCH);
    close_group();
}

static void a_restart_changes_nothing(void)
{
    member_t *m[2] = { member("a"), member("b") };
    int32_t epoch;

    open_group();
    settle(m, 2);
    commit_as("g", text("a"), m[0]->epoch, "t", 0, 5);
    epoch = m[0]->epoch;
    restart();
    CU_ASSERT_TRUE(consumer_state_is("Stable"));
    settle(m, 2);
    CU_ASSERT_EQUAL(m[0]->epoch, epoch);
    CU_ASSERT_EQUAL(m[0]->owned.count, 3);
    CU_ASSERT_EQUAL(fetch("g", "t", 0), 5);
    send_beat(m[0], -1);
    send_beat(m[1], -1);
    restart();
    CU_ASSERT_TRUE(consumer_state_is("Empty"));
    CU_ASSERT_EQUAL(fetch("g", "t", 0), 5);
    close_group();
}

static void a_restart_in_the_middle_goes_on(void)
{
    member_t *a = member("a"), *b = member("b"), *both[2] = { a, b };

    open_group();
    heartbeat(a);
    heartbeat(b);
    heartbeat(a);
    restart();
    settle(both, 2);
    CU_ASSERT_EQUAL(a->owned.count, 3);
    CU_ASSERT_EQUAL(b->owned.count, 3);
    close_group();
}

/* ---- between the protocols ----------------------------------------------- */

/* An assignment of partitions of topic t in the classic protocol. */
static wire_bytes_t classic_assignment(int32_t first, int32_t count)
{
    uint8_t *data = apr_pcalloc(unit_pool(), 64);
    int32_t at = 0;

    data[at += 5] = 1;          /* version 0, one topic */
    data[at += 2] = 1;
    data[++at] = 't';
    data[at += 4] = (uint8_t)count;
    for (int32_t i = 0; i < count; i++)
        data[at += 4] = (uint8_t)(first + i);
    memset(data + at + 1, 255, 4);
    return (wire_bytes_t){ data, at + 5 };
}

static void sync_classic(client_t *self, wire_bytes_t assignment)
{
    asked_t *asked = ask(5);
    sync_group_request_t *request = &asked->request.sync;

    sync_group_request_init(request);
    request->group_id = text("g");
    request->member_id = self->id;
    request->generation_id = self->generation;
    request->assignments = apr_pcalloc(unit_pool(),
                                       sizeof *request->assignments);
    request->assignments_count = 1;
    request->assignments->member_id = self->id;
    request->assignments->assignment = assignment;
    self->syncing = asked;
    group_sync(coordinator, &asked->call, request);
}

static client_t *classic_group_of_one(void)
{
    client_t *old = client("g");

    join(old);
    pass(3100);
    CU_ASSERT_TRUE(take_generation(old));
    sync_classic(old, classic_assignment(0, 6));
    CU_ASSERT_TRUE(is_state("g", "Stable"));
    return old;
}

/* The classic member joins and syncs; how many partitions it has then. */
static int32_t rejoin_classic(client_t *self)
{
    const sync_group_response_t *answer;

    join(self);
    CU_ASSERT_TRUE_FATAL(take_generation(self));
    sync_classic(self, bytes(""));
    answer = synced(self);
    if (answer->error_code || answer->assignment.length < 13)
        return -1;
    return answer->assignment.data[12];
}

static void a_classic_group_is_upgraded_online(void)
{
    member_t *fresh = member("new");
    client_t *old;

    open_group();
    old = classic_group_of_one();
    commit_as("g", old->id, old->generation, "t", 0, 5);
    CU_ASSERT_EQUAL(heartbeat(fresh), KAFKA_NONE);
    CU_ASSERT_EQUAL(fresh->owned.count, 0);
    CU_ASSERT_EQUAL(beat(old), KAFKA_REBALANCE_IN_PROGRESS);
    CU_ASSERT_EQUAL(rejoin_classic(old), 3); /* owns none: a lazy client */
    heartbeat(fresh);
    CU_ASSERT_EQUAL(fresh->owned.count, 3);
    CU_ASSERT_EQUAL(beat(old), KAFKA_NONE);
    CU_ASSERT_EQUAL(fetch("g", "t", 0), 5);
    CU_ASSERT_EQUAL(describe_consumer()->members_count, 2);
    restart();
    CU_ASSERT_EQUAL(describe_consumer()->members_count, 2);
    CU_ASSERT_EQUAL(beat(old), KAFKA_NONE);
    CU_ASSERT_EQUAL(leave(old), KAFKA_NONE);
    settle(&fresh, 1);
    CU_ASSERT_EQUAL(fresh->owned.count, 6);
    close_group();
}

static void a_group_is_downgraded_when_the_last_new_member_leaves(void)
{
    member_t *fresh = member("new");
    client_t *old;

    open_group();
    old = classic_group_of_one();
    heartbeat(fresh);
    rejoin_classic(old);
    heartbeat(fresh);
    CU_ASSERT_EQUAL(send_beat(fresh, -1), KAFKA_NONE);
    CU_ASSERT_TRUE(is_state("g", "PreparingRebalance"));
    CU_ASSERT_EQUAL(beat(old), KAFKA_REBALANCE_IN_PROGRESS);
    join(old);
    CU_ASSERT_TRUE(take_generation(old));
    sync_classic(old, classic_assignment(0, 6));
    CU_ASSERT_TRUE(is_state("g", "Stable"));
    restart();
    CU_ASSERT_TRUE(is_state("g", "Stable"));
    close_group();
}

static void without_the_policy_a_classic_group_stays_one(void)
{
    member_t *fresh = member("new");

    open_group();
    config.migration = GROUP_MIGRATION_DISABLED;
    restart();
    classic_group_of_one();
    CU_ASSERT_EQUAL(heartbeat(fresh), KAFKA_GROUP_ID_NOT_FOUND);
    close_group();
}

static void an_empty_group_changes_its_protocol(void)
{
    member_t *fresh = member("new");
    client_t *old;

    open_group();
    old = classic_group_of_one();
    commit_as("g", old->id, old->generation, "t", 0, 5);
    leave(old);
    CU_ASSERT_EQUAL(heartbeat(fresh), KAFKA_NONE);
    CU_ASSERT_TRUE(consumer_state_is("Stable"));
    send_beat(fresh, -1);
    old = classic_group_of_one();
    restart();
    CU_ASSERT_TRUE(is_state("g", "Stable"));
    CU_ASSERT_EQUAL(fetch("g", "t", 0), 5);
    close_group();
}

/* ---- expressions --------------------------------------------------------- */

static int expression(const char *pattern, const char *name)
{
    const char *error;
    topic_regex_t *regex =
        topic_regex_compile(text(pattern), &error, unit_pool());
    int matches;

    if (!regex)
        return -1;
    matches = topic_regex_matches(regex, name, strlen(name));
    topic_regex_free(regex);
    return matches;
}

static void expressions_are_those_of_re2(void)
{
    if (expression("a", "a") < 0) {
        unit_skip("built without PCRE2");
        return;
    }
    CU_ASSERT_EQUAL(expression("foo", "foo"), 1);
    CU_ASSERT_EQUAL(expression("foo", "foobar"), 0);
    CU_ASSERT_EQUAL(expression("foo|foobar", "foobar"), 1);
    CU_ASSERT_EQUAL(expression("fo{2}\\d+?", "foo42"), 1);
    CU_ASSERT_EQUAL(expression("(?i)FOO", "foo"), 1);
    CU_ASSERT_EQUAL(expression("(?P<x>a)[]b]*", "a]b"), 1);
    CU_ASSERT_EQUAL(expression("a{,2}", "a{,2}"), 1);
    CU_ASSERT_EQUAL(expression("(", ""), -1);
    CU_ASSERT_EQUAL(expression("(a)\\1", "aa"), -1);
    CU_ASSERT_EQUAL(expression("(?=a)a", "a"), -1);
    CU_ASSERT_EQUAL(expression("(?<!b)a", "a"), -1);
    CU_ASSERT_EQUAL(expression("(?>a)", "a"), -1);
    CU_ASSERT_EQUAL(expression("a++", "a"), -1);
    CU_ASSERT_EQUAL(expression("a{1001}", "a"), -1);
    CU_ASSERT_EQUAL(expression("(*FAIL)", "a"), -1);
    CU_ASSERT_EQUAL(expression("a\\", "a"), -1);
}

static void no_expression_takes_forever(void)
{
    if (expression("a", "a") < 0) {
        unit_skip("built without PCRE2");
        return;
    }
    CU_ASSERT_EQUAL(expression("(a*)*(a*)*(a*)*b",
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"),
                    0);
}

UNIT_MAIN(UNIT_TEST(the_first_member_gets_everything),
          UNIT_TEST(a_second_member_waits_for_what_the_first_gives_up),
          UNIT_TEST(assignments_stay_with_who_had_them),
          UNIT_TEST(a_member_that_leaves_gives_all_to_the_others),
          UNIT_TEST(a_silent_member_is_thrown_out),
          UNIT_TEST(who_does_not_give_up_in_time_is_thrown_out),
          UNIT_TEST(wrong_epochs_are_fenced),
          UNIT_TEST(a_lost_answer_does_no_harm),
          UNIT_TEST(bad_requests_are_refused),
          UNIT_TEST(new_partitions_are_assigned),
          UNIT_TEST(a_topic_is_assigned_while_it_exists),
          UNIT_TEST(a_changed_subscription_changes_the_assignment),
          UNIT_TEST(expressions_subscribe_to_what_they_match),
          UNIT_TEST(the_members_choose_the_assignor),
          UNIT_TEST(different_subscriptions_are_balanced),
          UNIT_TEST(a_static_member_comes_back_to_its_assignment),
          UNIT_TEST(only_the_current_epoch_commits),
          UNIT_TEST(an_older_epoch_commits_what_the_member_still_has),
          UNIT_TEST(a_restart_changes_nothing),
          UNIT_TEST(a_restart_in_the_middle_goes_on),
          UNIT_TEST(a_classic_group_is_upgraded_online),
          UNIT_TEST(a_group_is_downgraded_when_the_last_new_member_leaves),
          UNIT_TEST(without_the_policy_a_classic_group_stays_one),
          UNIT_TEST(an_empty_group_changes_its_protocol),
          UNIT_TEST(expressions_are_those_of_re2),
          UNIT_TEST(no_expression_takes_forever))
