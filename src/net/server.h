/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: listening sockets, one listener thread with the pollset, and the
 * worker pool that serves connections. It hands each whole frame to the
 * dispatch function and sends the answer.
 */
#ifndef TAKHIN_NET_SERVER_H
#define TAKHIN_NET_SERVER_H

#include <apr_network_io.h>
#include <apr_pools.h>
#include <apr_time.h>
#include <takhin/zerocopy.h>

#include "base/atomic.h"
#include "base/timer.h"
#include "net/exchange.h"
#include "net/worker_pool.h"

typedef struct net_server_t net_server_t;

typedef struct {
    const char *name; /* "PLAINTEXT" */
    const char *host; /* "" or "[::]": every address, IPv4 and IPv6 */
    apr_port_t port;  /* 0: any; net_server_port tells which */
} net_listener_options_t;

/* How a connection goes back to the pollset. */
typedef enum {
    NET_POLLSET_AUTO,   /* shared if the system can */
    NET_POLLSET_SHARED, /* workers change the pollset themselves */
    NET_POLLSET_QUEUED  /* only the listener does: a queue and a wake-up */
} net_pollset_mode_t;

/* All of it is copied but what pointers point to, which must live as long as
 * the server. net_options_init sets the defaults. */
typedef struct {
    const net_listener_options_t *listeners;
    int listener_count;
    int workers; /* threads, 1 and above */
    int backlog;
    int max_connections;           /* or three quarters of the descriptors
                                       the system allows, if that is less */
    apr_size_t max_request_bytes;  /* of one frame */
    apr_size_t sendfile_min_bytes; /* a smaller file part is copied: at 4 KiB
                                       that costs a little less CPU, at 16 KiB
                                       more, at 64 KiB half as much again */
    int max_outstanding;           /* overlapping requests a connection */
    apr_size_t max_outstanding_bytes;
    int send_buffer_bytes; /* of the socket; -1: the system's */
    int receive_buffer_bytes;
    apr_interval_time_t idle_time;   /* a silent connection is closed */
    apr_interval_time_t stall_time;  /* so is one in the midst of a frame */
    apr_interval_time_t linger_time; /* a worker waits for the next request */
    apr_interval_time_t spin_time;  /* of that: looking, without sleep */
    net_pollset_mode_t pollset;

    base_timer_t *timer;  /* ends the time a connection is muted for; NULL:
                             none is. It is stopped after the server */
    void *baton;          /* net_server_baton */
    apr_size_t room_size; /* of net_exchange_t.room */

    /* A frame came in: ends the exchange, now or later. On a worker. */
    void (*dispatch)(net_exchange_t *exchange);
    /* Whether the frame is of the kind that may begin while others of that
     * kind on the same connection are not answered. NULL: none is. */
    int (*overlaps)(const uint8_t *frame, apr_size_t length);
    /* A connection whose user pointer was set has closed. May be NULL. */
    void (*closed)(void *user);
} net_options_t;

void net_options_init(net_options_t *options);

/* Counters; read each with atomic_get64, ZEROCOPY with
 * takhin_zerocopy_counters_get. */
typedef struct {
    atomic_u64_t accepted; /* connections */
    atomic_u64_t refused;  /* above max_connections */
    atomic_u64_t open;     /* now */
    atomic_u64_t failed;   /* closed because of what they sent */
    atomic_u64_t expired;  /* closed because they were silent */
    atomic_u64_t requests;
    atomic_u64_t bytes_in;
    atomic_u64_t bytes_out;
    atomic_u64_t answers_zero_copy; /* at least one part by sendfile */
    atomic_u64_t answers_copied;    /* all file parts by copy */
    atomic_u64_t lingered;          /* requests that came while a worker
                                       waited for them */
    takhin_zerocopy_counters_t zerocopy;
} net_counters_t;

/* Binds and listens on all listeners and starts the workers. On an error
 * nothing is left behind, and *ERROR says in one line what cannot be (address
 * in use, with host and port), allocated in POOL. Who connects waits in the
 * system's backlog until net_server_accept. */
apr_status_t net_server_open(net_server_t **server,
                             const net_options_t *options, const char **error,
                             apr_pool_t *pool);

/* Starts to serve, once. */
apr_status_t net_server_accept(net_server_t *server);

/* Both in one. */
apr_status_t net_server_start(net_server_t **server,
                              const net_options_t *options, const char **error,
                              apr_pool_t *pool);

/*
 * Stops accepting, answers what is in progress for at most LIMIT microseconds,
 * closes all connections, ends the threads. Exchanges that nobody has ended by
 * then stay valid until the server's pool goes. Not from a worker.
 */
void net_server_stop(net_server_t *server, apr_interval_time_t limit);

/* The port that listener INDEX has. */
apr_port_t net_server_port(const net_server_t *server, int index);

void *net_server_baton(const net_server_t *server);
worker_pool_t *net_server_workers(const net_server_t *server);
net_counters_t *net_server_counters(net_server_t *server);

/* "epoll, shared" and so on: for the log. */
const char *net_server_pollset_name(const net_server_t *server);

#endif
