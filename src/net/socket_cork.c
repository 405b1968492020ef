/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending with a cork that is an option of the socket (TCP_NOPUSH, TCP_CORK).
 * Compiled on every platform, used where there is no MSG_MORE. A system that
 * has no cork at all sends small packets, which is slower and right.
 */
#include "net/socket.h"

apr_status_t net_socket_send_corked(apr_socket_t *socket,
                                    const struct iovec *parts, int count,
                                    int more, apr_size_t *sent)
{
    if (more) /* it may fail where there is no cork: see above */
        apr_socket_opt_set(socket, APR_TCP_NOPUSH, 1);
    *sent = 0;
    return apr_socket_sendv(socket, parts, count, sent);
}

void net_socket_uncork_corked(apr_socket_t *socket)
{
    apr_socket_opt_set(socket, APR_TCP_NOPUSH, 0); /* as above */
}
