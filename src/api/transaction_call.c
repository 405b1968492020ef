/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to the transaction coordinator. */
#include "api/transaction_call.h"

transaction_call_t *
transaction_call_create(request_t *request,
                        void (*done)(transaction_call_t *call), void *baton)
{
    transaction_call_t *call = apr_pcalloc(request->pool, sizeof *call);

    call->done = done;
    call->baton = baton;
    call->producer_id = -1;
    call->producer_epoch = -1;
    return call;
}

int16_t transaction_error(const request_t *request, int16_t since,
                          int16_t error)
{
    if (error == KAFKA_PRODUCER_FENCED && request->version < since)
        return KAFKA_INVALID_PRODUCER_EPOCH;
    return error;
}

int transaction_partition_exists(const broker_t *broker, wire_string_t topic,
                                 int32_t partition)
{
    const metadata_image_t *image = metadata_image(broker->metadata);
    const image_topic_t *found =
        topic.length > 0
            ? image_topic(image, topic.data, (apr_size_t)topic.length)
            : NULL;
    int exists = found && partition >= 0 &&
                 partition < image_topic_partition_count(found);

    image_release(image);
    return exists;
}
