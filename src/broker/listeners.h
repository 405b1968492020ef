/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From `listeners`, `advertised.listeners` and what belongs to them to the
 * addresses to bind and the addresses that clients are told.
 */
#ifndef TAKHIN_BROKER_LISTENERS_H
#define TAKHIN_BROKER_LISTENERS_H

#include "base/config.h"

typedef struct {
    const char *name;            /* "PLAINTEXT", in capitals */
    const char *host;            /* to bind; "" is every address */
    int port;                    /* 0: any free one */
    const char *advertised_host;
    int advertised_port;         /* 0: the one bound */
} listener_t;

/*
 * Sets *LISTENERS to the COUNT that serve clients, in the order of the
 * configuration; a controller's own (controller.listener.names) are left out,
 * since Takhin's controller needs none. *ERROR says what is wrong and where.
 * All in POOL.
 */
apr_status_t listeners_parse(const config_t *config, listener_t **listeners,
                             int *count, const char **error, apr_pool_t *pool);

#endif
