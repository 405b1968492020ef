/* SPDX-License-Identifier: Apache-2.0 */
/* ListGroups, DescribeGroups and DeleteGroups. */
#include <apr_strings.h>

#include "coordinator/consumer_state.h"
#include "coordinator/group_state.h"

enum { NOT_FOUND_FROM = 6 }; /* DescribeGroups: KIP-1043 */

static wire_string_t keep(wire_string_t text, apr_pool_t *pool)
{
    if (text.length >= 0)
        text.data = apr_pstrmemdup(pool, text.data, text.length);
    return text;
}

static wire_bytes_t keep_bytes(wire_bytes_t bytes, apr_pool_t *pool)
{
    if (bytes.length < 0)
        bytes.length = 0;
    bytes.data = apr_pmemdup(pool, bytes.data ? bytes.data : (void *)"",
                             (apr_size_t)bytes.length);
    return bytes;
}

/* ---- ListGroups ---------------------------------------------------------- */

static int is_word(wire_string_t text, const char *word)
{
    return (size_t)text.length == strlen(word) &&
           !strncasecmp(text.data, word, (size_t)text.length);
}

/* No filter lets all through. */
static int passes(const wire_string_t *filter, int32_t count, const char *word)
{
    for (int32_t i = 0; i < count; i++)
        if (is_word(filter[i], word))
            return 1;
    return count <= 0;
}

static const char *type_name(const group_t *group)
{
    return group->type == GROUP_CONSUMER ? "Consumer" : "Classic";
}

static wire_string_t protocol_type(const group_t *group)
{
    if (group->type == GROUP_CONSUMER)
        return wire_string_literal("consumer");
    return group->classic.protocol_type.length < 0
               ? wire_string_literal("")
               : group->classic.protocol_type;
}

static list_groups_response_listed_group_t *
more_room(list_groups_response_t *response, uint32_t more, apr_pool_t *pool)
{
    list_groups_response_listed_group_t *groups =
        apr_palloc(pool, ((apr_size_t)response->groups_count + more) *
                             sizeof *groups);

    if (response->groups_count > 0)
        memcpy(groups, response->groups,
               (size_t)response->groups_count * sizeof *groups);
    return groups;
}

static void list_shard(const group_shard_t *shard,
                       const list_groups_request_t *request,
                       list_groups_response_t *response, apr_pool_t *pool)
{
    if (shard->groups.count == 0)
        return;
    response->groups = more_room(response, shard->groups.count, pool);
    for (map_entry_t *entry = shard->groups.first; entry; entry = entry->next) {
        const group_t *group = entry->value;
        list_groups_response_listed_group_t *out =
            &response->groups[response->groups_count];

        if (!passes(request->states_filter, request->states_filter_count,
                    group_state_name(group)) ||
            !passes(request->types_filter, request->types_filter_count,
                    type_name(group)))
            continue;
        list_groups_response_listed_group_init(out);
        out->group_id = keep(group->id, pool);
        out->protocol_type = keep(protocol_type(group), pool);
        out->group_state = wire_string_from(group_state_name(group));
        out->group_type = wire_string_from(type_name(group));
        response->groups_count++;
    }
}

void group_list(group_coordinator_t *coordinator,
                const list_groups_request_t *request,
                list_groups_response_t *response, apr_pool_t *pool)
{
    list_groups_response_init(response);
    for (int32_t i = 0; i < coordinator->shard_count; i++) {
        group_shard_t *shard;
        int16_t error = shard_enter_index(coordinator, i, &shard);

        if (error == KAFKA_NOT_COORDINATOR)
            continue; /* the partition is not there yet */
        if (error) {
            response->error_code = error;
            response->groups_count = 0;
            return;
        }
        list_shard(shard, request, response, pool);
        shard_leave(shard);
    }
}

/* ---- DescribeGroups ------------------------------------------------------ */

typedef describe_groups_response_described_group_member_t described_member_t;

static void describe_member(const group_t *group,
                            const classic_member_t *member,
                            described_member_t *out, apr_pool_t *pool)
{
    int stable = group->classic.state == CLASSIC_STABLE;

    describe_groups_response_described_group_member_init(out);
    out->member_id = keep(member->id, pool);
    out->group_instance_id = keep(member->instance_id, pool);
    out->client_id = keep(member->client_id, pool);
    out->client_host = keep(member->client_host, pool);
    out->member_metadata = keep_bytes(
        stable ? classic_metadata(group, member) : WIRE_BYTES_NULL, pool);
    out->member_assignment =
        keep_bytes(stable ? member->assignment : WIRE_BYTES_NULL, pool);
}

static void describe_classic(const group_t *group,
                             describe_groups_response_described_group_t *out,
                             apr_pool_t *pool)
{
    const classic_t *classic = &group->classic;

    out->group_state = wire_string_from(group_state_name(group));
    out->protocol_type = keep(protocol_type(group), pool);
    if (classic->state == CLASSIC_STABLE && classic->protocol.length >= 0)
        out->protocol_data = keep(classic->protocol, pool);
    out->members = apr_palloc(pool, ((apr_size_t)classic->members.count + 1) *
                                        sizeof *out->members);
    for (map_entry_t *entry = classic->members.first; entry;
         entry = entry->next)
        describe_member(group, entry->value,
                        &out->members[out->members_count++], pool);
}

static void describe_missing(const group_t *group, int16_t version,
                             describe_groups_response_described_group_t *out,
                             apr_pool_t *pool)
{
    out->group_state = wire_string_literal("Dead");
    if (version < NOT_FOUND_FROM)
        return;
    out->error_code = KAFKA_GROUP_ID_NOT_FOUND;
    out->error_message = wire_string_from(apr_psprintf(
        pool, "Group %.*s %s.", (int)out->group_id.length, out->group_id.data,
        group ? "is not a classic group" : "not found"));
}

void group_describe(group_coordinator_t *coordinator, wire_string_t id,
                    int16_t version,
                    describe_groups_response_described_group_t *out,
                    apr_pool_t *pool)
{
    group_shard_t *shard;
    const group_t *group;

    describe_groups_response_described_group_init(out);
    out->group_id = id;
    out->error_code = shard_enter(coordinator, id, &shard);
    if (out->error_code)
        return;
    group = group_find(shard, id);
    if (group && group->type == GROUP_CLASSIC)
        describe_classic(group, out, pool);
    else
        describe_missing(group, version, out, pool);
    shard_leave(shard);
}

/* ---- DeleteGroups -------------------------------------------------------- */

static const void *delete_refusal(group_call_t *call, int16_t error)
{
    int16_t *response = apr_palloc(call->pool, sizeof *response);

    *response = error;
    return response;
}

void group_delete(group_coordinator_t *coordinator, group_call_t *call,
                  wire_string_t id)
{
    group_shard_t *shard;
    group_t *group;
    int16_t error;

    call_begin(call, NULL, delete_refusal);
    error = shard_enter(coordinator, id, &shard);
    if (error) {
        call_refuse(call, error);
        return;
    }
    group = group_find(shard, id);
    if (!group) {
        shard_refuse(shard, call, KAFKA_GROUP_ID_NOT_FOUND);
    } else if (!group_is_empty(group)) {
        shard_refuse(shard, call, KAFKA_NON_EMPTY_GROUP);
    } else {
        offsets_put_tombstones(group);
        group_put_tombstones(group);
        group_remove(group);
        shard_refuse(shard, call, KAFKA_NONE);
    }
    shard_leave(shard);
}
