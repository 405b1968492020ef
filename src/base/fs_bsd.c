/* SPDX-License-Identifier: Apache-2.0 */
/* FreeBSD's own calls below base/fs.h. */
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
    while (fdatasync(descriptor(file)) != 0)
        if (errno != EINTR)
            return errno;
    return APR_SUCCESS;
}

apr_status_t fs_os_allocate(apr_file_t *file, apr_off_t size, int extend)
{
    int error;

    if (!extend)
        return APR_ENOTIMPL; /* posix_fallocate always makes it longer */
    error = posix_fallocate(descriptor(file), 0, size);
    return error == EINVAL || error == EOPNOTSUPP ? APR_ENOTIMPL : error;
}

void fs_os_start_writing(apr_file_t *file, apr_off_t offset, apr_off_t length)
{
    (void)file, (void)offset, (void)length; /* no such advice here */
}

void fs_os_drop_cache(apr_file_t *file, apr_off_t offset, apr_off_t length)
{
    (void)posix_fadvise(descriptor(file), offset, length, POSIX_FADV_DONTNEED);
}
