/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated disk. It stands behind base/fs.h's hooks while a workload runs on
 * a real directory, and keeps what was done in order. Replayed, it knows for
 * each file what was flushed and what was not, and for each directory which
 * names were, so that every state can be made that a power cut at that moment
 * may leave:
 *
 *   FLUSHED    what was flushed, nothing else
 *   CURRENT    everything: a killed process
 *   ANY        what was flushed, and of the rest any sectors of 512 or 4096
 *              bytes, any names; what is missing in a file reads as zeros
 *
 * What is assumed of the file system, and no more: a rename is whole or not at
 * all; what was written behind the end of a truncated file is not there where
 * the truncation is not. A flushed file is no flushed name, nor the reverse.
 * A file whose flush failed has lost what was not flushed: a later flush that
 * says well is no help.
 */
#ifndef TAKHIN_TEST_CRASH_DISK_H
#define TAKHIN_TEST_CRASH_DISK_H

#include <apr_thread_mutex.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "unit.h"

/* ---- what was done -------------------------------------------------------- */

typedef struct {
    fs_op_t op;
    int failed;                /* FS_SYNC, FS_SYNC_DIR: and it failed */
    char *path, *path2;        /* below the root */
    int64_t offset;
    uint8_t *data;             /* FS_WRITE */
    size_t length;
} disk_event_t;

typedef struct node_t node_t;

typedef struct {
    const char *root;          /* where the workload runs */
    apr_thread_mutex_t *mutex;
    disk_event_t *events;
    int count;
    int room;
    /* Faults: the one that comes when FAULT_AT calls were let through. */
    int64_t calls;
    int64_t fault_at;          /* -1: none */
    int fault_ops;             /* bits 1 << FS_... */
    apr_status_t fault_status; /* APR_SUCCESS: a short transfer */
    int fault_stays;           /* all calls from there on */
    int faults;                /* how many there were */
    fs_op_t fault_op;          /* of the first */
} disk_t;

static uint64_t disk_seed = 1;

static inline uint64_t disk_random(void)
{
    disk_seed ^= disk_seed << 13;
    disk_seed ^= disk_seed >> 7;
    disk_seed ^= disk_seed << 17;
    return disk_seed;
}

static inline char *disk_below(const disk_t *disk, const char *path)
{
    size_t length = strlen(disk->root);

    if (path == NULL || strncmp(path, disk->root, length) != 0)
        return NULL;
    return strdup(path[length] == '/' ? path + length + 1 : path + length);
}

static inline void disk_note(disk_t *disk, fs_op_t op, const char *path,
                             const char *path2, int64_t offset,
                             const void *data, size_t length, int failed)
{
    disk_event_t event = {op, failed, disk_below(disk, path),
                          disk_below(disk, path2), offset, NULL, length};

    if (event.path == NULL)
        return; /* no file of the workload's */
    if (op == FS_WRITE) {
        event.data = malloc(length + 1);
        if (data != NULL) {
            memcpy(event.data, data, length);
        } else { /* the system copied it from another file */
            int fd = open(path, O_RDONLY);

            if (fd < 0 || pread(fd, event.data, length, offset) !=
                              (ssize_t)length)
                abort();
            close(fd);
        }
    }
    if (disk->count == disk->room) {
        disk->room = disk->room ? disk->room * 2 : 1024;
        disk->events = realloc(disk->events, sizeof(*disk->events) *
                                                 (size_t)disk->room);
    }
    disk->events[disk->count++] = event;
}

static inline int disk_exists(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0;
}

static inline apr_status_t disk_fault(disk_t *disk, fs_call_t *call)
{
    int64_t at;

    if (disk->fault_at < 0 || !(disk->fault_ops & 1 << call->op))
        return APR_SUCCESS;
    at = disk->calls++;
    if (at < disk->fault_at || (at > disk->fault_at && !disk->fault_stays))
        return APR_SUCCESS;
    if (disk->faults++ == 0)
        disk->fault_op = call->op;
    if (disk->fault_status == APR_SUCCESS) {
        if (call->length > 1)
            call->length = 1 + call->length / 3;
        return APR_SUCCESS;
    }
    if (call->op == FS_SYNC || call->op == FS_SYNC_DIR)
        disk_note(disk, call->op, call->path, NULL, 0, NULL, 0, 1);
    return disk->fault_status;
}

/* Each component of PATH that is about to be made. */
static inline void disk_note_mkdir(disk_t *disk, const char *path)
{
    char *slash, *copy = strdup(path);

    for (slash = copy + strlen(disk->root); slash && *slash;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (!disk_exists(copy))
            disk_note(disk, FS_MKDIR, copy, NULL, 0, NULL, 0, 0);
        if (slash)
            *slash = '/';
    }
    free(copy);
}

static inline apr_status_t disk_before(void *baton, fs_call_t *call)
{
    disk_t *disk = baton;
    apr_status_t status;

    apr_thread_mutex_lock(disk->mutex);
    status = disk_fault(disk, call);
    if (status == APR_SUCCESS && call->op == FS_OPEN &&
        (call->offset & FS_CREATE)) {
        if (!disk_exists(call->path))
            disk_note(disk, FS_OPEN, call->path, NULL, 0, NULL, 0, 0);
        else if (call->offset & FS_TRUNCATED)
            disk_note(disk, FS_TRUNCATE, call->path, NULL, 0, NULL, 0, 0);
    } else if (status == APR_SUCCESS && call->op == FS_MKDIR) {
        disk_note_mkdir(disk, call->path);
    }
    apr_thread_mutex_unlock(disk->mutex);
    return status;
}

static inline void disk_after(void *baton, const fs_call_t *call)
{
    static const int kept = 1 << FS_WRITE | 1 << FS_TRUNCATE | 1 << FS_SYNC |
                            1 << FS_SYNC_DIR | 1 << FS_RENAME |
                            1 << FS_REMOVE | 1 << FS_REMOVE_DIR;
    disk_t *disk = baton;

    if (!(kept & 1 << call->op))
        return;
    apr_thread_mutex_lock(disk->mutex);
    disk_note(disk, call->op, call->path, call->path2, call->offset,
              call->data, call->length, 0);
    apr_thread_mutex_unlock(disk->mutex);
}

static fs_hooks_t disk_hooks = {NULL, disk_before, disk_after};

/* From here on all is recorded. ROOT is an empty directory. */
static inline void disk_attach(disk_t *disk, const char *root)
{
    memset(disk, 0, sizeof(*disk));
    disk->root = root;
    disk->fault_at = -1;
    UNIT_OK(apr_thread_mutex_create(&disk->mutex, APR_THREAD_MUTEX_DEFAULT,
                                    unit_pool()));
    disk_hooks.baton = disk;
    fs_hooks = &disk_hooks;
}

static inline void disk_detach(void)
{
    fs_hooks = NULL;
}

static inline void disk_free(disk_t *disk)
{
    while (disk->count > 0) {
        disk_event_t *event = &disk->events[--disk->count];

        free(event->path);
        free(event->path2);
        free(event->data);
    }
    free(disk->events);
    disk->events = NULL;
    disk->room = 0;
}

static inline const char *disk_event_text(const disk_event_t *event,
                                          char *text, size_t room)
{
    static const char *const names[] = {
        "create", "read", "write", "truncate", "sync", "sync-dir", "rename",
        "remove", "mkdir", "remove-dir", "list", "stat", "allocate"};

    snprintf(text, room, "%s%s %s%s%s at %lld, %lu bytes",
             event->failed ? "failed " : "", names[event->op], event->path,
             event->path2 ? " -> " : "", event->path2 ? event->path2 : "",
             (long long)event->offset, (unsigned long)event->length);
    return text;
}

/* ---- what that makes of the device ------------------------------------------ */

typedef struct {
    uint8_t *data;
    size_t size;
    size_t room;
} disk_bytes_t;

/* What was done to a file, or to a directory's names, and is not flushed. */
typedef struct {
    const disk_event_t *event; /* a file's: FS_WRITE or FS_TRUNCATE */
    const char *name;          /* a directory's */
    node_t *node;              /* that NAME is now; NULL: it is gone */
    int group;                 /* whole or not at all */
    int lost;                  /* a flush of it failed */
} disk_change_t;

typedef struct {
    const char *name;
    node_t *node;
} disk_name_t;

typedef struct {
    disk_name_t *names;
    int count;
    int room;
} disk_names_t;

struct node_t {
    node_t *next;              /* all of them */
    int is_directory;
    disk_bytes_t flushed;      /* of a file */
    disk_names_t names, flushed_names;
    disk_change_t *changes;
    int count;
    int room;
};

typedef struct {
    node_t *all;
    node_t *root;
    int pending;               /* changes that are not flushed */
    int group;
} disk_state_t;

typedef enum { DISK_FLUSHED, DISK_CURRENT, DISK_ANY } disk_mode_t;

static inline node_t *disk_node(disk_state_t *state, int is_directory)
{
    node_t *node = calloc(1, sizeof(*node));

    node->is_directory = is_directory;
    node->next = state->all;
    state->all = node;
    return node;
}

static inline void disk_state_begin(disk_state_t *state)
{
    memset(state, 0, sizeof(*state));
    state->root = disk_node(state, 1);
}

static inline void disk_state_end(disk_state_t *state)
{
    while (state->all != NULL) {
        node_t *node = state->all;

        state->all = node->next;
        free(node->flushed.data);
        free(node->names.names);
        free(node->flushed_names.names);
        free(node->changes);
        free(node);
    }
}

static inline void disk_names_set(disk_names_t *names, const char *name,
                                  node_t *node)
{
    int i;

    for (i = 0; i < names->count; i++)
        if (strcmp(names->names[i].name, name) == 0)
            break;
    if (node == NULL) {
        if (i < names->count)
            names->names[i] = names->names[--names->count];
        return;
    }
    if (i == names->count) {
        if (names->count == names->room) {
            names->room = names->room ? names->room * 2 : 8;
            names->names = realloc(names->names, sizeof(*names->names) *
                                                     (size_t)names->room);
        }
        names->names[names->count++].name = name;
    }
    names->names[i].node = node;
}

static inline node_t *disk_names_get(const disk_names_t *names,
                                     const char *name, size_t length)
{
    int i;

    for (i = 0; i < names->count; i++)
        if (strncmp(names->names[i].name, name, length) == 0 &&
            names->names[i].name[length] == '\0')
            return names->names[i].node;
    return NULL;
}

/* The directory that holds PATH; *NAME is what it is called there. */
static inline node_t *disk_parent(const disk_state_t *state, const char *path,
                                  const char **name)
{
    node_t *node = state->root;
    const char *slash;

    while (node != NULL && (slash = strchr(path, '/')) != NULL) {
        node = disk_names_get(&node->names, path, (size_t)(slash - path));
        path = slash + 1;
    }
    *name = path;
    return node;
}

static inline node_t *disk_find(const disk_state_t *state, const char *path)
{
    const char *name;
    node_t *parent = disk_parent(state, path, &name);

    if (*name == '\0')
        return parent;
    return parent ? disk_names_get(&parent->names, name, strlen(name)) : NULL;
}

static inline void disk_change(disk_state_t *state, node_t *node,
                               const disk_event_t *event, const char *name,
                               node_t *named)
{
    disk_change_t change = {event, name, named, state->group, 0};

    if (node->count == node->room) {
        node->room = node->room ? node->room * 2 : 8;
        node->changes = realloc(node->changes, sizeof(change) *
                                                   (size_t)node->room);
    }
    node->changes[node->count++] = change;
    state->pending++;
    if (name != NULL)
        disk_names_set(&node->names, name, named);
}

static inline void disk_bytes_resize(disk_bytes_t *bytes, size_t size)
{
    if (size > bytes->room) {
        bytes->room = size * 2;
        bytes->data = realloc(bytes->data, bytes->room);
    }
    if (size > bytes->size)
        memset(bytes->data + bytes->size, 0, size - bytes->size);
    bytes->size = size;
}

static inline void disk_bytes_apply(disk_bytes_t *bytes,
                                    const disk_event_t *event)
{
    size_t end = (size_t)event->offset + event->length;

    if (event->op == FS_TRUNCATE) {
        disk_bytes_resize(bytes, (size_t)event->offset);
        return;
    }
    if (end > bytes->size)
        disk_bytes_resize(bytes, end);
    memcpy(bytes->data + event->offset, event->data, event->length);
}

/* NODE was flushed: what a failed flush lost stays lost. */
static inline void disk_flush(disk_state_t *state, node_t *node)
{
    int i, kept = 0;

    for (i = 0; i < node->count; i++) {
        disk_change_t *change = &node->changes[i];

        if (change->lost)
            node->changes[kept++] = *change;
        else if (node->is_directory)
            disk_names_set(&node->flushed_names, change->name, change->node);
        else
            disk_bytes_apply(&node->flushed, change->event);
    }
    state->pending -= node->count - kept;
    node->count = kept;
}

static inline void disk_state_apply(disk_state_t *state,
                                    const disk_event_t *event)
{
    const char *name, *name2;
    node_t *parent = disk_parent(state, event->path, &name), *node, *parent2;
    int i;

    state->group++;
    if (parent == NULL)
        return; /* below a directory that was renamed meanwhile */
    node = disk_find(state, event->path);
    switch (event->op) {
    case FS_OPEN:
    case FS_MKDIR:
        if (node == NULL)
            disk_change(state, parent, NULL, name,
                        disk_node(state, event->op == FS_MKDIR));
        break;
    case FS_RENAME:
        parent2 = disk_parent(state, event->path2, &name2);
        disk_change(state, parent, NULL, name, NULL);
        disk_change(state, parent2, NULL, name2, node);
        break;
    case FS_REMOVE:
    case FS_REMOVE_DIR:
        disk_change(state, parent, NULL, name, NULL);
        break;
    case FS_WRITE:
    case FS_TRUNCATE:
        /* NULL: it was opened, then renamed or removed by another thread */
        if (node != NULL)
            disk_change(state, node, event, NULL, NULL);
        break;
    case FS_SYNC:
    case FS_SYNC_DIR:
        for (i = 0; node && event->failed && i < node->count; i++)
            node->changes[i].lost = 1;
        if (node != NULL && !event->failed)
            disk_flush(state, node);
        break;
    default:
        break;
    }
}

/* ---- a state, made ----------------------------------------------------------- */

typedef struct {
    disk_mode_t mode;
    unsigned keep;             /* of 256 changes, so many are kept */
    size_t sector;
    int in_order;              /* names: the first ones only */
} disk_cut_t;

static inline int disk_keeps(const disk_cut_t *cut)
{
    return (disk_random() >> 20) % 256 < cut->keep;
}

static inline void disk_write_sectors(const disk_cut_t *cut,
                                      disk_bytes_t *bytes,
                                      const disk_event_t *event, size_t limit)
{
    size_t at = (size_t)event->offset, end = at + event->length;

    while (at < end && at < limit) {
        size_t next = (at / cut->sector + 1) * cut->sector;

        if (next > end)
            next = end;
        if (disk_keeps(cut)) {
            if (next > bytes->size)
                disk_bytes_resize(bytes, next);
            memcpy(bytes->data + at, event->data + (at - (size_t)event->offset),
                   next - at);
        }
        at = next;
    }
}

/* The bytes of file NODE as CUT leaves them; malloc'ed. */
static inline disk_bytes_t disk_cut_file(const disk_cut_t *cut,
                                         const node_t *node)
{
    size_t limit = SIZE_MAX, size = node->flushed.size, largest;
    disk_bytes_t bytes = {NULL, 0, 0};
    int i;

    disk_bytes_resize(&bytes, node->flushed.size);
    if (size > 0)
        memcpy(bytes.data, node->flushed.data, size);
    largest = size;
    for (i = 0; cut->mode != DISK_FLUSHED && i < node->count; i++) {
        const disk_event_t *event = node->changes[i].event;

        if (cut->mode == DISK_CURRENT) {
            disk_bytes_apply(&bytes, event);
        } else if (event->op == FS_TRUNCATE) {
            if (disk_keeps(cut)) {
                disk_bytes_resize(&bytes, (size_t)event->offset);
                limit = SIZE_MAX;
                largest = bytes.size;
            } else if ((size_t)event->offset < limit) {
                limit = (size_t)event->offset;
            }
        } else {
            disk_write_sectors(cut, &bytes, event, limit);
            if ((size_t)event->offset + event->length > largest &&
                limit == SIZE_MAX)
                largest = (size_t)event->offset + event->length;
        }
    }
    /* The size may be there before the bytes are. */
    if (cut->mode == DISK_ANY && largest > bytes.size && disk_random() % 2)
        disk_bytes_resize(&bytes, largest);
    return bytes;
}

static inline disk_names_t disk_cut_names(const disk_cut_t *cut,
                                          const node_t *node)
{
    const disk_names_t *from = cut->mode == DISK_CURRENT
                                   ? &node->names : &node->flushed_names;
    disk_names_t names = {NULL, 0, 0};
    int i, group = -1, keep = 0;
    int stop = node->count > 0
                   ? (int)(disk_random() % (uint64_t)(node->count + 1)) : 0;

    for (i = 0; i < from->count; i++)
        disk_names_set(&names, from->names[i].name, from->names[i].node);
    for (i = 0; cut->mode == DISK_ANY && i < node->count; i++) {
        const disk_change_t *change = &node->changes[i];

        if (change->group != group)
            keep = cut->in_order ? i < stop : disk_keeps(cut);
        group = change->group;
        if (keep)
            disk_names_set(&names, change->name, change->node);
    }
    return names;
}

static inline void disk_make_node(const disk_cut_t *cut, const node_t *node,
                                  const char *path)
{
    char below[4096];
    int i;

    if (node->is_directory) {
        disk_names_t names = disk_cut_names(cut, node);

        mkdir(path, 0777);
        for (i = 0; i < names.count; i++) {
            snprintf(below, sizeof(below), "%s/%s", path,
                     names.names[i].name);
            disk_make_node(cut, names.names[i].node, below);
        }
        free(names.names);
    } else {
        disk_bytes_t bytes = disk_cut_file(cut, node);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

        if (fd < 0 || write(fd, bytes.data, bytes.size) != (ssize_t)bytes.size)
            abort();
        close(fd);
        free(bytes.data);
    }
}

/* Makes STATE at PATH, an absent directory. */
static inline void disk_state_make(const disk_state_t *state,
                                   disk_mode_t mode, const char *path)
{
    static const unsigned keeps[] = {20, 128, 128, 236};
    disk_cut_t cut = {mode, keeps[disk_random() % 4],
                      disk_random() % 2 ? 512 : 4096,
                      (int)(disk_random() % 3 == 0)};

    disk_make_node(&cut, state->root, path);
}

/* Everything in PATH, as flushed: where a workload goes on. Files below it
 * are recorded as if they had just been written and flushed. */
static inline void disk_adopt(disk_t *disk, const char *path)
{
    const char *names[256];
    fs_stat_t stat;
    int count = 0;
    apr_dir_t *dir;
    apr_finfo_t info;
    char below[4096];

    if (apr_dir_open(&dir, path, unit_pool()) != APR_SUCCESS)
        abort();
    while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS)
        if (strcmp(info.name, ".") != 0 && strcmp(info.name, "..") != 0)
            names[count++] = apr_pstrdup(unit_pool(), info.name);
    apr_dir_close(dir);
    while (count-- > 0) {
        snprintf(below, sizeof(below), "%s/%s", path, names[count]);
        if (fs_stat(below, &stat) != APR_SUCCESS)
            abort();
        disk_note(disk, stat.type == APR_DIR ? FS_MKDIR : FS_OPEN, below, NULL,
                  0, NULL, 0, 0);
        if (stat.type == APR_DIR) {
            disk_adopt(disk, below);
            continue;
        }
        disk_note(disk, FS_WRITE, below, NULL, 0, NULL, (size_t)stat.size, 0);
        disk_note(disk, FS_SYNC, below, NULL, 0, NULL, 0, 0);
    }
    disk_note(disk, FS_SYNC_DIR, path, NULL, 0, NULL, 0, 0);
}

/* A directory in memory, where there is one: flushes cost nothing there. */
static inline const char *disk_tmpdir(void)
{
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    return unit_tmpdir();
}

#endif
