/* SPDX-License-Identifier: Apache-2.0 */
/* Records into batches: see record_writer.h. */
#include "metadata/record_writer.h"

#include <apr_time.h>
#include <string.h>

#include "metadata/frame.h"

/* What a record takes in a batch beside its value: varints, at most. */
#define RECORD_ROOM 32

apr_status_t record_writer_init(record_writer_t *writer, int64_t offset,
                                int32_t epoch, record_writer_fn write,
                                void *baton, apr_pool_t *pool)
{
    memset(writer, 0, sizeof(*writer));
    writer->next_offset = offset;
    writer->epoch = epoch;
    writer->timestamp = apr_time_as_msec(apr_time_now());
    writer->write = write;
    writer->baton = baton;
    return apr_pool_create(&writer->scratch, pool);
}

void record_writer_free(record_writer_t *writer)
{
    record_builder_free(&writer->builder);
    if (writer->scratch)
        apr_pool_destroy(writer->scratch);
    writer->scratch = NULL;
}

apr_status_t record_writer_flush(record_writer_t *writer)
{
    uint8_t *data;
    size_t length;
    apr_status_t status;

    if (!writer->open)
        return APR_SUCCESS;
    writer->open = 0;
    status = record_builder_finish(&writer->builder, &data, &length);
    if (status)
        return status;
    writer->batches++;
    return writer->write(writer->baton, data, length);
}

/* A batch of that kind is open and has room for LENGTH bytes more. */
static apr_status_t open_batch(record_writer_t *writer, int control,
                               apr_size_t length)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    apr_status_t status;

    if (writer->open &&
        (writer->control != control ||
         record_builder_size(&writer->builder) + length + RECORD_ROOM >
             RECORD_WRITER_BATCH)) {
        status = record_writer_flush(writer);
        if (status)
            return status;
    }
    if (writer->open)
        return APR_SUCCESS;
    options.base_offset = writer->next_offset;
    options.partition_leader_epoch = writer->epoch;
    options.control = control != 0;
    status = record_builder_begin(&writer->builder, &options);
    if (status)
        return status;
    writer->open = 1;
    writer->control = control;
    return APR_SUCCESS;
}

apr_status_t record_writer_put_frame(record_writer_t *writer,
                                     const uint8_t *frame, apr_size_t length)
{
    record_t record = {.timestamp = writer->timestamp,
                       .key_length = -1,
                       .value = frame,
                       .value_length = (int32_t)length};
    apr_status_t status = open_batch(writer, 0, length);

    if (!status)
        status = record_builder_append(&writer->builder, &record);
    if (!status)
        writer->next_offset++;
    return status;
}

apr_status_t record_writer_put(record_writer_t *writer, int16_t key,
                               int16_t version, const void *body)
{
    wire_writer_t out;
    apr_status_t status;

    wire_writer_init(&out, writer->scratch, 128);
    status = frame_encode(&out, key, version, body);
    if (!status)
        status = record_writer_put_frame(writer, out.buf, out.length);
    apr_pool_clear(writer->scratch);
    return status;
}

apr_status_t record_writer_control_bytes(record_writer_t *writer,
                                         record_control_type_t type,
                                         const uint8_t *value, int32_t length)
{
    apr_status_t status = open_batch(writer, 1, 0);

    if (!status)
        status = record_builder_append_control(&writer->builder, type, value,
                                               length, writer->timestamp);
    if (!status)
        writer->next_offset++;
    return status;
}

apr_status_t record_writer_control(record_writer_t *writer,
                                   record_control_type_t type,
                                   const wire_message_t *message,
                                   const void *body, int16_t version)
{
    wire_writer_t out;
    apr_status_t status;

    wire_writer_init(&out, writer->scratch, 128);
    status = wire_message_encode(message, body, &out, version);
    if (!status)
        status = record_writer_control_bytes(writer, type, out.buf,
                                             (int32_t)out.length);
    apr_pool_clear(writer->scratch);
    return status;
}
