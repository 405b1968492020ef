/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata log `__cluster_metadata-0` of a broker that is its own and only
 * controller (KRaft, KIP-500): records are appended, flushed, and then applied
 * to the image that everyone else reads. Changes are serialised; they block on
 * the device, so they belong on a worker, never on the listener.
 *
 * It never writes before everything in the directory was read and understood:
 * metadata_open replays and refuses, metadata_start is the first to write.
 * Validation of topic names, counts and configuration values is the API's job;
 * uniqueness is checked here, where it can be checked without a race.
 */
#ifndef TAKHIN_METADATA_METADATA_H
#define TAKHIN_METADATA_METADATA_H

#include <apr_pools.h>
#include <stdint.h>

#include "metadata/features.h"
#include "metadata/image.h"
#include "protocol/wire.h"
#include "storage/log.h"

typedef struct metadata_t metadata_t;

/* ---- start and stop ------------------------------------------------------ */

/* What hears of changes. Each runs in the thread that appended, with the
 * metadata lock held: no call back into metadata_*. IMAGE is the new one. */
typedef struct {
    void *baton;
    /* Before IMAGE can be seen by others: the storage of a topic exists before
     * a client can learn its name. */
    void (*topic_created)(void *baton, const metadata_image_t *image,
                          const image_topic_t *topic);
    /* Partitions were added, or a leader, ISR or epoch changed. Also before. */
    void (*topic_changed)(void *baton, const metadata_image_t *image,
                          const image_topic_t *before,
                          const image_topic_t *topic);
    /* After IMAGE replaced the one in which the topic was. */
    void (*topic_deleted)(void *baton, const metadata_image_t *image,
                          const image_topic_t *topic);
    /* After. A configuration of a resource changed (CONFIG_TOPIC and so on);
     * not called for a topic that is created or deleted at the same time. */
    void (*config_changed)(void *baton, const metadata_image_t *image,
                           int8_t type, const char *name);
    /* After. Quotas, SCRAM credentials, ACLs and so on changed: bits below. */
    void (*other_changed)(void *baton, const metadata_image_t *image, int what);
} metadata_listener_t;

enum {
    METADATA_QUOTAS = 1,
    METADATA_SCRAM = 2,
    METADATA_ACLS = 4,
    METADATA_FEATURES = 8,
    METADATA_BROKERS = 16,
    METADATA_TOKENS = 32
};

typedef struct {
    int32_t node_id;
    const char *cluster_id;       /* what it must be; NULL: whatever stands in
                                     meta.properties, or a new random one */
    const char *metadata_log_dir; /* holds __cluster_metadata-0: the property of
                                     that name, or the first of log.dirs */
    const char *const *log_dirs;
    int log_dir_count;
    int32_t segment_bytes;  /* metadata.log.segment.bytes */
    int64_t snapshot_bytes; /* metadata.log.max.record.bytes.between.
                                     snapshots */
} metadata_config_t;

/* 1 GiB segments, a snapshot every 20 MiB, as in Kafka. */
void metadata_config_init(metadata_config_t *config);

/*
 * Opens the directories of CONFIG: formats those that have no meta.properties,
 * when all of them are new or empty; refuses another node's or another
 * cluster's; replays the newest snapshot and the log behind it. Except for
 * formatting nothing is written. *ERROR says in one line what is wrong (which
 * file, record type and offset), from POOL. STORAGE is the log directory
 * (storage/log_dir.h) at metadata_log_dir, online until metadata_close, told
 * when its disk fails; NULL where there is none to tell.
 * POOL lives as long as the broker.
 */
apr_status_t metadata_open(metadata_t **metadata,
                           const metadata_config_t *config, log_dir_t *storage,
                           apr_pool_t *pool, const char **error);

const char *metadata_cluster_id(const metadata_t *metadata);
int32_t metadata_node_id(const metadata_t *metadata);
/* The directory.id of log directory INDEX of the configuration. */
const wire_uuid_t *metadata_directory_id(const metadata_t *metadata, int index);

/* The directory.id by which the quorum knows its voter (KIP-853), or NULL in
 * a quorum that knows voters by their node id alone (kraft.version 0). */
const wire_uuid_t *metadata_voter_directory(const metadata_t *metadata);

/* Set once, after metadata_open and before metadata_start. The topics of the
 * image at that moment are not announced: walk metadata_image for them. */
void metadata_listen(metadata_t *metadata, const metadata_listener_t *listener);

/*
 * Becomes the leader in a new epoch (quorum-state first, then LeaderChange),
 * writes the feature levels of a new log, and registers this broker, fenced,
 * with these endpoints. After the listeners are bound, before they accept.
 */
apr_status_t metadata_start(metadata_t *metadata,
                            const image_endpoint_t *endpoints, int count,
                            const char *rack);

/* Storage is recovered: the broker is unfenced and leads its partitions. */
apr_status_t metadata_unfence(metadata_t *metadata);

/* Controlled shutdown: the broker says so and is fenced. */
apr_status_t metadata_stop(metadata_t *metadata);

/* Closes the log. Images that are still held stay valid. */
void metadata_close(metadata_t *metadata);

/* ---- reading ------------------------------------------------------------- */

/* The current image, retained for the caller: image_release it. Any thread;
 * costs two atomic operations under a short lock. */
const metadata_image_t *metadata_image(metadata_t *metadata);

/* This broker's epoch (offset of its registration). */
int64_t metadata_broker_epoch(const metadata_t *metadata);
int32_t metadata_leader_epoch(const metadata_t *metadata);
int64_t metadata_log_end_offset(const metadata_t *metadata);

/* ---- changing ------------------------------------------------------------ */
/* All of these return after the records are on the device and in the image.
 * Any thread that may block. Strings are copied; POOL is scratch. */

/* One record: BODY is the generated struct of the metadata record KEY. */
typedef struct {
    int16_t key;
    int16_t version;
    const void *body;
} metadata_record_t;

/* Appends COUNT records, all or none: in one batch, or in a KRaft transaction
 * where they don't fit one. For quotas, SCRAM, ACLs and the like. */
apr_status_t metadata_append(metadata_t *metadata,
                             const metadata_record_t *records, int count,
                             apr_pool_t *pool);

typedef struct {
    const char *key;
    const char *value; /* NULL: back to the default */
} metadata_config_change_t;

typedef struct {
    const char *name;
    int32_t partitions;
    const metadata_config_change_t *configs;
    int config_count;
    /* Results. STATUS: APR_SUCCESS, TAKHIN_ETOPIC_EXISTS (that name), or
     * TAKHIN_ETOPIC_COLLISION ('.' against '_': COLLISION names the other,
     * from POOL). */
    apr_status_t status;
    wire_uuid_t id;
    const char *collision;
} metadata_new_topic_t;

/*
 * Creates the topics that can be created, together. Sets each one's STATUS and
 * returns an error only when the log failed. A name that comes twice in TOPICS
 * gets TAKHIN_ETOPIC_EXISTS the second time. With VALIDATE_ONLY nothing is
 * written.
 */
apr_status_t metadata_create_topics(metadata_t *metadata,
                                    metadata_new_topic_t *topics, int count,
                                    int validate_only, apr_pool_t *pool);

/* Deletes a topic with its configuration. TAKHIN_EUNKNOWN_TOPIC. */
apr_status_t metadata_delete_topic(metadata_t *metadata, const wire_uuid_t *id,
                                   apr_pool_t *pool);

/* Raises the number of partitions to TOTAL. TAKHIN_EUNKNOWN_TOPIC;
 * TAKHIN_EPARTITIONS when TOTAL is not above what there is. */
apr_status_t metadata_create_partitions(metadata_t *metadata, const char *topic,
                                        int32_t total, int validate_only,
                                        apr_pool_t *pool);

/* Sets and removes configuration keys of one resource, all or none. */
apr_status_t metadata_alter_configs(metadata_t *metadata, int8_t type,
                                    const char *name,
                                    const metadata_config_change_t *changes,
                                    int count, apr_pool_t *pool);

/* Takes the next block of producer ids: *FIRST up to, not including,
 * *FIRST + *COUNT (1000, as in Kafka). Remembered before it returns. */
apr_status_t metadata_producer_ids(metadata_t *metadata, int64_t *first,
                                   int32_t *count, apr_pool_t *pool);

/* Writes a snapshot of the current image and deletes the segments and
 * snapshots below it. Also done by itself every snapshot_bytes. */
apr_status_t metadata_snapshot(metadata_t *metadata);

#endif
