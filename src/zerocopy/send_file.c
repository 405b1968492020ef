/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending and copying file ranges: the system's own call as long as it takes
 * them, then a plain copy from the byte where it stopped. All decisions are
 * made here, once for all systems: what is repeated, what is the end of the
 * file, what makes a copy of it. It never waits and never asks what system it
 * runs on.
 */
#include <errno.h>
#include <stdint.h>

#include "zerocopy/zerocopy_internal.h"

_Static_assert(sizeof(apr_off_t) == 8, "APR must be built for large files");

const zerocopy_calls_t *zerocopy_calls = &zerocopy_native;

int zerocopy_range_valid(apr_off_t offset, apr_off_t count)
{
    return offset >= 0 && count >= 0 && offset <= INT64_MAX - count;
}

/*
 * Whether STATUS says that this call will not do it but a copy may, and sets
 * *REASON. An error that the copy would meet as well may be here: the copy
 * returns it.
 */
static int falls_back(apr_status_t status, takhin_fallback_t *reason)
{
    if (status == ENOSYS || APR_STATUS_IS_ENOTIMPL(status)) {
        *reason = TAKHIN_FALLBACK_ENOSYS;
    } else if (APR_STATUS_IS_EINVAL(status)) {
        *reason = TAKHIN_FALLBACK_EINVAL;
    } else if (APR_STATUS_IS_EXDEV(status)) {
        *reason = TAKHIN_FALLBACK_EXDEV;
    } else if (status == EOPNOTSUPP || status == ENOTSUP) {
        *reason = TAKHIN_FALLBACK_EOPNOTSUPP;
    } else if (status == EPERM) {
        *reason = TAKHIN_FALLBACK_EPERM;
    } else if (status == ZEROCOPY_EWOULDWAIT) {
        *reason = TAKHIN_FALLBACK_WOULD_WAIT;
    } else {
        return 0;
    }
    return 1;
}

/* Whether this system has a call for such a destination. */
static int has_call(const takhin_destination_t *to)
{
    return (to->kind == TAKHIN_TO_SOCKET && zerocopy_calls->send_socket) ||
           (to->kind == TAKHIN_TO_PIPE && zerocopy_calls->send_pipe);
}

/* One attempt with the call that has_call found. */
static apr_status_t send_once(const takhin_destination_t *to, apr_file_t *file,
                              apr_off_t offset, apr_off_t count,
                              apr_off_t *moved)
{
    if (to->kind == TAKHIN_TO_SOCKET) {
        return zerocopy_calls->send_socket(to->to.socket, file, offset, count,
                                           moved);
    }
    return zerocopy_calls->send_pipe(to->to.file, file, offset, count, moved);
}

/* Sends by the system's call until all is sent or it says why not. */
static apr_status_t send_zero_copy(const takhin_destination_t *to,
                                   apr_file_t *file, apr_off_t offset,
                                   apr_off_t count, apr_off_t *sent)
{
    while (*sent < count) {
        apr_off_t moved = 0;
        apr_status_t status =
            send_once(to, file, offset + *sent, count - *sent, &moved);

        *sent += moved;
        if (APR_STATUS_IS_EINTR(status)) {
            continue;
        }
        if (status != APR_SUCCESS) {
            return status;
        }
        if (moved == 0) {
            return APR_EOF;
        }
    }
    return APR_SUCCESS;
}

/* The rest of a send, from *SENT on, by plain copy. */
static apr_status_t send_rest(const takhin_destination_t *to, apr_file_t *file,
                              apr_off_t offset, apr_off_t count,
                              takhin_fallback_t reason,
                              takhin_zerocopy_counters_t *counters,
                              apr_off_t *sent)
{
    apr_off_t before = *sent;
    apr_status_t status =
        zerocopy_copy_to(to, file, offset + before, count - before, sent);

    zerocopy_count_fallback(counters, reason, *sent - before);
    return status;
}

apr_status_t takhin_send_file(const takhin_destination_t *to, apr_file_t *file,
                              apr_off_t offset, apr_off_t count,
                              takhin_zerocopy_counters_t *counters,
                              apr_off_t *sent)
{
    takhin_fallback_t reason = TAKHIN_FALLBACK_UNSUPPORTED;

    *sent = 0;
    if (!zerocopy_range_valid(offset, count)) {
        return APR_EINVAL;
    }
    if (count == 0) {
        return APR_SUCCESS;
    }
    if (has_call(to)) {
        apr_status_t status = send_zero_copy(to, file, offset, count, sent);

        if (*sent > 0) {
            zerocopy_count_zero_copy(counters, *sent);
        }
        if (!falls_back(status, &reason)) {
            return status;
        }
    }
    return send_rest(to, file, offset, count, reason, counters, sent);
}

apr_status_t takhin_send_copy(const takhin_destination_t *to, apr_file_t *file,
                              apr_off_t offset, apr_off_t count,
                              takhin_zerocopy_counters_t *counters,
                              apr_off_t *sent)
{
    *sent = 0;
    if (!zerocopy_range_valid(offset, count)) {
        return APR_EINVAL;
    }
    if (count == 0) {
        return APR_SUCCESS;
    }
    return send_rest(to, file, offset, count, TAKHIN_FALLBACK_CHOICE, counters,
                     sent);
}

/*
 * Some file systems (proc, and others on Linux 5.3 to 5.18) let
 * copy_file_range say that a file has ended which read still gets bytes from.
 * So its word for the end is checked, and where it is wrong the copy goes on.
 */
static apr_status_t confirm_end(apr_file_t *from, apr_off_t offset)
{
    char byte;
    apr_size_t got;
    apr_status_t status = zerocopy_read_full(from, &byte, 1, offset, &got);

    return status == APR_SUCCESS ? EOPNOTSUPP : status;
}

static apr_status_t range_zero_copy(apr_file_t *from, apr_off_t from_offset,
                                    apr_file_t *to, apr_off_t to_offset,
                                    apr_off_t count, apr_off_t *copied)
{
    while (*copied < count) {
        apr_off_t moved = 0;
        apr_status_t status = zerocopy_calls->copy_range(
            from, from_offset + *copied, to, to_offset + *copied,
            count - *copied, &moved);

        *copied += moved;
        if (APR_STATUS_IS_EINTR(status)) {
            continue;
        }
        if (status != APR_SUCCESS) {
            return status;
        }
        if (moved == 0) {
            return confirm_end(from, from_offset + *copied);
        }
    }
    return APR_SUCCESS;
}

static int ranges_overlap(apr_off_t a, apr_off_t b, apr_off_t count)
{
    return a < b ? b - a < count : a - b < count;
}

apr_status_t takhin_copy_file_range(apr_file_t *from, apr_off_t from_offset,
                                    apr_file_t *to, apr_off_t to_offset,
                                    apr_off_t count,
                                    takhin_zerocopy_counters_t *counters,
                                    apr_off_t *copied)
{
    takhin_fallback_t reason = TAKHIN_FALLBACK_UNSUPPORTED;
    apr_off_t before;
    apr_status_t status;

    *copied = 0;
    if (!zerocopy_range_valid(from_offset, count) ||
        !zerocopy_range_valid(to_offset, count) ||
        (from == to && ranges_overlap(from_offset, to_offset, count))) {
        return APR_EINVAL;
    }
    if (count == 0) {
        return APR_SUCCESS;
    }
    if (zerocopy_calls->copy_range) {
        status =
            range_zero_copy(from, from_offset, to, to_offset, count, copied);
        if (*copied > 0) {
            zerocopy_count_zero_copy(counters, *copied);
        }
        if (!falls_back(status, &reason)) {
            return status;
        }
    }
    before = *copied;
    status = zerocopy_copy_range(from, from_offset + before, to,
                                 to_offset + before, count - before, copied);
    zerocopy_count_fallback(counters, reason, *copied - before);
    return status;
}
