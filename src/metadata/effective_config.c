/* SPDX-License-Identifier: Apache-2.0 */
/* The precedence of configuration values, and a log's configuration by it. */
#include "metadata/effective_config.h"

#include <string.h>

#include "record/compress.h"

typedef struct {
    const config_t *config;
    const metadata_image_t *image;
    const char *broker;
    const char *topic;
} scope_t;

static int add(config_synonym_t *values, int count, const char *name,
               const char *value, config_source_t source)
{
    if (!value || count == EFFECTIVE_MAX)
        return count;
    values[count].name = name;
    values[count].value = value;
    values[count].source = source;
    return count + 1;
}

/* What was set while a broker ran, for each property of CHAIN. */
static int add_dynamic(const scope_t *scope, const char *broker,
                       config_source_t source, const config_id_t *chain,
                       int length, config_synonym_t *values, int count)
{
    for (int i = 0; i < length; i++) {
        const char *name = property_get(chain[i])->name;

        count = add(values, count, name,
                    image_config(scope->image, CONFIG_BROKER, broker, name),
                    source);
    }
    return count;
}

/* Takes off what stands before the first value of NAME, all if there is none:
 * Kafka names a broker's property in hours only behind that in milliseconds. */
static int drop_until(const char *name, config_synonym_t *values, int count)
{
    int skip = 0;

    while (skip < count && strcmp(values[skip].name, name))
        skip++;
    memmove(values, values + skip, (count - skip) * sizeof(*values));
    return count - skip;
}

int effective_values(const config_t *config, const metadata_image_t *image,
                     const char *broker, const char *topic,
                     const property_t *property,
                     config_synonym_t values[EFFECTIVE_MAX])
{
    scope_t scope = {config, image, broker, topic};
    config_id_t chain[CONFIG_CHAIN_MAX];
    config_synonym_t known[CONFIG_SYNONYMS_MAX];
    int length = config_chain(property->id, chain);
    int known_count = config_synonyms(config, property->id, known);
    int own = 0, count;

    if (topic)
        own = add(values, 0, property->name,
                  image_config(image, CONFIG_TOPIC, topic, property->name),
                  CONFIG_SOURCE_TOPIC);
    count = own;
    if (*broker)
        count = add_dynamic(&scope, broker, CONFIG_SOURCE_DYNAMIC_BROKER, chain,
                            length, values, count);
    count = add_dynamic(&scope, "", CONFIG_SOURCE_DYNAMIC_DEFAULT, chain,
                        length, values, count);
    for (int i = 0; i < known_count; i++)
        count =
            add(values, count, known[i].name, known[i].value, known[i].source);
    if (length == 0)
        return count;
    return own + drop_until(property->scope == CONFIG_SCOPE_TOPIC
                                ? property_get(chain[0])->name
                                : property->name,
                            values + own, count - own);
}

/* The text that holds for topic property ID; NULL where only the broker's own
 * file or default does, which config_topic_* fall back to. */
static const char *text(const scope_t *scope, config_id_t id)
{
    config_synonym_t values[EFFECTIVE_MAX];
    int count = effective_values(scope->config, scope->image, scope->broker,
                                 scope->topic, property_get(id), values);

    return count > 0 && values[0].source <= CONFIG_SOURCE_DYNAMIC_DEFAULT
               ? values[0].value
               : NULL;
}

static int64_t number(const scope_t *scope, config_id_t id)
{
    return config_topic_long(scope->config, id, text(scope, id));
}

static const char *string(const scope_t *scope, config_id_t id)
{
    const char *value = config_topic_string(scope->config, id, text(scope, id));

    return value ? value : "";
}

/* compression.type: a codec's name, "uncompressed", or "producer". */
static int8_t codec(const char *name)
{
    for (int8_t c = RECORD_CODEC_NONE; c <= RECORD_CODEC_ZSTD; c++)
        if (!strcmp(name, record_codec_name(c)))
            return c;
    return !strcmp(name, "uncompressed") ? RECORD_CODEC_NONE
                                         : RECORD_CODEC_PRODUCER;
}

static void set_retention(const scope_t *scope, log_config_t *log)
{
    const char *policy = string(scope, CONFIG_TOPIC_CLEANUP_POLICY);

    log->compact = config_list_has(policy, "compact");
    log->delete = config_list_has(policy, "delete");
    log->retention_ms = number(scope, CONFIG_TOPIC_RETENTION_MS);
    log->retention_bytes = number(scope, CONFIG_TOPIC_RETENTION_BYTES);
    log->delete_retention_ms = number(scope, CONFIG_TOPIC_DELETE_RETENTION_MS);
    log->file_delete_delay_ms =
        number(scope, CONFIG_TOPIC_FILE_DELETE_DELAY_MS);
    log->min_compaction_lag_ms =
        number(scope, CONFIG_TOPIC_MIN_COMPACTION_LAG_MS);
    log->max_compaction_lag_ms =
        number(scope, CONFIG_TOPIC_MAX_COMPACTION_LAG_MS);
    log->min_cleanable_dirty_ratio = config_topic_double(
        scope->config, CONFIG_TOPIC_MIN_CLEANABLE_DIRTY_RATIO,
        text(scope, CONFIG_TOPIC_MIN_CLEANABLE_DIRTY_RATIO));
}

static void set_segments(const scope_t *scope, log_config_t *log)
{
    log->segment_bytes = (int32_t)number(scope, CONFIG_TOPIC_SEGMENT_BYTES);
    log->segment_ms = number(scope, CONFIG_TOPIC_SEGMENT_MS);
    log->segment_jitter_ms = number(scope, CONFIG_TOPIC_SEGMENT_JITTER_MS);
    log->segment_index_bytes =
        (int32_t)number(scope, CONFIG_TOPIC_SEGMENT_INDEX_BYTES);
    log->index_interval_bytes =
        (int32_t)number(scope, CONFIG_TOPIC_INDEX_INTERVAL_BYTES);
    log->flush_messages = number(scope, CONFIG_TOPIC_FLUSH_MESSAGES);
    log->flush_ms = number(scope, CONFIG_TOPIC_FLUSH_MS);
    log->preallocate =
        config_topic_bool(scope->config, CONFIG_TOPIC_PREALLOCATE,
                          text(scope, CONFIG_TOPIC_PREALLOCATE));
}

static void set_messages(const scope_t *scope, log_config_t *log)
{
    log->max_message_bytes =
        (int32_t)number(scope, CONFIG_TOPIC_MAX_MESSAGE_BYTES);
    log->min_insync_replicas =
        (int32_t)number(scope, CONFIG_TOPIC_MIN_INSYNC_REPLICAS);
    log->timestamp_before_max_ms =
        number(scope, CONFIG_TOPIC_MESSAGE_TIMESTAMP_BEFORE_MAX_MS);
    log->timestamp_after_max_ms =
        number(scope, CONFIG_TOPIC_MESSAGE_TIMESTAMP_AFTER_MAX_MS);
    log->log_append_time = !strcmp(
        string(scope, CONFIG_TOPIC_MESSAGE_TIMESTAMP_TYPE), "LogAppendTime");
    log->compression_type = codec(string(scope, CONFIG_TOPIC_COMPRESSION_TYPE));
}

void effective_log_config(const config_t *config, const metadata_image_t *image,
                          const char *broker, const char *topic,
                          log_config_t *log)
{
    scope_t scope = {config, image, broker, topic};

    log_config_init(log);
    set_retention(&scope, log);
    set_segments(&scope, log);
    set_messages(&scope, log);
    log->producer_id_expiration_ms =
        config_long(config, CONFIG_PRODUCER_ID_EXPIRATION_MS);
}
