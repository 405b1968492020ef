/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment's index files: what segment.c and recovery need of them. See
 * segment.h for their format and for what each lock means.
 */
#ifndef TAKHIN_STORAGE_SEGMENT_INDEX_H
#define TAKHIN_STORAGE_SEGMENT_INDEX_H

#include "storage/segment.h"

/* Adds the entries of the batch with LAST_OFFSET at POSITION, the time entry
 * from the segment's largest timestamp. 1 when there is no room for another.
 * The lock is held. */
int segment_index_add(segment_t *segment, int64_t last_offset,
                      int64_t position);

/* Entries in file and memory; the segment is ready. */
uint32_t segment_index_entries(const segment_t *segment);
uint32_t segment_index_times(const segment_t *segment);

/* Loads the entries into memory; the segment is pinned, LOCK not held. */
apr_status_t segment_index_load(segment_t *segment, const char *directory,
                                lock_t *lock);

/* Where to start to walk for OFFSET (*START) and by when it was met (*STOP,
 * left alone when the index does not say). *LAST: the last offset that the
 * batch at *START must have, or -1. The lock is held. */
void segment_index_floor(const segment_t *segment, int64_t offset,
                         int64_t limit, int64_t *start, int64_t *stop,
                         int64_t *last);

/* segment_prepare's part: counts the entries that make sense and cuts the
 * files there; the last time entry becomes the largest timestamp. */
apr_status_t segment_index_prepare(segment_t *segment, const char *directory,
                                   lock_t *lock);

/* Drops entries at or behind POSITION and NEXT. */
apr_status_t segment_index_truncate(segment_t *segment, const char *directory,
                                    lock_t *lock, int64_t position,
                                    int64_t next);

/* The last index entry whose offset is below OFFSET_LIMIT; the base offset and
 * position 0 when there is none. Nothing is pending. */
apr_status_t segment_index_before(segment_t *segment, const char *directory,
                                  int64_t offset_limit, int64_t *offset,
                                  int64_t *position);

/* Creates both files, empty, when they are not there. */
apr_status_t segment_index_create_files(segment_t *segment,
                                        const char *directory);

#endif
