/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux: sendfile(2) to a socket, splice(2) to a pipe, copy_file_range(2) from
 * file to file (4.5 and later; an older kernel says ENOSYS). One attempt each,
 * always with an explicit offset.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* splice, copy_file_range */
#endif

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "zerocopy/zerocopy_unix.h"

/* Linux moves at most this much in one call, whatever it is asked for; where
 * size_t has 32 bits it must not be asked for more. */
#define CALL_MAX 0x7ffff000

static size_t call_share(apr_off_t count)
{
    return count < CALL_MAX ? (size_t)count : (size_t)CALL_MAX;
}

static apr_status_t result(ssize_t n, apr_off_t *moved)
{
    if (n < 0) {
        *moved = 0;
        return APR_FROM_OS_ERROR(errno);
    }
    *moved = n;
    return APR_SUCCESS;
}

static apr_status_t linux_send_socket(apr_socket_t *to, apr_file_t *from,
                                      apr_off_t offset, apr_off_t count,
                                      apr_off_t *moved)
{
    off_t position = offset;

    return result(sendfile(zerocopy_unix_socket(to), zerocopy_unix_file(from),
                           &position, call_share(count)),
                  moved);
}

static apr_status_t linux_send_pipe(apr_file_t *to, apr_file_t *from,
                                    apr_off_t offset, apr_off_t count,
                                    apr_off_t *moved)
{
    int pipe = zerocopy_unix_file(to);
    int flags = fcntl(pipe, F_GETFL);
    loff_t position = offset;

    /* Before 5.1 splice heeds its own flag alone, not the descriptor's. */
    flags = flags != -1 && (flags & O_NONBLOCK) ? SPLICE_F_NONBLOCK : 0;
    return result(splice(zerocopy_unix_file(from), &position, pipe, NULL,
                         call_share(count), (unsigned)flags),
                  moved);
}

static apr_status_t linux_copy_range(apr_file_t *from, apr_off_t from_offset,
                                     apr_file_t *to, apr_off_t to_offset,
                                     apr_off_t count, apr_off_t *moved)
{
    loff_t in = from_offset;
    loff_t out = to_offset;

    return result(copy_file_range(zerocopy_unix_file(from), &in,
                                  zerocopy_unix_file(to), &out,
                                  call_share(count), 0),
                  moved);
}

const zerocopy_calls_t zerocopy_native = {
    .send_socket = linux_send_socket,
    .send_pipe = linux_send_pipe,
    .copy_range = linux_copy_range,
    .read_at = zerocopy_unix_read_at,
    .write_at = zerocopy_unix_write_at,
    .write_socket = zerocopy_unix_write_socket,
    .write_pipe = zerocopy_unix_write_pipe,
};
