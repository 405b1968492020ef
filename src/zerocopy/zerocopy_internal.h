/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the zero-copy package and its platform files share. A platform file
 * offers single attempts; repeating, falling back, counting and the end of a
 * file are decided once, in send_file.c and zerocopy_copy.c.
 */
#ifndef TAKHIN_ZEROCOPY_INTERNAL_H
#define TAKHIN_ZEROCOPY_INTERNAL_H

#include <takhin/zerocopy.h>

/*
 * What a system can do. Each function makes one attempt and repeats nothing:
 * it may move less than asked for, caps what the system cannot take at once,
 * and sets the moved count also when it returns an error, because some
 * systems move bytes and report an error in one call. Success with nothing
 * moved by the first three or by read_at means that the file ends here. A
 * count is never 0.
 *
 * A member of the first three is NULL where the system has no such call. One
 * that cannot serve this very file or destination returns the system's error;
 * send_file.c knows which of them mean "copy instead".
 */
typedef struct {
    apr_status_t (*send_socket)(apr_socket_t *to, apr_file_t *from,
                                apr_off_t offset, apr_off_t count,
                                apr_off_t *moved);
    apr_status_t (*send_pipe)(apr_file_t *to, apr_file_t *from,
                              apr_off_t offset, apr_off_t count,
                              apr_off_t *moved);
    apr_status_t (*copy_range)(apr_file_t *from, apr_off_t from_offset,
                               apr_file_t *to, apr_off_t to_offset,
                               apr_off_t count, apr_off_t *moved);

    apr_status_t (*read_at)(apr_file_t *file, void *data, apr_size_t *length,
                            apr_off_t offset);
    apr_status_t (*write_at)(apr_file_t *file, const void *data,
                             apr_size_t *length, apr_off_t offset);
    apr_status_t (*write_socket)(apr_socket_t *socket, const void *data,
                                 apr_size_t *length);
    apr_status_t (*write_pipe)(apr_file_t *pipe, const void *data,
                               apr_size_t *length);
} zerocopy_calls_t;

/* A send_socket returns it where the system's call would wait for a
 * destination that must not be waited for. Never leaves the package. */
#define ZEROCOPY_EWOULDWAIT (APR_OS_START_USERERR + 1)

/* This system's, in its platform file. */
extern const zerocopy_calls_t zerocopy_native;

/* The ones in use: zerocopy_native, unless a test that has no other thread
 * running puts its own here to make calls fail. */
extern const zerocopy_calls_t *zerocopy_calls;

/* Bytes that a plain copy carries at once, on the caller's stack. */
#define ZEROCOPY_BUFFER_SIZE (64 * 1024)

/* Whether COUNT bytes from OFFSET on are a range at all. */
int zerocopy_range_valid(apr_off_t offset, apr_off_t count);

/*
 * Reads LENGTH bytes at OFFSET, over interruptions and short reads, and sets
 * *GOT to how many there were. APR_EOF when FILE ends before.
 */
apr_status_t zerocopy_read_full(apr_file_t *file, void *data, apr_size_t length,
                                apr_off_t offset, apr_size_t *got);

/* Plain copies: takhin_send_file and takhin_copy_file_range without a system's
 * help and without counting. They add to *MOVED what they move. */
apr_status_t zerocopy_copy_to(const takhin_destination_t *to, apr_file_t *file,
                              apr_off_t offset, apr_off_t count,
                              apr_off_t *moved);
apr_status_t zerocopy_copy_range(apr_file_t *from, apr_off_t from_offset,
                                 apr_file_t *to, apr_off_t to_offset,
                                 apr_off_t count, apr_off_t *moved);

/* Count one call; COUNTERS may be NULL. */
void zerocopy_count_zero_copy(takhin_zerocopy_counters_t *counters,
                              apr_off_t bytes);
void zerocopy_count_fallback(takhin_zerocopy_counters_t *counters,
                             takhin_fallback_t reason, apr_off_t bytes);

#endif
