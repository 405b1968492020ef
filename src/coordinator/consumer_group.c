/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a consumer group, and who holds which partition. */
#include "coordinator/consumer_group.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "coordinator/memory.h"

/* ---- life ---------------------------------------------------------------- */

consumer_t *consumer_make(group_t *group)
{
    if (group->type == GROUP_CONSUMER)
        return group->consumer;
    group->type = GROUP_CONSUMER;
    group->consumer = memory_new(sizeof *group->consumer);
    /* 0 is a member that joins: let its first epoch be told from that. */
    group->consumer->epoch = 1;
    group->consumer->assignment_epoch = CONSUMER_NO_ASSIGNMENT;
    group->consumer->metadata_seen = -1;
    return group->consumer;
}

static void free_topics(wire_string_t *topics, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        text_free(&topics[i]);
    free(topics);
}

void consumer_clear_protocols(consumer_member_t *member)
{
    for (int32_t i = 0; i < member->protocol_count; i++) {
        text_free(&member->protocols[i].name);
        bytes_free(&member->protocols[i].metadata);
    }
    free(member->protocols);
    member->protocols = NULL;
    member->protocol_count = 0;
    member->is_classic = 0;
}

static void free_member(consumer_member_t *member)
{
    group_shard_t *shard = member->group->shard;

    shard_clear_deadline(shard, &member->session);
    shard_clear_deadline(shard, &member->revocation);
    shard_clear_deadline(shard, &member->phase);
    consumer_clear_protocols(member);
    free_topics(member->topics, member->topic_count);
    set_free(&member->assigned);
    set_free(&member->revoking);
    set_free(&member->target);
    text_free(&member->id);
    text_free(&member->instance_id);
    text_free(&member->rack_id);
    text_free(&member->client_id);
    text_free(&member->client_host);
    text_free(&member->regex);
    text_free(&member->assignor);
    free(member);
}

void consumer_regex_free(consumer_regex_t *regex)
{
    free_topics(regex->topics, regex->topic_count);
    free(regex);
}

void consumer_free(group_t *group)
{
    consumer_t *consumer = group->consumer;

    for (map_entry_t *entry = consumer->members.first; entry;
         entry = entry->next)
        free_member(entry->value);
    for (map_entry_t *entry = consumer->regexes.first; entry;
         entry = entry->next)
        consumer_regex_free(entry->value);
    map_free(&consumer->members);
    map_free(&consumer->statics);
    map_free(&consumer->owners);
    map_free(&consumer->regexes);
    map_free(&consumer->subscribed);
    free(consumer);
    group->consumer = NULL;
}

/* No call of a consumer group is ever parked. */
void consumer_abandon(group_t *group, int16_t error)
{
    (void)group;
    (void)error;
}

/* ---- members ------------------------------------------------------------- */

consumer_member_t *consumer_member(const group_t *group, wire_string_t id)
{
    return map_get(&group->consumer->members, id);
}

consumer_member_t *consumer_static_member(const group_t *group,
                                          wire_string_t instance_id)
{
    return instance_id.length < 0
               ? NULL
               : map_get(&group->consumer->statics, instance_id);
}

consumer_member_t *consumer_add_member(group_t *group, wire_string_t id,
                                       wire_string_t instance_id)
{
    consumer_member_t *member = memory_new(sizeof *member);

    member->group = group;
    member->id = text_copy(id);
    member->instance_id = text_copy(instance_id);
    member->rack_id = WIRE_STRING_NULL;
    member->client_id = WIRE_STRING_NULL;
    member->client_host = WIRE_STRING_NULL;
    member->regex = text_copy(wire_string_literal(""));
    member->assignor = WIRE_STRING_NULL;
    member->rebalance_timeout_ms = -1;
    member->session.passed = consumer_session_passed;
    member->revocation.passed = consumer_revocation_passed;
    member->phase.passed = consumer_phase_passed;
    map_put(&group->consumer->members, id, member);
    if (instance_id.length >= 0)
        map_put(&group->consumer->statics, instance_id, member);
    return member;
}

void consumer_drop_member(group_t *group, consumer_member_t *member)
{
    partition_set_t none = { 0 }, nothing = { 0 };

    consumer_set_held(member, &none, &nothing);
    map_remove(&group->consumer->members, member->id);
    if (consumer_static_member(group, member->instance_id) == member)
        map_remove(&group->consumer->statics, member->instance_id);
    free_member(member);
}

static int compare_text(const void *left, const void *right)
{
    const wire_string_t *a = left, *b = right;
    int32_t shorter = a->length < b->length ? a->length : b->length;
    int order = shorter > 0 ? memcmp(a->data, b->data, (size_t)shorter) : 0;

    return order ? order : (a->length > b->length) - (a->length < b->length);
}

int consumer_set_topics(consumer_member_t *member, const wire_string_t *topics,
                        int32_t count)
{
    wire_string_t *sorted = memory_new((size_t)count * sizeof *sorted);
    int32_t kept = 0;
    int same;

    if (count > 0)
        memcpy(sorted, topics, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_text);
    for (int32_t i = 0; i < count; i++)
        if (kept == 0 || !wire_string_equal(sorted[kept - 1], sorted[i]))
            sorted[kept++] = sorted[i];
    same = kept == member->topic_count;
    for (int32_t i = 0; i < kept && same; i++)
        same = wire_string_equal(sorted[i], member->topics[i]);
    if (same) {
        free(sorted);
        return 0;
    }
    for (int32_t i = 0; i < kept; i++)
        sorted[i] = text_copy(sorted[i]);
    free_topics(member->topics, member->topic_count);
    member->topics = sorted;
    member->topic_count = kept;
    return 1;
}

void consumer_set_protocols(
    consumer_member_t *member,
    const join_group_request_join_group_request_protocol_t *protocols,
    int32_t count)
{
    consumer_clear_protocols(member);
    member->protocols = memory_new((size_t)count * sizeof *member->protocols);
    for (int32_t i = 0; i < count; i++) {
        member->protocols[i].name = text_copy(protocols[i].name);
        member->protocols[i].metadata = bytes_copy(protocols[i].metadata);
    }
    member->protocol_count = count;
    member->is_classic = 1;
}

uint32_t consumer_classic_count(const group_t *group)
{
    uint32_t count = 0;

    for (map_entry_t *entry = group->consumer->members.first; entry;
         entry = entry->next)
        count += ((const consumer_member_t *)entry->value)->is_classic;
    return count;
}

/* ---- who holds what ------------------------------------------------------ */

enum { OWNER_KEY_SIZE = sizeof(wire_uuid_t) + sizeof(int32_t) };

static wire_string_t owner_key(char key[OWNER_KEY_SIZE],
                               const wire_uuid_t *topic, int32_t partition)
{
    memcpy(key, topic->bytes, sizeof topic->bytes);
    bytes_put_i32((uint8_t *)key + sizeof topic->bytes, partition);
    return (wire_string_t){ key, OWNER_KEY_SIZE };
}

static void release(consumer_member_t *member, const partition_set_t *set)
{
    map_t *owners = &member->group->consumer->owners;
    char key[OWNER_KEY_SIZE];

    for (int32_t i = 0; i < set->count; i++) {
        wire_string_t name =
            owner_key(key, &set->items[i].topic, set->items[i].partition);

        if (map_get(owners, name) == member)
            map_remove(owners, name);
    }
}

static void hold(consumer_member_t *member, const partition_set_t *set)
{
    char key[OWNER_KEY_SIZE];

    for (int32_t i = 0; i < set->count; i++)
        map_put(&member->group->consumer->owners,
                owner_key(key, &set->items[i].topic, set->items[i].partition),
                member);
}

void consumer_set_held(consumer_member_t *member, partition_set_t *assigned,
                       partition_set_t *revoking)
{
    release(member, &member->assigned);
    release(member, &member->revoking);
    set_move(&member->assigned, assigned);
    set_move(&member->revoking, revoking);
    hold(member, &member->assigned);
    hold(member, &member->revoking);
}

int consumer_is_held(const consumer_member_t *member,
                     const wire_uuid_t *topic, int32_t partition)
{
    char key[OWNER_KEY_SIZE];
    const consumer_member_t *owner =
        map_get(&member->group->consumer->owners,
                owner_key(key, topic, partition));

    return owner && owner != member;
}

/* ---- what others ask ----------------------------------------------------- */

int consumer_is_empty(const group_t *group)
{
    return group->consumer->members.count == 0;
}

const char *consumer_state_name(const group_t *group)
{
    const consumer_t *consumer = group->consumer;

    if (consumer->members.count == 0)
        return "Empty";
    if (consumer->epoch > consumer->assignment_epoch)
        return "Assigning";
    for (map_entry_t *entry = consumer->members.first; entry;
         entry = entry->next) {
        const consumer_member_t *member = entry->value;

        if (member->state != CONSUMER_STABLE ||
            member->epoch != consumer->assignment_epoch)
            return "Reconciling";
    }
    return "Stable";
}

int consumer_subscribes(const group_t *group, wire_string_t topic)
{
    return map_get(&group->consumer->subscribed, topic) != NULL;
}

static int16_t epoch_error(const consumer_member_t *member, int32_t epoch)
{
    if (!member)
        return KAFKA_UNKNOWN_MEMBER_ID;
    if (epoch == member->epoch)
        return KAFKA_NONE;
    return member->is_classic ? KAFKA_ILLEGAL_GENERATION
                              : KAFKA_STALE_MEMBER_EPOCH;
}

int16_t consumer_commit_error(const group_t *group, wire_string_t member_id,
                              wire_string_t instance_id, int32_t epoch,
                              int transactional, int16_t version)
{
    enum { EPOCHS_FROM = 9 };
    const consumer_member_t *member = consumer_member(group, member_id);

    (void)instance_id;
    if (epoch < 0 && consumer_is_empty(group))
        return KAFKA_NONE;
    if (member && !transactional && !member->is_classic &&
        version < EPOCHS_FROM)
        return KAFKA_UNSUPPORTED_VERSION;
    return epoch_error(member, epoch);
}

int consumer_may_commit_late(const group_t *group, wire_string_t member_id,
                             int32_t epoch, const wire_uuid_t *topic,
                             int32_t partition)
{
    const consumer_member_t *member = consumer_member(group, member_id);
    const set_item_t *item =
        member ? set_find(&member->assigned, topic, partition) : NULL;

    return item && !member->is_classic && epoch <= member->epoch &&
           epoch >= item->epoch;
}

int16_t consumer_fetch_error(const group_t *group, wire_string_t member_id,
                             int32_t epoch)
{
    if (member_id.length < 0 && epoch < 0)
        return KAFKA_NONE;
    return epoch_error(consumer_member(group, member_id), epoch);
}
