/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of configuration answers. */
#include "api/configs.h"

#include <apr_strings.h>
#include <string.h>

void configs_entry(const broker_t *broker, const metadata_image_t *image,
                   const char *node, const char *topic,
                   const property_t *property, config_entry_t *entry)
{
    entry->property = property;
    entry->sensitive = property->type == CONFIG_TYPE_PASSWORD;
    entry->read_only =
        property->scope == CONFIG_SCOPE_BROKER &&
        (!property->dynamic || property->at_start);
    entry->synonym_count = effective_values(broker->config, image, node, topic,
                                            property, entry->synonyms);
    if (entry->synonym_count > 0) {
        entry->value = entry->synonyms[0].value;
        entry->source = entry->synonyms[0].source;
    } else {
        entry->value = config_text(broker->config, property->id);
        entry->source = CONFIG_SOURCE_DEFAULT;
    }
    if (!entry->sensitive)
        return;
    entry->value = NULL;
    for (int i = 0; i < entry->synonym_count; i++)
        entry->synonyms[i].value = NULL;
}

static const char *change_value(const metadata_config_change_t *changes,
                                int count, const char *key)
{
    for (int i = count - 1; i >= 0; i--)
        if (!strcmp(changes[i].key, key))
            return changes[i].value;
    return NULL;
}

const char *configs_topic_conflict(const config_t *config,
                                   const metadata_config_change_t *changes,
                                   int count, apr_pool_t *pool)
{
    return config_topic_conflict(
        config, change_value(changes, count, "min.compaction.lag.ms"),
        change_value(changes, count, "max.compaction.lag.ms"), pool);
}

void configs_put_created(
    request_t *request, const metadata_config_change_t *changes, int count,
    create_topics_response_creatable_topic_result_t *result)
{
    broker_t *broker = request->broker;
    const metadata_image_t *image = metadata_image(broker->metadata);
    int n = 0;

    result->configs =
        apr_pcalloc(request->pool, CONFIG_COUNT * sizeof *result->configs);
    for (config_id_t id = 0; id < CONFIG_COUNT; id++) {
        const property_t *property = property_get(id);
        create_topics_response_creatable_topic_configs_t *to;
        config_entry_t entry;
        const char *own;

        if (property->scope != CONFIG_SCOPE_TOPIC || property->internal)
            continue;
        /* No topic has the empty name: this gives what topics inherit. */
        configs_entry(broker, image, broker->node_name, "", property, &entry);
        own = change_value(changes, count, property->name);
        to = &result->configs[n++];
        create_topics_response_creatable_topic_configs_init(to);
        to->name = wire_string_from(property->name);
        to->value = wire_string_from(
            apr_pstrdup(request->pool, own ? own : entry.value));
        to->config_source = own ? CONFIG_SOURCE_TOPIC : entry.source;
        to->read_only = entry.read_only;
        to->is_sensitive = entry.sensitive;
    }
    result->configs_count = n;
    image_release(image);
}
