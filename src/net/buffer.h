/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers that frames are read into and responses are built in. They are
 * leased from a cache while a request is in progress, so that an idle
 * connection holds none and a busy one calls malloc for none. A buffer's
 * references are counted without atomics: only the owner of the connection
 * that leased it touches them.
 */
#ifndef TAKHIN_NET_BUFFER_H
#define TAKHIN_NET_BUFFER_H

#include <apr_pools.h>
#include <stdint.h>

typedef struct net_buffers_t net_buffers_t; /* the cache */

typedef struct net_buffer_t net_buffer_t;
struct net_buffer_t {
    net_buffer_t *next;  /* the cache's */
    apr_size_t capacity; /* of DATA */
    apr_size_t used;     /* bytes in DATA */
    int references;
    uint8_t data[];
};

/* What the smallest buffer holds, at least: a small request or response. */
#define NET_BUFFER_SMALL (16 * 1024 - 64)

apr_status_t net_buffers_create(net_buffers_t **buffers, apr_pool_t *pool);

/* Frees what is cached; leased buffers must have come back. */
void net_buffers_destroy(net_buffers_t *buffers);

/* An empty buffer with one reference that holds at least CAPACITY bytes, or
 * NULL when there is no memory. Any thread. */
net_buffer_t *net_buffer_lease(net_buffers_t *buffers, apr_size_t capacity);

/* Makes *BUFFER, with its one reference, hold at least CAPACITY bytes, moving
 * it with what is in it. Leaves it as it is and returns 0 when there is no
 * memory. */
int net_buffer_grow(net_buffer_t **buffer, apr_size_t capacity);

/* Gives up a reference; the last one returns BUFFER. Any thread. */
void net_buffer_drop(net_buffers_t *buffers, net_buffer_t *buffer);

/* Frees half of what is cached: for quiet times. Any thread. */
void net_buffers_trim(net_buffers_t *buffers);

#endif
