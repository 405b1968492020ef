/* SPDX-License-Identifier: Apache-2.0 */
/* Look-up of a partition, and the fencing by leader epoch (KIP-320). */
#include "api/partition_lookup.h"

#include "api/error.h"
#include "base/error.h"
#include "protocol/error_code.h"

static int16_t epoch_error(const partition_t *partition, int32_t epoch)
{
    int32_t current = partition_leader_epoch(partition);

    if (epoch < 0 || epoch == current)
        return KAFKA_NONE;
    return epoch < current ? KAFKA_FENCED_LEADER_EPOCH
                           : KAFKA_UNKNOWN_LEADER_EPOCH;
}

int16_t partition_lookup(broker_t *broker, const wire_string_t *name,
                         const wire_uuid_t *id, int by_id, int32_t index,
                         int32_t current_leader_epoch,
                         partition_t **partition)
{
    apr_status_t status;
    int16_t error;

    *partition = NULL;
    if (by_id)
        status = topics_find_id(broker->topics, id, index, partition);
    else if (name->length < 0)
        status = TAKHIN_EUNKNOWN_TOPIC;
    else
        status = topics_find(broker->topics, name->data, name->length, index,
                             partition);
    if (status == TAKHIN_EUNKNOWN_TOPIC && by_id)
        return KAFKA_UNKNOWN_TOPIC_ID;
    if (status)
        return api_error(status);
    error = epoch_error(*partition, current_leader_epoch);
    if (error) {
        partition_release(*partition);
        *partition = NULL;
    }
    return error;
}
