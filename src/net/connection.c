/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection's life: read frames, hand each to its handler, send what is
 * answered, park.
 *
 * The problem: requests are answered by many threads (this worker, the flusher,
 * the timer, whoever appended what a Fetch waited for), while the pollset may
 * report the same connection and the client may close it. The rule that settles
 * all of it: a connection has one owner at a time, named by its OWNER word
 * (connection_owner_t), and only the owner reads, writes, closes. So there is
 * no lock. Who isn't the owner and has news (an exchange is done, the server
 * stops) leaves it where the owner will look and kicks: the owner is told to
 * look again, or, where nobody owns the connection, a worker becomes it.
 *
 *           accept                    a worker takes it up
 *     FREE --------> PARKED ----------------------------------> RUNNING
 *                      ^   readable, writable, kicked, expired   |  ^
 *                      |                                         |  | kicked
 *                      +-----------------------------------------+  |
 *                        nothing to do: poll               WAITING <+
 *                                                 nothing to do and nothing
 *                                                 to be read: no poll
 *
 * The price: a kick of a slot that meanwhile serves another client wakes that
 * connection for nothing. That is why slots are never freed.
 *
 * An idle connection holds no buffer, no pool and no exchange.
 */
#include "net/connection.h"

#include <apr_thread_proc.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/logger.h"
#include "net/internal.h"

#define FRAME_PREFIX 4          /* the size that precedes each frame */
#define FRAME_MIN    8          /* key, version, correlation id */
#define FRAME_LARGE  (8 * 1024) /* above it a read ends where the frame ends */
#define FLOOD_BUFFER (64 * 1024 - 64)

/* No more than this is allocated because of what a size claims; then as bytes
 * come. */
#define FRAME_FIRST (1024 * 1024)

/* Owner changes ---------------------------------------------------------- */

void connection_kick(connection_t *connection)
{
    net_server_t *server = connection->server;
    atomic_u32_t *owner = &connection->owner;

    for (;;) {
        switch (atomic_get32(owner)) {
        case CONNECTION_RUNNING:
            if (atomic_cas32(owner, CONNECTION_RUNNING, CONNECTION_KICKED))
                return;
            break;
        case CONNECTION_WAITING:
            if (atomic_cas32(owner, CONNECTION_WAITING, CONNECTION_RUNNING)) {
                worker_pool_submit(server->workers, &connection->task);
                return;
            }
            break;
        case CONNECTION_PARKED:
            if (server->shared) {
                if (atomic_cas32(owner, CONNECTION_PARKED,
                                 CONNECTION_RUNNING)) {
                    server_unpark(server, connection);
                    worker_pool_submit(server->workers, &connection->task);
                    return;
                }
            } else if (atomic_cas32(owner, CONNECTION_PARKED,
                                    CONNECTION_LEAVING)) {
                server_post(server, connection);
                return;
            }
            break;
        case CONNECTION_ENTERING:
            if (atomic_cas32(owner, CONNECTION_ENTERING, CONNECTION_LEAVING))
                return;
            break;
        default: /* FREE, KICKED, LEAVING: nothing to do, or it is done */
            return;
        }
    }
}

/* The owner lets go until an exchange is done. Returns 0 when it was kicked
 * and must look again. */
static int wait_for_exchange(connection_t *connection)
{
    if (atomic_cas32(&connection->owner, CONNECTION_RUNNING,
                     CONNECTION_WAITING))
        return 1;
    atomic_set32(&connection->owner, CONNECTION_RUNNING);
    return 0;
}

static apr_size_t input_left(const connection_t *connection)
{
    return connection->input ? connection->input->used - connection->input_at
                             : 0;
}

static void drop_input(connection_t *connection)
{
    if (connection->input)
        net_buffer_drop(connection->server->buffers, connection->input);
    connection->input = NULL;
    connection->input_at = 0;
}

static void drop_spare(connection_t *connection)
{
    if (connection->spare)
        exchange_return(connection->server, connection->spare);
    connection->spare = NULL;
}

/* The end of a connection ------------------------------------------------ */

/* Closes the socket; WHY is what the client or we did wrong, or NULL. What is
 * in progress ends by itself, and its answers go nowhere. */
static void close_socket(connection_t *connection, const char *why)
{
    net_server_t *server = connection->server;

    if (why) {
        atomic_add64(&server->counters.failed, 1);
        LOG_EVERY(1, net, WARN, "closing the connection from %s: %s",
                  connection->peer, why);
    }
    apr_socket_close(connection->socket); /* nobody is left to tell */
    connection->closed = 1;
    drop_input(connection);
    server_closed(server);
}

/* Gives the slot back. */
static void end(connection_t *connection)
{
    net_server_t *server = connection->server;

    drop_spare(connection);
    if (connection->muted_until)
        base_timer_cancel(server->options.timer, &connection->unmute);
    connection->muted_until = 0;
    if (connection->user && server->options.closed)
        server->options.closed(connection->user);
    connection->user = NULL;
    server_free_slot(server, connection);
}

/* Lets the answers of a closed connection go; whether the owner is done. */
static int run_closed(connection_t *connection)
{
    while (connection->first && exchange_is_done(connection->first))
        connection_retire_first(connection);
    if (!connection->first) {
        end(connection);
        return 1;
    }
    return wait_for_exchange(connection);
}

/* When silence of a connection that is parked now, IN_FRAME or not, has been
 * too long: a server_tick, 0 for never. */
static apr_uint32_t expiry(const connection_t *connection, int in_frame)
{
    const net_options_t *options = &connection->server->options;
    apr_interval_time_t time =
        in_frame ? options->stall_time : options->idle_time;
    apr_uint32_t tick;

    if (time <= 0)
        return 0;
    tick = server_tick() + (apr_uint32_t)apr_time_as_msec(time);
    return tick ? tick : 1;
}

/* Parks for EVENTS with as little in hand as can be; whether the owner is
 * done. */
static int park(connection_t *connection, apr_int16_t events)
{
    apr_status_t status = APR_SUCCESS;
    int parked;

    if (!input_left(connection))
        drop_input(connection);
    if (!connection->first)
        drop_spare(connection);
    connection->poll.reqevents = events;
    atomic_set32(&connection->expires,
                 expiry(connection, input_left(connection) != 0));
    parked = server_park(connection->server, connection, &status);
    if (status) {
        LOG_EVERY(1, net, ERROR, "cannot poll the connection from %s: %s",
                  connection->peer, LOG_STATUS(status));
        close_socket(connection, NULL);
    }
    return parked;
}

/* Frames ----------------------------------------------------------------- */

/* Sets *LENGTH to the length of the next frame, 0 when that isn't known yet;
 * returns what is wrong with it, or NULL. */
static const char *next_length(const connection_t *connection,
                               apr_size_t *length)
{
    int32_t size;

    *length = 0;
    if (input_left(connection) < FRAME_PREFIX)
        return NULL;
    size = bytes_get_i32(connection->input->data + connection->input_at);
    if (size < 0)
        return "a frame of negative size";
    if (size < FRAME_MIN)
        return "a frame too short for a request";
    if ((apr_size_t)size > connection->server->options.max_request_bytes)
        return "a frame larger than socket.request.max.bytes";
    *length = (apr_size_t)size;
    return NULL;
}

static void unmute(void *baton)
{
    connection_kick(baton);
}

/* Nothing more is read for TIME from now on. */
static void mute(connection_t *connection, apr_interval_time_t time)
{
    base_timer_t *timer = connection->server->options.timer;
    apr_time_t until = clock_monotonic() + time;

    if (!timer || until <= connection->muted_until)
        return;
    connection->muted_until = until;
    connection->unmute.callback = unmute;
    connection->unmute.baton = connection;
    base_timer_start(timer, &connection->unmute, time);
}

static int is_muted(connection_t *connection)
{
    if (connection->muted_until &&
        connection->muted_until <= clock_monotonic())
        connection->muted_until = 0;
    return connection->muted_until != 0;
}

void connection_retire_first(connection_t *connection)
{
    net_server_t *server = connection->server;
    net_exchange_t *exchange = connection->first;

    if (exchange->mute > 0 && !connection->closed)
        mute(connection, exchange->mute);
    connection->first = exchange->next;
    if (!connection->first)
        connection->last = NULL;
    connection->outstanding--;
    connection->outstanding_bytes -= exchange->frame_length;
    if (exchange->zero_copied)
        atomic_add64(&server->counters.answers_zero_copy, 1);
    else if (exchange->copied)
        atomic_add64(&server->counters.answers_copied, 1);
    exchange_clear(server, exchange);
    if (connection->spare)
        exchange_return(server, exchange);
    else
        connection->spare = exchange;
}

/* Whether a frame that OVERLAPS others may begin now. */
static int may_begin(const connection_t *connection, int overlaps)
{
    const net_options_t *options = &connection->server->options;

    if (!connection->first)
        return 1;
    return overlaps && connection->last->overlaps &&
           connection->outstanding < options->max_outstanding &&
           connection->outstanding_bytes < options->max_outstanding_bytes;
}

static void dispatch(connection_t *connection, apr_size_t length, int overlaps)
{
    net_server_t *server = connection->server;
    net_exchange_t *exchange = connection->spare;

    if (exchange)
        connection->spare = NULL;
    else
        exchange = exchange_lease(server);
    exchange->connection = connection;
    exchange->overlaps = overlaps;
    exchange->input = connection->input;
    exchange->input->references++;
    exchange->frame =
        connection->input->data + connection->input_at + FRAME_PREFIX;
    exchange->frame_length = length;
    exchange->received = clock_monotonic();
    exchange->next = NULL;
    if (connection->last)
        connection->last->next = exchange;
    else
        connection->first = exchange;
    connection->last = exchange;
    connection->outstanding++;
    connection->outstanding_bytes += length;
    connection->input_at += FRAME_PREFIX + length;
    connection->last_frame = FRAME_PREFIX + length;
    atomic_add64(&server->counters.requests, 1);

    atomic_set32(&exchange->phase, EXCHANGE_DISPATCHING);
    server->options.dispatch(exchange);
    atomic_cas32(&exchange->phase, EXCHANGE_DISPATCHING, EXCHANGE_PENDING);
}

/* Dispatches the frames that are whole, as far as they may begin; returns what
 * is wrong with the next, or NULL. */
static const char *dispatch_frames(connection_t *connection)
{
    const net_options_t *options = &connection->server->options;

    connection->held = 0;
    for (;;) {
        apr_size_t length;
        const char *why = next_length(connection, &length);
        int overlaps;

        if (why)
            return why;
        if (!length || input_left(connection) < FRAME_PREFIX + length)
            return NULL;
        overlaps = options->overlaps &&
                   options->overlaps(connection->input->data +
                                         connection->input_at + FRAME_PREFIX,
                                     length);
        if (!may_begin(connection, overlaps)) {
            connection->held = 1;
            return NULL;
        }
        dispatch(connection, length, overlaps);
    }
}

/* Reading ---------------------------------------------------------------- */

/* Makes the input hold CAPACITY bytes from where the next frame begins. */
static apr_status_t make_room(connection_t *connection, apr_size_t capacity)
{
    net_server_t *server = connection->server;
    net_buffer_t *input = connection->input, *fresh;
    apr_size_t left = input_left(connection);

    if (input && !left && input->references == 1)
        input->used = connection->input_at = 0;
    if (input && input->capacity - connection->input_at >= capacity)
        return APR_SUCCESS;
    if (input && !connection->input_at && input->references == 1)
        return net_buffer_grow(&connection->input, capacity) ? APR_SUCCESS
                                                             : APR_ENOMEM;
    if (!(fresh = net_buffer_lease(server->buffers, capacity)))
        return APR_ENOMEM;
    if (left)
        memcpy(fresh->data, input->data + connection->input_at, left);
    fresh->used = left;
    drop_input(connection);
    connection->input = fresh;
    return APR_SUCCESS;
}

/* Makes room for the next read and sets *ASK to how much it may bring: the rest
 * of a large frame and not a byte of the next, so that each large frame lies in
 * a buffer of its own without being copied; of small ones as many as come. */
static apr_status_t prepare_read(connection_t *connection, apr_size_t *ask)
{
    apr_size_t left = input_left(connection), length, expected;
    apr_status_t rv;

    next_length(connection, &length); /* right, or we would not be here */
    if (length) {
        apr_size_t step = left * 2 > FRAME_FIRST ? left * 2 : FRAME_FIRST;
        expected = FRAME_PREFIX + length;
        rv = make_room(connection, expected < step ? expected : step);
    } else {
        expected = connection->last_frame < FRAME_FIRST ? connection->last_frame
                                                        : FRAME_FIRST;
        if (connection->flood && expected < FLOOD_BUFFER)
            rv = make_room(connection, FLOOD_BUFFER);
        else
            rv = make_room(connection,
                           expected > FRAME_LARGE ? expected : FRAME_LARGE);
    }
    if (rv)
        return rv;
    *ask = connection->input->capacity - connection->input->used;
    if (expected > FRAME_LARGE && expected - left < *ask)
        *ask = expected - left;
    return APR_SUCCESS;
}

/* Reads once. */
static apr_status_t read_some(connection_t *connection)
{
    apr_size_t ask, got;
    apr_status_t rv = prepare_read(connection, &ask);

    if (rv)
        return rv;
    got = ask;
    rv = apr_socket_recv(
        connection->socket,
        (char *)connection->input->data + connection->input->used, &got);
    connection->turns += !rv;
    connection->readable = rv == APR_SUCCESS && got == ask;
    if (rv)
        return rv;
    connection->flood = got == ask && ask <= FLOOD_BUFFER &&
                        connection->last_frame < FRAME_LARGE;
    connection->input->used += got;
    atomic_add64(&connection->server->counters.bytes_in, (apr_int64_t)got);
    return APR_SUCCESS;
}

/*
 * Tries to read for spin_time without going to sleep: a client that asks again
 * within some microseconds is served before the kernel would have woken this
 * thread. Only a worker that works alone does so, and it lets others run in
 * between: where more is to be done, the time belongs to those who do it.
 */
static apr_status_t spin(connection_t *connection)
{
    net_server_t *server = connection->server;
    apr_time_t end;
    apr_status_t rv = APR_EAGAIN;

    if (!server->options.spin_time)
        return APR_EAGAIN;
    end = clock_monotonic() + server->options.spin_time;
    while (worker_pool_alone(server->workers)) {
        rv = read_some(connection);
        if (!APR_STATUS_IS_EAGAIN(rv))
            break;
        apr_thread_yield();
        if (clock_monotonic() >= end)
            break;
    }
    return rv;
}

/* Waits a moment for a client that was just answered, if a worker can be spared
 * for it, and reads what it sends. APR_EAGAIN: it sent nothing. */
static apr_status_t linger(connection_t *connection)
{
    net_server_t *server = connection->server;
    apr_int32_t ready = 0;
    apr_status_t rv;

    if (worker_pool_is_nested())
        return APR_EAGAIN;
    if (connection->first || !server->options.linger_time ||
        !worker_pool_linger_begin(server->workers))
        return read_some(connection);
    rv = spin(connection);
    if (APR_STATUS_IS_EAGAIN(rv)) {
        connection->poll.reqevents = APR_POLLIN;
        if (!apr_poll(&connection->poll, 1, &ready,
                      server->options.linger_time))
            rv = read_some(connection);
    }
    worker_pool_linger_end(server->workers);
    if (!rv)
        atomic_add64(&server->counters.lingered, 1);
    return rv;
}

/* The owner's loop ------------------------------------------------------- */

/* Reads more; whether the owner is done. */
static int run_reading(connection_t *connection)
{
    net_server_t *server = connection->server;
    apr_status_t rv;

    if (connection->turns && worker_pool_busy(server->workers)) {
        connection->turns = 0;
        worker_pool_requeue(server->workers, &connection->task);
        return 1;
    }
    rv = connection->readable ? read_some(connection) : linger(connection);
    if (!rv)
        return 0;
    if (APR_STATUS_IS_EAGAIN(rv) || APR_STATUS_IS_EINTR(rv))
        return park(connection, APR_POLLIN);
    if (rv == APR_EOF && input_left(connection))
        close_socket(connection, "it ended in the midst of a frame");
    else if (rv == APR_ENOMEM)
        close_socket(connection, "no memory for its frame");
    else
        close_socket(connection, NULL);
    return 0;
}

/* What makes the owner close the connection before it does anything else. */
static int must_close(connection_t *connection, const char **why)
{
    net_server_t *server = connection->server;

    *why = NULL;
    if (connection->doomed || atomic_get32(&server->forced))
        return 1;
    if (connection->expired) {
        atomic_add64(&server->counters.expired, 1);
        if (connection->first)
            *why = "it does not take its answer";
        else if (input_left(connection))
            *why = "it fell silent in the midst of a frame";
        return 1;
    }
    return 0;
}

/* One turn of the loop; whether the owner is done. */
static int run_once(connection_t *connection)
{
    net_server_t *server = connection->server;
    const char *why;
    apr_status_t rv;

    if (connection->closed)
        return run_closed(connection);
    if (must_close(connection, &why)) {
        close_socket(connection, why);
        return 0;
    }
    rv = connection_write(connection, &why);
    if (rv == APR_EAGAIN)
        return park(connection, APR_POLLOUT);
    if (rv) {
        close_socket(connection, why);
        return 0;
    }
    if (atomic_get32(&server->stopping)) {
        if (connection->first)
            return wait_for_exchange(connection);
        close_socket(connection, NULL);
        return 0;
    }
    if (is_muted(connection))
        return wait_for_exchange(connection);
    if ((why = dispatch_frames(connection))) {
        if (connection->first) /* answers come first */
            return wait_for_exchange(connection);
        close_socket(connection, why);
        return 0;
    }
    if (connection->first && exchange_is_done(connection->first))
        return 0;
    if (worker_pool_run_own(server->workers))
        return 0;
    if (connection->held || !may_begin(connection, 1))
        return wait_for_exchange(connection);
    return run_reading(connection);
}

void connection_run(worker_task_t *task)
{
    connection_t *connection = (connection_t *)task;

    connection->turns = 0;
    while (!run_once(connection))
        ;
}

/* For those who answer --------------------------------------------------- */

net_server_t *connection_server(const connection_t *connection)
{
    return connection->server;
}

const char *connection_peer_host(const connection_t *connection)
{
    return connection->peer_host;
}

const char *connection_peer(const connection_t *connection)
{
    return connection->peer;
}

const char *connection_listener(const connection_t *connection)
{
    const net_options_t *options = &connection->server->options;
    return options->listeners[connection->listener].name;
}

void *connection_user(const connection_t *connection)
{
    return connection->user;
}

void connection_set_user(connection_t *connection, void *user)
{
    connection->user = user;
}
