/* SPDX-License-Identifier: Apache-2.0 */
/*
 * macOS: sendfile(2) with a length that goes in and out. It has no splice and
 * nothing that copies a range from file to file, so those are plain copies.
 */
#include <errno.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "zerocopy/zerocopy_unix.h"

static apr_status_t darwin_send_socket(apr_socket_t *to, apr_file_t *from,
                                       apr_off_t offset, apr_off_t count,
                                       apr_off_t *moved)
{
    /* 0 would mean "to the end of the file"; a count is never 0 */
    off_t length = count;
    int error = 0;

    if (sendfile(zerocopy_unix_file(from), zerocopy_unix_socket(to), offset,
                 &length, NULL, 0) == -1) {
        error = errno;
    }
    /* With these two LENGTH is what was sent before; with any other error it
     * may still be what was asked for. */
    if (error == 0 || error == EAGAIN || error == EINTR) {
        *moved = length;
    } else {
        *moved = 0;
    }
    return APR_FROM_OS_ERROR(error);
}

const zerocopy_calls_t zerocopy_native = {
    .send_socket = darwin_send_socket,
    .read_at = zerocopy_unix_read_at,
    .write_at = zerocopy_unix_write_at,
    .write_socket = zerocopy_unix_write_socket,
    .write_pipe = zerocopy_unix_write_pipe,
};
