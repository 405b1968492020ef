/* SPDX-License-Identifier: Apache-2.0 */
/* macOS: the cork is TCP_NOPUSH. */
#include "net/socket.h"

apr_status_t net_socket_send(apr_socket_t *socket, const struct iovec *parts,
                             int count, int more, apr_size_t *sent)
{
    return net_socket_send_corked(socket, parts, count, more, sent);
}

void net_socket_uncork(apr_socket_t *socket)
{
    net_socket_uncork_corked(socket);
}
