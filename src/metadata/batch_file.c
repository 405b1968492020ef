/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a file of record batches through one growing window. */
#include "metadata/batch_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"

#define WINDOW (256 * 1024) /* bytes; grows to the largest batch */

typedef struct {
    fs_file_t *file;
    uint8_t *data;
    apr_size_t capacity;
    apr_size_t start;   /* of what was not handed on, in DATA */
    apr_size_t held;    /* bytes from there on */
    apr_off_t position; /* of START in the file */
} window_t;

/* Makes at least NEED bytes be held, or as many as the file still has. */
static apr_status_t window_fill(window_t *window, apr_size_t need)
{
    apr_size_t got;
    apr_status_t status;

    if (window->held >= need)
        return APR_SUCCESS;
    memmove(window->data, window->data + window->start, window->held);
    window->start = 0;
    if (need > window->capacity) {
        uint8_t *data = realloc(window->data, need);

        if (!data)
            return APR_ENOMEM;
        window->data = data;
        window->capacity = need;
    }
    status = fs_read_at(
        window->file, window->position + (apr_off_t)window->held,
        window->data + window->held, window->capacity - window->held, &got);
    if (status && !APR_STATUS_IS_EOF(status))
        return status;
    window->held += got;
    return APR_SUCCESS;
}

/* Forgets the first SIZE bytes. */
static void window_advance(window_t *window, apr_size_t size)
{
    window->start += size;
    window->held -= size;
    window->position += (apr_off_t)size;
}

static const uint8_t *window_bytes(const window_t *window)
{
    return window->data + window->start;
}

/* Sets *BATCH to the next good one, or returns APR_EOF at the end of the file
 * or of what is good in it. */
static apr_status_t next_batch(window_t *window, record_batch_t *batch)
{
    apr_status_t status = window_fill(window, RECORD_BATCH_OVERHEAD);
    apr_size_t size;

    if (status)
        return status;
    if (record_batch_parse(batch, window_bytes(window), window->held))
        return APR_EOF;
    size = record_batch_size(batch);
    if (size > BATCH_FILE_MAX_BATCH)
        return APR_EOF;
    status = window_fill(window, size);
    if (status)
        return status;
    if (window->held < size ||
        record_batch_verify_crc(batch, window_bytes(window)))
        return APR_EOF;
    return APR_SUCCESS;
}

apr_status_t batch_file_each(const char *path, batch_file_fn each, void *baton,
                             apr_off_t *good, apr_off_t *size)
{
    window_t window = {NULL, NULL, 0, 0, 0, 0};
    record_batch_t batch;
    apr_status_t status = fs_open(&window.file, path, FS_READ_ONLY);

    *good = *size = 0;
    if (status)
        return status;
    status = fs_size(window.file, size);
    window.data = malloc(WINDOW);
    window.capacity = WINDOW;
    if (!status && !window.data)
        status = APR_ENOMEM;
    while (!status) {
        status = next_batch(&window, &batch);
        if (status)
            break;
        status = each(baton, &batch, window_bytes(&window), window.position);
        if (!status)
            window_advance(&window, record_batch_size(&batch));
    }
    *good = window.position;
    free(window.data);
    fs_close(window.file);
    return APR_STATUS_IS_EOF(status) ? APR_SUCCESS : status;
}
