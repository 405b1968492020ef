/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment's .txnindex: the aborted transactions whose marker lies in it, 34
 * bytes each: version 0 (16 bit), producer id, first offset, last offset, last
 * stable offset. There are few, so the file is opened for each use.
 */
#include "storage/log_private.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/error.h"

#define TXN_ENTRY TXN_INDEX_ENTRY
#define TXN_LIMIT (256u << 20)

void txn_index_encode(uint8_t *entry, const producer_txn_t *txn)
{
    bytes_put_i16(entry, 0);
    bytes_put_i64(entry + 2, txn->producer_id);
    bytes_put_i64(entry + 10, txn->first_offset);
    bytes_put_i64(entry + 18, txn->last_offset);
    bytes_put_i64(entry + 26, txn->last_stable_offset);
}

apr_status_t txn_index_append(const char *directory, int64_t base_offset,
                              const producer_txn_t *txn)
{
    char path[SEGMENT_PATH];
    uint8_t entry[TXN_ENTRY];
    fs_file_t *file;
    apr_off_t size = 0;
    apr_status_t status, closed;

    segment_path(path, directory, base_offset, ".txnindex");
    status = fs_open(&file, path, FS_WRITABLE | FS_CREATE);
    if (status != APR_SUCCESS)
        return status;
    txn_index_encode(entry, txn);
    status = fs_size(file, &size);
    if (status == APR_SUCCESS) /* behind the last whole entry */
        status =
            fs_write_at(file, size - size % TXN_ENTRY, entry, sizeof(entry));
    closed = fs_close(file);
    return status == APR_SUCCESS ? closed : status;
}

apr_status_t txn_index_sync(const char *directory, int64_t base_offset)
{
    char path[SEGMENT_PATH];
    fs_file_t *file;
    apr_status_t closed, status =
        fs_open(&file, segment_path(path, directory, base_offset, ".txnindex"),
                FS_WRITABLE);

    if (status != APR_SUCCESS)
        return APR_STATUS_IS_ENOENT(status) ? APR_SUCCESS : status;
    status = fs_sync(file);
    closed = fs_close(file);
    return status == APR_SUCCESS ? closed : status;
}

apr_status_t txn_index_each(const char *directory, int64_t base_offset,
                            int (*each)(void *baton, const producer_txn_t *),
                            void *baton)
{
    char path[SEGMENT_PATH], *data;
    apr_size_t length, at;
    apr_pool_t *pool;
    apr_status_t status = apr_pool_create(&pool, NULL);

    if (status != APR_SUCCESS)
        return status;
    segment_path(path, directory, base_offset, ".txnindex");
    status = fs_read_whole(path, TXN_LIMIT, &data, &length, pool);
    for (at = 0; status == APR_SUCCESS && length - at >= TXN_ENTRY;
         at += TXN_ENTRY) {
        const uint8_t *p = (const uint8_t *)data + at;
        producer_txn_t txn = {bytes_get_i64(p + 2), bytes_get_i64(p + 10),
                              bytes_get_i64(p + 18), bytes_get_i64(p + 26), 1};

        if (bytes_get_i16(p) != 0)
            status = TAKHIN_ECORRUPT;
        else if (!each(baton, &txn))
            break;
    }
    apr_pool_destroy(pool);
    return APR_STATUS_IS_ENOENT(status) ? APR_SUCCESS : status;
}

typedef struct {
    int64_t offset;
    apr_off_t keep;
} truncate_t;

static int below(void *baton, const producer_txn_t *txn)
{
    truncate_t *truncate = baton;

    if (txn->last_offset >= truncate->offset)
        return 0;
    truncate->keep += TXN_ENTRY;
    return 1;
}

apr_status_t txn_index_truncate(const char *directory, int64_t base_offset,
                                int64_t offset)
{
    truncate_t truncate = {offset, 0};
    char path[SEGMENT_PATH];
    fs_file_t *file;
    apr_status_t status =
        txn_index_each(directory, base_offset, below, &truncate);

    if (status != APR_SUCCESS && status != TAKHIN_ECORRUPT)
        return status;
    segment_path(path, directory, base_offset, ".txnindex");
    status = fs_open(&file, path, FS_WRITABLE);
    if (APR_STATUS_IS_ENOENT(status))
        return APR_SUCCESS;
    if (status != APR_SUCCESS)
        return status;
    status = fs_truncate(file, truncate.keep);
    (void)fs_close(file); /* nothing was written that a close could lose */
    return status;
}
