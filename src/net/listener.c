/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener: one thread that accepts connections, waits in the pollset for
 * those that are parked, hands each that is ready to a worker, and closes those
 * that are silent for too long. It reads and writes no request.
 *
 * Where the pollset may be changed by any thread (epoll, kqueue), workers park
 * and unpark connections themselves. Where it may not (Windows), they leave the
 * connection in a queue and wake this thread, which does it.
 */
#include "net/listener.h"

#include <apr_portable.h>
#include <apr_strings.h>
#include <string.h>

#include "base/clock.h"
#include "base/logger.h"
#include "net/socket.h"

#define POLL_RESULTS     1024  /* events a poll reports at most */
#define QUEUED_CAPACITY  16384 /* a pollset that must know its size */
#define ACCEPTS_IN_A_ROW 64
#define ACCEPT_PAUSE     apr_time_from_msec(100)
#define SWEEP_MAX        apr_time_from_sec(10)
#define SWEEP_MIN        apr_time_from_msec(10)

/* Opening ---------------------------------------------------------------- */

static void set_port(apr_sockaddr_t *address, apr_port_t port)
{
    address->port = port;
    if (address->family == APR_INET)
        address->sa.sin.sin_port = htons(port);
#if APR_HAVE_IPV6
    else
        address->sa.sin6.sin6_port = htons(port);
#endif
}

/* Listens on ADDRESS; DUAL: an IPv6 socket that takes IPv4 as well. */
static apr_status_t open_socket(net_server_t *server, apr_sockaddr_t *address,
                                int dual, int listener)
{
    server_socket_t *place = &server->sockets[server->socket_count];
    apr_sockaddr_t *bound;
    apr_socket_t *socket;
    apr_status_t rv;

    if (server->socket_count == SERVER_MAX_SOCKETS)
        return APR_ENOSPC;
    if ((rv = apr_socket_create(&socket, address->family, SOCK_STREAM,
                                APR_PROTO_TCP, server->pool)))
        return rv;
    if (address->family != APR_INET) /* some systems allow only one of both */
        apr_socket_opt_set(socket, APR_IPV6_V6ONLY, !dual);
    set_port(address, server->ports[listener]);
    if ((rv = net_socket_set_exclusive(socket)) ||
        (rv = apr_socket_bind(socket, address)) ||
        (rv = apr_socket_listen(socket, server->options.backlog)) ||
        (rv = apr_socket_opt_set(socket, APR_SO_NONBLOCK, 1)) ||
        (rv = apr_socket_timeout_set(socket, 0)) ||
        (rv = apr_socket_addr_get(&bound, APR_LOCAL, socket))) {
        apr_socket_close(socket);
        return rv;
    }
    server->ports[listener] = bound->port;
    place->socket = socket;
    place->listener = listener;
    place->poll.p = server->pool;
    place->poll.desc_type = APR_POLL_SOCKET;
    place->poll.desc.s = socket;
    place->poll.reqevents = APR_POLLIN;
    place->poll.client_data = NULL; /* tells it from a connection */
    server->socket_count++;
    return APR_SUCCESS;
}

#if APR_HAVE_IPV6
/* Whether this system has IPv6 at all. */
static int has_ipv6(apr_pool_t *pool)
{
    apr_sockaddr_t *address;
    apr_socket_t *socket;
    int has;

    if (apr_sockaddr_info_get(&address, "::", APR_INET6, 0, 0, pool) ||
        apr_socket_create(&socket, APR_INET6, SOCK_STREAM, APR_PROTO_TCP, pool))
        return 0;
    has = !apr_socket_bind(socket, address);
    apr_socket_close(socket);
    return has;
}
#endif

static apr_status_t open_everywhere(net_server_t *server, int listener)
{
    apr_sockaddr_t *address;
    const char *host = "0.0.0.0";
    apr_int32_t family = APR_INET;
    apr_status_t rv;

#if APR_HAVE_IPV6
    if (has_ipv6(server->pool)) {
        host = "::";
        family = APR_INET6;
    }
#endif
    if ((rv =
             apr_sockaddr_info_get(&address, host, family, 0, 0, server->pool)))
        return rv;
    return open_socket(server, address, 1, listener);
}

static apr_status_t open_listener(net_server_t *server, int listener)
{
    const char *host = server->options.listeners[listener].host;
    apr_size_t length = host ? strlen(host) : 0;
    apr_sockaddr_t *address;
    apr_status_t rv;

    server->ports[listener] = server->options.listeners[listener].port;
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']')
        host = apr_pstrmemdup(server->pool, host + 1, length - 2);
    if (!length || !strcmp(host, "::"))
        return open_everywhere(server, listener);
    if ((rv = apr_sockaddr_info_get(&address, host, APR_UNSPEC, 0, 0,
                                    server->pool)))
        return rv;
    for (; address && !rv; address = address->next)
        rv = open_socket(server, address, 0, listener);
    return rv;
}

/* Tries the pollsets in the order of preference. */
static apr_status_t create_pollset(net_server_t *server)
{
    static const struct {
        net_pollset_mode_t mode;
        apr_uint32_t flags;
    } ways[] = {
        {NET_POLLSET_SHARED, APR_POLLSET_THREADSAFE | APR_POLLSET_NOCOPY},
        {NET_POLLSET_SHARED, APR_POLLSET_THREADSAFE},
        {NET_POLLSET_QUEUED, APR_POLLSET_NOCOPY},
        {NET_POLLSET_QUEUED, 0},
    };
    net_pollset_mode_t wanted = server->options.pollset;
    apr_status_t rv = APR_ENOTIMPL;
    unsigned i;

    for (i = 0; i < sizeof(ways) / sizeof(*ways) && rv; i++) {
        apr_uint32_t size =
            ways[i].flags & APR_POLLSET_NOCOPY ? POLL_RESULTS : QUEUED_CAPACITY;
        if (wanted != NET_POLLSET_AUTO && wanted != ways[i].mode)
            continue;
        server->shared = ways[i].mode == NET_POLLSET_SHARED;
        rv = apr_pollset_create(&server->pollset, size, server->pool,
                                ways[i].flags | APR_POLLSET_WAKEABLE |
                                    APR_POLLSET_NODEFAULT);
        if (rv)
            rv = apr_pollset_create(&server->pollset, size, server->pool,
                                    ways[i].flags | APR_POLLSET_WAKEABLE);
    }
    if (!rv)
        server->pollset_name =
            apr_pstrcat(server->pool, apr_pollset_method_name(server->pollset),
                        server->shared ? ", shared" : ", queued", NULL);
    return rv;
}

static void accept_on(net_server_t *server)
{
    int i;

    for (i = 0; i < server->socket_count; i++)
        /* A failure leaves that address deaf until the next time. */
        if (!server->sockets[i].polled)
            server->sockets[i].polled =
                !apr_pollset_add(server->pollset, &server->sockets[i].poll);
    server->accepting = 1;
}

static void accept_off(net_server_t *server)
{
    int i;

    for (i = 0; i < server->socket_count; i++) {
        if (server->sockets[i].polled)
            apr_pollset_remove(server->pollset, &server->sockets[i].poll);
        server->sockets[i].polled = 0;
    }
    server->accepting = 0;
}

static apr_interval_time_t sweep_interval(const net_options_t *options)
{
    apr_interval_time_t interval = SWEEP_MAX;

    if (options->idle_time > 0 && options->idle_time / 4 < interval)
        interval = options->idle_time / 4;
    if (options->stall_time > 0 && options->stall_time / 4 < interval)
        interval = options->stall_time / 4;
    return interval > SWEEP_MIN ? interval : SWEEP_MIN;
}

apr_status_t listener_open(net_server_t *server, const char **error,
                           apr_pool_t *pool)
{
    apr_status_t rv;
    int i;

    for (i = 0; i < server->options.listener_count; i++) {
        const net_listener_options_t *listener = &server->options.listeners[i];
        if ((rv = open_listener(server, i))) {
            *error =
                apr_psprintf(pool, "cannot listen on %s:%d (%s): %s",
                             listener->host ? listener->host : "",
                             listener->port, listener->name, LOG_STATUS(rv));
            return rv;
        }
    }
    server->sweep_interval = sweep_interval(&server->options);
    return create_pollset(server);
}

/* Accepting -------------------------------------------------------------- */

/* Writes the client's address into CONNECTION. */
static void note_peer(connection_t *connection, apr_socket_t *accepted)
{
    apr_sockaddr_t *peer;

    strcpy(connection->peer_host, "?");
    strcpy(connection->peer, "?");
    if (!apr_socket_addr_get(&peer, APR_REMOTE, accepted) &&
        !apr_sockaddr_ip_getbuf(connection->peer_host,
                                sizeof(connection->peer_host), peer))
        apr_snprintf(connection->peer, sizeof(connection->peer),
                     strchr(connection->peer_host, ':') ? "[%s]:%d" : "%s:%d",
                     connection->peer_host, peer->port);
}

static void fill_in(connection_t *connection, int listener)
{
    connection->input = NULL;
    connection->input_at = connection->last_frame = 0;
    connection->turns = 0;
    connection->readable = connection->flood = 0;
    connection->held = connection->expired = connection->doomed = 0;
    connection->closed = connection->corked = 0;
    connection->listener = (uint8_t)listener;
    connection->user = NULL;
    memset(&connection->poll, 0, sizeof(connection->poll));
    connection->poll.desc_type = APR_POLL_SOCKET;
    connection->poll.desc.s = connection->socket;
    connection->poll.reqevents = APR_POLLIN;
    connection->poll.client_data = connection;
}

/* Takes the descriptor of ACCEPTED into CONNECTION's own apr_socket_t, which
 * lives as long as the slot: one of APR's own making would need a pool for each
 * connection, of 8 KiB at least. */
static apr_status_t take_over(net_server_t *server, connection_t *connection,
                              apr_socket_t *accepted)
{
    apr_os_sock_t descriptor, none = (apr_os_sock_t)-1;
    apr_status_t rv;

    if ((rv = apr_os_sock_get(&descriptor, accepted)) ||
        (rv = apr_os_sock_put(&connection->socket, &descriptor,
                              server->slot_pool)) ||
        (rv = apr_os_sock_put(&accepted, &none, server->accept_pool)))
        return rv;
    return apr_socket_timeout_set(connection->socket, 0);
}

static void set_options(net_server_t *server, apr_socket_t *socket)
{
    const net_options_t *options = &server->options;

    /* Each of these only makes it slower where it fails. */
    apr_socket_opt_set(socket, APR_TCP_NODELAY, 1);
    apr_socket_opt_set(socket, APR_SO_KEEPALIVE, 1);
    if (options->send_buffer_bytes > 0)
        apr_socket_opt_set(socket, APR_SO_SNDBUF, options->send_buffer_bytes);
    if (options->receive_buffer_bytes > 0)
        apr_socket_opt_set(socket, APR_SO_RCVBUF,
                           options->receive_buffer_bytes);
}

/* Puts CONNECTION, which the listener owns, into the pollset. */
static void enter(net_server_t *server, connection_t *connection,
                  connection_owner_t from)
{
    apr_status_t rv = apr_pollset_add(server->pollset, &connection->poll);

    if (rv) {
        LOG_EVERY(1, net, ERROR, "cannot poll the connection from %s: %s",
                  connection->peer, LOG_STATUS(rv));
        connection->doomed = 1;
    } else {
        if (atomic_cas32(&connection->owner, from, CONNECTION_PARKED))
            return;
        apr_pollset_remove(server->pollset, &connection->poll);
    }
    atomic_set32(&connection->owner, CONNECTION_RUNNING);
    worker_pool_submit(server->workers, &connection->task);
}

static void begin(net_server_t *server, apr_socket_t *accepted, int listener)
{
    connection_t *connection;

    if (atomic_get64(&server->counters.open) >=
        (apr_uint64_t)server->options.max_connections) {
        atomic_add64(&server->counters.refused, 1);
        LOG_EVERY(1, net, WARN, "a connection is refused: %d are open",
                  server->options.max_connections);
        return;
    }
    set_options(server, accepted);
    if (apr_socket_opt_set(accepted, APR_SO_NONBLOCK, 1))
        return;
    connection = server_take_slot(server);
    note_peer(connection, accepted);
    if (take_over(server, connection, accepted)) {
        server_free_slot(server, connection);
        return;
    }
    fill_in(connection, listener);
    atomic_add64(&server->counters.accepted, 1);
    atomic_add64(&server->counters.open, 1);
    atomic_set32(&connection->expires, 0);
    if (server->options.idle_time > 0)
        atomic_set32(&connection->expires,
                     server_tick() + (apr_uint32_t)apr_time_as_msec(
                                         server->options.idle_time));
    atomic_set32(&connection->owner, CONNECTION_RUNNING);
    enter(server, connection, CONNECTION_RUNNING);
}

static void accept_some(net_server_t *server, server_socket_t *from)
{
    int i;

    for (i = 0; i < ACCEPTS_IN_A_ROW; i++) {
        apr_socket_t *accepted;
        apr_status_t rv =
            apr_socket_accept(&accepted, from->socket, server->accept_pool);
        if (!rv)
            begin(server, accepted, from->listener);
        apr_pool_clear(server->accept_pool); /* closes what was not taken */
        if (APR_STATUS_IS_EAGAIN(rv))
            return;
        if (rv && !APR_STATUS_IS_ECONNABORTED(rv) && !APR_STATUS_IS_EINTR(rv)) {
            LOG_EVERY(10, net, ERROR, "cannot accept a connection: %s",
                      LOG_STATUS(rv));
            accept_off(server);
            server->accept_again = clock_monotonic() + ACCEPT_PAUSE;
            return;
        }
    }
}

/* The thread ------------------------------------------------------------- */

/* Takes the parked CONNECTION out of the pollset; whether it was parked. */
static int claim(net_server_t *server, connection_t *connection)
{
    if (!atomic_cas32(&connection->owner, CONNECTION_PARKED,
                      CONNECTION_RUNNING))
        return 0;
    apr_pollset_remove(server->pollset, &connection->poll); /* it is in */
    return 1;
}

static void handle_event(net_server_t *server, const apr_pollfd_t *event)
{
    connection_t *connection = event->client_data;
    int i;

    if (connection) {
        if (claim(server, connection)) {
            connection->readable = (event->rtnevents & APR_POLLIN) != 0;
            worker_pool_submit(server->workers, &connection->task);
        } else if (server->shared)
            apr_thread_yield(); /* on its way in or out: see server_park */
        return;
    }
    for (i = 0; i < server->socket_count; i++)
        if (server->sockets[i].socket == event->desc.s)
            accept_some(server, &server->sockets[i]);
}

/* What workers left in the queue. */
static void handle_posted(net_server_t *server)
{
    connection_t *posted;

    apr_thread_mutex_lock(server->mutex);
    posted = server->posted;
    server->posted = NULL;
    apr_thread_mutex_unlock(server->mutex);
    while (posted) {
        connection_t *connection = posted;
        posted = (connection_t *)connection->task.next;
        if (atomic_get32(&connection->owner) == CONNECTION_ENTERING) {
            enter(server, connection, CONNECTION_ENTERING);
            continue;
        }
        /* LEAVING: kicked while parked, or on its way in */
        apr_pollset_remove(server->pollset, &connection->poll);
        atomic_set32(&connection->owner, CONNECTION_RUNNING);
        worker_pool_submit(server->workers, &connection->task);
    }
}

static int is_expired(connection_t *connection)
{
    apr_uint32_t expires = atomic_get32(&connection->expires);
    return expires && (apr_int32_t)(server_tick() - expires) >= 0;
}

static void sweep_slot(net_server_t *server, connection_t *connection)
{
    if (!is_expired(connection) || !claim(server, connection))
        return;
    connection->readable = 0;
    connection->expired = is_expired(connection); /* it may have moved */
    worker_pool_submit(server->workers, &connection->task);
}

static void kick_slot(net_server_t *server, connection_t *connection)
{
    (void)server;
    connection_kick(connection);
}

/* What is due by the clock; returns how long the next poll may take. */
static apr_interval_time_t keep_time(net_server_t *server)
{
    apr_time_t now = clock_monotonic();
    apr_interval_time_t wait;

    if (now >= server->next_sweep) {
        server->next_sweep = now + server->sweep_interval;
        server_each_slot(server, sweep_slot);
        net_buffers_trim(server->buffers);
    }
    wait = server->next_sweep - now;
    if (server->accepting || atomic_get32(&server->stopping))
        return wait;
    if (now >= server->accept_again) {
        accept_on(server);
        return wait;
    }
    return server->accept_again - now < wait ? server->accept_again - now
                                             : wait;
}

/* Accepts no more, and lets every connection see that the server stops. */
static void begin_stop(net_server_t *server)
{
    int i;

    accept_off(server);
    for (i = 0; i < server->socket_count; i++)
        apr_socket_close(server->sockets[i].socket);
    server->socket_count = 0;
    server_each_slot(server, kick_slot);
}

static void *APR_THREAD_FUNC listener_main(apr_thread_t *thread, void *baton)
{
    net_server_t *server = baton;
    int stop_begun = 0;

    (void)thread;
    accept_on(server);
    while (!atomic_get32(&server->ended)) {
        const apr_pollfd_t *events;
        apr_int32_t count = 0, i;
        apr_status_t rv = apr_pollset_poll(server->pollset, keep_time(server),
                                           &count, &events);
        if (rv && !APR_STATUS_IS_EINTR(rv) && !APR_STATUS_IS_TIMEUP(rv)) {
            LOG_EVERY(10, net, ERROR, "cannot poll: %s", LOG_STATUS(rv));
            apr_sleep(ACCEPT_PAUSE); /* rather slow than spinning */
        }
        for (i = 0; i < count && !rv; i++)
            handle_event(server, &events[i]);
        if (!server->shared)
            handle_posted(server);
        if (!stop_begun && atomic_get32(&server->stopping)) {
            stop_begun = 1;
            begin_stop(server);
        }
    }
    return NULL;
}

apr_status_t listener_start(net_server_t *server)
{
    return apr_thread_create(&server->thread, NULL, listener_main, server,
                             server->pool);
}

void listener_stop(net_server_t *server)
{
    apr_status_t ignored; /* the thread's own: always success */

    if (!server->thread)
        return; /* it never accepted */
    atomic_set32(&server->ended, 1);
    apr_pollset_wakeup(server->pollset);
    apr_thread_join(&ignored, server->thread);
}
