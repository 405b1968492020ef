/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What administrators do: topics, partitions, configurations, producer ids.
 * Each is decided and appended under one lock, so that two who create the same
 * topic at the same time get one topic and one error.
 */
#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

#include "base/error.h"
#include "metadata/metadata_private.h"
#include "protocol/config_record.h"
#include "protocol/partition_record.h"
#include "protocol/producer_ids_record.h"
#include "protocol/remove_topic_record.h"
#include "protocol/topic_record.h"

#define PRODUCER_ID_BLOCK 1000

/* ---- records ------------------------------------------------------------- */

/* The log directory with the fewest partitions takes the next one. */
static const wire_uuid_t *next_directory(metadata_t *metadata)
{
    int best = 0;

    for (int i = 1; i < metadata->config.log_dir_count; i++) {
        if (metadata->directory_load[i] < metadata->directory_load[best])
            best = i;
    }
    metadata->directory_load[best]++;
    return &metadata->directory_ids[best];
}

static void add_partition(metadata_t *metadata, metadata_list_t *list,
                          const wire_uuid_t *topic, int32_t index)
{
    partition_record_t *record = metadata_list_new(list, RECORD_PARTITION);
    int32_t *self = &metadata->config.node_id;

    record->partition_id = index;
    record->topic_id = *topic;
    record->replicas = record->isr = self;
    record->replicas_count = record->isr_count = 1;
    record->leader = *self;
    record->leader_epoch = 0;
    record->partition_epoch = 0;
    if (metadata_record_version(metadata, RECORD_PARTITION) >= 1) {
        record->directories = (wire_uuid_t *)next_directory(metadata);
        record->directories_count = 1;
    }
}

static void add_configs(metadata_list_t *list, int8_t type, const char *name,
                        const metadata_config_change_t *changes, int count)
{
    for (int i = 0; i < count; i++) {
        config_record_t *record = metadata_list_new(list, RECORD_CONFIG);

        record->resource_type = type;
        record->resource_name = wire_string_from(name);
        record->name = wire_string_from(changes[i].key);
        record->value = wire_string_from(changes[i].value);
    }
}

/* ---- topics -------------------------------------------------------------- */

/* NAME as it is in metrics, where '.' and '_' are one. */
static const char *metrics_name(const char *name, apr_pool_t *pool)
{
    char *metrics = apr_pstrdup(pool, name);

    for (char *at = metrics; *at; at++) {
        if (*at == '.')
            *at = '_';
    }
    return metrics;
}

/* Whether the name is free, in the image and among those before it. */
static apr_status_t check_name(const metadata_image_t *image,
                               metadata_new_topic_t *topic, apr_hash_t *names,
                               apr_pool_t *pool)
{
    apr_size_t length = strlen(topic->name);
    const char *metrics = metrics_name(topic->name, pool);
    const char *other = apr_hash_get(names, metrics, APR_HASH_KEY_STRING);
    const image_topic_t *collision;

    if (image_topic(image, topic->name, length) ||
        (other && strcmp(other, topic->name) == 0))
        return TAKHIN_ETOPIC_EXISTS;
    collision = image_topic_collision(image, topic->name, length);
    if (collision)
        other = apr_pstrdup(pool, image_topic_name(collision));
    if (other) {
        topic->collision = other;
        return TAKHIN_ETOPIC_COLLISION;
    }
    apr_hash_set(names, metrics, APR_HASH_KEY_STRING, topic->name);
    return APR_SUCCESS;
}

static void add_topic(metadata_t *metadata, metadata_list_t *list,
                      const metadata_new_topic_t *topic)
{
    topic_record_t *record = metadata_list_new(list, RECORD_TOPIC);

    record->name = wire_string_from(topic->name);
    record->topic_id = topic->id;
    add_configs(list, CONFIG_TOPIC, topic->name, topic->configs,
                topic->config_count);
    for (int32_t i = 0; i < topic->partitions; i++)
        add_partition(metadata, list, &topic->id, i);
}

static apr_status_t create_locked(metadata_t *metadata,
                                  metadata_new_topic_t *topics, int count,
                                  int validate_only, apr_pool_t *pool)
{
    apr_hash_t *names = apr_hash_make(pool);
    metadata_list_t list;

    metadata_list_init(&list, metadata, pool);
    for (int i = 0; i < count; i++) {
        topics[i].collision = NULL;
        topics[i].status = check_name(metadata->image, &topics[i], names, pool);
        if (!topics[i].status)
            topics[i].status = wire_uuid_random(&topics[i].id);
        if (!topics[i].status && !validate_only)
            add_topic(metadata, &list, &topics[i]);
    }
    return metadata_append_locked(metadata, list.records, list.count, pool);
}

apr_status_t metadata_create_topics(metadata_t *metadata,
                                    metadata_new_topic_t *topics, int count,
                                    int validate_only, apr_pool_t *pool)
{
    apr_status_t status;

    apr_thread_mutex_lock(metadata->mutex);
    status = create_locked(metadata, topics, count, validate_only, pool);
    apr_thread_mutex_unlock(metadata->mutex);
    return status;
}

/* The partitions of a topic that goes burden their directories no more. */
static void unload_directories(metadata_t *metadata, const image_topic_t *topic)
{
    for (int32_t i = 0; i < image_topic_partition_count(topic); i++) {
        const image_partition_t *partition = image_topic_partition(topic, i);

        for (int d = 0;
             partition->directories && d < metadata->config.log_dir_count;
             d++) {
            if (wire_uuid_equal(&partition->directories[0],
                                &metadata->directory_ids[d]))
                metadata->directory_load[d]--;
        }
    }
}

static apr_status_t delete_locked(metadata_t *metadata, const wire_uuid_t *id,
                                  apr_pool_t *pool)
{
    const image_topic_t *topic = image_topic_by_id(metadata->image, id);
    remove_topic_record_t *record;
    metadata_list_t list;

    if (!topic)
        return TAKHIN_EUNKNOWN_TOPIC;
    unload_directories(metadata, topic);
    metadata_list_init(&list, metadata, pool);
    record = metadata_list_new(&list, RECORD_REMOVE_TOPIC);
    record->topic_id = *id;
    return metadata_append_locked(metadata, list.records, list.count, pool);
}

apr_status_t metadata_delete_topic(metadata_t *metadata, const wire_uuid_t *id,
                                   apr_pool_t *pool)
{
    apr_status_t status;

    apr_thread_mutex_lock(metadata->mutex);
    status = delete_locked(metadata, id, pool);
    apr_thread_mutex_unlock(metadata->mutex);
    return status;
}

static apr_status_t grow_locked(metadata_t *metadata, const char *name,
                                int32_t total, int validate_only,
                                apr_pool_t *pool)
{
    const image_topic_t *topic =
        image_topic(metadata->image, name, strlen(name));
    metadata_list_t list;

    if (!topic)
        return TAKHIN_EUNKNOWN_TOPIC;
    if (total <= image_topic_partition_count(topic) ||
        total > IMAGE_MAX_PARTITIONS)
        return TAKHIN_EPARTITIONS;
    metadata_list_init(&list, metadata, pool);
    if (!validate_only) {
        for (int32_t i = image_topic_partition_count(topic); i < total; i++)
            add_partition(metadata, &list, image_topic_id(topic), i);
    }
    return metadata_append_locked(metadata, list.records, list.count, pool);
}

apr_status_t metadata_create_partitions(metadata_t *metadata, const char *topic,
                                        int32_t total, int validate_only,
                                        apr_pool_t *pool)
{
    apr_status_t status;

    apr_thread_mutex_lock(metadata->mutex);
    status = grow_locked(metadata, topic, total, validate_only, pool);
    apr_thread_mutex_unlock(metadata->mutex);
    return status;
}

/* ---- configurations, producer ids ---------------------------------------- */

static apr_status_t alter_locked(metadata_t *metadata, int8_t type,
                                 const char *name,
                                 const metadata_config_change_t *changes,
                                 int count, apr_pool_t *pool)
{
    metadata_list_t list;

    if (type == CONFIG_TOPIC &&
        !image_topic(metadata->image, name, strlen(name)))
        return TAKHIN_EUNKNOWN_TOPIC;
    metadata_list_init(&list, metadata, pool);
    add_configs(&list, type, name, changes, count);
    return metadata_append_locked(metadata, list.records, list.count, pool);
}

apr_status_t metadata_alter_configs(metadata_t *metadata, int8_t type,
                                    const char *name,
                                    const metadata_config_change_t *changes,
                                    int count, apr_pool_t *pool)
{
    apr_status_t status;

    apr_thread_mutex_lock(metadata->mutex);
    status = alter_locked(metadata, type, name, changes, count, pool);
    apr_thread_mutex_unlock(metadata->mutex);
    return status;
}

static apr_status_t producer_ids_locked(metadata_t *metadata, int64_t *first,
                                        int32_t *count, apr_pool_t *pool)
{
    producer_ids_record_t *record;
    metadata_list_t list;

    *first = image_next_producer_id(metadata->image);
    *count = PRODUCER_ID_BLOCK;
    if (*first > INT64_MAX - PRODUCER_ID_BLOCK)
        return TAKHIN_ETOOBIG;
    metadata_list_init(&list, metadata, pool);
    record = metadata_list_new(&list, RECORD_PRODUCER_IDS);
    record->broker_id = metadata->config.node_id;
    record->broker_epoch = metadata->broker_epoch;
    record->next_producer_id = *first + PRODUCER_ID_BLOCK;
    return metadata_append_locked(metadata, list.records, list.count, pool);
}

apr_status_t metadata_producer_ids(metadata_t *metadata, int64_t *first,
                                   int32_t *count, apr_pool_t *pool)
{
    apr_status_t status;

    apr_thread_mutex_lock(metadata->mutex);
    status = producer_ids_locked(metadata, first, count, pool);
    apr_thread_mutex_unlock(metadata->mutex);
    return status;
}
