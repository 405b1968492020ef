/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The partitions of a transaction: a set, sorted by topic and index, so that
 * those of a topic lie side by side as the record wants them. Zero bytes are a
 * valid empty set. One thread at a time.
 */
#ifndef TAKHIN_COORDINATOR_TRANSACTION_PARTITIONS_H
#define TAKHIN_COORDINATOR_TRANSACTION_PARTITIONS_H

#include "protocol/wire.h"

typedef struct {
    wire_string_t topic; /* in the set: owned */
    int32_t index;
} transaction_partition_t;

typedef struct {
    transaction_partition_t *items;
    int32_t count, capacity;
} transaction_partitions_t;

/* Puts one in, unless it is there. The name is copied. */
void transaction_partitions_add(transaction_partitions_t *set,
                                wire_string_t topic, int32_t index);

int transaction_partitions_contain(const transaction_partitions_t *set,
                                   wire_string_t topic, int32_t index);

/* TO, which is empty, becomes a copy of FROM. */
void transaction_partitions_copy(transaction_partitions_t *to,
                                 const transaction_partitions_t *from);

/* How many, from FIRST on, are of the same topic. */
int32_t transaction_partitions_of_topic(const transaction_partitions_t *set,
                                        int32_t first);

/* Empties the set and gives its memory back. */
void transaction_partitions_free(transaction_partitions_t *set);

#endif
