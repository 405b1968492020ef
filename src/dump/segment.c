/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment, or another file of batches: each batch is checked (length, CRC,
 * offsets, records), and with it what the indexes and the leader epochs beside
 * the segment say of it.
 */
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "dump/dump.h"
#include "storage/epochs.h"

#define INDEXES 3

typedef struct {
    dump_t *dump;
    const char *path;
    const char *directory;
    segment_view_t *view;
    dump_kind_t kind;
    index_check_t *indexes[INDEXES];
    epochs_t epochs;
    int32_t last_epoch;
    int64_t max_timestamp;
    unsigned epochs_known : 1;
} walk_t;

static const char *codec_name(const record_batch_t *batch)
{
    static const char *const names[] = {"none", "gzip", "snappy", "lz4",
                                        "zstd", "5?",   "6?",     "7?"};

    return names[record_batch_codec(batch)];
}

static void print_batch(const walk_t *walk, const record_batch_t *batch,
                        int64_t position)
{
    char producer[80] = "";

    if (record_batch_has_producer(batch))
        apr_snprintf(producer, sizeof(producer),
                     " producer %" APR_INT64_T_FMT " epoch %d sequence %d",
                     batch->producer_id, (int)batch->producer_epoch,
                     (int)batch->base_sequence);
    dump_line(walk->dump,
              "batch %" APR_INT64_T_FMT "-%" APR_INT64_T_FMT
              " position %" APR_INT64_T_FMT " size %" APR_SIZE_T_FMT
              " magic %d leader epoch %d records %d codec %s "
              "%s %" APR_INT64_T_FMT "-%" APR_INT64_T_FMT "%s%s%s",
              batch->base_offset, record_batch_last_offset(batch), position,
              record_batch_size(batch), (int)batch->magic,
              (int)batch->partition_leader_epoch, (int)batch->record_count,
              codec_name(batch),
              record_batch_timestamp_type(batch) == RECORD_LOG_APPEND_TIME
                  ? "appended"
                  : "created",
              batch->base_timestamp, batch->max_timestamp, producer,
              record_batch_is_transactional(batch) ? " transactional" : "",
              record_batch_is_control(batch) ? " control" : "");
}

/* Whether what lies at OFFSET is set right by recovery. */
static int is_tail(const walk_t *walk, int64_t offset)
{
    return walk->view->tail && offset >= walk->view->recovery_point;
}

static void check_offsets(const walk_t *walk, const record_batch_t *batch,
                          int64_t position)
{
    /* of magic 0 and 1 an entry's offset is that of its last record */
    if (batch->base_offset < walk->view->next_offset)
        dump_problem(walk->dump, walk->path, position,
                     "the batch at offset %" APR_INT64_T_FMT
                     " lies behind offset %" APR_INT64_T_FMT,
                     batch->base_offset, walk->view->next_offset - 1);
    if (batch->magic < 2)
        return;
    if (batch->partition_leader_epoch < walk->last_epoch)
        dump_problem(walk->dump, walk->path, position,
                     "the batch at offset %" APR_INT64_T_FMT
                     " has leader epoch %d behind %d",
                     batch->base_offset, (int)batch->partition_leader_epoch,
                     (int)walk->last_epoch);
}

/* leader-epoch-checkpoint must know the epoch of each batch it covers. */
static void check_epoch(const walk_t *walk, const record_batch_t *batch,
                        int64_t position)
{
    int32_t known;

    if (!walk->epochs_known || batch->magic < 2 ||
        batch->partition_leader_epoch < 0)
        return;
    known = epochs_of(&walk->epochs, batch->base_offset);
    if (known < 0 || known == batch->partition_leader_epoch)
        return;
    if (walk->view->tail)
        return; /* the file is not written at each append */
    dump_problem(walk->dump, walk->path, position,
                 "the batch at offset %" APR_INT64_T_FMT
                 " has leader epoch %d; leader-epoch-checkpoint says %d",
                 batch->base_offset, (int)batch->partition_leader_epoch,
                 (int)known);
}

static void take_batch(walk_t *walk, const record_batch_t *batch,
                       const uint8_t *data, int64_t position)
{
    walk->dump->batches++;
    print_batch(walk, batch, position);
    check_offsets(walk, batch, position);
    check_epoch(walk, batch, position);
    for (int i = 0; i < INDEXES; i++)
        if (walk->indexes[i])
            index_check_batch(walk->indexes[i], batch, data, position);
    dump_records(walk->dump, walk->path, position, walk->kind, batch, data);
    if (record_batch_next_offset(batch) > walk->view->next_offset)
        walk->view->next_offset = record_batch_next_offset(batch);
    if (batch->partition_leader_epoch > walk->last_epoch)
        walk->last_epoch = batch->partition_leader_epoch;
}

/* The batches end at POSITION, and the file does not. */
static void take_rest(walk_t *walk, batch_reader_t *reader, int64_t position,
                      const char *why)
{
    int64_t rest;
    char text[160];

    apr_cpystrn(text, why, sizeof(text));
    if (batch_reader_rest_is_zero(reader, &rest))
        dump_note(walk->dump, walk->path, position,
                  "%" APR_INT64_T_FMT " bytes preallocated", rest);
    else if (is_tail(walk, walk->view->next_offset))
        dump_note(walk->dump, walk->path, position,
                  "%s: will be cut by recovery", text);
    else
        dump_problem(walk->dump, walk->path, position, "%s", text);
}

static void walk_batches(walk_t *walk)
{
    batch_reader_t *reader;
    apr_status_t status = batch_reader_open(&reader, walk->path);
    record_batch_t batch;
    const uint8_t *data;
    int64_t position;
    const char *why;
    char text[128];

    if (status) {
        dump_problem(walk->dump, walk->path, -1, "%s",
                     takhin_strerror(status, text, sizeof(text)));
        return;
    }
    for (;;) {
        status = batch_reader_next(reader, &batch, &data, &position, &why);
        if (!status) {
            take_batch(walk, &batch, data, position);
        } else if (status == TAKHIN_ECORRUPT && data &&
                   !is_tail(walk, walk->view->next_offset)) {
            dump_problem(walk->dump, walk->path, position, "%s", why);
        } else {
            break;
        }
    }
    if (status == TAKHIN_ECORRUPT)
        take_rest(walk, reader, position, why);
    else if (!APR_STATUS_IS_EOF(status))
        dump_problem(walk->dump, walk->path, position, "%s",
                     takhin_strerror(status, text, sizeof(text)));
    batch_reader_close(reader);
}

static void open_indexes(walk_t *walk, int lenient)
{
    static const char *const suffixes[INDEXES] = {".index", ".timeindex",
                                                  ".txnindex"};
    const int stem = (int)(strlen(walk->path) - strlen(".log"));

    for (int i = 0; i < INDEXES; i++) {
        const char *path = apr_psprintf(walk->dump->pool, "%.*s%s", stem,
                                        walk->path, suffixes[i]);

        walk->indexes[i] = index_check_open(walk->dump, path,
                                            walk->view->base_offset, lenient);
    }
}

void dump_segment(dump_t *dump, const char *path, segment_view_t *view)
{
    walk_t walk = {.dump = dump, .path = path, .view = view};
    const char *slash = strrchr(path, '/');

    walk.directory =
        slash ? apr_pstrndup(dump->pool, path, (apr_size_t)(slash - path))
              : ".";
    walk.kind = dump_kind_of(dump, walk.directory);
    walk.last_epoch = -1;
    view->next_offset = view->base_offset;
    if (view->indexes) {
        open_indexes(&walk, view->tail);
        /* a bad file is said where it is looked at itself */
        walk.epochs_known =
            !epochs_read(&walk.epochs, walk.directory) && walk.epochs.count > 0;
    }
    dump->files++;
    dump_line(dump, "%s", path);
    walk_batches(&walk);
    for (int i = 0; i < INDEXES; i++)
        if (walk.indexes[i])
            index_check_close(walk.indexes[i]);
    epochs_free(&walk.epochs);
}
