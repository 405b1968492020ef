/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounded cache of open segment files. A pin is one compare-and-swap while
 * the file is open; the mutex is taken only to open and to close. It must
 * never close a file that is pinned, so the bound gives way when all are.
 *
 * What is open lies in a ring; the hand goes round as in the clock algorithm:
 * who was touched since it last came by gets another round.
 */
#include "storage/segment.h"

#include <apr_atomic.h>
#include <stdlib.h>

#include "base/assert.h"

#define SEGMENT_CLOSED 0x80000000u

struct segment_cache_t {
    apr_thread_mutex_t *mutex;
    segment_t *hand;
    int open;
    int max_open;
    int64_t max_index_bytes;
    volatile apr_uint64_t index_bytes; /* atomic */
};

apr_status_t segment_cache_create(segment_cache_t **cache, int max_open,
                                  int64_t max_index_bytes, apr_pool_t *pool)
{
    segment_cache_t *made = apr_pcalloc(pool, sizeof(*made));

    made->max_open = max_open > 0 ? max_open : 1;
    made->max_index_bytes = max_index_bytes;
    *cache = made;
    return apr_thread_mutex_create(&made->mutex, APR_THREAD_MUTEX_DEFAULT,
                                   pool);
}

int segment_cache_open_files(segment_cache_t *cache)
{
    int open;

    apr_thread_mutex_lock(cache->mutex);
    open = cache->open;
    apr_thread_mutex_unlock(cache->mutex);
    return open;
}

/* ---- the ring; the mutex is held --------------------------------------- */

static void ring_insert(segment_cache_t *cache, segment_t *segment)
{
    segment_t *hand = cache->hand;

    if (hand == NULL) {
        segment->newer = segment->older = segment;
        cache->hand = segment;
    } else {
        segment->newer = hand;
        segment->older = hand->older;
        hand->older->newer = segment;
        hand->older = segment;
    }
    cache->open++;
}

static void ring_remove(segment_cache_t *cache, segment_t *segment)
{
    if (segment->newer == segment) {
        cache->hand = NULL;
    } else {
        segment->newer->older = segment->older;
        segment->older->newer = segment->newer;
        if (cache->hand == segment)
            cache->hand = segment->newer;
    }
    segment->newer = segment->older = NULL;
    cache->open--;
}

void segment_cache_account(segment_cache_t *cache, int64_t bytes)
{
    apr_atomic_add64(&cache->index_bytes, (apr_uint64_t)bytes);
}

static int64_t index_bytes(segment_cache_t *cache)
{
    return (int64_t)apr_atomic_read64(&cache->index_bytes);
}

static int64_t index_memory(const segment_t *segment)
{
    if (segment->index == NULL)
        return 0;
    return (int64_t)segment->index->room * (int64_t)sizeof(segment_entry_t);
}

/* The segment is SEGMENT_CLOSED already: nobody else looks at these. */
static void close_file(segment_cache_t *cache, segment_t *segment)
{
    segment_cache_account(cache, -index_memory(segment));
    ring_remove(cache, segment);
    if (segment->index != NULL)
        free(segment->index->entries);
    free(segment->index);
    segment->index = NULL;
    /* What was written is flushed by fs_sync through another handle: a close
     * of an unflushed file tells nothing that the flush would not. */
    (void)fs_close(segment->file);
    segment->file = NULL;
}

static void make_room(segment_cache_t *cache)
{
    int steps = 2 * cache->open;

    while (steps-- > 0 && cache->hand != NULL &&
           (cache->open >= cache->max_open ||
            index_bytes(cache) > cache->max_index_bytes)) {
        segment_t *segment = cache->hand;

        cache->hand = segment->newer;
        if (apr_atomic_read32(&segment->touched) != 0)
            apr_atomic_set32(&segment->touched, 0);
        else if (apr_atomic_cas32(&segment->pins, SEGMENT_CLOSED, 0) == 0)
            close_file(cache, segment);
    }
}

void segment_cache_sweep(segment_cache_t *cache)
{
    int steps;

    apr_thread_mutex_lock(cache->mutex);
    for (steps = cache->open; steps > 0 && cache->hand != NULL; steps--) {
        segment_t *segment = cache->hand;

        cache->hand = segment->newer;
        if (apr_atomic_read32(&segment->touched) != 0)
            apr_atomic_set32(&segment->touched, 0);
        else if (apr_atomic_cas32(&segment->pins, SEGMENT_CLOSED, 0) == 0)
            close_file(cache, segment);
    }
    apr_thread_mutex_unlock(cache->mutex);
}

/* ---- pins -------------------------------------------------------------- */

int segment_try_pin(segment_t *segment)
{
    apr_uint32_t pins = apr_atomic_read32(&segment->pins);

    while (pins != SEGMENT_CLOSED) {
        apr_uint32_t seen = apr_atomic_cas32(&segment->pins, pins + 1, pins);

        if (seen == pins) {
            if (apr_atomic_read32(&segment->touched) == 0)
                apr_atomic_set32(&segment->touched, 1);
            return 1;
        }
        pins = seen;
    }
    return 0;
}

void segment_set_replaced(segment_t *segment)
{
    apr_atomic_set32(&segment->replaced, 1);
}

int segment_is_replaced(const segment_t *segment)
{
    return apr_atomic_read32((volatile apr_uint32_t *)&segment->replaced) != 0;
}

/* Opens with FLAGS under the mutex, which another opener may have had first. */
static apr_status_t open_and_pin(segment_t *segment, const char *directory,
                                 int flags)
{
    segment_cache_t *cache = segment->cache;
    apr_status_t status = APR_SUCCESS;
    char path[SEGMENT_PATH];

    apr_thread_mutex_lock(cache->mutex);
    if (!segment_try_pin(segment)) {
        make_room(cache);
        segment_path(path, directory, segment->base_offset, ".log");
        segment->index = calloc(1, sizeof(*segment->index));
        status = segment->index == NULL ? APR_ENOMEM
                                        : fs_open(&segment->file, path, flags);
        /* It was marked before its names were given to another. */
        if (status == APR_SUCCESS && segment_is_replaced(segment)) {
            (void)fs_close(segment->file); /* nothing was done with it */
            segment->file = NULL;
            status = APR_ENOENT;
        }
        if (status == APR_SUCCESS) {
            ring_insert(cache, segment);
            apr_atomic_set32(&segment->touched, 1);
            apr_atomic_set32(&segment->pins, 1);
        } else {
            free(segment->index);
            segment->index = NULL;
        }
    }
    apr_thread_mutex_unlock(cache->mutex);
    return status;
}

apr_status_t segment_pin(segment_t *segment, const char *directory)
{
    if (segment_try_pin(segment))
        return APR_SUCCESS;
    return open_and_pin(segment, directory, FS_WRITABLE);
}

apr_status_t segment_create_file(segment_t *segment, const char *directory,
                                 int64_t preallocate)
{
    apr_status_t status =
        open_and_pin(segment, directory, FS_WRITABLE | FS_CREATE);

    if (status != APR_SUCCESS || preallocate <= 0)
        return status;
    status = fs_allocate(segment->file, preallocate, 0);
    if (status == APR_ENOTIMPL)
        status = APR_SUCCESS; /* it grows as it is written, then */
    if (status != APR_SUCCESS)
        segment_unpin(segment);
    return status;
}

void segment_unpin(segment_t *segment)
{
    apr_uint32_t pins = apr_atomic_add32(&segment->pins, (apr_uint32_t)-1);

    TAKHIN_ASSERT(pins != 0 && pins != SEGMENT_CLOSED);
}

/* ---- references -------------------------------------------------------- */

segment_t *segment_create(segment_cache_t *cache, int64_t base_offset,
                          int64_t next_offset, int64_t size, int64_t now_ms)
{
    segment_t *segment = calloc(1, sizeof(*segment));

    if (segment == NULL)
        return NULL;
    segment->references = 1;
    segment->pins = SEGMENT_CLOSED;
    segment->cache = cache;
    segment->base_offset = base_offset;
    segment->next_offset = next_offset;
    segment->size = size;
    segment->created = now_ms;
    segment->first_timestamp = -1;
    segment->max_timestamp = -1;
    segment->max_timestamp_offset = base_offset;
    segment->last_time.timestamp = -1;
    segment->largest_batch = size == 0 ? 0 : UINT32_MAX;
    return segment;
}

void segment_retain(segment_t *segment)
{
    apr_atomic_inc32(&segment->references);
}

void segment_release(segment_t *segment)
{
    segment_cache_t *cache = segment->cache;

    if (apr_atomic_dec32(&segment->references) != 0)
        return;
    apr_thread_mutex_lock(cache->mutex);
    if (apr_atomic_read32(&segment->pins) != SEGMENT_CLOSED) {
        TAKHIN_ASSERT(apr_atomic_read32(&segment->pins) == 0);
        apr_atomic_set32(&segment->pins, SEGMENT_CLOSED);
        close_file(cache, segment);
    }
    apr_thread_mutex_unlock(cache->mutex);
    free(segment->pending);
    free(segment);
}

/* A range's piece holds one reference and one pin. */
void read_range_release(read_range_t *range)
{
    int i;

    for (i = 0; i < range->count; i++) {
        segment_unpin(range->pieces[i].segment);
        segment_release(range->pieces[i].segment);
    }
    range->count = 0;
    range->size = 0;
}
