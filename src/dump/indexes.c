/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment's indexes: their entries are printed, and compared with the
 * segment's batches as those come by, once, in order. All three ascend, so
 * that one cursor through the entries is enough.
 *
 *   .index       an entry is the last offset of the batch at its position
 *   .timeindex   an entry's timestamp is the largest so far, and that of the
 *                batch that its offset is the last of
 *   .txnindex    an entry ends at the abort marker of its producer
 *
 * storage/structure has their layout.
 */
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fs.h"
#include "dump/dump.h"
#include "record/builder.h"

typedef enum { INDEX_OFFSETS, INDEX_TIMES, INDEX_TXNS } index_type_t;

static const struct {
    const char *suffix;
    apr_size_t size;
} types[] = {{".index", 8}, {".timeindex", 12}, {".txnindex", 34}};

typedef struct {
    int64_t offset;    /* absolute */
    int64_t position;  /* of a batch, in .index */
    int64_t timestamp; /* in .timeindex */
    int64_t producer_id, first_offset, last_stable_offset; /* .txnindex */
} entry_t;

struct index_check_t {
    dump_t *dump;
    apr_pool_t *pool;
    const char *path;
    int64_t base_offset;
    index_type_t type;
    uint8_t *data;
    int64_t count; /* entries that ascend */
    int64_t at;    /* the next to be met */
    int64_t max_timestamp;
    unsigned lenient : 1;
};

static void find(index_check_t *check, int64_t entry, const char *what)
{
    int64_t position = entry * (int64_t)types[check->type].size;

    if (check->lenient)
        dump_note(check->dump, check->path, position,
                  "entry %" APR_INT64_T_FMT ": %s", entry, what);
    else
        dump_problem(check->dump, check->path, position,
                     "entry %" APR_INT64_T_FMT ": %s", entry, what);
}

static entry_t entry_at(const index_check_t *check, int64_t index)
{
    const uint8_t *p =
        check->data + (apr_size_t)index * types[check->type].size;
    entry_t entry = {0};

    switch (check->type) {
    case INDEX_OFFSETS:
        entry.offset = check->base_offset + bytes_get_u32(p);
        entry.position = bytes_get_u32(p + 4);
        break;
    case INDEX_TIMES:
        entry.timestamp = bytes_get_i64(p);
        entry.offset = check->base_offset + bytes_get_u32(p + 8);
        break;
    case INDEX_TXNS:
        entry.producer_id = bytes_get_i64(p + 2);
        entry.first_offset = bytes_get_i64(p + 10);
        entry.offset = bytes_get_i64(p + 18);
        entry.last_stable_offset = bytes_get_i64(p + 26);
        break;
    }
    return entry;
}

static void print_entry(const index_check_t *check, int64_t index)
{
    const entry_t entry = entry_at(check, index);

    switch (check->type) {
    case INDEX_OFFSETS:
        dump_line(check->dump,
                  "offset %" APR_INT64_T_FMT " position %" APR_INT64_T_FMT,
                  entry.offset, entry.position);
        break;
    case INDEX_TIMES:
        dump_line(check->dump,
                  "timestamp %" APR_INT64_T_FMT " offset %" APR_INT64_T_FMT,
                  entry.timestamp, entry.offset);
        break;
    case INDEX_TXNS:
        dump_line(check->dump,
                  "producer %" APR_INT64_T_FMT " aborted %" APR_INT64_T_FMT
                  "-%" APR_INT64_T_FMT " last stable %" APR_INT64_T_FMT,
                  entry.producer_id, entry.first_offset, entry.offset,
                  entry.last_stable_offset);
        break;
    }
}

/* Whether NEXT may follow ENTRY; FIRST: nothing is ahead of it. */
static int ascends(index_type_t type, const entry_t *entry, const entry_t *next,
                   int first)
{
    switch (type) {
    case INDEX_OFFSETS:
        return first ? next->position > 0
                     : next->offset > entry->offset &&
                           next->position > entry->position;
    case INDEX_TIMES:
        return first ? next->timestamp > 0
                     : next->timestamp > entry->timestamp &&
                           next->offset >= entry->offset;
    default:
        return next->first_offset <= next->offset &&
               (first || next->offset > entry->offset);
    }
}

static int is_zero(const uint8_t *data, apr_size_t length)
{
    for (apr_size_t i = 0; i < length; i++)
        if (data[i] != 0)
            return 0;
    return 1;
}

/* Counts the entries that ascend, and says what is behind them. */
static void count_entries(index_check_t *check, apr_size_t length)
{
    const apr_size_t size = types[check->type].size;
    const int64_t total = (int64_t)(length / size);
    entry_t entry = {0};

    for (; check->count < total; check->count++) {
        entry_t next = entry_at(check, check->count);

        if (!ascends(check->type, &entry, &next, check->count == 0))
            break;
        if (check->type == INDEX_TXNS &&
            bytes_get_i16(check->data + (apr_size_t)check->count * size) != 0)
            find(check, check->count, "is of an unknown version");
        print_entry(check, check->count);
        entry = next;
    }
    if (check->count < total || length % size != 0) {
        apr_size_t good = (apr_size_t)check->count * size;

        if (is_zero(check->data + good, length - good))
            dump_line(check->dump, "%" APR_SIZE_T_FMT " bytes preallocated",
                      length - good);
        else if (check->count < total)
            find(check, check->count, "is not above the one ahead of it");
        else
            find(check, check->count, "is cut");
    }
}

index_check_t *index_check_open(dump_t *dump, const char *path,
                                int64_t base_offset, int lenient)
{
    const char *suffix = strrchr(path, '.');
    index_check_t *check;
    apr_size_t length;
    apr_pool_t *pool;
    fs_stat_t stat;
    int type = 0;

    if (APR_STATUS_IS_ENOENT(fs_stat(path, &stat)))
        return NULL;
    while (type < 2 && strcmp(suffix, types[type].suffix) != 0)
        type++;
    apr_pool_create(&pool, dump->pool);
    check = apr_pcalloc(pool, sizeof(*check));
    check->dump = dump;
    check->pool = pool;
    check->path = apr_pstrdup(pool, path);
    check->base_offset = base_offset;
    check->type = (index_type_t)type;
    check->lenient = lenient != 0;
    check->max_timestamp = -1;
    dump->files++;
    dump_line(dump, "%s", path);
    check->data = dump_read(dump, path, &length, pool);
    if (check->data)
        count_entries(check, length);
    return check;
}

static void check_offsets(index_check_t *check, const record_batch_t *batch,
                          int64_t position)
{
    while (check->at < check->count) {
        entry_t entry = entry_at(check, check->at);

        if (entry.position > position)
            return;
        if (entry.position < position)
            find(check, check->at, "no batch begins at its position");
        else if (entry.offset != record_batch_last_offset(batch))
            find(check, check->at, "is not the last offset of its batch");
        check->at++;
    }
}

static void check_times(index_check_t *check, const record_batch_t *batch)
{
    if (batch->max_timestamp > check->max_timestamp)
        check->max_timestamp = batch->max_timestamp;
    while (check->at < check->count) {
        entry_t entry = entry_at(check, check->at);

        if (entry.offset > record_batch_last_offset(batch))
            return;
        if (batch->magic >= 2 &&
            entry.offset != record_batch_last_offset(batch))
            find(check, check->at, "is not the last offset of its batch");
        else if (entry.timestamp != batch->max_timestamp)
            find(check, check->at, "is not the largest timestamp of its batch");
        else if (entry.timestamp != check->max_timestamp)
            find(check, check->at, "there is a larger timestamp ahead of it");
        check->at++;
    }
}

static int is_abort_of(const record_batch_t *batch, const uint8_t *data,
                       int64_t producer_id)
{
    record_iterator_t iterator;
    record_t record;

    return record_batch_is_control(batch) &&
           batch->producer_id == producer_id &&
           record_batch_codec(batch) == RECORD_CODEC_NONE &&
           !record_iterator_init(&iterator, batch, data, NULL,
                                 record_batch_size(batch)) &&
           !record_iterator_next(&iterator, &record) &&
           record_control_type(&record) == RECORD_CONTROL_ABORT;
}

static void check_txns(index_check_t *check, const record_batch_t *batch,
                       const uint8_t *data)
{
    while (check->at < check->count) {
        entry_t entry = entry_at(check, check->at);

        if (entry.offset > record_batch_last_offset(batch))
            return;
        /* the cleaner may have taken the marker away */
        if (entry.offset == batch->base_offset &&
            !is_abort_of(batch, data, entry.producer_id))
            find(check, check->at, "its last offset is no abort marker of it");
        check->at++;
    }
}

void index_check_batch(index_check_t *check, const record_batch_t *batch,
                       const uint8_t *data, int64_t position)
{
    switch (check->type) {
    case INDEX_OFFSETS:
        check_offsets(check, batch, position);
        break;
    case INDEX_TIMES:
        check_times(check, batch);
        break;
    case INDEX_TXNS:
        check_txns(check, batch, data);
        break;
    }
}

void index_check_close(index_check_t *check)
{
    if (check->at < check->count)
        find(check, check->at, "lies behind the segment's last batch");
    apr_pool_destroy(check->pool);
}
