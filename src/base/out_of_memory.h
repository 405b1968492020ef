/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the process ends where memory is missing and nobody can be told: in a
 * pool, and where half a change cannot be undone. What was acknowledged is on
 * the device, so it is as good as a kill, and the next start recovers.
 */
#ifndef TAKHIN_BASE_OUT_OF_MEMORY_H
#define TAKHIN_BASE_OUT_OF_MEMORY_H

enum { OUT_OF_MEMORY_EXIT = 3 }; /* the exit code */

/* One line on standard error, and the end: an apr_abortfunc_t. Any thread. */
int out_of_memory(int status);

#endif
