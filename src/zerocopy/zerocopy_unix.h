/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the Unix platform files have in common: the descriptor behind an APR
 * object, and the single attempts that POSIX knows (see zerocopy_calls_t).
 * Windows never includes it.
 */
#ifndef TAKHIN_ZEROCOPY_UNIX_H
#define TAKHIN_ZEROCOPY_UNIX_H

#include "zerocopy/zerocopy_internal.h"

/* -1 if there is none, which every system call answers with EBADF. */
int zerocopy_unix_file(apr_file_t *file);
int zerocopy_unix_socket(apr_socket_t *socket);

apr_status_t zerocopy_unix_read_at(apr_file_t *file, void *data,
                                   apr_size_t *length, apr_off_t offset);
apr_status_t zerocopy_unix_write_at(apr_file_t *file, const void *data,
                                    apr_size_t *length, apr_off_t offset);
apr_status_t zerocopy_unix_write_socket(apr_socket_t *socket, const void *data,
                                        apr_size_t *length);
apr_status_t zerocopy_unix_write_pipe(apr_file_t *pipe, const void *data,
                                      apr_size_t *length);

#endif
