/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "base/clock.h"
#include "base/logger.h"

static char lines[8192];

static void keep(void *baton, const char *line, apr_size_t length)
{
    (void)baton;
    strncat(lines, line, length);
}

static void begin(void)
{
    lines[0] = '\0';
    clock_test_begin(0, 1767225600007); /* 2026-01-01T00:00:00.007Z */
    logger_set_sink(keep, NULL);
}

static void end(void)
{
    logger_set_sink(NULL, NULL);
    logger_set_level("", "info");
    clock_test_end();
}

static void an_event_is_one_line_with_time_level_and_component(void)
{
    begin();
    LOG_INFO(net, "listening on port %d", 9092);
    LOG_ERROR(storage, "gone");
    end();
    CU_ASSERT_STRING_EQUAL(
        lines, "2026-01-01T00:00:00.007Z INFO net: listening on port 9092\n"
               "2026-01-01T00:00:00.007Z ERROR storage: gone\n");
}

static void a_component_has_its_own_level(void)
{
    begin();
    LOG_DEBUG(net, "no");
    CU_ASSERT_EQUAL(logger_set_level("net", "debug"), APR_SUCCESS);
    LOG_DEBUG(net, "yes");
    LOG_DEBUG(api, "no");
    CU_ASSERT_EQUAL(logger_set_level("", "error"), APR_SUCCESS);
    LOG_WARN(api, "no");
    CU_ASSERT_EQUAL(logger_set_level("nett", "debug"), TAKHIN_EINVALID);
    CU_ASSERT_EQUAL(logger_set_level("net", "loud"), TAKHIN_EINVALID);
    end();
    CU_ASSERT_STRING_EQUAL(lines, "2026-01-01T00:00:00.007Z DEBUG net: yes\n");
}

static void what_a_client_sent_cannot_begin_a_line(void)
{
    begin();
    LOG_WARN(api, "client id %s", "x\n2026 ERROR \x1b[1m");
    end();
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "client id x?2026 ERROR ?[1m\n"));
}

static void a_line_that_is_too_long_is_cut(void)
{
    char long_text[5000];

    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    begin();
    LOG_WARN(api, "%s", long_text);
    end();
    CU_ASSERT_EQUAL(strlen(lines), 2047);
    CU_ASSERT_EQUAL(lines[2046], '\n');
}

static void complain(void)
{
    LOG_EVERY(10, net, WARN, "bad frame");
}

static void a_repeating_line_comes_once_a_while_and_counts_the_rest(void)
{
    begin();
    for (int i = 0; i < 5; i++)
        complain();
    CU_ASSERT_STRING_EQUAL(lines,
                           "2026-01-01T00:00:00.007Z WARN net: bad frame\n");
    lines[0] = '\0';
    clock_test_advance(apr_time_from_sec(10));
    complain();
    CU_ASSERT_STRING_EQUAL(lines,
                           "2026-01-01T00:00:10.007Z WARN net: bad frame "
                           "(and 4 like this left out)\n");
    end();
}

static void a_status_has_a_text(void)
{
    char text[128];

    CU_ASSERT_STRING_EQUAL(takhin_strerror(TAKHIN_EOFFLINE, text, sizeof text),
                           "the log directory is offline");
    CU_ASSERT_STRING_EQUAL(takhin_strerror(TAKHIN_ELOCKED, text, sizeof text),
                           "in use by another process");
    CU_ASSERT_STRING_EQUAL(LOG_STATUS(APR_ENOENT), "No such file or directory");
}

UNIT_MAIN(UNIT_TEST(an_event_is_one_line_with_time_level_and_component),
          UNIT_TEST(a_component_has_its_own_level),
          UNIT_TEST(what_a_client_sent_cannot_begin_a_line),
          UNIT_TEST(a_line_that_is_too_long_is_cut),
          UNIT_TEST(a_repeating_line_comes_once_a_while_and_counts_the_rest),
          UNIT_TEST(a_status_has_a_text))
