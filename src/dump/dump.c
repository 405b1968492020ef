/* SPDX-License-Identifier: Apache-2.0 */
/*
 * takhin-dump: arguments, and how what is found is said. See dump.h for what
 * it must never do.
 */
#include "dump/dump.h"

#include <apr_file_info.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <takhin/version.h>

#include "base/error.h"
#include "base/fs.h"

enum { EXIT_PROBLEMS = 1, EXIT_USAGE = 2 };

#define READ_LIMIT ((apr_size_t)1 << 30) /* of a file that is read whole */

static const char usage[] =
    "usage: takhin-dump [OPTION...] PATH...\n"
    "Prints or verifies the files of a data directory, of Takhin or of Kafka.\n"
    "PATH is an entry of log.dirs, a partition's directory in it, or a file.\n"
    "Nothing is ever written. Do not expect a running broker's files to "
    "agree.\n"
    "\n"
    "  --verify      print only what is wrong, one line each: file, position,\n"
    "                what; and a summary\n"
    "  --records     print the records, too, not only their batches\n"
    "  --whole       print keys and values to their end\n"
    "  --as KIND     how to read records: plain, metadata, groups,\n"
    "                transactions, shares (default: by the directory's name)\n"
    "  --help        this\n"
    "  --version     the version\n"
    "\n"
    "Exit status: 0 nothing is wrong, 1 something is, 2 wrong arguments.\n";

static const char *const kinds[] = {"plain", "metadata", "groups",
                                    "transactions", "shares"};

/* ---- saying it ---------------------------------------------------------- */

static void say(FILE *out, const char *format, va_list arguments)
{
    vfprintf(out, format, arguments);
    putc('\n', out);
}

void dump_line(dump_t *dump, const char *format, ...)
{
    va_list arguments;

    if (dump->verify)
        return;
    va_start(arguments, format);
    say(dump->out, format, arguments);
    va_end(arguments);
}

static void say_place(FILE *out, const char *path, int64_t position)
{
    if (position >= 0)
        fprintf(out, "%s: %" APR_INT64_T_FMT ": ", path, position);
    else
        fprintf(out, "%s: ", path);
}

void dump_problem(dump_t *dump, const char *path, int64_t position,
                  const char *format, ...)
{
    va_list arguments;

    dump->problems++;
    if (!dump->out)
        return;
    if (!dump->verify)
        fputs("problem: ", dump->out);
    say_place(dump->out, path, position);
    va_start(arguments, format);
    say(dump->out, format, arguments);
    va_end(arguments);
}

void dump_note(dump_t *dump, const char *path, int64_t position,
               const char *format, ...)
{
    va_list arguments;

    if (!dump->out)
        return;
    fputs("note: ", dump->out);
    say_place(dump->out, path, position);
    va_start(arguments, format);
    say(dump->out, format, arguments);
    va_end(arguments);
}

uint8_t *dump_read(dump_t *dump, const char *path, apr_size_t *length,
                   apr_pool_t *pool)
{
    char *data, why[128];
    apr_status_t status = fs_read_whole(path, READ_LIMIT, &data, length, pool);

    if (!status)
        return (uint8_t *)data;
    dump_problem(dump, path, -1, "%s",
                 takhin_strerror(status, why, sizeof(why)));
    return NULL;
}

/* ---- arguments ---------------------------------------------------------- */

static int kind_named(const char *name)
{
    for (size_t i = 0; name && i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(name, kinds[i]) == 0)
            return (int)i;
    return -1;
}

/* Index of the first PATH; 0 when the arguments are wrong, -1 when all is
 * done. */
static int take_options(dump_t *dump, int argc, const char *const *argv)
{
    int i;

    for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "--verify") == 0) {
            dump->verify = 1;
        } else if (strcmp(argv[i], "--records") == 0) {
            dump->records = 1;
        } else if (strcmp(argv[i], "--whole") == 0) {
            dump->whole = 1;
        } else if (strcmp(argv[i], "--as") == 0) {
            dump->kind = kind_named(++i < argc ? argv[i] : NULL);
            if (dump->kind < 0)
                return 0;
        } else if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return -1;
        } else if (strcmp(argv[i], "--version") == 0) {
            puts("takhin-dump " TAKHIN_VERSION);
            return -1;
        } else if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        } else {
            return 0;
        }
    }
    return i < argc ? i : 0;
}

static void dump_path(dump_t *dump, const char *argument)
{
    char *path = apr_pstrdup(dump->pool, argument), why[128];
    apr_size_t length = strlen(path);
    fs_stat_t stat;
    apr_status_t status;

    while (length > 1 && path[length - 1] == '/')
        path[--length] = '\0';
    status = fs_stat(path, &stat);
    if (status)
        dump_problem(dump, path, -1, "%s",
                     takhin_strerror(status, why, sizeof(why)));
    else if (stat.type == APR_DIR)
        dump_directory(dump, path);
    else
        dump_file(dump, path);
}

static int run(int argc, const char *const *argv, apr_pool_t *pool)
{
    dump_t dump = {.out = stdout, .pool = pool, .kind = -1};
    int first = take_options(&dump, argc, argv);

    if (first < 0)
        return EXIT_SUCCESS;
    if (first == 0) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    apr_pool_create(&dump.scratch, pool);
    for (int i = first; i < argc; i++)
        dump_path(&dump, argv[i]);
    record_scratch_free(&dump.codec);
    if (dump.verify)
        printf("%ld files, %ld batches, %ld records, %ld problems\n",
               dump.files, dump.batches, dump.record_count, dump.problems);
    if (fflush(stdout)) {
        fputs("takhin-dump: standard output cannot be written\n", stderr);
        return EXIT_PROBLEMS;
    }
    return dump.problems ? EXIT_PROBLEMS : EXIT_SUCCESS;
}

int main(int argc, const char *const *argv, const char *const *env)
{
    apr_pool_t *pool;
    int code;

    if (apr_app_initialize(&argc, &argv, &env) != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        fputs("takhin-dump: cannot initialise APR\n", stderr);
        return EXIT_PROBLEMS;
    }
    code = run(argc, argv, pool);
    apr_terminate();
    return code;
}
