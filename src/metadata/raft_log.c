/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata log's writer: a few files that are appended to. It makes no
 * indexes: they are for who reads a log by offset, and replay reads it from
 * end to end.
 */
#include "metadata/raft_log.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "metadata/batch_file.h"
#include "metadata/replay.h"

#define EPOCH_FILE        "leader-epoch-checkpoint"
#define PARTITION_FILE    "partition.metadata"
#define METADATA_TOPIC_ID "AAAAAAAAAAAAAAAAAAAAAQ"

typedef struct {
    int32_t epoch;
    int64_t start;
} epoch_t;

struct raft_log_t {
    apr_pool_t *pool;
    const char *path;
    int32_t segment_bytes;
    fs_file_t *file; /* the last segment */
    apr_off_t size;  /* of it */
    int64_t base;    /* its first offset */
    int64_t end_offset;
    epoch_t *epochs; /* malloc'ed */
    int epoch_count;
    int failed; /* an append or a flush did not succeed */
};

/* ---- leader epochs ------------------------------------------------------- */

static apr_status_t read_epochs(raft_log_t *log, apr_pool_t *scratch)
{
    char *text;
    apr_size_t length;
    char *at;
    int64_t count;
    apr_status_t status =
        fs_read_whole(apr_pstrcat(scratch, log->path, "/" EPOCH_FILE, NULL),
                      16 * 1024 * 1024, &text, &length, scratch);

    if (APR_STATUS_IS_ENOENT(status))
        return APR_SUCCESS;
    if (status)
        return status;
    apr_strtoi64(text, &at, 10); /* the version, 0 */
    count = apr_strtoi64(at, &at, 10);
    if (count < 0 || (apr_size_t)count > length)
        return TAKHIN_ECORRUPT;
    log->epochs = malloc(((apr_size_t)count + 1) * sizeof(*log->epochs));
    if (!log->epochs)
        return APR_ENOMEM;
    for (int64_t i = 0; i < count; i++) {
        log->epochs[i].epoch = (int32_t)apr_strtoi64(at, &at, 10);
        log->epochs[i].start = apr_strtoi64(at, &at, 10);
    }
    log->epoch_count = (int)count;
    return APR_SUCCESS;
}

static apr_status_t write_epochs(const raft_log_t *log, apr_pool_t *scratch)
{
    char *text = apr_palloc(scratch, 32 + (apr_size_t)log->epoch_count * 40);
    char *at = text + sprintf(text, "0\n%d\n", log->epoch_count);

    for (int i = 0; i < log->epoch_count; i++)
        at += sprintf(at, "%d %" APR_INT64_T_FMT "\n",
                      (int)log->epochs[i].epoch, log->epochs[i].start);
    return fs_write_atomic(
        apr_pstrcat(scratch, log->path, "/" EPOCH_FILE, NULL), text,
        (apr_size_t)(at - text));
}

apr_status_t raft_log_begin_epoch(raft_log_t *log, int32_t epoch)
{
    apr_pool_t *scratch;
    apr_status_t status;
    epoch_t *epochs = realloc(log->epochs, ((apr_size_t)log->epoch_count + 1) *
                                               sizeof(*epochs));

    if (!epochs)
        return APR_ENOMEM;
    log->epochs = epochs;
    /* An epoch that got no record leaves no trace. */
    while (log->epoch_count > 0 &&
           (epochs[log->epoch_count - 1].start >= log->end_offset ||
            epochs[log->epoch_count - 1].epoch >= epoch))
        log->epoch_count--;
    epochs[log->epoch_count++] = (epoch_t){epoch, log->end_offset};
    status = apr_pool_create(&scratch, log->pool);
    if (status)
        return status;
    status = write_epochs(log, scratch);
    apr_pool_destroy(scratch);
    return status;
}

/* Epochs that end before OFFSET are forgotten. */
static apr_status_t trim_epochs(raft_log_t *log, int64_t offset,
                                apr_pool_t *scratch)
{
    int drop = 0;

    while (drop + 1 < log->epoch_count && log->epochs[drop + 1].start <= offset)
        drop++;
    if (log->epoch_count == 0 || (drop == 0 && log->epochs[0].start >= offset))
        return APR_SUCCESS;
    log->epoch_count -= drop;
    memmove(log->epochs, log->epochs + drop,
            (apr_size_t)log->epoch_count * sizeof(*log->epochs));
    if (log->epochs[0].start < offset)
        log->epochs[0].start = offset;
    return write_epochs(log, scratch);
}

/* ---- segments ------------------------------------------------------------ */

static const char *segment_path(const raft_log_t *log, int64_t base,
                                const char *suffix, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s/%020" APR_INT64_T_FMT "%s", log->path, base,
                        suffix);
}

static apr_status_t open_segment(raft_log_t *log, int64_t base,
                                 apr_pool_t *scratch)
{
    apr_status_t status =
        fs_open(&log->file, segment_path(log, base, ".log", scratch),
                FS_WRITABLE | FS_CREATE);

    if (!status)
        status = fs_size(log->file, &log->size);
    if (!status)
        status = fs_sync_dir(log->path);
    log->base = base;
    return status;
}

static apr_status_t find_last(void *baton, const char *name,
                              apr_filetype_e type)
{
    int64_t *last = baton;
    int64_t base;

    (void)type;
    if (replay_segment_name(name, &base) && base > *last)
        *last = base;
    return APR_SUCCESS;
}

/*
 * What Kafka indexed of the last segment may be preallocated and will be behind
 * the log from now on: it goes, and Kafka makes it anew where it misses it.
 */
static apr_status_t drop_indexes(const raft_log_t *log, apr_pool_t *scratch)
{
    static const char *const suffixes[] = {".index", ".timeindex"};

    for (int i = 0; i < 2; i++) {
        apr_status_t status =
            fs_remove(segment_path(log, log->base, suffixes[i], scratch));

        if (status && !APR_STATUS_IS_ENOENT(status))
            return status;
    }
    return APR_SUCCESS;
}

static apr_status_t count_batch(void *baton, const record_batch_t *batch,
                                const uint8_t *data, apr_off_t position)
{
    int64_t *next = baton;

    (void)data;
    (void)position;
    *next = record_batch_next_offset(batch);
    return APR_SUCCESS;
}

/* The last segment is cut behind its last good batch, which replay saw last. */
static apr_status_t cut_torn_tail(raft_log_t *log, apr_pool_t *scratch)
{
    int64_t next = log->base;
    apr_off_t good;
    apr_off_t size;
    apr_status_t status =
        batch_file_each(segment_path(log, log->base, ".log", scratch),
                        count_batch, &next, &good, &size);

    if (status || good == size)
        return status
                   ? status
                   : (next == log->end_offset ? APR_SUCCESS : TAKHIN_ECORRUPT);
    if (next != log->end_offset)
        return TAKHIN_ECORRUPT;
    log->size = good;
    status = fs_truncate(log->file, good);
    return status ? status : fs_sync(log->file);
}

static apr_status_t write_partition_file(const raft_log_t *log,
                                         apr_pool_t *scratch)
{
    static const char text[] = "version: 0\ntopic_id: " METADATA_TOPIC_ID;
    const char *file =
        apr_pstrcat(scratch, log->path, "/" PARTITION_FILE, NULL);
    fs_stat_t stat;

    if (fs_stat(file, &stat) == APR_SUCCESS)
        return APR_SUCCESS;
    return fs_write_atomic(file, text, sizeof(text) - 1);
}

static const char *log_dir_of(const raft_log_t *log, apr_pool_t *scratch)
{
    const char *slash = strrchr(log->path, '/');

    if (!slash)
        return ".";
    return slash == log->path
               ? "/"
               : apr_pstrmemdup(scratch, log->path,
                                (apr_size_t)(slash - log->path));
}

static apr_status_t open_files(raft_log_t *log, apr_pool_t *scratch)
{
    int64_t last = -1;
    apr_status_t status = fs_mkdir(log->path);

    if (!status) /* a record is only as safe as its directory's name */
        status = fs_sync_dir(log_dir_of(log, scratch));
    if (!status)
        status = fs_list(log->path, find_last, &last);
    if (!status)
        status = write_partition_file(log, scratch);
    if (!status)
        status = read_epochs(log, scratch);
    if (!status)
        status = open_segment(log, last < 0 ? log->end_offset : last, scratch);
    if (!status)
        status = drop_indexes(log, scratch);
    if (!status)
        status = cut_torn_tail(log, scratch);
    return status;
}

apr_status_t raft_log_open(raft_log_t **log, const char *path,
                           int64_t end_offset, int32_t segment_bytes,
                           apr_pool_t *pool)
{
    raft_log_t *opened = apr_pcalloc(pool, sizeof(*opened));
    apr_pool_t *scratch;
    apr_status_t status = apr_pool_create(&scratch, pool);

    if (status)
        return status;
    opened->pool = pool;
    opened->path = apr_pstrdup(pool, path);
    opened->segment_bytes = segment_bytes;
    opened->end_offset = end_offset;
    status = open_files(opened, scratch);
    apr_pool_destroy(scratch);
    if (status)
        raft_log_close(opened);
    else
        *log = opened;
    return status;
}

/* A new segment begins at the end of the log. */
static apr_status_t roll(raft_log_t *log)
{
    apr_pool_t *scratch;
    apr_status_t status = fs_sync(log->file);

    if (!status)
        status = fs_close(log->file);
    log->file = NULL;
    if (!status)
        status = apr_pool_create(&scratch, log->pool);
    if (status)
        return status;
    status = open_segment(log, log->end_offset, scratch);
    apr_pool_destroy(scratch);
    return status;
}

apr_status_t raft_log_append(raft_log_t *log, uint8_t *data, apr_size_t length,
                             int64_t end_offset)
{
    apr_status_t status = APR_SUCCESS;

    if (log->failed)
        return TAKHIN_EOFFLINE;
    if (log->size > 0 && log->size + (apr_off_t)length > log->segment_bytes)
        status = roll(log);
    if (status) {
        log->failed = 1;
        return status;
    }
    status = fs_write_at(log->file, log->size, data, length);
    if (status) {
        /* What was written of it goes, and a later one may succeed: the disk
         * may be full now and not then. */
        log->failed = fs_truncate(log->file, log->size) != APR_SUCCESS;
        return status;
    }
    log->size += (apr_off_t)length;
    log->end_offset = end_offset;
    return APR_SUCCESS;
}

int raft_log_usable(const raft_log_t *log)
{
    return !log->failed;
}

apr_status_t raft_log_flush(raft_log_t *log)
{
    apr_status_t status;

    if (log->failed)
        return TAKHIN_EOFFLINE;
    status = fs_sync(log->file);
    if (status) /* what is on the device now nobody knows */
        log->failed = 1;
    return status;
}

/* ---- trimming ------------------------------------------------------------ */

typedef struct {
    const raft_log_t *log;
    apr_pool_t *scratch;
} trim_t;

/* Deletes what belongs to a segment below the last one. */
static apr_status_t trim_entry(void *baton, const char *name,
                               apr_filetype_e type)
{
    static const char *const suffixes[] = {".log", ".index", ".timeindex",
                                           ".txnindex", ".snapshot"};
    trim_t *trim = baton;
    int64_t base = 0;

    (void)type;
    for (apr_size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        apr_size_t length = strlen(name);
        char *end;

        if (length < 20 || strcmp(name + 20, suffixes[i]) != 0)
            continue;
        base = apr_strtoi64(name, &end, 10);
        if (end != name + 20 || base >= trim->log->base)
            continue;
        return fs_remove(
            apr_pstrcat(trim->scratch, trim->log->path, "/", name, NULL));
    }
    return APR_SUCCESS;
}

apr_status_t raft_log_trim(raft_log_t *log, int64_t offset)
{
    trim_t trim = {log, NULL};
    apr_status_t status = APR_SUCCESS;

    if (log->failed)
        return TAKHIN_EOFFLINE;
    if (offset >= log->end_offset && log->size > 0) {
        status = roll(log);
        if (status) {
            log->failed = 1;
            return status;
        }
    }
    status = apr_pool_create(&trim.scratch, log->pool);
    if (status)
        return status;
    if (log->base <= offset)
        status = fs_list(log->path, trim_entry, &trim);
    if (!status)
        status = trim_epochs(log, log->base < offset ? log->base : offset,
                             trim.scratch);
    apr_pool_destroy(trim.scratch);
    return status;
}

void raft_log_close(raft_log_t *log)
{
    if (!log)
        return;
    if (log->file)
        fs_close(log->file); /* flushed by whoever promised so */
    free(log->epochs);
    log->file = NULL;
    log->epochs = NULL;
}
