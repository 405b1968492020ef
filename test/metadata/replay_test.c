/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "metadata/record_writer.h"
#include "metadata/replay.h"
#include "metadata/snapshot.h"
#include "protocol/access_control_entry_record.h"
#include "protocol/api.h"
#include "protocol/broker_registration_change_record.h"
#include "protocol/client_quota_record.h"
#include "protocol/config_record.h"
#include "protocol/delegation_token_record.h"
#include "protocol/partition_change_record.h"
#include "protocol/partition_record.h"
#include "protocol/register_broker_record.h"
#include "protocol/remove_topic_record.h"
#include "protocol/topic_record.h"

static wire_uuid_t topic_id = {{9}};
static int32_t self[] = {1};

static apr_status_t apply(metadata_image_t *image, int16_t key,
                          const void *body)
{
    const char *error = NULL;

    return replay_apply(image, key, metadata_record(key)->max_version, body,
                        unit_pool(), &error);
}

static void add_topic(metadata_image_t *image)
{
    topic_record_t topic;
    partition_record_t partition;

    topic_record_init(&topic);
    topic.name = wire_string_literal("t");
    topic.topic_id = topic_id;
    UNIT_OK(apply(image, RECORD_TOPIC, &topic));
    partition_record_init(&partition);
    partition.topic_id = topic_id;
    partition.partition_id = 0;
    partition.replicas = partition.isr = self;
    partition.replicas_count = partition.isr_count = 1;
    partition.leader = 1;
    partition.leader_epoch = partition.partition_epoch = 0;
    UNIT_OK(apply(image, RECORD_PARTITION, &partition));
}

static void add_broker(metadata_image_t *image)
{
    register_broker_record_broker_endpoint_t endpoint;
    register_broker_record_broker_feature_t feature;
    register_broker_record_t broker;

    register_broker_record_broker_endpoint_init(&endpoint);
    endpoint.name = wire_string_literal("PLAINTEXT");
    endpoint.host = wire_string_literal("localhost");
    endpoint.port = 9092;
    register_broker_record_broker_feature_init(&feature);
    feature.name = wire_string_literal("metadata.version");
    feature.max_supported_version = 30;
    register_broker_record_init(&broker);
    broker.broker_id = 1;
    broker.broker_epoch = 11;
    broker.end_points = &endpoint;
    broker.features = &feature;
    broker.end_points_count = broker.features_count = 1;
    broker.rack = wire_string_literal("r1");
    UNIT_OK(apply(image, RECORD_REGISTER_BROKER, &broker));
}

/* One of what has strings and lists of its own. */
static void add_others(metadata_image_t *image)
{
    client_quota_record_entity_data_t entity = {wire_string_literal("user"),
                                                WIRE_STRING_NULL};
    wire_string_t renewer = wire_string_literal("User:bob");
    client_quota_record_t quota;
    access_control_entry_record_t acl;
    delegation_token_record_t token;
    config_record_t config;

    client_quota_record_init(&quota);
    quota.entity = &entity;
    quota.entity_count = 1;
    quota.key = wire_string_literal("request_percentage");
    quota.value = 50;
    UNIT_OK(apply(image, RECORD_CLIENT_QUOTA, &quota));
    access_control_entry_record_init(&acl);
    acl.id.bytes[3] = 3;
    acl.resource_name = wire_string_literal("t");
    acl.principal = wire_string_literal("User:alice");
    acl.host = wire_string_literal("*");
    UNIT_OK(apply(image, RECORD_ACL, &acl));
    delegation_token_record_init(&token);
    token.owner = token.requester = token.token_id =
        wire_string_literal("User:alice");
    token.renewers = &renewer;
    token.renewers_count = 1;
    token.max_timestamp = 1234567;
    UNIT_OK(apply(image, RECORD_DELEGATION_TOKEN, &token));
    config_record_init(&config);
    config.resource_type = CONFIG_TOPIC;
    config.resource_name = wire_string_literal("t");
    config.name = wire_string_literal("cleanup.policy");
    config.value = wire_string_literal("compact");
    UNIT_OK(apply(image, RECORD_CONFIG, &config));
}

static metadata_image_t *whole_image(void)
{
    metadata_image_t *image = image_create();

    UNIT_OK(
        image_set_feature(image, (image_text_t){"metadata.version", 16}, 30));
    add_broker(image);
    add_topic(image);
    add_others(image);
    image_set_position(image, 41, 2);
    return image;
}

/* ---- what records do ----------------------------------------------------- */

static const image_partition_t *partition_0(const metadata_image_t *image)
{
    return image_topic_partition(image_topic(image, "t", 1), 0);
}

static void a_partition_change_changes_what_it_names(void)
{
    metadata_image_t *image = whole_image();
    partition_change_record_t change;

    partition_change_record_init(&change);
    change.topic_id = topic_id;
    change.partition_id = 0;
    change.leader = -1;
    change.isr = change.eligible_leader_replicas = self;
    change.isr_count = 0;
    change.eligible_leader_replicas_count = 1;
    UNIT_OK(apply(image, RECORD_PARTITION_CHANGE, &change));
    CU_ASSERT_EQUAL(partition_0(image)->leader, -1);
    CU_ASSERT_EQUAL(partition_0(image)->leader_epoch, 1);
    CU_ASSERT_EQUAL(partition_0(image)->partition_epoch, 1);
    CU_ASSERT_EQUAL(partition_0(image)->isr.count, 0);
    CU_ASSERT_EQUAL(partition_0(image)->eligible.count, 1);
    CU_ASSERT_EQUAL(partition_0(image)->replicas.count, 1);
    partition_change_record_init(&change);
    change.topic_id = topic_id;
    change.partition_id = 0;
    UNIT_OK(apply(image, RECORD_PARTITION_CHANGE, &change));
    CU_ASSERT_EQUAL(partition_0(image)->leader_epoch, 1);
    CU_ASSERT_EQUAL(partition_0(image)->partition_epoch, 2);
    change.partition_id = 1;
    CU_ASSERT_EQUAL(apply(image, RECORD_PARTITION_CHANGE, &change),
                    TAKHIN_ECORRUPT);
    image_release(image);
}

static void a_registration_changes_only_in_its_own_epoch(void)
{
    metadata_image_t *image = whole_image();
    broker_registration_change_record_t change;

    broker_registration_change_record_init(&change);
    change.broker_id = 1;
    change.broker_epoch = 11;
    change.fenced = -1;
    CU_ASSERT(image_broker(image, 1)->fenced);
    UNIT_OK(apply(image, RECORD_BROKER_CHANGE, &change));
    CU_ASSERT(!image_broker(image, 1)->fenced);
    CU_ASSERT_STRING_EQUAL(image_broker(image, 1)->rack, "r1");
    CU_ASSERT_STRING_EQUAL(image_broker(image, 1)->endpoints[0].host,
                           "localhost");
    change.broker_epoch = 12;
    CU_ASSERT_EQUAL(apply(image, RECORD_BROKER_CHANGE, &change),
                    TAKHIN_ECORRUPT);
    image_release(image);
}

/* ---- snapshots ----------------------------------------------------------- */

static void read_file(const char *directory, const char *name, char **data,
                      apr_size_t *length)
{
    UNIT_OK(fs_read_whole(apr_pstrcat(unit_pool(), directory, "/", name, NULL),
                          1 << 20, data, length, unit_pool()));
}

/* With one of each kind the order of records is settled, so the second
 * snapshot is the first again but for its timestamps and CRCs. */
static void a_snapshot_of_a_snapshot_is_the_same(void)
{
    static const char name[] = "00000000000000000042-0000000002.checkpoint";
    const char *first = unit_tmpdir();
    const char *second = unit_tmpdir();
    metadata_image_t *image = whole_image();
    snapshot_info_t info = {.last_timestamp = 1};
    apr_size_t lengths[2];
    char *data[2];
    replay_t replay;

    UNIT_OK(snapshot_write(image, &info, first, unit_pool()));
    image_release(image);
    UNIT_OK(replay_init(&replay, unit_pool()));
    UNIT_OK(replay_directory(&replay, first));
    CU_ASSERT_EQUAL(replay.end_offset, 42);
    CU_ASSERT_EQUAL(replay.epoch, 2);
    UNIT_OK(snapshot_write(replay.image, &info, second, unit_pool()));
    replay_free(&replay);
    read_file(first, name, &data[0], &lengths[0]);
    read_file(second, name, &data[1], &lengths[1]);
    CU_ASSERT_EQUAL(lengths[0], lengths[1]);
    CU_ASSERT_PTR_NOT_NULL(memmem(data[1], lengths[1], "User:bob", 8));
    for (int i = 0; i < 2; i++) {
        record_batch_t batch;

        for (apr_size_t at = 0; at < lengths[i];
             at += record_batch_size(&batch)) {
            uint8_t *bytes = (uint8_t *)data[i] + at;

            UNIT_OK(record_batch_parse(&batch, bytes, lengths[i] - at));
            memset(bytes + RECORD_BATCH_CRC, 0, 4);
            memset(bytes + RECORD_BATCH_BASE_TIMESTAMP, 0, 16);
        }
    }
    CU_ASSERT_EQUAL(memcmp(data[0], data[1], lengths[0]), 0);
}

static void a_snapshot_without_its_end_is_refused(void)
{
    static const char name[] = "00000000000000000042-0000000002.checkpoint";
    const char *directory = unit_tmpdir();
    metadata_image_t *image = whole_image();
    snapshot_info_t info = {.last_timestamp = 1};
    char *data;
    apr_size_t length;

    UNIT_OK(snapshot_write(image, &info, directory, unit_pool()));
    image_release(image);
    read_file(directory, name, &data, &length);
    for (apr_size_t cut = 0; cut < length; cut += 7) {
        replay_t replay;

        UNIT_OK(fs_write_atomic(
            apr_pstrcat(unit_pool(), directory, "/", name, NULL), data, cut));
        UNIT_OK(replay_init(&replay, unit_pool()));
        CU_ASSERT_EQUAL(replay_directory(&replay, directory), TAKHIN_ECORRUPT);
        CU_ASSERT_PTR_NOT_NULL(strstr(replay.error, name));
        replay_free(&replay);
    }
}

/* ---- what is not right --------------------------------------------------- */

typedef struct {
    uint8_t *frames[64];
    int32_t lengths[64];
    int count;
} frames_t;

static apr_status_t keep_frame(void *baton, const record_batch_t *batch,
                               const record_t *record, const frame_t *frame)
{
    frames_t *frames = baton;

    (void)batch;
    if (!frame || frames->count == 64)
        return APR_SUCCESS;
    frames->frames[frames->count] = apr_pmemdup(
        unit_pool(), record->value, (apr_size_t)record->value_length);
    frames->lengths[frames->count++] = record->value_length;
    return APR_SUCCESS;
}

/* Applies a copy of the frame that a few bytes were changed in. */
static void apply_mutated(const metadata_image_t *base, const uint8_t *frame,
                          int32_t length, uint32_t *random, apr_pool_t *pool)
{
    metadata_image_t *image = image_edit(base);
    uint8_t *copy = malloc((apr_size_t)length); /* its end is watched */
    const char *error = NULL;
    frame_t decoded;
    apr_status_t status;

    memcpy(copy, frame, (apr_size_t)length);
    for (uint32_t i = 0; i <= *random >> 30; i++) {
        *random = *random * 1664525u + 1013904223u;
        copy[(*random >> 8) % (uint32_t)length] = (uint8_t)(*random >> 24);
    }
    status = frame_decode(&decoded, copy, length, pool, &error);
    if (!status)
        status = replay_apply(image, decoded.key, decoded.version, decoded.body,
                              pool, &error);
    if (status && status != APR_ENOMEM)
        CU_ASSERT_PTR_NOT_NULL(error);
    image_release(image);
    free(copy);
}

static void a_mutated_record_is_applied_or_refused_and_harms_nothing(void)
{
    const char *directory = unit_tmpdir();
    metadata_image_t *image = whole_image();
    snapshot_info_t info = {.last_timestamp = 1};
    frames_t frames = {.count = 0};
    uint32_t random = 1;
    apr_pool_t *pool;
    replay_t replay;

    UNIT_OK(snapshot_write(image, &info, directory, unit_pool()));
    UNIT_OK(replay_init(&replay, unit_pool()));
    replay.each = keep_frame;
    replay.baton = &frames;
    UNIT_OK(replay_directory(&replay, directory));
    replay_free(&replay);
    CU_ASSERT(frames.count >= 8);
    UNIT_OK(apr_pool_create(&pool, unit_pool()));
    for (int i = 0; i < 50000; i++) {
        int which = i % frames.count;

        apply_mutated(image, frames.frames[which], frames.lengths[which],
                      &random, pool);
        apr_pool_clear(pool);
    }
    image_release(image);
}

UNIT_MAIN(UNIT_TEST(a_partition_change_changes_what_it_names),
          UNIT_TEST(a_registration_changes_only_in_its_own_epoch),
          UNIT_TEST(a_snapshot_of_a_snapshot_is_the_same),
          UNIT_TEST(a_snapshot_without_its_end_is_refused),
          UNIT_TEST(a_mutated_record_is_applied_or_refused_and_harms_nothing))
