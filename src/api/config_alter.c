/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a resource's configuration will be is computed first, checked as a
 * whole, and then written as one. What a client sends is checked here and
 * nowhere else: a value that the tables do not allow never gets into the log.
 */
#include "api/config_alter.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "api/configs.h"
#include "api/entity_properties.h"
#include "api/error.h"
#include "api/topic_name.h"
#include "base/logger.h"
#include "base/properties.h"
#include "protocol/error_code.h"

typedef struct {
    request_t *request;
    const metadata_image_t *image;
    config_alter_t *alter;
    const char *resource;        /* its name, NUL-terminated */
    apr_hash_t *values;          /* what will hold: name to text */
    apr_array_header_t *changes; /* metadata_config_change_t */
} change_t;

/* Returns 0, for who refuses and leaves at once. */
static int refuse(change_t *change, int16_t error, const char *message)
{
    change->alter->error = error;
    change->alter->message = message ? message : kafka_error_text(error);
    return 0;
}

/* ---- the request itself ---------------------------------------------------- */

static int check_keys(change_t *change)
{
    config_alter_t *alter = change->alter;
    apr_hash_t *seen = apr_hash_make(change->request->pool);

    for (int32_t i = 0; i < alter->count; i++) {
        const config_operation_t *op = &alter->operations[i];

        if (apr_hash_get(seen, op->name.data, op->name.length))
            return refuse(change, KAFKA_INVALID_REQUEST,
                          "Error due to duplicate config keys");
        apr_hash_set(seen, op->name.data, op->name.length, op);
        if (op->operation != CONFIG_DELETE && op->value.length < 0)
            return refuse(change, KAFKA_INVALID_REQUEST,
                          apr_psprintf(change->request->pool,
                                       "Null value not supported for: %.*s",
                                       (int)op->name.length, op->name.data));
    }
    return 1;
}

/* The node this is: in decimal, as Java reads it. */
static int check_node(change_t *change)
{
    broker_t *broker = change->request->broker;
    char *end;
    long id = strtol(change->resource, &end, 10);

    if (!*change->resource || *end || id != broker->node_id)
        return refuse(change, KAFKA_INVALID_REQUEST,
                      apr_psprintf(change->request->pool,
                                   "Unexpected broker id, expected %s, but "
                                   "received %s",
                                   broker->node_name, change->resource));
    return 1;
}

/* ---- loggers ---------------------------------------------------------------- */

static const char *level_key(wire_string_t level)
{
    static const char *const levels[][2] = {
        {"FATAL", "error"}, {"ERROR", "error"}, {"WARN", "warn"},
        {"INFO", "info"},   {"DEBUG", "debug"}, {"TRACE", "debug"}};

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (wire_string_equal_text(level, levels[i][0]))
            return levels[i][1];
    return NULL;
}

/* A logger is a component of the log of events; "root" is all of them. */
static int check_logger(change_t *change, const config_operation_t *op)
{
    int is_root = wire_string_equal_text(op->name, LOGGER_ROOT);

    if (op->operation != CONFIG_SET && op->operation != CONFIG_DELETE)
        return refuse(change,
                      op->operation == CONFIG_APPEND ||
                              op->operation == CONFIG_SUBTRACT
                          ? KAFKA_INVALID_REQUEST
                          : KAFKA_UNKNOWN_SERVER_ERROR,
                      "this operation is not allowed for a logger");
    if (!is_root &&
        !logger_exists(wire_string_dup(op->name, change->request->pool)))
        return refuse(change, KAFKA_INVALID_CONFIG,
                      apr_psprintf(change->request->pool,
                                   "Logger %.*s does not exist!",
                                   (int)op->name.length, op->name.data));
    if (op->operation == CONFIG_SET && !level_key(op->value))
        return refuse(change, KAFKA_INVALID_CONFIG,
                      "Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, "
                      "WARN");
    if (op->operation == CONFIG_DELETE && is_root)
        return refuse(change, KAFKA_INVALID_REQUEST,
                      "Removing the log level of the root logger is not "
                      "allowed");
    return 1;
}

static void alter_loggers(change_t *change, int validate_only)
{
    config_alter_t *alter = change->alter;

    for (int32_t i = 0; i < alter->count; i++)
        if (!check_logger(change, &alter->operations[i]))
            return;
    for (int32_t i = 0; i < alter->count && !validate_only; i++) {
        const config_operation_t *op = &alter->operations[i];
        const char *name = wire_string_dup(op->name, change->request->pool);

        /* Both were checked: it cannot fail. */
        (void)logger_set_level(
            strcmp(name, LOGGER_ROOT) ? name : "",
            op->operation == CONFIG_SET ? level_key(op->value) : NULL);
    }
}

/* ---- what the configuration will be ------------------------------------------ */

static const property_t *property_of(int8_t type, const char *name)
{
    if (type == CONFIG_TOPIC || type == CONFIG_BROKER)
        return property_find(type == CONFIG_TOPIC ? CONFIG_SCOPE_TOPIC
                                                  : CONFIG_SCOPE_BROKER,
                             name, strlen(name));
    return entity_property_find(type, name);
}

/* LIST with the entries of MORE that it lacks, or without those it has. */
static const char *merge(const char *list, const char *more, int append,
                         apr_pool_t *pool)
{
    const char *from = append ? more : list;
    const char *against = append ? list : more;
    char *result = apr_pstrdup(pool, append ? list : "");
    char *rest = apr_pstrdup(pool, from), *entry, *state;

    for (entry = apr_strtok(rest, ",", &state); entry;
         entry = apr_strtok(NULL, ",", &state))
        if (!config_list_has(against, entry) && !config_list_has(result, entry))
            result = apr_pstrcat(pool, result, *result ? "," : "", entry, NULL);
    return result;
}

static int merge_value(change_t *change, const config_operation_t *op,
                       const char *name, const char **value)
{
    apr_pool_t *pool = change->request->pool;
    const property_t *property = property_of(change->alter->type, name);
    const char *present =
        apr_hash_get(change->values, name, APR_HASH_KEY_STRING);

    if (!property || property->type != CONFIG_TYPE_LIST ||
        change->alter->type == CONFIG_CLIENT_METRICS) /* as in Kafka */
        return refuse(change, KAFKA_INVALID_CONFIG,
                      apr_psprintf(pool,
                                   "nothing can be appended to or subtracted "
                                   "from %s: it is no list",
                                   name));
    if (!present)
        present = property->default_value ? property->default_value : "";
    *value = merge(present, wire_string_dup(op->value, pool),
                   op->operation == CONFIG_APPEND, pool);
    return 1;
}

static void put(change_t *change, const char *name, const char *value)
{
    const char *before =
        apr_hash_get(change->values, name, APR_HASH_KEY_STRING);
    metadata_config_change_t *record;

    apr_hash_set(change->values, name, APR_HASH_KEY_STRING, value);
    if (change->alter->type != CONFIG_BROKER && /* as in Kafka */
        (before == value || (before && value && !strcmp(before, value))))
        return;
    record = apr_array_push(change->changes);
    record->key = name;
    record->value = value;
}

static int apply(change_t *change, const config_operation_t *op)
{
    const char *name = wire_string_dup(op->name, change->request->pool);
    const char *value = NULL;

    switch (op->operation) {
    case CONFIG_SET:
        value = wire_string_dup(op->value, change->request->pool);
        break;
    case CONFIG_DELETE:
        break;
    case CONFIG_APPEND:
    case CONFIG_SUBTRACT:
        if (!merge_value(change, op, name, &value))
            return 0;
        break;
    default:
        return refuse(change,
                      change->alter->type == CONFIG_BROKER
                          ? KAFKA_INVALID_REQUEST
                          : KAFKA_UNKNOWN_SERVER_ERROR,
                      "the operation is not known");
    }
    put(change, name, value);
    return 1;
}

static int is_named(const config_alter_t *alter, const char *name)
{
    for (int32_t i = 0; i < alter->count; i++)
        if (wire_string_equal_text(alter->operations[i].name, name))
            return 1;
    return 0;
}

/* Sets VALUES and CHANGES. */
static int compute(change_t *change)
{
    config_alter_t *alter = change->alter;
    int count;
    const image_config_entry_t *entries =
        image_configs(change->image, alter->type, change->resource, &count);

    if (!entries)
        count = 0;
    change->values = apr_hash_make(change->request->pool);
    change->changes = apr_array_make(change->request->pool, alter->count + 1,
                                     sizeof(metadata_config_change_t));
    for (int i = 0; i < count; i++)
        apr_hash_set(change->values, entries[i].name, APR_HASH_KEY_STRING,
                     entries[i].value);
    for (int i = 0; alter->replaces && i < count; i++)
        if (!is_named(alter, entries[i].name))
            put(change, entries[i].name, NULL);
    for (int32_t i = 0; i < alter->count; i++)
        if (!apply(change, &alter->operations[i]))
            return 0;
    return 1;
}

/* ---- whether it may be so ---------------------------------------------------- */

static int check_topic(change_t *change)
{
    apr_pool_t *pool = change->request->pool;
    const wire_string_t *name = &change->alter->name;
    const char *why;

    if (name->length == 0)
        return refuse(change, KAFKA_INVALID_REQUEST,
                      "Default topic resources are not allowed.");
    why = topic_name_error(name->data, name->length, pool);
    if (why)
        return refuse(change, KAFKA_INVALID_TOPIC_EXCEPTION, why);
    for (apr_hash_index_t *at = apr_hash_first(pool, change->values); at;
         at = apr_hash_next(at)) {
        why = config_topic_refusal(apr_hash_this_key(at), apr_hash_this_val(at),
                                   pool);
        if (why)
            return refuse(change, KAFKA_INVALID_CONFIG, why);
    }
    why = config_topic_conflict(
        change->request->broker->config,
        apr_hash_get(change->values, "min.compaction.lag.ms",
                     APR_HASH_KEY_STRING),
        apr_hash_get(change->values, "max.compaction.lag.ms",
                     APR_HASH_KEY_STRING),
        pool);
    if (why)
        return refuse(change, KAFKA_INVALID_CONFIG, why);
    if (!image_topic(change->image, name->data, name->length))
        return refuse(change, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, NULL);
    return 1;
}

/* Rates that Kafka knows as dynamic configurations only. */
static int is_rate(const char *name)
{
    return !strcmp(name, "leader.replication.throttled.rate") ||
           !strcmp(name, "follower.replication.throttled.rate") ||
           !strcmp(name, "replica.alter.log.dirs.io.max.bytes.per.second");
}

static const char *broker_refusal(const char *name, const char *value,
                                  apr_pool_t *pool)
{
    const property_t *property = property_of(CONFIG_BROKER, name);
    char *end;

    if (is_rate(name))
        return *value && apr_strtoi64(value, &end, 10) >= 0 && !*end
                   ? NULL
                   : apr_psprintf(pool, "%s must be a whole number from 0 on",
                                  name);
    if (!property)
        /* Kafka keeps for its plugins what it does not know itself. */
        return property_is_ignored(name)
                   ? apr_psprintf(pool, "%s has no effect here", name)
                   : NULL;
    if (!property->dynamic)
        return apr_psprintf(pool, "Cannot update these configs dynamically: [%s]",
                            name);
    if (property->at_start)
        return apr_psprintf(pool, "%s can only be set in the broker's file",
                            name);
    if (!property_accepts(property, value, pool))
        return apr_psprintf(pool,
                            "Invalid value %s for configuration %s: allowed "
                            "is %s",
                            value, name, property_allowed(property, pool));
    return NULL;
}

/* While leaders are elected from eligible replicas (KIP-966), the number that
 * acks=all needs is the cluster's or a topic's, and always there. */
static int check_min_insync(change_t *change)
{
    static const char name[] = "min.insync.replicas";

    if (image_feature(change->image, FEATURE_ELR_VERSION) < 1)
        return 1;
    for (int i = 0; i < change->changes->nelts; i++) {
        const metadata_config_change_t *record =
            &APR_ARRAY_IDX(change->changes, i, metadata_config_change_t);

        if (!strcmp(record->key, name) && (*change->resource || !record->value))
            return refuse(change, KAFKA_INVALID_CONFIG,
                          *change->resource
                              ? "min.insync.replicas cannot be set for a "
                                "broker while eligible.leader.replicas.version "
                                "is 1"
                              : "min.insync.replicas cannot be removed from "
                                "the cluster's defaults while "
                                "eligible.leader.replicas.version is 1");
    }
    return 1;
}

static int check_broker(change_t *change)
{
    apr_pool_t *pool = change->request->pool;

    for (apr_hash_index_t *at = apr_hash_first(pool, change->values); at;
         at = apr_hash_next(at)) {
        const char *why =
            broker_refusal(apr_hash_this_key(at), apr_hash_this_val(at), pool);

        if (why)
            return refuse(change, KAFKA_INVALID_REQUEST, why);
    }
    return check_min_insync(change);
}

/* A group's members must be heard more than once a session. */
static int check_sessions(change_t *change)
{
    static const char *const pairs[][2] = {
        {"consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"},
        {"share.session.timeout.ms", "share.heartbeat.interval.ms"},
        {"streams.session.timeout.ms", "streams.heartbeat.interval.ms"}};

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        int64_t numbers[2];

        for (int j = 0; j < 2; j++) {
            const char *text =
                apr_hash_get(change->values, pairs[i][j], APR_HASH_KEY_STRING);

            if (!text)
                text = entity_property_default(
                    change->request->broker->config, CONFIG_GROUP,
                    entity_property_find(CONFIG_GROUP, pairs[i][j]));
            numbers[j] = apr_atoi64(text);
        }
        if (numbers[0] <= numbers[1])
            return refuse(change, KAFKA_INVALID_CONFIG,
                          apr_psprintf(change->request->pool,
                                       "%s must be greater than %s",
                                       pairs[i][0], pairs[i][1]));
    }
    return 1;
}

static int check_entity(change_t *change)
{
    apr_pool_t *pool = change->request->pool;
    int8_t type = change->alter->type;

    if (change->alter->name.length == 0)
        return refuse(change, KAFKA_INVALID_REQUEST,
                      "the resource has no name");
    for (apr_hash_index_t *at = apr_hash_first(pool, change->values); at;
         at = apr_hash_next(at)) {
        int16_t error;
        const char *why = entity_property_refusal(
            change->request->broker->config, type, apr_hash_this_key(at),
            apr_hash_this_val(at), &error, pool);

        if (why)
            return refuse(change, error, why);
    }
    return type != CONFIG_GROUP || check_sessions(change);
}

static int check(change_t *change)
{
    switch (change->alter->type) {
    case CONFIG_TOPIC:
        return check_topic(change);
    case CONFIG_BROKER:
        return check_broker(change);
    default:
        return check_entity(change);
    }
}

/* ---- one resource, all resources --------------------------------------------- */

static int is_alterable(const config_alter_t *alter)
{
    switch (alter->type) {
    case CONFIG_TOPIC:
    case CONFIG_BROKER:
    case CONFIG_CLIENT_METRICS:
    case CONFIG_GROUP:
        return 1;
    case CONFIG_BROKER_LOGGER:
        return !alter->replaces;
    default:
        return 0;
    }
}

static void alter_one(change_t *change, int validate_only)
{
    config_alter_t *alter = change->alter;
    broker_t *broker = change->request->broker;

    if (!check_keys(change))
        return;
    if (!is_alterable(alter)) {
        refuse(change, KAFKA_INVALID_REQUEST, "Unknown resource type");
        return;
    }
    if (alter->type == CONFIG_BROKER_LOGGER ||
        (alter->type == CONFIG_BROKER && *change->resource))
        if (!check_node(change))
            return;
    if (alter->type == CONFIG_BROKER_LOGGER) {
        alter_loggers(change, validate_only);
        return;
    }
    if (!compute(change) || !check(change) || validate_only ||
        change->changes->nelts == 0)
        return;
    alter->error = api_error(metadata_alter_configs(
        broker->metadata, alter->type, change->resource,
        (const metadata_config_change_t *)change->changes->elts,
        change->changes->nelts, change->request->pool));
    if (alter->error)
        refuse(change, alter->error, NULL);
}

/* A resource that comes twice is refused each time. */
static void refuse_twins(config_alter_t *alters, int32_t count,
                         apr_pool_t *pool)
{
    apr_hash_t *seen = apr_hash_make(pool);

    for (int32_t i = 0; i < count; i++) {
        const char *key =
            apr_psprintf(pool, "%d %.*s", alters[i].type,
                         (int)alters[i].name.length, alters[i].name.data);
        config_alter_t *first = apr_hash_get(seen, key, APR_HASH_KEY_STRING);

        if (!first) {
            apr_hash_set(seen, key, APR_HASH_KEY_STRING, &alters[i]);
            continue;
        }
        first->error = alters[i].error = KAFKA_INVALID_REQUEST;
        first->message = alters[i].message =
            "Each resource must appear at most once.";
    }
}

void config_alter(request_t *request, config_alter_t *alters, int32_t count,
                  int validate_only)
{
    broker_t *broker = request->broker;
    change_t change = {.request = request};

    refuse_twins(alters, count, request->pool);
    apr_thread_mutex_lock(broker->change_mutex);
    for (int32_t i = 0; i < count; i++) {
        if (alters[i].error)
            continue;
        change.image = metadata_image(broker->metadata);
        change.alter = &alters[i];
        change.resource = wire_string_dup(alters[i].name, request->pool);
        alter_one(&change, validate_only);
        image_release(change.image);
    }
    apr_thread_mutex_unlock(broker->change_mutex);
}
