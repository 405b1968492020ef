/* SPDX-License-Identifier: Apache-2.0 */
/* Automatic topic creation, for clients and for the coordinators' topics. */
#include "api/topic_creation.h"

#include <apr_strings.h>
#include <string.h>

#include "api/error.h"
#include "api/topic_name.h"
#include "base/error.h"
#include "protocol/error_code.h"

/* The offsets' topic: compacted, in small segments, in the codec configured. */
static void offsets_topic(broker_t *broker, metadata_new_topic_t *topic,
                          apr_pool_t *pool)
{
    metadata_config_change_t *configs = apr_pcalloc(pool, 3 * sizeof *configs);

    configs[0].key = "cleanup.policy";
    configs[0].value = "compact";
    configs[1].key = "compression.type";
    configs[1].value = "producer";
    configs[2].key = "segment.bytes";
    configs[2].value =
        config_text(broker->config, CONFIG_OFFSETS_TOPIC_SEGMENT_BYTES);
    topic->configs = configs;
    topic->config_count = 3;
    topic->partitions =
        config_int(broker->config, CONFIG_OFFSETS_TOPIC_NUM_PARTITIONS);
}

static void transactions_topic(broker_t *broker, metadata_new_topic_t *topic,
                               apr_pool_t *pool)
{
    metadata_config_change_t *configs = apr_pcalloc(pool, 5 * sizeof *configs);

    configs[0].key = "cleanup.policy";
    configs[0].value = "compact";
    configs[1].key = "compression.type";
    configs[1].value = "uncompressed";
    configs[2].key = "segment.bytes";
    configs[2].value = config_text(
        broker->config, CONFIG_TRANSACTION_STATE_LOG_SEGMENT_BYTES);
    configs[3].key = "unclean.leader.election.enable";
    configs[3].value = "false";
    configs[4].key = "min.insync.replicas";
    configs[4].value = "1";
    topic->configs = configs;
    topic->config_count = 5;
    topic->partitions = config_int(broker->config,
                                   CONFIG_TRANSACTION_STATE_LOG_NUM_PARTITIONS);
}

int16_t topic_create_automatically(broker_t *broker, const char *name,
                                   apr_size_t length, apr_pool_t *pool)
{
    metadata_new_topic_t topic = { 0 };
    apr_status_t status;

    if (topic_name_is_metadata(name, length))
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    topic.name = apr_pstrmemdup(pool, name, length);
    if (!strcmp(topic.name, "__consumer_offsets"))
        offsets_topic(broker, &topic, pool);
    else if (!strcmp(topic.name, "__transaction_state"))
        transactions_topic(broker, &topic, pool);
    else
        topic.partitions = config_int(broker->config, CONFIG_NUM_PARTITIONS);
    status = metadata_create_topics(broker->metadata, &topic, 1, 0, pool);
    if (!status)
        status = topic.status;
    return status == TAKHIN_ETOPIC_EXISTS ? KAFKA_NONE : api_error(status);
}
