/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any other Unix: apr_socket_sendfile where APR has one, else plain copies.
 * APR waits in it when the socket has a timeout above zero.
 */
#include "zerocopy/zerocopy_unix.h"

#if APR_HAS_SENDFILE

/* Systems differ in what one call takes; this they all do. */
#define CALL_MAX 0x40000000

static apr_status_t other_send_socket(apr_socket_t *to, apr_file_t *from,
                                      apr_off_t offset, apr_off_t count,
                                      apr_off_t *moved)
{
    apr_size_t length = count < CALL_MAX ? (apr_size_t)count : CALL_MAX;
    apr_status_t status =
        apr_socket_sendfile(to, from, NULL, &offset, &length, 0);

    *moved = (apr_off_t)length;
    return status;
}

#else
#define other_send_socket NULL
#endif

const zerocopy_calls_t zerocopy_native = {
    .send_socket = other_send_socket,
    .read_at = zerocopy_unix_read_at,
    .write_at = zerocopy_unix_write_at,
    .write_socket = zerocopy_unix_write_socket,
    .write_pipe = zerocopy_unix_write_pipe,
};
