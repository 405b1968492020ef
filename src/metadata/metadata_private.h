/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of metadata.h share: the struct, and the one way to append.
 * Not for other modules.
 */
#ifndef TAKHIN_METADATA_PRIVATE_H
#define TAKHIN_METADATA_PRIVATE_H

#include <apr_thread_mutex.h>

#include "metadata/metadata.h"
#include "metadata/raft_log.h"
#include "metadata/record_writer.h"
#include "metadata/replay.h"

struct metadata_t {
    apr_pool_t *pool;
    metadata_config_t config;
    log_dir_t *storage; /* where it lies; NULL in tools and tests */
    const char *path;   /* of __cluster_metadata-0 */
    const char *cluster_id;
    wire_uuid_t *directory_ids; /* one a log directory */

    apr_thread_mutex_t *mutex; /* appends, and all below but the image */
    replay_t replay;           /* what the start found; its image is not used
                                     any more after metadata_open */
    int aborted;               /* it found an open transaction */
    raft_log_t *log;           /* NULL before metadata_start */
    int32_t leader_epoch;
    int64_t end_offset;
    int64_t broker_epoch;   /* -1 before metadata_start */
    int64_t bytes;          /* appended since the last snapshot */
    int64_t last_timestamp; /* ms, of the last batch */
    metadata_listener_t listener;
    int64_t *directory_load; /* partitions in each log directory */

    apr_thread_mutex_t *image_mutex; /* held for a pointer and a counter */
    const metadata_image_t *image;
};

/* Bytes collected before they are appended at once. */
typedef struct {
    uint8_t *data; /* malloc'ed */
    apr_size_t length;
    apr_size_t capacity;
} metadata_bytes_t;

apr_status_t metadata_collect(void *baton, uint8_t *data, apr_size_t length);

/* Appends LENGTH bytes of batches that end before END_OFFSET, and flushes. */
apr_status_t metadata_write(metadata_t *metadata, uint8_t *data,
                            apr_size_t length, int64_t end_offset);

/* metadata_append, with the lock held. */
apr_status_t metadata_append_locked(metadata_t *metadata,
                                    const metadata_record_t *records, int count,
                                    apr_pool_t *pool);

/* The version in which record KEY is written now. */
int16_t metadata_record_version(const metadata_t *metadata, int16_t key);

/* Tells the listener what RECORDS changed: BEFORE_VISIBLE says which half. */
void metadata_announce(metadata_t *metadata, const metadata_record_t *records,
                       int count, const metadata_image_t *before,
                       const metadata_image_t *after, int before_visible,
                       apr_pool_t *pool);

/* A growing list of records whose bodies live in POOL. */
typedef struct {
    metadata_record_t *records;
    int count;
    int capacity;
    apr_pool_t *pool;
    const metadata_t *metadata;
} metadata_list_t;

void metadata_list_init(metadata_list_t *list, const metadata_t *metadata,
                        apr_pool_t *pool);

/* Adds a record of KEY with BODY, a struct that stays. */
void metadata_list_add(metadata_list_t *list, int16_t key, const void *body);

/* Adds and returns a body of KEY with every field its default. */
void *metadata_list_new(metadata_list_t *list, int16_t key);

#endif
