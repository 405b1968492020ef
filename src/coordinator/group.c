/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of either protocol, as far as the protocol does not matter. */
#include "base/logger.h"
#include "coordinator/consumer_state.h"
#include "coordinator/group_state.h"
#include "coordinator/memory.h"
#include "protocol/group_metadata_key.h"

group_t *group_find(group_shard_t *shard, wire_string_t id)
{
    return map_get(&shard->groups, id);
}

group_t *group_need(group_shard_t *shard, wire_string_t id)
{
    group_t *group = group_find(shard, id);

    if (group)
        return group;
    group = memory_new(sizeof *group);
    group->shard = shard;
    group->id = text_copy(id);
    group->type = GROUP_CLASSIC;
    classic_init(group);
    map_put(&shard->groups, id, group);
    return group;
}

void group_free(group_t *group)
{
    classic_free(group);
    if (group->consumer)
        consumer_free(group);
    offsets_free(&group->offsets);
    text_free(&group->id);
    free(group);
}

void group_remove(group_t *group)
{
    offsets_leave_transactions(group);
    map_remove(&group->shard->groups, group->id);
    group_free(group);
}

int group_is_empty(const group_t *group)
{
    return group->type == GROUP_CONSUMER
               ? consumer_is_empty(group)
               : group->classic.state == CLASSIC_EMPTY;
}

const char *group_state_name(const group_t *group)
{
    return group->type == GROUP_CONSUMER
               ? consumer_state_name(group)
               : classic_state_name(group->classic.state);
}

int group_subscribes(const group_t *group, wire_string_t topic)
{
    if (group->type == GROUP_CONSUMER)
        return consumer_subscribes(group, topic);
    if (group->classic.topics)
        return map_get(group->classic.topics, topic) != NULL;
    return classic_uses_consumer_protocol(group);
}

void group_put_tombstones(group_t *group)
{
    if (group->type == GROUP_CONSUMER) {
        consumer_put_tombstones(group);
    } else {
        group_metadata_key_t key = { .group = group->id };

        shard_put(group->shard, 2, &key, NULL, 0);
    }
}

static void abandon_member(group_t *group, classic_member_t *member,
                           int16_t error)
{
    group_call_t *join = classic_unpark_join(group, member);

    if (join)
        shard_refuse(group->shard, join, error);
    if (member->sync)
        shard_refuse(group->shard, member->sync, error);
    member->sync = NULL;
}

void group_abandon(group_t *group, int16_t error)
{
    for (map_entry_t *entry = group->classic.members.first; entry;
         entry = entry->next)
        abandon_member(group, entry->value, error);
    if (group->consumer)
        consumer_abandon(group, error);
}

static void resume_classic(group_t *group)
{
    classic_t *classic = &group->classic;

    for (map_entry_t *entry = classic->members.first; entry;
         entry = entry->next)
        classic_touch(entry->value);
    if (classic->members.count > (uint32_t)shard_config(group->shard)->max_size)
        classic_prepare_rebalance(group, "it is above group.max.size");
}

void group_replayed(group_shard_t *shard)
{
    for (map_entry_t *entry = shard->groups.first, *next; entry; entry = next) {
        group_t *group = entry->value;

        next = entry->next;
        if (group->type == GROUP_CONSUMER)
            consumer_replayed(group);
        else
            resume_classic(group);
    }
    if (shard->groups.count > 0)
        LOG_INFO(coordinator, "%s-%d: %u groups loaded",
                 shard->coordinator->journal.topic, (int)shard->index,
                 (unsigned)shard->groups.count);
}
