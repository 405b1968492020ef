/* SPDX-License-Identifier: Apache-2.0 */
/* The journal on a partition of the broker's own. */
#include "base/error.h"
#include "coordinator/journal.h"
#include "coordinator/memory.h"
#include "storage/topics.h"

enum { REPLAY_BYTES = 1024 * 1024 }; /* read at a time */

typedef struct {
    partition_t *partition;    /* retained */
    partition_waiter_t waiter;
    journal_moved_fn moved;
    void *baton;
} partition_journal_t;

static void notified(partition_waiter_t *waiter, int events)
{
    partition_journal_t *journal = waiter->baton;

    (void)events; /* the log itself tells */
    journal->moved(journal->baton);
}

static apr_status_t open_journal(const journal_driver_t *driver, int32_t index,
                                 journal_moved_fn moved, void *baton,
                                 void **out)
{
    partition_journal_t *journal;
    partition_t *partition;
    apr_status_t status = topics_find(driver->baton, driver->topic,
                                      strlen(driver->topic), index, &partition);

    if (status)
        return status;
    journal = memory_new(sizeof *journal);
    journal->partition = partition;
    journal->moved = moved;
    journal->baton = baton;
    journal->waiter.events = PARTITION_FLUSHED | PARTITION_GONE;
    journal->waiter.notify = notified;
    journal->waiter.baton = journal;
    partition_watch(partition, &journal->waiter);
    *out = journal;
    return APR_SUCCESS;
}

static void close_journal(void *baton)
{
    partition_journal_t *journal = baton;

    partition_unwatch(&journal->waiter);
    partition_release(journal->partition);
    free(journal);
}

/* Hands on the batches of DATA; *OFFSET moves behind them. */
static apr_status_t replay_batches(const uint8_t *data, apr_size_t length,
                                   journal_batch_fn each, void *baton,
                                   int64_t *offset)
{
    const uint8_t *end = data + length;
    apr_status_t status = APR_SUCCESS;

    while (data < end && !status) {
        record_batch_t batch;

        status = record_batch_parse(&batch, data, (size_t)(end - data));
        if (status)
            break;
        status = each(baton, &batch, data);
        *offset = record_batch_next_offset(&batch);
        data += record_batch_size(&batch);
    }
    return status;
}

static apr_status_t replay(void *baton, journal_batch_fn each, void *to)
{
    partition_journal_t *journal = baton;
    log_t *log = partition_log(journal->partition);
    int64_t offset = log_start_offset(log);
    int64_t end = log_end_offset(log);
    apr_pool_t *pool;
    apr_status_t status = apr_pool_create(&pool, NULL);

    if (status)
        return status;
    while (offset < end && !status) {
        uint8_t *data;
        apr_size_t length;

        status = log_read(log, offset, end, REPLAY_BYTES, &data, &length, pool);
        if (!status && length == 0)
            break;
        if (!status)
            status = replay_batches(data, length, each, to, &offset);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return status;
}

static apr_status_t append(void *baton, uint8_t *data, size_t length,
                           int64_t *base_offset, int64_t *end)
{
    partition_journal_t *journal = baton;
    append_result_t result;
    record_batch_t batch;
    apr_status_t status = record_batch_parse(&batch, data, length);

    if (!status)
        status = partition_append(journal->partition, data, length, &batch,
                                  APPEND_COORDINATOR, &result);
    if (status)
        return status;
    *base_offset = result.base_offset;
    *end = result.last_offset + 1;
    return APR_SUCCESS;
}

static void request_flush(void *baton)
{
    partition_request_flush(((partition_journal_t *)baton)->partition);
}

static apr_status_t flushed(void *baton, int64_t end)
{
    partition_journal_t *journal = baton;
    log_t *log = partition_log(journal->partition);

    if (log_flushed_offset(log) >= end)
        return APR_SUCCESS;
    return log_usable(log) ? log_usable(log) : APR_EAGAIN;
}

void journal_partitions(journal_driver_t *driver, struct topics_t *topics,
                        const char *topic)
{
    driver->open = open_journal;
    driver->close = close_journal;
    driver->replay = replay;
    driver->append = append;
    driver->request_flush = request_flush;
    driver->flushed = flushed;
    driver->baton = topics;
    driver->topic = topic;
}
