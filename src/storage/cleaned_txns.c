/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions as a compaction meets them; see cleaned_txns.h. It must never
 * say of a marker that it may go while records of its transaction are there.
 */
#include "storage/cleaned_txns.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "record/builder.h"
#include "storage/log_private.h"

/* ITEMS with room for one more of SIZE bytes behind COUNT; NULL: no memory. */
static void *grow(void *items, size_t size, int count, int *room)
{
    int more = *room == 0 ? 8 : *room * 2;

    if (count < *room)
        return items;
    items = realloc(items, size * (size_t)more);
    if (items != NULL)
        *room = more;
    return items;
}

/* ---- what was aborted --------------------------------------------------- */

typedef struct {
    cleaned_txns_t *txns;
    int64_t upper;
    apr_status_t status;
} collect_t;

static int collect(void *baton, const producer_txn_t *txn)
{
    collect_t *collect = baton;
    cleaned_txns_t *txns = collect->txns;
    producer_txn_t *items;

    if (txn->first_offset >= collect->upper)
        return 1;
    items = grow(txns->aborted, sizeof(*items), txns->aborted_count,
                 &txns->aborted_room);
    if (items == NULL) {
        collect->status = APR_ENOMEM;
        return 0;
    }
    txns->aborted = items;
    items[txns->aborted_count++] = *txn;
    return 1;
}

static int by_first_offset(const void *a, const void *b)
{
    const producer_txn_t *x = a, *y = b;

    return x->first_offset < y->first_offset
               ? -1
               : x->first_offset > y->first_offset;
}

apr_status_t cleaned_txns_collect(cleaned_txns_t *txns, const char *directory,
                                  const int64_t *bases, int count,
                                  int64_t upper)
{
    collect_t state = {txns, upper, APR_SUCCESS};
    apr_status_t status = APR_SUCCESS;
    int i;

    for (i = 0; i < count && status == APR_SUCCESS; i++) {
        status = txn_index_each(directory, bases[i], collect, &state);
        if (status == APR_SUCCESS)
            status = state.status;
    }
    if (status == APR_SUCCESS && txns->aborted_count > 1)
        qsort(txns->aborted, (size_t)txns->aborted_count,
              sizeof(*txns->aborted), by_first_offset);
    return status;
}

/* ---- the walk ----------------------------------------------------------- */

void cleaned_txns_begin(cleaned_txns_t *txns, int64_t from)
{
    txns->from = from;
    txns->next = 0;
    txns->ongoing_count = txns->committed_count = 0;
}

static cleaned_txn_t *find_ongoing(cleaned_txns_t *txns, int64_t producer_id)
{
    int i;

    for (i = txns->ongoing_count - 1; i >= 0; i--)
        if (txns->ongoing[i].txn.producer_id == producer_id)
            return &txns->ongoing[i];
    return NULL;
}

/* Aborted transactions that began at or below OFFSET are ongoing. */
static apr_status_t reach(cleaned_txns_t *txns, int64_t offset)
{
    for (; txns->next < txns->aborted_count &&
           txns->aborted[txns->next].first_offset <= offset;
         txns->next++) {
        const producer_txn_t *txn = &txns->aborted[txns->next];
        cleaned_txn_t *known, *items;

        if (txn->last_offset < txns->from)
            continue;
        known = find_ongoing(txns, txn->producer_id);
        if (known == NULL) {
            items = grow(txns->ongoing, sizeof(*items), txns->ongoing_count,
                         &txns->ongoing_room);
            if (items == NULL)
                return APR_ENOMEM;
            txns->ongoing = items;
            known = &txns->ongoing[txns->ongoing_count++];
        }
        known->txn = *txn;
        known->observed = 0;
    }
    return APR_SUCCESS;
}

static int remove_committed(cleaned_txns_t *txns, int64_t producer_id)
{
    int i;

    for (i = txns->committed_count - 1; i >= 0; i--)
        if (txns->committed[i] == producer_id) {
            txns->committed[i] = txns->committed[--txns->committed_count];
            return 1;
        }
    return 0;
}

static apr_status_t add_committed(cleaned_txns_t *txns, int64_t producer_id)
{
    int64_t *items;
    int i;

    for (i = txns->committed_count - 1; i >= 0; i--)
        if (txns->committed[i] == producer_id)
            return APR_SUCCESS;
    items = grow(txns->committed, sizeof(*items), txns->committed_count,
                 &txns->committed_room);
    if (items == NULL)
        return APR_ENOMEM;
    txns->committed = items;
    items[txns->committed_count++] = producer_id;
    return APR_SUCCESS;
}

/* The control record's type; -1 for a batch that has lost it already. */
static apr_status_t marker_type(const record_batch_t *batch,
                                const uint8_t *data, int *type)
{
    record_iterator_t iterator;
    record_t record;
    apr_status_t status;

    *type = -1;
    if (batch->record_count == 0)
        return APR_SUCCESS;
    status = record_iterator_init(&iterator, batch, data, NULL, 0);
    if (status == APR_SUCCESS)
        status = record_iterator_next(&iterator, &record);
    if (status == APR_SUCCESS)
        *type = record_control_type(&record);
    return status == APR_EOF ? TAKHIN_ECORRUPT : status;
}

static apr_status_t meet_marker(cleaned_txns_t *txns,
                                const record_batch_t *batch,
                                const uint8_t *data, int *discard,
                                const producer_txn_t **aborted)
{
    cleaned_txn_t *ongoing;
    int type;
    apr_status_t status = marker_type(batch, data, &type);

    if (status != APR_SUCCESS)
        return status;
    if (batch->record_count == 0) {
        *discard = 1;
    } else if (type == RECORD_CONTROL_COMMIT) {
        *discard = !remove_committed(txns, batch->producer_id);
    } else if (type == RECORD_CONTROL_ABORT) {
        ongoing = find_ongoing(txns, batch->producer_id);
        if (ongoing != NULL &&
            ongoing->txn.last_offset != record_batch_last_offset(batch))
            ongoing = NULL;
        *discard = ongoing == NULL || !ongoing->observed;
        if (ongoing != NULL) {
            cleaned_txn_t *last = &txns->ongoing[txns->ongoing_count - 1];
            cleaned_txn_t ended = *ongoing;

            /* What is taken out moves behind the end, where it holds. */
            *ongoing = *last;
            *last = ended;
            txns->ongoing_count--;
            if (ended.observed)
                *aborted = &last->txn;
        }
    }
    return APR_SUCCESS;
}

apr_status_t cleaned_txns_batch(cleaned_txns_t *txns,
                                const record_batch_t *batch,
                                const uint8_t *data, int *discard,
                                const producer_txn_t **aborted)
{
    cleaned_txn_t *ongoing;
    apr_status_t status;

    *discard = 0;
    *aborted = NULL;
    if (!record_batch_is_control(batch) &&
        !record_batch_is_transactional(batch))
        return APR_SUCCESS;
    status = reach(txns, record_batch_last_offset(batch));
    if (status != APR_SUCCESS)
        return status;
    if (record_batch_is_control(batch))
        return meet_marker(txns, batch, data, discard, aborted);
    ongoing = find_ongoing(txns, batch->producer_id);
    if (ongoing != NULL && batch->base_offset <= ongoing->txn.last_offset) {
        ongoing->observed = 1;
        *discard = 1;
        return APR_SUCCESS;
    }
    return add_committed(txns, batch->producer_id);
}

void cleaned_txns_free(cleaned_txns_t *txns)
{
    free(txns->aborted);
    free(txns->ongoing);
    free(txns->committed);
    memset(txns, 0, sizeof(*txns));
}
