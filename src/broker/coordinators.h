/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts the coordinators with what they need of the broker: configuration,
 * their topics' partitions, workers and timer.
 */
#ifndef TAKHIN_BROKER_COORDINATORS_H
#define TAKHIN_BROKER_COORDINATORS_H

#include "api/context.h"
#include "net/worker_pool.h"

/* Sets broker->groups and broker->transactions and has them replayed. Topics are loaded, the timer and
 * WORKERS run. Lives as long as POOL. */
apr_status_t coordinators_start(broker_t *broker, worker_pool_t *workers,
                                apr_pool_t *pool);

/* Answers all who wait; workers and timer still run. */
void coordinators_stop(broker_t *broker);

/* After workers and timer have ended. */
void coordinators_destroy(broker_t *broker);

#endif
