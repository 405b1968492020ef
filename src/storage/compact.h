/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compacting one log: of each key the newest record survives, tombstones and
 * transaction markers go when their time has come (delete.retention.ms,
 * KIP-534), aborted records go, offsets never change. What is cleaner.c's is when and
 * with how many threads.
 *
 * Memory: the offset map, a read and a write buffer, and for one batch at a
 * time what it takes decompressed.
 */
#ifndef TAKHIN_STORAGE_COMPACT_H
#define TAKHIN_STORAGE_COMPACT_H

#include <takhin/zerocopy.h>

#include "storage/log.h"

/* What there is to compact in a log. */
typedef struct {
    int64_t first_dirty;  /* from here on nothing was compacted yet */
    int64_t upper;        /* up to here it may be */
    int64_t clean_bytes;  /* below FIRST_DIRTY */
    int64_t dirty_bytes;  /* from there to UPPER */
    unsigned overdue : 1; /* max.compaction.lag.ms has passed */
} compact_measure_t;

/* Of all compactions so far; sums. */
typedef struct {
    int64_t compactions;
    int64_t failures;  /* logs that became uncleanable */
    int64_t abandoned; /* the log changed meanwhile, or no space */
    int64_t segments_read;
    int64_t segments_written;
    int64_t batches_read, batches_whole, batches_rebuilt, batches_dropped;
    int64_t records_read, records_kept;
    int64_t records_without_key;
    int64_t bytes_read;                /* both walks */
    int64_t bytes_before, bytes_after; /* of the segments replaced */
    int64_t map_bytes_peak;
    int64_t map_entries_peak;
    apr_time_t time;                    /* microseconds in compactions */
    apr_time_t throttled;               /* of them asleep */
    takhin_zerocopy_counters_t *copies; /* or NULL */
} compact_counters_t;

typedef struct {
    int64_t map_bytes; /* limit of the offset map */
    double load_factor;
    apr_size_t io_bytes; /* of the read and the write buffer together */
    /* Called as BYTES were read or written: may sleep; a status other than
     * APR_SUCCESS stops the compaction, which returns it. */
    apr_status_t (*pace)(void *baton, apr_size_t bytes);
    void *baton;
} compact_options_t;

/*
 * Measures LOG, which was compacted up to CLEANED (-1: never). NOW in ms. An
 * I/O status, only where a compaction lag is set.
 */
apr_status_t compact_measure(log_t *log, int64_t cleaned, int64_t now_ms,
                             compact_measure_t *measure);

/*
 * Compacts LOG as MEASURE says and sets *CLEANED to the offset up to which it
 * is compacted now. One thread a log. Errors: APR_EAGAIN when the log changed
 * meanwhile, or APR_ENOSPC: another time; TAKHIN_ECORRUPT and TAKHIN_ETOOBIG:
 * this log cannot be compacted; what PACE said; or an I/O status, which the
 * log's directory may not have survived. The log is whole in any case.
 */
apr_status_t compact_log(log_t *log, const compact_measure_t *measure,
                         const compact_options_t *options, int64_t now_ms,
                         compact_counters_t *counters, int64_t *cleaned);

#endif
