/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test program in C: CUnit's assertions, TAP on standard output.
 *
 *     #include "unit.h"
 *     static void rolls_when_segment_bytes_is_reached(void)
 *     {
 *         CU_ASSERT_EQUAL(...);
 *     }
 *     UNIT_MAIN(UNIT_TEST(rolls_when_segment_bytes_is_reached), ...)
 *
 * The program runs all its tests, or those whose name contains one of its
 * arguments, and exits 1 when one failed.
 */
#ifndef TAKHIN_UNIT_H
#define TAKHIN_UNIT_H

#include <CUnit/CUnit.h>
#include <apr_pools.h>

typedef struct {
    const char *name;
    void (*run)(void);
} unit_test_t;

#define UNIT_TEST(function) {#function, function}

#define UNIT_MAIN(...)                                                         \
    int main(int argc, const char *const *argv)                                \
    {                                                                          \
        static const unit_test_t tests[] = {__VA_ARGS__};                      \
        return unit_main(argc, argv, tests, sizeof tests / sizeof *tests);     \
    }

/* A status must be APR_SUCCESS; says which it was. */
#define UNIT_OK(status) unit_ok((status), #status, __FILE__, __LINE__)

/* The pool of the running test: cleared behind it. */
apr_pool_t *unit_pool(void);

/* A fresh directory, removed with its contents when the program exits. */
const char *unit_tmpdir(void);

/* The running test counts as skipped: WHY is a literal. Return after it. */
void unit_skip(const char *why);

/* Removes PATH and, where it is a directory, all below it. */
void unit_remove(const char *path);

int unit_ok(apr_status_t status, const char *what, const char *file, int line);
int unit_main(int argc, const char *const *argv, const unit_test_t *tests,
              size_t count);

#endif
