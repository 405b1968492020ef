/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Producer ids, handed out one by one from blocks that the metadata log
 * remembers: no id is ever given twice, and a block costs one flush.
 */
#ifndef TAKHIN_COORDINATOR_PRODUCER_IDS_H
#define TAKHIN_COORDINATOR_PRODUCER_IDS_H

#include "metadata/metadata.h"

typedef struct producer_ids_t producer_ids_t;

apr_status_t producer_ids_create(producer_ids_t **ids, metadata_t *metadata,
                                 apr_pool_t *pool);

/* Sets *ID to one that no producer has. Blocks on the device once in a block.
 * SCRATCH is for the call alone. Any thread. */
apr_status_t producer_ids_next(producer_ids_t *ids, int64_t *id,
                               apr_pool_t *scratch);

#endif
