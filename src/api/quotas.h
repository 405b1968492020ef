/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client quotas (KIP-13, KIP-55, KIP-124, KIP-219) at work: how much each user
 * and client id has produced, fetched and kept threads busy with lately, and
 * for how long it is to be held off when that is above its quota. What the
 * quotas are stands in the metadata's image. Nobody sleeps: the answer says how
 * long, and the connection is muted (net_exchange_mute).
 *
 * While no quota is set, none of this costs more than one look at a word. All
 * functions: any thread.
 */
#ifndef TAKHIN_API_QUOTAS_H
#define TAKHIN_API_QUOTAS_H

#include "base/config.h"
#include "metadata/metadata.h"

typedef struct quotas_t quotas_t;

typedef enum {
    QUOTA_PRODUCE, /* producer_byte_rate */
    QUOTA_FETCH,   /* consumer_byte_rate */
    QUOTA_REQUEST, /* request_percentage: 100 is one thread */
    QUOTA_TYPES
} quota_type_t;

/* quota.window.num and .size.seconds are CONFIG's. Lives as long as POOL. */
apr_status_t quotas_create(quotas_t **quotas, const config_t *config,
                           metadata_t *metadata, apr_pool_t *pool);

/* Gives back what it remembers of clients. Nobody uses it any more. */
void quotas_destroy(quotas_t *quotas);

/* IMAGE's quotas hold from now on. */
void quotas_changed(quotas_t *quotas, const metadata_image_t *image);

/* Whether any quota is set. */
int quotas_enabled(const quotas_t *quotas);

/* Adds VALUE (bytes, or percent of a second) to what USER's client CLIENT
 * (NUL-terminated) has used, unless that is more than its quota and TAKE_BACK
 * is set. Returns for how many milliseconds it is to be held off, 0 for none.
 */
int32_t quotas_record(quotas_t *quotas, quota_type_t type, const char *user,
                      const char *client, double value, int take_back);

/* The most bytes that one answer may have to fit the quota; -1: no quota. */
int64_t quotas_most(quotas_t *quotas, quota_type_t type, const char *user,
                    const char *client);

#endif
