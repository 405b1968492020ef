/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions that consumers subscribe by: RE2's syntax (as Kafka's
 * KIP-848 has it), matched against whole topic names in time that grows with
 * the name only, whatever the expression. The engine is PCRE2's DFA, behind a
 * check that lets through what RE2 has too.
 */
#ifndef TAKHIN_COORDINATOR_TOPIC_REGEX_H
#define TAKHIN_COORDINATOR_TOPIC_REGEX_H

#include "protocol/wire.h"

typedef struct topic_regex_t topic_regex_t;

/* Compiles TEXT. Returns NULL, and *ERROR says why, from POOL. */
topic_regex_t *topic_regex_compile(wire_string_t text, const char **error,
                                   apr_pool_t *pool);
void topic_regex_free(topic_regex_t *regex);

/* Whether all of NAME matches. One thread at a time. */
int topic_regex_matches(topic_regex_t *regex, const char *name,
                        apr_size_t length);

#endif
