/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the program's arguments; does nothing with them. */
#include "main/options.h"

#include <apr_getopt.h>
#include <apr_strings.h>
#include <stdarg.h>
#include <string.h>

const char options_help[] =
    "takhind: a Kafka-compatible streaming broker\n"
    "\n"
    "  takhind [--config FILE] [--set KEY=VALUE]...\n"
    "\n"
    "  -c, --config FILE    read properties from FILE\n"
    "  -s, --set KEY=VALUE  set a property; wins over the file; repeatable\n"
    "  -t, --check-config   check the configuration, and do not start\n"
    "      --help-config    print every property with its type, default and\n"
    "                       meaning\n"
    "  -v, --version        print the version\n"
    "  -h, --help           print this\n"
    "\n"
    "It runs in the foreground and stops cleanly on SIGTERM or SIGINT.\n"
    "\n"
    "Exit status: 0 stopped cleanly, 1 failed, 2 wrong arguments or\n"
    "configuration.\n";

enum { HELP_CONFIG = 256 };

static const apr_getopt_option_t known[] = {
    {"config", 'c', 1, NULL},
    {"set", 's', 1, NULL},
    {"check-config", 't', 0, NULL},
    {"help-config", HELP_CONFIG, 0, NULL},
    {"version", 'v', 0, NULL},
    {"help", 'h', 0, NULL},
    {NULL, 0, 0, NULL}};

/* What apr_getopt_long says about a wrong argument goes here. */
typedef struct {
    const char *text;
    apr_pool_t *pool;
} complaint_t;

static void complain(void *baton, const char *format, ...)
{
    complaint_t *complaint = baton;
    va_list args;
    char *text;

    va_start(args, format);
    text = apr_pvsprintf(complaint->pool, format, args);
    va_end(args);
    text[strcspn(text, "\n")] = '\0';
    complaint->text = text;
}

apr_status_t options_parse(options_t *options, int argc,
                           const char *const *argv, const char **error,
                           apr_pool_t *pool)
{
    complaint_t complaint = {"takhind: wrong arguments", pool};
    apr_getopt_t *getopt;
    apr_status_t status;
    const char *value;
    int option;

    memset(options, 0, sizeof *options);
    options->overrides = apr_array_make(pool, 4, sizeof(char *));
    if ((status = apr_getopt_init(&getopt, pool, argc, argv)))
        return status;
    getopt->errfn = complain;
    getopt->errarg = &complaint;
    while (!(status = apr_getopt_long(getopt, known, &option, &value))) {
        switch (option) {
        case 'c':
            options->config_file = value;
            break;
        case 's':
            APR_ARRAY_PUSH(options->overrides, const char *) = value;
            break;
        case 't':
            options->action = OPTIONS_CHECK_CONFIG;
            break;
        case 'v':
            options->action = OPTIONS_VERSION;
            break;
        case 'h':
            options->action = OPTIONS_HELP;
            break;
        case HELP_CONFIG:
            options->action = OPTIONS_HELP_CONFIG;
            break;
        }
    }
    if (status == APR_EOF && getopt->ind < argc) {
        complain(&complaint, "takhind: unexpected argument: %s",
                 argv[getopt->ind]);
        status = APR_BADARG;
    }
    *error = complaint.text;
    return status == APR_EOF ? APR_SUCCESS : APR_BADARG;
}
