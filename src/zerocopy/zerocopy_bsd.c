/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FreeBSD: sendfile(2), which reports what it sent beside its status, and
 * copy_file_range(2) (13 and later). It has no splice to a pipe, so that is a
 * plain copy.
 */
#include <errno.h>
#include <limits.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "zerocopy/zerocopy_unix.h"

/* copy_file_range refuses more than SSIZE_MAX, which is 31 bits on some. */
static size_t call_share(apr_off_t count)
{
    return count < INT_MAX ? (size_t)count : (size_t)INT_MAX;
}

static apr_status_t bsd_send_socket(apr_socket_t *to, apr_file_t *from,
                                    apr_off_t offset, apr_off_t count,
                                    apr_off_t *moved)
{
    off_t bytes = 0; /* stays so when the call is refused outright */
    int error = 0;

    if (sendfile(zerocopy_unix_file(from), zerocopy_unix_socket(to), offset,
                 call_share(count), NULL, &bytes, 0) == -1) {
        error = errno;
    }
    *moved = bytes;
    return APR_FROM_OS_ERROR(error);
}

static apr_status_t bsd_copy_range(apr_file_t *from, apr_off_t from_offset,
                                   apr_file_t *to, apr_off_t to_offset,
                                   apr_off_t count, apr_off_t *moved)
{
    off_t in = from_offset;
    off_t out = to_offset;
    ssize_t n =
        copy_file_range(zerocopy_unix_file(from), &in, zerocopy_unix_file(to),
                        &out, call_share(count), 0);

    if (n < 0) {
        *moved = 0;
        return APR_FROM_OS_ERROR(errno);
    }
    *moved = n;
    return APR_SUCCESS;
}

const zerocopy_calls_t zerocopy_native = {
    .send_socket = bsd_send_socket,
    .copy_range = bsd_copy_range,
    .read_at = zerocopy_unix_read_at,
    .write_at = zerocopy_unix_write_at,
    .write_socket = zerocopy_unix_write_socket,
    .write_pipe = zerocopy_unix_write_pipe,
};
