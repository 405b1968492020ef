/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creating topics: what CreateTopics checks, and the creation of a topic that
 * a client asked Metadata for. Kafka's rules and error codes (KIP-4, KIP-464).
 */
#ifndef TAKHIN_API_TOPIC_CREATION_H
#define TAKHIN_API_TOPIC_CREATION_H

#include "api/context.h"

/* Partitions that one request may add; as in Kafka. */
#define TOPIC_MAX_NEW_PARTITIONS 10000

/*
 * Creates a topic of that NAME, which topic_name_error accepted, with the
 * broker's defaults (or with what its internal topics need). Returns a Kafka
 * error code; NONE also where somebody else just created it. Blocks on the
 * device.
 */
int16_t topic_create_automatically(broker_t *broker, const char *name,
                                   apr_size_t length, apr_pool_t *pool);

#endif
