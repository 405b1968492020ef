/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Destinations are values; making one never takes ownership of anything.
 */
#include "zerocopy/zerocopy_internal.h"

takhin_destination_t takhin_to_socket(apr_socket_t *socket)
{
    takhin_destination_t to = {.kind = TAKHIN_TO_SOCKET, .to.socket = socket};

    return to;
}

takhin_destination_t takhin_to_file(apr_file_t *file)
{
    takhin_destination_t to = {.kind = TAKHIN_TO_FILE, .to.file = file};
    apr_finfo_t info;

    /* A file that can't say what it is may still be written to as a file; if
     * it is broken, the first write tells. */
    if (apr_file_info_get(&info, APR_FINFO_TYPE, file) == APR_SUCCESS &&
        info.filetype == APR_PIPE) {
        to.kind = TAKHIN_TO_PIPE;
    }
    return to;
}

takhin_destination_t takhin_to_writer(takhin_write_fn write, void *baton)
{
    takhin_destination_t to = {.kind = TAKHIN_TO_WRITER};

    to.to.writer.write = write;
    to.to.writer.baton = baton;
    return to;
}
