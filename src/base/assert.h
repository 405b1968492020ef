/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariants that stay on in production: a broker that goes on with a broken
 * one writes wrong bytes. Never for what comes from outside: that is checked
 * and answered.
 */
#ifndef TAKHIN_BASE_ASSERT_H
#define TAKHIN_BASE_ASSERT_H

/* Aborts with file, line and the expression on standard error. */
#define TAKHIN_ASSERT(cond)                                                    \
    ((cond) ? (void)0 : assert_failed(__FILE__, __LINE__, __func__, #cond))

void assert_failed(const char *file, int line, const char *function,
                   const char *expression) __attribute__((noreturn, cold));

#endif
