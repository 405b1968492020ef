/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of partitions of topics, sorted by topic id and index: an assignment.
 * Sets are compared and combined by walking both once. Zero bytes are a valid
 * empty set; one thread at a time.
 */
#ifndef TAKHIN_COORDINATOR_PARTITION_SET_H
#define TAKHIN_COORDINATOR_PARTITION_SET_H

#include "protocol/wire.h"

typedef struct {
    wire_uuid_t topic;
    int32_t partition;
    int32_t epoch;       /* the member's when it was given: of no account in
                            comparisons */
} set_item_t;

typedef struct {
    set_item_t *items;
    int32_t count, capacity;
} partition_set_t;

/* Adds a partition; nothing happens where it is there. */
void set_add(partition_set_t *set, const wire_uuid_t *topic,
             int32_t partition, int32_t epoch);
int set_has(const partition_set_t *set, const wire_uuid_t *topic,
            int32_t partition);
/* The same as an item, or NULL; holds until the next change. */
const set_item_t *set_find(const partition_set_t *set,
                           const wire_uuid_t *topic, int32_t partition);
int set_equal(const partition_set_t *a, const partition_set_t *b);

/* What is in A, and also (KEEP 1) or not (KEEP 0) in B, into empty OUT. */
void set_select(partition_set_t *out, const partition_set_t *a,
                const partition_set_t *b, int keep);

/* Puts a copy of FROM in the place of SET. */
void set_copy(partition_set_t *set, const partition_set_t *from);
/* The same, and FROM is empty afterwards. */
void set_move(partition_set_t *set, partition_set_t *from);
void set_free(partition_set_t *set);

/* Where the topic at AT ends: the index of the next topic's first item. */
int32_t set_topic_end(const partition_set_t *set, int32_t at);

/* How many topics there are. */
int32_t set_topic_count(const partition_set_t *set);

/* The partitions from AT up to END, in POOL. */
int32_t *set_partitions(const partition_set_t *set, int32_t at, int32_t end,
                        apr_pool_t *pool);

#endif
