/* SPDX-License-Identifier: Apache-2.0 */
/* Flushes that are waited for together. */
#include "api/flush_wait.h"

#include "api/error.h"
#include "protocol/error_code.h"

typedef struct {
    partition_t *partition; /* retained */
    int64_t after;
    int16_t *error;
} awaited_t;

struct flush_wait_t {
    request_t *request;
    void (*over)(void *baton);
    void *baton;
    awaited_t *awaited;
    int count;
};

flush_wait_t *flush_wait_create(request_t *request, int room,
                                void (*over)(void *baton), void *baton)
{
    flush_wait_t *wait = apr_pcalloc(request->pool, sizeof *wait);

    wait->request = request;
    wait->over = over;
    wait->baton = baton;
    wait->awaited = apr_palloc(request->pool,
                               ((apr_size_t)room + 1) * sizeof *wait->awaited);
    return wait;
}

void flush_wait_add(flush_wait_t *wait, partition_t *partition, int64_t after,
                    int16_t *error)
{
    awaited_t *awaited = &wait->awaited[wait->count++];

    partition_retain(partition);
    awaited->partition = partition;
    awaited->after = after;
    awaited->error = error;
}

int flush_wait_count(const flush_wait_t *wait)
{
    return wait->count;
}

/* APR_EAGAIN while the flush is still to come. */
static apr_status_t flush_status(const awaited_t *awaited)
{
    log_t *log = partition_log(awaited->partition);

    if (log_flushed_offset(log) >= awaited->after)
        return APR_SUCCESS;
    return log_usable(log) ? log_usable(log) : APR_EAGAIN;
}

/* Settles what is flushed or cannot be; what is left stays awaited. */
static int ready(delayed_t *delayed)
{
    flush_wait_t *wait = delayed->baton;
    int left = 0;

    for (int i = 0; i < wait->count; i++) {
        awaited_t *awaited = &wait->awaited[i];
        apr_status_t status = flush_status(awaited);

        if (APR_STATUS_IS_EAGAIN(status)) {
            wait->awaited[left++] = *awaited;
            continue;
        }
        if (status)
            *awaited->error = api_error(status);
        partition_release(awaited->partition);
    }
    wait->count = left;
    return left == 0;
}

static void complete(delayed_t *delayed, int expired)
{
    flush_wait_t *wait = delayed->baton;

    (void)expired;
    for (int i = 0; i < wait->count; i++) {
        *wait->awaited[i].error = KAFKA_REQUEST_TIMED_OUT;
        partition_release(wait->awaited[i].partition);
    }
    wait->over(wait->baton);
}

void flush_wait_start(flush_wait_t *wait, int32_t timeout_ms)
{
    int count = wait->count;
    delayed_t *delayed =
        delayed_create(wait->request->broker->purgatory, count, ready, complete,
                       wait, wait->request->pool);

    for (int i = 0; i < count; i++)
        delayed_watch(delayed, wait->awaited[i].partition,
                      PARTITION_FLUSHED | PARTITION_GONE);
    for (int i = 0; i < count; i++)
        partition_request_flush(wait->awaited[i].partition);
    delayed_start(delayed, apr_time_from_msec(timeout_ms));
}
