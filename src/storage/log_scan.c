/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking the batches of a segment one by one, for recovery and look-ups. It
 * must never trust a length before the file is long enough for it.
 */
#include "storage/log_private.h"

#include <stdlib.h>

#include "base/error.h"

#define SCAN_AHEAD (256 << 10)
#define SCAN_LARGE (16 << 10) /* batches above it: read their headers only */

typedef struct {
    uint8_t *bytes;
    apr_size_t room;
    int64_t position;
    apr_size_t length;
} window_t;

/* Brings NEED bytes at POSITION into WINDOW, and up to AHEAD with them. */
static apr_status_t fill(window_t *window, segment_t *segment, int64_t position,
                         apr_size_t need, apr_size_t ahead, int64_t limit)
{
    int64_t skip = position - window->position;
    apr_status_t status;

    if (skip >= 0 && skip + (int64_t)need <= (int64_t)window->length)
        return APR_SUCCESS;
    if (ahead < need)
        ahead = need;
    if ((int64_t)ahead > limit - position)
        ahead = (apr_size_t)(limit - position);
    if (ahead > window->room) {
        uint8_t *bytes = realloc(window->bytes, ahead);

        if (bytes == NULL)
            return APR_ENOMEM;
        window->bytes = bytes;
        window->room = ahead;
    }
    window->position = position;
    status = fs_read_at(segment->file, position, window->bytes, ahead,
                        &window->length);
    if (status == APR_EOF)
        status = window->length >= need ? APR_SUCCESS : TAKHIN_ECORRUPT;
    return status;
}

/* Sets *BATCH to the header at POSITION. */
static apr_status_t header_at(window_t *window, segment_t *segment,
                              int64_t position, int64_t limit, apr_size_t ahead,
                              record_batch_t *batch)
{
    apr_size_t need = RECORD_BATCH_OVERHEAD;
    apr_status_t status;

    if ((int64_t)need > limit - position)
        need = (apr_size_t)(limit - position);
    status = fill(window, segment, position, need, ahead, limit);
    if (status == APR_SUCCESS)
        status = record_batch_parse(
            batch, window->bytes + (position - window->position), need);
    if (status == TAKHIN_ETRUNCATED ||
        (status == APR_SUCCESS &&
         (int64_t)record_batch_size(batch) > limit - position))
        status = TAKHIN_ECORRUPT;
    return status;
}

apr_status_t log_scan(segment_t *segment, int64_t position, int64_t limit,
                      int whole, log_scan_each_t *each, void *baton,
                      int64_t *end)
{
    return log_scan_by(segment, position, limit, SCAN_AHEAD, whole, each, baton,
                       end);
}

apr_status_t log_scan_by(segment_t *segment, int64_t position, int64_t limit,
                         apr_size_t window_bytes, int whole,
                         log_scan_each_t *each, void *baton, int64_t *end)
{
    window_t window = {NULL, 0, 0, 0};
    apr_status_t status = APR_SUCCESS;
    apr_size_t ahead = window_bytes;

    while (position < limit) {
        const uint8_t *data = NULL;
        record_batch_t batch;
        apr_size_t size;

        status = header_at(&window, segment, position, limit, ahead, &batch);
        if (status != APR_SUCCESS)
            break;
        size = record_batch_size(&batch);
        if (whole || record_batch_is_control(&batch)) {
            status =
                fill(&window, segment, position, size, window_bytes, limit);
            if (status != APR_SUCCESS)
                break;
            data = window.bytes + (position - window.position);
        }
        status = each(baton, position, &batch, data);
        if (status != APR_SUCCESS)
            break;
        position += (int64_t)size;
        ahead =
            whole || size < SCAN_LARGE ? window_bytes : RECORD_BATCH_OVERHEAD;
    }
    free(window.bytes);
    *end = position;
    return status;
}
