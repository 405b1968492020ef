/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LeaveGroup: one member, or several at once, also by instance id, as an
 * administrator removes static members (KIP-345).
 */
#include "coordinator/consumer_state.h"
#include "coordinator/group_state.h"
#include "protocol/leave_group_response.h"

typedef leave_group_request_member_identity_t identity_t;
typedef leave_group_response_member_response_t answer_t;

static const void *refusal(group_call_t *call, int16_t error)
{
    leave_group_response_t *response =
        apr_palloc(call->pool, sizeof *response);

    leave_group_response_init(response);
    response->error_code = error;
    return response;
}

static leave_group_response_t *new_response(const group_call_t *call)
{
    const leave_group_request_t *request = call->body;
    leave_group_response_t *response =
        apr_palloc(call->pool, sizeof *response);

    leave_group_response_init(response);
    response->members_count = request->members_count;
    response->members =
        apr_pcalloc(call->pool, ((apr_size_t)request->members_count + 1) *
                                    sizeof *response->members);
    for (int32_t i = 0; i < request->members_count; i++) {
        response->members[i].member_id = request->members[i].member_id;
        response->members[i].group_instance_id =
            request->members[i].group_instance_id;
        response->members[i].error_code = KAFKA_UNKNOWN_MEMBER_ID;
    }
    return response;
}

static void remove_member(group_t *group, classic_member_t *member)
{
    group_call_t *join = classic_unpark_join(group, member);

    if (join)
        shard_refuse(group->shard, join, KAFKA_UNKNOWN_MEMBER_ID);
    if (member->sync)
        shard_refuse(group->shard, member->sync, KAFKA_UNKNOWN_MEMBER_ID);
    member->sync = NULL;
    classic_remove(group, member);
}

static int16_t leave_one(group_t *group, const identity_t *identity)
{
    classic_member_t *member;
    int16_t error;

    if (identity->member_id.length <= 0) {
        member = identity->group_instance_id.length >= 0
                     ? classic_static_member(group,
                                             identity->group_instance_id)
                     : NULL;
        error = member ? KAFKA_NONE : KAFKA_UNKNOWN_MEMBER_ID;
    } else {
        member = map_get(&group->classic.pending, identity->member_id);
        error = member ? KAFKA_NONE
                       : classic_check_member(group, identity->member_id,
                                              identity->group_instance_id);
        if (!member && !error)
            member = classic_member(group, identity->member_id);
    }
    if (!error)
        remove_member(group, member);
    return error;
}

static void leave_classic(group_t *group, group_call_t *call)
{
    const leave_group_request_t *request = call->body;
    leave_group_response_t *response = new_response(call);
    int left = 0;

    for (int32_t i = 0; i < request->members_count; i++) {
        answer_t *answer = &response->members[i];

        answer->error_code = leave_one(group, &request->members[i]);
        left += !answer->error_code;
    }
    shard_answer(group->shard, call, response);
    if (!left)
        return;
    if (group->classic.state == CLASSIC_PREPARING)
        classic_complete_if_all_joined(group);
    else if (group->classic.state != CLASSIC_EMPTY)
        classic_prepare_rebalance(group, "members left");
}

void group_leave(group_coordinator_t *coordinator, group_call_t *call,
                 const leave_group_request_t *request)
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
    if (!group)
        shard_answer(shard, call, new_response(call));
    else if (group->type == GROUP_CONSUMER)
        consumer_leave_classic(group, call, new_response(call));
    else
        leave_classic(group, call);
    shard_leave(shard);
}
