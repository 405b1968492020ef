/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Becoming and ceasing to be the leader: each start is a new epoch with a
 * LeaderChange, a registration of the broker, and its partitions led by it;
 * each orderly stop fences it. What is written here is what a Kafka that is
 * started on the same directory replays.
 */
#include <apr_strings.h>
#include <apr_time.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/logger.h"
#include "metadata/directory.h"
#include "metadata/metadata_private.h"
#include "protocol/abort_transaction_record.h"
#include "protocol/begin_transaction_record.h"
#include "protocol/broker_registration_change_record.h"
#include "protocol/config_record.h"
#include "protocol/feature_level_record.h"
#include "protocol/kraft_version_record.h"
#include "protocol/leader_change_message.h"
#include "protocol/partition_change_record.h"
#include "protocol/register_broker_record.h"

/* ---- the epoch ----------------------------------------------------------- */

static apr_status_t write_quorum(metadata_t *metadata, apr_pool_t *pool)
{
    int32_t node = metadata->config.node_id;
    quorum_state_t state = {.version = metadata->replay.kraft_version > 0,
                            .leader_id = node,
                            .leader_epoch = metadata->leader_epoch,
                            .voted_id = -1,
                            .voter_count = 1,
                            .voters = &node};

    return directory_write_quorum(&state, metadata->path, pool);
}

/* LeaderChange, and with kraft.version 1 what each new leader repeats. */
static apr_status_t put_leader_change(metadata_t *metadata,
                                      record_writer_t *writer)
{
    const replay_t *replay = &metadata->replay;
    leader_change_message_voter_t voter;
    leader_change_message_t change;
    kraft_version_record_t version;
    apr_status_t status;

    leader_change_message_voter_init(&voter);
    voter.voter_id = metadata->config.node_id;
    leader_change_message_init(&change);
    change.leader_id = metadata->config.node_id;
    change.voters = change.granting_voters = &voter;
    change.voters_count = change.granting_voters_count = 1;
    status = record_writer_control(writer, RECORD_CONTROL_LEADER_CHANGE,
                                   &leader_change_message_message, &change, 0);
    if (status || replay->kraft_version < 1)
        return status;
    kraft_version_record_init(&version);
    version.kraft_version = replay->kraft_version;
    status = record_writer_control(writer, RECORD_CONTROL_KRAFT_VERSION,
                                   &kraft_version_record_message, &version, 0);
    if (!status && replay->voters_record)
        status = record_writer_control_bytes(
            writer, RECORD_CONTROL_KRAFT_VOTERS, replay->voters_record,
            replay->voters_length);
    return status;
}

static apr_status_t lead(metadata_t *metadata, apr_pool_t *pool)
{
    metadata_bytes_t bytes = {NULL, 0, 0};
    record_writer_t writer;
    apr_status_t status = write_quorum(metadata, pool);

    if (!status)
        status = raft_log_begin_epoch(metadata->log, metadata->leader_epoch);
    if (status)
        return status;
    status = record_writer_init(&writer, metadata->end_offset,
                                metadata->leader_epoch, metadata_collect,
                                &bytes, pool);
    if (!status)
        status = put_leader_change(metadata, &writer);
    if (!status)
        status = record_writer_flush(&writer);
    if (!status)
        status = metadata_write(metadata, bytes.data, bytes.length,
                                writer.next_offset);
    metadata->last_timestamp = writer.timestamp;
    record_writer_free(&writer);
    free(bytes.data);
    return status;
}

/* ---- the first records --------------------------------------------------- */

/* The transaction that the last leader left open is of no effect for anyone. */
static apr_status_t abort_transaction(metadata_t *metadata, apr_pool_t *pool)
{
    metadata_list_t list;
    abort_transaction_record_t *record;

    if (!metadata->aborted)
        return APR_SUCCESS;
    metadata_list_init(&list, metadata, pool);
    record = metadata_list_new(&list, RECORD_ABORT_TRANSACTION);
    record->reason = wire_string_literal("the leader was stopped");
    metadata->aborted = 0;
    return metadata_append_locked(metadata, list.records, list.count, pool);
}

typedef struct {
    metadata_list_t *list;
    const metadata_t *metadata;
} bootstrap_t;

/* Copies a record of bootstrap.checkpoint into the list. */
static apr_status_t bootstrap_record(void *baton, const record_batch_t *batch,
                                     const record_t *record,
                                     const frame_t *frame)
{
    bootstrap_t *bootstrap = baton;
    metadata_list_t *list = bootstrap->list;
    const char *error;
    frame_t copy;
    apr_status_t status;

    (void)batch;
    if (!frame)
        return APR_SUCCESS;
    /* Decoded again from bytes that stay: FRAME's go with its batch. */
    status = frame_decode(&copy,
                          apr_pmemdup(list->pool, record->value,
                                      (apr_size_t)record->value_length),
                          record->value_length, list->pool, &error);
    if (status)
        return status;
    metadata_list_add(list, copy.key, copy.body);
    list->records[list->count - 1].version = copy.version;
    return APR_SUCCESS;
}

static apr_status_t read_bootstrap(metadata_t *metadata, metadata_list_t *list,
                                   apr_pool_t *pool)
{
    const char *file = apr_pstrcat(pool, metadata->config.metadata_log_dir,
                                   "/bootstrap.checkpoint", NULL);
    bootstrap_t bootstrap = {list, metadata};
    fs_stat_t stat;
    replay_t replay;
    apr_status_t status = fs_stat(file, &stat);

    if (APR_STATUS_IS_ENOENT(status))
        return APR_SUCCESS;
    if (!status)
        status = replay_init(&replay, pool);
    if (status)
        return status;
    replay.each = bootstrap_record;
    replay.baton = &bootstrap;
    status = replay_checkpoint(&replay, file);
    if (status)
        LOG_ERROR(metadata, "%s",
                  replay.error ? replay.error : LOG_STATUS(status));
    replay_free(&replay);
    return status;
}

/* What a cluster begins with where its formatting left no word. */
static void add_default_levels(metadata_list_t *list)
{
    int count;
    const feature_level_t *levels = feature_bootstrap_levels(&count);

    for (int i = 0; i < count; i++) {
        feature_level_record_t *record =
            metadata_list_new(list, RECORD_FEATURE_LEVEL);

        record->name = wire_string_from(levels[i].name);
        record->feature_level = levels[i].level;
    }
}

static int has_elr(const metadata_list_t *list)
{
    for (int i = 0; i < list->count; i++) {
        const feature_level_record_t *record = list->records[i].body;

        if (list->records[i].key == RECORD_FEATURE_LEVEL &&
            wire_string_equal_text(record->name, FEATURE_ELR_VERSION))
            return record->feature_level > 0;
    }
    return 0;
}

/* Where eligible leader replicas are on, the cluster has this configuration, as
 * Kafka does (KIP-966). */
static void add_min_isr(metadata_list_t *list)
{
    config_record_t *config = metadata_list_new(list, RECORD_CONFIG);

    config->resource_type = CONFIG_BROKER;
    config->resource_name = wire_string_literal("");
    config->name = wire_string_literal("min.insync.replicas");
    config->value = wire_string_literal("1");
}

/* A new log begins with what its formatting chose. */
static apr_status_t write_bootstrap(metadata_t *metadata, apr_pool_t *pool)
{
    metadata_list_t list;
    begin_transaction_record_t *begin;
    apr_status_t status;

    if (image_feature(metadata->image, FEATURE_METADATA_VERSION) > 0)
        return APR_SUCCESS;
    metadata_list_init(&list, metadata, pool);
    begin = metadata_list_new(&list, RECORD_BEGIN_TRANSACTION);
    begin->name = wire_string_literal("Bootstrap records");
    status = read_bootstrap(metadata, &list, pool);
    if (status)
        return status;
    if (list.count == 1)
        add_default_levels(&list);
    if (has_elr(&list))
        add_min_isr(&list);
    metadata_list_new(&list, RECORD_END_TRANSACTION);
    return metadata_append_locked(metadata, list.records, list.count, pool);
}

/* ---- registration -------------------------------------------------------- */

static void fill_endpoints(register_broker_record_t *record,
                           const image_endpoint_t *endpoints, int count,
                           apr_pool_t *pool)
{
    record->end_points_count = count;
    record->end_points =
        apr_pcalloc(pool, (apr_size_t)count * sizeof(*record->end_points) + 1);
    for (int i = 0; i < count; i++) {
        record->end_points[i].name = wire_string_from(endpoints[i].name);
        record->end_points[i].host = wire_string_from(endpoints[i].host);
        record->end_points[i].port = endpoints[i].port;
        record->end_points[i].security_protocol =
            endpoints[i].security_protocol;
    }
}

static void fill_features(register_broker_record_t *record, apr_pool_t *pool)
{
    int count;
    const metadata_feature_t *features = metadata_features(&count);

    record->features_count = count;
    record->features =
        apr_pcalloc(pool, (apr_size_t)count * sizeof(*record->features));
    for (int i = 0; i < count; i++) {
        record->features[i].name = wire_string_from(features[i].name);
        record->features[i].min_supported_version = features[i].min;
        record->features[i].max_supported_version = features[i].max;
    }
}

static apr_status_t add_registration(metadata_t *metadata,
                                     metadata_list_t *list,
                                     const image_endpoint_t *endpoints,
                                     int count, const char *rack)
{
    register_broker_record_t *record =
        metadata_list_new(list, RECORD_REGISTER_BROKER);
    int16_t version = metadata_record_version(metadata, RECORD_REGISTER_BROKER);
    int dirs = metadata->config.log_dir_count;

    record->broker_id = metadata->config.node_id;
    record->broker_epoch = metadata->end_offset; /* its own offset */
    record->rack = wire_string_from(rack);
    record->fenced = true;
    fill_endpoints(record, endpoints, count, list->pool);
    fill_features(record, list->pool);
    if (version >= 3) {
        record->log_dirs = metadata->directory_ids;
        record->log_dirs_count = dirs;
    }
    if (version >= 4) {
        record->cordoned_log_dirs = metadata->directory_ids;
        record->cordoned_log_dirs_count = 0;
    }
    return wire_uuid_random(&record->incarnation_id);
}

/* ---- partitions ---------------------------------------------------------- */

/* A walk over the partitions at the start. */
typedef struct {
    metadata_t *metadata;
    metadata_list_t *list;
    int unclean;   /* the last stop was none in order */
    int has_elr;   /* the record's version has these fields */
    int32_t *self; /* this node's id, as a list of one */
} take_over_t;

static int is_only(const image_ids_t *ids, int32_t id)
{
    return ids->count == 1 && ids->ids[0] == id;
}

static void count_directory(metadata_t *metadata,
                            const image_partition_t *partition, int delta)
{
    for (int i = 0; partition->directories && i < partition->replicas.count;
         i++) {
        for (int d = 0; d < metadata->config.log_dir_count; d++) {
            if (wire_uuid_equal(&partition->directories[i],
                                &metadata->directory_ids[d]))
                metadata->directory_load[d] += delta;
        }
    }
}

/*
 * The partition's only replica leads it. After an unclean stop in a new epoch,
 * because what was at the end of the log may be gone and its offsets be used
 * again.
 */
static void take_partition(take_over_t *take, const image_topic_t *topic,
                           int32_t index, const image_partition_t *partition)
{
    int32_t self = *take->self;
    partition_change_record_t *record;

    if (partition->leader == self && is_only(&partition->isr, self) &&
        !take->unclean)
        return;
    record = metadata_list_new(take->list, RECORD_PARTITION_CHANGE);
    record->topic_id = *image_topic_id(topic);
    record->partition_id = index;
    record->leader = self;
    if (!is_only(&partition->isr, self)) {
        record->isr = take->self;
        record->isr_count = 1;
    }
    if (take->has_elr && partition->eligible.count > 0) {
        record->eligible_leader_replicas = take->self;
        record->eligible_leader_replicas_count = 0;
    }
    if (take->has_elr && partition->last_known.count > 0) {
        record->last_known_elr = take->self;
        record->last_known_elr_count = 0;
    }
}

static apr_status_t take_topic(void *baton, const image_topic_t *topic)
{
    take_over_t *take = baton;

    for (int32_t i = 0; i < image_topic_partition_count(topic); i++) {
        const image_partition_t *partition = image_topic_partition(topic, i);

        count_directory(take->metadata, partition, 1);
        take_partition(take, topic, i, partition);
    }
    return APR_SUCCESS;
}

static apr_status_t take_over(metadata_t *metadata, int unclean,
                              apr_pool_t *pool)
{
    int32_t self = metadata->config.node_id;
    metadata_list_t list;
    take_over_t take = {
        metadata, &list, unclean,
        metadata_record_version(metadata, RECORD_PARTITION_CHANGE) >= 2, &self};
    apr_status_t status;

    metadata_list_init(&list, metadata, pool);
    memset(metadata->directory_load, 0,
           (apr_size_t)metadata->config.log_dir_count *
               sizeof(*metadata->directory_load));
    status = image_each_topic(metadata->image, take_topic, &take);
    if (!status)
        status =
            metadata_append_locked(metadata, list.records, list.count, pool);
    return status;
}

/* ---- start and stop ------------------------------------------------------ */

static int was_unclean(const metadata_t *metadata)
{
    const image_node_t *broker =
        image_broker(metadata->image, metadata->config.node_id);

    return broker && !broker->fenced;
}

static apr_status_t start_locked(metadata_t *metadata,
                                 const image_endpoint_t *endpoints, int count,
                                 const char *rack, apr_pool_t *pool)
{
    int unclean = was_unclean(metadata);
    metadata_list_t list;
    apr_status_t status;

    TAKHIN_ASSERT(!metadata->log);
    status = raft_log_open(&metadata->log, metadata->path, metadata->end_offset,
                           metadata->config.segment_bytes, metadata->pool);
    if (status)
        return status;
    metadata->leader_epoch++;
    status = lead(metadata, pool);
    if (!status)
        status = abort_transaction(metadata, pool);
    if (!status)
        status = write_bootstrap(metadata, pool);
    if (status)
        return status;
    metadata_list_init(&list, metadata, pool);
    metadata->broker_epoch = metadata->end_offset;
    status = add_registration(metadata, &list, endpoints, count, rack);
    if (!status)
        status =
            metadata_append_locked(metadata, list.records, list.count, pool);
    return status ? status : take_over(metadata, unclean, pool);
}

static apr_status_t change_locked(metadata_t *metadata, int8_t fenced,
                                  int stopping, apr_pool_t *pool)
{
    broker_registration_change_record_t *record;
    metadata_list_t list;

    metadata_list_init(&list, metadata, pool);
    record = metadata_list_new(&list, RECORD_BROKER_CHANGE);
    record->broker_id = metadata->config.node_id;
    record->broker_epoch = metadata->broker_epoch;
    record->fenced = fenced;
    record->in_controlled_shutdown =
        stopping &&
        metadata_record_version(metadata, RECORD_BROKER_CHANGE) >= 1;
    return metadata_append_locked(metadata, list.records, list.count, pool);
}

/* Fences this broker (1) or unfences it (-1). */
static apr_status_t change_registration(metadata_t *metadata, int8_t fenced,
                                        int stopping)
{
    apr_pool_t *pool;
    apr_status_t status = apr_pool_create(&pool, metadata->pool);

    if (status)
        return status;
    apr_thread_mutex_lock(metadata->mutex);
    status = change_locked(metadata, fenced, stopping, pool);
    apr_thread_mutex_unlock(metadata->mutex);
    apr_pool_destroy(pool);
    return status;
}

apr_status_t metadata_start(metadata_t *metadata,
                            const image_endpoint_t *endpoints, int count,
                            const char *rack)
{
    apr_pool_t *pool;
    apr_status_t status = apr_pool_create(&pool, metadata->pool);

    if (status)
        return status;
    apr_thread_mutex_lock(metadata->mutex);
    status = start_locked(metadata, endpoints, count, rack, pool);
    apr_thread_mutex_unlock(metadata->mutex);
    apr_pool_destroy(pool);
    if (status)
        LOG_ERROR(metadata, "%s: cannot lead: %s", metadata->path,
                  LOG_STATUS(status));
    return status;
}

apr_status_t metadata_unfence(metadata_t *metadata)
{
    return change_registration(metadata, -1, 0);
}

apr_status_t metadata_stop(metadata_t *metadata)
{
    return change_registration(metadata, 1, 1);
}
