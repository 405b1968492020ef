/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what a request names to a partition, with the checks that every API on
 * partitions makes.
 */
#ifndef TAKHIN_API_PARTITION_LOOKUP_H
#define TAKHIN_API_PARTITION_LOOKUP_H

#include "api/context.h"

/*
 * Sets *PARTITION (retained; NULL on error) to partition INDEX of the topic of
 * that NAME, or of that ID where BY_ID. CURRENT_LEADER_EPOCH is what the client
 * believes, -1 for nothing. Returns a Kafka error code:
 * UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, FENCED_LEADER_EPOCH,
 * UNKNOWN_LEADER_EPOCH (KIP-320), KAFKA_STORAGE_ERROR.
 */
int16_t partition_lookup(broker_t *broker, const wire_string_t *name,
                         const wire_uuid_t *id, int by_id, int32_t index,
                         int32_t current_leader_epoch,
                         partition_t **partition);

#endif
