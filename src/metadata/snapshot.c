/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image as records, in the order in which they can be replayed: features,
 * nodes, topics with their partitions, and the rest.
 */
#include "metadata/snapshot.h"

#include <apr_strings.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "metadata/features.h"
#include "metadata/frame.h"
#include "metadata/image_edit.h"
#include "metadata/record_writer.h"
#include "metadata/replay.h"
#include "protocol/access_control_entry_record.h"
#include "protocol/client_quota_record.h"
#include "protocol/config_record.h"
#include "protocol/feature_level_record.h"
#include "protocol/kraft_version_record.h"
#include "protocol/partition_record.h"
#include "protocol/producer_ids_record.h"
#include "protocol/register_broker_record.h"
#include "protocol/register_controller_record.h"
#include "protocol/snapshot_footer_record.h"
#include "protocol/snapshot_header_record.h"
#include "protocol/topic_record.h"
#include "protocol/user_scram_credential_record.h"
#include "protocol/zk_migration_state_record.h"

/* One snapshot on its way to a file. */
typedef struct {
    record_writer_t writer;
    const metadata_image_t *image;
    int16_t metadata_version;
    apr_pool_t *pool;
    fs_file_t *file;
    apr_off_t size;
} output_t;

static apr_status_t write_batch(void *baton, uint8_t *data, apr_size_t length)
{
    output_t *output = baton;
    apr_status_t status = fs_write_at(output->file, output->size, data, length);

    output->size += (apr_off_t)length;
    return status;
}

static apr_status_t put(output_t *output, int16_t key, const void *body)
{
    return record_writer_put(&output->writer, key,
                             frame_version(key, output->metadata_version),
                             body);
}

/* ---- features and nodes -------------------------------------------------- */

static apr_status_t put_feature_level(output_t *output, const char *name,
                                      int16_t level)
{
    feature_level_record_t record;

    feature_level_record_init(&record);
    record.name = wire_string_from(name);
    record.feature_level = level;
    return put(output, RECORD_FEATURE_LEVEL, &record);
}

static apr_status_t put_feature(void *baton, const char *name, int16_t level)
{
    if (strcmp(name, FEATURE_METADATA_VERSION) == 0)
        return APR_SUCCESS; /* it came first: it says how to read on */
    return put_feature_level(baton, name, level);
}

static apr_status_t put_features(output_t *output)
{
    int16_t level = output->metadata_version;
    apr_status_t status = APR_SUCCESS;

    if (level > 0)
        status = put_feature_level(output, FEATURE_METADATA_VERSION, level);
    return status ? status
                  : image_each_feature(output->image, put_feature, output);
}

static apr_status_t put_broker(void *baton, const image_node_t *node)
{
    output_t *output = baton;
    apr_pool_t *scratch = output->writer.scratch;
    register_broker_record_t record;
    apr_size_t endpoints = (apr_size_t)node->endpoint_count;
    apr_size_t features = (apr_size_t)node->feature_count;
    int16_t version =
        frame_version(RECORD_REGISTER_BROKER, output->metadata_version);

    register_broker_record_init(&record);
    record.broker_id = node->id;
    record.is_migrating_zk_broker = version >= 2 && node->zk_migrating;
    record.incarnation_id = node->incarnation;
    record.broker_epoch = node->epoch;
    record.rack = wire_string_from(node->rack);
    record.fenced = node->fenced;
    record.in_controlled_shutdown =
        version >= 1 && node->in_controlled_shutdown;
    if (version >= 3) {
        record.log_dirs = (wire_uuid_t *)node->log_dirs;
        record.log_dirs_count = node->log_dir_count;
    }
    if (version >= 4) {
        record.cordoned_log_dirs = (wire_uuid_t *)node->cordoned;
        record.cordoned_log_dirs_count = node->cordoned_count;
    }
    record.end_points_count = node->endpoint_count;
    record.end_points =
        apr_pcalloc(scratch, endpoints * sizeof(*record.end_points) + 1);
    for (apr_size_t i = 0; i < endpoints; i++) {
        record.end_points[i].name = wire_string_from(node->endpoints[i].name);
        record.end_points[i].host = wire_string_from(node->endpoints[i].host);
        record.end_points[i].port = node->endpoints[i].port;
        record.end_points[i].security_protocol =
            node->endpoints[i].security_protocol;
    }
    record.features_count = node->feature_count;
    record.features =
        apr_pcalloc(scratch, features * sizeof(*record.features) + 1);
    for (apr_size_t i = 0; i < features; i++) {
        record.features[i].name = wire_string_from(node->features[i].name);
        record.features[i].min_supported_version = node->features[i].min;
        record.features[i].max_supported_version = node->features[i].max;
    }
    return put(output, RECORD_REGISTER_BROKER, &record);
}

static apr_status_t put_controller(void *baton, const image_node_t *node)
{
    output_t *output = baton;
    apr_pool_t *scratch = output->writer.scratch;
    register_controller_record_t record;
    apr_size_t endpoints = (apr_size_t)node->endpoint_count;
    apr_size_t features = (apr_size_t)node->feature_count;

    register_controller_record_init(&record);
    record.controller_id = node->id;
    record.incarnation_id = node->incarnation;
    record.zk_migration_ready = node->zk_migrating;
    record.end_points_count = node->endpoint_count;
    record.end_points =
        apr_pcalloc(scratch, endpoints * sizeof(*record.end_points) + 1);
    for (apr_size_t i = 0; i < endpoints; i++) {
        record.end_points[i].name = wire_string_from(node->endpoints[i].name);
        record.end_points[i].host = wire_string_from(node->endpoints[i].host);
        record.end_points[i].port = node->endpoints[i].port;
        record.end_points[i].security_protocol =
            node->endpoints[i].security_protocol;
    }
    record.features_count = node->feature_count;
    record.features =
        apr_pcalloc(scratch, features * sizeof(*record.features) + 1);
    for (apr_size_t i = 0; i < features; i++) {
        record.features[i].name = wire_string_from(node->features[i].name);
        record.features[i].min_supported_version = node->features[i].min;
        record.features[i].max_supported_version = node->features[i].max;
    }
    return put(output, RECORD_REGISTER_CONTROLLER, &record);
}

/* ---- topics -------------------------------------------------------------- */

/* LIST as a record has it; empty ones of the ELR are null. */
static int32_t *ids(const image_ids_t *list, int32_t *count)
{
    *count = list->count;
    return (int32_t *)list->ids;
}

static apr_status_t put_partition(output_t *output, const wire_uuid_t *topic,
                                  int32_t index,
                                  const image_partition_t *partition)
{
    int16_t version = frame_version(RECORD_PARTITION, output->metadata_version);
    partition_record_t record;

    partition_record_init(&record);
    record.partition_id = index;
    record.topic_id = *topic;
    record.replicas = ids(&partition->replicas, &record.replicas_count);
    record.isr = ids(&partition->isr, &record.isr_count);
    record.removing_replicas =
        ids(&partition->removing, &record.removing_replicas_count);
    record.adding_replicas =
        ids(&partition->adding, &record.adding_replicas_count);
    record.leader = partition->leader;
    record.leader_recovery_state = partition->recovering;
    record.leader_epoch = partition->leader_epoch;
    record.partition_epoch = partition->partition_epoch;
    if (version >= 1 && partition->directories) {
        record.directories = (wire_uuid_t *)partition->directories;
        record.directories_count = partition->replicas.count;
    }
    if (version >= 2 && partition->eligible.count > 0)
        record.eligible_leader_replicas =
            ids(&partition->eligible, &record.eligible_leader_replicas_count);
    if (version >= 2 && partition->last_known.count > 0)
        record.last_known_elr =
            ids(&partition->last_known, &record.last_known_elr_count);
    return put(output, RECORD_PARTITION, &record);
}

static apr_status_t put_topic(void *baton, const image_topic_t *topic)
{
    output_t *output = baton;
    topic_record_t record;
    apr_status_t status;

    topic_record_init(&record);
    record.name = wire_string_from(image_topic_name(topic));
    record.topic_id = *image_topic_id(topic);
    status = put(output, RECORD_TOPIC, &record);
    for (int32_t i = 0; !status && i < image_topic_partition_count(topic);
         i++) {
        const image_partition_t *partition = image_topic_partition(topic, i);

        if (partition)
            status = put_partition(output, &record.topic_id, i, partition);
    }
    return status;
}

/* ---- the rest ------------------------------------------------------------ */

static apr_status_t put_config(void *baton, int8_t type, const char *name,
                               const image_config_entry_t *entries, int count)
{
    apr_status_t status = APR_SUCCESS;
    config_record_t record;

    config_record_init(&record);
    record.resource_type = type;
    record.resource_name = wire_string_from(name);
    for (int i = 0; !status && i < count; i++) {
        record.name = wire_string_from(entries[i].name);
        record.value = wire_string_from(entries[i].value);
        status = put(baton, RECORD_CONFIG, &record);
    }
    return status;
}

static apr_status_t put_quota(void *baton, const image_quota_t *quota)
{
    output_t *output = baton;
    client_quota_record_t record;
    apr_status_t status = APR_SUCCESS;

    client_quota_record_init(&record);
    for (int v = 0; !status && v < quota->value_count; v++) {
        record.entity_count = quota->entity_count;
        record.entity = apr_pcalloc(output->writer.scratch,
                                    (apr_size_t)quota->entity_count *
                                        sizeof(*record.entity));
        for (int i = 0; i < quota->entity_count; i++) {
            record.entity[i].entity_type =
                wire_string_from(quota->entity[i].type);
            record.entity[i].entity_name =
                wire_string_from(quota->entity[i].name);
        }
        record.key = wire_string_from(quota->values[v].key);
        record.value = quota->values[v].value;
        status = put(output, RECORD_CLIENT_QUOTA, &record);
    }
    return status;
}

static wire_bytes_t bytes_of(const uint8_t *data, apr_size_t length)
{
    wire_bytes_t bytes = {data, (int32_t)length};

    return bytes;
}

static apr_status_t put_scram(void *baton, const image_scram_t *scram)
{
    user_scram_credential_record_t record;

    user_scram_credential_record_init(&record);
    record.name = wire_string_from(scram->user);
    record.mechanism = scram->mechanism;
    record.salt = bytes_of(scram->salt, scram->salt_length);
    record.stored_key = bytes_of(scram->stored_key, scram->stored_key_length);
    record.server_key = bytes_of(scram->server_key, scram->server_key_length);
    record.iterations = scram->iterations;
    return put(baton, RECORD_USER_SCRAM, &record);
}

static apr_status_t put_acl(void *baton, const image_acl_t *acl)
{
    access_control_entry_record_t record;

    access_control_entry_record_init(&record);
    record.id = acl->id;
    record.resource_type = acl->resource_type;
    record.resource_name = wire_string_from(acl->resource);
    record.pattern_type = acl->pattern_type;
    record.principal = wire_string_from(acl->principal);
    record.host = wire_string_from(acl->host);
    record.operation = acl->operation;
    record.permission_type = acl->permission;
    return put(baton, RECORD_ACL, &record);
}

static apr_status_t put_token(void *baton, const uint8_t *frame,
                              apr_size_t length)
{
    output_t *output = baton;

    return record_writer_put_frame(&output->writer, frame, length);
}

static apr_status_t put_producer_ids(output_t *output)
{
    producer_ids_record_t record;

    if (image_next_producer_id(output->image) <= 0)
        return APR_SUCCESS;
    producer_ids_record_init(&record);
    record.broker_id = -1; /* nobody's: it is where the next one starts */
    record.broker_epoch = -1;
    record.next_producer_id = image_next_producer_id(output->image);
    return put(output, RECORD_PRODUCER_IDS, &record);
}

static apr_status_t put_zk_state(output_t *output)
{
    zk_migration_state_record_t record;

    if (image_zk_state(output->image) < 0)
        return APR_SUCCESS;
    zk_migration_state_record_init(&record);
    record.zk_migration_state = image_zk_state(output->image);
    return put(output, RECORD_ZK_MIGRATION, &record);
}

static apr_status_t put_image(output_t *output)
{
    const metadata_image_t *image = output->image;
    apr_status_t status = put_features(output);

    if (!status)
        status = image_each_controller(image, put_controller, output);
    if (!status)
        status = image_each_broker(image, put_broker, output);
    if (!status)
        status = image_each_topic(image, put_topic, output);
    if (!status)
        status = image_each_config(image, put_config, output);
    if (!status)
        status = image_each_quota(image, put_quota, output);
    if (!status)
        status = put_producer_ids(output);
    if (!status)
        status = image_each_acl(image, put_acl, output);
    if (!status)
        status = image_each_scram(image, put_scram, output);
    if (!status)
        status = image_each_token(image, put_token, output);
    if (!status)
        status = put_zk_state(output);
    return status;
}

/* ---- header and footer --------------------------------------------------- */

static apr_status_t put_header(output_t *output, const snapshot_info_t *info)
{
    snapshot_header_record_t header;
    kraft_version_record_t version;
    apr_status_t status;

    snapshot_header_record_init(&header);
    header.last_contained_log_timestamp = info->last_timestamp;
    status =
        record_writer_control(&output->writer, RECORD_CONTROL_SNAPSHOT_HEADER,
                              &snapshot_header_record_message, &header, 0);
    if (status || info->kraft_version < 1)
        return status;
    kraft_version_record_init(&version);
    version.kraft_version = info->kraft_version;
    status =
        record_writer_control(&output->writer, RECORD_CONTROL_KRAFT_VERSION,
                              &kraft_version_record_message, &version, 0);
    if (!status && info->voters)
        status = record_writer_control_bytes(&output->writer,
                                             RECORD_CONTROL_KRAFT_VOTERS,
                                             info->voters, info->voters_length);
    return status;
}

static apr_status_t put_footer(output_t *output)
{
    snapshot_footer_record_t footer;
    apr_status_t status;

    snapshot_footer_record_init(&footer);
    status =
        record_writer_control(&output->writer, RECORD_CONTROL_SNAPSHOT_FOOTER,
                              &snapshot_footer_record_message, &footer, 0);
    return status ? status : record_writer_flush(&output->writer);
}

/* Header, what PUT_ALL puts, footer, into FILE, on the device. */
static apr_status_t write_file(output_t *output, const char *file,
                               int32_t epoch, const snapshot_info_t *info,
                               apr_status_t (*put_all)(output_t *output))
{
    apr_status_t closed;
    apr_status_t status =
        fs_open(&output->file, file, FS_WRITABLE | FS_CREATE | FS_TRUNCATED);

    if (status)
        return status;
    status = record_writer_init(&output->writer, 0, epoch, write_batch, output,
                                output->pool);
    if (!status)
        status = put_header(output, info);
    if (!status)
        status = put_all(output);
    if (!status)
        status = put_footer(output);
    if (!status)
        status = fs_sync(output->file);
    record_writer_free(&output->writer);
    closed = fs_close(output->file);
    return status ? status : closed;
}

/* Writes FILE through FILE.part, as Kafka names what is not finished. */
static apr_status_t write_checkpoint(output_t *output, const char *directory,
                                     const char *name, int32_t epoch,
                                     const snapshot_info_t *info,
                                     apr_status_t (*put_all)(output_t *))
{
    const char *file = apr_pstrcat(output->pool, directory, "/", name, NULL);
    const char *part = apr_pstrcat(output->pool, file, ".part", NULL);
    apr_status_t status = write_file(output, part, epoch, info, put_all);

    if (!status)
        status = fs_rename(part, file);
    if (status) {
        fs_remove(part); /* nobody would miss it */
        return status;
    }
    return fs_sync_dir(directory);
}

apr_status_t snapshot_write(const metadata_image_t *image,
                            const snapshot_info_t *info, const char *path,
                            apr_pool_t *pool)
{
    output_t output = {.image = image, .pool = pool};
    const char *name =
        apr_psprintf(pool, "%020" APR_INT64_T_FMT "-%010d.checkpoint",
                     image_offset(image) + 1, (int)image_epoch(image));

    output.metadata_version = image_feature(image, FEATURE_METADATA_VERSION);
    return write_checkpoint(&output, path, name, image_epoch(image), info,
                            put_image);
}

typedef struct {
    const char *path;
    int64_t end;
    apr_pool_t *pool;
} delete_below_t;

/* One that was never finished is a writer's that crashed: there is only one. */
static int is_unfinished(const char *name)
{
    apr_size_t length = strlen(name);

    return length > 16 && strcmp(name + length - 16, ".checkpoint.part") == 0;
}

static apr_status_t delete_old(void *baton, const char *name,
                               apr_filetype_e type)
{
    delete_below_t *below = baton;
    int64_t end;
    int32_t epoch;

    (void)type;
    if (!is_unfinished(name) &&
        (!replay_snapshot_name(name, &end, &epoch) || end >= below->end))
        return APR_SUCCESS;
    return fs_remove(apr_pstrcat(below->pool, below->path, "/", name, NULL));
}

apr_status_t snapshot_delete_below(const char *path, int64_t end,
                                   apr_pool_t *pool)
{
    delete_below_t below = {path, end, pool};

    return fs_list(path, delete_old, &below);
}

static apr_status_t put_bootstrap(output_t *output)
{
    int count;
    const feature_level_t *levels = feature_bootstrap_levels(&count);
    apr_status_t status = APR_SUCCESS;

    for (int i = 0; !status && i < count; i++)
        status = put_feature_level(output, levels[i].name, levels[i].level);
    return status;
}

apr_status_t snapshot_write_bootstrap(const char *directory, apr_pool_t *pool)
{
    output_t output = {.pool = pool};
    snapshot_info_t info = {0};

    return write_checkpoint(&output, directory, "bootstrap.checkpoint", 0,
                            &info, put_bootstrap);
}
