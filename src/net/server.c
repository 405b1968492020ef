/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's beginning and end, what is shared by its connections (slots,
 * free exchanges), and how a connection gets into the pollset and out. The
 * listener's thread is in listener.c.
 */
#include "net/server.h"

#include <apr_strings.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/logger.h"
#include "net/internal.h"
#include "net/listener.h"
#include "net/socket.h"

void net_options_init(net_options_t *options)
{
    memset(options, 0, sizeof(*options));
    options->workers = 11; /* num.network.threads and num.io.threads */
    options->backlog = 50; /* socket.listen.backlog.size */
    options->max_connections = APR_INT32_MAX;
    options->max_request_bytes = 100 * 1024 * 1024;
    options->sendfile_min_bytes = 16 * 1024;
    options->max_outstanding = 64;
    options->max_outstanding_bytes = 16 * 1024 * 1024;
    options->send_buffer_bytes = -1;
    options->receive_buffer_bytes = -1;
    options->idle_time = apr_time_from_sec(600);
    options->stall_time = apr_time_from_sec(30);
    /* Above the kernel's tick: then no timer of the processor is set for it. */
    options->linger_time = 20000;
    options->spin_time = 20;
}

/* Slots ------------------------------------------------------------------ */

connection_t *server_take_slot(net_server_t *server)
{
    connection_t *connection;

    apr_thread_mutex_lock(server->mutex);
    if (!server->free_slots) {
        server_chunk_t *chunk = apr_pcalloc(server->slot_pool, sizeof(*chunk));
        int i;
        for (i = SERVER_SLOTS_A_CHUNK - 1; i >= 0; i--) {
            chunk->slots[i].server = server;
            chunk->slots[i].task.run = connection_run;
            chunk->slots[i].task.next = (worker_task_t *)server->free_slots;
            server->free_slots = &chunk->slots[i];
        }
        chunk->next = server->chunks;
        server->chunks = chunk;
    }
    connection = server->free_slots;
    server->free_slots = (connection_t *)connection->task.next;
    apr_thread_mutex_unlock(server->mutex);
    return connection;
}

void server_free_slot(net_server_t *server, connection_t *connection)
{
    atomic_set32(&connection->owner, CONNECTION_FREE);
    apr_thread_mutex_lock(server->mutex);
    connection->task.next = (worker_task_t *)server->free_slots;
    server->free_slots = connection;
    apr_thread_mutex_unlock(server->mutex);
}

void server_each_slot(net_server_t *server,
                      void (*visit)(net_server_t *, connection_t *))
{
    server_chunk_t *chunk;
    int i;

    apr_thread_mutex_lock(server->mutex);
    chunk = server->chunks; /* chunks are only added, in front */
    apr_thread_mutex_unlock(server->mutex);
    for (; chunk; chunk = chunk->next)
        for (i = 0; i < SERVER_SLOTS_A_CHUNK; i++)
            if (atomic_get32(&chunk->slots[i].owner) != CONNECTION_FREE)
                visit(server, &chunk->slots[i]);
}

void server_closed(net_server_t *server)
{
    if (atomic_add64(&server->counters.open, -1) ||
        !atomic_get32(&server->stopping))
        return;
    apr_thread_mutex_lock(server->mutex);
    apr_thread_cond_signal(server->emptied);
    apr_thread_mutex_unlock(server->mutex);
}

/* Into the pollset and out ------------------------------------------------ */

apr_uint32_t server_tick(void)
{
    return (apr_uint32_t)apr_time_as_msec(clock_monotonic());
}

int server_park(net_server_t *server, connection_t *connection,
                apr_status_t *status)
{
    atomic_u32_t *owner = &connection->owner;

    if (server->shared) {
        /* First into the pollset: an event that comes before the owner word
         * says PARKED is ignored and, the pollset being level-triggered, comes
         * again. The other way round, a kick could take out what isn't in. */
        *status = apr_pollset_add(server->pollset, &connection->poll);
        if (*status)
            return 0;
        if (atomic_cas32(owner, CONNECTION_RUNNING, CONNECTION_PARKED))
            return 1;
        server_unpark(server, connection);
    } else if (atomic_cas32(owner, CONNECTION_RUNNING, CONNECTION_ENTERING)) {
        server_post(server, connection);
        return 1;
    }
    atomic_set32(owner, CONNECTION_RUNNING);
    return 0;
}

void server_unpark(net_server_t *server, connection_t *connection)
{
    /* It is in: only the owner puts it there and takes it out. */
    apr_pollset_remove(server->pollset, &connection->poll);
}

void server_post(net_server_t *server, connection_t *connection)
{
    int first;

    apr_thread_mutex_lock(server->mutex);
    first = !server->posted;
    connection->task.next = (worker_task_t *)server->posted;
    server->posted = connection;
    apr_thread_mutex_unlock(server->mutex);
    if (first)
        apr_pollset_wakeup(server->pollset);
}

/* Beginning and end ------------------------------------------------------- */

/* Frees what a connection still has. */
static void destroy_slot(net_server_t *server, connection_t *connection)
{
    (void)server;
    while (connection->first)
        connection_retire_first(connection);
    if (connection->spare)
        exchange_destroy(connection->spare);
    connection->spare = NULL;
}

/* Before the server's pool goes. */
static apr_status_t destroy(void *baton)
{
    net_server_t *server = baton;
    net_exchange_t *exchange;

    server_each_slot(server, destroy_slot);
    while ((exchange = server->free_exchanges)) {
        server->free_exchanges = exchange->next;
        exchange_destroy(exchange);
    }
    net_buffers_destroy(server->buffers);
    return APR_SUCCESS;
}

/* Connections must not take the descriptors that the log needs. */
static void limit_connections(net_options_t *options)
{
    int descriptors = net_socket_descriptors();
    int most = descriptors - descriptors / 4;

    if (options->max_connections <= most)
        return;
    if (options->max_connections < APR_INT32_MAX)
        LOG_WARN(net,
                 "at most %d connections instead of %d: the system "
                 "allows %d open files",
                 most, options->max_connections, descriptors);
    options->max_connections = most;
}

static apr_status_t create(net_server_t **out, const net_options_t *options,
                           apr_pool_t *parent)
{
    net_server_t *server;
    apr_pool_t *pool;
    apr_status_t rv;

    if ((rv = apr_pool_create(&pool, parent)))
        return rv;
    server = apr_pcalloc(pool, sizeof(*server));
    server->pool = pool;
    server->options = *options;
    limit_connections(&server->options);
    server->ports = apr_pcalloc(pool, sizeof(*server->ports) *
                                          (options->listener_count + 1));
    *out = server;
    if ((rv = apr_thread_mutex_create(&server->mutex, APR_THREAD_MUTEX_DEFAULT,
                                      pool)) ||
        (rv = apr_thread_cond_create(&server->emptied, pool)) ||
        (rv = net_buffers_create(&server->buffers, pool)) ||
        (rv = apr_pool_create(&server->slot_pool, pool)) ||
        (rv = apr_pool_create(&server->accept_pool, pool)))
        return rv;
    apr_pool_pre_cleanup_register(pool, server, destroy);
    return APR_SUCCESS;
}

apr_status_t net_server_open(net_server_t **out, const net_options_t *options,
                             const char **error, apr_pool_t *pool)
{
    net_server_t *server = NULL;
    apr_status_t rv;

    TAKHIN_ASSERT(options->dispatch && options->workers > 0);
    net_socket_init();
    *error = NULL;
    if (!(rv = create(&server, options, pool)) &&
        !(rv = listener_open(server, error, pool)) &&
        !(rv = worker_pool_create(&server->workers, options->workers,
                                  server->pool))) {
        *out = server;
        return APR_SUCCESS;
    }
    if (!*error)
        *error =
            apr_psprintf(pool, "the network cannot start: %s", LOG_STATUS(rv));
    if (server)
        apr_pool_destroy(server->pool);
    return rv;
}

apr_status_t net_server_accept(net_server_t *server)
{
    return listener_start(server);
}

apr_status_t net_server_start(net_server_t **out, const net_options_t *options,
                              const char **error, apr_pool_t *pool)
{
    apr_status_t rv = net_server_open(out, options, error, pool);

    if (rv || !(rv = net_server_accept(*out)))
        return rv;
    *error = apr_psprintf(pool, "the network cannot start: %s", LOG_STATUS(rv));
    net_server_stop(*out, 0);
    return rv;
}

static void kick_slot(net_server_t *server, connection_t *connection)
{
    (void)server;
    connection_kick(connection);
}

/* Waits until no connection is open, or until LIMIT has passed. */
static void wait_until_empty(net_server_t *server, apr_interval_time_t limit)
{
    apr_time_t end = clock_monotonic() + limit, now;

    apr_thread_mutex_lock(server->mutex);
    while (atomic_get64(&server->counters.open) &&
           (now = clock_monotonic()) < end)
        apr_thread_cond_timedwait(server->emptied, server->mutex, end - now);
    apr_thread_mutex_unlock(server->mutex);
}

/* After the threads: what is not answered is given up. */
static void abandon_slot(net_server_t *server, connection_t *connection)
{
    (void)server;
    while (connection->first && exchange_is_done(connection->first))
        connection_retire_first(connection);
    if (!connection->closed)
        apr_socket_close(connection->socket); /* nobody is left to tell */
    connection->closed = 1;
    if (connection->first)
        LOG_WARN(net, "%d requests from %s were not answered before the end",
                 connection->outstanding, connection->peer);
}

void net_server_stop(net_server_t *server, apr_interval_time_t limit)
{
    atomic_set32(&server->stopping, 1);
    apr_pollset_wakeup(server->pollset);
    wait_until_empty(server, limit);
    atomic_set32(&server->forced, 1);
    server_each_slot(server, kick_slot);
    wait_until_empty(server, apr_time_from_sec(1));
    listener_stop(server);
    worker_pool_stop(server->workers);
    server_each_slot(server, abandon_slot);
}

apr_port_t net_server_port(const net_server_t *server, int index)
{
    return server->ports[index];
}

void *net_server_baton(const net_server_t *server)
{
    return server->options.baton;
}

worker_pool_t *net_server_workers(const net_server_t *server)
{
    return server->workers;
}

net_counters_t *net_server_counters(net_server_t *server)
{
    return &server->counters;
}

const char *net_server_pollset_name(const net_server_t *server)
{
    return server->pollset_name;
}
