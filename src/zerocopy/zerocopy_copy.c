/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plain copy, for everyone: a positional read into the stack, then writes
 * until the destination has it all. Bytes that were read and found no room are
 * forgotten: whoever goes on reads them again from the offset, so a byte is
 * never lost and never sent twice. It never allocates.
 */
#include "zerocopy/zerocopy_internal.h"

static apr_size_t buffer_share(apr_off_t left)
{
    return left < ZEROCOPY_BUFFER_SIZE ? (apr_size_t)left
                                       : (apr_size_t)ZEROCOPY_BUFFER_SIZE;
}

static apr_status_t read_some(apr_file_t *file, void *data, apr_size_t *length,
                              apr_off_t offset)
{
    apr_size_t wanted = *length;
    apr_status_t status;

    do {
        *length = wanted;
        status = zerocopy_calls->read_at(file, data, length, offset);
    } while (APR_STATUS_IS_EINTR(status));
    return status;
}

apr_status_t zerocopy_read_full(apr_file_t *file, void *data, apr_size_t length,
                                apr_off_t offset, apr_size_t *got)
{
    *got = 0;
    while (*got < length) {
        apr_size_t n = length - *got;
        apr_status_t status =
            read_some(file, (char *)data + *got, &n, offset + (apr_off_t)*got);

        if (status != APR_SUCCESS) {
            return status;
        }
        if (n == 0) {
            return APR_EOF;
        }
        *got += n;
    }
    return APR_SUCCESS;
}

static apr_status_t write_once(const takhin_destination_t *to, const void *data,
                               apr_size_t *length)
{
    switch (to->kind) {
    case TAKHIN_TO_SOCKET:
        return zerocopy_calls->write_socket(to->to.socket, data, length);
    case TAKHIN_TO_PIPE:
        return zerocopy_calls->write_pipe(to->to.file, data, length);
    case TAKHIN_TO_FILE:
        return apr_file_write(to->to.file, data, length);
    case TAKHIN_TO_WRITER:
        return to->to.writer.write(to->to.writer.baton, data, length);
    }
    *length = 0;
    return APR_EINVAL;
}

/* Writes all of DATA or says why not; adds what was taken to *MOVED. */
static apr_status_t write_full(const takhin_destination_t *to, const char *data,
                               apr_size_t length, apr_off_t *moved)
{
    while (length > 0) {
        apr_size_t n = length;
        apr_status_t status = write_once(to, data, &n);

        data += n;
        length -= n;
        *moved += (apr_off_t)n;
        if (APR_STATUS_IS_EINTR(status)) {
            continue;
        }
        if (status != APR_SUCCESS) {
            return status;
        }
        if (n == 0) {
            return APR_EAGAIN;
        }
    }
    return APR_SUCCESS;
}

apr_status_t zerocopy_copy_to(const takhin_destination_t *to, apr_file_t *file,
                              apr_off_t offset, apr_off_t count,
                              apr_off_t *moved)
{
    char buffer[ZEROCOPY_BUFFER_SIZE];
    apr_off_t end = offset + count;

    while (offset < end) {
        apr_size_t n = buffer_share(end - offset);
        apr_status_t status = read_some(file, buffer, &n, offset);

        if (status != APR_SUCCESS) {
            return status;
        }
        if (n == 0) {
            return APR_EOF;
        }
        status = write_full(to, buffer, n, moved);
        if (status != APR_SUCCESS) {
            return status;
        }
        offset += (apr_off_t)n;
    }
    return APR_SUCCESS;
}

/* Writes all of DATA at OFFSET of TO; adds what was written to *MOVED. */
static apr_status_t write_full_at(apr_file_t *to, const char *data,
                                  apr_size_t length, apr_off_t offset,
                                  apr_off_t *moved)
{
    while (length > 0) {
        apr_size_t n = length;
        apr_status_t status = zerocopy_calls->write_at(to, data, &n, offset);

        data += n;
        length -= n;
        offset += (apr_off_t)n;
        *moved += (apr_off_t)n;
        if (APR_STATUS_IS_EINTR(status)) {
            continue;
        }
        if (status != APR_SUCCESS) {
            return status;
        }
        if (n == 0) {
            return APR_ENOSPC; /* POSIX knows no other reason for it */
        }
    }
    return APR_SUCCESS;
}

apr_status_t zerocopy_copy_range(apr_file_t *from, apr_off_t from_offset,
                                 apr_file_t *to, apr_off_t to_offset,
                                 apr_off_t count, apr_off_t *moved)
{
    char buffer[ZEROCOPY_BUFFER_SIZE];

    while (count > 0) {
        apr_size_t n = buffer_share(count);
        apr_status_t status = read_some(from, buffer, &n, from_offset);

        if (status != APR_SUCCESS) {
            return status;
        }
        if (n == 0) {
            return APR_EOF;
        }
        status = write_full_at(to, buffer, n, to_offset, moved);
        if (status != APR_SUCCESS) {
            return status;
        }
        from_offset += (apr_off_t)n;
        to_offset += (apr_off_t)n;
        count -= (apr_off_t)n;
    }
    return APR_SUCCESS;
}
