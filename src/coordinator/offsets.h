/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The offsets of one group: by topic, then by partition. Small and sorted, as
 * there may be millions of them. Zero bytes are a valid empty set; one thread
 * at a time (the shard's lock).
 */
#ifndef TAKHIN_COORDINATOR_OFFSETS_H
#define TAKHIN_COORDINATOR_OFFSETS_H

#include "coordinator/map.h"

typedef struct {
    int32_t partition;
    int32_t leader_epoch;      /* -1: not told */
    int64_t offset;
    int64_t commit_timestamp;  /* ms */
    int64_t expire_timestamp;  /* ms, -1: by the group's retention */
    int64_t order;             /* larger: written later */
    wire_string_t metadata;    /* owned */
    wire_uuid_t topic_id;      /* zero: not known */
} committed_t;

typedef struct {
    committed_t *committed;    /* by partition */
    int32_t count, capacity;
} offset_topic_t;

typedef struct {
    map_t topics;              /* name -> offset_topic_t */
} offsets_t;

/* What was committed, or NULL. Holds until the next change. */
const committed_t *offsets_get(const offsets_t *offsets, wire_string_t topic,
                               int32_t partition);

/* Sets it; metadata is copied. */
void offsets_put(offsets_t *offsets, wire_string_t topic,
                 const committed_t *committed);

/* Whether there was one. */
int offsets_remove(offsets_t *offsets, wire_string_t topic,
                   int32_t partition);

static inline int offsets_empty(const offsets_t *offsets)
{
    return offsets->topics.count == 0;
}

void offsets_free(offsets_t *offsets);

#endif
