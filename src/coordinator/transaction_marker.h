/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Markers: the control batches that end a transaction in each of its
 * partitions (KIP-98).
 */
#ifndef TAKHIN_COORDINATOR_TRANSACTION_MARKER_H
#define TAKHIN_COORDINATOR_TRANSACTION_MARKER_H

#include "storage/topics.h"

/* Told of each marker that was written to partition INDEX of
 * __consumer_offsets: the offsets of the transaction count now, or never. */
typedef struct {
    void (*ended)(void *baton, int32_t index, int64_t producer_id, int commit);
    void *baton;
} transaction_offsets_t;

typedef struct {
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t coordinator_epoch;
    int commit;
} transaction_marker_t;

/*
 * Appends MARKER to PARTITION; *AFTER is the offset behind it, for who waits
 * for its flush. OFFSETS may be NULL. Errors: those of partition_append. Any
 * thread.
 */
apr_status_t transaction_marker_write(partition_t *partition,
                                      const transaction_marker_t *marker,
                                      const transaction_offsets_t *offsets,
                                      int64_t *after);

#endif
