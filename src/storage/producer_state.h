/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a log knows of its idempotent and transactional producers (KIP-98,
 * KIP-360, KIP-890): epoch, the last five batches, the open transaction. It
 * decides whether a batch is new, a duplicate, or out of order. It never reads
 * the log: who recovers feeds it batch by batch.
 *
 * Snapshot files are Kafka's: version 1 (16 bit), CRC-32C of what follows,
 * count, and 46 bytes a producer; named after the offset up to which they know.
 *
 * Callers serialise all calls on one state.
 */
#ifndef TAKHIN_STORAGE_PRODUCER_STATE_H
#define TAKHIN_STORAGE_PRODUCER_STATE_H

#include "storage/log.h"

#define PRODUCER_BATCHES 5

typedef struct {
    int32_t last_sequence;
    int32_t offset_delta; /* last offset - first offset */
    int64_t last_offset;
    int64_t timestamp;
} producer_batch_t;

typedef struct {
    int64_t id;
    int64_t last_timestamp;    /* ms */
    int64_t txn_first_offset;  /* -1: no open transaction */
    int32_t coordinator_epoch; /* of the last marker, -1 none */
    int16_t epoch;
    int16_t batch_count;
    producer_batch_t batches[PRODUCER_BATCHES]; /* oldest first */
} producer_t;

/* A transaction that ended. */
typedef struct {
    int64_t producer_id;
    int64_t first_offset;
    int64_t last_offset;        /* the marker's */
    int64_t last_stable_offset; /* when it had ended */
    unsigned aborted : 1;
} producer_txn_t;

typedef struct producer_state_t producer_state_t;

producer_state_t *producer_state_create(void); /* NULL: no memory */
void producer_state_destroy(producer_state_t *state);
void producer_state_clear(producer_state_t *state);

/* log_verify, on the state. */
apr_status_t producer_state_verify(producer_state_t *state, int64_t producer_id,
                                   int16_t epoch, int32_t sequence,
                                   int epoch_bumps, int64_t now_ms,
                                   log_guard_t *guard);

/* Whether GUARD lets the transactional batch BATCH in: TAKHIN_ETRANSACTION. */
apr_status_t producer_state_check_guard(const producer_state_t *state,
                                        const record_batch_t *batch,
                                        log_guard_t guard);

/*
 * Whether BATCH (whole, at DATA, its base offset not yet given) may be
 * appended. *DUPLICATE is set to the batch it repeats, or NULL. Errors:
 * TAKHIN_EOUT_OF_ORDER, TAKHIN_EPRODUCER_FENCED, TAKHIN_ETRANSACTION,
 * TAKHIN_ECOORDINATOR_FENCED.
 */
apr_status_t producer_state_check(producer_state_t *state,
                                  const record_batch_t *batch,
                                  const uint8_t *data, append_origin_t origin,
                                  const producer_batch_t **duplicate);

/* Takes BATCH in. When it is a marker that ends a transaction, *ENDED is set to
 * it and 1 is returned in *HAS_ENDED. APR_ENOMEM. */
apr_status_t producer_state_apply(producer_state_t *state,
                                  const record_batch_t *batch,
                                  const uint8_t *data, producer_txn_t *ended,
                                  int *has_ended);

/* Ended transactions below OFFSET are stable. */
void producer_state_replicated(producer_state_t *state, int64_t offset);
/* First offset that a read_committed reader may not pass, or INT64_MAX. */
int64_t producer_state_first_unstable(const producer_state_t *state);
int producer_state_has_ended(const producer_state_t *state);

/* Forgets producers without an open transaction that were silent for
 * EXPIRATION_MS. */
void producer_state_expire(producer_state_t *state, int64_t now_ms,
                           int64_t expiration_ms);

int producer_state_count(const producer_state_t *state);
/* The producers one by one; *CURSOR starts as 0. NULL at the end. */
const producer_t *producer_state_next(const producer_state_t *state,
                                      int *cursor);

/* Writes and reads DIRECTORY/OFFSET.snapshot. TAKHIN_ECORRUPT when what stands
 * there is none; the state is then empty. */
apr_status_t producer_state_write(const producer_state_t *state,
                                  const char *directory, int64_t offset);
apr_status_t producer_state_read(producer_state_t *state, const char *directory,
                                 int64_t offset, int64_t now_ms,
                                 int64_t expiration_ms);

#endif
