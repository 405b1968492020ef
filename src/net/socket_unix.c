/* SPDX-License-Identifier: Apache-2.0 */
/* What all Unix systems have in common. */
#include <signal.h>

#include "net/socket.h"

void net_socket_init(void)
{
    signal(SIGPIPE, SIG_IGN);
}

apr_status_t net_socket_set_exclusive(apr_socket_t *socket)
{
    return apr_socket_opt_set(socket, APR_SO_REUSEADDR, 1);
}
