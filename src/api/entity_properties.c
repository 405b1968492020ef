/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of groups' and client metrics' properties. */
#include "api/entity_properties.h"

#include <apr_strings.h>
#include <string.h>

#include "metadata/image.h"
#include "protocol/error_code.h"

typedef struct {
    property_t property;
    config_id_t from;     /* a broker's property that gives the default */
    config_id_t min, max; /* and the bounds; where it has them */
    int64_t low, high;    /* otherwise these; 0: none */
    const char *broker_name;
} entity_property_t;

#define NUMBER(name_, default_, description_) \
    .property = {.type = CONFIG_TYPE_INT,     \
                 .name = (name_),             \
                 .default_value = (default_), \
                 .description = (description_)}

#define GROUP_NUMBER(name_, default_, description_) \
    NUMBER(name_, default_, description_), .broker_name = "group." name_

#define FROM_BROKER(id)                                                        \
    .from = CONFIG_GROUP_CONSUMER_##id, .min = CONFIG_GROUP_CONSUMER_MIN_##id, \
    .max = CONFIG_GROUP_CONSUMER_MAX_##id

#define NOTHING CONFIG_COUNT
#define BETWEEN(low_, high_)                                        \
    .from = NOTHING, .min = NOTHING, .max = NOTHING, .low = (low_), \
    .high = (high_)

static const entity_property_t groups[] = {
    {GROUP_NUMBER("consumer.session.timeout.ms", "45000",
                  "Silence after which a consumer group's member is dropped."),
     FROM_BROKER(SESSION_TIMEOUT_MS)},
    {GROUP_NUMBER("consumer.heartbeat.interval.ms", "5000",
                  "Time between a consumer group member's heartbeats."),
     FROM_BROKER(HEARTBEAT_INTERVAL_MS)},
    {GROUP_NUMBER("consumer.assignment.interval.ms", "1000",
                  "Least time between two assignments of a consumer group."),
     FROM_BROKER(ASSIGNMENT_INTERVAL_MS)},
    {GROUP_NUMBER("share.session.timeout.ms", "45000",
                  "Silence after which a share group's member is dropped."),
     BETWEEN(45000, 60000)},
    {GROUP_NUMBER("share.heartbeat.interval.ms", "5000",
                  "Time between a share group member's heartbeats."),
     BETWEEN(5000, 15000)},
    {GROUP_NUMBER("share.record.lock.duration.ms", "30000",
                  "How long a share group's member may hold a record."),
     BETWEEN(15000, 60000)},
    {GROUP_NUMBER("share.delivery.count.limit", "5",
                  "How often a record is delivered to a share group at most."),
     BETWEEN(2, 10)},
    {GROUP_NUMBER(
         "share.partition.max.record.locks", "2000",
         "Records of a partition that a share group may hold at once."),
     BETWEEN(100, 10000)},
    {.property = {.type = CONFIG_TYPE_STRING,
                  .name = "share.auto.offset.reset",
                  .default_value = "latest",
                  .description = "Where a share group begins to read."},
     BETWEEN(0, 0)},
    {.property = {.type = CONFIG_TYPE_STRING,
                  .name = "share.isolation.level",
                  .default_value = "read_uncommitted",
                  .one_of = "read_committed,read_uncommitted",
                  .description = "Which transactional records a share group "
                                 "reads."},
     BETWEEN(0, 0)},
    {.property = {.type = CONFIG_TYPE_BOOLEAN,
                  .name = "share.renew.acknowledge.enable",
                  .default_value = "true",
                  .description = "Whether a member may renew its hold on a "
                                 "record."},
     BETWEEN(0, 0)},
    {GROUP_NUMBER("share.assignment.interval.ms", "1000",
                  "Least time between two assignments of a share group."),
     BETWEEN(0, 15000)},
    {GROUP_NUMBER("streams.session.timeout.ms", "45000",
                  "Silence after which a streams group's member is dropped."),
     BETWEEN(45000, 60000)},
    {GROUP_NUMBER("streams.heartbeat.interval.ms", "5000",
                  "Time between a streams group member's heartbeats."),
     BETWEEN(5000, 15000)},
    {GROUP_NUMBER("streams.num.standby.replicas", "0",
                  "Standby replicas of each task of a streams group."),
     BETWEEN(0, 2)},
    {GROUP_NUMBER("streams.initial.rebalance.delay.ms", "3000",
                  "How long a new streams group waits for more members."),
     BETWEEN(0, INT32_MAX)},
    {GROUP_NUMBER("streams.assignment.interval.ms", "1000",
                  "Least time between two assignments of a streams group."),
     BETWEEN(0, 15000)},
};

static const entity_property_t metrics[] = {
    {.property = {.type = CONFIG_TYPE_LIST,
                  .name = "metrics",
                  .default_value = "",
                  .description = "Prefixes of the metrics that are asked for; "
                                 "* is all."},
     BETWEEN(0, 0)},
    {NUMBER("interval.ms", "300000",
            "Time between two pushes of a client's metrics."),
     BETWEEN(100, 3600000)},
    {.property = {.type = CONFIG_TYPE_LIST,
                  .name = "match",
                  .default_value = "",
                  .description = "Which clients are asked, as NAME=REGEX."},
     BETWEEN(0, 0)},
};

static const entity_property_t *table(int8_t type, int *count)
{
    if (type == CONFIG_GROUP) {
        *count = sizeof groups / sizeof *groups;
        return groups;
    }
    *count = sizeof metrics / sizeof *metrics;
    return metrics;
}

const property_t *entity_property(int8_t type, int index)
{
    int count;
    const entity_property_t *all = table(type, &count);

    return index < count ? &all[index].property : NULL;
}

static const entity_property_t *find(int8_t type, const char *name)
{
    int count;
    const entity_property_t *all = table(type, &count);

    for (int i = 0; i < count; i++)
        if (!strcmp(all[i].property.name, name))
            return &all[i];
    return NULL;
}

const property_t *entity_property_find(int8_t type, const char *name)
{
    const entity_property_t *found = find(type, name);

    return found ? &found->property : NULL;
}

const char *entity_property_default(const config_t *config, int8_t type,
                                    const property_t *property)
{
    const entity_property_t *row = find(type, property->name);

    return row->from == NOTHING ? property->default_value
                                : config_text(config, row->from);
}

const char *entity_property_broker_name(const property_t *property)
{
    const entity_property_t *row = find(CONFIG_GROUP, property->name);

    return row && &row->property == property ? row->broker_name : NULL;
}

/* A duration of ISO 8601 as Java reads it, days to seconds: "P1DT2H3M4.5S". */
static int is_duration(const char *text)
{
    int parts = 0, in_time = 0;

    if (*text++ != 'P')
        return 0;
    while (*text) {
        const char *digits = text;

        if (*text == 'T' && !in_time) {
            in_time = 1;
            text++;
            parts = 0; /* one must follow */
            continue;
        }
        text += strspn(text, "0123456789.");
        if (text == digits || !*text || !strchr(in_time ? "HMS" : "D", *text))
            return 0;
        text++;
        parts++;
    }
    return parts > 0;
}

static int is_reset(const char *value)
{
    return !strcmp(value, "earliest") || !strcmp(value, "latest") ||
           (!strncmp(value, "by_duration:", 12) && is_duration(value + 12));
}

/* "NAME=REGEX,...": whether each entry has a name that is known and a text that
 * could be an expression. */
static int is_match(const char *value, apr_pool_t *pool)
{
    static const char *const known[] = {
        "client_instance_id",    "client_id",
        "client_software_name",  "client_software_version",
        "client_source_address", "client_source_port"};
    char *rest = apr_pstrdup(pool, value), *entry, *state;

    for (entry = apr_strtok(rest, ",", &state); entry;
         entry = apr_strtok(NULL, ",", &state)) {
        char *equals = strchr(entry, '=');
        int found = 0;

        if (!equals || !equals[1] || strchr(equals + 1, '='))
            return 0;
        *equals = '\0';
        apr_collapse_spaces(entry, entry);
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found |= !strcmp(entry, known[i]);
        if (!found)
            return 0;
    }
    return 1;
}

/* Within the bounds of the table or of the broker's properties. */
static int is_in_bounds(const config_t *config, const entity_property_t *row,
                        const char *value, apr_pool_t *pool, const char **why)
{
    int64_t number = apr_atoi64(value);
    int64_t low =
        row->min == NOTHING ? row->low : config_long(config, row->min);
    int64_t high =
        row->max == NOTHING ? row->high : config_long(config, row->max);

    if (row->property.type != CONFIG_TYPE_INT ||
        (number >= low && number <= high))
        return 1;
    *why = apr_psprintf(
        pool, "%s must be from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT,
        row->property.name, low, high);
    return 0;
}

const char *entity_property_refusal(const config_t *config, int8_t type,
                                    const char *name, const char *value,
                                    int16_t *error, apr_pool_t *pool)
{
    const entity_property_t *row = find(type, name);
    int16_t range_error;
    const char *why;

    *error =
        type == CONFIG_GROUP ? KAFKA_INVALID_CONFIG : KAFKA_INVALID_REQUEST;
    if (!row)
        return apr_psprintf(pool, "Unknown %s configuration: %s",
                            type == CONFIG_GROUP ? "group" : "client metrics",
                            name);
    range_error = *error;
    *error = KAFKA_INVALID_CONFIG;
    if (!property_accepts(&row->property, value, pool))
        return apr_psprintf(pool,
                            "Invalid value %s for configuration %s: allowed "
                            "is %s",
                            value, name,
                            property_allowed(&row->property, pool));
    if (!is_in_bounds(config, row, value, pool, &why)) {
        *error = range_error;
        return why;
    }
    if (!strcmp(name, "share.auto.offset.reset") && !is_reset(value))
        return apr_psprintf(pool,
                            "Invalid value %s for configuration %s: allowed "
                            "are earliest, latest and by_duration:PnDTnHnMnS",
                            value, name);
    if (type == CONFIG_CLIENT_METRICS && !strcmp(name, "match") &&
        !is_match(value, pool))
        return apr_psprintf(pool, "Illegal client matching pattern: %s", value);
    return NULL;
}
