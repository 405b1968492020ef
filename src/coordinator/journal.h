/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A coordinator's journal: the partition of __consumer_offsets (or
 * __transaction_state) that a shard writes its state to and is replayed from.
 * The state machines see only these calls, so that tests run them on memory
 * or on a failing disk. One shard uses a journal, under its own lock; only
 * MOVED comes from another thread.
 */
#ifndef TAKHIN_COORDINATOR_JOURNAL_H
#define TAKHIN_COORDINATOR_JOURNAL_H

#include <apr_errno.h>

#include "record/batch.h"

/* One batch of the journal while it is replayed. */
typedef apr_status_t (*journal_batch_fn)(void *baton,
                                         const record_batch_t *batch,
                                         const uint8_t *data);

/* MOVED runs when the flushed offset moved or the partition is gone, under
 * the partition's lock: it must only wake somebody. */
typedef void (*journal_moved_fn)(void *baton);

typedef struct journal_driver_t journal_driver_t;
struct journal_driver_t {
    /* Sets *JOURNAL to partition INDEX, or returns TAKHIN_EUNKNOWN_TOPIC. */
    apr_status_t (*open)(const journal_driver_t *driver, int32_t index,
                         journal_moved_fn moved, void *baton, void **journal);
    /* MOVED is not called any more once it returns. */
    void (*close)(void *journal);
    /* Every batch from the log's start, in order. */
    apr_status_t (*replay)(void *journal, journal_batch_fn each, void *baton);
    /* Writes one batch (its offsets are set in place); *BASE_OFFSET is its
     * first offset and *END the one behind it. */
    apr_status_t (*append)(void *journal, uint8_t *data, size_t length,
                           int64_t *base_offset, int64_t *end);
    /* Asks for a flush of all that was appended; MOVED tells. */
    void (*request_flush)(void *journal);
    /* APR_SUCCESS when all below END is on the device, APR_EAGAIN while it is
     * not, else why it never will be. */
    apr_status_t (*flushed)(void *journal, int64_t end);
    void *baton;           /* the driver's own */
    const char *topic;     /* "__consumer_offsets" */
};

struct topics_t;

/* The driver that works on the broker's own partitions of TOPIC. */
void journal_partitions(journal_driver_t *driver, struct topics_t *topics,
                        const char *topic);

#endif
