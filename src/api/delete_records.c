/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DeleteRecords: moves the log start offset of partitions forward (KIP-107).
 * Kafka waits until every replica has moved; this broker is the only one, so
 * the answer is ready when its own log has.
 */
#include "api/context.h"
#include "api/error.h"
#include "api/handlers.h"
#include "api/partition_lookup.h"
#include "api/topic_name.h"
#include "protocol/delete_records_request.h"
#include "protocol/delete_records_response.h"
#include "protocol/error_code.h"

typedef delete_records_request_delete_records_topic_t asked_topic_t;
typedef delete_records_request_delete_records_partition_t asked_t;
typedef delete_records_response_delete_records_topic_result_t topic_result_t;
typedef delete_records_response_delete_records_partition_result_t result_t;

enum { TO_HIGH_WATERMARK = -1 };

static int16_t delete_from(partition_t *partition, int64_t offset,
                           int64_t *low_watermark)
{
    log_config_t config;

    log_config(partition_log(partition), &config);
    if (config.compact && !config.delete)
        return KAFKA_POLICY_VIOLATION;
    if (offset < TO_HIGH_WATERMARK)
        return KAFKA_OFFSET_OUT_OF_RANGE;
    return api_error(
        partition_delete_records(partition, offset, low_watermark));
}

static int16_t delete_one(request_t *request, const wire_string_t *topic,
                          const asked_t *asked, int64_t *low_watermark)
{
    partition_t *partition;
    int16_t error = partition_lookup(request->broker, topic, NULL, 0,
                                     asked->partition_index, -1, &partition);

    if (error)
        return error;
    error = topic_name_is_internal(topic->data, topic->length)
                ? KAFKA_INVALID_TOPIC_EXCEPTION
                : delete_from(partition, asked->offset, low_watermark);
    partition_release(partition);
    return error;
}

static void delete_topic(request_t *request, const asked_topic_t *asked,
                         topic_result_t *result)
{
    delete_records_response_delete_records_topic_result_init(result);
    result->name = asked->name;
    result->partitions_count = asked->partitions_count;
    result->partitions =
        apr_palloc(request->pool,
                   (asked->partitions_count + 1) * sizeof *result->partitions);
    for (int32_t i = 0; i < asked->partitions_count; i++) {
        result_t *to = &result->partitions[i];
        int64_t low_watermark = -1;

        delete_records_response_delete_records_partition_result_init(to);
        to->partition_index = asked->partitions[i].partition_index;
        to->error_code = delete_one(request, &asked->name,
                                    &asked->partitions[i], &low_watermark);
        to->low_watermark = to->error_code ? -1 : low_watermark;
    }
}

void handle_delete_records(request_t *request)
{
    const delete_records_request_t *body = request->body;
    delete_records_response_t response;

    delete_records_response_init(&response);
    response.topics_count = 0;
    response.topics = apr_palloc(request->pool, (body->topics_count + 1) *
                                                    sizeof *response.topics);
    for (int32_t i = 0; i < body->topics_count; i++)
        if (body->topics[i].partitions_count > 0)
            delete_topic(request, &body->topics[i],
                         &response.topics[response.topics_count++]);
    request_reply(request, &response);
}
