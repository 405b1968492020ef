/* SPDX-License-Identifier: Apache-2.0 */
/* The monotonic clock of Windows. */
#include "base/clock.h"

#include <windows.h>

apr_time_t clock_system_monotonic(void)
{
    LARGE_INTEGER count, frequency;

    /* neither call fails on Windows XP and later */
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&count);
    /* split, so that the product does not overflow */
    return count.QuadPart / frequency.QuadPart * APR_USEC_PER_SEC +
           count.QuadPart % frequency.QuadPart * APR_USEC_PER_SEC /
               frequency.QuadPart;
}
