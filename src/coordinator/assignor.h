/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server-side assignors of the consumer protocol (KIP-848): which member
 * shall have which partitions, given what each subscribes to and what it was
 * given before. They only compute: no lock, no record, no clock.
 */
#ifndef TAKHIN_COORDINATOR_ASSIGNOR_H
#define TAKHIN_COORDINATOR_ASSIGNOR_H

#include "coordinator/partition_set.h"

typedef struct {
    wire_uuid_t id;
    int32_t partitions;
} assignor_topic_t;

typedef struct {
    wire_string_t id;
    wire_string_t instance_id;      /* null: dynamic */
    const int32_t *topics;          /* indexes of assignor_input_t.topics it
                                       subscribes to, ascending */
    int32_t topic_count;
    const partition_set_t *before;  /* its last target; topics may be gone */
    partition_set_t after;          /* the result; empty at first */
} assignor_member_t;

typedef struct {
    const assignor_topic_t *topics; /* by id, ascending */
    int32_t topic_count;
    assignor_member_t *members;
    int32_t member_count;
} assignor_input_t;

typedef void (*assignor_fn)(assignor_input_t *input, apr_pool_t *scratch);

/* Contiguous ranges of each topic, the same members first in every topic, so
 * that topics partitioned alike are read together. */
void assignor_range(assignor_input_t *input, apr_pool_t *scratch);

/* As even as subscriptions allow, and as much as possible as before. */
void assignor_uniform(assignor_input_t *input, apr_pool_t *scratch);

/* Whether all members subscribe to the same topics. */
int assignor_is_homogeneous(const assignor_input_t *input);

/* The assignor of that name, or NULL. */
assignor_fn assignor_find(wire_string_t name);

#endif
