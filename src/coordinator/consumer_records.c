/* SPDX-License-Identifier: Apache-2.0 */
/* The records of consumer groups: how they are put, and how replayed. */
#include "base/logger.h"
#include "coordinator/consumer_group.h"
#include "coordinator/memory.h"
#include "protocol/consumer_group_current_member_assignment_key.h"
#include "protocol/consumer_group_current_member_assignment_value.h"
#include "protocol/consumer_group_member_metadata_key.h"
#include "protocol/consumer_group_member_metadata_value.h"
#include "protocol/consumer_group_metadata_key.h"
#include "protocol/consumer_group_metadata_value.h"
#include "protocol/consumer_group_partition_metadata_key.h"
#include "protocol/consumer_group_regular_expression_key.h"
#include "protocol/consumer_group_regular_expression_value.h"
#include "protocol/consumer_group_target_assignment_member_key.h"
#include "protocol/consumer_group_target_assignment_member_value.h"
#include "protocol/consumer_group_target_assignment_metadata_key.h"
#include "protocol/consumer_group_target_assignment_metadata_value.h"

enum {
    KEY_GROUP = 3,
    KEY_PARTITIONS = 4,      /* no longer written: the group's hash is */
    KEY_MEMBER = 5,
    KEY_TARGET_EPOCH = 6,
    KEY_TARGET = 7,
    KEY_CURRENT = 8,
    KEY_REGEX = 16
};

typedef consumer_group_current_member_assignment_value_topic_partitions_t
    current_t;

/* ---- putting ------------------------------------------------------------- */

void consumer_put_member(const consumer_member_t *member)
{
    group_t *group = member->group;
    consumer_group_member_metadata_key_t key = { group->id, member->id };
    consumer_group_member_metadata_value_t value;
    consumer_group_member_metadata_value_classic_member_metadata_t classic;

    consumer_group_member_metadata_value_init(&value);
    value.instance_id = member->instance_id;
    value.rack_id = member->rack_id;
    value.client_id = member->client_id;
    value.client_host = member->client_host;
    value.subscribed_topic_names = member->topics;
    value.subscribed_topic_names_count = member->topic_count;
    value.subscribed_topic_regex = member->regex;
    value.rebalance_timeout_ms = member->rebalance_timeout_ms;
    value.server_assignor = member->assignor;
    if (member->is_classic) {
        consumer_group_member_metadata_value_classic_member_metadata_init(
            &classic);
        classic.session_timeout_ms = member->session_timeout_ms;
        classic.supported_protocols_count = member->protocol_count;
        classic.supported_protocols = memory_new(
            (size_t)member->protocol_count *
            sizeof *classic.supported_protocols);
        for (int32_t i = 0; i < member->protocol_count; i++) {
            classic.supported_protocols[i].name = member->protocols[i].name;
            classic.supported_protocols[i].metadata =
                member->protocols[i].metadata;
        }
        value.classic_member_metadata = &classic;
    }
    shard_put(group->shard, KEY_MEMBER, &key, &value, 0);
    if (member->is_classic)
        free(classic.supported_protocols);
}

void consumer_put_epoch(const group_t *group)
{
    consumer_group_metadata_key_t key = { group->id };
    consumer_group_metadata_value_t value;

    consumer_group_metadata_value_init(&value);
    value.epoch = group->consumer->epoch;
    value.metadata_hash = (int64_t)group->consumer->metadata_hash;
    shard_put(group->shard, KEY_GROUP, &key, &value, 0);
}

void consumer_put_target(const consumer_member_t *member)
{
    group_t *group = member->group;
    const partition_set_t *set = &member->target;
    consumer_group_target_assignment_member_key_t key = { group->id,
                                                          member->id };
    consumer_group_target_assignment_member_value_t value;
    apr_pool_t *pool;

    TAKHIN_ASSERT(!apr_pool_create(&pool, NULL));
    consumer_group_target_assignment_member_value_init(&value);
    value.topic_partitions =
        apr_pcalloc(pool, ((apr_size_t)set_topic_count(set) + 1) *
                              sizeof *value.topic_partitions);
    for (int32_t at = 0, end; at < set->count; at = end) {
        consumer_group_target_assignment_member_value_topic_partition_t *out =
            &value.topic_partitions[value.topic_partitions_count++];

        end = set_topic_end(set, at);
        out->topic_id = set->items[at].topic;
        out->partitions = set_partitions(set, at, end, pool);
        out->partitions_count = end - at;
    }
    shard_put(group->shard, KEY_TARGET, &key, &value, 0);
    apr_pool_destroy(pool);
}

void consumer_put_target_epoch(const group_t *group)
{
    consumer_group_target_assignment_metadata_key_t key = { group->id };
    consumer_group_target_assignment_metadata_value_t value;

    consumer_group_target_assignment_metadata_value_init(&value);
    value.assignment_epoch = group->consumer->assignment_epoch;
    value.assignment_timestamp = group->consumer->assignment_timestamp;
    shard_put(group->shard, KEY_TARGET_EPOCH, &key, &value, 0);
}

static current_t *list_held(const partition_set_t *set, int32_t *count,
                            apr_pool_t *pool)
{
    current_t *list = apr_pcalloc(
        pool, ((apr_size_t)set_topic_count(set) + 1) * sizeof *list);

    *count = 0;
    for (int32_t at = 0, end; at < set->count; at = end) {
        current_t *out = &list[(*count)++];

        end = set_topic_end(set, at);
        out->topic_id = set->items[at].topic;
        out->partitions = set_partitions(set, at, end, pool);
        out->partitions_count = end - at;
        out->assignment_epochs_count = end - at;
        out->assignment_epochs = apr_palloc(
            pool, (apr_size_t)(end - at) * sizeof *out->assignment_epochs);
        for (int32_t i = at; i < end; i++)
            out->assignment_epochs[i - at] = set->items[i].epoch;
    }
    return list;
}

void consumer_put_current(const consumer_member_t *member)
{
    group_t *group = member->group;
    consumer_group_current_member_assignment_key_t key = { group->id,
                                                           member->id };
    consumer_group_current_member_assignment_value_t value;
    apr_pool_t *pool;

    TAKHIN_ASSERT(!apr_pool_create(&pool, NULL));
    consumer_group_current_member_assignment_value_init(&value);
    value.member_epoch = member->epoch;
    value.previous_member_epoch = member->previous_epoch;
    value.state = (int8_t)member->state;
    value.assigned_partitions = list_held(
        &member->assigned, &value.assigned_partitions_count, pool);
    value.partitions_pending_revocation = list_held(
        &member->revoking, &value.partitions_pending_revocation_count, pool);
    shard_put(group->shard, KEY_CURRENT, &key, &value, 0);
    apr_pool_destroy(pool);
}

void consumer_put_regex(const group_t *group, wire_string_t expression,
                        const consumer_regex_t *regex)
{
    consumer_group_regular_expression_key_t key = { group->id, expression };
    consumer_group_regular_expression_value_t value;

    if (!regex) {
        shard_put(group->shard, KEY_REGEX, &key, NULL, 0);
        return;
    }
    consumer_group_regular_expression_value_init(&value);
    value.topics = regex->topics;
    value.topics_count = regex->topic_count;
    value.version = regex->version;
    value.timestamp = regex->timestamp;
    shard_put(group->shard, KEY_REGEX, &key, &value, 0);
}

void consumer_put_member_gone(const group_t *group, wire_string_t id)
{
    consumer_group_member_metadata_key_t key = { group->id, id };

    /* The three keys have the same fields. */
    shard_put(group->shard, KEY_CURRENT, &key, NULL, 0);
    shard_put(group->shard, KEY_TARGET, &key, NULL, 0);
    shard_put(group->shard, KEY_MEMBER, &key, NULL, 0);
}

_Static_assert(sizeof(consumer_group_member_metadata_key_t) ==
                       sizeof(consumer_group_target_assignment_member_key_t) &&
                   sizeof(consumer_group_member_metadata_key_t) ==
                       sizeof(consumer_group_current_member_assignment_key_t),
               "a member's keys are alike");

void consumer_put_tombstones(group_t *group)
{
    const consumer_t *consumer = group->consumer;
    consumer_group_metadata_key_t key = { group->id };

    for (map_entry_t *entry = consumer->members.first; entry;
         entry = entry->next)
        consumer_put_member_gone(group, map_key(entry));
    shard_put(group->shard, KEY_TARGET_EPOCH, &key, NULL, 0);
    for (map_entry_t *entry = consumer->regexes.first; entry;
         entry = entry->next)
        consumer_put_regex(group, map_key(entry), NULL);
    shard_put(group->shard, KEY_GROUP, &key, NULL, 0);
}

/* ---- replaying ----------------------------------------------------------- */

/* The consumer group of ID, made one where EXISTS; NULL: there is none. */
static group_t *replayed_group(group_shard_t *shard, wire_string_t id,
                               int exists)
{
    group_t *group = exists ? group_need(shard, id) : group_find(shard, id);

    if (!group || (!exists && group->type != GROUP_CONSUMER))
        return NULL;
    consumer_make(group);
    return group;
}

static consumer_member_t *replayed_member(group_t *group, wire_string_t id)
{
    consumer_member_t *member = consumer_member(group, id);

    return member ? member
                  : consumer_add_member(group, id, WIRE_STRING_NULL);
}

static void replay_group(group_shard_t *shard,
                         const consumer_group_metadata_key_t *key,
                         const consumer_group_metadata_value_t *value)
{
    group_t *group = replayed_group(shard, key->group_id, value != NULL);

    if (value) {
        group->consumer->epoch = value->epoch;
        group->consumer->metadata_hash = (uint64_t)value->metadata_hash;
    } else if (group) {
        consumer_free(group);
        group->type = GROUP_CLASSIC;
        if (offsets_empty(&group->offsets) && !group->open_transactions)
            group_remove(group);
    }
}

static void replay_classic_part(
    consumer_member_t *member,
    const consumer_group_member_metadata_value_classic_member_metadata_t *from)
{
    consumer_clear_protocols(member);
    if (!from)
        return;
    member->is_classic = 1;
    member->session_timeout_ms = from->session_timeout_ms;
    member->protocol_count = from->supported_protocols_count;
    member->protocols = memory_new((size_t)member->protocol_count *
                                   sizeof *member->protocols);
    for (int32_t i = 0; i < member->protocol_count; i++) {
        member->protocols[i].name =
            text_copy(from->supported_protocols[i].name);
        member->protocols[i].metadata =
            bytes_copy(from->supported_protocols[i].metadata);
    }
}

static void set_instance(group_t *group, consumer_member_t *member,
                         wire_string_t instance_id)
{
    if (consumer_static_member(group, member->instance_id) == member)
        map_remove(&group->consumer->statics, member->instance_id);
    text_replace(&member->instance_id, instance_id);
    if (instance_id.length >= 0)
        map_put(&group->consumer->statics, instance_id, member);
}

static void replay_member(group_shard_t *shard,
                          const consumer_group_member_metadata_key_t *key,
                          const consumer_group_member_metadata_value_t *value)
{
    group_t *group = replayed_group(shard, key->group_id, value != NULL);
    consumer_member_t *member;

    if (!group)
        return;
    if (!value) {
        member = consumer_member(group, key->member_id);
        if (member)
            consumer_drop_member(group, member);
        return;
    }
    member = replayed_member(group, key->member_id);
    set_instance(group, member, value->instance_id);
    text_replace(&member->rack_id, value->rack_id);
    text_replace(&member->client_id, value->client_id);
    text_replace(&member->client_host, value->client_host);
    text_replace(&member->regex, value->subscribed_topic_regex);
    text_replace(&member->assignor, value->server_assignor);
    member->rebalance_timeout_ms = value->rebalance_timeout_ms;
    consumer_set_topics(member, value->subscribed_topic_names,
                        value->subscribed_topic_names_count);
    replay_classic_part(member, value->classic_member_metadata);
}

static void replay_target(
    group_shard_t *shard,
    const consumer_group_target_assignment_member_key_t *key,
    const consumer_group_target_assignment_member_value_t *value)
{
    group_t *group = replayed_group(shard, key->group_id, value != NULL);
    consumer_member_t *member =
        !group ? NULL
        : value ? replayed_member(group, key->member_id)
                : consumer_member(group, key->member_id);

    if (!member)
        return;
    set_free(&member->target);
    for (int32_t t = 0; value && t < value->topic_partitions_count; t++)
        for (int32_t p = 0; p < value->topic_partitions[t].partitions_count;
             p++)
            set_add(&member->target, &value->topic_partitions[t].topic_id,
                    value->topic_partitions[t].partitions[p], 0);
}

static void replay_target_epoch(
    group_shard_t *shard,
    const consumer_group_target_assignment_metadata_key_t *key,
    const consumer_group_target_assignment_metadata_value_t *value)
{
    group_t *group = replayed_group(shard, key->group_id, value != NULL);

    if (!group)
        return;
    group->consumer->assignment_epoch =
        value ? value->assignment_epoch : CONSUMER_NO_ASSIGNMENT;
    group->consumer->assignment_timestamp =
        value ? value->assignment_timestamp : 0;
}

static void read_held(partition_set_t *set, const current_t *list,
                      int32_t count, int32_t epoch)
{
    for (int32_t t = 0; t < count; t++)
        for (int32_t p = 0; p < list[t].partitions_count; p++)
            set_add(set, &list[t].topic_id, list[t].partitions[p],
                    p < list[t].assignment_epochs_count
                        ? list[t].assignment_epochs[p]
                        : epoch);
}

static void replay_current(
    group_shard_t *shard,
    const consumer_group_current_member_assignment_key_t *key,
    const consumer_group_current_member_assignment_value_t *value)
{
    group_t *group = replayed_group(shard, key->group_id, value != NULL);
    consumer_member_t *member =
        !group ? NULL
        : value ? replayed_member(group, key->member_id)
                : consumer_member(group, key->member_id);
    partition_set_t assigned = { 0 }, revoking = { 0 };

    if (!member)
        return;
    if (value) {
        member->epoch = value->member_epoch;
        member->previous_epoch = value->previous_member_epoch;
        member->state = value->state >= CONSUMER_STABLE &&
                                value->state <= CONSUMER_UNRELEASED
                            ? (consumer_member_state_t)value->state
                            : CONSUMER_UNKNOWN;
        read_held(&assigned, value->assigned_partitions,
                  value->assigned_partitions_count, value->member_epoch);
        read_held(&revoking, value->partitions_pending_revocation,
                  value->partitions_pending_revocation_count,
                  value->member_epoch);
    } else {
        member->epoch = member->previous_epoch = CONSUMER_LEAVE_EPOCH;
    }
    consumer_set_held(member, &assigned, &revoking);
}

static void replay_regex(
    group_shard_t *shard, const consumer_group_regular_expression_key_t *key,
    const consumer_group_regular_expression_value_t *value)
{
    group_t *group = replayed_group(shard, key->group_id, value != NULL);
    consumer_regex_t *regex = NULL, *former;

    if (!group)
        return;
    if (value) {
        regex = memory_new(sizeof *regex);
        regex->topic_count = value->topics_count;
        regex->topics =
            memory_new((size_t)value->topics_count * sizeof *regex->topics);
        for (int32_t i = 0; i < value->topics_count; i++)
            regex->topics[i] = text_copy(value->topics[i]);
        regex->version = value->version;
        regex->timestamp = value->timestamp;
        former = map_put(&group->consumer->regexes, key->regular_expression,
                         regex);
    } else {
        former =
            map_remove(&group->consumer->regexes, key->regular_expression);
    }
    if (former)
        consumer_regex_free(former);
}

void consumer_replay(group_shard_t *shard, int16_t key_type, const void *key,
                     const void *value)
{
    switch (key_type) {
    case KEY_GROUP:
        replay_group(shard, key, value);
        break;
    case KEY_MEMBER:
        replay_member(shard, key, value);
        break;
    case KEY_TARGET_EPOCH:
        replay_target_epoch(shard, key, value);
        break;
    case KEY_TARGET:
        replay_target(shard, key, value);
        break;
    case KEY_CURRENT:
        replay_current(shard, key, value);
        break;
    case KEY_REGEX:
        replay_regex(shard, key, value);
        break;
    default:
        break; /* share and streams groups, and what is no longer written */
    }
}

/* Deadlines run from now on, as if all had been heard of just now. */
void consumer_replayed(group_t *group)
{
    consumer_t *consumer = group->consumer;

    for (map_entry_t *entry = consumer->members.first; entry;
         entry = entry->next) {
        consumer_member_t *member = entry->value;

        consumer_touch(member);
        if (member->state == CONSUMER_UNREVOKED && !member->is_classic)
            shard_set_deadline(group->shard, &member->revocation,
                               member->rebalance_timeout_ms);
        for (int32_t i = 0; i < member->topic_count; i++)
            map_put(&consumer->subscribed, member->topics[i], (void *)1);
    }
    for (map_entry_t *entry = consumer->regexes.first; entry;
         entry = entry->next) {
        const consumer_regex_t *regex = entry->value;

        for (int32_t i = 0; i < regex->topic_count; i++)
            map_put(&consumer->subscribed, regex->topics[i], (void *)1);
    }
    consumer->metadata_seen = -1;
}
