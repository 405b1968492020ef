/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a topic may be called, and which topics are the broker's own.
 */
#ifndef TAKHIN_API_TOPIC_NAME_H
#define TAKHIN_API_TOPIC_NAME_H

#include <apr_pools.h>

/* NULL when NAME may be a topic's, else why not (from POOL). Letters, digits,
 * '.', '_' and '-', 1 to 249 of them, not "." or "..". */
const char *topic_name_error(const char *name, apr_size_t length,
                             apr_pool_t *pool);

/* Whether clients may not produce to it: the coordinators' topics. */
int topic_name_is_internal(const char *name, apr_size_t length);

/* Whether it is __cluster_metadata: what lies in that directory is the metadata
 * log, so no topic may ever be created there. */
int topic_name_is_metadata(const char *name, apr_size_t length);

#endif
