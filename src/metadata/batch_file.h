/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a file of record batches from its first byte to its last: a segment of
 * the metadata log, a snapshot (.checkpoint), bootstrap.checkpoint. Each batch
 * is checked (length, CRC) before it is handed on. It reads and nothing else,
 * so it can look at a log before anyone decides to own it.
 */
#ifndef TAKHIN_METADATA_BATCH_FILE_H
#define TAKHIN_METADATA_BATCH_FILE_H

#include <apr_file_io.h>
#include <apr_pools.h>

#include "record/batch.h"

/* No batch of a metadata log is larger: Kafka's are at most 8 MiB. */
#define BATCH_FILE_MAX_BATCH (64 * 1024 * 1024)

/* BATCH lies whole at DATA, POSITION bytes into the file; both for the time of
 * the call. Another status than APR_SUCCESS stops and is returned. */
typedef apr_status_t (*batch_file_fn)(void *baton, const record_batch_t *batch,
                                      const uint8_t *data, apr_off_t position);

/*
 * Calls EACH with the batches of PATH. *GOOD is set to the number of bytes
 * that were good batches, *SIZE to the file's. When they differ a torn or
 * corrupt batch follows: that is not an error here, the caller knows whether it
 * may be.
 */
apr_status_t batch_file_each(const char *path, batch_file_fn each, void *baton,
                             apr_off_t *good, apr_off_t *size);

#endif
