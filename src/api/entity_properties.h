/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The properties of groups (KIP-848, KIP-932) and of client metrics
 * subscriptions (KIP-714), as properties.def has those of topics and brokers.
 * Names, bounds and defaults are those of Apache Kafka 4.3.
 */
#ifndef TAKHIN_API_ENTITY_PROPERTIES_H
#define TAKHIN_API_ENTITY_PROPERTIES_H

#include "base/config.h"

/* Property INDEX of resource TYPE (CONFIG_GROUP, CONFIG_CLIENT_METRICS), from 0
 * on; NULL behind the last. */
const property_t *entity_property(int8_t type, int index);

/* The property of that NAME, or NULL. */
const property_t *entity_property_find(int8_t type, const char *name);

/* What a resource of TYPE has where it sets nothing itself: for a group that
 * is what the broker's properties say. */
const char *entity_property_default(const config_t *config, int8_t type,
                                    const property_t *property);

/* The broker's property of a group's PROPERTY, "group.consumer...", also where
 * Takhin has none of that name; NULL where Kafka has none. */
const char *entity_property_broker_name(const property_t *property);

/* What is wrong with VALUE for NAME, or NULL; *ERROR is then a Kafka error
 * code. The text is from POOL. */
const char *entity_property_refusal(const config_t *config, int8_t type,
                                    const char *name, const char *value,
                                    int16_t *error, apr_pool_t *pool);

#endif
