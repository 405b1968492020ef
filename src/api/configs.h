/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configurations as answers carry them: one entry a property, with its source,
 * made in one place for DescribeConfigs and CreateTopics.
 */
#ifndef TAKHIN_API_CONFIGS_H
#define TAKHIN_API_CONFIGS_H

#include "api/context.h"
#include "metadata/effective_config.h"
#include "protocol/create_topics_response.h"

typedef struct {
    const property_t *property;
    const char *value;           /* NULL: not set, or a password */
    config_source_t source;
    int read_only;
    int sensitive;
    int synonym_count;
    config_synonym_t synonyms[EFFECTIVE_MAX];
} config_entry_t;

/* Sets ENTRY for PROPERTY of TOPIC, or of the broker where TOPIC is NULL;
 * BROKER as in effective_values. */
void configs_entry(const broker_t *broker, const metadata_image_t *image,
                   const char *node, const char *topic,
                   const property_t *property, config_entry_t *entry);

/* What is wrong with CHANGES taken together, or NULL. */
const char *configs_topic_conflict(const config_t *config,
                                   const metadata_config_change_t *changes,
                                   int count, apr_pool_t *pool);

/* Puts the configuration of a topic that is created with CHANGES into RESULT. */
void configs_put_created(
    request_t *request, const metadata_config_change_t *changes, int count,
    create_topics_response_creatable_topic_result_t *result);

#endif
