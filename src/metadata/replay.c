/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replaying a metadata log directory: the newest snapshot, then the segments.
 * A metadata transaction (KIP-868) that is open keeps the image from before it
 * at hand, so that an abort, or the end of the log, is a step back to it.
 */
#include "metadata/replay.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "metadata/batch_file.h"
#include "protocol/kraft_version_record.h"
#include "protocol/leader_change_message.h"
#include "protocol/voters_record.h"
#include "record/builder.h"

#define MAX_PLAIN (256 * 1024 * 1024) /* bytes of one batch, decompressed */

/* One file being replayed. */
typedef struct {
    replay_t *replay;
    const char *file;
    int snapshot; /* its offsets are its own */
    int finished; /* the footer was seen */
} source_t;

apr_status_t replay_init(replay_t *replay, apr_pool_t *pool)
{
    apr_status_t status;

    memset(replay, 0, sizeof(*replay));
    replay->pool = pool;
    replay->start_offset = -1;
    replay->snapshot_offset = -1;
    replay->voter_count = -1;
    status = apr_pool_create(&replay->scratch, pool);
    if (status)
        return status;
    replay->image = image_create();
    return replay->image ? APR_SUCCESS : APR_ENOMEM;
}

void replay_free(replay_t *replay)
{
    image_release(replay->image);
    image_release(replay->before);
    replay->image = replay->before = NULL;
}

static apr_status_t refuse(const source_t *source, apr_status_t status,
                           int64_t offset, const char *what)
{
    char why[128];

    source->replay->error = apr_psprintf(
        source->replay->pool, "%s: at offset %" APR_INT64_T_FMT ": %s",
        source->file, offset,
        what ? what : takhin_strerror(status, why, sizeof(why)));
    return status;
}

/* ---- control records ----------------------------------------------------- */

static void set_voters(replay_t *replay, int count)
{
    replay->voter_count = count;
    replay->voters = apr_pcalloc(
        replay->pool, (apr_size_t)count * sizeof(*replay->voters) + 1);
}

/* With kraft.version 0 the leader's record is where the voters are told. */
static apr_status_t apply_leader_change(replay_t *replay, wire_reader_t *in)
{
    leader_change_message_t message;
    int16_t version = wire_left(in) >= 2 ? bytes_get_i16(in->p) : 0;
    apr_status_t status = leader_change_message_decode(&message, in, version);

    if (status || replay->kraft_version > 0)
        return status;
    set_voters(replay, message.voters_count);
    for (int32_t i = 0; i < message.voters_count; i++)
        replay->voters[i].id = message.voters[i].voter_id;
    return APR_SUCCESS;
}

static apr_status_t apply_voters(replay_t *replay, wire_reader_t *in,
                                 const record_t *record)
{
    voters_record_t message;
    apr_status_t status = voters_record_decode(&message, in, 0);

    if (status)
        return status;
    replay->voters_record = apr_pmemdup(replay->pool, record->value,
                                        (apr_size_t)record->value_length);
    replay->voters_length = record->value_length;
    set_voters(replay, message.voters_count);
    for (int32_t i = 0; i < message.voters_count; i++) {
        replay->voters[i].id = message.voters[i].voter_id;
        replay->voters[i].directory_id = message.voters[i].voter_directory_id;
    }
    return APR_SUCCESS;
}

static apr_status_t apply_kraft_version(replay_t *replay, wire_reader_t *in)
{
    kraft_version_record_t message;
    apr_status_t status = kraft_version_record_decode(&message, in, 0);

    replay->kraft_version = status ? 0 : message.kraft_version;
    return status;
}

static apr_status_t apply_control(source_t *source, const record_t *record)
{
    replay_t *replay = source->replay;
    int type = record_control_type(record);
    apr_status_t status = APR_SUCCESS;
    wire_reader_t in;

    if (record->value_length < 0)
        return refuse(source, TAKHIN_ECORRUPT, record->offset,
                      "a control record has no value");
    wire_reader_init(&in, record->value, (apr_size_t)record->value_length,
                     replay->scratch);
    switch (type) {
    case RECORD_CONTROL_LEADER_CHANGE:
        status = apply_leader_change(replay, &in);
        break;
    case RECORD_CONTROL_KRAFT_VERSION:
        status = apply_kraft_version(replay, &in);
        break;
    case RECORD_CONTROL_KRAFT_VOTERS:
        status = apply_voters(replay, &in, record);
        break;
    case RECORD_CONTROL_SNAPSHOT_HEADER:
        break;
    case RECORD_CONTROL_SNAPSHOT_FOOTER:
        source->finished = 1;
        break;
    default:
        return refuse(source, TAKHIN_EUNSUPPORTED, record->offset,
                      apr_psprintf(replay->pool,
                                   "control record type %d is not known",
                                   type));
    }
    if (!status && replay->kraft_version > 1)
        return refuse(source, TAKHIN_EUNSUPPORTED, record->offset,
                      apr_psprintf(replay->pool,
                                   "kraft.version %d is not known",
                                   (int)replay->kraft_version));
    if (status)
        return refuse(source, status, record->offset,
                      apr_psprintf(replay->pool, "control record type %d: %s",
                                   type,
                                   wire_reader_error(&in, replay->scratch)));
    return APR_SUCCESS;
}

/* ---- transactions -------------------------------------------------------- */

int replay_drop_transaction(replay_t *replay)
{
    if (!replay->before)
        return 0;
    image_release(replay->image);
    replay->image = replay->before;
    replay->before = NULL;
    return 1;
}

/* What the records around a transaction do; for others nothing. */
static apr_status_t apply_transaction(replay_t *replay, int16_t key,
                                      const char **error)
{
    metadata_image_t *image;

    if (key == RECORD_BEGIN_TRANSACTION) {
        if (replay->before) {
            *error = "a transaction begins inside another";
            return TAKHIN_ECORRUPT;
        }
        image = image_edit(replay->image);
        if (!image)
            return APR_ENOMEM;
        replay->before = replay->image;
        replay->image = image;
        return APR_SUCCESS;
    }
    if (key != RECORD_END_TRANSACTION && key != RECORD_ABORT_TRANSACTION)
        return APR_SUCCESS;
    if (!replay->before) {
        *error = "a transaction ends that never began";
        return TAKHIN_ECORRUPT;
    }
    if (key == RECORD_END_TRANSACTION) {
        image_release(replay->before);
        replay->before = NULL;
        return APR_SUCCESS;
    }
    /* The image from before the transaction may be shared by now: it is edited
     * under a number of its own again. */
    image = image_edit(replay->before);
    if (!image)
        return APR_ENOMEM;
    replay_drop_transaction(replay);
    image_release(replay->image);
    replay->image = image;
    return APR_SUCCESS;
}

/* ---- records and batches ------------------------------------------------- */

static apr_status_t apply_data(source_t *source, const record_batch_t *batch,
                               const record_t *record)
{
    replay_t *replay = source->replay;
    const char *error = NULL;
    frame_t frame;
    apr_status_t status = frame_decode(
        &frame, record->value, record->value_length, replay->scratch, &error);

    if (status)
        return refuse(source, status, record->offset, error);
    if (replay->each) {
        status = replay->each(replay->baton, batch, record, &frame);
        if (status)
            return status;
    }
    status = apply_transaction(replay, frame.key, &error);
    if (!status)
        status = replay_apply(replay->image, frame.key, frame.version,
                              frame.body, replay->scratch, &error);
    if (status)
        return refuse(source, status, record->offset,
                      error ? apr_psprintf(replay->scratch, "%s: %s",
                                           frame.type->name, error)
                            : NULL);
    return APR_SUCCESS;
}

static apr_status_t apply_records(source_t *source, const record_batch_t *batch,
                                  const uint8_t *data,
                                  record_scratch_t *scratch)
{
    record_iterator_t iterator;
    record_t record;
    apr_status_t status =
        record_iterator_init(&iterator, batch, data, scratch, MAX_PLAIN);

    while (!status) {
        status = record_iterator_next(&iterator, &record);
        if (status)
            break;
        if (!record_batch_is_control(batch)) {
            status = apply_data(source, batch, &record);
            continue;
        }
        if (source->replay->each)
            status = source->replay->each(source->replay->baton, batch, &record,
                                          NULL);
        if (!status)
            status = apply_control(source, &record);
    }
    if (APR_STATUS_IS_EOF(status))
        return APR_SUCCESS;
    return source->replay->error
               ? status
               : refuse(source, status, batch->base_offset, NULL);
}

static apr_status_t apply_batch(void *baton, const record_batch_t *batch,
                                const uint8_t *data, apr_off_t position)
{
    source_t *source = baton;
    replay_t *replay = source->replay;
    record_scratch_t scratch = {0};
    apr_status_t status;

    (void)position;
    if (!source->snapshot) {
        if (record_batch_last_offset(batch) < replay->end_offset)
            return APR_SUCCESS; /* the snapshot has it */
        replay->bytes += (int64_t)record_batch_size(batch);
        if (batch->base_offset != replay->end_offset)
            return refuse(source, TAKHIN_ECORRUPT, batch->base_offset,
                          apr_psprintf(replay->pool,
                                       "offset %" APR_INT64_T_FMT
                                       " should come here",
                                       replay->end_offset));
        if (batch->partition_leader_epoch < replay->epoch)
            return refuse(source, TAKHIN_ECORRUPT, batch->base_offset,
                          "the leader epoch goes back");
    }
    status = apply_records(source, batch, data, &scratch);
    record_scratch_free(&scratch);
    apr_pool_clear(replay->scratch);
    if (status || source->snapshot)
        return status;
    replay->end_offset = record_batch_next_offset(batch);
    replay->epoch = batch->partition_leader_epoch;
    image_set_position(replay->image, replay->end_offset - 1, replay->epoch);
    return APR_SUCCESS;
}

/* ---- files --------------------------------------------------------------- */

static apr_status_t replay_file(source_t *source, int may_be_torn)
{
    replay_t *replay = source->replay;
    apr_off_t good;
    apr_off_t size;
    apr_status_t status =
        batch_file_each(source->file, apply_batch, source, &good, &size);
    char why[128];

    if (status && !replay->error)
        replay->error = apr_psprintf(replay->pool, "%s: %s", source->file,
                                     takhin_strerror(status, why, sizeof(why)));
    if (!status && good != size && !may_be_torn) {
        replay->error = apr_psprintf(
            replay->pool, "%s: corrupt from byte %" APR_OFF_T_FMT " on",
            source->file, good);
        status = TAKHIN_ECORRUPT;
    }
    return status;
}

apr_status_t replay_checkpoint(replay_t *replay, const char *file)
{
    source_t source = {replay, file, 1, 0};
    apr_status_t status = replay_file(&source, 0);

    if (!status && !source.finished) {
        replay->error =
            apr_psprintf(replay->pool, "%s: the snapshot has no end", file);
        status = TAKHIN_ECORRUPT;
    }
    return status;
}

/* Reads DIGITS digits and moves *TEXT behind them. */
static int take_digits(const char **text, int digits, int64_t *number)
{
    *number = 0;
    for (int i = 0; i < digits; i++) {
        char digit = **text;

        if (digit < '0' || digit > '9' ||
            *number > (INT64_MAX - (digit - '0')) / 10)
            return 0;
        *number = *number * 10 + (digit - '0');
        ++*text;
    }
    return 1;
}

int replay_segment_name(const char *name, int64_t *base)
{
    return take_digits(&name, 20, base) && strcmp(name, ".log") == 0;
}

int replay_snapshot_name(const char *name, int64_t *end, int32_t *epoch)
{
    int64_t number;

    if (!take_digits(&name, 20, end) || *name++ != '-' ||
        !take_digits(&name, 10, &number) || number > INT32_MAX)
        return 0;
    *epoch = (int32_t)number;
    return strcmp(name, ".checkpoint") == 0;
}

/* What is in the directory. */
typedef struct {
    apr_pool_t *pool;
    const char *snapshot; /* the newest, or NULL */
    int64_t snapshot_end;
    int32_t snapshot_epoch;
    int64_t *segments;
    int segment_count;
    int segment_room;
} listing_t;

static apr_status_t list_entry(void *baton, const char *name,
                               apr_filetype_e type)
{
    listing_t *listing = baton;
    int64_t offset;
    int32_t epoch;

    (void)type;
    if (replay_snapshot_name(name, &offset, &epoch) &&
        (!listing->snapshot || offset > listing->snapshot_end ||
         (offset == listing->snapshot_end &&
          epoch > listing->snapshot_epoch))) {
        listing->snapshot = apr_pstrdup(listing->pool, name);
        listing->snapshot_end = offset;
        listing->snapshot_epoch = epoch;
    }
    if (!replay_segment_name(name, &offset))
        return APR_SUCCESS;
    if (listing->segment_count == listing->segment_room) {
        int room = listing->segment_room ? listing->segment_room * 2 : 16;
        int64_t *segments =
            apr_palloc(listing->pool, (apr_size_t)room * sizeof(*segments));

        if (listing->segment_count)
            memcpy(segments, listing->segments,
                   (apr_size_t)listing->segment_count * sizeof(*segments));
        listing->segments = segments;
        listing->segment_room = room;
    }
    listing->segments[listing->segment_count++] = offset;
    return APR_SUCCESS;
}

static int compare_offsets(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static apr_status_t replay_segments(replay_t *replay, const char *path,
                                    listing_t *listing)
{
    if (listing->segment_count == 0)
        return APR_SUCCESS;
    qsort(listing->segments, (size_t)listing->segment_count,
          sizeof(*listing->segments), compare_offsets);
    replay->start_offset = listing->segments[0];
    for (int i = 0; i < listing->segment_count; i++) {
        source_t source = {replay, NULL, 0, 0};
        int last = i + 1 == listing->segment_count;
        apr_status_t status;

        source.file =
            apr_psprintf(replay->pool, "%s/%020" APR_INT64_T_FMT ".log", path,
                         listing->segments[i]);
        /* A segment that lies wholly in the snapshot needs no reading. */
        if (!last && listing->segments[i + 1] <= replay->end_offset)
            continue;
        status = replay_file(&source, last);
        if (status)
            return status;
    }
    return APR_SUCCESS;
}

apr_status_t replay_directory(replay_t *replay, const char *path)
{
    listing_t listing = {.pool = replay->pool};
    apr_status_t status = fs_list(path, list_entry, &listing);

    if (APR_STATUS_IS_ENOENT(status))
        return APR_SUCCESS;
    if (status) {
        char why[128];

        replay->error = apr_psprintf(replay->pool, "%s: %s", path,
                                     takhin_strerror(status, why, sizeof(why)));
        return status;
    }
    if (listing.snapshot) {
        status = replay_checkpoint(replay, apr_pstrcat(replay->pool, path, "/",
                                                       listing.snapshot, NULL));
        if (status)
            return status;
        replay->snapshot_offset = replay->end_offset = listing.snapshot_end;
        replay->epoch = listing.snapshot_epoch;
        image_set_position(replay->image, replay->end_offset - 1,
                           replay->epoch);
    }
    return replay_segments(replay, path, &listing);
}
