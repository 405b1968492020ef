/* SPDX-License-Identifier: Apache-2.0 */
/* How the system tells the program to stop: signals_unix.c, signals_win32.c. */
#ifndef TAKHIN_MAIN_SIGNALS_H
#define TAKHIN_MAIN_SIGNALS_H

#include <apr_errno.h>

/* Before any thread is started: no thread of the program is interrupted from
 * now on, and a peer that closes its connection is an error, not a signal. */
apr_status_t signals_prepare(void);

/* Returns when the program shall stop (SIGTERM, SIGINT, the console's close).
 * After it, another SIGINT ends the program at once. The main thread only. */
apr_status_t signals_wait(void);

#endif
