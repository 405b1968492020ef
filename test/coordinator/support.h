/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A coordinator on a journal in memory, with clocks that stand still: tests of
 * the state machines. Include once, in a test program of one thread.
 */
#ifndef TAKHIN_TEST_COORDINATOR_SUPPORT_H
#define TAKHIN_TEST_COORDINATOR_SUPPORT_H

#include <apr_strings.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "coordinator/groups.h"
#include "protocol/error_code.h"
#include "protocol/heartbeat_response.h"
#include "protocol/join_group_response.h"
#include "protocol/leave_group_response.h"
#include "protocol/offset_commit_response.h"
#include "protocol/sync_group_response.h"
#include "record/batch.h"
#include "unit.h"

/* ---- the journal --------------------------------------------------------- */

enum { JOURNAL_ROOM = 8 * 1024 * 1024 };

typedef struct {
    uint8_t *data;
    size_t length;
    int64_t end;
    int64_t flushed;          /* -1: everything is at once */
    apr_status_t fails;       /* what an append returns */
    apr_status_t lost;        /* what a flush ends with */
    int missing;              /* the topic is not there */
    int appends;
    journal_moved_fn moved;
    void *baton;
} journal_t;

static apr_status_t memory_open(const journal_driver_t *driver, int32_t index,
                                journal_moved_fn moved, void *baton,
                                void **out)
{
    journal_t *journal = driver->baton;

    (void)index;
    if (journal->missing)
        return TAKHIN_EUNKNOWN_TOPIC;
    journal->moved = moved;
    journal->baton = baton;
    *out = journal;
    return APR_SUCCESS;
}

static void memory_close(void *journal)
{
    ((journal_t *)journal)->moved = NULL;
}

static apr_status_t memory_replay(void *baton, journal_batch_fn each,
                                  void *to)
{
    journal_t *journal = baton;
    size_t at = 0;

    while (at < journal->length) {
        record_batch_t batch;
        apr_status_t status = record_batch_parse(&batch, journal->data + at,
                                                 journal->length - at);

        if (!status)
            status = each(to, &batch, journal->data + at);
        if (status)
            return status;
        at += record_batch_size(&batch);
    }
    return APR_SUCCESS;
}

static apr_status_t memory_append(void *baton, uint8_t *data, size_t length,
                                  int64_t *base_offset, int64_t *end)
{
    journal_t *journal = baton;
    record_batch_t batch;

    if (journal->fails)
        return journal->fails;
    TAKHIN_ASSERT(journal->length + length <= JOURNAL_ROOM);
    TAKHIN_ASSERT(!record_batch_parse(&batch, data, length));
    record_batch_set_base_offset(data, journal->end);
    memcpy(journal->data + journal->length, data, length);
    journal->length += length;
    *base_offset = journal->end;
    journal->end += batch.last_offset_delta + 1;
    *end = journal->end;
    journal->appends++;
    return APR_SUCCESS;
}

static void memory_request_flush(void *journal)
{
    (void)journal;
}

static apr_status_t memory_flushed(void *baton, int64_t end)
{
    const journal_t *journal = baton;

    if (journal->lost)
        return journal->lost;
    return journal->flushed < 0 || journal->flushed >= end ? APR_SUCCESS
                                                           : APR_EAGAIN;
}

/* ---- the coordinator ----------------------------------------------------- */

static journal_t journal;
static group_coordinator_t *coordinator;
static group_config_t config;
static const metadata_image_t *image; /* where the test needs one */

static const metadata_image_t *current_image(void *baton)
{
    (void)baton;
    image_retain(image);
    return image;
}

static void run_now(void *baton, coordinator_task_t *task)
{
    (void)baton;
    (void)task; /* tests tick themselves */
}

/* Starts on what the journal holds. */
static void start(void)
{
    journal_driver_t driver = { memory_open,   memory_close,
                                memory_replay, memory_append,
                                memory_request_flush, memory_flushed,
                                &journal,      "__consumer_offsets" };
    coordinator_workers_t workers = { run_now, NULL };
    group_metadata_t metadata = { current_image, NULL };

    UNIT_OK(group_coordinator_create(&coordinator, &config, 1, &driver,
                                     &workers, NULL, &metadata, unit_pool()));
    group_coordinator_tick(coordinator);
}

static void begin(void)
{
    memset(&journal, 0, sizeof journal);
    journal.data = apr_palloc(unit_pool(), JOURNAL_ROOM);
    journal.flushed = -1;
    clock_test_begin(apr_time_from_sec(1000), 1700000000000);
    group_config_init(&config);
    start();
}

static void finish(void)
{
    group_coordinator_stop(coordinator);
    group_coordinator_destroy(coordinator);
    clock_test_end();
}

/* The broker dies and comes back. */
static void restart(void)
{
    group_coordinator_stop(coordinator);
    group_coordinator_destroy(coordinator);
    start();
}

/* Time passes in steps, so that one deadline can set the next. */
static void pass(int64_t ms)
{
    while (ms > 0) {
        int64_t step = ms < 100 ? ms : 100;

        clock_test_advance(apr_time_from_msec(step));
        group_coordinator_tick(coordinator);
        ms -= step;
    }
}

/* ---- calls --------------------------------------------------------------- */

typedef struct {
    group_call_t call;
    const void *response;     /* NULL: still waiting */
    union {
        join_group_request_t join;
        sync_group_request_t sync;
        heartbeat_request_t heartbeat;
        leave_group_request_t leave;
        offset_commit_request_t commit;
        txn_offset_commit_request_t txn_commit;
        offset_delete_request_t delete;
    } request;
} asked_t;

static void note_response(group_call_t *call, const void *response)
{
    ((asked_t *)call)->response = response;
}

static asked_t *ask(int16_t version)
{
    asked_t *asked = apr_pcalloc(unit_pool(), sizeof *asked);

    asked->call.done = note_response;
    asked->call.pool = unit_pool();
    asked->call.client_id = wire_string_literal("client");
    asked->call.client_host = wire_string_literal("/127.0.0.1");
    asked->call.version = version;
    return asked;
}

static wire_string_t text(const char *from)
{
    return wire_string_from(from);
}

static wire_bytes_t bytes(const char *from)
{
    return (wire_bytes_t){ (const uint8_t *)from, (int32_t)strlen(from) };
}

/* ---- classic members ----------------------------------------------------- */

typedef struct {
    const char *group;
    const char *type;
    const char *protocols;    /* "range,sticky": by preference */
    wire_string_t id;         /* "" at first */
    const char *instance;     /* or NULL */
    int32_t session_ms, rebalance_ms;
    int32_t generation;
    asked_t *joining, *syncing;
} client_t;

static client_t *client(const char *group)
{
    client_t *made = apr_pcalloc(unit_pool(), sizeof *made);

    made->group = group;
    made->type = "consumer";
    made->protocols = "range";
    made->id = wire_string_literal("");
    made->session_ms = 10000;
    made->rebalance_ms = 30000;
    return made;
}

/* The metadata of a consumer that subscribes to topic "t". */
static wire_bytes_t subscription(void)
{
    static const uint8_t data[] = { 0, 0, 0, 0, 0, 1, 0, 1,
                                    't', 255, 255, 255, 255 };

    return (wire_bytes_t){ data, sizeof data };
}

static asked_t *join_at(client_t *self, int16_t version)
{
    asked_t *asked = ask(version);
    join_group_request_t *request = &asked->request.join;
    char *names = apr_pstrdup(unit_pool(), self->protocols), *last;

    join_group_request_init(request);
    request->group_id = text(self->group);
    request->member_id = self->id;
    request->group_instance_id = text(self->instance);
    request->protocol_type = text(self->type);
    request->session_timeout_ms = self->session_ms;
    request->rebalance_timeout_ms = self->rebalance_ms;
    request->protocols =
        apr_pcalloc(unit_pool(), 8 * sizeof *request->protocols);
    for (char *name = apr_strtok(names, ",", &last); name;
         name = apr_strtok(NULL, ",", &last)) {
        request->protocols[request->protocols_count].name = text(name);
        request->protocols[request->protocols_count++].metadata =
            subscription();
    }
    self->joining = asked;
    group_join(coordinator, &asked->call, request);
    return asked;
}

static const join_group_response_t *joined(const client_t *self)
{
    return self->joining->response;
}

/* Joins, first for an id where that is needed; parked afterwards. */
static void join(client_t *self)
{
    join_at(self, 9);
    if (joined(self) &&
        joined(self)->error_code == KAFKA_MEMBER_ID_REQUIRED) {
        self->id = joined(self)->member_id;
        join_at(self, 9);
    }
}

/* Takes the generation from the answer; whether there was one. */
static int take_generation(client_t *self)
{
    if (!joined(self) || joined(self)->error_code)
        return 0;
    self->id = joined(self)->member_id;
    self->generation = joined(self)->generation_id;
    return 1;
}

/* A leader assigns "for <id>" to each member it was told of. */
static asked_t *synchronize(client_t *self)
{
    asked_t *asked = ask(5);
    sync_group_request_t *request = &asked->request.sync;
    const join_group_response_t *told = joined(self);

    sync_group_request_init(request);
    request->group_id = text(self->group);
    request->member_id = self->id;
    request->group_instance_id = text(self->instance);
    request->generation_id = self->generation;
    request->assignments = apr_pcalloc(
        unit_pool(), (told->members_count + 1) * sizeof *request->assignments);
    for (int32_t i = 0; i < told->members_count; i++) {
        request->assignments[i].member_id = told->members[i].member_id;
        request->assignments[i].assignment = bytes(
            apr_psprintf(unit_pool(), "for %.*s",
                         (int)told->members[i].member_id.length,
                         told->members[i].member_id.data));
    }
    request->assignments_count = told->members_count;
    self->syncing = asked;
    group_sync(coordinator, &asked->call, request);
    return asked;
}

static const sync_group_response_t *synced(const client_t *self)
{
    return self->syncing->response;
}

static int16_t beat(const client_t *self)
{
    asked_t *asked = ask(4);
    heartbeat_request_t *request = &asked->request.heartbeat;

    heartbeat_request_init(request);
    request->group_id = text(self->group);
    request->member_id = self->id;
    request->group_instance_id = text(self->instance);
    request->generation_id = self->generation;
    group_heartbeat(coordinator, &asked->call, request);
    return ((const heartbeat_response_t *)asked->response)->error_code;
}

static int16_t leave(const client_t *self)
{
    asked_t *asked = ask(5);
    leave_group_request_t *request = &asked->request.leave;
    const leave_group_response_t *response;

    leave_group_request_init(request);
    request->group_id = text(self->group);
    request->members = apr_pcalloc(unit_pool(), sizeof *request->members);
    leave_group_request_member_identity_init(request->members);
    request->members->member_id = self->id;
    request->members->group_instance_id = text(self->instance);
    request->members_count = 1;
    group_leave(coordinator, &asked->call, request);
    response = asked->response;
    return response->error_code ? response->error_code
                                : response->members[0].error_code;
}

/* What DescribeGroups says. */
static const describe_groups_response_described_group_t *
describe(const char *group)
{
    describe_groups_response_described_group_t *described =
        apr_pcalloc(unit_pool(), sizeof *described);

    group_describe(coordinator, text(group), 6, described, unit_pool());
    return described;
}

static int is_state(const char *group, const char *state)
{
    return wire_string_equal_text(describe(group)->group_state, state);
}

/* A stable group of COUNT members in MEMBERS. */
static void stabilize(client_t **members, int count, const char *group)
{
    for (int i = 0; i < count; i++) {
        if (!members[i])
            members[i] = client(group);
        join(members[i]);
    }
    pass(config.initial_rebalance_delay_ms * 2 + 100);
    for (int i = 0; i < count; i++)
        CU_ASSERT_TRUE(take_generation(members[i]));
    for (int i = 0; i < count; i++)
        synchronize(members[i]);
    for (int i = 0; i < count; i++)
        CU_ASSERT_PTR_NOT_NULL_FATAL(synced(members[i]));
}

/* The id of a topic is its first letter, sixteen times. */
static wire_uuid_t id_of(const char *name)
{
    wire_uuid_t id;

    memset(id.bytes, name[0], sizeof id.bytes);
    return id;
}

/* ---- offsets ------------------------------------------------------------- */

static asked_t *commit_as(const char *group, wire_string_t member,
                          int32_t generation, const char *topic,
                          int32_t partition, int64_t offset)
{
    asked_t *asked = ask(9);
    offset_commit_request_t *request = &asked->request.commit;

    offset_commit_request_init(request);
    request->group_id = text(group);
    request->member_id = member;
    request->generation_id_or_member_epoch = generation;
    request->topics = apr_pcalloc(unit_pool(), sizeof *request->topics);
    request->topics_count = 1;
    request->topics->name = text(topic);
    request->topics->topic_id = id_of(topic);
    request->topics->partitions =
        apr_pcalloc(unit_pool(), sizeof *request->topics->partitions);
    request->topics->partitions_count = 1;
    request->topics->partitions->partition_index = partition;
    request->topics->partitions->committed_offset = offset;
    request->topics->partitions->committed_leader_epoch = -1;
    request->topics->partitions->committed_metadata = text("m");
    offsets_commit(coordinator, &asked->call, request);
    return asked;
}

static asked_t *commit(const char *group, const char *topic,
                       int32_t partition, int64_t offset)
{
    return commit_as(group, wire_string_literal(""), -1, topic, partition,
                     offset);
}

static int16_t commit_error(const asked_t *asked)
{
    const offset_commit_response_t *response = asked->response;

    return response->topics[0].partitions[0].error_code;
}

/* The committed offset, -1: none, -2 - code: refused. */
static int64_t fetch_stable(const char *group, const char *topic,
                            int32_t partition, int stable)
{
    offset_fetch_request_offset_fetch_request_group_t request;
    offset_fetch_request_offset_fetch_request_topics_t asked;
    offset_fetch_response_offset_fetch_response_group_t response;

    offset_fetch_request_offset_fetch_request_group_init(&request);
    offset_fetch_request_offset_fetch_request_topics_init(&asked);
    request.group_id = text(group);
    request.topics = &asked;
    request.topics_count = 1;
    asked.name = text(topic);
    asked.partition_indexes = &partition;
    asked.partition_indexes_count = 1;
    offsets_fetch(coordinator, &request, stable, &response, unit_pool());
    if (response.error_code)
        return -2 - response.error_code;
    if (response.topics[0].partitions[0].error_code)
        return -2 - response.topics[0].partitions[0].error_code;
    return response.topics[0].partitions[0].committed_offset;
}

static int64_t fetch(const char *group, const char *topic, int32_t partition)
{
    return fetch_stable(group, topic, partition, 0);
}

/* Test programs use what they need of it. */
static inline void support_used(void)
{
    (void)restart;
    (void)join_at;
    (void)beat;
    (void)leave;
    (void)is_state;
    (void)stabilize;
    (void)commit;
    (void)commit_error;
    (void)fetch;
    (void)finish;
    (void)begin;
}

#endif
