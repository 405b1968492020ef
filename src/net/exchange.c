/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges and the list of free ones. An exchange's pool has an allocator of
 * its own, without a mutex, because one thread at a time uses it.
 */
#include <apr_allocator.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/out_of_memory.h"
#include "net/internal.h"

/* What an exchange's pool keeps when it is cleared, in bytes. */
#define POOL_KEEPS (128 * 1024)

static net_exchange_t *exchange_create(net_server_t *server)
{
    apr_size_t offset = APR_ALIGN_DEFAULT(sizeof(net_exchange_t));
    net_exchange_t *exchange = calloc(1, offset + server->options.room_size);
    apr_allocator_t *allocator;
    apr_status_t rv;

    if (!exchange)
        out_of_memory(APR_ENOMEM);
    exchange->room = (char *)exchange + offset;
    rv = apr_allocator_create(&allocator);
    if (rv)
        out_of_memory(rv);
    apr_allocator_max_free_set(allocator, POOL_KEEPS);
    /* Without a parent it inherits nothing. */
    rv = apr_pool_create_unmanaged_ex(&exchange->pool, out_of_memory,
                                      allocator);
    if (rv)
        out_of_memory(rv);
    apr_allocator_owner_set(allocator, exchange->pool);
    return exchange;
}

net_exchange_t *exchange_lease(net_server_t *server)
{
    net_exchange_t *exchange;

    apr_thread_mutex_lock(server->mutex);
    if ((exchange = server->free_exchanges)) {
        server->free_exchanges = exchange->next;
        server->free_exchange_count--;
    }
    apr_thread_mutex_unlock(server->mutex);
    return exchange ? exchange : exchange_create(server);
}

void exchange_clear(net_server_t *server, net_exchange_t *exchange)
{
    if (exchange->release)
        exchange->release(exchange);
    if (exchange->input)
        net_buffer_drop(server->buffers, exchange->input);
    if (exchange->copied)
        net_buffer_drop(server->buffers, exchange->copied);
    apr_pool_clear(exchange->pool);
    exchange->release = NULL;
    exchange->input = exchange->copied = NULL;
    exchange->next = NULL;
    exchange->parts = NULL;
    exchange->part_count = exchange->part = 0;
    exchange->part_sent = 0;
    exchange->zero_copied = 0;
    exchange->why = NULL;
    exchange->mute = 0;
}

void exchange_destroy(net_exchange_t *exchange)
{
    apr_pool_destroy(exchange->pool);
    free(exchange);
}

void exchange_return(net_server_t *server, net_exchange_t *exchange)
{
    apr_thread_mutex_lock(server->mutex);
    if (server->free_exchange_count < SERVER_MAX_FREE_EXCHANGES) {
        exchange->next = server->free_exchanges;
        server->free_exchanges = exchange;
        server->free_exchange_count++;
        exchange = NULL;
    }
    apr_thread_mutex_unlock(server->mutex);
    if (exchange)
        exchange_destroy(exchange);
}

int exchange_is_done(const net_exchange_t *exchange)
{
    return atomic_get32(&exchange->phase) == EXCHANGE_DONE;
}

/* Hands EXCHANGE back to the connection. Inside the handler its owner will see
 * it when the handler returns; afterwards it must be told. */
static void finish(net_exchange_t *exchange)
{
    connection_t *connection = exchange->connection;
    apr_uint32_t phase = atomic_swap32(&exchange->phase, EXCHANGE_DONE);

    TAKHIN_ASSERT(phase != EXCHANGE_DONE);
    if (phase == EXCHANGE_PENDING)
        connection_kick(connection);
}

void net_exchange_reply(net_exchange_t *exchange, net_part_t *parts, int count,
                        void (*release)(net_exchange_t *exchange))
{
    exchange->parts = parts;
    exchange->part_count = count;
    exchange->release = release;
    finish(exchange);
}

void net_exchange_mute(net_exchange_t *exchange, apr_interval_time_t time)
{
    exchange->mute = time;
}

void net_exchange_done(net_exchange_t *exchange)
{
    finish(exchange);
}

void net_exchange_disconnect(net_exchange_t *exchange, const char *why)
{
    exchange->why = why;
    finish(exchange);
}
