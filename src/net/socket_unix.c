/* SPDX-License-Identifier: Apache-2.0 */
/* What all Unix systems have in common. */
#include <signal.h>
#include <sys/resource.h>

#include "net/socket.h"

void net_socket_init(void)
{
    signal(SIGPIPE, SIG_IGN);
}

int net_socket_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return APR_INT32_MAX;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {limit.rlim_max, limit.rlim_max};
        /* Some systems say "unlimited" and mean less: then it stays. */
        if (!setrlimit(RLIMIT_NOFILE, &raised))
            limit = raised;
    }
    return limit.rlim_cur < APR_INT32_MAX ? (int)limit.rlim_cur : APR_INT32_MAX;
}

apr_status_t net_socket_set_exclusive(apr_socket_t *socket)
{
    return apr_socket_opt_set(socket, APR_SO_REUSEADDR, 1);
}
