/* SPDX-License-Identifier: Apache-2.0 */
/* Linux: the cork is a flag of the call, so it costs no call of its own. */
#include <apr_portable.h>
#include <errno.h>
#include <sys/socket.h>

#include "net/socket.h"

apr_status_t net_socket_send(apr_socket_t *socket, const struct iovec *parts,
                             int count, int more, apr_size_t *sent)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts,
                             .msg_iovlen = (size_t)count};
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
    apr_os_sock_t fd;
    ssize_t n;

    *sent = 0;
    apr_os_sock_get(&fd, socket); /* cannot fail on a socket */
    do
        n = sendmsg(fd, &message, flags);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno;
    *sent = (apr_size_t)n;
    return APR_SUCCESS;
}

void net_socket_uncork(apr_socket_t *socket)
{
    (void)socket; /* the last send came without MSG_MORE */
}
