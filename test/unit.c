/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the tests of one program and prints TAP. */
#include "unit.h"

#include <CUnit/TestRun.h>
#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static apr_pool_t *program_pool, *test_pool;
static const char *skipped;
static int number, failed;

apr_pool_t *unit_pool(void)
{
    return test_pool;
}

void unit_skip(const char *why)
{
    skipped = why;
}

int unit_ok(apr_status_t status, const char *what, const char *file, int line)
{
    char text[128], message[512];

    if (status == APR_SUCCESS) {
        CU_assertImplementation(CU_TRUE, (unsigned)line, what, file, "",
                                CU_FALSE);
        return 1;
    }
    apr_snprintf(message, sizeof message, "%s is %d: %s", what, status,
                 takhin_strerror(status, text, sizeof text));
    CU_assertImplementation(CU_FALSE, (unsigned)line, message, file, "",
                            CU_FALSE);
    return 0;
}

void unit_remove(const char *path)
{
    apr_pool_t *pool;
    apr_finfo_t info;
    apr_dir_t *dir;

    apr_pool_create(&pool, NULL);
    /* what cannot be removed stays: test/run removes the directory above */
    if (apr_dir_open(&dir, path, pool) != APR_SUCCESS) {
        apr_file_remove(path, pool);
    } else {
        while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS)
            if (strcmp(info.name, ".") != 0 && strcmp(info.name, "..") != 0)
                unit_remove(apr_pstrcat(pool, path, "/", info.name, NULL));
        apr_dir_close(dir);
        apr_dir_remove(path, pool);
    }
    apr_pool_destroy(pool);
}

static apr_status_t remove_at_exit(void *path)
{
    unit_remove(path);
    return APR_SUCCESS;
}

const char *unit_tmpdir(void)
{
    static int count;
    const char *parent;
    char *path;

    if (apr_temp_dir_get(&parent, program_pool) != APR_SUCCESS)
        abort();
    do { /* until nobody has it: an earlier run may have crashed */
        path = apr_psprintf(program_pool, "%s/takhin-%" APR_TIME_T_FMT "-%d",
                            parent, apr_time_now(), count++);
    } while (apr_dir_make(path, APR_OS_DEFAULT, program_pool) != APR_SUCCESS);
    apr_pool_pre_cleanup_register(program_pool, path, remove_at_exit);
    return path;
}

static void print_result(const CU_pTest test, const CU_pSuite suite,
                         const CU_pFailureRecord failures)
{
    CU_pFailureRecord f = failures;

    (void)suite;
    number++;
    printf("%s %d - %s", failures ? "not ok" : "ok", number, test->pName);
    if (skipped && !failures)
        printf(" # SKIP %s", skipped);
    printf("\n");
    for (; f; f = f->pNext)
        printf("# %s:%u: %s\n", f->strFileName ? f->strFileName : "",
               f->uiLineNumber, f->strCondition ? f->strCondition : "");
    fflush(stdout);
    failed += failures != NULL;
    skipped = NULL;
    apr_pool_clear(test_pool);
}

/* Whether a test of this NAME was asked for. */
static int is_wanted(const char *name, int argc, const char *const *argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(name, argv[i]))
            return 1;
    return argc < 2;
}

int unit_main(int argc, const char *const *argv, const unit_test_t *tests,
              size_t count)
{
    CU_pSuite suite;
    int wanted = 0;

    if (apr_app_initialize(&argc, &argv, NULL) != APR_SUCCESS ||
        apr_pool_create(&program_pool, NULL) != APR_SUCCESS ||
        apr_pool_create(&test_pool, program_pool) != APR_SUCCESS ||
        CU_initialize_registry() != CUE_SUCCESS)
        abort();
    suite = CU_add_suite("unit", NULL, NULL);
    for (size_t i = 0; i < count; i++)
        if (is_wanted(tests[i].name, argc, argv)) {
            CU_add_test(suite, tests[i].name, tests[i].run);
            wanted++;
        }
    printf("1..%d\n", wanted);
    fflush(stdout);
    CU_set_test_complete_handler(print_result);
    CU_run_all_tests();
    CU_cleanup_registry();
    apr_terminate();
    return failed != 0;
}
