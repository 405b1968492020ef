/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the handlers see of the broker: the parts that broker/ has started, in
 * one struct, so that api/ needs nothing of how they are started and stopped.
 * Set before the first request, unchanged until after the last.
 */
#ifndef TAKHIN_API_CONTEXT_H
#define TAKHIN_API_CONTEXT_H

#include <apr_thread_mutex.h>

#include "api/delayed.h"
#include "api/fetch_session.h"
#include "api/quotas.h"
#include "api/request.h"
#include "base/config.h"
#include "base/timer.h"
#include "coordinator/groups.h"
#include "coordinator/producer_ids.h"
#include "coordinator/transactions.h"
#include "metadata/metadata.h"
#include "storage/topics.h"

/* A listener as clients are told of it. */
typedef struct {
    const char *name;       /* "PLAINTEXT" */
    const char *host;       /* advertised */
    int32_t port;
} api_endpoint_t;

struct broker_t {
    config_t *config;
    metadata_t *metadata;
    topics_t *topics;
    log_dir_t *const *log_dirs; /* log.dirs */
    int log_dir_count;
    base_timer_t *timer;
    apr_thread_mutex_t *change_mutex; /* held by who reads the image, decides
                                         and appends: configurations, quotas
                                         and credentials; before all others */
    purgatory_t *purgatory;
    fetch_sessions_t *fetch_sessions;
    quotas_t *quotas;
    producer_ids_t *producer_ids;
    group_coordinator_t *groups;
    transaction_coordinator_t *transactions;
    const api_endpoint_t *endpoints;
    int endpoint_count;
    int32_t node_id;
    const char *node_name;  /* the same in decimal, as configurations have it */
    const char *rack;       /* or NULL */
};

/* The endpoint of the listener a request came by. */
const api_endpoint_t *broker_endpoint(const broker_t *broker,
                                      const char *listener);

#endif
