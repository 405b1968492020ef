/* SPDX-License-Identifier: Apache-2.0 */
/* Windows: there is no cork, and without Nagle none is needed. */
#include <winsock2.h>

#include <apr_portable.h>

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

void net_socket_init(void)
{
    /* Windows has no SIGPIPE. */
}

int net_socket_descriptors(void)
{
    return APR_INT32_MAX; /* sockets are handles: memory is the limit */
}

apr_status_t net_socket_set_exclusive(apr_socket_t *socket)
{
    /* SO_REUSEADDR would let two programs share a port here. */
    BOOL on = TRUE;
    apr_os_sock_t handle;

    apr_os_sock_get(&handle, socket); /* cannot fail on a socket */
    if (setsockopt(handle, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (char *)&on,
                   sizeof(on)))
        return apr_get_netos_error();
    return APR_SUCCESS;
}
