/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The offsets that a log directory remembers for each log, in Kafka's
 * checkpoint files: version 0, the count, then "topic partition offset" lines.
 * Callers serialise.
 */
#ifndef TAKHIN_STORAGE_CHECKPOINT_H
#define TAKHIN_STORAGE_CHECKPOINT_H

#include <apr_pools.h>
#include <stdint.h>

typedef struct checkpoint_t checkpoint_t;

checkpoint_t *checkpoint_create(void); /* NULL: no memory */
void checkpoint_destroy(checkpoint_t *checkpoint);

/* Sets what is known of log NAME ("topic-0"); 0 without memory. */
int checkpoint_set(checkpoint_t *checkpoint, const char *name,
                   int64_t recovery_point, int64_t start_offset,
                   int64_t high_watermark);
/* Up to where NAME was compacted; 0 without memory. -1: it never was. */
int checkpoint_set_cleaned(checkpoint_t *checkpoint, const char *name,
                           int64_t offset);
int64_t checkpoint_get_cleaned(const checkpoint_t *checkpoint,
                               const char *name);
void checkpoint_remove(checkpoint_t *checkpoint, const char *name);
/* 0 each when nothing is known. */
void checkpoint_get(const checkpoint_t *checkpoint, const char *name,
                    int64_t *recovery_point, int64_t *start_offset);
/* Everything in FROM, too; 0 without memory. */
int checkpoint_copy(checkpoint_t *checkpoint, const checkpoint_t *from);

/* Reads the files in DIRECTORY; those that are missing or empty say nothing.
 * TAKHIN_ECORRUPT: *ERROR names file and line, from POOL; of that file what
 * stands above the line was taken in, and of the others all. */
apr_status_t checkpoint_read(checkpoint_t *checkpoint, const char *directory,
                             const char **error, apr_pool_t *pool);
/* Writes them but the cleaner's, each whole or not at all. */
apr_status_t checkpoint_write(const checkpoint_t *checkpoint,
                              const char *directory);
/* Writes the one that tells how far compaction came. */
apr_status_t checkpoint_write_cleaned(const checkpoint_t *checkpoint,
                                      const char *directory);

#endif
