/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata log's owner: opening (read, check, refuse), appending (encode,
 * apply to a new image, write, flush, publish), snapshots. A new image is
 * built before the log is touched, so that records which cannot be replayed are
 * never written.
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
#include "metadata/features.h"
#include "metadata/metadata_private.h"
#include "metadata/snapshot.h"
#include "protocol/api.h"
#include "protocol/begin_transaction_record.h"
#include "protocol/end_transaction_record.h"
#include "storage/log_dir.h"

#define METADATA_LOG "__cluster_metadata-0"

void metadata_config_init(metadata_config_t *config)
{
    memset(config, 0, sizeof(*config));
    config->segment_bytes = 1024 * 1024 * 1024;
    config->snapshot_bytes = 20 * 1024 * 1024;
}

/* ---- opening: whose directories these are -------------------------------- */

/* One directory at the start: a log directory, or the metadata log's. */
typedef struct {
    const char *path;
    int fresh; /* has no meta.properties */
    directory_meta_t meta;
} directory_t;

/* The log directories, and the metadata log's where it is none of them. */
static directory_t *list_directories(const metadata_config_t *config,
                                     int *count, apr_pool_t *pool)
{
    directory_t *list = apr_pcalloc(
        pool, ((apr_size_t)config->log_dir_count + 1) * sizeof(*list));
    int found = 0;

    for (int i = 0; i < config->log_dir_count; i++) {
        list[i].path = config->log_dirs[i];
        found |= strcmp(list[i].path, config->metadata_log_dir) == 0;
    }
    *count = config->log_dir_count;
    if (!found)
        list[(*count)++].path = config->metadata_log_dir;
    return list;
}

static apr_status_t check_owner(const metadata_config_t *config,
                                const directory_t *directory,
                                const char *cluster_id, apr_pool_t *pool,
                                const char **error)
{
    const directory_meta_t *meta = &directory->meta;

    if (meta->node_id != config->node_id) {
        *error = apr_psprintf(pool,
                              "%s belongs to node.id %d, not %d (see its "
                              "meta.properties)",
                              directory->path, (int)meta->node_id,
                              (int)config->node_id);
        return TAKHIN_EINVALID;
    }
    if (cluster_id && strcmp(cluster_id, meta->cluster_id) != 0) {
        *error = apr_psprintf(pool,
                              "%s belongs to cluster %s, not %s (see its "
                              "meta.properties)",
                              directory->path, meta->cluster_id, cluster_id);
        return TAKHIN_EINVALID;
    }
    return APR_SUCCESS;
}

static apr_status_t check_fresh(const directory_t *directory, apr_pool_t *pool,
                                const char **error)
{
    const char *found;
    apr_status_t status = directory_is_new(directory->path, pool, &found);
    char why[128];

    if (status && found)
        *error = apr_psprintf(pool,
                              "%s has no meta.properties but is not empty "
                              "(%s): it is left alone",
                              directory->path, found);
    else if (status)
        *error = apr_psprintf(pool, "%s: %s", directory->path,
                              takhin_strerror(status, why, sizeof(why)));
    return status;
}

/* Reads and judges them all. *CLUSTER_ID is the one they share, or NULL. */
static apr_status_t check_directories(const metadata_config_t *config,
                                      directory_t *list, int count,
                                      const char **cluster_id, apr_pool_t *pool,
                                      const char **error)
{
    *cluster_id = config->cluster_id;
    for (int i = 0; i < count; i++) {
        apr_status_t status =
            directory_read_meta(&list[i].meta, list[i].path, pool, error);

        list[i].fresh = APR_STATUS_IS_ENOENT(status);
        if (list[i].fresh)
            status = check_fresh(&list[i], pool, error);
        else if (!status)
            status = check_owner(config, &list[i], *cluster_id, pool, error);
        if (status)
            return status;
        if (!list[i].fresh)
            *cluster_id = list[i].meta.cluster_id;
        for (int j = 0; j < i; j++) {
            if (!list[i].fresh && !list[j].fresh &&
                !wire_uuid_is_zero(&list[i].meta.directory_id) &&
                wire_uuid_equal(&list[i].meta.directory_id,
                                &list[j].meta.directory_id)) {
                *error =
                    apr_psprintf(pool, "%s and %s have the same directory.id",
                                 list[j].path, list[i].path);
                return TAKHIN_EINVALID;
            }
        }
    }
    return APR_SUCCESS;
}

/* ---- opening: what the log says ------------------------------------------ */

static apr_status_t refuse(metadata_t *metadata, const char **error,
                           const char *what)
{
    *error = apr_psprintf(metadata->pool, "%s: %s", metadata->path, what);
    return TAKHIN_EUNSUPPORTED;
}

/* The voters are this node and nobody else. */
static apr_status_t check_voters(metadata_t *metadata,
                                 const quorum_state_t *quorum,
                                 const wire_uuid_t *directory_id,
                                 const char **error)
{
    const replay_t *replay = &metadata->replay;
    int32_t node = metadata->config.node_id;

    for (int i = 0; i < quorum->voter_count; i++) {
        if (quorum->voters[i] != node)
            return refuse(
                metadata, error,
                apr_psprintf(metadata->pool,
                             "quorum-state has another voter, node %d: takhind "
                             "is a cluster of its own",
                             (int)quorum->voters[i]));
    }
    for (int i = 0; i < replay->voter_count; i++) {
        if (replay->voters[i].id != node)
            return refuse(
                metadata, error,
                apr_psprintf(metadata->pool,
                             "the metadata log has another voter, node %d: "
                             "takhind is a cluster of its own",
                             (int)replay->voters[i].id));
        if (!wire_uuid_is_zero(&replay->voters[i].directory_id) &&
            !wire_uuid_equal(&replay->voters[i].directory_id, directory_id))
            return refuse(
                metadata, error,
                apr_psprintf(metadata->pool,
                             "the metadata log's voter is node %d in another "
                             "directory (directory.id differs)",
                             (int)node));
    }
    return APR_SUCCESS;
}

typedef struct {
    metadata_t *metadata;
    const char **error;
} check_topics_t;

static apr_status_t check_topic(void *baton, const image_topic_t *topic)
{
    check_topics_t *check = baton;
    metadata_t *metadata = check->metadata;

    for (int32_t i = 0; i < image_topic_partition_count(topic); i++) {
        const image_partition_t *partition = image_topic_partition(topic, i);

        if (!partition)
            return refuse(metadata, check->error,
                          apr_psprintf(metadata->pool,
                                       "partition %s-%d has no record",
                                       image_topic_name(topic), (int)i));
        for (int r = 0; r < partition->replicas.count; r++) {
            if (partition->replicas.ids[r] != metadata->config.node_id)
                return refuse(
                    metadata, check->error,
                    apr_psprintf(metadata->pool,
                                 "partition %s-%d has a replica on node %d: "
                                 "takhind is a cluster of its own",
                                 image_topic_name(topic), (int)i,
                                 (int)partition->replicas.ids[r]));
        }
    }
    return APR_SUCCESS;
}

static apr_status_t check_image(metadata_t *metadata, const char **error)
{
    check_topics_t check = {metadata, error};
    const metadata_image_t *image = metadata->replay.image;
    int16_t level;
    const char *feature = feature_unsupported(image, &level);

    if (feature)
        return refuse(
            metadata, error,
            apr_psprintf(metadata->pool,
                         "feature %s is at level %d, which is not known",
                         feature, (int)level));
    return image_each_topic(image, check_topic, &check);
}

/* The image is read from the log and judged. */
static apr_status_t open_log(metadata_t *metadata,
                             const wire_uuid_t *directory_id,
                             const char **error)
{
    quorum_state_t quorum = {.voter_count = -1};
    apr_status_t status =
        directory_read_quorum(&quorum, metadata->path, metadata->pool, error);

    if (status && !APR_STATUS_IS_ENOENT(status))
        return status;
    status = replay_init(&metadata->replay, metadata->pool);
    if (!status)
        status = replay_directory(&metadata->replay, metadata->path);
    if (status) {
        *error =
            metadata->replay.error ? metadata->replay.error : "out of memory";
        return status;
    }
    metadata->aborted = replay_drop_transaction(&metadata->replay);
    status = check_voters(metadata, &quorum, directory_id, error);
    if (!status)
        status = check_image(metadata, error);
    if (status)
        return status;
    metadata->leader_epoch = metadata->replay.epoch > quorum.leader_epoch
                                 ? metadata->replay.epoch
                                 : quorum.leader_epoch;
    metadata->end_offset = metadata->replay.end_offset;
    metadata->bytes = metadata->replay.bytes;
    return APR_SUCCESS;
}

/* ---- opening: new directories -------------------------------------------- */

static apr_status_t format_directory(metadata_t *metadata,
                                     directory_t *directory)
{
    const char *path = directory->path;
    int is_metadata = strcmp(path, metadata->config.metadata_log_dir) == 0;
    apr_status_t status = APR_SUCCESS;

    if (directory->fresh) {
        status = fs_mkdir(path);
        if (!status && is_metadata)
            status = snapshot_write_bootstrap(path, metadata->pool);
        directory->meta.node_id = metadata->config.node_id;
        directory->meta.cluster_id = metadata->cluster_id;
    }
    if (!status)
        status = wire_uuid_random(&directory->meta.directory_id);
    /* Last: a directory that has this file is whole. */
    return status
               ? status
               : directory_write_meta(&directory->meta, path, metadata->pool);
}

static apr_status_t format_directories(metadata_t *metadata, directory_t *list,
                                       int count, const char **error)
{
    char why[128];

    for (int i = 0; i < count; i++) {
        apr_status_t status;

        if (!list[i].fresh && !wire_uuid_is_zero(&list[i].meta.directory_id))
            continue;
        status = format_directory(metadata, &list[i]);
        if (status) {
            *error = apr_psprintf(metadata->pool, "cannot format %s: %s",
                                  list[i].path,
                                  takhin_strerror(status, why, sizeof(why)));
            return status;
        }
        LOG_INFO(metadata, "formatted %s for cluster %s", list[i].path,
                 metadata->cluster_id);
    }
    return APR_SUCCESS;
}

static const char *random_cluster_id(apr_pool_t *pool)
{
    char *text = apr_palloc(pool, WIRE_UUID_TEXT_LENGTH + 1);
    wire_uuid_t id;

    return wire_uuid_random(&id) ? NULL : wire_uuid_format(&id, text);
}

static const directory_t *metadata_directory(const metadata_t *metadata,
                                             const directory_t *list)
{
    while (strcmp(list->path, metadata->config.metadata_log_dir) != 0)
        list++;
    return list;
}

static apr_status_t open_directories(metadata_t *metadata, const char **error)
{
    int count;
    apr_pool_t *pool = metadata->pool;
    directory_t *list = list_directories(&metadata->config, &count, pool);
    apr_status_t status = check_directories(&metadata->config, list, count,
                                            &metadata->cluster_id, pool, error);

    if (!status)
        status = open_log(
            metadata, &metadata_directory(metadata, list)->meta.directory_id,
            error);
    if (status)
        return status;
    if (!metadata->cluster_id)
        metadata->cluster_id = random_cluster_id(pool);
    if (!metadata->cluster_id) {
        *error = "no random numbers";
        return APR_EGENERAL;
    }
    status = format_directories(metadata, list, count, error);
    for (int i = 0; i < metadata->config.log_dir_count; i++)
        metadata->directory_ids[i] = list[i].meta.directory_id;
    return status;
}

apr_status_t metadata_open(metadata_t **metadata,
                           const metadata_config_t *config, log_dir_t *storage,
                           apr_pool_t *pool, const char **error)
{
    metadata_t *opened = apr_pcalloc(pool, sizeof(*opened));
    apr_size_t count = (apr_size_t)config->log_dir_count;
    apr_status_t status;

    TAKHIN_ASSERT(config->metadata_log_dir && config->log_dir_count > 0);
    *error = "out of memory";
    opened->pool = pool;
    opened->config = *config;
    opened->storage = storage;
    opened->path =
        apr_pstrcat(pool, config->metadata_log_dir, "/" METADATA_LOG, NULL);
    opened->broker_epoch = -1;
    opened->directory_ids =
        apr_pcalloc(pool, count * sizeof(*opened->directory_ids));
    opened->directory_load =
        apr_pcalloc(pool, count * sizeof(*opened->directory_load));
    status =
        apr_thread_mutex_create(&opened->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    if (!status)
        status = apr_thread_mutex_create(&opened->image_mutex,
                                         APR_THREAD_MUTEX_DEFAULT, pool);
    if (!status)
        status = open_directories(opened, error);
    if (status) {
        replay_free(&opened->replay);
        return status;
    }
    opened->image = opened->replay.image;
    opened->replay.image = NULL;
    *error = NULL;
    *metadata = opened;
    return APR_SUCCESS;
}

void metadata_close(metadata_t *metadata)
{
    raft_log_close(metadata->log);
    replay_free(&metadata->replay);
    image_release(metadata->image);
    metadata->log = NULL;
    metadata->image = NULL;
}

/* ---- what can be asked --------------------------------------------------- */

const char *metadata_cluster_id(const metadata_t *metadata)
{
    return metadata->cluster_id;
}

int32_t metadata_node_id(const metadata_t *metadata)
{
    return metadata->config.node_id;
}

const wire_uuid_t *metadata_directory_id(const metadata_t *metadata, int index)
{
    return &metadata->directory_ids[index];
}

const wire_uuid_t *metadata_voter_directory(const metadata_t *metadata)
{
    if (metadata->replay.kraft_version < 1)
        return NULL;
    for (int i = 0; i < metadata->config.log_dir_count; i++)
        if (!strcmp(metadata->config.log_dirs[i],
                    metadata->config.metadata_log_dir))
            return &metadata->directory_ids[i];
    return NULL;
}

void metadata_listen(metadata_t *metadata, const metadata_listener_t *listener)
{
    metadata->listener = *listener;
}

const metadata_image_t *metadata_image(metadata_t *metadata)
{
    const metadata_image_t *image;

    apr_thread_mutex_lock(metadata->image_mutex);
    image = metadata->image;
    image_retain(image);
    apr_thread_mutex_unlock(metadata->image_mutex);
    return image;
}

int64_t metadata_broker_epoch(const metadata_t *metadata)
{
    return metadata->broker_epoch;
}

int32_t metadata_leader_epoch(const metadata_t *metadata)
{
    return metadata->leader_epoch;
}

int64_t metadata_log_end_offset(const metadata_t *metadata)
{
    return metadata->end_offset;
}

/* ---- lists of records ---------------------------------------------------- */

int16_t metadata_record_version(const metadata_t *metadata, int16_t key)
{
    return frame_version(
        key, image_feature(metadata->image, FEATURE_METADATA_VERSION));
}

void metadata_list_init(metadata_list_t *list, const metadata_t *metadata,
                        apr_pool_t *pool)
{
    memset(list, 0, sizeof(*list));
    list->metadata = metadata;
    list->pool = pool;
}

void metadata_list_add(metadata_list_t *list, int16_t key, const void *body)
{
    if (list->count == list->capacity) {
        int capacity = list->capacity ? list->capacity * 2 : 16;
        metadata_record_t *records =
            apr_palloc(list->pool, (apr_size_t)capacity * sizeof(*records));

        if (list->count)
            memcpy(records, list->records,
                   (apr_size_t)list->count * sizeof(*records));
        list->records = records;
        list->capacity = capacity;
    }
    list->records[list->count++] = (metadata_record_t){
        key, metadata_record_version(list->metadata, key), body};
}

void *metadata_list_new(metadata_list_t *list, int16_t key)
{
    const wire_message_t *type = metadata_record(key);
    void *body = apr_palloc(list->pool, type->size);

    type->init(body);
    metadata_list_add(list, key, body);
    return body;
}

/* ---- appending ----------------------------------------------------------- */

apr_status_t metadata_collect(void *baton, uint8_t *data, apr_size_t length)
{
    metadata_bytes_t *bytes = baton;

    if (bytes->capacity - bytes->length < length) {
        apr_size_t capacity = (bytes->length + length) * 2;
        uint8_t *grown = realloc(bytes->data, capacity);

        if (!grown)
            return APR_ENOMEM;
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
    return APR_SUCCESS;
}

/* Puts RECORDS into batches, with TRANSACTION between a begin and an end. */
static apr_status_t encode(record_writer_t *writer,
                           const metadata_record_t *records, int count,
                           int transaction)
{
    begin_transaction_record_t begin;
    end_transaction_record_t end;
    apr_status_t status = APR_SUCCESS;

    if (transaction) {
        begin_transaction_record_init(&begin);
        status = record_writer_put(writer, RECORD_BEGIN_TRANSACTION, 0, &begin);
    }
    for (int i = 0; !status && i < count; i++)
        status = record_writer_put(writer, records[i].key, records[i].version,
                                   records[i].body);
    if (!status && transaction) {
        end_transaction_record_init(&end);
        status = record_writer_put(writer, RECORD_END_TRANSACTION, 0, &end);
    }
    return status ? status : record_writer_flush(writer);
}

/* All of RECORDS as bytes to append: one batch, or a transaction (KIP-868) when
 * they don't fit one. *END is the offset behind them. */
static apr_status_t encode_all(metadata_t *metadata, metadata_bytes_t *bytes,
                               const metadata_record_t *records, int count,
                               int64_t *end, apr_pool_t *pool)
{
    apr_status_t status = APR_SUCCESS;
    int batches = 2;

    for (int transaction = 0; !status && transaction <= 1 && batches > 1;
         transaction++) {
        record_writer_t writer;

        bytes->length = 0;
        status = record_writer_init(&writer, metadata->end_offset,
                                    metadata->leader_epoch, metadata_collect,
                                    bytes, pool);
        if (!status)
            status = encode(&writer, records, count, transaction);
        batches = writer.batches;
        *end = writer.next_offset;
        metadata->last_timestamp = writer.timestamp;
        record_writer_free(&writer);
    }
    return status;
}

/* Sets *AFTER to the current image with RECORDS applied. */
static apr_status_t apply_all(metadata_t *metadata, metadata_image_t **after,
                              const metadata_record_t *records, int count,
                              apr_pool_t *pool)
{
    metadata_image_t *image = image_edit(metadata->image);
    apr_pool_t *scratch;
    apr_status_t status = image ? apr_pool_create(&scratch, pool) : APR_ENOMEM;

    if (status) {
        image_release(image);
        return status;
    }
    for (int i = 0; !status && i < count; i++) {
        const char *error = "out of memory";

        status = replay_apply(image, records[i].key, records[i].version,
                              records[i].body, scratch, &error);
        if (status)
            LOG_ERROR(metadata, "a record of type %d was not appended: %s",
                      (int)records[i].key, error);
        apr_pool_clear(scratch);
    }
    apr_pool_destroy(scratch);
    if (status)
        image_release(image);
    else
        *after = image;
    return status;
}

apr_status_t metadata_write(metadata_t *metadata, uint8_t *data,
                            apr_size_t length, int64_t end_offset)
{
    apr_status_t status;

    TAKHIN_ASSERT(metadata->log);
    status = raft_log_append(metadata->log, data, length, end_offset);
    if (!status)
        status = raft_log_flush(metadata->log);
    if (status) {
        LOG_ERROR(metadata, "%s: cannot append: %s", metadata->path,
                  LOG_STATUS(status));
        if (metadata->storage && !raft_log_usable(metadata->log))
            log_dir_fail(metadata->storage, status, "the metadata log");
        return status;
    }
    metadata->end_offset = end_offset;
    metadata->bytes += (int64_t)length;
    return APR_SUCCESS;
}

static void publish(metadata_t *metadata, metadata_image_t *image)
{
    apr_thread_mutex_lock(metadata->image_mutex);
    metadata->image = image;
    apr_thread_mutex_unlock(metadata->image_mutex);
}

static apr_status_t snapshot_locked(metadata_t *metadata)
{
    snapshot_info_t info = {
        metadata->replay.kraft_version, metadata->replay.voters_record,
        metadata->replay.voters_length, metadata->last_timestamp};
    int64_t end = image_offset(metadata->image) + 1;
    apr_pool_t *scratch;
    apr_status_t status = apr_pool_create(&scratch, metadata->pool);

    if (status)
        return status;
    metadata->bytes = 0; /* the next try is as far away after a failure */
    status = snapshot_write(metadata->image, &info, metadata->path, scratch);
    if (!status)
        status = raft_log_trim(metadata->log, end);
    if (!status)
        status = snapshot_delete_below(metadata->path, end, scratch);
    if (status)
        LOG_WARN(metadata, "%s: cannot make a snapshot: %s", metadata->path,
                 LOG_STATUS(status));
    apr_pool_destroy(scratch);
    return status;
}

apr_status_t metadata_append_locked(metadata_t *metadata,
                                    const metadata_record_t *records, int count,
                                    apr_pool_t *pool)
{
    const metadata_image_t *before = metadata->image;
    metadata_bytes_t bytes = {NULL, 0, 0};
    metadata_image_t *after;
    int64_t end;
    apr_status_t status;

    if (count == 0)
        return APR_SUCCESS;
    status = apply_all(metadata, &after, records, count, pool);
    if (status)
        return status;
    status = encode_all(metadata, &bytes, records, count, &end, pool);
    if (!status)
        status = metadata_write(metadata, bytes.data, bytes.length, end);
    free(bytes.data);
    if (status) {
        image_release(after);
        return status;
    }
    image_set_position(after, end - 1, metadata->leader_epoch);
    metadata_announce(metadata, records, count, before, after, 1, pool);
    publish(metadata, after);
    metadata_announce(metadata, records, count, before, after, 0, pool);
    image_release(before);
    if (metadata->bytes >= metadata->config.snapshot_bytes)
        snapshot_locked(metadata); /* said in the log; the records are safe */
    return APR_SUCCESS;
}

apr_status_t metadata_append(metadata_t *metadata,
                             const metadata_record_t *records, int count,
                             apr_pool_t *pool)
{
    apr_status_t status;

    apr_thread_mutex_lock(metadata->mutex);
    status = metadata_append_locked(metadata, records, count, pool);
    apr_thread_mutex_unlock(metadata->mutex);
    return status;
}

apr_status_t metadata_snapshot(metadata_t *metadata)
{
    apr_status_t status;

    apr_thread_mutex_lock(metadata->mutex);
    status = snapshot_locked(metadata);
    apr_thread_mutex_unlock(metadata->mutex);
    return status;
}
