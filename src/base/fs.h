/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file system as the broker uses it. Every operation on a file of the
 * broker's goes through here, so that tests can make any of them fail, and can
 * stand between the program and the disk. No file here has a position: reads
 * and writes say where. Short transfers and EINTR are repeated until done.
 * Nothing here logs, and nothing retries a failed flush.
 *
 * Any thread may call any of these; calls on one fs_file_t may overlap except
 * for fs_close.
 */
#ifndef TAKHIN_BASE_FS_H
#define TAKHIN_BASE_FS_H

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_pools.h>
#include <apr_time.h>
#include <stdint.h>

/* ---- what stands between the program and the disk ---------------------- */

typedef enum {
    FS_OPEN,
    FS_READ,
    FS_WRITE,
    FS_TRUNCATE,
    FS_SYNC,
    FS_SYNC_DIR,
    FS_RENAME,
    FS_REMOVE,
    FS_MKDIR,
    FS_REMOVE_DIR,
    FS_LIST,
    FS_STAT,
    FS_ALLOCATE,
    FS_OPERATIONS
} fs_op_t;

typedef struct {
    fs_op_t op;
    const char *path;
    const char *path2; /* FS_RENAME: the new name */
    apr_off_t offset;  /* FS_READ, FS_WRITE; FS_TRUNCATE: the new size */
    const void *data;  /* FS_WRITE; NULL: the bytes come from another file,
                              and lie in this one when AFTER is called */
    apr_size_t length; /* FS_READ, FS_WRITE; may be lowered: the call then
                              moves only that much, and is repeated */
} fs_call_t;

/*
 * BEFORE is called ahead of each operation; a status other than APR_SUCCESS
 * is what the operation returns, undone. AFTER is called when one was
 * done, with the length that was moved. Either may be NULL.
 */
typedef struct {
    void *baton;
    apr_status_t (*before)(void *baton, fs_call_t *call);
    void (*after)(void *baton, const fs_call_t *call);
} fs_hooks_t;

/* NULL in production. Set before threads start. */
extern const fs_hooks_t *fs_hooks;

/* ---- one file ---------------------------------------------------------- */

typedef struct {
    apr_file_t *file; /* for positional use and zero copy only */
    const char *path; /* as it was opened */
    apr_pool_t *pool; /* the handle's own */
} fs_file_t;

enum {
    FS_READ_ONLY = 0,
    FS_WRITABLE = 1,
    FS_CREATE = 2,    /* with FS_WRITABLE */
    FS_EXCLUSIVE = 4, /* with FS_CREATE: APR_EEXIST when it is there */
    FS_TRUNCATED = 8  /* with FS_CREATE: emptied */
};

/* Opens PATH. The handle owns its memory: fs_close gives all of it back. */
apr_status_t fs_open(fs_file_t **file, const char *path, int flags);
apr_status_t fs_close(fs_file_t *file);

/* Reads up to LENGTH bytes at OFFSET. *GOT (may be NULL) tells how many; fewer
 * than LENGTH only at the end of the file, and then APR_EOF. */
apr_status_t fs_read_at(fs_file_t *file, apr_off_t offset, void *buffer,
                        apr_size_t length, apr_size_t *got);

/* Writes all of DATA at OFFSET or returns an error, some of it then written. */
apr_status_t fs_write_at(fs_file_t *file, apr_off_t offset, const void *data,
                         apr_size_t length);

/* Around a copy into FILE that the caller does himself (takhin/zerocopy.h): the
 * hooks see it as one FS_WRITE. */
apr_status_t fs_copy_begins(fs_file_t *file, apr_off_t offset,
                            apr_off_t length);
void fs_copy_ended(fs_file_t *file, apr_off_t offset, apr_off_t length);

/* Sets the file's modification time, as far as the system lets us. Advice. */
void fs_set_modified(fs_file_t *file, apr_time_t modified);

apr_status_t fs_size(fs_file_t *file, apr_off_t *size);
apr_status_t fs_truncate(fs_file_t *file, apr_off_t size);

/* The file's bytes, and as much of its inode as reading them back needs, are
 * on the device when this returns (fdatasync, F_FULLFSYNC, FlushFileBuffers).
 */
apr_status_t fs_sync(fs_file_t *file);

/* Asks the system to start writing what is dirty of this range (LENGTH 0: to the
 * end); waits for nothing. Advice. */
void fs_start_writing(fs_file_t *file, apr_off_t offset, apr_off_t length);

/* Tells the system that this range need not stay in its cache. Advice. */
void fs_drop_cache(fs_file_t *file, apr_off_t offset, apr_off_t length);

/* Makes room on the device up to SIZE. The file becomes that long only with
 * EXTEND (zeros). APR_ENOTIMPL where the system has no such call. */
apr_status_t fs_allocate(fs_file_t *file, apr_off_t size, int extend);

/* ---- names ------------------------------------------------------------- */

typedef struct {
    apr_filetype_e type;
    apr_off_t size;
    apr_time_t modified;
} fs_stat_t;

apr_status_t fs_stat(const char *path, fs_stat_t *stat);
apr_status_t fs_rename(const char *from, const char *to);
apr_status_t fs_remove(const char *path);
apr_status_t fs_mkdir(const char *path);       /* and its parents */
/* The same; the names of those that it made are on the device, too. */
apr_status_t fs_mkdir_durable(const char *path);
apr_status_t fs_remove_tree(const char *path); /* a directory and all in it */

/* The directory's entries are on the device. A no-op where directories cannot
 * be flushed (Windows journals them). */
apr_status_t fs_sync_dir(const char *path);

/* Calls EACH with every name in PATH but "." and "..", in no order. It stops
 * at the first status that EACH returns, and returns it. */
apr_status_t fs_list(const char *path,
                     apr_status_t (*each)(void *baton, const char *name,
                                          apr_filetype_e type),
                     void *baton);

/* Bytes that this user may still write on the device that holds PATH. */
apr_status_t fs_free_space(const char *path, apr_off_t *free, apr_off_t *total);

/* ---- whole files ------------------------------------------------------- */

/* All of PATH into POOL, with a zero byte behind it that LENGTH doesn't count.
 * APR_EGENERAL when it is larger than LIMIT. */
apr_status_t fs_read_whole(const char *path, apr_size_t limit, char **data,
                           apr_size_t *length, apr_pool_t *pool);

/* PATH holds DATA and nothing else, or what it held before: written to
 * PATH.tmp, flushed, renamed, and the directory flushed. */
apr_status_t fs_write_atomic(const char *path, const void *data,
                             apr_size_t length);

/* The same without a flush: after a crash either may stand there, or nothing.
 */
apr_status_t fs_write_whole(const char *path, const void *data,
                            apr_size_t length);

/* ---- locks ------------------------------------------------------------- */

typedef struct fs_lock_t fs_lock_t;

/*
 * Takes the exclusive lock on PATH, a file that is created and holds this
 * process's id. When another process has it: APR_EAGAIN, and *HOLDER (may be
 * NULL) is its id, or 0 when unknown. The lock goes with the process.
 */
apr_status_t fs_lock(fs_lock_t **lock, const char *path, int *holder);
void fs_unlock(fs_lock_t *lock);

/* ---- one platform's part: fs_unix.c and friends, fs_win32.c ------------ */
/* One system call each, EINTR repeated, transfers may be short. */

apr_status_t fs_os_pread(apr_file_t *file, apr_off_t offset, void *buffer,
                         apr_size_t length, apr_size_t *moved);
apr_status_t fs_os_pwrite(apr_file_t *file, apr_off_t offset, const void *data,
                          apr_size_t length, apr_size_t *moved);
apr_status_t fs_os_sync(apr_file_t *file);
apr_status_t fs_os_sync_dir(const char *path);
apr_status_t fs_os_allocate(apr_file_t *file, apr_off_t size, int extend);
void fs_os_start_writing(apr_file_t *file, apr_off_t offset, apr_off_t length);
void fs_os_drop_cache(apr_file_t *file, apr_off_t offset, apr_off_t length);
apr_status_t fs_os_free_space(const char *path, apr_off_t *free,
                              apr_off_t *total);
int fs_os_process_id(void);
/* The lock that Java takes for a FileLock: APR_EAGAIN and *HOLDER when another
 * process has it. A no-op where apr_file_lock is the same. */
apr_status_t fs_os_lock(apr_file_t *file, int *holder);

#endif
