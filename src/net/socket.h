/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What net needs of a socket and APR doesn't have, one file a platform.
 */
#ifndef TAKHIN_NET_SOCKET_H
#define TAKHIN_NET_SOCKET_H

#include <apr_network_io.h>

/* Once in a process, before the first send: a client that went away must be
 * an error, never a signal. */
void net_socket_init(void);

/* How many descriptors this process may have, raised as far as the system
 * allows; APR_INT32_MAX where there is no such limit. */
int net_socket_descriptors(void);

/* Makes SOCKET, not bound yet, fail to bind to a port that someone listens on,
 * and bind to one whose connections linger in TIME_WAIT. */
apr_status_t net_socket_set_exclusive(apr_socket_t *socket);

/*
 * Sends what the non-blocking SOCKET takes of the COUNT pieces at PARTS; *SENT
 * says how many bytes it took. With MORE, data follows at once and the
 * kernel may keep a packet that is not full until net_socket_uncork or a send
 * without MORE. APR_EAGAIN: no room for a single byte.
 */
apr_status_t net_socket_send(apr_socket_t *socket, const struct iovec *parts,
                             int count, int more, apr_size_t *sent);

/* All that follows a send with MORE was sent. */
void net_socket_uncork(apr_socket_t *socket);

/* net_socket_send and net_socket_uncork for systems without MSG_MORE: the
 * socket is corked by an option. */
apr_status_t net_socket_send_corked(apr_socket_t *socket,
                                    const struct iovec *parts, int count,
                                    int more, apr_size_t *sent);
void net_socket_uncork_corked(apr_socket_t *socket);

#endif
