/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of __transaction_state: a transactional id as key, what is known
 * of it as value, both behind a version of 16 bits (TransactionLogKey version 0,
 * TransactionLogValue version 0 or 1). A tombstone is an id that expired.
 */
#ifndef TAKHIN_COORDINATOR_TRANSACTION_LOG_H
#define TAKHIN_COORDINATOR_TRANSACTION_LOG_H

#include "coordinator/transaction_state.h"
#include "record/builder.h"

/*
 * Makes BUILDER hold one batch with one record: ID became VALUES, or a
 * tombstone where VALUES is NULL. FLEXIBLE: value version 1, which every broker
 * with transaction.version 1 and above reads. *DATA is the builder's.
 */
apr_status_t transaction_log_write(record_builder_t *builder, wire_string_t id,
                                   const transaction_values_t *values,
                                   int flexible, int64_t now, uint8_t **data,
                                   size_t *length);

/*
 * Reads RECORD: *ID points into it, *VALUES are the caller's to free.
 * *TOMBSTONE says that there are none. TAKHIN_EUNSUPPORTED for a key or value
 * of a version we don't know, TAKHIN_ECORRUPT.
 */
apr_status_t transaction_log_read(const record_t *record, wire_string_t *id,
                                  transaction_values_t *values, int *tombstone,
                                  apr_pool_t *scratch);

#endif
