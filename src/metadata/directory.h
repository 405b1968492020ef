/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small files that say whose a log directory is and who leads: Kafka's
 * meta.properties (version 1) and KRaft's quorum-state (KIP-595, KIP-853).
 *
 * Reading never writes: a directory of another node or cluster is left as it
 * is. What is written replaces its file as a whole, or not at all.
 */
#ifndef TAKHIN_METADATA_DIRECTORY_H
#define TAKHIN_METADATA_DIRECTORY_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <stdint.h>

#include "protocol/wire.h"

/* meta.properties. */
typedef struct {
    int32_t node_id;
    const char *cluster_id;
    wire_uuid_t directory_id; /* zero when the file has none */
} directory_meta_t;

/*
 * Reads PATH/meta.properties. APR_ENOENT when there is none; TAKHIN_ECORRUPT or
 * TAKHIN_EUNSUPPORTED with *ERROR, one line from POOL, when it cannot be used.
 */
apr_status_t directory_read_meta(directory_meta_t *meta, const char *path,
                                 apr_pool_t *pool, const char **error);
apr_status_t directory_write_meta(const directory_meta_t *meta,
                                  const char *path, apr_pool_t *pool);

/* APR_SUCCESS when PATH may be formatted: it is missing or holds nothing but
 * what an interrupted formatting or a file system leaves there. Otherwise
 * APR_ENOTEMPTY, and *FOUND is a name that stands in the way. */
apr_status_t directory_is_new(const char *path, apr_pool_t *pool,
                              const char **found);

/* quorum-state. */
typedef struct {
    int version;       /* of its data: 0, or 1 with kraft.version 1 */
    int32_t leader_id; /* -1: none */
    int32_t leader_epoch;
    int32_t voted_id; /* -1: none */
    int voter_count;  /* version 0; -1 when not told */
    const int32_t *voters;
} quorum_state_t;

/* Reads PATH/quorum-state, PATH being the metadata log's directory. Errors as
 * directory_read_meta. */
apr_status_t directory_read_quorum(quorum_state_t *state, const char *path,
                                   apr_pool_t *pool, const char **error);
apr_status_t directory_write_quorum(const quorum_state_t *state,
                                    const char *path, apr_pool_t *pool);

#endif
