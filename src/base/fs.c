/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The portable part of the file system: hooks, loops over short transfers, and
 * what is made of several operations. It must never drop a status.
 */
#include "base/fs.h"

#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const fs_hooks_t *fs_hooks;

static apr_status_t before(fs_call_t *call)
{
    if (fs_hooks->before == NULL)
        return APR_SUCCESS;
    return fs_hooks->before(fs_hooks->baton, call);
}

static void after(const fs_call_t *call)
{
    if (fs_hooks->after != NULL)
        fs_hooks->after(fs_hooks->baton, call);
}

static apr_status_t ask(fs_op_t op, const char *path, const char *path2,
                        apr_off_t offset)
{
    fs_call_t call = {op, path, path2, offset, NULL, 0};

    return fs_hooks == NULL ? APR_SUCCESS : before(&call);
}

static apr_status_t told(fs_op_t op, const char *path, const char *path2,
                         apr_off_t offset, apr_status_t status)
{
    fs_call_t call = {op, path, path2, offset, NULL, 0};

    if (fs_hooks != NULL && status == APR_SUCCESS)
        after(&call);
    return status;
}

/* ---- one file ---------------------------------------------------------- */

static apr_int32_t open_flags(int flags)
{
    apr_int32_t apr = APR_FOPEN_READ | APR_FOPEN_BINARY |
                      APR_FOPEN_SENDFILE_ENABLED | APR_FOPEN_NOCLEANUP;

    if (flags & FS_WRITABLE)
        apr |= APR_FOPEN_WRITE;
    if (flags & FS_CREATE)
        apr |= APR_FOPEN_CREATE;
    if (flags & FS_EXCLUSIVE)
        apr |= APR_FOPEN_EXCL;
    if (flags & FS_TRUNCATED)
        apr |= APR_FOPEN_TRUNCATE;
    return apr;
}

apr_status_t fs_open(fs_file_t **file, const char *path, int flags)
{
    apr_status_t status;
    apr_pool_t *pool;
    fs_file_t *made;

    *file = NULL;
    status = ask(FS_OPEN, path, NULL, flags);
    if (status != APR_SUCCESS)
        return status;
    status = apr_pool_create(&pool, NULL);
    if (status != APR_SUCCESS)
        return status;
    made = apr_pcalloc(pool, sizeof(*made));
    made->pool = pool;
    made->path = apr_pstrdup(pool, path);
    status = apr_file_open(&made->file, path, open_flags(flags),
                           APR_FPROT_UREAD | APR_FPROT_UWRITE |
                               APR_FPROT_GREAD | APR_FPROT_WREAD,
                           pool);
    if (status != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return status;
    }
    *file = made;
    return told(FS_OPEN, path, NULL, flags, APR_SUCCESS);
}

apr_status_t fs_close(fs_file_t *file)
{
    apr_status_t status = apr_file_close(file->file);

    apr_pool_destroy(file->pool);
    return status;
}

static apr_status_t hooked_read(fs_file_t *file, apr_off_t offset, void *buffer,
                                apr_size_t length, apr_size_t *moved)
{
    fs_call_t call = {FS_READ, file->path, NULL, offset, NULL, length};
    apr_status_t status = before(&call);

    if (status != APR_SUCCESS)
        return status;
    status = fs_os_pread(file->file, offset, buffer, call.length, moved);
    if (status == APR_SUCCESS) {
        call.length = *moved;
        after(&call);
    }
    return status;
}

apr_status_t fs_read_at(fs_file_t *file, apr_off_t offset, void *buffer,
                        apr_size_t length, apr_size_t *got)
{
    apr_status_t status = APR_SUCCESS;
    apr_size_t done = 0;

    while (done < length && status == APR_SUCCESS) {
        apr_size_t moved = 0;

        if (fs_hooks == NULL)
            status = fs_os_pread(file->file, offset + (apr_off_t)done,
                                 (char *)buffer + done, length - done, &moved);
        else
            status = hooked_read(file, offset + (apr_off_t)done,
                                 (char *)buffer + done, length - done, &moved);
        if (APR_STATUS_IS_EINTR(status))
            status = APR_SUCCESS;
        else if (status == APR_SUCCESS && moved == 0)
            status = APR_EOF;
        done += moved;
    }
    if (got != NULL)
        *got = done;
    return status;
}

static apr_status_t hooked_write(fs_file_t *file, apr_off_t offset,
                                 const void *data, apr_size_t length,
                                 apr_size_t *moved)
{
    fs_call_t call = {FS_WRITE, file->path, NULL, offset, data, length};
    apr_status_t status = before(&call);

    if (status != APR_SUCCESS)
        return status;
    status = fs_os_pwrite(file->file, offset, data, call.length, moved);
    if (status == APR_SUCCESS) {
        call.length = *moved;
        after(&call);
    }
    return status;
}

apr_status_t fs_write_at(fs_file_t *file, apr_off_t offset, const void *data,
                         apr_size_t length)
{
    apr_size_t done = 0;

    while (done < length) {
        apr_status_t status;
        apr_size_t moved = 0;

        if (fs_hooks == NULL)
            status =
                fs_os_pwrite(file->file, offset + (apr_off_t)done,
                             (const char *)data + done, length - done, &moved);
        else
            status =
                hooked_write(file, offset + (apr_off_t)done,
                             (const char *)data + done, length - done, &moved);
        if (status != APR_SUCCESS && !APR_STATUS_IS_EINTR(status))
            return status;
        done += moved;
    }
    return APR_SUCCESS;
}

apr_status_t fs_copy_begins(fs_file_t *file, apr_off_t offset, apr_off_t length)
{
    fs_call_t call = {FS_WRITE, file->path, NULL,
                      offset,   NULL,       (apr_size_t)length};

    return fs_hooks == NULL ? APR_SUCCESS : before(&call);
}

void fs_copy_ended(fs_file_t *file, apr_off_t offset, apr_off_t length)
{
    fs_call_t call = {FS_WRITE, file->path, NULL,
                      offset,   NULL,       (apr_size_t)length};

    if (fs_hooks != NULL)
        after(&call);
}

void fs_set_modified(fs_file_t *file, apr_time_t modified)
{
    (void)apr_file_mtime_set(file->path, modified, file->pool);
}

apr_status_t fs_size(fs_file_t *file, apr_off_t *size)
{
    apr_finfo_t info;
    apr_status_t status = ask(FS_STAT, file->path, NULL, 0);

    if (status == APR_SUCCESS)
        status = apr_file_info_get(&info, APR_FINFO_SIZE, file->file);
    if (status == APR_SUCCESS)
        *size = info.size;
    return status;
}

apr_status_t fs_truncate(fs_file_t *file, apr_off_t size)
{
    apr_status_t status = ask(FS_TRUNCATE, file->path, NULL, size);

    if (status == APR_SUCCESS)
        status = apr_file_trunc(file->file, size);
    return told(FS_TRUNCATE, file->path, NULL, size, status);
}

apr_status_t fs_sync(fs_file_t *file)
{
    apr_status_t status = ask(FS_SYNC, file->path, NULL, 0);

    if (status == APR_SUCCESS)
        status = fs_os_sync(file->file);
    return told(FS_SYNC, file->path, NULL, 0, status);
}

void fs_start_writing(fs_file_t *file, apr_off_t offset, apr_off_t length)
{
    fs_os_start_writing(file->file, offset, length);
}

void fs_drop_cache(fs_file_t *file, apr_off_t offset, apr_off_t length)
{
    fs_os_drop_cache(file->file, offset, length);
}

apr_status_t fs_allocate(fs_file_t *file, apr_off_t size, int extend)
{
    apr_status_t status = ask(FS_ALLOCATE, file->path, NULL, size);

    if (status == APR_SUCCESS)
        status = fs_os_allocate(file->file, size, extend);
    return told(FS_ALLOCATE, file->path, NULL, size, status);
}

/* ---- names ------------------------------------------------------------- */

apr_status_t fs_stat(const char *path, fs_stat_t *stat)
{
    apr_status_t status = ask(FS_STAT, path, NULL, 0);
    apr_pool_t *pool;
    apr_finfo_t info;

    if (status == APR_SUCCESS)
        status = apr_pool_create(&pool, NULL);
    if (status != APR_SUCCESS)
        return status;
    status = apr_stat(&info, path,
                      APR_FINFO_TYPE | APR_FINFO_SIZE | APR_FINFO_MTIME, pool);
    apr_pool_destroy(pool);
    if (status == APR_SUCCESS || status == APR_INCOMPLETE) {
        stat->type = info.filetype;
        stat->size = info.size;
        stat->modified = info.mtime;
        status = APR_SUCCESS;
    }
    return status;
}

/* Calls one of APR's path functions with a pool that lives as long. */
typedef enum { RENAME, REMOVE, MKDIR, RMDIR } name_op_t;

static apr_status_t name_operation(name_op_t op, const char *path,
                                   const char *path2)
{
    static const fs_op_t hooked[] = {FS_RENAME, FS_REMOVE, FS_MKDIR,
                                     FS_REMOVE_DIR};
    apr_status_t status = ask(hooked[op], path, path2, 0);
    apr_pool_t *pool;

    if (status == APR_SUCCESS)
        status = apr_pool_create(&pool, NULL);
    if (status != APR_SUCCESS)
        return status;
    switch (op) {
    case RENAME:
        status = apr_file_rename(path, path2, pool);
        break;
    case REMOVE:
        status = apr_file_remove(path, pool);
        break;
    case MKDIR:
        status = apr_dir_make_recursive(path, APR_FPROT_OS_DEFAULT, pool);
        break;
    case RMDIR:
        status = apr_dir_remove(path, pool);
        break;
    }
    apr_pool_destroy(pool);
    return told(hooked[op], path, path2, 0, status);
}

apr_status_t fs_rename(const char *from, const char *to)
{
    return name_operation(RENAME, from, to);
}

apr_status_t fs_remove(const char *path)
{
    return name_operation(REMOVE, path, NULL);
}

apr_status_t fs_mkdir(const char *path)
{
    return name_operation(MKDIR, path, NULL);
}

/* Flushes the directories that hold PATH and those above it, down to FIRST
 * bytes of it. PATH is cut on the way. */
static apr_status_t sync_parents(char *path, size_t first)
{
    apr_status_t status = APR_SUCCESS;
    char *slash = path;

    while (status == APR_SUCCESS && strlen(path) > first && slash != NULL) {
        slash = strrchr(path, '/');
        if (slash != NULL)
            *slash = '\0';
        status = fs_sync_dir(slash == NULL ? "." : slash == path ? "/" : path);
    }
    return status;
}

apr_status_t fs_mkdir_durable(const char *path)
{
    char *there = strdup(path), *slash = there;
    fs_stat_t stat;
    apr_status_t status = APR_SUCCESS;
    size_t first;

    if (there == NULL)
        return APR_ENOMEM;
    while (slash != NULL && fs_stat(there, &stat) != APR_SUCCESS) {
        slash = strrchr(there, '/');
        *(slash != NULL ? slash : there) = '\0';
    }
    first = strlen(there);
    status = fs_mkdir(path);
    if (status == APR_SUCCESS)
        status = sync_parents(strcpy(there, path), first);
    free(there);
    return status;
}

static apr_status_t remove_entry(void *baton, const char *name,
                                 apr_filetype_e type)
{
    const char *directory = baton;
    apr_size_t length = strlen(directory) + strlen(name) + 2;
    char *path = malloc(length);
    apr_status_t status;

    if (path == NULL)
        return APR_ENOMEM;
    snprintf(path, length, "%s/%s", directory, name);
    status = type == APR_DIR ? fs_remove_tree(path) : fs_remove(path);
    free(path);
    return APR_STATUS_IS_ENOENT(status) ? APR_SUCCESS : status;
}

apr_status_t fs_remove_tree(const char *path)
{
    apr_status_t status = fs_list(path, remove_entry, (void *)path);

    if (status != APR_SUCCESS)
        return status;
    return name_operation(RMDIR, path, NULL);
}

apr_status_t fs_sync_dir(const char *path)
{
    apr_status_t status = ask(FS_SYNC_DIR, path, NULL, 0);

    if (status == APR_SUCCESS)
        status = fs_os_sync_dir(path);
    return told(FS_SYNC_DIR, path, NULL, 0, status);
}

static apr_filetype_e entry_type(const char *directory, const apr_finfo_t *info,
                                 apr_pool_t *pool)
{
    fs_stat_t stat;

    if ((info->valid & APR_FINFO_TYPE) && info->filetype != APR_UNKFILE &&
        info->filetype != APR_LNK)
        return info->filetype;
    if (fs_stat(apr_pstrcat(pool, directory, "/", info->name, NULL), &stat) !=
        APR_SUCCESS)
        return APR_UNKFILE;
    return stat.type;
}

apr_status_t fs_list(const char *path,
                     apr_status_t (*each)(void *baton, const char *name,
                                          apr_filetype_e type),
                     void *baton)
{
    apr_status_t status = ask(FS_LIST, path, NULL, 0);
    apr_pool_t *pool;
    apr_dir_t *dir;
    apr_finfo_t info;
    int at_end = 0;

    if (status == APR_SUCCESS)
        status = apr_pool_create(&pool, NULL);
    if (status != APR_SUCCESS)
        return status;
    status = apr_dir_open(&dir, path, pool);
    while (status == APR_SUCCESS) {
        at_end = 1; /* from here on ENOENT is how APR says "no more" */
        status = apr_dir_read(&info, APR_FINFO_NAME | APR_FINFO_TYPE, dir);
        if (status == APR_INCOMPLETE)
            status = APR_SUCCESS;
        if (status != APR_SUCCESS)
            break;
        if (strcmp(info.name, ".") == 0 || strcmp(info.name, "..") == 0)
            continue;
        status = each(baton, info.name, entry_type(path, &info, pool));
        if (status != APR_SUCCESS) {
            apr_pool_destroy(pool);
            return status;
        }
    }
    apr_pool_destroy(pool);
    return at_end && APR_STATUS_IS_ENOENT(status) ? APR_SUCCESS : status;
}

apr_status_t fs_free_space(const char *path, apr_off_t *free, apr_off_t *total)
{
    return fs_os_free_space(path, free, total);
}

/* ---- whole files ------------------------------------------------------- */

apr_status_t fs_read_whole(const char *path, apr_size_t limit, char **data,
                           apr_size_t *length, apr_pool_t *pool)
{
    fs_file_t *file;
    apr_off_t size;
    apr_status_t status = fs_open(&file, path, FS_READ_ONLY);

    if (status != APR_SUCCESS)
        return status;
    status = fs_size(file, &size);
    if (status == APR_SUCCESS && size > (apr_off_t)limit)
        status = APR_EGENERAL;
    if (status == APR_SUCCESS) {
        *data = apr_palloc(pool, (apr_size_t)size + 1);
        status = fs_read_at(file, 0, *data, (apr_size_t)size, length);
        if (status == APR_EOF)
            status = APR_SUCCESS; /* it shrank meanwhile: what is there */
        (*data)[*length] = '\0';
    }
    fs_close(file); /* nothing was written: its status says nothing */
    return status;
}

static apr_status_t write_file(const char *path, const void *data,
                               apr_size_t length, int durable)
{
    fs_file_t *file;
    apr_status_t closed;
    apr_status_t status =
        fs_open(&file, path, FS_WRITABLE | FS_CREATE | FS_TRUNCATED);

    if (status != APR_SUCCESS)
        return status;
    status = fs_write_at(file, 0, data, length);
    if (status == APR_SUCCESS && durable)
        status = fs_sync(file);
    closed = fs_close(file);
    return status == APR_SUCCESS ? closed : status;
}

static apr_status_t replace_file(const char *path, const void *data,
                                 apr_size_t length, int durable)
{
    apr_size_t room = strlen(path) + 5;
    char *temporary = malloc(room);
    char *slash;
    apr_status_t status;

    if (temporary == NULL)
        return APR_ENOMEM;
    snprintf(temporary, room, "%s.tmp", path);
    status = write_file(temporary, data, length, durable);
    if (status == APR_SUCCESS)
        status = fs_rename(temporary, path);
    else
        fs_remove(temporary); /* best effort: the first error is the one */
    slash = strrchr(temporary, '/');
    if (status == APR_SUCCESS && durable && slash != NULL) {
        *slash = '\0';
        status = fs_sync_dir(slash == temporary ? "/" : temporary);
    }
    free(temporary);
    return status;
}

apr_status_t fs_write_atomic(const char *path, const void *data,
                             apr_size_t length)
{
    return replace_file(path, data, length, 1);
}

apr_status_t fs_write_whole(const char *path, const void *data,
                            apr_size_t length)
{
    return replace_file(path, data, length, 0);
}

/* ---- locks ------------------------------------------------------------- */

struct fs_lock_t {
    fs_file_t *file;
};

static int lock_holder(fs_file_t *file)
{
    char text[24];
    apr_size_t got = 0;

    /* A mandatory lock (Windows) may forbid this: then nobody is named. */
    if (fs_read_at(file, 0, text, sizeof(text) - 1, &got) != APR_EOF)
        return 0;
    text[got] = '\0';
    return atoi(text);
}

apr_status_t fs_lock(fs_lock_t **lock, const char *path, int *holder)
{
    char text[24];
    fs_file_t *file;
    int ignored;
    apr_status_t status = fs_open(&file, path, FS_WRITABLE | FS_CREATE);

    if (holder != NULL)
        *holder = 0;
    if (status != APR_SUCCESS)
        return status;
    status =
        apr_file_lock(file->file, APR_FLOCK_EXCLUSIVE | APR_FLOCK_NONBLOCK);
    if (status != APR_SUCCESS) {
        if (holder != NULL)
            *holder = lock_holder(file);
        fs_close(file);
        return APR_EAGAIN;
    }
    /* A running Kafka has only this one. */
    status = fs_os_lock(file->file, holder != NULL ? holder : &ignored);
    if (status != APR_SUCCESS) {
        fs_close(file);
        return status;
    }
    snprintf(text, sizeof(text), "%d\n", fs_os_process_id());
    /* The id is a service to the reader of an error message, not the lock. */
    if (fs_truncate(file, 0) == APR_SUCCESS)
        (void)fs_write_at(file, 0, text, strlen(text));
    *lock = malloc(sizeof(**lock));
    if (*lock == NULL) {
        fs_close(file);
        return APR_ENOMEM;
    }
    (*lock)->file = file;
    return APR_SUCCESS;
}

void fs_unlock(fs_lock_t *lock)
{
    apr_file_unlock(lock->file->file);
    fs_close(lock->file);
    free(lock);
}
