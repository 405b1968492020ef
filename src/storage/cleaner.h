/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log cleaner: threads that compact the logs of all log directories, the
 * dirtiest first. A log that cannot be compacted is said once, left alone from
 * then on, and does not keep the others waiting. How far a log came stands in
 * its directory's cleaner-offset-checkpoint, in Kafka's format.
 */
#ifndef TAKHIN_STORAGE_CLEANER_H
#define TAKHIN_STORAGE_CLEANER_H

#include "storage/compact.h"
#include "storage/log_dir.h"

typedef struct cleaner_t cleaner_t;

typedef struct {
    int threads;             /* log.cleaner.threads */
    int64_t dedupe_bytes;    /* log.cleaner.dedupe.buffer.size, of all threads;
                                 taken only while a log is compacted, and only
                                 as much as it needs */
    double load_factor;      /* log.cleaner.io.buffer.load.factor */
    int64_t io_bytes;        /* log.cleaner.io.buffer.size, of all threads */
    double bytes_per_second; /* log.cleaner.io.max.bytes.per.second, of all */
    int64_t backoff_ms;      /* log.cleaner.backoff.ms */
} cleaner_options_t;

void cleaner_options_init(cleaner_options_t *options); /* Kafka's defaults */

typedef struct {
    compact_counters_t work; /* of compactions that ended */
    int running;             /* compactions under way */
    int uncleanable;         /* open logs that are left alone */
    double dirtiest;         /* dirty ratio of the last log chosen, 0 to 1 */
    takhin_zerocopy_counters_t copies;
} cleaner_stats_t;

/* A cleaner of DIRS, which must outlive it; POOL is the broker's. */
apr_status_t cleaner_create(cleaner_t **cleaner,
                            const cleaner_options_t *options,
                            log_dir_t *const *dirs, int dir_count,
                            apr_pool_t *pool);

/* Starts its threads. */
apr_status_t cleaner_start(cleaner_t *cleaner);

/* Stops what is under way, soon, and waits for the threads. Before logs are
 * closed. */
void cleaner_stop(cleaner_t *cleaner);

/*
 * Compacts the log that needs it most, in this thread. *FOUND says whether
 * there was one. The status is that of compact_log. Any thread.
 */
apr_status_t cleaner_run_once(cleaner_t *cleaner, int *found);

/* A copy of the figures. Any thread. */
void cleaner_stats(cleaner_t *cleaner, cleaner_stats_t *stats);

#endif
