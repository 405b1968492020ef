/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A read range: where the bytes of a Fetch lie, as file pieces, before any of
 * them is read. It holds a reference to each segment it names, so a segment
 * that is being sent cannot be closed or lose its bytes. It never holds data.
 */
#ifndef TAKHIN_STORAGE_READ_RANGE_H
#define TAKHIN_STORAGE_READ_RANGE_H

#include <apr_file_io.h>
#include <stdint.h>

typedef struct segment_t segment_t;

/* A fetch seldom spans more than two segments; a longer range is cut here and
 * the client asks again for the rest. */
#define READ_RANGE_MAX_PIECES 4

typedef struct {
    segment_t *segment; /* counted: released by read_range_release */
    apr_file_t *file;   /* open while the segment's reference is held;
                           only positional reads and sends, by any thread */
    apr_off_t position; /* of the first byte in FILE */
    apr_size_t size;    /* in bytes, above 0 */
} read_piece_t;

typedef struct {
    read_piece_t pieces[READ_RANGE_MAX_PIECES];
    int count;
    apr_size_t size;      /* of all pieces, in bytes */
    int64_t first_offset; /* the offset that was asked for, or the base offset
                             of the first batch where its header was read */
    unsigned truncated_first : 1; /* max_bytes cut even the first batch (only
                                     when at_least_one was not asked for) */
} read_range_t;

/* Gives back every reference RANGE holds and empties it. Any thread. */
void read_range_release(read_range_t *range);

#endif
