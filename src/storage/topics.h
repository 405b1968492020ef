/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The topics this broker holds: from a name or id to a topic, from a topic and
 * an index to a partition. Look-ups take a read lock for a hash probe and no
 * more; what they return is retained for the caller.
 */
#ifndef TAKHIN_STORAGE_TOPICS_H
#define TAKHIN_STORAGE_TOPICS_H

#include "protocol/wire.h"
#include "storage/partition.h"

typedef struct topics_t topics_t;

/* Sets *PARTITION (retained) or returns TAKHIN_EUNKNOWN_TOPIC (or _PARTITION). */
apr_status_t topics_find(topics_t *topics, const char *name,
                         apr_size_t name_length, int32_t index,
                         partition_t **partition);
apr_status_t topics_find_id(topics_t *topics, const wire_uuid_t *id,
                            int32_t index, partition_t **partition);

/* log_read_range of one partition of TOPIC. */
apr_status_t topic_read_range(topic_t *topic, int32_t index, int64_t offset,
                              int64_t upper, apr_size_t max_bytes,
                              int at_least_one, read_range_t *range);

#endif
