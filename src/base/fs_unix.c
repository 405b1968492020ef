/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every Unix has in common below base/fs.h. It never touches a file's
 * shared position.
 */
#include "base/fs.h"

#include <apr_portable.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int descriptor(apr_file_t *file)
{
    apr_os_file_t fd = -1;

    /* Cannot fail for a file that APR opened. */
    (void)apr_os_file_get(&fd, file);
    return fd;
}

apr_status_t fs_os_pread(apr_file_t *file, apr_off_t offset, void *buffer,
                         apr_size_t length, apr_size_t *moved)
{
    ssize_t got;

    do {
        got = pread(descriptor(file), buffer, length, offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno;
    *moved = (apr_size_t)got;
    return APR_SUCCESS;
}

apr_status_t fs_os_pwrite(apr_file_t *file, apr_off_t offset, const void *data,
                          apr_size_t length, apr_size_t *moved)
{
    ssize_t put;

    do {
        put = pwrite(descriptor(file), data, length, offset);
    } while (put < 0 && errno == EINTR);
    if (put < 0)
        return errno;
    *moved = (apr_size_t)put;
    return APR_SUCCESS;
}

apr_status_t fs_os_sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    apr_status_t status = APR_SUCCESS;

    if (fd < 0)
        return errno;
    /* EINVAL: this file system does not flush directories, nor needs it. */
    if (fsync(fd) != 0 && errno != EINVAL)
        status = errno;
    close(fd);
    return status;
}

apr_status_t fs_os_free_space(const char *path, apr_off_t *free,
                              apr_off_t *total)
{
    struct statvfs info;

    if (statvfs(path, &info) != 0)
        return errno;
    *free = (apr_off_t)info.f_bavail * (apr_off_t)info.f_frsize;
    *total = (apr_off_t)info.f_blocks * (apr_off_t)info.f_frsize;
    return APR_SUCCESS;
}

/* It goes when any descriptor of the file is closed in this process: nobody
 * else here opens a lock file. */
apr_status_t fs_os_lock(apr_file_t *file, int *holder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(descriptor(file), F_SETLK, &lock) == 0)
        return APR_SUCCESS;
    if (errno != EAGAIN && errno != EACCES)
        return errno;
    if (fcntl(descriptor(file), F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        *holder = (int)lock.l_pid;
    return APR_EAGAIN;
}

int fs_os_process_id(void)
{
    return (int)getpid();
}
