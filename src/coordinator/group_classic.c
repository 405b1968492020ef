/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A classic group's members and what they agree on. No deadline is set and no
 * call answered here, but for those of members that go.
 */
#include "base/clock.h"
#include "coordinator/group_state.h"
#include "coordinator/memory.h"
#include "protocol/consumer_protocol_subscription.h"
#include "protocol/group_metadata_key.h"
#include "protocol/group_metadata_value.h"

enum { METADATA_VALUE_VERSION = 3 }; /* what Kafka 4.3 writes */

const char *classic_state_name(classic_state_t state)
{
    static const char *const names[] = { "Empty", "PreparingRebalance",
                                         "CompletingRebalance", "Stable" };

    return names[state];
}

void classic_set_state(group_t *group, classic_state_t state)
{
    group->classic.previous = group->classic.state;
    group->classic.state = state;
    group->classic.state_timestamp = clock_wall_ms();
}

int classic_uses_consumer_protocol(const group_t *group)
{
    return wire_string_equal_text(group->classic.protocol_type, "consumer");
}

/* ---- members ------------------------------------------------------------- */

classic_member_t *classic_member(const group_t *group, wire_string_t id)
{
    return map_get(&group->classic.members, id);
}

classic_member_t *classic_static_member(const group_t *group,
                                        wire_string_t instance_id)
{
    return map_get(&group->classic.statics, instance_id);
}

int16_t classic_check_member(const group_t *group, wire_string_t id,
                             wire_string_t instance_id)
{
    if (instance_id.length >= 0) {
        const classic_member_t *member =
            classic_static_member(group, instance_id);

        if (!member)
            return KAFKA_UNKNOWN_MEMBER_ID;
        if (!wire_string_equal(member->id, id))
            return KAFKA_FENCED_INSTANCE_ID;
    }
    return classic_member(group, id) ? KAFKA_NONE : KAFKA_UNKNOWN_MEMBER_ID;
}

int classic_is_leader(const group_t *group, const classic_member_t *member)
{
    return group->classic.leader.length >= 0 &&
           wire_string_equal(group->classic.leader, member->id);
}

/* Counts MEMBER's protocols in or out. */
static void count_protocols(group_t *group, const classic_member_t *member,
                            intptr_t by)
{
    for (int i = 0; i < member->protocol_count; i++) {
        wire_string_t name = member->protocols[i].name;
        intptr_t count =
            (intptr_t)map_get(&group->classic.supported, name) + by;

        if (count > 0)
            map_put(&group->classic.supported, name, (void *)count);
        else
            map_remove(&group->classic.supported, name);
    }
}

static void free_protocols(classic_member_t *member)
{
    for (int i = 0; i < member->protocol_count; i++) {
        text_free(&member->protocols[i].name);
        bytes_free(&member->protocols[i].metadata);
    }
    free(member->protocols);
    member->protocols = NULL;
    member->protocol_count = 0;
}

static int has_protocol(const classic_member_t *member, wire_string_t name)
{
    for (int i = 0; i < member->protocol_count; i++)
        if (wire_string_equal(member->protocols[i].name, name))
            return 1;
    return 0;
}

/* A protocol that comes twice counts once. */
static void copy_protocols(
    classic_member_t *member,
    const join_group_request_join_group_request_protocol_t *protocols,
    int32_t count)
{
    member->protocols =
        memory_new((size_t)count * sizeof *member->protocols);
    for (int32_t i = 0; i < count; i++) {
        classic_protocol_t *kept = &member->protocols[member->protocol_count];

        if (has_protocol(member, protocols[i].name))
            continue;
        kept->name = text_copy(protocols[i].name);
        kept->metadata = bytes_copy(protocols[i].metadata);
        member->protocol_count++;
    }
}

void classic_set_protocols(
    group_t *group, classic_member_t *member,
    const join_group_request_join_group_request_protocol_t *protocols,
    int32_t count)
{
    int counted = classic_member(group, member->id) == member;

    if (counted)
        count_protocols(group, member, -1);
    free_protocols(member);
    copy_protocols(member, protocols, count);
    if (counted)
        count_protocols(group, member, 1);
}

void classic_park_join(group_t *group, classic_member_t *member,
                       group_call_t *join)
{
    if (join && !member->join)
        group->classic.joining++;
    else if (!join && member->join)
        group->classic.joining--;
    member->join = join;
}

group_call_t *classic_unpark_join(group_t *group, classic_member_t *member)
{
    group_call_t *join = member->join;

    classic_park_join(group, member, NULL);
    return join;
}

void classic_add(group_t *group, classic_member_t *member, group_call_t *join)
{
    classic_t *classic = &group->classic;
    classic_member_t *promised = map_remove(&classic->pending, member->id);

    if (promised)
        classic_member_free(promised);
    if (member->instance_id.length >= 0)
        map_put(&classic->statics, member->instance_id, member);
    if (classic->leader.length < 0)
        text_replace(&classic->leader, member->id);
    map_put(&classic->members, member->id, member);
    count_protocols(group, member, 1);
    classic_park_join(group, member, join);
}

void classic_member_free(classic_member_t *member)
{
    shard_clear_deadline(member->group->shard, &member->session);
    free_protocols(member);
    bytes_free(&member->assignment);
    text_free(&member->id);
    text_free(&member->instance_id);
    text_free(&member->client_id);
    text_free(&member->client_host);
    free(member);
}

void classic_remove(group_t *group, classic_member_t *member)
{
    classic_t *classic = &group->classic;

    TAKHIN_ASSERT(!member->join && !member->sync);
    if (member->pending) {
        map_remove(&classic->pending, member->id);
        classic_member_free(member);
        return;
    }
    map_remove(&classic->members, member->id);
    count_protocols(group, member, -1);
    if (member->instance_id.length >= 0)
        map_remove(&classic->statics, member->instance_id);
    if (classic_is_leader(group, member)) {
        text_free(&classic->leader);
        if (classic->members.first)
            classic->leader = text_copy(map_key(classic->members.first));
    }
    classic_member_free(member);
}

void classic_rename(group_t *group, classic_member_t *member,
                    wire_string_t new_id)
{
    classic_t *classic = &group->classic;

    map_remove(&classic->members, member->id);
    if (classic_is_leader(group, member))
        text_replace(&classic->leader, new_id);
    text_replace(&member->id, new_id);
    map_put(&classic->members, member->id, member);
}

/* ---- what they agree on -------------------------------------------------- */

int classic_supports(
    const group_t *group, wire_string_t protocol_type,
    const join_group_request_join_group_request_protocol_t *protocols,
    int32_t count)
{
    const classic_t *classic = &group->classic;

    if (classic->state == CLASSIC_EMPTY)
        return protocol_type.length > 0 && count > 0;
    if (!wire_string_equal(classic->protocol_type, protocol_type))
        return 0;
    for (int32_t i = 0; i < count; i++)
        if ((uintptr_t)map_get(&classic->supported, protocols[i].name) ==
            classic->members.count)
            return 1;
    return 0;
}

/* The first protocol of MEMBER that all have. */
static wire_string_t preference(const group_t *group,
                                const classic_member_t *member)
{
    const classic_t *classic = &group->classic;

    for (int i = 0; i < member->protocol_count; i++)
        if ((uintptr_t)map_get(&classic->supported,
                               member->protocols[i].name) ==
            classic->members.count)
            return member->protocols[i].name;
    TAKHIN_ASSERT(!"a member without a protocol that all support");
    return WIRE_STRING_NULL;
}

wire_string_t classic_vote(const group_t *group)
{
    map_t votes = { 0 };
    wire_string_t winner = WIRE_STRING_NULL;
    intptr_t most = 0;

    for (map_entry_t *entry = group->classic.members.first; entry;
         entry = entry->next) {
        wire_string_t choice = preference(group, entry->value);
        intptr_t count = (intptr_t)map_get(&votes, choice) + 1;

        map_put(&votes, choice, (void *)count);
        if (count > most) {
            most = count;
            winner = choice;
        }
    }
    map_free(&votes);
    return winner;
}

int classic_all_joined(const group_t *group)
{
    return group->classic.members.count == group->classic.joining &&
           group->classic.pending.count == 0;
}

int32_t classic_rebalance_timeout(const group_t *group)
{
    int32_t longest = 0;

    for (map_entry_t *entry = group->classic.members.first; entry;
         entry = entry->next) {
        const classic_member_t *member = entry->value;

        if (member->rebalance_timeout_ms > longest)
            longest = member->rebalance_timeout_ms;
    }
    return longest;
}

wire_bytes_t classic_metadata(const group_t *group,
                              const classic_member_t *member)
{
    for (int i = 0; i < member->protocol_count; i++)
        if (wire_string_equal(member->protocols[i].name,
                              group->classic.protocol))
            return member->protocols[i].metadata;
    return (wire_bytes_t){ (const uint8_t *)"", 0 };
}

static void free_topics(classic_t *classic)
{
    if (classic->topics)
        map_free(classic->topics);
    free(classic->topics);
    classic->topics = NULL;
}

/* Adds what MEMBER subscribes to. TAKHIN_ECORRUPT where that can't be read:
 * the bytes are the clients' own affair. */
static apr_status_t add_topics(const group_t *group,
                               const classic_member_t *member, map_t *topics,
                               apr_pool_t *pool)
{
    wire_bytes_t metadata = classic_metadata(group, member);
    consumer_protocol_subscription_t subscription;
    wire_reader_t in;
    apr_status_t status;

    wire_reader_init(&in, metadata.data, (apr_size_t)metadata.length, pool);
    if (wire_get_int16(&in, "version") < 0)
        return TAKHIN_ECORRUPT;
    status = wire_message_decode(&consumer_protocol_subscription_message,
                                 &subscription, &in, 0);
    for (int32_t i = 0; !status && i < subscription.topics_count; i++)
        map_put(topics, subscription.topics[i], (void *)1);
    return status;
}

void classic_compute_topics(group_t *group)
{
    classic_t *classic = &group->classic;
    apr_pool_t *pool;
    int known = 1;

    free_topics(classic);
    if (!classic_uses_consumer_protocol(group) ||
        (classic->members.count > 0 && classic->protocol.length < 0))
        return;
    TAKHIN_ASSERT(!apr_pool_create(&pool, NULL));
    classic->topics = memory_new(sizeof *classic->topics);
    for (map_entry_t *entry = classic->members.first; known && entry;
         entry = entry->next)
        known = !add_topics(group, entry->value, classic->topics, pool);
    if (!known)
        free_topics(classic);
    apr_pool_destroy(pool);
}

void classic_next_generation(group_t *group)
{
    classic_t *classic = &group->classic;

    classic->generation++;
    if (classic->members.count > 0) {
        text_replace(&classic->protocol, classic_vote(group));
        classic_compute_topics(group);
        classic_set_state(group, CLASSIC_COMPLETING);
    } else {
        text_free(&classic->protocol);
        classic_compute_topics(group);
        classic_set_state(group, CLASSIC_EMPTY);
    }
    for (map_entry_t *entry = classic->members.first; entry;
         entry = entry->next)
        ((classic_member_t *)entry->value)->must_sync = 0;
}

/* ---- life, records ------------------------------------------------------- */

void classic_init(group_t *group)
{
    classic_t *classic = &group->classic;

    memset(classic, 0, sizeof *classic);
    classic->state_timestamp = clock_wall_ms();
    classic->protocol_type = WIRE_STRING_NULL;
    classic->protocol = WIRE_STRING_NULL;
    classic->leader = WIRE_STRING_NULL;
    classic->rebalance.passed = classic_rebalance_passed;
    classic->syncing.passed = classic_sync_passed;
}

void classic_free(group_t *group)
{
    classic_t *classic = &group->classic;

    shard_clear_deadline(group->shard, &classic->rebalance);
    shard_clear_deadline(group->shard, &classic->syncing);
    for (map_entry_t *entry = classic->members.first; entry;
         entry = entry->next)
        classic_member_free(entry->value);
    for (map_entry_t *entry = classic->pending.first; entry;
         entry = entry->next)
        classic_member_free(entry->value);
    map_free(&classic->members);
    map_free(&classic->pending);
    map_free(&classic->statics);
    map_free(&classic->supported);
    free_topics(classic);
    text_free(&classic->protocol_type);
    text_free(&classic->protocol);
    text_free(&classic->leader);
}

static void describe_member(const group_t *group,
                            const classic_member_t *member,
                            group_metadata_value_member_metadata_t *out)
{
    group_metadata_value_member_metadata_init(out);
    out->member_id = member->id;
    out->group_instance_id = member->instance_id;
    out->client_id = member->client_id;
    out->client_host = member->client_host;
    out->rebalance_timeout = member->rebalance_timeout_ms;
    out->session_timeout = member->session_timeout_ms;
    out->subscription = classic_metadata(group, member);
    out->assignment = member->assignment;
    if (out->assignment.length < 0)
        out->assignment = (wire_bytes_t){ (const uint8_t *)"", 0 };
}

void classic_put(group_t *group)
{
    const classic_t *classic = &group->classic;
    group_metadata_key_t key = { .group = group->id };
    group_metadata_value_t value;
    int32_t count = 0;

    group_metadata_value_init(&value);
    value.protocol_type = classic->protocol_type.length < 0
                              ? wire_string_literal("")
                              : classic->protocol_type;
    value.generation = classic->generation;
    value.protocol = classic->protocol;
    value.leader = classic->leader;
    value.current_state_timestamp = classic->state_timestamp;
    value.members =
        memory_new(classic->members.count * sizeof *value.members);
    for (map_entry_t *entry = classic->members.first; entry;
         entry = entry->next)
        describe_member(group, entry->value, &value.members[count++]);
    value.members_count = count;
    shard_put(group->shard, 2, &key, &value, METADATA_VALUE_VERSION);
    free(value.members);
}

static void replay_member(group_t *group,
                          const group_metadata_value_member_metadata_t *from)
{
    classic_member_t *member = memory_new(sizeof *member);
    join_group_request_join_group_request_protocol_t protocol = {
        .name = group->classic.protocol, .metadata = from->subscription
    };

    member->group = group;
    member->session.passed = classic_session_passed;
    member->id = text_copy(from->member_id);
    member->instance_id = text_copy(from->group_instance_id);
    member->client_id = text_copy(from->client_id);
    member->client_host = text_copy(from->client_host);
    member->session_timeout_ms = from->session_timeout;
    member->rebalance_timeout_ms = from->rebalance_timeout < 0
                                       ? from->session_timeout
                                       : from->rebalance_timeout;
    member->assignment = bytes_copy(from->assignment);
    copy_protocols(member, &protocol, 1);
    classic_add(group, member, NULL);
}

void classic_replay(group_shard_t *shard, wire_string_t id,
                    const group_metadata_value_t *value)
{
    group_t *group = group_find(shard, id);
    classic_t *classic;

    if (!value) {
        if (group && group->type == GROUP_CLASSIC) {
            classic_free(group);
            classic_init(group);
            if (offsets_empty(&group->offsets) && !group->open_transactions)
                group_remove(group);
        }
        return;
    }
    group = group_need(shard, id);
    if (group->type != GROUP_CLASSIC)
        return; /* a later record has made it another */
    classic_free(group);
    classic_init(group);
    classic = &group->classic;
    if (value->protocol_type.length > 0)
        classic->protocol_type = text_copy(value->protocol_type);
    classic->generation = value->generation;
    classic->protocol = text_copy(value->protocol);
    classic->leader = text_copy(value->leader);
    classic->state_timestamp = value->current_state_timestamp;
    for (int32_t i = 0; i < value->members_count; i++)
        replay_member(group, &value->members[i]);
    classic->previous = CLASSIC_EMPTY;
    classic->state = value->members_count > 0 ? CLASSIC_STABLE : CLASSIC_EMPTY;
    classic_compute_topics(group);
}
