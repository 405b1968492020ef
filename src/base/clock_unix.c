/* SPDX-License-Identifier: Apache-2.0 */
/* The monotonic clock of POSIX. */
#include "base/clock.h"

#include <time.h>

apr_time_t clock_system_monotonic(void)
{
    struct timespec now;

    /* cannot fail: the clock exists on every system we build for */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (apr_time_t)now.tv_sec * APR_USEC_PER_SEC + now.tv_nsec / 1000;
}
