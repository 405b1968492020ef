/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows below base/fs.h. An OVERLAPPED carries the offset of each transfer,
 * also on a handle that is not overlapped: the file's position then moves, but
 * nobody uses it.
 */
#include "base/fs.h"

#include <apr_portable.h>
#include <windows.h>

static HANDLE handle(apr_file_t *file)
{
    apr_os_file_t os = INVALID_HANDLE_VALUE;

    (void)apr_os_file_get(&os, file); /* cannot fail for an open file */
    return os;
}

static OVERLAPPED at(apr_off_t offset)
{
    OVERLAPPED where = {0};

    where.Offset = (DWORD)((apr_uint64_t)offset & 0xffffffffu);
    where.OffsetHigh = (DWORD)((apr_uint64_t)offset >> 32);
    return where;
}

static DWORD step(apr_size_t length)
{
    return length > (1u << 30) ? 1u << 30 : (DWORD)length;
}

apr_status_t fs_os_pread(apr_file_t *file, apr_off_t offset, void *buffer,
                         apr_size_t length, apr_size_t *moved)
{
    OVERLAPPED where = at(offset);
    DWORD got = 0;

    *moved = 0;
    if (!ReadFile(handle(file), buffer, step(length), &got, &where)) {
        DWORD error = GetLastError();

        return error == ERROR_HANDLE_EOF ? APR_SUCCESS
                                         : APR_FROM_OS_ERROR(error);
    }
    *moved = got;
    return APR_SUCCESS;
}

apr_status_t fs_os_pwrite(apr_file_t *file, apr_off_t offset, const void *data,
                          apr_size_t length, apr_size_t *moved)
{
    OVERLAPPED where = at(offset);
    DWORD put = 0;

    if (!WriteFile(handle(file), data, step(length), &put, &where))
        return apr_get_os_error();
    *moved = put;
    return APR_SUCCESS;
}

apr_status_t fs_os_sync(apr_file_t *file)
{
    return FlushFileBuffers(handle(file)) ? APR_SUCCESS : apr_get_os_error();
}

apr_status_t fs_os_sync_dir(const char *path)
{
    (void)path; /* NTFS journals its directories; they cannot be flushed */
    return APR_SUCCESS;
}

apr_status_t fs_os_allocate(apr_file_t *file, apr_off_t size, int extend)
{
    return extend ? apr_file_trunc(file, size) : APR_ENOTIMPL;
}

void fs_os_start_writing(apr_file_t *file, apr_off_t offset, apr_off_t length)
{
    (void)file, (void)offset, (void)length; /* no such advice here */
}

void fs_os_drop_cache(apr_file_t *file, apr_off_t offset, apr_off_t length)
{
    (void)file, (void)offset, (void)length; /* no such advice here */
}

apr_status_t fs_os_free_space(const char *path, apr_off_t *free,
                              apr_off_t *total)
{
    ULARGE_INTEGER available, size;

    if (!GetDiskFreeSpaceExA(path, &available, &size, NULL))
        return apr_get_os_error();
    *free = (apr_off_t)available.QuadPart;
    *total = (apr_off_t)size.QuadPart;
    return APR_SUCCESS;
}

apr_status_t fs_os_lock(apr_file_t *file, int *holder)
{
    (void)file;
    (void)holder;
    return APR_SUCCESS;
}

int fs_os_process_id(void)
{
    return (int)GetCurrentProcessId();
}
