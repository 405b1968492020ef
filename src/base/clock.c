/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks, and how tests stop them. */
#include "base/clock.h"

#include <apr_atomic.h>

static volatile apr_uint32_t stopped;
static volatile apr_uint64_t test_monotonic; /* microseconds */
static volatile apr_uint64_t test_wall;      /* microseconds */

apr_time_t clock_monotonic(void)
{
    if (apr_atomic_read32(&stopped))
        return (apr_time_t)apr_atomic_read64(&test_monotonic);
    return clock_system_monotonic();
}

int64_t clock_wall_ms(void)
{
    if (apr_atomic_read32(&stopped))
        return (int64_t)apr_atomic_read64(&test_wall) / 1000;
    return apr_time_as_msec(apr_time_now());
}

void clock_test_begin(apr_time_t monotonic, int64_t wall_ms)
{
    apr_atomic_set64(&test_monotonic, (apr_uint64_t)monotonic);
    apr_atomic_set64(&test_wall, (apr_uint64_t)wall_ms * 1000);
    apr_atomic_set32(&stopped, 1);
}

void clock_test_advance(apr_time_t microseconds)
{
    apr_atomic_add64(&test_monotonic, (apr_uint64_t)microseconds);
    apr_atomic_add64(&test_wall, (apr_uint64_t)microseconds);
}

void clock_test_end(void)
{
    apr_atomic_set32(&stopped, 0);
}
