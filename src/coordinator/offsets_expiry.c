/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offsets go when their group has been empty, or has stopped to read their
 * topic, for offsets.retention.minutes (KIP-211), or when their topic is
 * deleted; an empty group goes with the last of them.
 */
#include "base/clock.h"
#include "coordinator/consumer_state.h"
#include "coordinator/group_state.h"
#include "coordinator/memory.h"

/* ---- expiry -------------------------------------------------------------- */

/* From when the retention counts for COMMITTED; -1: it does not expire. */
static int64_t expiry_base(const group_t *group, const committed_t *committed)
{
    const classic_t *classic = &group->classic;

    if (group->type == GROUP_CONSUMER)
        return committed->commit_timestamp;
    if (classic->protocol_type.length < 0)
        return committed->commit_timestamp;
    if (classic->state == CLASSIC_EMPTY)
        return classic->state_timestamp >= 0 ? classic->state_timestamp
                                             : committed->commit_timestamp;
    return classic->state == CLASSIC_STABLE && classic->topics
               ? committed->commit_timestamp
               : -1;
}

static int is_expired(const group_t *group, wire_string_t topic,
                      const committed_t *committed, int64_t now)
{
    int64_t base = expiry_base(group, committed);

    if (base < 0 || offsets_pending(group, topic, committed->partition))
        return 0;
    if (committed->expire_timestamp >= 0)
        return now >= committed->expire_timestamp;
    return now - base >= shard_config(group->shard)->offsets_retention_ms;
}

static void expire_topic(group_t *group, map_entry_t *entry, int64_t now)
{
    const offset_topic_t *topic = entry->value;
    wire_string_t name = map_key(entry);

    /* From the end: the topic goes with its last offset. */
    for (int32_t left = topic->count; left > 0; left--) {
        const committed_t *committed = &topic->committed[left - 1];
        int32_t partition = committed->partition;

        if (!is_expired(group, name, committed, now))
            continue;
        offsets_put_tombstone(group, name, partition);
        offsets_remove(&group->offsets, name, partition);
    }
}

void group_expire_offsets(group_shard_t *shard)
{
    int64_t now = clock_wall_ms();

    for (map_entry_t *entry = shard->groups.first, *next; entry; entry = next) {
        group_t *group = entry->value;

        next = entry->next;
        for (map_entry_t *topic = group->offsets.topics.first, *after; topic;
             topic = after) {
            after = topic->next;
            if (!group_subscribes(group, map_key(topic)))
                expire_topic(group, topic, now);
        }
        if (offsets_empty(&group->offsets) && !group->open_transactions &&
            group_is_empty(group) && group->classic.pending.count == 0) {
            group_put_tombstones(group);
            group_remove(group);
        }
    }
}

/* ---- deleted topics ------------------------------------------------------ */

/* One topic that is gone, until the last shard has heard of it. */
typedef struct deleted_topic_t {
    struct deleted_topic_t *next;
    wire_string_t name;
    int32_t shards_left;
    uint8_t *heard;            /* one a shard */
} deleted_topic_t;

void group_coordinator_topic_deleted(group_coordinator_t *coordinator,
                                     const char *name)
{
    deleted_topic_t *deleted = memory_new(sizeof *deleted);

    deleted->name = text_copy(wire_string_from(name));
    deleted->shards_left = coordinator->shard_count;
    deleted->heard = memory_new((size_t)coordinator->shard_count);
    apr_thread_mutex_lock(coordinator->deleted_mutex);
    deleted->next = coordinator->deleted;
    coordinator->deleted = deleted;
    apr_thread_mutex_unlock(coordinator->deleted_mutex);
    group_coordinator_start(coordinator); /* wakes every shard */
}

static void free_deleted(deleted_topic_t *deleted)
{
    text_free(&deleted->name);
    free(deleted->heard);
    free(deleted);
}

void group_free_deleted_topics(group_coordinator_t *coordinator)
{
    for (deleted_topic_t *next; coordinator->deleted;
         coordinator->deleted = next) {
        next = coordinator->deleted->next;
        free_deleted(coordinator->deleted);
    }
}

static void forget_topic(group_shard_t *shard, wire_string_t name)
{
    for (map_entry_t *entry = shard->groups.first; entry; entry = entry->next) {
        group_t *group = entry->value;
        const offset_topic_t *topic = map_get(&group->offsets.topics, name);

        for (int32_t left = topic ? topic->count : 0; left > 0; left--) {
            int32_t partition = topic->committed[left - 1].partition;

            offsets_put_tombstone(group, name, partition);
            offsets_remove(&group->offsets, name, partition);
        }
    }
}

/* SHARD hears of the next deleted topic that it does not know of yet; NULL:
 * of none. The caller frees the name. */
static wire_string_t next_deleted(group_shard_t *shard)
{
    group_coordinator_t *coordinator = shard->coordinator;
    wire_string_t name = WIRE_STRING_NULL;
    deleted_topic_t **at = &coordinator->deleted;

    apr_thread_mutex_lock(coordinator->deleted_mutex);
    while (*at && (*at)->heard[shard->index])
        at = &(*at)->next;
    if (*at) {
        deleted_topic_t *deleted = *at;

        name = text_copy(deleted->name);
        deleted->heard[shard->index] = 1;
        if (--deleted->shards_left == 0) {
            *at = deleted->next;
            free_deleted(deleted);
        }
    }
    apr_thread_mutex_unlock(coordinator->deleted_mutex);
    return name;
}

void group_forget_deleted_topics(group_shard_t *shard)
{
    for (;;) {
        wire_string_t name = next_deleted(shard);

        if (name.length < 0)
            return;
        forget_topic(shard, name);
        text_free(&name);
    }
}

void group_skip_deleted_topics(group_shard_t *shard)
{
    for (;;) {
        wire_string_t name = next_deleted(shard);

        if (name.length < 0)
            return;
        text_free(&name);
    }
}
