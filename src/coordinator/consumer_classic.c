/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the protocols: a classic group is upgraded when the first member of
 * the consumer protocol joins it, and downgraded when the last one leaves.
 * Meanwhile members of the classic protocol are served as if the group were
 * theirs: a JoinGroup reconciles, a SyncGroup tells the assignment, and a
 * Heartbeat says when to join again (KIP-848).
 */
#include <apr_strings.h>

#include "base/logger.h"
#include "coordinator/consumer_group.h"
#include "coordinator/memory.h"
#include "protocol/consumer_protocol_assignment.h"
#include "protocol/consumer_protocol_subscription.h"
#include "protocol/join_group_response.h"
#include "protocol/sync_group_response.h"

enum {
    MEMBER_ID_REQUIRED_FROM = 4,   /* JoinGroup's version (KIP-394) */
    PROTOCOL_VERSIONS = 3          /* the newest of the embedded protocol */
};

/* ---- the protocol inside the classic one --------------------------------- */

/* The version that BYTES begin with, as far as we know it; -1: malformed. */
static int16_t embedded_version(wire_bytes_t bytes)
{
    int16_t version;

    if (bytes.length < 2)
        return -1;
    version = bytes_get_i16(bytes.data);
    return version > PROTOCOL_VERSIONS ? PROTOCOL_VERSIONS : version;
}

static apr_status_t decode_embedded(const wire_message_t *type, void *message,
                                    wire_bytes_t bytes, apr_pool_t *pool)
{
    int16_t version = embedded_version(bytes);
    wire_reader_t in;

    if (version < 0)
        return TAKHIN_ECORRUPT;
    wire_reader_init(&in, bytes.data + 2, (apr_size_t)bytes.length - 2, pool);
    return wire_message_decode(type, message, &in, version);
}

static const image_topic_t *find_topic(const metadata_image_t *image,
                                       wire_string_t name)
{
    return name.length > 0 ? image_topic(image, name.data,
                                         (apr_size_t)name.length)
                           : NULL;
}

/* SET as the embedded protocol tells it, with names, in POOL. */
static wire_bytes_t encode_assignment(const partition_set_t *set,
                                      int16_t version,
                                      const metadata_image_t *image,
                                      apr_pool_t *pool)
{
    consumer_protocol_assignment_t assignment;
    wire_writer_t out;

    consumer_protocol_assignment_init(&assignment);
    assignment.assigned_partitions =
        apr_pcalloc(pool, ((apr_size_t)set_topic_count(set) + 1) *
                              sizeof *assignment.assigned_partitions);
    for (int32_t at = 0, end; at < set->count; at = end) {
        const image_topic_t *topic =
            image_topic_by_id(image, &set->items[at].topic);
        consumer_protocol_assignment_topic_partition_t *to =
            &assignment.assigned_partitions
                 [assignment.assigned_partitions_count];

        end = set_topic_end(set, at);
        if (!topic)
            continue;
        to->topic = wire_string_from(image_topic_name(topic));
        to->partitions = set_partitions(set, at, end, pool);
        to->partitions_count = end - at;
        assignment.assigned_partitions_count++;
    }
    if (version < 0)
        version = 0;
    wire_writer_init(&out, pool, 256);
    wire_put_int16(&out, version);
    TAKHIN_ASSERT(!wire_message_encode(&consumer_protocol_assignment_message,
                                       &assignment, &out, version));
    return (wire_bytes_t){ out.buf, (int32_t)out.length };
}

/* The version MEMBER speaks: that of its first protocol. */
static int16_t version_of(const consumer_member_t *member)
{
    return member->protocol_count > 0
               ? embedded_version(member->protocols[0].metadata)
               : 0;
}

/* ---- upgrade ------------------------------------------------------------- */

static void read_assignment(wire_bytes_t bytes, partition_set_t *set,
                            int32_t epoch, const metadata_image_t *image,
                            apr_pool_t *pool)
{
    consumer_protocol_assignment_t assignment;

    if (bytes.length <= 0)
        return; /* it was assigned nothing yet */
    TAKHIN_ASSERT(!decode_embedded(&consumer_protocol_assignment_message,
                                   &assignment, bytes, pool));
    for (int32_t t = 0; t < assignment.assigned_partitions_count; t++) {
        const consumer_protocol_assignment_topic_partition_t *from =
            &assignment.assigned_partitions[t];
        const image_topic_t *topic = find_topic(image, from->topic);

        for (int32_t p = 0; topic && p < from->partitions_count; p++)
            set_add(set, image_topic_id(topic), from->partitions[p], epoch);
    }
}

static wire_bytes_t chosen_metadata(const group_t *group,
                                    const classic_member_t *member)
{
    return group->classic.protocol.length >= 0
               ? classic_metadata(group, member)
               : member->protocols[0].metadata;
}

static void upgrade_member(group_t *group, const classic_member_t *from,
                           const metadata_image_t *image, apr_pool_t *pool)
{
    int32_t epoch = group->consumer->epoch;
    consumer_member_t *member =
        consumer_add_member(group, from->id, from->instance_id);
    consumer_protocol_subscription_t subscription;
    partition_set_t assigned = { 0 }, none = { 0 };

    TAKHIN_ASSERT(!decode_embedded(&consumer_protocol_subscription_message,
                                   &subscription,
                                   chosen_metadata(group, from), pool));
    if (subscription.rack_id.length > 0)
        text_replace(&member->rack_id, subscription.rack_id);
    text_replace(&member->client_id, from->client_id);
    text_replace(&member->client_host, from->client_host);
    consumer_set_topics(member, subscription.topics,
                        subscription.topics_count);
    member->rebalance_timeout_ms = from->rebalance_timeout_ms;
    member->session_timeout_ms = from->session_timeout_ms;
    member->epoch = member->previous_epoch = epoch;
    member->protocol_count = from->protocol_count;
    member->protocols =
        memory_new((size_t)from->protocol_count * sizeof *member->protocols);
    for (int i = 0; i < from->protocol_count; i++) {
        member->protocols[i].name = text_copy(from->protocols[i].name);
        member->protocols[i].metadata =
            bytes_copy(from->protocols[i].metadata);
    }
    member->is_classic = 1;
    read_assignment(from->assignment, &assigned, epoch, image, pool);
    set_copy(&member->target, &assigned);
    consumer_set_held(member, &assigned, &none);
    consumer_touch(member);
}

static void put_all(group_t *group)
{
    consumer_t *consumer = group->consumer;

    for (map_entry_t *entry = consumer->members.first; entry;
         entry = entry->next)
        consumer_put_member(entry->value);
    consumer_put_epoch(group);
    for (map_entry_t *entry = consumer->members.first; entry;
         entry = entry->next)
        consumer_put_target(entry->value);
    consumer_put_target_epoch(group);
    for (map_entry_t *entry = consumer->members.first; entry;
         entry = entry->next)
        consumer_put_current(entry->value);
}

static int is_readable(const group_t *group, const classic_member_t *member,
                       apr_pool_t *pool)
{
    consumer_protocol_subscription_t subscription;
    consumer_protocol_assignment_t assignment;

    return !decode_embedded(&consumer_protocol_subscription_message,
                            &subscription, chosen_metadata(group, member),
                            pool) &&
           (member->assignment.length <= 0 ||
            !decode_embedded(&consumer_protocol_assignment_message,
                             &assignment, member->assignment, pool));
}

/* What clients put into subscriptions and assignments must be readable. */
static int can_upgrade(const group_t *group, apr_pool_t *pool)
{
    const group_config_t *config = shard_config(group->shard);

    if (!(config->migration & GROUP_MIGRATION_UPGRADE) ||
        !classic_uses_consumer_protocol(group) ||
        (int64_t)group->classic.members.count > config->consumer_max_size)
        return 0;
    for (map_entry_t *entry = group->classic.members.first; entry;
         entry = entry->next)
        if (!is_readable(group, entry->value, pool))
            return 0;
    return 1;
}

static void do_upgrade(group_t *group, apr_pool_t *pool)
{
    const metadata_image_t *image = shard_image(group->shard);
    consumer_t *consumer;

    group_abandon(group, KAFKA_REBALANCE_IN_PROGRESS);
    group_put_tombstones(group);
    consumer = consumer_make(group);
    consumer->epoch = consumer->assignment_epoch = group->classic.generation;
    for (map_entry_t *entry = group->classic.members.first; entry;
         entry = entry->next)
        upgrade_member(group, entry->value, image, pool);
    image_release(image);
    classic_free(group);
    classic_init(group);
    put_all(group);
    LOG_INFO(coordinator, "group %.*s is upgraded to the consumer protocol",
             (int)group->id.length, group->id.data);
}

int consumer_upgrade(group_t *group)
{
    apr_pool_t *pool;
    int can;

    TAKHIN_ASSERT(!apr_pool_create(&pool, NULL));
    can = can_upgrade(group, pool);
    if (can)
        do_upgrade(group, pool);
    apr_pool_destroy(pool);
    return can;
}

/* ---- downgrade ----------------------------------------------------------- */

static void downgrade_member(group_t *group, const consumer_member_t *from,
                             const metadata_image_t *image, apr_pool_t *pool)
{
    classic_member_t *member = memory_new(sizeof *member);
    join_group_request_join_group_request_protocol_t *protocols = apr_palloc(
        pool, ((apr_size_t)from->protocol_count + 1) * sizeof *protocols);

    for (int32_t i = 0; i < from->protocol_count; i++) {
        protocols[i].name = from->protocols[i].name;
        protocols[i].metadata = from->protocols[i].metadata;
    }
    member->group = group;
    member->session.passed = classic_session_passed;
    member->id = text_copy(from->id);
    member->instance_id = text_copy(from->instance_id);
    member->client_id = text_copy(from->client_id);
    member->client_host = text_copy(from->client_host);
    member->rebalance_timeout_ms = from->rebalance_timeout_ms;
    member->session_timeout_ms = from->session_timeout_ms;
    member->assignment = bytes_copy(
        encode_assignment(&from->target, version_of(from), image, pool));
    classic_set_protocols(group, member, protocols, from->protocol_count);
    classic_add(group, member, NULL);
    classic_touch(member);
}

/* All members but LEAVING (NULL: nobody) become those of a classic group. */
static void do_downgrade(group_t *group, const consumer_member_t *leaving)
{
    const metadata_image_t *image = shard_image(group->shard);
    classic_t *classic = &group->classic;
    apr_pool_t *pool;

    TAKHIN_ASSERT(!apr_pool_create(&pool, NULL));
    consumer_put_tombstones(group);
    classic->protocol_type = text_copy(wire_string_literal("consumer"));
    classic->generation = group->consumer->epoch;
    for (map_entry_t *entry = group->consumer->members.first; entry;
         entry = entry->next)
        if (entry->value != leaving)
            downgrade_member(group, entry->value, image, pool);
    text_replace(&classic->protocol, classic_vote(group));
    classic_compute_topics(group);
    classic_set_state(group, CLASSIC_STABLE);
    consumer_free(group);
    group->type = GROUP_CLASSIC;
    classic_put(group);
    image_release(image);
    apr_pool_destroy(pool);
    LOG_INFO(coordinator, "group %.*s is downgraded to the classic protocol",
             (int)group->id.length, group->id.data);
}

static int may_downgrade(const group_t *group, int64_t members)
{
    const group_config_t *config = shard_config(group->shard);

    return (config->migration & GROUP_MIGRATION_DOWNGRADE) && members > 0 &&
           members <= config->max_size;
}

int consumer_downgrade(group_t *group, consumer_member_t *leaving)
{
    uint32_t others = group->consumer->members.count - 1;

    if (leaving->is_classic || consumer_classic_count(group) != others ||
        !may_downgrade(group, others))
        return 0;
    do_downgrade(group, leaving);
    classic_prepare_rebalance(group, "the group was downgraded");
    return 1;
}

void consumer_become_classic(group_t *group)
{
    TAKHIN_ASSERT(consumer_is_empty(group));
    consumer_put_tombstones(group);
    consumer_free(group);
    group->type = GROUP_CLASSIC;
    classic_free(group);
    classic_init(group);
}

/* ---- JoinGroup ----------------------------------------------------------- */

static int supports(const group_t *group, const join_group_request_t *request)
{
    uint32_t members = consumer_classic_count(group);

    if (!wire_string_equal_text(request->protocol_type, "consumer"))
        return 0;
    for (int32_t i = 0; i < request->protocols_count; i++) {
        uint32_t having = 0;

        for (map_entry_t *entry = group->consumer->members.first; entry;
             entry = entry->next) {
            const consumer_member_t *member = entry->value;

            for (int32_t p = 0; p < member->protocol_count; p++)
                if (wire_string_equal(member->protocols[p].name,
                                      request->protocols[i].name)) {
                    having++;
                    break;
                }
        }
        if (having == members)
            return 1;
    }
    return 0;
}

static join_group_response_t *new_join_response(const group_call_t *call,
                                                wire_string_t member_id,
                                                int16_t error)
{
    join_group_response_t *response =
        apr_palloc(call->pool, sizeof *response);

    join_group_response_init(response);
    response->error_code = error;
    response->member_id = member_id;
    response->leader = wire_string_literal("");
    response->protocol_name =
        call->version < 7 ? wire_string_literal("") : WIRE_STRING_NULL;
    return response;
}

/* The former holder of the instance id, which may be of either protocol. */
static void take_instance(consumer_member_t *member, wire_string_t id)
{
    group_t *group = member->group;

    consumer_put_member_gone(group, member->id);
    map_remove(&group->consumer->members, member->id);
    text_replace(&member->id, id);
    map_put(&group->consumer->members, id, member);
    member->epoch = member->previous_epoch = 0;
    consumer_put_target(member);
    consumer_put_current(member);
}

static int16_t join_as(group_t *group, const join_group_request_t *request,
                       wire_string_t id, int is_new,
                       consumer_member_t **member)
{
    if (request->group_instance_id.length < 0) {
        *member = consumer_member(group, id);
        if (!*member)
            *member = consumer_add_member(group, id, WIRE_STRING_NULL);
        return KAFKA_NONE;
    }
    *member = consumer_static_member(group, request->group_instance_id);
    if (!*member) {
        if (!is_new)
            return KAFKA_UNKNOWN_MEMBER_ID;
        *member = consumer_add_member(group, id, request->group_instance_id);
    } else if (is_new) {
        take_instance(*member, id);
    } else if (!wire_string_equal((*member)->id, id)) {
        return KAFKA_FENCED_INSTANCE_ID;
    }
    return KAFKA_NONE;
}

static int differs(const consumer_member_t *member,
                   const join_group_request_t *request)
{
    if (!member->is_classic ||
        member->protocol_count != request->protocols_count ||
        member->session_timeout_ms != request->session_timeout_ms ||
        member->rebalance_timeout_ms != request->rebalance_timeout_ms)
        return 1;
    for (int32_t i = 0; i < member->protocol_count; i++) {
        wire_bytes_t a = member->protocols[i].metadata;
        wire_bytes_t b = request->protocols[i].metadata;

        if (!wire_string_equal(member->protocols[i].name,
                               request->protocols[i].name) ||
            a.length != b.length ||
            (a.length > 0 && memcmp(a.data, b.data, (size_t)a.length)))
            return 1;
    }
    return 0;
}

/* Whether the subscription changed. */
static int update_member(consumer_member_t *member, const group_call_t *call,
                         const consumer_protocol_subscription_t *subscription)
{
    const join_group_request_t *request = call->body;
    int changed = consumer_set_topics(member, subscription->topics,
                                      subscription->topics_count);
    int news = differs(member, request) || changed;

    if (!news)
        return 0;
    if (subscription->rack_id.length > 0)
        text_replace(&member->rack_id, subscription->rack_id);
    if (member->regex.length > 0) {
        text_replace(&member->regex, wire_string_literal(""));
        changed = 1;
    }
    text_replace(&member->client_id, call->client_id.length < 0
                                         ? wire_string_literal("")
                                         : call->client_id);
    text_replace(&member->client_host, call->client_host);
    member->rebalance_timeout_ms = request->rebalance_timeout_ms;
    member->session_timeout_ms = request->session_timeout_ms;
    consumer_set_protocols(member, request->protocols,
                           request->protocols_count);
    consumer_put_member(member);
    return changed;
}

static void read_owned(const consumer_protocol_subscription_t *subscription,
                       group_t *group, partition_set_t *owned)
{
    const metadata_image_t *image = shard_image(group->shard);

    for (int32_t t = 0; t < subscription->owned_partitions_count; t++) {
        const image_topic_t *topic =
            find_topic(image, subscription->owned_partitions[t].topic);

        for (int32_t p = 0;
             topic && p < subscription->owned_partitions[t].partitions_count;
             p++)
            set_add(owned, image_topic_id(topic),
                    subscription->owned_partitions[t].partitions[p], 0);
    }
    image_release(image);
}

static void answer_join(group_t *group, group_call_t *call,
                        consumer_member_t *member)
{
    join_group_response_t *response = new_join_response(
        call,
        wire_string_from(wire_string_dup(member->id, call->pool)), KAFKA_NONE);

    response->generation_id = member->epoch;
    response->protocol_type = wire_string_literal("consumer");
    response->protocol_name = wire_string_from(
        wire_string_dup(member->protocols[0].name, call->pool));
    shard_answer(group->shard, call, response);
}

static void admit(group_t *group, group_call_t *call,
                  consumer_member_t *member,
                  const consumer_protocol_subscription_t *subscription)
{
    const join_group_request_t *request = call->body;
    int replaced = member->epoch == 0 && !member->is_classic &&
                   member->target.count > 0;
    partition_set_t owned = { 0 };

    read_owned(subscription, group, &owned);
    consumer_refresh(group, update_member(member, call, subscription));
    consumer_reconcile(member, &owned);
    set_free(&owned);
    answer_join(group, call, member);
    if (replaced &&
        consumer_classic_count(group) == group->consumer->members.count &&
        may_downgrade(group, group->consumer->members.count)) {
        do_downgrade(group, NULL);
        return;
    }
    consumer_touch(member);
    shard_set_deadline(group->shard, &member->phase,
                       request->rebalance_timeout_ms);
}

static int16_t join_error(const group_t *group, const group_call_t *call,
                          consumer_protocol_subscription_t *subscription)
{
    const join_group_request_t *request = call->body;

    if ((int64_t)group->consumer->members.count >=
            shard_config(group->shard)->consumer_max_size &&
        !consumer_member(group, request->member_id))
        return KAFKA_GROUP_MAX_SIZE_REACHED;
    if (!supports(group, request) ||
        decode_embedded(&consumer_protocol_subscription_message, subscription,
                        request->protocols[0].metadata, call->pool))
        return KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    return KAFKA_NONE;
}

void consumer_join_classic(group_t *group, group_call_t *call)
{
    const join_group_request_t *request = call->body;
    consumer_protocol_subscription_t subscription;
    int is_new = request->member_id.length <= 0;
    wire_string_t id = request->member_id;
    consumer_member_t *member;
    int16_t error = join_error(group, call, &subscription);

    if (error) {
        shard_refuse(group->shard, call, error);
        return;
    }
    if (is_new) {
        wire_uuid_t random;
        char *text = apr_palloc(call->pool, WIRE_UUID_TEXT_LENGTH + 1);

        TAKHIN_ASSERT(!wire_uuid_random(&random));
        id = wire_string_from(wire_uuid_format(&random, text));
    }
    if (is_new && request->group_instance_id.length < 0 &&
        call->version >= MEMBER_ID_REQUIRED_FROM) {
        shard_answer(group->shard, call,
                     new_join_response(call, id, KAFKA_MEMBER_ID_REQUIRED));
        return;
    }
    error = join_as(group, request, id, is_new, &member);
    if (error)
        shard_refuse(group->shard, call, error);
    else
        admit(group, call, member, &subscription);
}

/* ---- SyncGroup, Heartbeat, LeaveGroup ------------------------------------ */

static int16_t find_classic(const group_t *group, wire_string_t id,
                            wire_string_t instance_id,
                            consumer_member_t **member)
{
    *member = instance_id.length < 0
                  ? consumer_member(group, id)
                  : consumer_static_member(group, instance_id);
    if (!*member)
        return KAFKA_UNKNOWN_MEMBER_ID;
    if (instance_id.length >= 0 && !wire_string_equal((*member)->id, id))
        return KAFKA_FENCED_INSTANCE_ID;
    return (*member)->is_classic ? KAFKA_NONE : KAFKA_UNKNOWN_MEMBER_ID;
}

static void await_join(consumer_member_t *member)
{
    if (member->phase.place == 0)
        shard_set_deadline(member->group->shard, &member->phase,
                           member->rebalance_timeout_ms);
}

static int16_t sync_error(group_t *group, const sync_group_request_t *request,
                          consumer_member_t **found)
{
    int16_t error = find_classic(group, request->member_id,
                                 request->group_instance_id, found);
    consumer_member_t *member = *found;

    if (error)
        return error;
    if (request->generation_id != member->epoch)
        return KAFKA_ILLEGAL_GENERATION;
    if ((request->protocol_type.length >= 0 &&
         !wire_string_equal_text(request->protocol_type, "consumer")) ||
        (request->protocol_name.length >= 0 &&
         !wire_string_equal(request->protocol_name,
                            member->protocols[0].name)))
        return KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    if (group->consumer->epoch > member->epoch &&
        member->state != CONSUMER_UNREVOKED) {
        await_join(member);
        return KAFKA_REBALANCE_IN_PROGRESS;
    }
    return KAFKA_NONE;
}

void consumer_sync_classic(group_t *group, group_call_t *call)
{
    const sync_group_request_t *request = call->body;
    const metadata_image_t *image;
    sync_group_response_t *response;
    consumer_member_t *member;
    int16_t error = sync_error(group, request, &member);

    if (error) {
        shard_refuse(group->shard, call, error);
        return;
    }
    shard_clear_deadline(group->shard, &member->phase);
    consumer_touch(member);
    image = shard_image(group->shard);
    response = apr_palloc(call->pool, sizeof *response);
    sync_group_response_init(response);
    response->protocol_type = request->protocol_type;
    response->protocol_name = request->protocol_name;
    response->assignment = encode_assignment(
        &member->assigned, version_of(member), image, call->pool);
    image_release(image);
    shard_answer(group->shard, call, response);
}

int16_t consumer_heartbeat_classic(group_t *group,
                                   const heartbeat_request_t *request)
{
    consumer_member_t *member;
    int16_t error = find_classic(group, request->member_id,
                                 request->group_instance_id, &member);

    if (error)
        return error;
    if (request->generation_id != member->epoch)
        return KAFKA_ILLEGAL_GENERATION;
    consumer_touch(member);
    if (member->epoch >= group->consumer->epoch &&
        member->state != CONSUMER_UNREVOKED &&
        (member->state != CONSUMER_UNRELEASED ||
         consumer_waits_for_release(member)))
        return KAFKA_NONE;
    await_join(member);
    return KAFKA_REBALANCE_IN_PROGRESS;
}

static int16_t leave_one(group_t *group,
                         leave_group_response_member_response_t *answer)
{
    consumer_member_t *member;
    int16_t error;

    if (answer->member_id.length <= 0 &&
        answer->group_instance_id.length >= 0) {
        member = consumer_static_member(group, answer->group_instance_id);
        error = member && member->is_classic ? KAFKA_NONE
                                             : KAFKA_UNKNOWN_MEMBER_ID;
    } else {
        error = find_classic(group, answer->member_id,
                             answer->group_instance_id, &member);
    }
    if (!error)
        consumer_remove_member(group, member);
    return error;
}

void consumer_leave_classic(group_t *group, group_call_t *call,
                            leave_group_response_t *response)
{
    for (int32_t i = 0; i < response->members_count; i++)
        response->members[i].error_code =
            leave_one(group, &response->members[i]);
    shard_answer(group->shard, call, response);
}
