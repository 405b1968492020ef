/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JoinGroup: members come, and a rebalance begins. In its first phase every
 * member's JoinGroup is parked; it ends when all have joined or the rebalance
 * timeout has passed, and all are answered with the new generation. An empty
 * group waits a little for more members first (KIP-134:
 * group.initial.rebalance.delay.ms).
 */
#include <apr_strings.h>

#include "base/logger.h"
#include "coordinator/consumer_state.h"
#include "coordinator/group_state.h"
#include "coordinator/memory.h"
#include "coordinator/text.h"
#include "protocol/join_group_response.h"

enum {
    MEMBER_ID_REQUIRED_FROM = 4, /* versions: KIP-394 */
    PROTOCOL_NULL_FROM = 7,
    SKIP_ASSIGNMENT_FROM = 9,    /* KIP-814 */
    NEW_MEMBER_TIMEOUT_MS = 5 * 60 * 1000 /* while its first join is parked */
};

/* ---- answers ------------------------------------------------------------- */

static join_group_response_t *new_response(const group_call_t *call,
                                           wire_string_t member_id)
{
    join_group_response_t *response =
        apr_palloc(call->pool, sizeof *response);

    join_group_response_init(response);
    response->member_id = member_id;
    response->leader = wire_string_literal("");
    response->protocol_name = call->version < PROTOCOL_NULL_FROM
                                  ? wire_string_literal("")
                                  : WIRE_STRING_NULL;
    return response;
}

static const void *refusal_as(const group_call_t *call,
                              wire_string_t member_id, int16_t error)
{
    join_group_response_t *response = new_response(call, member_id);

    response->error_code = error;
    return response;
}

static const void *refusal(group_call_t *call, int16_t error)
{
    const join_group_request_t *request = call->body;

    return refusal_as(call, request->member_id, error);
}

static wire_string_t keep(const group_call_t *call, wire_string_t text)
{
    if (text.length >= 0)
        text.data = apr_pstrmemdup(call->pool, text.data, text.length);
    return text;
}

static wire_bytes_t keep_bytes(const group_call_t *call, wire_bytes_t bytes)
{
    if (bytes.length > 0)
        bytes.data =
            apr_pmemdup(call->pool, bytes.data, (apr_size_t)bytes.length);
    return bytes;
}

/* What the leader is told of all members. */
static void list_members(const group_t *group, const group_call_t *call,
                         join_group_response_t *response)
{
    int32_t count = 0;

    response->members = apr_pcalloc(call->pool, group->classic.members.count *
                                                    sizeof *response->members);
    for (map_entry_t *entry = group->classic.members.first; entry;
         entry = entry->next) {
        const classic_member_t *member = entry->value;
        join_group_response_join_group_response_member_t *out =
            &response->members[count++];

        out->member_id = keep(call, member->id);
        out->group_instance_id = keep(call, member->instance_id);
        out->metadata = keep_bytes(call, classic_metadata(group, member));
    }
    response->members_count = count;
}

/* The current generation, as MEMBER is told of it. */
static join_group_response_t *generation_for(const group_t *group,
                                             const classic_member_t *member,
                                             const group_call_t *call,
                                             int as_leader)
{
    join_group_response_t *response =
        new_response(call, keep(call, member->id));

    response->generation_id = group->classic.generation;
    response->protocol_type = keep(call, group->classic.protocol_type);
    if (group->classic.protocol.length >= 0)
        response->protocol_name = keep(call, group->classic.protocol);
    response->leader = keep(call, group->classic.leader);
    if (as_leader)
        list_members(group, call, response);
    return response;
}

/* ---- the join phase ------------------------------------------------------ */

void classic_touch(classic_member_t *member)
{
    shard_set_deadline(member->group->shard, &member->session,
                       member->session_timeout_ms);
}

/* Dynamic members that did not join again in time are out; a static one keeps
 * its place until its session ends (KIP-345). */
static void drop_who_did_not_join(group_t *group)
{
    for (map_entry_t *entry = group->classic.members.first, *next; entry;
         entry = next) {
        classic_member_t *member = entry->value;

        next = entry->next;
        if (!member->join && member->instance_id.length < 0)
            classic_remove(group, member);
    }
}

/* A leader that did not join is followed by one who did; whether there is one
 * who did. */
static int elect_joined_leader(group_t *group)
{
    classic_t *classic = &group->classic;
    classic_member_t *leader =
        classic->leader.length >= 0 ? classic_member(group, classic->leader)
                                    : NULL;

    if (leader && leader->join)
        return 1;
    for (map_entry_t *entry = classic->members.first; entry;
         entry = entry->next) {
        const classic_member_t *member = entry->value;

        if (member->join) {
            text_replace(&classic->leader, member->id);
            return 1;
        }
    }
    return 0;
}

static void await_joins(group_t *group)
{
    group->classic.initial = 0;
    shard_set_deadline(group->shard, &group->classic.rebalance,
                       classic_rebalance_timeout(group));
}

static void answer_joins(group_t *group)
{
    for (map_entry_t *entry = group->classic.members.first; entry;
         entry = entry->next) {
        classic_member_t *member = entry->value;
        group_call_t *join = classic_unpark_join(group, member);

        if (join)
            shard_answer(group->shard, join,
                         generation_for(group, member, join,
                                        classic_is_leader(group, member)));
        classic_touch(member);
        member->is_new = 0;
        member->must_sync = 1;
    }
}

static void complete_join(group_t *group)
{
    classic_t *classic = &group->classic;

    shard_clear_deadline(group->shard, &classic->rebalance);
    drop_who_did_not_join(group);
    if (!elect_joined_leader(group) && classic->members.count > 0) {
        await_joins(group); /* static members only, and none has joined */
        return;
    }
    classic_next_generation(group);
    if (classic->state == CLASSIC_EMPTY) {
        classic_put(group);
        return;
    }
    answer_joins(group);
    shard_set_deadline(group->shard, &classic->syncing,
                       classic_rebalance_timeout(group));
}

/* The initial delay is over: another one, for who came meanwhile? */
static void initial_delay_passed(group_t *group)
{
    classic_t *classic = &group->classic;
    int32_t delay = shard_config(group->shard)->initial_rebalance_delay_ms;

    if (!classic->member_added || classic->remaining_ms == 0) {
        complete_join(group);
        return;
    }
    classic->member_added = 0;
    if (delay > classic->remaining_ms)
        delay = classic->remaining_ms;
    classic->remaining_ms -= classic->delay_ms;
    if (classic->remaining_ms < 0)
        classic->remaining_ms = 0;
    classic->delay_ms = delay;
    shard_set_deadline(group->shard, &classic->rebalance, delay);
}

void classic_rebalance_passed(deadline_t *deadline)
{
    group_t *group =
        (group_t *)((char *)deadline - offsetof(group_t, classic.rebalance));

    if (group->classic.initial)
        initial_delay_passed(group);
    else
        complete_join(group);
}

void classic_complete_if_all_joined(group_t *group)
{
    if (group->classic.state == CLASSIC_PREPARING &&
        group->classic.previous != CLASSIC_EMPTY && classic_all_joined(group))
        complete_join(group);
}

static void start_initial_delay(group_t *group)
{
    classic_t *classic = &group->classic;
    int32_t delay = shard_config(group->shard)->initial_rebalance_delay_ms;
    int32_t timeout = classic_rebalance_timeout(group);

    classic->initial = 1;
    classic->member_added = 0;
    classic->delay_ms = delay;
    classic->remaining_ms = timeout > delay ? timeout - delay : 0;
    shard_set_deadline(group->shard, &classic->rebalance, delay);
}

void classic_prepare_rebalance(group_t *group, const char *reason)
{
    classic_t *classic = &group->classic;
    int initial = classic->state == CLASSIC_EMPTY;

    if (classic->state == CLASSIC_COMPLETING) {
        for (map_entry_t *entry = classic->members.first; entry;
             entry = entry->next)
            bytes_free(&((classic_member_t *)entry->value)->assignment);
        classic_answer_syncs(group, KAFKA_REBALANCE_IN_PROGRESS);
    }
    shard_clear_deadline(group->shard, &classic->syncing);
    LOG_DEBUG(coordinator, "group %.*s, generation %d: rebalance, as %s",
              (int)group->id.length, group->id.data, (int)classic->generation,
              reason);
    classic_set_state(group, CLASSIC_PREPARING);
    if (initial)
        start_initial_delay(group);
    else if (classic_all_joined(group))
        complete_join(group);
    else
        await_joins(group);
}

void classic_rebalance_or_complete(group_t *group, const char *reason)
{
    if (group->classic.state == CLASSIC_PREPARING)
        classic_complete_if_all_joined(group);
    else
        classic_prepare_rebalance(group, reason);
}

/* ---- who joins ----------------------------------------------------------- */

static int32_t rebalance_timeout(const group_call_t *call,
                                 const join_group_request_t *request)
{
    return call->version == 0 ? request->session_timeout_ms
                              : request->rebalance_timeout_ms;
}

static classic_member_t *new_member(group_t *group, const group_call_t *call,
                                    wire_string_t id)
{
    const join_group_request_t *request = call->body;
    classic_member_t *member = memory_new(sizeof *member);

    member->group = group;
    member->session.passed = classic_session_passed;
    member->id = text_copy(id);
    member->instance_id = text_copy(request->group_instance_id);
    member->client_id = text_copy(call->client_id.length < 0
                                      ? wire_string_literal("")
                                      : call->client_id);
    member->client_host = text_copy(call->client_host);
    member->assignment = WIRE_BYTES_NULL;
    member->session_timeout_ms = request->session_timeout_ms;
    member->rebalance_timeout_ms = rebalance_timeout(call, request);
    return member;
}

static void add_member(group_t *group, group_call_t *call, wire_string_t id)
{
    const join_group_request_t *request = call->body;
    classic_t *classic = &group->classic;
    classic_member_t *member = new_member(group, call, id);

    member->is_new = 1;
    if (classic->state == CLASSIC_PREPARING &&
        classic->previous == CLASSIC_EMPTY)
        classic->member_added = 1;
    if (classic->members.count == 0)
        text_replace(&classic->protocol_type, request->protocol_type);
    classic_set_protocols(group, member, request->protocols,
                          request->protocols_count);
    classic_add(group, member, call);
    shard_set_deadline(group->shard, &member->session, NEW_MEMBER_TIMEOUT_MS);
    classic_rebalance_or_complete(group, "a member is new");
}

/* The member is told its id, and expected to come back with it (KIP-394). */
static void promise_id(group_t *group, group_call_t *call, wire_string_t id)
{
    classic_member_t *promised = new_member(group, call, id);

    promised->pending = 1;
    map_put(&group->classic.pending, id, promised);
    classic_touch(promised);
    shard_answer(group->shard, call,
                 refusal_as(call, id, KAFKA_MEMBER_ID_REQUIRED));
}

static void update_member(group_t *group, classic_member_t *member,
                          group_call_t *call)
{
    const join_group_request_t *request = call->body;
    group_call_t *former = classic_unpark_join(group, member);

    /* A client that asks twice has given up on its first request. */
    if (former)
        shard_refuse(group->shard, former, KAFKA_REBALANCE_IN_PROGRESS);
    classic_set_protocols(group, member, request->protocols,
                          request->protocols_count);
    member->session_timeout_ms = request->session_timeout_ms;
    member->rebalance_timeout_ms = rebalance_timeout(call, request);
    classic_park_join(group, member, call);
}

/* A static member came back under the same instance id, and everybody else
 * can go on as before: it is told the generation (KIP-345, KIP-814). */
static void resume_static(group_t *group, classic_member_t *member,
                          wire_string_t old_leader)
{
    group_call_t *join = classic_unpark_join(group, member);
    int leads = classic_is_leader(group, member);
    int skip = join->version >= SKIP_ASSIGNMENT_FROM;
    join_group_response_t *response =
        generation_for(group, member, join, leads && skip);

    if (skip)
        response->skip_assignment = leads;
    else
        response->leader = keep(join, old_leader);
    classic_put(group);
    shard_answer(group->shard, join, response);
}

static void replace_static(group_t *group, classic_member_t *member,
                           group_call_t *call, wire_string_t new_id)
{
    classic_t *classic = &group->classic;
    wire_string_t old_leader = text_copy(classic->leader);
    group_call_t *former = classic_unpark_join(group, member);

    if (former)
        shard_refuse(group->shard, former, KAFKA_FENCED_INSTANCE_ID);
    if (member->sync)
        shard_refuse(group->shard, member->sync, KAFKA_FENCED_INSTANCE_ID);
    member->sync = NULL;
    classic_rename(group, member, new_id);
    classic_touch(member);
    update_member(group, member, call);
    if (classic->state == CLASSIC_STABLE &&
        wire_string_equal(classic->protocol, classic_vote(group)))
        resume_static(group, member, old_leader);
    else if (classic->state == CLASSIC_PREPARING)
        classic_complete_if_all_joined(group);
    else
        classic_prepare_rebalance(group, "a static member came back");
    text_free(&old_leader);
}

static void join_without_id(group_t *group, group_call_t *call)
{
    const join_group_request_t *request = call->body;
    int is_static = request->group_instance_id.length >= 0;
    classic_member_t *former =
        is_static ? classic_static_member(group, request->group_instance_id)
                  : NULL;
    wire_string_t id = text_member_id(
        is_static ? request->group_instance_id : call->client_id, call->pool);

    if (!classic_supports(group, request->protocol_type, request->protocols,
                          request->protocols_count))
        shard_answer(group->shard, call,
                     refusal_as(call, wire_string_literal(""),
                                KAFKA_INCONSISTENT_GROUP_PROTOCOL));
    else if (former)
        replace_static(group, former, call, id);
    else if (!is_static && call->version >= MEMBER_ID_REQUIRED_FROM)
        promise_id(group, call, id);
    else
        add_member(group, call, id);
}

static int same_protocols(const classic_member_t *member,
                          const join_group_request_t *request)
{
    if (member->protocol_count != request->protocols_count)
        return 0;
    for (int i = 0; i < member->protocol_count; i++) {
        wire_bytes_t a = member->protocols[i].metadata;
        wire_bytes_t b = request->protocols[i].metadata;

        if (!wire_string_equal(member->protocols[i].name,
                               request->protocols[i].name) ||
            a.length != b.length ||
            (a.length > 0 && memcmp(a.data, b.data, (size_t)a.length)))
            return 0;
    }
    return 1;
}

/* A member of the group joins again. */
static void rejoin(group_t *group, classic_member_t *member,
                   group_call_t *call)
{
    const join_group_request_t *request = call->body;
    classic_state_t state = group->classic.state;
    int leads = classic_is_leader(group, member);

    if (state == CLASSIC_EMPTY) {
        shard_refuse(group->shard, call, KAFKA_UNKNOWN_MEMBER_ID);
    } else if (same_protocols(member, request) &&
               (state == CLASSIC_COMPLETING ||
                (state == CLASSIC_STABLE && !leads))) {
        /* Its answer was lost: the same once more. */
        shard_answer(group->shard, call,
                     generation_for(group, member, call,
                                    leads && state == CLASSIC_COMPLETING));
    } else {
        update_member(group, member, call);
        classic_rebalance_or_complete(group, "a member joins again");
    }
}

static void join_with_id(group_t *group, group_call_t *call)
{
    const join_group_request_t *request = call->body;
    int16_t error;

    if (!classic_supports(group, request->protocol_type, request->protocols,
                          request->protocols_count)) {
        shard_refuse(group->shard, call, KAFKA_INCONSISTENT_GROUP_PROTOCOL);
        return;
    }
    if (map_get(&group->classic.pending, request->member_id)) {
        add_member(group, call, request->member_id);
        return;
    }
    error = classic_check_member(group, request->member_id,
                                 request->group_instance_id);
    if (error)
        shard_refuse(group->shard, call, error);
    else
        rejoin(group, classic_member(group, request->member_id), call);
}

/* group.max.size: whether one more may wait for the generation. */
static int has_room(const group_t *group, wire_string_t member_id)
{
    const classic_t *classic = &group->classic;
    const classic_member_t *member = classic_member(group, member_id);
    uint32_t limit = (uint32_t)shard_config(group->shard)->max_size;

    switch (classic->state) {
    case CLASSIC_PREPARING:
        return (member && member->join) || classic->joining < limit;
    case CLASSIC_COMPLETING:
    case CLASSIC_STABLE:
        return member || classic->members.count < limit;
    default:
        return 1;
    }
}

static void refuse_full(group_t *group, group_call_t *call)
{
    const join_group_request_t *request = call->body;
    classic_member_t *promised =
        map_get(&group->classic.pending, request->member_id);
    classic_member_t *member = classic_member(group, request->member_id);

    if (promised)
        classic_remove(group, promised);
    if (member)
        classic_remove(group, member);
    shard_answer(group->shard, call,
                 refusal_as(call, wire_string_literal(""),
                            KAFKA_GROUP_MAX_SIZE_REACHED));
}

static void join_classic(group_shard_t *shard, group_call_t *call)
{
    const join_group_request_t *request = call->body;
    int has_id = request->member_id.length > 0;
    group_t *group = group_find(shard, request->group_id);
    int is_new = !group;

    if (!group && has_id) {
        shard_refuse(shard, call, KAFKA_UNKNOWN_MEMBER_ID);
        return;
    }
    if (!group)
        group = group_need(shard, request->group_id);
    if (!has_room(group, request->member_id))
        refuse_full(group, call);
    else if (has_id)
        join_with_id(group, call);
    else
        join_without_id(group, call);
    if (is_new && !shard->has_records && group->classic.generation == 0)
        classic_put(group);
}

static void join(group_shard_t *shard, group_call_t *call)
{
    const join_group_request_t *request = call->body;
    group_t *group = group_find(shard, request->group_id);

    if (group && group->type == GROUP_CONSUMER && !consumer_is_empty(group)) {
        consumer_join_classic(group, call);
        return;
    }
    if (group && group->type == GROUP_CONSUMER)
        consumer_become_classic(group); /* it is empty */
    join_classic(shard, call);
}

void group_join(group_coordinator_t *coordinator, group_call_t *call,
                const join_group_request_t *request)
{
    const group_config_t *config = &coordinator->config;
    group_shard_t *shard;
    int16_t error = KAFKA_NONE;

    call_begin(call, request, refusal);
    if (request->group_id.length <= 0)
        error = KAFKA_INVALID_GROUP_ID;
    else if (request->session_timeout_ms < config->min_session_timeout_ms ||
             request->session_timeout_ms > config->max_session_timeout_ms)
        error = KAFKA_INVALID_SESSION_TIMEOUT;
    if (!error)
        error = shard_enter(coordinator, request->group_id, &shard);
    if (error) {
        call_refuse(call, error);
        return;
    }
    join(shard, call);
    shard_leave(shard);
}
