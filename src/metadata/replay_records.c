/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each metadata record does to an image. One function a record, and the
 * table that lists them; a record that is not in it is refused.
 */
#include <apr_strings.h>
#include <string.h>

#include "base/error.h"
#include "metadata/replay.h"
#include "protocol/access_control_entry_record.h"
#include "protocol/broker_registration_change_record.h"
#include "protocol/clear_elr_record.h"
#include "protocol/client_quota_record.h"
#include "protocol/config_record.h"
#include "protocol/delegation_token_record.h"
#include "protocol/feature_level_record.h"
#include "protocol/fence_broker_record.h"
#include "protocol/partition_change_record.h"
#include "protocol/partition_record.h"
#include "protocol/producer_ids_record.h"
#include "protocol/register_broker_record.h"
#include "protocol/register_controller_record.h"
#include "protocol/remove_access_control_entry_record.h"
#include "protocol/remove_delegation_token_record.h"
#include "protocol/remove_topic_record.h"
#include "protocol/remove_user_scram_credential_record.h"
#include "protocol/topic_record.h"
#include "protocol/unfence_broker_record.h"
#include "protocol/unregister_broker_record.h"
#include "protocol/user_scram_credential_record.h"
#include "protocol/zk_migration_state_record.h"

/* What a record is applied to and with. */
typedef struct {
    metadata_image_t *image;
    int16_t key;
    int16_t version;
    apr_pool_t *pool;
    const char **error;
} apply_t;

static image_text_t text_of(wire_string_t string)
{
    image_text_t text = {string.length < 0 ? NULL : string.data,
                         string.length < 0 ? 0 : (apr_size_t)string.length};

    if (string.length == 0)
        text.data = "";
    return text;
}

static const char *copy_of(apply_t *apply, wire_string_t string)
{
    return wire_string_dup(string, apply->pool);
}

/* As copy_of, where null is not expected. */
static const char *name_of(apply_t *apply, wire_string_t string)
{
    const char *name = wire_string_dup(string, apply->pool);

    return name ? name : "";
}

static apr_status_t corrupt(apply_t *apply, const char *what)
{
    *apply->error = what;
    return TAKHIN_ECORRUPT;
}

static const char *id_text(apply_t *apply, const wire_uuid_t *id)
{
    return wire_uuid_format(id,
                            apr_palloc(apply->pool, WIRE_UUID_TEXT_LENGTH + 1));
}

/* ---- brokers and controllers --------------------------------------------- */

static apr_status_t apply_register_broker(apply_t *apply, const void *body)
{
    const register_broker_record_t *record = body;
    image_endpoint_t *endpoints = apr_pcalloc(
        apply->pool,
        (apr_size_t)record->end_points_count * sizeof(*endpoints) + 1);
    image_feature_range_t *features =
        apr_pcalloc(apply->pool,
                    (apr_size_t)record->features_count * sizeof(*features) + 1);
    image_node_t node = {.id = record->broker_id,
                         .epoch = record->broker_epoch,
                         .incarnation = record->incarnation_id,
                         .rack = copy_of(apply, record->rack),
                         .endpoints = endpoints,
                         .endpoint_count = record->end_points_count,
                         .features = features,
                         .feature_count = record->features_count,
                         .log_dirs = record->log_dirs,
                         .log_dir_count = record->log_dirs_count,
                         .cordoned = record->cordoned_log_dirs,
                         .cordoned_count = record->cordoned_log_dirs_count,
                         .fenced = record->fenced,
                         .in_controlled_shutdown =
                             record->in_controlled_shutdown,
                         .zk_migrating = record->is_migrating_zk_broker};

    for (int32_t i = 0; i < record->end_points_count; i++)
        endpoints[i] =
            (image_endpoint_t){name_of(apply, record->end_points[i].name),
                               name_of(apply, record->end_points[i].host),
                               record->end_points[i].port,
                               record->end_points[i].security_protocol};
    for (int32_t i = 0; i < record->features_count; i++)
        features[i] =
            (image_feature_range_t){name_of(apply, record->features[i].name),
                                    record->features[i].min_supported_version,
                                    record->features[i].max_supported_version};
    return image_put_broker(apply->image, &node);
}

static apr_status_t apply_register_controller(apply_t *apply, const void *body)
{
    const register_controller_record_t *record = body;
    image_endpoint_t *endpoints = apr_pcalloc(
        apply->pool,
        (apr_size_t)record->end_points_count * sizeof(*endpoints) + 1);
    image_feature_range_t *features =
        apr_pcalloc(apply->pool,
                    (apr_size_t)record->features_count * sizeof(*features) + 1);
    image_node_t node = {.id = record->controller_id,
                         .epoch = -1,
                         .incarnation = record->incarnation_id,
                         .endpoints = endpoints,
                         .endpoint_count = record->end_points_count,
                         .features = features,
                         .feature_count = record->features_count,
                         .cordoned_count = -1,
                         .zk_migrating = record->zk_migration_ready};

    for (int32_t i = 0; i < record->end_points_count; i++)
        endpoints[i] =
            (image_endpoint_t){name_of(apply, record->end_points[i].name),
                               name_of(apply, record->end_points[i].host),
                               record->end_points[i].port,
                               record->end_points[i].security_protocol};
    for (int32_t i = 0; i < record->features_count; i++)
        features[i] =
            (image_feature_range_t){name_of(apply, record->features[i].name),
                                    record->features[i].min_supported_version,
                                    record->features[i].max_supported_version};
    return image_put_controller(apply->image, &node);
}

static apr_status_t apply_unregister_broker(apply_t *apply, const void *body)
{
    const unregister_broker_record_t *record = body;

    return image_remove_broker(apply->image, record->broker_id);
}

/* Sets *NODE to the registration of that epoch, to be changed and put back. */
static apr_status_t find_broker(apply_t *apply, int32_t id, int64_t epoch,
                                image_node_t *node)
{
    const image_node_t *broker = image_broker(apply->image, id);

    if (!broker || broker->epoch != epoch)
        return corrupt(
            apply,
            apr_psprintf(apply->pool,
                         "it speaks of broker %d of epoch %" APR_INT64_T_FMT
                         ", which is not registered",
                         (int)id, epoch));
    *node = *broker;
    return APR_SUCCESS;
}

static apr_status_t apply_broker_change(apply_t *apply, const void *body)
{
    const broker_registration_change_record_t *record = body;
    image_node_t node;
    apr_status_t status =
        find_broker(apply, record->broker_id, record->broker_epoch, &node);

    if (status)
        return status;
    if (record->fenced != 0)
        node.fenced = record->fenced > 0;
    if (record->in_controlled_shutdown != 0)
        node.in_controlled_shutdown = 1;
    if (record->log_dirs_count > 0) {
        node.log_dirs = record->log_dirs;
        node.log_dir_count = record->log_dirs_count;
    }
    if (record->cordoned_log_dirs_count >= 0) {
        node.cordoned = record->cordoned_log_dirs;
        node.cordoned_count = record->cordoned_log_dirs_count;
    }
    return image_put_broker(apply->image, &node);
}

static apr_status_t set_fenced(apply_t *apply, int32_t id, int64_t epoch,
                               int fenced)
{
    image_node_t node;
    apr_status_t status = find_broker(apply, id, epoch, &node);

    if (status)
        return status;
    node.fenced = fenced != 0;
    return image_put_broker(apply->image, &node);
}

static apr_status_t apply_fence_broker(apply_t *apply, const void *body)
{
    const fence_broker_record_t *record = body;

    return set_fenced(apply, record->id, record->epoch, 1);
}

static apr_status_t apply_unfence_broker(apply_t *apply, const void *body)
{
    const unfence_broker_record_t *record = body;

    return set_fenced(apply, record->id, record->epoch, 0);
}

/* ---- topics and partitions ----------------------------------------------- */

static apr_status_t apply_topic(apply_t *apply, const void *body)
{
    const topic_record_t *record = body;
    apr_status_t status =
        image_add_topic(apply->image, text_of(record->name), &record->topic_id);

    if (status == TAKHIN_ECORRUPT)
        return corrupt(apply, apr_psprintf(apply->pool,
                                           "topic %s (%s) is already there",
                                           name_of(apply, record->name),
                                           id_text(apply, &record->topic_id)));
    return status;
}

static apr_status_t apply_remove_topic(apply_t *apply, const void *body)
{
    const remove_topic_record_t *record = body;
    apr_status_t status = image_remove_topic(apply->image, &record->topic_id);

    if (status == TAKHIN_ECORRUPT)
        return corrupt(apply, apr_psprintf(apply->pool, "no topic has id %s",
                                           id_text(apply, &record->topic_id)));
    return status;
}

static image_ids_t ids_of(const int32_t *ids, int32_t count)
{
    image_ids_t list = {ids, count > 0 ? count : 0};

    return list;
}

static apr_status_t put_partition(apply_t *apply, const wire_uuid_t *topic,
                                  int32_t index,
                                  const image_partition_t *partition)
{
    apr_status_t status =
        image_put_partition(apply->image, topic, index, partition);

    if (status == TAKHIN_ECORRUPT)
        return corrupt(
            apply,
            apr_psprintf(apply->pool,
                         "it speaks of partition %d of topic id %s, which is "
                         "not there",
                         (int)index, id_text(apply, topic)));
    return status;
}

static apr_status_t apply_partition(apply_t *apply, const void *body)
{
    const partition_record_t *record = body;
    image_partition_t partition = {
        .leader = record->leader,
        .leader_epoch = record->leader_epoch,
        .partition_epoch = record->partition_epoch,
        .recovering = record->leader_recovery_state,
        .replicas = ids_of(record->replicas, record->replicas_count),
        .isr = ids_of(record->isr, record->isr_count),
        .removing =
            ids_of(record->removing_replicas, record->removing_replicas_count),
        .adding =
            ids_of(record->adding_replicas, record->adding_replicas_count),
        .eligible = ids_of(record->eligible_leader_replicas,
                           record->eligible_leader_replicas_count),
        .last_known =
            ids_of(record->last_known_elr, record->last_known_elr_count),
        .directories = record->directories_count == record->replicas_count
                           ? record->directories
                           : NULL};

    return put_partition(apply, &record->topic_id, record->partition_id,
                         &partition);
}

/* LIST takes on what the record has; -1 (null) is no change. */
static void change_ids(image_ids_t *list, const int32_t *ids, int32_t count)
{
    if (count >= 0)
        *list = ids_of(ids, count);
}

static void merge_partition(image_partition_t *partition,
                            const partition_change_record_t *record)
{
    int replicas = partition->replicas.count;

    change_ids(&partition->isr, record->isr, record->isr_count);
    change_ids(&partition->replicas, record->replicas, record->replicas_count);
    change_ids(&partition->removing, record->removing_replicas,
               record->removing_replicas_count);
    change_ids(&partition->adding, record->adding_replicas,
               record->adding_replicas_count);
    change_ids(&partition->eligible, record->eligible_leader_replicas,
               record->eligible_leader_replicas_count);
    change_ids(&partition->last_known, record->last_known_elr,
               record->last_known_elr_count);
    if (record->directories_count == partition->replicas.count)
        partition->directories = record->directories;
    else if (partition->replicas.count != replicas)
        partition->directories = NULL;
    if (record->leader_recovery_state >= 0)
        partition->recovering = record->leader_recovery_state;
    if (record->leader != -2) { /* also the same leader: a new epoch */
        partition->leader = record->leader;
        partition->leader_epoch++;
    }
    partition->partition_epoch++;
}

static apr_status_t apply_partition_change(apply_t *apply, const void *body)
{
    const partition_change_record_t *record = body;
    const image_topic_t *topic =
        image_topic_by_id(apply->image, &record->topic_id);
    const image_partition_t *before =
        topic ? image_topic_partition(topic, record->partition_id) : NULL;
    image_partition_t partition;

    if (!before)
        return corrupt(
            apply,
            apr_psprintf(apply->pool,
                         "it changes partition %d of topic id %s, which is not "
                         "there",
                         (int)record->partition_id,
                         id_text(apply, &record->topic_id)));
    partition = *before;
    merge_partition(&partition, record);
    return put_partition(apply, &record->topic_id, record->partition_id,
                         &partition);
}

static apr_status_t apply_clear_elr(apply_t *apply, const void *body)
{
    const clear_elr_record_t *record = body;
    apr_status_t status =
        image_clear_elr(apply->image, text_of(record->topic_name));

    if (status == TAKHIN_ECORRUPT)
        return corrupt(apply, apr_psprintf(apply->pool, "there is no topic %s",
                                           name_of(apply, record->topic_name)));
    return status;
}

/* ---- configurations, features, ids --------------------------------------- */

static apr_status_t apply_config(apply_t *apply, const void *body)
{
    const config_record_t *record = body;

    return image_set_config(apply->image, record->resource_type,
                            text_of(record->resource_name),
                            text_of(record->name), text_of(record->value));
}

static apr_status_t apply_feature_level(apply_t *apply, const void *body)
{
    const feature_level_record_t *record = body;

    return image_set_feature(apply->image, text_of(record->name),
                             record->feature_level);
}

static apr_status_t apply_producer_ids(apply_t *apply, const void *body)
{
    const producer_ids_record_t *record = body;

    if (record->next_producer_id < image_next_producer_id(apply->image))
        return corrupt(apply, "it would hand out producer ids again");
    image_set_next_producer_id(apply->image, record->next_producer_id);
    return APR_SUCCESS;
}

static apr_status_t apply_zk_migration(apply_t *apply, const void *body)
{
    const zk_migration_state_record_t *record = body;

    image_set_zk_state(apply->image, record->zk_migration_state);
    return APR_SUCCESS;
}

/* ---- quotas, users, ACLs, tokens ----------------------------------------- */

static apr_status_t apply_client_quota(apply_t *apply, const void *body)
{
    const client_quota_record_t *record = body;
    image_quota_entity_t *entity = apr_pcalloc(
        apply->pool, (apr_size_t)record->entity_count * sizeof(*entity) + 1);
    apr_status_t status;

    for (int32_t i = 0; i < record->entity_count; i++) {
        entity[i].type = name_of(apply, record->entity[i].entity_type);
        entity[i].name = copy_of(apply, record->entity[i].entity_name);
    }
    status = image_set_quota(apply->image, entity, record->entity_count,
                             name_of(apply, record->key),
                             record->remove ? NULL : &record->value);
    return status == TAKHIN_ECORRUPT
               ? corrupt(apply, "a quota's entity has no or too many parts")
               : status;
}

static apr_status_t apply_user_scram(apply_t *apply, const void *body)
{
    const user_scram_credential_record_t *record = body;
    image_scram_t scram = {
        .user = name_of(apply, record->name),
        .mechanism = record->mechanism,
        .salt = record->salt.data,
        .salt_length = (apr_size_t)record->salt.length,
        .stored_key = record->stored_key.data,
        .stored_key_length = (apr_size_t)record->stored_key.length,
        .server_key = record->server_key.data,
        .server_key_length = (apr_size_t)record->server_key.length,
        .iterations = record->iterations};

    if (record->salt.length < 0 || record->stored_key.length < 0 ||
        record->server_key.length < 0)
        return corrupt(apply, "a credential lacks a part");
    return image_put_scram(apply->image, &scram);
}

static apr_status_t apply_remove_user_scram(apply_t *apply, const void *body)
{
    const remove_user_scram_credential_record_t *record = body;

    return image_remove_scram(apply->image, name_of(apply, record->name),
                              record->mechanism);
}

static apr_status_t apply_acl(apply_t *apply, const void *body)
{
    const access_control_entry_record_t *record = body;
    image_acl_t acl = {.id = record->id,
                       .resource_type = record->resource_type,
                       .pattern_type = record->pattern_type,
                       .operation = record->operation,
                       .permission = record->permission_type,
                       .resource = name_of(apply, record->resource_name),
                       .principal = name_of(apply, record->principal),
                       .host = name_of(apply, record->host)};

    return image_put_acl(apply->image, &acl);
}

static apr_status_t apply_remove_acl(apply_t *apply, const void *body)
{
    const remove_access_control_entry_record_t *record = body;

    return image_remove_acl(apply->image, &record->id);
}

static apr_status_t apply_delegation_token(apply_t *apply, const void *body)
{
    const delegation_token_record_t *record = body;
    wire_writer_t out;
    apr_status_t status;

    wire_writer_init(&out, apply->pool, 256);
    status = frame_encode(&out, apply->key, apply->version, body);
    if (status)
        return status;
    return image_put_token(apply->image, text_of(record->token_id), out.buf,
                           out.length);
}

static apr_status_t apply_remove_token(apply_t *apply, const void *body)
{
    const remove_delegation_token_record_t *record = body;

    return image_remove_token(apply->image, text_of(record->token_id));
}

/* ---- the table ----------------------------------------------------------- */

/* Changes nothing: no-ops, and what frames a transaction. */
static apr_status_t apply_nothing(apply_t *apply, const void *body)
{
    (void)apply;
    (void)body;
    return APR_SUCCESS;
}

typedef apr_status_t (*apply_fn)(apply_t *apply, const void *body);

static const apply_fn appliers[] = {
    [RECORD_REGISTER_BROKER] = apply_register_broker,
    [RECORD_UNREGISTER_BROKER] = apply_unregister_broker,
    [RECORD_TOPIC] = apply_topic,
    [RECORD_PARTITION] = apply_partition,
    [RECORD_CONFIG] = apply_config,
    [RECORD_PARTITION_CHANGE] = apply_partition_change,
    [RECORD_FENCE_BROKER] = apply_fence_broker,
    [RECORD_UNFENCE_BROKER] = apply_unfence_broker,
    [RECORD_REMOVE_TOPIC] = apply_remove_topic,
    [RECORD_DELEGATION_TOKEN] = apply_delegation_token,
    [RECORD_USER_SCRAM] = apply_user_scram,
    [RECORD_FEATURE_LEVEL] = apply_feature_level,
    [RECORD_CLIENT_QUOTA] = apply_client_quota,
    [RECORD_PRODUCER_IDS] = apply_producer_ids,
    [RECORD_BROKER_CHANGE] = apply_broker_change,
    [RECORD_ACL] = apply_acl,
    [RECORD_REMOVE_ACL] = apply_remove_acl,
    [RECORD_NO_OP] = apply_nothing,
    [RECORD_ZK_MIGRATION] = apply_zk_migration,
    [RECORD_REMOVE_USER_SCRAM] = apply_remove_user_scram,
    [RECORD_BEGIN_TRANSACTION] = apply_nothing,
    [RECORD_END_TRANSACTION] = apply_nothing,
    [RECORD_ABORT_TRANSACTION] = apply_nothing,
    [RECORD_REMOVE_TOKEN] = apply_remove_token,
    [RECORD_REGISTER_CONTROLLER] = apply_register_controller,
    [RECORD_CLEAR_ELR] = apply_clear_elr};

apr_status_t replay_apply(metadata_image_t *image, int16_t key, int16_t version,
                          const void *body, apr_pool_t *pool,
                          const char **error)
{
    apply_t apply = {image, key, version, pool, error};
    const int16_t count = sizeof(appliers) / sizeof(*appliers);

    if (key < 0 || key >= count || !appliers[key]) {
        *error = apr_psprintf(pool, "record type %d is not known", (int)key);
        return TAKHIN_EUNSUPPORTED;
    }
    return appliers[key](&apply, body);
}
