/* SPDX-License-Identifier: Apache-2.0 */
/* The listener, as server.c sees it. Only src/net/ may include it. */
#ifndef TAKHIN_NET_LISTENER_H
#define TAKHIN_NET_LISTENER_H

#include "net/internal.h"

/* Binds and listens on every address of every listener and creates the
 * pollset. On failure *ERROR may say in a line what cannot be, in POOL. */
apr_status_t listener_open(net_server_t *server, const char **error,
                           apr_pool_t *pool);

apr_status_t listener_start(net_server_t *server);
void listener_stop(net_server_t *server);

/* server.c, for the listener. */
connection_t *server_take_slot(net_server_t *server);
void server_each_slot(net_server_t *server,
                      void (*visit)(net_server_t *, connection_t *));

#endif
