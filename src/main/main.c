/* SPDX-License-Identifier: Apache-2.0 */
/*
 * takhind in the foreground: arguments, configuration, start, wait for the
 * signal, stop. It must know nothing of what a broker does in between.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>

#include <takhin/version.h>

#include "base/config.h"
#include "base/logger.h"
#include "base/out_of_memory.h"
#include "broker/broker.h"
#include "main/options.h"
#include "main/signals.h"

enum { EXIT_USAGE = 2 }; /* 3 is OUT_OF_MEMORY_EXIT */

/* Reads file and overrides, prints what is wrong with them. */
static apr_status_t configure(config_t **config, const options_t *options,
                              apr_pool_t *pool)
{
    apr_status_t status = config_create(config, pool);
    const apr_array_header_t *problems;

    if (status)
        return status;
    /* what is wrong is a problem of the configuration, and counts below */
    if (options->config_file)
        (void)config_load(*config, options->config_file);
    for (int i = 0; i < options->overrides->nelts; i++)
        (void)config_set(*config,
                         APR_ARRAY_IDX(options->overrides, i, const char *));
    status = config_check(*config);
    problems = config_problems(*config);
    for (int i = 0; i < problems->nelts; i++)
        fprintf(stderr, "%s\n",
                APR_ARRAY_IDX(problems, i, config_problem_t).text);
    return status;
}

/* log.level first, then the components that have their own. */
static void set_log_levels(const config_t *config)
{
    static const struct {
        const char *component;
        config_id_t id;
    } levels[] = {{"", CONFIG_LOG_LEVEL},
                  {"main", CONFIG_LOG_LEVEL_MAIN},
                  {"broker", CONFIG_LOG_LEVEL_BROKER},
                  {"net", CONFIG_LOG_LEVEL_NET},
                  {"api", CONFIG_LOG_LEVEL_API},
                  {"protocol", CONFIG_LOG_LEVEL_PROTOCOL},
                  {"coordinator", CONFIG_LOG_LEVEL_COORDINATOR},
                  {"metadata", CONFIG_LOG_LEVEL_METADATA},
                  {"storage", CONFIG_LOG_LEVEL_STORAGE},
                  {"record", CONFIG_LOG_LEVEL_RECORD},
                  {"zerocopy", CONFIG_LOG_LEVEL_ZEROCOPY},
                  {"base", CONFIG_LOG_LEVEL_BASE}};

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (config_is_set(config, levels[i].id))
            /* both are from our own tables: cannot fail */
            (void)logger_set_level(levels[i].component,
                                   config_string(config, levels[i].id));
}

static int run(config_t *config, apr_pool_t *pool)
{
    broker_process_t *broker;
    const char *error = NULL;
    apr_status_t status, stopped;

    set_log_levels(config);
    if ((status = signals_prepare())) {
        LOG_ERROR(main, "cannot take signals: %s", LOG_STATUS(status));
        return EXIT_FAILURE;
    }
    if ((status = broker_start(&broker, config, &error, pool))) {
        LOG_ERROR(main, "cannot start: %s",
                  error ? error : LOG_STATUS(status));
        return EXIT_FAILURE;
    }
    if ((status = signals_wait()))
        LOG_ERROR(main, "cannot wait for signals: %s", LOG_STATUS(status));
    if ((stopped = broker_stop(broker)))
        LOG_ERROR(main, "did not stop cleanly: %s", LOG_STATUS(stopped));
    return status || stopped ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int act(int argc, const char *const *argv, apr_pool_t *pool)
{
    const char *error;
    options_t options;
    config_t *config;

    if (options_parse(&options, argc, argv, &error, pool)) {
        fprintf(stderr, "%s (--help lists the arguments)\n", error);
        return EXIT_USAGE;
    }
    switch (options.action) {
    case OPTIONS_HELP:
        fputs(options_help, stdout);
        return EXIT_SUCCESS;
    case OPTIONS_VERSION:
        puts("takhind " TAKHIN_VERSION);
        return EXIT_SUCCESS;
    case OPTIONS_HELP_CONFIG:
        fputs(config_help(pool), stdout);
        return EXIT_SUCCESS;
    default:
        if (configure(&config, &options, pool))
            return EXIT_USAGE;
        return options.action == OPTIONS_RUN ? run(config, pool)
                                             : EXIT_SUCCESS;
    }
}

int main(int argc, const char *const *argv, const char *const *env)
{
    apr_pool_t *pool;
    int code;

    if (apr_app_initialize(&argc, &argv, &env) != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        fputs("takhind: cannot initialise APR\n", stderr);
        return EXIT_FAILURE;
    }
    /* Pools inherit it from APR's own, which is the parent of all. */
    apr_pool_abort_set(out_of_memory, pool);
    apr_pool_abort_set(out_of_memory, apr_pool_parent_get(pool));
    code = act(argc, argv, pool);
    /* Before what it keeps in pools of their own: apr_terminate would destroy
       those first, and again in this pool's cleanups. */
    apr_pool_destroy(pool);
    apr_terminate();
    return code;
}
