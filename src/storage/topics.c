/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry of topics; see topics.h. A reader's lock is held for a probe, a
 * writer's for a change of pointers: never over I/O.
 */
#include "storage/topics.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <apr_thread_rwlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/logger.h"
#include "storage/log_private.h"

struct topic_t {
    volatile apr_uint32_t references; /* atomic */
    topics_t *topics;
    topic_t *next_name, *next_id; /* hash chains; the registry's lock */
    uint32_t name_hash;
    wire_uuid_t id;
    partition_t **partitions; /* the registry's lock; an entry is
                                 NULL when its log is offline */
    int32_t count;
    int32_t room;
    log_config_t config; /* the registry's lock */
    unsigned listed : 1; /* the registry's lock */
    apr_size_t name_length;
    char name[];
};

struct topics_t {
    topics_options_t options;
    apr_pool_t *pool;
    apr_thread_rwlock_t *lock;
    apr_thread_mutex_t *change; /* one change at a time */
    topic_t **by_name;          /* chained, a power of two */
    topic_t **by_id;
    uint32_t room;
    uint32_t count;
};

/* ---- the tables; the registry's lock is held --------------------------- */

static uint32_t hash_name(const char *name, apr_size_t length)
{
    uint32_t hash = 2166136261u;
    apr_size_t i;

    for (i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)name[i]) * 16777619u;
    return hash ^ hash >> 15;
}

/* Ids are random: four of their bytes are hash enough. */
static uint32_t hash_id(const wire_uuid_t *id)
{
    uint32_t hash;

    memcpy(&hash, (const uint8_t *)id + 8, sizeof(hash));
    return hash;
}

static topic_t *find_name(const topics_t *topics, const char *name,
                          apr_size_t length)
{
    uint32_t hash = hash_name(name, length);
    topic_t *topic = topics->by_name[hash & (topics->room - 1)];

    while (topic != NULL &&
           (topic->name_hash != hash || topic->name_length != length ||
            memcmp(topic->name, name, length) != 0))
        topic = topic->next_name;
    return topic;
}

static topic_t *find_id(const topics_t *topics, const wire_uuid_t *id)
{
    topic_t *topic = topics->by_id[hash_id(id) & (topics->room - 1)];

    while (topic != NULL && memcmp(&topic->id, id, sizeof(*id)) != 0)
        topic = topic->next_id;
    return topic;
}

static void link_topic(topics_t *topics, topic_t *topic)
{
    topic_t **name = &topics->by_name[topic->name_hash & (topics->room - 1)];
    topic_t **id = &topics->by_id[hash_id(&topic->id) & (topics->room - 1)];

    topic->next_name = *name;
    *name = topic;
    topic->next_id = *id;
    *id = topic;
}

static int grow_tables(topics_t *topics)
{
    uint32_t i, old_room = topics->room, room = old_room * 2;
    topic_t **by_name = calloc(room, sizeof(*by_name));
    topic_t **by_id = calloc(room, sizeof(*by_id));
    topic_t **old = topics->by_name;

    if (by_name == NULL || by_id == NULL) {
        free(by_name);
        free(by_id);
        return 0;
    }
    free(topics->by_id);
    topics->by_name = by_name;
    topics->by_id = by_id;
    topics->room = room;
    for (i = 0; i < old_room; i++)
        while (old[i] != NULL) {
            topic_t *topic = old[i];

            old[i] = topic->next_name;
            link_topic(topics, topic);
        }
    free(old);
    return 1;
}

static void unlink_topic(topics_t *topics, topic_t *topic)
{
    topic_t **at = &topics->by_name[topic->name_hash & (topics->room - 1)];

    while (*at != topic)
        at = &(*at)->next_name;
    *at = topic->next_name;
    at = &topics->by_id[hash_id(&topic->id) & (topics->room - 1)];
    while (*at != topic)
        at = &(*at)->next_id;
    *at = topic->next_id;
    topic->listed = 0;
    topics->count--;
}

/* ---- look-ups ---------------------------------------------------------- */

/* TOPIC is listed, or NULL; the lock is held. */
static apr_status_t take_partition(const topic_t *topic, int32_t index,
                                   partition_t **partition)
{
    *partition = NULL;
    if (topic == NULL)
        return TAKHIN_EUNKNOWN_TOPIC;
    if (index < 0 || index >= topic->count)
        return TAKHIN_EUNKNOWN_PARTITION;
    if (topic->partitions[index] == NULL)
        return topic->listed ? TAKHIN_EOFFLINE : TAKHIN_EDELETED;
    *partition = topic->partitions[index];
    partition_retain(*partition);
    return APR_SUCCESS;
}

apr_status_t topics_find(topics_t *topics, const char *name,
                         apr_size_t name_length, int32_t index,
                         partition_t **partition)
{
    apr_status_t status;

    apr_thread_rwlock_rdlock(topics->lock);
    status =
        take_partition(find_name(topics, name, name_length), index, partition);
    apr_thread_rwlock_unlock(topics->lock);
    return status;
}

apr_status_t topics_find_id(topics_t *topics, const wire_uuid_t *id,
                            int32_t index, partition_t **partition)
{
    apr_status_t status;

    apr_thread_rwlock_rdlock(topics->lock);
    status = take_partition(find_id(topics, id), index, partition);
    apr_thread_rwlock_unlock(topics->lock);
    return status;
}

static apr_status_t retained(topics_t *topics, topic_t *found, topic_t **topic)
{
    *topic = found;
    if (found != NULL)
        topic_retain(found);
    apr_thread_rwlock_unlock(topics->lock);
    return found == NULL ? TAKHIN_EUNKNOWN_TOPIC : APR_SUCCESS;
}

apr_status_t topics_get(topics_t *topics, const char *name,
                        apr_size_t name_length, topic_t **topic)
{
    apr_thread_rwlock_rdlock(topics->lock);
    return retained(topics, find_name(topics, name, name_length), topic);
}

apr_status_t topics_get_id(topics_t *topics, const wire_uuid_t *id,
                           topic_t **topic)
{
    apr_thread_rwlock_rdlock(topics->lock);
    return retained(topics, find_id(topics, id), topic);
}

apr_status_t topics_all(topics_t *topics, topic_t ***all, int *count,
                        apr_pool_t *pool)
{
    uint32_t i;
    topic_t *topic;

    *count = 0;
    apr_thread_rwlock_rdlock(topics->lock);
    *all = apr_palloc(pool, sizeof(**all) * (topics->count + 1));
    for (i = 0; i < topics->room; i++)
        for (topic = topics->by_name[i]; topic; topic = topic->next_name) {
            topic_retain(topic);
            (*all)[(*count)++] = topic;
        }
    apr_thread_rwlock_unlock(topics->lock);
    return APR_SUCCESS;
}

/* ---- a topic ----------------------------------------------------------- */

void topic_retain(topic_t *topic)
{
    apr_atomic_inc32(&topic->references);
}

void topic_release(topic_t *topic)
{
    if (apr_atomic_dec32(&topic->references) != 0)
        return;
    free(topic->partitions);
    free(topic);
}

const char *topic_name(const topic_t *topic)
{
    return topic->name;
}

const wire_uuid_t *topic_id(const topic_t *topic)
{
    return &topic->id;
}

int32_t topic_partition_count(const topic_t *topic)
{
    int32_t count;

    apr_thread_rwlock_rdlock(topic->topics->lock);
    count = topic->count;
    apr_thread_rwlock_unlock(topic->topics->lock);
    return count;
}

apr_status_t topic_partition(topic_t *topic, int32_t index,
                             partition_t **partition)
{
    apr_status_t status;

    apr_thread_rwlock_rdlock(topic->topics->lock);
    status = take_partition(topic, index, partition);
    apr_thread_rwlock_unlock(topic->topics->lock);
    return status;
}

void topic_config(topic_t *topic, log_config_t *config)
{
    apr_thread_rwlock_rdlock(topic->topics->lock);
    *config = topic->config;
    apr_thread_rwlock_unlock(topic->topics->lock);
}

apr_status_t topic_read_range(topic_t *topic, int32_t index, int64_t offset,
                              int64_t upper, apr_size_t max_bytes,
                              int at_least_one, read_range_t *range)
{
    partition_t *partition;
    apr_status_t status = topic_partition(topic, index, &partition);

    range->count = 0;
    range->size = 0;
    if (status != APR_SUCCESS)
        return status;
    status = log_read_range(partition_log(partition), offset, upper, max_bytes,
                            at_least_one, range);
    partition_release(partition);
    return status;
}

static topic_t *make_topic(topics_t *topics, const topic_spec_t *spec)
{
    apr_size_t length = strlen(spec->name);
    topic_t *topic = calloc(1, sizeof(*topic) + length + 1);

    if (topic == NULL)
        return NULL;
    topic->references = 1;
    topic->topics = topics;
    topic->id = spec->id;
    topic->config = spec->config;
    topic->name_length = length;
    memcpy(topic->name, spec->name, length);
    topic->name_hash = hash_name(spec->name, length);
    topic->room = spec->partition_count;
    topic->partitions = calloc((size_t)(topic->room > 0 ? topic->room : 1),
                               sizeof(*topic->partitions));
    if (topic->partitions == NULL) {
        free(topic);
        return NULL;
    }
    return topic;
}

/* ---- partitions -------------------------------------------------------- */

/* The directory in which NAME lies, or NULL. */
static log_dir_t *dir_with(const topics_t *topics, const char *name)
{
    char path[4096];
    fs_stat_t stat;
    int i;

    for (i = 0; i < topics->options.dir_count; i++) {
        snprintf(path, sizeof(path), "%s/%s",
                 log_dir_path(topics->options.dirs[i]), name);
        if (fs_stat(path, &stat) == APR_SUCCESS && stat.type == APR_DIR)
            return topics->options.dirs[i];
    }
    return NULL;
}

/* The online directory with the fewest logs, or NULL. */
static log_dir_t *emptiest_dir(const topics_t *topics)
{
    log_dir_t *best = NULL;
    int i;

    if (topics->options.dir_count == 1)
        return log_dir_online(topics->options.dirs[0]) ? topics->options.dirs[0]
                                                       : NULL;
    for (i = 0; i < topics->options.dir_count; i++) {
        log_dir_t *dir = topics->options.dirs[i];

        if (log_dir_online(dir) &&
            (best == NULL || log_dir_log_count(dir) < log_dir_log_count(best)))
            best = dir;
    }
    return best;
}

static apr_status_t open_partition(topics_t *topics, topic_t *topic,
                                   int32_t index, partition_t **partition)
{
    char name[300];
    log_dir_t *dir;
    log_t *log;
    apr_status_t status;

    snprintf(name, sizeof(name), "%s-%d", topic->name, (int)index);
    dir = topics->options.dir_count > 1 ? dir_with(topics, name) : NULL;
    if (dir == NULL)
        dir = emptiest_dir(topics);
    if (dir == NULL)
        return TAKHIN_EOFFLINE;
    status = log_open(&log, dir, name, (const uint8_t *)&topic->id,
                      &topic->config, 0);
    if (status == TAKHIN_EINVALID) {
        /* A crash came between a topic's deletion and its directory's. */
        status = log_dir_set_aside(dir, name);
        if (status == APR_SUCCESS)
            status = log_open(&log, dir, name, (const uint8_t *)&topic->id,
                              &topic->config, 0);
    }
    if (status != APR_SUCCESS)
        return status;
    *partition = partition_create(topic, index, log, topics->options.replica);
    if (*partition == NULL) {
        log_close(log);
        return APR_ENOMEM;
    }
    return APR_SUCCESS;
}

static void drop_partitions(partition_t **partitions, int32_t from, int32_t to)
{
    int32_t i;

    for (i = from; i < to; i++) {
        (void)partition_delete(partitions[i]); /* undoing: the cause is told */
        partition_release(partitions[i]);
    }
}

/* Opens partitions FROM up to TO into PARTITIONS: all, or none. */
static apr_status_t open_partitions(topics_t *topics, topic_t *topic,
                                    partition_t **partitions, int32_t from,
                                    int32_t to)
{
    int32_t i;

    for (i = from; i < to; i++) {
        apr_status_t status = open_partition(topics, topic, i, &partitions[i]);

        if (status != APR_SUCCESS) {
            drop_partitions(partitions, from, i);
            return status;
        }
    }
    return APR_SUCCESS;
}

/* ---- changes ----------------------------------------------------------- */

apr_status_t topics_create(topics_t **topics, const topics_options_t *options,
                           apr_pool_t *pool)
{
    topics_t *made = apr_pcalloc(pool, sizeof(*made));
    apr_status_t status;

    made->options = *options;
    made->options.dirs =
        apr_pmemdup(pool, options->dirs,
                    sizeof(*options->dirs) * (apr_size_t)options->dir_count);
    made->pool = pool;
    made->room = 64;
    made->by_name = calloc(made->room, sizeof(*made->by_name));
    made->by_id = calloc(made->room, sizeof(*made->by_id));
    if (made->by_name == NULL || made->by_id == NULL)
        return APR_ENOMEM;
    status = apr_thread_rwlock_create(&made->lock, pool);
    if (status == APR_SUCCESS)
        status = apr_thread_mutex_create(&made->change,
                                         APR_THREAD_MUTEX_DEFAULT, pool);
    *topics = made;
    return status;
}

/* Makes TOPIC known. */
static apr_status_t publish_topic(topics_t *topics, topic_t *topic)
{
    apr_status_t status = APR_SUCCESS;

    apr_thread_rwlock_wrlock(topics->lock);
    if (topics->count >= topics->room && !grow_tables(topics))
        status = APR_ENOMEM;
    if (status == APR_SUCCESS) {
        topic->listed = 1;
        topics->count++;
        link_topic(topics, topic);
    }
    apr_thread_rwlock_unlock(topics->lock);
    return status;
}

static apr_status_t add_topic(topics_t *topics, const topic_spec_t *spec)
{
    apr_status_t status;
    topic_t *topic;

    if (find_name(topics, spec->name, strlen(spec->name)) != NULL)
        return TAKHIN_ETOPIC_EXISTS; /* only changes write, and we are one */
    topic = make_topic(topics, spec);
    if (topic == NULL)
        return APR_ENOMEM;
    status = open_partitions(topics, topic, topic->partitions, 0,
                             spec->partition_count);
    if (status == APR_SUCCESS) {
        topic->count = spec->partition_count;
        status = publish_topic(topics, topic);
        if (status != APR_SUCCESS) {
            topic->count = 0;
            drop_partitions(topic->partitions, 0, spec->partition_count);
        }
    }
    if (status != APR_SUCCESS)
        topic_release(topic);
    return status;
}

apr_status_t topics_add(topics_t *topics, const topic_spec_t *spec)
{
    apr_status_t status;

    apr_thread_mutex_lock(topics->change);
    status = add_topic(topics, spec);
    apr_thread_mutex_unlock(topics->change);
    return status;
}

static apr_status_t grow_topic(topics_t *topics, topic_t *topic, int32_t total)
{
    partition_t **grown, **old = topic->partitions;
    apr_status_t status;

    if (total <= topic->count)
        return APR_SUCCESS;
    grown = calloc((size_t)total, sizeof(*grown));
    if (grown == NULL)
        return APR_ENOMEM;
    status = open_partitions(topics, topic, grown, topic->count, total);
    if (status != APR_SUCCESS) {
        free(grown);
        return status;
    }
    apr_thread_rwlock_wrlock(topics->lock);
    memcpy(grown, old, sizeof(*old) * (size_t)topic->count);
    topic->partitions = grown;
    topic->count = topic->room = total;
    apr_thread_rwlock_unlock(topics->lock);
    free(old);
    return APR_SUCCESS;
}

apr_status_t topics_grow(topics_t *topics, const char *name, int32_t total)
{
    apr_status_t status = TAKHIN_EUNKNOWN_TOPIC;
    topic_t *topic;

    apr_thread_mutex_lock(topics->change);
    topic = find_name(topics, name, strlen(name));
    if (topic != NULL)
        status = grow_topic(topics, topic, total);
    apr_thread_mutex_unlock(topics->change);
    return status;
}

/* Takes TOPIC and its partitions out; *PARTITIONS and *COUNT are the caller's.
 */
static void take_out(topics_t *topics, topic_t *topic,
                     partition_t ***partitions, int32_t *count)
{
    apr_thread_rwlock_wrlock(topics->lock);
    unlink_topic(topics, topic);
    *partitions = topic->partitions;
    *count = topic->count;
    topic->partitions = NULL;
    topic->count = 0;
    apr_thread_rwlock_unlock(topics->lock);
}

apr_status_t topics_delete(topics_t *topics, const wire_uuid_t *id)
{
    apr_status_t result = APR_SUCCESS;
    partition_t **partitions;
    int32_t i, count;
    topic_t *topic;

    apr_thread_mutex_lock(topics->change);
    topic = find_id(topics, id);
    if (topic == NULL) {
        apr_thread_mutex_unlock(topics->change);
        return TAKHIN_EUNKNOWN_TOPIC;
    }
    take_out(topics, topic, &partitions, &count);
    for (i = 0; i < count; i++) {
        apr_status_t status;

        if (partitions[i] == NULL)
            continue;
        status = partition_delete(partitions[i]);
        if (status != APR_SUCCESS)
            result = status;
        partition_release(partitions[i]);
    }
    apr_thread_mutex_unlock(topics->change);
    free(partitions);
    topic_release(topic);
    return result;
}

apr_status_t topics_set_config(topics_t *topics, const char *name,
                               const log_config_t *config)
{
    topic_t *topic;
    int32_t i;

    apr_thread_mutex_lock(topics->change);
    topic = find_name(topics, name, strlen(name));
    if (topic != NULL) {
        apr_thread_rwlock_wrlock(topics->lock);
        topic->config = *config;
        apr_thread_rwlock_unlock(topics->lock);
        for (i = 0; i < topic->count; i++)
            if (topic->partitions[i] != NULL)
                log_set_config(partition_log(topic->partitions[i]), config);
    }
    apr_thread_mutex_unlock(topics->change);
    return topic == NULL ? TAKHIN_EUNKNOWN_TOPIC : APR_SUCCESS;
}

apr_status_t topics_close(topics_t *topics)
{
    apr_status_t result = APR_SUCCESS;
    uint32_t i;

    apr_thread_mutex_lock(topics->change);
    for (i = 0; i < topics->room; i++)
        while (topics->by_name[i] != NULL) {
            topic_t *topic = topics->by_name[i];
            partition_t **partitions;
            int32_t index, count;

            take_out(topics, topic, &partitions, &count);
            for (index = 0; index < count; index++) {
                apr_status_t status;

                if (partitions[index] == NULL)
                    continue;
                status = partition_close(partitions[index]);
                if (status != APR_SUCCESS)
                    result = status;
                partition_release(partitions[index]);
            }
            free(partitions);
            topic_release(topic);
        }
    apr_thread_mutex_unlock(topics->change);
    free(topics->by_name);
    free(topics->by_id);
    return result;
}

/* ---- load -------------------------------------------------------------- */

typedef struct {
    topics_t *topics;
    topic_t **made;
    int count;
    apr_thread_mutex_t *mutex;
    int topic; /* the next one to open; mutex */
    int32_t partition;
    int64_t failed; /* mutex */
} load_t;

static int next_to_load(load_t *load, topic_t **topic, int32_t *index)
{
    int found = 0;

    apr_thread_mutex_lock(load->mutex);
    while (load->topic < load->count &&
           load->partition >= load->made[load->topic]->room) {
        load->topic++;
        load->partition = 0;
    }
    if (load->topic < load->count) {
        *topic = load->made[load->topic];
        *index = load->partition++;
        found = 1;
    }
    apr_thread_mutex_unlock(load->mutex);
    return found;
}

static void *APR_THREAD_FUNC load_thread(apr_thread_t *thread, void *baton)
{
    load_t *load = baton;
    topic_t *topic;
    int32_t index;

    while (next_to_load(load, &topic, &index)) {
        apr_status_t status = open_partition(load->topics, topic, index,
                                             &topic->partitions[index]);

        if (status == APR_SUCCESS)
            continue;
        topic->partitions[index] = NULL;
        LOG_ERROR(storage, "partition %s-%d is offline: %s", topic->name,
                  (int)index, LOG_STATUS(status));
        apr_thread_mutex_lock(load->mutex);
        load->failed++;
        apr_thread_mutex_unlock(load->mutex);
    }
    if (thread != NULL)
        apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

#define LOAD_THREADS 64

static void load_all(load_t *load, int threads, apr_pool_t *pool)
{
    apr_thread_t *started[LOAD_THREADS];
    apr_status_t ignored;
    int i, count = 0;

    for (i = 0; i < threads && i < LOAD_THREADS; i++)
        if (apr_thread_create(&started[count], NULL, load_thread, load, pool) ==
            APR_SUCCESS)
            count++;
    if (count == 0)
        load_thread(NULL, load);
    for (i = 0; i < count; i++)
        apr_thread_join(&ignored, started[i]);
}

/* Says which directories belong to no partition that was loaded. */
static void name_strays(topics_t *topics, apr_pool_t *pool)
{
    int i, j;

    for (i = 0; i < topics->options.dir_count; i++) {
        log_dir_t *dir = topics->options.dirs[i];
        char **names;
        int count;

        if (!log_dir_online(dir) ||
            log_dir_list(dir, pool, &names, &count) != APR_SUCCESS)
            continue;
        if (count == log_dir_log_count(dir))
            continue; /* the usual case, and the cheap one */
        for (j = 0; j < count; j++) {
            const char *dash = strrchr(names[j], '-');
            const topic_t *topic =
                find_name(topics, names[j], (apr_size_t)(dash - names[j]));

            if (topic == NULL || atoi(dash + 1) >= topic->count)
                LOG_WARN(storage,
                         "%s/%s belongs to no topic and is left "
                         "alone",
                         log_dir_path(dir), names[j]);
        }
    }
}

apr_status_t topics_load(topics_t *topics, const topic_spec_t *specs, int count)
{
    load_t load = {topics, NULL, 0, NULL, 0, 0, 0};
    apr_pool_t *pool;
    apr_status_t status = apr_pool_create(&pool, NULL);
    int i;

    if (status != APR_SUCCESS)
        return status;
    apr_thread_mutex_lock(topics->change);
    load.made = apr_palloc(pool, sizeof(*load.made) * (apr_size_t)(count + 1));
    status =
        apr_thread_mutex_create(&load.mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    for (i = 0; i < count && status == APR_SUCCESS; i++) {
        load.made[i] = make_topic(topics, &specs[i]);
        if (load.made[i] == NULL)
            status = APR_ENOMEM;
        else
            load.count++;
    }
    if (status == APR_SUCCESS)
        load_all(&load,
                 topics->options.recovery_threads * topics->options.dir_count,
                 pool);
    for (i = 0; i < load.count; i++) {
        load.made[i]->count = load.made[i]->room;
        if (status == APR_SUCCESS)
            status = publish_topic(topics, load.made[i]);
    }
    if (status == APR_SUCCESS)
        name_strays(topics, pool);
    apr_thread_mutex_unlock(topics->change);
    apr_pool_destroy(pool);
    return status;
}
