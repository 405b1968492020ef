/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps storage what the metadata says it is: loads the topics of the image at
 * start, then creates, grows, deletes and configures them as records come.
 */
#ifndef TAKHIN_BROKER_TOPIC_STORAGE_H
#define TAKHIN_BROKER_TOPIC_STORAGE_H

#include "api/context.h"
#include "storage/log_dir.h"

/*
 * Opens every topic of BROKER's metadata image in DIRS, recovered where that is
 * needed, sets broker->topics, and listens to the metadata from then on.
 * Lives as long as POOL. Before metadata_start.
 */
apr_status_t topic_storage_start(broker_t *broker, log_dir_t *const *dirs,
                                 int dir_count, apr_pool_t *pool);

#endif
