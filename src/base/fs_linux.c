/* SPDX-License-Identifier: Apache-2.0 */
/* Linux's own calls below base/fs.h: fdatasync, fallocate, advice. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/fs.h"

#include <apr_portable.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int descriptor(apr_file_t *file)
{
    apr_os_file_t fd = -1;

    (void)apr_os_file_get(&fd, file); /* cannot fail for an open file */
    return fd;
}

apr_status_t fs_os_sync(apr_file_t *file)
{
    /* EINTR is possible on network file systems, before anything was lost. */
    while (fdatasync(descriptor(file)) != 0)
        if (errno != EINTR)
            return errno;
    return APR_SUCCESS;
}

apr_status_t fs_os_allocate(apr_file_t *file, apr_off_t size, int extend)
{
    int mode = extend ? 0 : FALLOC_FL_KEEP_SIZE;

    while (fallocate(descriptor(file), mode, 0, size) != 0) {
        if (errno == EOPNOTSUPP || errno == ENOSYS)
            return APR_ENOTIMPL;
        if (errno != EINTR)
            return errno;
    }
    return APR_SUCCESS;
}

void fs_os_start_writing(apr_file_t *file, apr_off_t offset, apr_off_t length)
{
    /* Advice: what fails here is found by the flush that follows. */
    (void)sync_file_range(descriptor(file), offset, length,
                          SYNC_FILE_RANGE_WRITE);
}

void fs_os_drop_cache(apr_file_t *file, apr_off_t offset, apr_off_t length)
{
    (void)posix_fadvise(descriptor(file), offset, length, POSIX_FADV_DONTNEED);
}
