/* SPDX-License-Identifier: Apache-2.0 */
/* OffsetFetch of one group: what was committed, answered at once. */
#include <apr_strings.h>

#include "coordinator/consumer_state.h"
#include "coordinator/group_state.h"

typedef offset_fetch_request_offset_fetch_request_group_t request_t;
typedef offset_fetch_response_offset_fetch_response_group_t response_t;
typedef offset_fetch_response_offset_fetch_response_topics_t found_t;
typedef offset_fetch_response_offset_fetch_response_partitions_t answer_t;

static void fill(const group_t *group, wire_string_t topic,
                 const wire_uuid_t *topic_id, int stable, int32_t index,
                 answer_t *out, apr_pool_t *pool)
{
    const committed_t *committed =
        group ? offsets_get(&group->offsets, topic, index) : NULL;

    out->partition_index = index;
    out->committed_offset = -1;
    out->committed_leader_epoch = -1;
    out->metadata = wire_string_literal("");
    if (group && stable && offsets_pending(group, topic, index)) {
        out->error_code = KAFKA_UNSTABLE_OFFSET_COMMIT;
        return;
    }
    /* An offset of a topic that was deleted and created again is none. */
    if (!committed ||
        (!wire_uuid_is_zero(topic_id) &&
         !wire_uuid_is_zero(&committed->topic_id) &&
         !wire_uuid_equal(topic_id, &committed->topic_id)))
        return;
    out->committed_offset = committed->offset;
    out->committed_leader_epoch = committed->leader_epoch;
    out->metadata.length = committed->metadata.length;
    out->metadata.data = apr_pstrmemdup(pool, committed->metadata.data,
                                        committed->metadata.length);
}

static void fetch_some(const group_t *group, const request_t *request,
                       int stable, response_t *response, apr_pool_t *pool)
{
    response->topics_count = request->topics_count;
    response->topics =
        apr_pcalloc(pool, ((apr_size_t)request->topics_count + 1) *
                              sizeof *response->topics);
    for (int32_t t = 0; t < request->topics_count; t++) {
        const offset_fetch_request_offset_fetch_request_topics_t *from =
            &request->topics[t];
        found_t *to = &response->topics[t];

        to->name = from->name;
        to->topic_id = from->topic_id;
        to->partitions_count = from->partition_indexes_count;
        to->partitions =
            apr_pcalloc(pool, ((apr_size_t)to->partitions_count + 1) *
                                  sizeof *to->partitions);
        for (int32_t p = 0; p < to->partitions_count; p++)
            fill(group, from->name, &from->topic_id, stable,
                 from->partition_indexes[p], &to->partitions[p], pool);
    }
}

static void fetch_all(const group_t *group, int stable, response_t *response,
                      apr_pool_t *pool)
{
    uint32_t count = group ? group->offsets.topics.count : 0;
    found_t *to;

    response->topics = apr_pcalloc(pool, (count + 1) * sizeof *to);
    if (count == 0)
        return;
    for (map_entry_t *entry = group->offsets.topics.first; entry;
         entry = entry->next) {
        const offset_topic_t *from = entry->value;
        wire_string_t name = map_key(entry);

        to = &response->topics[response->topics_count++];
        to->name.data = apr_pstrmemdup(pool, name.data, name.length);
        to->name.length = name.length;
        to->topic_id = from->committed[0].topic_id;
        to->partitions_count = from->count;
        to->partitions =
            apr_pcalloc(pool, from->count * sizeof *to->partitions);
        for (int32_t p = 0; p < from->count; p++)
            fill(group, name, &to->topic_id, stable,
                 from->committed[p].partition, &to->partitions[p], pool);
    }
}

void offsets_fetch(group_coordinator_t *coordinator, const request_t *request,
                   int stable, response_t *response, apr_pool_t *pool)
{
    group_shard_t *shard;
    const group_t *group;

    offset_fetch_response_offset_fetch_response_group_init(response);
    response->group_id = request->group_id;
    response->error_code = shard_enter(coordinator, request->group_id, &shard);
    if (response->error_code)
        return;
    group = group_find(shard, request->group_id);
    if (group && group->type == GROUP_CONSUMER)
        response->error_code = consumer_fetch_error(
            group, request->member_id, request->member_epoch);
    if (response->error_code)
        ;
    else if (request->topics_count < 0)
        fetch_all(group, stable, response, pool);
    else
        fetch_some(group, request, stable, response, pool);
    shard_leave(shard);
}
