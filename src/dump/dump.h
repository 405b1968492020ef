/* SPDX-License-Identifier: Apache-2.0 */
/*
 * takhin-dump: looks at a data directory, or a file of one, offline. It prints
 * what is there, or with --verify only what is wrong. Nothing here ever
 * writes, creates or locks a file: it may look at a directory that a broker
 * has open, and then sees a moment of it.
 *
 * One thread, one process: what is found is counted in one dump_t.
 */
#ifndef TAKHIN_DUMP_DUMP_H
#define TAKHIN_DUMP_DUMP_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <stdint.h>
#include <stdio.h>

#include "metadata/image.h"
#include "record/batch.h"

/* How the records of a log are to be understood. */
typedef enum {
    DUMP_PLAIN,
    DUMP_METADATA,
    DUMP_GROUPS,
    DUMP_TRANSACTIONS,
    DUMP_SHARES
} dump_kind_t;

typedef struct {
    FILE *out;
    apr_pool_t *pool;    /* as long as the program */
    apr_pool_t *scratch; /* until the next record */
    record_scratch_t codec;
    unsigned verify : 1;  /* say only what is wrong */
    unsigned records : 1; /* print records, too, not batches only */
    unsigned whole : 1;   /* print keys and values to their end */
    int kind;             /* a dump_kind_t for all, or -1: by directory */
    long problems;
    long files;
    long batches;
    long record_count;
} dump_t;

/* ---- dump.c: saying it -------------------------------------------------- */

/* A line of what is there; none with --verify. */
void dump_line(dump_t *dump, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What is wrong with PATH, at byte (of text: line) POSITION, -1: nowhere in
 * particular. Counted, and with --verify all that is printed. */
void dump_problem(dump_t *dump, const char *path, int64_t position,
                  const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What looks odd and is none: a start of the broker sets it right. */
void dump_note(dump_t *dump, const char *path, int64_t position,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* PATH's bytes with a zero behind them, in POOL; NULL, said, when it cannot be
 * read. */
uint8_t *dump_read(dump_t *dump, const char *path, apr_size_t *length,
                   apr_pool_t *pool);

/* ---- fields.c ----------------------------------------------------------- */

/* Bytes as text, in POOL: printable ones as they are, in quotes; LENGTH -1 is
 * "null". Cut, and said so, without dump->whole. */
const char *dump_text(const dump_t *dump, const void *data, int32_t length,
                      apr_pool_t *pool);

/* The fields of the message TYPE at VERSION, in the LENGTH bytes at DATA:
 * "{name: value, ...}" in POOL. NULL and *ERROR when they are none. */
const char *dump_fields(const dump_t *dump, const wire_message_t *type,
                        int16_t version, const uint8_t *data, apr_size_t length,
                        apr_pool_t *pool, const char **error);

/* ---- records.c ---------------------------------------------------------- */

dump_kind_t dump_kind_of(const dump_t *dump, const char *directory);

/* Prints or checks the records of BATCH, whose CRC is right. */
void dump_records(dump_t *dump, const char *path, int64_t position,
                  dump_kind_t kind, const record_batch_t *batch,
                  const uint8_t *data);

/* ---- reader.c: a file of batches ---------------------------------------- */

typedef struct batch_reader_t batch_reader_t;

apr_status_t batch_reader_open(batch_reader_t **reader, const char *path);
void batch_reader_close(batch_reader_t *reader);

/* The next batch: its header, all its bytes, where it is. APR_EOF behind the
 * last. TAKHIN_ECORRUPT: *WHY says what; when *DATA is set the batch is whole
 * but for its CRC, and one may go on. */
apr_status_t batch_reader_next(batch_reader_t *reader, record_batch_t *batch,
                               const uint8_t **data, int64_t *position,
                               const char **why);

/* Whether all bytes from the last batch's end are zero; how many there are. */
int batch_reader_rest_is_zero(batch_reader_t *reader, int64_t *length);

/* ---- indexes.c: what goes with a segment -------------------------------- */

typedef struct index_check_t index_check_t;

/* Takes what stands in PATH (an .index, .timeindex or .txnindex of a segment
 * with BASE_OFFSET) and prints it. LENIENT: what is wrong is a note. NULL when
 * there is no such file. */
index_check_t *index_check_open(dump_t *dump, const char *path,
                                int64_t base_offset, int lenient);
/* The segment's batches one by one, then its end. */
void index_check_batch(index_check_t *check, const record_batch_t *batch,
                       const uint8_t *data, int64_t position);
void index_check_close(index_check_t *check);

/* ---- segment.c ---------------------------------------------------------- */

typedef struct {
    int64_t base_offset;
    int64_t next_offset;    /* behind the last good batch */
    int64_t recovery_point; /* in: below it all is on the device */
    unsigned tail : 1;      /* in: recovery will check what is behind that */
    unsigned indexes : 1;   /* in: its indexes, too */
} segment_view_t;

/* A segment's .log, or a .checkpoint: prints or verifies it. */
void dump_segment(dump_t *dump, const char *path, segment_view_t *view);

/* ---- small_files.c ------------------------------------------------------ */

void dump_producers(dump_t *dump, const char *path);
void dump_epochs(dump_t *dump, const char *path, int64_t log_end);
void dump_partition_metadata(dump_t *dump, const char *path,
                             const wire_uuid_t *wanted);
void dump_meta_properties(dump_t *dump, const char *directory);
void dump_quorum_state(dump_t *dump, const char *directory);
void dump_plain_text(dump_t *dump, const char *path);

/* A checkpoint of offsets; EACH may be NULL and may find fault. */
typedef void (*checkpoint_line_fn)(void *baton, const char *path, int line,
                                   const char *log, int64_t offset);
void dump_checkpoint(dump_t *dump, const char *path, checkpoint_line_fn each,
                     void *baton);

/* ---- directory.c -------------------------------------------------------- */

/* A partition's directory; TOPIC_ID may be NULL. *START and *END become what
 * its files hold. */
void dump_log_directory(dump_t *dump, const char *path,
                        const wire_uuid_t *topic_id, int64_t recovery_point,
                        int64_t *start, int64_t *end);

/* An entry of log.dirs, or a partition's directory: whatever it is. */
void dump_directory(dump_t *dump, const char *path);

/* A file, by its name. */
void dump_file(dump_t *dump, const char *path);

#endif
