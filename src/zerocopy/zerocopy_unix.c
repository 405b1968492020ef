/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Positional reads and writes and plain writes on Unix. They go to the
 * descriptor and not through APR, because APR has no positional calls and
 * waits in its writes when a timeout is set; nothing here ever waits for a
 * non-blocking descriptor.
 */
#include <errno.h>
#include <unistd.h>

#include <apr_portable.h>

#include "zerocopy/zerocopy_unix.h"

int zerocopy_unix_file(apr_file_t *file)
{
    apr_os_file_t fd;

    return apr_os_file_get(&fd, file) == APR_SUCCESS ? fd : -1;
}

int zerocopy_unix_socket(apr_socket_t *socket)
{
    apr_os_sock_t fd;

    return apr_os_sock_get(&fd, socket) == APR_SUCCESS ? fd : -1;
}

/* Turns what a system call returned into a length and a status. */
static apr_status_t result(ssize_t n, apr_size_t *length)
{
    if (n < 0) {
        *length = 0;
        return APR_FROM_OS_ERROR(errno);
    }
    *length = (apr_size_t)n;
    return APR_SUCCESS;
}

apr_status_t zerocopy_unix_read_at(apr_file_t *file, void *data,
                                   apr_size_t *length, apr_off_t offset)
{
    return result(pread(zerocopy_unix_file(file), data, *length, offset),
                  length);
}

apr_status_t zerocopy_unix_write_at(apr_file_t *file, const void *data,
                                    apr_size_t *length, apr_off_t offset)
{
    return result(pwrite(zerocopy_unix_file(file), data, *length, offset),
                  length);
}

apr_status_t zerocopy_unix_write_socket(apr_socket_t *socket, const void *data,
                                        apr_size_t *length)
{
    return result(write(zerocopy_unix_socket(socket), data, *length), length);
}

apr_status_t zerocopy_unix_write_pipe(apr_file_t *pipe, const void *data,
                                      apr_size_t *length)
{
    return result(write(zerocopy_unix_file(pipe), data, *length), length);
}
