/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ConsumerGroupHeartbeat: how a member joins, says what it wants and holds,
 * hears what it shall hold, stays alive and leaves (KIP-848).
 */
#include <apr_strings.h>

#include "coordinator/assignor.h"
#include "coordinator/consumer_group.h"
#include "coordinator/memory.h"
#include "coordinator/topic_regex.h"
#include "protocol/consumer_group_heartbeat_response.h"
#include "protocol/group_metadata_key.h"

typedef consumer_group_heartbeat_request_t request_t;
typedef consumer_group_heartbeat_response_t response_t;

/* An operation: its error goes out with words. */
typedef struct {
    group_shard_t *shard;
    group_call_t *call;
    const request_t *request;
    group_t *group;
    consumer_member_t *member;
    const char *why;
} beat_t;

static response_t *new_response(const group_call_t *call, int16_t error,
                                const char *why)
{
    response_t *response = apr_palloc(call->pool, sizeof *response);

    consumer_group_heartbeat_response_init(response);
    response->error_code = error;
    response->error_message = wire_string_from(
        !error ? NULL : why ? why : kafka_error_text(error));
    return response;
}

static const void *refusal(group_call_t *call, int16_t error)
{
    return new_response(call, error, NULL);
}

/* ---- the request by itself ----------------------------------------------- */

static int is_empty(wire_string_t text)
{
    return text.length == 0;
}

static const char *joining_error(const request_t *request)
{
    if (request->rebalance_timeout_ms == -1)
        return "RebalanceTimeoutMs must be provided in first request.";
    if (request->topic_partitions_count != 0)
        return "TopicPartitions must be empty when (re-)joining.";
    if (request->subscribed_topic_names_count < 0 &&
        request->subscribed_topic_regex.length < 0)
        return "Either SubscribedTopicNames or SubscribedTopicRegex must be "
               "non-null when (re-)joining.";
    return NULL;
}

static const char *invalid(const request_t *request, int16_t version)
{
    if (request->group_id.length <= 0)
        return "GroupId can't be empty.";
    if (is_empty(request->instance_id))
        return "InstanceId can't be empty.";
    if (is_empty(request->rack_id))
        return "RackId can't be empty.";
    if (request->member_epoch < CONSUMER_LEAVE_STATIC_EPOCH)
        return "MemberEpoch is invalid.";
    if (is_empty(request->member_id) &&
        (version > 0 || request->member_epoch != 0))
        return "MemberId can't be empty.";
    if (request->member_epoch == CONSUMER_LEAVE_STATIC_EPOCH &&
        request->instance_id.length < 0)
        return "InstanceId can't be null.";
    return request->member_epoch == 0 ? joining_error(request) : NULL;
}

static int has_assignor(const group_config_t *config, wire_string_t name)
{
    for (int i = 0; i < GROUP_MAX_ASSIGNORS; i++)
        if (config->consumer_assignors[i] &&
            wire_string_equal_text(name, config->consumer_assignors[i]))
            return 1;
    return 0;
}

static int16_t request_error(const group_config_t *config, beat_t *beat)
{
    const request_t *request = beat->request;
    topic_regex_t *regex;

    beat->why = invalid(request, beat->call->version);
    if (beat->why)
        return KAFKA_INVALID_REQUEST;
    if (request->server_assignor.length >= 0 &&
        !has_assignor(config, request->server_assignor)) {
        beat->why = apr_psprintf(
            beat->call->pool,
            "ServerAssignor %.*s is not supported. Supported assignors: "
            "%s%s%s.",
            (int)request->server_assignor.length,
            request->server_assignor.data, config->consumer_assignors[0],
            config->consumer_assignors[1] ? ", " : "",
            config->consumer_assignors[1] ? config->consumer_assignors[1]
                                          : "");
        return KAFKA_UNSUPPORTED_ASSIGNOR;
    }
    if (request->subscribed_topic_regex.length <= 0)
        return KAFKA_NONE;
    regex = topic_regex_compile(request->subscribed_topic_regex, &beat->why,
                                beat->call->pool);
    if (!regex) {
        beat->why = apr_psprintf(
            beat->call->pool,
            "SubscribedTopicRegex `%.*s` is not a valid regular expression: "
            "%s.",
            (int)request->subscribed_topic_regex.length,
            request->subscribed_topic_regex.data, beat->why);
        return KAFKA_INVALID_REGULAR_EXPRESSION;
    }
    topic_regex_free(regex);
    return KAFKA_NONE;
}

/* ---- who it is ----------------------------------------------------------- */

static int16_t missing_group(beat_t *beat, const char *what)
{
    beat->why = apr_psprintf(beat->call->pool, "Group %.*s %s.",
                             (int)beat->request->group_id.length,
                             beat->request->group_id.data, what);
    return KAFKA_GROUP_ID_NOT_FOUND;
}

/* Finds the group, or makes it for who joins. */
static int16_t find_group(beat_t *beat)
{
    int joins = beat->request->member_epoch == 0;
    group_t *group = group_find(beat->shard, beat->request->group_id);

    if (!group && !joins)
        return missing_group(beat, "not found");
    if (!group)
        group = group_need(beat->shard, beat->request->group_id);
    beat->group = group;
    if (group->type == GROUP_CONSUMER)
        return KAFKA_NONE;
    if (!joins)
        return missing_group(beat, "is not a consumer group");
    if (!group_is_empty(group))
        return consumer_upgrade(group)
                   ? KAFKA_NONE
                   : missing_group(beat, "is not a consumer group");
    if (group->classic.protocol_type.length >= 0 ||
        group->classic.generation > 0 || group->classic.pending.count > 0) {
        group_put_tombstones(group);
        classic_free(group);
        classic_init(group);
    }
    consumer_make(group);
    return KAFKA_NONE;
}

static void read_owned(const request_t *request, partition_set_t *owned)
{
    for (int32_t t = 0; t < request->topic_partitions_count; t++)
        for (int32_t p = 0; p < request->topic_partitions[t].partitions_count;
             p++)
            set_add(owned, &request->topic_partitions[t].topic_id,
                    request->topic_partitions[t].partitions[p], 0);
}

static int is_subset(const partition_set_t *of, const partition_set_t *whole)
{
    for (int32_t i = 0; i < of->count; i++)
        if (!set_has(whole, &of->items[i].topic, of->items[i].partition))
            return 0;
    return 1;
}

/* A client that missed an answer may come with its previous epoch, as long as
 * it holds nothing that it was not given. */
static int16_t epoch_error(beat_t *beat)
{
    const consumer_member_t *member = beat->member;
    int32_t epoch = beat->request->member_epoch;
    partition_set_t owned = { 0 };
    int fits;

    if (epoch == member->epoch)
        return KAFKA_NONE;
    read_owned(beat->request, &owned);
    fits = epoch < member->epoch && epoch == member->previous_epoch &&
           beat->request->topic_partitions_count >= 0 &&
           is_subset(&owned, &member->assigned);
    set_free(&owned);
    if (fits)
        return KAFKA_NONE;
    beat->why = apr_psprintf(
        beat->call->pool,
        "The consumer group member has a %s member epoch (%d) than the one "
        "known by the group coordinator (%d). The member must abandon all its "
        "partitions and rejoin.",
        epoch > member->epoch ? "greater" : "smaller", (int)epoch,
        (int)member->epoch);
    return KAFKA_FENCED_MEMBER_EPOCH;
}

static int16_t unknown_member(beat_t *beat, wire_string_t id)
{
    beat->why = apr_psprintf(
        beat->call->pool, "Member %.*s is not a member of group %.*s.",
        (int)id.length, id.data, (int)beat->request->group_id.length,
        beat->request->group_id.data);
    return KAFKA_UNKNOWN_MEMBER_ID;
}

/* The instance id's new holder takes over what the former one had. */
static void take_over(consumer_member_t *member, wire_string_t id)
{
    group_t *group = member->group;

    consumer_put_member_gone(group, member->id);
    map_remove(&group->consumer->members, member->id);
    text_replace(&member->id, id);
    map_put(&group->consumer->members, id, member);
    member->epoch = member->previous_epoch = 0;
    consumer_put_member(member);
    consumer_put_target(member);
    consumer_put_current(member);
}

static int16_t owned_by_another(beat_t *beat, int16_t error)
{
    beat->why = apr_psprintf(
        beat->call->pool,
        "Static member %.*s with instance id %.*s: the instance id is owned "
        "by member %.*s.",
        (int)beat->request->member_id.length, beat->request->member_id.data,
        (int)beat->request->instance_id.length,
        beat->request->instance_id.data, (int)beat->member->id.length,
        beat->member->id.data);
    return error;
}

static int16_t find_static(beat_t *beat, wire_string_t id)
{
    const request_t *request = beat->request;

    beat->member = consumer_static_member(beat->group, request->instance_id);
    if (request->member_epoch != 0) {
        if (!beat->member)
            return unknown_member(beat, request->instance_id);
        if (!wire_string_equal(beat->member->id, id))
            return owned_by_another(beat, KAFKA_FENCED_INSTANCE_ID);
        return epoch_error(beat);
    }
    if (!beat->member)
        beat->member =
            consumer_add_member(beat->group, id, request->instance_id);
    else if (beat->member->epoch != CONSUMER_LEAVE_STATIC_EPOCH &&
             !beat->member->is_classic)
        return owned_by_another(beat, KAFKA_UNRELEASED_INSTANCE_ID);
    else
        take_over(beat->member, id);
    return KAFKA_NONE;
}

static int16_t find_dynamic(beat_t *beat, wire_string_t id)
{
    beat->member = consumer_member(beat->group, id);
    if (!beat->member && beat->request->member_epoch != 0)
        return unknown_member(beat, id);
    if (!beat->member) {
        beat->member = consumer_add_member(beat->group, id, WIRE_STRING_NULL);
        return KAFKA_NONE;
    }
    return epoch_error(beat);
}

static int16_t find_member(beat_t *beat)
{
    wire_string_t id = beat->request->member_id;
    wire_uuid_t random;

    if ((int64_t)beat->group->consumer->members.count >=
            shard_config(beat->shard)->consumer_max_size &&
        (id.length <= 0 || !consumer_member(beat->group, id))) {
        beat->why = "The consumer group has reached its maximum capacity.";
        return KAFKA_GROUP_MAX_SIZE_REACHED;
    }
    if (id.length <= 0) {
        char *text = apr_palloc(beat->call->pool, WIRE_UUID_TEXT_LENGTH + 1);

        TAKHIN_ASSERT(!wire_uuid_random(&random));
        id = wire_string_from(wire_uuid_format(&random, text));
    }
    return beat->request->instance_id.length >= 0 ? find_static(beat, id)
                                                  : find_dynamic(beat, id);
}

/* ---- what it wants ------------------------------------------------------- */

/* Sets *KEPT where TOLD says something else; whether it did. */
static int update_text(wire_string_t *kept, wire_string_t told)
{
    if (told.length < 0 || wire_string_equal(*kept, told))
        return 0;
    text_replace(kept, told);
    return 1;
}

/* Whether the member's subscription changed. */
static int update_member(beat_t *beat)
{
    const request_t *request = beat->request;
    consumer_member_t *member = beat->member;
    wire_string_t client_id = beat->call->client_id.length < 0
                                  ? wire_string_literal("")
                                  : beat->call->client_id;
    int subscription = 0, other = member->is_classic;

    other |= update_text(&member->rack_id, request->rack_id);
    other |= update_text(&member->assignor, request->server_assignor);
    other |= update_text(&member->client_id, client_id);
    other |= update_text(&member->client_host, beat->call->client_host);
    if (request->rebalance_timeout_ms != -1 &&
        request->rebalance_timeout_ms != member->rebalance_timeout_ms) {
        member->rebalance_timeout_ms = request->rebalance_timeout_ms;
        other = 1;
    }
    subscription |=
        update_text(&member->regex, request->subscribed_topic_regex);
    if (request->subscribed_topic_names_count >= 0)
        subscription |=
            consumer_set_topics(member, request->subscribed_topic_names,
                                request->subscribed_topic_names_count);
    shard_clear_deadline(beat->shard, &member->phase);
    consumer_clear_protocols(member);
    if (subscription || other)
        consumer_put_member(member);
    return subscription;
}

/* ---- the answer ---------------------------------------------------------- */

static consumer_group_heartbeat_response_assignment_t *
tell_assignment(const beat_t *beat)
{
    const partition_set_t *set = &beat->member->assigned;
    apr_pool_t *pool = beat->call->pool;
    consumer_group_heartbeat_response_assignment_t *told =
        apr_palloc(pool, sizeof *told);

    consumer_group_heartbeat_response_assignment_init(told);
    told->topic_partitions =
        apr_pcalloc(pool, ((apr_size_t)set_topic_count(set) + 1) *
                              sizeof *told->topic_partitions);
    for (int32_t at = 0, end; at < set->count; at = end) {
        consumer_group_heartbeat_response_topic_partitions_t *out =
            &told->topic_partitions[told->topic_partitions_count++];

        end = set_topic_end(set, at);
        out->topic_id = set->items[at].topic;
        out->partitions = set_partitions(set, at, end, pool);
        out->partitions_count = end - at;
    }
    return told;
}

/* A member that says all of itself has to be told all. */
static int is_full(const request_t *request)
{
    return request->member_epoch == 0 ||
           (request->rebalance_timeout_ms != -1 &&
            (request->subscribed_topic_names_count >= 0 ||
             request->subscribed_topic_regex.length >= 0) &&
            request->topic_partitions_count >= 0);
}

static void answer(beat_t *beat, int with_assignment)
{
    const consumer_member_t *member = beat->member;
    response_t *response = new_response(beat->call, KAFKA_NONE, NULL);

    response->member_id.length = member->id.length;
    response->member_id.data = apr_pstrmemdup(
        beat->call->pool, member->id.data, member->id.length);
    response->member_epoch = member->epoch;
    response->heartbeat_interval_ms =
        shard_config(beat->shard)->consumer_heartbeat_interval_ms;
    if (with_assignment)
        response->assignment = tell_assignment(beat);
    shard_answer(beat->shard, beat->call, response);
}

/* ---- leaving ------------------------------------------------------------- */

static void leave_for_a_while(consumer_member_t *member)
{
    partition_set_t assigned = { 0 }, none = { 0 };

    member->epoch = CONSUMER_LEAVE_STATIC_EPOCH;
    set_copy(&assigned, &member->assigned);
    consumer_set_held(member, &assigned, &none);
    shard_clear_deadline(member->group->shard, &member->revocation);
    consumer_put_current(member);
}

static int16_t find_leaver(beat_t *beat)
{
    const request_t *request = beat->request;

    beat->group = group_find(beat->shard, request->group_id);
    if (!beat->group)
        return missing_group(beat, "not found");
    if (beat->group->type != GROUP_CONSUMER)
        return missing_group(beat, "is not a consumer group");
    if (request->instance_id.length < 0) {
        beat->member = consumer_member(beat->group, request->member_id);
        return beat->member ? KAFKA_NONE
                            : unknown_member(beat, request->member_id);
    }
    beat->member = consumer_static_member(beat->group, request->instance_id);
    if (!beat->member)
        return unknown_member(beat, request->instance_id);
    return wire_string_equal(beat->member->id, request->member_id)
               ? KAFKA_NONE
               : owned_by_another(beat, KAFKA_FENCED_INSTANCE_ID);
}

static int16_t leave(beat_t *beat)
{
    const request_t *request = beat->request;
    int16_t error = find_leaver(beat);
    response_t *response;

    if (error)
        return error;
    if (request->member_epoch == CONSUMER_LEAVE_STATIC_EPOCH)
        leave_for_a_while(beat->member);
    else
        consumer_remove_member(beat->group, beat->member);
    response = new_response(beat->call, KAFKA_NONE, NULL);
    response->member_id = request->member_id;
    response->member_epoch = request->member_epoch;
    shard_answer(beat->shard, beat->call, response);
    return KAFKA_NONE;
}

/* ---- the heartbeat ------------------------------------------------------- */

static int16_t stay(beat_t *beat)
{
    partition_set_t before = { 0 }, owned = { 0 };
    int16_t error = find_group(beat);

    if (!error)
        error = find_member(beat);
    if (error)
        return error;
    set_copy(&before, &beat->member->assigned);
    read_owned(beat->request, &owned);
    consumer_refresh(beat->group, update_member(beat));
    error = consumer_reconcile(
        beat->member,
        beat->request->topic_partitions_count < 0 ? NULL : &owned);
    if (!error) {
        consumer_touch(beat->member);
        answer(beat, is_full(beat->request) ||
                         !set_equal(&before, &beat->member->assigned));
    }
    set_free(&before);
    set_free(&owned);
    return error;
}

void consumer_group_heartbeat(group_coordinator_t *coordinator,
                              group_call_t *call, const request_t *request)
{
    beat_t beat = { .call = call, .request = request };
    int16_t error;

    call_begin(call, request, refusal);
    error = request_error(&coordinator->config, &beat);
    if (error) {
        call->done(call, new_response(call, error, beat.why));
        return;
    }
    error = shard_enter(coordinator, request->group_id, &beat.shard);
    if (error) {
        call_refuse(call, error);
        return;
    }
    error = request->member_epoch < 0 ? leave(&beat) : stay(&beat);
    if (error)
        shard_answer(beat.shard, call, new_response(call, error, beat.why));
    shard_leave(beat.shard);
}
