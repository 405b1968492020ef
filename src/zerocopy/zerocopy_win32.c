/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows: TransmitFile to a socket that may be waited for, with the offset in
 * an OVERLAPPED structure. A non-blocking socket gets a plain copy instead: an
 * overlapped TransmitFile is done only when the receiver has taken the bytes,
 * whatever mode the socket is in, and one that is cancelled doesn't say
 * reliably how far it came, so nothing could go on after it.
 *
 * Positional reads move the file pointer of a handle that wasn't opened for
 * overlapped use. Nothing here looks at it, so threads don't disturb each
 * other; who also reads through APR from the same apr_file_t is disturbed.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>

#include <apr_portable.h>

#include "zerocopy/zerocopy_internal.h"

/* TransmitFile takes at most 2^31 - 2 bytes a call. */
#define TRANSMIT_MAX 2147483646

/* Makes ENTRY start at OFFSET and gives it an event to wait on, because the
 * handle itself may have several operations under way. */
static apr_status_t overlapped_open(OVERLAPPED *entry, apr_off_t offset)
{
    ZeroMemory(entry, sizeof(*entry));
    entry->Offset = (DWORD)((apr_uint64_t)offset & 0xffffffff);
    entry->OffsetHigh = (DWORD)((apr_uint64_t)offset >> 32);
    entry->hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    return entry->hEvent != NULL ? APR_SUCCESS : apr_get_os_error();
}

/* Waits for what STARTED says was begun on FILE. Sets *LENGTH to its bytes;
 * the end of the file is success with none. */
static apr_status_t file_finish(HANDLE file, BOOL started, OVERLAPPED *entry,
                                apr_size_t *length)
{
    DWORD moved = 0;
    DWORD error = started ? ERROR_SUCCESS : GetLastError();

    *length = 0;
    if (error == ERROR_SUCCESS || error == ERROR_IO_PENDING) {
        error = GetOverlappedResult(file, entry, &moved, TRUE) ? ERROR_SUCCESS
                                                               : GetLastError();
    }
    CloseHandle(entry->hEvent);
    if (error == ERROR_HANDLE_EOF) {
        return APR_SUCCESS;
    }
    *length = moved;
    return APR_FROM_OS_ERROR(error);
}

static DWORD file_share(apr_size_t length)
{
    return length < TRANSMIT_MAX ? (DWORD)length : (DWORD)TRANSMIT_MAX;
}

static apr_status_t win32_read_at(apr_file_t *file, void *data,
                                  apr_size_t *length, apr_off_t offset)
{
    OVERLAPPED entry;
    HANDLE handle;
    DWORD wanted = file_share(*length);
    apr_status_t status = apr_os_file_get(&handle, file);

    *length = 0;
    if (status == APR_SUCCESS) {
        status = overlapped_open(&entry, offset);
    }
    if (status != APR_SUCCESS) {
        return status;
    }
    return file_finish(handle, ReadFile(handle, data, wanted, NULL, &entry),
                       &entry, length);
}

static apr_status_t win32_write_at(apr_file_t *file, const void *data,
                                   apr_size_t *length, apr_off_t offset)
{
    OVERLAPPED entry;
    HANDLE handle;
    DWORD wanted = file_share(*length);
    apr_status_t status = apr_os_file_get(&handle, file);

    *length = 0;
    if (status == APR_SUCCESS) {
        status = overlapped_open(&entry, offset);
    }
    if (status != APR_SUCCESS) {
        return status;
    }
    return file_finish(handle, WriteFile(handle, data, wanted, NULL, &entry),
                       &entry, length);
}

static apr_status_t win32_write_socket(apr_socket_t *socket, const void *data,
                                       apr_size_t *length)
{
    apr_os_sock_t handle;
    apr_status_t status = apr_os_sock_get(&handle, socket);
    int wanted = (int)file_share(*length);
    int n;

    *length = 0;
    if (status != APR_SUCCESS) {
        return status;
    }
    n = send(handle, data, wanted, 0);
    if (n == SOCKET_ERROR) {
        return apr_get_netos_error();
    }
    *length = (apr_size_t)n;
    return APR_SUCCESS;
}

static apr_status_t win32_write_pipe(apr_file_t *pipe, const void *data,
                                     apr_size_t *length)
{
    return apr_file_write(pipe, data, length);
}

/* Whether SOCKET must not be waited for. With a timeout above zero APR keeps
 * the socket blocking here and lets Windows time it. */
static int is_nonblocking(apr_socket_t *socket)
{
    apr_int32_t nonblock = 0;
    apr_interval_time_t timeout = -1;

    (void)apr_socket_opt_get(socket, APR_SO_NONBLOCK, &nonblock);
    (void)apr_socket_timeout_get(socket, &timeout);
    return nonblock > 0 || timeout == 0;
}

/* Waits for what STARTED says was begun on SOCKET. */
static apr_status_t transmit_finish(SOCKET socket, BOOL started,
                                    OVERLAPPED *entry, apr_off_t *moved)
{
    DWORD sent = 0;
    DWORD flags = 0;
    int error = started ? 0 : WSAGetLastError();

    if (error == 0 || error == WSA_IO_PENDING || error == ERROR_IO_PENDING) {
        error = WSAGetOverlappedResult(socket, entry, &sent, TRUE, &flags)
                    ? 0
                    : WSAGetLastError();
    }
    CloseHandle(entry->hEvent);
    *moved = sent;
    return APR_FROM_OS_ERROR(error);
}

/* How many of COUNT bytes FILE has at OFFSET: TransmitFile refuses to go
 * beyond the end instead of stopping there. */
static apr_status_t file_extent(HANDLE file, apr_off_t offset, apr_off_t *count)
{
    LARGE_INTEGER size;

    if (!GetFileSizeEx(file, &size)) {
        return apr_get_os_error();
    }
    if (offset >= size.QuadPart) {
        *count = 0;
    } else if (*count > size.QuadPart - offset) {
        *count = size.QuadPart - offset;
    }
    return APR_SUCCESS;
}

static apr_status_t win32_send_socket(apr_socket_t *to, apr_file_t *from,
                                      apr_off_t offset, apr_off_t count,
                                      apr_off_t *moved)
{
    OVERLAPPED entry;
    HANDLE file;
    apr_os_sock_t socket;
    apr_status_t status;

    *moved = 0;
    if (is_nonblocking(to)) {
        return ZEROCOPY_EWOULDWAIT;
    }
    if ((status = apr_os_file_get(&file, from)) != APR_SUCCESS ||
        (status = apr_os_sock_get(&socket, to)) != APR_SUCCESS ||
        (status = file_extent(file, offset, &count)) != APR_SUCCESS ||
        count == 0 ||
        (status = overlapped_open(&entry, offset)) != APR_SUCCESS) {
        return status;
    }
    if (count > TRANSMIT_MAX) {
        count = TRANSMIT_MAX;
    }
    return transmit_finish(
        socket, TransmitFile(socket, file, (DWORD)count, 0, &entry, NULL, 0),
        &entry, moved);
}

const zerocopy_calls_t zerocopy_native = {
    .send_socket = win32_send_socket,
    .read_at = win32_read_at,
    .write_at = win32_write_at,
    .write_socket = win32_write_socket,
    .write_pipe = win32_write_pipe,
};
