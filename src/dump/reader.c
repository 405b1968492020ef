/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a file of batches through a window that grows to the largest of them,
 * and says why where one ends the file. metadata/batch_file.h stops at the
 * first that is wrong; a tool wants to see what follows.
 */
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "dump/dump.h"

#define WINDOW (1 << 20)

struct batch_reader_t {
    fs_file_t *file;
    uint8_t *data;
    apr_size_t capacity;
    apr_size_t start;   /* of what was not handed on, in DATA */
    apr_size_t held;    /* bytes from there on */
    apr_off_t position; /* of START in the file */
    apr_off_t size;
    char why[160];
};

apr_status_t batch_reader_open(batch_reader_t **reader, const char *path)
{
    batch_reader_t *made = calloc(1, sizeof(*made));
    apr_status_t status;

    if (!made)
        return APR_ENOMEM;
    made->capacity = WINDOW;
    made->data = malloc(made->capacity);
    status = made->data ? fs_open(&made->file, path, FS_READ_ONLY) : APR_ENOMEM;
    if (!status)
        status = fs_size(made->file, &made->size);
    if (status) {
        batch_reader_close(made);
        return status;
    }
    *reader = made;
    return APR_SUCCESS;
}

void batch_reader_close(batch_reader_t *reader)
{
    if (reader->file)
        fs_close(reader->file); /* was only read */
    free(reader->data);
    free(reader);
}

/* Makes NEED bytes be held, or as many as the file still has. */
static apr_status_t reader_fill(batch_reader_t *reader, apr_size_t need)
{
    apr_size_t got = 0;
    apr_status_t status;

    if (reader->held >= need)
        return APR_SUCCESS;
    memmove(reader->data, reader->data + reader->start, reader->held);
    reader->start = 0;
    if (need > reader->capacity) {
        uint8_t *data = realloc(reader->data, need);

        if (!data)
            return APR_ENOMEM;
        reader->data = data;
        reader->capacity = need;
    }
    status = fs_read_at(
        reader->file, reader->position + (apr_off_t)reader->held,
        reader->data + reader->held, reader->capacity - reader->held, &got);
    reader->held += got;
    return APR_STATUS_IS_EOF(status) ? APR_SUCCESS : status;
}

static apr_status_t say(batch_reader_t *reader, const char **why,
                        const char *format, int64_t a, int64_t b)
{
    apr_snprintf(reader->why, sizeof(reader->why), format, a, b);
    *why = reader->why;
    return TAKHIN_ECORRUPT;
}

apr_status_t batch_reader_next(batch_reader_t *reader, record_batch_t *batch,
                               const uint8_t **data, int64_t *position,
                               const char **why)
{
    const int64_t left = reader->size - reader->position;
    apr_status_t status = reader_fill(reader, RECORD_BATCH_OVERHEAD);
    apr_size_t size;

    *data = NULL;
    *position = reader->position;
    if (!status && reader->held == 0)
        return APR_EOF;
    if (!status)
        status = record_batch_parse(batch, reader->data + reader->start,
                                    reader->held);
    if (status == TAKHIN_ETRUNCATED)
        return say(reader, why,
                   "%" APR_INT64_T_FMT " bytes, which is no whole header", left,
                   0);
    if (status == TAKHIN_ECORRUPT)
        return say(reader, why,
                   "this is no batch (%" APR_INT64_T_FMT " bytes are left)",
                   left, 0);
    if (status)
        return status;
    size = record_batch_size(batch);
    if ((int64_t)size > left)
        return say(reader, why,
                   "a batch of %" APR_INT64_T_FMT
                   " bytes where %" APR_INT64_T_FMT " are left",
                   (int64_t)size, left);
    status = reader_fill(reader, size);
    if (status)
        return status;
    if (reader->held < size)
        return say(reader, why, "the file became shorter", 0, 0);
    *data = reader->data + reader->start;
    status = record_batch_verify_crc(batch, *data);
    reader->start += size;
    reader->held -= size;
    reader->position += (apr_off_t)size;
    if (status)
        return say(reader, why,
                   "the batch at offset %" APR_INT64_T_FMT
                   " has a wrong CRC (%" APR_INT64_T_FMT " bytes)",
                   batch->base_offset, (int64_t)size);
    return APR_SUCCESS;
}

int batch_reader_rest_is_zero(batch_reader_t *reader, int64_t *length)
{
    *length = reader->size - reader->position;
    for (;;) {
        /* an error shows itself in what reads next: then it is not zero */
        if (reader_fill(reader, 1))
            return 0;
        if (reader->held == 0)
            return 1;
        for (apr_size_t i = 0; i < reader->held; i++)
            if (reader->data[reader->start + i] != 0)
                return 0;
        reader->position += (apr_off_t)reader->held;
        reader->start = reader->held = 0;
    }
}
