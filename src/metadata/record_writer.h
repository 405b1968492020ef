/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata records, and the control records of the metadata log, into record
 * batches: for appends, snapshots and bootstrap.checkpoint. A batch is cut
 * before it grows past RECORD_WRITER_BATCH bytes. It never writes to a file:
 * whole batches go to a function of the caller's.
 */
#ifndef TAKHIN_METADATA_RECORD_WRITER_H
#define TAKHIN_METADATA_RECORD_WRITER_H

#include <apr_pools.h>

#include "protocol/wire.h"
#include "record/builder.h"

/* Far below Kafka's own limit of 8 MiB for what it reads back. */
#define RECORD_WRITER_BATCH (1024 * 1024)

typedef apr_status_t (*record_writer_fn)(void *baton, uint8_t *data,
                                         apr_size_t length);

typedef struct {
    record_builder_t builder;
    int open;    /* a batch was begun */
    int control; /* it is one of control records */
    int batches; /* handed to WRITE so far */
    int64_t next_offset;
    int32_t epoch;
    int64_t timestamp;   /* ms, of every record */
    apr_pool_t *scratch; /* cleared after every record: the caller may
                                     keep parts of its body in it */
    record_writer_fn write;
    void *baton;
} record_writer_t;

/* Records get offsets from OFFSET on, and EPOCH. POOL is the scratch's parent.
 * To be freed also after a failed call. */
apr_status_t record_writer_init(record_writer_t *writer, int64_t offset,
                                int32_t epoch, record_writer_fn write,
                                void *baton, apr_pool_t *pool);
void record_writer_free(record_writer_t *writer);

/* One metadata record (metadata/frame.h). */
apr_status_t record_writer_put(record_writer_t *writer, int16_t key,
                               int16_t version, const void *body);

/* One metadata record whose frame is there already. */
apr_status_t record_writer_put_frame(record_writer_t *writer,
                                     const uint8_t *frame, apr_size_t length);

/* A control record of TYPE, with BODY a struct of MESSAGE at VERSION. */
apr_status_t record_writer_control(record_writer_t *writer,
                                   record_control_type_t type,
                                   const wire_message_t *message,
                                   const void *body, int16_t version);
apr_status_t record_writer_control_bytes(record_writer_t *writer,
                                         record_control_type_t type,
                                         const uint8_t *value, int32_t length);

/* Ends the batch that is open, if one is. */
apr_status_t record_writer_flush(record_writer_t *writer);

#endif
