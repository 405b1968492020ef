/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of the log. A line is made on the stack and leaves in one write, so
 * lines of several threads do not mix. It must not allocate, and must never
 * fail its caller.
 */
#include "base/logger.h"

#include <apr_atomic.h>
#include <apr_time.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define LINE_MAX_BYTES 2048

static const char *const components[] = {
#define LOGGER_NAME(name) #name,
    LOGGER_COMPONENTS(LOGGER_NAME)
#undef LOGGER_NAME
};

static const char *const levels[] = {"ERROR", "WARN", "INFO", "DEBUG"};
static const char *const level_keys[] = {"error", "warn", "info", "debug"};

/* A component's level, counted from LOGGER_INFO, so that zero is the default */
static volatile apr_uint32_t above_info[LOGGER_COMPONENT_COUNT];
static volatile apr_uint32_t has_own[LOGGER_COMPONENT_COUNT];
static volatile apr_uint32_t root_above_info;

static void write_stderr(void *baton, const char *line, apr_size_t length)
{
    (void)baton;
    /* a log line that cannot be written has nobody to tell */
    fwrite(line, 1, length, stderr);
}

static logger_sink_t *line_sink = write_stderr;
static void *line_baton;

void logger_set_sink(logger_sink_t *sink, void *baton)
{
    line_sink = sink ? sink : write_stderr;
    line_baton = baton;
}

int logger_on(logger_component_t component, logger_level_t level)
{
    apr_uint32_t above = apr_atomic_read32(&above_info[component]);

    return (int)level <= LOGGER_INFO + (int)above;
}

apr_status_t logger_set_level(const char *name, const char *level)
{
    int found = !*name, i, value = -1;

    for (i = 0; level && i < (int)(sizeof level_keys / sizeof *level_keys); i++)
        if (strcmp(level, level_keys[i]) == 0)
            value = i;
    if (value < 0 && (level || !*name))
        return TAKHIN_EINVALID;
    if (!*name)
        apr_atomic_set32(&root_above_info, (apr_uint32_t)(value - LOGGER_INFO));
    for (i = 0; i < LOGGER_COMPONENT_COUNT; i++) {
        if (*name ? strcmp(name, components[i]) != 0
                  : apr_atomic_read32(&has_own[i]) != 0)
            continue;
        apr_atomic_set32(&has_own[i], *name && level);
        apr_atomic_set32(&above_info[i],
                         level ? (apr_uint32_t)(value - LOGGER_INFO)
                               : apr_atomic_read32(&root_above_info));
        found = 1;
    }
    return found ? APR_SUCCESS : TAKHIN_EINVALID;
}

const char *logger_name(int component)
{
    return component < LOGGER_COMPONENT_COUNT ? components[component] : NULL;
}

int logger_exists(const char *name)
{
    for (int i = 0; i < LOGGER_COMPONENT_COUNT; i++)
        if (strcmp(name, components[i]) == 0)
            return 1;
    return 0;
}

const char *logger_level_name(int component)
{
    apr_uint32_t above = apr_atomic_read32(
        component < 0 ? &root_above_info : &above_info[component]);

    return levels[LOGGER_INFO + (int)above];
}

/* Writes "2026-01-01T00:00:00.000Z INFO net: " and returns its length. */
static int format_head(char *line, size_t size, logger_component_t component,
                       logger_level_t level)
{
    int64_t now = clock_wall_ms();
    apr_time_exp_t t;

    apr_time_exp_gmt(&t, apr_time_from_msec(now));
    return snprintf(line, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %s %s: ",
                    t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
                    t.tm_min, t.tm_sec, (int)(now % 1000), levels[level],
                    components[component]);
}

static void write_line(logger_component_t component, logger_level_t level,
                       apr_uint32_t skipped, const char *format, va_list args)
{
    char line[LINE_MAX_BYTES];
    size_t room = sizeof line - 1; /* the newline's */
    int head = format_head(line, room, component, level);
    int length = head, more;

    more = vsnprintf(line + length, room - (size_t)length, format, args);
    if (more > 0)
        length += more;
    if (length < (int)room && skipped) {
        more = snprintf(line + length, room - (size_t)length,
                        " (and %u like this left out)", (unsigned)skipped);
        length += more > 0 ? more : 0;
    }
    if (length > (int)room - 1)
        length = (int)room - 1;
    for (int i = head; i < length; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 127)
            line[i] = '?';
    line[length++] = '\n';
    line_sink(line_baton, line, (apr_size_t)length);
}

void logger_write(logger_component_t component, logger_level_t level,
                  const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_line(component, level, 0, format, args);
    va_end(args);
}

void logger_write_every(logger_site_t *site, unsigned seconds,
                        logger_component_t component, logger_level_t level,
                        const char *format, ...)
{
    /* counted from 1: zero is a site that has not logged yet */
    apr_uint32_t now = (apr_uint32_t)apr_time_sec(clock_monotonic()) + 1;
    apr_uint32_t next = apr_atomic_read32(&site->next);
    va_list args;

    if ((next && (apr_int32_t)(now - next) < 0) ||
        apr_atomic_cas32(&site->next, now + seconds, next) != next) {
        apr_atomic_inc32(&site->skipped);
        return;
    }
    va_start(args, format);
    write_line(component, level, apr_atomic_xchg32(&site->skipped, 0), format,
               args);
    va_end(args);
}
