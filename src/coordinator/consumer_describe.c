/* SPDX-License-Identifier: Apache-2.0 */
/* ConsumerGroupDescribe: a consumer group as it is (KIP-848). */
#include <apr_strings.h>

#include "coordinator/consumer_group.h"

typedef consumer_group_describe_response_described_group_t described_t;
typedef consumer_group_describe_response_member_t member_t;
typedef consumer_group_describe_response_assignment_t told_t;

enum { MEMBER_CLASSIC = 0, MEMBER_CONSUMER = 1 };

static wire_string_t keep(wire_string_t text, apr_pool_t *pool)
{
    if (text.length >= 0)
        text.data = apr_pstrmemdup(pool, text.data, text.length);
    return text;
}

/* Topics that are gone have no name and are left out. */
static void tell(const partition_set_t *set, const metadata_image_t *image,
                 told_t *told, apr_pool_t *pool)
{
    told->topic_partitions =
        apr_pcalloc(pool, ((apr_size_t)set_topic_count(set) + 1) *
                              sizeof *told->topic_partitions);
    for (int32_t at = 0, end; at < set->count; at = end) {
        const image_topic_t *topic =
            image_topic_by_id(image, &set->items[at].topic);
        consumer_group_describe_response_topic_partitions_t *out =
            &told->topic_partitions[told->topic_partitions_count];

        end = set_topic_end(set, at);
        if (!topic)
            continue;
        out->topic_id = set->items[at].topic;
        out->topic_name = wire_string_from(
            apr_pstrdup(pool, image_topic_name(topic)));
        out->partitions = set_partitions(set, at, end, pool);
        out->partitions_count = end - at;
        told->topic_partitions_count++;
    }
}

static void describe_member(const consumer_member_t *member,
                            const metadata_image_t *image, member_t *out,
                            apr_pool_t *pool)
{
    consumer_group_describe_response_member_init(out);
    out->member_id = keep(member->id, pool);
    out->instance_id = keep(member->instance_id, pool);
    out->rack_id = keep(member->rack_id, pool);
    out->member_epoch = member->epoch;
    out->client_id = keep(member->client_id, pool);
    out->client_host = keep(member->client_host, pool);
    out->subscribed_topic_names =
        apr_palloc(pool, ((apr_size_t)member->topic_count + 1) *
                             sizeof *out->subscribed_topic_names);
    for (int32_t i = 0; i < member->topic_count; i++)
        out->subscribed_topic_names[i] = keep(member->topics[i], pool);
    out->subscribed_topic_names_count = member->topic_count;
    out->subscribed_topic_regex =
        keep(member->regex.length > 0 ? member->regex : WIRE_STRING_NULL,
             pool);
    tell(&member->assigned, image, &out->assignment, pool);
    tell(&member->target, image, &out->target_assignment, pool);
    out->member_type = member->is_classic ? MEMBER_CLASSIC : MEMBER_CONSUMER;
}

static wire_string_t assignor_name(const group_t *group, apr_pool_t *pool)
{
    for (map_entry_t *entry = group->consumer->members.first; entry;
         entry = entry->next) {
        const consumer_member_t *member = entry->value;

        if (member->assignor.length > 0)
            return keep(member->assignor, pool);
    }
    return wire_string_from(shard_config(group->shard)->consumer_assignors[0]);
}

static void describe(const group_t *group, described_t *out, apr_pool_t *pool)
{
    const consumer_t *consumer = group->consumer;
    const metadata_image_t *image = shard_image(group->shard);

    out->group_state = wire_string_from(consumer_state_name(group));
    out->group_epoch = consumer->epoch;
    out->assignment_epoch =
        consumer->assignment_epoch < 0 ? 0 : consumer->assignment_epoch;
    out->assignor_name = assignor_name(group, pool);
    out->members = apr_palloc(pool, ((apr_size_t)consumer->members.count + 1) *
                                        sizeof *out->members);
    for (map_entry_t *entry = consumer->members.first; entry;
         entry = entry->next)
        describe_member(entry->value, image,
                        &out->members[out->members_count++], pool);
    image_release(image);
}

void consumer_group_describe(group_coordinator_t *coordinator,
                             wire_string_t id, described_t *out,
                             apr_pool_t *pool)
{
    group_shard_t *shard;
    const group_t *group;

    consumer_group_describe_response_described_group_init(out);
    out->group_id = id;
    out->error_code = id.length > 0 ? shard_enter(coordinator, id, &shard)
                                    : KAFKA_INVALID_GROUP_ID;
    if (out->error_code)
        return;
    group = group_find(shard, id);
    if (group && group->type == GROUP_CONSUMER) {
        describe(group, out, pool);
    } else {
        out->error_code = KAFKA_GROUP_ID_NOT_FOUND;
        out->error_message = wire_string_from(
            apr_psprintf(pool, "Group %.*s %s.", (int)id.length, id.data,
                         group ? "is not a consumer group" : "not found"));
    }
    shard_leave(shard);
}
