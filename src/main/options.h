/* SPDX-License-Identifier: Apache-2.0 */
/* The program's arguments. */
#ifndef TAKHIN_MAIN_OPTIONS_H
#define TAKHIN_MAIN_OPTIONS_H

#include <apr_tables.h>

typedef enum {
    OPTIONS_RUN,
    OPTIONS_CHECK_CONFIG,
    OPTIONS_HELP,
    OPTIONS_HELP_CONFIG,
    OPTIONS_VERSION
} options_action_t;

typedef struct {
    options_action_t action;
    const char *config_file;       /* or NULL */
    apr_array_header_t *overrides; /* const char *, "key=value", in order */
} options_t;

/*
 * Fills *OPTIONS from the arguments. Otherwise returns APR_BADARG, and *ERROR
 * says in one line what is wrong with them. All in POOL; the strings of ARGV
 * are referred to.
 */
apr_status_t options_parse(options_t *options, int argc,
                           const char *const *argv, const char **error,
                           apr_pool_t *pool);

/* What --help prints. */
extern const char options_help[];

#endif
