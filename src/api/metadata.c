/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata: brokers, and topics with their partitions, from the image. A topic
 * that is not there is created when broker and client allow it; then the
 * answer already carries it, so a client need not ask twice.
 */
#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

#include "api/authorized.h"
#include "api/context.h"
#include "api/error.h"
#include "api/handlers.h"
#include "api/topic_creation.h"
#include "api/topic_name.h"
#include "protocol/error_code.h"
#include "protocol/metadata_request.h"
#include "protocol/metadata_response.h"

typedef metadata_response_metadata_response_topic_t answer_topic_t;
typedef metadata_response_metadata_response_partition_t answer_partition_t;

typedef struct {
    request_t *request;
    const metadata_request_t *body;
    const metadata_image_t *image;
    int16_t request_error;      /* for every topic asked for */
    int16_t *creation_errors;   /* one a topic asked for, or NULL */
    metadata_response_t response;
} answer_t;

static void put_partition(answer_partition_t *to, int32_t index,
                          const image_partition_t *from)
{
    metadata_response_metadata_response_partition_init(to);
    to->partition_index = index;
    to->leader_id = from->leader;
    to->leader_epoch = from->leader_epoch;
    to->replica_nodes = (int32_t *)from->replicas.ids;
    to->replica_nodes_count = from->replicas.count;
    to->isr_nodes = (int32_t *)from->isr.ids;
    to->isr_nodes_count = from->isr.count;
    to->offline_replicas_count = 0;
    if (from->leader < 0)
        to->error_code = KAFKA_LEADER_NOT_AVAILABLE;
}

static answer_topic_t *next_topic(answer_t *answer)
{
    answer_topic_t *topic =
        &answer->response.topics[answer->response.topics_count++];

    metadata_response_metadata_response_topic_init(topic);
    topic->partitions_count = 0;
    return topic;
}

static void put_topic(answer_t *answer, const image_topic_t *topic)
{
    answer_topic_t *to = next_topic(answer);
    int32_t count = image_topic_partition_count(topic), n = 0;

    to->name.data = image_topic_name(topic);
    to->name.length = (int32_t)image_topic_name_length(topic);
    to->topic_id = *image_topic_id(topic);
    to->is_internal = topic_name_is_internal(to->name.data, to->name.length);
    to->partitions = apr_palloc(answer->request->pool,
                                (count + 1) * sizeof *to->partitions);
    for (int32_t i = 0; i < count; i++) {
        const image_partition_t *from = image_topic_partition(topic, i);

        if (from)
            put_partition(&to->partitions[n++], i, from);
    }
    to->partitions_count = n;
    if (answer->body->include_topic_authorized_operations)
        to->topic_authorized_operations = AUTHORIZED_TOPIC;
}

static void put_error(answer_t *answer, const wire_string_t *name,
                      const wire_uuid_t *id, int16_t error)
{
    answer_topic_t *to = next_topic(answer);

    to->error_code = error;
    if (name)
        to->name = *name;
    else
        to->name.length = -1;
    if (id)
        to->topic_id = *id;
    if (name)
        to->is_internal = topic_name_is_internal(name->data, name->length);
    if (name && answer->body->include_topic_authorized_operations &&
        !answer->request_error)
        to->topic_authorized_operations = AUTHORIZED_TOPIC;
}

static apr_status_t put_each_topic(void *baton, const image_topic_t *topic)
{
    put_topic(baton, topic);
    return APR_SUCCESS;
}

/* Whether topic INDEX of the request is new to SEEN. A request may carry as many
 * names as a frame holds, so they are hashed, not compared with each other. */
static int is_first(apr_hash_t *seen, const metadata_request_t *body,
                    int32_t index, int by_id)
{
    const void *key = by_id ? (const void *)body->topics[index].topic_id.bytes
                            : body->topics[index].name.data;
    apr_ssize_t length = by_id ? (apr_ssize_t)sizeof(wire_uuid_t)
                               : body->topics[index].name.length;

    if (length < 0 || apr_hash_get(seen, key, length))
        return length < 0;
    apr_hash_set(seen, key, length, body);
    return 1;
}

static void put_named(answer_t *answer, const wire_string_t *name,
                      int16_t creation_error)
{
    const image_topic_t *topic =
        image_topic(answer->image, name->data, name->length);

    if (topic)
        put_topic(answer, topic);
    else if (topic_name_error(name->data, name->length, answer->request->pool))
        put_error(answer, name, NULL, KAFKA_INVALID_TOPIC_EXCEPTION);
    else
        put_error(answer, name, NULL,
                  creation_error ? creation_error
                                 : KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
}

static void put_identified(answer_t *answer, const wire_uuid_t *id)
{
    const image_topic_t *topic = image_topic_by_id(answer->image, id);

    if (topic)
        put_topic(answer, topic);
    else
        put_error(answer, NULL, id, KAFKA_UNKNOWN_TOPIC_ID);
}

static int wants_all(const request_t *request)
{
    const metadata_request_t *body = request->body;

    /* Version 0 had no null array: an empty one asks for all. */
    return body->topics_count < 0 ||
           (request->version == 0 && body->topics_count == 0);
}

/* Kafka refuses ids, and names that are null, before version 12; and what has
 * neither name nor id in every version. */
static int16_t request_error(const request_t *request)
{
    const metadata_request_t *body = request->body;

    for (int32_t i = 0; i < body->topics_count; i++) {
        int nameless = body->topics[i].name.length < 0;
        int by_id = !wire_uuid_is_zero(&body->topics[i].topic_id);

        if (request->version < 12 ? nameless || by_id : nameless && !by_id)
            return KAFKA_INVALID_REQUEST;
    }
    return KAFKA_NONE;
}

static int uses_ids(const metadata_request_t *body)
{
    for (int32_t i = 0; i < body->topics_count; i++)
        if (!wire_uuid_is_zero(&body->topics[i].topic_id))
            return 1;
    return 0;
}

static int may_create(const answer_t *answer)
{
    return answer->body->allow_auto_topic_creation &&
           !wants_all(answer->request) && !uses_ids(answer->body) &&
           answer->request_error == KAFKA_NONE &&
           config_bool(answer->request->broker->config,
                       CONFIG_AUTO_CREATE_TOPICS_ENABLE);
}

/* Creates what is asked for and not there, with the broker's defaults, before
 * the image is taken from which all is answered. */
static void create_missing(answer_t *answer)
{
    request_t *request = answer->request;
    const metadata_request_t *body = answer->body;
    const metadata_image_t *image = metadata_image(request->broker->metadata);

    answer->creation_errors =
        apr_pcalloc(request->pool, (body->topics_count + 1) *
                                       sizeof *answer->creation_errors);
    for (int32_t i = 0; i < body->topics_count; i++) {
        const wire_string_t *name = &body->topics[i].name;

        if (!image_topic(image, name->data, name->length) &&
            !topic_name_error(name->data, name->length, request->pool))
            answer->creation_errors[i] = topic_create_automatically(
                request->broker, name->data, name->length, request->pool);
    }
    image_release(image);
}

static void put_topics(answer_t *answer)
{
    const metadata_request_t *body = answer->body;
    apr_size_t room = wants_all(answer->request)
                          ? image_topic_count(answer->image)
                          : (apr_size_t)body->topics_count;
    int by_id = uses_ids(body);
    apr_hash_t *seen = apr_hash_make(answer->request->pool);
    int16_t error = answer->request_error;

    answer->response.topics =
        apr_palloc(answer->request->pool,
                   (room + 1) * sizeof *answer->response.topics);
    answer->response.topics_count = 0;
    if (wants_all(answer->request)) {
        image_each_topic(answer->image, put_each_topic, answer);
        return;
    }
    for (int32_t i = 0; i < body->topics_count; i++) {
        if (!error && !is_first(seen, body, i, by_id))
            continue;
        if (error)
            put_error(answer,
                      body->topics[i].name.length < 0 ? &(wire_string_t){ "", 0 }
                                                      : &body->topics[i].name,
                      &body->topics[i].topic_id, error);
        else if (!by_id)
            put_named(answer, &body->topics[i].name,
                      answer->creation_errors ? answer->creation_errors[i] : 0);
        else if (!wire_uuid_is_zero(&body->topics[i].topic_id))
            put_identified(answer, &body->topics[i].topic_id);
    }
}

static void put_broker(answer_t *answer)
{
    request_t *request = answer->request;
    metadata_response_t *response = &answer->response;
    const api_endpoint_t *endpoint =
        broker_endpoint(request->broker, request->listener);

    response->brokers = apr_palloc(request->pool, sizeof *response->brokers);
    response->brokers_count = 1;
    metadata_response_metadata_response_broker_init(response->brokers);
    response->brokers->node_id = request->broker->node_id;
    response->brokers->host = wire_string_from(endpoint->host);
    response->brokers->port = endpoint->port;
    response->brokers->rack = wire_string_from(request->broker->rack);
    response->cluster_id =
        wire_string_from(metadata_cluster_id(request->broker->metadata));
    response->controller_id = request->broker->node_id;
}

void handle_metadata(request_t *request)
{
    answer_t answer = { .request = request, .body = request->body };

    answer.request_error = request_error(request);
    if (may_create(&answer))
        create_missing(&answer);
    answer.image = metadata_image(request->broker->metadata);
    metadata_response_init(&answer.response);
    if (!answer.request_error)  /* an error says nothing of the cluster */
        put_broker(&answer);
    put_topics(&answer);
    if (answer.body->include_cluster_authorized_operations &&
        !answer.request_error)
        answer.response.cluster_authorized_operations = AUTHORIZED_CLUSTER;
    request_reply(request, &answer.response);
    image_release(answer.image);
}
