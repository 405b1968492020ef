/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OffsetCommit and OffsetDelete: an offset is a record in the shard's journal
 * and a line in its group. In a transaction it is set aside until the
 * transaction's end (KIP-98), and counts when that was a commit and nothing
 * was committed later outside of it.
 */
#include "base/clock.h"
#include "coordinator/consumer_state.h"
#include "coordinator/group_state.h"
#include "coordinator/memory.h"
#include "coordinator/text.h"
#include "protocol/offset_commit_key.h"
#include "protocol/offset_commit_response.h"
#include "protocol/offset_commit_value.h"
#include "protocol/offset_delete_response.h"
#include "protocol/txn_offset_commit_response.h"

enum {
    KEY_OFFSET = 1,
    VALUE_VERSION = 4,             /* what Kafka 4.3 writes */
    VALUE_VERSION_EXPIRING = 1,    /* the one that says when it expires */
    GROUP_NOT_FOUND_FROM = 9       /* OffsetCommit (KIP-848) */
};

/* ---- state --------------------------------------------------------------- */

static wire_string_t producer_key(const int64_t *producer_id)
{
    return (wire_string_t){ (const char *)producer_id, sizeof *producer_id };
}

static offsets_t *pending_offsets(const offset_transaction_t *transaction,
                                  const group_t *group)
{
    return map_get(&transaction->groups, group->id);
}

int offsets_pending(const group_t *group, wire_string_t topic,
                    int32_t partition)
{
    if (group->open_transactions == 0)
        return 0;
    for (map_entry_t *entry = group->shard->transactions.first; entry;
         entry = entry->next) {
        const offsets_t *offsets = pending_offsets(entry->value, group);

        if (offsets && offsets_get(offsets, topic, partition))
            return 1;
    }
    return 0;
}

static void set_aside(group_t *group, int64_t producer_id,
                      wire_string_t topic, const committed_t *committed)
{
    map_t *transactions = &group->shard->transactions;
    offset_transaction_t *transaction =
        map_get(transactions, producer_key(&producer_id));
    offsets_t *offsets;

    if (!transaction) {
        transaction = memory_new(sizeof *transaction);
        transaction->producer_id = producer_id;
        map_put(transactions, producer_key(&producer_id), transaction);
    }
    offsets = pending_offsets(transaction, group);
    if (!offsets) {
        offsets = memory_new(sizeof *offsets);
        map_put(&transaction->groups, group->id, offsets);
        group->open_transactions++;
    }
    offsets_put(offsets, topic, committed);
}

static void forget(group_t *group, wire_string_t topic, int32_t partition)
{
    offsets_remove(&group->offsets, topic, partition);
    for (map_entry_t *entry = group->shard->transactions.first; entry;
         entry = entry->next) {
        offsets_t *offsets = pending_offsets(entry->value, group);

        if (offsets)
            offsets_remove(offsets, topic, partition);
    }
}

/* What the transaction set aside for GROUP counts from now on. */
static void materialize(group_t *group, const offsets_t *from)
{
    for (map_entry_t *entry = from->topics.first; entry; entry = entry->next) {
        const offset_topic_t *topic = entry->value;

        for (int32_t i = 0; i < topic->count; i++) {
            const committed_t *now = offsets_get(
                &group->offsets, map_key(entry), topic->committed[i].partition);

            if (!now || now->order < topic->committed[i].order)
                offsets_put(&group->offsets, map_key(entry),
                            &topic->committed[i]);
        }
    }
}

void offsets_leave_transactions(group_t *group)
{
    if (group->open_transactions == 0)
        return;
    for (map_entry_t *entry = group->shard->transactions.first; entry;
         entry = entry->next) {
        offset_transaction_t *transaction = entry->value;
        offsets_t *offsets = map_remove(&transaction->groups, group->id);

        if (!offsets)
            continue;
        offsets_free(offsets);
        free(offsets);
        group->open_transactions--;
    }
}

static void free_transaction(offset_transaction_t *transaction)
{
    for (map_entry_t *entry = transaction->groups.first; entry;
         entry = entry->next) {
        offsets_free(entry->value);
        free(entry->value);
    }
    map_free(&transaction->groups);
    free(transaction);
}

void offsets_free_transactions(map_t *transactions)
{
    for (map_entry_t *entry = transactions->first; entry; entry = entry->next)
        free_transaction(entry->value);
    map_free(transactions);
}

void offsets_replay(group_shard_t *shard, int64_t producer_id,
                    wire_string_t id, wire_string_t topic,
                    const committed_t *committed, int32_t partition)
{
    group_t *group = committed ? group_need(shard, id) : group_find(shard, id);
    committed_t ordered;

    if (!committed) {
        if (group)
            forget(group, topic, partition);
        return;
    }
    ordered = *committed;
    ordered.order = ++shard->order;
    if (producer_id >= 0)
        set_aside(group, producer_id, topic, &ordered);
    else
        offsets_put(&group->offsets, topic, &ordered);
}

void offsets_replay_end(group_shard_t *shard, int64_t producer_id, int commit)
{
    offset_transaction_t *transaction =
        map_remove(&shard->transactions, producer_key(&producer_id));

    if (!transaction)
        return;
    for (map_entry_t *entry = transaction->groups.first; entry;
         entry = entry->next) {
        group_t *group = group_find(shard, map_key(entry));

        if (!group)
            continue;
        group->open_transactions--;
        if (commit)
            materialize(group, entry->value);
    }
    free_transaction(transaction);
}

void offsets_end_transaction(group_coordinator_t *coordinator, int32_t index,
                             int64_t producer_id, int commit)
{
    group_shard_t *shard;

    /* A shard that is not loaded will find the marker in its journal. */
    if (shard_enter_index(coordinator, index, &shard))
        return;
    offsets_replay_end(shard, producer_id, commit);
    shard_leave(shard);
}

/* ---- records ------------------------------------------------------------- */

static void put_offset(group_t *group, const shard_producer_t *producer,
                       wire_string_t topic, committed_t *committed)
{
    offset_commit_key_t key = { .group = group->id,
                                .topic = topic,
                                .partition = committed->partition };
    offset_commit_value_t value;
    int expires = committed->expire_timestamp >= 0;

    offset_commit_value_init(&value);
    value.offset = committed->offset;
    value.leader_epoch = committed->leader_epoch;
    value.metadata = committed->metadata;
    value.commit_timestamp = committed->commit_timestamp;
    value.expire_timestamp = committed->expire_timestamp;
    value.topic_id = committed->topic_id;
    shard_put_in_transaction(group->shard, producer, KEY_OFFSET, &key, &value,
                             expires ? VALUE_VERSION_EXPIRING : VALUE_VERSION);
    offsets_replay(group->shard, producer ? producer->producer_id : -1,
                   group->id, topic, committed, committed->partition);
}

void offsets_put_tombstone(group_t *group, wire_string_t topic,
                           int32_t partition)
{
    offset_commit_key_t key = { .group = group->id,
                                .topic = topic,
                                .partition = partition };

    shard_put(group->shard, KEY_OFFSET, &key, NULL, 0);
}

static void put_tombstones_of(group_t *group, const offsets_t *offsets,
                              const offsets_t *less)
{
    for (map_entry_t *entry = offsets->topics.first; entry;
         entry = entry->next) {
        const offset_topic_t *topic = entry->value;

        for (int32_t i = 0; i < topic->count; i++)
            if (!less || !offsets_get(less, map_key(entry),
                                      topic->committed[i].partition))
                offsets_put_tombstone(group, map_key(entry),
                                      topic->committed[i].partition);
    }
}

void offsets_put_tombstones(group_t *group)
{
    put_tombstones_of(group, &group->offsets, NULL);
    if (group->open_transactions == 0)
        return;
    for (map_entry_t *entry = group->shard->transactions.first; entry;
         entry = entry->next) {
        const offsets_t *offsets = pending_offsets(entry->value, group);

        if (offsets)
            put_tombstones_of(group, offsets, &group->offsets);
    }
}

/* ---- OffsetCommit -------------------------------------------------------- */

static offset_commit_response_t *
commit_response(const group_call_t *call, int16_t error)
{
    const offset_commit_request_t *request = call->body;
    offset_commit_response_t *response =
        apr_palloc(call->pool, sizeof *response);
    int by_id = call->version >= 10;

    offset_commit_response_init(response);
    response->topics_count = request->topics_count;
    response->topics =
        apr_pcalloc(call->pool, ((apr_size_t)request->topics_count + 1) *
                                    sizeof *response->topics);
    for (int32_t t = 0; t < request->topics_count; t++) {
        const offset_commit_request_offset_commit_request_topic_t *from =
            &request->topics[t];
        offset_commit_response_offset_commit_response_topic_t *to =
            &response->topics[t];

        offset_commit_response_offset_commit_response_topic_init(to);
        if (by_id)
            to->topic_id = from->topic_id;
        else
            to->name = from->name;
        to->partitions_count = from->partitions_count;
        to->partitions =
            apr_pcalloc(call->pool, ((apr_size_t)from->partitions_count + 1) *
                                        sizeof *to->partitions);
        for (int32_t p = 0; p < from->partitions_count; p++) {
            to->partitions[p].partition_index =
                from->partitions[p].partition_index;
            to->partitions[p].error_code = error;
        }
    }
    return response;
}

static const void *commit_refusal(group_call_t *call, int16_t error)
{
    return commit_response(call, error);
}

/* What the committer says of itself. */
typedef struct {
    wire_string_t member_id, instance_id;
    int32_t generation;            /* or member epoch */
    int transactional;
} committer_t;

static int16_t classic_commit_error(group_t *group,
                                    const committer_t *committer)
{
    const classic_t *classic = &group->classic;
    int16_t error = KAFKA_NONE;

    /* An administrator, or a consumer that manages its partitions itself. */
    if (committer->generation < 0 && classic->state == CLASSIC_EMPTY)
        return KAFKA_NONE;
    if (committer->generation >= 0 || committer->member_id.length > 0 ||
        committer->instance_id.length >= 0) {
        error = classic_check_member(group, committer->member_id,
                                     committer->instance_id);
        if (!error && committer->generation != classic->generation)
            error = KAFKA_ILLEGAL_GENERATION;
    } else if (!committer->transactional && classic->state != CLASSIC_EMPTY) {
        error = KAFKA_UNKNOWN_MEMBER_ID;
    }
    if (!error && !committer->transactional &&
        classic->state == CLASSIC_COMPLETING)
        error = KAFKA_REBALANCE_IN_PROGRESS;
    return error;
}

/* The group to commit to: made when there is none, for who has no
 * generation. */
static int16_t commit_group(group_shard_t *shard, wire_string_t id,
                            const committer_t *committer, int16_t not_found,
                            int16_t version, group_t **group)
{
    *group = group_find(shard, id);
    if (!*group) {
        if (committer->generation >= 0)
            return not_found;
        *group = group_need(shard, id);
    }
    return (*group)->type == GROUP_CONSUMER
               ? consumer_commit_error(*group, committer->member_id,
                                       committer->instance_id,
                                       committer->generation,
                                       committer->transactional, version)
               : classic_commit_error(*group, committer);
}

static void touch_committer(group_t *group, wire_string_t member_id)
{
    classic_member_t *member;

    if (group->type != GROUP_CLASSIC ||
        (group->classic.state != CLASSIC_STABLE &&
         group->classic.state != CLASSIC_PREPARING))
        return;
    member = classic_member(group, member_id);
    if (member)
        classic_touch(member);
}

/* One partition's offset; its error. */
static int16_t commit_one(group_t *group, const shard_producer_t *producer,
                          wire_string_t topic, committed_t *committed)
{
    if (text_java_length(committed->metadata) >
        shard_config(group->shard)->offset_metadata_max_bytes)
        return KAFKA_OFFSET_METADATA_TOO_LARGE;
    if (committed->metadata.length < 0)
        committed->metadata = wire_string_literal("");
    put_offset(group, producer, topic, committed);
    return KAFKA_NONE;
}

/* -1: never by itself. */
static int64_t expiry(int64_t now, int64_t retention_ms)
{
    if (retention_ms < 0)
        return -1;
    return retention_ms > INT64_MAX - now ? INT64_MAX : now + retention_ms;
}

static void commit_all(group_t *group, group_call_t *call)
{
    const offset_commit_request_t *request = call->body;
    offset_commit_response_t *response = commit_response(call, KAFKA_NONE);
    int64_t now = clock_wall_ms();

    for (int32_t t = 0; t < request->topics_count; t++) {
        const offset_commit_request_offset_commit_request_topic_t *topic =
            &request->topics[t];

        for (int32_t p = 0; p < topic->partitions_count; p++) {
            const offset_commit_request_offset_commit_request_partition_t
                *from = &topic->partitions[p];
            committed_t committed = {
                .partition = from->partition_index,
                .offset = from->committed_offset,
                .leader_epoch = from->committed_leader_epoch,
                .metadata = from->committed_metadata,
                .commit_timestamp = now,
                .expire_timestamp = expiry(now, request->retention_time_ms),
                .topic_id = topic->topic_id
            };

            response->topics[t].partitions[p].error_code =
                commit_one(group, NULL, topic->name, &committed);
        }
    }
    shard_answer(group->shard, call, response);
}

/* Whether all of an older epoch's commit still counts. */
static int may_commit_late(const group_t *group,
                           const offset_commit_request_t *request)
{
    for (int32_t t = 0; t < request->topics_count; t++)
        for (int32_t p = 0; p < request->topics[t].partitions_count; p++)
            if (!consumer_may_commit_late(
                    group, request->member_id,
                    request->generation_id_or_member_epoch,
                    &request->topics[t].topic_id,
                    request->topics[t].partitions[p].partition_index))
                return 0;
    return 1;
}

void offsets_commit(group_coordinator_t *coordinator, group_call_t *call,
                    const offset_commit_request_t *request)
{
    committer_t committer = {
        .member_id = request->member_id,
        .instance_id = request->group_instance_id,
        .generation = request->generation_id_or_member_epoch
    };
    group_shard_t *shard;
    group_t *group;
    int16_t error;

    call_begin(call, request, commit_refusal);
    error = shard_enter(coordinator, request->group_id, &shard);
    if (error) {
        call_refuse(call, error);
        return;
    }
    error = commit_group(shard, request->group_id, &committer,
                         call->version >= GROUP_NOT_FOUND_FROM
                             ? KAFKA_GROUP_ID_NOT_FOUND
                             : KAFKA_ILLEGAL_GENERATION,
                         call->version, &group);
    if (error == KAFKA_STALE_MEMBER_EPOCH && may_commit_late(group, request))
        error = KAFKA_NONE;
    if (error) {
        shard_refuse(shard, call, error);
    } else {
        touch_committer(group, request->member_id);
        commit_all(group, call);
    }
    shard_leave(shard);
}

typedef txn_offset_commit_request_txn_offset_commit_request_partition_t
    txn_partition_t;

/* ---- TxnOffsetCommit ----------------------------------------------------- */

static txn_offset_commit_response_t *
txn_response(const group_call_t *call, int16_t error)
{
    const txn_offset_commit_request_t *request = call->body;
    txn_offset_commit_response_t *response =
        apr_palloc(call->pool, sizeof *response);

    txn_offset_commit_response_init(response);
    response->topics_count = request->topics_count;
    response->topics =
        apr_pcalloc(call->pool, ((apr_size_t)request->topics_count + 1) *
                                    sizeof *response->topics);
    for (int32_t t = 0; t < request->topics_count; t++) {
        const txn_offset_commit_request_txn_offset_commit_request_topic_t
            *from = &request->topics[t];
        txn_offset_commit_response_txn_offset_commit_response_topic_t *to =
            &response->topics[t];

        to->name = from->name;
        to->partitions_count = from->partitions_count;
        to->partitions =
            apr_pcalloc(call->pool, ((apr_size_t)from->partitions_count + 1) *
                                        sizeof *to->partitions);
        for (int32_t p = 0; p < from->partitions_count; p++) {
            to->partitions[p].partition_index =
                from->partitions[p].partition_index;
            to->partitions[p].error_code = error;
        }
    }
    return response;
}

/* What a producer can act upon, as Kafka maps it. */
static const void *txn_refusal(group_call_t *call, int16_t error)
{
    return txn_response(call, error);
}

static void commit_all_in_transaction(group_t *group, group_call_t *call)
{
    const txn_offset_commit_request_t *request = call->body;
    txn_offset_commit_response_t *response = txn_response(call, KAFKA_NONE);
    shard_producer_t producer = { request->producer_id,
                                  request->producer_epoch };

    for (int32_t t = 0; t < request->topics_count; t++) {
        const txn_offset_commit_request_txn_offset_commit_request_topic_t
            *topic = &request->topics[t];

        for (int32_t p = 0; p < topic->partitions_count; p++) {
            const txn_partition_t *from = &topic->partitions[p];
            committed_t committed = {
                .partition = from->partition_index,
                .offset = from->committed_offset,
                .leader_epoch = from->committed_leader_epoch,
                .metadata = from->committed_metadata,
                .commit_timestamp = clock_wall_ms(),
                .expire_timestamp = -1
            };

            response->topics[t].partitions[p].error_code =
                commit_one(group, &producer, topic->name, &committed);
        }
    }
    shard_answer(group->shard, call, response);
}

void offsets_commit_in_transaction(group_coordinator_t *coordinator,
                                   group_call_t *call,
                                   const txn_offset_commit_request_t *request)
{
    committer_t committer = { .member_id = request->member_id,
                              .instance_id = request->group_instance_id,
                              .generation = request->generation_id,
                              .transactional = 1 };
    group_shard_t *shard;
    group_t *group;
    int16_t error;

    call_begin(call, request, txn_refusal);
    error = request->group_id.length > 0
                ? shard_enter(coordinator, request->group_id, &shard)
                : KAFKA_INVALID_GROUP_ID;
    if (error) {
        call_refuse(call, error);
        return;
    }
    error = commit_group(shard, request->group_id, &committer,
                         KAFKA_ILLEGAL_GENERATION, call->version, &group);
    if (error == KAFKA_STALE_MEMBER_EPOCH)
        error = KAFKA_ILLEGAL_GENERATION;
    if (error)
        shard_refuse(shard, call, error);
    else
        commit_all_in_transaction(group, call);
    shard_leave(shard);
}

/* ---- OffsetDelete -------------------------------------------------------- */

static const void *delete_refusal(group_call_t *call, int16_t error)
{
    offset_delete_response_t *response =
        apr_palloc(call->pool, sizeof *response);

    offset_delete_response_init(response);
    response->error_code = error;
    return response;
}

static int16_t delete_one(group_t *group, wire_string_t topic,
                          int32_t partition)
{
    if (group_subscribes(group, topic))
        return KAFKA_GROUP_SUBSCRIBED_TO_TOPIC;
    if (offsets_get(&group->offsets, topic, partition) ||
        offsets_pending(group, topic, partition)) {
        offsets_put_tombstone(group, topic, partition);
        forget(group, topic, partition);
    }
    return KAFKA_NONE;
}

static void delete_all(group_t *group, group_call_t *call)
{
    const offset_delete_request_t *request = call->body;
    offset_delete_response_t *response =
        apr_palloc(call->pool, sizeof *response);

    offset_delete_response_init(response);
    response->topics_count = request->topics_count;
    response->topics =
        apr_pcalloc(call->pool, ((apr_size_t)request->topics_count + 1) *
                                    sizeof *response->topics);
    for (int32_t t = 0; t < request->topics_count; t++) {
        const offset_delete_request_offset_delete_request_topic_t *from =
            &request->topics[t];
        offset_delete_response_offset_delete_response_topic_t *to =
            &response->topics[t];

        to->name = from->name;
        to->partitions_count = from->partitions_count;
        to->partitions =
            apr_pcalloc(call->pool, ((apr_size_t)from->partitions_count + 1) *
                                        sizeof *to->partitions);
        for (int32_t p = 0; p < from->partitions_count; p++) {
            int32_t index = from->partitions[p].partition_index;

            to->partitions[p].partition_index = index;
            to->partitions[p].error_code =
                delete_one(group, from->name, index);
        }
    }
    shard_answer(group->shard, call, response);
}

/* Only consumers say what they read; another living group may be relying on
 * any of its offsets. */
static int16_t delete_error(const group_t *group)
{
    if (!group)
        return KAFKA_GROUP_ID_NOT_FOUND;
    if (group->type == GROUP_CLASSIC && !group_is_empty(group) &&
        !classic_uses_consumer_protocol(group))
        return KAFKA_NON_EMPTY_GROUP;
    return KAFKA_NONE;
}

void offsets_delete(group_coordinator_t *coordinator, group_call_t *call,
                    const offset_delete_request_t *request)
{
    group_shard_t *shard;
    group_t *group;
    int16_t error;

    call_begin(call, request, delete_refusal);
    error = request->group_id.length > 0
                ? shard_enter(coordinator, request->group_id, &shard)
                : KAFKA_INVALID_GROUP_ID;
    if (error) {
        call_refuse(call, error);
        return;
    }
    group = group_find(shard, request->group_id);
    error = delete_error(group);
    if (error)
        shard_refuse(shard, call, error);
    else
        delete_all(group, call);
    shard_leave(shard);
}
