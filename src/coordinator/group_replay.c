/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shard is made from its journal: each record is what a change of state was
 * written as. Records of a kind that is not known are passed over, as Kafka
 * does: a newer broker wrote them.
 */
#include <apr_pools.h>

#include "base/logger.h"
#include "record/builder.h"
#include "coordinator/consumer_state.h"
#include "coordinator/group_state.h"
#include "protocol/api.h"
#include "protocol/group_metadata_key.h"
#include "protocol/group_metadata_value.h"
#include "protocol/legacy_offset_commit_value.h"
#include "protocol/offset_commit_key.h"
#include "protocol/offset_commit_value.h"

enum {
    KEY_LEGACY_OFFSET = 0,
    KEY_OFFSET = 1,
    KEY_CLASSIC_GROUP = 2,
    RECORDS_LIMIT = INT32_MAX
};

typedef struct {
    group_shard_t *shard;
    const record_batch_t *batch;
    apr_pool_t *pool;
    int16_t key_type;
    void *key;
    void *value;               /* NULL: a tombstone */
} replay_t;

static void replay_offset(const replay_t *replay)
{
    const offset_commit_key_t *key = replay->key;
    const offset_commit_value_t *value = replay->value;
    committed_t committed = { .partition = key->partition };

    if (value) {
        committed.offset = value->offset;
        committed.leader_epoch = value->leader_epoch;
        committed.metadata = value->metadata;
        committed.commit_timestamp = value->commit_timestamp;
        committed.expire_timestamp = value->expire_timestamp;
        committed.topic_id = value->topic_id;
    }
    offsets_replay(replay->shard,
                   record_batch_is_transactional(replay->batch)
                       ? replay->batch->producer_id
                       : RECORD_NO_PRODUCER_ID,
                   key->group, key->topic, value ? &committed : NULL,
                   key->partition);
}

static void apply(const replay_t *replay)
{
    switch (replay->key_type) {
    case KEY_LEGACY_OFFSET:
    case KEY_OFFSET:
        replay_offset(replay);
        break;
    case KEY_CLASSIC_GROUP:
        classic_replay(replay->shard,
                       ((const group_metadata_key_t *)replay->key)->group,
                       replay->value);
        break;
    default:
        consumer_replay(replay->shard, replay->key_type, replay->key,
                        replay->value);
    }
}

/* Both begin with a 16-bit number: the key's is its type, the value's its
 * version. An old offset's key and value look like the newer ones'. */
static apr_status_t decode(replay_t *replay, const record_t *record)
{
    const wire_message_t *key_type, *value_type;
    wire_reader_t in;
    apr_status_t status;

    replay->key = replay->value = NULL;
    if (record->key_length < 2)
        return TAKHIN_ECORRUPT;
    wire_reader_init(&in, record->key, (apr_size_t)record->key_length,
                     replay->pool);
    replay->key_type = wire_get_int16(&in, "key");
    key_type = group_record_key(replay->key_type == KEY_LEGACY_OFFSET
                                    ? KEY_OFFSET
                                    : replay->key_type);
    value_type = group_record_value(replay->key_type == KEY_LEGACY_OFFSET
                                        ? KEY_OFFSET
                                        : replay->key_type);
    if (!key_type || !value_type)
        return TAKHIN_EUNSUPPORTED;
    replay->key = apr_pcalloc(replay->pool, key_type->size);
    status = wire_message_decode(key_type, replay->key, &in, 0);
    if (status || record->value_length < 0)
        return status;
    wire_reader_init(&in, record->value, (apr_size_t)record->value_length,
                     replay->pool);
    replay->value = apr_pcalloc(replay->pool, value_type->size);
    return wire_message_decode(value_type, replay->value, &in,
                               wire_get_int16(&in, "version"));
}

static apr_status_t replay_records(replay_t *replay, const uint8_t *data,
                                   record_scratch_t *scratch)
{
    record_iterator_t iterator;
    record_t record;
    apr_status_t status = record_iterator_init(&iterator, replay->batch, data,
                                               scratch, RECORDS_LIMIT);

    while (!status) {
        status = record_iterator_next(&iterator, &record);
        if (status)
            break;
        status = decode(replay, &record);
        if (status == TAKHIN_EUNSUPPORTED)
            LOG_EVERY(60, coordinator, WARN,
                      "a record of unknown type %d in %s-%d is passed over",
                      (int)replay->key_type,
                      replay->shard->coordinator->journal.topic,
                      (int)replay->shard->index);
        else if (!status)
            apply(replay);
        if (status == TAKHIN_EUNSUPPORTED)
            status = APR_SUCCESS;
        apr_pool_clear(replay->pool);
    }
    return APR_STATUS_IS_EOF(status) ? APR_SUCCESS : status;
}

static apr_status_t replay_marker(group_shard_t *shard,
                                  const record_batch_t *batch,
                                  const uint8_t *data)
{
    record_iterator_t iterator;
    record_t record;
    int32_t epoch;
    int commit;
    apr_status_t status =
        record_iterator_init(&iterator, batch, data, NULL, RECORDS_LIMIT);

    if (!status)
        status = record_iterator_next(&iterator, &record);
    if (!status)
        status = record_end_marker_parse(&record, &commit, &epoch);
    if (!status)
        offsets_replay_end(shard, batch->producer_id, commit);
    return status;
}

apr_status_t shard_replay_batch(void *baton, const record_batch_t *batch,
                                const uint8_t *data)
{
    replay_t replay = { .shard = baton, .batch = batch };
    record_scratch_t scratch = { 0 };
    apr_status_t status;

    if (record_batch_is_control(batch))
        return replay_marker(baton, batch, data);
    status = apr_pool_create(&replay.pool, NULL);
    if (status)
        return status;
    status = replay_records(&replay, data, &scratch);
    record_scratch_free(&scratch);
    apr_pool_destroy(replay.pool);
    if (status)
        LOG_EVERY(10, coordinator, ERROR,
                  "the batch at offset %lld of %s-%d cannot be read: %s",
                  (long long)batch->base_offset,
                  replay.shard->coordinator->journal.topic,
                  (int)replay.shard->index, LOG_STATUS(status));
    return status;
}
