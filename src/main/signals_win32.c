/* SPDX-License-Identifier: Apache-2.0 */
/* The console's events on Windows: Ctrl+C, Ctrl+Break, closing, shutdown. */
#include "main/signals.h"

#include <windows.h>

static HANDLE stop;

static BOOL WINAPI on_event(DWORD event)
{
    if (event == CTRL_C_EVENT && WaitForSingleObject(stop, 0) == WAIT_OBJECT_0)
        return FALSE; /* the second one: Windows ends the program */
    SetEvent(stop);
    /* Windows ends the program when this returns from one of these: leave the
     * main thread its time to stop cleanly */
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT)
        Sleep(INFINITE);
    return TRUE;
}

apr_status_t signals_prepare(void)
{
    stop = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!stop || !SetConsoleCtrlHandler(on_event, TRUE))
        return apr_get_os_error();
    return APR_SUCCESS;
}

apr_status_t signals_wait(void)
{
    if (WaitForSingleObject(stop, INFINITE) != WAIT_OBJECT_0)
        return apr_get_os_error();
    return APR_SUCCESS;
}
