/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache has one list for each power of two from 16 KiB to 4 MiB, and an
 * upper bound on what all of them hold together. What is larger goes back to
 * malloc at once.
 */
#include "net/buffer.h"

#include <apr_thread_mutex.h>
#include <stdlib.h>

#define FIRST_SHIFT 14 /* 16 KiB */
#define CLASSES     9  /* up to 4 MiB */
#define MAX_CACHED  (32 * 1024 * 1024)

struct net_buffers_t {
    apr_thread_mutex_t *mutex;
    net_buffer_t *free[CLASSES];
    apr_size_t cached; /* bytes, headers included */
};

/* The class whose buffers hold CAPACITY, or CLASSES where none does. */
static int class_for(apr_size_t capacity)
{
    apr_size_t whole = capacity + sizeof(net_buffer_t);
    int class = 0;

    while (class < CLASSES && ((apr_size_t)1 << (FIRST_SHIFT + class)) < whole)
        class ++;
    return class;
}

static apr_size_t whole_size(int class, apr_size_t capacity)
{
    return class < CLASSES ? (apr_size_t)1 << (FIRST_SHIFT + class)
                           : capacity + sizeof(net_buffer_t);
}

apr_status_t net_buffers_create(net_buffers_t **buffers, apr_pool_t *pool)
{
    *buffers = apr_pcalloc(pool, sizeof(**buffers));
    return apr_thread_mutex_create(&(*buffers)->mutex, APR_THREAD_MUTEX_DEFAULT,
                                   pool);
}

net_buffer_t *net_buffer_lease(net_buffers_t *buffers, apr_size_t capacity)
{
    int class = class_for(capacity);
    net_buffer_t *buffer = NULL;

    if (class < CLASSES) {
        apr_thread_mutex_lock(buffers->mutex);
        if ((buffer = buffers->free[class])) {
            buffers->free[class] = buffer->next;
            buffers->cached -= whole_size(class, 0);
        }
        apr_thread_mutex_unlock(buffers->mutex);
    }
    if (!buffer) {
        apr_size_t whole = whole_size(class, capacity);
        if (!(buffer = malloc(whole)))
            return NULL;
        buffer->capacity = whole - sizeof(*buffer);
    }
    buffer->next = NULL;
    buffer->used = 0;
    buffer->references = 1;
    return buffer;
}

int net_buffer_grow(net_buffer_t **buffer, apr_size_t capacity)
{
    apr_size_t whole = whole_size(class_for(capacity), capacity);
    net_buffer_t *grown = realloc(*buffer, whole);

    if (!grown)
        return 0;
    grown->capacity = whole - sizeof(*grown);
    *buffer = grown;
    return 1;
}

void net_buffer_drop(net_buffers_t *buffers, net_buffer_t *buffer)
{
    int class;

    if (--buffer->references)
        return;
    class = class_for(buffer->capacity);
    if (class < CLASSES) {
        apr_size_t whole = whole_size(class, 0);
        apr_thread_mutex_lock(buffers->mutex);
        if (buffers->cached + whole <= MAX_CACHED) {
            buffers->cached += whole;
            buffer->next = buffers->free[class];
            buffers->free[class] = buffer;
            buffer = NULL;
        }
        apr_thread_mutex_unlock(buffers->mutex);
    }
    free(buffer);
}

/* Takes buffers off the lists, the largest first, until KEEP bytes are left;
 * returns them in one list. */
static net_buffer_t *take_down_to(net_buffers_t *buffers, apr_size_t keep)
{
    net_buffer_t *taken = NULL;
    int class;

    for (class = CLASSES - 1; class >= 0; class --) {
        net_buffer_t *buffer;
        while (buffers->cached > keep && (buffer = buffers->free[class])) {
            buffers->free[class] = buffer->next;
            buffers->cached -= whole_size(class, 0);
            buffer->next = taken;
            taken = buffer;
        }
    }
    return taken;
}

static void free_list(net_buffer_t *list)
{
    while (list) {
        net_buffer_t *next = list->next;
        free(list);
        list = next;
    }
}

void net_buffers_trim(net_buffers_t *buffers)
{
    net_buffer_t *taken;

    apr_thread_mutex_lock(buffers->mutex);
    taken = take_down_to(buffers, buffers->cached / 2);
    apr_thread_mutex_unlock(buffers->mutex);
    free_list(taken);
}

void net_buffers_destroy(net_buffers_t *buffers)
{
    free_list(take_down_to(buffers, 0));
}
