/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker: owns every part, starts them in order and stops them in the
 * reverse one. What stands between start and stop is in broker_t
 * (api/context.h), which the handlers see.
 */
#ifndef TAKHIN_BROKER_BROKER_H
#define TAKHIN_BROKER_BROKER_H

#include <apr_pools.h>

#include "base/config.h"

typedef struct broker_process_t broker_process_t;

/*
 * Starts a broker as CONFIG (checked by config_check) says: locks and recovers
 * the log directories, replays the metadata, binds the listeners, becomes the
 * controller, serves. When it returns APR_SUCCESS, clients are answered.
 * Otherwise nothing is left running and *ERROR says in one line what is wrong.
 * CONFIG and POOL live until broker_stop has returned.
 */
apr_status_t broker_start(broker_process_t **broker, config_t *config,
                          const char **error, apr_pool_t *pool);

/*
 * Stops in order: no new connections, answers to what is in flight (bounded by
 * a time limit), fenced in the metadata, logs flushed and closed, clean-stop
 * markers. An error means that the next start has to recover.
 */
apr_status_t broker_stop(broker_process_t *broker);

/* The port of the first listener, for who configured port 0. */
int broker_port(const broker_process_t *broker);

#endif
