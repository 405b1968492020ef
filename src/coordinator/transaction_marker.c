/* SPDX-License-Identifier: Apache-2.0 */
/* One marker in one partition. */
#include "coordinator/transaction_marker.h"

#include <string.h>

#include "base/clock.h"
#include "record/builder.h"

static apr_status_t append(partition_t *partition, record_builder_t *builder,
                           const transaction_marker_t *marker, int64_t *after)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    append_result_t result;
    record_batch_t batch;
    uint8_t *data;
    size_t length;
    apr_status_t status;

    options.producer_id = marker->producer_id;
    options.producer_epoch = marker->producer_epoch;
    options.transactional = 1;
    options.control = 1;
    status = record_builder_begin(builder, &options);
    if (!status)
        status = record_builder_append_end_marker(builder, marker->commit,
                                                  marker->coordinator_epoch,
                                                  clock_wall_ms());
    if (!status)
        status = record_builder_finish(builder, &data, &length);
    if (!status)
        status = record_batch_parse(&batch, data, length);
    if (!status)
        status = partition_append(partition, data, length, &batch,
                                  APPEND_COORDINATOR, &result);
    if (!status)
        *after = result.last_offset + 1;
    return status;
}

apr_status_t transaction_marker_write(partition_t *partition,
                                      const transaction_marker_t *marker,
                                      const transaction_offsets_t *offsets,
                                      int64_t *after)
{
    record_builder_t builder = {0};
    apr_status_t status = append(partition, &builder, marker, after);

    record_builder_free(&builder);
    if (!status && offsets && offsets->ended &&
        !strcmp(partition_topic_name(partition), "__consumer_offsets"))
        offsets->ended(offsets->baton, partition_index(partition),
                       marker->producer_id, marker->commit);
    return status;
}
