/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of events: one line an event on standard error,
 *
 *     2026-01-01T00:00:00.000Z INFO net: listening on port 9092
 *
 *     LOG_INFO(net, "listening on port %d", port);
 *
 * Each component (the modules below) has its own level, "info" at first. The
 * contents of records, keys and passwords are never logged. Control bytes in
 * what clients sent come out as '?', so that no client writes a line of its
 * own. Nothing is logged on the path of a request that succeeds, except at
 * debug. All functions and macros: any thread.
 */
#ifndef TAKHIN_BASE_LOGGER_H
#define TAKHIN_BASE_LOGGER_H

#include <apr_errno.h>

#include "base/error.h"

#define LOGGER_COMPONENTS(X)                                                   \
    X(main)                                                                    \
    X(broker)                                                                  \
    X(net)                                                                     \
    X(api)                                                                     \
    X(protocol)                                                                \
    X(coordinator)                                                             \
    X(metadata)                                                                \
    X(storage)                                                                 \
    X(record)                                                                  \
    X(zerocopy)                                                                \
    X(base)                                                                    \
    X(test)

typedef enum {
#define LOGGER_ENUM(name) LOGGER_##name,
    LOGGER_COMPONENTS(LOGGER_ENUM)
#undef LOGGER_ENUM
        LOGGER_COMPONENT_COUNT
} logger_component_t;

typedef enum {
    LOGGER_ERROR, /* something is lost or does not work; someone must look */
    LOGGER_WARN,  /* went wrong, is dealt with */
    LOGGER_INFO,  /* the broker's life: start, stop, topics, recovery */
    LOGGER_DEBUG  /* for who looks for a fault */
} logger_level_t;

#define LOG_ERROR(component, ...)                                              \
    LOGGER_AT(component, LOGGER_ERROR, __VA_ARGS__)
#define LOG_WARN(component, ...) LOGGER_AT(component, LOGGER_WARN, __VA_ARGS__)
#define LOG_INFO(component, ...) LOGGER_AT(component, LOGGER_INFO, __VA_ARGS__)
#define LOG_DEBUG(component, ...)                                              \
    LOGGER_AT(component, LOGGER_DEBUG, __VA_ARGS__)

/*
 * For lines that whoever is outside can provoke without end: at most one line
 * every SECONDS from this place in the source; the next one says how many were
 * left out. LEVEL is ERROR, WARN, INFO or DEBUG.
 */
#define LOG_EVERY(seconds, component, level, ...)                              \
    do {                                                                       \
        static logger_site_t logger_site_;                                     \
        if (logger_on(LOGGER_##component, LOGGER_##level))                     \
            logger_write_every(&logger_site_, (seconds), LOGGER_##component,   \
                               LOGGER_##level, __VA_ARGS__);                   \
    } while (0)

/* The text of a status for a %s, alive until the end of the full expression's
 * block: LOG_WARN(net, "cannot accept: %s", LOG_STATUS(status)). */
#define LOG_STATUS(status) takhin_strerror((status), (char[128]){0}, 128)

/* Sets the level of component NAME ("net") to LEVEL ("error", "warn", "info",
 * "debug"), or with NULL back to that of the root. NAME "" is the root: what
 * all have that got no level of their own. TAKHIN_EINVALID when there is no
 * such component or level. */
apr_status_t logger_set_level(const char *name, const char *level);

/* How clients name the root, and the components' names and levels ("INFO") by
 * index; NULL behind the last. */
#define LOGGER_ROOT "root"
const char *logger_name(int component);
int logger_exists(const char *name);
const char *logger_level_name(int component); /* -1: of the root */

/* Where lines go: LINE ends with '\n' and is LENGTH bytes. NULL is standard
 * error. Set before threads start. */
typedef void logger_sink_t(void *baton, const char *line, apr_size_t length);
void logger_set_sink(logger_sink_t *sink, void *baton);

/* Behind the macros. */
typedef struct {
    volatile apr_uint32_t next;    /* second of the monotonic clock */
    volatile apr_uint32_t skipped;
} logger_site_t;

int logger_on(logger_component_t component, logger_level_t level);
void logger_write(logger_component_t component, logger_level_t level,
                  const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void logger_write_every(logger_site_t *site, unsigned seconds,
                        logger_component_t component, logger_level_t level,
                        const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#define LOGGER_AT(component, level, ...)                                       \
    do {                                                                       \
        if (logger_on(LOGGER_##component, level))                              \
            logger_write(LOGGER_##component, level, __VA_ARGS__);              \
    } while (0)

#endif
