/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text as Java counts it: Kafka hashes and measures strings in UTF-16, clients
 * send UTF-8.
 */
#ifndef TAKHIN_COORDINATOR_TEXT_H
#define TAKHIN_COORDINATOR_TEXT_H

#include "protocol/wire.h"

/* The code point at *P, which is before END, and moves behind it. What is not
 * UTF-8 reads as U+FFFD, byte by byte. */
uint32_t text_next_code(const uint8_t **p, const uint8_t *end);

/* UTF-16 code units of TEXT; 0 for null. */
int32_t text_java_length(wire_string_t text);

/* Which of COUNT partitions a coordinator's key TEXT is in: the absolute value
 * of its hash in Java, of which Kafka makes the smallest number 0. */
int32_t text_java_shard(wire_string_t text, int32_t count);

/* PREFIX, "-" and a random UUID in RFC 9562's form, in POOL: a member id. */
wire_string_t text_member_id(wire_string_t prefix, apr_pool_t *pool);

#endif
