/* SPDX-License-Identifier: Apache-2.0 */
/* macOS's own calls below base/fs.h. fsync there stops at the drive's cache:
 * F_FULLFSYNC is what reaches the device. */
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
    int fd = descriptor(file);

    while (fcntl(fd, F_FULLFSYNC) != 0) {
        if (errno == EINTR)
            continue;
        /* Network file systems have no F_FULLFSYNC. */
        if (errno != ENOTSUP && errno != ENOTTY && errno != EINVAL)
            return errno;
        return fsync(fd) == 0 ? APR_SUCCESS : errno;
    }
    return APR_SUCCESS;
}

apr_status_t fs_os_allocate(apr_file_t *file, apr_off_t size, int extend)
{
    fstore_t store = {F_ALLOCATEALL, F_PEOFPOSMODE, 0, size, 0};

    if (fcntl(descriptor(file), F_PREALLOCATE, &store) != 0)
        return errno == ENOTSUP ? APR_ENOTIMPL : errno;
    return extend ? apr_file_trunc(file, size) : APR_SUCCESS;
}

void fs_os_start_writing(apr_file_t *file, apr_off_t offset, apr_off_t length)
{
    (void)file, (void)offset, (void)length; /* no such advice here */
}

void fs_os_drop_cache(apr_file_t *file, apr_off_t offset, apr_off_t length)
{
    (void)file, (void)offset, (void)length; /* no such advice here */
}
