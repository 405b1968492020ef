/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The topics this broker holds: from a name or id to a topic, from a topic and
 * an index to a partition. Look-ups take a read lock for a hash probe and no
 * more; what they return is retained for the caller.
 */
#ifndef TAKHIN_STORAGE_TOPICS_H
#define TAKHIN_STORAGE_TOPICS_H

#include "protocol/wire.h"
#include "storage/log_dir.h"
#include "storage/partition.h"

typedef struct topics_t topics_t;

/* ---- look-ups; any thread ---------------------------------------------- */

/* Sets *PARTITION (retained) or returns TAKHIN_EUNKNOWN_TOPIC (or _PARTITION).
 */
apr_status_t topics_find(topics_t *topics, const char *name,
                         apr_size_t name_length, int32_t index,
                         partition_t **partition);
apr_status_t topics_find_id(topics_t *topics, const wire_uuid_t *id,
                            int32_t index, partition_t **partition);

/* A topic itself, retained. TAKHIN_EUNKNOWN_TOPIC. */
apr_status_t topics_get(topics_t *topics, const char *name,
                        apr_size_t name_length, topic_t **topic);
apr_status_t topics_get_id(topics_t *topics, const wire_uuid_t *id,
                           topic_t **topic);

void topic_retain(topic_t *topic);
void topic_release(topic_t *topic);
const char *topic_name(const topic_t *topic);
const wire_uuid_t *topic_id(const topic_t *topic);
/* Partitions 0 up to this one less; only ever grows. */
int32_t topic_partition_count(const topic_t *topic);
/* A partition, retained; TAKHIN_EUNKNOWN_PARTITION, TAKHIN_EDELETED. */
apr_status_t topic_partition(topic_t *topic, int32_t index,
                             partition_t **partition);

/* log_read_range of one partition of TOPIC. */
apr_status_t topic_read_range(topic_t *topic, int32_t index, int64_t offset,
                              int64_t upper, apr_size_t max_bytes,
                              int at_least_one, read_range_t *range);

/* All topics as of now, each retained, in no order, from POOL; give them back
 * with topic_release. */
apr_status_t topics_all(topics_t *topics, topic_t ***all, int *count,
                        apr_pool_t *pool);

/* ---- changes ----------------------------------------------------------- */
/* Any thread that may block; changes wait for each other, look-ups do not wait
 * for their I/O. */

typedef struct {
    log_dir_t *const *dirs; /* log.dirs, open */
    int dir_count;
    int32_t replica;      /* this broker's id */
    int recovery_threads; /* for topics_load, for each directory */
} topics_options_t;

/* POOL is the broker's: it outlives everything here. */
apr_status_t topics_create(topics_t **topics, const topics_options_t *options,
                           apr_pool_t *pool);

typedef struct {
    const char *name;
    wire_uuid_t id;
    int32_t partition_count;
    log_config_t config;
} topic_spec_t;

/*
 * Makes the topic of SPEC, with directories that are there or new ones (in the
 * online log directory that has the fewest logs). TAKHIN_ETOPIC_EXISTS;
 * TAKHIN_EOFFLINE when no directory is online.
 */
apr_status_t topics_add(topics_t *topics, const topic_spec_t *spec);

/*
 * At start: all topics that the metadata knows, recovered in parallel. A
 * partition whose directory is offline or whose log cannot be opened is left
 * out with a log line, and looked up is TAKHIN_EOFFLINE. Directories of topics
 * that SPECS do not name are said in a log line and left alone.
 */
apr_status_t topics_load(topics_t *topics, const topic_spec_t *specs,
                         int count);

/* Raises the number of partitions to TOTAL. TAKHIN_EUNKNOWN_TOPIC. */
apr_status_t topics_grow(topics_t *topics, const char *name, int32_t total);

/* Deletes the topic of ID with its partitions. TAKHIN_EUNKNOWN_TOPIC. */
apr_status_t topics_delete(topics_t *topics, const wire_uuid_t *id);

/* TAKHIN_EUNKNOWN_TOPIC. */
apr_status_t topics_set_config(topics_t *topics, const char *name,
                               const log_config_t *config);
void topic_config(topic_t *topic, log_config_t *config);

/* Closes every partition in order. No request is on its way any more. */
apr_status_t topics_close(topics_t *topics);

#endif
