/* SPDX-License-Identifier: Apache-2.0 */
/* What zerocopy_bench asks of the system it runs on. */
#ifndef TAKHIN_ZEROCOPY_BENCH_H
#define TAKHIN_ZEROCOPY_BENCH_H

#include <apr_network_io.h>

/* CPU seconds that this process has used, in user and system mode. */
double bench_cpu_seconds(void);

/*
 * Allocations of this process and their bytes since it began: every malloc,
 * calloc and realloc. Returns 0 where they can't be counted.
 */
int bench_allocations(apr_uint64_t *calls, apr_uint64_t *bytes);

/* Takes some bytes from SOCKET and throws them away, where the system can
 * without copying them. Returns their number, or 0 at the end. */
apr_size_t bench_discard(apr_socket_t *socket);

#endif
