/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clocks: a monotonic one for deadlines, and the wall clock in
 * milliseconds, which is what Kafka's timestamps are. Never measure a
 * duration with the wall clock. All functions: any thread.
 */
#ifndef TAKHIN_BASE_CLOCK_H
#define TAKHIN_BASE_CLOCK_H

#include <apr_time.h>
#include <stdint.h>

/* Microseconds since an arbitrary moment; never goes back. */
apr_time_t clock_monotonic(void);

/* Milliseconds since 1970-01-01 UTC; may jump. */
int64_t clock_wall_ms(void);

/* For tests: both clocks stand still at these values until they are moved by
 * clock_test_advance or freed by clock_test_end. */
void clock_test_begin(apr_time_t monotonic, int64_t wall_ms);
void clock_test_advance(apr_time_t microseconds);
void clock_test_end(void);

/* The system's monotonic clock: clock_unix.c, clock_win32.c. */
apr_time_t clock_system_monotonic(void);

#endif
