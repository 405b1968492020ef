/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals on Unix: blocked in every thread, taken one by one by the main
 * thread, so that no code of ours ever runs inside a signal handler.
 */
#include "main/signals.h"

#include <apr_signal.h>
#include <apr_thread_proc.h>
#include <signal.h>

apr_status_t signals_prepare(void)
{
    apr_signal(SIGPIPE, SIG_IGN);
    return apr_setup_signal_thread();
}

/* 1 ends the wait. */
static int is_stop(int number)
{
    return number == SIGTERM || number == SIGINT;
}

apr_status_t signals_wait(void)
{
    apr_status_t status = apr_signal_thread(is_stop);

    if (status)
        return status;
    return apr_signal_unblock(SIGINT);
}
