/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CreateTopics: each topic is checked by itself, those that pass are created
 * together. Alone in its cluster, this broker is every replica.
 */
#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

#include "api/configs.h"
#include "api/error.h"
#include "api/handlers.h"
#include "api/topic_creation.h"
#include "api/topic_name.h"
#include "protocol/create_topics_request.h"
#include "protocol/create_topics_response.h"
#include "protocol/error_code.h"

typedef create_topics_request_creatable_topic_t asked_t;
typedef create_topics_response_creatable_topic_result_t result_t;

enum { DEFAULT = -1 };

static void refuse(result_t *result, int16_t error, const char *why)
{
    result->error_code = error;
    result->error_message = wire_string_from(why);
    result->topic_config_error_code = KAFKA_NONE;
}

/* Whether the assignments name partitions 0, 1, 2... once each. */
static int is_consecutive(const asked_t *asked, apr_pool_t *pool)
{
    int32_t count = asked->assignments_count;
    char *seen = apr_pcalloc(pool, (apr_size_t)count + 1);

    for (int32_t i = 0; i < count; i++) {
        int32_t index = asked->assignments[i].partition_index;

        if (index < 0 || index >= count || seen[index])
            return 0;
        seen[index] = 1;
    }
    return 1;
}

static void check_assignments(request_t *request, const asked_t *asked,
                              result_t *result)
{
    if (asked->replication_factor != DEFAULT) {
        refuse(result, KAFKA_INVALID_REQUEST,
               "with replicas assigned, the replication factor must be -1");
        return;
    }
    if (asked->num_partitions != DEFAULT) {
        refuse(result, KAFKA_INVALID_REQUEST,
               "with replicas assigned, the number of partitions must be -1");
        return;
    }
    if (!is_consecutive(asked, request->pool)) {
        refuse(result, KAFKA_INVALID_REPLICA_ASSIGNMENT,
               "the partitions assigned are not 0, 1, 2 and so on, once each");
        return;
    }
    for (int32_t i = 0; i < asked->assignments_count; i++)
        if (asked->assignments[i].broker_ids_count != 1 ||
            asked->assignments[i].broker_ids[0] != request->broker->node_id)
            refuse(result, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                   "replicas are assigned to other brokers than this one");
}

static void check_counts(request_t *request, const asked_t *asked,
                         result_t *result)
{
    int32_t factor = asked->replication_factor;

    if (factor == DEFAULT)
        factor = config_int(request->broker->config,
                            CONFIG_DEFAULT_REPLICATION_FACTOR);
    if (factor < 1)
        refuse(result, KAFKA_INVALID_REPLICATION_FACTOR,
               "Replication factor must be larger than 0, or -1 to use the "
               "default value.");
    else if (asked->num_partitions < 1 && asked->num_partitions != DEFAULT)
        refuse(result, KAFKA_INVALID_PARTITIONS,
               "Number of partitions was set to an invalid non-positive "
               "value.");
    else if (factor > 1)
        refuse(result, KAFKA_INVALID_REPLICATION_FACTOR,
               apr_psprintf(request->pool,
                            "Unable to replicate the partition %d time(s): "
                            "The target replication factor of %d cannot be "
                            "reached because only 1 broker(s) are registered.",
                            factor, factor));
}

static int32_t partition_count(const request_t *request, const asked_t *asked)
{
    if (asked->assignments_count > 0)
        return asked->assignments_count;
    return asked->num_partitions == DEFAULT
               ? config_int(request->broker->config, CONFIG_NUM_PARTITIONS)
               : asked->num_partitions;
}

/* Copies the configuration into TOPIC; refuses what no topic may have. */
static void check_configs(request_t *request, const asked_t *asked,
                          metadata_new_topic_t *topic, result_t *result)
{
    metadata_config_change_t *changes = apr_pcalloc(
        request->pool, (asked->configs_count + 1) * sizeof *changes);
    const char *why;

    for (int32_t i = 0; i < asked->configs_count; i++) {
        changes[i].key = wire_string_dup(asked->configs[i].name, request->pool);
        changes[i].value =
            wire_string_dup(asked->configs[i].value, request->pool);
        why = config_topic_refusal(changes[i].key, changes[i].value,
                                   request->pool);
        if (why) {
            refuse(result, KAFKA_INVALID_CONFIG, why);
            return;
        }
    }
    topic->configs = changes;
    topic->config_count = asked->configs_count;
    why = configs_topic_conflict(request->broker->config, changes,
                                 asked->configs_count, request->pool);
    if (why)
        refuse(result, KAFKA_INVALID_CONFIG, why);
}

static void refuse_existing(request_t *request, const char *name,
                            result_t *result)
{
    refuse(result, KAFKA_TOPIC_ALREADY_EXISTS,
           apr_psprintf(request->pool, "Topic '%s' already exists.", name));
}

/* In Kafka's order. Whether the topic exists is looked up for that order only:
 * metadata checks it when it creates the topic. */
static void check(request_t *request, const metadata_image_t *image,
                  const asked_t *asked, metadata_new_topic_t *topic,
                  result_t *result)
{
    const char *why =
        topic_name_error(asked->name.data, asked->name.length, request->pool);
    int32_t count = partition_count(request, asked);

    if (topic_name_is_metadata(asked->name.data, asked->name.length)) {
        refuse(result, KAFKA_INVALID_REQUEST,
               "__cluster_metadata cannot be created");
        return;
    }
    if (why) {
        refuse(result, KAFKA_INVALID_TOPIC_EXCEPTION, why);
        return;
    }
    topic->name = wire_string_dup(asked->name, request->pool);
    topic->partitions = count;
    if (image_topic(image, asked->name.data, asked->name.length)) {
        refuse_existing(request, topic->name, result);
        return;
    }
    check_configs(request, asked, topic, result);
    if (result->error_code)
        return;
    if (asked->assignments_count > 0)
        check_assignments(request, asked, result);
    else
        check_counts(request, asked, result);
    if (!result->error_code && count > TOPIC_MAX_NEW_PARTITIONS) {
        refuse(result, KAFKA_POLICY_VIOLATION,
               apr_psprintf(request->pool,
                            "%d partitions at once are asked for, and %d are "
                            "allowed",
                            count, TOPIC_MAX_NEW_PARTITIONS));
    }
}

static void put_created(request_t *request, const metadata_new_topic_t *topic,
                        result_t *result)
{
    if (topic->status) {
        int16_t error = api_error(topic->status);

        if (error == KAFKA_TOPIC_ALREADY_EXISTS)
            refuse_existing(request, topic->name, result);
        else
            refuse(result, error,
                   topic->collision
                       ? apr_psprintf(request->pool,
                                      "Topic '%s' collides with existing "
                                      "topic: %s",
                                      topic->name, topic->collision)
                       : kafka_error_text(error));
        return;
    }
    result->topic_id = topic->id;
    result->num_partitions = topic->partitions;
    result->replication_factor = 1;
    configs_put_created(request, topic->configs, topic->config_count, result);
}

/* The topics of a request on their way: which ones passed, and where their
 * results are. */
typedef struct {
    request_t *request;
    create_topics_response_t response;
    metadata_new_topic_t *topics; /* those that passed */
    result_t **results;           /* of those */
    int count;
} creation_t;

/* How often each name comes; the first of equal names counts, others are 0. */
static int32_t *name_counts(const create_topics_request_t *body,
                            apr_pool_t *pool)
{
    apr_hash_t *seen = apr_hash_make(pool);
    int32_t *counts = apr_pcalloc(pool,
                                  (body->topics_count + 1) * sizeof *counts);

    for (int32_t i = 0; i < body->topics_count; i++) {
        const wire_string_t *name = &body->topics[i].name;
        int32_t *first = apr_hash_get(seen, name->data, name->length);

        if (!first)
            apr_hash_set(seen, name->data, name->length, first = &counts[i]);
        ++*first;
    }
    return counts;
}

static void check_all(creation_t *creation)
{
    request_t *request = creation->request;
    const create_topics_request_t *body = request->body;
    int32_t *counts = name_counts(body, request->pool);
    const metadata_image_t *image = metadata_image(request->broker->metadata);

    for (int32_t i = 0; i < body->topics_count; i++) {
        result_t *result;

        if (!counts[i])
            continue;
        result = &creation->response.topics[creation->response.topics_count++];
        create_topics_response_creatable_topic_result_init(result);
        result->name = body->topics[i].name;
        if (counts[i] > 1) {
            refuse(result, KAFKA_INVALID_REQUEST,
                   "the topic is named more than once");
            continue;
        }
        check(request, image, &body->topics[i],
              &creation->topics[creation->count], result);
        if (!result->error_code)
            creation->results[creation->count++] = result;
    }
    image_release(image);
}

void handle_create_topics(request_t *request)
{
    const create_topics_request_t *body = request->body;
    creation_t creation = { .request = request };
    int32_t room = body->topics_count + 1;
    apr_status_t status = APR_SUCCESS;

    create_topics_response_init(&creation.response);
    creation.response.topics =
        apr_palloc(request->pool, room * sizeof *creation.response.topics);
    creation.response.topics_count = 0;
    creation.topics =
        apr_pcalloc(request->pool, room * sizeof *creation.topics);
    creation.results =
        apr_pcalloc(request->pool, room * sizeof *creation.results);
    check_all(&creation);
    if (creation.count > 0)
        status = metadata_create_topics(request->broker->metadata,
                                        creation.topics, creation.count,
                                        body->validate_only, request->pool);
    for (int i = 0; i < creation.count; i++) {
        if (status)
            creation.topics[i].status = status;
        put_created(request, &creation.topics[i], creation.results[i]);
    }
    request_reply(request, &creation.response);
}
