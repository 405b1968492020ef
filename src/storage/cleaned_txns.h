/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a compaction knows of transactions (KIP-98) as it walks a log from its
 * start: whether a batch belongs to an aborted one, and whether a marker still
 * has records. A marker may go only when a walk found none of its records any
 * more; an aborted one's index entry stays as long as the marker is needed.
 *
 * One thread.
 */
#ifndef TAKHIN_STORAGE_CLEANED_TXNS_H
#define TAKHIN_STORAGE_CLEANED_TXNS_H

#include "storage/producer_state.h"

typedef struct {
    producer_txn_t txn;
    unsigned observed : 1; /* a batch of it was met in this walk */
} cleaned_txn_t;

/* Zero bytes are a valid empty one. */
typedef struct {
    producer_txn_t *aborted; /* by first offset */
    int aborted_count, aborted_room;
    int next;               /* the first that the walk did not reach */
    int64_t from;           /* where the walk began */
    cleaned_txn_t *ongoing; /* aborted ones whose marker comes; as few as
                                 producers have open at once */
    int ongoing_count, ongoing_room;
    int64_t *committed; /* producers with batches of a committed one */
    int committed_count, committed_room;
} cleaned_txns_t;

/* Takes in the aborted transactions that the segments of DIRECTORY beginning
 * at BASES know of and that began below UPPER. */
apr_status_t cleaned_txns_collect(cleaned_txns_t *txns, const char *directory,
                                  const int64_t *bases, int count,
                                  int64_t upper);

/* A walk begins at offset FROM. */
void cleaned_txns_begin(cleaned_txns_t *txns, int64_t from);

/*
 * The next batch of the walk, whole at DATA. *DISCARD says that none of its
 * records is wanted: it is of an aborted transaction, or a marker without
 * records.
 * *ABORTED becomes the transaction whose index entry must stay, if BATCH is its
 * marker, else NULL; it holds until the next call.
 */
apr_status_t cleaned_txns_batch(cleaned_txns_t *txns,
                                const record_batch_t *batch,
                                const uint8_t *data, int *discard,
                                const producer_txn_t **aborted);

void cleaned_txns_free(cleaned_txns_t *txns);

#endif
