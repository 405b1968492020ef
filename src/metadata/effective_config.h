/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which value of a property holds: the topic's own, this broker's dynamic one,
 * the cluster's dynamic default, the file's, or the built-in default, in this
 * order (KIP-226).
 */
#ifndef TAKHIN_METADATA_EFFECTIVE_CONFIG_H
#define TAKHIN_METADATA_EFFECTIVE_CONFIG_H

#include "base/config.h"
#include "metadata/image.h"
#include "storage/log.h"

/* A topic's own, two dynamic ones for each broker property, and the rest. */
#define EFFECTIVE_MAX (1 + 2 * CONFIG_CHAIN_MAX + CONFIG_SYNONYMS_MAX)

/*
 * Fills VALUES with all that PROPERTY is set to, the strongest first, and
 * returns how many there are. TOPIC is NULL for a broker's property. BROKER is
 * the broker's id in decimal, or "" to see the cluster's defaults alone. The
 * values live as long as IMAGE and CONFIG.
 */
int effective_values(const config_t *config, const metadata_image_t *image,
                     const char *broker, const char *topic,
                     const property_t *property,
                     config_synonym_t values[EFFECTIVE_MAX]);

/* The configuration of TOPIC's logs. */
void effective_log_config(const config_t *config, const metadata_image_t *image,
                          const char *broker, const char *topic,
                          log_config_t *log);

#endif
