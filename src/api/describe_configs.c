/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DescribeConfigs: the properties of topics and of this broker, with where
 * each value is from and what else it is set to (KIP-226), its type and its
 * documentation (KIP-569).
 */
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "api/configs.h"
#include "api/error.h"
#include "api/handlers.h"
#include "api/topic_name.h"
#include "protocol/describe_configs_request.h"
#include "protocol/describe_configs_response.h"
#include "protocol/error_code.h"

typedef describe_configs_request_describe_configs_resource_t asked_t;
typedef describe_configs_response_describe_configs_result_t result_t;
typedef describe_configs_response_describe_configs_resource_result_t answer_t;

typedef struct {
    request_t *request;
    const describe_configs_request_t *body;
    const metadata_image_t *image;
    int refused; /* every resource, for one of an unknown type */
} describe_t;

static void refuse(result_t *result, int16_t error, const char *why)
{
    result->error_code = error;
    result->error_message = wire_string_from(why);
}

/* No list, or an empty one, asks for all. */
static int is_wanted(const asked_t *asked, const char *name)
{
    if (asked->configuration_keys_count <= 0)
        return 1;
    for (int32_t i = 0; i < asked->configuration_keys_count; i++)
        if (wire_string_equal_text(asked->configuration_keys[i], name))
            return 1;
    return 0;
}

static void put_synonyms(const describe_t *describe,
                         const config_entry_t *entry, answer_t *to)
{
    to->synonyms = apr_palloc(describe->request->pool,
                              (entry->synonym_count + 1) *
                                  sizeof *to->synonyms);
    to->synonyms_count = entry->synonym_count;
    for (int i = 0; i < entry->synonym_count; i++) {
        describe_configs_response_describe_configs_synonym_init(
            &to->synonyms[i]);
        to->synonyms[i].name = wire_string_from(entry->synonyms[i].name);
        to->synonyms[i].value = wire_string_from(entry->synonyms[i].value);
        to->synonyms[i].source = entry->synonyms[i].source;
    }
}

static void put_entry(const describe_t *describe, const config_entry_t *entry,
                      answer_t *to)
{
    describe_configs_response_describe_configs_resource_result_init(to);
    to->name = wire_string_from(entry->property->name);
    to->value = wire_string_from(entry->value);
    to->read_only = entry->read_only;
    to->is_sensitive = entry->sensitive;
    to->config_source = entry->source;
    to->config_type = entry->property->type;
    to->synonyms_count = 0;
    if (describe->body->include_synonyms)
        put_synonyms(describe, entry, to);
    if (describe->body->include_documentation)
        to->documentation = wire_string_from(entry->property->description);
}

/* Every property of SCOPE. With DYNAMIC_ONLY those that were set for the whole
 * cluster, since that is what the resource without a name is. */
static void put_properties(const describe_t *describe, const asked_t *asked,
                           config_scope_t scope, const char *node,
                           const char *topic, int dynamic_only,
                           result_t *result)
{
    result->configs = apr_palloc(describe->request->pool,
                                 CONFIG_COUNT * sizeof *result->configs);
    for (config_id_t id = 0; id < CONFIG_COUNT; id++) {
        const property_t *property = property_get(id);
        config_entry_t entry;

        if (property->scope != scope || property->internal ||
            !is_wanted(asked, property->name))
            continue;
        configs_entry(describe->request->broker, describe->image, node, topic,
                      property, &entry);
        if (dynamic_only && entry.source != CONFIG_SOURCE_DYNAMIC_DEFAULT)
            continue;
        put_entry(describe, &entry, &result->configs[result->configs_count++]);
    }
}

static void describe_topic(const describe_t *describe, const asked_t *asked,
                           result_t *result)
{
    const wire_string_t *name = &asked->resource_name;
    const image_topic_t *topic;
    const char *why = topic_name_error(name->data, name->length,
                                       describe->request->pool);

    if (why) {
        refuse(result, KAFKA_INVALID_TOPIC_EXCEPTION, why);
        return;
    }
    topic = image_topic(describe->image, name->data, name->length);
    if (!topic) {
        refuse(result, KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
               kafka_error_text(KAFKA_UNKNOWN_TOPIC_OR_PARTITION));
        return;
    }
    put_properties(describe, asked, CONFIG_SCOPE_TOPIC,
                   describe->request->broker->node_name,
                   image_topic_name(topic), 0, result);
}

static void describe_broker(const describe_t *describe, const asked_t *asked,
                            result_t *result)
{
    broker_t *broker = describe->request->broker;
    const wire_string_t *name = &asked->resource_name;

    if (name->length == 0)
        put_properties(describe, asked, CONFIG_SCOPE_BROKER, "", NULL, 1,
                       result);
    else if (wire_string_equal_text(*name, broker->node_name))
        put_properties(describe, asked, CONFIG_SCOPE_BROKER,
                       broker->node_name, NULL, 0, result);
    else
        refuse(result, KAFKA_INVALID_REQUEST,
               apr_psprintf(describe->request->pool,
                            "Unexpected broker id, expected %s or empty "
                            "string, but received %.*s",
                            broker->node_name, (int)name->length, name->data));
}

static void describe_one(const describe_t *describe, const asked_t *asked,
                         result_t *result)
{
    describe_configs_response_describe_configs_result_init(result);
    result->resource_type = asked->resource_type;
    result->resource_name = asked->resource_name;
    result->configs_count = 0;
    if (describe->refused)
        refuse(result, KAFKA_INVALID_REQUEST,
               "a resource is neither a topic nor a broker");
    else if (asked->resource_type == CONFIG_TOPIC)
        describe_topic(describe, asked, result);
    else
        describe_broker(describe, asked, result);
}

/* A resource of a type that nobody knows spoils the whole request, as in
 * Kafka. */
static int has_unknown_type(const describe_configs_request_t *body)
{
    for (int32_t i = 0; i < body->resources_count; i++)
        if (body->resources[i].resource_type != CONFIG_TOPIC &&
            body->resources[i].resource_type != CONFIG_BROKER)
            return 1;
    return 0;
}

void handle_describe_configs(request_t *request)
{
    describe_t describe = { request, request->body,
                            metadata_image(request->broker->metadata),
                            has_unknown_type(request->body) };
    describe_configs_response_t response;
    int32_t count = describe.body->resources_count;

    describe_configs_response_init(&response);
    response.results_count = count;
    response.results =
        apr_palloc(request->pool, (count + 1) * sizeof *response.results);
    for (int32_t i = 0; i < count; i++)
        describe_one(&describe, &describe.body->resources[i],
                     &response.results[i]);
    request_reply(request, &response);
    image_release(describe.image);
}
