/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two walks: the first notes the newest offset of each key in the dirty part,
 * the second goes from the log's start and writes what stays. Batches that stay
 * whole are not copied through memory but moved in runs. It must never
 * drop what the offset map does not know a newer record of.
 */
#include "storage/compact.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"
#include "record/builder.h"
#include "record/validate.h"
#include "storage/cleaned_segment.h"
#include "storage/cleaned_txns.h"
#include "storage/log_private.h"
#include "storage/offset_map.h"

/* The last batch of a producer that is still known (KIP-98). */
typedef struct {
    int64_t id;
    int64_t last_offset; /* of its last data; -1: it has none */
    int16_t epoch;
} active_t;

typedef struct {
    log_t *log;
    log_config_t config;
    const compact_options_t *options;
    compact_counters_t *counters;
    int64_t now_ms;
    int64_t first_dirty;
    int64_t latest;         /* last offset that the map has seen */
    int64_t legacy_horizon; /* magic 0 and 1: tombstones in segments written
                               before it go */
    unsigned truncations;
    segment_t **segments; /* those that may be compacted; each retained */
    int count;
    int64_t *bases; /* of all segments */
    int base_count;
    active_t *active; /* by id */
    int active_count;
    offset_map_t *map;
    cleaned_txns_t txns;
    record_scratch_t scratch;
    record_builder_t builder;
    /* the second walk */
    cleaned_segment_t cleaned;
    segment_t *segment; /* that is walked */
    int64_t run_from;   /* a run of batches that stay whole, not copied yet */
    int64_t run_length;
    unsigned last_segment : 1; /* of the group */
    unsigned changed : 1;      /* something in the group does not stay whole */
} compaction_t;

/* ---- what there is ------------------------------------------------------ */

/* The log's segments below BOUND, inactive ones. The lock is held. */
static int count_below(const log_t *log, int64_t bound)
{
    int count = 0;

    while (count + 1 < log->segment_count &&
           log->segments[count]->next_offset <= bound &&
           log->segments[count + 1]->base_offset <= bound)
        count++;
    return count;
}

/* Nothing above is compacted: a reader may not have come so far, a transaction
 * may be open, or a crash may still take it back. */
static int64_t stable_bound(const log_t *log)
{
    int64_t bound = log_last_stable_offset(log);

    if (log_high_watermark(log) < bound)
        bound = log_high_watermark(log);
    if (log_flushed_offset(log) < bound)
        bound = log_flushed_offset(log);
    return bound;
}

/* Sets *SEGMENTS (malloc'ed, each retained) to the first COUNT below BOUND. */
static apr_status_t take_segments(log_t *log, int64_t bound,
                                  segment_t ***segments, int *count,
                                  int64_t *upper)
{
    int i;

    lock_enter(log->lock);
    *count = count_below(log, bound);
    *segments = malloc(sizeof(**segments) * (size_t)(*count + 1));
    for (i = 0; *segments != NULL && i < *count; i++) {
        (*segments)[i] = log->segments[i];
        segment_retain((*segments)[i]);
    }
    *upper = log->segment_count > 0 ? log->segments[*count]->base_offset : 0;
    lock_leave(log->lock);
    return *segments == NULL ? APR_ENOMEM : APR_SUCCESS;
}

static void release_segments(segment_t **segments, int count)
{
    int i;

    for (i = 0; i < count; i++)
        segment_release(segments[i]);
    free(segments);
}

/* The largest timestamp of SEGMENT's first batch; -1 when there is none. */
static apr_status_t first_timestamp(log_t *log, segment_t *segment,
                                    int64_t *timestamp)
{
    record_batch_t batch;
    apr_status_t status;

    *timestamp = -1;
    if (segment->size == 0)
        return APR_SUCCESS;
    status = segment_pin(segment, log->path);
    if (status != APR_SUCCESS)
        return status;
    status = segment_read_header(segment, 0, segment->size, &batch);
    segment_unpin(segment);
    if (status == APR_SUCCESS)
        *timestamp = batch.magic >= 2 && batch.base_timestamp >= 0 &&
                             record_batch_delete_horizon(&batch) < 0
                         ? batch.base_timestamp
                         : batch.max_timestamp;
    return status == APR_EOF ? TAKHIN_ECORRUPT : status;
}

/* min.compaction.lag.ms: what is younger is not compacted yet. */
static apr_status_t is_young(log_t *log, segment_t *segment, int64_t lag_ms,
                             int64_t now_ms, int *young)
{
    int64_t timestamp, offset;
    apr_status_t status;

    *young = 0;
    if (lag_ms <= 0)
        return APR_SUCCESS;
    status = segment_max_timestamp(segment, log->path, log->lock, &timestamp,
                                   &offset);
    if (status == APR_SUCCESS && timestamp < 0)
        timestamp = segment->created;
    *young = status == APR_SUCCESS && timestamp > now_ms - lag_ms;
    return status;
}

static apr_status_t is_overdue(log_t *log, segment_t *segment, int64_t lag_ms,
                               int64_t now_ms, int *overdue)
{
    int64_t timestamp;
    apr_status_t status;

    *overdue = 0;
    if (lag_ms >= now_ms) /* no limit, as far as clocks go */
        return APR_SUCCESS;
    status = first_timestamp(log, segment, &timestamp);
    *overdue =
        status == APR_SUCCESS && timestamp > 0 && timestamp < now_ms - lag_ms;
    return status;
}

static apr_status_t measure_segments(log_t *log, const log_config_t *config,
                                     segment_t *const *segments, int count,
                                     int64_t now_ms, compact_measure_t *measure)
{
    apr_status_t status = APR_SUCCESS;
    int i;

    for (i = 0; i < count && status == APR_SUCCESS; i++) {
        int64_t end =
            i + 1 < count ? segments[i + 1]->base_offset : measure->upper;
        int young, overdue;

        if (end <= measure->first_dirty) {
            measure->clean_bytes += segments[i]->size;
            continue;
        }
        status = is_young(log, segments[i], config->min_compaction_lag_ms,
                          now_ms, &young);
        if (status == APR_SUCCESS && young) {
            measure->upper = segments[i]->base_offset;
            break;
        }
        if (status == APR_SUCCESS)
            status = is_overdue(log, segments[i], config->max_compaction_lag_ms,
                                now_ms, &overdue);
        if (status == APR_SUCCESS && overdue)
            measure->overdue = 1;
        measure->dirty_bytes += segments[i]->size;
    }
    return status;
}

apr_status_t compact_measure(log_t *log, int64_t cleaned, int64_t now_ms,
                             compact_measure_t *measure)
{
    log_config_t config;
    segment_t **segments;
    int count;
    apr_status_t status;

    memset(measure, 0, sizeof(*measure));
    log_config(log, &config);
    /* An offset that cannot be: the log was emptied, or its start moved. */
    if (cleaned < log_start_offset(log) || cleaned > log_end_offset(log))
        cleaned = log_start_offset(log);
    measure->first_dirty = cleaned;
    status = take_segments(log, stable_bound(log), &segments, &count,
                           &measure->upper);
    if (status != APR_SUCCESS)
        return status;
    status = measure_segments(log, &config, segments, count, now_ms, measure);
    release_segments(segments, count);
    return status;
}

/* ---- the first walk: what is the newest --------------------------------- */

static apr_status_t pace(compaction_t *compaction, apr_size_t bytes)
{
    if (compaction->options->pace == NULL)
        return APR_SUCCESS;
    return compaction->options->pace(compaction->options->baton, bytes);
}

/* A batch is met: its bytes are counted and checked. */
static apr_status_t meet(compaction_t *compaction, const record_batch_t *batch,
                         const uint8_t *data)
{
    apr_size_t size = record_batch_size(batch);

    compaction->counters->bytes_read += (int64_t)size;
    /* What is rebuilt would get a CRC that hides what is wrong with it. */
    if (record_batch_verify_crc(batch, data) != APR_SUCCESS)
        return TAKHIN_ECORRUPT;
    return pace(compaction, size);
}

static apr_status_t map_records(compaction_t *compaction,
                                const record_batch_t *batch,
                                const uint8_t *data)
{
    record_iterator_t iterator;
    record_t record;
    apr_status_t status = record_iterator_init(
        &iterator, batch, data, &compaction->scratch, RECORD_DECOMPRESS_LIMIT);

    while (status == APR_SUCCESS) {
        status = record_iterator_next(&iterator, &record);
        if (status != APR_SUCCESS)
            break;
        if (record.key_length < 0 || record.offset < compaction->first_dirty)
            continue;
        if (!offset_map_put(compaction->map, record.key,
                            (size_t)record.key_length, record.offset))
            return APR_ENOSPC;
    }
    return status == APR_EOF ? APR_SUCCESS : status;
}

/* APR_EOF when the map is full: what comes is for another time. */
static apr_status_t map_batch(void *baton, int64_t position,
                              const record_batch_t *batch, const uint8_t *data)
{
    compaction_t *compaction = baton;
    const producer_txn_t *ignored;
    int discard;
    apr_status_t status = meet(compaction, batch, data);

    (void)position;
    if (status == APR_SUCCESS)
        status = cleaned_txns_batch(&compaction->txns, batch, data, &discard,
                                    &ignored);
    if (status == APR_SUCCESS && !discard && !record_batch_is_control(batch))
        status = map_records(compaction, batch, data);
    if (status == APR_ENOSPC)
        return APR_EOF;
    if (status == APR_SUCCESS &&
        record_batch_last_offset(batch) > compaction->latest)
        compaction->latest = record_batch_last_offset(batch);
    return status;
}

static apr_status_t scan(compaction_t *compaction, segment_t *segment,
                         int64_t position, log_scan_each_t *each)
{
    int64_t end;

    return log_scan_by(segment, position, segment->size,
                       compaction->options->io_bytes / 2, 1, each, compaction,
                       &end);
}

static apr_status_t map_segment(compaction_t *compaction, segment_t *segment)
{
    log_t *log = compaction->log;
    int64_t position;
    uint32_t ignored;
    apr_status_t status = segment_pin(segment, log->path);

    if (status != APR_SUCCESS)
        return status;
    status =
        segment_find(segment, log->path, log->lock, compaction->first_dirty,
                     segment->size, segment->next_offset, &position, &ignored);
    if (status == APR_SUCCESS)
        status = scan(compaction, segment, position, map_batch);
    segment_unpin(segment);
    return status;
}

/* Where segment I of those that may be compacted ends. */
static int64_t end_of(const compaction_t *compaction, int i)
{
    return i + 1 < compaction->count ? compaction->segments[i + 1]->base_offset
                                     : compaction->bases[compaction->count];
}

static apr_status_t build_map(compaction_t *compaction)
{
    const compact_options_t *options = compaction->options;
    int64_t expected =
        end_of(compaction, compaction->count - 1) - compaction->first_dirty;
    apr_status_t status;
    int i;

    status = offset_map_create(&compaction->map, options->map_bytes,
                               options->load_factor, expected);
    cleaned_txns_begin(&compaction->txns, compaction->first_dirty);
    compaction->latest = compaction->first_dirty - 1;
    for (i = 0; i < compaction->count && status == APR_SUCCESS; i++) {
        if (end_of(compaction, i) <= compaction->first_dirty)
            continue;
        status = map_segment(compaction, compaction->segments[i]);
        /* Behind its last batch a segment may have a gap. */
        if (status == APR_SUCCESS)
            compaction->latest = end_of(compaction, i) - 1;
    }
    if (status != APR_EOF)
        return status;
    if (compaction->latest < compaction->first_dirty) {
        LOG_ERROR(storage,
                  "%s: the keys of the batch behind offset %lld do "
                  "not fit into log.cleaner.dedupe.buffer.size",
                  compaction->log->path, (long long)compaction->latest);
        return TAKHIN_ETOOBIG;
    }
    return APR_SUCCESS;
}

/* ---- the second walk: what stays ---------------------------------------- */

/* Copies the run of batches that stay whole. */
static apr_status_t copy_run(compaction_t *compaction)
{
    apr_status_t status;

    if (compaction->run_length == 0)
        return APR_SUCCESS;
    status = cleaned_segment_copy(
        &compaction->cleaned, compaction->segment->file, compaction->run_from,
        compaction->run_length, compaction->counters->copies);
    if (status == APR_SUCCESS)
        status = pace(compaction, (apr_size_t)compaction->run_length);
    compaction->run_length = 0;
    return status;
}

/* BATCH makes the run longer. Nothing is copied before something else comes, as
 * all of the segment may turn out to stay as it is. */
static apr_status_t keep_whole(compaction_t *compaction, int64_t position,
                               const record_batch_t *batch)
{
    compact_counters_t *counters = compaction->counters;

    counters->batches_whole++;
    if (batch->record_count > 0)
        counters->records_kept += batch->record_count;
    if (compaction->run_length == 0)
        compaction->run_from = position;
    TAKHIN_ASSERT(compaction->run_from + compaction->run_length == position);
    compaction->run_length += (int64_t)record_batch_size(batch);
    return cleaned_segment_note(&compaction->cleaned, batch);
}

static apr_status_t drop(compaction_t *compaction)
{
    compaction->changed = 1;
    compaction->counters->batches_dropped++;
    return copy_run(compaction);
}

/* Begins a batch that takes BATCH's place. */
static apr_status_t begin_rebuilt(compaction_t *compaction,
                                  const record_batch_t *batch,
                                  int64_t base_offset, int64_t horizon,
                                  int records)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;

    options.base_offset = base_offset;
    options.partition_leader_epoch = batch->partition_leader_epoch;
    options.producer_id = batch->producer_id;
    options.producer_epoch = batch->producer_epoch;
    options.base_sequence = batch->base_sequence;
    options.delete_horizon = horizon;
    options.transactional = record_batch_is_transactional(batch) != 0;
    options.control = record_batch_is_control(batch) != 0;
    if (records)
        options.codec = record_batch_codec(batch);
    if (record_batch_timestamp_type(batch) == RECORD_LOG_APPEND_TIME)
        options.log_append_time = batch->max_timestamp;
    return record_builder_begin(&compaction->builder, &options);
}

static apr_status_t finish_rebuilt(compaction_t *compaction,
                                   const record_batch_t *batch)
{
    record_batch_t rebuilt;
    uint8_t *data;
    size_t length;
    apr_status_t status;

    record_builder_set_last_offset(&compaction->builder,
                                   record_batch_last_offset(batch));
    status = record_builder_finish(&compaction->builder, &data, &length);
    if (status == APR_SUCCESS)
        status = record_batch_parse(&rebuilt, data, length);
    compaction->changed = 1;
    compaction->counters->batches_rebuilt++;
    compaction->counters->records_kept += rebuilt.record_count;
    if (status == APR_SUCCESS)
        status = copy_run(compaction);
    if (status == APR_SUCCESS)
        status = cleaned_segment_note(&compaction->cleaned, &rebuilt);
    if (status == APR_SUCCESS)
        status = cleaned_segment_write(&compaction->cleaned, data, length);
    if (status == APR_SUCCESS)
        status = pace(compaction, length);
    return status;
}

/* Its records go, its offsets and sequence numbers stay known. */
static apr_status_t keep_empty(compaction_t *compaction, int64_t position,
                               const record_batch_t *batch)
{
    apr_status_t status;

    if (batch->magic >= 2 && batch->record_count == 0)
        return keep_whole(compaction, position, batch);
    status = begin_rebuilt(compaction, batch, batch->base_offset, -1, 0);
    if (status != APR_SUCCESS)
        return status;
    record_builder_set_max_timestamp(&compaction->builder,
                                     batch->max_timestamp);
    return finish_rebuilt(compaction, batch);
}

/* ---- records ------------------------------------------------------------ */

static int stays(const compaction_t *compaction, const record_batch_t *batch,
                 const record_t *record)
{
    int64_t horizon = record_batch_delete_horizon(batch);

    if (record_batch_is_control(batch) || record->offset > compaction->latest)
        return 1;
    if (record->key_length < 0)
        return 0;
    if (offset_map_get(compaction->map, record->key,
                       (size_t)record->key_length) > record->offset)
        return 0;
    if (record->value_length >= 0)
        return 1;
    if (batch->magic < 2)
        return compaction->segment->created > compaction->legacy_horizon;
    return horizon < 0 || compaction->now_ms < horizon;
}

typedef struct {
    int64_t first; /* offset of the first record that stays */
    int kept;
    int dropped;
    int tombstones; /* that stay */
} tally_t;

static apr_status_t count_records(compaction_t *compaction,
                                  const record_batch_t *batch,
                                  record_iterator_t iterator, tally_t *tally)
{
    record_t record;
    apr_status_t status;

    memset(tally, 0, sizeof(*tally));
    while ((status = record_iterator_next(&iterator, &record)) == APR_SUCCESS) {
        if (record.key_length < 0)
            compaction->counters->records_without_key++;
        if (!stays(compaction, batch, &record)) {
            tally->dropped++;
            continue;
        }
        if (tally->kept++ == 0)
            tally->first = record.offset;
        tally->tombstones += record.value_length < 0;
    }
    compaction->counters->records_read += tally->kept + tally->dropped;
    return status == APR_EOF ? APR_SUCCESS : status;
}

static apr_status_t rebuild(compaction_t *compaction,
                            const record_batch_t *batch,
                            record_iterator_t iterator, int64_t base_offset,
                            int64_t horizon)
{
    record_t record;
    apr_status_t status =
        begin_rebuilt(compaction, batch, base_offset, horizon, 1);

    while (status == APR_SUCCESS) {
        status = record_iterator_next(&iterator, &record);
        if (status == APR_SUCCESS && stays(compaction, batch, &record))
            status = record_builder_append_at(&compaction->builder, &record);
    }
    if (status != APR_EOF)
        return status == APR_EINVAL ? TAKHIN_ECORRUPT : status;
    return finish_rebuilt(compaction, batch);
}

/* BATCH has records, and some may stay. MARKER_DONE: it is a marker whose
 * records are gone; NEEDED: its offsets must stay known. */
static apr_status_t clean_records(compaction_t *compaction, int64_t position,
                                  const record_batch_t *batch,
                                  const uint8_t *data, int marker_done,
                                  int needed)
{
    int64_t horizon = record_batch_delete_horizon(batch), base_offset;
    record_iterator_t iterator;
    int expires;
    tally_t tally;
    apr_status_t status = record_iterator_init(
        &iterator, batch, data, &compaction->scratch, RECORD_DECOMPRESS_LIMIT);

    if (status == APR_SUCCESS)
        status = count_records(compaction, batch, iterator, &tally);
    if (status != APR_SUCCESS)
        return status;
    /* KIP-534: the time until which they stay begins now. */
    expires = batch->magic >= 2 && horizon < 0 &&
              (tally.tombstones > 0 || marker_done);
    if (tally.dropped == 0 && !expires)
        return keep_whole(compaction, position, batch);
    if (tally.kept == 0)
        return needed ? keep_empty(compaction, position, batch)
                      : drop(compaction);
    if (expires)
        horizon = compaction->now_ms + compaction->config.delete_retention_ms;
    base_offset = batch->magic >= 2 ? batch->base_offset : tally.first;
    return rebuild(compaction, batch, iterator, base_offset, horizon);
}

/* ---- batches ------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const active_t *)a)->id, y = ((const active_t *)b)->id;

    return x < y ? -1 : x > y;
}

/* A producer that is still known needs its last sequence number, or where
 * that is gone its last marker's epoch. */
static int is_last_of_producer(const compaction_t *compaction,
                               const record_batch_t *batch)
{
    active_t key = {batch->producer_id, 0, 0};
    const active_t *active;

    if (!record_batch_has_producer(batch) || compaction->active_count == 0)
        return 0;
    active = bsearch(&key, compaction->active, (size_t)compaction->active_count,
                     sizeof(key), by_id);
    if (active == NULL)
        return 0;
    if (active->last_offset >= 0)
        return record_batch_last_offset(batch) == active->last_offset;
    return record_batch_is_control(batch) &&
           batch->producer_epoch == active->epoch;
}

static apr_status_t clean_batch(void *baton, int64_t position,
                                const record_batch_t *batch,
                                const uint8_t *data)
{
    compaction_t *compaction = baton;
    int64_t horizon = record_batch_delete_horizon(batch);
    int control = record_batch_is_control(batch), discard, needed;
    const producer_txn_t *aborted;
    apr_status_t status = meet(compaction, batch, data);

    compaction->counters->batches_read++;
    if (status == APR_SUCCESS)
        status = cleaned_txns_batch(&compaction->txns, batch, data, &discard,
                                    &aborted);
    if (status == APR_SUCCESS && aborted != NULL)
        status = cleaned_segment_txn(&compaction->cleaned, aborted);
    if (status != APR_SUCCESS)
        return status;
    /* The group's last batch tells where it ends: to readers, to followers,
     * and to the start that has to finish its swap. */
    needed = is_last_of_producer(compaction, batch) ||
             (compaction->last_segment &&
              position + (int64_t)record_batch_size(batch) ==
                  compaction->segment->size);
    if (batch->magic >= 2 && batch->record_count == 0)
        return needed ? keep_whole(compaction, position, batch)
                      : drop(compaction);
    if (discard &&
        (!control || (horizon >= 0 && horizon <= compaction->now_ms))) {
        compaction->counters->records_read += batch->record_count;
        return needed ? keep_empty(compaction, position, batch)
                      : drop(compaction);
    }
    return clean_records(compaction, position, batch, data, discard && control,
                         needed);
}

/* ---- groups ------------------------------------------------------------- */

static apr_status_t clean_segment(compaction_t *compaction, segment_t *segment)
{
    apr_status_t status = segment_pin(segment, compaction->log->path);

    if (status != APR_SUCCESS)
        return status;
    compaction->segment = segment;
    status = scan(compaction, segment, 0, clean_batch);
    /* One that stays as it is need not be written anew. */
    if (status == APR_SUCCESS && compaction->changed)
        status = copy_run(compaction);
    segment_unpin(segment);
    return status;
}

static apr_status_t replace_group(compaction_t *compaction,
                                  segment_t *const *old, int count)
{
    log_t *log = compaction->log;
    segment_t *last = old[count - 1], *replacement;
    int64_t before = 0;
    apr_status_t status =
        cleaned_segment_finish(&compaction->cleaned, last->created);
    int i;

    if (status != APR_SUCCESS)
        return status;
    for (i = 0; i < count; i++)
        before += old[i]->size;
    replacement = segment_create(log_dir_cache(log->dir), old[0]->base_offset,
                                 last->next_offset, compaction->cleaned.size,
                                 last->created);
    if (replacement == NULL)
        return APR_ENOMEM;
    status = log_replace_segments(log, old, count, replacement,
                                  compaction->truncations);
    if (status != APR_SUCCESS) {
        segment_release(replacement);
        return status;
    }
    compaction->counters->segments_written++;
    compaction->counters->bytes_before += before;
    compaction->counters->bytes_after += compaction->cleaned.size;
    return APR_SUCCESS;
}

/* Cleans the COUNT segments from OLD on into one. */
static apr_status_t clean_group(compaction_t *compaction, segment_t *const *old,
                                int count)
{
    apr_status_t status = APR_SUCCESS;
    int i, replaced = 0;

    cleaned_segment_begin(&compaction->cleaned, compaction->log->path,
                          old[0]->base_offset,
                          (uint32_t)compaction->config.index_interval_bytes,
                          compaction->options->io_bytes / 2);
    compaction->changed = count > 1;
    for (i = 0; i < count && status == APR_SUCCESS; i++) {
        compaction->run_length = 0;
        compaction->last_segment = i + 1 == count;
        status = clean_segment(compaction, old[i]);
        compaction->counters->segments_read++;
    }
    if (status == APR_SUCCESS && compaction->changed) {
        status = replace_group(compaction, old, count);
        replaced = status == APR_SUCCESS;
    }
    /* Of a directory that failed in the midst of it nothing is touched. */
    cleaned_segment_end(&compaction->cleaned,
                        !replaced && log_dir_online(compaction->log->dir));
    return status;
}

/* At most what the indexes of BYTES of log may take. */
static int64_t index_bytes(const compaction_t *compaction, int64_t bytes)
{
    int64_t interval = compaction->config.index_interval_bytes;

    if (interval < RECORD_BATCH_OVERHEAD)
        interval = RECORD_BATCH_OVERHEAD;
    return (bytes / interval + 1) * SEGMENT_TIME_ENTRY;
}

/* How many segments from FIRST on become one. */
static int group_size(const compaction_t *compaction, int first)
{
    segment_t *const *segments = compaction->segments;
    int64_t bytes = segments[first]->size;
    int count = 1;

    for (; first + count < compaction->count; count++) {
        const segment_t *next = segments[first + count];

        bytes += next->size;
        if (next->base_offset > compaction->latest ||
            bytes > compaction->config.segment_bytes ||
            index_bytes(compaction, bytes) >
                compaction->config.segment_index_bytes ||
            end_of(compaction, first + count) - 1 -
                    segments[first]->base_offset >
                INT32_MAX)
            break;
    }
    return count;
}

static apr_status_t clean_groups(compaction_t *compaction)
{
    apr_status_t status = APR_SUCCESS;
    int at = 0;

    cleaned_txns_begin(&compaction->txns, compaction->bases[0]);
    while (status == APR_SUCCESS && at < compaction->count &&
           compaction->segments[at]->base_offset <= compaction->latest) {
        int count = group_size(compaction, at);

        status = clean_group(compaction, compaction->segments + at, count);
        at += count;
    }
    return status;
}

/* ---- one log ------------------------------------------------------------ */

static apr_status_t take_active(compaction_t *compaction)
{
    const log_t *log = compaction->log;
    const producer_t *producer;
    int cursor = 0;
    apr_status_t status = APR_SUCCESS;

    lock_enter(log->append_lock);
    if (log->producers != NULL) {
        compaction->active =
            malloc(sizeof(active_t) *
                   (size_t)(1 + producer_state_count(log->producers)));
        if (compaction->active == NULL)
            status = APR_ENOMEM;
        while (compaction->active != NULL &&
               (producer = producer_state_next(log->producers, &cursor))) {
            active_t *active = &compaction->active[compaction->active_count++];
            int last = producer->batch_count - 1;

            active->id = producer->id;
            active->epoch = producer->epoch;
            active->last_offset =
                last >= 0 ? producer->batches[last].last_offset : -1;
        }
    }
    lock_leave(log->append_lock);
    if (compaction->active_count > 1)
        qsort(compaction->active, (size_t)compaction->active_count,
              sizeof(active_t), by_id);
    return status;
}

/* The segments as MEASURE saw them, and where all others begin. */
static apr_status_t take_log(compaction_t *compaction,
                             const compact_measure_t *measure)
{
    log_t *log = compaction->log;
    int64_t upper;
    apr_status_t status;
    int i;

    lock_enter(log->lock);
    compaction->truncations = log->truncations;
    lock_leave(log->lock);
    status = take_segments(log, measure->upper, &compaction->segments,
                           &compaction->count, &upper);
    if (status != APR_SUCCESS)
        return status;
    lock_enter(log->lock);
    compaction->base_count = log->segment_count;
    compaction->bases =
        malloc(sizeof(int64_t) * (size_t)(log->segment_count + 1));
    for (i = 0; compaction->bases != NULL && i < log->segment_count; i++)
        compaction->bases[i] = log->segments[i]->base_offset;
    lock_leave(log->lock);
    if (compaction->bases == NULL)
        return APR_ENOMEM;
    /* Retention may have come in between. */
    if (compaction->count == 0 || compaction->base_count <= compaction->count ||
        compaction->bases[0] != compaction->segments[0]->base_offset ||
        compaction->bases[compaction->count] != upper)
        return APR_EAGAIN;
    return take_active(compaction);
}

static void set_legacy_horizon(compaction_t *compaction)
{
    int i;

    compaction->legacy_horizon = 0;
    for (i = 0; i < compaction->count; i++)
        if (compaction->segments[i]->base_offset < compaction->first_dirty)
            compaction->legacy_horizon = compaction->segments[i]->created -
                                         compaction->config.delete_retention_ms;
}

static void free_compaction(compaction_t *compaction)
{
    if (compaction->segments != NULL)
        release_segments(compaction->segments, compaction->count);
    free(compaction->bases);
    free(compaction->active);
    offset_map_destroy(compaction->map);
    cleaned_txns_free(&compaction->txns);
    record_scratch_free(&compaction->scratch);
    record_builder_free(&compaction->builder);
}

static apr_status_t compact(compaction_t *compaction,
                            const compact_measure_t *measure)
{
    compact_counters_t *counters = compaction->counters;
    apr_status_t status = take_log(compaction, measure);

    if (status == APR_SUCCESS) {
        set_legacy_horizon(compaction);
        status = cleaned_txns_collect(&compaction->txns, compaction->log->path,
                                      compaction->bases, compaction->base_count,
                                      compaction->bases[compaction->count]);
    }
    if (status == APR_SUCCESS)
        status = build_map(compaction);
    if (status == APR_SUCCESS)
        status = clean_groups(compaction);
    if (compaction->map != NULL) {
        if (offset_map_bytes(compaction->map) > counters->map_bytes_peak)
            counters->map_bytes_peak = offset_map_bytes(compaction->map);
        if (offset_map_count(compaction->map) > counters->map_entries_peak)
            counters->map_entries_peak = offset_map_count(compaction->map);
    }
    return status;
}

apr_status_t compact_log(log_t *log, const compact_measure_t *measure,
                         const compact_options_t *options, int64_t now_ms,
                         compact_counters_t *counters, int64_t *cleaned)
{
    compaction_t *compaction = calloc(1, sizeof(*compaction));
    apr_time_t began = clock_monotonic();
    apr_status_t status;

    if (compaction == NULL)
        return APR_ENOMEM;
    compaction->log = log;
    log_config(log, &compaction->config);
    compaction->options = options;
    compaction->counters = counters;
    compaction->now_ms = now_ms;
    compaction->first_dirty = measure->first_dirty;
    status = compact(compaction, measure);
    *cleaned = compaction->latest + 1;
    free_compaction(compaction);
    free(compaction);
    counters->time += clock_monotonic() - began;
    counters->compactions += status == APR_SUCCESS;
    /* A file that went while we looked at it: retention, or a deleted log. */
    if (APR_STATUS_IS_ENOENT(status) || log_usable(log) == TAKHIN_EDELETED)
        return APR_EAGAIN;
    if (status == TAKHIN_ECORRUPT || status == TAKHIN_ETOOBIG ||
        status == TAKHIN_EUNSUPPORTED || status == APR_EAGAIN ||
        APR_STATUS_IS_EINTR(status) || status == TAKHIN_EOFFLINE)
        return status;
    return log_failed(log, status, "compacting");
}
