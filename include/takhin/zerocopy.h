/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zero-copy package: bytes go from a file to a socket, a pipe or another
 * file without passing through the program, wherever the system has a call for
 * it, and by a plain copy wherever it hasn't. The caller sees one behaviour.
 *
 * The rules that hold for every function here:
 *
 * - The source file's own position is neither used nor moved (Windows moves
 *   it, and nothing here looks at it), so any number of threads may send from
 *   one apr_file_t at the same time. The file must be open for reading, and
 *   what was written to it through APR's buffer must have been flushed.
 * - Offsets and counts are bytes, 64 bits wide, never negative: otherwise, or
 *   where their sum overflows, the answer is APR_EINVAL and nothing moves.
 * - The count that comes back is exact whatever the status is. To go on after
 *   APR_EAGAIN: call again with offset + sent and count - sent.
 * - Nothing is allocated, no state is kept, no lock is taken. A plain copy
 *   uses 64 KiB of the calling thread's stack.
 * - A non-blocking destination is never waited for. That includes an APR
 *   socket or pipe with a timeout above zero on Unix, because APR keeps its
 *   descriptor non-blocking and does the waiting itself: APR_EAGAIN comes back
 *   and the caller waits (apr_wait_for_io_or_timeout, a pollset). A blocking
 *   descriptor blocks as the kernel has it.
 * - A receiver that has gone is an error such as APR_EPIPE or APR_ECONNRESET.
 *   On Unix the program must ignore SIGPIPE: no flag keeps sendfile(2) from
 *   raising it.
 * - After a zero-copy send to a socket or pipe the kernel may still refer to
 *   the file's pages: bytes that were sent must not be overwritten in place
 *   until the receiver has them. Appending and deleting are safe.
 */
#ifndef TAKHIN_ZEROCOPY_H
#define TAKHIN_ZEROCOPY_H

#include <apr_errno.h>
#include <apr_file_io.h>
#include <apr_network_io.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why bytes were copied through the program. */
typedef enum {
    TAKHIN_FALLBACK_UNSUPPORTED, /* there is no call for such a destination */
    TAKHIN_FALLBACK_ENOSYS,      /* the kernel doesn't have the call */
    TAKHIN_FALLBACK_EINVAL,      /* not with this file or this destination */
    TAKHIN_FALLBACK_EXDEV,       /* not from one file system to another */
    TAKHIN_FALLBACK_EOPNOTSUPP,  /* not on this file system */
    TAKHIN_FALLBACK_EPERM,       /* a sandbox forbids the call */
    TAKHIN_FALLBACK_WOULD_WAIT,  /* the call would wait for a non-blocking
                                    destination (Windows) */
    TAKHIN_FALLBACK_CHOICE,      /* the caller wanted it: takhin_send_copy */
    TAKHIN_FALLBACK_REASONS      /* how many there are */
} takhin_fallback_t;

/*
 * Counters, owned by the caller and shared by as many threads as it likes; all
 * zero is a fresh one. A "call" is one call of a function below: one that
 * turned into a copy midway counts on both sides, each with its bytes. Don't
 * read the fields while others count: takhin_zerocopy_counters_get does.
 */
typedef struct {
    apr_uint64_t zero_copy_calls; /* that moved at least one byte */
    apr_uint64_t zero_copy_bytes;
    apr_uint64_t fallback_calls[TAKHIN_FALLBACK_REASONS];
    apr_uint64_t fallback_bytes[TAKHIN_FALLBACK_REASONS];
} takhin_zerocopy_counters_t;

/*
 * Sets *SNAPSHOT to what COUNTERS hold now. Each number is whole; numbers that
 * are being changed at this moment need not fit each other. Any thread.
 */
void takhin_zerocopy_counters_get(takhin_zerocopy_counters_t *counters,
                                  takhin_zerocopy_counters_t *snapshot);

/* REASON as a word for logs and metrics ("enosys", "choice"); "unknown" for
 * what is no reason. A constant. Any thread. */
const char *takhin_fallback_name(takhin_fallback_t reason);

/*
 * Takes *LENGTH bytes at DATA, or fewer, and sets *LENGTH to how many it took,
 * also when it returns an error. Success with none taken means that there is
 * no room now, as APR_EAGAIN does. DATA is valid during the call only.
 */
typedef apr_status_t (*takhin_write_fn)(void *baton, const void *data,
                                        apr_size_t *length);

/*
 * Where bytes go: a value to be passed around freely, made by one of the
 * constructors. It borrows what it was made from.
 */
typedef struct {
    enum {
        TAKHIN_TO_SOCKET,
        TAKHIN_TO_PIPE,
        TAKHIN_TO_FILE,
        TAKHIN_TO_WRITER
    } kind;
    union {
        apr_socket_t *socket;
        apr_file_t *file; /* of both TO_PIPE and TO_FILE */
        struct {
            takhin_write_fn write;
            void *baton;
        } writer;
    } to;
} takhin_destination_t;

/* A connected stream socket. */
takhin_destination_t takhin_to_socket(apr_socket_t *socket);

/* A file, written at its own position as apr_file_write does, or a pipe. Asks
 * the system which of them FILE is: make it once and keep it. */
takhin_destination_t takhin_to_file(apr_file_t *file);

/* Anything else that takes bytes. */
takhin_destination_t takhin_to_writer(takhin_write_fn write, void *baton);

/*
 * Sends COUNT bytes of FILE from OFFSET on to TO and sets *SENT to how many
 * bytes TO took. Counts in COUNTERS unless that is NULL.
 *
 * A socket gets them by sendfile(2) or TransmitFile, a pipe by splice(2) on
 * Linux, everything else by a plain copy; so does a socket or pipe whose call
 * the kernel refuses, from the very byte on where it did. An interrupted call
 * is repeated.
 *
 * APR_SUCCESS: *SENT is COUNT. APR_EAGAIN: TO is non-blocking and has no room.
 * APR_EOF: FILE ends before OFFSET + COUNT. Else what the system or the writer
 * said. Any thread; a destination takes bytes from one thread at a time.
 */
apr_status_t takhin_send_file(const takhin_destination_t *to, apr_file_t *file,
                              apr_off_t offset, apr_off_t count,
                              takhin_zerocopy_counters_t *counters,
                              apr_off_t *sent);

/*
 * The same by plain copy, which is the faster way for a small count. It is
 * counted as TAKHIN_FALLBACK_CHOICE.
 */
apr_status_t takhin_send_copy(const takhin_destination_t *to, apr_file_t *file,
                              apr_off_t offset, apr_off_t count,
                              takhin_zerocopy_counters_t *counters,
                              apr_off_t *sent);

/*
 * Copies COUNT bytes of FROM at FROM_OFFSET into TO at TO_OFFSET, and sets
 * *COPIED to how many are there; neither file's position is used or moved. By
 * copy_file_range(2) on Linux from 4.5 and FreeBSD from 13 on, which may share
 * blocks instead of copying, else by plain copy. TO grows as needed and must
 * not be open for appending: systems differ in where the bytes go then.
 *
 * APR_EOF: FROM ends before FROM_OFFSET + COUNT. APR_EINVAL: also when FROM
 * and TO are the same apr_file_t and the ranges overlap. Else what the system
 * said. Any thread.
 */
apr_status_t takhin_copy_file_range(apr_file_t *from, apr_off_t from_offset,
                                    apr_file_t *to, apr_off_t to_offset,
                                    apr_off_t count,
                                    takhin_zerocopy_counters_t *counters,
                                    apr_off_t *copied);

/*
 * A reader: a range of a file and how far one has come in it. A value, copied
 * by assignment, with nothing to close; it borrows FILE. One thread at a time
 * uses one reader, any number of readers one file.
 */
typedef struct {
    apr_file_t *file;
    apr_off_t start;    /* of the range, in FILE */
    apr_off_t length;   /* of the range */
    apr_off_t position; /* bytes consumed: 0 to LENGTH */
} takhin_reader_t;

/* A reader over the LENGTH bytes of FILE from START on, at its beginning. The
 * range is checked when it is used. */
takhin_reader_t takhin_reader(apr_file_t *file, apr_off_t start,
                              apr_off_t length);

/* How many bytes were consumed, and how many are left. */
apr_off_t takhin_reader_position(const takhin_reader_t *reader);
apr_off_t takhin_reader_remaining(const takhin_reader_t *reader);

/*
 * Reads the next *LENGTH bytes into BUFFER, or as many as are left, and sets
 * *LENGTH to their number. APR_EOF: none are left, or FILE ends before the
 * range does (then *LENGTH bytes were read and some remain).
 */
apr_status_t takhin_reader_read(takhin_reader_t *reader, void *buffer,
                                apr_size_t *length);

/*
 * Sends the next MAX bytes, or as many as are left, to TO as takhin_send_file
 * does, and moves on by *SENT. Success with *SENT 0 when none are left.
 */
apr_status_t takhin_reader_write_to(takhin_reader_t *reader,
                                    const takhin_destination_t *to,
                                    apr_off_t max,
                                    takhin_zerocopy_counters_t *counters,
                                    apr_off_t *sent);

#ifdef __cplusplus
}
#endif

#endif
