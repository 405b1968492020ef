/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/clock.h"

static void the_monotonic_clock_never_goes_back(void)
{
    apr_time_t last = clock_monotonic();

    for (int i = 0; i < 10000; i++) {
        apr_time_t now = clock_monotonic();
        if (now < last)
            CU_FAIL("went back");
        last = now;
    }
}

static void the_wall_clock_is_in_milliseconds_since_1970(void)
{
    int64_t before = apr_time_now() / 1000, now = clock_wall_ms();

    CU_ASSERT(now >= before && now <= apr_time_now() / 1000);
}

static void a_test_stops_and_moves_both_clocks(void)
{
    clock_test_begin(5000000, 1700000000000);
    CU_ASSERT_EQUAL(clock_monotonic(), 5000000);
    CU_ASSERT_EQUAL(clock_wall_ms(), 1700000000000);
    clock_test_advance(2500000);
    CU_ASSERT_EQUAL(clock_monotonic(), 7500000);
    CU_ASSERT_EQUAL(clock_wall_ms(), 1700000002500);
    clock_test_end();
    CU_ASSERT_NOT_EQUAL(clock_wall_ms(), 1700000002500);
}

UNIT_MAIN(UNIT_TEST(the_monotonic_clock_never_goes_back),
          UNIT_TEST(the_wall_clock_is_in_milliseconds_since_1970),
          UNIT_TEST(a_test_stops_and_moves_both_clocks))
