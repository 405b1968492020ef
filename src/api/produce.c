/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Produce: checks each partition's record batch where it lies in the request's
 * frame, appends it from there, and answers: with acks=1 after the write, with
 * acks=all after the flush (shared with all who wait for one), with acks=0
 * never. What is wrong with one partition's batch concerns that partition. A
 * transactional batch is admitted first (produce_admission.h).
 */
#include <apr_strings.h>
#include <string.h>

#include "api/error.h"
#include "api/flush_wait.h"
#include "api/handlers.h"
#include "api/partition_lookup.h"
#include "api/produce_admission.h"
#include "api/topic_name.h"
#include "base/clock.h"
#include "base/error.h"
#include "protocol/error_code.h"
#include "protocol/produce_request.h"
#include "protocol/produce_response.h"
#include "record/validate.h"

typedef produce_request_partition_produce_data_t data_t;
typedef produce_response_partition_produce_response_t answer_t;

enum { ACKS_NONE = 0, ACKS_LEADER = 1, ACKS_ALL = -1 };

typedef struct {
    request_t *request;
    const produce_request_t *body;
    produce_response_t response;
    produce_admission_t *admissions; /* one for each partition */
    flush_wait_t *wait;              /* NULL: no flush is waited for */
    int failed;                      /* some partition has an error */
    record_scratch_t scratch;        /* for compressed batches */
} produce_t;

static void fail(produce_t *produce, answer_t *answer, int16_t error,
                 const char *why)
{
    answer->error_code = error;
    answer->base_offset = -1;
    answer->log_append_time_ms = -1;
    answer->log_start_offset = -1;
    answer->error_message = wire_string_from(why);
    produce->failed = 1;
}

/* The records that were refused, one by one (KIP-467). */
static void put_record_errors(produce_t *produce, answer_t *answer,
                              const record_validation_t *result)
{
    int count = result->record_error_count;

    answer->record_errors_count = count;
    answer->record_errors = apr_palloc(
        produce->request->pool, (count + 1) * sizeof *answer->record_errors);
    for (int i = 0; i < count; i++) {
        answer->record_errors[i].batch_index =
            result->record_errors[i].batch_index;
        answer->record_errors[i].batch_index_error_message =
            wire_string_from(result->record_errors[i].message);
    }
}

/* The log itself refused it: Kafka then says where the log starts. */
static int is_producers_fault(apr_status_t status)
{
    return status == TAKHIN_EOUT_OF_ORDER ||
           status == TAKHIN_EPRODUCER_FENCED || status == TAKHIN_ETRANSACTION;
}

static void append(produce_t *produce, partition_t *partition,
                   const record_validation_t *valid, log_guard_t guard,
                   answer_t *answer)
{
    append_result_t appended;
    apr_status_t status = partition_append_guarded(
        partition, valid->data, valid->length, &valid->batch, guard, &appended);

    if (status) {
        int16_t error = api_error(status);

        fail(produce, answer, error, kafka_error_text(error));
        if (is_producers_fault(status))
            answer->log_start_offset =
                log_start_offset(partition_log(partition));
        return;
    }
    answer->base_offset = appended.base_offset;
    answer->log_append_time_ms = appended.log_append_time;
    answer->log_start_offset = appended.log_start_offset;
    if (produce->wait)
        flush_wait_add(produce->wait, partition, appended.last_offset + 1,
                       &answer->error_code);
}

/* What a partition of that configuration takes. */
static void validation_rules(const log_config_t *config,
                             record_validate_config_t *rules)
{
    memset(rules, 0, sizeof *rules);
    rules->max_message_bytes = config->max_message_bytes;
    rules->log_append_time = config->log_append_time;
    rules->timestamp_before_max_ms = config->timestamp_before_max_ms;
    rules->timestamp_after_max_ms = config->timestamp_after_max_ms;
    rules->compact = config->compact;
    rules->compression_type = config->compression_type;
    rules->compression_level = RECORD_LEVEL_DEFAULT;
}

static void produce_to(produce_t *produce, partition_t *partition,
                       const data_t *data, log_guard_t guard, answer_t *answer)
{
    request_t *request = produce->request;
    log_config_t config;
    record_validate_config_t rules;
    record_validation_t valid;

    log_config(partition_log(partition), &config);
    if (produce->body->acks == ACKS_ALL && config.min_insync_replicas > 1) {
        fail(produce, answer, KAFKA_NOT_ENOUGH_REPLICAS,
             kafka_error_text(KAFKA_NOT_ENOUGH_REPLICAS));
        return;
    }
    validation_rules(&config, &rules);
    if (record_validate(&valid, &rules, (uint8_t *)data->records.data,
                        data->records.length < 0 ? 0 : data->records.length,
                        request->version, clock_wall_ms(), &produce->scratch,
                        request->pool)) {
        fail(produce, answer, KAFKA_UNKNOWN_SERVER_ERROR, "out of memory");
    } else if (valid.error) {
        fail(produce, answer, valid.error, valid.message);
        put_record_errors(produce, answer, &valid);
    } else {
        append(produce, partition, &valid, guard, answer);
    }
}

static void produce_partition(produce_t *produce, const wire_string_t *name,
                              const wire_uuid_t *id, const data_t *data,
                              log_guard_t guard, answer_t *answer)
{
    partition_t *partition;
    int16_t error = partition_lookup(produce->request->broker, name, id,
                                     produce->request->version >= 13,
                                     data->index, -1, &partition);
    const char *topic;

    if (error) {
        fail(produce, answer, error, kafka_error_text(error));
        return;
    }
    topic = partition_topic_name(partition);
    if (topic_name_is_internal(topic, strlen(topic)) &&
        !wire_string_equal_text(produce->request->client_id, "__admin_client"))
        fail(produce, answer, KAFKA_INVALID_TOPIC_EXCEPTION,
             "clients may not produce to an internal topic");
    else
        produce_to(produce, partition, data, guard, answer);
    partition_release(partition);
}

static int16_t request_error(const produce_t *produce)
{
    const produce_request_t *body = produce->body;

    if (body->acks != ACKS_NONE && body->acks != ACKS_LEADER &&
        body->acks != ACKS_ALL)
        return KAFKA_INVALID_REQUIRED_ACKS;
    return KAFKA_NONE;
}

static int count_partitions(const produce_request_t *body)
{
    int count = 0;

    for (int32_t t = 0; t < body->topic_data_count; t++)
        count += body->topic_data[t].partition_data_count;
    return count;
}

/* Every partition of topic T of the request, admitted as ADMISSIONS say. */
static void produce_topic(produce_t *produce, int32_t t,
                          const produce_admission_t *admissions)
{
    const produce_request_topic_produce_data_t *from =
        &produce->body->topic_data[t];
    produce_response_topic_produce_response_t *to =
        &produce->response.responses[t];
    int16_t error = request_error(produce);
    int32_t count = from->partition_data_count;

    produce_response_topic_produce_response_init(to);
    to->name = from->name;
    to->topic_id = from->topic_id;
    to->partition_responses_count = count;
    to->partition_responses = apr_palloc(
        produce->request->pool, (count + 1) * sizeof *to->partition_responses);
    for (int32_t p = 0; p < count; p++) {
        answer_t *answer = &to->partition_responses[p];

        produce_response_partition_produce_response_init(answer);
        answer->index = from->partition_data[p].index;
        if (error)
            fail(produce, answer, error, kafka_error_text(error));
        else if (admissions[p].error)
            fail(produce, answer, admissions[p].error, admissions[p].message);
        else
            produce_partition(produce, &from->name, &from->topic_id,
                              &from->partition_data[p], admissions[p].guard,
                              answer);
    }
}

/* ---- the answer --------------------------------------------------------- */

static void answer(produce_t *produce)
{
    produce->request->throttle_ms =
        request_quota(produce->request, QUOTA_PRODUCE,
                      (double)produce->request->frame_length, 0);
    if (produce->body->acks != ACKS_NONE)
        request_reply(produce->request, &produce->response);
    else if (produce->failed)
        /* The client awaits no answer: only this tells it. */
        request_disconnect(produce->request,
                           "a Produce with acks=0 could not be written");
    else
        request_done(produce->request);
}

/* The flushes are done: what failed was written, but is not promised. */
static void flushed(void *baton)
{
    produce_t *produce = baton;

    for (int32_t t = 0; t < produce->response.responses_count; t++) {
        produce_response_topic_produce_response_t *topic =
            &produce->response.responses[t];

        for (int32_t p = 0; p < topic->partition_responses_count; p++) {
            answer_t *one = &topic->partition_responses[p];

            if (one->error_code && one->base_offset >= 0)
                fail(produce, one, one->error_code,
                     kafka_error_text(one->error_code));
        }
    }
    answer(produce);
}

/* It is known what may be written. */
static void admitted(void *baton)
{
    produce_t *produce = baton;
    const produce_admission_t *admissions = produce->admissions;

    for (int32_t t = 0; t < produce->body->topic_data_count; t++) {
        produce_topic(produce, t, admissions);
        admissions += produce->body->topic_data[t].partition_data_count;
    }
    record_scratch_free(&produce->scratch);
    if (produce->wait && flush_wait_count(produce->wait) > 0)
        flush_wait_start(produce->wait, produce->body->timeout_ms);
    else
        answer(produce);
}

void handle_produce(request_t *request)
{
    produce_t *produce = apr_pcalloc(request->pool, sizeof *produce);
    const produce_request_t *body = request->body;
    int count = count_partitions(body);

    produce->request = request;
    produce->body = body;
    produce->admissions = apr_pcalloc(
        request->pool, ((apr_size_t)count + 1) * sizeof *produce->admissions);
    if (body->acks == ACKS_ALL &&
        config_bool(request->broker->config, CONFIG_LOG_FLUSH_ON_ACKS_ALL))
        produce->wait = flush_wait_create(request, count, flushed, produce);
    produce_response_init(&produce->response);
    produce->response.responses_count = body->topic_data_count;
    produce->response.responses =
        apr_palloc(request->pool, (body->topic_data_count + 1) *
                                      sizeof *produce->response.responses);
    produce_admit(request, produce->admissions, admitted, produce);
}
