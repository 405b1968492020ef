/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DescribeConfigs: the properties of topics, of this broker, of groups and of
 * client metrics, with where each value is from and what else it is set to
 * (KIP-226), its type and its documentation (KIP-569); and this broker's
 * loggers with their levels (KIP-412).
 */
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "api/configs.h"
#include "api/entity_properties.h"
#include "api/error.h"
#include "api/handlers.h"
#include "api/topic_name.h"
#include "base/logger.h"
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
        while (dynamic_only && entry.synonyms[entry.synonym_count - 1].source !=
                                   CONFIG_SOURCE_DYNAMIC_DEFAULT)
            entry.synonym_count--;
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

static void put_plain(const char *name, const char *value,
                      config_source_t source, int type, answer_t *to)
{
    describe_configs_response_describe_configs_resource_result_init(to);
    to->name = wire_string_from(name);
    to->value = wire_string_from(value);
    to->config_source = source;
    to->config_type = type;
    to->documentation = WIRE_STRING_NULL;
    to->synonyms_count = 0;
}

static void add_synonym(const describe_t *describe, answer_t *to,
                        const char *name, const char *value,
                        config_source_t source)
{
    describe_configs_response_describe_configs_synonym_t *synonym;

    if (!describe->body->include_synonyms)
        return;
    if (to->synonyms_count == 0)
        to->synonyms =
            apr_palloc(describe->request->pool,
                       (1 + CONFIG_SYNONYMS_MAX) * sizeof *to->synonyms);
    synonym = &to->synonyms[to->synonyms_count++];
    describe_configs_response_describe_configs_synonym_init(synonym);
    synonym->name = wire_string_from(name);
    synonym->value = wire_string_from(value);
    synonym->source = source;
}

/* What was set for brokers that no table knows: Kafka keeps it, for plugins,
 * and shows no value, for it could be a password. */
static void put_foreign(const describe_t *describe, const asked_t *asked,
                        const char *node, config_source_t source,
                        result_t *result)
{
    int count;
    const image_config_entry_t *entries =
        image_configs(describe->image, CONFIG_BROKER, node, &count);
    answer_t *all;
    int32_t known = result->configs_count;

    if (!entries || count == 0)
        return;
    all = apr_palloc(describe->request->pool, (known + count) * sizeof *all);
    memcpy(all, result->configs, known * sizeof *all);
    for (int i = 0; i < count; i++) {
        answer_t *to = &all[result->configs_count];

        if (property_find(CONFIG_SCOPE_BROKER, entries[i].name,
                          strlen(entries[i].name)) ||
            !is_wanted(asked, entries[i].name))
            continue;
        put_plain(entries[i].name, NULL, source, 0, to);
        to->read_only = to->is_sensitive = true;
        add_synonym(describe, to, entries[i].name, NULL, source);
        result->configs_count++;
    }
    result->configs = all;
}

/* ---- groups and client metrics --------------------------------------------- */

/* Behind a group's own value Kafka names the broker's properties. */
static void add_broker_synonyms(const describe_t *describe,
                                const property_t *property, answer_t *to)
{
    const config_t *config = describe->request->broker->config;
    const char *name = entity_property_broker_name(property);
    const property_t *broker;
    config_synonym_t known[CONFIG_SYNONYMS_MAX];
    int count;

    if (!name)
        return;
    broker = property_find(CONFIG_SCOPE_BROKER, name, strlen(name));
    if (!broker) {
        add_synonym(describe, to, name, property->default_value,
                    CONFIG_SOURCE_DEFAULT);
        return;
    }
    count = config_synonyms(config, broker->id, known);
    for (int i = 0; i < count; i++)
        add_synonym(describe, to, known[i].name, known[i].value,
                    known[i].source);
}

static void put_entity(const describe_t *describe, int8_t type,
                       const property_t *property, const char *own,
                       answer_t *to)
{
    config_source_t source = type == CONFIG_GROUP
                                 ? CONFIG_SOURCE_GROUP
                                 : CONFIG_SOURCE_CLIENT_METRICS;

    put_plain(property->name,
              own ? own
                  : entity_property_default(describe->request->broker->config,
                                            type, property),
              own ? source : CONFIG_SOURCE_DEFAULT, property->type, to);
    if (describe->body->include_documentation)
        to->documentation = wire_string_from(property->description);
    if (own)
        add_synonym(describe, to, property->name, own, source);
    if (type != CONFIG_GROUP)
        return;
    add_broker_synonyms(describe, property, to);
    if (!own && to->synonyms_count == 0)
        add_synonym(describe, to, property->name, property->default_value,
                    CONFIG_SOURCE_DEFAULT);
    if (!own && to->synonyms_count > 0)
        to->config_source = to->synonyms[0].source;
}

static void describe_entity(const describe_t *describe, const asked_t *asked,
                            result_t *result)
{
    int8_t type = asked->resource_type;
    const property_t *property;
    char *name = wire_string_dup(asked->resource_name, describe->request->pool);
    int count = 0;

    if (asked->resource_name.length == 0) {
        refuse(result, KAFKA_INVALID_REQUEST, "the resource has no name");
        return;
    }
    while (entity_property(type, count))
        count++;
    result->configs = apr_palloc(describe->request->pool,
                                 (count + 1) * sizeof *result->configs);
    for (int i = 0; (property = entity_property(type, i)); i++)
        if (is_wanted(asked, property->name))
            put_entity(
                describe, type, property,
                image_config(describe->image, type, name, property->name),
                &result->configs[result->configs_count++]);
}

static void describe_loggers(const describe_t *describe, const asked_t *asked,
                             result_t *result)
{
    int count = 0;

    if (!wire_string_equal_text(asked->resource_name,
                                describe->request->broker->node_name)) {
        refuse(result, KAFKA_INVALID_REQUEST,
               apr_psprintf(describe->request->pool,
                            "Unexpected broker id, expected %s but received "
                            "%.*s",
                            describe->request->broker->node_name,
                            (int)asked->resource_name.length,
                            asked->resource_name.data));
        return;
    }
    while (logger_name(count))
        count++;
    result->configs = apr_palloc(describe->request->pool,
                                 (count + 1) * sizeof *result->configs);
    for (int i = -1; i < count; i++) {
        const char *name = i < 0 ? LOGGER_ROOT : logger_name(i);

        if (is_wanted(asked, name))
            put_plain(name, logger_level_name(i), CONFIG_SOURCE_LOGGER, 0,
                      &result->configs[result->configs_count++]);
    }
}

static void describe_broker(const describe_t *describe, const asked_t *asked,
                            result_t *result)
{
    broker_t *broker = describe->request->broker;
    const wire_string_t *name = &asked->resource_name;

    if (name->length == 0) {
        put_properties(describe, asked, CONFIG_SCOPE_BROKER, "", NULL, 1,
                       result);
        put_foreign(describe, asked, "", CONFIG_SOURCE_DYNAMIC_DEFAULT,
                    result);
    } else if (wire_string_equal_text(*name, broker->node_name)) {
        put_properties(describe, asked, CONFIG_SCOPE_BROKER,
                       broker->node_name, NULL, 0, result);
        put_foreign(describe, asked, broker->node_name,
                    CONFIG_SOURCE_DYNAMIC_BROKER, result);
    } else
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
               "a resource is of a type that has no configuration");
    else if (asked->resource_type == CONFIG_TOPIC)
        describe_topic(describe, asked, result);
    else if (asked->resource_type == CONFIG_BROKER)
        describe_broker(describe, asked, result);
    else if (asked->resource_type == CONFIG_BROKER_LOGGER)
        describe_loggers(describe, asked, result);
    else
        describe_entity(describe, asked, result);
}

/* A resource of a type that nobody knows spoils the whole request, as in
 * Kafka. */
static int has_unknown_type(const describe_configs_request_t *body)
{
    for (int32_t i = 0; i < body->resources_count; i++)
        switch (body->resources[i].resource_type) {
        case CONFIG_TOPIC:
        case CONFIG_BROKER:
        case CONFIG_BROKER_LOGGER:
        case CONFIG_CLIENT_METRICS:
        case CONFIG_GROUP:
            break;
        default:
            return 1;
        }
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
