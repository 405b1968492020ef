/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image: what the cluster is, as replayed from the metadata log up to one
 * offset. An image that can be seen by readers never changes; a later one
 * shares all that stayed the same with it (pmap.h), so taking one is a counter
 * and holding one costs nothing. Any thread may read an image it holds.
 * Everything reached from an image (names, topics, values) lives as long as the
 * reference to it is held: nothing here is copied and nothing is to be freed.
 *
 * It never does I/O, and it never decides: names and values are validated by
 * who appends records, not by who replays them.
 */
#ifndef TAKHIN_METADATA_IMAGE_H
#define TAKHIN_METADATA_IMAGE_H

#include <apr.h>
#include <apr_errno.h>
#include <stdint.h>

#include "protocol/wire.h"

typedef struct metadata_image_t metadata_image_t;

/* Resource types of a configuration, as in Kafka's ConfigResource. */
enum {
    CONFIG_TOPIC = 2,
    CONFIG_BROKER = 4,
    CONFIG_BROKER_LOGGER = 8, /* is never in an image */
    CONFIG_CLIENT_METRICS = 16,
    CONFIG_GROUP = 32
};

/* A list of broker ids. */
typedef struct {
    const int32_t *ids;
    int count;
} image_ids_t;

typedef struct {
    int32_t leader; /* -1: none */
    int32_t leader_epoch;
    int32_t partition_epoch; /* counts every change of this partition */
    int8_t recovering;       /* 1 after an unclean election */
    image_ids_t replicas;    /* in preferred order */
    image_ids_t isr;
    image_ids_t removing;
    image_ids_t adding;
    image_ids_t eligible;           /* eligible leader replicas (KIP-966) */
    image_ids_t last_known;         /* last known ELR (KIP-966) */
    const wire_uuid_t *directories; /* one a replica (KIP-858); NULL when the
                                       record was of a version without them */
} image_partition_t;

typedef struct image_topic_t image_topic_t;

const char *image_topic_name(const image_topic_t *topic); /* NUL-terminated */
apr_size_t image_topic_name_length(const image_topic_t *topic);
const wire_uuid_t *image_topic_id(const image_topic_t *topic);
int32_t image_topic_partition_count(const image_topic_t *topic);

/* Partition INDEX, or NULL where there is none. */
const image_partition_t *image_topic_partition(const image_topic_t *topic,
                                               int32_t index);

/* ---- look-up ------------------------------------------------------------- */

void image_retain(const metadata_image_t *image);
void image_release(const metadata_image_t *image);

/* The offset of the last record in IMAGE and its epoch; -1 when empty. */
int64_t image_offset(const metadata_image_t *image);
int32_t image_epoch(const metadata_image_t *image);

/* The topic of that name or id, or NULL. */
const image_topic_t *image_topic(const metadata_image_t *image,
                                 const char *name, apr_size_t name_length);
const image_topic_t *image_topic_by_id(const metadata_image_t *image,
                                       const wire_uuid_t *id);

/* The topic whose name is NAME but for '.' and '_' (their metrics would
 * collide), or NULL. A topic of exactly that name is none. */
const image_topic_t *image_topic_collision(const metadata_image_t *image,
                                           const char *name,
                                           apr_size_t name_length);

apr_size_t image_topic_count(const metadata_image_t *image);
apr_size_t image_partition_count(const metadata_image_t *image);

/* Calls EACH for every topic, in no particular order, until it returns
 * something else than APR_SUCCESS, which is then returned. */
typedef apr_status_t (*image_topic_fn)(void *baton, const image_topic_t *topic);
apr_status_t image_each_topic(const metadata_image_t *image,
                              image_topic_fn each, void *baton);

/* ---- configurations ------------------------------------------------------ */

typedef struct {
    const char *name;
    const char *value;
} image_config_entry_t;

/* What was set for one resource, sorted by name; NULL when nothing was.
 * NAME of a broker is its id in decimal, or "" for the cluster's default. */
const image_config_entry_t *image_configs(const metadata_image_t *image,
                                          int8_t type, const char *name,
                                          int *count);

/* The value of KEY, or NULL when it was not set. */
const char *image_config(const metadata_image_t *image, int8_t type,
                         const char *name, const char *key);

typedef apr_status_t (*image_config_fn)(void *baton, int8_t type,
                                        const char *name,
                                        const image_config_entry_t *entries,
                                        int count);
apr_status_t image_each_config(const metadata_image_t *image,
                               image_config_fn each, void *baton);

/* ---- brokers, features --------------------------------------------------- */

typedef struct {
    const char *name; /* the listener's */
    const char *host;
    uint16_t port;
    int16_t security_protocol; /* 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT,
                                  3 SASL_SSL */
} image_endpoint_t;

typedef struct {
    const char *name;
    int16_t min;
    int16_t max;
} image_feature_range_t;

typedef struct {
    int32_t id;
    int64_t epoch; /* offset of its registration; -1: controller */
    wire_uuid_t incarnation;
    const char *rack; /* or NULL */
    const image_endpoint_t *endpoints;
    int endpoint_count;
    const image_feature_range_t *features;
    int feature_count;
    const wire_uuid_t *log_dirs;
    int log_dir_count;
    const wire_uuid_t *cordoned;
    int cordoned_count; /* -1: not told yet */
    unsigned fenced : 1;
    unsigned in_controlled_shutdown : 1;
    unsigned zk_migrating : 1; /* kept for the snapshot; ZooKeeper is gone */
} image_node_t;

/* The registration of a broker (or controller), or NULL. */
const image_node_t *image_broker(const metadata_image_t *image, int32_t id);
const image_node_t *image_controller(const metadata_image_t *image, int32_t id);

typedef apr_status_t (*image_node_fn)(void *baton, const image_node_t *node);
apr_status_t image_each_broker(const metadata_image_t *image,
                               image_node_fn each, void *baton);
apr_status_t image_each_controller(const metadata_image_t *image,
                                   image_node_fn each, void *baton);

/* The finalized level of a feature ("metadata.version"), 0 when unset. */
int16_t image_feature(const metadata_image_t *image, const char *name);
typedef apr_status_t (*image_feature_fn)(void *baton, const char *name,
                                         int16_t level);
apr_status_t image_each_feature(const metadata_image_t *image,
                                image_feature_fn each, void *baton);

/* The first producer id of the next block to be handed out. */
int64_t image_next_producer_id(const metadata_image_t *image);

/* ---- quotas, users, ACLs ------------------------------------------------- */

typedef struct {
    const char *type; /* "user", "client-id", "ip" */
    const char *name; /* NULL: the default entity of that type */
} image_quota_entity_t;

typedef struct {
    const char *key; /* "producer_byte_rate" and so on */
    double value;
} image_quota_value_t;

typedef struct {
    const image_quota_entity_t *entity; /* sorted by type */
    int entity_count;
    const image_quota_value_t *values;
    int value_count;
} image_quota_t;

/* The quota of exactly that entity, in any order of its parts; or NULL. */
const image_quota_t *image_quota(const metadata_image_t *image,
                                 const image_quota_entity_t *entity,
                                 int entity_count);
typedef apr_status_t (*image_quota_fn)(void *baton, const image_quota_t *quota);
apr_status_t image_each_quota(const metadata_image_t *image,
                              image_quota_fn each, void *baton);

enum { SCRAM_SHA_256 = 1, SCRAM_SHA_512 = 2 };

typedef struct {
    const char *user;
    int8_t mechanism;
    const uint8_t *salt, *stored_key, *server_key;
    apr_size_t salt_length, stored_key_length, server_key_length;
    int32_t iterations;
} image_scram_t;

const image_scram_t *image_scram(const metadata_image_t *image,
                                 const char *user, int8_t mechanism);
typedef apr_status_t (*image_scram_fn)(void *baton,
                                       const image_scram_t *credential);
apr_status_t image_each_scram(const metadata_image_t *image,
                              image_scram_fn each, void *baton);

typedef struct {
    wire_uuid_t id;
    int8_t resource_type;
    int8_t pattern_type;
    int8_t operation;
    int8_t permission;
    const char *resource;
    const char *principal;
    const char *host;
} image_acl_t;

typedef apr_status_t (*image_acl_fn)(void *baton, const image_acl_t *acl);
apr_status_t image_each_acl(const metadata_image_t *image, image_acl_fn each,
                            void *baton);
apr_size_t image_acl_count(const metadata_image_t *image);

#endif
