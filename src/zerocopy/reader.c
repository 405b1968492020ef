/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader: a position in a range of a file. It never holds data and never
 * touches the file's own position.
 */
#include "zerocopy/zerocopy_internal.h"

takhin_reader_t takhin_reader(apr_file_t *file, apr_off_t start,
                              apr_off_t length)
{
    takhin_reader_t reader = {file, start, length, 0};

    return reader;
}

apr_off_t takhin_reader_position(const takhin_reader_t *reader)
{
    return reader->position;
}

apr_off_t takhin_reader_remaining(const takhin_reader_t *reader)
{
    return reader->length - reader->position;
}

apr_status_t takhin_reader_read(takhin_reader_t *reader, void *buffer,
                                apr_size_t *length)
{
    apr_off_t left = takhin_reader_remaining(reader);
    apr_size_t wanted = *length;
    apr_status_t status;

    *length = 0;
    if (!zerocopy_range_valid(reader->start, reader->length)) {
        return APR_EINVAL;
    }
    if (wanted == 0) {
        return APR_SUCCESS;
    }
    if (left == 0) {
        return APR_EOF;
    }
    if ((apr_uint64_t)left < wanted) {
        wanted = (apr_size_t)left;
    }
    status = zerocopy_read_full(reader->file, buffer, wanted,
                                reader->start + reader->position, length);
    reader->position += (apr_off_t)*length;
    return status;
}

apr_status_t takhin_reader_write_to(takhin_reader_t *reader,
                                    const takhin_destination_t *to,
                                    apr_off_t max,
                                    takhin_zerocopy_counters_t *counters,
                                    apr_off_t *sent)
{
    apr_off_t left = takhin_reader_remaining(reader);
    apr_status_t status;

    *sent = 0;
    if (!zerocopy_range_valid(reader->start, reader->length) || max < 0) {
        return APR_EINVAL;
    }
    status =
        takhin_send_file(to, reader->file, reader->start + reader->position,
                         max < left ? max : left, counters, sent);
    reader->position += *sent;
    return status;
}
