/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection, as those see it who answer its requests.
 */
#ifndef TAKHIN_NET_CONNECTION_H
#define TAKHIN_NET_CONNECTION_H

#include "net/exchange.h"
#include "net/server.h"

net_server_t *connection_server(const connection_t *connection);

/* The client's address as text, without and with its port. Valid as long as an
 * exchange of the connection is not ended. */
const char *connection_peer_host(const connection_t *connection);
const char *connection_peer(const connection_t *connection);

/* The listener it came by: "PLAINTEXT". */
const char *connection_listener(const connection_t *connection);

/* What the connection's user (a session, a principal) hangs on it, from the
 * dispatch function or while an exchange that doesn't overlap is in progress.
 * net_options_t.closed gets it at the end. */
void *connection_user(const connection_t *connection);
void connection_set_user(connection_t *connection, void *user);

#endif
