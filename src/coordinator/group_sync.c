/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second phase of a rebalance: SyncGroups are parked until the leader's
 * brings the assignment, which is written down and handed out. And what keeps
 * a member in its group: heartbeats, and the deadlines for lack of them.
 */
#include <apr_strings.h>

#include "base/logger.h"
#include "coordinator/consumer_state.h"
#include "coordinator/group_state.h"
#include "coordinator/memory.h"
#include "protocol/heartbeat_response.h"
#include "protocol/sync_group_response.h"

/* ---- SyncGroup ----------------------------------------------------------- */

static sync_group_response_t *new_response(const group_call_t *call,
                                           int16_t error)
{
    sync_group_response_t *response = apr_palloc(call->pool, sizeof *response);

    sync_group_response_init(response);
    response->error_code = error;
    response->assignment = (wire_bytes_t){ (const uint8_t *)"", 0 };
    return response;
}

static const void *refusal(group_call_t *call, int16_t error)
{
    return new_response(call, error);
}

static const void *assignment_for(const group_t *group,
                                  const classic_member_t *member,
                                  const group_call_t *call)
{
    const classic_t *classic = &group->classic;
    sync_group_response_t *response = new_response(call, KAFKA_NONE);

    response->protocol_type.length = classic->protocol_type.length;
    if (classic->protocol_type.length >= 0)
        response->protocol_type.data =
            apr_pstrmemdup(call->pool, classic->protocol_type.data,
                           classic->protocol_type.length);
    response->protocol_name.length = classic->protocol.length;
    if (classic->protocol.length >= 0)
        response->protocol_name.data = apr_pstrmemdup(
            call->pool, classic->protocol.data, classic->protocol.length);
    if (member->assignment.length > 0) {
        response->assignment.length = member->assignment.length;
        response->assignment.data =
            apr_pmemdup(call->pool, member->assignment.data,
                        (apr_size_t)member->assignment.length);
    }
    return response;
}

void classic_answer_syncs(group_t *group, int16_t error)
{
    for (map_entry_t *entry = group->classic.members.first; entry;
         entry = entry->next) {
        classic_member_t *member = entry->value;
        group_call_t *sync = member->sync;

        if (!sync)
            continue;
        member->sync = NULL;
        shard_answer(group->shard, sync,
                     error ? sync->refusal(sync, error)
                           : assignment_for(group, member, sync));
        classic_touch(member);
    }
}

static int differs(wire_string_t told, wire_string_t kept)
{
    return told.length >= 0 && kept.length >= 0 &&
           !wire_string_equal(told, kept);
}

static int16_t sync_error(const group_t *group,
                          const sync_group_request_t *request)
{
    const classic_t *classic = &group->classic;
    int16_t error = classic_check_member(group, request->member_id,
                                         request->group_instance_id);

    if (error)
        return error;
    if (request->generation_id != classic->generation)
        return KAFKA_ILLEGAL_GENERATION;
    if (differs(request->protocol_type, classic->protocol_type) ||
        differs(request->protocol_name, classic->protocol))
        return KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    return classic->state == CLASSIC_PREPARING ? KAFKA_REBALANCE_IN_PROGRESS
                                               : KAFKA_NONE;
}

/* The leader's assignment; who is not in it has an empty one. */
static void take_assignment(group_t *group,
                            const sync_group_request_t *request)
{
    for (map_entry_t *entry = group->classic.members.first; entry;
         entry = entry->next)
        bytes_replace(&((classic_member_t *)entry->value)->assignment,
                      (wire_bytes_t){ (const uint8_t *)"", 0 });
    for (int32_t i = 0; i < request->assignments_count; i++) {
        classic_member_t *member =
            classic_member(group, request->assignments[i].member_id);

        if (member)
            bytes_replace(&member->assignment,
                          request->assignments[i].assignment);
    }
}

static void sync_completing(group_t *group, classic_member_t *member,
                            group_call_t *call)
{
    if (member->sync) /* asked again: the first request was given up */
        shard_refuse(group->shard, member->sync, KAFKA_REBALANCE_IN_PROGRESS);
    member->sync = call;
    member->must_sync = 0;
    if (!classic_is_leader(group, member))
        return;
    take_assignment(group, call->body);
    classic_put(group);
    classic_answer_syncs(group, KAFKA_NONE);
    classic_set_state(group, CLASSIC_STABLE);
}

static void sync_classic(group_t *group, group_call_t *call)
{
    const sync_group_request_t *request = call->body;
    int16_t error = sync_error(group, request);
    classic_member_t *member;

    if (error) {
        shard_refuse(group->shard, call, error);
        return;
    }
    member = classic_member(group, request->member_id);
    if (group->classic.state == CLASSIC_COMPLETING) {
        sync_completing(group, member, call);
        return;
    }
    member->must_sync = 0;
    shard_answer(group->shard, call, assignment_for(group, member, call));
}

void group_sync(group_coordinator_t *coordinator, group_call_t *call,
                const sync_group_request_t *request)
{
    group_shard_t *shard;
    group_t *group;
    int16_t error;

    call_begin(call, request, refusal);
    error = request->group_id.length > 0
                ? shard_enter(coordinator, request->group_id, &shard)
                : KAFKA_INVALID_GROUP_ID;
    if (error) {
        call_refuse(call, error);
        return;
    }
    group = group_find(shard, request->group_id);
    if (!group || group_is_empty(group))
        shard_refuse(shard, call, KAFKA_UNKNOWN_MEMBER_ID);
    else if (group->type == GROUP_CONSUMER)
        consumer_sync_classic(group, call);
    else
        sync_classic(group, call);
    shard_leave(shard);
}

/* ---- Heartbeat ----------------------------------------------------------- */

static const void *heartbeat_refusal(group_call_t *call, int16_t error)
{
    heartbeat_response_t *response = apr_palloc(call->pool, sizeof *response);

    heartbeat_response_init(response);
    /* While the shard is loading its members are alive (as in Kafka). */
    response->error_code =
        error == KAFKA_COORDINATOR_LOAD_IN_PROGRESS ? KAFKA_NONE : error;
    return response;
}

static int16_t heartbeat_classic(group_t *group,
                                 const heartbeat_request_t *request)
{
    int16_t error = classic_check_member(group, request->member_id,
                                         request->group_instance_id);

    if (error)
        return error;
    if (request->generation_id != group->classic.generation)
        return KAFKA_ILLEGAL_GENERATION;
    if (group->classic.state == CLASSIC_EMPTY)
        return KAFKA_UNKNOWN_MEMBER_ID;
    classic_touch(classic_member(group, request->member_id));
    return group->classic.state == CLASSIC_PREPARING
               ? KAFKA_REBALANCE_IN_PROGRESS
               : KAFKA_NONE;
}

void group_heartbeat(group_coordinator_t *coordinator, group_call_t *call,
                     const heartbeat_request_t *request)
{
    group_shard_t *shard;
    group_t *group;
    int16_t error;

    call_begin(call, request, heartbeat_refusal);
    error = request->group_id.length > 0
                ? shard_enter(coordinator, request->group_id, &shard)
                : KAFKA_INVALID_GROUP_ID;
    if (error) {
        call_refuse(call, error);
        return;
    }
    group = group_find(shard, request->group_id);
    if (!group)
        error = KAFKA_UNKNOWN_MEMBER_ID;
    else if (group->type == GROUP_CONSUMER)
        error = consumer_heartbeat_classic(group, request);
    else
        error = heartbeat_classic(group, request);
    shard_refuse(shard, call, error);
    shard_leave(shard);
}

/* ---- deadlines ----------------------------------------------------------- */

static void remove_lost(group_t *group, classic_member_t *member)
{
    group_call_t *join = classic_unpark_join(group, member);

    if (join)
        shard_refuse(group->shard, join, KAFKA_UNKNOWN_MEMBER_ID);
    classic_remove(group, member);
    if (group->classic.state == CLASSIC_PREPARING)
        classic_complete_if_all_joined(group);
    else
        classic_prepare_rebalance(group, "a member's session ended");
}

void classic_session_passed(deadline_t *deadline)
{
    classic_member_t *member =
        (classic_member_t *)((char *)deadline -
                             offsetof(classic_member_t, session));
    group_t *group = member->group;

    if (member->pending) {
        classic_remove(group, member);
        classic_complete_if_all_joined(group);
    } else if (member->is_new || (!member->join && !member->sync)) {
        LOG_INFO(coordinator, "group %.*s: member %.*s was not heard of",
                 (int)group->id.length, group->id.data,
                 (int)member->id.length, member->id.data);
        remove_lost(group, member);
    }
}

/* Who did not ask for its assignment in the time of a rebalance is out. */
void classic_sync_passed(deadline_t *deadline)
{
    group_t *group =
        (group_t *)((char *)deadline - offsetof(group_t, classic.syncing));
    int removed = 0;

    for (map_entry_t *entry = group->classic.members.first, *next; entry;
         entry = next) {
        classic_member_t *member = entry->value;

        next = entry->next;
        if (member->must_sync) {
            classic_remove(group, member);
            removed++;
        }
    }
    if (removed)
        classic_prepare_rebalance(group, "members did not ask to sync");
}
