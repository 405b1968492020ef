/* SPDX-License-Identifier: Apache-2.0 */
/* zerocopy_bench on Windows, where allocations aren't counted. */
#include <winsock2.h>
#include <windows.h>

#include "zerocopy_bench.h"

static double seconds(const FILETIME *time)
{
    return ((double)time->dwHighDateTime * 4294967296.0 +
            (double)time->dwLowDateTime) /
           1e7;
}

double bench_cpu_seconds(void)
{
    FILETIME begin, end, kernel, user;

    GetProcessTimes(GetCurrentProcess(), &begin, &end, &kernel, &user);
    return seconds(&kernel) + seconds(&user);
}

int bench_allocations(apr_uint64_t *calls, apr_uint64_t *bytes)
{
    *calls = *bytes = 0;
    return 0;
}

apr_size_t bench_discard(apr_socket_t *socket)
{
    static char waste[1024 * 1024];
    apr_size_t n = sizeof(waste);

    /* an end that comes with bytes is found by the next call */
    (void)apr_socket_recv(socket, waste, &n);
    return n;
}
