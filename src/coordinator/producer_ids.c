/* SPDX-License-Identifier: Apache-2.0 */
/* The current block of producer ids, behind a mutex. */
#include "coordinator/producer_ids.h"

#include <apr_thread_mutex.h>

struct producer_ids_t {
    apr_thread_mutex_t *mutex;
    metadata_t *metadata;
    int64_t next;
    int64_t end;        /* exclusive; next == end: take a block */
};

apr_status_t producer_ids_create(producer_ids_t **ids, metadata_t *metadata,
                                 apr_pool_t *pool)
{
    producer_ids_t *p = apr_pcalloc(pool, sizeof *p);

    p->metadata = metadata;
    *ids = p;
    return apr_thread_mutex_create(&p->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
}

apr_status_t producer_ids_next(producer_ids_t *ids, int64_t *id,
                               apr_pool_t *scratch)
{
    apr_status_t status = APR_SUCCESS;

    apr_thread_mutex_lock(ids->mutex);
    if (ids->next == ids->end) {
        int32_t count = 0;

        status = metadata_producer_ids(ids->metadata, &ids->next, &count,
                                       scratch);
        ids->end = status ? ids->next : ids->next + count;
    }
    if (!status)
        *id = ids->next++;
    apr_thread_mutex_unlock(ids->mutex);
    return status;
}
