/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment while a compaction writes it: the files of its base offset with
 * ".cleaned" behind their names, which a start removes. Batches come in
 * order of offset, from memory or as a range of another file; the
 * indexes are written along. Memory: one buffer for the log, small ones for
 * the indexes.
 *
 * One thread. After an error it is only good for cleaned_segment_end.
 */
#ifndef TAKHIN_STORAGE_CLEANED_SEGMENT_H
#define TAKHIN_STORAGE_CLEANED_SEGMENT_H

#include <takhin/zerocopy.h>

#include "storage/producer_state.h"
#include "storage/segment.h"

/* A file that grows at its end, through a buffer. */
typedef struct {
    const char *suffix; /* ".log.cleaned" */
    fs_file_t *file;    /* NULL until something is written */
    uint8_t *pending;
    apr_size_t used, room;
    apr_off_t written;
} cleaned_file_t;

enum { CLEANED_LOG, CLEANED_INDEX, CLEANED_TIMES, CLEANED_TXNS, CLEANED_FILES };

typedef struct {
    const char *directory;
    int64_t base_offset;
    int64_t size;              /* bytes of the batches noted so far */
    int64_t largest_timestamp; /* -1 none */
    uint32_t largest_offset;   /* relative */
    segment_time_t last_time;
    uint32_t interval; /* index.interval.bytes */
    uint32_t since_entry;
    cleaned_file_t files[CLEANED_FILES];
} cleaned_segment_t;

/* Begins the segment of BASE_OFFSET in DIRECTORY (which is borrowed), with a
 * buffer of BUFFER_BYTES. Touches no file. */
void cleaned_segment_begin(cleaned_segment_t *segment, const char *directory,
                           int64_t base_offset, uint32_t interval,
                           apr_size_t buffer_bytes);

/* Notes that BATCH comes next, before its bytes are given. */
apr_status_t cleaned_segment_note(cleaned_segment_t *segment,
                                  const record_batch_t *batch);

/* Whole batches that were noted: bytes in memory, or LENGTH bytes of FROM at
 * POSITION. A range of some size is not read but handed to the system. */
apr_status_t cleaned_segment_write(cleaned_segment_t *segment,
                                   const uint8_t *data, apr_size_t length);
apr_status_t cleaned_segment_copy(cleaned_segment_t *segment, fs_file_t *from,
                                  apr_off_t position, apr_off_t length,
                                  takhin_zerocopy_counters_t *counters);

/* Adds an entry to the transaction index. */
apr_status_t cleaned_segment_txn(cleaned_segment_t *segment,
                                 const producer_txn_t *txn);

/* All is written, flushed to the device and closed. The files' modification
 * time becomes MODIFIED_MS, that of what they stand for. */
apr_status_t cleaned_segment_finish(cleaned_segment_t *segment,
                                    int64_t modified_ms);

/* Gives the memory back; with REMOVE the files go, too. */
void cleaned_segment_end(cleaned_segment_t *segment, int remove);

#endif
