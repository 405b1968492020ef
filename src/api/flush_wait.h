/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting until what was appended to several partitions is on the device: one
 * delayed operation, whatever was written and whoever asked.
 */
#ifndef TAKHIN_API_FLUSH_WAIT_H
#define TAKHIN_API_FLUSH_WAIT_H

#include "api/context.h"

typedef struct flush_wait_t flush_wait_t;

/* For up to ROOM partitions, in the request's pool. OVER runs once, in a worker
 * or in flush_wait_start's thread. */
flush_wait_t *flush_wait_create(request_t *request, int room,
                                void (*over)(void *baton), void *baton);

/* PARTITION must be flushed up to offset AFTER: retained until then. *ERROR is
 * set to a Kafka error code when that fails or takes too long. */
void flush_wait_add(flush_wait_t *wait, partition_t *partition, int64_t after,
                    int16_t *error);

int flush_wait_count(const flush_wait_t *wait);

/* Asks for the flushes and waits at most TIMEOUT_MS milliseconds. */
void flush_wait_start(flush_wait_t *wait, int32_t timeout_ms);

#endif
